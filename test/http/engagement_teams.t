# Teams: their door, how they do (S2-17, S2-07).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing sdk tenant capture);
sub ask { my ($path, $role) = @_; return request('GET', "/v1/$path", ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub put { my ($team, $body, $role) = @_; return request('PUT', "/v1/teams/$team", ['X-API-Key: ' . $key{ $role // 'live' }, 'Content-Type: application/json'], $body) }
sub of { my ($r) = @_; return $r->{status} == 200 && $r->{body} =~ /"data":(.*),"meta":/s ? $1 : "$r->{status} $r->{body}" }
sub lead { my ($lead, $at, $owner, $team) = @_; sql('SELECT leadanalytics.put_engagement_lead($1, $2, created_at => $3, owner_id => $4, team_id => $5, now => $3)', $id, $lead, $at, $owner, $team) }
sub status { my ($lead, $at, $status) = @_; sql('SELECT leadanalytics.patch_engagement_lead($1, $2, status => $4, now => $3)', $id, $lead, $at, $status) }
my $range = 'from=2026-02-01&to=2026-02-28';

is(of(ask('teams/leaderboard')), '[]', 'S2-07 no team');
is(of(ask('analytics/team-performance')), '[]', 'S2-17 no lead');
my $r = put('t1', '{"name":"Sales","members":["u2","u1","u2"]}');
is_success($r, 'engagement', 200, 'S2-07 PUT: the envelope');
is(json($r)->{message}, 'Team saved', 'S2-07 PUT: its message');
is(of($r), '{"id":"t1","name":"Sales","members":["u1","u2"]}', 'S2-07 PUT: each member once');
is(of(put('t1', '{"name":"Sales North","members":["u3"]}')), '{"id":"t1","name":"Sales North","members":["u3"]}', 'S2-07 PUT writes all of it anew');
is(of(put('t%2F2', '{"name":"Idle"}')), '{"id":"t/2","name":"Idle","members":[]}', 'S2-07 PUT without members, and an id with a slash');
is(put('leaderboard', '{"name":"Board"}')->{status}, 405, 'D-66 what a route is called no team is: the path is found first');

lead('a', '2026-02-02T10:00:00Z', 'u1', 't1');
status('a', '2026-02-02T10:30:00Z', 'contacted');
status('a', '2026-02-04T10:30:00Z', 'converted');
lead('b', '2026-02-03T10:00:00Z', 'u1', 't1');
lead('c', '2026-02-03T10:00:00Z', undef, 't1');
lead('d', '2026-02-03T10:00:00Z', 'u9', undef);
status('d', '2026-02-03T10:00:10Z', 'lost');
my $t1 = '{"teamId":"t1","name":"Sales North","members":["u3"],"assigned":3,"contacted":1,"converted":1,"conversionRate":33.33,"avgFirstResponseSeconds":1800}';
my $whole = '[{"userId":"u1","teamId":"t1","assigned":2,"contacted":1,"converted":1,"conversionRate":50.00,"avgFirstResponseSeconds":1800},'
    . '{"userId":"u9","teamId":null,"assigned":1,"contacted":1,"converted":0,"conversionRate":0.00,"avgFirstResponseSeconds":10},'
    . '{"userId":null,"teamId":"t1","assigned":1,"contacted":0,"converted":0,"conversionRate":0.00,"avgFirstResponseSeconds":null}]';
is(of(ask("analytics/team-performance?$range")), $whole, 'S2-17 the whole body');
is(of(ask("analytics/team-performance?$range", 'admin')), $whole, 'S2-17 an admin key');
is(of(ask("analytics/team-performance?$range", 'sandbox')), '[]', 'S2-04 a sandbox key, whose data are others');
is(scalar @{ json(ask("analytics/team-performance?$range&teamId=t1"))->{data} }, 2, 'S2-17 of one team');
is(of(ask("analytics/team-performance?$range&teamId=t9")), '[]', 'S2-17 of a team that is not there');
is(scalar @{ json(ask('analytics/team-performance?from=2026-02-03&to=2026-02-03'))->{data} }, 3, 'S2-17 a day');
is(of(ask('analytics/team-performance?from=2026-02-03T10:00:00.001Z&to=2026-02-28')), '[]', 'D-03 to the millisecond');
is(json(ask("analytics/team-performance?$range"))->{message}, 'Team performance retrieved', 'S2-02 its message');
is(of(ask("teams/t1/stats?$range")), $t1, 'S2-07 stats');
is(of(ask('teams/t1/stats?from=2026-02-20&to=2026-02-20')), '{"teamId":"t1","name":"Sales North","members":["u3"],"assigned":0,"contacted":0,"converted":0,"conversionRate":0,"avgFirstResponseSeconds":null}', 'S2-07 stats of a day without leads');
is(json(ask("teams/t%2F2/stats?$range"))->{data}{name}, 'Idle', 'D-66 %2F is of the id');
is_error(ask("teams/t9/stats?$range"), 'engagement', 404, 'Team not found', 'S2-07 no such team');
is_error(ask("teams/t1/stats?$range", 'sandbox'), 'engagement', 404, 'Team not found', 'S2-04 nor for a sandbox key');
is(join(' ', map { "$_->{teamId}:$_->{converted}" } @{ json(ask("teams/leaderboard?$range"))->{data} }), 't1:1 t/2:0', 'S2-07 leaderboard: a literal wins (D-66), most converted first');
like(of(ask("teams/leaderboard?$range")), qr/^\[\Q$t1\E,/, 'S2-07 leaderboard: the stats of each');

# Who may, and what is wrong.
for my $path ('analytics/team-performance', 'teams/leaderboard', 'teams/t1/stats')
{
    is_error(ask($path, $_), 'engagement', 403, undef, "S2-07 $path with a key of role $_") for qw(marketing sdk tenant capture);
    is_error(request('GET', "/v1/$path"), 'engagement', 401, undef, "S2-07 $path without a key");
    for (['from=soon', 'from'], ['to=2026-02-30', 'to'], ['from=2026-03-01&to=2026-02-01', 'from'])
    {
        my $r = ask("$path?$_->[0]");
        is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $path?$_->[0]");
        is(json($r)->{errors}[0]{field}, $_->[1], "S2-02 $path?$_->[0]: which field");
    }
}
is_error(put('t3', '{"name":"x"}', $_), 'engagement', 403, undef, "S2-07 PUT with a key of role $_") for qw(marketing sdk tenant capture);
for (['{}', 'name'], ['{"name":""}', 'name'], ['{"name":"' . 'x' x 201 . '"}', 'name'], ['{"name":"x","members":{}}', 'members'], ['{"name":"x","members":[1]}', 'members'], ['{"name":"x","members":["' . 'x' x 129 . '"]}', 'members'],
    ['{"name":"x","members":[' . join(',', map { qq("u$_") } 1 .. 1001) . ']}', 'members'])
{
    my $r = put('t3', $_->[0]);
    is_error($r, 'engagement', 422, 'Validation failed', 'S2-02 PUT ' . substr $_->[0], 0, 40);
    is(json($r)->{errors}[0]{field}, $_->[1], 'S2-02 which field') or diag $r->{body};
}
is_error(put('x' x 129, '{"name":"x"}'), 'engagement', 422, 'Validation failed', 'S2-04 an id is of 128 characters at most');
is_error(ask("teams/t3/stats"), 'engagement', 404, 'Team not found', 'S2-07 nothing of them was made');
finish();
