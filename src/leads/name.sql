-- Which lead is meant by an id of another system (D-73).

-- Its id there; else one that was kept for it; else the number it has here, written as we write it.
CREATE FUNCTION leadanalytics.known_leads(workspace int, names text[])
RETURNS bigint[] LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$ -- probes, however small tables are when a session first asks
BEGIN
    RETURN ARRAY(
        SELECT coalesce((SELECT l.id FROM leadanalytics.lead l WHERE l.workspace = known_leads.workspace AND l.external_id = u.name),
                        (SELECT k.id FROM leadanalytics.named_lead k WHERE k.workspace = known_leads.workspace AND k.lead_id = u.name),
                        CASE WHEN u.name ~ '^[1-9][0-9]{0,17}$'
                             THEN (SELECT l.id FROM leadanalytics.lead l WHERE l.workspace = known_leads.workspace AND l.id = u.name::bigint AND l.external_id IS NULL) END)
        FROM unnest(names) WITH ORDINALITY AS u (name, n) ORDER BY u.n);
END
$$;
COMMENT ON FUNCTION leadanalytics.known_leads(int, text[]) IS 'the ids that are those of leads so named, or kept for them; null: nobody named it';

CREATE FUNCTION leadanalytics.reserve_lead(workspace int, name text)
RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_leads_reserve_lead';
COMMENT ON FUNCTION leadanalytics.reserve_lead(int, text) IS 'the id of the lead so named, kept for it when it is not there yet';

CREATE FUNCTION leadanalytics.find_engagement_lead(workspace int, lead_id text)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT l.id FROM leadanalytics.lead l
            WHERE l.workspace = find_engagement_lead.workspace AND l.id = (SELECT (leadanalytics.known_leads(find_engagement_lead.workspace, ARRAY[find_engagement_lead.lead_id]))[1])); -- once, not for each row
END
$$;
COMMENT ON FUNCTION leadanalytics.find_engagement_lead(int, text) IS 'the lead with that external id, else with that number; null: there is none';
