-- The rows as files, in the order of their ids, with the columns that are asked about.
COPY (SELECT workspace, at AT TIME ZONE 'UTC', session, visitor, person, name, title, referrer, source, page, campaign, place, agent, kind, is_bot
      FROM leadanalytics.event ORDER BY id) TO :'event' WITH (FORMAT csv);
COPY (SELECT workspace, number, visitor, started_at AT TIME ZONE 'UTC', referrer, campaign FROM leadanalytics.session ORDER BY number) TO :'session' WITH (FORMAT csv);
COPY (SELECT workspace, id, parts[1], parts[2], parts[3] FROM leadanalytics.term WHERE kind IN ('text', 'page', 'campaign') ORDER BY id) TO :'term' WITH (FORMAT csv);
