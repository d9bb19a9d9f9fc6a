# Webhooks of the engagement family (S2-06): set up, shown without their secret, and what became of deliveries. What is
# sent is test/webhook's business.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => 'X-API-Key: ' . key($id, $_) } qw(live admin sdk tenant marketing capture agent);
$key{sandbox} = 'X-API-Key: ' . key($id, 'sandbox');
my $foreign = 'X-API-Key: ' . key($other, 'live');
my $base = '/v1/integrations/webhooks';
my @doors = (['GET', ''], ['POST', ''], ['GET', '/catalog'], ['GET', '/ID'], ['PATCH', '/ID'], ['DELETE', '/ID'], ['POST', '/ID/rotate-secret'], ['GET', '/ID/deliveries'], ['POST', '/ID/deliveries/dlv_1/replay']);

sub ask { my ($method, $path, $body, $auth) = @_; return request($method, $base . $path, [$auth // $key{live}], ref $body ? JSON::PP->new->utf8->canonical->encode($body) : $body) }
sub data { return json($_[0])->{data} }
sub is_wrong
{
    my ($r, $name, @faults) = @_;
    is_error($r, 'engagement', 422, 'Validation failed', $name);
    is_deeply([map { "$_->{field}: $_->{message}" } @{ json($r)->{errors} }], \@faults, "$name: @faults") or diag $r->{body};
}

# POST: made, and the secret said.
my ($log, $access) = (log_position(), access_position());
my $made = ask('POST', '', { url => 'https://hooks.invalid/hooks', events => ['lead.captured', 'lead.test', 'lead.captured'] });
is_success($made, 'engagement', 201, 'S2-06 POST');
like($made->{body}, qr/^\{"success":true,"status":201,"message":"Webhook created","data":\{"id":"whk_[0-9a-f]{24}","url":"https:\/\/hooks\.invalid\/hooks","events":\["lead\.captured","lead\.test"\],"platform":null,"active":true,"createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","secret":"whsec_[0-9a-f]{64}"\},"meta":/, 'S2-06 POST: the body, D-80');
my ($hook, $secret) = @{ data($made) }{qw(id secret)};
my %shown = %{ data($made) };
delete $shown{secret};
is(sql('SELECT secret FROM leadanalytics.webhook WHERE workspace = $1 AND key = $2', $id, $hook), $secret, 'S2-06 POST: what is signed with');
my $again = ask('POST', '', { url => 'http://[2001:db8::1]:8080/?a=b', events => ['*'], platform => 'meta', active => JSON::PP::false });
is_deeply([@{ data($again) }{qw(url events platform active)}], ['http://[2001:db8::1]:8080/?a=b', ['*'], 'meta', JSON::PP::false], 'S2-06 POST: all that can be said');
isnt(data($again)->{secret}, $secret, 'S2-06 POST: each has its own secret');
{
    my @answers = map { request('POST', $base, [$key{live}, 'Idempotency-Key: one'], '{"url":"https://hooks.invalid/","events":["*"]}') } 1, 2;
    isnt(data($answers[0])->{secret}, data($answers[1])->{secret}, 'S2-06 POST: no secret is kept to answer again, whatever Idempotency-Key says');
    ask('DELETE', '/' . data($_)->{id}) for @answers;
}

# 422: every faulty field.
my $word = 'Must be a word of a-z, 0-9, ".", "_" and "-"';
is_wrong(ask('POST', '', '{}'), 'S2-06 nothing', 'url: url is required', 'events: events is required');
is_wrong(ask('POST', ''), 'S2-06 no body', 'url: url is required', 'events: events is required');
is_wrong(ask('POST', '', { url => undef, events => undef, platform => undef }), 'S2-06 nulls', 'url: url is required', 'events: events is required');
is_wrong(ask('POST', '', { url => 'ftp://example.com', events => [], platform => 'A B' }), 'S2-06 all wrong', 'url: Must be an absolute URL of http or https', 'events: Must be a non-empty array of events', "platform: $word");
is_wrong(ask('POST', '', { events => ['lead.captured', 'lead.nothing'] }), 'S2-06 an unknown event, and no URL', 'url: url is required', 'events: There is no event "lead.nothing"');
is_wrong(ask('POST', '', { url => 'http://a/', events => $_ }), 'S2-06 events ' . JSON::PP->new->allow_nonref->encode($_), 'events: Must be a non-empty array of events') for 'lead.captured', {}, 1, JSON::PP::true;
is_wrong(ask('POST', '', { url => 'http://a/', events => [[]] }), 'S2-06 an event that is an array', 'events: There is no event "[]"');
is_wrong(ask('POST', '', { url => 'http://a/', events => [undef] }), 'S2-06 an event that is null', 'events: There is no event "null"');
is_wrong(ask('POST', '', { url => 'http://a/', events => ['conversion.postback'] }), 'S2-06 postbacks of no platform', 'platform: Is required for conversion.postback');
is_wrong(ask('POST', '', { url => 'http://a/', events => ['*'], active => 'maybe' }), 'S2-06 active', 'active: Invalid active');
is_wrong(ask('POST', '', { url => ['http://a/'], events => ['*'] }), 'S2-06 a URL that is an array', 'url: Invalid url');
for (['https://hooks.invalid/' . 'x' x 1979, 'Must have at most 2000 characters'], ['https://ann:secret@example.com/', 'Must name no user'], ['https://hooks.invalid/#a', 'Must have no fragment'],
     ["https://hooks.invalid/\na", 'Must consist of ASCII without blanks and control characters'], ['https://b\u00fccher.example/', 'Must consist of ASCII without blanks and control characters'], ['/hooks', 'Must be an absolute URL of http or https'])
{
    my ($url, $message) = @$_;
    my $r = ask('POST', '', { url => $url =~ s/\\u00fc/\x{fc}/r, events => ['*'] });
    is_wrong($r, 'S2-06 ' . substr($url, 0, 40), "url: $message");
    unlike($r->{body}, qr/secret/, 'S2-06 no error repeats the URL, which may have a password');
}
is(ask('POST', '', { url => 'https://hooks.invalid/' . 'x' x 1978, events => ['*'] })->{status}, 201, 'S2-06 2000 characters');
is_wrong(ask('POST', '', '[1]'), 'S2-06 not an object', 'body: not an object');

# GET.
my $r = ask('GET', "/$hook");
is_success($r, 'engagement', 200, 'S2-06 GET one');
is_deeply(data($r), \%shown, 'S2-06 GET one: as it was made, without its secret');
$r = ask('GET', '');
is_success($r, 'engagement', 200, 'S2-06 GET');
is_deeply([map { $_->{id} } @{ data($r) }[0, 1]], [$hook, data($again)->{id}], 'S2-06 GET: the oldest first');
is_deeply(data($r)->[0], \%shown, 'S2-06 GET: as one is shown');
is_deeply(json($r)->{pagination}, { page => 1, limit => 20, total => 3, totalPages => 1, hasNext => JSON::PP::false, hasPrev => JSON::PP::false }, 'S2-06 GET: pagination');
is_deeply(data(ask('GET', '?page=2&limit=2'))->[0]{url}, 'https://hooks.invalid/' . 'x' x 1978, 'S2-06 GET: the second page');
is_wrong(ask('GET', '?limit=101'), 'S2-06 GET limit', 'limit: Invalid limit');
is_deeply(json(ask('GET', '', undef, $foreign))->{pagination}{total}, 0, 'S2-06 GET: another workspace has none');
is_deeply(json(ask('GET', '', undef, $key{sandbox}))->{pagination}{total}, 0, 'S2-04 a sandbox has its own');
is_deeply(json(ask('GET', '', undef, $key{admin}))->{pagination}{total}, 3, 'S2-06 GET: an admin key');

# Who may.
for (@doors)
{
    my ($method, $path) = @$_;
    (my $mine = $path) =~ s/ID/$hook/;
    is_error(ask($method, $mine, undef, 'X-Nothing: 1'), 'engagement', 401, undef, "S2-06 $method $path without a key");
    is_error(ask($method, $mine, undef, $key{$_}), 'engagement', 403, 'Forbidden', "S2-06 $method $path with a key of role $_") for qw(sdk tenant marketing capture agent);
    next unless $path =~ /ID/;
    is_error(ask($method, $mine, '{"active":true}', $foreign), 'engagement', 404, 'Webhook not found', "S2-06 $method $path of another workspace");
    is_error(ask($method, $mine, '{"active":true}', $key{sandbox}), 'engagement', 404, 'Webhook not found', "S2-06 $method $path of the sandbox");
    is_error(ask($method, $path =~ s/ID/whk_nothing/r, '{"active":true}'), 'engagement', 404, 'Webhook not found', "S2-06 $method $path of nobody");
}
is_error(ask('PUT', "/$hook", '{}'), 'engagement', 405, 'Method not allowed', 'S2-06 PUT');

# PATCH.
$r = ask('PATCH', "/$hook", { url => 'https://hooks.invalid/new', events => ['*'], platform => 'tiktok', active => JSON::PP::false });
is_success($r, 'engagement', 200, 'S2-06 PATCH');
is(json($r)->{message}, 'Webhook updated', 'S2-06 PATCH: the message');
is_deeply(data($r), { %shown, url => 'https://hooks.invalid/new', events => ['*'], platform => 'tiktok', active => JSON::PP::false }, 'S2-06 PATCH: all of it');
is_deeply(data(ask('PATCH', "/$hook", { active => JSON::PP::true })), { %shown, url => 'https://hooks.invalid/new', events => ['*'], platform => 'tiktok' }, 'S2-06 PATCH: what is absent stays');
is_deeply(data(ask('PATCH', "/$hook", { platform => '', url => undef })), { %shown, url => 'https://hooks.invalid/new', events => ['*'] }, 'S2-06 PATCH: an empty platform is none, null is absent');
is_wrong(ask('PATCH', "/$hook", '{}'), 'S2-06 PATCH nothing', 'body: url, events, platform or active is required');
is_wrong(ask('PATCH', "/$hook", { url => 'x', events => ['x'], platform => '-' }), 'S2-06 PATCH all wrong', 'url: Must be an absolute URL of http or https', 'events: There is no event "x"', "platform: $word");
is_wrong(ask('PATCH', "/$hook", { events => ['conversion.postback'] }), 'S2-06 PATCH postbacks of no platform', 'platform: Is required for conversion.postback');
is_deeply(data(ask('GET', "/$hook")), { %shown, url => 'https://hooks.invalid/new', events => ['*'] }, 'S2-06 PATCH: what is refused changes nothing');

# The secret: another one, once.
my $renewed = ask('POST', "/$hook/rotate-secret");
is_success($renewed, 'engagement', 200, 'S2-06 rotate-secret');
is_deeply([sort keys %{ data($renewed) }], [sort keys %shown, 'secret'], 'S2-06 rotate-secret: what is answered');
like(data($renewed)->{secret}, qr/^whsec_[0-9a-f]{64}$/, 'S2-06 rotate-secret: a secret');
isnt(data($renewed)->{secret}, $secret, 'S2-06 rotate-secret: another one');
is(sql('SELECT secret FROM leadanalytics.webhook WHERE workspace = $1 AND key = $2', $id, $hook), data($renewed)->{secret}, 'S2-06 rotate-secret: what is signed with from now on');
# Never again: no answer, view, or stored answer has either.
my @everything = map { ask(@$_)->{body} } ['GET', ''], ['GET', "/$hook"], ['PATCH', "/$hook", '{"active":true}'], ['GET', "/$hook/deliveries"], ['GET', '/catalog'];
push @everything, sql('SELECT json_agg(w) FROM leadanalytics.webhooks w'), sql('SELECT coalesce(json_agg(i)::text, $1) FROM leadanalytics.idempotency i', '');
is(scalar(grep { /whsec_/ } @everything), 0, 'S2-06 the secret is shown once');
is(sql(q(SELECT count(*) FROM unnest(ARRAY['leadanalytics_read', 'leadanalytics_write', 'leadanalytics_admin', 'leadanalytics_anon']) r WHERE has_any_column_privilege(r, 'leadanalytics.webhook', 'SELECT'))), 0, 'S2-06 no role reads the table');

# The catalog.
$r = ask('GET', '/catalog');
is_success($r, 'engagement', 200, 'S2-06 catalog');
my %event = map { $_->{event} => $_ } @{ data($r) };
is_deeply([sort keys %event], [split /\n/, sql('SELECT name FROM leadanalytics.topic ORDER BY name')], 'S2-06 catalog: all topics');
ok(exists $event{$_}, "S2-06 catalog: $_") for qw(lead.captured lead.reengaged lead.test lead.status_changed lead.drought conversion.postback anomaly.detected);
for (map { $event{$_} } sort keys %event)
{
    is_deeply([sort keys %$_], [qw(event example summary)], "S2-06 catalog: $_->{event}: members");
    is_deeply([sort keys %{ $_->{example} }], [qw(createdAt data id type)], "S2-06 catalog: $_->{event}: the envelope");
    is($_->{example}{type}, $_->{event}, "S2-06 catalog: $_->{event}: its type");
    is(ref $_->{example}{data}, 'HASH', "S2-06 catalog: $_->{event}: its data");
}
my $described = json(request('GET', '/openapi.json'))->{webhooks};
is_deeply([sort keys %$described], [sort keys %event], 'S2-06 OpenAPI has them');
is_deeply($described->{'lead.drought'}{post}{requestBody}{content}{'application/json'}{example}, $event{'lead.drought'}{example}, 'S2-06 OpenAPI: the envelope');
is($described->{'lead.drought'}{post}{parameters}[0]{name}, 'X-Leadron-Signature', 'S2-06 OpenAPI: the signature');

# Deliveries.
$r = ask('GET', "/$hook/deliveries");
is_success($r, 'engagement', 200, 'S2-06 deliveries');
is_deeply([data($r), json($r)->{pagination}{total}], [[], 0], 'S2-06 deliveries: none yet');
my ($then, $ended) = map { sql(qq(SELECT to_char(date_trunc('hour', now() - interval '$_ hours') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) } 3, 1;
my @numbers = split /\n/, sql(q(INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, status, attempts, next_at, answer_status, answer, error, created_at, ended_at)
    SELECT $1, $2, 'evt_' || i, 'lead.captured', '{"data":"not shown"}', s, i, '2126-02-01T10:00:00Z', 500 + i, 'said ' || i, nullif('wrong ' || i, 'wrong 2'), $3, CASE WHEN s <> 'waiting' THEN $4::timestamptz END
    FROM unnest('{waiting,delivered,dead,dead,dead}'::text[]) WITH ORDINALITY AS n (s, i) ORDER BY i RETURNING id), $id, $hook, $then, $ended);
sql(q(INSERT INTO leadanalytics.delivery (workspace, recipient, subject, occurrence, topic, body, next_at, created_at) VALUES ($1, 'ann@example.com', 'Mail', 'evt_m', 'lead.drought', 'x', '2126-02-01Z', '2026-02-01Z')), $id);
$r = ask('GET', "/$hook/deliveries");
is_deeply([map { $_->{id} } @{ data($r) }], [map { "dlv_$_" } reverse @numbers], 'S2-06 deliveries: the newest first, and no mails');
is_deeply(data($r)->[4], { id => "dlv_$numbers[0]", event => 'lead.captured', eventId => 'evt_1', status => 'waiting', attempts => 1, nextAttemptAt => '2126-02-01T10:00:00.000Z', responseStatus => 501, response => 'said 1', error => 'wrong 1',
    createdAt => $then, endedAt => undef }, 'S2-06 deliveries: one that waits') or diag $r->{body};
is_deeply(data($r)->[3], { id => "dlv_$numbers[1]", event => 'lead.captured', eventId => 'evt_2', status => 'delivered', attempts => 2, nextAttemptAt => undef, responseStatus => 502, response => 'said 2', error => undef,
    createdAt => $then, endedAt => $ended }, 'S2-06 deliveries: one that was delivered');
is_deeply([map { $_->{id} } @{ data(ask('GET', "/$hook/deliveries?status=$_->[0]")) }], [map { "dlv_$numbers[$_]" } @{ $_->[1] }], "S2-06 deliveries: status $_->[0]") for ['waiting', [0]], ['delivered', [1]], ['dead', [4, 3, 2]];
$r = ask('GET', "/$hook/deliveries?status=dead&page=2&limit=2");
is_deeply([data($r)->[0]{id}, scalar @{ data($r) }, json($r)->{pagination}], ["dlv_$numbers[2]", 1, { page => 2, limit => 2, total => 3, totalPages => 2, hasNext => JSON::PP::false, hasPrev => JSON::PP::true }], 'S2-06 deliveries: pages');
is_wrong(ask('GET', "/$hook/deliveries?status=gone"), 'S2-06 deliveries: a status there is not', 'status: Invalid status');
is_deeply(data(ask('GET', '/' . data($again)->{id} . '/deliveries')), [], 'S2-06 deliveries: not another webhook\'s');

# Replay.
$r = ask('POST', "/$hook/deliveries/dlv_$numbers[4]/replay");
is_success($r, 'engagement', 200, 'S2-06 replay');
is(json($r)->{message}, 'Delivery queued', 'S2-06 replay: the message');
is_deeply([@{ data($r) }{qw(id eventId status endedAt)}], ["dlv_$numbers[4]", 'evt_5', 'waiting', undef], 'S2-06 replay: it waits again, under the same id') or diag $r->{body};
like(data($r)->{nextAttemptAt}, qr/^20[0-9]{2}-/, 'S2-06 replay: its next attempt');
is_error(ask('POST', "/$hook/deliveries/$_/replay"), 'engagement', 404, 'Delivery not found', "S2-06 replay: $_") for 'dlv_999999999999', 'dlv_0', $numbers[3], 'dlv_', 'dlv_1e3', 'x';
is_error(ask('POST', '/' . data($again)->{id} . "/deliveries/dlv_$numbers[3]/replay"), 'engagement', 404, 'Delivery not found', 'S2-06 replay: of another webhook');

# DELETE.
$r = ask('DELETE', "/$hook");
is_success($r, 'engagement', 200, 'S2-06 DELETE');
like($r->{body}, qr/^\{"success":true,"status":200,"message":"Webhook deleted","data":\{"deleted":true\},"meta":/, 'S2-06 DELETE: the body, D-80');
is_error(ask($_, "/$hook"), 'engagement', 404, 'Webhook not found', "S2-06 $_ when it is gone") for qw(GET DELETE);
is(sql('SELECT count(*) FROM leadanalytics.delivery WHERE workspace = $1 AND webhook = $2', $id, $hook), 0, 'S2-06 DELETE: with its deliveries');
# Nor does any log have a secret.
my @asked = access_since($access, sub { grep { JSON::PP->new->canonical->encode($_) =~ /$hook/ } @_ });
unlike(join("\n", log_since($log), map { JSON::PP->new->canonical->encode($_) } @asked), qr/whsec_/, 'S2-06 no log has a secret');
ok(scalar(grep { JSON::PP->new->canonical->encode($_) =~ /$hook/ } @asked), 'control: the log was read');
finish();
