# Posts kept apart, the engine's questions and options over the wire, whole bodies (S1-30 … S1-33, S1-40 … S1-46, S1-50 … S1-54).
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
asking('/analytics/', $key{admin}, $id);

# --- S1-30 … S1-33 -----------------------------------------------------------------------------------------
sql('SELECT leadanalytics.block_ip($1, \'198.51.100.20\'), leadanalytics.whitelist_ip($1, \'198.51.100.30\', usage => \'test\')', $id);
for (['blocked-ip-leads', 'blocked_ip_leads', '198.51.100.20', 'S1-30', 'S1-31'], ['testing-leads', 'testing_leads', '198.51.100.30', 'S1-32', 'S1-33'])
{
    my ($path, $list, $ip, $get, $delete) = @$_;
    my $page = sub { my ($total, @rows) = @_; return sprintf '{"%s":[%s],"total":%d}', $list, join(',', @rows), $total };
    says('GET', $path, undef, 200, $page->(0), "$get empty");
    capture('2026-02-24 09:30:00.9Z', $ip, '{"FIRSTNAME":"Rahul Sharma","EMAIL":"rahul@example.com","PHONE":"9876543210","COUNTRYCODE":"+91","PROJECT":"Sky Towers","SOURCE":"WebSite","siteKey":"demo","formId":"hero"}');
    capture('2026-02-25 00:00:00Z', $ip, '{"FIRSTNAME":"b"}');
    my ($one, $two) = split / /, sql('SELECT string_agg(id::text, \' \' ORDER BY id) FROM leadanalytics.rejected_lead WHERE workspace = $1 AND ip = $2', $id, $ip);
    my $row = sub
    {
        my ($email, $phone, $payload) = @_;
        return qq({"id":$one,"ip":"$ip","received_at":"2026-02-24 09:30:00","contact_email":"$email","contact_name":"Rahul Sharma","contact_phone":"$phone","contact_country_code":"+91","project_name":"Sky Towers","source":"WebSite",)
            . qq("referer":"https://example.com/sky-towers","payload_json":$payload,"site_key":"demo","form_id":"hero"});
    };
    my $bare = sub { return qq({"id":$two,"ip":"$ip","received_at":"2026-02-25 00:00:00","contact_email":null,"contact_name":"b","contact_phone":null,"contact_country_code":null,"project_name":null,"source":null,"referer":"https://example.com/sky-towers","payload_json":$_[0],"site_key":null,"form_id":null}) };
    my @rows = ($bare->('"{\"FIRSTNAME\":\"b\"}"'), $row->('rahul@example.com', '9876543210',
        '"{\"FIRSTNAME\":\"Rahul Sharma\",\"EMAIL\":\"rahul@example.com\",\"PHONE\":\"9876543210\",\"COUNTRYCODE\":\"+91\",\"PROJECT\":\"Sky Towers\",\"SOURCE\":\"WebSite\",\"siteKey\":\"demo\",\"formId\":\"hero\"}"'));
    says('GET', $path, undef, 200, $page->(2, @rows), "$get the whole body");
    says('GET', $path, undef, 200, $page->(2, $bare->('null'), $row->('r***@example.com', '3210', 'null')), "S1-A3 $get marketing: contacts masked", $key{marketing});
    says('GET', "$path?$$_[0]", undef, 200, $page->($$_[1], @rows[@{ $$_[2] }]), "$get $$_[0]")
        for ['limit=1', 2, [0]], ['limit=0&offset=1', 2, [1]], ['limit=101', 2, [0, 1]], ['offset=2', 2, []], ['limit=x&offset=x', 2, [0, 1]], ['ip=51.100.', 2, [0, 1]], ['q=51.100.', 2, [0, 1]], ['ip=9.9&q=51.100.', 0, []], ['ip=&q=9.9', 0, []], ['q=rahul', 0, []], ['ip=%25', 0, []],
        ['period=all', 2, [0, 1]], ['period=x', 2, [0, 1]], ['period=today', 0, []], ['period=yesterday', 0, []], ['period=past_30_days', 0, []];
    # D-26 by received_at in UTC
    sql('UPDATE leadanalytics.rejected_lead SET received_at = date_trunc(\'day\', now(), \'UTC\') - $2::interval WHERE workspace = $1 AND id = $3', $id, '6 days', $one);
    is(json(ask('GET', "$path?period=$$_[0]"))->{total}, $$_[1], "D-26 $$_[0]") for ['past_7_days', 1], ['past_14_days', 1], ['past_30_days', 1], ['yesterday', 0];
    sql('UPDATE leadanalytics.rejected_lead SET received_at = \'2026-02-24 09:30:00Z\' WHERE workspace = $1 AND id = $2', $id, $one);

    says('POST', "$path/bulk-delete", $_, 400, '{"error":"ids must be an array of 1 to 100 integers"}', "$delete " . substr $_, 0, 40)
        for '{}', '', '{"ids":null}', '{"ids":[]}', '{"ids":5}', '{"ids":{}}', '{"ids":["5"]}', '{"ids":[1.5]}', '{"ids":[null]}', '{"ids":[[1]]}', sprintf('{"ids":[%s]}', join ',', 1 .. 101);
    says('POST', "$path/bulk-delete", $_, 400, '{"error":"Invalid request body"}', "$delete $_") for '[1]', '{"ids":[1]';
    says('POST', "$path/bulk-delete", qq({"ids":[$one]}), 200, '{"deleted":0}', "$delete another workspace's", $foreign);
    says('POST', ($path eq 'testing-leads' ? 'blocked-ip-leads' : 'testing-leads') . '/bulk-delete', qq({"ids":[$one]}), 200, '{"deleted":0}', "$delete the other list's");
    says('POST', "$path/bulk-delete", qq({"ids":[$one,$one,999999999]}), 200, '{"deleted":1}', "$delete one, named twice");
    says('POST', "$path/bulk-delete", qq({"ids":[$one]}), 200, '{"deleted":0}', "D-25 $delete again");
    says('POST', "$path/bulk-delete", sprintf('{"ids":[%s]}', join ',', map { $one } 1 .. 100), 200, '{"deleted":0}', "$delete a hundred");
    says('GET', $path, undef, 200, $page->(1, $rows[0]), "$get without the deleted one");
    is(sql('SELECT count(*) FROM leadanalytics.rejected_lead WHERE workspace = $1 AND ip = $2', $id, $ip), 2, "$delete is soft");
    is_error(request('GET', "/analytics/$path"), 'dashboard', 401, undef, "$get no key");
    is_error(ask('GET', $path, undef, $key{sdk}), 'dashboard', 403, 'Forbidden', "$get a key of another role");
    is_error(ask('GET', "$path/bulk-delete"), 'dashboard', 405, 'Method not allowed', "$delete GET is not allowed");
}

# --- S1-40 … S1-46 -------------------------------------------------------------------------------------------
my $today = sql('SELECT (now() AT TIME ZONE \'UTC\')::date');
my @empty = (['submissions-daily', '[]'], ['by-project', '[]'], ['by-source', '[]'], ['by-engagement', '[]'], ['overview', '{"total_submissions":0,"avg_suspicion":0,"avg_engagement":0,"avg_time_to_submit":0}'], ['projects', '[]'], ['sources', '[]']);
says('GET', "engine/$$_[0]", undef, 200, $$_[1], "S1-4x $$_[0] empty") for @empty;
sql('INSERT INTO leadanalytics.lead (workspace, enquiry_at, name) VALUES ($1, now(), \'engine\')', $id);
sql('INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, project, source, score, suspicion, time_to_submit, payload)
     SELECT $1, (SELECT max(id) FROM leadanalytics.lead WHERE workspace = $1), date_trunc(\'day\', now(), \'UTC\') - days * interval \'1 day\', true, false, project, source, score, suspicion, tts, \'{}\'
     FROM (VALUES (0, \'Sky Towers\', \'WebSite\', 80, 10, 10.0), (0, \'Sky Towers\', \'Whatsapp\', 75, 15, 20.25), (29, \'Lake View\', \'WebSite\', 20, 0, NULL), (30, \'Old\', \'Old\', 50, 0, 1), (89, NULL, NULL, 0, 100, 1), (90, \'Older\', NULL, 0, 0, 1)) AS v (days, project, source, score, suspicion, tts)', $id);
my $day29 = sql('SELECT $1::date - 29', $today);
my %engine = (
    'submissions-daily' => ['S1-40', qq([{"day":"$day29","submissions":1},{"day":"$today","submissions":2}])],
    'by-project' => ['S1-41', '[{"project_name":"Sky Towers","submissions":2},{"project_name":"Lake View","submissions":1}]'],
    'by-source' => ['S1-42', '[{"source":"WebSite","submissions":2},{"source":"Whatsapp","submissions":1}]'],
    'by-engagement' => ['S1-43', '[{"engagement_label":"Very Hot","submissions":2,"avg_engagement_score":77.5},{"engagement_label":"Cold","submissions":1,"avg_engagement_score":20.0}]'],
    'overview' => ['S1-44', '{"total_submissions":3,"avg_suspicion":8.3,"avg_engagement":58.3,"avg_time_to_submit":15.1}'],
    'projects' => ['S1-45', '[{"project_name":"Lake View","submissions":1},{"project_name":"Sky Towers","submissions":2}]'],
    'sources' => ['S1-46', '[{"source":"WebSite","submissions":2},{"source":"Whatsapp","submissions":1}]']);
says('GET', "engine/$_", undef, 200, $engine{$_}[1], "$engine{$_}[0] $_") for sort keys %engine;
says('GET', "engine/$_", undef, 200, $engine{$_}[1], "$engine{$_}[0] $_ for marketing", $key{marketing}) for sort keys %engine;
is(json(ask('GET', "engine/overview?$$_[0]"))->{total_submissions}, $$_[1], "S1-44 $$_[0]")
    for ['days=1', 2], ['days=29', 2], ['days=30', 3], ['days=31', 4], ['days=90', 5], ['days=900', 5], ['days=0', 2], ['days=x', 3], ['days=', 3], ['project=sky%20towers', 2], ['source=WebSite', 2], ['project=Sky%20Towers&source=whatsapp', 1], ['project=Sky', 0], ['engagement_label=Very%20Hot', 2],
    ['engagement_label=cold', 1], ['engagement_label=x', 0], ['project=&source=&engagement_label=', 3];
says('GET', 'engine/by-project?days=90', undef, 200, '[{"project_name":"Sky Towers","submissions":2},{"project_name":"Lake View","submissions":1},{"project_name":"Old","submissions":1},{"project_name":null,"submissions":1}]', 'S1-41 what names none');
says('GET', 'engine/projects?days=90', undef, 200, '[{"project_name":"Lake View","submissions":1},{"project_name":"Old","submissions":1},{"project_name":"Sky Towers","submissions":2}]', 'S1-45 only named ones');
sql('ALTER SYSTEM SET leadanalytics.engine_enabled = off');
sql('SELECT pg_reload_conf()');
for (1 .. 50) { last if ask('GET', 'engine/overview')->{status} == 503; select undef, undef, undef, 0.1 }
says('GET', "engine/$_", undef, 503, '{"error":"Analytics Engine not configured"}', "D-23 $_: 503") for sort keys %engine;
is_error(request('GET', '/analytics/engine/overview'), 'dashboard', 401, undef, 'D-23 no key comes first');
sql('ALTER SYSTEM RESET leadanalytics.engine_enabled');
sql('SELECT pg_reload_conf()');
for (1 .. 50) { last if ask('GET', 'engine/overview')->{status} == 200; select undef, undef, undef, 0.1 }
is(ask('GET', 'engine/overview')->{status}, 200, 'D-23 on again');

# --- S1-50 … S1-54 -------------------------------------------------------------------------------------------
my $options = 'dropdown-options';
says('GET', $options, undef, 200, '{"source":[],"country":[],"project":[],"city":[]}', 'S1-50 empty');
my $r = ask('POST', $options, '{"kind":"source","value":"Website"}');
my $made = json($r)->{id};
is("$r->{status} $r->{body}", qq(201 {"id":$made,"kind":"source","value":"Website","label":"Website","sort_order":0}), 'S1-51 the label is the value');
my $second = json(ask('POST', $options, '{"kind":"source","value":"jl","label":"Just Lead","sort_order":-1}'))->{id};
ask('POST', $options, '{"kind":"city","value":"Website","sort_order":null}');
my $city = json(ask('GET', "$options?kind=city"))->{city}[0]{id};
my @o = (qq({"id":$second,"kind":"source","value":"jl","label":"Just Lead","sort_order":-1}), qq({"id":$made,"kind":"source","value":"Website","label":"Website","sort_order":0}), qq({"id":$city,"kind":"city","value":"Website","label":"Website","sort_order":0}));
says('GET', $options, undef, 200, qq({"source":[$o[0],$o[1]],"country":[],"project":[],"city":[$o[2]]}), 'S1-50 the whole body, by sort_order and label');
says('GET', "$options?kind=$$_[0]", undef, 200, $$_[1], "S1-50 kind=$$_[0]") for ['source', qq({"source":[$o[0],$o[1]]})], ['country', '{"country":[]}'], ['x', '{}'], ['', qq({"source":[$o[0],$o[1]],"country":[],"project":[],"city":[$o[2]]})];
says('POST', $options, $$_[0], 400, qq({"error":"$$_[1]"}), "S1-51 " . substr $$_[0], 0, 50)
    for ['{"kind":"source","value":"Website"}', 'Option already exists'], ['{"kind":"planet","value":"x"}', 'Invalid kind'], ['{"value":"x"}', 'kind is required'], ['{"kind":"city"}', 'value is required'], ['{"kind":"city","value":""}', 'Invalid value'], ['{"kind":"city","value":"' . 'x' x 201 . '"}', 'Invalid value'],
    ['{"kind":"city","value":"x","sort_order":"first"}', 'Invalid sort_order'], ['{"kind":"city","value":"x","sort_order":1.5}', 'Invalid sort_order'], ['[]', 'Invalid request body'];
says('GET', "$options/$made", undef, 200, $o[1], 'S1-52');
says('PATCH', "$options/$made", '{"label":"Web site","sort_order":7}', 200, qq({"id":$made,"kind":"source","value":"Website","label":"Web site","sort_order":7}), 'S1-53');
says('PATCH', "$options/$made", '{"value":"Web"}', 200, qq({"id":$made,"kind":"source","value":"Web","label":"Web site","sort_order":7}), 'S1-53 the value alone');
says('PATCH', "$options/$made", $$_[0], 400, qq({"error":"$$_[1]"}), "S1-53 $$_[0]") for ['{}', 'Invalid request body'], ['{"kind":"city"}', 'Invalid request body'], ['{"value":"jl"}', 'Option already exists'], ['{"value":""}', 'Invalid value'];
for my $method (qw(GET PATCH DELETE))
{
    says($method, "$options/999999999", $method eq 'PATCH' ? '{"label":"x"}' : undef, 404, '{"error":"Option not found"}', "$method no such option");
    says($method, "$options/$made", $method eq 'PATCH' ? '{"label":"x"}' : undef, 404, '{"error":"Option not found"}', "$method another workspace's", $foreign);
    says($method, "$options/x", $method eq 'PATCH' ? '{"label":"x"}' : undef, 400, '{"error":"Invalid option id"}', "$method x");
}
is_error(ask($$_[0], $$_[1], $$_[2], $key{marketing}), 'dashboard', 403, 'Forbidden', "S1-A3 marketing: no $$_[0] $$_[1]")
    for ['GET', $options], ['POST', $options, '{"kind":"city","value":"x"}'], ['GET', "$options/$made"], ['PATCH', "$options/$made", '{"label":"x"}'], ['DELETE', "$options/$made"];
says('DELETE', "$options/$made", undef, 200, '{"deleted":true}', 'S1-54');
says('DELETE', "$options/$made", undef, 404, '{"error":"Option not found"}', 'S1-54 again');
finish();
