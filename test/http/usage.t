# Requests of a month (S2-03): X-API-Usage-Used, -Limit and -Remaining on every answer of the engagement family to a valid
# key. What a crash and a standby do to them is in test/fault/limits.t.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;
use Time::HiRes 'sleep';

my $id = workspace();
my $other = workspace('other');
my %text = map { $_ => key($id, $_) } qw(live admin sdk);
my %key = map { $_ => "X-API-Key: $text{$_}" } keys %text;
my $foreign = 'X-API-Key: ' . key($other, 'live');
my $plan = slug('plan');

functions(q{
    CREATE FUNCTION echo(n int) RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('n', n) $$;
    CREATE FUNCTION fails() RETURNS json LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN 1 / 0; END $$;
    CREATE FUNCTION seen() RETURNS json LANGUAGE sql AS $$ SELECT '{}'::json $$;
    CREATE FUNCTION claims() RETURNS leadanalytics.reply LANGUAGE sql AS $$ SELECT leadanalytics.reply(200, '{"X-API-Usage-Used": "7"}') $$;
});
route('GET', '/v1/http-usage', 'echo', family => 'engagement', roles => '{live,sandbox}', cors => 'true', params => [[ 'n', 'query', 'int', required => 'true' ]]);
route('POST', '/v1/http-usage', 'echo', family => 'engagement', roles => '{live,sandbox}', idempotent => 'true', params => [[ 'n', 'body', 'int', required => 'true' ]]);
route('GET', '/v1/http-usage/fails', 'fails', family => 'engagement', roles => '{live}');
route('GET', '/v1/http-usage/seen', 'seen', family => 'engagement', roles => '{live}', writes => 'true');
route('GET', '/v1/http-usage/open', 'seen', family => 'engagement', roles => '{public,live}');
route('GET', '/v1/http-usage/claims', 'claims', family => 'engagement', roles => '{live}');
route('GET', '/analytics/http-usage', 'echo', family => 'dashboard', roles => '{live}', params => [[ 'n', 'query', 'int' ]]);

sub get { my ($path, $key, @more) = @_; return request('GET', "/v1/http-usage$path", [$key // $key{live}, @more]) }
sub said { my ($r) = @_; return join ' ', $r->{status}, map { header($r, "X-API-Usage-$_") // '-' } qw(Used Limit Remaining) }
sub usage { my ($workspace, @at) = @_; return sql('SELECT used, "limit", remaining FROM leadanalytics.api_usage($1, coalesce($2::timestamptz, now()))', $workspace, @at ? @at : undef) =~ tr/|/ /r }

# Every answer, whatever it says.
is(said(get('?n=1')), '200 1 999999 999998', 'S2-03 the default plan has 999 999 requests a month');
is(said(get('')), '422 2 999999 999997', 'S2-03 on a 422');
is(said(get('/nowhere')), '404 3 999999 999996', 'S2-03 on a 404');
is(said(request('PATCH', '/v1/http-usage', [$key{live}])), '405 4 999999 999995', 'S2-03 on a 405');
is(said(get('?n=1', $key{sdk})), '403 5 999999 999994', 'S2-03 on a 403');
is(said(get('/fails')), '500 6 999999 999993', 'S2-03 on a 500');
is(said(request('HEAD', '/v1/http-usage?n=1', [$key{live}])), '200 7 999999 999992', 'S2-03 HEAD');
is(said(get('/seen')), '200 8 999999 999991', 'S2-03 a GET that writes counts once');
is(said(request('POST', '/v1/http-usage', [$key{live}, 'Idempotency-Key: a'], '{"n":1}')), "200 $_ 999999 " . (999999 - $_), 'S2-03 POST, and again the same') for 9, 10;
is(said(get('?n=1', $key{admin})), '200 11 999999 999988', 'S2-03 an admin key uses its workspace\'s, too');
is(said(get('?n=1', "Authorization: Bearer $text{live}")), '200 12 999999 999987', 'S2-03 either header');
is(said(get('/claims')), '500 13 999999 999986', 'S2-03 no function can say otherwise');
is(said(get('?n=1', 'X-API-Key: wrong')), '401 - - -', 'S2-03 nothing without a valid key: a wrong one');
is(said(get('?n=1', 'X-Nothing: 1')), '401 - - -', 'S2-03 nothing without a key');
is(said(get('/open', 'X-Nothing: 1')), '200 - - -', 'S2-03 nothing on a public route without a key');
is(said(request('GET', '/analytics/http-usage', [$key{live}])), '200 - - -', 'S2-03 nothing in another family');
is(said(get('/open')), '200 14 999999 999985', 'S2-03 a public route with a key');

# CORS tells a page's script that it may read them; OpenAPI that they are there.
my $r = get('?n=1', undef, 'Origin: https://shop.example');
like(header($r, 'Access-Control-Expose-Headers') // '', qr/X-API-Usage-Used, X-API-Usage-Limit, X-API-Usage-Remaining/, 'S2-03 D-69 they are exposed');
my $document = json(request('GET', '/openapi.json'));
for my $name (qw(Used Limit Remaining))
{
    is($document->{paths}{'/v1/http-usage'}{get}{responses}{$_}{headers}{"X-API-Usage-$name"}{'$ref'}, "#/components/headers/X-API-Usage-$name", "S2-03 OpenAPI: -$name of $_") for 200, 422, 429;
    ok($document->{components}{headers}{"X-API-Usage-$name"}{schema}, "S2-03 OpenAPI: -$name is described");
}
ok(!exists $document->{paths}{'/analytics/http-usage'}{get}{responses}{200}{headers}{'X-API-Usage-Used'}, 'S2-03 OpenAPI: not in another family');

# A workspace has its own, and so has its sandbox.
is(said(get('?n=1', $foreign)), '200 1 999999 999998', 'S2-03 another workspace counts for itself');
my $sandbox = 'X-API-Key: ' . key($id, 'sandbox');
is(said(get('?n=1', $sandbox)), '200 1 999999 999998', 'S2-03 S2-04 a sandbox counts for itself');
is(said(get('?n=1')), '200 16 999999 999983', 'S2-03 and not for its workspace');
is(usage($id), '16 999999 999983', 'S2-03 leadanalytics.api_usage()');
is(usage($id, '2026-01-15'), '0 999999 999999', 'S2-03 of another month');

# What is counted is saved, once.
sub saved { return sql(q{SELECT coalesce(sum(requests), 0) FROM leadanalytics.usage_month WHERE workspace = $1 AND month = date_trunc('month', now() AT TIME ZONE 'UTC')}, $id) }
sql('SELECT leadanalytics.save_requests(now())');
is(saved(), 16, 'S2-03 saved');
sql('SELECT leadanalytics.save_requests(now())');
is(saved(), 16, 'S2-03 and not twice');
is(usage($id), '16 999999 999983', 'S2-03 saving changes nothing');
sql('BEGIN; SELECT leadanalytics.save_requests(now()); ROLLBACK') for 1, 2;
is(said(get('?n=1')), '200 17 999999 999982', 'S2-03 nor does a transaction that is undone');
sql('BEGIN; SELECT leadanalytics.save_requests(now()); ROLLBACK');
is(usage($id), '17 999999 999982', 'S2-03 with something to save, too');
for (1 .. 300) { last if saved() == 17; sleep 0.1 }
is(saved(), 17, 'S2-03 the worker saves');
get('?n=1') for 1 .. 3;
sql('BEGIN; SAVEPOINT a; SELECT leadanalytics.save_requests(now()); ROLLBACK TO a; SAVEPOINT b; SAVEPOINT c; SELECT leadanalytics.save_requests(now()); RELEASE b; SELECT leadanalytics.save_requests(now()); COMMIT');
is(saved() . ' ' . usage($id), '20 20 999999 999979', 'S2-03 undone in a savepoint, and saved in another');

# At the same time: none is lost.
my @pids = map { my $pid = fork // die; if (!$pid) { get('?n=1') for 1 .. 50; exec 'true' } $pid } 1 .. 4;
for my $n (1 .. 20) { sql('SELECT leadanalytics.save_requests(now())'); }
waitpid $_, 0 for @pids;
is(said(get('?n=1')), '200 221 999999 999778', 'S2-03 200 of four clients, saved meanwhile: each counts once');

# Plans, and what is over them.
sql('SELECT leadanalytics.create_plan($1, api_limit => 223), leadanalytics.set_plan($2, $1)', $plan, $id);
is(said(get('?n=1')), '200 222 223 1', 'S2-03 a plan\'s limit, with the next request');
is(said(get('?n=1')), '200 223 223 0', 'S2-03 the last one');
is(said(get('?n=1')), "200 $_ 223 0", 'S2-03 more are answered') for 224, 225;
sql('ALTER SYSTEM SET leadanalytics.enforce_limits = on');
sql('SELECT pg_reload_conf()');
for (1 .. 100) { $r = get('?n=1'); last if $r->{status} == 429; sleep 0.1 }
is_error($r, 'engagement', 429, 'Request limit of your plan reached', 'S2-03 with leadanalytics.enforce_limits');
my ($used) = usage($id) =~ /^(\d+)/;
is(said(get('?n=1')), "429 $used 223 0", 'S2-03 what is refused is not used');
my $left = sql(q{SELECT ceil(extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month' - now() AT TIME ZONE 'UTC'))});
my $wait = header($r, 'Retry-After') // 0;
ok($wait >= $left && $wait <= $left + 60, "S2-03 Retry-After: until the month ends, $wait s");
is(said(get('?n=1', $key{sdk})), "403 $used 223 0", 'D-66 the role is looked at before');
is(said(get('')), "429 $used 223 0", 'D-66 the parameters after');
is(get('?n=1', $foreign)->{status}, 200, 'S2-03 others go on');
is(request('GET', '/analytics/http-usage', [$key{live}])->{status}, 200, 'S2-03 other families, too');
sql('SELECT leadanalytics.create_plan($1, api_limit => $2)', $plan, $used + 1);
is(said(get('?n=1')), '200 ' . ($used + 1) . ' ' . ($used + 1) . ' 0', 'S2-03 a raised limit holds at once');
is(get('?n=1')->{status}, 429, 'S2-03 and is one');
sql('ALTER SYSTEM RESET leadanalytics.enforce_limits');
sql('SELECT pg_reload_conf()');
like(eval { sql('SELECT leadanalytics.create_plan($1, api_limit => $2)', $plan, $_) } // $@, qr/invalid name or limit/, 'S2-03 a limit is a number from 0') for -1, undef;
like(eval { sql('SELECT leadanalytics.api_usage(-1)') } // $@, qr/Workspace not found/, 'S2-03 of nobody');

sql('SELECT leadanalytics.set_plan($1, NULL), leadanalytics.drop_plan($2)', $id, $plan);
finish();
