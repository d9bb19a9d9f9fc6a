-- Answers: what everything that counts stands on. Each can be had in two ways, see leadanalytics.exact.

CREATE FUNCTION leadanalytics.answer_from_segments(
    workspace int, dimensions text[], bounds timestamptz[], now timestamptz, include_bots boolean, uniques boolean,
    top int, by_members boolean, as_none text[], only_values text[])
RETURNS TABLE (dimension text, slot int, value text, counts bigint[], members bigint)
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan -- many small statements
AS 'MODULE_PATHNAME', 'la_rollup_answer';
COMMENT ON FUNCTION leadanalytics.answer_from_segments(int, text[], timestamptz[], timestamptz, boolean, boolean, int, boolean, text[], text[]) IS
    'leadanalytics.answer() from segments, where there are any, and rows';

-- The other way: every fact of a dimension as a row.
CREATE FUNCTION leadanalytics.facts(
    workspace int, dimension text, starts timestamptz, ends timestamptz, now timestamptz, include_bots boolean)
RETURNS TABLE (at timestamptz, value text, a bigint, b bigint, c bigint, member bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE
    WHEN dimension = 'total' THEN
        RETURN QUERY
        SELECT e.at, NULL, 1::bigint, (e.kind = 'p')::int::bigint, (e.kind = 'c')::int::bigint, e.visitor::bigint
        FROM leadanalytics.event e
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot);
    WHEN dimension = 'person' THEN
        RETURN QUERY
        SELECT e.at, NULL, 1::bigint, 0::bigint, 0::bigint, e.person::bigint
        FROM leadanalytics.event e
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot)
          AND e.visitor IS NULL AND e.person IS NOT NULL;
    WHEN dimension = 'fingerprint' THEN
        RETURN QUERY
        SELECT e.at, NULL, 0::bigint, 0::bigint, 0::bigint, e.fingerprint::bigint
        FROM leadanalytics.event e
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot) AND e.fingerprint IS NOT NULL
        UNION ALL -- a session may have started without an event
        SELECT s.started_at, NULL, 0, 0, 0, s.fingerprint
        FROM leadanalytics.session s
        WHERE s.workspace = facts.workspace AND s.started_at >= starts AND s.started_at < ends AND s.fingerprint IS NOT NULL;
    WHEN dimension IN ('event_name', 'custom_event') THEN
        RETURN QUERY
        SELECT e.at, t.parts[1], 1::bigint, 0::bigint, 0::bigint, e.visitor::bigint
        FROM leadanalytics.event e
        LEFT JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot)
          AND (dimension = 'event_name' OR leadanalytics.event_kind(t.parts[1]) = 'c');
    WHEN dimension IN ('page', 'path', 'page_session') THEN
        RETURN QUERY
        SELECT e.at, CASE dimension WHEN 'path' THEN t.parts[2] ELSE coalesce(t.parts[1], t.parts[2]) END,
               1::bigint, 0::bigint, 0::bigint, CASE dimension WHEN 'page_session' THEN e.session ELSE e.visitor END
        FROM leadanalytics.event e
        LEFT JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.page
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot)
          AND e.kind = 'p' AND e.page IS NOT NULL AND (dimension <> 'page_session' OR e.session IS NOT NULL);
    WHEN dimension LIKE 'event\_%' THEN
        RETURN QUERY
        SELECT e.at,
               CASE dimension
                   WHEN 'event_path' THEN t.parts[2] WHEN 'event_page' THEN v.id::text WHEN 'event_campaign' THEN v.id::text WHEN 'event_place' THEN v.id::text
                   WHEN 'event_utm_source' THEN t.parts[1] WHEN 'event_utm_medium' THEN t.parts[2] WHEN 'event_utm_campaign' THEN t.parts[3]
                   WHEN 'event_country' THEN t.parts[1] WHEN 'event_region' THEN t.parts[2] WHEN 'event_city' THEN t.parts[3]
               END,
               1::bigint, 0::bigint, 0::bigint, NULL::bigint
        FROM leadanalytics.event e
        CROSS JOIN LATERAL (SELECT CASE WHEN dimension IN ('event_path', 'event_page') THEN e.page WHEN dimension IN ('event_country', 'event_region', 'event_city', 'event_place') THEN e.place ELSE e.campaign END AS id) AS v
        LEFT JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = v.id
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot) AND v.id IS NOT NULL;
    WHEN dimension IN ('source', 'origin') THEN
        RETURN QUERY
        SELECT e.at, CASE dimension WHEN 'source' THEN t.parts[1] ELSE t.id::text END, 1::bigint, 0::bigint, 0::bigint, NULL::bigint
        FROM leadanalytics.event e
        LEFT JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.source
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot) AND e.source IS NOT NULL;
    WHEN dimension IN ('tag', 'tag_source') THEN
        RETURN QUERY
        SELECT e.at, CASE dimension WHEN 'tag' THEN t.parts[1] ELSE t.parts[1] || chr(1) || t.id END, 1::bigint, 0::bigint, 0::bigint, NULL::bigint
        FROM leadanalytics.event e
        CROSS JOIN LATERAL unnest(e.tags) AS tag (id)
        LEFT JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = tag.id
        WHERE e.workspace = facts.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot) AND array_position(e.tags, NULL) IS NULL;
    WHEN dimension = 'session' THEN
        RETURN QUERY
        SELECT s.started_at, NULL, 1::bigint, 0::bigint, 0::bigint, NULL::bigint
        FROM leadanalytics.session s
        WHERE s.workspace = facts.workspace AND s.started_at >= starts AND s.started_at < ends;
    WHEN dimension = 'suspected' THEN
        RETURN QUERY
        SELECT s.started_at, NULL, 1::bigint, 0::bigint, 0::bigint, s.fingerprint::bigint
        FROM leadanalytics.session s
        WHERE s.workspace = facts.workspace AND s.started_at >= starts AND s.started_at < ends AND s.vpn_score > 50;
    WHEN dimension IN ('score', 'complete') THEN
        RETURN QUERY
        SELECT s.started_at, CASE dimension WHEN 'score' THEN g.score::text END, 1::bigint, (extract(epoch FROM c.at - s.started_at) * 1000000)::bigint,
               g.score::bigint, NULL::bigint
        FROM leadanalytics.session s
        CROSS JOIN LATERAL (SELECT leadanalytics.session_end(s.session_id IS NOT NULL, s.last_seen, s.ended_at, facts.now) AS at) AS c
        CROSS JOIN LATERAL (SELECT leadanalytics.engagement_score(date_part('epoch', c.at - s.started_at), s.scroll_percent, s.clicks, s.returns) AS score) AS g
        WHERE s.workspace = facts.workspace AND s.started_at >= starts AND s.started_at < ends AND c.at IS NOT NULL;
    ELSE
        RETURN QUERY
        SELECT s.started_at,
               CASE dimension
                   WHEN 'entry_page' THEN coalesce(t.parts[1], t.parts[2])
                   WHEN 'referrer' THEN leadanalytics.host_of(t.parts[1])
                   WHEN 'utm_source' THEN t.parts[1] WHEN 'utm_medium' THEN t.parts[2] WHEN 'utm_campaign' THEN t.parts[3]
                   WHEN 'touch' THEN leadanalytics.touch_of(t.parts)
                   WHEN 'country' THEN t.parts[1] WHEN 'region' THEN t.parts[2] WHEN 'city' THEN t.parts[3]
                   WHEN 'country_region' THEN concat(t.parts[1], '/') || t.parts[2]
                   WHEN 'country_city' THEN concat(t.parts[1], '/') || t.parts[3]
                   WHEN 'browser' THEN t.parts[2] WHEN 'os' THEN t.parts[4] WHEN 'device_type' THEN t.parts[7]
                   WHEN 'entry_path' THEN t.parts[2]
                   
               END,
               1::bigint, 0::bigint, 0::bigint, s.visitor::bigint
        FROM leadanalytics.session s
        LEFT JOIN leadanalytics.term t ON t.workspace = s.workspace AND t.id =
            CASE WHEN dimension LIKE 'entry%' THEN s.entry_page
                 WHEN dimension = 'referrer' THEN s.referrer
                 WHEN dimension LIKE 'utm%' OR dimension = 'touch' THEN s.campaign
                 WHEN dimension IN ('country', 'region', 'city', 'country_region', 'country_city') THEN s.place
                 ELSE s.agent END
        WHERE s.workspace = facts.workspace AND s.started_at >= starts AND s.started_at < ends;
    END CASE;
END
$$;
COMMENT ON FUNCTION leadanalytics.facts(int, text, timestamptz, timestamptz, timestamptz, boolean) IS
    'what leadanalytics.dimensions() counts, a row each, from the rows alone: its time, its value, what it adds to the counts, and its member';

CREATE FUNCTION leadanalytics.answer_from_rows(
    workspace int, dimensions text[], bounds timestamptz[], now timestamptz, include_bots boolean, uniques boolean,
    top int, by_members boolean, as_none text[], only_values text[])
RETURNS TABLE (dimension text, slot int, value text, counts bigint[], members bigint)
LANGUAGE sql STABLE AS $$
    SELECT d.name, shown.slot, shown.value, shown.counts, CASE WHEN uniques AND d.members IS NOT NULL THEN shown.members END
    FROM unnest(dimensions) AS asked (name)
    JOIN leadanalytics.dimensions() d ON d.name = asked.name
    CROSS JOIN LATERAL (
        WITH fact AS MATERIALIZED (
            SELECT width_bucket(f.at, bounds) AS slot, CASE WHEN f.value <> ALL (as_none) THEN f.value END AS value, f.a, f.b, f.c, f.member
            FROM leadanalytics.facts(answer_from_rows.workspace, d.name, bounds[1], bounds[cardinality(bounds)], answer_from_rows.now, include_bots) f
        ), whole AS (
            SELECT f.value, (ARRAY[sum(f.a)::bigint, sum(f.b)::bigint, sum(f.c)::bigint])[1:cardinality(d.counts)] AS counts, count(DISTINCT f.member) AS members
            FROM fact f WHERE only_values = '{}' OR f.value = ANY (only_values) GROUP BY f.value
        ), first AS (
            SELECT w.*, row_number() OVER (ORDER BY CASE WHEN by_members AND uniques THEN w.members END DESC, w.counts[1] DESC NULLS LAST, w.value COLLATE "C") AS place
            FROM whole w
        )
        SELECT 0 AS slot, f.value, f.counts, f.members, f.place FROM first f WHERE top = 0 OR f.place <= top
        UNION ALL
        SELECT e.slot, e.value, (ARRAY[sum(e.a)::bigint, sum(e.b)::bigint, sum(e.c)::bigint])[1:cardinality(d.counts)], count(DISTINCT e.member), f.place
        FROM fact e JOIN first f ON f.value IS NOT DISTINCT FROM e.value
        WHERE cardinality(bounds) > 2 AND (top = 0 OR f.place <= top)
        GROUP BY e.slot, e.value, f.place
    ) AS shown
    ORDER BY array_position(dimensions, d.name), shown.slot, shown.place
$$;
COMMENT ON FUNCTION leadanalytics.answer_from_rows(int, text[], timestamptz[], timestamptz, boolean, boolean, int, boolean, text[], text[]) IS
    'leadanalytics.answer() from the rows alone';

CREATE FUNCTION leadanalytics.answer(
    workspace int,
    dimensions text[],
    bounds timestamptz[],
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false,
    uniques boolean DEFAULT true,
    top int DEFAULT 0,
    by_members boolean DEFAULT false,
    as_none text[] DEFAULT '{}',
    only_values text[] DEFAULT '{}')
RETURNS TABLE (dimension text, slot int, value text, counts bigint[], members bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    IF current_setting('leadanalytics.exact')::boolean THEN
        IF EXISTS (SELECT unnest(dimensions) EXCEPT SELECT d.name FROM leadanalytics.dimensions() d) THEN
            RAISE EXCEPTION 'there is no such dimension among %', dimensions USING ERRCODE = 'invalid_parameter_value', HINT = 'See leadanalytics.dimensions().';
        END IF;
        RETURN QUERY SELECT * FROM leadanalytics.answer_from_rows(allowed, dimensions, bounds, now, include_bots, uniques, top, by_members, as_none, only_values);
    ELSE
        RETURN QUERY SELECT * FROM leadanalytics.answer_from_segments(allowed, dimensions, bounds, now, include_bots, uniques, top, by_members, as_none, only_values);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.answer(int, text[], timestamptz[], timestamptz, boolean, boolean, int, boolean, text[], text[]) IS
    'what leadanalytics.dimensions() names, by value: counts, and distinct members if uniques. bounds ascend; slot 0 is from the first to the last, slot n from the n-th '
    'to the next (none when there is only one). top > 0: only that many values, by their first count or by_members, then by text; texts in as_none count as no value; only_values: these values, {}: all. '
    'Exact and current whatever is folded';
GRANT EXECUTE ON FUNCTION leadanalytics.answer(int, text[], timestamptz[], timestamptz, boolean, boolean, int, boolean, text[], text[]) TO leadanalytics_read;

-- The members themselves, for who asks further about them.
CREATE FUNCTION leadanalytics.members_from_segments(workspace int, dimension text, starts timestamptz, ends timestamptz, now timestamptz, include_bots boolean)
RETURNS bytea LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_rollup_members';
COMMENT ON FUNCTION leadanalytics.members_from_segments(int, text, timestamptz, timestamptz, timestamptz, boolean) IS
    'leadanalytics.members() from segments, where there are any, and rows';

CREATE FUNCTION leadanalytics.members(
    workspace int, dimension text, starts timestamptz, ends timestamptz, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS bytea LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    IF current_setting('leadanalytics.exact')::boolean THEN
        RETURN (SELECT leadanalytics.bitmap(coalesce(array_agg(DISTINCT f.member::int) FILTER (WHERE f.member IS NOT NULL), '{}'))
                FROM leadanalytics.facts(allowed, dimension, starts, ends, members.now, include_bots) f);
    END IF;
    RETURN leadanalytics.members_from_segments(allowed, dimension, starts, ends, members.now, include_bots);
END
$$;
COMMENT ON FUNCTION leadanalytics.members(int, text, timestamptz, timestamptz, timestamptz, boolean) IS
    'the distinct members of a dimension (total: visitors'' numbers, person: those of persons named by events without a visitor) from starts until before ends, '
    'as a set: see leadanalytics.bitmap_numbers()';
GRANT EXECUTE ON FUNCTION leadanalytics.members(int, text, timestamptz, timestamptz, timestamptz, boolean) TO leadanalytics_read;
