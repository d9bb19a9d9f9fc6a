-- Remembered answers go when they are old.

CREATE FUNCTION leadanalytics.sweep_idempotency(now timestamptz)
RETURNS int LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_http_sweep_idempotency';
COMMENT ON FUNCTION leadanalytics.sweep_idempotency(timestamptz) IS
    'forget answers older than leadanalytics.idempotency_keep as seen at now, at most 50 000 at a time: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary) VALUES
    ('sweep_idempotency', 'leadanalytics.sweep_idempotency', '20 seconds', true, 'forget old answers to Idempotency-Keys');
