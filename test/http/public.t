# The public family's questions of a range, and who is here now, over the wire (S5-01 … S5-04, S5-07).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $empty = workspace('empty');
sql(q{UPDATE leadanalytics.workspace SET timezone = 'America/Chicago', domain = 'shop.example' WHERE id IN ($1, $2)}, $id, $empty);
my %key = map { $_ => key($id, $_) } qw(sdk agent admin marketing capture live tenant);
my $empty_key = key($empty, 'sdk');
my %types = (traffic => [qw(referrer campaign page)], devices => [qw(browser os deviceType)], locations => [qw(country region city)]);
my %default = (traffic => 20, devices => 15, locations => 15);
my %contract = (overview => 'S5-01', traffic => 'S5-02', devices => 'S5-03', locations => 'S5-04', realtime => 'S5-07');
my @ranged = qw(overview traffic devices locations);
my $march = 'start_date=2026-03-16&end_date=2026-03-16';

sub ask { my ($path, $key) = @_; return request('GET', "/api/v1/$path", ['Authorization: Bearer ' . ($key // $key{sdk})]) }

sub says
{
    my ($path, $expect, $name, $key) = @_;
    my $r = ask($path, $key);
    is("$r->{status} $r->{body}", "200 $expect", $name) or diag $r->{raw};
}

# Nothing.
sub point { my ($at, @n) = @_; return sprintf '{"timestamp":"%s","visitors":%d,"pageviews":%d,"sessions":%d,"custom_events":%d%s}', $at, @n[0 .. 3], $n[4] // '' }
sub overview
{
    my ($level, $counts, $points, @n) = @_;
    return sprintf '{"visitors_total":%d,"pageviews_total":%d,"sessions_total":%d,"custom_events_total":%d,"custom_event_counts":{%s},"time_series":[%s],"aggregation_level":"%s","timezone":"America/Chicago"}',
        @n, $counts, join(',', @$points), $level;
}
says('overview?start_date=2026-03-16T23:30&end_date=2026-03-16T23:59', overview('hour', '', [ point('2026-03-17T04:00:00Z', 0, 0, 0, 0) ], 0, 0, 0, 0), 'S5-01 empty, D-05b zero-filled', $empty_key);
for my $question (sort keys %types) { says("$question?$march&type=$_", qq({"data":[],"total":0,"type":"$_"}), "$contract{$question} empty $_", $empty_key) for @{ $types{$question} } }

# Three visitors on 2026-03-16 in Chicago, a robot; the first session has another referrer than the first page of the second.
my $bot = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
my $chrome = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36';
sub track { my ($events, $agent) = @_; return sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => \'2026-04-01\', as_role => \'admin\') ->> \'accepted\'', $id, qq({"events":[$events]}), $agent) }
is(track(<<'EVENTS', $chrome), 7, 'events of March');
{"event_name":"page_view","visitor_id":"a","session_id":"s1","timestamp":"2026-03-16T05:00:00Z","utm_campaign":"spring","event_data":{"url":"https://shop.example/pricing","referrer":"https://www.google.com/"}},
{"event_name":"signup","visitor_id":"a","session_id":"s1","timestamp":"2026-03-16T05:01:00Z"},
{"event_name":"sessions","visitor_id":"a","session_id":"s1","timestamp":"2026-03-16T05:01:00Z"},
{"event_name":"scroll","visitor_id":"a","session_id":"s1","timestamp":"2026-03-16T05:02:00Z"},
{"event_name":"page_view","visitor_id":"a","session_id":"s2","timestamp":"2026-03-16T20:00:00Z","event_data":{"url":"https://shop.example/","referrer":"https://twitter.com/x"}},
{"event_name":"$pageview","visitor_id":"b","session_id":"s3","timestamp":"2026-03-16T20:30:00Z","event_data":{"url":"https://shop.example/pricing?a=1","referrer":"https://shop.example/"}},
{"event_name":"signup","visitor_id":"b","session_id":"s3","timestamp":"2026-03-17T04:59:59.999Z"}
EVENTS
is(track('{"event_name":"page_view","visitor_id":"c","session_id":"s4","timestamp":"2026-03-16T06:00:00Z","event_data":{"path":"/pricing"}}'), 1, 'one of an unknown agent');
is(track('{"event_name":"page_view","visitor_id":"r","timestamp":"2026-03-16T07:00:00Z","event_data":{"path":"/robots"}}', $bot), 1, 'one of a robot');
is(track('{"event_name":"page_view","visitor_id":"d","session_id":"s5","timestamp":"2026-03-17T05:00:00Z","event_data":{"path":"/tomorrow"}}'), 1, 'one of the next day');
sql(q{WITH place AS (INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
          VALUES ($1, nextval('leadanalytics.term_id'), md5('a')::uuid, 'place', '{US,Texas,Paris}'), ($1, nextval('leadanalytics.term_id'), md5('b')::uuid, 'place', '{FR,Île-de-France,Paris}') RETURNING id, parts[1] AS country)
      UPDATE leadanalytics.session s SET place = p.id FROM place p WHERE s.workspace = $1 AND p.country = CASE s.session_id WHEN 's1' THEN 'US' WHEN 's2' THEN 'FR' WHEN 's3' THEN 'US' END}, $id);

# S5-01
my $counts = '"signup":2,"sessions":1';
my @total = (3, 4, 4, 3);
sub day_of { my ($at) = @_; return overview('day', $counts, [ point($at, @total, ',"signup":2') ], @total) }
says("overview?$march&aggregation=day", day_of('2026-03-16T05:00:00Z'), 'S5-01 D-01 the whole body: a date is the day of the workspace\'s zone');
says('overview?start_date=2026-03-16T00:00&end_date=2026-03-16T23:59:59&aggregation=day', day_of('2026-03-16T05:00:00Z'), 'D-01 D-03 times without an offset; the last second is inside');
says("overview?start_date=2026-03-16T00:00:00$_&end_date=2026-03-16T23:59:59.999$_&aggregation=day", day_of('2026-03-16T05:00:00Z'), "D-59 offset $_") for '-05:00', '-0500';
says('overview?start_date=2026-03-16T06:00:00+01:00&end_date=2026-03-17T05:59:59.999+01:00&aggregation=day', day_of('2026-03-16T05:00:00Z'), 'D-59 a plus that is read as blank');
says('overview?start_date=2026-03-16T06:00:00%2B01:00&end_date=2026-03-17T05:59:59.999%2b01:00&aggregation=day', day_of('2026-03-16T05:00:00Z'), 'D-59 and one that is not');
says("overview?$march&aggregation=week", overview('week', $counts, [ point('2026-03-16T05:00:00Z', @total, ',"signup":2') ], @total), 'S5-01 week: from Monday');
says("overview?$march&aggregation=month", overview('month', $counts, [ point('2026-03-01T06:00:00Z', @total, ',"signup":2') ], @total), 'D-05 month: from its first, before the range');
says("overview?$march&include_bots=true&aggregation=day", overview('day', $counts, [ point('2026-03-16T05:00:00Z', 4, 5, 4, 3, ',"signup":2') ], 4, 5, 4, 3), 'D-76 include_bots');
my $hours = json(ask("overview?$march"));
is($hours->{aggregation_level} . ' ' . @{ $hours->{time_series} }, 'hour 24', 'D-06 a day: hours');
is_deeply([ map { $_->{visitors} } @{ $hours->{time_series} }[0, 1, 2, 15, 23] ], [ 1, 1, 0, 2, 1 ], 'D-71 distinct visitors of each');
is_deeply([ map { exists $_->{signup} ? 1 : 0 } @{ $hours->{time_series} } ], [ (1) x 24 ], 'D-52 every name in every point');
is($hours->{time_series}[0]{sessions}, 1, 'D-52 but one that is called like a field');
for (['2026-03-08', '2026-03-08', 'hour', 23], ['2026-11-01', '2026-11-01', 'hour', 25], ['2026-03-01', '2026-03-31', 'day', 31], ['2026-03-01', '2026-05-31', 'week', 14], ['2026-01-01', '2026-12-31', 'month', 12])
{
    my $body = json(ask("overview?start_date=$$_[0]&end_date=$$_[1]&aggregation=auto"));
    is("$body->{aggregation_level} " . @{ $body->{time_series} }, "$$_[2] $$_[3]", "D-06 $$_[0] – $$_[1]");
}
is(@{ json(ask("overview?start_date=2026-01-01&end_date=2026-12-31&aggregation=$$_[0]"))->{time_series} }, $$_[1], "S5-01 a year by $$_[0]") for ['day', 365], ['week', 53], ['month', 12];
is(ask("overview?$march&aggregation=$_")->{body}, ask("overview?$march")->{body}, "S5-01 aggregation '$_' is auto") for '', 'auto';
is_error(ask("overview?$march&aggregation=$_"), 'public', 400, 'Invalid aggregation', "D-59 aggregation $_") for qw(minute Day 1);
is_error(ask('overview?start_date=2026-01-01&end_date=2026-12-31&aggregation=hour'), 'public', 400, 'Range is too long for aggregation "hour"', 'S5-01 a year by hour');
is_error(ask('overview?start_date=2016-01-01&end_date=2026-01-01&aggregation=hour'), 'public', 400, 'Range is too long for aggregation "hour"', 'S5-01 ten years by hour');
is_error(ask('overview?start_date=0001-01-01&end_date=9999-12-31'), 'public', 400, 'Range is too long for aggregation "month"', 'S5-01 all years');

# S5-02 … S5-04
sub row { my ($name, $count, $percentage, $code) = @_; return sprintf '{"name":"%s","count":%d,"percentage":%s%s}', $name, $count, $percentage, $code ? qq(,"code":$code) : '' }
sub share { my ($type, $total, @rows) = @_; return sprintf '{"data":[%s],"total":%d,"type":"%s"}', join(',', map { row(@$_) } @rows), $total, $type }
my %body = (
    referrer => share('referrer', 3, ['(direct)', 2, '66.7'], ['google.com', 1, '33.3'], ['twitter.com', 1, '33.3']),
    campaign => share('campaign', 3, ['spring', 1, '33.3']),
    page => share('page', 3, ['/pricing', 3, '100.0'], ['/', 1, '33.3']),
    browser => share('browser', 3, ['Chrome', 2, '66.7'], ['Unknown', 1, '33.3']),
    os => share('os', 3, ['Windows', 2, '66.7'], ['Unknown', 1, '33.3']),
    deviceType => share('deviceType', 3, ['desktop', 2, '66.7'], ['Unknown', 1, '33.3']),
    country => share('country', 3, ['United States', 2, '66.7', '"US"'], ['France', 1, '33.3', '"FR"'], ['Unknown', 1, '33.3', 'null']),
    region => share('region', 3, ['Texas', 2, '66.7', '"US"'], ['Île-de-France', 1, '33.3', '"FR"'], ['Unknown', 1, '33.3', 'null']),
    city => share('city', 3, ['Paris', 2, '66.7', '"US"'], ['Paris', 1, '33.3', '"FR"'], ['Unknown', 1, '33.3', 'null']));
for my $question (sort keys %types)
{
    my @types = @{ $types{$question} };
    says("$question?$march&type=$_", $body{$_}, ($question eq 'traffic' ? 'D-51 ' : '') . "D-50 $contract{$question} $_: the whole body") for @types;
    says("$question?$march$_", $body{ $types[0] }, "$contract{$question} '$_' is $types[0]") for '', '&type=';
    is_error(ask("$question?$march&type=$_"), 'public', 400, 'Invalid type', "D-59 $question type $_") for 'nothing', lc "$types[2]s", uc $types[0];
}
says("traffic?$march&type=page&include_bots=true", share('page', 4, ['/pricing', 3, '75.0'], ['/', 1, '25.0'], ['/robots', 1, '25.0']), 'D-76 S5-02 include_bots');
is(track(join ',', map { qq({"event_name":"page_view","visitor_id":"m$_","timestamp":"2026-03-20T10:00:00Z","event_data":{"path":"/m$_","referrer":"https://m$_.example/"}}) } 1 .. 130), 130, 'many referrers');
sql(q{WITH place AS (INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
          SELECT $1, nextval('leadanalytics.term_id'), md5('c' || i)::uuid, 'place', ARRAY['US', 'Texas', 'City ' || i] FROM generate_series(1, 130) AS i RETURNING id, parts[3] AS city)
      UPDATE leadanalytics.session s SET place = p.id FROM place p, leadanalytics.visitor v WHERE v.workspace = $1 AND v.visitor_id = 'm' || substr(p.city, 6) AND s.workspace = $1 AND s.visitor = v.number}, $id);
for my $question ('traffic', 'locations')
{
    for (['', $default{$question}], ['&limit=', $default{$question}], ['&limit=x', $default{$question}], ['&limit=1.5', $default{$question}], ['&limit=1', 1], ['&limit=0', 1], ['&limit=-9', 1], ['&limit=100', 100], ['&limit=101', 100], ['&limit=99999999999999999999', 100])
    {
        my $body = json(ask("$question?start_date=2026-03-20&end_date=2026-03-20&type=" . $types{$question}[$question eq 'traffic' ? 2 : -1] . $$_[0]));
        is(@{ $body->{data} } . " of $body->{total}", "$$_[1] of 130", "D-59 $contract{$question} limit '$$_[0]'");
    }
}
is(@{ json(ask("devices?$march&limit=1"))->{data} }, 1, 'S5-03 limit');

# D-59 dates
for my $path (@ranged)
{
    my $required = 'start_date and end_date are required';
    is_error(ask("$path$$_[0]"), 'public', 400, $$_[1], "D-59 $path $$_[0]") for ['', $required], ['?start_date=2026-03-16', $required], ['?end_date=2026-03-16', $required], ['?start_date=&end_date=', $required],
        ['?start_date=+&end_date=2026-03-16', $required], ['?start_date=x&end_date=2026-03-16', 'Invalid start_date'], ['?start_date=2026-02-30&end_date=2026-03-16', 'Invalid start_date'],
        ['?start_date=2026-03-16T10:00:00+1&end_date=2026-03-16', 'Invalid start_date'], ['?start_date=2026-03-16&end_date=1e9', 'Invalid end_date'],
        ['?start_date=2026-03-17&end_date=2026-03-16', 'start_date must not be after end_date'];
}

# S5-07
my $live = workspace('live');
my $live_key = key($live, 'agent');
sub live { my ($query) = @_; return json(ask("realtime$query", $live_key)) }
my $none = live('');
is_deeply([ @$none{qw(active_visitors pageviews events revenue top_pages top_referrers top_locations visitors time_window)} ], [ 0, 0, 0, 0, [], [], [], [], 30 ], 'S5-07 empty');
like(ask('realtime', $live_key)->{body}, qr/^\{"active_visitors":0,"pageviews":0,"events":0,"revenue":0\.00,"top_pages":\[\],"top_referrers":\[\],"top_locations":\[\],"visitors":\[\],"timeline":\[\{"minute":"[-0-9T:]+Z","visitors":0\},.*\],"time_window":30,"timestamp":"[-0-9T:]+Z"\}$/, 'S5-07 fields and their order');
is(request('POST', '/api/v1/track', [ 'Authorization: Bearer ' . key($live, 'admin') ], $_)->{status}, 200, 'events of now') for
    '{"events":[{"event_name":"page_view","visitor_id":"a","session_id":"l1","event_data":{"path":"/pricing","referrer":"https://google.com/"}},{"event_name":"purchase","visitor_id":"a","session_id":"l1","event_data":{"value":100.505}},'
    . '{"event_name":"lead","visitor_id":"a","session_id":"l1"},{"event_name":"purchase","visitor_id":"b","session_id":"l2","event_data":{"revenue":"-20","currency":"USD"}},{"event_name":"other","visitor_id":"b","session_id":"l2","event_data":{"value":7}}]}';
my $r = live('');
is_deeply([ @$r{qw(active_visitors pageviews events)} ], [ 2, 1, 4 ], 'S5-07 counts');
is($r->{revenue}, 80.51, 'D-53 S5-07 revenue: refunds subtract, half up');
is_deeply([ @$r{qw(top_pages top_referrers top_locations)} ], [ [ { path => '/pricing', count => 1 } ], [ { name => '(direct)', count => 1 }, { name => 'google.com', count => 1 } ], [ { name => 'Unknown', count => 2 } ] ], 'S5-07 lists');
is(join(',', sort keys %{ $r->{visitors}[0] }), 'browser,city,country,current_page,device,first_seen,last_seen,referrer,session_duration_seconds,total_events,visitor_id', 'S5-07 a visitor');
for (['', 30], ['?time_window=', 30], ['?time_window=x', 30], ['?time_window=1', 1], ['?time_window=0', 1], ['?time_window=-5', 1], ['?time_window=60', 60], ['?time_window=61', 60], ['?time_window=99999999999', 60])
{
    my $body = live($$_[0]);
    is("$body->{time_window} " . @{ $body->{timeline} }, "$$_[1] $$_[1]", "D-57 time_window '$$_[0]'");
}
is(live('?time_window=5&include_bots=true')->{active_visitors}, 2, 'S5-07 include_bots');

# Keys, headers, methods; of each of the five.
for my $path ((map { "$_?$march" } @ranged), 'realtime')
{
    my ($question) = $path =~ /^(\w+)/;
    my $name = "$contract{$question} $question";
    is_error(request('GET', "/api/v1/$path"), 'public', 401, undef, "$name without a key");
    is_error(ask($path, 'dk_wrong'), 'public', 401, undef, "$name with a wrong key");
    is_error(ask($path, $key{$_}), 'public', 403, undef, "$name $_") for qw(marketing capture live tenant);
    my %answer = map { $_ => ask($path, $key{$_}) } qw(sdk agent admin);
    is($answer{$_}{status}, 200, "$name $_") for sort keys %answer;
    is($answer{agent}{body}, $answer{sdk}{body}, "$name: equal rights") unless $question eq 'realtime';
    is(request('GET', "/api/v1/$path", ["X-API-Key: $key{sdk}"])->{status}, 200, "$name X-API-Key");
    is_shaped($answer{sdk}, 'public', "$name shape");
    like(header($answer{sdk}, 'X-Data-As-Of') // '', qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, "$name X-Data-As-Of") unless $question eq 'realtime';
    is_error(request('POST', "/api/v1/$path", ["Authorization: Bearer $key{sdk}"], '{}'), 'public', 405, undef, "$name POST");
}
is(ask("traffic?$march&workspace=$empty&now=2020-01-01")->{body}, $body{referrer}, 'a request cannot name another workspace');

# D-75 100 a minute and key; every answer says so
sql(q{SELECT leadanalytics.set_rate_limit('public', 100)});
my $limited = key($id, 'sdk');
my $left = 100;
for my $path ((map { ("$_?$march", "$_?start_date=x&end_date=2026-03-16") } @ranged), 'realtime')
{
    my $r = ask($path, $limited);
    my ($limit, $remaining, $reset) = map { header($r, "X-RateLimit-$_") // '' } qw(Limit Remaining Reset);
    $left--;
    SKIP: {
        skip 'the minute went by', 1 if $remaining > $left and $left = $remaining;
        is("$limit $remaining", "100 $left", "D-75 X-RateLimit-Limit and -Remaining of $path ($r->{status})");
    }
    ok($reset =~ /^\d+$/ && $reset > time - 2 && $reset <= time + 62, "D-75 X-RateLimit-Reset of $path") or diag $reset;
}
my $few = sql('SELECT leadanalytics.create_key($1, $2, per_minute => 1)', $id, 'sdk');
my @got = map { ask("overview?$march", $few) } 1 .. 3; # over two minutes at most
my ($refused) = grep { $_->{status} == 429 } @got;
is_error($refused, 'public', 429, 'Rate limit exceeded', 'D-75 429');
ok(header($refused, 'Retry-After') > 0 && header($refused, 'X-RateLimit-Remaining') eq '0', 'D-75 429 headers');

finish();
