# Events of the engagement family: told, and listed page by page (S2-01 … S2-04, S2-09, S2-11, S2-12).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use POSIX 'strftime';
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin sdk marketing tenant capture);
my $stranger = key(workspace('other'), 'live');
my @types = qw(email_sent email_open link_click email_reply email_bounce form_submission page_visit);
my ($events, $forms, $visits) = map { "/v1/analytics/$_" } qw(events form-submissions page-visits);

sub post { my ($path, $body, $key, @more) = @_; return request('POST', $path, ['X-API-Key: ' . ($key // $key{live}), 'Content-Type: application/json', @more], ref $body ? JSON::PP->new->canonical->encode($body) : $body) }
sub ask { my ($uri, $key) = @_; return request('GET', $uri, ['X-API-Key: ' . ($key // $key{live})]) }
sub data { return json($_[0])->{data} }
sub total { return json(ask(@_))->{pagination}{total} }
sub faults { return join ',', map { "$_->{field}: $_->{message}" } @{ json($_[0])->{errors} || [] } }
sub is_invalid { my ($r, $faults, $name) = @_; is_error($r, 'engagement', 422, 'Validation failed', $name); is(faults($r), $faults, "$name: which") }
sub iso { return strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime $_[0]) }
my $now = time;

# S2-01: the document's request, and the whole body.
my $r = post($events, '{"eventType":"email_open","leadId":"6789abcdef012345","messageId":"msg_001","workflowExecutionId":"exec_001","timestamp":"2026-02-09T10:30:00.000Z"}');
is_success($r, 'engagement', 201, 'S2-01 the sample of the document');
like($r->{body}, qr/^\{"success":true,"status":201,"message":"Event ingested","data":\{"id":"evt_[0-9a-f]{32}","tenantId":"@{[slug()]}","type":"email_open","leadId":"6789abcdef012345","messageId":"msg_001","workflowExecutionId":"exec_001","timestamp":"2026-02-09T10:30:00\.000Z"\},"meta":\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","version":"v1"\}\}$/, 'S2-01 the whole body');
like(header($r, 'X-Request-Id') // '', qr/./, 'S2-03 X-Request-Id');
is(sql(q(SELECT requests || ' ' || seconds || ' ' || per FROM leadanalytics.rate_class WHERE name = 'engagement')), '1000 900 ip', 'S2-03 1 000 in 15 minutes of an address');
sql(q(SELECT leadanalytics.set_rate_limit('engagement', 3)));
my @answers = map { ask($events) } 1 .. 4;
is(join(' ', map { header($_, 'X-RateLimit-Limit') . '/' . header($_, 'X-RateLimit-Remaining') } @answers), '3/2 3/1 3/0 3/0', 'S2-03 X-RateLimit-*');
is_error($answers[3], 'engagement', 429, undef, 'S2-03 one too many');
sql(q(SELECT leadanalytics.set_rate_limit('engagement', 0)));

# With a type alone all else is null, and the time is now.
for my $type (@types)
{
    my $event = is_success(post($events, { eventType => $type }), 'engagement', 201, "S2-01 $type");
    is(join(',', sort keys %$event), 'id,leadId,messageId,tenantId,timestamp,type,workflowExecutionId', "S2-01 $type: its keys");
    is(join(',', map { $_ // 'null' } @$event{qw(type leadId messageId workflowExecutionId)}), "$type,null,null,null", "S2-04 $type: null where nothing was given");
    cmp_ok($event->{timestamp}, 'ge', iso($now - 1), "S2-01 $type: now") if $event->{timestamp} =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ or fail "timestamp $event->{timestamp}";
}
is(total("$events?limit=1"), 7, 'S2-09 the last 30 days');
is(total("$events?from=2026-02-01&to=2026-02-28"), 1, 'S2-09 another time');

# What is answered is what is listed, also of the web.
for my $type (qw(link_click form_submission page_visit))
{
    my $told = data(post($events, { eventType => $type, leadId => 'l ä/1', messageId => "m-$type", workflowExecutionId => 'x', timestamp => iso($now - 3600) }));
    is_deeply(data(ask("$events?messageId=m-$type")), [$told], "S2-09 $type as it was told");
}
is_deeply([ map { $_->{type} } @{ data(ask("$events?leadId=l%20%C3%A4%2F1&workflowExecutionId=x")) } ], [ qw(link_click page_visit form_submission) ], 'S2-09 of a lead, ties in one order');

# 422, all that is wrong at once.
is_invalid(post($events, $_->[0]), $_->[1], "D-30 $_->[0]") for
    ['{}', 'eventType: eventType is required'], ['{"eventType":null}', 'eventType: eventType is required'], ['{"eventType":"opened"}', 'eventType: Invalid eventType'], ['{"eventType":"Email_Open"}', 'eventType: Invalid eventType'],
    ['{"eventType":["email_open"]}', 'eventType: Invalid eventType'], ['{"eventType":"email_open","leadId":""}', 'leadId: Invalid leadId'], ['{"eventType":"email_open","leadId":" x"}', 'leadId: Invalid leadId'],
    ['{"eventType":"email_open","messageId":"a\u001fb","leadId":{}}', 'leadId: Invalid leadId'], ['{"eventType":"email_open","messageId":"a\u001fb"}', 'messageId: Invalid messageId'],
    ['{"eventType":"x","leadId":[],"messageId":"","workflowExecutionId":"' . 'y' x 129 . '","timestamp":"soon"}',
        'eventType: Invalid eventType,leadId: Invalid leadId,messageId: Invalid messageId,workflowExecutionId: Invalid workflowExecutionId,timestamp: Invalid timestamp'],
    (map { ["{\"eventType\":\"email_open\",\"timestamp\":$_}", 'timestamp: Invalid timestamp'] } '"2026-02-30T00:00:00Z"', '"2026-02-09T25:00:00Z"', '"tomorrow"', '1770633000', '"1770633000"', '""', 'true'),
    ['', 'eventType: eventType is required'], ['{', 'body: not valid JSON'], ['[]', 'body: not an object'], ['"x"', 'body: not an object'];
is_invalid(post($events, { eventType => $_, timestamp => iso($now + 86400 + 60) }), 'timestamp: Must not be more than 24 hours ahead', "D-30 $_ of the day after tomorrow") for qw(email_open page_visit);
is_invalid(post($events, { eventType => 'email_open', timestamp => '1999-12-31T23:59:59Z' }), 'timestamp: Must not be before 2000', 'of the last century');
cmp_ok(data(post($events, { eventType => $_, timestamp => iso($now + 7200) }))->{timestamp}, 'lt', iso($now + 3600), "D-70 $_: a clock that runs ahead is the receipt's") for qw(email_open page_visit);
is(data(post($events, { eventType => 'email_open', timestamp => '2026-02-09T12:30:00.1239+02:00' }))->{timestamp}, '2026-02-09T10:30:00.123Z', 'S2-01 an offset, and milliseconds');
is(data(post($events, { eventType => 'email_open', leadId => 'ä' x 128 }))->{leadId}, "\x{e4}" x 128, 'S2-04 128 characters');
is(data(post($events, '{"eventType":"email_open","type":"x","id":"evt_1","tenantId":"other","workspace":1,"event_type":"link_click","now":"2020-01-01"}'))->{type}, 'email_open', 'members that are none of the door\'s are nothing');
is(sql(q(SELECT count(*) FROM leadanalytics.message_event WHERE workspace = $1 AND at < '2026-01-01'), $id), 0, 'and bind nothing');

# Idempotency-Key (D-30).
my $idem = 'Idempotency-Key: k-1';
my $once = post($events, { eventType => 'email_reply', messageId => 'idem' }, undef, $idem);
my $twice = post($events, { eventType => 'email_reply', messageId => 'idem' }, undef, $idem);
is("$twice->{status} $twice->{body}", "201 $once->{body}", 'D-30 the first answer again');
is(total("$events?messageId=idem"), 1, 'D-30 stored once');
is(post($events, { eventType => 'email_reply', messageId => 'idem' }, undef, 'Idempotency-Key: k-2')->{status}, 201, 'D-30 another key');
is(total("$events?messageId=idem"), 2, 'D-30 is another event');
# One order, also of what happened at the same time, wherever events are shown.
is(request('PUT', '/v1/leads/at-once', ["X-API-Key: $key{live}"], '{"createdAt":"2026-02-20T00:00:00Z"}')->{status}, 200, 'S2-09 a lead');
post($events, qq({"eventType":"$_","leadId":"at-once","messageId":"at-once","timestamp":"2026-02-20T10:00:00Z"})) for @types, @types;
sub ids { return join ' ', map { $_->{data} ? $_->{data}{id} // () : $_->{id} } @{ $_[0] } }
my $at_once = ids(data(ask("$events?leadId=at-once&from=2026-02-20&to=2026-02-20")));
is(scalar(split ' ', $at_once), 14, 'S2-09 fourteen events at once');
is(ids(data(ask('/v1/analytics/dashboard?from=2026-02-20&to=2026-02-20'))->{recentActivity}), $at_once, 'S2-13 in the same order');
is(ids(data(ask('/v1/analytics/leads/at-once/engagement?from=2026-02-20&to=2026-02-20'))->{timeline}), $at_once, 'S2-10 in the same order');
is(ids(data(ask('/v1/leads/at-once/timeline'))), $at_once, 'S2-07 in the same order');
is(post($events, '{"eventType":"email_open","leadId":"unnamed"}')->{status}, 201, 'D-31 an open of a mail that nobody named');
is(total("$events?leadId=unnamed") . total("$events?messageId=%20lead%20unnamed"), '10', 'D-31 which has no id that could be asked for');

# Who may.
is_error(request($_->[0], $_->[1], [], $_->[2]), 'engagement', 401, undef, "$_->[0] $_->[1] without a key") for map { (['GET', $_], ['POST', $_, '{}']) } $events, $forms, $visits;
is_error(post($events, '{}', 'ldr_live_sk_' . 'x' x 64), 'engagement', 401, undef, 'a key that is none');
for my $role (qw(sdk marketing tenant capture))
{
    is_error(post($_, '{"eventType":"email_open"}', $key{$role}), 'engagement', 403, 'Forbidden', "POST $_: $role") for $events, $forms;
    is_error(ask($_, $key{$role}), 'engagement', 403, 'Forbidden', "GET $_: $role") for $events, $visits;
}
is(ask($events, $key{admin})->{status}, 200, 'an admin key');
is(request('PUT', $events, ["X-API-Key: $key{live}"], '{}')->{status}, 405, 'no PUT');
# S2-04: a sandbox is another set of events, as another workspace is.
is(data(post($_->[0], { %{ $_->[1] }, leadId => 'sand' }, $key{sandbox}))->{leadId}, 'sand', "S2-04 in the sandbox: $_->[0]") for [$events, { eventType => 'email_open' }], [$visits, {}], [$forms, {}];
is(total("$_?leadId=sand"), 0, "S2-04 not in $_") for $events, $visits, $forms;
is(total("$events?leadId=sand", $key{sandbox}), 3, 'S2-04 in the sandbox alone');
is(total("$events?leadId=sand&eventType=page_visit", $key{sandbox}), 1, 'S2-04 there too by type');
is(total("$events?from=2000-01-01", $stranger), 0, 'nobody else\'s');

# S2-02, S2-09: pages.
post($events, { eventType => 'email_sent', leadId => 'paged', messageId => "p$_", timestamp => "2026-03-0$_->[0]T00:00:00Z" }) for map { [$_] } 1 .. 5;
my @all = map { @{ data(ask("$events?leadId=paged&from=2026-03-01&to=2026-03-05&limit=2&page=$_")) } } 1 .. 3;
is(join(' ', map { substr $_->{timestamp}, 0, 10 } @all), '2026-03-05 2026-03-04 2026-03-03 2026-03-02 2026-03-01', 'S2-09 newest first, page after page');
my $between = 'leadId=paged&from=2026-03-01&to=2026-03-05';
like(ask("$events?$between&limit=2&page=$_->[0]")->{body}, qr/"message":"OK","data":\[.*\],"pagination":\{"page":$_->[0],"limit":2,"total":5,"totalPages":3,"hasNext":$_->[1],"hasPrev":$_->[2]\},"meta"/, "S2-02 page $_->[0]")
    for [1, 'true', 'false'], [2, 'true', 'true'], [3, 'false', 'true'], [4, 'false', 'true'];
is_deeply(data(ask("$events?$between&page=1000000&limit=100")), [], 'S2-02 far beyond');
is_deeply([ @{ json(ask("$events?$between"))->{pagination} }{qw(page limit)} ], [ 1, 20 ], 'S2-02 defaults');
is_invalid(ask("$events?$_->[0]"), $_->[1], "S2-02 $_->[0]") for
    ['page=0', 'page: Invalid page'], ['page=1000001', 'page: Invalid page'], ['page=x&limit=0', 'page: Invalid page,limit: Invalid limit'], ['limit=101', 'limit: Invalid limit'],
    ['eventType=opened', 'eventType: Invalid eventType'], ['leadId=' . 'x' x 129, 'leadId: Invalid leadId'], ['from=soon', 'from: Must be a date or time in ISO 8601'], ['to=2026-02-30', 'to: Must be a date or time in ISO 8601'],
    ['from=2026-03-02&to=2026-03-01', 'from: Must not be after to'];
is(total("$events?leadId=paged&from=$_->[0]&to=$_->[1]"), $_->[2], "D-03 from $_->[0] to $_->[1]")
    for ['2026-03-02', '2026-03-04', 3], ['2026-03-02T00:00:00Z', '2026-03-04T00:00:00Z', 3], ['2026-03-02T00:00:00.001Z', '2026-03-03T23:59:59Z', 1], ['2026-03-05', '', 1];
is(total("$events?$between&eventType=$_->[0]"), $_->[1], "S2-09 eventType=$_->[0]") for ['email_sent', 5], ['email_open', 0], ['page_visit', 0], ['', 5];
like(header(ask($events), 'X-Data-As-Of') // '', qr/^\d{4}-/, 'D-46 X-Data-As-Of');

# S2-11, S2-12: of one type.
for ([$forms, 'form_submission'], [$visits, 'page_visit'])
{
    my ($path, $type) = @$_;
    my $told = is_success(post($path, { leadId => "of $type", timestamp => '2026-04-01T00:00:00Z' }), 'engagement', 201, "$path: told");
    is($told->{type}, $type, "$path: its type");
    is_deeply(data(ask("$path?from=2026-04-01&to=2026-04-01")), [$told], "$path: listed");
    is_deeply(data(ask("$events?leadId=of%20$type&from=2026-04-01&to=2026-04-01")), [$told], "$path: among all events");
    is_success(post($path, { eventType => $type }), 'engagement', 201, "$path: its type may be said");
    is_invalid(post($path, { eventType => 'email_open' }), 'eventType: Invalid eventType', "$path: no other");
    is_invalid(ask("$path?eventType=email_open"), 'eventType: Invalid eventType', "$path: lists no other");
    is_success(post($path, ''), 'engagement', 201, "$path: nothing need be said");
    my @same = map { post($path, { leadId => 'idem' }, undef, "Idempotency-Key: $type")->{body} } 1, 2;
    is($same[1], $same[0], "$path: idempotent");
    is(total("$path?leadId=idem"), 1, "$path: once");
}
# D-63: they count where all events of the web do, and open no session.
is(sql(q(SELECT string_agg(DISTINCT e.kind::text, '') || count(e.session) || count(e.visitor) FROM leadanalytics.event e WHERE workspace = $1), $id), 'cp00', 'D-63 pageviews and custom events without a session');

# S2-12: page views of a lead's visitor, and of nobody's; a post of a form is a submission.
request('POST', '/api/v1/track', ["X-API-Key: $key{sdk}"], '{"events":[{"event_name":"page_view","visitor_id":"seen","timestamp":"' . iso($now - 60) . '"},{"event_name":"$pageview","visitor_id":"unseen","timestamp":"' . iso($now - 50) . '"}]}');
is(data(ask("$visits?limit=100"))->[$_->[0]]{leadId}, $_->[1], "S2-12 whose: $_->[0]") for [4, undef];
is(request('POST', '/lead.capture', ["X-API-Key: $key{capture}", 'Content-Type: application/json'], qq({"name":"Ann","email":"ann\@company.test","phone":"+15550100","__visitor_id":"seen"}))->{status}, 200, 'a form is posted');
my $lead = sql('SELECT max(id) FROM leadanalytics.lead WHERE workspace = $1', $id);
is_deeply([ map { $_->{type} } @{ data(ask("$events?leadId=$lead")) } ], [qw(form_submission page_visit)], 'S2-09 a lead of S1: its post, and what its visitor did');
is(total("$forms?leadId=$lead"), 1, 'S2-11 its post');
is_deeply([ sort map { $_->{leadId} // '-' } grep { $_->{timestamp} eq iso($now - 60) || $_->{timestamp} eq iso($now - 50) } @{ data(ask("$visits?limit=100")) } ], [ '-', $lead ], 'S2-12 somebody\'s, and nobody\'s');

finish();
