# Leads of another system: their doors (D-62, D-73) and their timeline (S2-07).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing sdk tenant capture);
sub say_lead { my ($method, $lead, $body, $role) = @_; return request($method, "/v1/leads/$lead", ['X-API-Key: ' . $key{ $role // 'live' }, 'Content-Type: application/json'], $body) }
sub put { return say_lead('PUT', @_) }
sub patch { return say_lead('PATCH', @_) }
sub timeline { my ($lead, $query, $role) = @_; return request('GET', "/v1/leads/$lead/timeline" . ($query // ''), ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub of { my ($r) = @_; return $r->{status} == 200 && $r->{body} =~ /"data":(.*?),"(?:meta|pagination)":/s ? $1 : "$r->{status} $r->{body}" }

my $r = put('L1', '{"email":"ann@example.com","name":"Ann","phone":"+1 555 0100","project":"Spring","source":"website","status":"new","ownerId":"u1","teamId":"t1","createdAt":"2026-02-09T10:30:00.000Z"}');
is_success($r, 'engagement', 200, 'D-73 PUT: the envelope');
is(json($r)->{message}, 'Lead saved', 'D-73 PUT: its message');
my $whole = '{"leadId":"L1","email":"ann@example.com","name":"Ann","phone":"+1 555 0100","project":"Spring","source":"website","status":"new","ownerId":"u1","teamId":"t1","createdAt":"2026-02-09T10:30:00.000Z"}';
is(of($r), $whole, 'D-73 PUT: the whole body');
is(of(put('L1', '{}')), $whole, 'D-73 what is not said stays');
is(of(put('L1', '{"name":null,"ownerId":null}')), $whole, 'D-73 null says nothing');
is(of(put('L1', '{"name":"Ann B."}')), $whole =~ s/"Ann"/"Ann B."/r, 'D-73 PUT tells more');
is(sql('SELECT count(*) FROM leadanalytics.lead_assignment WHERE workspace = $1', $id), 1, 'S2-17 one assignment so far');

# Statuses (D-62).
is(json(put("S-$_", qq({"status":"$_"})))->{data}{status}, $_, "D-62 a lead enters as $_") for qw(new contacted qualified unqualified converted lost);
is(sql("SELECT string_agg(status, ' ' ORDER BY external_id) FROM leadanalytics.lead WHERE workspace = \$1 AND external_id LIKE 'S-%'", $id), 'contacted won lost new qualified unqualified', 'D-62 as they are stored');
$r = patch('L1', '{"status":"contacted"}');
is_success($r, 'engagement', 200, 'D-62 PATCH: the envelope');
is(json($r)->{message}, 'Lead updated', 'D-62 PATCH: its message');
is(json($r)->{data}{status}, 'contacted', 'D-62 PATCH');
sql("UPDATE leadanalytics.lead SET status = 'proposal' WHERE workspace = \$1 AND external_id = 'L1'", $id);
is(json(patch('L1', '{"status":"qualified"}'))->{data}{status}, 'qualified', 'D-62 a proposal is qualified');
is(sql("SELECT status FROM leadanalytics.lead WHERE workspace = \$1 AND external_id = 'L1'", $id), 'proposal', 'D-62 and stays one');
for my $status (qw(won proposal fake New), '')
{
    my $r = patch('L1', qq({"status":"$status"}));
    is_error($r, 'engagement', 422, 'Validation failed', "D-62 no status '$status'");
    is(json($r)->{errors}[0]{field}, 'status', "D-62 no status '$status': the field");
}

# Whose it is.
is(json(patch('L1', '{"ownerId":"u2"}'))->{data}{teamId}, 't1', 'S2-17 another owner, the same team');
is(of(patch('L1', '{"ownerId":""}')) =~ /"ownerId":null,"teamId":"t1"/, 1, 'S2-17 nobody, the same team');
is(of(patch('L1', '{"teamId":""}')) =~ /"ownerId":null,"teamId":null/, 1, 'S2-17 no team either');
is(of(patch('L1', '{"teamId":"","ownerId":""}')) =~ /"ownerId":null,"teamId":null/, 1, 'S2-17 again');
is(of(put('L1', '{"ownerId":"u3","teamId":"t2"}')) =~ /"ownerId":"u3","teamId":"t2"/, 1, 'S2-17 and back');
is(sql(q{SELECT string_agg(coalesce(owner_id, '-') || coalesce(team_id, '-'), ' ' ORDER BY id) FROM leadanalytics.lead_assignment WHERE workspace = $1}, $id), 'u1t1 u2t1 -t1 -- u3t2', 'S2-17 each change is noted, once');

# Leads that came by a form go by their number (D-73).
my $number = sql("INSERT INTO leadanalytics.lead (workspace, enquiry_at, name, status) VALUES (\$1, '2026-02-01Z', 'Form', 'fake') RETURNING id", $id) =~ s/\s.*//sr;
is(of(patch($number, '{"ownerId":"u1"}')) =~ /^\{"leadId":"$number".*"name":"Form".*"status":"unqualified","ownerId":"u1"/, 1, 'D-73 by its number');
is_error(patch("x$number", '{"ownerId":"u1"}'), 'engagement', 404, 'Lead not found', 'D-73 no such lead');
is(of(put($number, '{"name":"Formed"}')) =~ /^\{"leadId":"$number".*"name":"Formed"/, 1, 'D-73 PUT of its number is that lead');
is(sql('SELECT count(*) FROM leadanalytics.lead WHERE workspace = $1 AND id = $2 AND external_id = $3', $id, $number, $number), 1, 'D-73 and now its external id');
is_error(patch('L9', '{"status":"lost"}'), 'engagement', 404, 'Lead not found', 'D-73 PATCH makes none');
is_error(patch('L1', '{"status":"lost"}', 'sandbox'), 'engagement', 404, 'Lead not found', 'S2-04 another workspace');
is(of(put('a%2Fb%20c', '{}')) =~ /^\{"leadId":"a\/b c"/, 1, 'D-66 an id is decoded once');

# When it came can be told later; then it came then, everywhere (S2-07, S2-15).
put('came', '{"createdAt":"2026-03-05T10:00:00Z"}');
put('beside', '{"createdAt":"2026-03-06T10:00:00Z"}');
put('came', '{"createdAt":"2026-03-04T10:00:00Z"}');
is(of(timeline('came')), '[{"type":"status_change","timestamp":"2026-03-04T10:00:00.000Z","data":{"from":null,"to":"new"}}]', 'D-73 a createdAt that is corrected: the timeline');
sub came { my ($path) = @_; return request('GET', "/v1/analytics/$path", ["X-API-Key: $key{live}"])->{body} }
like(came("funnel?steps=new,lost&from=2026-03-0$_->[0]&to=2026-03-0$_->[0]"), qr/^.*?"count":$_->[1],/, "D-73 the funnel of March, $_->[0]") for [4, 1], [5, 0], [6, 1];
like(came("conversion-rate?from=2026-03-0$_->[0]&to=2026-03-0$_->[0]"), qr/"leads":$_->[1],/, "D-73 the leads of March, $_->[0]") for [4, 1], [5, 0], [6, 1];
is(json(put($_->[0], '{}'))->{errors}[0]{field}, 'leadId', "S2-04 no id: $_->[1]") for ['%20a', 'a blank before it'], ['a%20', 'a blank behind it'], ['a%0Ab', 'a control character'], ['%20', 'a blank alone'];

# What is wrong.
for (['PATCH', '{}', 'body'], ['PATCH', '{"name":"x"}', 'body'], ['PUT', '{"email":"x"}', 'email'], ['PUT', '{"createdAt":"soon"}', 'createdAt'], ['PUT', '{"createdAt":"1999-12-31T23:59:59Z"}', 'createdAt'],
    ['PUT', '{"createdAt":"2999-01-01T00:00:00Z"}', 'createdAt'], ['PUT', '{"ownerId":"' . 'x' x 129 . '"}', 'ownerId'])
{
    my $r = say_lead($_->[0], 'L1', $_->[1]);
    is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $_->[0] " . substr $_->[1], 0, 40) or next;
    is(json($r)->{errors}[0]{field}, $_->[2], 'S2-02 which field') or diag $r->{body};
}
for my $role (qw(marketing sdk tenant capture))
{
    is_error(put('L1', '{}', $role), 'engagement', 403, undef, "S2-04 PUT with a key of role $role");
    is_error(patch('L1', '{"status":"lost"}', $role), 'engagement', 403, undef, "S2-04 PATCH with a key of role $role");
    is_error(timeline('L1', '', $role), 'engagement', 403, undef, "S2-04 GET with a key of role $role");
}
is_error(request('PUT', '/v1/leads/L1', [], '{}'), 'engagement', 401, undef, 'S2-04 PUT without a key');

# Its timeline.
my $t = put('T1', '{"createdAt":"2026-02-09T10:00:00Z"}');
sql('SELECT leadanalytics.patch_engagement_lead($1, $2, owner_id => $3, now => $4)', $id, 'T1', 'u1', '2026-02-09T11:00:00Z');
sql('SELECT leadanalytics.patch_engagement_lead($1, $2, status => $3, now => $4)', $id, 'T1', 'contacted', '2026-02-10T11:00:00.5Z');
sql('SELECT leadanalytics.add_engagement($1, $2, $3, $4, $5, now => $6)', $id, @$_) for ['email_sent', 'T1', 'm1', 'x1', '2026-02-10T09:00:00Z'], ['page_visit', 'T1', undef, undef, '2026-02-11T09:00:00Z'];
$r = timeline('T1');
is_success($r, 'engagement', 200, 'S2-07 timeline: the envelope');
is(json($r)->{message}, 'Timeline retrieved', 'S2-07 timeline: its message');
is(of($r) =~ s/"evt_[0-9a-f]{32}"/"evt_"/gr, '[{"type":"page_visit","timestamp":"2026-02-11T09:00:00.000Z","data":{"id":"evt_","messageId":null,"workflowExecutionId":null}},'
        . '{"type":"status_change","timestamp":"2026-02-10T11:00:00.500Z","data":{"from":"new","to":"contacted"}},'
        . '{"type":"email_sent","timestamp":"2026-02-10T09:00:00.000Z","data":{"id":"evt_","messageId":"m1","workflowExecutionId":"x1"}},'
        . '{"type":"assignment","timestamp":"2026-02-09T11:00:00.000Z","data":{"ownerId":"u1","teamId":null}},'
        . '{"type":"status_change","timestamp":"2026-02-09T10:00:00.000Z","data":{"from":null,"to":"new"}}]', 'S2-07 timeline: newest first');
my $pages = json(timeline('T1', '?page=2&limit=2'));
is(join(' ', map { $_->{type} } @{ $pages->{data} }), 'email_sent assignment', 'S2-02 the second page');
is_deeply($pages->{pagination}, { page => 2, limit => 2, total => 5, totalPages => 3, hasNext => JSON::PP::true(), hasPrev => JSON::PP::true() }, 'S2-02 where it is');
is(of(timeline('T1', '?page=9')), '[]', 'S2-02 a page behind the last');
is_error(timeline('L9'), 'engagement', 404, 'Lead not found', 'S2-07 timeline of nobody');
is_error(timeline('T1', '', 'sandbox'), 'engagement', 404, 'Lead not found', 'S2-04 nor of another workspace');
is_error(timeline('T1', "?$_"), 'engagement', 422, 'Validation failed', "S2-02 $_") for 'page=0', 'limit=0', 'limit=101', 'page=x';
finish();
