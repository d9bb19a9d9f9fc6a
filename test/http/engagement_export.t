# Exports of the engagement family (S2-18): asked for, looked after, and their files by a signed link. What is common
# to all exports (the link, parts, files) is in export.t.
use strict;
use warnings;
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
my ($slug, $base) = (slug(), '/v1/analytics');

sub ask { my ($body, $auth, @more) = @_; return request('POST', "$base/export", [$auth // $key{live}, @more], ref $body ? JSON::PP->new->canonical->encode($body) : $body) }
sub look { my ($export, $auth) = @_; return request('GET', "$base/exports/$export", [$auth // $key{live}]) }
sub finished { my ($export) = @_; for (1 .. 400) { my $r = look($export); return $r if $r->{status} != 200 || json($r)->{data}{status} ne 'processing'; sleep 0.1 } return look($export) }
sub file_of { my ($body) = @_; my $made = json(finished(json(ask($body))->{data}{id}))->{data}; return request('GET', ($made->{url} // '/nothing') =~ s{^http://[^/]+}{}r) }
sub is_wrong
{
    my ($body, $field, $message, $name) = @_;
    my $r = ask($body);
    is_error($r, 'engagement', 422, 'Validation failed', $name);
    is_deeply(json($r)->{errors}, [{ field => $field, message => $message }], "$name: $field, $message");
}

# Something to export: leads and events of two days, and of another workspace.
for my $n (1 .. 5)
{
    request('PUT', "/v1/leads/lead-$n", [$key{live}], sprintf('{"name":"Lead %d","status":"%s","ownerId":"u%d","teamId":"t1","source":"web","createdAt":"2026-02-0%dT10:00:00Z"}', $n, $n % 2 ? 'qualified' : 'new', $n % 3, $n));
}
request('PUT', '/v1/leads/lead-x', [$foreign], '{"name":"Foreign","createdAt":"2026-02-02T10:00:00Z"}');
my @events = map { JSON::PP->new->decode(sql('SELECT leadanalytics.add_engagement($1, $2, $3, $4, $5, $6)', $id, @$_)) }
    (['email_sent', 'lead-1', 'msg-1', 'exec-1', '2026-02-01T10:00:00Z'], ['email_open', 'lead-1', 'msg-1', 'exec-1', '2026-02-01T11:00:00Z'], ['link_click', 'lead-1', 'msg-1', 'exec-1', '2026-02-02T09:00:00Z'],
     ['email_sent', 'lead-2', 'msg-2', 'exec-2', '2026-02-02T10:00:00Z'], ['email_bounce', 'lead-2', 'msg-2', 'exec-2', '2026-02-02T10:05:00Z']);
is(scalar(grep { ($_->{id} // '') =~ /^evt_/ } @events), 5, 'five events');
my @time = (from => '2026-02-01', to => '2026-02-28');

# POST.
my $asked = ask({ type => 'events', format => 'ndjson', @time });
is_success($asked, 'engagement', 202, 'S2-18 POST');
my $export = json($asked)->{data}{id};
like($asked->{body}, qr/^\{"success":true,"status":202,"message":"Export started","data":\{"id":"exp_[0-9a-f]{24}","status":"processing","url":null,"expiresAt":null\},"meta":/, 'S2-18 POST: the body, D-80');

# GET.
my $r = finished($export);
is_success($r, 'engagement', 200, 'S2-18 GET');
like($r->{body}, qr/^\{"success":true,"status":200,"message":"OK","data":\{"id":"\Q$export\E","status":"completed","url":"http:[^"]+","expiresAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"\},"meta":/, 'S2-18 GET: the body, D-80');
my $said = json($r)->{data};
is($said->{url} =~ s/\?.*//r, ($ENV{LA_URL} || 'http://127.0.0.1:8080') . "$base/exports/$export/download", 'S2-18 where the file is');
is_error(look('exp_unknown'), 'engagement', 404, 'Export not found', 'S2-18 an unknown one');
is_error(look($export, $foreign), 'engagement', 404, 'Export not found', 'S2-18 another workspace\'s');
is_error(look($export, 'X-Nothing: 1'), 'engagement', 401, undef, 'S2-18 GET without a key');
is_error(look($export, $key{$_}), 'engagement', 403, 'Forbidden', "S2-18 GET with a key of role $_") for qw(sdk tenant marketing);
is(look($export, $key{admin})->{status}, 200, 'S2-18 GET an admin key');
is_success(request('HEAD', "$base/exports/$export", [$key{live}]), 'engagement', 200, 'S2-18 HEAD');
is_error(request('DELETE', "$base/exports/$export", [$key{live}]), 'engagement', 405, 'Method not allowed', 'S2-18 DELETE');

# The file.
my $link = $said->{url} =~ s{^http://[^/]+}{}r;
my $file = request('GET', $link);
is($file->{status}, 200, 'S2-18 the link needs no key');
is(header($file, 'Content-Type'), 'application/x-ndjson', 'S2-18 the type of the file');
is(header($file, 'Content-Disposition'), qq(attachment; filename="$export.ndjson"), 'S2-18 the name of the file');
is_deeply([map { JSON::PP->new->utf8->decode($_) } split /\n/, $file->{body}], [sort { $b->{timestamp} cmp $a->{timestamp} } @events], 'S2-18 events: those that were sent in, the newest first');
like($file->{body}, qr/^\{"id":"evt_[0-9a-f]{32}","tenantId":"\Q$slug\E","type":"email_bounce","leadId":"lead-2","messageId":"msg-2","workflowExecutionId":"exec-2","timestamp":"2026-02-02T10:05:00\.000Z"\}\n/, 'S2-18 events: a record is the event as S2-09 answers it');
is(request('GET', $link, ['Range: bytes=0-3'])->{status}, 206, 'S2-18 the file comes in parts, too');
is_error(request('GET', $link =~ s/(.)$/$1 eq '0' ? 1 : 0/er), 'engagement', 403, 'The link is not valid or has expired', 'S2-18 a changed link');
is_error(request('GET', $link =~ s/\?.*//r, [$key{live}]), 'engagement', 403, 'The link is not valid or has expired', 'S2-18 a key does not help');
is_error(request('GET', $link =~ s/exp_\w{24}/exp_unknown/r), 'engagement', 403, 'The link is not valid or has expired', 'S2-18 a link to nothing');
is(request('GET', $link =~ s{^/v1/}{/api/v1/workspaces/$slug/}r)->{status}, 200, 'S2-18 S4-07 one file, two doors');
is_error(request('GET', $link =~ s{^/v1/}{/api/v1/workspaces/$slug-other/}r), 'campaigns', 403, 'The link is not valid or has expired', 'S4-07 not as another workspace\'s');

# Types, formats, filters.
my $csv = file_of({ type => 'leads', @time });
is(header($csv, 'Content-Type'), 'text/csv; charset=utf-8', 'S2-18 CSV is the default');
is((split /\r\n/, $csv->{body})[0], 'leadId,email,name,phone,project,source,status,ownerId,teamId,createdAt', 'S2-18 leads: the columns');
is((split /\r\n/, $csv->{body})[1], 'lead-1,,Lead 1,,,web,qualified,u1,t1,2026-02-01T10:00:00.000Z', 'S2-18 leads: a record');
is(scalar(() = $csv->{body} =~ /\r\n/g), 6, 'S2-18 leads: each once, and no other workspace\'s');
sub ids
{
    my ($type, $filters, @more) = @_;
    my $r = file_of({ type => $type, format => 'json', @time, filters => $filters, @more });
    my $records = eval { JSON::PP->new->utf8->decode($r->{body}) };
    return ref $records eq 'ARRAY' ? join ' ', map { $_->{leadId} . ($_->{type} ? " $_->{type}" : '') } @$records : $r->{body};
}
is(ids('leads', { status => 'qualified' }), 'lead-1 lead-3 lead-5', 'S2-18 leads: of a status');
is(ids('leads', { ownerId => 'u1', teamId => 't1', source => 'web', leadId => 'lead-4' }), 'lead-4', 'S2-18 leads: of an owner, team, source, by id');
is(ids('leads', {}, from => '2026-02-02', to => '2026-02-03'), 'lead-2 lead-3', 'S2-18 D-03 from and to are inclusive');
is(ids('leads', {}, from => '2026-02-02T10:00:00Z', to => '2026-02-02T10:00:00Z'), 'lead-2', 'S2-18 D-03 to the second');
is(ids('events', { eventType => 'email_sent' }), 'lead-2 email_sent lead-1 email_sent', 'S2-18 events: of a type');
is(ids('events', { leadId => 'lead-2' }), 'lead-2 email_bounce lead-2 email_sent', 'S2-18 events: of a lead');
is(ids('events', { messageId => 'msg-1', eventType => 'link_click' }), 'lead-1 link_click', 'S2-18 events: of a message and type');
is(ids('events', { workflowExecutionId => 'exec-2', eventType => undef }), 'lead-2 email_bounce lead-2 email_sent', 'S2-18 events: of a run; null filters nothing');
for my $what (['funnel', 'funnel', { steps => 'new,email_sent,email_open', windowDays => 7 }, 'steps=new,email_sent,email_open&windowDays=7'], ['kpis', 'kpis', undef, ''],
    ['team_performance', 'team-performance', { teamId => 't1' }, 'teamId=t1'])
{
    my ($type, $path, $filters, $query) = @$what;
    my @when = $type eq 'team_performance' ? () : @time; # the leads were given to somebody just now
    my $exported = JSON::PP->new->utf8->decode(file_of({ type => $type, format => 'json', @when, filters => $filters })->{body});
    is_deeply($exported, json(request('GET', "$base/$path?" . (@when ? 'from=2026-02-01&to=2026-02-28&' : '') . $query, [$key{live}]))->{data}, "S2-18 $type: what the question answers");
}
is((split /\r\n/, file_of({ type => 'cohorts', @time, filters => { interval => 'month', metric => 'converted' } })->{body})[0], 'cohort,size,index,count,rate', 'S2-18 cohorts: a record a cohort and period');
my $none = json(finished(json(ask({ type => 'events', from => '2020-01-01', to => '2020-01-31' }))->{data}{id}))->{data};
is("$none->{status} " . ($none->{url} // 'null'), 'failed null', 'S2-18 without records it fails');
sql("UPDATE leadanalytics.export SET expires_at = now() - interval '1 second' WHERE key = \$1", $export);
like(look($export)->{body}, qr/"data":\{"id":"\Q$export\E","status":"expired","url":null,"expiresAt":"[^"]+"\}/, 'S2-18 expired');

# What is wrong.
my $types = join ', ', split /\n/, sql(q{SELECT name FROM leadanalytics.export_type WHERE family = 'engagement' ORDER BY name});
is_error(ask('{}'), 'engagement', 422, 'Validation failed', 'S2-18 no type');
is(json(ask('{}'))->{errors}[0]{field}, 'type', 'S2-18 no type: the field');
for my $body ('{"type":"everything"}', '{"type":"deliverability"}', '{"type":5}', '{"type":""}', '{"type":"events","format":"xls"}', '{"type":"events","format":"CSV"}')
{
    my $r = ask($body);
    is_error($r, 'engagement', 422, 'Validation failed', "S2-18 $body");
    is(json($r)->{errors}[0]{field}, $body =~ /format/ ? 'format' : 'type', "S2-18 $body: the field");
}
is(json(ask('{"type":"everything","format":"xls"}'))->{errors}[1]{field}, 'format', 'S2-18 all that is wrong is said');
is_wrong('{"type":"events","from":"soon"}', 'from', 'Must be a date or time in ISO 8601', 'S2-18 from');
is_wrong('{"type":"events","to":"2026-13-01"}', 'to', 'Must be a date or time in ISO 8601', 'S2-18 to');
is_wrong('{"type":"events","from":"2026-01-02","to":"2026-01-01"}', 'from', 'Must not be after to', 'S2-18 from after to');
is_wrong(qq({"type":"events","filters":$_}), 'filters', 'Must be an object', "S2-18 filters $_") for '[]', '"x"', '5', 'true';
is_wrong('{"type":"events","filters":{"status":"new"}}', 'filters.status', 'Not a filter of events', 'S2-18 another type\'s filter');
is_wrong('{"type":"leads","filters":{"status":"won"}}', 'filters.status', 'Must be one of: new, contacted, qualified, unqualified, converted, lost', 'S2-18 a status');
is_wrong(qq({"type":"leads","filters":{"ownerId":$_}}), 'filters.ownerId', 'Must be a text of 1 to 128 characters', "S2-18 an owner $_") for '5', '""', '[]', '"' . 'x' x 129 . '"';
is_wrong('{"type":"funnel","filters":{"windowDays":366}}', 'filters.windowDays', 'Must be an integer between 1 and 365', 'S2-18 a window');
is_wrong('{"type":"funnel","filters":{"steps":"new"}}', 'steps', 'Must be 2 to 10 different names', 'S2-18 steps');
is_error(ask('{"type":"events"}', $key{$_}), 'engagement', 403, 'Forbidden', "S2-18 POST with a key of role $_") for qw(sdk tenant marketing);
is_error(ask('{"type":"events"}', 'X-Nothing: 1'), 'engagement', 401, undef, 'S2-18 POST without a key');
is_error(request('GET', "$base/export", [$key{live}]), 'engagement', 405, 'Method not allowed', 'S2-18 GET of the asking door');
my @same = map { json(ask('{"type":"events"}', undef, 'Idempotency-Key: one'))->{data}{id} } 1, 2;
is($same[0], $same[1], 'S2-18 S2-03 an Idempotency-Key: the first answer');
isnt(json(ask('{"type":"events"}'))->{data}{id}, $same[0], 'without it: again');

finish();
