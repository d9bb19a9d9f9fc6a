# POST /lead.capture over the wire: four content types, whose post it is, and one answer for all (L1 … L3).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(admin marketing capture sdk);
my $site = slug('site');
sql('SELECT leadanalytics.create_site($1, $2, \'{capture.example}\', $3)', $id, $site, 'https://capture.example/thanks?a=1&b=2');
sql('SELECT leadanalytics.create_form($1, $2, \'hero\'), leadanalytics.create_form($1, $2, \'own\', $3)', $id, $site, 'https://capture.example/own');

sub post
{
    my ($body, %how) = @_;
    my @headers = map { "$_: $how{$_}" } grep { /^[A-Z]/ } sort keys %how;
    push @headers, "X-API-Key: $key{$how{key} // 'capture'}" unless exists $how{key} && !defined $how{key};
    return request('POST', $how{path} // '/lead.capture', \@headers, $body);
}

# What was stored of the latest post.
sub latest { return sql('SELECT payload FROM leadanalytics.lead_submission WHERE workspace = $1 ORDER BY id DESC LIMIT 1', $id) }
sub posts { return sql('SELECT count(*) FROM leadanalytics.lead_submission WHERE workspace = $1', $id) }

sub answers
{
    my ($r, $status, $expect, $name) = @_;
    my $said = $r->{status} == 301 ? header($r, 'Location') : $r->{body};
    is("$r->{status} $said", "$status $expect", $name) or diag $r->{raw};
    is(header($r, 'Cache-Control'), 'no-store', "$name: not stored by caches");
    is_shaped($r, 'dashboard', "$name: in shape") if $status >= 400;
}

# --- L1 content types -------------------------------------------------------------------------------------
my $b = 'xYz-1';
my $multipart = sub { join '', map { "--$b\r\nContent-Disposition: form-data; name=\"$$_[0]\"$$_[2]\r\n\r\n$$_[1]\r\n" } map { [ @$_, ('') x (3 - @$_) ] } @_ };
my @cases = (
    ['JSON', 'application/json', '{"FIRSTNAME":"Zo\u00eb","PHONE":12345,"A":[1,2],"N":null,"T":true}', '{"FIRSTNAME":"Zoë","PHONE":"12345","A":"[1, 2]","T":"true"}'],
    ['JSON with a charset', 'Application/JSON; charset=utf-8', '{"FIRSTNAME":"a"}', '{"FIRSTNAME":"a"}'],
    ['urlencoded', 'application/x-www-form-urlencoded', 'FIRSTNAME=Zo%C3%AB+B&EMAIL=a%40b.example&E=&=x&FIRSTNAME=Last', '{"FIRSTNAME":"Last","EMAIL":"a@b.example","E":""}'],
    ['multipart', "multipart/form-data; boundary=$b", $multipart->(['FIRSTNAME', "Zo\xc3\xab"], ['EMPTY', ''], ['USER_MESSAGE', "two\r\nlines\r\n--not it\r\n--${b}x"]) . "--$b--\r\n",
        "{\"FIRSTNAME\":\"Zoë\",\"EMPTY\":\"\",\"USER_MESSAGE\":\"two\\r\\nlines\\r\\n--not it\\r\\n--${b}x\"}"],
    ['multipart, quoted boundary, preamble, epilogue, a file', "multipart/form-data; boundary=\"$b\"", "preamble\r\n" . $multipart->(['FIRSTNAME', 'f'], ['CV', "\x01\x02", '; filename="c.pdf"']) . "--$b-- \r\nepilogue",
        '{"FIRSTNAME":"f","CV":"c.pdf"}'],
    ['text/plain that is JSON', 'text/plain;charset=UTF-8', ' {"FIRSTNAME":"beacon"}', '{"FIRSTNAME":"beacon"}'],
    ['text/plain of a form', 'text/plain', "FIRSTNAME=a & b=c\r\nUSER_MESSAGE=two\r\nlines\r\n", '{"FIRSTNAME":"a & b=c","USER_MESSAGE":"two\nlines"}'],
    ['text/plain that is urlencoded', 'text/plain', 'FIRSTNAME=a+b&PHONE=1', '{"FIRSTNAME":"a b","PHONE":"1"}'],
    ['urlencoded that is JSON', 'application/x-www-form-urlencoded', '{"FIRSTNAME":"curl -d"}', '{"FIRSTNAME":"curl -d"}'],
    ['no content type', undef, 'FIRSTNAME=none', '{"FIRSTNAME":"none"}'],
);
for (@cases)
{
    my ($name, $type, $body, $payload) = @$_;
    answers(post($body, $type ? ('Content-Type' => $type) : ()), 200, '{"ok":true}', "L1 $name");
    is(latest(), $payload, "L1 $name: stored");
}
my $before = posts();
for (['JSON cut short', 'application/json', '{"FIRSTNAME":"a"'], ['JSON array', 'application/json', '["a"]'], ['JSON that is none', 'application/json', 'FIRSTNAME=a'], ['nothing', 'application/json', ''],
    ['empty object', 'application/json', '{}'], ['empty fields', 'application/x-www-form-urlencoded', 'FIRSTNAME=+&EMAIL='], ['a broken escape', 'application/x-www-form-urlencoded', 'FIRSTNAME=%zz'], ['not UTF-8', 'application/x-www-form-urlencoded', 'FIRSTNAME=%ff'],
    ['not UTF-8, raw', 'application/json', "{\"FIRSTNAME\":\"\xff\"}"], ['a byte 0', 'text/plain', "FIRSTNAME=\0"], ['too many fields', 'application/x-www-form-urlencoded', join '&', map { "f$_=1" } 1 .. 201], ['a name too long', 'text/plain', ('x' x 201) . '=1'],
    ['no boundary', 'multipart/form-data', $multipart->(['FIRSTNAME', 'x']) . "--$b--"], ['another boundary', 'multipart/form-data; boundary=other', $multipart->(['FIRSTNAME', 'x']) . "--$b--"],
    ['no end', "multipart/form-data; boundary=$b", $multipart->(['FIRSTNAME', 'x'])], ['cut short', "multipart/form-data; boundary=$b", "--$b\r\nContent-Disposition: form-da"],
    ['a part without a name', "multipart/form-data; boundary=$b", "--$b\r\nContent-Type: text/plain\r\n\r\nx\r\n--$b--"], ['a boundary too long', 'multipart/form-data; boundary=' . 'b' x 71, '--' . 'b' x 71 . '--'], ['no part', "multipart/form-data; boundary=$b", "--$b--"])
{
    is_error(post($$_[2], 'Content-Type' => $$_[1]), 'dashboard', 400, 'Invalid request body', "L1 400 $$_[0]");
}
is(posts(), $before, 'L1 400: nothing is stored');
post('FIRSTNAME=long&USER_MESSAGE=' . "%C3%AB" x 20000, 'Content-Type' => 'application/x-www-form-urlencoded');
is(sql('SELECT length(payload->>\'USER_MESSAGE\') FROM leadanalytics.lead_submission WHERE workspace = $1 ORDER BY id DESC LIMIT 1', $id), 8192, 'L1 a text too long is cut, at the end of a character');

# --- L2 whose post it is ----------------------------------------------------------------------------------
my $form = "siteKey=$site&formId=hero&FIRSTNAME=a";
is_error(post('FIRSTNAME=a', 'X-API-Key' => 'la_cap_0123', key => undef), 'dashboard', 401, 'Invalid API key', 'L2 an unknown key');
is_error(post('FIRSTNAME=a', key => $_), 'dashboard', 403, 'Forbidden', "L2 a key of another role: $_") for qw(marketing sdk);
answers(post('FIRSTNAME=a', key => 'admin'), 200, '{"ok":true}', 'L2 an admin key');
is_error(post('FIRSTNAME=a', key => undef), 'dashboard', 403, 'Forbidden', 'L2 neither key nor site');
is_error(post('siteKey=' . $site, key => undef, Origin => 'https://capture.example'), 'dashboard', 403, 'Forbidden', 'L2 no form');
is_error(post($form, key => undef), 'dashboard', 403, 'Forbidden', 'L2 from no page');
is_error(post($form, key => undef, Origin => 'https://evil.example'), 'dashboard', 403, 'Forbidden', 'L2 from a foreign page');
is_error(post($form, key => undef, Origin => 'null'), 'dashboard', 403, 'Forbidden', 'L2 from a sandboxed frame');
answers(post($form, key => undef, Origin => 'https://www.capture.example'), 301, 'https://capture.example/thanks?a=1&b=2', 'L2 by Origin');
answers(post($form, key => undef, Referer => 'https://capture.example/page?x=y'), 301, 'https://capture.example/thanks?a=1&b=2', 'L2 by Referer');
answers(post("siteKey=$site&formId=own&FIRSTNAME=a", key => undef, Origin => 'https://capture.example'), 301, 'https://capture.example/own', 'L3 the form\'s own page');
sql('SELECT leadanalytics.enable_form($1, $2, \'own\', false)', $id, $site);
is_error(post("siteKey=$site&formId=own&FIRSTNAME=a", key => undef, Origin => 'https://capture.example'), 'dashboard', 403, 'Forbidden', 'L2 a disabled form');
sql('SELECT leadanalytics.enable_site($1, $2, false)', $id, $site);
is_error(post($form, key => undef, Origin => 'https://capture.example'), 'dashboard', 403, 'Forbidden', 'L2 a disabled site');
sql('SELECT leadanalytics.enable_site($1, $2)', $id, $site);
my $r = post($form, key => undef, Origin => 'https://capture.example');
is(header($r, 'Access-Control-Allow-Origin'), 'https://capture.example', 'D-69 a page may read the answer');
is(request('OPTIONS', '/lead.capture', ['Origin: https://capture.example', 'Access-Control-Request-Method: POST'])->{status}, 204, 'D-69 preflight');
is_error(request('GET', '/lead.capture'), 'dashboard', 405, 'Method not allowed', 'GET is not allowed');

# --- L3 one answer for all, and no address of the client's ------------------------------------------------------
sub mask { my ($r) = @_; my $t = $r->{raw}; $t =~ s/^(Date|X-Request-Id):.*\r\n//mg; return $t }
my $ip = '127.0.0.1';
my $with = sub { return post("$form&$_[0]", key => undef, Origin => 'https://capture.example') };
my $normal = mask($with->('EMAIL=normal@x.example'));
is(mask($with->('EMAIL=normal@x.example&thank_you_url=https://evil.example&redirect=https://evil.example')), $normal, 'L3 a follow-up; a page that a post names is not gone to');
is(mask($with->('EMAIL=bot@x.example&__pg_hp=x')), $normal, 'L3 a bot');
is(sql('SELECT policy || \' \' || reason FROM leadanalytics.listed_ip WHERE workspace = $1 AND ip = $2', $id, $ip), 'blocked Honeypot', 'D-18 its address is blocked');
is(mask($with->('EMAIL=blocked@x.example')), $normal, 'L3 a blocked address');
sql('DELETE FROM leadanalytics.listed_ip WHERE workspace = $1', $id);
sql('SELECT leadanalytics.whitelist_ip($1, $2, usage => \'test\')', $id, $ip);
is(mask($with->('EMAIL=test@x.example')), $normal, 'L3 a test');
is(sql('SELECT string_agg(list || \' \' || email, \', \' ORDER BY id) FROM leadanalytics.rejected_lead WHERE workspace = $1', $id), 'blocked bot@x.example, blocked blocked@x.example, testing test@x.example', 'D-19 each where it belongs');
is(sql('SELECT count(*) FROM leadanalytics.lead WHERE workspace = $1 AND email IN (\'bot@x.example\', \'blocked@x.example\', \'test@x.example\')', $id), 0, 'D-19 none of them is a lead');
sql('DELETE FROM leadanalytics.listed_ip WHERE workspace = $1', $id);

# --- legacy addresses ---------------------------------------------------------------------------------------
for my $path ('/lead', '/')
{
    my $r = post('EMAIL=legacy@x.example', path => $path);
    answers($r, 200, '{"ok":true}', "L1 $path");
    is(join('|', map { header($r, $_) // '' } qw(X-Deprecated Sunset)), 'true|Fri, 31 Dec 2027 23:59:59 GMT', "L1 $path says that it ends");
}
is(header(post('EMAIL=legacy@x.example'), 'X-Deprecated'), undef, 'L1 /lead.capture does not');

# --- what comes twice under one Idempotency-Key is done once ---------------------------------------------------
my @twice = map { post($form . '&EMAIL=twice@x.example', key => undef, Origin => 'https://capture.example', 'Idempotency-Key' => 'k1') } 1, 2;
is(join(' ', map { "$_->{status} " . header($_, 'Location') } @twice), join(' ', ('301 https://capture.example/thanks?a=1&b=2') x 2), 'twice under one key: the same answer');
is(header($twice[1], 'Idempotency-Replayed'), 'true', 'the second is a replay');
is(sql('SELECT count(*) FROM leadanalytics.lead_submission WHERE workspace = $1 AND email = \'twice@x.example\'', $id), 1, 'and one post');

# --- one person, many posts at once -------------------------------------------------------------------------
my @status = map { answer($_)->{status} } map { start('POST', '/lead.capture', ["X-API-Key: $key{capture}"], "EMAIL=many\@x.example&PROJECT=P&__visitor_id=many$_") } 1 .. 12;
is("@status", join(' ', (200) x 12), 'twelve posts of one person at once are all taken');
is(sql('SELECT count(*) || \' \' || max(follow_ups_count) FROM leadanalytics.lead WHERE workspace = $1 AND email = \'many@x.example\'', $id), '1 11', 'and are one lead with eleven follow-ups');
finish();
