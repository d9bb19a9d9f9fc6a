# Only what a route lists is bound, the last of repeated ones; no word or header of PostgREST's has a meaning.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
my @taken = qw(limit offset order select columns and or not on_conflict id);
functions('CREATE FUNCTION echo(' . join(', ', map { "\"$_\" text DEFAULT NULL" } @taken) . ') RETURNS json LANGUAGE sql AS $$ SELECT json_strip_nulls(json_build_object(' .
    join(', ', map { "'$_', \"$_\"" } @taken) . ')) $$; CREATE FUNCTION rows() RETURNS json LANGUAGE sql AS $$ SELECT \'[{"id":1},{"id":2},{"id":3}]\'::json $$;');
route('GET', '/analytics/http-parameters', 'echo', family => 'dashboard', params => [map { [$_] } @taken]);
route('POST', '/analytics/http-parameters', 'echo', family => 'dashboard', params => [map { [$_, 'body'] } @taken]);
route('GET', '/analytics/http-parameters/rows', 'rows', family => 'dashboard');

sub echo { my ($query, @headers) = @_; return request('GET', "/analytics/http-parameters?$query", [$key, @headers]) }
sub given { my ($query, $expect, $name) = @_; my $r = echo($query); is_deeply(json($r), $expect, $name // $query) or diag $r->{raw} }

# PostgREST's own words are plain parameters.
given("$_=eq.1", { $_ => 'eq.1' }, "$_ is a plain parameter") for @taken;
given('limit=5&offset=1&order=id.desc&select=id,name', { limit => 5, offset => 1, order => 'id.desc', select => 'id,name' });
given('and=(id.gt.1,id.lt.3)&or=(a.eq.1)&not=x', { and => '(id.gt.1,id.lt.3)', or => '(a.eq.1)', not => 'x' });

# Unknown ones are ignored, repeated ones: the last.
given('unknown=1&other.column=eq.1&utm_source=x', {});
given('id=1&id=2&id=3', { id => 3 });
given('id=1&id=', {}, 'the last, also when empty');
given('id=a%26b%3Dc&limit=%C3%BC+%2B', { id => 'a&b=c', limit => "\x{fc} +" }, 'decoded once');
given('id=%2541', { id => '%41' }, 'and only once');
given('&&id=1&=2&&', { id => 1 }, 'empty pairs');
given('ID=1&%69d=2', { id => 2 }, 'names are decoded, and case-sensitive');
given('id=1?id=2', { id => '1?id=2' }, 'a second question mark is data');
given('id=1;limit=2', { id => '1;limit=2' }, 'a semicolon is data');
given('id[]=1&id[0]=2', {}, 'brackets are other names');
is_deeply(json(request('POST', '/analytics/http-parameters?id=q', [$key], '{"id":"a","id":"b","x":{"id":"c"}}')), { id => 'b' }, 'the last member of a body, and not the query');

# Headers that PostgREST would obey.
my $rows = request('GET', '/analytics/http-parameters/rows', [$key]);
is($rows->{body}, '[{"id":1},{"id":2},{"id":3}]', 'three rows');
for my $header ('Prefer: count=exact', 'Prefer: return=minimal', 'Prefer: tx=rollback', 'Prefer: params=single-object', 'Prefer: handling=strict, nonsense=1',
    'Prefer: timezone=Nowhere/Else', 'Prefer: resolution=merge-duplicates', 'Range: 0-0', 'Range: bytes=0-4', 'Range-Unit: items', 'Accept: application/vnd.pgrst.object+json',
    'Accept: application/vnd.pgrst.plan+json', 'Accept: text/csv', 'Accept: text/html;q=1', 'Accept: application/openapi+json', 'Accept: nonsense', 'Accept-Profile: leadanalytics',
    'Content-Profile: pg_catalog', 'Accept-Charset: utf-16', 'Content-Type: application/vnd.pgrst.object+json', 'Content-Encoding: identity', 'Cookie: a=b', 'TE: trailers')
{
    my $r = request('GET', '/analytics/http-parameters/rows', [$key, $header]);
    is_success($r, 'dashboard', 200, "$header: answered as ever");
    is($r->{body}, $rows->{body}, "$header: changes nothing");
    $r = request('POST', '/analytics/http-parameters', [$key, $header], '{"id":"1"}');
    is($r->{body}, '{"id":"1"}', "$header: changes nothing of a POST") or diag $r->{raw};
}
# Whatever a body says it is, it is JSON: sendBeacon cannot say so.
for my $type ('text/plain', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', 'text/csv', 'application/octet-stream', 'APPLICATION/JSON', '', "b\xc3\xa4d", 'x' x 300)
{
    is(request('POST', '/analytics/http-parameters', [$key, "Content-Type: $type"], '{"id":"1"}')->{body}, '{"id":"1"}', "a body of type '" . substr($type, 0, 40) . "'");
}
# PostgREST's own paths are ours, and not there.
for my $path (qw(/rpc/handle_ro /rpc/handle_rw /rpc/overview /route /key /rpc /live /ready /metrics))
{
    is_error(request($_, $path, [$key]), 'plain', 404, 'Not found', "$_ $path") for qw(GET POST);
}
# At the root it describes its schema; ours takes forms.
for my $path ('/', '/?select=*')
{
    is_error(request('GET', $path, [$key]), 'dashboard', 405, 'Method not allowed', "GET $path");
    is_error(request('POST', $path, [$key]), 'dashboard', 400, 'Invalid request body', "POST $path");
}
finish();
