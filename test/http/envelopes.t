# The families' shapes over the wire: every status, every header, byte for byte where the contract is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');

functions(<<'SQL');
CREATE FUNCTION say(status int, text text DEFAULT NULL, code text DEFAULT NULL) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF status = 500 THEN PERFORM 1 / 0; END IF;
    IF status = 0 THEN RETURN '{ "a" : [ 1, "b c" ] }'; END IF;
    PERFORM leadanalytics.fail(status, text, code);
END $$;
CREATE FUNCTION lists() RETURNS json LANGUAGE plpgsql AS $$
BEGIN PERFORM leadanalytics.fail(422, 'Validation failed', NULL, '[{"field":"a","message":"b"}]'); END $$;
CREATE FUNCTION made() RETURNS json LANGUAGE sql AS $$ SELECT '{"id":1}'::json $$;
CREATE FUNCTION given(kind text) RETURNS leadanalytics.reply LANGUAGE sql AS $$
    SELECT CASE kind
        WHEN '201' THEN leadanalytics.reply(201, '{"Location": "/things/1"}', 'application/json', '{"id":1}')
        WHEN '204' THEN leadanalytics.reply(204)
        WHEN '301' THEN leadanalytics.reply(301, '{"Location": "https://elsewhere.example/a?b=c"}')
        WHEN '302' THEN leadanalytics.reply(302, '{"Location": "/there", "Cache-Control": "private"}')
        WHEN '304' THEN leadanalytics.reply(304, '{"ETag": "\"x\""}')
        WHEN 'gif' THEN leadanalytics.reply(200, '{"Cache-Control": "no-store, private"}', 'image/gif',
            decode('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'))
        WHEN 'csv' THEN leadanalytics.reply(200, '{"Content-Disposition": "attachment; filename=\"a.csv\""}', 'text/csv; charset=utf-8',
            convert_to(E'name\r\nJürgen\r\n', 'UTF8'))
        WHEN 'part' THEN leadanalytics.reply(206, '{"Content-Range": "bytes 0-1/4"}', 'application/octet-stream', 'ab')
        WHEN 'type' THEN leadanalytics.reply(200, '{}', E'text/html\r\nX-Evil: 1', 'x')
        WHEN 'long' THEN leadanalytics.reply(302, json_build_object('Location', '/' || repeat('a', 20000)))
        WHEN 'json' THEN leadanalytics.reply(NULL, body => convert_to('{"id" : "Jürgen"}', 'UTF8'))
        WHEN 'empty' THEN leadanalytics.reply(NULL)
        WHEN 'split' THEN leadanalytics.reply(200, json_build_object('X-A', E'b\r\nX-Evil: 1'))
    END
$$;
SQL

my @status = (['status', 'query', 'int', required => 1], ['text'], ['code']);
for my $family (@families)
{
    my @in_path = $family =~ /activity|campaigns/ ? (['w', 'path', 'workspace']) : ();
    my $at = $family eq 'plain' ? sub { "/http-envelopes-$_[0]" } : sub { family_path($family, "http-envelopes-$_[0]", ':w') };
    route('POST', $at->('say'), 'say', family => $family, params => [@in_path, @status]);
    route('GET', $at->('say'), 'say', family => $family, params => [@in_path, @status]);
    route('PUT', $at->('made'), 'made', family => $family, success => 201, message => 'Made', params => [@in_path]);
    route('POST', $at->('lists'), 'lists', family => $family, params => [@in_path]);
}
route('GET', '/analytics/http-envelopes-given', 'given', family => 'dashboard', params => [['kind']]);

# S1-A1, S1-A2: the two texts, byte for byte; Content-Type exactly.
{
    my $r = request('GET', '/analytics/overview');
    is($r->{body}, '{"error":"API key required. Use Authorization: Bearer <key> or X-API-Key header."}', 'S1-A1 no key');
    is($r->{status}, 401, 'S1-A1 status');
    is(header($r, 'Content-Type'), 'application/json', 'Content-Type');
    is(header($r, 'WWW-Authenticate'), 'Bearer', '401 says how to authenticate');
    $r = request('GET', '/analytics/overview', ['Authorization: Bearer nonsense']);
    is($r->{body}, '{"error":"Invalid API key"}', 'S1-A2 wrong key');
    is(request('GET', '/analytics/overview', ['X-API-Key: nonsense'])->{body}, $r->{body}, 'S1-A2 wrong X-API-Key');
    is(request('GET', '/analytics/overview', ["X-API-Key: \xff\xfe"])->{body}, $r->{body}, 'S1-A2 a key that cannot be text');
}

# Every status of the door, in every family.
my %text = (400 => 'Bad request', 403 => 'Forbidden', 404 => 'Not found', 405 => 'Method not allowed', 409 => 'Conflict',
    422 => 'Validation failed', 429 => 'Rate limit exceeded', 500 => 'Internal server error', 503 => 'Service temporarily unavailable');
for my $family (@families)
{
    my $at = $family eq 'plain' ? sub { "/http-envelopes-$_[0]" } : sub { family_path($family, "http-envelopes-$_[0]") };
    my $say = $at->('say');
    is_error(request('GET', $say), $family, 401, $family eq 'activity' ? 'Unauthorized' : undef, "$family: 401 no key");
    is_error(request('GET', $say, ['X-API-Key: x']), $family, 401, $family eq 'activity' ? 'Unauthorized' : 'Invalid API key', "$family: 401 wrong key");
    is_error(request('GET', $at->('nothing'), [$key]), $family, 404, 'Not found', "D-77 $family: 404 path");
    my $r = request('DELETE', $say, [$key]);
    is_error($r, $family, 405, 'Method not allowed', "D-77 $family: 405");
    is(header($r, 'Allow'), 'GET, HEAD, POST, OPTIONS', "$family: 405 says Allow");
    is_error(request('POST', "$say?status=4x", [$key]), $family, $family eq 'engagement' ? 422 : 400,
        $family eq 'engagement' ? 'Validation failed' : 'Invalid status', "$family: a bad parameter");
    for my $status (400, 403, 404, 409, 410, 413, 415, 416, 422, 429, 451, 500, 503)
    {
        my $said = $status == 500 || $status == 413 ? undef : "Told $status \"so\" \\ J\xc3\xbcrgen";
        my $expect = $status == 500 ? ($family eq 'dashboard' ? 'Analytics query failed' : $text{500}) : $said && do { utf8::decode(my $u = $said); $u };
        my $uri = "$say?status=$status&text=" . ($said ? $said =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger : 'x');
        $r = request('POST', $uri, [$key]);
        is_error($r, $family, $status, $expect, "$family: $status in the function's words");
        is(header($r, 'Retry-After'), 1, "$family: 503 says when to retry") if $status == 503;
        $r = request('HEAD', $uri, [$key]);
        is("$r->{status} $r->{body}", "$status ", "$family: HEAD of a $status") if $status =~ /^(404|500|503)$/;
    }
    is_error(request('POST', "$say?status=404&text=a&code=CAMPAIGN_NOT_FOUND", [$key]), $family, 404, 'a', "$family: a code of its own");
    is_error(request('POST', "$say?status=502&text=x", [$key]), $family, 500, undef, "$family: another 5xx is a 500");
    is_error(request('POST', "$say?status=503&text=" . 'x' x 7000, [$key]), $family, 503, undef, "$family: a 503 with a long text");
    is_deeply(is_success(request('PUT', $at->('made'), [$key]), $family, 201, "$family: 201 by the route"), { id => 1 }, "$family: its data");
    is_deeply(is_success(request('GET', "$say?status=0", [$key]), $family, 200, "$family: 200"), { a => [1, 'b c'] }, "$family: its data");
}
is(request('GET', '/analytics/http-envelopes-say?status=0', [$key])->{body}, '{"a":[1,"b c"]}', 'JSON is compact');
is(json(request('PUT', '/v1/http-envelopes-made', [$key]))->{message}, 'Made', 'engagement: the route\'s message');
is(json(request('POST', family_path('campaigns', 'http-envelopes-say') . '?status=404&text=a&code=CAMPAIGN_NOT_FOUND', [$key]))->{error}{code},
    'CAMPAIGN_NOT_FOUND', 'campaigns: the function\'s code');
is_deeply(json(request('POST', '/v1/http-envelopes-lists', [$key]))->{errors}, [{ field => 'a', message => 'b' }], 'engagement: errors of a 422');

# A text too long for a header, in which 503 travels: the family's own text instead, and not a 502.
functions("CREATE FUNCTION long() RETURNS json LANGUAGE plpgsql AS \$\$ BEGIN PERFORM leadanalytics.fail(503, repeat('x', 40000)); END \$\$;");
route('POST', '/v1/http-envelopes-long', 'long', family => 'engagement');
is_error(request('POST', '/v1/http-envelopes-long', [$key]), 'engagement', 503, 'Service temporarily unavailable', '503 with a text too long to travel');

# A 500 is found again by its request id: in the answer's header, and in PostgreSQL's log.
{
    my $before = log_position();
    my $r = request('POST', '/analytics/http-envelopes-say?status=500', [$key, 'X-Request-Id: my-request.1_a']);
    is(header($r, 'X-Request-Id'), 'my-request.1_a', 'a well-formed request id is kept');
    my $log = log_since($before, qr/my-request\.1_a/);
    like($log, qr/request my-request\.1_a failed: division by zero/, 'and stands in the log with what happened');
    my ($secret) = $key =~ /Bearer (\S+)/;
    unlike($log, qr/\Q$secret\E/, 'the key does not');
    for my $bad ('', 'a b', 'x' x 65, "a\xc3\xa4", 'a"b', '../x')
    {
        like(header(request('GET', '/healthz', ["X-Request-Id: $bad"]), 'X-Request-Id'), qr/^[0-9a-f]{32}$/, "request id replaced: '$bad'");
    }
    my %ids = map { header(request('GET', '/healthz'), 'X-Request-Id') => 1 } 1 .. 3;
    is(scalar keys %ids, 3, 'request ids differ');
}

# Answers that wear no envelope.
sub given { return request('GET', "/analytics/http-envelopes-given?kind=$_[0]", [$key, @_[1 .. $#_]]) }
{
    my $r = given(201);
    is_success($r, 'dashboard', 201, 'reply: 201');
    is(header($r, 'Location'), '/things/1', 'reply: Location');
    $r = given(204);
    is_success($r, 'dashboard', 204, 'reply: 204');
    is($r->{raw} =~ /\r\n\r\n(.*)$/s && $1, '', 'reply: 204 has no body');
    ok(!header($r, 'Content-Type'), 'reply: 204 has no Content-Type') or diag $r->{raw};
    $r = given(301);
    is_success($r, 'dashboard', 301, 'reply: 301');
    is(header($r, 'Location'), 'https://elsewhere.example/a?b=c', 'reply: Location elsewhere');
    is($r->{body}, '', 'reply: 301 has no body');
    $r = given(302);
    is_success($r, 'dashboard', 302, 'reply: 302');
    is(header($r, 'Location'), '/there', 'reply: a relative Location stays so');
    is(header($r, 'Cache-Control'), 'private', 'reply: its Cache-Control');
    $r = given(304);
    is("$r->{status} $r->{body} " . header($r, 'ETag'), '304  "x"', 'reply: 304');
    $r = given('gif');
    is_success($r, 'dashboard', 200, 'reply: GIF');
    is(header($r, 'Content-Type'), 'image/gif', 'reply: its type');
    is(unpack('H*', $r->{body}), '47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002014400' . '3b', 'reply: its bytes');
    $r = given('csv');
    is_success($r, 'dashboard', 200, 'reply: CSV');
    is(header($r, 'Content-Type'), 'text/csv; charset=utf-8', 'reply: type with charset');
    is($r->{body}, "name\r\nJ\xc3\xbcrgen\r\n", 'reply: UTF-8 and CRLF');
    $r = given('part');
    is("$r->{status} " . (header($r, 'Content-Range') // '') . " $r->{body}", '206 bytes 0-1/4 ab', 'reply: 206 has its Content-Range');
    for my $kind (qw(type long split))
    {
        $r = given($kind);
        is_error($r, 'dashboard', 500, 'Analytics query failed', "reply: a response cannot be broken by $kind");
        ok(!header($r, 'X-Evil'), "reply: nothing injected by $kind");
    }
    $r = given('json');
    is("$r->{status} " . header($r, 'Content-Type') . " $r->{body}", '200 application/json {"id":"Jürgen"}', 'reply: JSON, as of a function that returns that');
    is_error(given($_), 'dashboard', 500, undef, "reply: $_: null is an error of the function") for qw(none empty);
}

# What nginx makes by itself equals what the door makes, for the same family. (503 and 504: faults.t)
my $big = '{"a":"' . 'x' x (1 << 20) . '"}';
my %nginx = (
    400 => sub { my ($p) = @_; request('GET', "$p/\xff", [$key]) },
    413 => sub { my ($p) = @_; request('POST', $p, [$key], $big) },
    414 => sub { my ($p) = @_; request('GET', "$p?" . 'a' x 9000, [$key]) },
    431 => sub { my ($p) = @_; request('GET', $p, [$key, 'X-Big: ' . 'a' x 20000]) },
    405 => sub { my ($p) = @_; request('TRACE', $p, [$key]) },
);
for my $family (@families)
{
    my $path = $family eq 'plain' ? '/http-envelopes-say' : family_path($family, 'http-envelopes-say');
    for my $status (sort keys %nginx)
    {
        is_error($nginx{$status}->($path), $family, $status, undef, "$family: nginx's own $status");
    }
    for my $status (400, 405)
    {
        my $door = $status == 405 ? request('DELETE', $path, [$key]) : request('GET', "$path/%ff", [$key]);
        my ($own, $our) = map { s/"timestamp":"[^"]*"/"timestamp"/r } $nginx{$status}->($path)->{body}, $door->{body};
        is($own, $our, "$family: nginx's own $status is the door's");
    }
}

# The request's own Range, conditions and encodings are nothing to nginx.
is(request('GET', '/healthz', ['Range: bytes=0-3'])->{status}, 200, 'Range is ignored');
is(request('GET', '/healthz', ['If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT', 'If-None-Match: *'])->{status}, 200, 'conditions are ignored');
is(header(request('GET', '/openapi.json', ['Accept-Encoding: gzip']), 'Content-Encoding'), 'gzip', 'gzip for who takes it');

# The oracle itself: it sees each fault.
{
    my $good = request('GET', '/v1/x');
    is_deeply([shape_faults($good, 'engagement')], [], 'the oracle passes a good answer');
    my %broken = (
        'of another family' => sub { $_[0]{other} = 1 },
        HTML => sub { $_[0]{body} = '<html>' },
        PostgREST => sub { $_[0]{body} = '{"code":"42501","details":null,"hint":null,"message":"m"}' },
        spaces => sub { $_[0]{body} =~ s/,/, / },
        status => sub { $_[0]{body} =~ s/401/403/ },
        type => sub { $_[0]{headers}{'content-type'} = ['text/plain'] },
        version => sub { $_[0]{headers}{server} = ['nginx/1.22'] },
        leftover => sub { $_[0]{headers}{'content-range'} = ['0-0/*'] },
        sniff => sub { delete $_[0]{headers}{'x-content-type-options'} },
    );
    for my $what (sort keys %broken)
    {
        my $bad = { %$good, headers => { %{ $good->{headers} } } };
        $broken{$what}->($bad);
        ok(scalar(shape_faults($bad, $bad->{other} ? 'campaigns' : 'engagement')), "the oracle sees: $what");
    }
}
finish();
