-- Until when what an answer stands on is folded: the header X-Data-As-Of (D-46). Answers are current regardless.
CREATE FUNCTION leadanalytics.as_of(workspace int, family text)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE family WHEN 'campaigns' THEN leadanalytics.messages_summed_to(workspace)
                       WHEN 'engagement' THEN least(leadanalytics.messages_summed_to(workspace), leadanalytics.folded_to(workspace))
                       ELSE leadanalytics.folded_to(workspace) END
$$;
COMMENT ON FUNCTION leadanalytics.as_of(int, text) IS 'until when all that a family counts is folded: events of the web, of messages, or both';
