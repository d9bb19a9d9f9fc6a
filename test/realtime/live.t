# The live counts in shared memory against the rows, in one snapshot: among writers that commit, abort, take back to
# savepoints, prepare and are killed; after a restart; for older snapshots, own writes, what was written past track(), what
# does not fit; and that a difference would be seen.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/../update";
use Mmdb;
use Private;
use Test::More;

my $pg = Private->of_machine;
my $city = write_file("$pg->{dir}/city.mmdb", 'GeoLite2-City', [ [ '192.0.2.0/26', place('GB', 'England', 'London') ], [ '192.0.2.64/26', place('FR') ], [ '192.0.2.128/26', place('DE') ] ], remove_reserved_networks => 0);
my $one = $pg->cluster('one', conf => [ "shared_preload_libraries = 'leadanalytics'", 'max_prepared_transactions = 10', 'leadanalytics.live_memory = 24MB',
    "leadanalytics.geo_city = '$city'", 'leadanalytics.live_after = 0', "log_min_messages = warning", 'autovacuum = off', "statement_timeout = '150s'" ]);
sub sql { my ($sql, $database) = @_; return $one->ask($database // 'live', $sql) }
sub setup
{
    my ($database) = @_;
    sql("CREATE DATABASE $database", 'postgres');
    sql('CREATE EXTENSION leadanalytics', $database);
    return sql(do { local (@ARGV, $/) = "$FindBin::Bin/live.sql"; <> }, $database);
}
setup('live');
my ($w, $other) = map { sql("SELECT leadanalytics.create_workspace('$_')") } qw(shop other);
sub compared { return sql('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT public.compare(' . ($_[0] // $w) . '); COMMIT') }
sub ready { my ($workspace) = @_; compared($workspace) for 1 .. 2; return compared($workspace) }
sub state_of { return sql("SELECT state FROM leadanalytics.live_states() WHERE workspace = " . ($_[0] // $w)) }
# In the background; wait with waitpid.
sub start
{
    my ($sql) = @_;
    my $pid = fork // die;
    return $pid if $pid;
    my $r = $one->psql('live', $sql);
    warn $r->{err} if $r->{rc} && $r->{err} !~ /server closed the connection|terminating connection|the database system/;
    POSIX::_exit($r->{rc} ? 1 : 0);
}

is(compared(), 'rows', 'nothing is counted before somebody asks');
sql("SELECT public.send($w, $_, 100)") for 1 .. 20;
is(ready(), 'memory', 'who asked is answered from memory');
sql("SELECT public.send($w, $_, 100)") for 21 .. 40;
is(compared(), 'memory', 'what came after that is counted');
cmp_ok(sql("SELECT count(DISTINCT value) FROM leadanalytics.live_rows($w, 60) WHERE what = 'country'"), '==', 3, 'in three countries');

subtest 'negative control: a difference is seen' => sub {
    sql("SET session_replication_role = replica; DELETE FROM leadanalytics.event WHERE ctid IN (SELECT ctid FROM leadanalytics.event WHERE workspace = $w AND kind = 'p' ORDER BY at DESC LIMIT 3)");
    like(compared(), qr/^rows .*\ntold /ms, 'rows gone behind our back');
    sql("BEGIN; DELETE FROM leadanalytics.event WHERE false; ROLLBACK");
    like(compared(), qr/^rows /, 'a statement that was rolled back changes nothing');
    sql("DELETE FROM leadanalytics.event WHERE false");
    is(compared(), 'rows', 'a statement past track(): the rows answer');
    is(ready(), 'memory', 'and memory counts anew');
};

subtest 'transactions' => sub {
    sql("BEGIN; SELECT public.send($w, 50, 50); ROLLBACK");
    is(compared(), 'memory', 'an aborted one');
    sql("BEGIN; SAVEPOINT a; SELECT public.send($w, 51, 50); ROLLBACK TO a; SELECT public.send($w, 52, 50); SAVEPOINT b; SELECT public.send($w, 53, 50); RELEASE b; COMMIT");
    is(compared(), 'memory', 'savepoints, taken back and not');
    sql("BEGIN; SELECT public.send($w, 54, 50); PREPARE TRANSACTION 'p'");
    is(compared(), 'memory', 'a prepared one does not count');
    sql("COMMIT PREPARED 'p'");
    is(compared(), 'memory', 'once committed it does');
    sql("BEGIN; SELECT public.send($w, 55, 50); PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'");
    is(compared(), 'memory', 'a prepared one rolled back');
    is(sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT public.send($w, 56, 50); SELECT public.compare($w); ROLLBACK") =~ s/.*\n//sr, 'rows', 'its own writer asks the rows');
    is(compared(), 'memory', 'and is forgotten');
    sql("BEGIN; INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, kind) VALUES (now(), now(), $w, 1, 1, 'p'); ROLLBACK");
    is(compared(), 'memory', 'an event by plain SQL, rolled back');
    sql("INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, kind) VALUES (now(), now(), $w, 1, 1, 'p')");
    is(compared(), 'rows', 'one by plain SQL: the rows answer');
    is(ready(), 'memory', 'then memory again');
    my $pid = start("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep(1.5); INSERT INTO public.said SELECT 'older: ' || public.compare($w), 0; COMMIT");
    select undef, undef, undef, 0.7;
    sql("SELECT public.send($w, 57, 50)");
    is(compared(), 'memory', 'a newer snapshot');
    waitpid $pid, 0;
    is(sql("SELECT what FROM public.said WHERE n = 0"), 'older: rows', 'an older one asks the rows, and they tell what it sees');
    sql("TRUNCATE public.said");
};

subtest 'questions memory does not answer' => sub {
    my $before = sql("SELECT public.served($w)");
    sql("SELECT leadanalytics.live($w, 30, now() - interval '10 min')");
    sql("SELECT leadanalytics.live($w, 30, now() + interval '10 min')");
    sql("SELECT leadanalytics.live($w, 30, now(), true)");
    sql("SELECT leadanalytics.realtime($w, now(), true)");
    is(sql("SELECT public.served($w)"), $before, 'about another time, with robots');
    is(sql("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT public.compare($w); COMMIT"), 'rows', 'by a transaction whose reads must be known');
    is(compared(), 'memory', 'and they change nothing');
    is(sql("SELECT reason FROM leadanalytics.live_states() WHERE workspace = $w"), 'asked about another time', 'the reason is told');
    like(sql("SELECT leadanalytics.status()"), qr/live counts.*answers from memory/, 'status() tells of it');
    sql(q{SELECT leadanalytics.track(} . $w . q{, '{"event_name":"x","visitor_id":"v1","user_agent":"Googlebot/2.1 (+http://www.google.com/bot.html)"}', user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)')});
    is(compared(), 'memory', 'a robot');
};

subtest 'a state begins' => sub {
    sql("SELECT public.send($other, $_, 50)") for 1 .. 3;
    sql("BEGIN; SELECT public.send($other, 4, 50, 'early'); PREPARE TRANSACTION 'early'");
    is(ready($other), 'rows', 'not while a transaction from before it is prepared');
    is(state_of($other), 'collecting', 'it waits');
    sql("BEGIN; SELECT public.send($other, 5, 50, 'late'); PREPARE TRANSACTION 'late'");
    sql("COMMIT PREPARED 'early'");
    is(compared($other), 'memory', 'then it is built, with one that was prepared later still open');
    sql("COMMIT PREPARED 'late'");
    is(compared($other), 'memory', 'which counts when it commits');
    is(compared(), 'memory', 'workspaces do not meet');
};

subtest 'what does not fit' => sub {
    sql("ALTER SYSTEM SET leadanalytics.live_workspace_memory = '1MB'; SELECT pg_reload_conf()", 'postgres');
    sql(qq{SELECT leadanalytics.track($other, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'page_view', 'visitor_id', format('many-%s-%s', $_, i),
        'event_data', json_build_object('path', '/' || i))) FROM generate_series(1, 1000) i)))}) for 1 .. 12;
    is(compared($other), 'rows', 'is answered by rows');
    is(sql("SELECT state || ' ' || overflowed FROM leadanalytics.live_states() WHERE workspace = $other"), 'too much to keep 1', 'and counted');
    is(ready($other), 'rows', 'nor is it tried again at once');
    cmp_ok(sql("SELECT bytes FROM leadanalytics.live_states() WHERE workspace = $other"), '<', 1048577, 'it takes no more than it may');
    is(compared(), 'memory', 'another workspace does not mind');
    sql("ALTER SYSTEM RESET leadanalytics.live_workspace_memory; SELECT pg_reload_conf()", 'postgres');
};

subtest 'writers and readers at once' => sub {
    sql('ANALYZE');
    my $seconds = $ENV{LA_LONG} ? 60 : 6;
    my @pids = map { start("CALL public.load($w, $_, $seconds)") } 1 .. 3;
    push @pids, map { start("CALL public.watch($w, $seconds)") } 1 .. 2;
    for (my $i = 0, my $end = time + $seconds; time < $end; $i++)
    {
        sql("BEGIN; SELECT public.send($w, 900000 + $i, 10, 'p$i'); PREPARE TRANSACTION 'p$i'");
        sql(($i % 3 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'p$i'");
    }
    waitpid($_, 0), is($?, 0, 'ends well') for @pids;
    is(sql("SELECT what FROM public.said WHERE what NOT IN ('memory', 'rows') LIMIT 1"), '', 'not one difference');
    my ($memory, $rows) = map { sql("SELECT count(*) FROM public.said WHERE what = '$_'") } qw(memory rows);
    note "$memory answers from memory, $rows from rows, ", sql("SELECT string_agg(s::text, ' ') FROM leadanalytics.live_states() s");
    cmp_ok($memory, '>', $rows, 'mostly from memory');
    is(compared(), 'memory', 'and nothing is left over');
};

subtest 'a backend is killed' => sub {
    my @pids = map { start("CALL public.load($w, $_, 30)") } 4 .. 6;
    sleep 1;
    my $victim = sql("SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL public.load' LIMIT 1");
    ok($victim && kill('KILL', $victim), 'at its work');
    waitpid $_, 0 for @pids;
    my $up;
    for (1 .. 100)
    {
        last if $up = $one->psql('live', 'SELECT 1')->{rc} == 0;
        select undef, undef, undef, 0.1;
    }
    ok($up, 'the server is there again');
    is(sql('SELECT count(*) FROM leadanalytics.live_states()'), 0, 'memory knows nothing');
    is(compared(), 'rows', 'the rows do');
    is(ready(), 'memory', 'and memory again');
};

subtest 'restart' => sub {
    sql("BEGIN; SELECT public.send($w, 70, 50, 'across'); PREPARE TRANSACTION 'across'");
    $one->stop;
    $one->start;
    is(ready(), 'rows', 'a transaction prepared before it is waited for');
    sql("COMMIT PREPARED 'across'");
    is(compared(), 'memory', 'then memory counts it');
};

subtest 'another extension of the same name' => sub {
    sql('DROP EXTENSION leadanalytics CASCADE');
    sql('DROP TABLE public.said; DROP FUNCTION public.send, public.served, public.answers, public.compare; DROP PROCEDURE public.load, public.watch');
    sql('CREATE EXTENSION leadanalytics');
    sql(do { local (@ARGV, $/) = "$FindBin::Bin/live.sql"; <> });
    my $new = sql("SELECT leadanalytics.create_workspace('again')");
    is($new, $w, 'the same number again');
    is(compared($new), 'rows', 'nothing of the old one is told');
    is(sql("SELECT count FROM leadanalytics.live_rows($new, 60) WHERE what = 'visitors'"), 0, 'nobody is here');
};
done_testing;
