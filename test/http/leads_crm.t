# L9 over the wire: the CRM that writes its ids back and reports what becomes of leads.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(capture admin marketing sdk live tenant agent);
my %path = (event => '/webhooks/crm/lead', callback => '/lead.capture/crm-callback');

sub say_to { my ($door, $body, $key) = @_; return request('POST', $path{$door}, [defined $key ? "X-API-Key: $key" : "Authorization: Bearer $key{capture}", 'Content-Type: application/json'], ref $body ? JSON::PP->new->canonical->encode($body) : $body) }
sub is_answer { my ($r, $body, $name) = @_; is_success($r, 'dashboard', 200, $name); is($r->{body}, $body, "$name: $body") }
sub status { return sql('SELECT status FROM leadanalytics.lead WHERE workspace = $1 AND id = $2', $id, $_[0]) }

request('POST', '/lead.capture', ["X-API-Key: $key{capture}"], '{"FIRSTNAME":"Ann","EMAIL":"ann@example.com","PHONE":"98765","COUNTRYCODE":"+91","PROJECT":"Sky","__visitor_id":"v1"}');
my $lead = sql('SELECT max(id) FROM leadanalytics.lead WHERE workspace = $1', $id);
my $linked = qq({"ok":true,"stored":true,"lead_id":$lead});

# Who may, and what is to be done first.
for my $door (qw(event callback))
{
    my $body = { crm_lead_id => 'crm-1', lead_id => $lead };
    is_error(request('POST', $path{$door}, [], JSON::PP->new->encode($body)), 'dashboard', 401, undef, "L9 $door without a key");
    is_error(say_to($door, $body, 'la_cap_' . '0' x 64), 'dashboard', 401, 'Invalid API key', "L9 $door with a key that is none");
    is_error(say_to($door, $body, $key{$_}), 'dashboard', 403, 'Forbidden', "L9 $door with a key of role $_") for qw(marketing sdk live tenant agent);
    is_error(say_to($door, $body), 'dashboard', 503, 'The CRM integration is not set up: leadanalytics.set_crm() does it', "L9 $door: 503 until it is set up");
    is_error(request('GET', $path{$door}, ["X-API-Key: $key{capture}"]), 'dashboard', 405, 'Method not allowed', "L9 GET of $door");
}
is_error(request('POST', '/webhooks/other', ["X-API-Key: $key{capture}"], '{}'), 'dashboard', 404, 'Not found', 'L9 what else is there below /webhooks');
sql('SELECT leadanalytics.set_crm($1, $2)', $id, '{"Closed Won":"won"}');

# What is wrong with a body.
for (['event', '{}', 'crm_lead_id is required'], ['event', '', 'crm_lead_id is required'], ['event', '{"crm_lead_id":""}', 'Invalid crm_lead_id'], ['event', '{"crm_lead_id":"' . 'x' x 129 . '"}', 'Invalid crm_lead_id'],
     ['event', '{"crm_lead_id":["x"]}', 'Invalid crm_lead_id'], ['event', '{"crm_lead_id":"x","event_type":""}', 'Invalid event_type'], ['event', '{"crm_lead_id":"x","event_type":"' . 'x' x 65 . '"}', 'Invalid event_type'],
     ['event', '{"crm_lead_id":"x","occurred_at":"yesterday"}', 'Invalid occurred_at'], ['event', '{"crm_lead_id":"x","status":"' . 'x' x 129 . '"}', 'Invalid status'], ['event', '[]', 'Invalid request body'], ['event', '{', 'Invalid request body'],
     ['callback', '{"lead_id":1}', 'crm_lead_id is required'], ['callback', '{"crm_lead_id":"x"}', 'lead_id, visitor_id, email or phone is required'], ['callback', '{"crm_lead_id":"x","email":" ","project":"Sky"}', 'lead_id, visitor_id, email or phone is required'])
{
    my ($door, $body, $message) = @$_;
    is_error(say_to($door, $body), 'dashboard', 400, $message, "L9 $door: " . substr($body, 0, 60));
}

# The id is written back.
is_answer(say_to('event', { crm_lead_id => 'crm-1' }), '{"ok":true,"stored":false,"reason":"lead_not_found"}', 'L9 of a lead that is not known');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', lead_id => $lead }), $linked, 'L9 callback by lead_id, a text');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', lead_id => 0 + $lead }), $linked, 'L9 callback by lead_id, a number');
is_answer(say_to('callback', { crm_lead_id => 77, visitor_id => 'v1', project => 'sky' }), $linked, 'L9 callback by visitor, with an id that is a number');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', email => 'ANN@example.com', project => 'Sky' }), $linked, 'L9 callback by e-mail address');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', phone => '98765', country_code => '+91', project => 'Sky' }), $linked, 'L9 callback by number');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', email => 'ann@example.com' }), '{"ok":true,"stored":false,"reason":"lead_not_found"}', 'L9 callback: without the project it is another lead');
sql('SELECT leadanalytics.set_crm($1)', $other);
is_answer(say_to('callback', { crm_lead_id => 'crm-1', lead_id => $lead }, key($other, 'capture')), '{"ok":true,"stored":false,"reason":"lead_not_found"}', 'L9 callback: not another workspace\'s lead');
request('POST', '/lead.capture', ["X-API-Key: $key{capture}"], '{"FIRSTNAME":"Bob","EMAIL":"bob@example.com"}');
is_answer(say_to('callback', { crm_lead_id => 'crm-1', email => 'bob@example.com' }), '{"ok":true,"stored":false,"reason":"crm_lead_id_taken"}', 'L9 callback: an id of one lead is no other\'s');
is(sql('SELECT crm_id FROM leadanalytics.crm_leads WHERE workspace = $1 AND lead = $2', $id, $lead), 'crm-1', 'L9 callback: it is kept');

# What becomes of it.
my $hook = sql('SELECT key FROM leadanalytics.create_webhook($1, $2, $3)', $id, 'https://example.com/', '{lead.status_changed}');
is_answer(say_to('event', { crm_lead_id => 'crm-1', status => 'Closed won', event_id => 'e1', occurred_at => '2026-02-09T10:30:00Z', more => { of => 'it' } }), $linked, 'L9 an event');
is(status($lead), 'won', 'L9 the status is the lead\'s');
is_answer(say_to('event', { crm_lead_id => 'crm-1', status => 'lost', event_id => 'e1' }, $key{admin}), '{"ok":true,"stored":false,"reason":"duplicate_event"}', 'L9 an event that comes again');
is_answer(say_to('event', { crm_lead_id => 'crm-1', event_type => 'status', status => 'Nurturing' }), $linked, 'L9 a status that is not ours');
is_answer(say_to('event', { crm_lead_id => 'crm-1', status => 'lost', occurred_at => '2026-02-09T10:29:00Z' }), $linked, 'L9 an event that is older');
is(status($lead), 'won', 'L9 neither is the lead\'s status');
is(sql('SELECT string_agg(concat_ws($2, event_type, status, applied), $3 ORDER BY id) FROM leadanalytics.crm_events WHERE workspace = $1', $id, ' ', ', '), 'updated Closed won t, status Nurturing f, updated lost f', 'L9 all are kept');
my $detail = json(request('GET', "/analytics/leads/$lead", ["X-API-Key: $key{admin}"]));
is($detail->{lead}{status}, 'won', 'L9 S1 shows the status');
is(scalar(grep { /crm/ } keys %{ $detail->{lead} }), 0, 'D-80 and no field more');
# Told, unless that was already sent on.
is(sql(q(SELECT count(*) FROM (SELECT body::text FROM leadanalytics.outbox WHERE workspace = $1 AND topic = 'lead.status_changed' UNION ALL SELECT body FROM leadanalytics.delivery WHERE workspace = $1 AND webhook = $2) AS t WHERE body LIKE '%"won"%'), $id, $hook), 1, 'L9 webhooks are told of the change');
finish();
