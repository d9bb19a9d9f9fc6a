-- What is asked of the largest workspace, of 30 days, 90 days and a time that begins and ends within an hour: the
-- endpoint's function, the counts it stands on (ours), and the same counts in plain SQL from rows of messages (plain).
CREATE TABLE bench.asked AS
SELECT w.id AS workspace, p.name AS period, p.starts, p.ends, leadanalytics.utc_seconds(p.starts) AS first, leadanalytics.utc_seconds(p.ends - interval '1 second') AS last
FROM bench.workspace w,
     LATERAL (SELECT date_trunc('day', now(), 'UTC') AS today) AS t,
     (VALUES ('30d', interval '720 hours', interval '24 hours'), ('90d', '2160 hours', '24 hours'), ('custom', '700 hours 12 minutes', '-20 hours 17 minutes')) AS v (name, before, after),
     LATERAL (SELECT v.name, t.today - v.before AS starts, t.today + v.after AS ends) AS p
WHERE w.n = 1;

CREATE VIEW bench.fact AS
SELECT m.workspace, m.campaign, (f.at AT TIME ZONE 'UTC')::date AS date, f.fact, f.at
FROM leadanalytics.message m
CROSS JOIN LATERAL (VALUES ('s', m.sent_at), ('d', m.delivered_at), ('b', m.bounced_at), ('o', m.opened_at), ('c', m.clicked_at), ('r', m.replied_at), ('p', m.complained_at), ('u', m.unsubscribed_at))
    AS f (fact, at);

-- %1$s workspace, %2$L starts, %3$L ends, %4$s the period's name, %5$L and %6$L its ends as they are said; ids of campaigns are the workspace's first
CREATE TABLE bench.question (place int PRIMARY KEY, name text, call text, path text, ours text, plain text);
INSERT INTO bench.question VALUES
(1, 'S4-01 campaign', 'leadanalytics.campaign_analytics(%1$s, ''campaign-7'', %4$L, %5$L, %6$L)', 'campaigns/campaign-7/analytics?timeRange=%4$s&startDate=%5$s&endDate=%6$s',
 'SELECT date, sent, delivered, bounced, opened, clicked, replied, complained, unsubscribed FROM leadanalytics.campaign_series_rows(%1$s, %2$L, %3$L, ''campaign-7'')
  WHERE 0 < sent + delivered + bounced + opened + clicked + replied + complained + unsubscribed ORDER BY 1',
 'SELECT date, count(*) FILTER (WHERE fact = ''s'') AS sent, count(*) FILTER (WHERE fact = ''d'') AS delivered, count(*) FILTER (WHERE fact = ''b'') AS bounced, count(*) FILTER (WHERE fact = ''o'') AS opened,
         count(*) FILTER (WHERE fact = ''c'') AS clicked, count(*) FILTER (WHERE fact = ''r'') AS replied, count(*) FILTER (WHERE fact = ''p'') AS complained, count(*) FILTER (WHERE fact = ''u'') AS unsubscribed
  FROM bench.fact WHERE workspace = %1$s AND campaign = (SELECT id FROM leadanalytics.campaign WHERE workspace = %1$s AND key = ''campaign-7'') AND at >= %2$L AND at < %3$L GROUP BY 1 ORDER BY 1'),
(2, 'S4-02 overview', 'leadanalytics.campaign_overview(%1$s, %4$L, %5$L, %6$L)', 'analytics/overview?timeRange=%4$s&startDate=%5$s&endDate=%6$s',
 'SELECT campaign, sum(sent) AS sent, sum(delivered) AS delivered, sum(opened) AS opened, sum(clicked) AS clicked, sum(replied) AS replied FROM leadanalytics.message_tallies(%1$s, ''d'', %2$L, %3$L) GROUP BY 1 ORDER BY 1',
 'SELECT campaign, count(*) FILTER (WHERE sent_at >= %2$L AND sent_at < %3$L) AS sent, count(*) FILTER (WHERE delivered_at >= %2$L AND delivered_at < %3$L) AS delivered,
         count(*) FILTER (WHERE opened_at >= %2$L AND opened_at < %3$L) AS opened, count(*) FILTER (WHERE clicked_at >= %2$L AND clicked_at < %3$L) AS clicked,
         count(*) FILTER (WHERE replied_at >= %2$L AND replied_at < %3$L) AS replied
  FROM leadanalytics.message WHERE workspace = %1$s GROUP BY 1 ORDER BY 1'),
(3, 'S4-03 deliverability', 'leadanalytics.deliverability(%1$s, %4$L)', 'analytics/deliverability?timeRange=%4$s',
 'SELECT domain, mailbox, sum(sent) AS sent, sum(delivered) AS delivered, sum(hard) AS hard, sum(soft) AS soft, sum(complained) AS complained FROM leadanalytics.message_tallies(%1$s, ''m'', %2$L, %3$L) GROUP BY 1, 2 ORDER BY 1, 2',
 'SELECT domain, mailbox, count(*) FILTER (WHERE sent_at >= %2$L AND sent_at < %3$L) AS sent, count(*) FILTER (WHERE delivered_at >= %2$L AND delivered_at < %3$L) AS delivered,
         count(*) FILTER (WHERE is_hard AND bounced_at >= %2$L AND bounced_at < %3$L) AS hard, count(*) FILTER (WHERE NOT is_hard AND bounced_at >= %2$L AND bounced_at < %3$L) AS soft,
         count(*) FILTER (WHERE complained_at >= %2$L AND complained_at < %3$L) AS complained
  FROM leadanalytics.message WHERE workspace = %1$s GROUP BY 1, 2 ORDER BY 1, 2'),
(4, 'S4-04 heatmap', 'leadanalytics.heatmap(%1$s, %4$L)', 'analytics/engagement-heatmap?timeRange=%4$s',
 'SELECT extract(isodow FROM bucket AT TIME ZONE ''America/New_York'') AS weekday, extract(hour FROM bucket AT TIME ZONE ''America/New_York'') AS hour, sum(sent) AS sent, sum(opened) AS opened, sum(clicked) AS clicked, sum(replied) AS replied
  FROM leadanalytics.message_tallies(%1$s, ''s'', %2$L, %3$L) GROUP BY 1, 2 ORDER BY 1, 2',
 'SELECT extract(isodow FROM sent_at AT TIME ZONE ''America/New_York'') AS weekday, extract(hour FROM sent_at AT TIME ZONE ''America/New_York'') AS hour, count(*) AS sent, count(opened_at) AS opened, count(clicked_at) AS clicked, count(replied_at) AS replied
  FROM leadanalytics.message WHERE workspace = %1$s AND sent_at >= %2$L AND sent_at < %3$L GROUP BY 1, 2 ORDER BY 1, 2'),
(5, 'S4-05 compare', 'leadanalytics.compare_campaigns(%1$s, ''["campaign-1", "campaign-2", "campaign-3", "campaign-4", "campaign-5"]'', to_json(%4$L::text))', NULL,
 'SELECT campaign, sum(sent) AS sent, sum(delivered) AS delivered, sum(opened) AS opened, sum(clicked) AS clicked, sum(replied) AS replied FROM leadanalytics.message_tallies(%1$s, ''d'', %2$L, %3$L)
  WHERE campaign IN (SELECT id FROM leadanalytics.campaign WHERE workspace = %1$s ORDER BY id LIMIT 5) GROUP BY 1 ORDER BY 1',
 'SELECT campaign, count(*) FILTER (WHERE sent_at >= %2$L AND sent_at < %3$L) AS sent, count(*) FILTER (WHERE delivered_at >= %2$L AND delivered_at < %3$L) AS delivered,
         count(*) FILTER (WHERE opened_at >= %2$L AND opened_at < %3$L) AS opened, count(*) FILTER (WHERE clicked_at >= %2$L AND clicked_at < %3$L) AS clicked,
         count(*) FILTER (WHERE replied_at >= %2$L AND replied_at < %3$L) AS replied
  FROM leadanalytics.message WHERE workspace = %1$s AND campaign IN (SELECT id FROM leadanalytics.campaign WHERE workspace = %1$s ORDER BY id LIMIT 5) GROUP BY 1 ORDER BY 1');
