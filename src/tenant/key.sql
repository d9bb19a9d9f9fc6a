-- API keys: made, revoked, replaced. Their text is returned once and kept nowhere.
CREATE FUNCTION leadanalytics.new_secret()
RETURNS text LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_tenant_secret';
COMMENT ON FUNCTION leadanalytics.new_secret() IS '32 random bytes as 64 hexadecimal digits';

CREATE FUNCTION leadanalytics.find_key(key text)
RETURNS bigint LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_tenant_find_key';
COMMENT ON FUNCTION leadanalytics.find_key(text) IS 'the id of the key with this text, null when there is none or it is revoked';

CREATE FUNCTION leadanalytics.sandbox(workspace int)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    parent leadanalytics.workspace;
    twin int;
    twin_slug text;
BEGIN
    -- The lock lets two first sandbox keys agree on one twin.
    SELECT * INTO parent FROM leadanalytics.workspace
    WHERE id = leadanalytics.permitted(sandbox.workspace) FOR NO KEY UPDATE;
    IF parent.sandbox_of IS NOT NULL THEN
        RETURN parent.id;
    END IF;
    SELECT id INTO twin FROM leadanalytics.workspace WHERE sandbox_of = parent.id;
    IF NOT FOUND THEN
        twin_slug := left(parent.slug, 55) || '-sandbox';
        IF EXISTS (SELECT FROM leadanalytics.workspace WHERE slug = twin_slug) THEN
            twin_slug := 'sandbox-of-' || parent.id;
        END IF;
        INSERT INTO leadanalytics.workspace (slug, name, domain, timezone, currency, allowed_origins, sandbox_of)
        VALUES (twin_slug, left(parent.name, 190) || ' (sandbox)', parent.domain, parent.timezone, parent.currency,
                parent.allowed_origins, parent.id)
        RETURNING id INTO twin;
    END IF;
    RETURN twin;
END
$$;
COMMENT ON FUNCTION leadanalytics.sandbox(int) IS 'the workspace that sandbox keys of a workspace see; made at the first need';

CREATE FUNCTION leadanalytics.drop_sandbox()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.workspace WHERE sandbox_of = OLD.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_sandbox() IS 'a sandbox goes with its workspace';
CREATE TRIGGER drop_sandbox AFTER DELETE ON leadanalytics.workspace
    FOR EACH ROW EXECUTE FUNCTION leadanalytics.drop_sandbox();

CREATE FUNCTION leadanalytics.create_key(
    workspace int,
    role text,
    name text DEFAULT NULL,
    member bigint DEFAULT NULL,
    pages text[] DEFAULT NULL,
    per_minute int DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    owner int := leadanalytics.permitted(create_key.workspace);
    secret text;
BEGIN
    SELECT r.prefix || leadanalytics.new_secret() INTO secret
    FROM leadanalytics.key_role r WHERE r.role = create_key.role;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown role "%" of a key', create_key.role USING ERRCODE = 'invalid_parameter_value',
            HINT = 'One of ' || (SELECT string_agg(r.role, ', ' ORDER BY r.role) FROM leadanalytics.key_role r) || '.';
    END IF;
    IF (create_key.role = 'member') <> (create_key.member IS NOT NULL) THEN
        RAISE EXCEPTION 'a key of role member, and no other, names a member' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'leadanalytics.create_member() returns a member''s id.';
    END IF;
    IF create_key.pages IS NOT NULL AND create_key.role <> 'marketing' THEN
        RAISE EXCEPTION 'only a marketing key has a list of pages' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Leave pages out.';
    END IF;
    IF create_key.per_minute < 0 THEN
        RAISE EXCEPTION 'per_minute must not be negative' USING ERRCODE = 'invalid_parameter_value',
            HINT = '0: no limit; null: the route''s limit.';
    END IF;
    IF create_key.role = 'sandbox' THEN
        owner := leadanalytics.sandbox(owner);
    END IF;
    INSERT INTO leadanalytics.key (workspace, role, prefix, digest, name, member, pages, per_minute)
    VALUES (owner, create_key.role, left(secret, -52), sha256(convert_to(secret, 'UTF8')), create_key.name,
            create_key.member, create_key.pages, create_key.per_minute);
    RETURN secret;
EXCEPTION
    WHEN foreign_key_violation THEN
        RAISE EXCEPTION 'Member not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_member() adds one.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_key(int, text, text, bigint, text[], int) IS
    'make a key and return its text, which cannot be shown again; roles: see leadanalytics.key_role; per_minute: its own limit instead of the routes'' (0: none)';
GRANT EXECUTE ON FUNCTION leadanalytics.create_key(int, text, text, bigint, text[], int) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.revoke_key(workspace int, key bigint)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_key leadanalytics.key;
BEGIN
    PERFORM leadanalytics.permitted(revoke_key.workspace);
    -- A sandbox key is revoked in the name of the workspace it was made for.
    SELECT k.* INTO found_key
    FROM leadanalytics.key k JOIN leadanalytics.workspace w ON w.id = k.workspace
    WHERE k.id = revoke_key.key AND revoke_key.workspace IN (w.id, w.sandbox_of)
    FOR UPDATE OF k;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Key not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.keys.';
    END IF;
    UPDATE leadanalytics.key k SET revoked_at = now()
    WHERE k.workspace = found_key.workspace AND k.id = found_key.id AND k.revoked_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.revoke_key(int, bigint) IS 'end a key: the next request with it is refused; false when it was revoked before';
GRANT EXECUTE ON FUNCTION leadanalytics.revoke_key(int, bigint) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.rotate_key(workspace int, key bigint)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old leadanalytics.key;
BEGIN
    PERFORM leadanalytics.permitted(rotate_key.workspace);
    -- A revoked key has no successor: whoever revoked it would find it open again.
    IF NOT leadanalytics.revoke_key(rotate_key.workspace, rotate_key.key) THEN
        RAISE EXCEPTION 'Key not found' USING ERRCODE = 'LA404', HINT = 'It is revoked; leadanalytics.create_key() makes another.';
    END IF;
    SELECT * INTO old FROM leadanalytics.key k WHERE k.id = rotate_key.key;
    RETURN leadanalytics.create_key(rotate_key.workspace, old.role, old.name, old.member, old.pages, old.per_minute);
END
$$;
COMMENT ON FUNCTION leadanalytics.rotate_key(int, bigint) IS 'revoke a key and return the text of a new one with its role, name, member, pages and limit';
GRANT EXECUTE ON FUNCTION leadanalytics.rotate_key(int, bigint) TO leadanalytics_admin;

-- Database roles.
CREATE FUNCTION leadanalytics.grant_workspace(workspace int, role name, as_role text DEFAULT 'admin')
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM leadanalytics.permitted(grant_workspace.workspace);
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = grant_workspace.role) THEN
        RAISE EXCEPTION 'role "%" does not exist', grant_workspace.role USING ERRCODE = 'undefined_object',
            HINT = 'CREATE ROLE it first, and GRANT leadanalytics_read TO it.';
    END IF;
    INSERT INTO leadanalytics.workspace_role (workspace, role, as_role)
    VALUES (grant_workspace.workspace, grant_workspace.role, grant_workspace.as_role)
    ON CONFLICT (workspace, role) DO UPDATE SET as_role = excluded.as_role;
EXCEPTION
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid as_role "%"', as_role USING ERRCODE = 'invalid_parameter_value',
            HINT = 'admin: sees everything; marketing: contacts are masked.';
END
$$;
COMMENT ON FUNCTION leadanalytics.grant_workspace(int, name, text) IS
    'let members of a database role ask about a workspace; they also need GRANT leadanalytics_read; it holds by the role''s name: revoke_workspace before DROP ROLE';
GRANT EXECUTE ON FUNCTION leadanalytics.grant_workspace(int, name, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.revoke_workspace(workspace int, role name)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM leadanalytics.workspace_role
    WHERE workspace = leadanalytics.permitted(revoke_workspace.workspace) AND role = revoke_workspace.role;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.revoke_workspace(int, name) IS 'take it back; false when the role had no grant of its own';
GRANT EXECUTE ON FUNCTION leadanalytics.revoke_workspace(int, name) TO leadanalytics_admin;
