-- What the functions of this room have in common: their plans are made for what they meet in a large database.

DO $$
BEGIN
    PERFORM leadanalytics.plan_for_large(
        'leadanalytics.append_message_events', 'leadanalytics.settle_messages', 'leadanalytics.message_tallies', 'leadanalytics.message_tallies_of_rows',
        'leadanalytics.put_mailboxes', 'leadanalytics.deliverability_rows', 'leadanalytics.mailbox_health_rows', 'leadanalytics.mailbox_days',
        'leadanalytics.bounce_reasons');
END
$$;

-- The second way reads all there is, and joins what it has just made, of which nobody knows how much it is; or it reads
-- some messages, which is another plan.
DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['enable_seqscan = on', 'enable_bitmapscan = on', 'enable_hashjoin = on', 'enable_mergejoin = on', 'enable_nestloop = off', 'plan_cache_mode = force_custom_plan', 'jit = off'] LOOP
        EXECUTE format('ALTER FUNCTION leadanalytics.marked_message_events SET %s', setting);
    END LOOP;
END
$$;
