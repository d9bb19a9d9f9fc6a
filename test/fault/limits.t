# Rate limits and use of a plan after a crash: a backend is killed while others count, the server makes its shared memory
# anew, windows begin empty, and requests of the month go on from what was saved (S2-03). Nothing is to be done by hand, and
# counting is exact again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../http", "$FindBin::Bin/../lib";
use Door;
use Test::More;
use Time::HiRes qw(time sleep);

my $moment = q{date_trunc('day', now()) + interval '23:59:59'};
sub spend { return sql("SELECT refused || ' ' || remaining FROM leadanalytics.spend_rate('http_limits_crash', 'key', 3, 86400, 1, 1, NULL, NULL, $moment)") }

is(join(', ', map { spend() } 1 .. 4), 'false 2, false 1, false 0, true 0', 'a window is spent');

# The worker saves every ten seconds; here only we do.
my $workspace = workspace();
my $live = 'X-API-Key: ' . key($workspace, 'live');
sub used { return header(request('GET', '/v1/nowhere', [$live]), 'X-API-Usage-Used') // 'none' }
sql(q{UPDATE leadanalytics.unit SET enabled = false WHERE name = 'save_requests'});
is(join(' ', map { used() } 1 .. 5), '1 2 3 4 5', 'S2-03 requests of the month');
sql('SELECT leadanalytics.save_requests(now())');
is(join(' ', map { used() } 1 .. 3), '6 7 8', 'S2-03 three since they were saved');

my @busy;
for my $n (1 .. 3)
{
    my $pid = fork // die;
    if (!$pid)
    {
        open STDERR, '>', '/dev/null';
        open STDOUT, '>', '/dev/null';
        exec 'psql', '-XqAt', '-d', 'leadanalytics', '-c', 'SET application_name = limits_crash',
            '-c', "SELECT count(*) FROM generate_series(1, 100000000) AS i, LATERAL leadanalytics.spend_rate('http_limits_crash', 'ip', 1000000000 + 0 * i, 60, 1, $n, NULL, NULL, now())"
            or exit 127;
    }
    push @busy, $pid;
}
my @backends;
for (1 .. 200)
{
    @backends = split /\n/, sql(q{SELECT pid FROM pg_stat_activity WHERE application_name = 'limits_crash' AND state = 'active'});
    last if @backends == 3;
    sleep 0.05;
}
is(scalar @backends, 3, 'three sessions count');
sleep 0.2;
ok(kill('KILL', $backends[0]), 'one is killed');
waitpid $_, 0 for @busy;
my $there = 0;
for (1 .. 600)
{
    $there = eval { sql('SELECT 1') } // 0;
    last if $there;
    sleep 0.05;
}
is($there, 1, 'the server is there again');
is(join(', ', map { spend() } 1 .. 4), 'false 2, false 1, false 0, true 0', 'windows began empty, and count');
like(sql("SELECT state FROM leadanalytics.status() WHERE part = 'rate limits'"), qr/^on; requests refused: 1$/, 'so did the totals');
my $status = 0;
for (1 .. 200)
{
    $status = eval { request('GET', '/healthz')->{status} } // 0;
    last if $status == 200;
    sleep 0.05;
}
is($status, 200, 'and the door answers');
is(join(' ', map { used() } 1 .. 2), '6 7', 'S2-03 requests go on from what was saved');
ok(!eval { sql(q{BEGIN; SELECT leadanalytics.save_requests(now()); PREPARE TRANSACTION 'usage'}); 1 } && $@ =~ /a transaction that saved requests cannot be prepared/,
    'S2-03 what saves them is not prepared, for nobody would know when they are');
sql('SELECT leadanalytics.save_requests(now())');
is(sql('SELECT used FROM leadanalytics.api_usage($1)', $workspace), 7, 'S2-03 and are saved again');
sql(q{UPDATE leadanalytics.unit SET enabled = true WHERE name = 'save_requests'});
finish(hurt => 1);
