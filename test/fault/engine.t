# The engine under load while parts of the server are killed with SIGKILL: the postmaster, a backend in the middle
# of track(), one in the middle of a fold, the launcher and each worker. Clients keep a journal of what they sent
# and what was acknowledged, and send again what was not. After each: every acknowledged event is counted once,
# by the rows and by the answers, none is invented, and the worker folds on by itself.
# LA_LONG=1: twenty postmasters instead of three.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../http", "$FindBin::Bin/../lib";
use File::Temp;
use Adds;
use Door;
use Psql;
use Test::More;
use Until;
use Time::HiRes qw(time sleep);

my $clients = 4;
my $batch = 50;
my $id = workspace();
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

# Small and quick, that folds and segments are always about.
sql("ALTER SYSTEM SET leadanalytics.segment_events = 10; ALTER SYSTEM SET leadanalytics.fold_events = 500; ALTER SYSTEM SET leadanalytics.fold_after = '1s'");
sql('SELECT pg_reload_conf()');
sql('CREATE TABLE IF NOT EXISTS public.fault_engine (event_id uuid)');
# Bodies, made by the server: those of a batch are the same when it is sent again.
sql(q{CREATE OR REPLACE FUNCTION public.fault_batch(batch text, client int, n int, size int, sent timestamptz) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('events', json_agg(json_build_object('event_id', batch || '-' || i, 'event_name', CASE WHEN i % 3 = 0 THEN 'click' ELSE 'page_view' END,
        'visitor_id', 'v' || client || '-' || (i * n) % 50, 'timestamp', sent - i * n % 300 * interval '1 minute', 'event_data', json_build_object('path', '/' || i * n % 100)) ORDER BY i))
    FROM generate_series(1, size) AS i $$});

# One client: batches of new events until the file "stop" is there, each until it is acknowledged.
sub load
{
    my ($dir, $name, $client) = @_;
    open my $journal, '>>', "$dir/$client" or die;
    $journal->autoflush(1);
    local $SIG{PIPE} = 'IGNORE';
    my $session;
    my $deadline = time + 120;
    for (my $n = 1; !-e "$dir/stop"; $n++)
    {
        my $sent = int time;
        for (my $said = 'sent'; time < $deadline; $said = 'again')
        {
            print $journal "$said $n\n";
            $session //= eval { session('leadanalytics') };
            my $answer = $session ? eval { ask($session, "SELECT a->>'accepted', a->>'duplicates' FROM leadanalytics.track($id, public.fault_batch('$name-$client-$n', $client, $n, $batch, to_timestamp($sent))) AS a") } // '' : '';
            if ($answer =~ /^(\d+)\|(\d+)$/ && $1 + $2 == $batch)
            {
                print $journal "acknowledged $n\n";
                sleep 0.03; # some 5 000 events a second: more would only be more to compare afterwards
                last;
            }
            eval { leave($session) } if $session;
            undef $session;
            sleep 0.1;
        }
    }
    return;
}

# A process of the server by what it is or does; a worker is best met at its work.
sub pid_where { my ($which) = @_; return until_(20, sub { sql("SELECT pid FROM pg_stat_activity WHERE $which AND pid <> pg_backend_pid() LIMIT 1") }) }

# Folds of our own, that one can be killed.
my $folder;
sub fold_all_along
{
    my ($dir) = @_;
    my $pid = fork // die;
    return $pid if $pid;
    local $SIG{PIPE} = 'IGNORE';
    my $session;
    until (-e "$dir/stop")
    {
        $session //= eval { session('leadanalytics') };
        my $said = $session ? eval { ask($session, "SELECT leadanalytics.fold_workspace($id, 1000, now())") } // 'gone' : 'gone';
        undef $session, sleep 0.1 if $said !~ /^\d*$/;
    }
    exec 'true';
}

# By the command, or as whatever keeps a server up would.
sub kill_postmaster
{
    my ($by_command) = @_;
    my $data = sql('SHOW data_directory');
    open my $file, '<', "$data/postmaster.pid" or die;
    chomp(my $pid = <$file>);
    my @children = split /\n/, sql('SELECT pid FROM pg_stat_activity');
    ok(kill('KILL', $pid), 'the postmaster is killed');
    ok(until_(30, sub { !grep { kill 0, $_ } $pid, @children }), 'its children end too');
    my ($user, $group) = (stat $data)[ 4, 5 ];
    my $ctl = "pg_ctl -D '$data' -w -l /dev/null start";
    $ctl = "setpriv --reuid=$user --regid=$group --clear-groups $ctl" if $> == 0;
    my $start = $by_command ? "$ENV{LA_COMMAND} up --state-dir '$ENV{LA_STATE}' --port $ENV{LA_PORT}" : "cd / && $ctl";
    system("($start) >$ENV{LA_STATE}/log/fault-engine.log 2>&1 </dev/null");
    is($?, 0, 'the service is started again') or diag(`cat $ENV{LA_STATE}/log/fault-engine.log`);
    return;
}
sub one
{
    my ($name, $which) = @_;
    return [ $name, sub { my $pid = pid_where($which); ok($pid && kill('KILL', $pid), "$name is killed") } ];
}
my $client = "backend_type = 'client backend' AND state = 'active'";
my @kills = (
    one('a backend in track()', "$client AND query LIKE '%leadanalytics.track($id%'"),
    one('a backend in a fold', "$client AND query LIKE '%leadanalytics.fold_workspace($id%'"),
    (map { one("the process $_", "backend_type = '$_' AND (datname IS NULL OR datname = current_database())") }
        split /\n/, sql("SELECT DISTINCT backend_type FROM pg_stat_activity WHERE backend_type LIKE 'leadanalytics%' ORDER BY 1")),
    (map { [ "the postmaster, $_", sub { kill_postmaster(0) } ] } 1 .. ($ENV{LA_LONG} ? 19 : 2)),
    [ 'the postmaster, at last', sub { kill_postmaster(1) } ],
);
cmp_ok(scalar(grep { $_->[0] =~ /^the process/ } @kills), '>=', 2, 'there are a launcher and a worker to be killed');

my $fastest = 0;
for my $kill (@kills)
{
    my ($what, $code) = @$kill;
    subtest $what => sub {
        my $dir = File::Temp->newdir;
        (my $name = $what) =~ s/\W//g;
        my @pids;
        for my $client (1 .. $clients)
        {
            my $pid = fork // die;
            push @pids, $pid;
            next if $pid;
            load("$dir", $name, $client);
            exec 'true'; # (no END of ours)
        }
        push @pids, fold_all_along($dir) if $what =~ /in a fold/;
        my $lines = sub { my ($word) = @_; my @lines = split /\n/, `cat $dir/[0-9]* 2>/dev/null | grep '^$word'`; return @lines };
        my $count = sub { return scalar(() = $lines->(@_)) };
        ok(until_(30, sub { $count->('acknowledged') >= 20 }), 'batches are acknowledged');
        my ($begun, $first) = (time, $count->('acknowledged'));
        sleep 1;
        my $rate = ($count->('acknowledged') - $first) * $batch / (time - $begun);
        $fastest = $rate if $rate > $fastest;
        my $before = $count->('acknowledged');
        $code->();
        ok(until_(60, sub { (eval { sql('SELECT 1') } // '') eq '1' }), 'the database is there again');
        ok(until_(60, sub { $count->('acknowledged') > $before + 40 }), 'and takes batches again');
        open my $stop, '>', "$dir/stop" or die;
        close $stop;
        waitpid $_, 0 for @pids;

        my $all = 0;
        for my $client (1 .. $clients)
        {
            my $journal = `cat $dir/$client`;
            my %sent = map { $_ => 1 } $journal =~ /^sent (\d+)$/mg;
            my %acknowledged = map { $_ => 1 } $journal =~ /^acknowledged (\d+)$/mg;
            is_deeply(\%acknowledged, \%sent, "client $client: all was acknowledged in the end");
            $all += $batch * keys %sent;
            sql("INSERT INTO public.fault_engine SELECT encode(substring(sha256(convert_to(format('$name-$client-%s-%s', n, i), 'UTF8')) FOR 16), 'hex')::uuid
                 FROM unnest('{@{[join ',', keys %sent]}}'::int[]) n, generate_series(1, $batch) i");
        }
        note(sprintf '%d events, %d a second before, %d batches sent again', $all, $rate, $count->('again'));
        is(sql("SELECT count(*) FROM public.fault_engine s WHERE NOT EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = $id AND e.event_id = s.event_id)"), 0, 'nothing is missing');
        my $sent = sql('SELECT count(*) FROM public.fault_engine');
        is(sql("SELECT count(*) FROM leadanalytics.event WHERE workspace = $id"), $sent, 'nothing is there twice, or invented');
        is(sql("SELECT counts[1] FROM leadanalytics.answer($id, '{total}', '{-infinity,infinity}')"), $sent, 'the answer counts each once');
        # By itself, which is at once after the worker is back.
        my $now = sql('SELECT now()');
        ok(until_(60, sub { sql("SELECT unfolded_events = 0 AND folded_to > '$now' FROM leadanalytics.freshness($id)") eq 't' }), 'the worker folds what is left') or diag(sql("SELECT f FROM leadanalytics.freshness($id) f"));
        is(sql("SELECT counts[1] FROM leadanalytics.answer($id, '{total}', '{-infinity,infinity}')"), $sent, 'the answer is the same');
        is_deeply([ map { split /\n/, sql($_) } adding_up($id) ], [], 'what is stored adds up');
        my @how = map { "SELECT * FROM leadanalytics.answer_from_$_($id, (SELECT array_agg(name) FROM leadanalytics.dimensions()), '{-infinity,infinity}', '$now', true, true, 0, false, '{}', '{}')" } qw(segments rows);
        is(sql("($how[0] EXCEPT $how[1]) UNION ALL ($how[1] EXCEPT $how[0]) LIMIT 5"), '', 'every dimension is as the rows say');
    };
}
cmp_ok($fastest, '>=', 2000, sprintf 'the load was %d events a second', $fastest);
cmp_ok(sql("SELECT count(*) FROM leadanalytics.bucket WHERE workspace = $id"), '>', 0, 'segments took part');

END
{
    local $?;
    eval { sql("ALTER SYSTEM RESET leadanalytics.$_") } for qw(segment_events fold_events fold_after);
    eval { sql('SELECT pg_reload_conf()'); sql('DROP TABLE IF EXISTS public.fault_engine; DROP FUNCTION IF EXISTS public.fault_batch') };
}
finish(hurt => 1);
