-- Conversions (D-53): events whose category is conversion, and what they are worth in the workspace's currency.

CREATE FUNCTION leadanalytics.default_conversions()
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{purchase,signup,subscribe,lead,conversion}'::text[]
$$;
COMMENT ON FUNCTION leadanalytics.default_conversions() IS 'the names of events that are conversions unless a workspace says otherwise';

CREATE FUNCTION leadanalytics.default_category(event_name text, source text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN event_name IN ('page_view', 'pageview', '$pageview', 'page_visit') THEN 'web'
        WHEN event_name = ANY (leadanalytics.default_conversions()) THEN 'conversion'
        WHEN event_name IN ('view_item', 'view_item_list', 'select_item', 'product_viewed', 'add_to_cart', 'remove_from_cart', 'view_cart', 'cart_viewed',
                            'add_to_wishlist', 'begin_checkout', 'initiate_checkout', 'checkout', 'checkout_started', 'checkout_completed',
                            'add_shipping_info', 'add_payment_info', 'refund') THEN 'ecommerce'
        WHEN source LIKE '%-webhooks' THEN 'payment'
        ELSE 'custom'
    END
$$;
COMMENT ON FUNCTION leadanalytics.default_category(text, text) IS
    'what an event is by its name and source, where leadanalytics.event_category says nothing: web (pageviews), conversion, ecommerce, payment (told by a payment service''s webhooks), custom';

CREATE FUNCTION leadanalytics.conversion_names(workspace int)
RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT d.name
    FROM unnest(leadanalytics.default_conversions()) AS d (name)
    WHERE NOT EXISTS (SELECT FROM leadanalytics.event_category c
                      WHERE c.workspace = conversion_names.workspace AND c.event_name = d.name AND c.category <> 'conversion')
    UNION
    SELECT c.event_name FROM leadanalytics.event_category c
    WHERE c.workspace = conversion_names.workspace AND c.category = 'conversion'
$$;
COMMENT ON FUNCTION leadanalytics.conversion_names(int) IS 'the names of events that are conversions; for reports';

-- \s and \d would be the locale's: of blanks and digits that numeric does not read.
CREATE FUNCTION leadanalytics.money(said jsonb)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(said) = 'number' AND abs(said::numeric) < 1e15 THEN said::numeric
        WHEN jsonb_typeof(said) = 'string' AND said #>> '{}' ~ '^[ \t\n\r]*[-+]?[0-9]{1,15}(\.[0-9]{0,15})?[ \t\n\r]*$' THEN (said #>> '{}')::numeric
    END
$$;
COMMENT ON FUNCTION leadanalytics.money(jsonb) IS 'a JSON number, or a string that is one, below 10^15; null: it is none';

CREATE FUNCTION leadanalytics.conversion_value(data jsonb)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(leadanalytics.money(data -> 'value'), leadanalytics.money(data -> 'revenue'), leadanalytics.money(data -> 'amount'))
$$;
COMMENT ON FUNCTION leadanalytics.conversion_value(jsonb) IS
    'what an event says it is worth: the first of value, revenue and amount that is a number; a refund is negative; null: it says nothing';

CREATE FUNCTION leadanalytics.conversion_rate(workspace int, currency text, day date)
RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT r.rate FROM leadanalytics.fx_rate r
    WHERE r.workspace = conversion_rate.workspace AND r.currency = conversion_rate.currency AND r.day BETWEEN conversion_rate.day - 6 AND conversion_rate.day
    ORDER BY r.day DESC LIMIT 1
$$;
COMMENT ON FUNCTION leadanalytics.conversion_rate(int, text, date) IS
    'what a unit of a currency was worth on a day of the workspace''s zone, by its latest rate of that day and the six before it (banks rest); null: there is none';

CREATE FUNCTION leadanalytics.conversion_amount(workspace int, data jsonb, at timestamptz)
RETURNS numeric LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN said.value IS NULL OR said.value = 0 THEN 0
        WHEN said.currency IS NULL OR said.currency = w.currency THEN said.value
        ELSE coalesce(said.value * leadanalytics.conversion_rate(w.id, said.currency, (conversion_amount.at AT TIME ZONE w.timezone)::date), 0)
    END
    FROM leadanalytics.workspace w,
         (SELECT leadanalytics.conversion_value(data) AS value, nullif(upper(btrim(data ->> 'currency')), '') AS currency) AS said
    WHERE w.id = conversion_amount.workspace
$$;
COMMENT ON FUNCTION leadanalytics.conversion_amount(int, jsonb, timestamptz) IS
    'what an event is worth in the workspace''s currency; of another one by the day''s rate (leadanalytics.fx_rate), without a rate 0; nothing said: 0';

-- What conversions there were. Names are looked up first: few events are conversions, and an index finds the custom ones by
-- name; what it lacks (a workspace may say that a click is a conversion) is found by time. Amounts are reckoned as
-- leadanalytics.conversion_amount() does it, which many calls would make slow.
CREATE FUNCTION leadanalytics.conversion_events(workspace int, starts timestamptz, ends timestamptz, include_bots boolean DEFAULT false)
RETURNS TABLE (at timestamptz, id bigint, name int, visitor int, person int, session bigint, amount numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    names CONSTANT text[] := ARRAY(SELECT leadanalytics.conversion_names(conversion_events.workspace));
    custom CONSTANT int[] := ARRAY(SELECT leadanalytics.text_term(conversion_events.workspace, n) FROM unnest(names) AS n WHERE leadanalytics.event_kind(n) = 'c');
    others CONSTANT int[] := ARRAY(SELECT leadanalytics.text_term(conversion_events.workspace, n) FROM unnest(names) AS n WHERE leadanalytics.event_kind(n) <> 'c');
    home CONSTANT record := (SELECT w FROM leadanalytics.workspace w WHERE w.id = conversion_events.workspace);
BEGIN
    RETURN QUERY
    SELECT e.at, e.id, e.name, e.visitor, e.person, e.session,
           CASE WHEN said.value IS NULL THEN 0
                WHEN said.currency IS NULL OR said.currency = home.currency THEN said.value
                ELSE coalesce(said.value * (SELECT r.rate FROM leadanalytics.fx_rate r
                                            WHERE r.workspace = conversion_events.workspace AND r.currency = said.currency
                                              AND r.day BETWEEN (e.at AT TIME ZONE home.timezone)::date - 6 AND (e.at AT TIME ZONE home.timezone)::date
                                            ORDER BY r.day DESC LIMIT 1), 0) END
    FROM (SELECT c.* FROM leadanalytics.event c WHERE c.kind = 'c' AND c.name = ANY (custom)
          UNION ALL
          SELECT c.* FROM leadanalytics.event c WHERE others <> '{}' AND c.name = ANY (others)) AS e
    CROSS JOIN LATERAL (SELECT leadanalytics.conversion_value(e.data) AS value, nullif(upper(btrim(e.data ->> 'currency')), '') AS currency OFFSET 0) AS said
    WHERE e.workspace = conversion_events.workspace AND e.at >= starts AND e.at < ends AND (include_bots OR NOT e.is_bot);
END
$$;
COMMENT ON FUNCTION leadanalytics.conversion_events(int, timestamptz, timestamptz, boolean) IS
    'the conversions from starts until before ends, amount in the workspace''s currency; for reports';

-- Setting up.
CREATE FUNCTION leadanalytics.set_event_category(workspace int, event_name text, category text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(set_event_category.workspace);
    IF category IS NULL THEN
        DELETE FROM leadanalytics.event_category c WHERE c.workspace = set_event_category.workspace AND c.event_name = set_event_category.event_name;
    ELSE
        INSERT INTO leadanalytics.event_category AS c (workspace, event_name, category)
        VALUES (set_event_category.workspace, set_event_category.event_name, set_event_category.category)
        ON CONFLICT ON CONSTRAINT event_category_pkey DO UPDATE SET category = excluded.category;
    END IF;
EXCEPTION WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION 'invalid event name or category' USING ERRCODE = 'invalid_parameter_value',
        HINT = 'The name: 1 to 200 characters. The category: a word of a–z, 0–9 and _, such as conversion, ecommerce or custom.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_event_category(int, text, text) IS 'say what an event is (conversion: it counts as one); null: as leadanalytics.default_category() has it';
GRANT EXECUTE ON FUNCTION leadanalytics.set_event_category(int, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.set_fx_rate(workspace int, currency text, day date, rate numeric)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(set_fx_rate.workspace);
    IF rate IS NULL THEN
        DELETE FROM leadanalytics.fx_rate r WHERE r.workspace = set_fx_rate.workspace AND r.currency = upper(set_fx_rate.currency) AND r.day = set_fx_rate.day;
    ELSE
        INSERT INTO leadanalytics.fx_rate AS r (workspace, currency, day, rate)
        VALUES (set_fx_rate.workspace, upper(set_fx_rate.currency), set_fx_rate.day, set_fx_rate.rate)
        ON CONFLICT ON CONSTRAINT fx_rate_pkey DO UPDATE SET rate = excluded.rate;
    END IF;
EXCEPTION WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION 'invalid currency, day or rate' USING ERRCODE = 'invalid_parameter_value',
        HINT = 'The currency: three letters. The rate: what one unit of it is worth in the workspace''s currency, above 0.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_fx_rate(int, text, date, numeric) IS
    'what a unit of a currency is worth in the workspace''s own on a day; null: take it back';
GRANT EXECUTE ON FUNCTION leadanalytics.set_fx_rate(int, text, date, numeric) TO leadanalytics_admin;
