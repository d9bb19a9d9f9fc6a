-- What models look at: the features of a lead as it was when it came.

-- The one list of them. A feature is a row here and a column of leadanalytics.lead_fact, written by
-- leadanalytics.reckon_facts(); place is where it stands among numbers, then words (fact_numbers(), fact_words()).
CREATE FUNCTION leadanalytics.prediction_features()
RETURNS TABLE (place int, name text, kind text, meaning text, source text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (row_number() OVER () - 1)::int, f.name, f.kind, f.meaning, f.source
    FROM (VALUES
        ('session_seconds', 'count', 'how long its visitor''s latest session had lasted', 'session, event'),
        ('scroll_percent', 'number', 'how far that had scrolled', 'session, event'),
        ('clicks', 'count', 'clicks in it', 'session, event'),
        ('pageviews', 'count', 'pages seen in it', 'session, event'),
        ('returns', 'count', 'sessions of the visitor before it', 'session'),
        ('engagement_score', 'number', 'engagement score (S1)', 'lead_submission, else session and event'),
        ('suspicion', 'number', 'suspicion score of the first post', 'lead_submission'),
        ('seconds_to_submit', 'count', 'how long the form took', 'lead_submission'),
        ('vpn_score', 'number', 'how likely the session hid behind a VPN', 'session'),
        ('earlier_leads', 'count', 'leads of the same visitor, address or number before, a hundred at most of each', 'lead'),
        ('project_leads', 'count', 'leads for the same project in the 30 days before', 'lead'),
        ('mails_sent', 'count', 'mails sent to it before', 'message'),
        ('mails_opened', 'count', 'those of them that it had opened', 'message'),
        ('mails_clicked', 'count', 'those whose links it had followed', 'message'),
        ('has_phone', 'flag', 'whether it told a number', 'lead_submission, else lead'),
        ('email', 'word', 'none, free (of a provider of free addresses), company', 'lead_submission, else lead'),
        ('source', 'word', 'what the form says it came from, else utm_source', 'lead_submission, else lead; session'),
        ('medium', 'word', 'utm_medium', 'session'),
        ('campaign', 'word', 'utm_campaign', 'session'),
        ('project', 'word', 'what it is about', 'lead_submission, else lead'),
        ('country', 'word', 'where the session was, else the post', 'session, lead'),
        ('device', 'word', 'type of device', 'session'),
        ('browser', 'word', 'family of browsers', 'session'),
        ('os', 'word', 'family of operating systems', 'session'),
        ('weekday', 'word', 'day of the week in the workspace''s zone, 1: Monday', 'lead'),
        ('hour', 'word', 'hour of the day there', 'lead')
    ) AS f (name, kind, meaning, source)
$$;
COMMENT ON FUNCTION leadanalytics.prediction_features() IS
    'what models look at, columns of leadanalytics.lead_fact; kind: number, as it is; count, as ln(1 + x); flag, 0 or 1; word, one of those that are not rare, in lower case';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_features() TO leadanalytics_read;

CREATE FUNCTION leadanalytics.fact_numbers(f leadanalytics.lead_fact)
RETURNS float8[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[ln(1 + CASE WHEN (f).session_seconds < 0 THEN 0 ELSE (f).session_seconds END::float8), (f).scroll_percent, ln(1 + (f).clicks::float8), ln(1 + (f).pageviews::float8), ln(1 + (f).returns::float8),
                 (f).engagement_score, (f).suspicion, ln(1 + CASE WHEN (f).seconds_to_submit < 0 THEN 0 ELSE (f).seconds_to_submit END::float8), (f).vpn_score, ln(1 + (f).earlier_leads::float8), ln(1 + (f).project_leads::float8),
                 ln(1 + (f).mails_sent::float8), ln(1 + (f).mails_opened::float8), ln(1 + (f).mails_clicked::float8), (f).has_phone::int]
$$;
COMMENT ON FUNCTION leadanalytics.fact_numbers(leadanalytics.lead_fact) IS 'a lead''s features that are no words, as models take them, in the order of leadanalytics.prediction_features()';

CREATE FUNCTION leadanalytics.fact_words(f leadanalytics.lead_fact)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[(f).email, (f).source, (f).medium, (f).campaign, (f).project, (f).country, (f).device, (f).browser, (f).os, (f).weekday, (f).hour]
$$;
COMMENT ON FUNCTION leadanalytics.fact_words(leadanalytics.lead_fact) IS 'a lead''s features that are words, in the order of leadanalytics.prediction_features()';

CREATE FUNCTION leadanalytics.email_kind(email text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN coalesce(btrim(email), '') = '' THEN 'none'
                WHEN lower(substring(email FROM '@([^@]*)$')) = ANY (
                     '{gmail.com,googlemail.com,yahoo.com,yahoo.co.in,yahoo.co.uk,ymail.com,rocketmail.com,rediffmail.com,hotmail.com,hotmail.co.uk,outlook.com,live.com,msn.com,'
                     'icloud.com,me.com,mac.com,aol.com,proton.me,protonmail.com,gmx.de,gmx.net,gmx.at,gmx.com,web.de,t-online.de,mail.com,mail.ru,yandex.ru,yandex.com,zoho.com,'
                     'tutanota.com,fastmail.com,qq.com,163.com,126.com,naver.com,orange.fr,free.fr,laposte.net,libero.it,wp.pl,seznam.cz}'::text[]) THEN 'free'
                ELSE 'company' END
$$;
COMMENT ON FUNCTION leadanalytics.email_kind(text) IS 'none; free: of a provider of free addresses; company: of any other domain';
