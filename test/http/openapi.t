# /openapi.json: valid by somebody else's validator, and the whole interface.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use File::Basename 'dirname';
use JSON::PP ();
use Test::More;

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');

# A route that uses everything a row can say.
functions(<<'SQL');
CREATE FUNCTION every(id int, word text DEFAULT 'it''s "x"', n int DEFAULT 20, big bigint DEFAULT 9007199254740993, num float8 DEFAULT 1.5, flag boolean DEFAULT true, day date DEFAULT '2026-01-02',
    moment timestamptz DEFAULT NULL, u uuid DEFAULT NULL, ip inet DEFAULT NULL, tree json DEFAULT '{"a":[1]}', today date DEFAULT current_date) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('today', today, 'n', n) $$;
CREATE FUNCTION whole(document json) RETURNS json LANGUAGE sql AS $$ SELECT document $$;
SQL
my @all = (['word', 'text', min => 1, max => 5, choices => '{a,b}', example => 'a', summary => 'a "word"'], ['n', 'int', min => 1, max => 100, lenient => 1], ['big', 'bigint'], ['num', 'number', min => 0.5],
    ['flag', 'boolean', example => 'true'], ['day', 'date', example => '2026-01-02'], ['moment', 'timestamp'], ['u', 'uuid'], ['ip', 'ip'], ['tree', 'json', example => '{"b":null}'], ['today', 'date']);
for my $method (qw(GET POST))
{
    route($method, '/v1/http-openapi/:id', 'every', family => 'engagement', roles => '{live}', success => 201, message => 'm', example => '{"x":null}',
        params => [['id', 'path', 'int', required => 1, example => 7], map { my ($n, $t, @r) = @$_; [$n, $method eq 'GET' ? 'query' : 'body', $t, @r] } @all]);
}
route('PUT', '/api/v1/workspaces/:w/http-openapi', 'whole', family => 'campaigns', params => [['w', 'path', 'workspace'], ['document', 'document', 'json', required => 1, example => '[1]']]);

my $r = request('GET', '/openapi.json');
my $document = is_success($r, 'plain', 200, 'served, without a key');
is($document->{openapi}, '3.1.0', 'OpenAPI 3.1');
is_success(request('GET', '/openapi.json', [$key]), 'plain', 200, 'served with a key');

# Each route once, and nothing else.
my @methods = qw(get put post delete options head patch trace);
my @named = sort map { my $path = $_; map { uc . " $path" } grep { $document->{paths}{$path}{$_} } @methods } keys %{ $document->{paths} };
my @rows = sort split /\n/, sql("SELECT method || ' ' || leadanalytics.openapi_path(path) FROM leadanalytics.route");
is_deeply(\@named, \@rows, 'names every route, once');
my @texts = $r->{body} =~ /"operationId":"([^"]*)"/g;
is(scalar(@texts), scalar(@rows), 'as many operations in the text: no path twice');
is(scalar(keys %{ { map { $_ => 1 } @texts } }), scalar(@texts), 'operation ids differ');

# Every parameter and every path's variable.
for my $path (keys %{ $document->{paths} })
{
    for my $method (grep { $document->{paths}{$path}{$_} } @methods)
    {
        my $operation = $document->{paths}{$path}{$method};
        my @variables = sort $path =~ /\{(\w+)\}/g;
        my @described = sort map { $_->{name} } grep { $_->{in} eq 'path' } @{ $operation->{parameters} || [] };
        is("@described", "@variables", uc($method) . " $path: its variables are described");
    }
}

# Nothing is named that is not there.
for my $operation (@named)
{
    my ($method, $path) = split / /, $operation;
    $path =~ s/\{(\w+)\}/1/g;
    my $r = request($method, $path, [$key], $method eq 'GET' ? undef : '{}');
    my $body = json($r);
    my $said = ref $body eq 'HASH' ? (ref $body->{error} ? $body->{error}{message} : $body->{error} // $body->{message}) : undef;
    ok(!($r->{status} == 404 && ($said // '') eq 'Not found') && $r->{status} != 405 && $r->{status} < 500, "$operation is there") or diag $r->{raw};
}
is(request('GET', '/v1/http-openapi-not', [$key])->{status}, 404, 'control: what is not there is 404');

# What the row says, the document says.
my %get = map { $_->{name} => $_ } @{ $document->{paths}{'/v1/http-openapi/{id}'}{get}{parameters} };
is_deeply($get{word}, { name => 'word', in => 'query', required => JSON::PP::false(), description => 'a "word"', example => 'a',
    schema => { type => 'string', minLength => 1, maxLength => 5, enum => ['a', 'b'], default => 'it\'s "x"' } }, 'a text') or diag explain $get{word};
is_deeply($get{n}{schema}, { type => 'integer', format => 'int32', minimum => 1, maximum => 100, default => 20 }, 'an int') or diag explain $get{n};
is_deeply($get{day}{schema}, { type => 'string', format => 'date', default => '2026-01-02' }, 'a date');
ok(!exists $get{today}{schema}{default}, 'a default that changes is none') or diag explain $get{today};
is(json(request('GET', '/v1/http-openapi/1?word=a', [$key]))->{data}{today}, sql('SELECT current_date'), 'but it is what an absent parameter means');
is_deeply($document->{paths}{'/v1/http-openapi/{id}'}{get}{responses}{201}{content}{'application/json'}{example}{data}, { x => undef }, 'an example keeps its nulls');

# What an answer is like, from its example.
my $ads = $document->{paths}{'/api/v1/ads'}{get};
my $schema = $ads->{responses}{200}{content}{'application/json'}{schema};
is_deeply($schema->{required}, [qw(data platforms_connected total_spend total_revenue overall_roas)], 'members of an answer');
is_deeply($schema->{properties}{data}{items}{properties}{spend}, { type => ['number', 'null'] }, 'a number, which may be null');
is_deeply($schema->{properties}{platforms_connected}, { type => 'array', items => { type => ['string', 'null'] } }, 'an array of texts');
is_deeply($document->{paths}{'/v1/http-openapi/{id}'}{get}{responses}{201}{content}{'application/json'}{schema}{properties}{data}, { type => 'object', required => ['x'], properties => { x => {} } }, 'an example in its family\'s envelope');
my $overview = $document->{paths}{'/api/v1/overview'}{get}{responses}{200}{content}{'application/json'}{schema}{properties}{custom_event_counts};
is_deeply([@$overview{qw(required additionalProperties)}], [undef, { type => ['number', 'null'] }], 'members that are data') or diag explain $overview;
my $best = $document->{paths}{'/api/v1/workspaces/{workspaceId}/analytics/engagement-heatmap'}{get}{responses}{200}{content}{'application/json'}{schema}{properties}{data};
is_deeply([$best->{properties}{optimal_send_time}{type}, (grep { $_ eq 'optimal_send_time' } @{ $best->{required} })], [['object', 'null'], 'optimal_send_time'], 'an object that may be null') or diag explain $best;
my $merged = json_of(sql(q(SELECT leadanalytics.openapi_shape(ARRAY['{"l": [{"a": 1, "b": "x"}, {"a": null}, [true]], "n": null}'::json], '', '{}'))));
is_deeply($merged, { type => 'object', required => ['l', 'n'], properties => { n => {}, l => { type => 'array', items => { type => ['array', 'object'], items => { type => ['boolean', 'null'] },
    required => ['a'], properties => { a => { type => ['number', 'null'] }, b => { type => ['string', 'null'] } } } } } }, 'elements that differ') or diag explain $merged;
sub json_of { return JSON::PP->new->decode($_[0]) }

# Who may, and what each answer carries.
is_deeply($ads->{security}, [{ bearer => [qw(sdk agent admin)] }, { apiKey => [qw(sdk agent admin)] }], 'roles');
is_deeply($document->{paths}{'/healthz'}{get}{security}, [], 'no key');
like($ads->{responses}{403}{description}, qr/plan/, 'S5 a feature that the plan does not have');
{
    sql(q(SELECT leadanalytics.set_rate_limit(class, 9) FROM leadanalytics.rate_limits WHERE class = 'public'));
    my $limited = json(request('GET', '/openapi.json'))->{paths}{'/api/v1/ads'}{get}{responses};
    my @wanted = qw(X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset X-Request-Id);
    is_deeply([sort keys %{ $limited->{$_}{headers} }], [sort @wanted, $_ == 429 ? 'Retry-After' : ()], "S5 headers of $_") or diag explain $limited->{$_} for 200, 401, 403, 429;
    sql(q(SELECT leadanalytics.set_rate_limit(class, 0) FROM leadanalytics.rate_limits WHERE class = 'public'));
    ok(!exists json(request('GET', '/openapi.json'))->{paths}{'/api/v1/ads'}{get}{responses}{429}, 'without a limit no 429');
}

SKIP:
{
    my $dir = dirname(__FILE__);
    my $validator = "$dir/node_modules/.bin/validate-api";
    system("cd '$dir' && npm ci --no-audit --no-fund --ignore-scripts >/dev/null 2>&1") unless -x $validator;
    BAIL_OUT("the validator cannot be installed: npm ci in $dir") unless -x $validator;
    my $validate = sub {
        my $file = "/tmp/leadanalytics-openapi.$$.json";
        open my $out, '>', $file or die "$file: $!";
        print $out $_[0];
        close $out;
        my $said = `'$validator' '$file' 2>&1`;
        my $good = $? == 0;
        unlink $file;
        return ($good, $said);
    };
    my ($good, $said) = $validate->($r->{body});
    ok($good, 'valid') or diag $said;
    for my $broken ($r->{body} =~ s/"info"/"infos"/r, $r->{body} =~ s/"in":"query"/"in":"nowhere"/r, $r->{body} =~ s/"responses":\{/"responses":{"x":1,/r)
    {
        ($good, $said) = $validate->($broken);
        ok(!$good, 'control: the validator sees a fault');
    }
}
finish();
