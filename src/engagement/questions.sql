-- Where the dashboard, the key figures, the counts of leads and a lead's profile are asked for.

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, message, summary, example, builtin)
SELECT 'GET', r.path, r.function, 'engagement', '{live,sandbox}', r.from_fold, r.message, r.summary, r.example::json, true
FROM (VALUES
    ('/v1/analytics/leads', 'leadanalytics.lead_analytics', false, 'Leads retrieved', 'Leads that came in a range, by status and over time',
     '{"total": 120, "byStatus": {"new": 60, "contacted": 30, "qualified": 12, "unqualified": 4, "converted": 9, "lost": 5}, "series": [{"date": "2026-02-09", "leads": 7, "converted": 1}]}'),
    ('/v1/analytics/conversion-rate', 'leadanalytics.lead_conversion_rate', false, 'Conversion rate retrieved', 'How many of a range''s leads are converted',
     '{"leads": 120, "converted": 9, "conversionRate": 7.50}'),
    ('/v1/analytics/leads/:leadId/engagement', 'leadanalytics.lead_engagement', false, 'Lead engagement retrieved', 'What a lead did in a range: counts, rates of its mail, its newest events',
     '{"leadId": "6789abcdef012345", "score": 74, "label": "Very Hot",
       "counts": {"email_sent": 4, "email_open": 5, "link_click": 2, "email_reply": 1, "email_bounce": 0, "form_submission": 1, "page_visit": 12},
       "uniqueOpens": 3, "openRate": 75.00, "clickRate": 25.00, "replyRate": 25.00, "firstEngagedAt": "2026-02-09T10:30:00.000Z", "lastEngagedAt": "2026-02-12T08:15:00.000Z",
       "timeline": [{"id": "evt_0190f2d3a4b57c8d9e0f1a2b3c4d5e6f", "tenantId": "acme", "type": "email_open", "leadId": "6789abcdef012345", "messageId": "msg_001",
                     "workflowExecutionId": "exec_001", "timestamp": "2026-02-12T08:15:00.000Z"}]}'),
    ('/v1/analytics/kpis', 'leadanalytics.kpis', true, 'KPIs retrieved', 'Key figures of a range beside those of the equally long one before it',
     '[{"key": "newLeads", "label": "New leads", "value": 120, "previous": 96, "changePercent": 25.00, "unit": "count"}]')) AS r (path, function, from_fold, message, summary, example);

-- One dashboard by two names.
INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, message, summary, example, builtin)
SELECT 'GET', '/v1/analytics/' || n.name, 'leadanalytics.dashboard', 'engagement', '{live,sandbox}', true, n.message, n.summary,
       '{"leads": {"total": 120, "new": 60, "qualified": 12, "converted": 9, "lost": 5},
         "engagement": {"emailsSent": 800, "openRate": 42.50, "clickRate": 11.25, "replyRate": 4.00, "formSubmissions": 31, "pageVisits": 5400},
         "conversionRate": 7.50,
         "trend": [{"date": "2026-02-09", "leads": 7, "opens": 12, "clicks": 3, "replies": 1}],
         "topSources": [{"source": "website", "leads": 70, "converted": 6}],
         "recentActivity": [{"id": "evt_0190f2d3a4b57c8d9e0f1a2b3c4d5e6f", "tenantId": "acme", "type": "email_open", "leadId": "6789abcdef012345", "messageId": "msg_001",
                             "workflowExecutionId": "exec_001", "timestamp": "2026-02-12T08:15:00.000Z"}]}', true
FROM (VALUES ('dashboard', 'Dashboard retrieved', 'Leads, mail and visits of a range at a glance'), ('overview', 'Overview retrieved', 'The dashboard by its other name')) AS n (name, message, summary);

SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/leads/:leadId/engagement', ':leadId', 'from', 'to');
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/leads', 'from', 'to', 'groupBy');
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/' || n.name, 'from', 'to') FROM unnest('{conversion-rate,kpis,dashboard,overview}'::text[]) AS n (name);
