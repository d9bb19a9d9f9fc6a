# The door under random and mutated requests: whatever comes, the answer is well formed, its status is one
# we know, nothing is our own fault (500), and the server lives. What it takes as JSON: json.t.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use JSON::PP;
use Test::More;

diag 'seed ', seed(20260316) if $ENV{LA_SEED};
seed(20260316);
my $json = JSON::PP->new->utf8->allow_nonref->canonical;

fresh_database('la_fuzz_door');
my ($workspace, %key);
{
    my @lines = run_sql(
        q{SELECT leadanalytics.create_workspace('fuzz', is_default => true)},
        (map { "SELECT '$_', leadanalytics.create_key(1, '$_')" } qw(admin sdk marketing live tenant)),
        q{CREATE SCHEMA fuzz; GRANT USAGE ON SCHEMA fuzz TO leadanalytics_owner},
        q{CREATE FUNCTION fuzz.echo(p text DEFAULT NULL, t text DEFAULT 'x', i int DEFAULT 7, b bigint DEFAULT NULL, n float8 DEFAULT 1.5, y boolean DEFAULT false,
              d date DEFAULT current_date, z timestamptz DEFAULT NULL, u uuid DEFAULT NULL, a inet DEFAULT NULL, j json DEFAULT NULL, workspace int DEFAULT NULL, origin text DEFAULT NULL)
          RETURNS json LANGUAGE sql STABLE AS 'SELECT json_build_object($$p$$, p, $$t$$, t, $$i$$, i, $$b$$, b, $$n$$, n, $$y$$, y, $$d$$, d, $$z$$, z, $$u$$, u, $$a$$, a, $$j$$, j::jsonb)'},
        q{CREATE FUNCTION fuzz.doc(body json) RETURNS json LANGUAGE plpgsql STABLE AS 'BEGIN RETURN body::jsonb; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN to_json($$too large$$::text); END'},
    );
    ($workspace) = @lines;
    /^(\w+)\|(\w+)$/ and $key{$1} = $2 for @lines;
    my @types = (['t', 'text'], ['i', 'int'], ['b', 'bigint'], ['n', 'number'], ['y', 'boolean'], ['d', 'date'], ['z', 'timestamp'], ['u', 'uuid'], ['a', 'ip'], ['j', 'json']);
    my @rows;
    for my $family (['dashboard', '/analytics/fuzz'], ['engagement', '/v1/fuzz'], ['campaigns', '/api/v1/workspaces/fuzz'], ['public', '/api/v1/fuzz'])
    {
        for my $method ('GET', 'POST')
        {
            my $path = $family->[1] . ($method eq 'GET' ? '/:p' : '/:p/body');
            push @rows, "INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, cors) VALUES ('$method', '$path', 'fuzz.echo', '$family->[0]', '{public}', 'fuzz', true)",
                "INSERT INTO leadanalytics.route_param (method, path, name, place, arg) VALUES ('$method', '$path', 'p', 'path', 'p')",
                map {
                my $lenient = $method eq 'GET' && $_->[1] =~ /int|number/ ? ', true, 1, 100' : ', false, NULL, NULL';
                "INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, lenient, min, max) VALUES ('$method', '$path', '$_->[0]', '"
                    . ($method eq 'GET' ? 'query' : 'body') . "', '$_->[0]', '$_->[1]'$lenient)"
                } @types;
        }
    }
    push @rows, "INSERT INTO leadanalytics.route (method, path, function, roles, summary) VALUES ('POST', '/fuzz/doc', 'fuzz.doc', '{public}', 'fuzz')",
        "INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type) VALUES ('POST', '/fuzz/doc', 'body', 'document', 'body', 'json')";
    is_deeply([ run_sql(@rows) ], [], 'the routes of the test are made');
}

my $visit = q{CREATE FUNCTION pg_temp.visit(n int, writing boolean, headers text, body bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer bytea;
BEGIN
    PERFORM set_config('request.headers', headers, true);
    IF writing THEN answer := leadanalytics_door.handle_rw(body); ELSE answer := leadanalytics_door.handle_ro(body); END IF;
    RETURN concat_ws('|', 'case', n, current_setting('response.status'), encode(answer, 'hex'), encode(convert_to(current_setting('response.headers'), 'UTF8'), 'hex'));
EXCEPTION WHEN OTHERS THEN RETURN concat_ws('|', 'case', n, SQLSTATE, SQLERRM);
END $$};

sub visit { my ($n, $writing, $headers, $body) = @_; return "SELECT pg_temp.visit($n, $writing, " . literal($headers) . ", '\\x" . hex_of($body) . "')" }

# Requests.
my @segments = ('analytics', 'overview', 'fuzz', 'body', 'doc', 'v1', 'api', 'workspaces', 'track', 'healthz', 'openapi.json', 'lead.capture', '', '.', '..', ':p', '%2F', '%00', '%', '%4', '%zz', '%C3%A9', '%C3', '%ED%A0%80', '%F4%90%80%80', "\x{e9}", '*', '?', '#');
my @paths = ('/analytics/overview', '/analytics/fuzz/x', '/v1/fuzz/x/body', '/api/v1/workspaces/fuzz/x', '/api/v1/fuzz/x', '/api/v1/fuzz/x/body', '/api/v1/track', '/fuzz/doc', '/healthz', '/openapi.json', '/nothing', '/');
my @values = ('', '0', '-1', '+5', '1e5', '1e400', '-1e-400', '0x10', 'nan', 'inf', '.', '+', '-', '9223372036854775807', '9223372036854775808', '-9223372036854775809', '2147483648', '99999999999999999999999999', 'true', 'false', '2026-02-30', '2026-12-31', '0000-01-01', '9999-12-31T23:59:60.9999999+15:59', '2026-01-01T00:00:00-99', '2026-1-1', '2026-01-01T', '2026-01-01T25:00', '10.0.0.1', '10.0.0.1/33', '::ffff:1.2.3.4/96', '::1/129', '1.2.3.4/', '::ffff:1.2.3.4/4294967296', '00000000-0000-0000-0000-00000000000', '00000000-0000-0000-0000-000000000000', '{}', '[1,2', '"\ud800"', '{"a":1e999999}', '%', '%C3%28', '%00', 'a%20b', 'x' x 3000, '%E2%82%AC' x 300);

sub mutated
{
    my ($text) = @_;
    for (1 .. 1 + number_to(4))
    {
        my $at = number_to(length($text) + 1);
        my $what = number_to(6);
        substr($text, $at, $what == 0 ? number_to(9) : 0) = $what == 1 ? bytes_of(1 + number_to(3)) : $what == 2 ? substr($text, number_to(length($text) + 1), number_to(40)) : $what == 3 ? pick('"', '\\', '{', '}', '[', ']', ',', ':', '\u0000', '\ud800', '\udc00', '\ud83d\ude00', '-', 'e', '0', "\0", "\n", "\xff", "\xc3\xa9", '%', '/', '&', '=') : '' if $at <= length $text;
        substr($text, $at, 1) = chr(number_to(256)) if $what == 4 && $at < length $text;
        $text = substr $text, 0, $at if $what == 5 && chance(20);
    }
    return $text;
}

sub uri
{
    my $kind = number_to(10);
    return '/' . join '/', map { pick(@segments) } 1 .. number_to(8) if $kind == 0;
    return '/' . join '/', map { pick('a', 'fuzz', '') } 1 .. 3000 if $kind == 1 && chance(10);
    return '/' . 'n' x number_to(30000) if $kind == 1 && chance(10);
    my $query = join pick('&', '&&', ';'), map { pick(qw(t i b n y d z u a j), '%74', 'x', '') . pick('=', '=', '=', '', '==') . pick(@values) } 1 .. number_to(7);
    my $uri = pick(@paths) . pick('', '?', '?') . $query;
    return chance(25) ? mutated($uri) : $uri;
}

sub track_body
{
    my @events = map { {
        event_name => pick('page_view', 'click', 'purchase', '$x'), visitor_id => 'v' . number_to(5), event_id => 'e' . number_to(500), timestamp => '2026-03-16T14:30:45.123Z',
        event_data => { url => 'https://example.com/' . number_to(9), scroll_percent => number_to(101), deep => [ { a => [1] } ], n => 1.5 },
        (chance(50) ? (session_id => 's' . number_to(9)) : ()),
    } } 1 .. 1 + number_to(5);
    return $json->encode(chance(70) ? { events => \@events } : $events[0]);
}

sub random_json
{
    my ($depth) = @_;
    my $kind = number_to($depth > 5 ? 7 : 10);
    return pick('null', 'true', 'false', '0', '-0', '01', '1.', '.5', '-', '1e5', '1E+400', '1e-400', '1e399', '12345678901234567890', 'nul', 'NaN', '') if $kind < 3;
    return '"' . join('', map { pick('a', '\n', '\u0000', '\ud800', '\udc00', '\ud83d\ude00', '\ud83d\ud83d\ude00', '\u00e9', '\x', '\u12', '\\\\', '\"', "\xc3\xa9", "\t", "\x7f", "\xed\xa0\x80") } 1 .. number_to(4)) . pick('"', '"', '"', '"', '"', '"', '"', '"', '"', '') if $kind < 7;
    my @parts = map { random_json($depth + 1) } 1 .. number_to(4);
    return '[' . join(pick(',', ', ', ",\n"), @parts) . pick(']', ']', ']', ']', ']', ']', ']', '}', '') if $kind < 8;
    return '{' . join(',', map { pick('"a"', '"b"', '"a"', '"\u0000"', '""', 'a') . ':' . $_ } @parts) . '}';
}

sub body
{
    my $kind = number_to(8);
    return '' if $kind == 0;
    return bytes_of(number_to(200)) if $kind == 1;
    return random_json(0) if $kind == 2;
    return $json->encode({ map { my $v = pick(@values); utf8::decode($v); ($_ => chance(50) ? $v : pick(1, -1.5, 1e300, undef, [], {}, JSON::PP::true)) } qw(t i b n y d z u a j) }) if $kind == 3;
    my $text = track_body();
    return chance(70) ? mutated($text) : $text;
}

# Kept for the writing of them into a JSON text: a header's value is UTF-8 whatever the client sent.
sub headers
{
    my %header = ('x-la-method' => pick(qw(GET GET POST POST POST HEAD OPTIONS PUT DELETE PATCH BREW), ''), 'x-la-uri' => uri());
    $header{'x-la-auth'} = pick('Bearer ', 'bearer ', 'Basic ', 'Bearer', '') . pick(values %key, '', 'la_admin_' . '0' x 64, 'x' x 5000, "\x{e9}") if chance(40);
    $header{'x-la-key'} = pick(values %key, '', 'dk_', '_' x 200) if chance(30);
    $header{'x-la-ip'} = pick('127.0.0.1', '::1', 'x', '', '1.2.3.4, 5.6.7.8', '1.2.3.4/8') if chance(50);
    $header{'x-la-origin'} = pick('https://example.com', 'null', '', '://', 'a://[', 'a://[::1]:1', "x\r\ny://a", 'http://a:b', 'https://' . 'a' x 5000) if chance(40);
    $header{'x-la-acrm'} = pick('GET', 'POST', '', 'x' x 100) if chance(30);
    $header{'x-la-rid'} = pick('r', '', "\n", 'x' x 1000) if chance(30);
    $header{$_} = pick('', 'x', 'x' x 5000, "\x{0}\x{20ac}") for grep { chance(20) } qw(x-la-agent x-la-referer x-la-idem);
    return \%header;
}

my (@statements, @cases);
for my $n (0 .. 1999)
{
    my $headers = headers();
    $headers->{'x-la-method'} = $headers->{'x-la-uri'} =~ m{track|doc|body} ? 'POST' : 'GET' if chance(70);
    my $text = JSON::PP->new->utf8->allow_nonref->encode($headers);
    my $body = body();
    $text = mutated($text) if chance(3);
    $text = pick('', '[]', '1', '{', '{"x-la-method":1,"x-la-uri":"/"}', '[' x 1000) if chance(1);
    $text =~ s/\0//g;
    utf8::decode(my $copy = $text) or $text =~ s/[\x80-\xff]/?/g;
    my $writing = $headers->{'x-la-method'} =~ /^(GET|HEAD|OPTIONS)$/ && chance(90) ? 'false' : 'true';
    push @cases, { headers => $text, body => $body, method => $headers->{'x-la-method'}, uri => $headers->{'x-la-uri'} };
    push @statements, visit($n, $writing, $text, $body);
}
# A few of the largest size nginx lets through.
for my $body ('[' x 1_000_000, '{"a":' x 200_000, '"' . '\u0000' x 170_000 . '"', '{"events":[' . '0,' x 500_000 . '0]}', '{"events":[' . join(',', ('{"event_name":"x","visitor_id":"v"}') x 30_000) . ']}', bytes_of(1000) x 1000, '{"event_name":"' . '\"' x 500_000 . '"}', '{' . join(',', map { "\"k$_\":1" } 1 .. 90_000) . '}')
{
    my $n = @cases;
    push @cases, { headers => '', body => '', method => 'POST', uri => pick('/api/v1/track', '/api/v1/fuzz/x/body') };
    push @statements, visit($n, 'true', $json->encode({ 'x-la-method' => 'POST', 'x-la-uri' => $cases[$n]{uri} }), $body);
}

my %known = map { $_ => 1 } 200, 201, 204, 400, 401, 403, 404, 405, 422;
my %seen;
my (@faults, $answers);
my @lines = run_sql($visit, @statements);
for (@lines)
{
    my ($mark, $n, $status, $answer, $headers) = split /\|/, $_, 5;
    if ($mark ne 'case') { push @faults, "not an answer: " . substr $_, 0, 300; next }
    $answers++;
    $seen{$status}++;
    my $case = $cases[$n];
    my $what = "case $n, $case->{method} " . substr($case->{uri}, 0, 200) . ": $status";
    if ($status eq '55000') { next if $answer =~ /^this is not a request that nginx sent/ }
    unless ($known{$status}) { push @faults, "$what " . substr($answer, 0, 300); next }
    my $text = pack 'H*', $answer;
    my $list = eval { $json->decode(pack 'H*', $headers) };
    if (ref $list ne 'ARRAY' || grep { ref ne 'HASH' || keys %$_ != 1 } @$list) { push @faults, "$what: headers"; next }
    my %header = map { %$_ } @$list;
    push @faults, "$what: a header that could split the answer" if grep { /[\x00-\x1f]/ } values %header;
    if ($status >= 400)
    {
        push @faults, "$what: a body beside an error" if length $text;
        my $error = eval { $json->decode(do { my $bytes = $header{'X-LA-Body'} // ''; utf8::encode($bytes); $bytes }) };
        my $path = $case->{uri} =~ s/[?].*//sr;
        my $ok = ref $error eq 'HASH' && (
              exists $error->{success} && exists $error->{status} ? !$error->{success} && $error->{status} == $status && length $error->{message} && $error->{meta}{version} eq 'v1'
            : exists $error->{success} ? !$error->{success} && $error->{error}{code} =~ /^[A-Z_]+$/ && length $error->{error}{message}
            : keys %$error == 1 && length $error->{error});
        push @faults, "$what: not an error's shape: " . ($header{'X-LA-Body'} // 'none') unless $ok;
    }
    elsif ($status == 204) { push @faults, "$what: a body" if length $text }
    else { push @faults, "$what: not JSON: " . substr $text, 0, 200 unless exists $header{'X-Accel-Redirect'} || valid_json($text) }
}
is($answers, scalar @cases, 'every request is answered');
is_deeply([ @faults[ 0 .. ($#faults < 9 ? $#faults : 9) ] ], [], 'every answer is well formed and nothing is our fault');
cmp_ok($seen{$_} // 0, '>', 5, "some were answered $_") for 200, 400, 401, 404, 405, 422; # else this tests nothing
note join ', ', map { "$_: $seen{$_}" } sort keys %seen;

is((run_sql('SELECT 1'))[0], '1', 'the server lives');
done_testing;
