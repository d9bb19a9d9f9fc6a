# Leads, their detail, status and posts over the wire, whole bodies (S1-09 … S1-14).
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
my $foreign = key($other, 'admin');
asking('/analytics/leads', $key{admin}, $id);

# S1-09, S1-10, S1-13, S1-14 empty
says('GET', '', undef, 200, '{"leads":[],"total":0}', 'S1-09 empty');
says('GET', '/recent-submissions', undef, 200, '[]', 'S1-10 empty');
says('GET', '/submissions', undef, 200, '{"submissions":[],"total":0}', 'S1-13 empty');
says('GET', "/$_", undef, 200, '[]', "S1-14 $_ empty") for qw(projects sources);

# The document's example: a visitor who read for 80 seconds, asked, and came back a day later.
sql('SELECT leadanalytics.track($1, $2, now => \'2026-02-23 11:15:00Z\')', $id, '{"events":[' . join(',', map {
    sprintf '{"event_name":"%s","visitor_id":"abc123","session_id":"session_123","timestamp":"%s","event_data":{"url":"https://example.com/%s"%s}}', $_ == 1 ? 'page_view' : $_ == 2 ? 'scroll' : 'click',
        $_ == 19 ? '2026-02-23T11:14:20Z' : sprintf('2026-02-23T11:13:%02dZ', $_), $_ == 19 ? 'thank-you' : 'sky-towers', $_ == 2 ? ',"scroll_percent":100' : '' } 1 .. 19) . ']}');
my $fields = '{"FIRSTNAME":"Rahul Sharma","EMAIL":"rahul@example.com","PHONE":"9876543210","PROJECT":"Sky Towers","LOCATION":"Pune","SOURCE":"WebSite","CTA":"hero-form","UTM_Source":"mail","KEYWORD":"towers","TEAM":"t","DOMAIN":"example.com",'
    . '"PAGE_URL":"https://example.com/p","USER_MESSAGE":"Hello \"there\"","utm_medium":"m","utm_campaign":"c","utm_term":"x","utm_content":"y","__pg_tts":"31.5","__visitor_id":"abc123"}';
capture('2026-02-23 11:15:00Z', '198.51.100.20', $fields);
my ($lead, $post) = split / /, sql('SELECT lead || \' \' || id FROM leadanalytics.lead_submission WHERE workspace = $1', $id);
my $score = sql('SELECT score FROM leadanalytics.lead WHERE workspace = $1', $id);
my $label = sql('SELECT leadanalytics.engagement_label($1)', $score);
is($score, sql('SELECT leadanalytics.engagement_score(extract(epoch FROM last_seen - started_at)::float8, scroll_percent, clicks, returns) FROM leadanalytics.session WHERE workspace = $1', $id), 'L4 the session\'s score');
my $head = qq("lead_id":$lead,"enquiry_datetime":"2026-02-23 11:15:00","contact_name":"Rahul Sharma","contact_email":"rahul\@example.com","contact_phone":"9876543210","project_name":"Sky Towers","project_location":"Pune",)
    . qq("project_source":"WebSite","contact_country_name":null,"contact_city":null,"visitor_id":"abc123","session_id":"session_123","engagement_score":$score,"engagement_label":"$label");
my $row = sub
{
    my ($posts, $suspicion, $follow_ups, $last, $status, $seen, $review, $blocked) = @_;
    return qq($head,"form_submit_count":$posts,"suspicion_score":$suspicion,"follow_ups_count":$follow_ups,"last_follow_up_at":$last,"status":"$status","seen_at":$seen,"needs_review":$review,"contact_ip":"198.51.100.20","is_ip_blocked":$blocked);
};
says('GET', '', undef, 200, '{"leads":[{' . $row->(1, 0, 0, 'null', 'new', 'null', 1, 0) . '}],"total":1}', 'S1-09 the whole body');
says('GET', '/projects', undef, 200, '["Sky Towers"]', 'S1-14 projects');
says('GET', '/sources', undef, 200, '["WebSite"]', 'S1-14 sources');

# S1-11
my $session = qq({"session_id":"session_123","visitor_id":"abc123","entry_page":"https://example.com/sky-towers","exit_page":"https://example.com/thank-you","country":null,"started_at":1771845181000,"ended_at":null,"duration":null,"engagement_score":$score,"event_count":19});
my $payload = $fields =~ s/([\\"])/\\$1/gr;
my $submission = qq({"submission_id":$post,"lead_id":$lead,"submitted_at":"2026-02-23 11:15:00","project_name":"Sky Towers","visitor_id":"abc123","session_id":"session_123","contact_email":"rahul\@example.com","contact_phone":"9876543210",)
    . qq("contact_ip":"198.51.100.20","source":"WebSite","referer":"https://example.com/sky-towers","cta_name":"hero-form","is_primary_lead":1,"is_duplicate_window":0,"payload_json":"$payload","is_ip_blocked":0});
my $rest = '"keyword":"towers","team":"t","domain":"example.com","page_url":"https://example.com/p","utm_source":"mail","utm_medium":"m","utm_campaign":"c","utm_term":"x","utm_content":"y","message":"Hello \"there\"","time_to_submit":31.5';
my $detail = sub { my ($row, $session, @posts) = @_; return qq({"lead":{$row,$rest},"sessions":[$session],"submissions":[) . join(',', @posts) . ']}' };
my $r = request('HEAD', "/analytics/leads/$lead", ["X-API-Key: $key{admin}"]);
is($r->{status}, 200, 'D-13 HEAD');
is(sql('SELECT first_seen_at IS NULL FROM leadanalytics.lead WHERE workspace = $1', $id), 't', 'D-13 HEAD marks nothing');
$r = ask('GET', "/$lead");
my $seen = json($r)->{lead}{seen_at};
is($r->{body}, $detail->($row->(1, 0, 0, 'null', 'new', $seen, 0, 0), $session, $submission), 'S1-11 the whole body, marked seen');
is(sql('SELECT now() - to_timestamp($1::float8 / 1000) BETWEEN \'0\' AND \'1 minute\'', $seen), 't', 'S1-11 seen now, ms');
# the client ended it: 80 seconds are 80000 ms (D-10)
sql('UPDATE leadanalytics.session SET ended_at = started_at + interval \'80 s\', last_seen = started_at + interval \'80 s\' WHERE workspace = $1', $id);
my $ended = json(ask('GET', "/$lead"))->{sessions}[0];
is("$ended->{started_at} $ended->{ended_at} $ended->{duration}", '1771845181000 1771845261000 80000', 'D-10 duration in ms');
is(json(ask('GET', "/$lead"))->{lead}{seen_at}, $seen, 'D-11 seen_at stays that of the first view');
# D-13 a read-only request does not mark; a view through handle_ro is sent on
sql('UPDATE leadanalytics.lead SET first_seen_at = $2, last_viewed_at = $2 WHERE workspace = $1', $id, '2026-02-23 12:00:00.5Z');
$seen = 1771848000500;
capture('2026-02-24 09:30:00Z', '198.51.100.21', '{"EMAIL":"RAHUL@example.com","PROJECT":"sky towers","PHONE":"+91 5","__visitor_id":"abc123"}');
sql('SELECT leadanalytics.block_ip($1, \'198.51.100.20\')', $id);
($score, $label) = split /\|/, sql('SELECT score, leadanalytics.engagement_label(score) FROM leadanalytics.lead WHERE workspace = $1', $id);
$head =~ s/"engagement_score":.*/"engagement_score":$score,"engagement_label":"$label"/;
my $now = $row->(2, 10, 1, '"2026-02-24 09:30:00"', 'new', $seen, 1, 1);
says('GET', '', undef, 200, qq({"leads":[{$now}],"total":1}), 'S1-09 a follow-up: review again; its address is blocked now');

# S1-10
my $second = sql('SELECT max(id) FROM leadanalytics.lead_submission WHERE workspace = $1', $id);
my $recent = sub { my ($id, $at, $email, $phone, $primary) = @_; return sprintf '{"submission_id":%d,"lead_id":%d,"submitted_at":"%s","contact_name":"Rahul Sharma","contact_email":"%s","contact_phone":"%s","project_name":"Sky Towers","is_primary_lead":%d,"is_follow_up":%s}', $id, $lead, $at, $email, $phone, $primary, $primary ? 'false' : 'true' };
my @recent = ($recent->($second, '2026-02-24 09:30:00', 'RAHUL@example.com', '+91 5', 0), $recent->($post, '2026-02-23 11:15:00', 'rahul@example.com', '9876543210', 1));
says('GET', '/recent-submissions', undef, 200, "[$recent[0],$recent[1]]", 'S1-10 newest first');
says('GET', "/recent-submissions?limit=$_", undef, 200, "[$recent[0]]", "S1-10 limit=$_") for 1, 0, -5;
says('GET', "/recent-submissions?limit=$_", undef, 200, "[$recent[0],$recent[1]]", "S1-10 limit=$_") for 51, 'x', '';

# S1-13
my @posts = (
    qq({"submission_id":$second,"lead_id":$lead,"submitted_at":"2026-02-24 09:30:00","contact_name":null,"contact_email":"RAHUL\@example.com","contact_phone":"+91 5","project_name":"Sky Towers","source":null,"referer":"https://example.com/sky-towers","cta_name":null,"is_primary_lead":0,"is_follow_up":true,"contact_ip":"198.51.100.21","is_ip_blocked":0}),
    qq({"submission_id":$post,"lead_id":$lead,"submitted_at":"2026-02-23 11:15:00","contact_name":"Rahul Sharma","contact_email":"rahul\@example.com","contact_phone":"9876543210","project_name":"Sky Towers","source":"WebSite","referer":"https://example.com/sky-towers","cta_name":"hero-form","is_primary_lead":1,"is_follow_up":false,"contact_ip":"198.51.100.20","is_ip_blocked":1}));
my $page = sub { my ($total, @which) = @_; return sprintf '{"submissions":[%s],"total":%d}', join(',', @posts[@which]), $total };
says('GET', "/submissions?$$_[0]", undef, 200, $page->(@{ $$_[1] }), "D-08 S1-13 $$_[0]")
    for ['period=range', [2, 0, 1]], ['', [0]], ['period=yesterday', [0]], ['period=x', [0]], ['period=range&date_from=2026-02-24', [1, 0]], ['period=range&date_to=2026-02-23', [1, 1]], ['period=range&date_from=2026-02-23T11:15:00Z&date_to=2026-02-23T11:15:00Z', [1, 1]],
    ['period=range&date_from=2026-02-23T16:45:00+05:30&date_to=2026-02-23', [1, 1]], ['period=range&order=asc', [2, 1, 0]], ['period=range&order=x&sort=x', [2, 0, 1]], ['period=range&sort=source&order=asc', [2, 1, 0]], ['period=range&sort=source', [2, 1, 0]], ['period=range&limit=1&offset=1', [2, 1]],
    ['period=range&q=HERO-form', [1, 1]], ['period=range&q=98765', [1, 1]], ['period=range&q=sky-TOWERS', [2, 0, 1]], ['period=range&q=%25', [0]], ['period=range&q=nobody', [0]], ['date_from=nonsense', [0]];
says('GET', "/submissions?period=range&$_=2026-02-30", undef, 400, qq({"error":"Invalid $_"}), "S1-13 $_") for qw(date_from date_to);
# S1-A3
my @masked = map { s/"contact_email":"(.)[^"]*@/"contact_email":"$1***@/r =~ s/"contact_phone":"[^"]*([^"]{4})"/"contact_phone":"$1"/r } @posts;
$masked[0] =~ s/"contact_phone":"[^"]*"/"contact_phone":"915"/;
says('GET', '/submissions?period=range', undef, 200, sprintf('{"submissions":[%s],"total":2}', join ',', @masked), 'S1-A3 marketing: contacts masked', $key{marketing});
says('GET', "/submissions?period=range&q=$_", undef, 200, '{"submissions":[],"total":0}', "S1-A3 marketing: cannot look for $_", $key{marketing}) for qw(rahul 98765 hero-form);
says('GET', "/$_", undef, 200, $_ eq 'projects' ? '["Sky Towers"]' : '["WebSite"]', "S1-A3 marketing: $_", $key{marketing}) for qw(projects sources);
is_error(ask($$_[0], $$_[1], $$_[2], $key{marketing}), 'dashboard', 403, 'Forbidden', "S1-A3 marketing: no $$_[0] $$_[1]")
    for ['GET', ''], ['GET', "/$lead"], ['GET', '/recent-submissions'], ['PATCH', "/$lead", '{"status":"won"}'];
for my $path ('', "/$lead", '/submissions', '/recent-submissions', '/projects', '/sources')
{
    is_error(request('GET', "/analytics/leads$path"), 'dashboard', 401, undef, "no key: $path");
    is_error(ask('GET', $path, undef, $key{$_}), 'dashboard', 403, 'Forbidden', "a key of another role: $path $_") for qw(sdk capture);
    is_error(ask('POST', $path, '{}'), 'dashboard', 405, 'Method not allowed', "POST is not allowed: $path");
}

# S1-12
says('PATCH', "/$lead", '{"status":"Contacted"}', 200, '{"updated":true}', 'S1-12 in any case');
says('PATCH', "/$lead", '{"status":"contacted"}', 200, '{"updated":true}', 'S1-12 the same again');
says('PATCH', "/$lead", $$_[0], $$_[1], qq({"error":"$$_[2]"}), "S1-12 $$_[0]")
    for ['{}', 400, 'status is required'], ['{"status":null}', 400, 'status is required'], ['', 400, 'status is required'], ['{"status":""}', 400, 'status is required'], ['{"status":"done"}', 404, 'Invalid status'], ['{"status":"unqualified"}', 404, 'Invalid status'], ['{"status":5}', 404, 'Invalid status'],
    ['{"status":["won"]}', 400, 'Invalid status'], ['[]', 400, 'Invalid request body'], ['{"status":', 400, 'Invalid request body'], ['status=won', 400, 'Invalid request body'];
says('PATCH', '/0' . '9' x 15, '{"status":"won"}', 404, '{"error":"Lead not found"}', 'S1-12 no such lead');
is(sql('SELECT string_agg(coalesce(from_status, \'\') || \'>\' || to_status || \':\' || (key IS NOT NULL), \' \' ORDER BY id) FROM leadanalytics.lead_status_change WHERE workspace = $1', $id), '>new:false new>contacted:true', 'S1-12 the history, by whom');
for my $bad ('0', '-1', 'x', '1.5', '9' x 20, '%20', "$lead%20")
{
    says($$_[0], "/$bad", $$_[1], 400, '{"error":"Invalid lead id"}', "D-16 $$_[0] $bad") for ['GET'], ['PATCH', '{"status":"won"}'];
}
says('GET', '/999999999999', undef, 404, '{"error":"Lead not found"}', 'S1-11 no such lead');
says($$_[0], "/$lead", $$_[1], 404, '{"error":"Lead not found"}', "another workspace has no such lead: $$_[0]", $foreign) for ['GET'], ['PATCH', '{"status":"won"}'];
says('GET', '', undef, 200, '{"leads":[],"total":0}', 'and none in its list', $foreign);
is(sql('SELECT status || (last_viewed_at = first_seen_at) FROM leadanalytics.lead WHERE workspace = $1', $id), 'contactedtrue', 'and changed nothing');

# S1-09 filters and orders, by name
sql('DELETE FROM leadanalytics.lead WHERE workspace = $1', $id);
sql('INSERT INTO leadanalytics.lead (workspace, enquiry_at, name, status, score, suspicion, follow_ups_count, last_follow_up_at, first_seen_at, last_viewed_at, visitor_id, email, phone, project) VALUES
     ($1, \'2026-01-01Z\', \'b\', \'new\', 10, 90, 0, NULL, NULL, NULL, \'v-one\', \'b@x.example\', \'111\', \'North\'), ($1, \'2026-01-02Z\', \'C\', \'fake\', 90, 10, 1, \'2026-01-05Z\', \'2026-01-04Z\', \'2026-01-04Z\', \'v-two\', \'c@y.example\', \'222\', \'North\'),
     ($1, \'2026-01-02Z\', \'a\', \'unqualified\', 90, 10, 2, \'2026-01-04Z\', \'2026-01-05Z\', \'2026-01-05Z\', NULL, NULL, NULL, \'South\'), ($1, \'2026-01-03Z\', NULL, \'lost\', 50, 50, 0, NULL, \'2026-01-05Z\', \'2026-01-05Z\', NULL, \'null@x.example\', \'111\', NULL)', $id);
for (['', 'nul a C b'], ['sort=newest', 'nul a C b'], ['sort=oldest', 'b a C nul'], ['sort=last_follow_up', 'C a nul b'], ['sort=score_desc', 'a C nul b'], ['sort=score_asc', 'b nul a C'], ['sort=risk_desc', 'b nul a C'], ['sort=risk_asc', 'a C nul b'], ['sort=name_asc', 'a b C nul'], ['sort=x', 'nul a C b'],
    ['status=new', 'b'], ['status=LOST', 'nul a'], ['status=unqualified', ''], ['status=x', ''], ['status=', 'nul a C b'], ['has_follow_ups=true', 'a C'], ['has_follow_ups=1', 'a C'], ['has_follow_ups=false', 'nul a C b'], ['has_follow_ups=x', 'nul a C b'],
    ['seen=true', 'nul a C'], ['seen=false', 'C b'], ['seen=0', 'C b'], ['seen=x', 'nul a C b'], ['seen=false&has_follow_ups=true', 'C'], ['q=NORTH', 'C b'], ['q=111', 'nul b'], ['q=v-t', 'C'], ['q=%40x.', 'nul b'], ['q=x.example&status=new', 'b'], ['q=_', ''], ['q=%25', ''], ['q=', 'nul a C b'], ["q='", ''],
    ['limit=2', 'nul a', 4], ['limit=2&offset=1', 'a C', 4], ['offset=4', '', 4], ['limit=0', 'nul', 4], ['limit=101&offset=-1', 'nul a C b'], ['limit=x', 'nul a C b'], ['offset=99999999999', '', 4], ['q=' . 'x' x 5000, ''])
{
    my ($query, $names, $total) = @$_;
    my $body = json(ask('GET', "?$query"));
    is(join(' ', map { $_->{contact_name} // 'nul' } @{ $body->{leads} }) . " of $body->{total}", $names . ' of ' . ($total // scalar split / /, $names), ($query =~ /seen=/ ? 'D-12 ' : $query =~ /last_follow_up/ ? 'D-24 ' : '') . 'S1-09 ' . substr $query, 0, 60);
}
finish();
