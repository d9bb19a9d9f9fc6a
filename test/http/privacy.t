# One person's data over the wire: handed out, erased, made anonymous (CONTRACT section 0, D-60, D-73).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;
use Until;

Door::lift_limits();
my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(admin sdk agent marketing live);
my $strange = key($other, 'admin');
sub ask { my ($method, $uri, $key) = @_; return request($method, "/api/v1/users/$uri", ['Authorization: Bearer ' . ($key // $key{admin})], $method eq 'GET' ? () : '') }

my $agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0';
sub events { my ($workspace) = @_; return sql('SELECT leadanalytics.track($1, $2, client_ip => $3, user_agent => $4, now => $5) ->> \'accepted\'', $workspace, <<'EVENTS', '192.0.2.44', $agent, '2026-03-17T00:00:00Z') }
{"events":[{"event_name":"pageview","visitor_id":"v_priv","session_id":"s_priv","timestamp":"2026-03-16T14:00:12Z","event_data":{"url":"https://a.example/?mail=ann%40priv.example"}},
{"event_name":"purchase","visitor_id":"v_priv","session_id":"s_priv","timestamp":"2026-03-16T14:03:45Z","event_data":{"value":99,"note":"for Ann"}},
{"event_name":"$identify","visitor_id":"v_priv","user_id":"u/1 ü","email":"Ann@Priv.example","session_id":"s_priv","timestamp":"2026-03-16T14:05:42Z"},
{"event_name":"pageview","visitor_id":"v_bob","timestamp":"2026-03-16T15:00:00Z","event_data":{"url":"https://a.example/"}}]}
EVENTS
is(events($_), 4, 'events') for $id, $other;
is(request('POST', '/lead.capture', ["Authorization: Bearer $key{admin}", 'Content-Type: application/json', 'Accept: application/json', 'Idempotency-Key: priv-1'],
    '{"FIRSTNAME":"Ann","EMAIL":"ann@priv.example","__visitor_id":"v_priv"}')->{status}, 200, 'a lead');
is(request('PUT', '/v1/leads/crm-ann-77', ["Authorization: Bearer $key{admin}", 'Content-Type: application/json', 'Idempotency-Key: priv-2'], '{"email":"ann@priv.example","name":"Ann"}')->{status} < 300, 1, 'a lead of another system');
sub left { return sql(q{SELECT concat_ws(' ', (SELECT count(*) FROM leadanalytics.event WHERE workspace = $1), (SELECT count(*) FROM leadanalytics.session WHERE workspace = $1), (SELECT count(*) FROM leadanalytics.lead WHERE workspace = $1), (SELECT count(*) FROM leadanalytics.delivery WHERE workspace = $1))}, $_[0]) }
# what was told, and waits for nobody
sql(q{INSERT INTO leadanalytics.webhook (workspace, key, url, topics, secret, active, created_at) VALUES ($1, 'whk_gone', 'https://crm.example/', '{lead.captured}', 's', false, now())}, $id);
sql(q{INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, status, next_at, created_at, ended_at)
      SELECT $1, 'whk_gone', 'evt_gone', 'lead.captured', json_build_object('data', json_build_object('identity', json_build_object('visitor_id', 'v_priv'))), 'dead', now(), now(), now()}, $id);
is(left($id), '4 2 2 1', 'what there is');

# Who may.
for my $method (qw(GET DELETE))
{
    is_error(request($method, '/api/v1/users/v_priv/data', [], $method eq 'GET' ? () : ''), 'public', 401, undef, "$method: no key");
    is(ask($method, 'v_priv/data', $key{$_})->{status}, 403, "$method: not $_") for qw(sdk agent marketing live);
    is_error(ask($method, 'v_none/data'), 'public', 404, 'User not found', "$method: nobody");
    is_error(ask($method, 'none%40priv.example/data'), 'public', 404, 'User not found', "$method: no address");
}
is_error(ask('DELETE', 'v_priv/data?mode=forget'), 'public', 400, 'Invalid mode', 'a mode that is none');
is(left($id), '4 2 2 1', 'nothing happened');
is(header(ask('POST', 'v_priv/data'), 'Allow'), 'DELETE, GET, HEAD, OPTIONS', 'what the path takes');

# Handed out: the same by every name, once what is told of the person is on its way.
until_(60, sub { sql('SELECT count(*) FROM leadanalytics.outbox WHERE workspace = $1', $id) == 0 });
my %said;
for my $name ('v_priv', 'u%2F1%20%C3%BC', 'ann%40priv.example', 'ANN%40PRIV.EXAMPLE', 'crm-ann-77')
{
    my $r = ask('GET', "$name/data");
    my $body = is_success($r, 'public', 200, "GET $name");
    $said{ $r->{body} } = $body;
}
is(scalar keys %said, 1, 'by a visitor id, a user id, an address, a lead\'s id: the same');
my ($all) = values %said;
is_deeply([sort keys %$all], [qw(data emails phones user_ids visitor_ids)], 'members');
is_deeply([@$all{qw(visitor_ids user_ids emails)}], [['v_priv'], ['crm-ann-77', "u/1 \x{fc}"], ['ann@priv.example']], 'who it is') or diag explain $all;
my $data = $all->{data};
is_deeply([map { scalar @{ $data->{$_} } } qw(visitors users sessions events leads submissions status_changes deliveries)], [1, 1, 1, 3, 2, 1, 2, 1], 'how much of what') or diag explain $data;
is($data->{sessions}[0]{ip}, '192.0.2.44', 'the address of the session');
is_deeply($data->{events}[1]{event_data}, { value => 99, note => 'for Ann' }, 'an event');
is($data->{leads}[0]{email}, 'ann@priv.example', 'a lead');
is($data->{submissions}[0]{payload}{FIRSTNAME}, 'Ann', 'what was posted');
unlike((%said)[0], qr/v_bob/, 'nobody else');
is(sql('SELECT count(*) FROM leadanalytics.erasures WHERE workspace = $1', $id), 0, 'which leaves no trace of an erasure');
like(header(ask('GET', 'v_priv/data'), 'Cache-Control') // '', qr/no-store/, 'nobody keeps it');

# More than a door hands out.
sql(q{INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, kind, data)
      SELECT e.at, e.received_at, e.workspace, e.visitor, e.name, 'c', jsonb_build_object('text', repeat('many words ', 800))
      FROM leadanalytics.event e JOIN leadanalytics.visitor v ON v.workspace = e.workspace AND v.number = e.visitor AND v.visitor_id = 'v_bob', generate_series(1, $2) WHERE e.workspace = $1}, $id, 500);
my $large = ask('GET', 'v_bob/data');
is($large->{status}, 200, 'megabytes');
cmp_ok(length $large->{body}, '>', 4_000_000, 'of them');
sql(q{INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, kind, data)
      SELECT e.at, e.received_at, e.workspace, e.visitor, e.name, 'c', e.data FROM leadanalytics.event e, generate_series(1, 4) WHERE e.workspace = $1 AND e.data ? 'text'}, $id);
is_error(ask('GET', 'v_bob/data'), 'public', 413, undef, 'too much is said to be');
like(ask('GET', 'v_bob/data')->{body}, qr/Too much for one answer \(2\d MB\): leadanalytics\.person_rows\(\)/, 'and what to do');
is(sql(q{SELECT count(*) FROM leadanalytics.person_rows($1, 'v_bob') WHERE kind = 'events'}, $id), 2501, 'row by row there is no limit');

# Anonymous in one workspace, erased in the other: each its own.
my $erased = is_success(ask('DELETE', 'ann%40priv.example/data?mode=anonymise', $strange), 'public', 200, 'anonymised');
is($erased->{mode}, 'anonymise', 'its mode');
is_deeply([@{ $erased->{erased} }{qw(visitors users sessions events leads)}], [1, 1, 1, 3, 0], 'what it was');
is(left($other), '4 2 0 0', 'all rows stay');
is(sql(q{SELECT count(*) FROM leadanalytics.events WHERE workspace = $1 AND (events::text ILIKE '%priv%' OR events::text LIKE '%u/1%')}, $other), 0, 'and say nothing');
is(sql('SELECT sum((event_data ->> \'value\')::int) FROM leadanalytics.events WHERE workspace = $1', $other), 99, 'but what counts');
is(ask('GET', 'v_priv/data')->{status}, 200, 'the other workspace has not heard of it');

$erased = is_success(ask('DELETE', 'crm-ann-77/data'), 'public', 200, 'erased');
is($erased->{mode}, 'delete', 'its mode');
is_deeply([@{ $erased->{erased} }{qw(visitors events leads submissions deliveries)}], [1, 3, 2, 1, 1], 'what it was') or diag explain $erased;
is(sql('SELECT count(*) FROM leadanalytics.lead WHERE workspace = $1', $id), 0, 'leads');
is(sql(q{SELECT count(*) FROM leadanalytics.idempotency WHERE convert_from(answer, 'UTF8') ILIKE '%priv.example%'}), 0, 'stored answers');
is_error(ask($_, 'v_priv/data'), 'public', 404, 'User not found', "$_: nobody any more") for qw(GET DELETE);
is_error(ask('GET', 'v_priv'), 'public', 404, 'User not found', 'S5-10 nobody any more');
is(sql(q{SELECT e.mode || ' ' || (e.key = k.id) FROM leadanalytics.erasures e, leadanalytics.key k WHERE e.workspace = $1 AND k.workspace = $1 AND k.role = 'admin'}, $id), 'delete true', 'who asked is known');
is(sql('SELECT count(*) FROM leadanalytics.erasure e WHERE e::text ~* $1', 'priv'), 0, 'of whom is not');
is(events($id), 4, 'who comes again');
is(json(ask('GET', 'v_priv/data'))->{data}{visitors}[0]{sessions}, 1, 'is somebody new');
finish();
