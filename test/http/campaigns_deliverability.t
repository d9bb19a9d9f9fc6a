# Deliverability over the wire (S4-03): the whole body, every parameter, every error, the headers.
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
my $slug = slug();

sub ask
{
    my ($query, $key) = @_;
    return request('GET', family_path('campaigns', 'analytics/deliverability') . ($query ? "?$query" : ''), ['Authorization: Bearer ' . ($key // $key{tenant})]);
}
sub fails
{
    my ($r, $status, $code, $message, $name) = @_;
    is_error($r, 'campaigns', $status, $message, $name);
    is(json($r)->{error}{code}, $code, "$name: code");
}
sub data { my $r = ask(@_); return json($r)->{data} // diag $r->{raw} }
sub put
{
    my ($method, $path, $body) = @_;
    my $r = request($method, family_path('campaigns', $path), ["Authorization: Bearer $key{tenant}"], ref $body ? JSON::PP->new->encode($body) : $body);
    is(json($r)->{success}, JSON::PP::true, "$method $path") or diag $r->{raw};
}
my %day = map { $_ => sql("SELECT ((now() AT TIME ZONE 'UTC')::date - $_)::text") } 0, 7, 8, 30, 31, 90, 91;

# --- Nothing -----------------------------------------------------------------------------------------------
sub whole
{
    my ($days, $overall, $bounces, $trend, $blacklist) = @_;
    return qq({"success":true,"data":{"workspace_id":"$slug","time_range":{"start":"$day{$days}T00:00:00Z","end":"$day{0}T23:59:59Z"},"overall":$overall,"bounce_analysis":$bounces,"reputation_trend":$trend,"blacklist_status":$blacklist}});
}
my @nothing = ('{"estimated_inbox_placement_rate":0,"spam_rate":0,"bounce_rate":0,"health_score":0}', '{"hard_bounces":0,"soft_bounces":0,"hard_bounce_rate":0,"soft_bounce_rate":0,"top_bounce_reasons":[]}', '[]',
    '{"any_ip_blacklisted":false,"ips_checked":0,"last_check":null}');
is(ask('')->{body}, whole(30, @nothing), 'S4-03 nothing sent: the last 30 days');

# --- 200 sent: 3 hard and 5 soft bounces, 4 complaints -------------------------------------------------------
my @events;
sub event { my ($n, $event, $days, %more) = @_; push @events, { message_id => "m$n", event => $event, timestamp => "$day{$days}T00:00:0" . ($event eq 'sent' ? 0 : 1) . 'Z', %more } }
event($_, 'sent', $_ <= 100 ? 7 : 30, campaign_id => $_ <= 150 ? 'c1' : 'c2', domain_id => $_ % 2 ? 'd1' : 'd2', mailbox_id => $_ <= 50 ? 'b1' : 'b2') for 1 .. 200;
event($_, 'bounced', 7, bounce_type => 'hard', reason => 'Invalid recipient') for 1 .. 3;
event($_, 'bounced', 30, bounce_code => '4.2.2') for 151 .. 155;
event($_, 'complained', 7) for 11 .. 14;
event(300, 'sent', 8);
event(301, 'sent', 31);
event(302, 'sent', 91);
put('POST', 'messages/events', \@events);
put('PUT', 'mailboxes/b1', '{"health_score":80,"domain_id":"d1"}');
put('PUT', 'ips/i1', qq({"address":"192.0.2.1","checked_at":"$day{7}T10:00:00.9Z"}));
put('PUT', 'ips/i2', qq({"address":"192.0.2.2","checked_at":"$day{8}T10:00:00Z","blacklisted":true}));
put('PUT', 'ips/i3', '{"address":"192.0.2.3"}');
my $blacklist = qq({"any_ip_blacklisted":true,"ips_checked":2,"last_check":"$day{7}T10:00:00Z"});

# b1: 80; b2: 150 sent, 145 delivered, 5 bounced: 40 * .9667 + 30 * .9667 + 30 = 98; one message of no mailbox: 100.
is(ask('')->{body}, whole(30, '{"estimated_inbox_placement_rate":94.03,"spam_rate":1.99,"bounce_rate":3.98,"health_score":94}',
    '{"hard_bounces":3,"soft_bounces":5,"hard_bounce_rate":1.49,"soft_bounce_rate":2.49,"top_bounce_reasons":[{"reason":"Mailbox full","count":5,"percentage":62.5},{"reason":"Invalid recipient","count":3,"percentage":37.5}]}',
    qq([{"date":"$day{30}","score":97},{"date":"$day{8}","score":100},{"date":"$day{7}","score":90}]), $blacklist), 'S4-03 the whole body');
is(ask('timeRange=30d')->{body}, ask('')->{body}, 'S4-03 timeRange=30d is the default');
is(ask('', $key{admin})->{body}, ask('')->{body}, 'D-67 an admin key opens it');
is(ask('timeRange=7d')->{body}, whole(7, '{"estimated_inbox_placement_rate":93.00,"spam_rate":4.00,"bounce_rate":3.00,"health_score":90}',
    '{"hard_bounces":3,"soft_bounces":0,"hard_bounce_rate":3.00,"soft_bounce_rate":0.00,"top_bounce_reasons":[{"reason":"Invalid recipient","count":3,"percentage":100.0}]}',
    qq([{"date":"$day{7}","score":90}]), $blacklist), 'S4-03 timeRange=7d: today and seven days before');
{
    my $d = data('timeRange=90d');
    is("$d->{time_range}{start} $d->{time_range}{end}", "$day{90}T00:00:00Z $day{0}T23:59:59Z", 'S4-03 timeRange=90d');
    is_deeply([ sort keys %{ $d->{time_range} } ], [qw(end start)], 'S4-03 no period');
    is_deeply([ map { $_->{date} } @{ $d->{reputation_trend} } ], [ @day{ 31, 30, 8, 7 } ], 'S4-03 … and what was sent in it');
}

# --- One campaign, one domain --------------------------------------------------------------------------------
sub bounces { my ($query) = @_; my $b = data($query)->{bounce_analysis}; return "$b->{hard_bounces} $b->{soft_bounces}" }
is(bounces("campaignId=$_->[0]"), $_->[1], "S4-03 campaignId=$_->[0]") for ['c1', '3 0'], ['c2', '0 5'];
is(bounces("domainId=$_->[0]"), $_->[1], "S4-03 domainId=$_->[0]") for ['d1', '2 3'], ['d2', '1 2'];
is(bounces('campaignId=c2&domainId=d2'), '0 2', 'S4-03 both');
is(bounces('campaignId=c1&domainId=d1&timeRange=7d'), '2 0', 'S4-03 all three');
is(bounces('campaignId=&domainId='), '3 5', 'S4-03 empty ones say nothing');
is(data('campaignId=c2')->{blacklist_status}{ips_checked}, 2, 'S4-03 IPs are the workspace\'s');

# --- Errors ------------------------------------------------------------------------------------------------
fails(ask("timeRange=$_"), 400, 'VALIDATION_ERROR', 'Invalid timeRange', "S4-03 timeRange=$_") for qw(custom 1d 30D 30);
fails(ask('campaignId=c9'), 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID c9 not found in workspace $slug", 'S4-03 an unknown campaign');
fails(ask('domainId=d9'), 404, 'DOMAIN_NOT_FOUND', "Domain with ID d9 not found in workspace $slug", 'S4-03 an unknown domain');
fails(ask('campaignId=' . 'c' x 300), 404, 'CAMPAIGN_NOT_FOUND', undef, 'S4-03 a campaign of 300 letters');
is_error(ask('', $key{$_}), 'campaigns', 403, 'Forbidden', "D-67 a key of role $_") for qw(sdk agent marketing live capture);
is_error(request('GET', family_path('campaigns', 'analytics/deliverability')), 'campaigns', 401, undef, 'S4-03 without a key');
fails(ask('', key($other, 'tenant')), 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', 'S4-03 another workspace\'s key');
{
    my $r = request('POST', family_path('campaigns', 'analytics/deliverability'), ["Authorization: Bearer $key{tenant}"], '{}');
    is("$r->{status} " . header($r, 'Allow'), '405 GET, HEAD, OPTIONS', 'S4-03 no POST');
}

# --- Headers -------------------------------------------------------------------------------------------------
{
    my $r = ask('');
    ok(defined header($r, 'X-Data-As-Of'), 'D-46 X-Data-As-Of');
    sql(q{SELECT leadanalytics.set_rate_limit('campaign_deliverability', NULL)});
    is(header(ask(''), 'X-RateLimit-Limit'), 30, 'D-75 30 a minute');
    my $refused;
    for (1 .. 31) { $refused = ask('timeRange=7d'); last if $refused->{status} == 429 }
    fails($refused, 429, 'RATE_LIMITED', undef, 'D-75 one too many');
    ok(header($refused, 'Retry-After') > 0, 'D-75 Retry-After');
}
finish();
