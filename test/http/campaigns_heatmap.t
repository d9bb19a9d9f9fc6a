# Mail by weekday and part of the day it was sent, over the wire (S4-04; D-01, D-02, D-43).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $slug = slug();
my %key = map { $_ => key($id, $_) } qw(tenant admin sdk agent marketing live capture);
my $path = "/api/v1/workspaces/$slug/analytics/engagement-heatmap";
sql("UPDATE leadanalytics.workspace SET timezone = 'America/New_York' WHERE id = $id");

sub ask { my ($query, $role, $at) = @_; return request('GET', ($at // $path) . ($query ? "?$query" : ''), [ 'Authorization: Bearer ' . $key{ $role // 'tenant' } ]) }
sub fails
{
    my ($query, $status, $code, $text, $name) = @_;
    my $r = ask($query);
    is("$r->{status} $r->{body}", qq($status {"success":false,"error":{"code":"$code","message":"$text"}}), "S4-04 $name") or diag $r->{raw};
}
sub cells { my ($r) = @_; return map { ("$_->{day_of_week} $_->{time_period}" => $_) } @{ json($r)->{data}{heatmap} } }
sub total { my ($r) = @_; my $n = 0; $n += $_->{emails_sent} for @{ json($r)->{data}{heatmap} }; return $n }

# Nothing yet: all of the map, and no best time.
my @days = qw(Monday Tuesday Wednesday Thursday Friday Saturday Sunday);
my @periods = qw(nighttime early_morning office_hours evening);
my $nothing = join ',', map { my $day = $_; map { qq({"day_of_week":"$day","time_period":"$_","emails_sent":0,"emails_opened":0,"open_rate":0,"engagement_score":0}) } @periods } @days;
my $r = ask('');
is("$r->{status} $r->{body}", qq(200 {"success":true,"data":{"workspace_id":"$slug","timezone":"America/New_York","optimal_send_time":null,"heatmap":[$nothing]}}), 'S4-04 nothing, Monday first') or diag $r->{raw};

# In the week before last: 110 on its Tuesday at 14:00 UTC, 9:00 or 10:00 in New York; 40 on the same day at 20:45; 60 days earlier 7.
my $tuesday = "date_trunc('week', now() AT TIME ZONE 'UTC') - interval '13 days'";
sub put
{
    my ($campaign, $at, %n) = @_;
    my $many = join ' UNION ALL ', map { "SELECT '$_' AS event, i, @{[$_ eq 'sent' ? 0 : 1]} AS hours FROM generate_series(1, $n{$_}) AS i" } sort keys %n;
    sql("SELECT leadanalytics.put_message_events($id, json_agg(json_build_object('message_id', '$campaign' || ($at) || i, 'event', event, 'campaign_id', '$campaign',
            'timestamp', to_char($at + hours * interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))) FROM ($many) AS e");
}
put('one', "$tuesday + interval '14 hours'", sent => 110, opened => 33, clicked => 22, replied => 11);
put('two', "$tuesday + interval '20 hours 45 minutes'", sent => 40, opened => 40);
put('old', "$tuesday - interval '56 days' + interval '14 hours'", sent => 7);
my $hour = sql("SELECT extract(hour FROM ($tuesday + interval '20 hours 45 minutes') AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York')::int"); # 15, or 16 in summer

$r = ask('');
is($r->{status}, 200, 'S4-04 200');
is(scalar @{ json($r)->{data}{heatmap} }, 28, 'S4-04 28 cells');
like($r->{body}, qr/\{"workspace_id":"$slug","timezone":"America\/New_York","optimal_send_time":\{"day_of_week":"Tuesday","hour":$hour,"engagement_score":22\.67\},"heatmap":/, 'S4-04 the best time, its best hour');
is(json($r)->{data}{optimal_send_time}{day_of_week}, 'Tuesday', 'S4-04 the best day');
like($r->{body}, qr/\{"day_of_week":"Tuesday","time_period":"office_hours","emails_sent":150,"emails_opened":73,"open_rate":48\.67,"engagement_score":22\.67\}/, 'D-43 by the formula, of those sent') or diag $r->{body};
like(header($r, 'X-Data-As-Of') // '', qr/^2\d\d\d-\d\d-\d\dT/, 'D-46 X-Data-As-Of');
is(header($r, 'Content-Type'), 'application/json', 'S4-04 JSON');
my $counted = sql('SELECT leadanalytics.create_key($1, $2, per_minute => 1000)', $id, 'tenant');
ok(defined header(request('GET', $path, [ "Authorization: Bearer $counted" ]), $_), "S4-04 $_") for qw(X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset);
is(sql("SELECT requests || ' a ' || per FROM leadanalytics.rate_class WHERE name = (SELECT rate_class FROM leadanalytics.route WHERE function = 'leadanalytics.heatmap')"), '60 a workspace', 'D-75 60 a minute');
is(ask('', 'admin')->{body}, $r->{body}, 'S4-04 an admin key');

# Parameters.
is(ask("timeRange=30d&timezone=America/New_York")->{body}, $r->{body}, 'S4-04 what is default may be said');
is(ask('timeRange=&campaignId=&timezone=')->{body}, $r->{body}, 'S4-04 empty is not said');
is(total(ask('timeRange=90d')), 157, 'S4-04 90d');
is(total(ask("campaignId=$_->[0]")), $_->[1], "S4-04 campaignId=$_->[0]") for [ 'one', 110 ], [ 'two', 40 ], [ 'old', 0 ];
is(total(ask('campaignId=old&timeRange=90d')), 7, 'S4-04 both');
is(json(ask('campaignId=two'))->{data}{optimal_send_time}, undef, 'D-43 40 are not enough');
sub zoned { my ($zone) = @_; my $r = ask("campaignId=two&timezone=$zone"); my %c = cells($r); return join ' ', json($r)->{data}{timezone}, grep { $c{$_}{emails_sent} } sort keys %c }
is(zoned('Asia/Kathmandu'), 'Asia/Kathmandu Wednesday nighttime', 'D-01 a zone 5:45 ahead: the next day');
is(zoned('asia%2Fkathmandu'), 'Asia/Kathmandu Wednesday nighttime', 'D-01 in whatever case');
is(zoned('UTC'), 'UTC Tuesday evening', 'D-01 UTC');
is(zoned('Pacific/Kiritimati'), 'Pacific/Kiritimati Wednesday office_hours', 'D-01 14 hours ahead');
sql("UPDATE leadanalytics.workspace SET timezone = 'UTC' WHERE id = $id");
is(json(ask(''))->{data}{timezone}, 'UTC', 'D-01 by default the workspace\'s');
is(json(ask(''))->{data}{optimal_send_time}{hour}, 14, 'S4-04 the best hour of its cell');

fails("timezone=$_", 400, 'VALIDATION_ERROR', 'Invalid timezone', "timezone=$_") for 'Mars/Olympus', 'EST5EDT4', '%2B05:45', '../etc/passwd', 'a' x 300;
fails('campaignId=nope', 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID nope not found in workspace $slug", 'an unknown campaign');
fails('campaignId=nope&timezone=nope', 400, 'VALIDATION_ERROR', 'Invalid timezone', 'D-66 parameters before campaigns');
is(json(ask("timeRange=$_"))->{error}{code}, 'VALIDATION_ERROR', "S4-04 timeRange=$_") for qw(7d custom 30D 1);
is(ask("timeRange=$_")->{status}, 400, "S4-04 timeRange=$_") for qw(7d custom 30D 1);
is_error(ask('campaignId=%00'), 'campaigns', 400, undef, 'S4-04 a zero byte');

# Who may.
is_error(ask('', $_), 'campaigns', 403, undef, "S4-04 a key of role $_") for qw(sdk agent marketing live capture);
is_error(request('GET', $path), 'campaigns', 401, undef, 'S4-04 no key');
workspace('other');
is_error(ask('', 'tenant', '/api/v1/workspaces/' . slug('other') . '/analytics/engagement-heatmap'), 'campaigns', 404, 'Workspace not found', 'S4-04 another workspace');
is(request('POST', $path, [ "Authorization: Bearer $key{tenant}" ], '{}')->{status}, 405, 'S4-04 no POST');
finish();
