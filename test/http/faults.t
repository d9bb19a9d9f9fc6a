# When something breaks or takes too long: an answer in shape, the other side goes on, and all comes back.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;
use Time::HiRes 'time', 'sleep';

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
my $state = $ENV{LA_STATE};

functions(<<'SQL');
CREATE FUNCTION wait(seconds float8) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(seconds); RETURN '{"waited":true}'; END $$;
CREATE FUNCTION again(state text, seconds float8 DEFAULT 0, mark text DEFAULT '') RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(seconds);
    RAISE LOG 'a try of %', mark;
    RAISE EXCEPTION 'again' USING ERRCODE = state;
END $$;
CREATE SEQUENCE tries;
GRANT USAGE ON SEQUENCE tries TO leadanalytics_owner;
CREATE FUNCTION third(state text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('http_faults.tries') % 3 <> 0 THEN RAISE EXCEPTION 'again' USING ERRCODE = state; END IF;
    RETURN '{}';
END $$;
CREATE TABLE pair (id text PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO pair VALUES ('a'), ('b');
GRANT ALL ON pair TO leadanalytics_owner;
CREATE FUNCTION crosswise(first text, second text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    UPDATE http_faults.pair SET n = n + 1 WHERE id = first;
    PERFORM pg_sleep(0.3);
    UPDATE http_faults.pair SET n = n + 1 WHERE id = second;
    RETURN '{}';
END $$;
CREATE FUNCTION large(bytes int) RETURNS json LANGUAGE sql AS $$ SELECT to_json(repeat('x', bytes)) $$;
SQL
my @wait = (params => [['seconds', 'query', 'number']]);
for my $family (@families)
{
    my $path = $family eq 'plain' ? '/http-faults' : family_path($family, 'http-faults', ':w');
    my @w = $path =~ /:w/ ? (['w', 'path', 'workspace']) : ();
    route($_, $path, 'wait', family => $family, timeout_ms => 11000, params => [@w, ['seconds', 'query', 'number', fallback => 0]]) for qw(GET POST);
}
sub at { my ($family) = @_; return $family eq 'plain' ? '/http-faults' : family_path($family, 'http-faults') }
route($_, '/v1/http-faults/short', 'wait', family => 'engagement', timeout_ms => 300, @wait) for qw(GET POST);
my @again = (params => [['state'], ['seconds', 'query', 'number'], ['mark']]);
route($_, '/v1/http-faults/again', 'again', family => 'engagement', timeout_ms => 1000, @again) for qw(GET POST);
route('POST', '/v1/http-faults/third', 'third', family => 'engagement', params => [['state']]);
route('POST', '/v1/http-faults/both', 'crosswise', family => 'engagement', params => [['first'], ['second']]);
route('GET', '/http-faults/large', 'large', params => [['bytes', 'query', 'int']]);

# --- Each route's own time -----------------------------------------------------------------------------------
for my $method (qw(GET POST))
{
    my $begun = time;
    my $r = request($method, '/v1/http-faults/short?seconds=9', [$key]);
    is_error($r, 'engagement', 503, 'Service temporarily unavailable', "$method beyond its route's time");
    is(header($r, 'Retry-After'), 1, "$method: retry");
    cmp_ok(time - $begun, '<', 6, "$method: given up in time");
    is(request($method, '/v1/http-faults/short?seconds=0.01', [$key])->{status}, 200, "$method: the same connection goes on");
    is(request($method, at('engagement') . '?seconds=0.5', [$key])->{status}, 200, "$method: another route has its own time");
}

# --- Tried again, three times at most ------------------------------------------------------------------------
for my $method (qw(GET POST))
{
    for my $sqlstate (qw(40001 40P01))
    {
        my $before = log_position();
        is_error(request($method, "/v1/http-faults/again?state=$sqlstate&seconds=0&mark=$method-$sqlstate", [$key]), 'engagement', 503, undef, "$method: always $sqlstate");
        sleep 0.2;
        my @tries = log_since($before, qr/request \S+ failed: again/) =~ /LOG:  (a try of $method-$sqlstate)/g;
        is(scalar @tries, 3, "$method: executed three times for $sqlstate");
    }
}
for my $sqlstate (qw(40001 40P01))
{
    sql("SELECT setval('http_faults.tries', 3)");
    is_success(request('POST', "/v1/http-faults/third?state=$sqlstate", [$key]), 'engagement', 200, "$sqlstate that the third try cures");
}
{
    my $before = log_position();
    is_error(request('POST', '/v1/http-faults/again?state=40001&seconds=0.7&mark=slow', [$key]), 'engagement', 503, undef, 'tries share the time of the route');
    my @tries = log_since($before) =~ /LOG:  (a try of slow)/g;
    cmp_ok(scalar @tries, '<=', 1, 'so the second was given up');
}
for my $sqlstate (qw(53300 57P03 08006 53100 XX000 P0001 42501 28000 PT503 54001 LAXYZ 0A000))
{
    my $r = request('POST', "/v1/http-faults/again?state=$sqlstate&seconds=0&mark=x", [$key]);
    is_error($r, 'engagement', $sqlstate =~ /^53/ ? 503 : 500, undef, "SQLSTATE $sqlstate");
}

# --- Deadlock -------------------------------------------------------------------------------------------------
{
    my @started = map { start('POST', "/v1/http-faults/both?$_", [$key]) } 'first=a&second=b', 'first=b&second=a';
    my @answers = map { answer($_) } @started;
    is_shaped($_, 'engagement', 'of a deadlock: answered') for @answers;
    my $done = grep { $_->{status} == 200 } @answers;
    is(scalar(grep { $_->{status} == 200 || $_->{status} == 503 } @answers), 2, 'done, or to be tried again');
    is(sql('SELECT min(n) || $1 || max(n) FROM http_faults.pair', ' '), "$done $done", 'each done whole or not at all');
}

# --- Large answers ------------------------------------------------------------------------------------------
{
    my $r = request('GET', '/http-faults/large?bytes=6000000', [$key]);
    is("$r->{status} " . length $r->{body}, '200 6000002', 'a large answer arrives whole');
}
unhurt('so far');

# --- PostgREST's own errors never get out ---------------------------------------------------------------------
for (['REVOKE EXECUTE ON FUNCTION leadanalytics_door.handle_ro(bytea) FROM leadanalytics_anon', 'GRANT EXECUTE ON FUNCTION leadanalytics_door.handle_ro(bytea) TO leadanalytics_anon'],
    ['ALTER FUNCTION leadanalytics_door.handle_ro(bytea) RENAME TO handle_none', 'ALTER FUNCTION leadanalytics_door.handle_none(bytea) RENAME TO handle_ro'])
{
    my ($harm, $mend) = @$_;
    my ($what) = $harm =~ /^(\w+)/;
    sql($harm);
    my %r = eval { map { $_ => request('GET', at($_), [$key]) } @families };
    sql($mend);
    is_error($r{$_}, $_, 500, $_ eq 'dashboard' ? 'Analytics query failed' : 'Internal server error', "$what: $_") for @families;
    is(request('GET', '/healthz')->{status}, 200, "$what: mended");
}

# --- All connections of one side busy --------------------------------------------------------------------------
{
    my $pool = 8;
    my @busy = map { start('GET', at('plain') . '?seconds=10.6', [$key]) } 1 .. $pool;
    my $sleeping = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgrest_ro' AND wait_event = 'PgSleep'};
    for (1 .. 40) { last if sql($sleeping) == $pool; sleep 0.05 }
    my @waiting = map { [$_, start('GET', at($_) . '?seconds=0', [$key])] } @families;
    for my $family (@families)
    {
        is_success(request('POST', at($family) . '?seconds=0', [$key]), $family, 200, "$family: the writing side answers meanwhile");
    }
    is_error(answer($_->[1]), $_->[0], 504, 'Request timed out', "$_->[0]: 504 when no connection gets free") for @waiting;
    # 10.6 s of the route's 11: on a machine that is busy itself some are given up, and say so.
    like(join(' ', map { answer($_)->{status} } @busy), qr/^(?:(?:200|503) ?){$pool}$/, 'those that were busy are answered');
    is(request('GET', '/healthz')->{status}, 200, 'and all is free again');
}
unhurt('after the crowd');

# --- A connection ended from the database's side ----------------------------------------------------------------
{
    my $started = start('POST', at('campaigns') . '?seconds=8', [$key]);
    my $ended = 0;
    for (1 .. 40)
    {
        last if $ended = sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'postgrest_rw' AND wait_event = 'PgSleep'");
        sleep 0.05;
    }
    is($ended, 1, 'the connection of a request is ended');
    my $r = answer($started);
    is_error($r, 'campaigns', 503, 'Service temporarily unavailable', 'the client is told to try again');
    is(header($r, 'Retry-After'), 1, 'with Retry-After');
    is(json($r)->{error}{code}, 'SERVICE_UNAVAILABLE', 'with its code');
    is(eventually('POST'), 200, 'the next ones are answered');
}

# --- PostgREST killed ------------------------------------------------------------------------------------------
{
    my $before = postgrest_pids();
    my %how = how_it_runs($before->{ro});
    kill 'KILL', $before->{ro};
    for (1 .. 40) { last unless postgrest_pids()->{ro}; sleep 0.05 }
    for my $family (@families)
    {
        for my $method (qw(GET HEAD))
        {
            my $r = request($method, at($family), [$key]);
            is($r->{status}, 503, "$family: $method while the reading side is dead");
            is(header($r, 'Retry-After'), 1, "$family: $method says when to retry");
            is_error($r, $family, 503, 'Service temporarily unavailable', "$family: in shape") if $method eq 'GET';
        }
        is_success(request('POST', at($family), [$key]), $family, 200, "$family: the writing side goes on");
    }
    run_again('ro', %how);
    is(eventually('GET'), 200, 'started again, it answers');
    isnt(postgrest_pids()->{ro}, $before->{ro}, 'by another process');
    is(postgrest_pids()->{rw}, $before->{rw}, 'the other side is the same');
}
finish(hurt => 1);

# The status once it is 200, or the last one after 15 s: PostgREST tries to connect after 1, 2, 4 s.
sub eventually
{
    my ($method) = @_;
    my $r;
    for (1 .. 150)
    {
        $r = request($method, at('plain'), [$key]);
        is_shaped($r, 'plain', "$method meanwhile") if $r->{status} != 200;
        last if $r->{status} == 200;
        sleep 0.1;
    }
    return $r->{status};
}

sub how_it_runs
{
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/cmdline" or die "cmdline: $!";
    local $/;
    my @command = split /\0/, <$in>;
    my @stat = stat "/proc/$pid";
    return (command => \@command, directory => readlink("/proc/$pid/cwd"), uid => $stat[4], gid => $stat[5]);
}

# As the command starts it: that user, that directory, that log.
sub run_again
{
    my ($side, %how) = @_;
    my $child = fork // die "fork: $!";
    if (!$child)
    {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$state/log/postgrest-$side.log";
        open STDERR, '>&', \*STDOUT;
        require POSIX;
        POSIX::setsid();
        POSIX::_exit(0) if fork;
        chdir($how{directory} // "$state/home/$side");
        my @as = $< == 0 ? ('setpriv', '--reuid', $how{uid}, '--regid', $how{gid}, '--init-groups') : ();
        exec @as, @{ $how{command} } or POSIX::_exit(1);
    }
    waitpid $child, 0;
}
