# The server killed in the middle of a load of batches: the postmaster, and one of its backends, with
# SIGKILL. Clients keep a journal of what they sent and what was acknowledged, and send again, with the same
# event ids, what was not. Afterwards nothing is missing, nothing is there twice, and what is stored adds up.
# LA_LONG=1: more of each.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../http", "$FindBin::Bin/../lib";
use File::Temp;
use JSON::PP;
use Adds;
use Door;
use Test::More;
use Until;
use Time::HiRes qw(time sleep);

my $clients = 4;
my $batch = 20;
my $id = workspace();
my $key = key($id, 'sdk');
sql('UPDATE leadanalytics.key SET per_minute = 0 WHERE workspace = $1', $id);

# One client: batches of new events until the file "stop" is there, each until it is acknowledged. Lines of
# the journal: sent N, again N, acknowledged N, refused …
sub load
{
    my ($dir, $name, $client) = @_;
    open my $journal, '>>', "$dir/$client" or die;
    $journal->autoflush(1);
    my $deadline = time + 120;
    for (my $n = 0; !-e "$dir/stop"; $n++)
    {
        my $at = int(1000 * time);
        my $body = encode_json({ events => [ map { {
            event_name => $_ % 3 ? 'page_view' : 'click', event_id => "$name-$client-$n-$_", visitor_id => 'v' . ($client + $_ * $n) % 50,
            ($_ % 2 ? (session_id => "$name-s" . ($_ + $n) % 30) : ()), ($_ % 5 ? () : (user_id => 'u' . $n % 9)), timestamp => $at + $_,
            event_data => { path => '/' . $_ * $n % 200 } } } 1 .. $batch ] });
        for (my $said = 'sent'; time < $deadline; $said = 'again')
        {
            print $journal "$said $n\n";
            my $r = eval { request('POST', '/api/v1/track', ["X-API-Key: $key"], $body) } // { status => 0 };
            my $answer = $r->{status} == 200 && json($r);
            if ($answer && $answer->{accepted} + $answer->{duplicates} == $batch)
            {
                print $journal "acknowledged $n\n";
                last;
            }
            # An SDK throws away what is answered with 4xx.
            print $journal "refused $n $r->{status} ", substr($r->{body}, 0, 100), "\n" if $r->{status} && $r->{status} < 500;
            sleep 0.1;
        }
    }
    return;
}

sub answers { return (eval { sql('SELECT 1') } // '') eq '1' }

my %kill = (
    backend => sub {
        my $pid = until_(10, sub { sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'leadanalytics_authenticator' AND state <> 'idle' LIMIT 1") });
        ok($pid && kill('KILL', $pid), 'a backend is killed at its work');
        return;
    },
    postmaster => sub {
        open my $file, '<', sql('SHOW data_directory') . '/postmaster.pid' or die;
        chomp(my $pid = <$file>);
        my @children = split /\n/, sql('SELECT pid FROM pg_stat_activity');
        ok(kill('KILL', $pid), 'the postmaster is killed');
        ok(until_(30, sub { !grep { kill 0, $_ } $pid, @children }), 'its children end too');
        system("$ENV{LA_COMMAND} up --state-dir '$ENV{LA_STATE}' --port $ENV{LA_PORT} >$ENV{LA_STATE}/log/fault-ingest.log 2>&1 </dev/null");
        is($?, 0, 'the service is started again');
        return;
    },
);

for my $round (1 .. ($ENV{LA_LONG} ? 5 : 1))
{
    for my $what (sort keys %kill)
    {
        subtest "$what, $round" => sub {
            my $dir = File::Temp->newdir;
            my $name = "$what$round";
            my @pids;
            for my $client (1 .. $clients)
            {
                my $pid = fork // die;
                push @pids, $pid;
                next if $pid;
                load("$dir", $name, $client);
                exec 'true'; # (no END of ours)
            }
            my $lines = sub { my ($word) = @_; return split /\n/, `cat $dir/[0-9]* 2>/dev/null | grep '^$word'` };
            ok(until_(30, sub { $lines->('acknowledged') >= 20 }), 'batches are acknowledged');
            my $before = $lines->('acknowledged');
            $kill{$what}->();
            ok(until_(60, sub { answers() }), 'the database is there again');
            ok(until_(60, sub { $lines->('acknowledged') > $before + 20 }), 'and takes batches again') or diag scalar $lines->('again');
            open my $stop, '>', "$dir/stop" or die;
            waitpid $_, 0 for @pids;
            is(join("\n", $lines->('refused')), '', 'none was refused for ever');

            my $all = 0;
            my $unsure = $lines->('again');
            for my $client (1 .. $clients)
            {
                my %sent = map { $_ => 1 } `cat $dir/$client` =~ /^sent (\d+)$/mg;
                my %acknowledged = map { $_ => 1 } `cat $dir/$client` =~ /^acknowledged (\d+)$/mg;
                is_deeply(\%acknowledged, \%sent, "client $client: all was acknowledged in the end");
                $all += $batch * keys %sent;
                sql("CREATE TABLE IF NOT EXISTS public.fault_sent (event_id uuid); INSERT INTO public.fault_sent
                     SELECT encode(substring(sha256(convert_to(format('$name-$client-%s-%s', n, i), 'UTF8')) FOR 16), 'hex')::uuid
                     FROM unnest('{@{[join ',', keys %sent]}}'::int[]) n, generate_series(1, $batch) i");
            }
            cmp_ok($unsure, '>', 0, 'some were sent again');
            is(sql("SELECT count(*) FROM public.fault_sent s WHERE NOT EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = $id AND e.event_id = s.event_id)"), 0, 'nothing is missing');
            is(sql("SELECT count(*) FROM leadanalytics.event WHERE workspace = $id"), sql('SELECT count(*) FROM public.fault_sent'), 'nothing is there twice');
            is_deeply([ map { split /\n/, sql($_) } adding_up($id) ], [], 'what is stored adds up');
            note "$all events, $unsure batches sent again";
        };
    }
}
sql('DROP TABLE IF EXISTS public.fault_sent');
finish(hurt => 1);
