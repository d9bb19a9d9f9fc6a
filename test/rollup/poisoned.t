# A workspace whose segments were damaged: its fold fails, says why and pauses longer each time; the others' go on;
# its answers fail rather than lie; forgetting its segments heals it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../fuzz", "$FindBin::Bin/../lib";
use Fuzz;
use Psql;
use Test::More;

fresh_database('la_rollup_poisoned');
my $db = session('la_rollup_poisoned');
sub db { my ($sql) = @_; return ask($db, $sql) }
sub verbose { my ($sql) = @_; return db("\\set VERBOSITY verbose\n$sql") }
sub add { my ($w, $at) = @_; return db("SELECT leadanalytics.track($w, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', 'v' || i % 7, 'timestamp', '$at'::timestamptz))) FROM generate_series(1, 20) AS i), now => '$at', as_role => 'admin')->>'accepted'") }
sub answer { my ($w) = @_; return "SELECT counts[1], members FROM leadanalytics.answer($w, '{total}', '{-infinity,infinity}')" }
sub fold_due { my ($after) = @_; return db("CALL leadanalytics.fold_due('2026-05-11 00:00Z'::timestamptz + interval '$after')") }
sub state_of { my ($w) = @_; return db("SELECT fold_failures, fold_after - '2026-05-11 00:00Z', fold_error FROM leadanalytics.rollup_state WHERE workspace = $w") }
my $error = 'damaged segment: its checksum does not agree (SQLSTATE XX001)';

db('SET leadanalytics.segment_events = 4; SET leadanalytics.fold_events = 1');
db("SELECT leadanalytics.create_workspace(s) FROM unnest('{sick,sound}'::text[]) AS s");
add($_, '2026-05-10 10:00Z') for 1, 2;
db("SELECT leadanalytics.fold(now => '2026-05-10 11:00Z'); SELECT leadanalytics.build(w, '2026-05-11 12:00Z') FROM generate_series(1, 2) AS w");
is(db(q{SELECT count(DISTINCT workspace), count(*) FILTER (WHERE grain = 'd') FROM leadanalytics.bucket}), '2|2', 'both have a day in segments');
db("UPDATE leadanalytics.segment SET directory = set_byte(directory, 3, get_byte(directory, 3) # 16) WHERE workspace = 1 AND length(directory) > 7");

like(verbose(answer(1)), qr/^ERROR:  XX001: damaged segment: its checksum does not agree\nHINT:  SELECT leadanalytics\.forget_segments\(workspace\)/, 'its answers fail and say the way out');
is(db(answer(2)), '20|7', 'the other\'s do not');
is(db("SET leadanalytics.exact = on; @{[answer(1)]}; SET leadanalytics.exact = off"), '20|7', 'the rows alone still answer for it');

add($_, '2026-05-10 12:00Z') for 1, 2;
is(fold_due('0 s'), '', 'what is due is folded');
is(state_of(1), "1|00:00:05|$error", 'but for the damaged one, whose fold failed and pauses');
is(db('SELECT slug, unfolded_events, failures, error FROM leadanalytics.freshness()'), "sick|20|1|$error\nsound|0|0|", 'freshness() tells');
is(db("SELECT state FROM leadanalytics.status() WHERE part = 'fold of workspace 1'"), "failed 1 times, last: $error", 'status() tells');
like(db("SELECT hint FROM leadanalytics.status() WHERE part = 'fold of workspace 1'"), qr/^SELECT leadanalytics\.forget_segments\(1\)/, 'and the way out');
add(2, '2026-05-10 13:00Z');
fold_due('3 s');
is(state_of(1), "1|00:00:05|$error", 'it is not tried again before its pause is over');
is(db("SELECT unfolded_events FROM leadanalytics.freshness(2)"), 0, 'the other goes on');
my @pauses = map { fold_due($_->[0]); [ state_of(1) =~ /^(\d+)\|([\d:]+)/ ] } [ '5 s' ], [ '15 s' ], [ '1 hour' ];
is_deeply(\@pauses, [ [ 2, '00:00:15' ], [ 3, '00:00:35' ], [ 4, '01:00:40' ] ], 'each pause is twice as long');
fold_due("$_ hours") for 2 .. 8;
is(state_of(1), "11|08:05:00|$error", 'but not longer than 5 minutes');
fold_due('7 hours');
is(state_of(1), "12|07:05:00|$error", 'also when the clock was set back');

cmp_ok(db('SELECT leadanalytics.forget_segments(1)'), '>', 0, 'its segments are forgotten');
is(db(answer(1)), '40|7', 'it answers');
fold_due('9 hours');
is(state_of(1), '0||', 'it is folded');
is(db("SELECT count(*) FROM leadanalytics.status() WHERE part LIKE 'fold of workspace%'"), 0, 'and nothing more is said of it');
cmp_ok(db("SELECT leadanalytics.build(1, '2026-05-11 12:00Z')"), '>', 0, 'its segments are made again');
is(db(answer(1)), '40|7', 'and answer');
is(db("SELECT (SELECT count(*) FROM leadanalytics.reconcile(1)), (SELECT count(*) FROM leadanalytics.reconcile(2))"), '0|0', 'segments and rows agree');
leave($db);
done_testing;
