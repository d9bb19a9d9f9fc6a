# Saved reports (S2-20) and their schedules (S2-21): made, changed, run, and their files, whose numbers are the
# interface's. What runs when, and what each question becomes as a page, is in sql/schedule.sql and sql/schedule_due.sql.
use strict;
use warnings;
use utf8;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;
use Time::HiRes 'sleep';

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => 'X-API-Key: ' . key($id, $_) } qw(live admin sdk tenant marketing);
my $foreign = 'X-API-Key: ' . key($other, 'live');
my $json = JSON::PP->new->canonical->allow_nonref;

sub ask { my ($method, $path, $body, $auth, @more) = @_; return request($method, "/v1/reports$path", [$auth // $key{live}, @more], defined $body ? ref $body ? $json->encode($body) : $body : undef) }
sub data { return json($_[0])->{data} }
sub faults { return join '; ', map { "$_->{field}: $_->{message}" } @{ json($_[0])->{errors} // [] } }
sub answer { return json(request('GET', $_[0], [$_[1] // $key{live}])) }
sub finished { my ($export) = @_; my $r; for (1 .. 400) { $r = request('GET', "/v1/analytics/exports/$export", [$key{live}]); last if data($r)->{status} ne 'processing'; sleep 0.1 } return $r }
sub file { my ($report, $format, $auth) = @_; my $made = data(finished(data(ask('POST', "/$report/run", { format => $format }, $auth))->{id})); return request('GET', ($made->{url} // '/nothing') =~ s{^https?://[^/]+}{}r) }
sub csv
{
    my ($text, @lines, @line) = @_;
    while ($text =~ /\G(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gc)
    {
        my ($quoted, $plain, $end) = ($1, $2, $3);
        push @line, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
        next if $end eq ',';
        push @lines, [@line];
        @line = ();
    }
    BAIL_OUT('no CSV: ' . substr $text, pos $text // 0) if ($text !~ /\G\z/gc);
    return @lines;
}
sub leaves
{
    my ($value, $name, $into) = @_;
    if (ref $value eq 'HASH') { leaves($value->{$_}, length $name ? "$name.$_" : $_, $into) for keys %$value }
    elsif (ref $value eq 'ARRAY') { leaves($value->[$_], length $name ? "$name.$_" : $_, $into) for 0 .. $#$value }
    else { $into->{ length $name ? $name : 'value' } = defined $value ? "$value" : '' }
    return $into;
}
# A cell is the value: 100.00 is 100, and what a spreadsheet would reckon has an apostrophe before it.
sub same { my ($cell, $value) = @_; return $value =~ /^[=+\-@\t\r\n]/ && $value !~ /^-?[0-9.]+$/ ? $cell eq "'$value" : $cell eq $value || ($value =~ /^-?[0-9.]+$/ && $cell =~ /^-?[0-9.]+$/ && $cell == $value) }
sub is_csv_of
{
    my ($text, $rows, $name) = @_;
    my ($head, @lines) = csv($text);
    my @wrong = @lines == @$rows ? () : (@lines . ' lines for ' . @$rows . ' rows');
    for my $n (0 .. $#$rows)
    {
        my %want = %{ leaves($rows->[$n], '', {}) };
        for my $column (0 .. $#$head)
        {
            my $value = delete $want{ $head->[$column] } // '';
            push @wrong, "row $n, $head->[$column]: '$lines[$n][$column]' for '$value'" unless same($lines[$n][$column] // 'none', $value);
        }
        push @wrong, "row $n: no column $_" for sort keys %want;
    }
    ok(!@wrong && @$rows, "$name: each value of the answer, in its column") or diag join "\n", @wrong[0 .. ($#wrong > 4 ? 4 : $#wrong)];
}

# Something to report on.
for my $n (1 .. 7)
{
    request('PUT', "/v1/leads/lead-$n", [$key{live}], sprintf('{"name":"%s %d","status":"%s","ownerId":"u%d","teamId":"t1","source":"%s","createdAt":"2026-02-0%dT10:00:00Z"}', ('<b>=Ann</b>', '=1+1', 'Two\nlines, \"one\" cell')[$n % 3], $n,
        ('new', 'contacted', 'qualified')[$n % 3], $n % 3, ('=web', 'mail')[$n % 2], $n));
}
sql('SELECT leadanalytics.add_engagement($1, $2, $3, $4, $5, $6)', $id, @$_) for ['email_sent', 'lead-1', 'msg-1', 'exec-1', '2026-02-01T10:00:00Z'], ['email_open', 'lead-1', 'msg-1', 'exec-1', '2026-02-01T11:00:00Z'],
    ['link_click', 'lead-1', 'msg-1', 'exec-1', '2026-02-02T09:00:00Z'], ['email_sent', 'lead-2', '=cmd', 'exec-2', '2026-02-02T10:00:00Z'];

# What there is.
my $r = ask('GET', '/types');
is_success($r, 'engagement', 200, 'S2-20 types');
my %type = map { $_->{name} => $_ } @{ data($r) };
is_deeply([sort keys %{ $type{funnel} }], [qw(name parameters path periods summary)], 'S2-20 types: a type');
is_deeply([map { $_->{name} } @{ $type{funnel}{parameters} }], [qw(from to steps windowDays)], 'S2-20 types: its parameters');
is($type{lead_engagement}{path}, '/v1/analytics/leads/{leadId}/engagement', 'S2-20 types: a path as OpenAPI has it');
ok((!grep { $_->{path} !~ m{^/v1/} } values %type) && @{ $type{kpis}{periods} } == 9, 'S2-20 types: a live key may ask what its family answers');
my %all = map { $_->{name} => 1 } @{ data(ask('GET', '/types', undef, $key{admin})) };
ok((!grep { !$all{$_} } keys %type, qw(sources site_overview campaign activity)), 'S2-20 types: an admin key, everything');

# POST.
my $funnel = { name => 'Weekly funnel', report => '/v1/analytics/funnel', parameters => { steps => 'new,contacted', windowDays => 14 }, period => 'last_week' };
$r = ask('POST', '', $funnel);
is_success($r, 'engagement', 201, 'S2-20 POST');
like($r->{body}, qr/^\{"success":true,"status":201,"message":"Report saved","data":\{"id":"rep_[0-9a-f]{24}","name":"Weekly funnel","report":"\/v1\/analytics\/funnel","parameters":\{"steps":"new,contacted","windowDays":14\},"period":"last_week","rows":null,"format":"csv","createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","updatedAt":"[^"]+"\},"meta":/, 'S2-20 POST: the body, D-80');
my $report = data($r)->{id};
is_success(ask('POST', '', { name => 'By short name', report => 'kpis', format => 'html', parameters => undef }), 'engagement', 201, 'S2-20 POST by short name; null is absent');
is_success(ask('POST', '', { name => 'A lead', report => '/v1/leads/{leadId}/timeline', parameters => { leadId => 'lead-1', limit => 5 } }), 'engagement', 201, 'S2-20 POST: a parameter of the path');
my @once = map { data(ask('POST', '', $funnel, undef, 'Idempotency-Key: once'))->{id} } 1, 2;
is($once[0], $once[1], 'S2-20 S2-03 POST with an Idempotency-Key makes one');
ask('DELETE', "/$once[0]");
for my $case (
    ['{}', 'name: name is required; report: report is required'],
    [{ %$funnel, name => '', format => 'xls', period => 'some', rows => '' }, 'name: name is required; format: Must be one of: csv, json, html; rows: Must be a text of 1 to 200 characters; '
        . 'period: Must be one of: today, yesterday, last_7_days, last_30_days, last_90_days, this_week, last_week, this_month, last_month'],
    [{ %$funnel, name => "a\nb" }, 'name: Must be a line of 1 to 200 characters'], [{ %$funnel, name => 'a' x 201 }, 'name: Must be a line of 1 to 200 characters'],
    [{ %$funnel, parameters => [] }, 'parameters: Must be an object'], [{ %$funnel, report => 'everything' }, 'report: Must be one of those of /v1/reports/types'],
    [{ %$funnel, report => '/analytics/sources' }, 'report: Must be one of those of /v1/reports/types'], [{ %$funnel, report => '/v1/analytics/exports/:exportId' }, 'report: Must be one of those of /v1/reports/types'],
    [{ %$funnel, parameters => { windowDays => 0, steps => {}, step => 1 } }, 'parameters.step: Not a parameter of this report; parameters.steps: Invalid steps; parameters.windowDays: Invalid windowDays'],
    [{ %$funnel, parameters => { from => '2026-02-01' } }, 'parameters.from: The period says it'],
    [{ %$funnel, period => undef, parameters => { from => '2026-02-02', to => '2026-02-01' } }, 'parameters.from: Must not be after to'],
    [{ name => 'a', report => 'lead_timeline' }, 'parameters.leadId: leadId is required'], [{ name => 'a', report => 'lead_timeline', parameters => { leadId => 'x' }, period => 'today' }, 'period: This report has no range of time'],
    [{ name => 'a', report => 'lead_timeline', parameters => { leadId => 'nobody' } }, 'parameters: Lead not found'], [{ name => 'a', report => 'dashboard', rows => 'trends' }, 'rows: Not a member of the answer'],
    [{ name => {}, report => 'kpis' }, 'name: Invalid name'])
{
    my ($body, $wrong) = @$case;
    my $refused = ask('POST', '', $body);
    is_error($refused, 'engagement', 422, 'Validation failed', "S2-20 422 $wrong");
    is(faults($refused), $wrong, "S2-20 422 all that is wrong: $wrong");
}

# GET, PATCH, DELETE.
$r = ask('GET', "/$report");
is_success($r, 'engagement', 200, 'S2-20 GET');
is_deeply(data($r)->{parameters}, $funnel->{parameters}, 'S2-20 GET: the parameters');
$r = ask('GET', '?limit=2');
is_success($r, 'engagement', 200, 'S2-20 list');
is_deeply(json($r)->{pagination}, { page => 1, limit => 2, total => 3, totalPages => 2, hasNext => JSON::PP::true, hasPrev => JSON::PP::false }, 'S2-20 list: its pages');
is(join(', ', map { $_->{name} } @{ data($r) }, @{ data(ask('GET', '?limit=2&page=2')) }), 'A lead, By short name, Weekly funnel', 'S2-20 list: the newest first');
$r = ask('PATCH', "/$report", { name => 'Funnel', period => '', format => 'json' });
is_success($r, 'engagement', 200, 'S2-20 PATCH');
is(join(' ', data($r)->{name}, data($r)->{period} // 'null', data($r)->{format}, data($r)->{parameters}{windowDays}), 'Funnel null json 14', 'S2-20 PATCH: what is said, and no more');
ok(data($r)->{updatedAt} gt data($r)->{createdAt}, 'S2-20 PATCH: when');
is(faults(ask('PATCH', "/$report", { parameters => { steps => 'new' } })), 'parameters.steps: Must be 2 to 10 different names', 'S2-20 PATCH is checked');
is(data(ask('GET', "/$report"))->{parameters}{steps}, 'new,contacted', 'S2-20 PATCH refused changes nothing');
is_error(ask($_->[0], "/$report$_->[1]", $_->[2], $foreign), 'engagement', 404, 'Report not found', "S2-20 $_->[0]$_->[1] another workspace's") for ['GET', ''], ['PATCH', '', {}], ['DELETE', ''], ['POST', '/run', {}];
is_error(ask('GET', '/rep_none'), 'engagement', 404, 'Report not found', 'S2-20 GET an unknown one');
for my $what (['GET', ''], ['POST', '', '{}'], ['GET', "/$report"], ['POST', "/$report/run", '{}'], ['GET', '/types'], ['GET', '/scheduled'], ['POST', '/scheduled', '{}'])
{
    is_error(ask(@$what[0 .. 2], 'X-Nothing: 1'), 'engagement', 401, undef, "S2-20 $what->[0] $what->[1] without a key");
    is_error(ask(@$what[0 .. 2], $key{$_}), 'engagement', 403, 'Forbidden', "S2-20 $what->[0] $what->[1] with a key of role $_") for qw(sdk tenant marketing);
}
is_error(ask('PUT', "/$report", '{}'), 'engagement', 405, 'Method not allowed', 'S2-20 PUT');
is(ask('GET', '/leads?from=2026-02-01&to=2026-02-07')->{status}, 200, 'S2-07 S2-20 /v1/reports/leads stays what it was');
is(scalar @{ data(ask('GET', '/leads?from=2026-02-01&to=2026-02-07')) }, 7, 'S2-07 its rows');

# What only an admin key may ask a live key does not see.
my $sources = data(ask('POST', '', { name => 'Sources', report => '/analytics/sources' }, $key{admin}))->{id};
like($sources, qr/^rep_/, 'S2-20 an admin key saves a report of another family');
is_error(ask($_->[0], "/$sources$_->[1]", $_->[2]), 'engagement', 404, 'Report not found', "S2-20 $_->[0]$_->[1] with a live key: not there") for ['GET', ''], ['PATCH', '', {}], ['DELETE', ''], ['POST', '/run', {}];
ok(!(grep { $_->{id} eq $sources } @{ data(ask('GET', '')) }), 'S2-20 list with a live key: not there');
is(faults(ask('PATCH', "/$report", { report => 'sources' })), 'report: Must be one of those of /v1/reports/types', 'S2-20 PATCH does not open it');

# Run: an export, whose file is what the interface answers.
$r = ask('POST', "/$report/run");
is_success($r, 'engagement', 202, 'S2-20 run');
like($r->{body}, qr/^\{"success":true,"status":202,"message":"Report started","data":\{"id":"exp_[0-9a-f]{24}","status":"processing","url":null,"expiresAt":null\},"meta":/, 'S2-20 run: an export, as S2-18 answers it');
is(faults(ask('POST', "/$report/run", { format => 'ndjson' })), 'format: Must be one of: csv, json, html', 'S2-20 run in no format of reports');
my $range = 'from=2026-02-01&to=2026-02-28';
for my $case (['funnel', "/v1/analytics/funnel?$range&steps=new,contacted", { from => '2026-02-01', to => '2026-02-28', steps => 'new,contacted' }], ['kpis', "/v1/analytics/kpis?$range", { from => '2026-02-01', to => '2026-02-28' }],
    ['events', "/v1/analytics/events?$range&limit=3", { from => '2026-02-01', to => '2026-02-28', limit => 3 }], ['cohorts', "/v1/analytics/cohorts?$range&interval=week", { from => '2026-02-01', to => '2026-02-28' }],
    ['dashboard', "/v1/analytics/dashboard?$range", { from => '2026-02-01', to => '2026-02-28' }, 'topSources'], ['lead_report', "/v1/reports/leads?$range&groupBy=week", { from => '2026-02-01', to => '2026-02-28', groupBy => 'week' }],
    ['conversion_rate', "/v1/analytics/conversion-rate?$range", { from => '2026-02-01', to => '2026-02-28' }], ['lead_engagement', "/v1/analytics/leads/lead-1/engagement?$range", { leadId => 'lead-1', from => '2026-02-01', to => '2026-02-28' }, '.'],
    ['captured_leads', '/analytics/leads?sort=oldest', { sort => 'oldest' }], ['campaign_overview', '/api/v1/workspaces/' . slug() . '/analytics/overview', {}, '.'])
{
    my ($name, $path, $parameters, $rows) = @$case;
    my $auth = $name =~ /^ca/ ? $key{admin} : $key{live};
    my $made = data(ask('POST', '', { name => "The $name", report => $name, parameters => $parameters, rows => $rows }, $auth))->{id} // 'none';
    my $said = answer($path, $auth);
    my $is_paged = ref $said eq 'HASH' && $said->{pagination};
    my $answer = $is_paged ? { data => $said->{data}, pagination => $said->{pagination} } : ref $said eq 'HASH' && exists $said->{data} ? $said->{data} : $said;
    my $file = file($made, 'json', $auth);
    is(header($file, 'Content-Type'), 'application/json', "S2-20 $name: JSON");
    is_deeply(eval { JSON::PP->new->utf8->decode($file->{body}) }, $answer, "S2-20 $name: the file is the answer");
    my $main = ref $answer eq 'ARRAY' ? $answer : !$rows ? ((grep { ref eq 'ARRAY' } map { $answer->{$_} } 'data', 'leads')[0] // [$answer]) : $rows eq '.' ? [$answer] : $answer->{$rows};
    my $csv = file($made, 'csv', $auth);
    is(header($csv, 'Content-Type'), 'text/csv; charset=utf-8', "S2-20 $name: CSV");
    utf8::decode(my $text = $csv->{body});
    is_csv_of($text, $main, "S2-20 $name: CSV");
    my $page = file($made, 'html', $auth);
    is(header($page, 'Content-Type'), 'text/html; charset=utf-8', "S2-20 $name: HTML");
    like($page->{body}, qr{^<!DOCTYPE html>\n<html lang="en">.*<h1>The \Q$name\E</h1>.*</html>\n\z}s, "S2-20 $name: a page");
    is(sql('SELECT xmlparse(document $1) IS NOT NULL', $page->{body}), 't', "S2-20 $name: a well-formed one");
}
my $people = data(ask('POST', '', { name => '<script>alert(1)</script>', report => 'captured_leads', format => 'html' }, $key{admin}))->{id};
my $page = file($people, undef, $key{admin});
unlike($page->{body}, qr/<script|<b>/, 'S2-20 what people wrote is no markup');
like($page->{body}, qr{<h1>&lt;script&gt;alert\(1\)&lt;/script&gt;</h1>.*<td>&lt;b&gt;=Ann&lt;/b&gt; 3</td>}s, 'S2-20 but a text');
like(header($page, 'Content-Disposition'), qr/^attachment; filename="exp_[0-9a-f]{24}\.html"$/, 'S2-20 and a file, not a page of this host');
# A period moves: the days it says, asked by hand.
my $yesterday = sql("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD')");
my $moving = data(ask('POST', '', { name => 'Yesterday', report => 'lead_report', period => 'yesterday' }))->{id};
my $wanted = answer("/v1/reports/leads?from=$yesterday&to=$yesterday")->{data};
my $got = file($moving, 'json')->{body};
is_deeply(JSON::PP->new->utf8->decode($got), $wanted, 'S2-20 a period is the days it says') if sql("SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 day', 'YYYY-MM-DD')") eq $yesterday;

# Schedules.
my $weekly = { reportId => $report, frequency => 'weekly', dayOfWeek => 'Monday', time => '08:00', timezone => 'Europe/London', recipients => ['ann@example.com'] };
$r = ask('POST', '/scheduled', $weekly);
is_success($r, 'engagement', 201, 'S2-21 POST');
like($r->{body}, qr/^\{"success":true,"status":201,"message":"Schedule saved","data":\{"id":"sch_[0-9a-f]{24}","reportId":"$report","frequency":"weekly","dayOfWeek":"Monday","dayOfMonth":null,"time":"08:00","timezone":"Europe\/London","recipients":\["ann\@example.com"\],"format":"json","active":true,"nextRunAt":"\d{4}-\d\d-\d\dT0[78]:00:00\.000Z","lastRunAt":null\},"meta":/, 'S2-21 POST: the body, D-80; the format is the report\'s');
my $schedule = data($r)->{id};
is(data($r)->{nextRunAt}, sql(q{SELECT leadanalytics.utc_milliseconds(min(t)) FROM generate_series(date_trunc('hour', now()), now() + interval '8 days', interval '1 hour') t
    WHERE t > now() AND to_char(t AT TIME ZONE 'Europe/London', 'FMDay HH24:MI') = 'Monday 08:00'}), 'S2-21 nextRunAt: the next Monday at eight in London');
for my $case ([{ dayOfWeek => 1 }, 'Monday'], [{ dayOfWeek => 0 }, 'Sunday'], [{ dayOfWeek => 'sATURDAY' }, 'Saturday'], [{ frequency => 'monthly', dayOfMonth => 31 }, 31], [{ frequency => 'monthly', dayOfMonth => '1' }, 1], [{ frequency => 'daily' }, 'null'])
{
    my $made = data(ask('POST', '/scheduled', { %$weekly, %{ $case->[0] } }));
    is($made->{dayOfWeek} // $made->{dayOfMonth} // 'null', $case->[1], 'S2-21 POST ' . $json->encode($case->[0]));
    ask('DELETE', "/scheduled/$made->{id}") if $made->{id};
}
for my $case (
    ['{}', 'reportId: reportId is required; frequency: frequency is required; time: time is required'],
    [{ reportId => 'rep_none', frequency => 'hourly', dayOfWeek => 7, dayOfMonth => 0, time => '8:00', timezone => 'EST5EDT4', recipients => 'ann', format => 'pdf', active => 1 },
        'reportId: Report not found; frequency: Must be one of: daily, weekly, monthly; dayOfWeek: Must be Sunday to Saturday, or 0 (Sunday) to 6; dayOfMonth: Must be an integer between 1 and 31; time: Must be a time such as 08:30; '
        . 'timezone: Must be the name of a time zone such as Europe/London; recipients: Must be an array; format: Must be one of: csv, json, html; active: Must be true or false'],
    [{ %$weekly, dayOfWeek => undef }, 'dayOfWeek: dayOfWeek is required'], [{ %$weekly, frequency => 'monthly' }, 'dayOfMonth: dayOfMonth is required'], [{ %$weekly, time => '24:00' }, 'time: Must be a time such as 08:30'],
    [{ %$weekly, recipients => ['ann@example.com', 'ann'] }, 'recipients[1]: Must be an e-mail address or the id of a webhook'], [{ %$weekly, recipients => ['whk_none'] }, 'recipients[0]: No such webhook'],
    [{ %$weekly, recipients => [("a\@b.c") x 51] }, 'recipients: Must be 50 at most'], [{ %$weekly, recipients => ["a\@b.c\r\nBcc: x\@y.z"] }, 'recipients[0]: Must be an e-mail address or the id of a webhook'],
    [{ %$weekly, reportId => $sources }, 'reportId: Report not found'], [{ %$weekly, time => [] }, 'time: Invalid time'])
{
    my ($body, $wrong) = @$case;
    my $refused = ask('POST', '/scheduled', $body);
    is_error($refused, 'engagement', 422, 'Validation failed', "S2-21 422 $wrong");
    is(faults($refused), $wrong, "S2-21 422 all that is wrong: $wrong");
}
is_success(ask('GET', "/scheduled/$schedule"), 'engagement', 200, 'S2-21 GET');
$r = ask('GET', '/scheduled');
is_success($r, 'engagement', 200, 'S2-21 list');
is(join(' ', map { $_->{id} } @{ data($r) }), $schedule, 'S2-21 list');
is(json($r)->{pagination}{total}, 1, 'S2-21 list: its pages');
$r = ask('PATCH', "/scheduled/$schedule", { frequency => 'daily', timezone => 'Asia/Kathmandu', time => '00:15', format => 'html', recipients => ['ann@example.com', 'bob@example.com'] });
is_success($r, 'engagement', 200, 'S2-21 PATCH');
like(data($r)->{nextRunAt}, qr/T18:30:00\.000Z$/, 'S2-21 PATCH: due anew');
is(data($r)->{dayOfWeek}, undef, 'S2-21 PATCH: no day of the week any more');
is(data(ask('PATCH', "/scheduled/$schedule", '{"active":false}'))->{nextRunAt}, undef, 'S2-21 PATCH: not active, not due');
is(data(ask('PATCH', "/scheduled/$schedule", '{"active":true}'))->{active}, JSON::PP::true, 'S2-21 PATCH: active again');
is(faults(ask('PATCH', "/scheduled/$schedule", { time => 'noon' })), 'time: Must be a time such as 08:30', 'S2-21 PATCH is checked');
is_error(ask($_->[0], "/scheduled/$schedule", $_->[1], $foreign), 'engagement', 404, 'Schedule not found', "S2-21 $_->[0] another workspace's") for ['GET'], ['PATCH', '{}'], ['DELETE'];
is_error(ask('GET', '/scheduled/sch_none'), 'engagement', 404, 'Schedule not found', 'S2-21 GET an unknown one');

# It runs, once, by the worker; the mail is written with it.
sql("UPDATE leadanalytics.report_schedule SET next_due = date_trunc('minute', now()) - interval '1 minute', at_time = ((date_trunc('minute', now()) - interval '1 minute') AT TIME ZONE timezone)::time WHERE key = \$1", $schedule);
sql('SELECT leadanalytics.run_schedules(now())') for 1, 2;
my $run;
for (1 .. 300) { $run = sql('SELECT status FROM leadanalytics.report_run WHERE schedule = $1', $schedule); last if $run ne 'processing'; sleep 0.1 }
is($run, 'completed', 'S2-21 a run, when it is due');
is(sql("SELECT string_agg(recipient || ' ' || topic || ' ' || (attachment = (SELECT export FROM leadanalytics.report_run WHERE schedule = \$1)), ', ' ORDER BY recipient) FROM leadanalytics.delivery WHERE workspace = \$2", $schedule, $id),
    'ann@example.com report.completed true, bob@example.com report.completed true', 'S2-21 a mail for each, once, with the file');
my $link = sql("SELECT substring(body FROM 'https?://[^/]+(/\\S+)') FROM leadanalytics.delivery WHERE workspace = \$1 AND recipient = 'ann\@example.com'", $id);
like(request('GET', $link)->{body}, qr{<h1>Funnel</h1>}, 'S2-21 the link of the mail');
is(sql('SELECT expires_at - completed_at FROM leadanalytics.report_runs WHERE schedule = $1', $schedule), '7 days', 'S2-21 for a week');
like(data(ask('GET', "/scheduled/$schedule"))->{lastRunAt}, qr/:00\.000Z$/, 'S2-21 lastRunAt');

# The end.
is_success(ask('DELETE', "/scheduled/$schedule"), 'engagement', 200, 'S2-21 DELETE');
is_error(ask('GET', "/scheduled/$schedule"), 'engagement', 404, 'Schedule not found', 'S2-21 deleted');
$r = ask('DELETE', "/$report");
is_success($r, 'engagement', 200, 'S2-20 DELETE');
is_deeply(data($r), { deleted => JSON::PP::true }, 'S2-20 DELETE: the body');
is_error(ask('DELETE', "/$report"), 'engagement', 404, 'Report not found', 'S2-20 deleted');
finish();
