-- Times as the public family (and campaigns) says them, in requests and in answers.

-- Inclusive at both ends as it is written, half-open as it is counted (D-03): the end is moved on by one of its
-- last unit, so that 23:59:59Z has all of its second and a date all of its day. What names no offset is of the zone.
CREATE FUNCTION leadanalytics.instant(
    text text, zone text, OUT at timestamptz, OUT after timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO, YMD' AS $$
DECLARE
    -- a blank stands where an offset's plus was in a query string
    parts CONSTANT text[] := regexp_match(btrim(text),
        '^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)? ?([Zz]|[-+ ]?[0-9]{2}(?::?[0-9]{2})?)?)?$');
    offset_text CONSTANT text := replace(regexp_replace(parts[5], '^(?=[0-9])', '+'), ' ', '+');
    fraction CONSTANT text := left(parts[4], 6);
    local timestamp;
    unit interval;
BEGIN
    IF parts IS NULL THEN
        RETURN;
    END IF;
    local := (parts[1] || ' ' || coalesce(parts[2], '00:00') || ':' || coalesce(parts[3], '00') || coalesce('.' || fraction, ''))::timestamp;
    unit := CASE WHEN parts[2] IS NULL THEN interval '1 day' WHEN parts[3] IS NULL THEN interval '1 minute'
                 ELSE power(10, -coalesce(length(fraction), 0)) * interval '1 second' END;
    IF offset_text IS NULL THEN
        at := local AT TIME ZONE zone;
        after := CASE WHEN parts[2] IS NULL THEN (local + unit) AT TIME ZONE zone ELSE at + unit END;
    ELSIF upper(offset_text) = 'Z' THEN
        at := local AT TIME ZONE 'UTC';
        after := at + unit;
    ELSE
        at := (local || offset_text)::timestamptz;
        after := at + unit;
    END IF;
EXCEPTION WHEN data_exception THEN -- 2026-02-30, 25:00, +99:00
    at := NULL;
    after := NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.instant(text, text) IS
    'a date or date and time in ISO 8601, of the zone when it names no offset: when it begins, and when it is over (a date after its day, 14:30:45 after its second); '
    'nulls: it is none';

CREATE FUNCTION leadanalytics.period(
    workspace int, start_date text, end_date text, OUT starts timestamptz, OUT ends timestamptz, OUT zone text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT w.timezone INTO zone FROM leadanalytics.workspace w WHERE w.id = leadanalytics.permitted(period.workspace);
    IF coalesce(btrim(start_date), '') = '' OR coalesce(btrim(end_date), '') = '' THEN
        RAISE EXCEPTION 'start_date and end_date are required' USING ERRCODE = 'LA400', HINT = 'ISO 8601: 2026-03-16, 2026-03-16T14:30:00Z, 2026-03-16T08:30:00-06:00.';
    END IF;
    SELECT i.at INTO starts FROM leadanalytics.instant(start_date, zone) i;
    SELECT i.after INTO ends FROM leadanalytics.instant(end_date, zone) i;
    IF starts IS NULL OR ends IS NULL THEN
        RAISE EXCEPTION '%', CASE WHEN starts IS NULL THEN 'Invalid start_date' ELSE 'Invalid end_date' END
            USING ERRCODE = 'LA400', HINT = 'ISO 8601: 2026-03-16, 2026-03-16T14:30:00Z, 2026-03-16T08:30:00-06:00.';
    END IF;
    IF starts >= ends THEN
        RAISE EXCEPTION 'start_date must not be after end_date' USING ERRCODE = 'LA400', HINT = 'Both are inclusive; they may be equal.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.period(int, text, text) IS
    'a range of the public family, both ends inclusive, as starts and ends with ends excluded, and the workspace''s zone, whose dates and times those without an offset are; '
    'LA400: "start_date and end_date are required", "Invalid start_date", "Invalid end_date", "start_date must not be after end_date"';

CREATE FUNCTION leadanalytics.utc_seconds(at timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;
COMMENT ON FUNCTION leadanalytics.utc_seconds(timestamptz) IS 'a time as S4 and S5 write it (D-68)';

CREATE FUNCTION leadanalytics.utc_milliseconds(at timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
COMMENT ON FUNCTION leadanalytics.utc_milliseconds(timestamptz) IS 'a time as S2, and S5''s list of events, writes it (D-68)';

CREATE FUNCTION leadanalytics.takes_range(
    path text, first text DEFAULT 'ISO 8601; without an offset, of the workspace''s zone', last text DEFAULT 'ISO 8601, inclusive',
    example text DEFAULT '2026-03-01T00:00:00Z')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO leadanalytics.route_param (method, path, name, arg, required, error, position, example, summary) VALUES
        ('GET', path, 'start_date', 'start_date', true, 'start_date and end_date are required', 1, example, first),
        ('GET', path, 'end_date', 'end_date', true, 'start_date and end_date are required', 2, '2026-03-16T23:59:59Z', last)
$$;
COMMENT ON FUNCTION leadanalytics.takes_range(text, text, text, text) IS
    'a GET takes the range that leadanalytics.period() reads: for a room''s SQL, beside the other parameters; first and last: what is said of them, example: of the first';
