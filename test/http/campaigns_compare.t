# Campaigns side by side, over the wire (S4-05; D-44).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my $slug = slug();
my %key = map { $_ => key($id, $_) } qw(tenant admin sdk agent marketing live capture);
my $path = "/api/v1/workspaces/$slug/analytics/compare";
my $encoder = JSON::PP->new->canonical->allow_nonref;

sub post { my ($body, $role, $at) = @_; return request('POST', $at // $path, ['Authorization: Bearer ' . $key{ $role // 'tenant' }, 'Content-Type: application/json'], ref $body ? $encoder->encode($body) : $body) }
sub fails
{
    my ($body, $status, $code, $text, $name) = @_;
    my $r = post($body);
    is("$r->{status} $r->{body}", qq($status {"success":false,"error":{"code":"$code","message":"$text"}}), "S4-05 $name") or diag $r->{raw};
}

# The document's first two campaigns and two whose rates are close; a thousand messages each, sent two days ago.
my %sent = (cmp_abc123 => [ 1000, 15, 350, 61, 31 ], cmp_def456 => [ 1000, 22, 277, 47, 22 ], cmp_few => [ 50, 0, 50, 0, 0 ], cmp_old => [ 10, 0, 10, 0, 0 ]);
for my $campaign (sort keys %sent)
{
    my ($sent, $bounced, @did) = @{ $sent{$campaign} };
    my $at = $campaign eq 'cmp_old' ? "now() - interval '60 days'" : "now() - interval '2 days'";
    my $many = join ' UNION ALL ', map { "SELECT '$_->[0]' AS event, i, $_->[2] AS hours FROM generate_series($_->[3], $_->[3] + $_->[1] - 1) AS i" }
        [ 'sent', $sent, 0, 1 ], [ 'bounced', $bounced, 1, 1 ], [ 'opened', $did[0], 2, 101 ], [ 'clicked', $did[1], 3, 101 ], [ 'replied', $did[2], 4, 101 ];
    sql("SELECT leadanalytics.put_message_events($id, j) FROM (
             SELECT json_agg(json_build_object('message_id', '$campaign-' || i, 'event', event, 'campaign_id', '$campaign',
                                               'timestamp', to_char(($at + hours * interval '1 hour') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))) AS j
             FROM (SELECT *, row_number() OVER () AS n FROM ($many) AS e) AS e GROUP BY n / 1000) AS b");
}
sql("UPDATE leadanalytics.campaign SET name = 'Q4 Outreach' WHERE workspace = $id AND key = 'cmp_abc123'");

my $abc = '{"campaign_id":"cmp_abc123","campaign_name":"Q4 Outreach","metrics":{"open_rate":35.53,"click_rate":6.19,"reply_rate":3.15,"delivery_rate":98.50}}';
my $def = '{"campaign_id":"cmp_def456","campaign_name":"cmp_def456","metrics":{"open_rate":28.32,"click_rate":4.81,"reply_rate":2.25,"delivery_rate":97.80}}';
my $tests = join ',', map { sprintf '{"metric":"%s","winner":%s,"p_value":%s,"is_significant":%s}', @$_ }
    [ 'open_rate', '"cmp_abc123"', '0.0006', 'true' ], [ 'click_rate', 'null', '0.1778', 'false' ], [ 'reply_rate', 'null', '0.2198', 'false' ], [ 'delivery_rate', 'null', '0.2454', 'false' ];
my $r = post({ campaign_ids => [qw(cmp_abc123 cmp_def456)], time_range => '30d', metrics => [qw(open_rate click_rate reply_rate delivery_rate)] });
is("$r->{status} $r->{body}", qq(200 {"success":true,"data":{"comparison":[$abc,$def],"statistical_significance":[$tests]}}), 'S4-05 the document\'s request') or diag $r->{raw};
is(header($r, 'Content-Type'), 'application/json', 'S4-05 JSON');
like(header($r, 'X-Data-As-Of') // '', qr/^2\d\d\d-\d\d-\d\dT/, 'D-46 X-Data-As-Of');
my $counted = sql('SELECT leadanalytics.create_key($1, $2, per_minute => 1000)', $id, 'tenant');
my $limited = request('POST', $path, [ "Authorization: Bearer $counted" ], '{"campaign_ids":["cmp_abc123","cmp_def456"]}');
ok(defined header($limited, $_), "S4-05 $_") for qw(X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset);
is(sql("SELECT requests || ' a ' || per FROM leadanalytics.rate_class WHERE name = (SELECT rate_class FROM leadanalytics.route WHERE function = 'leadanalytics.compare_campaigns')"), '60 a workspace', 'D-75 60 a minute');

# Defaults, and both orders as asked.
is(post({ campaign_ids => [qw(cmp_abc123 cmp_def456)] })->{body}, $r->{body}, 'S4-05 by default 30 days and the four rates');
is(post('{"campaign_ids":["cmp_abc123","cmp_def456"],"time_range":null,"metrics":null}')->{body}, $r->{body}, 'S4-05 null is none');
is(post({ campaign_ids => [qw(cmp_abc123 cmp_def456)] }, 'admin')->{body}, $r->{body}, 'S4-05 an admin key');
is_deeply([ map { $_->{campaign_id} } @{ json(post({ campaign_ids => [qw(cmp_few cmp_def456 cmp_abc123)] }))->{data}{comparison} } ], [qw(cmp_few cmp_def456 cmp_abc123)], 'S4-05 campaigns in the order asked');
my @all = qw(unsubscribe_rate spam_rate delivery_rate bounce_rate open_rate click_to_open_rate click_rate reply_rate);
my $all = post({ campaign_ids => [qw(cmp_abc123 cmp_def456)], metrics => \@all });
is_deeply([ map { $_->{metric} } @{ json($all)->{data}{statistical_significance} } ], \@all, 'S4-05 all eight, a test each, in the order asked');
is(join(',', $all->{body} =~ /"(\w+_rate)":/g), join(',', @all, @all), 'S4-05 and their values');
my %test = map { $_->{metric} => $_ } @{ json($all)->{data}{statistical_significance} };
is($test{spam_rate}{p_value}, 1, 'D-44 nothing of anything: p is 1');
is($test{bounce_rate}{p_value}, 0.2454, 'D-44 bounces, of those sent');

# Who is best is not always whom one believes.
my $few = json(post({ campaign_ids => [qw(cmp_few cmp_abc123)], metrics => ['open_rate'] }))->{data}{statistical_significance}[0];
is($encoder->encode($few), '{"is_significant":false,"metric":"open_rate","p_value":0,"winner":null}', 'D-44 fewer than 100 are not enough');
my $empty = json(post({ campaign_ids => [qw(cmp_old cmp_abc123)], metrics => ['bounce_rate'] }))->{data};
is($empty->{comparison}[0]{metrics}{bounce_rate}, 0, 'D-07 none sent: 0');
is($encoder->encode($empty->{statistical_significance}[0]), '{"is_significant":false,"metric":"bounce_rate","p_value":1,"winner":null}', 'D-44 and p is 1');

# Ranges.
sub opened { return json(post({ campaign_ids => [qw(cmp_old cmp_abc123)], time_range => $_[0], metrics => ['open_rate'] }))->{data}{comparison}[$_[1]]{metrics}{open_rate} }
sub day { return sql("SELECT (now() AT TIME ZONE 'UTC')::date - $_[0]") }
is(opened('7d', 0), 0, 'S4-05 7d: not two months ago');
is(opened('30d', 0), 0, 'S4-05 30d: neither');
is(opened('90d', 0), 100, 'S4-05 90d');
is(opened('7d', 1), 35.53, 'S4-05 7d: two days ago');
is(opened({ start => day(63), end => day(57) }, 0), 100, 'S4-05 start and end, dates');
is(opened({ start => day(63), end => day(57) }, 1), 0, 'S4-05 and nothing else');
is(opened({ start => day(3) . 'T00:00:00Z', end => day(0) . 'T23:59:59Z' }, 1), 35.53, 'S4-05 start and end, times');

# What is refused.
my @two = qw(cmp_abc123 cmp_def456);
my $ids = 'campaign_ids must be 2 to 5 different campaigns';
fails($_->[0], 400, 'VALIDATION_ERROR', $ids, "campaign_ids: $_->[1]")
    for [ {}, 'none' ], [ { campaign_ids => undef }, 'null' ], [ { campaign_ids => [] }, 'empty' ], [ { campaign_ids => ['cmp_abc123'] }, 'one' ], [ { campaign_ids => [qw(a b c d e f)] }, 'six' ],
    [ { campaign_ids => [qw(cmp_abc123 cmp_abc123)] }, 'the same' ], [ { campaign_ids => 'cmp_abc123' }, 'a text' ], [ { campaign_ids => [ 1, 2 ] }, 'numbers' ], [ { campaign_ids => [ 'cmp_abc123', undef ] }, 'a null' ];
fails({ campaign_ids => [ 'cmp_abc123', 'nope' ] }, 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID nope not found in workspace $slug", 'an unknown campaign');
fails({ campaign_ids => [ 'cmp_abc123', '' ] }, 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID  not found in workspace $slug", 'an empty one');
my $theirs = workspace('other');
sql("SELECT leadanalytics.put_message_events($theirs, '{\"message_id\": \"m\", \"event\": \"sent\", \"campaign_id\": \"theirs\"}')");
fails({ campaign_ids => [ 'cmp_abc123', 'theirs' ] }, 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID theirs not found in workspace $slug", 'another workspace\'s');
my $ranges = 'time_range must be one of 7d, 30d, 90d or an object with start and end';
fails({ campaign_ids => \@two, time_range => $_ }, 400, 'VALIDATION_ERROR', $ranges, 'time_range ' . $encoder->encode($_)) for '1d', '', 'custom', 30, ['30d'], JSON::PP::true;
fails({ campaign_ids => \@two, time_range => $_->[0] }, 400, 'VALIDATION_ERROR', $_->[1], "time_range: $_->[1]")
    for [ {}, 'time_range.start is required' ], [ { start => '2026-01-01' }, 'time_range.end is required' ], [ { start => 'soon', end => '2026-01-01' }, 'Invalid time_range.start' ], [ { start => '2026-01-01', end => '2026-02-30' }, 'Invalid time_range.end' ];
fails({ campaign_ids => \@two, time_range => { start => '2026-01-02', end => '2026-01-01' } }, 400, 'INVALID_TIME_RANGE', 'Start date must be before end date', 'an end before the start');
fails({ campaign_ids => \@two, metrics => $_ }, 400, 'VALIDATION_ERROR',
    'metrics must be different ones of delivery_rate, open_rate, click_rate, click_to_open_rate, reply_rate, bounce_rate, spam_rate, unsubscribe_rate', 'metrics ' . $encoder->encode($_))
    for [], ['opens'], ['open_rate', 'open_rate'], 'open_rate', [1], {};
fails({ campaign_ids => [ 'nope', 'none' ], time_range => '1d' }, 400, 'VALIDATION_ERROR', $ranges, 'D-66 parameters before campaigns');
is_error(post($_->[0]), 'campaigns', 400, undef, "S4-05 $_->[1]") for [ '{', 'no JSON' ], [ '[]', 'an array' ], [ '"x"', 'a text' ];
is(post(q({"campaign_ids":["cmp_abc123","a\u0000b"]}))->{status}, 404, 'S4-05 a zero byte is in no key');

# Who may.
is_error(post({ campaign_ids => \@two }, $_), 'campaigns', 403, undef, "S4-05 a key of role $_") for qw(sdk agent marketing live capture);
is_error(request('POST', $path, [], '{}'), 'campaigns', 401, undef, 'S4-05 no key');
is_error(post({ campaign_ids => \@two }, 'tenant', '/api/v1/workspaces/' . slug('other') . '/analytics/compare'), 'campaigns', 404, 'Workspace not found', 'S4-05 another workspace');
is(request('GET', $path, [ "Authorization: Bearer $key{tenant}" ])->{status}, 405, 'S4-05 no GET');
finish();
