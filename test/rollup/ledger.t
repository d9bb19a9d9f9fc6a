# Writers of every kind at once, folds, buckets made and forgotten, and readers that ask all along, in one
# statement, the engine and the rows: nothing missed, nothing doubled. Beside them a naive reader ("the rows whose id
# is above the last one seen"), which must lose some: else the writers were too tame to show anything.
# LA_LONG=1: a minute instead of ten seconds.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../fuzz", "$FindBin::Bin/../lib";
use File::Temp;
use Fuzz;
use Psql;
use Test::More;

my $seconds = $ENV{LA_LONG} ? 60 : 10;
my $prepares = run_psql('postgres', 'SHOW max_prepared_transactions') >= 8;
fresh_database('la_rollup_ledger');
my $scripts = File::Temp->newdir;
sub db { my ($sql) = @_; return run_psql('la_rollup_ledger', $sql) }

db(<<'SQL');
ALTER DATABASE la_rollup_ledger SET leadanalytics.segment_events = 10;
SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series(date_trunc('month', now()) - interval '2 months', now() + interval '1 month', '1 month') AS m;
SELECT leadanalytics.create_workspace('w' || i, 'Workspace ' || i, timezone => (ARRAY['Asia/Kolkata', 'America/New_York'])[i]) FROM generate_series(1, 2) AS i;

-- Events now, lately, and on both sides of the month's edge; those of a writer are of its own visitors and sessions.
CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN random() < 0.5 THEN now() WHEN random() < 0.6 THEN now() - random() * interval '40 days'
                ELSE date_trunc('month', now()) - interval '1 hour' + random() * interval '2 hours' END
$$;
CREATE FUNCTION add_by_insert(client int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, page, kind)
    SELECT moment(), now(), 1 + client % 2, client * 20 + 1 + i % 10, t.id, t.id, 'p'
    FROM generate_series(1, 1 + (random() * 30)::int) AS i, (SELECT min(id) AS id FROM leadanalytics.term WHERE workspace = 1 + client % 2 AND kind = 'page') AS t
$$;
CREATE FUNCTION add_by_track(client int) RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.track(1 + client % 2, (
        SELECT json_build_object('events', json_agg(json_build_object(
            'event_name', CASE WHEN random() < 0.7 THEN 'page_view' ELSE 'click' END, 'timestamp', moment(), 'visitor_id', 'v' || client || '-' || i % 7,
            'session_id', CASE WHEN random() < 0.3 THEN 's' || client || '-' || i % 3 || '-' || (random() * 5)::int END,
            'event_data', json_build_object('url', 'https://shop.example/' || i % 9)))) FROM generate_series(1, 1 + (random() * 40)::int) AS i), as_role => 'admin')->>'accepted'
$$;
CREATE FUNCTION add(client int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.5 THEN PERFORM add_by_insert(client); ELSE PERFORM add_by_track(client); END IF;
END
$$;
SELECT leadanalytics.track(w, (SELECT json_build_object('events', json_agg(json_build_object('event_name', n, 'visitor_id', 'first', 'event_data', json_build_object('url', 'https://shop.example/' || i))))
    FROM generate_series(0, 8) AS i, unnest('{page_view,click}'::text[]) AS n)) FROM generate_series(1, 2) AS w;

CREATE TABLE folded (n bigint);
CREATE TABLE checked (what text, differs text, grains text);
CREATE TABLE naive (last_id bigint, n bigint);
INSERT INTO naive SELECT max(id), count(*) FROM leadanalytics.event;

-- One statement, one snapshot: the engine and the rows.
CREATE FUNCTION differs(w int, dimensions text[], bounds timestamptz[]) RETURNS text LANGUAGE sql STABLE AS $$
    WITH s AS (SELECT a.* FROM leadanalytics.answer_from_segments(w, dimensions, bounds, now(), true, true, 0, false, '{}', '{}') a),
         r AS (SELECT a.* FROM leadanalytics.answer_from_rows(w, dimensions, bounds, now(), true, true, 0, false, '{}', '{}') a)
    SELECT string_agg(x.which || ' ' || x.line, ' ') FROM (
        (SELECT 'segments:' AS which, s::text AS line FROM (SELECT * FROM s EXCEPT SELECT * FROM r) s LIMIT 3) UNION ALL
        (SELECT 'rows:', r::text FROM (SELECT * FROM r EXCEPT SELECT * FROM s) r LIMIT 3)) AS x
$$;
SQL

# A batch whose first and last event lie in one month and the others in the next: the two rows of the ledger share a
# block of ids. A bucket that is made meanwhile has none of them, and one that is made later has each once.
db(<<'SQL');
SELECT leadanalytics.create_workspace('edge', 'Edge');
SELECT leadanalytics.track(3, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'click', 'visitor_id', 'v' || i,
    'timestamp', CASE WHEN i IN (1, 40) THEN '2026-03-31T10:00:00Z' ELSE '2026-04-01T10:00:00Z' END) ORDER BY i)) FROM generate_series(1, 40) AS i), now => '2026-04-02', as_role => 'admin');
SELECT leadanalytics.build_bucket(3, 'd', 'Etc/GMT-14', '2026-03-31 10:00Z', '2026-04-01 10:30Z');
SELECT leadanalytics.fold_workspace(3, 50000, '2026-04-02');
SQL
is(db('SELECT count(*) FROM leadanalytics.bucket b, leadanalytics.reconcile(3)'), 0, 'the events of a batch in two months are in a bucket once');

my %script = (
	short => 'SELECT add(:client_id);',
	long => "BEGIN;\nSELECT add(:client_id);\n\\sleep 700 ms\nSELECT add(:client_id);\nCOMMIT;",
	abort => "BEGIN;\nSELECT add(:client_id);\n\\sleep 100 ms\nROLLBACK;",
	savepoints => "BEGIN;\nSELECT add(:client_id);\nSAVEPOINT a;\nSELECT add(:client_id);\nROLLBACK TO a;\nSELECT add(:client_id);\nSAVEPOINT b;\nSELECT add(:client_id);\n"
		. "RELEASE b;\nSAVEPOINT c;\nSELECT add(:client_id);\nSELECT leadanalytics.fold_workspace(1 + :client_id % 2, 50, now());\nROLLBACK TO c;\nCOMMIT;",
	prepared => "BEGIN;\nSELECT add(:client_id);\nPREPARE TRANSACTION 'ledger :client_id';\n\\sleep 50 ms\nCOMMIT PREPARED 'ledger :client_id';",
	prepared_abort => "BEGIN;\nSELECT add(:client_id);\nPREPARE TRANSACTION 'ledger :client_id';\n\\sleep 50 ms\nROLLBACK PREPARED 'ledger :client_id';",
	folds => "\\set w random(1, 2)\n\\set n random(1, 300)\nINSERT INTO folded SELECT leadanalytics.fold_workspace(:w, :n, now());\n\\sleep 20 ms",
	fold_all => "INSERT INTO folded SELECT leadanalytics.fold();\n\\sleep 20 ms",
	fold_undone => "\\set w random(1, 2)\nBEGIN;\nSELECT leadanalytics.fold_workspace(:w, 50000, now());\n\\sleep 10 ms\nROLLBACK;",
	build => "\\set w random(1, 2)\n\\set d random(-1, 40)\nSELECT leadanalytics.build_workspace(:w, now() + interval '1 day' * :d);\n\\sleep 20 ms",
	quarters => "\\set w random(1, 2)\nSELECT leadanalytics.drop_quarters(:w, now() + interval '36 days');",
	forget => "\\set w random(1, 2)\n\\set d random(0, 40)\nSELECT leadanalytics.forget_segments(:w, now() - interval '1 day' * :d, now() - interval '1 day' * (:d - 5));\n\\sleep 50 ms",
	total => "\\set w random(1, 2)\nINSERT INTO checked SELECT 'total', CASE WHEN (a.counts[1], a.members) IS DISTINCT FROM (r.n, r.visitors) THEN format('%s, not %s; %s, not %s', a.counts[1], r.n, a.members, r.visitors) END, (SELECT string_agg(DISTINCT grain::text, NULL) FROM leadanalytics.bucket WHERE workspace = :w) "
		. "FROM (SELECT count(*) AS n, count(DISTINCT visitor) AS visitors FROM leadanalytics.event WHERE workspace = :w) AS r "
		. "LEFT JOIN leadanalytics.answer_from_segments(:w, '{total}', '{-infinity,infinity}', now(), true, true, 0, false, '{}', '{}') AS a ON true;\n\\sleep 10 ms",
	dimensions => "\\set w random(1, 2)\n\\set from random(0, 800)\nINSERT INTO checked SELECT 'dimensions', "
		. "differs(:w, '{total,event_name,page,page_session,session,entry_page,fingerprint,complete}', ARRAY[now() - interval '1 hour' * (:from + random() * 48), now() - interval '1 hour' * :from, 'infinity']);\n\\sleep 50 ms",
	naive => "WITH fresh AS (SELECT count(*) AS n, max(e.id) AS id FROM leadanalytics.event e WHERE e.id > (SELECT last_id FROM naive)) UPDATE naive SET n = naive.n + f.n, last_id = greatest(last_id, f.id) FROM fresh f;\n\\sleep 20 ms",
);
for my $name (keys %script)
{
	open my $file, '>', "$scripts/$name" or die;
	print $file "$script{$name}\n";
}
sub weighted { my (%weights) = @_; return map { ('-f', "$scripts/$_\@$weights{$_}") } sort keys %weights }

# Clients with scripts by weight; what is left of them is an error's text.
my @running;
sub clients
{
	my ($name, $n, @files) = @_;
	my $pid = fork // die;
	if (!$pid)
	{
		open STDOUT, '>', "$scripts/$name.log" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec 'pgbench', '-n', '-c', $n, '-j', 1, '-T', $seconds, '--max-tries=20', '--random-seed=20260329', @files, 'la_rollup_ledger' or exit 127;
	}
	push @running, [ $name, $pid ];
	return;
}

sub run_all
{
	@running = ();
	clients('writers', 6, weighted(short => 20, long => 4, abort => 4, savepoints => 6, $prepares ? (prepared => 6, prepared_abort => 2) : ()));
	clients('folds', 2, weighted(folds => 6, fold_all => 2, fold_undone => 1));
	clients('builds', 1, weighted(build => 8, quarters => 1, forget => 2));
	clients('readers', 2, weighted(total => 3, dimensions => 2));
	clients('naive', 1, weighted(naive => 1));
	for my $one (@running)
	{
		my ($name, $pid) = @$one;
		waitpid $pid, 0;
		my $status = $?;
		open my $file, '<', "$scripts/$name.log" or die;
		local $/;
		my $said = <$file>;
		ok($status == 0 && $said !~ /aborted/, "$name went on to the end") or diag($said =~ /^(pgbench: .*)/ms ? substr($1, 0, 1500) : $said);
		note("$name: $1") if $said =~ /^number of transactions actually processed: (.*)$/m;
	}
	return;
}

# The naive one may have luck once, not three times.
my ($lost, $events);
for my $try (1 .. 3)
{
	run_all();
	db('WITH fresh AS (SELECT count(*) AS n, max(e.id) AS id FROM leadanalytics.event e WHERE e.id > (SELECT last_id FROM naive)) UPDATE naive SET n = naive.n + f.n, last_id = greatest(last_id, f.id) FROM fresh f');
	($events, $lost) = split /\|/, db('SELECT count(*), count(*) - (SELECT n FROM naive) FROM leadanalytics.event');
	last if $lost > 0;
}
cmp_ok($lost, '>', 0, "a reader by the last id lost $lost of $events events");

for my $what ('total', 'dimensions')
{
	cmp_ok(db("SELECT count(*) FROM checked WHERE what = '$what'"), '>=', 10, "$what: engine and rows were compared " . db("SELECT count(*) FROM checked WHERE what = '$what'") . ' times');
	is(db("SELECT count(*) FROM checked WHERE what = '$what' AND differs IS NOT NULL"), 0, "$what: and were the same") or diag(db("SELECT differs FROM checked WHERE what = '$what' AND differs IS NOT NULL LIMIT 5"));
}
like(db(q{SELECT string_agg(DISTINCT g, NULL ORDER BY g) FROM checked, regexp_split_to_table(grains, '') AS g}), qr/^dmq/, 'segments of days, months and quarters of an hour took part');
cmp_ok(db('SELECT sum(n) FROM folded WHERE n > 0'), '>', 0, 'and folds: ' . db('SELECT count(*) FROM folded WHERE n > 0') . ', of which ' . db('SELECT count(*) FROM folded WHERE n IS NULL') . ' found another at work');
for my $w (1, 2)
{
	is(db("SELECT count(*) FROM leadanalytics.reconcile($w)"), 0, "workspace $w: segments and folded rows agree");
}
db('SELECT leadanalytics.fold()');
for my $w (1, 2)
{
	db("SELECT leadanalytics.build($w, now() + interval '40 days')");
	is(db("SELECT count(*) FROM leadanalytics.reconcile($w)"), 0, "workspace $w: and when all is folded and built");
	is(db("SELECT coalesce(differs($w, (SELECT array_agg(name) FROM leadanalytics.dimensions()), '{-infinity,infinity}'), 'same')"), 'same', "workspace $w: every dimension");
	my $of = "WHERE workspace = $w";
	is(db("SELECT counts[1], members FROM leadanalytics.answer_from_segments($w, '{total}', '{-infinity,infinity}', now(), true, true, 0, false, '{}', '{}')"),
		db("SELECT count(*), count(DISTINCT visitor) FROM leadanalytics.event $of"), "workspace $w: events and visitors");
	is(db("SELECT unfolded_events, unfolded_sessions FROM leadanalytics.freshness($w)"), '0|0', "workspace $w: nothing is left unfolded");
}
is(db('SELECT (SELECT count(*) FROM leadanalytics.ledger), (SELECT count(*) FROM leadanalytics.session_ledger)'), '0|0', 'the ledgers are empty');
is(db('SELECT count(*) FROM leadanalytics.rollup_state WHERE fold_failures > 0'), 0, 'no fold failed');

SKIP: {
	skip 'max_prepared_transactions is 0', 1 unless $prepares;
	is(db(q{SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'ledger %'}), 0, 'no prepared transaction is left');
}
done_testing;

END
{
	local $?;
	eval { run_psql('la_rollup_ledger', "ROLLBACK PREPARED '$_'") } for split /\n/, eval { run_psql('postgres', "SELECT gid FROM pg_prepared_xacts WHERE database = 'la_rollup_ledger'") } // '';
}
