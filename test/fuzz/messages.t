# Events of messages that collide: the same messages, events, campaigns, leads and texts at the same moments, in any order,
# on both sides of a month's edge, some of it rolled back, while leads are put, counts are summed up, all is counted
# anew, and somebody reads. Nobody deadlocks; at every moment the counts are what the events say; nothing is lost or doubled.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use File::Temp;
use Fuzz;
use Test::More;

fresh_database('la_fuzz_messages');
is_deeply([ grep { /ERROR/ } run_sql(q{SELECT leadanalytics.create_workspace('race')},
    'CREATE TABLE public.sent (event_id uuid)',
    # Who comes in the same 20 ms sends the same events of the same messages, in an order of his own, each time with what
    # is new. One event in six says no time: it comes on either side of a month's edge.
    q{CREATE FUNCTION public.batch() RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            tick CONSTANT bigint := extract(epoch FROM clock_timestamp()) * 50;
            size CONSTANT int := CASE WHEN random() < 0.2 THEN 1 ELSE 12 END;
        BEGIN
            PERFORM leadanalytics.put_message_events(1, json_agg(json_strip_nulls(json_build_object(
                'event_id', md5(tick || 'e' || n)::uuid, 'event', (ARRAY['sent', 'delivered', 'bounced', 'opened', 'clicked', 'replied'])[1 + (hashint8(tick * 100 + n) & 7) % 6],
                'message_id', CASE n % 3 WHEN 0 THEN 'often' || n WHEN 1 THEN 'new' || tick || 'x' || n % 4 ELSE 'while' || n % 2 || 'x' || tick / 50 END,
                'timestamp', CASE WHEN n % 6 > 0 THEN timestamptz '2026-04-01 00:00Z' + hashint8(tick + n) % 3 * interval '1 month' + (hashint8(tick * n) % 6 - 2) * interval '1 second' END,
                'campaign_id', 'c' || tick / 10 * 10 + n % 3, 'domain_id', 'd' || tick / 20 + n % 2, 'mailbox_id', 'b' || tick / 5 + n % 5, 'url', 'u' || tick + n % 3,
                'user_agent', 'a' || tick + n % 2, 'lead_id', CASE WHEN n % 4 > 0 THEN 'l' || tick / 2 + n % 3 END, 'reason', 'r' || tick / 2 + n % 2)) ORDER BY random()),
                timestamptz '2026-03-01 00:00Z' + (CASE WHEN random() < 0.5 THEN 1 ELSE -1 END) * interval '1 second')
            FROM generate_series(1, size) AS n;
            INSERT INTO public.sent SELECT md5(tick || 'e' || n)::uuid FROM generate_series(1, size) AS n;
        END $$},
    q{CREATE FUNCTION public.put_lead() RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM leadanalytics.put_engagement_lead(1, 'l' || (extract(epoch FROM clock_timestamp()) * 25)::bigint + (random() * 2)::int);
        END $$},
    # What the counts are, the messages, and the facts of leads, by either way.
    q{CREATE FUNCTION public.counts(exact boolean) RETURNS SETOF text LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM set_config('leadanalytics.exact', exact::text, true);
            RETURN QUERY
            SELECT t::text FROM (
                SELECT s.s, t.bucket, t.campaign, t.domain, t.mailbox, t.reason, sum(sent) AS sent, sum(delivered) AS delivered, sum(hard) AS hard, sum(soft) AS soft, sum(opened) AS opened,
                       sum(clicked) AS clicked, sum(replied) AS replied
                FROM unnest('{d,h,m,b,s,w,e}'::text[]) AS s (s), leadanalytics.message_tallies(1, s.s::"char", '-infinity', 'infinity') t GROUP BY 1, 2, 3, 4, 5, 6) AS t
            WHERE sent <> 0 OR delivered <> 0 OR hard <> 0 OR soft <> 0 OR opened <> 0 OR clicked <> 0 OR replied <> 0;
            RETURN QUERY SELECT 'point ' || k.k || p FROM unnest('{s,d,b,o,c,r}'::text[]) AS k (k), leadanalytics.message_points(1, k.k::"char", '-infinity', 'infinity') p;
            IF exact THEN
                RETURN QUERY SELECT 'message ' || s FROM leadanalytics.exact_message_states(1) s;
            ELSE
                RETURN QUERY SELECT 'message ' || s FROM (SELECT id, campaign, domain, mailbox, sent_at, delivered_at, bounced_at, is_hard, reason, opened_at, clicked_at, replied_at,
                                                                 complained_at, unsubscribed_at FROM leadanalytics.message) AS s;
            END IF;
        END $$},
    q{CREATE FUNCTION public.differences() RETURNS bigint LANGUAGE sql AS $$
        SELECT count(*) FROM (SELECT line FROM (SELECT line, exact, count(*) AS n FROM (SELECT public.counts(true), true UNION ALL SELECT public.counts(false), false) AS c (line, exact) GROUP BY 1, 2) AS l
                              GROUP BY line HAVING count(*) = 1 OR min(n) <> max(n)) AS d $$},
    'CREATE TABLE public.differed (n bigint)') ], [], 'the stage is set');

my %script = (
    batch => 'SELECT public.batch();',
    undone => "BEGIN;\nSELECT public.batch();\nROLLBACK;",
    part => "BEGIN;\nSAVEPOINT s;\nSELECT public.batch();\nROLLBACK TO s;\nSELECT public.batch();\nCOMMIT;",
    lead => 'SELECT public.put_lead();',
    sum => "SELECT leadanalytics.sum_messages(now());\n\\sleep 10 ms",
    anew => "SELECT leadanalytics.recount_messages(1);\n\\sleep 200 ms",
    # in one snapshot
    read => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nINSERT INTO public.differed SELECT public.differences();\nCOMMIT;\n\\sleep 50 ms",
);
my $dir = File::Temp->newdir;
for my $name (sort keys %script)
{
    open my $file, '>', "$dir/$name.sql" or die;
    print {$file} $script{$name}, "\n";
    close $file;
}
my %weight = (batch => 40, undone => 4, part => 2, lead => 8, sum => 8, anew => 1, read => 2);
my $seconds = $ENV{LA_SECONDS} // 4;
local $ENV{PGOPTIONS} = "$ENV{PGOPTIONS} -c deadlock_timeout=100ms"; # found before the time is over
open my $out, '-|', join ' ', "pgbench -n -c 8 -j 2 -T $seconds", (map { ('-f', "$dir/$_.sql\@$weight{$_}") } sort keys %weight), '2>&1' or die;
my $said = do { local $/; <$out> };
close $out;
my ($done) = $said =~ /number of transactions actually processed: (\d+)/;
cmp_ok($done // 0, '>', 100, 'batches were sent') or diag $said;
is_deeply([ $said =~ /^(?:pgbench: )?error: .*|^.*ERROR:.*$|^number of failed transactions: [^0].*/mg ], [], 'none failed');

is_deeply([ run_sql('SELECT count(*) > 0, sum(n) FROM public.differed') ], ['t|0'], 'at every moment the counts were what the events say');
is_deeply([ run_sql('SELECT public.differences()') ], ['0'], 'and are');
is_deeply([ run_sql(q{SELECT 'lost', count(*) FROM (SELECT event_id FROM public.sent EXCEPT SELECT event_id FROM leadanalytics.message_event) AS l HAVING count(*) > 0},
        q{SELECT 'invented', count(*) FROM (SELECT event_id FROM leadanalytics.message_event EXCEPT SELECT event_id FROM public.sent) AS i HAVING count(*) > 0},
        q{SELECT 'doubled', count(*) FROM (SELECT FROM leadanalytics.message_event GROUP BY event_id HAVING count(*) > 1) AS d HAVING count(*) > 0},
        q{SELECT 'nothing sent', 1 WHERE (SELECT count(*) FROM leadanalytics.message_event) < 100}) ], [], 'nothing is lost, invented or doubled');
run_sql('SELECT leadanalytics.sum_messages(now())', "UPDATE leadanalytics.message_tally SET sent = sent + 1 WHERE ctid = (SELECT min(ctid) FROM leadanalytics.message_tally)");
is_deeply([ run_sql(q{SELECT count(*) > 10, count(*) FILTER (WHERE m.lead_number <> l.id) FROM leadanalytics.message m JOIN leadanalytics.lead l ON l.external_id = m.lead}) ],
    ['t|0'], 'leads have the numbers that were kept for them');
isnt(scalar(run_sql('SELECT public.differences()')), 0, 'and a count that is wrong would be seen');
done_testing;
