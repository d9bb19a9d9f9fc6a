# The fold inside transactions: the writer's own, one that sees an old snapshot, one with a million events, and a
# standby that reads while its primary folds.
# LA_LONG=1: a million events instead of 200 000.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../fuzz", "$FindBin::Bin/../lib";
use File::Temp;
use Fuzz;
use Psql;
use Test::More;
use Time::HiRes qw(time sleep);

fresh_database('la_rollup_transaction');
my $db = session('la_rollup_transaction');
sub db { my ($sql) = @_; return ask($db, $sql) }

# The engine's events and visitors, and the rows'.
sub answer { my ($w) = @_; return db("SELECT counts[1], members FROM leadanalytics.answer_from_segments($w, '{total}', '{-infinity,infinity}', now(), true, true, 0, false, '{}', '{}')") }
sub rows { my ($w) = @_; return db("SELECT count(*), count(DISTINCT visitor) FROM leadanalytics.event WHERE workspace = $w") }
sub differ { my ($w) = @_; return db("SELECT count(*) FROM leadanalytics.reconcile($w)") }
sub add { my ($w, $n, $who) = @_; return db("SELECT leadanalytics.track($w, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', '$who' || i % 7))) FROM generate_series(1, $n) AS i))->>'accepted'") }

db('SET leadanalytics.segment_events = 1');
is(db("SELECT leadanalytics.create_workspace('one'), leadanalytics.create_workspace('large')"), '1|2', 'two workspaces');
add(1, 60, 'a');
db('SELECT leadanalytics.fold()');
is(db("SELECT count(*) FROM leadanalytics.bucket WHERE workspace = 1 AND grain = 'q'"), 1, 'the day has quarters of an hour');

for my $end ('ROLLBACK', 'COMMIT')
{
	subtest "the writer folds what it wrote: $end" => sub {
		my $before = rows(1);
		db('BEGIN');
		add(1, 40, $end);
		is(answer(1), rows(1), 'before the fold');
		cmp_ok(db('SELECT leadanalytics.fold(1)'), '>=', 40, 'the fold sees them');
		is(answer(1), rows(1), 'after it');
		is(db('SELECT count(*) FROM leadanalytics.ledger WHERE workspace = 1'), 0, 'nothing is left in the ledger');
		db('SAVEPOINT a');
		add(1, 30, "undone$end");
		db('SELECT leadanalytics.fold(1)');
		is(answer(1), rows(1), 'with more, under a savepoint');
		db('ROLLBACK TO a');
		is(answer(1), rows(1), 'which are taken back');
		is(differ(1), 0, 'segments and rows agree');
		db($end);
		is(answer(1), rows(1), 'and at the end');
		$end eq 'COMMIT' ? isnt(rows(1), $before, 'which are more') : is(rows(1), $before, 'which are those before');
		is(differ(1), 0, 'segments and rows agree');
	};
}

subtest 'a fold in a transaction that sees an older state' => sub {
	my $other = session('la_rollup_transaction');
	db('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $seen = rows(1);
	ask($other, 'SET leadanalytics.segment_events = 1');
	is(ask($other, q{SELECT leadanalytics.track(1, '{"event_name": "click", "visitor_id": "later"}')->>'accepted'}), 1, 'another event');
	cmp_ok(ask($other, 'SELECT leadanalytics.fold(1)'), '>', 0, 'another fold');
	is(answer(1), $seen, 'it answers as of its snapshot');
	like(db("\\set VERBOSITY verbose\nSELECT leadanalytics.fold_workspace(1, 50000, now())"), qr/ERROR:  40001/, 'it may not fold');
	db('ROLLBACK');
	is(answer(1), rows(1), 'nothing is doubled');
	is(differ(1), 0, 'nor differs');
	leave($other);
};

# Batches of 50 000 of one transaction's events; what a backend takes for it does not grow with them.
subtest 'many events of one transaction' => sub {
	my $n = $ENV{LA_LONG} ? 1_000_000 : 200_000;
	db("SET statement_timeout = '10min'");
	db("SELECT leadanalytics.track(2, '{\"event_name\": \"page_view\", \"visitor_id\": \"first\"}')");
	db("INSERT INTO leadanalytics.event (at, received_at, id, workspace, visitor, name, kind)
	    SELECT now() - (i % 3000) * interval '1 second', now(), b.id + i % 1000, 2, i % 20000 + 1, (SELECT min(id) FROM leadanalytics.term WHERE workspace = 2), 'p'
	    FROM (SELECT nextval('leadanalytics.event_block') << 10 AS id, k FROM generate_series(0, $n / 1000 - 1) AS k OFFSET 0) AS b CROSS JOIN LATERAL generate_series(b.k * 1000, b.k * 1000 + 999) AS i");
	my $folder = session('la_rollup_transaction');
	ask($folder, "SET statement_timeout = '10min'; SET leadanalytics.segment_events = 1");
	my $pid = ask($folder, 'SELECT pg_backend_pid()');
	my $memory = sub { open my $file, '<', "/proc/$pid/status" or return 0; local $/; return <$file> =~ /^RssAnon:\s+(\d+)/m ? $1 : 0 };
	my ($batches, $largest, $most, $second) = (0, 0, 0, 0);
	while ((my $folded = ask($folder, 'SELECT leadanalytics.fold_workspace(2, 50000, now())')) > 0)
	{
		$batches++;
		$largest = $folded if $folded > $largest;
		$second = $memory->() if $batches == 2;
		$most = $memory->() if $memory->() > $most;
		is(answer(2), rows(2), "answers are the same after batch $batches") if $batches % 5 == 1;
	}
	cmp_ok($batches, '>=', $n / 50000, "$n events were folded $batches times");
	cmp_ok($largest, '<=', 60000, 'each about 50 000');
  SKIP: {
		skip 'no /proc of the server', 1 unless $most;
		cmp_ok($most, '<', $second + 32 * 1024, "memory is bounded: $second kB after the second, $most kB at most");
	}
	is(answer(2), rows(2), 'all of them are answered for');
	is(differ(2), 0, 'segments and rows agree');
	leave($folder);
	db("SET statement_timeout = '30s'");
};

# --- A standby ------------------------------------------------------------------------------------------------------

subtest 'a standby' => sub {
	my $dir = File::Temp->newdir('la-standby-XXXXXX', TMPDIR => 1);
	my $user = (stat "$ENV{PGHOST}/.s.PGSQL.5432")[4];
	my ($name, $group) = (getpwuid $user)[ 0, 3 ];
	plan skip_all => 'the server is of another user' unless $> == 0 || $> == $user;
	plan skip_all => 'the server takes no replication' unless run_psql('postgres', q{SELECT current_setting('max_wal_senders')::int > 0 AND current_setting('wal_level') <> 'minimal'}) eq 't';
	chown $user, $group, "$dir";
	chmod 0700, "$dir";
	# As the server's user, who is us or whom we may become.
	my $run = sub {
		my @command = @_;
		my $pid = fork // die;
		if (!$pid)
		{
			open STDIN, '<', '/dev/null';
			open STDOUT, '>>', "$dir/said" or die;
			open STDERR, '>&', \*STDOUT;
			chdir '/';
			exec 'setpriv', "--reuid=$user", "--regid=$group", '--clear-groups', @command if $> == 0;
			exec @command;
		}
		waitpid $pid, 0;
		return $?;
	};
	my $said = sub { open my $file, '<', "$dir/said"; local $/; return <$file> // '' };
	open my $touch, '>', "$dir/said";
	chown $user, $group, "$dir/said";
	my $bin = `pg_config --bindir`;
	chomp $bin;
	is($run->("$bin/pg_basebackup", '-h', $ENV{PGHOST}, '-U', $ENV{PGUSER} // 'postgres', '-D', "$dir/data", '-R', '-c', 'fast', '-X', 'stream'), 0, 'a base backup') or return diag($said->());
	is($run->("$bin/pg_ctl", '-D', "$dir/data", '-l', "$dir/log", '-w', '-t', 60, '-o', "-c unix_socket_directories=$dir -c listen_addresses= -c logging_collector=off -c shared_buffers=32MB -c hot_standby=on", 'start'), 0, 'becomes a standby')
		or return diag($said->(), `tail -5 $dir/log`);
	chmod 0755, "$dir";
	my $standby = do { local $ENV{PGHOST} = "$dir"; session('la_rollup_transaction') };
	my $caught_up = sub {
		my $lsn = db('SELECT pg_current_wal_lsn()');
		my $until = time + 30;
		sleep 0.05 while time < $until && ask($standby, "SELECT pg_last_wal_replay_lsn() >= '$lsn'") ne 't';
		return ask($standby, "SELECT pg_last_wal_replay_lsn() >= '$lsn'");
	};
	my $here = q{SELECT counts[1], members FROM leadanalytics.answer_from_segments(1, '{total}', '{-infinity,infinity}', now(), true, true, 0, false, '{}', '{}')};
	my $there = 'SELECT count(*), count(DISTINCT visitor) FROM leadanalytics.event WHERE workspace = 1';
	my $same = 0;
	for my $round (1 .. 6)
	{
		add(1, 20, "standby$round");
		is($caught_up->(), 't', 'it follows') or last;
		$same += ask($standby, $here) eq answer(1);
		db('SELECT leadanalytics.fold(1)');
		db("SELECT leadanalytics.forget_segments(1)") if $round == 3;
		$same += ask($standby, "SELECT s = r FROM ($here) AS s, ($there) AS r") eq 't';
		$caught_up->();
		$same += ask($standby, $here) eq answer(1);
	}
	is($same, 18, 'its answers are its rows and the primary\'s, before, while and after it folds');
	is(ask($standby, 'SELECT count(*) FROM leadanalytics.reconcile(1)'), 0, 'its segments and rows agree');
	like(ask($standby, "\\set VERBOSITY verbose\nSELECT leadanalytics.fold_workspace(1, 50000, now())"), qr/^ERROR:  25006: /, 'it folds nothing, and says so');
	like(ask($standby, "SELECT leadanalytics.build_bucket(1, 'd', 'UTC', '2026-01-01Z', '2026-01-02Z')"), qr/^ERROR:  25006: /, 'it makes no buckets');
	is(ask($standby, 'SELECT 1'), 1, 'and goes on');
	is(ask($standby, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'leadanalytics worker'"), 0, 'no worker acts there');
	leave($standby);
	is($run->("$bin/pg_ctl", '-D', "$dir/data", '-m', 'fast', '-w', 'stop'), 0, 'it stops');
};
leave($db);
done_testing;
