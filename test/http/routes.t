# Rows of leadanalytics.route that are wrong harm themselves only; a changed row is seen by the next request.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
functions(<<'SQL');
CREATE FUNCTION fine(word text DEFAULT 'none') RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('word', word) $$;
CREATE FUNCTION twice(a int) RETURNS json LANGUAGE sql AS $$ SELECT '1'::json $$;
CREATE FUNCTION twice(a text) RETURNS json LANGUAGE sql AS $$ SELECT '1'::json $$;
CREATE FUNCTION rows() RETURNS SETOF json LANGUAGE sql AS $$ SELECT '1'::json UNION ALL SELECT '2' $$;
CREATE FUNCTION norow() RETURNS SETOF json LANGUAGE sql AS $$ SELECT '1'::json WHERE false $$;
CREATE FUNCTION nothing() RETURNS json LANGUAGE sql AS $$ SELECT NULL::json $$;
CREATE FUNCTION asjsonb() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"b": 1, "a": [true, null]}'::jsonb $$;
CREATE FUNCTION nonsense() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE FUNCTION broken(word text DEFAULT nonsense()) RETURNS json LANGUAGE sql AS $$ SELECT to_json(word) $$;
CREATE FUNCTION odd(workspace text) RETURNS json LANGUAGE sql AS $$ SELECT '1'::json $$;
CREATE FUNCTION "Quoted name"("Word" text, "select" int DEFAULT 1) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('Word', "Word", 'select', "select") $$;
SQL
functions('CREATE FUNCTION many(' . join(', ', map { "a$_ int DEFAULT 0" } 1 .. 41) . ') RETURNS json LANGUAGE sql AS $$ SELECT \'1\'::json $$');

route('GET', '/v1/http-routes/fine', 'fine', family => 'engagement', params => [['word']]);
my %wrong = (
    missing => ['gone'], nowhere => ['gone'], overloaded => ['twice'], rows => ['rows'], none => ['norow'], long => ['gone', [map { ["a$_"] } 1 .. 60]], broken => ['broken', [['word']]],
    odd => ['odd'], extra => ['fine', [['word'], ['not_an_argument']]], type => ['fine', [['word', 'query', 'int', fallback => 1]]], many => ['many', [map { ["a$_", 'query', 'int'] } 1 .. 41]],
);
for my $name (sort keys %wrong)
{
    my ($function, $params) = @{ $wrong{$name} };
    route('GET', "/v1/http-routes/$name", $function, family => 'engagement', params => $params || []);
    sql("UPDATE leadanalytics.route SET function = 'nowhere.f' WHERE path = '/v1/http-routes/nowhere'") if $name eq 'nowhere';
    my $r = request('GET', "/v1/http-routes/$name", [$key]);
    $name eq 'rows' ? is_shaped($r, 'engagement', "$name: in shape") : is_error($r, 'engagement', 500, 'Internal server error', "$name: its own 500");
    is(request('GET', '/v1/http-routes/fine?word=w', [$key])->{status}, 200, "$name: the others go on");
    is(request('GET', '/openapi.json')->{status}, 200, "$name: the document too");
}

# What no row can say.
sub refused
{
    my ($name, $path, @param) = @_;
    my $done = eval { route('GET', $path, 'fine', params => [@param]); 1 };
    ok(!$done, "refused: $name") or sql("DELETE FROM leadanalytics.route WHERE path = '$path'");
    sql("DELETE FROM leadanalytics.route WHERE path = '$path'");
}
refused('a parameter of a path that has none', '/http-routes-a', ['word', 'path']);
refused('a parameter that is part of a name', '/http-routes-b/:words', ['word', 'path']);
refused('a workspace that is not in the path', '/http-routes-c', ['w', 'query', 'workspace']);
refused('a path without a slash', 'http-routes-d');
refused('a path with a query', '/http-routes-e?x');
refused('an escaped path', '/http-routes-%20');
ok(!eval { route('POST', '/http-routes-g', 'fine', sliced => 1); 1 }, 'refused: a POST whose answer is sliced');
ok(!eval { route('GET', '/http-routes-g', 'fine', sliced => 1, writes => 1); 1 }, 'refused: one that writes');
refused('an unknown type', '/http-routes-f', ['word', 'query', 'money']);

# What a function may return.
route('GET', "/http-routes/$_", $_) for qw(nothing asjsonb);
is(request('GET', '/http-routes/nothing', [$key])->{body}, 'null', 'null is null');
is(request('GET', '/http-routes/asjsonb', [$key])->{body}, '{"a":[true,null],"b":1}', 'jsonb');
route('GET', '/http-routes/quoted', 'Quoted name', params => [['Word'], ['select', 'query', 'int']]);
is(request('GET', '/http-routes/quoted?Word=x&select=2', [$key])->{body}, '{"Word":"x","select":2}', 'names that need quotes');

# Literals win over parameters, at the first place they differ (D-16).
route('GET', '/http-routes/at/:word/end', 'fine', params => [['word', 'path']]);
route('GET', '/http-routes/at/fixed/:word', 'fine', params => [['word', 'path']]);
is(request('GET', '/http-routes/at/fixed/end', [$key])->{body}, '{"word":"end"}', 'a literal wins');
is(request('GET', '/http-routes/at/other/end', [$key])->{body}, '{"word":"other"}', 'a parameter else');

# Every connection sees a change with its next request.
for my $round (1 .. 3)
{
    route('GET', '/http-routes/here', 'fine');
    my @started = map { start('GET', '/http-routes/here', [$key]) } 1 .. 12;
    is(join(' ', map { answer($_)->{status} } @started), join(' ', (200) x 12), "round $round: there");
    sql("DELETE FROM leadanalytics.route WHERE path = '/http-routes/here'");
    @started = map { start('GET', '/http-routes/here', [$key]) } 1 .. 12;
    is(join(' ', map { answer($_)->{status} } @started), join(' ', (404) x 12), "round $round: gone");
}
functions("CREATE OR REPLACE FUNCTION fine(word text DEFAULT 'changed') RETURNS json LANGUAGE sql AS \$\$ SELECT json_build_object('now', word) \$\$;");
is_deeply(is_success(request('GET', '/v1/http-routes/fine', [$key]), 'engagement', 200, 'a function replaced'), { now => 'changed' }, 'and its default');
finish();
