# The workspace, its plan and use, platforms and conversion rules over the wire (S5-13, S5-14, D-66, D-74).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(admin marketing capture sdk agent live tenant);
my $other_key = key($other, 'admin');
my $plan = slug('plan');
my @doors = (['PATCH', 'plan', '{"plan":"default"}'], ['POST', 'platforms', '[]'], ['PATCH', 'platforms/meta', '{"status":"active"}'], ['DELETE', 'platforms/meta'],
    ['GET', 'event-categories'], ['POST', 'event-categories', '[]'], ['POST', 'fx-rates', '[]'], ['GET', 'conversion-rules'], ['POST', 'conversion-rules', '[]'],
    ['PATCH', 'conversion-rules/x', '{}'], ['DELETE', 'conversion-rules/x']);

sub ask { my ($method, $path, $key, $body) = @_; return request($method, "/api/v1/$path", ['Authorization: Bearer ' . ($key // $key{admin})], $body) }
sub says { my ($r, $expect, $name) = @_; is("$r->{status} $r->{body}", $expect, $name) or diag $r->{raw} }

# S5-13
my $made = sql("SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM leadanalytics.workspaces WHERE id = $id");
sub profile { my ($platforms, $plan) = @_; return sprintf '200 {"id":"%1$s","name":"%1$s","domain":null,"timezone":"UTC","connected_platforms":[%2$s],"plan":"%3$s","created_at":"%4$s"}', slug(), $platforms, $plan // 'default', $made }
says(ask('GET', 'workspace', $key{$_}), profile(''), "S5-13 the whole body, $_") for qw(sdk agent admin);
sql(q{SELECT leadanalytics.set_rate_limit('public', NULL)});
for my $path (qw(workspace usage))
{
    my $r = ask('GET', $path, $key{agent});
    is(header($r, "X-RateLimit-$_->[0]"), $_->[1], "S5 $path: X-RateLimit-$_->[0]") for [ 'Limit', 100 ];
    ok(header($r, 'X-RateLimit-Remaining') < 100 && header($r, 'X-RateLimit-Reset') > time - 5, "S5 $path: the window");
    is_error(request('GET', "/api/v1/$path"), 'public', 401, undef, "S5 $path: no key");
    is_error(ask('GET', $path, 'dk_agent_wrong'), 'public', 401, undef, "S5 $path: a wrong key");
    is_error(ask('GET', $path, $key{$_}), 'public', 403, 'Forbidden', "D-67 $path $_") for qw(marketing capture live tenant);
    is_error(ask('PUT', $path, undef, '{}'), 'public', 405, undef, "S5 $path: PUT");
    is(request('HEAD', "/api/v1/$path", ["X-API-Key: $key{sdk}"])->{status}, 200, "S5 $path: HEAD, X-API-Key");
}

sql(q{SELECT leadanalytics.set_rate_limit('public', 0)});

# Doors are an administrator's.
for (@doors)
{
    my ($method, $path, $body) = @$_;
    is_error(ask($method, "workspace/$path", $key{$_}, $body), 'public', 403, 'Forbidden', "$method $path with a $_ key") for qw(sdk agent marketing);
    is_error(request($method, "/api/v1/workspace/$path", [], $body), 'public', 401, undef, "$method $path without a key");
}

# Platforms.
my $one = '200 {"accepted":1,"rejected":[]}';
says(ask('POST', 'workspace/platforms', undef, '{"provider":"meta"}'), $one, 'a platform is connected') for 1, 2;
says(ask('POST', 'workspace/platforms', undef, '[{"provider":"google-ads","status":"error"},{"provider":"A b"},{}]'),
    '200 {"accepted":1,"rejected":[{"index":1,"error":"Invalid provider"},{"index":2,"error":"provider is required"}]}', 'platforms, each taken by itself');
says(ask('GET', 'workspace'), profile('{"provider":"meta","status":"active"},{"provider":"google-ads","status":"error"}'), 'S5-13 connected_platforms');
says(ask('PATCH', 'workspace/platforms/google-ads', undef, '{"status":"active"}'), $one, 'the status of a connection');
says(ask('DELETE', 'workspace/platforms/meta'), '200 {"deleted":true}', 'a platform is disconnected');
says(ask('GET', 'workspace'), profile('{"provider":"google-ads","status":"active"}'), 'S5-13 after that');
is_error(ask('DELETE', 'workspace/platforms/meta'), 'public', 404, 'Platform not found', 'no such platform');
is_error(ask('PATCH', 'workspace/platforms/google-ads', undef, $_), 'public', 400, undef, "PATCH platform $_") for '{}', '{"status":"Not Good"}', '[', '{"status":7}';
is_error(ask('POST', 'workspace/platforms', undef, $_), 'public', 400, 'Invalid request body', "POST platforms $_") for '7', '"x"', '[' . join(',', ('{}') x 1001) . ']';
is_error(ask('PATCH', 'workspace/platforms/google-ads', $other_key, '{"status":"active"}'), 'public', 404, 'Platform not found', 'nobody else\'s platform');

# Rules, categories, rates.
my $rule = '{"name":"Käufe/1","trigger_event":"purchase","platform":"meta","platform_event":"Purchase","value_path":null,"active":true}';
says(ask('POST', 'workspace/conversion-rules', undef, $rule), $one, 'a rule') for 1, 2;
says(ask('GET', 'workspace/conversion-rules'), "200 [$rule]", 'the rules');
says(ask('GET', 'workspace/conversion-rules', $other_key), '200 []', 'nobody else\'s');
# Told to the platform's webhook: still in the outbox, or a delivery already (to a name that leads nowhere).
sql(q{SELECT leadanalytics.create_webhook($1, 'https://meta.invalid/', '{conversion.postback}', 'meta')}, $id);
sub told
{
    return sql(q{SELECT string_agg(concat_ws(' ', t.topic, t.body ->> 'platform', t.body ->> 'platform_event', t.body ->> 'value', t.body ->> 'visitor_id'), ',' ORDER BY t.body ->> 'timestamp')
                 FROM (SELECT topic, body FROM leadanalytics.outbox WHERE workspace = $1
                       UNION ALL SELECT topic, body::json -> 'data' FROM leadanalytics.delivery WHERE workspace = $1) AS t}, $id);
}
says(ask('POST', 'track', $key{sdk}, '{"events":[{"event_name":"purchase","visitor_id":"v","event_data":{"value":9.5}},{"event_name":"page_view"}]}'),
    '200 {"success":true,"accepted":2,"duplicates":0,"rejected":[]}', 'events');
is(told(), 'conversion.postback meta Purchase 9.5 v', 'D-74 the platform is told');
says(ask('PATCH', 'workspace/conversion-rules/K%C3%A4ufe%2F1', undef, '{"active":false}'), $one, 'a rule is turned off');
is(ask('POST', 'track', $key{sdk}, '{"event_name":"purchase"}')->{status}, 200, 'another event');
is(told(), 'conversion.postback meta Purchase 9.5 v', 'D-74 tells nothing more');
is_error(ask('PATCH', 'workspace/conversion-rules/K%C3%A4ufe%2F1', undef, $_->[0]), 'public', 400, $_->[1], "PATCH rule $_->[0]")
    for ['[]', 'Invalid request body'], ['{"active":1}', 'Invalid active'], ['{"platform":""}', 'Invalid platform'];
is_error(ask($_->[0], 'workspace/conversion-rules/none', undef, $_->[1]), 'public', 404, 'Conversion rule not found', "$_->[0] a rule that is none") for ['PATCH', '{}'], ['DELETE', undef];
says(ask('DELETE', 'workspace/conversion-rules/K%C3%A4ufe%2F1'), '200 {"deleted":true}', 'a rule is deleted');
says(ask('POST', 'workspace/event-categories', undef, '[{"event_name":"trial","category":"conversion"},{"event_name":"trial2","category":"9"}]'),
    '200 {"accepted":1,"rejected":[{"index":1,"error":"Invalid category"}]}', 'categories');
says(ask('GET', 'workspace/event-categories'), '200 [{"event_name":"trial","category":"conversion"}]', 'the categories');
says(ask('POST', 'workspace/fx-rates', undef, '[{"currency":"EUR","day":"2026-03-16","rate":1.09},{"currency":"EUR","day":"16.3.2026","rate":1}]'),
    '200 {"accepted":1,"rejected":[{"index":1,"error":"Invalid day"}]}', 'rates');

# S5-06
is_error(request('GET', '/api/v1/event-names'), 'public', 401, undef, 'S5-06 no key');
is_error(ask('GET', 'event-names', $key{tenant}), 'public', 403, 'Forbidden', 'S5-06 another role');
my $r = ask('GET', 'event-names', $key{sdk});
says($r, '200 {"events":[{"name":"purchase","category":"conversion","source":"web"},{"name":"page_view","category":"web","source":"web"}],"integrations":[]}', 'S5-06 the whole body');
like(header($r, 'X-Data-As-Of') // '', qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'D-46 X-Data-As-Of');
is(ask('POST', 'track', $key{admin}, '[]')->{status}, 400, 'a body that is no object');
is(ask('POST', 'track', $key{admin}, '{"events":[{"event_name":"payment_intent.succeeded","source":"stripe-webhooks"},{"event_name":"trial"},{"event_name":"old","timestamp":"2025-01-01T00:00:00Z"},{"event_name":"<\"é"}]}')->{status}, 200, 'more events');
ask('POST', 'workspace/platforms', undef, '{"provider":"stripe"}');
says(ask('GET', 'event-names?days=1&limit=1'), '200 {"events":[{"name":"purchase","category":"conversion","source":"web"},{"name":"<\"é","category":"custom","source":"web"},{"name":"page_view","category":"web","source":"web"},'
    . '{"name":"payment_intent.succeeded","category":"payment","source":"stripe-webhooks"},{"name":"trial","category":"conversion","source":"web"}],"integrations":["stripe"]}', 'S5-06 categories and integrations; nothing older');
says(ask('GET', 'event-names', $other_key), '200 {"events":[],"integrations":[]}', 'S5-06 of another workspace');

# S5-14
my ($start, $end) = split ' ', sql(q{SELECT leadanalytics.utc_seconds(m), leadanalytics.utc_seconds(m + interval '1 month' - interval '1 second') FROM date_trunc('month', now(), 'UTC') AS m}) =~ s/\|/ /r;
sub usage { my ($events, $limit, $plan, $postbacks) = @_; return sprintf '200 {"events_used":%s,"events_limit":%s,"postbacks_used":0,"postbacks_limit":%s,"period_start":"%s","period_end":"%s","plan":"%s"}', $events, $limit, $postbacks // 9007199254740991, $start, $end, $plan // 'default' }
says(ask('GET', 'usage', $key{$_}), usage(7, 9007199254740991), "S5-14 the whole body, $_: no limit") for qw(sdk agent admin);
sql(q{SELECT leadanalytics.create_plan($1, 100000, 5000)}, $plan);
says(ask('PATCH', 'workspace/plan', undef, qq({"plan":"$plan"})), $one, 'a plan is given');
says(ask('GET', 'usage'), usage(7, 100000, $plan, 5000), 'S5-14 limits of the plan');
like(ask('GET', 'workspace')->{body}, qr/"plan":"\Q$plan\E"/, 'S5-13 plan');
says(ask('PATCH', 'workspace/plan', undef, qq({"plan":"$plan","events_limit":7,"postbacks_limit":0})), $one, 'and limits of its own');
says(ask('GET', 'usage'), usage(7, 7, $plan, 0), 'S5-14 limits of its own');
is_error(ask('PATCH', 'workspace/plan', undef, '{"plan":"none"}'), 'public', 404, 'Plan not found', 'no such plan');
is_error(ask('PATCH', 'workspace/plan', undef, $_), 'public', 400, undef, "PATCH plan $_") for '{}', '[]', '{"plan":""}', qq({"plan":"$plan","events_limit":-1}), qq({"plan":"$plan","events_limit":"x"});

# 403: a feature outside the plan, after the role and before everything else (D-66).
functions(q{CREATE FUNCTION echo(n int) RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('n', n) $$});
my $path = family_path('public', 'http-workspace');
route('GET', $path, 'echo', family => 'public', roles => '{sdk}', feature => 'http_workspace', params => [ [ 'n', 'query', 'int', required => 'true' ] ]);
sub get { my ($key, $query) = @_; return request('GET', $path . ($query // '?n=1'), ["Authorization: Bearer $key"]) }
says(get($key{sdk}), '200 {"n":1}', 'a plan with all features');
sql(q{SELECT leadanalytics.create_plan($1, features => '{}')}, $plan);
is_error(get($key{$_}), 'public', 403, 'Feature not available on your plan', "S5 403 of the plan, $_: with the next request") for qw(sdk admin);
is_error(get($key{agent}), 'public', 403, 'Forbidden', 'D-66 the role is looked at before the plan');
is_error(get($key{sdk}, '?n=x'), 'public', 403, 'Feature not available on your plan', 'D-66 the plan before the parameters');
is(get(key($other, 'sdk'))->{status}, 200, 'another workspace has its own plan');
my $short = sql('SELECT leadanalytics.create_key($1, $2, per_minute => 1)', $id, 'sdk');
is_error(get($short), 'public', 403, 'Feature not available on your plan', 'D-66 the plan before the limit') for 1 .. 3;
is(ask('GET', $_)->{status}, 200, "every plan opens /$_") for qw(workspace usage);
sql(q{SELECT leadanalytics.create_plan($1, features => '{http_workspace}')}, $plan);
is(get($key{sdk})->{status}, 200, 'a plan with the feature');
like(json(request('GET', '/openapi.json'))->{paths}{$path}{get}{responses}{403}{description}, qr/plan does not have the feature http_workspace/, 'OpenAPI tells the feature');

# Over the limit: taken, unless leadanalytics.enforce_limits says otherwise.
sub post { return ask('POST', 'track', $key{sdk}, '{"event_name":"page_view"}') }
ask('PATCH', 'workspace/plan', undef, qq({"plan":"$plan","events_limit":4}));
is(post()->{status}, 200, 'D-74 overage is taken') for 1 .. 3;
says(ask('GET', 'usage'), usage(10, 4, $plan), 'D-74 and counted');
sql(q{ALTER SYSTEM SET leadanalytics.enforce_limits = on});
sql(q{SELECT pg_reload_conf()});
for (1 .. 100) { $r = post(); last if $r->{status} == 429; select undef, undef, undef, 0.1 }
is_error($r, 'public', 429, 'Event limit of your plan reached', 'D-74 enforced: 429');
my $wait = header($r, 'Retry-After') // 0;
ok($wait >= 1 && $wait <= 3600, "with Retry-After: $wait");
is(request('POST', '/api/v1/track', ["Authorization: Bearer $other_key"], '{"event_name":"page_view"}')->{status}, 200, 'others go on');
is(ask('GET', 'usage')->{status}, 200, 'and questions');
ask('PATCH', 'workspace/plan', undef, qq({"plan":"$plan","events_limit":1000}));
is(post()->{status}, 200, 'a raised limit holds at once');
sql(q{ALTER SYSTEM RESET leadanalytics.enforce_limits});
sql(q{SELECT pg_reload_conf()});

sql('SELECT leadanalytics.set_plan($1, NULL)', $id);
sql('SELECT leadanalytics.drop_plan($1)', $plan);
finish();
