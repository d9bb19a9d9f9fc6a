# up, status, down, reset: from a clone whose path has spaces, in a state directory whose path has some,
# beside another PostgreSQL and another nginx.
use strict;
use warnings;
use Command;
use Test::More;

my $dir     = scratch();
my $clone   = "$dir/a clone";
my $state   = "$dir/the state";
my $port    = free_port();
my $command = "$clone/leadanalytics";

mkdir $clone or die;
system('cp', '-a', '--', (map { "$ENV{LA_SOURCE}/$_" } qw(leadanalytics src Makefile pgxs.mk leadanalytics.control)), $clone) == 0 or die;
system('cp', '-a', '--', "$ENV{LA_SOURCE}/updates", $clone) if -d "$ENV{LA_SOURCE}/updates";
chdir '/';

sub la { return run($command, @_, '--state-dir', $state) }

# Others: a PostgreSQL and an nginx that are none of ours.
my $root      = $> == 0;
my @as        = $root ? ('setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--init-groups') : ();
my $other     = "$dir/other";
my $otherport = free_port();
my $pgbin     = '/usr/lib/postgresql/15/bin';
mkdir $other;
chmod 0777, $other;
open my $conf, '>', "$other/nginx.conf" or die;
print $conf "pid $other/nginx.pid; error_log $other/error.log; events {}\n",
    "http { access_log off; ", (map { "${_}_temp_path $other/$_; " } qw(client_body proxy fastcgi uwsgi scgi)),
    "server { listen 127.0.0.1:$otherport; location / { return 200 other; } } }\n";
close $conf;
run(@as, "$pgbin/initdb", '-D', "$other/pg", '-U', 'postgres', '-A', 'trust', '--no-sync');
run(@as, "$pgbin/pg_ctl", '-D', "$other/pg", '-o', "-F -c listen_addresses= -k $other", '-l', "$other/pg.log", '-w', 'start');
run(@as, 'nginx', '-e', "$other/error.log", '-c', "$other/nginx.conf");
my @others = map { (split /\n/, slurp($_))[0] } "$other/pg/postmaster.pid", "$other/nginx.pid";
is(scalar(grep { $_ && kill 0, $_ } @others), 2, 'another PostgreSQL and another nginx run');

# A port in use.
my ($rc, $out, $err) = la('up', '--port', $otherport);
isnt($rc, 0, 'up on a port in use fails');
like($err, qr/port $otherport is in use/, 'and names the port');
like($err, qr/up --port \d+/,             'and the remedy');
is_deeply({ server_pids($state) }, {}, 'and starts nothing');

# Up, and again.
($rc, $out, $err) = la('up', '--port', $port);
is($rc, 0, 'up') or diag($err);
my $first = $out;
like($first, qr{http://127\.0\.0\.1:$port\b}, 'it says where it answers');
like($first, qr/^  $_ \S{30,}$/m, "a key: $_") for qw(admin marketing capture sdk agent live sandbox member tenant);
is(answers($port, '/healthz'), 200, '/healthz answers 200');
my @curl = $out =~ /^  (curl (?:.*\\\n)?.*)$/mg;
is(scalar @curl, 4, 'four lines to paste');
like((run('bash', '-c', $curl[0]))[1], qr/^\{"success":true,"accepted":1,/, 'the first sends an event');
like((run('bash', '-c', $curl[1]))[1], qr/^\{"total_sessions":13,"total_events":49,"unique_visitors":9,/, 'the second asks: the demo events and that one');
like((run('bash', '-c', $curl[2]))[1], qr/^\{"success":true,"data":\{"workspace_id":"demo",.*"total_campaigns":2,"active_campaigns":1,"emails_sent":200,/, 'the third asks about campaigns');
like((run('bash', '-c', $curl[3]))[1], qr/^\{"success":true,"status":200,.*\{"stage":"new","count":40,/, 'the fourth asks how far leads got');
my ($line) = $out =~ /^SQL: +(.*)$/m;
like((run('bash', '-c', "$line -X -A -t"))[1], qr/^\{"total_sessions":13,"total_events":49,/, 'the line for SQL gives the same');
($rc, $out) = la('status');
is($rc, 0, 'status: all is well');
my $pids = pid_of($out);
is_deeply([ sort keys %$pids ], [qw(nginx postgresql postgrest-ro postgrest-rw)], 'status names four servers and their pids');
like($out, qr/leadanalytics|preloaded/, 'status shows leadanalytics.status()');
like($out, qr/logs: +\Q$state\E/,       'and where the logs are');

my %all = server_pids($state);
is_deeply([ grep { uid_of($_) == 0 } map { @$_ } values %all ], [], 'no server runs as root');
is_deeply([ map { listens($_) } map { @{ $all{$_} // [] } } grep { $_ ne 'nginx' } keys %all ], [], 'nobody but nginx listens on TCP');
is((listens($pids->{nginx}))[0], "127.0.0.1:$port", 'nginx listens on 127.0.0.1');
is((stat "$state/run")[2] & 07777, 0750, 'the sockets lie in a closed directory');
is((stat "$state/keys")[2] & 07777, 0600, 'the keys in a closed file');

($rc, $out, $err) = la('up');
is($rc,  0,      'up again');
is($out, $first, 'prints the same, on the same port');
is($err, '',     'has nothing to do');
($rc, $out) = la('status');
is_deeply(pid_of($out), $pids, 'and leaves every server alone');

# A question by SQL; arguments with spaces get through.
($rc, $out) = la('psql', '-X', '-A', '-t', '-c', "SELECT slug || ' ' || current_user FROM leadanalytics.workspace WHERE slug = 'demo'");
is($out, "demo postgres\n", 'psql asks our database as superuser');

# kill -9 of everything.
%all = server_pids($state);
kill 'KILL', map { @$_ } values %all;
up_to(10, sub { !grep { kill 0, $_ } map { @$_ } values %all });
($rc, $out) = la('status');
isnt($rc, 0, 'status after kill -9 of everything is not well');
like($out, qr/^$_\s+down/m, "and says so: $_") for qw(postgresql postgrest-ro postgrest-rw nginx);
($rc, $out, $err) = la('up');
is($rc,  0,      'up after kill -9 of everything') or diag($err);
is($out, $first, 'prints the same keys');
is(answers($port, '/healthz'), 200, 'and /healthz answers');

# kill -9 of masters: their children hold port and memory. A pid file that names a living stranger.
my %master = %{ pid_of((la('status'))[1]) };
kill 'KILL', $master{nginx};
($rc, $out, $err) = la('up');
is($rc, 0, 'up after kill -9 of nginx alone, whose workers hold the port') or diag($err);
%master = %{ pid_of((la('status'))[1]) };
kill 'KILL', $master{postgresql};
($rc, $out, $err) = la('up');
is($rc, 0, 'up after kill -9 of the postmaster alone') or diag($err);
is(answers($port, '/healthz'), 200, 'and /healthz answers');

# Down.
($rc, $out) = la('down');
is($rc, 0, 'down');
is_deeply({ server_pids($state) }, {}, 'leaves nothing running');
is(answers($port, '/healthz'), 0, 'and frees the port');
is((la('down'))[0], 0, 'down again is no error');
if (open my $stale, '+<', "$state/pg/postmaster.pid") { close $stale }
else {
    system(@as, 'sh', '-c', 'printf "%s\n" "$1" "$2/pg" 1 5432 >"$2/pg/postmaster.pid"', 'sh', $others[0], $state);
}
($rc, $out, $err) = la('up');
is($rc, 0, "up where postmaster.pid names another PostgreSQL's pid") or diag($err);
is($out, $first, 'prints the same');

# The keys lost.
unlink "$state/keys" or die;
($rc, $out, $err) = la('up');
is($rc, 0, 'up without the file of keys') or diag($err);
like($out, qr/^  admin la_admin_/m, 'makes new ones');
unlike($out, qr/\Q$1\E/, 'which are others') if $first =~ /(la_admin_\w+)/;

# Reset.
isnt((la('reset'))[0], 0, 'reset without --yes and without a terminal deletes nothing');
ok(-d "$state/pg", 'the data is there');
is((la('reset', '--yes'))[0], 0, 'reset --yes');
ok(!-e $state, 'deletes the data');
is_deeply({ server_pids($state) }, {}, 'and leaves nothing running');
is((la('down'))[0], 0, 'down with nothing there is no error');

is(scalar(grep { kill 0, $_ } @others), 2, 'the other PostgreSQL and nginx are still the same processes');
is(answers($otherport, '/'), 200, 'and answer');

END {
    my $status = $?;
    if ($command) {
        la('down') if -e $state;
        kill 'QUIT', $others[1] if $others[1];
        run(@as, "$pgbin/pg_ctl", '-D', "$other/pg", '-m', 'immediate', 'stop') if $other;
    }
    $? = $status;
}

done_testing();
