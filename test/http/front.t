# What nginx answers by itself, and what it does to the answers that pass: over a raw socket, byte by byte.
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;

my $port = $ENV{LA_PORT};

# One connection, one request as given, all that comes back.
sub raw {
    my ($request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or die "nobody answers on $port";
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 25;
    print $socket $request;
    my $answer = '';
    while (sysread $socket, $answer, 65536, length $answer) {
        # After a refusal nginx waits a while for the rest of the body: go when all is here.
        last if $answer =~ m{\A.*?\r\nContent-Length: (\d+)\r\n.*?\r\n\r\n(.*)\z}s && length $2 >= $1;
    }
    alarm 0;
    return $answer;
}

# The same as (status, headers by lower-case name, body).
sub ask {
    my ($head, $body) = split /\r\n\r\n/, raw(@_), 2;
    my ($line, @headers) = split /\r\n/, $head // '';
    my %headers = map { my ($name, $value) = split /: ?/, $_, 2; (lc $name => $value) } @headers;
    if (($headers{'transfer-encoding'} // '') eq 'chunked') {
        my $whole = '';
        while ($body =~ s/\A([0-9a-f]+)\r\n//i) { $whole .= substr $body, 0, hex $1, ''; $body =~ s/\A\r\n// }
        $body = $whole;
    }
    my ($status) = ($line // '') =~ m{^HTTP/1\.[01] (\d{3})};
    return ($status // 0, \%headers, $body // '');
}

sub request {
    my ($method, $uri, %headers) = @_;
    my $body = delete $headers{body};
    $headers{'Content-Length'} = length $body if defined $body;
    return ask("$method $uri HTTP/1.1\r\nHost: test\r\nConnection: close\r\n" . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers) . "\r\n" . ($body // ''));
}

# The four shapes, by a prefix of each family.
my %prefix = (
    '/analytics'        => sub { qq({"error":"$_[1]"}) },
    '/track'            => sub { qq({"error":"$_[1]"}) },
    '/lead.capture'     => sub { qq({"error":"$_[1]"}) },
    '/api/workspaces'   => sub { qq({"error":"$_[1]"}) },
    '/api/v1'           => sub { qq({"error":"$_[1]"}) },
    '/v1'               => sub { qq({"success":false,"status":$_[0],"message":"$_[1]","meta":{"timestamp":"TIME","version":"v1"}}) },
    '/api/v1/workspaces' => sub { qq({"success":false,"error":{"code":"$_[2]","message":"$_[1]"}}) },
    '/v1x'              => sub { qq({"error":"$_[1]"}) },
);

sub is_error {
    my ($name, $uri, $status, $text, $code, @answer) = @_;
    my ($prefix) = sort { length $b <=> length $a } grep { $uri =~ m{^\Q$_\E(/|\?|$)} } keys %prefix;
    my $wanted = ($prefix ? $prefix{$prefix} : $prefix{'/analytics'})->($status, $text, $code);
    (my $got = $answer[2]) =~ s/"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/"timestamp":"TIME"/;
    is($answer[0], $status, "$name: $status");
    is($got, $wanted, "$name: in the family's shape");
    is($answer[1]{'content-type'}, 'application/json', "$name: JSON");
    like($answer[1]{'x-request-id'}, qr/^[A-Za-z0-9._-]{1,64}$/, "$name: a request id");
    is($answer[1]{'cache-control'}, 'no-store', "$name: not to be stored");
    return;
}

# Every family, and what nginx refuses.
for my $prefix (sort keys %prefix) {
    my $limit = $prefix =~ m{^/track} ? 8 << 20 : 1 << 20;
    is_error("$prefix body", "$prefix/x", 413, 'Request body too large', 'VALIDATION_ERROR',
        ask("POST $prefix/x HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: " . ($limit + 1) . "\r\n\r\n"));
    is_error("$prefix URI", "$prefix/x", 414, 'URI too long', 'VALIDATION_ERROR',
        request('GET', "$prefix/" . 'a' x (8192 - length $prefix)));
    is_error("$prefix byte", "$prefix/x", 400, 'Bad request', 'VALIDATION_ERROR', request('GET', "$prefix/\xff"));
}
is_error('TRACE',   '/v1/x', 405, 'Method not allowed', 'VALIDATION_ERROR', request('TRACE', '/v1/x'));
is_error('no Host', '/api/v1/workspaces/x', 400, 'Bad request', 'VALIDATION_ERROR', ask("GET /api/v1/workspaces/x HTTP/1.1\r\n\r\n"));
is_error('NUL in the path', '/v1/x', 400, 'Bad request', '', request('GET', '/v1/a%00b'));
is_error('transfer coding', '/v1/x', 501, 'Not implemented', '', request('POST', '/v1/x', 'Transfer-Encoding' => 'zip'));
is_error('two lengths', '/v1/x', 400, 'Bad request', '', ask("POST /v1/x HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"));
is_error('length and chunks', '/v1/x', 400, 'Bad request', '', ask("POST /v1/x HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
is_error('broken chunks', '/v1/x', 400, 'Bad request', '', ask("POST /v1/x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
is_error('header line', '/v1/x', 431, 'Request header too large', '', request('GET', '/v1/x', X => 'a' x 20_000));
is_error('17 000 bytes of URI', '/v1/x', 414, 'URI too long', '', request('GET', '/v1/' . 'a' x 17_000));
is_error('CONNECT', '/', 400, 'Bad request', '', ask("CONNECT x:80 HTTP/1.1\r\nHost: test\r\n\r\n"));
is_error('lower-case method', '/', 400, 'Bad request', '', ask("get /x HTTP/1.1\r\nHost: test\r\n\r\n"));
is_error('HTTP/9.1', '/', 400, 'Bad request', '', ask("GET /x HTTP/9.1\r\nHost: test\r\n\r\n"));
is_error('a space in the URI', '/v1/x', 400, 'Bad request', '', ask("GET /v1/a b HTTP/1.1\r\nHost: test\r\n\r\n"));
is_error('no HTTP', '/', 400, 'Bad request', '', ask("\x16\x03\x01\x02\x00\r\n\r\n"));
is_error("nginx's own pages", '/', 404, 'Not found', '', request('GET', '/.leadanalytics/500'));

# Exactly the limit is not too long.
is((request('GET', '/v1/' . 'a' x 8188))[0], 401, 'a URI of 8 192 bytes passes');
isnt((request('POST', '/v1/x', body => ' ' x (1 << 20)))[0], 413, 'a body of 1 MB passes');
isnt((request('POST', '/api/v1/track', body => ' ' x (8 << 20)))[0], 413, 'a batch of events of 8 MB passes');
is((request('POST', '/api/v1/tracks', body => ' ' x (1 << 20) . ' '))[0], 413, 'only under that path');

# What passes, and what is added.
my ($status, $headers, $body) = request('GET', '/healthz', 'X-Request-Id' => 'mine.1_2-3');
is($status, 200, '/healthz');
is($headers->{'x-request-id'}, 'mine.1_2-3', "the client's request id comes back");
is($headers->{'x-content-type-options'}, 'nosniff', 'nosniff');
is($headers->{'cache-control'}, 'no-store', 'not to be stored');
is($headers->{$_}, undef, "no $_") for qw(x-la x-la-body content-range content-location);
is($headers->{server}, 'nginx', 'no version of the server');
for my $bad ('with space', 'x' x 65, "\xc3\xa4", '{') {
    ($status, $headers) = request('GET', '/healthz', 'X-Request-Id' => $bad);
    like($headers->{'x-request-id'}, qr/^[0-9a-f]{32}$/, 'another request id is replaced');
}
($status, $headers, $body) = request('HEAD', '/healthz');
is("$status $body", '200 ', 'HEAD answers without a body');
($status, $headers, $body) = request('GET', '/healthz', 'Accept-Encoding' => 'gzip');
is($headers->{'content-encoding'}, 'gzip', 'compressed for who asks');

# Headers that are not ours to PostgREST change nothing.
my (undef, undef, $plain) = request('GET', '/healthz');
for my $header (
    [ Accept => 'application/vnd.pgrst.object+json' ], [ Accept => 'text/html' ], [ Prefer => 'handling=strict, foo' ], [ Range => 'bytes=0-1' ],
    [ 'Accept-Profile' => 'leadanalytics' ], [ 'Content-Profile' => 'x' ], [ 'Content-Type' => 'text/csv' ], [ Cookie => "a=\xff" ],
    [ 'User-Agent' => "\xff\xfe" ], [ Referer => "http://x/\xff" ], [ Origin => "\xff" ], [ 'X-LA-Method' => 'DELETE' ], [ 'X-LA-Uri' => '/v1' ],
    [ 'X-LA-Key' => 'x' ], [ 'X-LA-IP' => 'x' ], [ 'X-Forwarded-For' => 'x' ], [ 'X-HTTP-Method-Override' => 'DELETE' ])
{
    ($status, undef, $body) = request('GET', '/healthz', @$header);
    is("$status $body", "200 $plain", "$header->[0] changes nothing");
}
for my $query (qw[select=x limit=0 offset=9 order=x and=( columns=x on_conflict=x a=%ff a=%00 %zz]) {
    ($status, undef, $body) = request('GET', "/healthz?$query");
    is("$status $body", "200 $plain", "?$query changes nothing");
}

# A key with other bytes is a wrong key, not a missing one.
for my $header ([ 'X-API-Key' => "\xff" ], [ Authorization => "Bearer \xc3\xa4" ], [ Authorization => 'Bearer ' . 'x' x 600 ], [ Authorization => 'Bearer eyJ.eyJ.x' ]) {
    ($status, undef, $body) = request('GET', '/analytics/overview', @$header);
    is("$status $body", '401 {"error":"Invalid API key"}', "$header->[0] with a key that cannot be");
}

# Routes of our own, for what the door can say.
sub sql { local $ENV{PGOPTIONS} = '-c client_min_messages=warning'; system('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', $_[0]) == 0 or die "psql" }
sql(<<'SQL');
CREATE SCHEMA front;
GRANT USAGE ON SCHEMA front TO leadanalytics_owner;
CREATE FUNCTION front.fail(status int DEFAULT 400, word text DEFAULT '') RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM leadanalytics.fail(fail.status, fail.word); RETURN NULL; END $$;
CREATE FUNCTION front.part() RETURNS leadanalytics.reply LANGUAGE sql AS $$
SELECT leadanalytics.reply(206, '{"Content-Range": "bytes 0-1/9", "Cache-Control": "max-age=60", "ETag": "\"x\""}', 'text/csv', 'ab') $$;
CREATE TABLE front.seen (n int);
CREATE FUNCTION front.see() RETURNS json LANGUAGE sql SECURITY DEFINER AS $$
INSERT INTO front.seen VALUES (1); SELECT json_build_object('seen', (SELECT count(*) FROM front.seen)) $$;
INSERT INTO leadanalytics.route (method, path, function, family, roles, writes, summary) VALUES
    ('GET', '/front/fail', 'front.fail', 'plain', '{public}', false, 'fail'), ('GET', '/v1/front-fail', 'front.fail', 'engagement', '{public}', false, 'fail'),
    ('POST', '/front/fail', 'front.fail', 'plain', '{public}', false, 'fail'),
    ('GET', '/front/part', 'front.part', 'plain', '{public}', false, 'part'), ('GET', '/front/see', 'front.see', 'plain', '{public}', true, 'see');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type)
SELECT method, path, name, name, CASE name WHEN 'status' THEN 'int' ELSE 'text' END
FROM leadanalytics.route, unnest('{status,word}'::text[]) AS name WHERE function = 'front.fail';
SQL

# The door's own errors: status, bytes and headers as it said them.
for my $wanted (400, 401, 402, 403, 404, 405, 409, 410, 422, 429, 500, 503) {
    for my $method (qw(GET POST)) {
        my $text = "caf\xc3\xa9 1/2";
        ($status, $headers, $body) = request($method, "/front/fail?status=$wanted&word=caf%C3%A9%201/2");
        is("$status $body", "$wanted {\"error\":\"$text\"}", "$method: the door's own $wanted, byte for byte");
        is($headers->{$_}, undef, "no $_") for qw(x-la x-la-body);
    }
}
($status, $headers, $body) = request('GET', '/v1/front-fail?status=503&word=Later');
like("$status $body", qr/^503 \{"success":false,"status":503,"message":"Later",/, 'a 503 in its envelope');
($status, $headers) = request('DELETE', '/healthz');
is("$status $headers->{allow}", '405 GET, HEAD, OPTIONS', '405 with Allow');
my $raw = raw("GET /analytics/overview HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
is(() = $raw =~ /^WWW-Authenticate: Bearer\r$/mg, 1, '401 with WWW-Authenticate, once');
for my $name ('X-Request-Id', 'Cache-Control', 'X-Content-Type-Options', 'Content-Type') {
    is(() = $raw =~ /^$name:/mg, 1, "$name once");
}

($status, $headers, $body) = request('GET', '/front/part');
is("$status $body", '206 ab', 'a reply of its own');
is($headers->{'content-range'}, 'bytes 0-1/9', 'with its range');
is($headers->{'cache-control'}, 'max-age=60', 'its caching');
is($headers->{'content-type'},  'text/csv', 'its type');
($status, $headers, $body) = request('GET', '/front/see');
is("$status $body", '200 {"seen":1}', 'a GET that writes is sent on to the writing side');
is($headers->{'x-accel-redirect'}, undef, 'and nobody sees how');
($status, $headers, $body) = request('GET', '/front/see');
is("$status $body", '200 {"seen":2}', 'and it stays written');

# What PostgREST says on its own never gets out: here it may not call the function, or finds none.
for my $break ([ 'REVOKE EXECUTE ON FUNCTION leadanalytics_door.handle_ro(bytea) FROM leadanalytics_anon', 'GRANT EXECUTE ON FUNCTION leadanalytics_door.handle_ro(bytea) TO leadanalytics_anon' ],
    [ 'ALTER FUNCTION leadanalytics_door.handle_ro(bytea) RENAME TO away', 'ALTER FUNCTION leadanalytics_door.away(bytea) RENAME TO handle_ro' ])
{
    sql($break->[0]);
    for my $uri ('/analytics/overview', '/v1/x', '/api/v1/workspaces/x', '/healthz') {
        is_error("$uri while $break->[0]", $uri, 500, $uri =~ /analytics/ ? 'Analytics query failed' : 'Internal server error', 'INTERNAL_ERROR', request('GET', $uri));
    }
    sql($break->[1]);
}
is((request('GET', '/healthz'))[0], 200, 'mended');
sql('DELETE FROM leadanalytics.route WHERE function LIKE $$front.%$$; DROP SCHEMA front CASCADE');

sub ppid {
    open my $status, '<', "/proc/$_[0]/status" or return 0;
    return (map { /^PPid:\s+(\d+)/ } <$status>)[0] // 0;
}

sub children {
    my ($parent) = @_;
    return grep { ppid($_) == $parent }
        map { m{(\d+)} } glob '/proc/[0-9]*';
}

# PostgREST away: 503 with a family's shape, and back again.
my $run = $ENV{LA_SOCKET};
for my $side (qw(ro rw)) { rename "$run/$side.sock", "$run/$side.away" or die "$run/$side.sock: $!" }
open my $file, '<', "$run/nginx.pid" or die;
my $master  = <$file> + 0;
my @workers = children($master);
kill 'HUP', $master; # new workers have no kept connections to PostgREST
for (1 .. 400) {
    last if !grep { kill 0, $_ } @workers;
    select undef, undef, undef, 0.05;
}
my @answer;
for my $uri ('/analytics/x', '/v1/x', '/api/v1/workspaces/x', '/x') {
    for my $method (qw(GET POST)) {
        @answer = request($method, $uri);
        is_error("$method $uri without PostgREST", $uri, 503, 'Service temporarily unavailable', 'SERVICE_UNAVAILABLE', @answer);
        is($answer[1]{'retry-after'}, '1', 'and when to come back');
    }
}
for my $side (qw(ro rw)) { rename "$run/$side.away", "$run/$side.sock" or die }
is((request('GET', '/healthz'))[0], 200, 'PostgREST is back');

done_testing();
