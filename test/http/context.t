# Who asks is said by the key and the connection, and by nothing in the request.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my $text = key($id, 'marketing');
my $key = "Authorization: Bearer $text";
my $number = sql('SELECT id FROM leadanalytics.key WHERE workspace = $1', $id);

my @names = qw(workspace as_role actor_key client_ip user_agent origin referer request_id idempotency_key slice now);
functions(<<'SQL');
CREATE FUNCTION who(workspace int, as_role text, actor_key bigint, client_ip inet, user_agent text, origin text, referer text,
    request_id text, idempotency_key text, slice text, now timestamptz, word text DEFAULT 'none') RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('workspace', workspace, 'as_role', as_role, 'actor_key', actor_key, 'client_ip', client_ip,
        'user_agent', user_agent, 'origin', origin, 'referer', referer, 'request_id', request_id, 'idempotency_key', idempotency_key, 'slice', slice,
        'now', abs(extract(epoch FROM now - clock_timestamp())) < 60, 'word', word, 'user', current_user, 'session', session_user,
        'may', leadanalytics.may(workspace))
$$;
CREATE FUNCTION told() RETURNS json LANGUAGE sql AS $$ SELECT current_setting('request.headers')::json $$;
SQL
my @roles = (roles => '{marketing,public}');
route('GET', '/http-context', 'who', @roles, params => [['word']]);
route('POST', '/http-context', 'who', @roles, params => [['word', 'body']]);
route('GET', '/http-context/told', 'told', @roles);
# a path whose segments are called as the context is
route('GET', '/http-context/path/' . join('/', map { ":$_" } @names), 'who', @roles,
    params => [map { [$_, 'path', 'text', arg => 'word'] } 'now']);

my @mine = ($key, 'X-Request-Id: r1', 'User-Agent: agent/1', 'Origin: https://o.example', 'Referer: https://r.example/p', 'Idempotency-Key: i1', 'X-LA-Slice: bytes=0-9', 'Range: bytes=0-9');
my $truth = { workspace => $id, as_role => 'marketing', actor_key => $number, client_ip => '127.0.0.1', user_agent => 'agent/1',
    origin => 'https://o.example', referer => 'https://r.example/p', request_id => 'r1', idempotency_key => 'i1', slice => undef, now => JSON::PP::true(),
    word => 'none', user => 'postgres', session => 'leadanalytics_authenticator', may => JSON::PP::true() };
$truth->{user} = 'leadanalytics_owner';

sub who { my ($name, $r, %but) = @_; is_deeply(json($r), { %$truth, %but }, $name) or diag $r->{raw} }

who('the truth', request('GET', '/http-context', \@mine));
who('the truth of a POST', request('POST', '/http-context', \@mine, '{}'));

my %lie = (workspace => $other, as_role => 'admin', actor_key => 1, client_ip => '192.0.2.1', user_agent => 'liar', origin => 'https://liar.example',
    referer => 'https://liar.example/', request_id => 'liar', idempotency_key => 'liar', slice => 'bytes=0-9', now => '2001-01-01T00:00:00Z');
for my $name (@names)
{
    who("$name in the query", request('GET', "/http-context?$name=$lie{$name}", \@mine));
    who("$name in the query of a POST", request('POST', "/http-context?$name=$lie{$name}", \@mine, '{}'));
    who("$name in the body", request('POST', '/http-context', \@mine, qq({"$name":"$lie{$name}"})));
    who("$name in the body of a GET", request('GET', '/http-context', [@mine, 'Content-Type: application/json'], qq({"$name":"$lie{$name}"})));
}
who('all in the query', request('GET', '/http-context?' . join('&', map { "$_=$lie{$_}" } @names), \@mine));
who('all in the path', request('GET', '/http-context/path/' . join('/', map { $lie{$_} =~ s{/}{%2F}gr } @names), \@mine), word => $lie{now});
who('a listed parameter', request('GET', '/http-context?word=w', \@mine), word => 'w');

# No route may list one.
for my $name (@names)
{
    my $done = eval { sql("INSERT INTO leadanalytics.route_param (method, path, name, arg) VALUES ('GET', '/http-context', 'x', '$name')"); 1 };
    ok(!$done, "a route cannot bind $name") or sql("DELETE FROM leadanalytics.route_param WHERE name = 'x'");
}

# Every built-in GET answers the same with all of them, and a POST of track does not go elsewhere.
my $admin = 'Authorization: Bearer ' . key($id, 'admin');
for my $path (split /\n/, sql("SELECT path FROM leadanalytics.route WHERE builtin AND method = 'GET' AND path NOT LIKE '%:%' ORDER BY path"))
{
    my ($plain, $lied) = map { request('GET', "$path$_", [$admin])->{body} =~ s/"timestamp":"[^"]*"//gr } '', '?' . join '&', map { "$_=$lie{$_}" } @names;
    is($lied, $plain, "GET $path: no context from the query");
}

# Headers of the way behind nginx, sent by a client.
my @spoofed = ('X-LA-Method: DELETE', 'X-LA-Uri: /healthz', "X-LA-Auth: Bearer $text", "X-LA-Key: $text", 'X-LA-IP: 192.0.2.1', 'X-LA-Rid: liar',
    'X-LA-Agent: liar', 'X-LA-Origin: https://liar.example', 'X-LA-Referer: liar', 'X-LA-Idem: liar', 'X-Forwarded-For: 192.0.2.1', 'X-Real-IP: 192.0.2.1',
    'Forwarded: for=192.0.2.1', 'X-Client-IP: 192.0.2.1', 'True-Client-IP: 192.0.2.1', 'X-HTTP-Method-Override: DELETE', 'X-Method-Override: DELETE', 'X-HTTP-Method: DELETE',
    'X-Original-URL: /healthz', 'X-Rewrite-URL: /healthz', 'X-Accel-Redirect: /healthz', 'request.headers: {}', 'request.jwt.claims: {"role":"postgres"}',
    'x-la_ip: 192.0.2.1', 'X_LA_IP: 192.0.2.1', 'Cookie: workspace=2; role=postgres', 'Connection: X-LA-IP, X-LA-Rid');
who("spoofed: $_", request('GET', '/http-context', [@mine, $_])) for grep { !/^Connection/ } @spoofed;
who('spoofed: all', request('GET', '/http-context', [@mine, @spoofed]));
is(request('GET', '/http-context/path', \@spoofed)->{status}, 404, 'spoofed keys are none');
is(json(request('GET', '/http-context', \@spoofed))->{as_role}, 'public', 'spoofed keys give no role');

# The other way round: what the database is told is nginx's list and nothing else.
my $told = json(request('GET', '/http-context/told', [@mine, 'X-Own: 1', 'Cookie: a=b', 'Prefer: tx=rollback', 'Accept: text/csv', 'Range: bytes=0-1']));
is_deeply([sort keys %$told], [qw(accept content-type host x-la-agent x-la-auth x-la-idem x-la-ip x-la-method x-la-origin x-la-range x-la-referer x-la-rid x-la-uri)],
    'only listed headers reach PostgreSQL') or diag explain $told;

# --- PostgREST's roles ------------------------------------------------------------------------------------
my @door = split /\n/, sql("SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'leadanalytics_door'::regnamespace ORDER BY 1");
is_deeply(\@door, ['leadanalytics_door.handle_ro(bytea)', 'leadanalytics_door.handle_rw(bytea)'], 'the door is two functions');
sub may_execute
{
    return join ' ', split /\n/, sql(<<'SQL', @_);
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'http\_%' AND has_function_privilege($1, p.oid, 'EXECUTE') ORDER BY 1
SQL
}
sub may_touch
{
    return sql(<<'SQL', @_);
SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE, SELECT, UPDATE')
    WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES') END
SQL
}
sub may_create { return sql("SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp' AND has_schema_privilege(\$1, oid, 'CREATE')", @_) }
for my $role ('leadanalytics_anon', 'leadanalytics_authenticator')
{
    is(may_execute($role), $role =~ /anon/ ? "@door" : '', "$role may execute the door's two functions at most");
    is(may_touch($role), '', "$role may touch no table, view or sequence");
    is(may_create($role), '', "$role may create in no schema");
    is(sql('SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = $1', $role), 'f', "$role has no power of its own");
    is(sql("SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname <> \$1 AND pg_has_role(\$1, oid, 'MEMBER')", $role),
        $role =~ /anon/ ? '' : 'leadanalytics_anon', "$role is nobody else");
}
# these checks see what there is to see
like(may_execute('leadanalytics_admin'), qr/create_key/, 'control: an admin may execute more');
like(may_touch('leadanalytics_owner'), qr/leadanalytics\.key\b/, 'control: the owner may touch tables');
like(may_create('leadanalytics_owner'), qr/leadanalytics/, 'control: the owner may create');

# What PostgREST's role can say cannot make it somebody.
sub anon
{
    my ($settings, $call) = @_;
    return eval { sql_as('leadanalytics_authenticator', "BEGIN; SET ROLE leadanalytics_anon; $settings $call; COMMIT") } // $@;
}
my $headers = qq({"x-la-method":"GET","x-la-uri":"/http-context","x-la-rid":"r");
# The answer, and the body of an error, which travels as a header.
my $call = "SELECT convert_from(leadanalytics_door.handle_ro(''), 'UTF8'); "
    . "SELECT header->>'X-LA-Body' FROM json_array_elements(current_setting('response.headers')::json) AS header WHERE header->>'X-LA-Body' <> ''";
sub asked { return "SELECT set_config('request.headers', '$headers$_[0]}', true);" }
like(anon(asked(''), $call), qr/"workspace" : null|"workspace":null/, 'without a key: nobody');
for my $claim ("SET request.jwt.claims = '{\"role\":\"postgres\",\"workspace\":$id}';", "SET la.workspace = '$id'; SET app.workspace = '$id';", 'SET search_path = pg_temp, public;',
    'CREATE TEMP TABLE key (workspace int, role text, prefix text, digest bytea); SET search_path = pg_temp, public;')
{
    like(anon(asked('') . $claim, $call), qr/"workspace":null,"as_role":"public"/, 'nobody with: ' . substr $claim, 0, 60);
}
like(anon(asked(qq(,"x-la-key":"x","workspace":$id,"x-la-workspace":"$id")), $call), qr/"error":"Invalid API key"/, 'a wrong key is refused');
like(anon(asked(qq(,"x-la-auth":"Bearer $text")), $call), qr/"workspace":$id,"as_role":"marketing"/, 'control: a key is needed, and does');
like(anon('', $_), qr/permission denied|must be superuser|reserved prefix/, "refused: $_")
    for "SET leadanalytics.workspace = '$id'", "SET leadanalytics.as_role = 'admin'",
    'SELECT leadanalytics.may(1)', 'SELECT * FROM leadanalytics.key', 'SELECT leadanalytics.overview(1)', 'SELECT leadanalytics.create_key(1, $q$admin$q$)',
    'SET ROLE leadanalytics_owner', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'CREATE TABLE public.x ()', 'COPY (SELECT 1) TO PROGRAM $q$id$q$';
finish();
