# Which campaigns conversions came from, over the wire (S5-08; D-53 … D-55).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $empty = workspace('empty');
sql('UPDATE leadanalytics.workspace SET timezone = \'America/Chicago\' WHERE id IN ($1, $2)', $id, $empty);
sql('SELECT leadanalytics.set_fx_rate($1, \'EUR\', \'2026-03-09\', 1.1)', $id);
my %key = map { $_ => key($id, $_) } qw(sdk agent admin marketing capture live tenant);
my $empty_key = key($empty, 'sdk');
my $march = 'start_date=2026-03-01T00:00:00Z&end_date=2026-03-16T23:59:59Z';

sub ask { my ($query, $key) = @_; return request('GET', "/api/v1/attribution?$query", ['Authorization: Bearer ' . ($key // $key{sdk})]) }

# A campaign as the answer has it.
sub campaign { return sprintf '{"utm_source":"%s","utm_medium":"%s","utm_campaign":"%s","visitors":%s,"conversions":%s,"revenue":%s,"conversion_rate":%s,"avg_order_value":%s}', @_ }

sub says
{
    my ($query, $window, $campaigns, $name, $key, $start, $end) = @_;
    my $r = ask($query, $key);
    is("$r->{status} $r->{body}", sprintf('200 {"campaigns":[%s],"attribution_window_days":%d,"total_campaigns":%d,"date_range":{"start":"%s","end":"%s"}}',
        join(',', @$campaigns), $window, scalar @$campaigns, $start // '2026-03-01T00:00:00Z', $end // '2026-03-16T23:59:59Z'), $name) or diag $r->{raw};
    return $r;
}

says($march, 30, [], 'S5-08 nothing', $empty_key);

# One visitor comes by two ads and then by itself; a second one buys and returns things, by a click id; a third only looks; one who said
# on two devices who she is; a robot; and one of long ago.
my $bot = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
sub track { my ($events, $agent) = @_; return sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => \'2026-04-01\', as_role => \'admin\') ->> \'accepted\'', $id, qq({"events":[$events]}), $agent) }
is(track(<<'EVENTS'), 15, 'events of March');
{"event_name":"pageview","visitor_id":"a","session_id":"a1","timestamp":"2026-02-25T10:00:00Z","utm_source":"google","utm_medium":"cpc","utm_campaign":"spring_sale"},
{"event_name":"pageview","visitor_id":"a","session_id":"a2","timestamp":"2026-03-05T10:00:00Z","utm_source":"facebook","utm_medium":"paid","utm_campaign":"retargeting_q1"},
{"event_name":"pageview","visitor_id":"a","session_id":"a3","timestamp":"2026-03-06T10:00:00Z","event_data":{"referrer":"https://www.bing.com/"}},
{"event_name":"purchase","visitor_id":"a","session_id":"a3","timestamp":"2026-03-06T10:10:00Z","event_data":{"value":150}},
{"event_name":"pageview","visitor_id":"b","session_id":"b1","timestamp":"2026-03-10T10:00:00Z","event_data":{"url":"https://shop.example/?ttclid=T1"}},
{"event_name":"purchase","visitor_id":"b","session_id":"b1","timestamp":"2026-03-10T10:10:00Z","event_data":{"value":"100","currency":"EUR"}},
{"event_name":"purchase","visitor_id":"b","session_id":"b1","timestamp":"2026-03-10T10:20:00Z","event_data":{"revenue":-9.995}},
{"event_name":"pageview","visitor_id":"c","session_id":"c1","timestamp":"2026-03-10T11:00:00Z","utm_source":"facebook","utm_medium":"paid","utm_campaign":"retargeting_q1"},
{"event_name":"pageview","visitor_id":"d","session_id":"d1","timestamp":"2026-03-11T11:00:00Z","user_id":"dora","utm_source":"news"},
{"event_name":"pageview","visitor_id":"e","session_id":"e1","timestamp":"2026-03-12T11:00:00Z","user_id":"dora"},
{"event_name":"lead","visitor_id":"e","session_id":"e1","timestamp":"2026-03-16T23:59:59.999Z","event_data":{"amount":20}},
{"event_name":"signup","user_id":"dora","timestamp":"2026-03-13T11:00:00Z"},
{"event_name":"purchase","visitor_id":"f","session_id":"f1","timestamp":"2026-03-13T11:00:00Z","event_data":{"value":1000}},
{"event_name":"pageview","visitor_id":"g","session_id":"g1","timestamp":"2026-03-17T00:00:00Z","utm_source":"late"},
{"event_name":"purchase","visitor_id":"g","session_id":"g1","timestamp":"2026-03-17T00:00:00Z","event_data":{"value":7}}
EVENTS
is(track('{"event_name":"purchase","visitor_id":"c","timestamp":"2026-03-10T12:00:00Z","event_data":{"value":500}}', $bot), 1, 'and of a robot');
my $spring = sub { return campaign('google', 'cpc', 'spring_sale', 0, 1, '150.00', 0, '150.00') };
my $tiktok = campaign('tiktok', 'cpc', '', 1, 2, '100.01', '200.00', '50.00'); # 100.005 / 2
my $news = campaign('news', '', '', 1, 2, '20.00', '200.00', '10.00');
my @facebook = ('facebook', 'paid', 'retargeting_q1', 2);
my $looked = campaign(@facebook, 0, '0.00', '0.00', 0);
my $sold = campaign(@facebook, 1, '150.00', '50.00', '150.00');

my $r = says($march, 30, [ $spring->(), $tiktok, $news, $looked ], 'S5-08 the whole body; D-54 hybrid');
is(header($r, 'Content-Type'), 'application/json', 'S5-08 JSON');
ok(defined header($r, 'X-Data-As-Of'), 'S5-08 X-Data-As-Of');
says("$march&model=hybrid&window_days=30", 30, [ $spring->(), $tiktok, $news, $looked ], 'S5-08 the defaults, said');
says("$march&model=first_touch", 30, [ $spring->(), $tiktok, $news, $looked ], 'D-54 first_touch');
says("$march&model=last_touch", 30, [ $sold, $tiktok, $news ], 'D-54 last_touch; direct overwrites nothing');
says("$march&model=session", 30, [ $tiktok, $looked, campaign('news', '', '', 1, 0, '0.00', '0.00', 0) ], 'D-54 session');
says("$march&window_days=7", 7, [ $sold, $tiktok, $news ], 'S5-08 window_days=7: the first ad is too long ago');
says("$march&window_days=90", 90, [ $spring->(), $tiktok, $news, $looked ], 'S5-08 window_days=90');
my $robots = campaign(@facebook, 1, '500.00', '50.00', '500.00');
says("$march&include_bots=$_", 30, [ $robots, $spring->(), $tiktok, $news ], "D-76 include_bots=$_") for qw(true 1);
says("$march&include_bots=$_", 30, [ $spring->(), $tiktok, $news, $looked ], "D-76 include_bots=$_") for qw(false 0 no), '';
says("$march&window_days=&model=", 30, [ $spring->(), $tiktok, $news, $looked ], 'S5-08 empty parameters are none');
for (sort keys %key) { next unless /^(sdk|agent|admin)$/; is(ask($march, $key{$_})->{body}, $r->{body}, "D-67 $_") }
is(ask("$march&workspace=$empty&now=2020-01-01&as_role=admin")->{body}, $r->{body}, 'a request cannot name another workspace, nor another time');

# Ranges: conversions are counted by their own time, visitors by their sessions'.
my @late = (campaign('late', '', '', 1, 1, '7.00', '100.00', '7.00'));
says('start_date=2026-03-17T00:00:00Z&end_date=2026-03-17T00:00:00Z', 30, \@late, 'D-03 a second', undef, '2026-03-17T00:00:00Z', '2026-03-17T00:00:00Z');
says('start_date=2026-03-16T19:00:00&end_date=2026-03-16', 30, \@late, 'D-01 of the workspace\'s zone', undef, '2026-03-17T00:00:00Z', '2026-03-17T04:59:59Z');
says('start_date=2026-03-16T19:00:00-05:00&end_date=2026-03-16T20:00:00.500-05:00', 30, \@late, 'S5-08 offsets and milliseconds', undef, '2026-03-17T00:00:00Z', '2026-03-17T01:00:00Z');
says('start_date=2026-03-06&end_date=2026-03-06', 30, [ $spring->() ], 'D-54 a touch before start_date counts', undef, '2026-03-06T06:00:00Z', '2026-03-07T05:59:59Z');

# D-59
for (['', 'start_date and end_date are required'], ['start_date=2026-03-01', 'start_date and end_date are required'], ['end_date=2026-03-01', 'start_date and end_date are required'],
    ['start_date=&end_date=2026-03-01', 'start_date and end_date are required'], ['start_date=x&end_date=2026-03-01', 'Invalid start_date'], ['start_date=2026-03-01&end_date=2026-02-30', 'Invalid end_date'],
    ['start_date=2026-03-02&end_date=2026-03-01', 'start_date must not be after end_date'], (map { [ "$march&window_days=$_", 'Invalid window_days' ] } qw(0 1 -7 8 31 365 7.5 x 30d 99999999999999999999)),
    (map { [ "$march&model=$_", 'Invalid model' ] } qw(linear Hybrid first)))
{
    is_error(ask($$_[0]), 'public', 400, $$_[1], "D-59 S5-08 '" . $$_[0] =~ s/^\Q$march\E&//r . "'");
}

# 1 000 rows at most, and how many there are.
my $many = workspace('many');
sql(q{SELECT count(leadanalytics.track($1, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'purchase', 'visitor_id', 'v' || i, 'session_id', 's' || i,
          'utm_campaign', 'c' || i, 'timestamp', '2026-03-10T00:00:00Z', 'event_data', json_build_object('value', i % 2))) FROM generate_series(n, n + 99) AS i)), now => '2026-03-10'))
      FROM generate_series(1, 1100, 100) AS n}, $many);
my $all = json(ask($march, key($many, 'sdk')));
is(scalar @{ $all->{campaigns} }, 1000, 'S5-08 1 000 campaigns at most');
is($all->{total_campaigns}, 1100, 'D-54 total_campaigns is of all');
is_deeply([ map { $_->{utm_campaign} } @{ $all->{campaigns} } ], [ (sort map { "c$_" } grep { $_ % 2 } 1 .. 1100), (sort map { "c$_" } grep { $_ % 2 == 0 } 1 .. 1100)[0 .. 449] ], 'D-54 most revenue first, then by name');

is_error(request('GET', "/api/v1/attribution?$march"), 'public', 401, undef, 'S5-08 without a key');
is_error(ask($march, $key{$_}), 'public', 403, undef, "S5-08 $_ may not") for qw(marketing capture live tenant);
is_error(request('POST', "/api/v1/attribution?$march", ["Authorization: Bearer $key{admin}"], '{}'), 'public', 405, undef, 'S5-08 is only read');

finish();
