# The public lists of events and tags over the wire, whole bodies (S5-05, S5-12).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = sql('SELECT leadanalytics.create_workspace($1, $1, timezone => \'America/Chicago\')', slug('events'));
my %key = map { $_ => key($id, $_) } qw(sdk agent admin live);

sub ask { my ($path, $key) = @_; return request('GET', "/api/v1/$path", ['Authorization: Bearer ' . ($key // $key{agent})]) }

sub says
{
    my ($path, $status, $expect, $name, $key) = @_;
    my $r = ask($path, $key);
    is("$r->{status} $r->{body}", "$status $expect", $name) or diag $r->{raw};
    is_shaped($r, 'public', "$name: in shape") if $status >= 400;
    return;
}

my $day = 'start_date=2025-03-16T00:00:00Z&end_date=2025-03-16T23:59:59Z';

# Who may ask
is(request('GET', "/api/v1/$_?$day", [])->{status}, 401, "401 $_ without a key") for qw(events tags);
is(ask("$_?$day", $key{live})->{status}, 403, "403 $_ with a key of another role") for qw(events tags);
is(ask("events?$day", $key{$_})->{status}, 200, "S5-05 with $_") for qw(sdk agent admin);
is(ask("tags?$day", $key{$_})->{status}, 200, "S5-12 with $_") for qw(sdk agent admin);
like(header(ask("$_?$day"), 'X-Data-As-Of') // '', qr/^\d{4}-/, "X-Data-As-Of of $_") for qw(events tags);

# The range (D-03, D-59)
for my $route (qw(events tags))
{
    my $sum = $route eq 'events' ? 'S5-05' : 'S5-12';
    says("$route?$$_[0]", 400, qq({"error":"$$_[1]"}), "$sum '$$_[0]'")
        for ['', 'start_date and end_date are required'], ['start_date=2025-03-16', 'start_date and end_date are required'], ['end_date=2025-03-16', 'start_date and end_date are required'],
        ['start_date=x&end_date=2025-03-16', 'Invalid start_date'], ['start_date=2025-03-16&end_date=2025-02-30', 'Invalid end_date'],
        ['start_date=2025-03-17&end_date=2025-03-16', 'start_date must not be after end_date'];
}
says("events?$day", 200, '{"events":[],"total_count":0,"has_more":false,"limit":100,"offset":0}', 'S5-05 of nothing');
says("tags?$day", 200, '{"data":[],"total":0}', 'S5-12 of nothing');

# Three events and a robot's
sub track { my ($events, $agent) = @_; return sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => \'2025-03-17Z\') ->> \'accepted\'', $id, qq({"events":[$events]}), $agent) }
my $chrome = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
is(track(<<'EVENTS', $chrome), 3, 'events');
{"event_name":"pageview","visitor_id":"v_1","session_id":"s_1","user_id":"u_1","timestamp":"2025-03-16T14:32:45.123Z","event_data":{"url":"https://acme.example/pricing?a=1",
  "title":"Pricing - Acme","referrer":"https://google.com","utm_source":"google","utm_medium":"cpc","utm_campaign":"spring_sale","screen_width":1920,"screen_height":1080}},
{"event_name":"purchase","visitor_id":"v_1","session_id":"s_1","timestamp":"2025-03-16T14:40:00Z","source":"shopify","event_data":{"value":99.50,"tags":["checkout_flow"," checkout_flow ","b"]}},
{"event_name":"sign up, twice","visitor_id":"v_2","timestamp":"2025-03-16T14:40:00Z","event_data":{"path":"/Pricing","utm_source":"Google","tag":"b"}}
EVENTS
is(track('{"event_name":"pageview","timestamp":"2025-03-16T15:00:00Z","event_data":{"path":"/pricing","tag":"robots"}}', 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'), 1, 'and a robot\'s');
my @ids = split /\n/, sql('SELECT id FROM leadanalytics.event WHERE workspace = $1 ORDER BY at, id', $id);
my @sessions = split /\n/, sql('SELECT session_id FROM leadanalytics.events WHERE workspace = $1 ORDER BY at, id', $id);

sub event
{
    my ($n, %e) = @_;
    return sprintf '{"id":"evt_%s","event_name":"%s",%s}', $ids[$n], $e{name}, join ',', map {
        my $value = exists $e{$_} ? $e{$_} : 'null';
        sprintf '"%s":%s', $_, $value =~ /^(null|\{.*\})$/ ? $value : qq("$value")
    } qw(visitor_id session_id user_id received_at page_path page_title page_url referrer geo_country geo_country_code geo_region geo_city
        utm_source utm_medium utm_campaign browser os device_type screen_width screen_height source event_data);
}
my %mac = (browser => 'Chrome', os => 'macOS', device_type => 'desktop', source => 'web', event_data => '{}');
my ($pageview, $purchase, $sign_up, $robot) = (
    event(0, %mac, name => 'pageview', visitor_id => 'v_1', session_id => 's_1', user_id => 'u_1', received_at => '2025-03-16T14:32:45.123Z', page_path => '/pricing', page_title => 'Pricing - Acme',
        page_url => 'https://acme.example/pricing?a=1', referrer => 'https://google.com', utm_source => 'google', utm_medium => 'cpc', utm_campaign => 'spring_sale', screen_width => '1920', screen_height => '1080'),
    event(1, %mac, name => 'purchase', visitor_id => 'v_1', session_id => 's_1', user_id => 'u_1', received_at => '2025-03-16T14:40:00.000Z', source => 'shopify', event_data => '{"tags":["checkout_flow"," checkout_flow ","b"],"value":99.50}'),
    event(2, %mac, name => 'sign up, twice', visitor_id => 'v_2', session_id => $sessions[2], received_at => '2025-03-16T14:40:00.000Z', page_path => '/Pricing', utm_source => 'Google', event_data => '{"tag":"b"}'),
    event(3, name => 'pageview', received_at => '2025-03-16T15:00:00.000Z', page_path => '/pricing', browser => 'Googlebot', device_type => 'bot', source => 'web', event_data => '{"tag":"robots"}'));
my @all = ($sign_up, $purchase, $pageview);
sub list { my ($total, $has_more, $limit, $offset, @events) = @_; return sprintf '{"events":[%s],"total_count":%d,"has_more":%s,"limit":%d,"offset":%d}', join(',', @events), $total, $has_more, $limit, $offset }

says("events?$day", 200, list(3, 'false', 100, 0, @all), 'S5-05 the whole body, by time and id');
for my $folded ('', ', folded')
{
    says("events?$day&$$_[0]", 200, list($$_[1], 'false', 100, 0, @all[@{ $$_[2] }]), "S5-05 $$_[0]$folded")
        for ['event_name=purchase', 1, [1]], ['event_name=pageview,purchase', 2, [1, 2]], ['event_name=%20purchase%20,,nothing', 1, [1]], ['event_name=', 3, [0 .. 2]], ['event_name=nothing', 0, []],
        ['event_name=Purchase', 0, []], ['utm_source=GOOGLE', 2, [0, 2]], ['utm_medium=Cpc', 1, [2]], ['utm_campaign=SPRING_sale', 1, [2]], ['utm_source=', 3, [0 .. 2]], ['utm_source=goo', 0, []],
        ['page_path=/pricing', 1, [2]], ['page_path=/Pricing', 1, [0]], ['page_path=/pricing%3Fa%3D1', 0, []], ['country=US', 0, []], ['region=Texas', 0, []], ['city=Austin', 0, []],
        ['utm_source=google&event_name=pageview', 1, [2]], ['utm_source=google&utm_medium=cpc&utm_campaign=spring_sale&page_path=/pricing&event_name=pageview', 1, [2]],
        ['utm_source=google&event_name=purchase', 0, []];
    sql('SET leadanalytics.segment_events = 1; SELECT leadanalytics.fold($1, \'2025-03-18Z\'), leadanalytics.build($1, \'2025-03-18Z\')', $id);
}

# Pages (D-59: clamped, what is no number is the default)
says("events?$day&$$_[0]", 200, list(3, @$_[1 .. 3], @all[@{ $$_[4] }]), "S5-05 '$$_[0]'")
    for ['limit=2', 'true', 2, 0, [0, 1]], ['limit=3', 'false', 3, 0, [0 .. 2]], ['limit=2&offset=2', 'false', 2, 2, [2]], ['limit=1&offset=1', 'true', 1, 1, [1]], ['offset=3', 'false', 100, 3, []],
    ['offset=1000000', 'false', 100, 1000000, []], ['limit=0', 'true', 1, 0, [0]], ['limit=-1', 'true', 1, 0, [0]], ['limit=1001', 'false', 1000, 0, [0 .. 2]], ['limit=x&offset=y', 'false', 100, 0, [0 .. 2]],
    ['limit=&offset=', 'false', 100, 0, [0 .. 2]], ['offset=-7', 'false', 100, 0, [0 .. 2]], ['limit=1.5', 'false', 100, 0, [0 .. 2]];
says("events?$day&include_bots=true", 200, list(4, 'false', 100, 0, $robot, @all), 'D-76 S5-05 with robots');
says("events?$day&include_bots=true&page_path=/pricing", 200, list(2, 'false', 100, 0, $robot, $pageview), 'D-76 S5-05 with robots, of a page');
# The ends (D-03), and the workspace's day: 14:40Z is 09:40 in Chicago
says("events?start_date=2025-03-16T14:32:45Z&end_date=2025-03-16T14:32:45Z", 200, list(1, 'false', 100, 0, $pageview), 'D-03 S5-05 all of a second');
says("events?start_date=2025-03-16T14:32:45.124Z&end_date=2025-03-16T14:39:59Z", 200, list(0, 'false', 100, 0), 'D-03 S5-05 and nothing before or after');
says("events?start_date=2025-03-16T09:40:00&end_date=2025-03-16T09:40:00", 200, list(2, 'false', 100, 0, @all[0, 1]), 'D-01 S5-05 in the workspace\'s zone');
says("events?start_date=2025-03-16&end_date=2025-03-16", 200, list(3, 'false', 100, 0, @all), 'D-03 S5-05 a date');

# The document's own loop sees each event once
my (@seen, $offset);
for ($offset = 0;; $offset += 2)
{
    my $page = json(ask("events?$day&limit=2&offset=$offset"));
    push @seen, map { $_->{id} } @{ $page->{events} };
    last if !$page->{has_more} || $offset > 10;
}
is("@seen", join(' ', map { "evt_$ids[$_]" } 2, 1, 0), 'S5-05 page by page');

# Tags
my @tags = ('{"tag":"b","count":1,"percentage":33.3,"source":"shopify"}', '{"tag":"b","count":1,"percentage":33.3,"source":"web"}', '{"tag":"checkout_flow","count":1,"percentage":33.3,"source":"shopify"}');
says("tags?$day", 200, '{"data":[' . join(',', @tags) . '],"total":3}', 'D-72 S5-12 the whole body');
says("tags?$day&limit=$$_[0]", 200, '{"data":[' . join(',', @tags[0 .. $$_[1] - 1]) . '],"total":3}', "S5-12 limit=$$_[0]") for [1, 1], [2, 2], [0, 1], [-3, 1], [101, 3], ['x', 3], ['', 3];
says("tags?$day&include_bots=true", 200, '{"data":[' . join(',', map { s/33\.3/25.0/r } @tags) . ',{"tag":"robots","count":1,"percentage":25.0,"source":"web"}],"total":4}', 'D-76 S5-12 with robots');
says('tags?start_date=2025-03-16T14:41:00Z&end_date=2025-03-16T23:59:59Z', 200, '{"data":[],"total":0}', 'S5-12 of nothing');
sql('SELECT leadanalytics.track($1, $2, now => \'2025-04-01Z\')', $id, '{"event_name":"x","event_data":{"tags":[' . join(',', map { qq("t$_") } 1 .. 19) . ']}}');
sql('SELECT leadanalytics.track($1, $2, now => \'2025-04-01Z\')', $id, '{"event_name":"x","event_data":{"tags":[' . join(',', map { qq("u$_") } 1 .. 20) . ']}}');
sql('SELECT leadanalytics.track($1, $2, now => \'2025-04-01Z\')', $id, '{"event_name":"x","event_data":{"tags":[' . join(',', map { qq("v$_") } 1 .. 70) . ']}}');
my %shown = map { $_ => scalar @{ json(ask("tags?start_date=2025-04-01T00:00:00Z&end_date=2025-04-01T00:00:00Z&limit=$_"))->{data} } } '', 100, 1000;
is_deeply(\%shown, { '' => 20, 100 => 59, 1000 => 59 }, 'S5-12 the default is 20; D-72 an event has at most 20');

finish();
