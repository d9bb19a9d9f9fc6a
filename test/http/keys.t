# Keys over the wire: what ends at once, what each role opens, and that nothing tells another workspace from none.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $other = workspace('other');
functions(<<'SQL');
CREATE TABLE thing (workspace int, id text);
GRANT SELECT ON thing TO leadanalytics_owner;
CREATE FUNCTION who(workspace int, as_role text) RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('workspace', workspace, 'as_role', as_role) $$;
CREATE FUNCTION one(workspace int, id text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM http_keys.thing t WHERE t.workspace = one.workspace AND t.id = one.id) THEN
        PERFORM leadanalytics.fail(404, 'Thing not found');
    END IF;
    RETURN json_build_object('id', id);
END $$;
SQL
sql('INSERT INTO http_keys.thing VALUES ($1, $2), ($3, $4)', $id, 'mine', $other, 'theirs');

# --- Revoke and rotate ------------------------------------------------------------------------------------
route('GET', '/http-keys', 'who', roles => '{sdk,public}');
route('GET', '/http-keys/closed', 'who', roles => '{admin}');
sub with { my ($key, $path) = @_; return request('GET', $path // '/http-keys/closed', ["Authorization: Bearer $key"]) }
sub id_of { return sql('SELECT leadanalytics.find_key($1)', @_) }
{
    my $key = key($id, 'admin');
    my $number = id_of($key);
    # every connection of the pool has seen it
    is(with($key)->{status}, 200, 'a key opens') for 1 .. 2;
    my @started = map { start('GET', '/http-keys/closed', ["X-API-Key: $key"]) } 1 .. 16;
    is(join(' ', map { answer($_)->{status} } @started), join(' ', (200) x 16), 'at once on many connections');
    sql('SELECT leadanalytics.revoke_key($1, $2)', $id, $number);
    @started = map { start('GET', '/http-keys/closed', ["X-API-Key: $key"]) } 1 .. 16;
    is(join(' ', map { answer($_)->{status} } @started), join(' ', (401) x 16), 'revoked: refused by the very next requests');
    is(with($key)->{body}, '{"error":"Invalid API key"}', 'as a key that never was');
    is(with($key, '/http-keys')->{status}, 401, 'a revoked key does not open a public route either');

    $key = key($id, 'sdk');
    my $new = sql('SELECT leadanalytics.rotate_key($1, $2)', $id, id_of($key));
    isnt($new, $key, 'rotate gives another');
    is(with($key, '/http-keys')->{status}, 401, 'the old one is refused');
    is_deeply(json(with($new, '/http-keys')), { workspace => $id, as_role => 'sdk' }, 'the new one is what the old one was');
}

# --- Nearly a key -------------------------------------------------------------------------------------------
{
    my $key = key($id, 'admin');
    my $last = substr $key, -1;
    my $wrong = with('nonsense');
    for my $near (substr($key, 0, -1) . ($last eq '0' ? '1' : '0'), substr($key, 0, -1), $key . '0', uc $key, "x$key", substr($key, 1), "$key\\", "$key'", "$key%", "$key --",
        'la_admin_' . '0' x 64, 'la_admin_', substr($key, 0, 21) . '%', $key =~ s/admin/mkt/r, $key =~ s/_/-/r, "' OR true --", 'Bearer ' . $key, "$key,$key", "$key$key", 'x' x 600, "$key\xc3\xa4", "$key\t")
    {
        my $r = with($near);
        is("$r->{status} $r->{body}", "401 $wrong->{body}", 'refused: ' . substr $near, 0, 40);
    }
    my $stripped = with("$key   ");
    is($stripped->{status}, 200, 'blanks after a header are no part of it');
    # S1-A5
    my $bad = 'X-API-Key: bad';
    is(request('GET', '/http-keys/closed', ["bEARER: x", "authorization: bEaReR   $key", $bad])->{status}, 200, 'S1-A5 Bearer wins, in any case');
    is(request('GET', '/http-keys/closed', ['Authorization: Bearer bad', "X-API-Key: $key"])->{status}, 401, 'S1-A5 also when it is wrong');
    is(request('GET', '/http-keys/closed', ["x-api-KEY: $key"])->{status}, 200, 'X-API-Key, in any case');
    is(request('GET', '/http-keys/closed', ["Authorization: $_", "X-API-Key: $key"])->{status}, 200, "another scheme is no key: $_") for 'Basic YTpi', 'Bearer', 'Bearerx y', '';
    is(request('GET', "/http-keys/closed?$_=$key")->{status}, 401, "no key in the query: $_") for qw(key api_key apikey X-API-Key access_token Authorization);
    is(request('POST', '/http-keys/closed', ['X-API-Key: bad', "X-API-Key: $key"])->{status} >= 400, 1, 'two X-API-Key');
}

# --- Roles (D-67) -------------------------------------------------------------------------------------------
my $member = sql("SELECT leadanalytics.create_member(\$1, 'a\@b.example')", $id);
my @roles = qw(admin marketing capture sdk agent live sandbox member tenant);
my %prefix = (admin => 'la_admin_', marketing => 'la_mkt_', capture => 'la_cap_', sdk => 'dk_', agent => 'dk_agent_', live => 'ldr_live_sk_', sandbox => 'ldr_sandbox_sk_',
    member => 'lnx_', tenant => 'la_ws_');
my %key = map { $_ => key($id, $_, $_ eq 'member' ? (member => $member) : ()) } @roles;
my $sandbox = sql('SELECT id FROM leadanalytics.workspace WHERE sandbox_of = $1', $id);
for my $role (@roles)
{
    like($key{$role}, qr/^\Q$prefix{$role}\E[0-9a-f]{64}$/, "D-67 $role: its prefix");
    route('GET', "/v1/http-keys-$role", 'who', family => 'engagement', roles => "{$role}");
}
route('GET', '/v1/http-keys-public', 'who', family => 'engagement', roles => '{public}');
for my $role (@roles)
{
    my @open = grep { request('GET', "/v1/http-keys-$_", ["X-API-Key: $key{$role}"])->{status} == 200 } @roles;
    is("@open", $role eq 'admin' ? "@roles" : $role, "D-67 $role opens its own");
    my ($foreign) = grep { $_ ne $role } reverse @roles;
    is_error(request('GET', "/v1/http-keys-$foreign", ["X-API-Key: $key{$role}"]), 'engagement', 403, 'Forbidden', "D-67 $role: 403 for $foreign") if $role ne 'admin';
    is_deeply(json(request('GET', "/v1/http-keys-$role", ["Authorization: Bearer $key{$role}"]))->{data}, { workspace => $role eq 'sandbox' ? $sandbox : $id, as_role => $role },
        "D-67 $role: its workspace and name");
}
is(request('GET', '/v1/http-keys-public')->{status}, 200, 'a public route without a key');

# --- Another workspace looks like none --------------------------------------------------------------------
sub same
{
    my ($name, $family, $foreign, $none) = @_;
    for ($foreign, $none)
    {
        $_->{plain} = "$_->{status}\n" . join("\n", sort grep { !/^(Date|X-Request-Id):/i } @{ $_->{lines} }) . "\n\n" . $_->{body} =~ s/"timestamp":"[^"]*"//r;
        is_shaped($_, $family, "$name: in shape");
    }
    is($foreign->{plain}, $none->{plain}, "$name: byte for byte the same");
}
my %bearer = map { $_ => ["Authorization: Bearer $key{$_}"] } @roles;
for (['activity', 'member', 403], ['campaigns', 'tenant', 404])
{
    my ($family, $role, $status) = @$_;
    my $path = family_path($family, 'http-keys', ':w');
    route($_, $path, 'who', family => $family, roles => "{$role}", params => [['w', 'path', 'workspace']]) for qw(GET POST);
    route('GET', "$path/:id", 'one', family => $family, roles => "{$role}", params => [['w', 'path', 'workspace'], ['id', 'path']]);
    my $ask = sub { my ($slug, $rest, $method) = @_; request($method // 'GET', family_path($family, 'http-keys' . ($rest // ''), $slug), $bearer{$role}) };
    is_success($ask->(slug()), $family, 200, "$family: the own workspace");
    is_success($ask->(slug(), '/mine'), $family, 200, "$family: the own thing");
    my $none = $ask->(slug('none'));
    is($none->{status}, $status, "$family: a workspace that does not exist");
    same("$family: another workspace", $family, $ask->(slug('other')), $none);
    same("$family: a POST to it", $family, $ask->(slug('other'), '', 'POST'), $ask->(slug('none'), '', 'POST'));
    same("$family: a thing in it", $family, $ask->(slug('other'), '/theirs'), $ask->(slug('none'), '/theirs'));
    same("$family: its number for its name", $family, $ask->($other), $ask->('999999'));
    same("$family: our own number", $family, $ask->($id), $ask->('999999'));
    same("$family: its sandbox", $family, $ask->(slug() . '-sandbox'), $none);
    same("$family: another's thing in ours", $family, $ask->(slug(), '/theirs'), $ask->(slug(), '/nothing'));
    same("$family: case", $family, $ask->(uc slug()), $none);
    same("$family: 405 of another", $family, $ask->(slug('other'), '', 'DELETE'), $ask->(slug('none'), '', 'DELETE'));
    same("$family: a role that may not", $family, request('GET', family_path($family, 'http-keys', slug('other')), $bearer{sdk}),
        request('GET', family_path($family, 'http-keys', slug('none')), $bearer{sdk}));
    same("$family: no key", $family, request('GET', family_path($family, 'http-keys', slug('other'))), request('GET', family_path($family, 'http-keys', slug('none'))));
}
finish();
