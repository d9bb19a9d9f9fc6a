-- Ranges as requests say them (D-01, D-03, D-59).
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('period', timezone => 'America/Chicago') AS w \gset
SET timezone = 'UTC';
SELECT said, i.* FROM unnest(ARRAY[
    '2026-03-16', '2026-03-16T14:30:00Z', '2026-03-16T08:30:00-06:00', '2026-03-16T08:30:00 06:00', '2026-03-16T14:30:45.123Z', '2026-03-16T14:30:45.1234567Z',
    '2026-03-16T14:30', '2026-03-16 14:30:45', '2026-03-16t14:30:45z', '2026-03-16T14:30:00+0530', '2026-03-16T14:30:00+05', ' 2026-03-16 ', '2026-03-16T24:00:00Z',
    -- the night the clocks go forward has 23 hours, and no 02:30
    '2026-03-08', '2026-03-08T02:30:00', '2026-11-01', '2024-02-29',
    '2026-02-30', '2026-13-01', '2026-03-16T25:00:00Z', '2026-03-16T14:30:00+99:00', '2026', '16.03.2026', 'today', 'now', 'infinity', '0000-01-01', '2026-03-16T', '2026-03-16Z', '']) AS said
CROSS JOIN LATERAL leadanalytics.instant(said, 'America/Chicago') i;
SELECT * FROM leadanalytics.period(:w, '2026-03-01T00:00:00Z', '2026-03-16T23:59:59Z');
SELECT * FROM leadanalytics.period(:w, '2026-03-08', '2026-03-08');
SELECT * FROM leadanalytics.period(:w, '2026-03-16T14:30:00Z', '2026-03-16T14:30:00Z');
SELECT * FROM leadanalytics.period(:w, '2026-03-16T14:00', '2026-03-16');
SELECT leadanalytics.period(:w, NULL, '2026-03-08');
SELECT leadanalytics.period(:w, '2026-03-08', ' ');
SELECT leadanalytics.period(:w, 'yesterday', '2026-03-08');
SELECT leadanalytics.period(:w, '2026-03-08', '2026-02-30');
SELECT leadanalytics.period(:w, '2026-03-08T00:00:01Z', '2026-03-08T00:00:00Z');
-- a time of the end's own day is not after it
SELECT * FROM leadanalytics.period(:w, '2026-03-08T19:00:00', '2026-03-08');
SELECT leadanalytics.period(0, '2026-03-08', '2026-03-08');
SELECT leadanalytics.ratio(1, 3), leadanalytics.ratio(1, 0), leadanalytics.ratio(NULL, 5), leadanalytics.ratio(100 * 2100, 12450, 1), leadanalytics.ratio(-1, 8), leadanalytics.ratio(0.125, 1);
SELECT leadanalytics.utc_seconds('2026-03-16 14:30:45.999+02'), leadanalytics.utc_milliseconds('2026-03-16 14:30:45.1239+02');
DELETE FROM leadanalytics.workspace WHERE id = :w;
