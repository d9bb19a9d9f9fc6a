# A workspace's activity over the wire, whole bodies (S3-01 … S3-04), and its doors (CONTRACT section 0).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %member = map { $_ => sql("SELECT leadanalytics.create_member(\$1, \$2 || '\@members.example', \$2)", $id, $_) } qw(owner admin member);
my %key = map { $_ => key($id, 'member', member => $member{$_}) } keys %member;
my $admin = key($id, 'admin');
my $foreign = key($other, 'member', member => sql("SELECT leadanalytics.create_member(\$1, 'x\@members.example', 'owner')", $other));
my $doors = '{"accepted":1,"rejected":[]}';

sub ask
{
    my ($method, $path, $body, $key, @headers) = @_;
    return request($method, family_path('activity', $path), ['Authorization: Bearer ' . ($key // $key{owner}), @headers], $body);
}

# The answer's status and whole body.
sub says
{
    my ($method, $path, $body, $status, $expect, $name, $key) = @_;
    my $r = ask($method, $path, $body, $key);
    is("$r->{status} $r->{body}", "$status $expect", $name // "$method $path") or diag $r->{raw};
    is_shaped($r, 'activity', ($name // "$method $path") . ': in shape') if $status >= 400;
}

my $empty = '{"kpis":{"rooms":0,"recordings":0,"recordingDuration":0,"contacts":0,"bookings":0},"activityTimeline":[],"eventTypeBreakdown":[],"topBookingPages":[],"newContactsTimeline":[],"topRooms":[]}';

# --- S3-01, S3-03: the answer, for every member ------------------------------------------------------------
says('GET', 'analytics', undef, 200, $empty, "S3-01 nothing there, asked by $_", $key{$_}) for keys %key;
says('GET', 'analytics', undef, 200, $empty, 'D-67 an admin key opens it', $admin);
like($key{member}, qr/^lnx_/, 'S3-03 a member\'s key');
is(request('GET', family_path('activity', 'analytics'), ["X-API-Key: $key{member}"])->{body}, $empty, 'D-67 in the other header too');
is(header(ask('GET', 'analytics'), 'Content-Type'), 'application/json', 'S3-01 JSON');
is(ask('GET', 'analytics?days=7&limit=1')->{body}, $empty, 'S3-01 no parameters: what is sent is not looked at');
{
    my $r = ask('HEAD', 'analytics');
    is("$r->{status} $r->{body}", '200 ', 'S3-01 HEAD');
}

my @day = map { sql("SELECT (now() AT TIME ZONE 'UTC')::date - $_") } 0 .. 31;
my $midnight = sql("SELECT extract(epoch FROM date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')::bigint");
my $old = $midnight - 40 * 86400;
says('PUT', 'rooms/team-standup-1234', '{"display_name":"Team Standup"}', 200, $doors, 'a room');
says('PUT', 'rooms/product%2Fdemo%20%C3%A4', '', 200, $doors, 'D-66 a room whose name has a slash, and no body');
says('PUT', 'booking-pages/intro-call', '{"title":"30-min Intro Call"}', 200, $doors, 'a booking page');
says('PUT', 'recordings/r1', '{"room":"team-standup-1234","duration_seconds":5400}', 200, $doors, 'a recording');
says('PUT', 'recordings/r2', '{"room":"product/demo \u00e4","duration_seconds":0,"created_at":1000}', 200, $doors, 'another');
says('PUT', 'contacts/Ann%40example.com', qq({"name":"Ann","created_at":$old}), 200, $doors, 'a contact');
my @events = map { sprintf '{"contact":"%s","event_type":"%s","created_at":%d%s}', @$_ }
    ['ann@example.com', 'booking', $midnight, ',"booking_page":"intro-call","metadata":{"note":"<&> \u0000 \ud800"}'], ['ann@example.com', 'room_join', $midnight + 1, ',"room":"team-standup-1234"'],
    ['ben@example.com', 'room_join', $midnight - 29 * 86400, ',"room":"product/demo \u00e4"'], ['ben@example.com', 'room_join', $midnight - 29 * 86400, ',"room":"team-standup-1234"'],
    ['ben@example.com', 'room_join', $midnight - 29 * 86400 - 1, ''], ['ben@example.com', 'cancelled', $midnight, ''];
says('POST', 'contact-events', '[' . join(',', @events) . ']', 200, '{"accepted":6,"rejected":[]}', 'six events');
my %rooms = map { split /=/ } split /\n/, sql('SELECT name || \'=\' || id FROM leadanalytics.room WHERE workspace = $1', $id);
my $page = sql('SELECT id FROM leadanalytics.booking_page WHERE workspace = $1', $id);
my $full = qq({"kpis":{"rooms":2,"recordings":2,"recordingDuration":5400,"contacts":2,"bookings":1},)
    . qq("activityTimeline":[{"date":"$day[29]","bookings":0,"room_joins":2},{"date":"$day[0]","bookings":1,"room_joins":1}],)
    . qq("eventTypeBreakdown":[{"type":"room_join","count":4},{"type":"booking","count":1},{"type":"cancelled","count":1}],)
    . qq("topBookingPages":[{"id":$page,"title":"30-min Intro Call","slug":"intro-call","count":1}],"newContactsTimeline":[],)
    . qq("topRooms":[{"id":$rooms{'team-standup-1234'},"name":"team-standup-1234","display_name":"Team Standup","count":2},{"id":$rooms{"product/demo \xc3\xa4"},"name":"product/demo \xc3\xa4","display_name":null,"count":1}]});
says('GET', 'analytics', undef, 200, $full, 'S3-01, D-32 the whole body');
says('GET', 'analytics', undef, 200, $full, 'S3-01 the whole body, for a plain member', $key{member});
is(sql('SELECT leadanalytics.activity($1)::jsonb = $2::jsonb', $id, $full), 't', 'S3-01 the same by SQL');

is(json(ask('GET', 'analytics'))->{kpis}{bookings}, { map { $_->{type} => $_->{count} } @{ json(ask('GET', 'analytics'))->{eventTypeBreakdown} } }->{booking}, 'D-33 bookings are those of the breakdown');
{
    # Each answer has what was written before it; nothing waits for a worker.
    my @bookings = map { ask('POST', 'contact-events', '{"contact":"ann@example.com","event_type":"booking"}'); json(ask('GET', 'analytics'))->{kpis}{bookings} } 1 .. 5;
    is_deeply(\@bookings, [map { $bookings[0] + $_ } 0 .. 4], 'S3-04 fresh: what was just written is there');
    sql(q{DELETE FROM leadanalytics.contact_event WHERE workspace = $1 AND id IN (SELECT id FROM leadanalytics.contact_event WHERE workspace = $1 ORDER BY id DESC LIMIT 5)}, $id);
    says('GET', 'analytics', undef, 200, $full, 'S3-04 and what is gone is not');

    # A key: seen whole once, found by its prefix, closed at once.
    my $text = key($id, 'member', member => $member{member});
    is(ask('GET', 'analytics', undef, $text)->{status}, 200, 'S3-03 another key of a member');
    is(sql(q{SELECT count(*) FROM leadanalytics.key k WHERE k::text ~ $1}, substr $text, -52), 0, 'S3-03 its secret is nowhere kept');
    is(sql('SELECT count(*) FROM leadanalytics.key k WHERE k.workspace = $1 AND starts_with($2, k.prefix) AND length(k.prefix) >= 8', $id, $text), 1, 'S3-03 its first characters are');
    sql('SELECT leadanalytics.revoke_key($1, id) FROM leadanalytics.key k WHERE starts_with($2, k.prefix)', $id, $text);
    is_error(ask('GET', 'analytics', undef, $text), 'activity', 401, 'Unauthorized', 'S3-03 revoked: closed at once');
}

# --- S3-02: who may not ------------------------------------------------------------------------------------
{
    my $path = family_path('activity', 'analytics');
    is_error(request('GET', $path), 'activity', 401, 'Unauthorized', 'S3-02 no key');
    is_error(request('GET', $path, ['Authorization: Bearer lnx_' . '0' x 64]), 'activity', 401, 'Unauthorized', 'S3-02 no such key');
    is_error(request('GET', $path, ['Authorization: Basic eDp5']), 'activity', 401, 'Unauthorized', 'S3-02 another scheme');
    my @refused = map { request('GET', family_path('activity', 'analytics', $_), ["Authorization: Bearer $key{owner}"]) } slug('other'), slug('none'), $id, 'x' x 500, '%00x';
    is("$_->{status} $_->{body}", '403 {"error":"Forbidden"}', 'S3-02 another workspace, and none: the same') for @refused[0 .. 3];
    is($refused[4]{status}, 400, 'D-66 %00');
    my @names = map { join ' ', sort map { lc s/:.*//r } @{ $_->{lines} } } @refused[0, 1];
    is($names[0], $names[1], 'S3-02 the same headers too');
    is_error(request('GET', $path, ["Authorization: Bearer $foreign"]), 'activity', 403, 'Forbidden', 'S3-02 no member of it');
    is_error(request('GET', $path, ['Authorization: Bearer ' . key($id, $_)]), 'activity', 403, 'Forbidden', "D-67 a $_ key") for qw(marketing capture sdk agent live tenant);
    is_error(ask($_, 'analytics'), 'activity', 405, 'Method not allowed', "D-66 $_") for qw(POST PUT PATCH DELETE);
    is(header(ask('POST', 'analytics'), 'Allow'), 'GET, HEAD, OPTIONS', 'D-66 Allow');
    is_error(ask('GET', $_), 'activity', 404, 'Not found', "D-66 $_") for 'nowhere', 'rooms', 'analytics/x', 'contact-events/x';
    is_error(request('GET', family_path('activity', 'nowhere')), 'activity', 401, 'Unauthorized', 'D-66 no key before no path');
    # D-69 names the routes that pages of other origins may call; these are none of them.
    my $r = request('OPTIONS', $path, ['Origin: https://evil.example', 'Access-Control-Request-Method: GET']);
    is($r->{status}, 204, 'D-69 OPTIONS needs no key');
    ok(!grep({ /^access-control-/i } @{ $r->{lines} }), 'D-69 and allows another origin nothing');
    $r = ask('GET', 'analytics', undef, undef, 'Origin: https://evil.example');
    ok(!grep({ /^access-control-/i } @{ $r->{lines} }), 'D-69 nor does the answer');
}

# --- D-67: the doors are for owners and admins -------------------------------------------------------------
my @door = (['PUT', 'rooms/guarded', '{}'], ['DELETE', 'rooms/guarded'], ['PUT', 'recordings/guarded', '{"room":"team-standup-1234","duration_seconds":1}'], ['PUT', 'booking-pages/guarded', '{"title":"t"}'],
    ['DELETE', 'booking-pages/guarded'], ['PUT', 'contacts/g%40x', '{}'], ['DELETE', 'contacts/g%40x'], ['POST', 'contact-events', '[]']);
for (@door)
{
    my ($method, $path, $body) = @$_;
    is(ask($method, $path, $body, $key{$_})->{status}, 200, "D-67 $method $path by an $_") for qw(owner);
    is_error(ask($method, $path, $body, $key{member}), 'activity', 403, 'Forbidden', "D-67 $method $path by a member");
    is_error(ask($method, $path, '{"broken"', $key{member}), 'activity', 403, 'Forbidden', "D-66 $method $path by a member: 403 before 400");
    is_error(ask($method, $path, $body, $foreign), 'activity', 403, 'Forbidden', "S3-02 $method $path by an owner of another workspace");
    is_error(ask($method, $path, $body, key($id, 'sdk')), 'activity', 403, 'Forbidden', "D-67 $method $path by another role");
    is_error(request($method, family_path('activity', $path), [], $body), 'activity', 401, 'Unauthorized', "S3-02 $method $path without a key");
}
for my $who ($key{admin}, $admin)
{
    is(ask($$_[0], $$_[1], $$_[2], $who)->{status}, 200, "D-67 $$_[0] $$_[1] by an admin") for @door;
}
says('DELETE', 'rooms/guarded', undef, 404, '{"error":"Room not found"}', 'what is gone is not found');
{
    my $rising = sql("SELECT leadanalytics.create_member(\$1, 'rising\@members.example', 'member')", $id);
    my $key = key($id, 'member', member => $rising);
    is(ask('POST', 'contact-events', '[]', $key)->{status}, 403, 'D-67 a member');
    sql("SELECT leadanalytics.set_member_role(\$1, \$2, 'admin')", $id, $rising);
    is(ask('POST', 'contact-events', '[]', $key)->{status}, 200, 'D-67 is an admin from the next request on');
    sql("SELECT leadanalytics.set_member_role(\$1, \$2, 'member')", $id, $rising);
    is(ask('POST', 'contact-events', '[]', $key)->{status}, 403, 'D-67 and no longer');
}
sql('DELETE FROM leadanalytics.recording WHERE workspace = $1 AND key = $2', $id, 'guarded');
is(ask('GET', 'analytics')->{body}, $full, 'nothing of that is left');

# --- The doors: bodies -------------------------------------------------------------------------------------
says('PUT', $$_[0], $$_[1], $$_[2], qq({"error":"$$_[3]"}), "PUT $$_[0] $$_[1]")
    for ['rooms/x', '[]', 400, 'Invalid request body'], ['rooms/x', '{', 400, 'Invalid request body'], ['rooms/x', '{"display_name":[]}', 400, 'Invalid display_name'],
    ['rooms/' . 'x' x 201, '{}', 400, 'Invalid name'], ['recordings/x', '', 400, 'room is required'], ['recordings/x', '{"room":"team-standup-1234"}', 400, 'duration_seconds is required'],
    ['recordings/x', '{"room":"team-standup-1234","duration_seconds":-1}', 400, 'Invalid duration_seconds'], ['recordings/x', '{"room":"team-standup-1234","duration_seconds":1e99}', 400, 'Invalid duration_seconds'],
    ['recordings/x', '{"room":"team-standup-1234","duration_seconds":1,"created_at":"now"}', 400, 'Invalid created_at'], ['recordings/x', '{"room":"nowhere","duration_seconds":1}', 404, 'Room not found'],
    ['booking-pages/x', '{}', 400, 'title is required'], ['booking-pages/x', '{"title":""}', 400, 'Invalid title'], ['contacts/x', '{}', 400, 'Invalid email'], ['contacts/abc', '{}', 400, 'Invalid email'],
    ['contacts/a%40b', '{"created_at":-1}', 400, 'Invalid created_at'], ['contacts/a%40b', '{"created_at":1773000000000}', 400, 'Invalid created_at'];
says('DELETE', $$_[0], undef, 404, qq({"error":"$$_[1] not found"}), "DELETE $$_[0]") for ['rooms/nowhere', 'Room'], ['booking-pages/nowhere', 'Booking page'], ['contacts/nobody%40x', 'Contact'];
is_error(ask($$_[0], $$_[1]), 'activity', 405, 'Method not allowed', "405 $$_[0] $$_[1]") for ['GET', 'rooms/x'], ['POST', 'rooms/x'], ['DELETE', 'recordings/x'], ['GET', 'contact-events'], ['PUT', 'contact-events'];
says('POST', 'contact-events', $$_[0], 400, '{"error":"Invalid request body"}', "events: " . substr $$_[0], 0, 20) for [''], ['5'], ['"x"'], ['null'], ['{'], ['[' . join(',', ('{}') x 1001) . ']'];
says('POST', 'contact-events', '[{"contact":"cy@x","event_type":"t"},{"contact":"cy@x"},7,{"contact":"cy@x","event_type":"t","room":"nowhere"},{"contact":"cy@x","event_type":"t","booking_page":"nowhere"}]', 200,
    '{"accepted":1,"rejected":[{"index":1,"error":"event_type is required"},{"index":2,"error":"Not an object"},{"index":3,"error":"Room not found"},{"index":4,"error":"Booking page not found"}]}', 'one bad event loses no other');
says('POST', 'contact-events', '{"contact":"no address","event_type":"t"}', 200, '{"accepted":0,"rejected":[{"index":0,"error":"Invalid contact"}]}', 'a single one');
says('POST', 'contact-events', '[' . join(',', ('{"contact":"cy@x","event_type":"t"}') x 1000) . ']', 200, '{"accepted":1000,"rejected":[]}', 'a thousand');

sub types { return { map { $_->{type} => $_->{count} } @{ json(ask('GET', 'analytics'))->{eventTypeBreakdown} } } }
is(types()->{t}, 1001, 'all are there');
# Idempotent: by the request's key, and by the event's own id.
{
    my $body = '{"contact":"cy@x","event_type":"keyed"}';
    my @r = map { ask('POST', 'contact-events', $body, undef, 'Idempotency-Key: k1') } 1 .. 2;
    is(join(' ', map { header($_, 'Idempotency-Replayed') // '-' } @r), '- true', 'Idempotency-Key');
    ask('POST', 'contact-events', '[{"contact":"cy@x","event_type":"named","event_id":"e1"},{"contact":"cy@x","event_type":"named","event_id":"e2"}]') for 1 .. 2;
    answer($_) for map { start('POST', family_path('activity', 'contact-events'), ["Authorization: Bearer $key{owner}"], '{"contact":"cy@x","event_type":"named","event_id":"e3"}') } 1 .. 8;
    my $types = types();
    is("$types->{keyed} $types->{named}", '1 3', 'done once, counted once, also at once');
}

# --- S3-04: deleted ----------------------------------------------------------------------------------------
says('DELETE', 'rooms/team-standup-1234', undef, 200, '{"deleted":true}', 'S3-04 a room goes');
says('DELETE', 'booking-pages/intro-call', undef, 200, '{"deleted":true}', 'S3-04 a page goes');
{
    my $answer = json(ask('GET', 'analytics'));
    is_deeply($answer->{kpis}, { rooms => 1, recordings => 1, recordingDuration => 0, contacts => 3, bookings => 1 }, 'S3-04 with its recordings; its bookings count');
    is_deeply($answer->{topBookingPages}, [], 'S3-04 out of the list of pages');
    is_deeply([map { $_->{name} } @{ $answer->{topRooms} }], ["product/demo \xe4"], 'S3-04 out of the list of rooms');
    is_deeply($answer->{eventTypeBreakdown}[1], { type => 'room_join', count => 4 }, 'S3-04 its joins count');
}
says('DELETE', 'contacts/ANN%40example.com', undef, 200, '{"deleted":true}', 'a contact goes');
is(json(ask('GET', 'analytics'))->{kpis}{bookings}, 0, 'with its events');

# --- Exact while others write ------------------------------------------------------------------------------
# One statement asks both ways, so it sees one state: the counts, and the rows.
my $both = <<'SQL';
SELECT a.answer->'kpis' = jsonb_build_object('rooms', (SELECT count(*) FROM leadanalytics.room WHERE workspace = $1), 'recordings', (SELECT count(*) FROM leadanalytics.recording WHERE workspace = $1),
        'recordingDuration', (SELECT coalesce(sum(duration_seconds), 0) FROM leadanalytics.recording WHERE workspace = $1), 'contacts', (SELECT count(*) FROM leadanalytics.contact WHERE workspace = $1),
        'bookings', (SELECT count(*) FROM leadanalytics.contact_event WHERE workspace = $1 AND event_type = 'booking'))
   AND a.answer->'eventTypeBreakdown' = (SELECT jsonb_agg(t ORDER BY t.count DESC, t.type) FROM (SELECT event_type AS type, count(*) FROM leadanalytics.contact_event WHERE workspace = $1 GROUP BY 1) AS t)
   AND a.answer->'topRooms' = (SELECT coalesce(jsonb_agg(t ORDER BY t.count DESC, t.id), '[]') FROM (SELECT r.id, r.name, r.display_name, count(*) FROM leadanalytics.contact_event e
        JOIN leadanalytics.room r ON r.workspace = e.workspace AND r.id = e.room WHERE e.workspace = $1 AND event_type = 'room_join' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 5) AS t)
FROM (SELECT leadanalytics.activity($1)::jsonb AS answer) AS a
SQL
my (%status, %said, $sent);
for my $round (1 .. 12)
{
    my @started;
    for my $i (1 .. 8)
    {
        my $n = 8 * $round + $i;
        my $room = 'room' . $n % 7;
        push @started, $n % 11 == 0 ? start('DELETE', family_path('activity', "rooms/$room"), ["Authorization: Bearer $key{owner}"])
            : $n % 4 == 0 ? start('PUT', family_path('activity', "rooms/$room"), ["Authorization: Bearer $key{owner}"], '{}')
            : start('POST', family_path('activity', 'contact-events'), ["Authorization: Bearer $key{owner}"], encode_json([map { { contact => 'c' . ($n * $_) % 19 . '@x', event_type => (qw(booking room_join))[$_ % 2],
                $_ % 3 ? (room => "room" . ($n + $_) % 7) : () } } 1 .. 20]));
    }
    $said{ sql($both, $id) }++ for 1 .. 2;
    sql('SELECT leadanalytics.sum_activity(now())') if $round % 5 == 0;
    $status{ answer($_)->{status} }++ for @started;
}
is(join(' ', keys %said), 't', 'counts and rows say the same at any moment');
is(sql($both, $id), 't', 'and at the end');
is(join(' ', sort grep { $_ != 200 && $_ != 404 } keys %status), '', 'nobody failed');
cmp_ok(sql('SELECT count(*) FROM leadanalytics.contact_event WHERE workspace = $1', $id), '>', 1500, 'there was something to count');

# Another workspace has its own.
is(request('GET', family_path('activity', 'analytics', slug('other')), ["Authorization: Bearer $foreign"])->{body}, $empty, 'another workspace has seen nothing of it');
finish();
