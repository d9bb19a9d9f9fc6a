# The doors of campaigns over the wire (CONTRACT section 0): campaigns, sending domains, mailboxes, sending IPs, events of messages.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(tenant admin sdk agent marketing live capture);
my $foreign = key($other, 'tenant');
my $one = '{"success":true,"data":{"accepted":1,"rejected":[]}}';

sub ask
{
    my ($method, $path, $body, $key, @headers) = @_;
    return request($method, family_path('campaigns', $path), ['Authorization: Bearer ' . ($key // $key{tenant}), @headers], $body);
}
sub says
{
    my ($r, $body, $name) = @_;
    is("$r->{status} $r->{body}", "200 $body", $name) or diag $r->{raw};
}
sub fails
{
    my ($r, $status, $code, $message, $name) = @_;
    is_error($r, 'campaigns', $status, $message, $name);
    is(json($r)->{error}{code}, $code, "$name: code");
}
sub rows { return sql("SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM (SELECT $_[0] WHERE t.workspace = $id) AS x") }

# --- One object each -------------------------------------------------------------------------------------
says(ask('PUT', 'campaigns/cmp_1', '{"name":"Q4 Outreach Campaign","status":"active"}'), $one, 'a campaign');
says(ask('PUT', 'campaigns/cmp%2F2%20%C3%A4', ''), $one, 'D-66 a key with a slash, and no body');
says(ask('PUT', 'domains/dom_1', '{"name":"mail.example.com"}'), $one, 'a domain');
says(ask('PUT', 'mailboxes/mbx_1', '{"address":"ann@mail.example.com","domain_id":"dom_1","health_score":92.5}'), $one, 'a mailbox');
says(ask('PUT', 'mailboxes/mbx_2', '{"domain_id":"dom_new"}'), $one, 'a mailbox of a domain that is not there');
says(ask('PUT', 'ips/ip_1', '{"address":"192.0.2.1","blacklisted":true,"checked_at":"2025-11-26T12:00:00+02:00"}'), $one, 'an IP');
says(ask('PUT', 'ips/ip_2', '{"address":"2001:db8::1"}'), $one, 'an IPv6 address, never checked');
is(rows('t.key, t.name, t.status FROM leadanalytics.campaign t'), '("cmp/2 ä","cmp/2 ä",) (cmp_1,"Q4 Outreach Campaign",active)', 'campaigns; name: the key');
is(rows('t.key, t.name FROM leadanalytics.sending_domain t'), '(dom_1,mail.example.com) (dom_new,dom_new)', 'domains; one is made, its key its name');
is(rows('t.key, t.address, d.key AS domain, t.health_score FROM leadanalytics.mailbox t LEFT JOIN leadanalytics.sending_domain d ON (d.workspace, d.id) = (t.workspace, t.domain)'),
    '(mbx_1,ann@mail.example.com,dom_1,92.5) (mbx_2,,dom_new,)', 'mailboxes');
is(rows(q{t.key, t.address, t.blacklisted, t.checked_at AT TIME ZONE 'UTC' AS checked_at FROM leadanalytics.sending_ip t}), '(ip_1,192.0.2.1,t,"2025-11-26 10:00:00") (ip_2,2001:db8::1,f,)', 'IPs');

# Again: anew, and what is omitted is not told.
says(ask('PUT', 'campaigns/cmp_1', '{"status":"paused"}'), $one, 'a campaign again') for 1, 2;
says(ask('PUT', 'mailboxes/mbx_1', '{}'), $one, 'a mailbox again');
says(ask('PUT', 'ips/ip_1', '{"address":"192.0.2.7"}'), $one, 'an IP again');
is(rows(q{t.key, t.name, t.status FROM leadanalytics.campaign t}), '("cmp/2 ä","cmp/2 ä",) (cmp_1,cmp_1,paused)', 'a campaign is what was put last');
is(rows('t.key, t.address, t.domain, t.health_score FROM leadanalytics.mailbox t') =~ /\(mbx_1,,,\)/, 1, 'so is a mailbox');
is(rows('t.key, t.address, t.blacklisted, t.checked_at FROM leadanalytics.sending_ip t') =~ /\(ip_1,192.0.2.7,f,\)/, 1, 'so is an IP');

# --- What is wrong ---------------------------------------------------------------------------------------
my $long = 'x' x 501;
fails(ask('PUT', @$_[0, 1]), 400, 'VALIDATION_ERROR', $_->[2], "$_->[0] $_->[1]" =~ s/x{500,}/x…/r) for
    ['campaigns/c', '{"status":"gone"}', 'Invalid status'], ['campaigns/c', '{"status":"Active"}', 'Invalid status'], ['campaigns/c', qq({"name":"$long"}), 'Invalid name'],
    ['campaigns/c', '{"name":{}}', 'Invalid name'], ['campaigns/c', '[{"name":"x"}]', 'Invalid request body'], ['campaigns/c', '{"name":', 'Invalid request body'], ['campaigns/c', '7', 'Invalid request body'],
    ['campaigns/' . 'k' x 201, '', 'Invalid key'], ['campaigns/%20', '', 'Invalid key'], ['domains/c', '{"name":[]}', 'Invalid name'],
    ['mailboxes/c', '{"health_score":-1}', 'Invalid health_score'], ['mailboxes/c', '{"health_score":100.1}', 'Invalid health_score'], ['mailboxes/c', '{"health_score":"good"}', 'Invalid health_score'],
    ['mailboxes/c', '{"domain_id":"' . 'd' x 201 . '"}', 'Invalid domain_id'], ['mailboxes/c', '{"address":"' . 'a' x 321 . '"}', 'Invalid address'],
    ['ips/c', '', 'address is required'], ['ips/c', '{"address":null}', 'address is required'], ['ips/c', '{"address":"192.0.2.256"}', 'Invalid address'], ['ips/c', '{"address":"192.0.2.0/24"}', 'Invalid address'],
    ['ips/c', '{"address":"mail.example.com"}', 'Invalid address'], ['ips/c', '{"address":"192.0.2.1","blacklisted":"yes"}', 'Invalid blacklisted'],
    ['ips/c', '{"address":"192.0.2.1","checked_at":"soon"}', 'Invalid checked_at'], ['ips/c', '{"address":"192.0.2.1","checked_at":"2025-02-30"}', 'Invalid checked_at'];
is(rows("t.key FROM leadanalytics.campaign t") . rows("t.key FROM leadanalytics.mailbox t") . rows("t.key FROM leadanalytics.sending_ip t"), '("cmp/2 ä") (cmp_1)(mbx_1) (mbx_2)(ip_1) (ip_2)', 'nothing of it was kept');

# Who may, and where.
for my $path (qw(campaigns/c domains/c mailboxes/c ips/c messages/events))
{
    my $method = $path =~ /events/ ? 'POST' : 'PUT';
    my $body = $path =~ /ips/ ? '{"address":"192.0.2.3"}' : $path =~ /events/ ? '{"message_id":"a","event":"sent"}' : '{}';
    is_error(ask($method, $path, $body, $key{$_}), 'campaigns', 403, 'Forbidden', "D-67 $path with a key of role $_") for qw(sdk agent marketing live capture);
    is_error(request($method, family_path('campaigns', $path), [], $body), 'campaigns', 401, undef, "$path without a key");
    fails(ask($method, $path, $body, $foreign), 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', "$path with another workspace's key");
    says(ask($method, $path, $body, $key{admin}), $one, "$path with an admin key");
    my $r = ask('DELETE', $path);
    is("$r->{status} " . header($r, 'Allow'), "405 $method, OPTIONS", "$path: no DELETE");
}

# --- Events of messages ------------------------------------------------------------------------------------
sub events { my ($body, @headers) = @_; return ask('POST', 'messages/events', $body, undef, @headers) }
says(events('{"message_id":" lead L1","event":"sent"}'), '{"success":true,"data":{"accepted":0,"rejected":[{"index":0,"error":"Invalid message_id"}]}}', 'a key that begins with a blank: those are of mails without one');
sub stored { return sql('SELECT count(*) FROM leadanalytics.message_event WHERE workspace = $1', $id) }
says(events('{"message_id":"m1","event":"sent","campaign_id":"cmp_1","mailbox_id":"mbx_2","timestamp":"2025-11-20T10:00:00Z"}'), $one, 'one event');
says(events('[{"message_id":"m1","event":"delivered","timestamp":"2025-11-20T10:00:05Z"},{"message_id":"m1","event":"read"},7,{"message_id":"m2","event":"bounced","bounce_type":"hard","timestamp":"2025-11-20T10:00:00Z","campaign_id":"cmp_new"},{"event":"sent"}]'),
    '{"success":true,"data":{"accepted":2,"rejected":[{"index":1,"error":"Invalid event"},{"index":2,"error":"Not an object"},{"index":4,"error":"message_id is required"}]}}', 'each by itself');
is(rows(q{t.key, t.name FROM leadanalytics.campaign t}) =~ /\(cmp_new,cmp_new\)/, 1, 'an unknown campaign is made, its key its name');
is(rows(q{t.key, d.key AS domain FROM leadanalytics.message t JOIN leadanalytics.sending_domain d ON (d.workspace, d.id) = (t.workspace, t.domain)}), '(m1,dom_new)', 'a message that names no domain has its mailbox\'s');
my $before = stored();
says(events('{"message_id":"m1","event":"sent","campaign_id":"cmp_1","mailbox_id":"mbx_2","timestamp":"2025-11-20T10:00:00Z"}'), $one, 'one that comes again');
is(stored(), $before, '… is stored once');
{
    my @r = map { events('{"message_id":"m9","event":"opened"}', 'Idempotency-Key: again') } 1, 2;
    is($r[0]{body}, $r[1]{body}, 'Idempotency-Key: answered again');
    is(stored(), $before + 1, '… and done once');
    is(header($r[1], 'Idempotency-Replayed'), 'true', '… which it says');
}
says(events('[]'), '{"success":true,"data":{"accepted":0,"rejected":[]}}', 'an empty array');
fails(events($_->[0]), 400, 'VALIDATION_ERROR', 'Invalid request body', "events: $_->[1]") for ['', 'no body'], ['{', 'no JSON'], ['"x"', 'a text'], ['[' . join(',', ('1') x 1001) . ']', '1 001'];
my $thousand = '[' . join(',', map { sprintf '{"message_id":"t%d","event":"clicked","timestamp":"2025-11-20T11:00:00Z","url":"https://example.com/%s"}', $_, 'p' x 900 } 1 .. 1000) . ']';
cmp_ok(length $thousand, '>', 990_000, 'nearly 1 MB');
says(events($thousand), '{"success":true,"data":{"accepted":1000,"rejected":[]}}', 'a thousand events');
fails(events('[' . ' ' x (1 << 20) . ']'), 413, 'VALIDATION_ERROR', undef, 'more than 1 MB');

# No class of requests: as many as one likes.
is(header(events('[]'), 'X-RateLimit-Limit'), undef, 'D-75 no limit');
unhurt('still there');
finish();
