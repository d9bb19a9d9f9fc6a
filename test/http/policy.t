# Blocked and whitelisted IPs over the wire, whole bodies (S1-20 … S1-25).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Dashboard;
use Door;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(admin marketing capture sdk);
my $conflict = 'IP cannot be both whitelisted and blocked.';
asking('/analytics/', $key{admin}, $id);

# Entries are as old as the test says.
sub dated { my ($ip, $at) = @_; sql('UPDATE leadanalytics.listed_ip SET listed_at = $3 WHERE workspace = $1 AND ip = $2', $id, $ip, $at) }

# Both lists: what they share.
for (['blocked', 'S1-20', 'S1-21', 'S1-22', '"reason":null,"country":null,"referer":null', 'blocked', 'unblocked'],
    ['whitelisted', 'S1-23', 'S1-24', 'S1-25', '"note":null,"usage":"internal"', 'whitelisted', 'removed'])
{
    my ($list, $get, $post, $delete, $fields, $done, $undone) = @$_;
    my $path = "$list-ips";
    my $entry = sub { my ($ip, $at) = @_; return qq({"ip":"$ip","${list}_at":"$at",$fields}) };
    my $page = sub { my ($total, @entries) = @_; return sprintf '{"%s_ips":[%s],"total":%d}', $list, join(',', @entries), $total };

    says('GET', $path, undef, 200, $page->(0), "$get empty");
    says('POST', $path, '{"ip":"198.51.100.20"}', 201, qq({"$done":true}), "$post an address");
    my $at = json(ask('GET', $path))->{"${list}_ips"}[0]{"${list}_at"};
    is(sql('SELECT now() - $1::timestamp AT TIME ZONE \'UTC\' BETWEEN \'0\' AND \'1 minute\'', $at), 't', "D-68 $get now, in UTC");
    like($at, qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/, "D-68 $get its form");
    dated('198.51.100.20', '2026-02-24 09:30:00.9Z');
    says('GET', $path, undef, 200, $page->(1, $entry->('198.51.100.20', '2026-02-24 09:30:00')), "$get the whole body");
    says('POST', $path, '{"ip":"198.51.100.20"}', 201, qq({"$done":true}), "$post again: 201 too");
    is(json(ask('GET', $path))->{total}, 1, "$post again: the same entry");
    isnt(json(ask('GET', $path))->{"${list}_ips"}[0]{"${list}_at"}, '2026-02-24 09:30:00', "$post again: the time is new");

    # D-17
    says('POST', $path, '{"ip":"0:0:0:0:0:0:0:1"}', 201, qq({"$done":true}), "D-17 $post IPv6");
    says('POST', $path, '{"ip":"::ffff:203.0.113.9"}', 201, qq({"$done":true}), "D-17 $post IPv4 in IPv6");
    dated($$_[0], $$_[1]) for ['198.51.100.20', '2026-02-24 09:30:00Z'], ['::1', '2026-02-24 09:30:00Z'], ['203.0.113.9', '2026-02-24 09:30:01Z'];
    my @all = ($entry->('203.0.113.9', '2026-02-24 09:30:01'), $entry->('198.51.100.20', '2026-02-24 09:30:00'), $entry->('::1', '2026-02-24 09:30:00'));
    says('GET', $path, undef, 200, $page->(3, @all), "$get newest first, ties by ip");
    says('GET', "$path?$$_[0]", undef, 200, $page->($$_[1], @all[@{ $$_[2] }]), "$get ?$$_[0]")
        for ['limit=2', 3, [0, 1]], ['limit=1&offset=1', 3, [1]], ['limit=0', 3, [0]], ['limit=-3', 3, [0]], ['limit=101', 3, [0 .. 2]], ['limit=99999999999999', 3, [0 .. 2]],
        ['limit=x&offset=x', 3, [0 .. 2]], ['offset=-1', 3, [0 .. 2]], ['offset=3', 3, []], ['limit=&offset=&ip=&q=', 3, [0 .. 2]], ['ip=0.113', 1, [0]], ['q=.100.2', 1, [1]],
        ['ip=0.113&q=.100.2', 1, [0]], ['ip=&q=.100.2', 1, [1]], ['ip=.', 2, [0, 1]], ['ip=.&limit=1&offset=1', 2, [1]], ['ip=%3A%3A1', 1, [2]], ['ip=%25', 0, []], ['ip=_', 0, []],
        ['ip=%5C', 0, []], ["ip='", 0, []], ['ip=/32', 0, []], ['ip=0:0:0:0:0:0:0:1', 0, []], ['ip=' . 'x' x 3000, 0, []];

    says('POST', $path, $$_[0], 400, qq({"error":"$$_[1]"}), "$post " . substr $$_[0], 0, 60)
        for ['{}', 'ip is required'], ['{"ip":null}', 'ip is required'], ['', 'ip is required'], ['{"ip":""}', 'Invalid ip'], ['{"ip":"x"}', 'Invalid ip'], ['{"ip":"1.2.3"}', 'Invalid ip'],
        ['{"ip":"1.2.3.4.5"}', 'Invalid ip'], ['{"ip":"1.2.3.256"}', 'Invalid ip'], ['{"ip":" 1.2.3.4"}', 'Invalid ip'], ['{"ip":"fe80::1%eth0"}', 'Invalid ip'], ['{"ip":16909060}', 'Invalid ip'],
        ['{"ip":["1.2.3.4"]}', 'Invalid ip'], ['{"ip":"1.2.3.4\u0000"}', 'Invalid ip'], ['{"ip":"10.0.0.0/8"}', 'Invalid ip'], ['{"ip":"0.0.0.0/0"}', 'Invalid ip'], ['{"ip":"2001:db8::/32"}', 'Invalid ip'],
        ['{"ip":"1.2.3.4/33"}', 'Invalid ip'], ['["1.2.3.4"]', 'Invalid request body'], ['{"ip":"1.2.3.4"', 'Invalid request body'];

    says('DELETE', "$path/%3A%3A1", undef, 200, qq({"$undone":true}), "$delete URL-encoded");
    says('DELETE', "$path/%3A%3A1", undef, 200, qq({"$undone":true}), "D-17 $delete what is not there");
    says('DELETE', "$path/10.0.0.0%2F8", undef, 200, qq({"$undone":true}), "$delete a network that is not there");
    says('DELETE', "$path/$_", undef, 400, '{"error":"Invalid ip"}', "$delete $_: no address") for qw(x 1.2.3 %3A%3A1%250 1.2.3.4%20);
    says('GET', $path, undef, 200, $page->(2, @all[0, 1]), "$delete the rest is there");
    says('DELETE', "$path/::ffff:203.0.113.9", undef, 200, qq({"$undone":true}), "D-17 $delete IPv4 in IPv6");
    says('DELETE', "$path/198.51.100.20", undef, 200, qq({"$undone":true}), "$delete IPv4");
    says('GET', $path, undef, 200, $page->(0), "$delete all are gone");

    is_error(ask($_, $path), 'dashboard', 405, 'Method not allowed', "$get 405 $_") for qw(PUT PATCH DELETE);
    is_error(ask($_, "$path/1.2.3.4"), 'dashboard', 405, 'Method not allowed', "$delete 405 $_") for qw(GET POST PATCH);
    is_error(request('GET', "/analytics/$path"), 'dashboard', 401, undef, "$get 401");
    # S1-A3
    says('POST', $path, '{"ip":"192.0.2.1"}', 201, qq({"$done":true}), "S1-A3 $post marketing", $key{marketing});
    dated('192.0.2.1', '2026-02-24 09:30:00Z');
    says('GET', $path, undef, 200, $page->(1, $entry->('192.0.2.1', '2026-02-24 09:30:00')), "S1-A3 $get marketing: nothing is masked", $key{marketing});
    says('DELETE', "$path/192.0.2.1", undef, 200, qq({"$undone":true}), "S1-A3 $delete marketing", $key{marketing});
    is_error(ask('GET', $path, undef, $key{$_}), 'dashboard', 403, 'Forbidden', "S1-A3 $get $_") for qw(capture sdk);
}

# S1-21 every field, and every field anew
says('POST', 'blocked-ips', '{"ip":"198.51.100.20","reason":"Spam","country":"US","referer":"https://example.com/page"}', 201, '{"blocked":true}', 'S1-21 every field');
dated('198.51.100.20', '2026-02-24 09:30:00Z');
my $full = '"ip":"198.51.100.20","blocked_at":"2026-02-24 09:30:00"';
says('GET', 'blocked-ips', undef, 200, qq({"blocked_ips":[{$full,"reason":"Spam","country":"US","referer":"https://example.com/page"}],"total":1}), 'S1-20 every field');
says('POST', 'blocked-ips', '{"ip":"198.51.100.20","country":"AT"}', 201, '{"blocked":true}', 'S1-21 once more');
dated('198.51.100.20', '2026-02-24 09:30:00Z');
says('GET', 'blocked-ips', undef, 200, qq({"blocked_ips":[{$full,"reason":null,"country":"AT","referer":null}],"total":1}), 'S1-21 what is omitted is null');
request('POST', '/analytics/blocked-ips', ["Authorization: Bearer $key{admin}", 'Referer: https://dashboard.example/'], '{"ip":"198.51.100.20","country":"AT"}');
dated('198.51.100.20', '2026-02-24 09:30:00Z');
says('GET', 'blocked-ips', undef, 200, qq({"blocked_ips":[{$full,"reason":null,"country":"AT","referer":null}],"total":1}), 'S1-21 the referer is the body\'s, not the request\'s');
says('POST', 'blocked-ips', sprintf('{"ip":"198.51.100.20","%s":"%s"}', $$_[0], 'x' x $$_[1]), 400, qq({"error":"Invalid $$_[0]"}), "S1-21 $$_[0] of $$_[1]")
    for ['reason', 1001], ['country', 101], ['referer', 2049];

# S1-24 every field, and every field anew
says('POST', 'whitelisted-ips', '{"ip":"203.0.113.10","note":"Internal office","usage":"test"}', 201, '{"whitelisted":true}', 'S1-24 every field');
dated('203.0.113.10', '2026-02-24 09:30:00Z');
$full = '"ip":"203.0.113.10","whitelisted_at":"2026-02-24 09:30:00"';
says('GET', 'whitelisted-ips', undef, 200, qq({"whitelisted_ips":[{$full,"note":"Internal office","usage":"test"}],"total":1}), 'S1-23 every field');
says('POST', 'whitelisted-ips', qq({"ip":"203.0.113.10","usage":$_}), 400, '{"error":"usage must be \"test\" or \"internal\""}', "S1-24 usage $_")
    for '"production"', '"Test"', '""', '1', 'true', '["test"]';
says('GET', 'whitelisted-ips', undef, 200, qq({"whitelisted_ips":[{$full,"note":"Internal office","usage":"test"}],"total":1}), 'S1-24 nothing was changed');
says('POST', 'whitelisted-ips', '{"ip":"203.0.113.10","usage":null}', 201, '{"whitelisted":true}', 'S1-24 once more');
dated('203.0.113.10', '2026-02-24 09:30:00Z');
says('GET', 'whitelisted-ips', undef, 200, qq({"whitelisted_ips":[{$full,"note":null,"usage":"internal"}],"total":1}), 'S1-24 omitted: null, and internal');

# Never both.
says('POST', 'blocked-ips', '{"ip":"::ffff:203.0.113.10"}', 400, qq({"error":"$conflict Remove it from the whitelist first."}), 'S1-21 a whitelisted one');
says('POST', 'whitelisted-ips', '{"ip":"198.51.100.20"}', 400, qq({"error":"$conflict Unblock it first."}), 'S1-24 a blocked one');
says('DELETE', 'blocked-ips/203.0.113.10', undef, 200, '{"unblocked":true}', 'S1-22 a whitelisted one is not blocked');
says('DELETE', 'whitelisted-ips/198.51.100.20', undef, 200, '{"removed":true}', 'S1-25 a blocked one is not whitelisted');
is(sql('SELECT string_agg(policy, \' \' ORDER BY ip) FROM leadanalytics.listed_ip WHERE workspace = $1', $id), 'blocked internal', 'and both are where they were');
my @status = map { answer($_)->{status} } map { start('POST', "/analytics/$_-ips", ["Authorization: Bearer $key{admin}"], '{"ip":"192.0.2.77"}') } ('blocked', 'whitelisted') x 8;
my ($blocked, $whitelisted) = map { my $n = $_; scalar grep { $status[2 * $_ + $n] == 201 } 0 .. 7 } 0, 1;
is(join(' ', sort { $a <=> $b } $blocked, $whitelisted), '0 8', 'at once: one list takes it, always the same');
is(scalar(grep { $_ == 400 } @status), 8, 'at once: the other refuses it');

# Another workspace's are not there.
my $foreign = key($other, 'admin');
says('GET', 'blocked-ips', undef, 200, '{"blocked_ips":[],"total":0}', 'another workspace has its own', $foreign);
says('DELETE', 'blocked-ips/198.51.100.20', undef, 200, '{"unblocked":true}', 'and takes off its own', $foreign);
says('POST', 'whitelisted-ips', '{"ip":"198.51.100.20"}', 201, '{"whitelisted":true}', 'and lists its own', $foreign);
is(sql('SELECT leadanalytics.is_ip_blocked($1, \'198.51.100.20\')', $id), 't', 'D-81 it is blocked here');
is(sql('SELECT leadanalytics.is_ip_whitelisted($1, \'198.51.100.20\')', $other), 't', 'D-81 and whitelisted there');
finish();
