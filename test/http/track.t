# The doors of tracking over the wire, whole bodies: T1 to T4 and POST /api/v1/track (D-56, D-63, D-69, D-70, D-76).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Compress::Raw::Zlib;
use Digest::SHA 'sha256_hex';
use JSON::PP;
use Door;
use Test::More;
use Time::HiRes 'time';

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(admin sdk marketing capture agent tenant);
my $foreign = key($other, 'sdk');
sql('SELECT leadanalytics.create_site($1, $2, ARRAY[\'track.example\'])', $id, slug('site'));
my $page = 'https://track.example';
my $firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
my $googlebot = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
my $uuid = qr/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

# As the page of the site does: no key, its Origin.
sub post
{
    my ($path, $body, @headers) = @_;
    unshift @headers, "Origin: $page" unless grep { /^(Origin|Authorization|X-API-Key):/ } @headers;
    push @headers, "User-Agent: $firefox" unless grep { /^User-Agent:/ } @headers;
    return request('POST', $path, \@headers, ref $body ? JSON::PP->new->utf8->canonical->encode($body) : $body);
}
sub track { return post('/api/v1/track', @_) }
sub says
{
    my ($r, $status, $expect, $name) = @_;
    my $told = "$r->{status} $r->{body}";
    ref $expect ? like($told, qr/^$status $expect$/, $name) : is($told, "$status $expect", $name);
    is_shaped($r, 'dashboard', "$name: in shape") if $status >= 400;
    return json($r);
}
sub taken { my ($n, $known, @rejected) = @_; return sprintf '{"success":true,"accepted":%d,"duplicates":%d,"rejected":[%s]}', $n, $known // 0, join ',', @rejected }
sub stored { my ($where) = @_; return sql("SELECT count(*) FROM leadanalytics.events e WHERE workspace = $id AND $where") }
# ±5 s of now, in Unix ms
sub is_now { my ($ms, $name) = @_; cmp_ok(abs($ms - 1000 * time), '<', 5000, $name) }
my $ms = int(1000 * time);

# --- T1
my $start = { fingerprint_id => 'fp1', page => "$page/a?utm_source=mail&gclid=1", referrer => 'https://search.example/', device_info => { user_agent => 'A tracker\'s own', language => 'de',
    platform => 'Linux', hardware_concurrency => 8, device_memory => 16 }, screen => { width => 1920, height => 1080, color_depth => 24, pixel_ratio => 2 } };
my $r = post('/track/session/start', $start);
my $session = says($r, 200, qr/\{"session_id":"$uuid","visitor_id":"@{[sha256_hex('visitor:fp1')]}","device_id":"@{[sha256_hex("device:A tracker's own|fp1")]}","timestamp":\d{13}\}/, 'T1 the whole body');
is_now($session->{timestamp}, 'T1 its time');
is(header($r, 'Access-Control-Allow-Origin'), $page, 'T1 CORS: the origin is echoed');
is(header($r, 'Access-Control-Allow-Credentials'), 'true', 'T1 CORS: credentials');
my $s = $session->{session_id};
is(sql('SELECT visitor_id, entry_url, exit_url, referrer, utm_source, click_id, events, device_id, fingerprint_id, ip FROM leadanalytics.sessions WHERE workspace = $1 AND session_id = $2', $id, $s),
    join('|', $session->{visitor_id}, "$page/a?utm_source=mail&gclid=1", "$page/a?utm_source=mail&gclid=1", 'https://search.example/', 'mail', 'gclid', 0, $session->{device_id}, 'fp1', '127.0.0.1'), 'T1 the session is there');
is(sql('SELECT t.language, t.platform, t.hardware_concurrency, t.device_memory, t.color_depth, t.pixel_ratio FROM leadanalytics.session s JOIN leadanalytics.term_device t ON t.workspace = s.workspace AND t.id = s.device WHERE s.workspace = $1 AND s.session_id = $2', $id, $s),
    'de|Linux|8|16|24|2', 'T1 its device');
is(stored('true'), 0, 'T1 a start is no event');
my $named = says(post('/track/session/start', { %$start, visitor_id => 'vera' }), 200, qr/\{.*"visitor_id":"vera".*\}/, 'T1 visitor_id as sent');
isnt($named->{session_id}, $s, 'T1 each start its own session');
is(says(post('/track/session/start', { %$start, device_info => {}, session_id => 'mine' }), 200, qr/\{.*\}/, 'T1 session_id is ours to make')->{device_id}, sha256_hex("device:$firefox|fp1"), 'T1 device_id by the request\'s agent');
says(post('/track/session/start', $$_[0]), 400, qq({"error":"$$_[1]"}), "T1 400 $$_[1]")
    for [ { page => '/' }, 'fingerprint_id is required' ], [ { fingerprint_id => 'f' }, 'page is required' ], [ { fingerprint_id => '', page => '/' }, 'fingerprint_id is required' ],
    [ { fingerprint_id => undef, page => '/' }, 'fingerprint_id is required' ], [ { fingerprint_id => 5, page => '/' }, 'fingerprint_id must be a text' ], [ {}, 'fingerprint_id is required' ],
    [ { fingerprint_id => 'f' x 129, page => '/' }, 'fingerprint_id must have at most 128 characters' ], [ { %$start, page => 'x' x 2049 }, 'page must have at most 2048 characters' ];

# --- T2
my $event = says(post('/track/event', { session_id => $s, event_type => 'page_view', page => "$page/b", timestamp => $ms }), 200, qr/\{"event_id":"evt_\d+","timestamp":$ms\}/, 'T2 the whole body');
is_now(says(post('/track/event', { session_id => $s, event_type => $_, x => 1.5, y => 2, element => 'a.buy', scroll_percent => 40 }), 200, qr/\{"event_id":"evt_\d+","timestamp":\d{13}\}/, "T2 $_")->{timestamp}, "T2 $_: its time")
    for qw(scroll click mousemove navigation visibility_change);
is(sql('SELECT events, pageviews, clicks, scroll_percent FROM leadanalytics.sessions WHERE workspace = $1 AND session_id = $2', $id, $s), '6|1|1|40', 'T2 they are its session\'s');
is(stored("visitor_id = '$session->{visitor_id}' AND session_id = '$s'"), 6, 'T2 and its visitor\'s');
is(sql("SELECT event_data FROM leadanalytics.events WHERE workspace = $id AND event_name = 'mousemove'"), '{"x": 1.5, "y": 2, "element": "a.buy", "scroll_percent": 40}', 'T2 what has no column');
my $once = { session_id => $s, event_type => 'click', event_id => 'once', timestamp => $ms };
is(post('/track/event', $once)->{body}, post('/track/event', $once)->{body}, 'T2 sent twice: the same answer');
is(stored("event_id IS NOT NULL"), 1, '… and one event');
says(post('/track/event', { session_id => 'unknown', event_type => 'page_view', visitor_id => 'ute', page => '/x' }), 200, qr/\{.*\}/, 'D-69 T2 an unknown session');
is(sql("SELECT visitor_id, events, entry_url FROM leadanalytics.sessions WHERE workspace = $id AND session_id = 'unknown'"), 'ute|1|/x', 'D-69 … is created');
says(post('/track/event', $$_[0]), 400, qq({"error":"$$_[1]"}), "T2 400 $$_[1]")
    for [ { event_type => 'click' }, 'session_id is required' ], [ { session_id => 5, event_type => 'click' }, 'session_id is required' ], [ { session_id => '', event_type => 'click' }, 'session_id is required' ],
    [ { session_id => 's' }, 'event_type is required' ], [ { session_id => 's', event_type => 'purchase' }, 'Invalid event_type' ], [ { session_id => 's', event_type => 'Click' }, 'Invalid event_type' ],
    [ { session_id => 's', event_type => 'scroll', scroll_percent => 101 }, 'scroll_percent must be a number from 0 to 100' ],
    [ { session_id => 's', event_type => 'scroll', scroll_percent => -1 }, 'scroll_percent must be a number from 0 to 100' ],
    [ { session_id => 's', event_type => 'click', timestamp => 'now' }, 'timestamp must be an ISO 8601 time or a Unix time' ], [ { session_id => 's' x 129, event_type => 'click' }, 'session_id must have at most 128 characters' ];
is(stored("session_id = 's'"), 0, 'T2 what is refused is not stored');
# D-70
my $old = $ms - 8 * 86400 * 1000;
is_now(says(post('/track/event', { session_id => $s, event_type => 'click', timestamp => $_ }), 200, qr/\{.*\}/, "D-70 a time of $_")->{timestamp}, 'D-70 … is not believed') for $old, $ms + 10 * 60000;

# --- T3
my @hundred = map { { event_type => 'scroll', scroll_percent => $_ % 100, page => "$page/$_", timestamp => $ms + $_ } } 1 .. 100;
is_now(says(post('/track/events/batch', { session_id => 't3', visitor_id => 'tom', events => \@hundred }), 200, qr/\{"accepted":100,"timestamp":\d{13}\}/, 'T3 a hundred')->{timestamp}, 'T3 its time');
is(sql("SELECT visitor_id, events, exit_url, scroll_percent, extract(epoch FROM last_seen) * 1000 = $ms + 100 FROM leadanalytics.sessions WHERE workspace = $id AND session_id = 't3'"), "tom|100|$page/100|99|t", 'T3 last_seen, exit_page');
says(post('/track/events/batch', { session_id => 't3', events => [ { event_type => 'click' }, { event_type => 'nothing' }, 5, { event_type => 'click', timestamp => 'x' } ] }), 200, qr/\{"accepted":1,"timestamp":\d{13}\}/, 'T3 one bad event loses no other');
says(post('/track/events/batch', $$_[0]), 400, qq({"error":"$$_[1]"}), "T3 400 $$_[1]")
    for [ { session_id => 's', events => [ @hundred, $hundred[0] ] }, 'events must be an array of 1 to 100 events' ], [ { session_id => 's', events => [] }, 'events must be an array of 1 to 100 events' ],
    [ { session_id => 's', events => {} }, 'events must be an array of 1 to 100 events' ], [ { session_id => 's' }, 'events is required' ], [ { events => \@hundred }, 'session_id is required' ];
is(stored("session_id = 's'"), 0, 'T3 what is refused is not stored');

# --- T4
my $end = $ms + 1000;
says(post('/track/session/end', { session_id => $s, exit_page => "$page/bye", timestamp => $end }), 200, qr/\{"session_id":"$s","ended_at":\d{13}\}/, 'T4 the whole body');
is(sql('SELECT s.is_ended, v.exit_url FROM leadanalytics.sessions v JOIN leadanalytics.session s USING (workspace, number) WHERE v.workspace = $1 AND v.session_id = $2', $id, $s), "t|$page/bye", 'T4 it has ended, at that page');
my $ended = says(post('/track/session/end', { session_id => 't3' }), 200, qr/\{"session_id":"t3","ended_at":\d{13}\}/, 'T4 without a time');
is_now($ended->{ended_at}, 'T4 … now');
is(json(post('/track/session/end', { session_id => 't3', timestamp => $ms + 240000 }))->{ended_at}, $ended->{ended_at}, 'T4 again: it keeps its end');
my $before = stored("visitor_id = 'tom'");
says(post('/track/event', { session_id => 't3', visitor_id => 'tom', event_type => 'click' }), 200, qr/\{.*\}/, 'D-04 an event of an ended session');
is(sql("SELECT events FROM leadanalytics.sessions WHERE workspace = $id AND session_id = 't3'"), 101, 'D-04 … reopens nothing');
is(stored("visitor_id = 'tom'") - $before, 1, 'D-04 … but counts as its visitor\'s');
says(post('/track/session/end', { session_id => 'nobody\'s' }), 404, '{"error":"Session not found"}', 'T4 404');
says(post('/track/session/end', { session_id => $s }, "X-API-Key: $foreign"), 404, '{"error":"Session not found"}', 'T4 404 another workspace\'s');
says(post('/track/session/end', {}), 400, '{"error":"session_id is required"}', 'T4 400');

# --- All of them
my @doors = qw(/track/session/start /track/event /track/events/batch /track/session/end);
for my $door (@doors)
{
    says(post($door, $_), 400, '{"error":"Invalid request body"}', "$door 400 " . ($_ eq '' ? 'empty' : $_)) for '{', '[]', '5', 'null', '""', '', '{"a":"\xff"}';
    for my $method (qw(GET PUT PATCH DELETE))
    {
        my $r = request($method, $door);
        is_error($r, 'dashboard', 405, 'Method not allowed', "$door 405 $method");
        like(header($r, 'Allow') // '', qr/\bPOST\b/, "$door Allow");
    }
    my $r = request('OPTIONS', $door, ["Origin: $page", 'Access-Control-Request-Method: POST']);
    is("$r->{status} " . (header($r, 'Access-Control-Allow-Origin') // ''), "204 $page", "$door preflight");
    says(post($door, $start, 'Origin: https://evil.example'), 403, '{"error":"Forbidden"}', "D-69 $door from a page of nobody's") unless sql('SELECT count(*) FROM leadanalytics.workspace WHERE is_default');
    says(post($door, { %$start, siteKey => slug('site'), session_id => 'evil', event_type => 'click', events => [ { event_type => 'click' } ] }, 'Origin: https://evil.example'), 403, '{"error":"Forbidden"}', "D-69 $door from a page that is not the site's");
    is_error(post($door, $start, "X-API-Key: $key{$_}"), 'dashboard', 403, 'Forbidden', "D-67 $door $_") for qw(marketing capture agent tenant);
    is_error(post($door, $start, 'X-API-Key: dk_wrong'), 'dashboard', 401, undef, "$door a wrong key");
}
is(stored("session_id = 'evil'"), 0, 'D-69 nothing of it is stored');
# sendBeacon: text/plain
says(post('/track/events/batch', { session_id => 'beacon', events => [ { event_type => 'click' } ] }, 'Content-Type: text/plain;charset=UTF-8'), 200, qr/\{"accepted":1,.*\}/, 'T3 sendBeacon');
says(track({ events => [ { event_name => 'beacon' } ] }, 'Content-Type: text/plain;charset=UTF-8'), 200, taken(1), 'S5 sendBeacon');

# --- POST /api/v1/track: the three shapes
says(track({ batchId => 'b', timestamp => $ms, events => [
    { workspace_id => slug(), distinct_id => 'd', anonymous_id => 'n', visitor_id => 'anna', event_id => '7b9b8e5e-0000-4000-8000-000000000001', event_name => 'page_view', session_id => 'w1', utm_source => 'x', timestamp => $ms, source => 'web', sdk_version => '1',
      event_data => { url => "$page/w", path => '/w', title => 'W', referrer => 'r', screen_width => 800, screen_height => '600', plan => 'pro' } },
    { event_name => 'purchase', visitor_id => 'anna', session_id => 'w1', event_id => 'p', event_data => { value => 9.5 } } ] }), 200, taken(2), 'S5 (a) the web SDK\'s batch');
is(sql("SELECT visitor_id, session_id, page_url, page_path, page_title, referrer, screen_width, screen_height, utm_source, source, kind, event_data FROM leadanalytics.events WHERE workspace = $id AND event_id = '7b9b8e5e-0000-4000-8000-000000000001'"),
    "anna|w1|$page/w|/w|W|r|800|600|x|web|p|{\"plan\": \"pro\"}", 'S5 (a) every field');
says(track({ event => '$pageview', userId => 'u1', anonymousId => 'srv', eventId => 's1', properties => { plan => 'pro' }, timestamp => $ms, context => { page => { url => "$page/srv" }, ip => '198.51.100.7', userAgent => $googlebot } },
    "X-API-Key: $key{sdk}"), 200, taken(1), 'S5 (b) the server SDK\'s event');
is(sql("SELECT user_id, source, kind, page_url, is_bot, event_data FROM leadanalytics.events WHERE workspace = $id AND visitor_id = 'srv'"), "u1|server|p|$page/srv|t|{\"plan\": \"pro\"}", 'S5 (b) with a key it may say whose agent it was');
says(track({ event_name => 'signup', visitor_id => 'carl', event_id => 'c' }), 200, taken(1), 'S5 (c) a single event');
is(sql("SELECT kind, count(*) FROM leadanalytics.event WHERE workspace = $id AND name IN (SELECT id FROM leadanalytics.term WHERE workspace = $id AND parts[1] IN ('signup', 'purchase')) GROUP BY 1"), 'c|2', 'D-63 custom events');
is(sql("SELECT session_id ~ '^[0-9]+\$', events FROM leadanalytics.sessions WHERE workspace = $id AND visitor_id = 'carl'"), 't|1', 'D-56 without session_id the server makes one');
says(track({ events => [ { event_name => 'a', event_id => 'c' }, { event_name => 'b', event_id => 'c2' }, {}, 7, { event_name => 'x', event_data => 'y' }, { workspace_id => slug('other'), event_name => 'foreign' } ] }), 200,
    taken(1, 1, '{"index":2,"error":"event_name is required"}', '{"index":3,"error":"event must be an object"}', '{"index":4,"error":"event_data must be an object"}', '{"index":5,"error":"workspace_id is of another workspace"}'),
    'S5 one bad event never loses a batch');
says(track({ events => [] }), 200, taken(0), 'S5 an empty batch');
$r = track({ events => [ map { { event_name => 'many' } } 1 .. 1001 ] });
says($r, 200, taken(1000, 0, '{"index":1000,"error":"a batch has at most 1000 events"}'), 'S5 1 001 events');
says(track($_), 400, '{"error":"Invalid request body"}', "S5 400 $_") for '{', '[]', '5', '{"event_name":"a"} x';
for my $method (qw(GET PUT PATCH DELETE))
{
    my $r = request($method, '/api/v1/track', ["X-API-Key: $key{sdk}"]);
    is_error($r, 'public', 405, undef, "S5 405 $method");
    like(header($r, 'Allow') // '', qr/\bPOST\b/, 'S5 Allow');
}
# whose it is (D-69): a key, the body, the page
says(track({ event_name => 'whose', visitor_id => $$_[0], ($$_[2] ? (workspace_id => $$_[2]) : ()) }, $$_[1]), 200, taken(1), "D-69 $$_[0]")
    for [ 'by key', "X-API-Key: $key{sdk}", slug('other') ], [ 'by body', 'User-Agent: x', slug() ], [ 'by page', "Origin: $page" ], [ 'elsewhere', "X-API-Key: $foreign", slug() ];
is(sql("SELECT string_agg(visitor_id, ', ' ORDER BY visitor_id) FROM leadanalytics.events WHERE event_name = 'whose' AND workspace = $_->[0]"), $_->[1], 'D-69 there') for [ $id, 'by body, by key, by page' ], [ $other, 'elsewhere' ];
# what only a key may say
track({ event_name => 'hidden', visitor_id => 'liar', ip => '198.51.100.7', user_agent => $googlebot, now => '2020-01-01', workspace => $other, is_bot => JSON::PP::true, client_ip => '1.2.3.4', context => { ip => '198.51.100.7', userAgent => $googlebot } },
    "Origin: $page", 'X-Forwarded-For: 198.51.100.7', 'X-Real-IP: 198.51.100.7', 'Forwarded: for=198.51.100.7');
is(sql("SELECT s.ip, e.is_bot, e.browser FROM leadanalytics.events e JOIN leadanalytics.sessions s USING (workspace, session_id) WHERE e.workspace = $id AND e.visitor_id = 'liar'"), '127.0.0.1|f|Firefox', 'law 5: without a key nobody says where he comes from');
is(sql("SELECT received_at > now() - interval '1 minute' FROM leadanalytics.events WHERE workspace = $id AND visitor_id = 'liar'"), 't', 'law 5: nor when');

# D-76
says(track({ event_name => 'page_view', visitor_id => 'bot', session_id => 'bot' }, "User-Agent: $googlebot"), 200, taken(1), 'D-76 a robot is stored');
is(sql("SELECT is_bot, session_id IS NULL FROM leadanalytics.events WHERE workspace = $id AND visitor_id = 'bot'"), 't|t', 'D-76 apart, without a session');
says(post('/track/session/start', { %$start, visitor_id => 'bot' }, "User-Agent: $googlebot"), 200, qr/\{"session_id":"$uuid".*\}/, 'D-76 T1 a robot is answered');
is(sql("SELECT count(*) FROM leadanalytics.sessions WHERE workspace = $id AND visitor_id = 'bot'"), 0, 'D-76 no session of a robot');

# Idempotency-Key
my $keyed = sub { my ($name, @more) = @_; return track({ event_name => $name, visitor_id => 'idem' }, @more) };
for my $how ([ 'with a key', "X-API-Key: $key{sdk}" ], [ 'without', "Origin: $page" ])
{
    my @r = map { $keyed->("idem $$how[0]", $$how[1], "Idempotency-Key: k-$$-$$how[0]") } 1, 2;
    is($r[0]{body}, taken(1), "Idempotency-Key $$how[0]");
    is($r[1]{body}, $r[0]{body}, '… again: the same answer');
    is((header($r[0], 'Idempotency-Replayed') // '') . (header($r[1], 'Idempotency-Replayed') // ''), 'true', '… and says so');
    is(stored("event_name = 'idem $$how[0]'"), 1, '… and one event');
}
my @at_once = map { answer($_)->{body} } map { start('POST', '/api/v1/track', ["X-API-Key: $key{sdk}", 'Idempotency-Key: at once'], '{"event_name":"idem at once"}') } 1 .. 8;
is_deeply(\@at_once, [ (taken(1)) x 8 ], 'Idempotency-Key at once');
is(stored("event_name = 'idem at once'"), 1, '… and one event');

# gzip, and 8 MB
sub gzip
{
    my ($text) = @_;
    my $deflate = Compress::Raw::Zlib::Deflate->new(-WindowBits => WANT_GZIP, -AppendOutput => 1);
    my $out = '';
    $deflate->deflate($text, $out);
    $deflate->flush($out);
    return $out;
}
says(track(gzip('{"events":[{"event_name":"zipped"},{"event_name":"zipped"}]}'), 'Content-Encoding: gzip'), 200, taken(2), 'S5 gzip');
says(post('/track/event', gzip('{"session_id":"zip","event_type":"click"}'), 'Content-Encoding: gzip'), 200, qr/\{"event_id":.*\}/, 'T2 gzip');
says(track('{"event_name":"x"}', 'Content-Encoding: gzip'), 400, qr/\{"error":.*\}/, 'S5 gzip that is none');
my $mb = sub { my ($bytes) = @_; my $event = '{"event_name":"big","pad":"' ; return $event . 'x' x ($bytes - length($event) - 2) . '"}' };
my $max = 8 * 1024 * 1024;
says(track($mb->($max)), 200, taken(1), 'S5 8 MB are taken');
is_error(track($mb->($max + 1)), 'public', 413, undef, 'S5 a byte more is not');
is_error(track(gzip($mb->($max + 1)), 'Content-Encoding: gzip'), 'public', 413, undef, 'S5 nor compressed');
says(post('/track/event', '{"session_id":"big","event_type":"click","pad":"' . 'x' x 60000 . '"}'), 200, qr/\{.*\}/, 'T2 60 kB of data');
says(post('/track/event', '{"session_id":"big","event_type":"click","pad":"' . 'x' x 70000 . '"}'), 400, '{"error":"event must have at most 65536 bytes"}', 'T2 70 kB are too many');
is_error(post('/track/event', $mb->($max + 1)), 'dashboard', 413, undef, 'T2 8 MB and a byte');
finish();
