# The dashboard's questions over the wire, whole bodies (S1-01 … S1-08, S1-15).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $empty = workspace('empty');
my %key = map { $_ => key($id, $_) } qw(admin marketing capture sdk agent live tenant);
my $empty_key = key($empty, 'admin');
my @paths = qw(overview sessions/daily pages/top geo engagement sources realtime storage anomalies);

sub ask { my ($path, $key) = @_; return request('GET', "/analytics/$path", ['Authorization: Bearer ' . ($key // $key{admin})]) }

sub says
{
    my ($path, $expect, $name, $key) = @_;
    my $r = ask($path, $key);
    is("$r->{status} $r->{body}", "200 $expect", $name) or diag $r->{raw};
}

sub buckets { my @n = @_; my @names = qw(0-19 20-39 40-59 60-79 80-100); return '[' . join(',', map { qq({"bucket":"$names[$_]","count":$n[$_]}) } 0 .. 4) . ']' }

# S1-A3 the key's role, in a header and no body (D-80)
is(header(ask('overview', $key{$_}), 'X-Key-Role'), $_, "S1-A3 X-Key-Role $_") for qw(admin marketing);
is(header(ask('nothing', $key{marketing}), 'X-Key-Role'), 'marketing', 'S1-A3 X-Key-Role beside an error');
is(header(ask('overview', 'la_admin_wrong'), 'X-Key-Role'), undef, 'S1-A3 no X-Key-Role of a key that is none');
is(header(request('GET', '/openapi.json', ["Authorization: Bearer $key{admin}"]), 'X-Key-Role'), undef, 'S1-A3 nor in another family');

# Nothing.
says('overview', '{"total_sessions":0,"total_events":0,"unique_visitors":0,"unique_fingerprints":0,"avg_engagement_score":0.0,"avg_session_duration_s":0,"vpn_suspected_count":0}',
    'S1-01 empty', $empty_key);
says($_, '[]', "empty $_", $empty_key) for qw(sessions/daily pages/top geo sources anomalies);
says('engagement', buckets(0, 0, 0, 0, 0), 'S1-05 empty', $empty_key);
says('realtime', '{"active_sessions":0,"events_last_hour":0,"unique_visitors_today":0,"total_sessions_today":0}', 'S1-07 empty', $empty_key);
says('storage', '{"total_objects":0,"estimated_sessions":0}', 'S1-08 empty', $empty_key);

# Two visits of long ago, one robot.
my $bot = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
sub track { my ($now, $events, $agent) = @_; return sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => $4) ->> \'accepted\'', $id, qq({"events":[$events]}), $agent, $now) }
is(track('2025-01-31 12:00Z', <<'EVENTS'), 4, 'events of long ago');
{"event_name":"page_view","visitor_id":"a","session_id":"s1","fingerprint_id":"f","timestamp":"2025-01-31T10:00:00Z","event_data":{"url":"https://shop.example/?a=1&b=ü","referrer":"https://www.google.com/"}},
{"event_name":"click","visitor_id":"a","session_id":"s1","timestamp":"2025-01-31T10:03:20Z"},
{"event_name":"page_view","visitor_id":"b","session_id":"s2","timestamp":"2025-01-31T11:00:00Z","event_data":{"url":"https://shop.example/?a=1&b=ü"}},
{"event_name":"page_view","visitor_id":"b","session_id":"s2","timestamp":"2025-01-31T11:00:10Z","event_data":{"url":"https://shop.example/\"x\""}}
EVENTS
is(track('2025-01-31 12:00Z', '{"event_name":"page_view","visitor_id":"r","event_data":{"url":"https://shop.example/r"}}', $bot), 1, 'and of a robot');
# 200 s and a click: 21; 10 s: 1
says('overview', '{"total_sessions":2,"total_events":4,"unique_visitors":2,"unique_fingerprints":1,"avg_engagement_score":11.0,"avg_session_duration_s":105,"vpn_suspected_count":0}', 'S1-01 the whole body');
says('overview?include_bots=true', '{"total_sessions":2,"total_events":5,"unique_visitors":3,"unique_fingerprints":1,"avg_engagement_score":11.0,"avg_session_duration_s":105,"vpn_suspected_count":0}', 'D-76 S1-01 with bots');
my @pages = ('{"page":"https://shop.example/?a=1&b=ü","views":2,"unique_sessions":2}', '{"page":"https://shop.example/\"x\"","views":1,"unique_sessions":1}');
my $robots = '{"page":"https://shop.example/r","views":1,"unique_sessions":0}';
says('pages/top', '[' . join(',', @pages) . ']', 'S1-03 the whole body');
says("pages/top?include_bots=$_", '[' . join(',', @pages, $robots) . ']', "D-76 S1-03 include_bots=$_") for qw(true 1);
says("pages/top?include_bots=$_", '[' . join(',', @pages) . ']', "D-76 S1-03 include_bots=$_") for qw(false 0 yes), '';
says('geo', '[{"country":null,"sessions":2,"unique_visitors":2}]', 'S1-04 the whole body');
says('engagement', buckets(1, 1, 0, 0, 0), 'S1-05 the whole body');
says('sources', '[{"referrer_domain":"(direct)","sessions":1},{"referrer_domain":"google.com","sessions":1}]', 'S1-06 the whole body');
says('sources?limit=1', '[{"referrer_domain":"(direct)","sessions":1}]', 'S1-06 limit');
says('storage', '{"total_objects":4,"estimated_sessions":2}', 'S1-08 D-22 the whole body: robots too');
says('sessions/daily', '[]', 'S1-02 long ago is not among 30 days');
says('anomalies', '[]', 'S1-15 nothing');

# What is near now: asked between two looks at the date that agree.
sub today { return sql('SELECT leadanalytics.utc_date(now())') }
my $first = today();
my %ago;
for my $days (0, 1, 29, 30, 89, 90)
{
    $ago{$days} = sql("SELECT date '$first' - $days");
    track("$ago{$days} 00:00:00Z", qq({"event_name":"page_view","visitor_id":"v$days","session_id":"d$days","timestamp":"$ago{$days}T00:00:00Z"}));
}
sub day { my ($days) = @_; return sprintf '{"date":"%s","total_sessions":1,"unique_visitors":1,"avg_duration":0.0,"avg_engagement":0.0}', $ago{$days} }
my @asked = (['', 0, 1, 29], ['?days=', 0, 1, 29], ['?days=x', 0, 1, 29], ['?days=1.5', 0, 1, 29], ['?days=30', 0, 1, 29], ['?days=31', 0, 1, 29, 30], ['?days=2', 0, 1], ['?days=1', 0],
    ['?days=0', 0], ['?days=-7', 0], ['?days=90', 0, 1, 29, 30, 89], ['?days=91', 0, 1, 29, 30, 89], ['?days=99999999999999999999', 0, 1, 29, 30, 89]);
SKIP:
{
    my @got = map { ask("sessions/daily$$_[0]") } @asked;
    my $live = ask('realtime');
    skip 'midnight went by', @asked + 1 if today() ne $first;
    for (0 .. $#asked)
    {
        my ($query, @days) = @{ $asked[$_] };
        is("$got[$_]{status} $got[$_]{body}", '200 [' . join(',', map { day($_) } reverse @days) . ']', "D-14 D-05b S1-02 days: '$query'");
    }
    like($live->{body}, qr/^\{"active_sessions":\d+,"events_last_hour":\d+,"unique_visitors_today":1,"total_sessions_today":1\}$/, 'S1-07 today');
}

# S1-07 from the pages' events to the answer
my $live = workspace('live');
my $live_key = key($live, 'admin');
sub post { my ($path, $body) = @_; return request('POST', $path, ["Authorization: Bearer $live_key"], $body) }
SKIP:
{
    my $day = today();
    is(json(post('/api/v1/track', '{"events":[{"event_name":"page_view","visitor_id":"a","session_id":"l1"},{"event_name":"click","visitor_id":"a","session_id":"l1"},'
        . '{"event_name":"page_view","visitor_id":"b","session_id":"l2"},{"event_name":"nobody"}]}'))->{accepted}, 4, 'events of now');
    my $r = ask('realtime', $live_key);
    skip 'midnight went by', 1 if today() ne $day;
    is("$r->{status} $r->{body}", '200 {"active_sessions":2,"events_last_hour":4,"unique_visitors_today":2,"total_sessions_today":2}', 'S1-07 the whole body');
}
is(post('/track/session/end', '{"session_id":"l1"}')->{status}, 200, 'T4 a session is ended');
is(json(ask('realtime', $live_key))->{active_sessions}, 1, 'D-09 and is not active any more');

# S1-15 a spike yesterday
sql(q{INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, vpn_score)
      SELECT $1, nextval('leadanalytics.session_number'), s.at, s.at, 60 FROM (SELECT leadanalytics.utc_start($2) AS at) s, generate_series(1, 50)}, $id, $ago{1});
my $anomalies = '[' . join(',', map { sprintf '{"type":"%s","date":"%s","value":%s,"expected":%s,"severity":"high"}', $$_[0], $ago{1}, @$_[1, 2] }
    ['traffic_spike', 51, '0.0'], ['vpn_ratio', '98.0', '20.0']) . ']';
SKIP:
{
    my @got = map { ask("anomalies$_") } '', '?days=2', '?days=1', '?days=0', '?days=x';
    skip 'midnight went by', scalar @got if today() ne $first;
    is("$got[0]{status} $got[0]{body}", "200 $anomalies", 'S1-15 the whole body') or diag $got[0]{raw};
    is($got[1]{body}, $anomalies, 'S1-15 days=2');
    is($got[$_]{body}, '[]', 'S1-15 today alone') for 2, 3;
    is($got[4]{body}, $anomalies, 'D-14 S1-15 days=x');
}

# D-14 the limits of lists
for my $list (['pages/top', 20, 100, 'page'], ['sources', 1000, 1000, 'referrer_domain'])
{
    my ($path, $default, $max, $name) = @$list;
    my $many = workspace("many-$name");
    my $many_key = key($many, 'admin');
    sql(q{SELECT count(leadanalytics.track($1, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'page_view', 'session_id', 's' || i,
              'event_data', json_build_object('url', 'https://x.example/' || i, 'referrer', 'https://r' || i || '.example/'))) FROM generate_series(n, n + 99) AS i))))
          FROM generate_series(1, 1001, 100) AS n}, $many);
    for (['', $default], ['?limit=', $default], ['?limit=x', $default], ['?limit=3', 3], ['?limit=0', 1], ['?limit=-1', 1], ["?limit=$max", $max], ['?limit=' . ($max + 1), $max], ['?limit=99999999999999999999', $max])
    {
        my $rows = json(ask("$path$$_[0]", $many_key));
        is(ref $rows && @$rows, $$_[1], "D-14 $path$$_[0]");
    }
    my @names = map { $_->{$name} } @{ json(ask("$path?limit=5", $many_key)) };
    is_deeply(\@names, [ sort @names ], "$path ties by name");
}

# S1-A1 … S1-A3, D-15
for my $path (@paths)
{
    is_error(request('GET', "/analytics/$path"), 'dashboard', 401, undef, "S1-A1 $path");
    is_error(ask($path, $key{$_}), 'dashboard', 403, 'Forbidden', "S1-A3 $path $_") for qw(capture sdk agent live tenant);
    my ($admin, $marketing) = map { ask($path, $key{$_}) } qw(admin marketing);
    is($marketing->{status}, 200, "S1-A3 $path marketing");
    is($marketing->{body}, $admin->{body}, "S1-A3 $path marketing: the same") unless $path eq 'realtime';
    my $r = request('POST', "/analytics/$path", ["Authorization: Bearer $key{admin}"], '{}');
    is_error($r, 'dashboard', 405, 'Method not allowed', "D-15 $path");
    like(header($r, 'Allow') // '', qr/\bGET\b/, "D-15 $path: Allow");
}
is_error(ask('sessions'), 'dashboard', 404, 'Not found', 'no such question');
is(ask("overview?workspace=$empty")->{body}, ask('overview')->{body}, 'a request cannot name another workspace');
is(ask('geo?now=2025-02-01&as_role=admin')->{body}, ask('geo')->{body}, 'nor another time');

finish();
