-- What only somebody used who was erased goes out of the dictionary, too: addresses of pages, titles, a browser's
-- fingerprint say who it was.
--
-- Batches write numbers of entries that they looked up, or remember, without a lock on them. So an entry goes in two
-- steps. First it is hidden: nobody finds it by its text any more, and backends forget what they remember. Once all
-- transactions of that time have ended, whoever had found it has written what he writes: when nobody has used it
-- even then, it is deleted; else it is found again.

CREATE FUNCTION leadanalytics.forget_terms()
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_track_forget_terms';
COMMENT ON FUNCTION leadanalytics.forget_terms() IS 'backends forget the entries of the dictionary that they remember, before their next batch after this transaction';

CREATE FUNCTION leadanalytics.terms_in_use(workspace int, ids int[])
RETURNS int[] LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    space CONSTANT int := terms_in_use.workspace;
    used int[];
    dropped CONSTANT timestamptz := leadanalytics.rows_since('event');
BEGIN
    used := ARRAY(
        SELECT u.id FROM leadanalytics.event e
        CROSS JOIN LATERAL unnest(ARRAY[e.name, e.title, e.referrer, e.source, e.page, e.campaign, e.place, e.agent, e.fingerprint, e.device] || e.tags) AS u (id)
        WHERE e.workspace = space AND u.id = ANY (ids) AND (e.name = ANY (ids) OR e.title = ANY (ids) OR e.referrer = ANY (ids) OR e.source = ANY (ids) OR e.page = ANY (ids) OR e.campaign = ANY (ids)
            OR e.place = ANY (ids) OR e.agent = ANY (ids) OR e.fingerprint = ANY (ids) OR e.device = ANY (ids) OR e.tags && ids)
        UNION
        SELECT u.id FROM leadanalytics.session s
        CROSS JOIN LATERAL unnest(ARRAY[s.entry_page, s.referrer, s.campaign, s.place, s.network, s.agent, s.fingerprint, s.device, s.last_page]) AS u (id)
        WHERE s.workspace = space AND u.id = ANY (ids) AND (s.entry_page = ANY (ids) OR s.referrer = ANY (ids) OR s.campaign = ANY (ids) OR s.place = ANY (ids) OR s.network = ANY (ids)
            OR s.agent = ANY (ids) OR s.fingerprint = ANY (ids) OR s.device = ANY (ids) OR s.last_page = ANY (ids)));
    -- What was dropped stands in segments, and whose it was is not known.
    IF dropped > '-infinity' THEN
        used := used || ARRAY(
            SELECT t.id FROM leadanalytics.term t
            JOIN leadanalytics.answer_from_segments(space, '{event_page,event_campaign,origin,event_name,tag}', ARRAY['-infinity', dropped], now(), true, false, 0, false, '{}', '{}') a
                ON a.value = CASE WHEN a.dimension IN ('event_page', 'event_campaign', 'origin') THEN t.id::text ELSE t.parts[1] END
            WHERE t.workspace = space AND t.id = ANY (ids));
    END IF;
    RETURN used;
END
$$;
COMMENT ON FUNCTION leadanalytics.terms_in_use(int, int[]) IS 'which entries of the dictionary events, sessions or segments of dropped events name, of these';

CREATE FUNCTION leadanalytics.term_digest(kind text, parts text[])
RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT encode(substring(sha256(convert_to(kind, 'UTF8') || '\000'::bytea || (
        SELECT coalesce(string_agg(convert_to(coalesce(p.part, ''), 'UTF8') || '\000'::bytea, ''::bytea ORDER BY p.n), '') FROM unnest(parts) WITH ORDINALITY AS p (part, n)))
        FROM 1 FOR 16), 'hex')::uuid
$$;
COMMENT ON FUNCTION leadanalytics.term_digest(text, text[]) IS 'what an entry of the dictionary is found by: leadanalytics.term.digest';

CREATE FUNCTION leadanalytics.drop_erased_terms_of(workspace int, now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    space CONSTANT int := drop_erased_terms_of.workspace;
    -- a transaction of another cluster (the row was restored) does not run here
    ended CONSTANT int[] := ARRAY(
        SELECT e.id FROM leadanalytics.erased_term e
        WHERE e.workspace = space AND e.hidden_at <= drop_erased_terms_of.now - interval '1 hour'
          AND (e.hidden_by < pg_snapshot_xmin(pg_current_snapshot()) OR e.hidden_by > pg_current_xact_id())
        ORDER BY e.id FOR UPDATE SKIP LOCKED);
    noted CONSTANT int[] := ARRAY(SELECT e.id FROM leadanalytics.erased_term e WHERE e.workspace = space AND e.hidden_by IS NULL ORDER BY e.id FOR UPDATE SKIP LOCKED);
    used int[];
    dropped int := 0;
BEGIN
    IF ended = '{}' AND noted = '{}' THEN
        RETURN 0;
    END IF;
    used := leadanalytics.terms_in_use(space, ended || noted);
    DELETE FROM leadanalytics.term t WHERE t.workspace = space AND t.id = ANY (ended) AND t.id <> ALL (used);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    -- Who used it meanwhile had found it; where another one has its text by now, both stay.
    UPDATE leadanalytics.term t SET digest = leadanalytics.term_digest(t.kind, t.parts)
    WHERE t.workspace = space AND t.id = ANY (ended) AND t.id = ANY (used)
      AND NOT EXISTS (SELECT FROM leadanalytics.term o WHERE o.workspace = space AND o.digest = leadanalytics.term_digest(t.kind, t.parts));
    DELETE FROM leadanalytics.erased_term e WHERE e.workspace = space AND (e.id = ANY (ended) OR e.id = ANY (noted) AND e.id = ANY (used));
    UPDATE leadanalytics.term t SET digest = gen_random_uuid() WHERE t.workspace = space AND t.id = ANY (noted) AND t.id <> ALL (used);
    IF FOUND THEN
        PERFORM leadanalytics.forget_terms();
    END IF;
    UPDATE leadanalytics.erased_term e SET hidden_by = pg_current_xact_id(), hidden_at = drop_erased_terms_of.now
    WHERE e.workspace = space AND e.id = ANY (noted) AND e.id <> ALL (used);
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_erased_terms_of(int, timestamptz) IS 'leadanalytics.drop_erased_terms() of a workspace: how many entries went';

CREATE PROCEDURE leadanalytics.drop_erased_terms(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    space int;
BEGIN
    FOR space IN SELECT DISTINCT e.workspace FROM leadanalytics.erased_term e ORDER BY 1 LOOP
        PERFORM leadanalytics.drop_erased_terms_of(space, drop_erased_terms.now);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.drop_erased_terms(timestamptz) IS
    'entries of the dictionary that only somebody used who was erased: the first time nobody finds them any more, an hour later, when all transactions of then have ended, they go: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, kind, every, timeout_ms, builtin, summary)
VALUES ('drop_erased_terms', 'leadanalytics.drop_erased_terms', 'procedure', '1 hour', 3600000, true, 'words that only somebody used who was erased');
