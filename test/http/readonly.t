# A GET cannot write, unless its route says so; then it runs on the writing side.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
functions(<<'SQL');
CREATE TABLE line (said text);
GRANT ALL ON line TO leadanalytics_owner;
CREATE FUNCTION note(said text) RETURNS json LANGUAGE sql AS $$
    INSERT INTO http_readonly.line VALUES (said);
    SELECT json_build_object('said', said, 'read_only', current_setting('transaction_read_only'))
$$;
CREATE FUNCTION look() RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('read_only', current_setting('transaction_read_only')) $$;
CREATE FUNCTION accel(word text) RETURNS leadanalytics.reply LANGUAGE sql AS $$ SELECT leadanalytics.reply(200, json_build_object(word, '@rw')) $$;
CREATE FUNCTION late(said text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN INSERT INTO http_readonly.late VALUES (said); RETURN '{}'; END $$;
CREATE TABLE parent (id text PRIMARY KEY);
CREATE TABLE late (id text REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
GRANT ALL ON parent, late TO leadanalytics_owner;
SQL
my @said = (params => [['said', 'query', 'text', required => 1]]);
route('GET', '/v1/http-readonly/plain', 'note', family => 'engagement', @said);
route('GET', '/v1/http-readonly/marked', 'note', family => 'engagement', writes => 1, @said);
route($_, '/v1/http-readonly/plain', 'note', family => 'engagement', @said) for qw(POST PUT PATCH DELETE);
route($_, '/v1/http-readonly/look', 'look', family => 'engagement') for qw(GET POST);
route('GET', '/v1/http-readonly/marked-look', 'look', family => 'engagement', writes => 1);
route('GET', '/v1/http-readonly/accel', 'accel', family => 'engagement', params => [['word']]);
route('POST', '/v1/http-readonly/late', 'late', family => 'engagement', @said);
sub lines { return join ' ', split /\n/, sql('SELECT said FROM http_readonly.line ORDER BY said') }

is_error(request('GET', '/v1/http-readonly/plain?said=a', [$key]), 'engagement', 500, 'Internal server error', 'a GET that writes without the mark');
is(lines(), '', 'nothing written');
is(request('HEAD', '/v1/http-readonly/plain?said=a', [$key])->{status}, 500, 'its HEAD');
is_deeply(is_success(request('GET', '/v1/http-readonly/look', [$key]), 'engagement', 200, 'a GET that reads'), { read_only => 'on' }, 'is read-only');
is_deeply(is_success(request('POST', '/v1/http-readonly/look', [$key]), 'engagement', 200, 'a POST'), { read_only => 'off' }, 'is not');

is_deeply(is_success(request('GET', '/v1/http-readonly/marked?said=b', [$key]), 'engagement', 200, 'a marked GET'),
    { said => 'b', read_only => 'off' }, 'runs on the writing side, with its parameters');
is(lines(), 'b', 'and writes, once');
my $r = request('HEAD', '/v1/http-readonly/marked?said=c', [$key]);
is("$r->{status} $r->{body}", '200 ', 'its HEAD answers');
is(lines(), 'b', 'and writes nothing');
is_error(request('GET', '/v1/http-readonly/marked?said=d'), 'engagement', 401, undef, 'a marked GET without a key');
is_error(request('GET', '/v1/http-readonly/marked', [$key]), 'engagement', 422, undef, 'a marked GET without its parameter');
is(request('OPTIONS', '/v1/http-readonly/marked?said=e', [$key])->{status}, 204, 'its OPTIONS');
$r = request('GET', '/v1/http-readonly/marked?said=' . 'x' x 8000, [$key, 'X-Request-Id: long-1'], '{"a":1}');
is_success($r, 'engagement', 200, 'a marked GET with a long URI and a body');
is(header($r, 'X-Request-Id'), 'long-1', 'keeps its request id');
is(request($_, '/v1/http-readonly/plain?said=f', [$key])->{status}, 200, "$_ writes") for qw(POST PUT PATCH DELETE);
is(sql("SELECT count(*) FROM http_readonly.line WHERE said = 'f'"), 4, 'each once');

# X-Accel-Redirect is the door's word only.
for my $target ('@rw', '/.leadanalytics/500', '/v1/http-readonly/plain?said=g')
{
    is_deeply(is_success(request('GET', '/v1/http-readonly/look', [$key, "X-Accel-Redirect: $target"]), 'engagement', 200, "a client's X-Accel-Redirect: $target"),
        { read_only => 'on' }, 'has no effect');
}
is_error(request('GET', "/v1/http-readonly/accel?word=$_", [$key]), 'engagement', 500, undef, "a function cannot send $_")
    for qw(X-Accel-Redirect x-accel-redirect X-Accel-Buffering X-Accel-Expires X-LA X-LA-Body Content-Length Transfer-Encoding Connection Set-Cookie Server);
is_error(request($_, '/.leadanalytics/500', [$key]), 'plain', 404, undef, "nginx's own places are not for clients: $_") for qw(GET POST);
is_error(request('GET', '/@rw', [$key]), 'plain', 404, undef, 'nor is @rw');

# What only fails at the end of the transaction fails as everything else.
is_error(request('POST', '/v1/http-readonly/late?said=x', [$key]), 'engagement', 500, 'Internal server error', 'a deferred constraint');
is(sql('SELECT count(*) FROM http_readonly.late'), 0, 'nothing written');
finish();
