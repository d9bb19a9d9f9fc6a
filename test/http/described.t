# Every route once, as /openapi.json describes it and with nothing but its examples; what comes is as the example's
# schema has it, and no more (D-80). Routes are not named here: a new one is called without a word.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use File::Basename 'dirname';
use JSON::PP ();
use Test::More;

my $dir = dirname(__FILE__);
system("cd '$dir' && npm ci --no-audit --no-fund --ignore-scripts >/dev/null 2>&1") unless -d "$dir/node_modules/ajv";
BAIL_OUT("the validator cannot be installed: npm ci in $dir") unless -d "$dir/node_modules/ajv";

my $id = workspace();
my $owner = sql('INSERT INTO leadanalytics.member (workspace, email, role) VALUES ($1, \'owner@example.com\', \'owner\') RETURNING id', $id);
my %key = map { $_ => key($id, $_) } qw(admin marketing capture sdk agent tenant live);
$key{$_} = key($id, 'member', member => $owner) for qw(member manager);

# Lists that are not empty, then and now, of whom the examples name.
my $events = join ',', map { my ($name, $at, $more, $page) = @$_; qq({"event_name":"$name","visitor_id":"v_abc123","session_id":"s_xxx","user_id":"u_def456","timestamp":"2026-03-16T14:$at.123Z",)
    . qq("event_data":{"url":"https://acme.com$page?utm_source=google&utm_medium=cpc&utm_campaign=spring_sale","title":"Pricing - Acme","referrer":"https://google.com","screen_width":1920,"screen_height":1080$more}}) }
    ['pageview', '00:12', '', '/'], ['pageview', '01:30', '', '/pricing'], ['$identify', '02:00', ',"email":"ann@example.com"', '/pricing'], ['signup', '03:45', ',"tags":["pricing_page"]', '/pricing'],
    ['purchase', '04:45', ',"value":99,"currency":"USD"', '/pricing'];
my $agent = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
sub track { sql('SELECT leadanalytics.track($1, $2, user_agent => $3, now => $4)', $id, qq({"events":[$_[0]]}), $agent, $_[1]) }
track($events, '2026-03-16T14:32:45Z');
(my $today = $events) =~ s/"timestamp":"[^"]*",//g;
track($today =~ s/s_xxx/s_now/gr, sql('SELECT now()'));
sql('SELECT leadanalytics.put_ads($1, $2)', $id, qq([{"date":"$_","platform":"meta","account_id":"a","level":"campaign","campaign_id":"1","campaign_name":"C","status":"ACTIVE","spend":5}])) for '2026-03-16', sql("SELECT to_char(now(), 'YYYY-MM-DD')");
for my $campaign (qw(cmp_abc123 cmp_def456)) # so many that there is a best time to send
{
    sql('SELECT leadanalytics.put_message_events($1, $2)', $id, '[' . join(',', map { qq({"message_id":"$campaign $_","event":"sent","campaign_id":"$campaign"}) } 1 .. 100) . ']');
}

sql('SELECT leadanalytics.set_crm($1)', $id);

# The lead of the examples, whoever else has drawn numbers.
sql('SELECT setval($1, greatest(42, last_value)) FROM leadanalytics.lead_id', 'leadanalytics.lead_id');
sql('INSERT INTO leadanalytics.lead (workspace, id, enquiry_at, name, visitor_id) VALUES ($1, 42, now(), $2, $3)', $id, 'Rahul Sharma', 'v_abc123');
sql('INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, score, suspicion, payload) VALUES ($1, 42, now(), true, false, 0, 0, $2)', $id, '{"FIRSTNAME":"Rahul Sharma"}');

# The report and schedule of the examples.
sql('INSERT INTO leadanalytics.report (workspace, key, name, report, as_role, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, now(), now())', $id, 'rep_abc123', 'Weekly funnel', 'funnel', 'live');
sql("INSERT INTO leadanalytics.report_schedule (workspace, key, report, frequency, at_time, timezone, next_due, created_at) VALUES (\$1, \$2, \$3, 'daily', '08:00', 'UTC', now() + interval '1 day', now())", $id, 'sch_abc123', 'rep_abc123');

local $ENV{LA_ROUTES} = JSON::PP->new->encode({ url => $ENV{LA_URL}, workspace => slug(), keys => \%key });
my %called;
for (split /\n/, `node '$dir/described.mjs' 2>&1`)
{
    my ($good, $what, $status, $said) = /^(ok|not ok) (\S+ \S+) (\S+) ?(.*)$/ or do { fail($_); next };
    $called{$what} = $status;
    ok($good eq 'ok', "$what: $status") or diag $said;
}
my @rows = sort split /\n/, sql("SELECT method || ' ' || leadanalytics.openapi_path(path) FROM leadanalytics.route");
is_deeply([sort grep { !/^control/ } keys %called], \@rows, 'every route was called');
my @well = grep { $called{$_} =~ /^2/ } keys %called;
cmp_ok(scalar @well, '>', 0.7 * @rows, 'most of them did what they are for') or diag explain \%called;
is($called{"control $_"}, 'refused', "control: $_ is seen") for qw(missing more type);
finish();
