-- Workspaces, their sites, forms, members and keys, and who may speak for them.
--
-- Whoever may call one of the functions that change something (leadanalytics_admin, and the door for an
-- admin key) names the workspace; leadanalytics.permitted() decides.

-- D-67. Built-in rows, not dumped; the order in which prefixes are tried does not matter, see key.c.
INSERT INTO leadanalytics.key_role (role, prefix, opens) VALUES
    ('admin', 'la_admin_', 'every route of its workspace, all families'),
    ('marketing', 'la_mkt_', 'the dashboard''s routes with contacts masked, for its own list of pages'),
    ('capture', 'la_cap_', 'POST /lead.capture'),
    ('sdk', 'dk_', 'GET of the public family and POST /api/v1/track: it stands in web pages'),
    ('agent', 'dk_agent_', 'GET of the public family'),
    ('live', 'ldr_live_sk_', '/v1/*'),
    ('sandbox', 'ldr_sandbox_sk_', '/v1/* on data of its own'),
    ('member', 'lnx_', 'GET of the activity family; with member role owner or admin also its doors'),
    ('tenant', 'la_ws_', 'the campaigns family and its doors');

-- Who may.
CREATE FUNCTION leadanalytics.may(workspace int)
RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_may';
COMMENT ON FUNCTION leadanalytics.may(int) IS
    'whether the caller may ask about the workspace: a request about its own; a database role (as SET ROLE has it) about those granted to it or to a role it is a member of; superusers, leadanalytics_owner and leadanalytics_admin about all';
GRANT EXECUTE ON FUNCTION leadanalytics.may(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.permitted(workspace int)
RETURNS int LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_permitted';
COMMENT ON FUNCTION leadanalytics.permitted(int) IS
    'the workspace''s id when the caller may ask about it, else the error 404 "Workspace not found", the same for one that does not exist';
GRANT EXECUTE ON FUNCTION leadanalytics.permitted(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.sees_contacts(workspace int, as_role text DEFAULT NULL)
RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_sees_contacts';
COMMENT ON FUNCTION leadanalytics.sees_contacts(int, text) IS
    'whether the caller sees people''s contacts as they are: not with a marketing key, not as a database role granted as marketing only, and not when as_role is marketing; who may ask at all is leadanalytics.permitted()''s to say';

CREATE FUNCTION leadanalytics.masked_email(email text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN pg_catalog.strpos(email, '@') > 1 THEN pg_catalog.left(email, 1) || '***' || pg_catalog.regexp_replace(email, '^.*@', '@')
                WHEN email IS NOT NULL THEN '***' END
$$;
COMMENT ON FUNCTION leadanalytics.masked_email(text) IS 'r***@example.com: how marketing sees an e-mail address';
GRANT EXECUTE ON FUNCTION leadanalytics.masked_email(text), leadanalytics.sees_contacts(int, text) TO leadanalytics_read; -- views ask as their reader
CREATE FUNCTION leadanalytics.masked_phone(phone text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.right(pg_catalog.regexp_replace(phone, '[^0-9]', '', 'g'), 4)
$$;
COMMENT ON FUNCTION leadanalytics.masked_phone(text) IS 'the last four digits: how marketing sees a number';

CREATE FUNCTION leadanalytics.public_workspace(slug text, site_key text, origin text, referer text)
RETURNS int LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_public_workspace';
COMMENT ON FUNCTION leadanalytics.public_workspace(text, text, text, text) IS
    'whose workspace a post without a key goes to: the one it names, else that of the page''s domain, else the default; 403 when there is none, the site is disabled or the origin is not allowed';

CREATE FUNCTION leadanalytics.signed_workspace(workspace int)
RETURNS int LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'la_tenant_signed_workspace';
COMMENT ON FUNCTION leadanalytics.signed_workspace(int) IS 'the request speaks for this workspace from here on, whatever key came with it: for functions that read a signature of it';

CREATE FUNCTION leadanalytics.origin_allowed(origin text, workspace int DEFAULT NULL)
RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_origin_allowed';
COMMENT ON FUNCTION leadanalytics.origin_allowed(text, int) IS
    'whether pages of the origin may talk to the workspace (null: to any at all, for a preflight, which carries no key)';

CREATE VIEW leadanalytics.workspaces WITH (security_barrier) AS
    SELECT id, slug, name, domain, timezone, currency, is_default, sandbox_of, created_at, plan
    FROM leadanalytics.workspace
    WHERE closed_at IS NULL AND leadanalytics.may(id);
COMMENT ON VIEW leadanalytics.workspaces IS 'the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.workspaces TO leadanalytics_read;

CREATE VIEW leadanalytics.keys WITH (security_barrier) AS
    SELECT workspace, id, role, prefix, name, member, pages, per_minute, created_at, revoked_at
    FROM leadanalytics.key
    WHERE leadanalytics.may(workspace);
COMMENT ON VIEW leadanalytics.keys IS 'the keys of those workspaces, without anything one could log in with';
GRANT SELECT ON leadanalytics.keys TO leadanalytics_admin;

-- Checks of what administrators write, shared by the functions below.
CREATE FUNCTION leadanalytics.checked_domains(domains text[])
RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    domain text;
    checked text[] := '{}';
BEGIN
    FOREACH domain IN ARRAY coalesce(domains, '{}') LOOP
        domain := rtrim(lower(domain), '.');
        IF domain IS NULL OR domain !~ '^([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])$' THEN
            RAISE EXCEPTION 'not a domain: "%"', domain USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Write the host alone, in ASCII: shop.example.com, without scheme, port or path.';
        END IF;
        checked := checked || domain;
    END LOOP;
    RETURN checked;
END
$$;
COMMENT ON FUNCTION leadanalytics.checked_domains(text[]) IS 'hosts in lower case, or an error';

CREATE FUNCTION leadanalytics.checked_origins(origins text[])
RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    origin text;
    checked text[] := '{}';
BEGIN
    FOREACH origin IN ARRAY coalesce(origins, '{}') LOOP
        origin := lower(origin);
        IF origin IS NULL OR origin !~ '^(null|[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]+)?)$' THEN
            RAISE EXCEPTION 'not an origin: "%"', origin USING ERRCODE = 'invalid_parameter_value',
                HINT = 'Write scheme, host and, when not the usual one, port: https://shop.example.com.';
        END IF;
        checked := checked || origin;
    END LOOP;
    RETURN checked;
END
$$;
COMMENT ON FUNCTION leadanalytics.checked_origins(text[]) IS 'origins in lower case, or an error';

CREATE FUNCTION leadanalytics.checked_timezone(timezone text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    known text;
BEGIN
    -- Making the list reads the files of all zones, 40 ms: one that a workspace has is not looked up again.
    SELECT w.timezone INTO known FROM leadanalytics.workspace w WHERE lower(w.timezone) = lower(checked_timezone.timezone) LIMIT 1;
    IF FOUND THEN
        RETURN known;
    END IF;
    -- The list, not AT TIME ZONE: that also takes abbreviations and POSIX rules, which no browser knows.
    SELECT z.name INTO known FROM pg_catalog.pg_timezone_names z WHERE lower(z.name) = lower(checked_timezone.timezone);
    IF known IS NULL THEN
        RAISE EXCEPTION 'unknown time zone "%"', timezone USING ERRCODE = 'invalid_parameter_value',
            HINT = 'See pg_timezone_names: Europe/Vienna, America/New_York, UTC.';
    END IF;
    RETURN known;
END
$$;
COMMENT ON FUNCTION leadanalytics.checked_timezone(text) IS 'the zone''s name as PostgreSQL lists it, or an error';

-- Setting up.
CREATE FUNCTION leadanalytics.create_workspace(
    slug text,
    name text DEFAULT NULL,
    timezone text DEFAULT 'UTC',
    currency text DEFAULT 'USD',
    domain text DEFAULT NULL,
    is_default boolean DEFAULT false,
    allowed_origins text[] DEFAULT '{}')
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made int;
    broken text;
BEGIN
    INSERT INTO leadanalytics.workspace (slug, name, timezone, currency, domain, is_default, allowed_origins)
    VALUES (create_workspace.slug,
            coalesce(create_workspace.name, create_workspace.slug),
            leadanalytics.checked_timezone(create_workspace.timezone),
            upper(create_workspace.currency),
            (leadanalytics.checked_domains(array_remove(ARRAY[create_workspace.domain], NULL)))[1],
            coalesce(create_workspace.is_default, false),
            leadanalytics.checked_origins(create_workspace.allowed_origins))
    RETURNING id INTO made;
    RETURN made;
EXCEPTION
    WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
        IF broken = 'workspace_default' THEN
            RAISE EXCEPTION 'another workspace is the default one' USING ERRCODE = 'unique_violation',
                HINT = 'At most one takes the public posts that nothing else assigns: SELECT slug FROM leadanalytics.workspaces WHERE is_default.';
        END IF;
        RAISE EXCEPTION 'workspace "%" already exists', slug USING ERRCODE = 'unique_violation',
            HINT = 'Choose another slug.';
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid slug, name or currency of a workspace' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The slug: 1 to 63 of A–Z, a–z, 0–9, _ and -, not beginning with _ or -. The name: 1 to 200 characters. The currency: three letters.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_workspace(text, text, text, text, text, boolean, text[]) IS
    'make a workspace and return its id';
GRANT EXECUTE ON FUNCTION leadanalytics.create_workspace(text, text, text, text, text, boolean, text[]) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.create_site(
    workspace int,
    site_key text,
    domains text[] DEFAULT '{}',
    thank_you_url text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    hosts text[] := leadanalytics.checked_domains(create_site.domains);
    taken text;
BEGIN
    PERFORM leadanalytics.permitted(create_site.workspace);
    -- A domain decides whose a post without a key is, so it has one workspace. Sites are made rarely.
    LOCK TABLE leadanalytics.site IN SHARE ROW EXCLUSIVE MODE;
    SELECT host INTO taken
    FROM unnest(hosts) AS host
    JOIN leadanalytics.site s
        ON s.domains && ARRAY[host, 'www.' || host, regexp_replace(host, '^www\.', '')] AND s.workspace <> create_site.workspace
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'domain "%" belongs to another workspace', taken USING ERRCODE = 'unique_violation',
            HINT = 'A domain, with or without www., assigns posts to one workspace.';
    END IF;
    INSERT INTO leadanalytics.site (workspace, site_key, domains, thank_you_url)
    VALUES (create_site.workspace, create_site.site_key, hosts, create_site.thank_you_url);
    RETURN create_site.site_key;
EXCEPTION
    WHEN unique_violation THEN
        IF SQLERRM LIKE 'domain %' THEN
            RAISE;
        END IF;
        RAISE EXCEPTION 'site "%" already exists', site_key USING ERRCODE = 'unique_violation',
            HINT = 'Choose another site key: it is unique over all workspaces.';
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid site key "%"', site_key USING ERRCODE = 'invalid_parameter_value',
            HINT = '1 to 64 of A–Z, a–z, 0–9, dot, _ and -.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_site(int, text, text[], text) IS
    'make a web site of a workspace; a domain covers its www. twin; no domains: any origin';
GRANT EXECUTE ON FUNCTION leadanalytics.create_site(int, text, text[], text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.create_form(workspace int, site_key text, form_id text, thank_you_url text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM leadanalytics.permitted(create_form.workspace);
    INSERT INTO leadanalytics.form (workspace, site_key, form_id, thank_you_url)
    VALUES (create_form.workspace, create_form.site_key, create_form.form_id, create_form.thank_you_url);
    RETURN create_form.form_id;
EXCEPTION
    WHEN foreign_key_violation THEN
        RAISE EXCEPTION 'Site not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_site() makes one.';
    WHEN unique_violation THEN
        RAISE EXCEPTION 'form "%" already exists', form_id USING ERRCODE = 'unique_violation',
            HINT = 'Choose another form id: it is unique within its site.';
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid form id "%"', form_id USING ERRCODE = 'invalid_parameter_value',
            HINT = '1 to 64 of A–Z, a–z, 0–9, dot, _ and -.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_form(int, text, text, text) IS 'make an enquiry form of a site';
GRANT EXECUTE ON FUNCTION leadanalytics.create_form(int, text, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.enable_site(workspace int, site_key text, enabled boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM leadanalytics.permitted(enable_site.workspace);
    UPDATE leadanalytics.site SET enabled = enable_site.enabled
    WHERE workspace = enable_site.workspace AND site_key = enable_site.site_key;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Site not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_site() makes one.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.enable_site(int, text, boolean) IS 'enable a site or, with enabled => false, refuse what its pages post';
GRANT EXECUTE ON FUNCTION leadanalytics.enable_site(int, text, boolean) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.enable_form(workspace int, site_key text, form_id text, enabled boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM leadanalytics.permitted(enable_form.workspace);
    UPDATE leadanalytics.form SET enabled = enable_form.enabled
    WHERE workspace = enable_form.workspace AND site_key = enable_form.site_key AND form_id = enable_form.form_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Form not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_form() makes one.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.enable_form(int, text, text, boolean) IS 'enable a form or, with enabled => false, refuse what it posts';
GRANT EXECUTE ON FUNCTION leadanalytics.enable_form(int, text, text, boolean) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.create_member(workspace int, email text, role text DEFAULT 'member')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made bigint;
BEGIN
    PERFORM leadanalytics.permitted(create_member.workspace);
    INSERT INTO leadanalytics.member (workspace, email, role)
    VALUES (create_member.workspace, lower(create_member.email), create_member.role)
    RETURNING id INTO made;
    RETURN made;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'member "%" already exists', lower(email) USING ERRCODE = 'unique_violation',
            HINT = 'leadanalytics.set_member_role() changes the role.';
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid e-mail address or role of a member' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Roles: owner, admin, member.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_member(int, text, text) IS 'add a person to a workspace and return the member''s id';
GRANT EXECUTE ON FUNCTION leadanalytics.create_member(int, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.set_member_role(workspace int, member bigint, role text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM leadanalytics.permitted(set_member_role.workspace);
    UPDATE leadanalytics.member SET role = set_member_role.role
    WHERE workspace = set_member_role.workspace AND id = set_member_role.member;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Member not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_member() adds one.';
    END IF;
EXCEPTION
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid role of a member: "%"', role USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Roles: owner, admin, member.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_member_role(int, bigint, text) IS 'owner, admin or member';
GRANT EXECUTE ON FUNCTION leadanalytics.set_member_role(int, bigint, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.own_hosts(workspace int)
RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT leadanalytics.host_of('//' || w.domain) FROM leadanalytics.workspace w
    WHERE w.id = own_hosts.workspace AND w.domain IS NOT NULL
    UNION
    SELECT leadanalytics.host_of('//' || d.domain) FROM leadanalytics.site s, unnest(s.domains) AS d (domain)
    WHERE s.workspace = own_hosts.workspace
$$;
COMMENT ON FUNCTION leadanalytics.own_hosts(int) IS
    'the workspace''s domain and those of its sites, as leadanalytics.host_of() writes them: who comes from there came from nowhere else; for reports';
