# Users over the wire: the list and one of them (S5-09, S5-10), every parameter, whole bodies.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(sdk agent marketing);
my $base = '/api/v1/users';
my $range = 'start_date=2026-03-01T00:00:00Z&end_date=2026-03-16T23:59:59Z';
sub ask { my ($uri, $key) = @_; return request('GET', $uri, ['Authorization: Bearer ' . ($key // $key{sdk})]) }

sub says
{
    my ($uri, $expect, $name) = @_;
    my $r = ask($uri);
    is("$r->{status} $r->{body}", "200 $expect", $name) or diag $r->{raw};
    is_shaped($r, 'public', "$name: in shape");
}

# Nobody yet.
says("$base?$range", '{"users":[],"total_count":0,"has_more":false}', 'S5-09 empty');
is_error(ask("$base/v1"), 'public', 404, 'User not found', 'S5-10 unknown');

# Who may ask.
is(ask("$base?$range", $key{agent})->{status}, 200, 'S5-09 dk_agent_');
is_error(request('GET', "$base?$range"), 'public', 401, undef, 'S5-09 no key');
is(ask("$base?$range", $key{marketing})->{status}, 403, 'S5-09 another role');
is(ask("$base/v1", $key{marketing})->{status}, 403, 'S5-10 another role');
is(header(request('POST', "$base?$range", ["Authorization: Bearer $key{sdk}"], ''), 'Allow') // '', 'GET, HEAD, OPTIONS', 'S5-09 only GET');

# The range.
is_error(ask("$base$_"), 'public', 400, 'start_date and end_date are required', "S5-09 D-59 '$_'") for '', '?start_date=2026-03-01', '?end_date=2026-03-01', '?start_date=&end_date=2026-03-01';
is_error(ask("$base?start_date=x&end_date=2026-03-01"), 'public', 400, 'Invalid start_date', 'S5-09 D-59 start');
is_error(ask("$base?start_date=2026-03-01&end_date=x"), 'public', 400, 'Invalid end_date', 'S5-09 D-59 end');
is_error(ask("$base?start_date=2026-03-02&end_date=2026-03-01"), 'public', 400, 'start_date must not be after end_date', 'S5-09 D-59 order');

# Ann with two browsers; Bea by her server only; four who said nothing; a robot.
my $agent = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
sub track { my ($agent, $workspace, @events) = @_; return sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => $4) ->> \'accepted\'', $workspace, '{"events":[' . join(',', @events) . ']}', $agent, '2026-03-18Z') }
is(track($agent, $id, <<'EVENTS'), 5, 'events of users');
{"event_name":"pageview","visitor_id":"v_abc123","session_id":"s_1","timestamp":"2026-03-16T14:00:12Z","event_data":{"url":"https://a.example/"}},
{"event_name":"signup","visitor_id":"v_abc123","session_id":"s_1","timestamp":"2026-03-16T14:03:45Z"},
{"event_name":"$identify","visitor_id":"v_abc123","user_id":"u/1 ü","email":"User+tag@Example.com","session_id":"s_1","timestamp":"2026-03-16T14:05:42Z"},
{"event_name":"purchase","visitor_id":"v_old","user_id":"u/1 ü","session_id":"s_0","timestamp":"2026-03-14T10:22:15Z","event_data":{"value":99}},
{"event_name":"$identify","user_id":"bea","email":"bea@b.example","timestamp":"2026-03-15T00:00:00Z"}
EVENTS
is(track($agent, $id, map { qq({"event_name":"click","visitor_id":"w$_","timestamp":"2026-03-12T00:00:0$_.900Z"}) } 1 .. 4), 4, 'and of visitors');
is(track('Googlebot/2.1 (+http://www.google.com/bot.html)', $id, '{"event_name":"pageview","visitor_id":"robot","timestamp":"2026-03-13T00:00:00Z"}'), 1, 'and of a robot');
is(track($agent, $other, '{"event_name":"pageview","visitor_id":"v_abc123","timestamp":"2026-03-16T00:00:00Z"}'), 1, 'and of another workspace');

my $ann = '"visitor_id":"v_abc123","user_id":"u/1 ü","email":"User+tag@Example.com","first_seen":"2026-03-14T10:22:15Z","last_seen":"2026-03-16T14:05:42Z","total_events":4,"total_sessions":2,"country":null,"city":null';
my @users = (qq({$ann,"device":"desktop","browser":"Chrome"}),
    '{"visitor_id":null,"user_id":"bea","email":"bea@b.example","first_seen":"2026-03-15T00:00:00Z","last_seen":"2026-03-15T00:00:00Z","total_events":1,"total_sessions":0,"country":null,"city":null,"device":"desktop","browser":"Chrome"}',
    map { qq({"visitor_id":"w$_","user_id":null,"email":null,"first_seen":"2026-03-12T00:00:0${_}Z","last_seen":"2026-03-12T00:00:0${_}Z","total_events":1,"total_sessions":1,"country":null,"city":null,"device":"desktop","browser":"Chrome"}) } reverse 1 .. 4);
sub list { my ($count, $more, @of) = @_; return '{"users":[' . join(',', @users[@of]) . qq(],"total_count":$count,"has_more":) . ($more ? 'true' : 'false') . '}' }

says("$base?$range", list(6, 0, 0 .. 5), 'S5-09 the whole body');
says("$base?start_date=2026-03-15&end_date=2026-03-15", list(1, 0, 1), 'S5-09 a date is its day');
says("$base?start_date=2026-03-16&end_date=2026-03-16T14:05:42Z", list(1, 0, 0), 'S5-09 D-03 the end is inclusive');
says("$base?start_date=2026-03-14&end_date=2026-03-14", list(1, 0, 0), 'S5-09 D-58 activity in range, totals lifetime');
says("$base?start_date=2026-03-15T01:00:00+01:00&end_date=2026-03-15T01:00:00+01:00", list(1, 0, 1), 'S5-09 a blank for an offset\'s +');
says("$base?$range&limit=$_->[0]", list(6, $_->[1], @{ $_->[2] }), "S5-09 limit=$_->[0]")
    for [1, 1, [0]], [2, 1, [0, 1]], [6, 0, [0 .. 5]], [0, 1, [0]], [-5, 1, [0]], [1001, 0, [0 .. 5]], ['x', 0, [0 .. 5]], ['', 0, [0 .. 5]];
says("$base?$range&limit=2&offset=$_->[0]", list(6, $_->[1], @{ $_->[2] }), "D-58 offset=$_->[0]") for [0, 1, [0, 1]], [2, 1, [2, 3]], [4, 0, [4, 5]], [5, 0, [5]], [6, 0, []], [999999999999, 0, []], [-1, 1, [0, 1]], ['x', 1, [0, 1]];
says("$base?$range&search=$_->[0]", list(scalar @{ $_->[1] }, 0, @{ $_->[1] }), "S5-09 D-58 search=$_->[0]")
    for ['user%2Btag@example.com', [0]], ['USER', [0]], ['e.com', [0]], ['example', [0, 1]], ['w', [2 .. 5]], ['w3', [3]], ['W3', []], ['3', []], ['v_old', [0]], ['u%2F1', [0]], ['be', [1]],
        ['b', [1]], ['%25', []], ['_', []], ['robot', []], ["'", []], ['', [0 .. 5]];
is(json(ask("$base?$range&include_bots=$_->[0]"))->{total_count}, $_->[1], "D-76 S5-09 include_bots=$_->[0]") for ['true', 7], ['false', 6], ['x', 6];
# The document's own search; the address was eaten by its page's protection.
my @curl = ('curl', '-s', '-X', 'GET', "$ENV{LA_URL}/api/v1/users?start_date=2026-03-01T00:00:00Z&end_date=2026-03-16T23:59:59Z&search=bea\@b.example", '-H', "Authorization: Bearer $key{sdk}");
open my $out, '-|', @curl or die "curl: $!";
is(do { local $/; scalar <$out> }, list(1, 0, 1), 'S5-09 the document\'s curl');

# One of them.
my $profile = qq({"user":{$ann},"sessions":[{"session_id":"s_1","started_at":"2026-03-16T14:00:12Z","ended_at":"2026-03-16T14:05:42Z","duration_seconds":330,"events_count":3,"pageviews_count":1,)
    . '"events":[{"event_name":"pageview","page_path":"/","received_at":"2026-03-16T14:00:12Z"},{"event_name":"signup","received_at":"2026-03-16T14:03:45Z"},{"event_name":"$identify","received_at":"2026-03-16T14:05:42Z"}]},'
    . '{"session_id":"s_0","started_at":"2026-03-14T10:22:15Z","ended_at":"2026-03-14T10:22:15Z","duration_seconds":0,"events_count":1,"pageviews_count":0,"events":[{"event_name":"purchase","received_at":"2026-03-14T10:22:15Z"}]}],'
    . '"conversions":[{"event_name":"signup","value":0.00,"received_at":"2026-03-16T14:03:45Z"},{"event_name":"purchase","value":99.00,"received_at":"2026-03-14T10:22:15Z"}]}';
says("$base/$_", $profile, "S5-10 $_") for 'v_abc123', 'v_old', 'u%2F1%20%C3%BC';
is(ask("$base/bea", $key{agent})->{status}, 200, 'S5-10 dk_agent_');
is_error(ask("$base/$_"), 'public', 404, 'User not found', 'S5-10 nobody: ' . substr $_, 0, 20) for qw(nobody v_abc U%2F1%20%C3%BC robot w1%20), 'x' x 3000;
is(json(ask("$base/robot?include_bots=true"))->{user}{total_events}, 1, 'D-76 S5-10 include_bots');
is(ask("$base/a%00b")->{status}, 400, 'D-66 S5-10 %00');
is(ask("$base/")->{status}, 404, 'S5-10 no id');
is(json(ask("$base/v_abc123", key($other, 'sdk')))->{user}{total_events}, 1, 'S5-10 each workspace has its own');

like(header(ask("$base?$range"), 'X-Data-As-Of') // '', qr/^2\d\d\d-/, 'S5-09 X-Data-As-Of');

finish();
