# Pages of other origins (D-69): preflight without a key, the origin echoed, never "*".
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
sql("UPDATE leadanalytics.workspace SET allowed_origins = '{https://shop.example,http://localhost:3000}' WHERE id = \$1", $id);
my $key = 'Authorization: Bearer ' . key($id, 'sdk');
functions(<<'SQL');
CREATE FUNCTION look(word text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF word = 'missing' THEN PERFORM leadanalytics.fail(404, 'Missing'); END IF;
    IF word = 'later' THEN PERFORM leadanalytics.fail(503, 'Later'); END IF;
    IF word = 'broken' THEN PERFORM 1 / 0; END IF;
    RETURN json_build_object('word', word);
END $$;
SQL
my @common = (params => [['word', 'query', 'text', max => 10]], roles => '{sdk}');
route('GET', '/analytics/http-cors', 'look', family => 'dashboard', cors => 1, @common);
route('POST', '/analytics/http-cors', 'look', family => 'dashboard', cors => 1, @common);
route('GET', '/analytics/http-cors/marked', 'look', family => 'dashboard', cors => 1, writes => 1, @common);
route('GET', '/analytics/http-cors/closed', 'look', family => 'dashboard', @common);
route('POST', '/track/http-cors', 'look', family => 'dashboard', cors => 1, @common, roles => '{public}');

# Only this workspace's word shall count: a workspace that lists nothing allows every origin in a preflight.
my $open = sql("SELECT count(*) FROM leadanalytics.workspace w WHERE allowed_origins = '{}' AND sandbox_of IS NULL AND id <> \$1
    AND NOT EXISTS (SELECT FROM leadanalytics.site s WHERE s.workspace = w.id AND s.domains <> '{}')", $id);

sub preflight { my ($path, $origin, $method, @more) = @_; return request('OPTIONS', $path, ["Origin: $origin", "Access-Control-Request-Method: $method", @more]) }
sub allowed { return header($_[0], 'Access-Control-Allow-Origin') }
my @cors = map { "Access-Control-$_" } qw(Allow-Origin Allow-Credentials Allow-Methods Allow-Headers Expose-Headers Max-Age);
sub none { my ($r, $name) = @_; is(join(' ', grep { defined header($r, $_) } @cors), '', $name) or diag $r->{raw} }

# S1-A4: the preflight.
my $r = preflight('/analytics/http-cors', 'https://shop.example', 'GET', 'Access-Control-Request-Headers: authorization');
is_success($r, 'dashboard', 204, 'S1-A4 preflight without a key');
is(allowed($r), 'https://shop.example', 'D-69 the origin is echoed');
is(header($r, 'Access-Control-Allow-Credentials'), 'true', 'D-69 credentials');
is(header($r, 'Access-Control-Allow-Methods'), 'GET, HEAD, POST, OPTIONS', 'methods');
is(header($r, 'Access-Control-Allow-Headers'), 'Authorization, X-API-Key, Content-Type, X-Batch-Size, Idempotency-Key', 'D-69 headers');
like(header($r, 'Vary'), qr/\bOrigin\b/, 'Vary: Origin');
like(header($r, 'Access-Control-Max-Age'), qr/^\d+$/, 'Max-Age');
is(header($r, 'Allow'), 'GET, HEAD, POST, OPTIONS', 'Allow');
is(allowed(preflight('/track/http-cors', 'http://localhost:3000', 'POST')), 'http://localhost:3000', 'another origin of the list');
is(allowed(preflight('/api/v1/track', 'https://shop.example', 'POST')), 'https://shop.example', 'POST /api/v1/track');
is(allowed(preflight('/analytics/http-cors', 'https://shop.example', 'GET', 'Authorization: Bearer wrong')), 'https://shop.example', 'a key is not looked at');
is(allowed(preflight('/analytics/http-cors/marked', 'https://shop.example', 'GET')), 'https://shop.example', 'a GET that writes');
none(preflight('/analytics/http-cors/closed', 'https://shop.example', 'GET'), 'a route that is not for browsers elsewhere');
none(preflight('/analytics/http-cors', 'https://shop.example', 'DELETE'), 'a method that is not there');
none(preflight('/healthz', 'https://shop.example', 'GET'), 'healthz');
none(preflight('/analytics/none', 'https://shop.example', 'GET'), 'a path that is not there');
none(request('OPTIONS', '/analytics/http-cors', ['Origin: https://shop.example']), 'OPTIONS without a method');
none(request('OPTIONS', '/analytics/http-cors', ['Access-Control-Request-Method: GET']), 'OPTIONS without an origin');
SKIP:
{
    skip 'another workspace of this service allows every origin', 8 if $open;
    for my $evil ('https://evil.example', 'https://shop.example.evil.example', 'https://evilshop.example', 'http://shop.example', 'https://shop.example:444', 'null', 'https://SHOP.example/x', 'x')
    {
        $r = preflight('/analytics/http-cors', $evil, 'GET');
        ok($r->{status} == 204 && !defined allowed($r), "D-69 not allowed: $evil") or diag $r->{raw};
    }
}

# The request itself: by the key's workspace.
sub ask { my ($origin, $query, @more) = @_; return request('GET', '/analytics/http-cors' . ($query // ''), [$key, $origin ? "Origin: $origin" : (), @more]) }
$r = ask('https://shop.example');
is_success($r, 'dashboard', 200, 'a request of an allowed origin');
is(allowed($r), 'https://shop.example', 'is readable by it');
is(header($r, 'Access-Control-Allow-Credentials'), 'true', 'with credentials');
is(header($r, 'Access-Control-Expose-Headers'), 'X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-API-Usage-Used, X-API-Usage-Limit, X-API-Usage-Remaining, X-Request-Id, X-Data-As-Of, Retry-After', 'D-69 exposed headers');
like(header($r, 'Vary'), qr/\bOrigin\b/, 'Vary: Origin');
for my $evil ('https://evil.example', 'null', 'https://shop.example.', "https://shop.example\xc3\xa4", 'https://shop.example, https://evil.example', '*', '')
{
    $r = ask($evil);
    is($r->{status}, 200, "'$evil' gets its answer");
    none($r, "'$evil' may not read it");
    like(header($r, 'Vary') // '', qr/\bOrigin\b/, "'$evil': Vary: Origin");
}
none(ask(''), 'no origin, no headers');
# Errors too, or the page could not tell what is wrong.
my @errors = (['?word=' . 'x' x 11, 400], ['?word=missing', 404], ['?word=later', 503], ['?word=broken', 500]);
for (@errors)
{
    my ($query, $status) = @$_;
    $r = ask('https://shop.example', $query);
    is_error($r, 'dashboard', $status, undef, "an error $status");
    is(allowed($r), 'https://shop.example', "is readable: $status");
    like(header($r, 'Vary') // '', qr/\bOrigin\b/, "$status: Vary: Origin");
    is(header($r, 'Access-Control-Expose-Headers') ? 1 : 0, 1, "$status: exposed headers");
}
is(allowed(request('GET', '/analytics/http-cors', ['Origin: https://shop.example'])), 'https://shop.example', '401 without a key is readable');
is(allowed(request('GET', '/analytics/http-cors/marked', [$key, 'Origin: https://shop.example'])), 'https://shop.example', 'a GET that writes is readable');
$r = request('POST', '/track/http-cors', ['Origin: https://shop.example'], 'x' x (8 * 1024 * 1024 + 1));
is_error($r, 'dashboard', 413, undef, 'a body too large');
none(request('GET', '/analytics/http-cors/closed', [$key, 'Origin: https://shop.example']), 'a route that is not for browsers elsewhere');
none(request('GET', '/healthz', ['Origin: https://shop.example']), 'healthz');
unlike(join("\n", map { ask($_)->{raw} } 'https://shop.example', '*', 'null'), qr/Allow-Origin: \*/, 'never "*"');

# A site's domain does too, and its key's workspace only.
my $two = workspace('two');
sql("SELECT leadanalytics.create_site(\$1, 'http-cors-site', '{two.example}')", $two);
my $second = 'Authorization: Bearer ' . key($two, 'sdk');
is(allowed(request('GET', '/analytics/http-cors', [$second, 'Origin: https://www.two.example'])), 'https://www.two.example', 'the domain of a site');
none(request('GET', '/analytics/http-cors', [$second, 'Origin: https://shop.example']), "another workspace's origin");
is(allowed(preflight('/analytics/http-cors', 'https://two.example', 'GET')), 'https://two.example', 'any workspace\'s origin in a preflight');
finish();
