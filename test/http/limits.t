# Rate limits over the wire (D-66, D-75, reliability 33). Counts are exact: the test's classes have windows of a day, and
# where a window is a minute the questions are asked again when the minute turned meanwhile.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Door;
use Psql;
use JSON::PP ();
use Test::More;
use Time::HiRes 'time', 'sleep';

my $day = 86400;
my $ours = workspace();
my $other = workspace('other');
my %key = map { $_ => key($ours, $_) } qw(admin marketing agent sdk live tenant);
$key{member} = key($ours, 'member', member => sql("SELECT leadanalytics.create_member($ours, 'limits\@limits.example', 'member')"));

functions(q{
    CREATE FUNCTION yes() RETURNS json LANGUAGE sql STABLE AS $$ SELECT '{"ok":true}'::json $$;
    CREATE FUNCTION echo(n int) RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('n', n) $$;
    CREATE FUNCTION fails(status int) RETURNS json LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM leadanalytics.fail(status, 'so'); RETURN NULL; END $$;
    CREATE FUNCTION breaks() RETURNS json LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 / 0; END $$;
    CREATE FUNCTION takes(body json) RETURNS json LANGUAGE sql AS $$ SELECT '{"ok":true}'::json $$;
    CREATE FUNCTION claims() RETURNS leadanalytics.reply LANGUAGE sql AS $$ SELECT leadanalytics.reply(200, '{"X-RateLimit-Limit": "7"}') $$;
});

# class('key', 5, column => value …): a class of the test's with windows of a day; its name.
my $classes = 0;
sub class
{
    my ($per, $requests, %more) = @_;
    my $name = 'http_limits_' . ++$classes;
    sql('INSERT INTO leadanalytics.rate_class (name, per, requests, seconds, spares_whitelisted, summary) VALUES ($1, $2, $3, $4, $5, $6)',
        $name, $per, $requests, $more{seconds} || $day, $more{spares} || 'false', 'of a test');
    return $name;
}

# A route of a class of its own; its path.
my $routes = 0;
sub limited
{
    my ($family, $per, $requests, %more) = @_;
    my $path = family_path($family, 'http-limits-' . ++$routes);
    route(delete $more{method} || 'GET', $path, delete $more{function} || 'yes', family => $family, roles => '{sdk,agent,live,tenant,member,marketing}',
        rate_class => class($per, $requests, spares => delete $more{spares}), %more);
    return $path;
}

sub get { my ($path, $key, @more) = @_; return request('GET', $path, [ $key ? "Authorization: Bearer $key" : (), @more ]) }
sub window { my ($r) = @_; return map { header($r, "X-RateLimit-$_") } qw(Limit Remaining Reset) }
sub said { my ($r) = @_; return join ' ', $r->{status}, map { $_ // '-' } (window($r))[ 0, 1 ] }
sub statuses { my %n; $n{ $_->{status} }++ for @_; return \%n }

# Asks again when the minute turned meanwhile.
sub in_a_minute
{
    my ($code) = @_;
    for (1 .. 5)
    {
        my $minute = int(time / 60);
        my @answers = $code->();
        return @answers if int(time / 60) == $minute;
    }
    die "five minutes turned\n";
}

# --- One window -------------------------------------------------------------------------------------------

my $path = limited('public', 'key', 5);
my @answers = map { get($path, $key{agent}) } 1 .. 7;
is(join(', ', map { said($_) } @answers), '200 5 4, 200 5 3, 200 5 2, 200 5 1, 200 5 0, 429 5 0, 429 5 0', 'D-75 five are taken, the others refused');
is_error($answers[5], 'public', 429, 'Rate limit exceeded', 'D-75 the text of 429');
my %resets = map { (window($_))[2] => 1 } @answers;
is(join(',', keys %resets), (int(time / $day) + 1) * $day, 'one Reset, the end of the window in Unix seconds');
cmp_ok(abs(header($answers[6], 'Retry-After') - ((window($answers[6]))[2] - time)), '<=', 2, 'Retry-After is the seconds to Reset');
is(header($answers[0], 'Retry-After'), undef, '… and stands on refusals alone');
is(said(get($path, $key{sdk})), '200 5 4', 'another key has its own window');
is(said(request('HEAD', $path, ["X-API-Key: $key{sdk}"])), '200 5 3', 'HEAD counts as GET');
is(said(request('OPTIONS', $path, ["X-API-Key: $key{sdk}"])), '204 - -', 'OPTIONS does not count');
is(said(get($path, $key{sdk})), '200 5 2', '… indeed');
$path = limited('public', 'workspace', 2);
is(join(', ', map { said(get($path, $key{$_})) } qw(agent sdk admin)), '200 2 1, 200 2 0, 429 2 0', 'keys of a workspace share a window per workspace');
is(said(get($path, key($other, 'agent'))), '200 2 1', '… which is that workspace\'s');
$path = limited('public', 'ip', 2);
is(join(', ', map { said(get($path, $_)) } $key{agent}, key($other, 'agent'), $key{sdk}), '200 2 1, 200 2 0, 429 2 0', 'an address has one window per IP');

# Fifty at once.
$path = limited('public', 'key', 20);
my @started = map { start('GET', $path, ["Authorization: Bearer $key{agent}"]) } 1 .. 50;
@answers = map { answer($_) } @started;
is_deeply(statuses(@answers), { 200 => 20, 429 => 30 }, 'of fifty at once exactly twenty are taken');
is(join(',', sort { $a <=> $b } map { (window($_))[1] } grep { $_->{status} == 200 } @answers), join(',', 0 .. 19), '… and each is told another Remaining');

# Eight sessions as fast as they can.
my @sessions = map { session('leadanalytics') } 1 .. 8;
my $spend = q{SELECT count(*) FILTER (WHERE NOT refused) FROM generate_series(1, 100000), LATERAL leadanalytics.spend_rate(
    'http_limits_parallel', 'key', 400000 + 0 * generate_series, 86400, 1, 1, NULL, NULL, date_trunc('day', now()) + interval '23:59:59')};
print { $_->{in} } "$spend;\n\\echo <end>\n" for @sessions;
my $taken = 0;
for my $session (@sessions)
{
    my $line = readline $session->{out};
    $taken += $line if $line =~ /^\d+$/;
    readline $session->{out};
}
is($taken, 400000, 'eight sessions with 800 000 requests take 400 000 of 400 000');
leave($_) for @sessions;

# --- The families -----------------------------------------------------------------------------------------

for my $family (@families)
{
    my $who = { engagement => 'live', activity => 'member', campaigns => 'tenant', dashboard => 'marketing' }->{$family} || 'agent';
    my $path = limited($family, 'workspace', 1);
    is(said(get($path, $key{admin})), '200 1 0', "$family: the first");
    my $r = get($path, $key{$who});
    is_error($r, $family, 429, 'Rate limit exceeded', "$family: the second is 429 in its envelope");
    is(json($r)->{error}{code}, 'RATE_LIMITED', 'campaigns: its code') if $family eq 'campaigns';
}
is(said(get('/healthz')), '200 - -', 'a route without a class says nothing of limits');
is(said(get('/analytics/overview', $key{admin})), '200 - -', 'neither do the dashboard\'s (D-75)');

# --- Every answer has them --------------------------------------------------------------------------------

my $n = [ [ n => query => 'int', required => 'true' ] ];
$path = limited('public', 'key', 100, function => 'echo', params => $n, roles => '{sdk}');
is(said(get("$path?n=x", $key{sdk})), '400 100 99', 'a 400 says how it is');
is(said(request('POST', $path, ["Authorization: Bearer $key{sdk}"], '{}')), '405 - -', '405: of POST there is no limit');
is(said(get($path, $key{live})), '403 100 99', 'a 403 says how it is');
$path = limited('public', 'key', 100, function => 'fails', params => [ [ status => query => 'int' ] ]);
my $left = 99;
is(said(get("$path?status=$_", $key{sdk})), "$_ 100 " . $left--, "$_ keeps the headers through nginx") for (400, 404, 409, 422, 429, 503);
$path = limited('campaigns', 'workspace', 100, function => 'breaks');
my $r = get($path, $key{tenant});
is(said($r), '500 100 99', '500 keeps them');
is_error($r, 'campaigns', 500, 'Internal server error', '… and its envelope');
$path = limited('public', 'key', 100, function => 'claims');
is(get($path, $key{sdk})->{status}, 500, 'a function cannot say them');

# A GET that writes passes both sides and is counted once.
$path = limited('public', 'key', 3, writes => 'true');
is(join(', ', said(get($path, $key{sdk})), said(request('HEAD', $path, ["X-API-Key: $key{sdk}"])), map { said(get($path, $key{sdk})) } 1 .. 2),
    '200 3 2, 200 3 1, 200 3 0, 429 3 0', 'a GET that writes counts once');

# What is answered again counts, and says how it is now.
$path = limited('public', 'key', 3, method => 'POST', function => 'takes', idempotent => 'true', params => [ [ body => document => 'json' ] ]);
is(join(', ', map { said(request('POST', $path, [ "X-API-Key: $key{sdk}", 'Idempotency-Key: limits-' . $ours ], '{}')) } 1 .. 4),
    '200 3 2, 200 3 1, 200 3 0, 429 3 0', 'what is answered again counts');

# The order: 401, 404, 405, 403, then 429, then 400.
$path = limited('engagement', 'ip', 1, function => 'echo', params => $n, roles => '{live}');
is(said(get("$path?n=1", $key{live})), '200 1 0', 'the window is spent');
is(said(get("$path?n=1", $key{agent})), '403 1 0', 'D-66: 403 before 429');
is(said(get("$path?n=x", $key{live})), '429 1 0', '… 429 before 422');
is(said(request('PUT', $path, ["X-API-Key: $key{live}"], '{}')), '405 - -', '405 is of no class here');

# --- Without a valid key ----------------------------------------------------------------------------------

$path = limited('public', 'key', 3);
is(join(', ', map { said($_) } get($path), get($path, 'dk_' . '0' x 64), get($path, 'nonsense'), get($path), get($path, 'nonsense')),
    '401 3 2, 401 3 1, 401 3 0, 429 3 0, 429 3 0', 'D-75 without a valid key the address\'s window is spent');
is(said(get($path, $key{agent})), '200 3 2', '… and a key\'s is another');

# Paths without a route are of their family's class.
sql("SELECT leadanalytics.set_rate_limit('public', 70000), leadanalytics.set_rate_limit('engagement', 80000)");
for ([ 'GET', '/api/v1/http-limits-none', 'agent', '404 70000' ], [ 'GET', '/api/v1/http-limits-none', undef, '401 70000' ], [ 'POST', '/api/v1/http-limits-none', 'admin', '404 -' ],
    [ 'GET', '/v1/http-limits-none', 'live', '404 80000' ], [ 'PUT', '/v1/http-limits-none', 'live', '404 80000' ], [ 'GET', '/api/workspaces/x/none', 'member', '404 -' ])
{
    my ($method, $path, $who, $wanted) = @$_;
    my $r = request($method, $path, $who ? ["X-API-Key: $key{$who}"] : []);
    is(join(' ', $r->{status}, (window($r))[0] // '-'), $wanted, "$method $path");
}
route('GET', '/api/v1/http-limits-default', 'yes', family => 'public', roles => '{agent}');
is((window(get('/api/v1/http-limits-default', $key{agent})))[0], 70000, 'a route that names no class is of its family\'s');
sql("UPDATE leadanalytics.route SET rate_class = 'none' WHERE path = '/api/v1/http-limits-default'");
is(said(get('/api/v1/http-limits-default', $key{agent})), '200 - -', '… unless its class is none');
sql("SELECT leadanalytics.set_rate_limit('public', 0), leadanalytics.set_rate_limit('engagement', 0)");

# --- A key's own limit ------------------------------------------------------------------------------------

$path = limited('public', 'key', 1);
my $two = sql("SELECT leadanalytics.create_key($ours, 'admin', per_minute => 2)");
my $free = sql("SELECT leadanalytics.create_key($ours, 'agent', per_minute => 0)");
@answers = in_a_minute(sub {
    $two = sql("SELECT leadanalytics.create_key($ours, 'admin', per_minute => 2)");
    return ((map { get($path, $two) } 1 .. 3), (map { get('/analytics/overview', $two) } 1 .. 3));
});
is(join(', ', map { said($_) } @answers), '200 2 1, 200 2 0, 429 2 0, 200 2 1, 200 2 0, 429 2 0',
    'per_minute stands in place of the class\'s limit, and of none');
cmp_ok(header($answers[2], 'Retry-After'), '<=', 60, '… of a minute');
is(join(', ', map { said(get($path, $free)) } 1 .. 3), '200 - -, 200 - -, 200 - -', 'per_minute 0: no limit');

# --- Whitelisted addresses --------------------------------------------------------------------------------

sub post { my ($path, $body, @headers) = @_; return request('POST', $path, [@headers], $body) }
my $document = [ [ body => document => 'json' ] ];
my @spares = (method => 'POST', function => 'takes', spares => 'true', roles => '{public,sdk}', params => $document);
my ($slug, $elsewhere) = (slug(), slug('other'));
for my $usage ('internal', 'test')
{
    my $path = limited('public', 'workspace_ip', 1, @spares);
    my $plain = limited('public', 'workspace_ip', 1, @spares, spares => 'false');
    my $ask = sub { my ($path, $slug) = @_; return said(post($path, qq({"workspace_id":"$slug"}))) };
    is($ask->($_, $slug), '200 1 0', "$usage: the first") for $path, $plain;
    is($ask->($path, $slug), '429 1 0', "$usage: not whitelisted yet");
    sql("SELECT leadanalytics.whitelist_ip($ours, '127.0.0.1', usage => '$usage')");
    is($ask->($path, $slug), '200 1 0', "$usage: a whitelisted address goes on");
    is(said(post($path, qq({"events":[{"workspace_id":"$slug"}]}))), '200 1 0', "$usage: … named by an event");
    is($ask->($path, $elsewhere), '429 1 0', "$usage: … not in another workspace");
    is($ask->($path, 'http-limits-nobody'), '403 1 0', "$usage: … nor in none");
    is($ask->($plain, $slug), '429 1 0', "$usage: … nor where the class does not spare it");
    is(join(', ', map { said(post($path, '{}', "X-API-Key: $key{sdk}")) } 1 .. 3), '200 1 0, 200 1 0, 200 1 0', "$usage: … with a key of the workspace");
    is(join(', ', map { said(post($path, '{}', 'X-API-Key: ' . key($other, 'sdk'))) } 1 .. 2), '200 1 0, 429 1 0', "$usage: … not with another's");
    sql("SELECT leadanalytics.unwhitelist_ip($ours, '127.0.0.1')");
}
sql("SELECT leadanalytics.create_site($ours, 'http-limits-site', '{limits.example}'), leadanalytics.whitelist_ip($ours, '127.0.0.1')");
$path = limited('dashboard', 'ip', 1, @spares, params => [ [ body => document => 'form' ] ]);
is(join(', ', map { said(post($path, 'a=1&siteKey=http-limits-site', 'Content-Type: application/x-www-form-urlencoded', 'Origin: https://limits.example')) } 1 .. 3),
    '200 1 0, 200 1 0, 200 1 0', 'a form tells the workspace by its site');
sql("SELECT leadanalytics.unwhitelist_ip($ours, '127.0.0.1')");

# The built-in routes have theirs.
sql("SELECT leadanalytics.set_rate_limit(class, NULL) FROM leadanalytics.rate_limits");
is((window(post('/lead.capture', '{}')))[0], 20, 'POST /lead.capture: 20');
is((window(post($_, '{}')))[0], 6000, "POST $_: 6 000") for '/api/v1/track', '/track/event', '/track/events/batch', '/track/session/start', '/track/session/end';
is((window(get('/api/v1/http-limits-none', $key{agent})))[0], 100, 'GET /api/v1/*: 100');
is((window(get('/v1/http-limits-none', $key{live})))[0], 1000, '/v1/*: 1 000');
cmp_ok((window(get('/v1/http-limits-none', $key{live})))[2] % 900, '==', 0, '… in a quarter of an hour');

# --- To look at -------------------------------------------------------------------------------------------

my $window = sql("SELECT class || ' ' || workspace || ' ' || requests || ' ' || refused FROM leadanalytics.rate_windows() WHERE class = 'http_limits_1' ORDER BY requests DESC LIMIT 1");
is($window, "http_limits_1 $ours 5 2", 'rate_windows() shows what was taken and refused');
like(sql("SELECT state FROM leadanalytics.status() WHERE part = 'rate limits'"), qr/^on; requests refused: [1-9]/, 'and status() how many');

finish();
