-- What the functions of this room have in common: their plans are made for what they meet in a large database.

DO $$
BEGIN
    PERFORM leadanalytics.plan_for_large(
        'leadanalytics.activity', 'leadanalytics.activity_kpis', 'leadanalytics.activity_timeline', 'leadanalytics.activity_event_types',
        'leadanalytics.activity_top_booking_pages', 'leadanalytics.activity_new_contacts', 'leadanalytics.activity_top_rooms',
        'leadanalytics.put_rooms', 'leadanalytics.put_recordings', 'leadanalytics.put_booking_pages', 'leadanalytics.put_contacts',
        'leadanalytics.add_contact_events', 'leadanalytics.tally_contact_events', 'leadanalytics.tally_contacts',
        'leadanalytics.tally_recordings', 'leadanalytics.tally_rooms');
END
$$;
ALTER FUNCTION leadanalytics.sum_activity(timestamptz) SET jit = off;
ALTER FUNCTION leadanalytics.recount_activity(int) SET jit = off;
