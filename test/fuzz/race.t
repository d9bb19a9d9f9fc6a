# Batches that collide: the same new sessions, visitors, texts and events, at the same moments, in any
# order, while sessions are swept, routes and keys change and leaves are made; and persons who become each
# other while something is told of them. Nobody deadlocks, and what is stored adds up.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use File::Temp;
use Fuzz;
use Adds;
use Test::More;

fresh_database('la_fuzz_race');
run_sql(q{SELECT leadanalytics.create_workspace('race')},
    # Everybody who comes in the same 20 ms sends the same names, each in an order of his own. Who waits for
    # another's new text waits for all of him, so that only some moments bring texts, and some visitors.
    q{CREATE FUNCTION public.batch(client int) RETURNS json LANGUAGE sql VOLATILE AS $$
        SELECT leadanalytics.track(1, json_build_object('events', json_agg(json_build_object(
            'event_name', 'name' || n, 'event_data', json_build_object('url', '/p' || CASE WHEN tick % 3 = 0 THEN tick || 'x' || n ELSE '' || n END),
            'visitor_id', CASE n % 3 WHEN 0 THEN 'v' || client WHEN 1 THEN CASE WHEN tick % 3 = 1 THEN 'shared' || tick || 'x' || n ELSE 'w' || client END END,
            'session_id', CASE WHEN n % 4 > 0 THEN tick || 's' || n END,
            'event_id', CASE WHEN n % 2 = 0 THEN tick || 'e' || n END,
            'timestamp', CASE WHEN n % 2 = 0 THEN to_timestamp(tick / 50 + n) ELSE to_timestamp(tick / 50 + (random() * 20)::int) END) ORDER BY random())),
            now => to_timestamp(tick / 50 + 30))
        FROM (SELECT (extract(epoch FROM clock_timestamp()) * 50)::bigint AS tick OFFSET 0) t, generate_series(1, 12) n
        GROUP BY tick $$});

my %script = (
    batch => 'SELECT public.batch(:client_id);',
    sweep => "SELECT leadanalytics.sweep_sessions(now() + interval '2 hours');\n\\sleep 20 ms",
    # whoever is told of is told to be somebody else too, in any order: new ones twenty times a second
    names => q{\set a random(1, 8)
\set b random(1, 8)
\set c random(1, 8)
\set d random(1, 8)
SELECT leadanalytics.track(1, json_build_object('events', json_build_array(
    json_build_object('event_name', '$identify', 'user_id', p || :a, 'event_data', json_build_object('email', random()::text)),
    json_build_object('event_name', '$alias', 'user_id', p || :a, 'previous_id', p || :b),
    json_build_object('event_name', '$alias', 'user_id', p || :c, 'previous_id', p || :d),
    json_build_object('event_name', '$identify', 'user_id', p || :d, 'event_data', json_build_object('email', random()::text)))))
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 20)::bigint || 'p' AS p OFFSET 0) t;},
    # two months of which neither has a leaf, in a batch that names the later one first or last
    leaves => q{\set y random(2023, 2025)
\set m random(1, 11)
SELECT leadanalytics.track(1, json_build_object('events', json_agg(json_build_object('event_name', 'l', 'event_id', random()::text, 'timestamp', t))), now => max(t) + interval '1 minute')
FROM (SELECT make_timestamptz(:y, :m, 1, 0, 0, 0) + interval '1 month' + o AS t FROM unnest('{-1 day,1 day,-2 days,2 days}'::interval[]) o) x;},
    routes => q{SELECT leadanalytics.create_key(1, 'sdk') AS key \gset
SELECT set_config('request.headers', json_build_object('x-la-method', 'POST', 'x-la-uri', '/api/v1/track', 'x-la-key', ':key')::text, false);
SELECT 1 / (convert_from(leadanalytics_door.handle_rw('{"event_name": "door", "visitor_id": "door"}'), 'UTF8') LIKE '%"accepted":1,%')::int;
UPDATE leadanalytics.route SET timeout_ms = timeout_ms WHERE path = '/healthz';
SELECT leadanalytics.revoke_key(1, max(id)) FROM leadanalytics.key WHERE prefix = left(':key', -52);
SELECT 1 / (length(leadanalytics_door.handle_rw('{"event_name": "door", "visitor_id": "door"}')) = 0)::int;},
);
my $dir = File::Temp->newdir;
for my $name (sort keys %script)
{
    open my $file, '>', "$dir/$name.sql" or die;
    print {$file} $script{$name}, "\n";
    close $file;
}

# collide(what, seconds, script => weight …)
sub collide
{
    my ($what, $seconds, %weight) = @_;
    local $ENV{PGOPTIONS} = "$ENV{PGOPTIONS} -c deadlock_timeout=100ms"; # found before the time is over
    my @with = map { ('-f', "$dir/$_.sql\@$weight{$_}") } sort keys %weight;
    open my $out, '-|', join ' ', 'pgbench -n -c 6 -j 2 -T', $seconds, @with, '2>&1' or die;
    my $said = do { local $/; <$out> };
    close $out;
    my ($done) = $said =~ /number of transactions actually processed: (\d+)/;
    cmp_ok($done // 0, '>', 100, "$what were sent") or diag $said;
    is_deeply([ $said =~ /^(?:pgbench: )?error: .*|^.*ERROR:.*$|^number of failed transactions: [^0].*/mg ], [], 'none failed');
    return;
}
collide('batches', $ENV{LA_SECONDS} // 2, batch => 20, sweep => 1, leaves => 3, routes => 3);
collide('names', $ENV{LA_SECONDS} // 2, names => 1);

is_deeply([ run_sql(adding_up(),
    q{SELECT 'leaf without events', 1 WHERE (SELECT count(*) FROM leadanalytics.event) = 0}) ],
    [], 'what is stored adds up');
done_testing;
