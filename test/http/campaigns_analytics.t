# A campaign's analytics and a workspace's overview over the wire (S4-01, S4-02).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my $slug = slug();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(tenant admin marketing capture sdk agent live);
my $foreign = key($other, 'tenant');
my ($campaign, $overview) = ('campaigns/cmp_abc123/analytics', 'analytics/overview');
my ($today, $first, $week) = map { sql(qq(SELECT to_char((now() AT TIME ZONE 'UTC')::date - $_, 'YYYY-MM-DD'))) } 0, 30, 7;

sub ask { my ($path, $key, $method) = @_; return request($method // 'GET', family_path('campaigns', $path), ['Authorization: Bearer ' . ($key // $key{tenant})]) }
sub says { my ($path, $data, $name, $key) = @_; my $r = ask($path, $key); is("$r->{status} $r->{body}", qq(200 {"success":true,"data":$data}), $name) or diag $r->{raw} }
# An error with its code and text.
sub refused
{
    my ($path, $status, $code, $message, $name, $key) = @_;
    my $r = ask($path, $key);
    is("$r->{status} $r->{body}", sprintf('%d {"success":false,"error":{"code":"%s","message":"%s"}}', $status, $code, $message), $name) or diag $r->{raw};
}
sub range { my ($start, $end, $period) = @_; return qq("time_range":{"start":"${start}T00:00:00Z","end":"${end}T23:59:59Z","period":"$period"}) }

# --- Nothing there ------------------------------------------------------------------------------------------
refused($campaign, 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID cmp_abc123 not found in workspace $slug", 'S4-01 no campaign of that name');
refused('campaigns/a%2Fb%20%22%C3%A4/analytics', 404, 'CAMPAIGN_NOT_FOUND', qq(Campaign with ID a/b \\"\xc3\xa4 not found in workspace $slug), 'S4-01 the name is told as it was asked');
says($overview, qq({"workspace_id":"$slug",) . range($first, $today, '30d') . ',"summary":{"total_campaigns":0,"active_campaigns":0,"emails_sent":0,"emails_delivered":0,"emails_opened":0,"emails_clicked":0,"emails_replied":0},"rates":{"delivery_rate":0,"open_rate":0,"click_rate":0,"reply_rate":0},"top_campaigns":[]}', 'S4-02 nothing there');

# --- Six messages of two days, and one of another campaign ---------------------------------------------------
my @events = map { my ($message, $event, $at, $more) = @$_; sprintf '{"message_id":"%s","campaign_id":"%s","event":"%s","timestamp":"%s"%s}', $message, $message eq 'x' ? 'other' : 'cmp_abc123', $event, $at, $more // '' }
    (map { [$_, 'sent', "2025-11-0${_}T10:00:00Z"] } 1 .. 6), ['x', 'sent', '2025-11-02T10:00:00Z'],
    ['1', 'opened', '2025-11-01T11:00:00Z'], ['1', 'opened', '2025-11-01T12:00:00Z'], ['1', 'clicked', '2025-11-02T09:00:00Z'], ['2', 'opened', '2025-11-02T10:00:01Z'],
    ['2', 'bounced', '2025-11-02T10:05:00Z', ',"bounce_type":"hard","reason":"Invalid recipient"'], ['3', 'opened', '2025-11-05T00:00:00Z'], ['3', 'replied', '2025-11-05T00:00:00Z'],
    ['4', 'complained', '2025-11-04T23:59:59Z'], ['4', 'unsubscribed', '2025-11-05T00:00:00Z'], ['5', 'opened', '2025-11-06T10:00:00Z', ',"user_agent":"Mozilla/5.0"'];
is(sql('SELECT leadanalytics.put_message_events($1, $2) ->> \'accepted\'', $id, '[' . join(',', @events) . ']'), scalar @events, 'the messages are stored');
sql(q(UPDATE leadanalytics.campaign SET name = 'Q4 "Outreach"', status = 'paused' WHERE workspace = $1 AND key = 'cmp_abc123'), $id);

my $custom = 'timeRange=custom&startDate=2025-11-01&endDate=';
sub point { my ($date, @n) = @_; return sprintf '{"date":"%s","sent":%d,"delivered":%d,"opened":%d,"clicked":%d,"replied":%d,"bounced":%d,"spam_complaints":%d}', $date, @n }
my $head = '{"campaign_id":"cmp_abc123","campaign_name":"Q4 \"Outreach\"",';
my $six = '"summary":{"emails_sent":6,"emails_delivered":5,"emails_bounced":1,"emails_opened":2,"emails_clicked":1,"emails_replied":1,"spam_complaints":1,"unsubscribes":1},'
    . '"rates":{"delivery_rate":83.33,"open_rate":40.00,"click_rate":20.00,"click_to_open_rate":50.00,"reply_rate":20.00,"bounce_rate":16.67,"spam_rate":20.00,"unsubscribe_rate":20.00},"time_series":';
my $whole = $head . range('2025-11-01', '2025-11-06', 'custom') . ",$six\[" . join(',', point('2025-11-01', 1, 1, 1, 0, 0, 0, 0), point('2025-11-02', 1, 0, 0, 1, 0, 1, 0), point('2025-11-03', 1, 1, 0, 0, 0, 0, 0),
    point('2025-11-04', 1, 1, 0, 0, 0, 0, 1), point('2025-11-05', 1, 1, 1, 0, 1, 0, 0), point('2025-11-06', 1, 1, 0, 0, 0, 0, 0)) . ']}';
says("$campaign?${custom}2025-11-06", $whole, 'S4-01 the whole body');
says("$campaign?${custom}2025-11-06&groupBy=day", $whole, 'S4-01 groupBy=day, an admin key', $key{admin});
says("$campaign?${custom}2025-11-06T23:59:59Z", $whole, 'D-03 the end is inclusive');
says("$campaign?${custom}2025-11-06T23:59:59%2B00:00&groupBy=", $whole, 'D-02 an offset; an empty groupBy is none');
says("$campaign?${custom}2025-11-06&groupBy=week", $head . range('2025-11-01', '2025-11-06', 'custom') . ",$six\[" . join(',', point('2025-10-27', 2, 1, 1, 1, 0, 1, 0), point('2025-11-03', 4, 4, 1, 0, 1, 0, 1)) . ']}',
    'D-05 groupBy=week: Mondays, the first before the range');
says("$campaign?${custom}2025-11-06&groupBy=month", $head . range('2025-11-01', '2025-11-06', 'custom') . ",$six\[" . point('2025-11-01', 6, 5, 2, 1, 1, 1, 1) . ']}', 'D-05 groupBy=month: its first day');
is_deeply(json(ask("$campaign?timeRange=custom&startDate=2025-11-02&endDate=2025-11-02"))->{data}{time_series}, json({ body => '[' . point('2025-11-02', 1, 0, 0, 1, 0, 1, 0) . ']' }), 'D-02 one day');

my $top = '"top_campaigns":[{"campaign_id":"cmp_abc123","campaign_name":"Q4 \"Outreach\"","open_rate":40.00,"reply_rate":20.00},{"campaign_id":"other","campaign_name":"other","open_rate":0.00,"reply_rate":0.00}]}';
my $seven = qq({"workspace_id":"$slug",) . range('2025-11-01', '2025-11-06', 'custom')
    . ',"summary":{"total_campaigns":2,"active_campaigns":1,"emails_sent":7,"emails_delivered":6,"emails_opened":2,"emails_clicked":1,"emails_replied":1},"rates":{"delivery_rate":85.71,"open_rate":33.33,"click_rate":16.67,"reply_rate":16.67},' . $top;
says("$overview?${custom}2025-11-06", $seven, 'S4-02 the whole body');
says("$overview?${custom}2025-11-06", $seven, 'S4-02 an admin key', $key{admin});

# --- Ranges (D-02): today and so many days before ------------------------------------------------------------
for my $path ($campaign, $overview)
{
    my $id = $path eq $overview ? 'S4-02' : 'S4-01';
    for (['', 30, '30d'], ['?timeRange=', 30, '30d'], ['?timeRange=30d', 30, '30d'], ['?timeRange=7d', 7, '7d'], ['?timeRange=90d', 90, '90d'], ['?startDate=2025-11-01&endDate=2025-11-02', 30, '30d'])
    {
        my ($query, $days, $period) = @$_;
        my $data = json(ask("$path$query"))->{data};
        my $start = sql("SELECT to_char((now() AT TIME ZONE 'UTC')::date - $days, 'YYYY-MM-DD')");
        is_deeply($data->{time_range}, { start => "${start}T00:00:00Z", end => "${today}T23:59:59Z", period => $period }, "$id time_range of '$query'");
        is(scalar @{ $data->{time_series} }, $days + 1, "$id every day of '$query'") if $id eq 'S4-01';
    }
    refused("$path?timeRange=$_", 400, 'VALIDATION_ERROR', 'Invalid timeRange', "$id timeRange=$_") for qw(14d 30D all), '30d%20';
    refused("$path?timeRange=custom$_", 400, 'VALIDATION_ERROR', 'startDate and endDate are required for a custom range', "$id custom '$_'")
        for '', '&startDate=2025-11-01', '&endDate=2025-11-01', '&startDate=&endDate=2025-11-01';
    refused("$path?timeRange=custom&startDate=soon&endDate=2025-11-01", 400, 'VALIDATION_ERROR', 'Invalid startDate', "$id no date");
    refused("$path?timeRange=custom&startDate=2025-11-01&endDate=2025-02-30", 400, 'VALIDATION_ERROR', 'Invalid endDate', "$id no such date");
    refused("$path?timeRange=custom&startDate=$_->[0]&endDate=$_->[1]", 400, 'INVALID_TIME_RANGE', 'Start date must be before end date', "$id from $_->[0] to $_->[1]")
        for ['2025-11-02', '2025-11-01'], ['2025-11-01T10:00:00Z', '2025-11-01T10:00:00Z'], ['2025-11-01T10:00:01Z', '2025-11-01T10:00:00Z'];
}
refused("$campaign?groupBy=$_", 400, 'VALIDATION_ERROR', 'Invalid groupBy', "S4-01 groupBy=$_") for qw(hour Day auto year);
refused("$campaign?timeRange=custom&startDate=1900-01-01&endDate=2025-11-01", 400, 'VALIDATION_ERROR', 'Range is too long for aggregation \"day\"', 'S4-01 a series of a century of days');
refused('campaigns/nobody/analytics?groupBy=hour', 400, 'VALIDATION_ERROR', 'Invalid groupBy', 'D-66 parameters come before the campaign');
refused('campaigns/nobody/analytics?timeRange=custom&startDate=2025-11-02&endDate=2025-11-01', 400, 'INVALID_TIME_RANGE', 'Start date must be before end date', 'D-66 and so does the range');

# --- Who may -------------------------------------------------------------------------------------------------
for my $path ($campaign, $overview)
{
    my $id = $path eq $overview ? 'S4-02' : 'S4-01';
    refused($path, 403, 'FORBIDDEN', 'Forbidden', "$id a key of role $_", $key{$_}) for qw(marketing capture sdk agent live);
    is_error(request('GET', family_path('campaigns', $path)), 'campaigns', 401, undef, "$id no key");
    like(request('GET', family_path('campaigns', $path))->{body}, qr/"code":"UNAUTHORIZED"/, "$id no key: its code");
    refused($path, 401, 'UNAUTHORIZED', 'Invalid API key', "$id no such key", 'la_ws_nothing');
    refused($path, 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', "$id another workspace's key", $foreign);
    my $r = request('GET', family_path('campaigns', $path, 'nowhere-at-all'), ["Authorization: Bearer $key{tenant}"]);
    is("$r->{status} $r->{body}", '404 {"success":false,"error":{"code":"WORKSPACE_NOT_FOUND","message":"Workspace not found"}}', "$id no such workspace");
    is(request('GET', family_path('campaigns', "$path?${custom}2025-11-06"), ["X-API-Key: $key{tenant}"])->{status}, 200, "$id D-67 the other header");
    $r = ask($path, undef, 'POST');
    is(header($r, 'Allow'), 'GET, HEAD, OPTIONS', "$id Allow");
    is("$r->{status} $r->{body}", '405 {"success":false,"error":{"code":"METHOD_NOT_ALLOWED","message":"Method not allowed"}}', "$id no POST");
    $r = ask("$path?${custom}2025-11-06", undef, 'HEAD');
    is("$r->{status} $r->{body}", '200 ', "$id HEAD");
    like(header($r, 'X-Data-As-Of'), qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, "$id D-46 X-Data-As-Of");
    is(header($r, 'Content-Type'), 'application/json', "$id JSON");
}
# Another workspace's campaign of the same name is another campaign.
refused($campaign =~ s/cmp_abc123/other/r, 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', 'S4-01 nothing is said of another workspace\'s campaigns', $foreign);
{
    my $r = request('GET', family_path('campaigns', $campaign, slug('other')), ["Authorization: Bearer $foreign"]);
    is("$r->{status} $r->{body}", sprintf('404 {"success":false,"error":{"code":"CAMPAIGN_NOT_FOUND","message":"Campaign with ID cmp_abc123 not found in workspace %s"}}', slug('other')), 'S4-01 of their own they have none');
}

# --- Limits: by workspace, each question its own (D-75) --------------------------------------------------------
for ([$campaign, 'campaign', 100], [$overview, 'campaign_overview', 60])
{
    my ($path, $class, $limit) = @$_;
    is(sql(q(SELECT requests || ' ' || seconds || ' ' || per FROM leadanalytics.rate_class WHERE name = $1), $class), "$limit 60 workspace", "$class: $limit a minute and workspace");
    sql('SELECT leadanalytics.set_rate_limit($1, 2)', $class);
    my @r = map { ask($path, $key{ $_ == 2 ? 'admin' : 'tenant' }) } 1 .. 4;
    # A minute may begin in between: then two more are let through.
    my ($late) = grep { $_->{status} == 429 } @r;
    ok($late, "$class: 429") or diag join ' ', map { $_->{status} } @r;
    is($late->{body}, '{"success":false,"error":{"code":"RATE_LIMITED","message":"Rate limit exceeded"}}', "$class: its body");
    is(header($late, 'X-RateLimit-Limit'), 2, "$class: X-RateLimit-Limit");
    is(header($late, 'X-RateLimit-Remaining'), 0, "$class: X-RateLimit-Remaining");
    like(header($late, 'X-RateLimit-Reset') . ' ' . header($late, 'Retry-After'), qr/^\d+ \d+$/, "$class: X-RateLimit-Reset, Retry-After");
    is(request('GET', family_path('campaigns', $overview, slug('other')), ["Authorization: Bearer $foreign"])->{status}, 200, "$class: another workspace has its own");
    sql('SELECT leadanalytics.set_rate_limit($1, 0)', $class);
    is(ask($path)->{status}, 200, "$class: lifted");
}
finish();
