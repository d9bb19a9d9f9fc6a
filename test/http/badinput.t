# Bad input, one kind after the other: a clear error in the family's shape or a plain correct answer, and nothing hurt.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $text = key($id, 'admin');
my $key = "Authorization: Bearer $text";

functions(<<'SQL');
CREATE TABLE got (word text, count int, big bigint, num float8, flag boolean, day date, moment timestamptz, id uuid, ip inet, tree json);
GRANT ALL ON got TO leadanalytics_owner;
CREATE FUNCTION take(word text, count int, big bigint, num float8, flag boolean, day date, moment timestamptz, id uuid, ip inet, tree json) RETURNS json LANGUAGE sql AS $$
    INSERT INTO http_badinput.got VALUES (word, count, big, num, flag, day, moment, id, ip, tree);
    SELECT json_strip_nulls(json_build_object('word', word, 'count', count, 'big', big, 'num', num, 'flag', flag, 'day', day, 'moment', moment, 'id', id, 'ip', ip, 'tree', tree))
$$;
CREATE FUNCTION see(word text, count int, big bigint, num float8, flag boolean, day date, moment timestamptz, id uuid, ip inet, tree json) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_strip_nulls(json_build_object('word', word, 'count', count, 'big', big, 'num', num, 'flag', flag, 'day', day, 'moment', moment, 'id', id, 'ip', ip, 'tree', tree))
$$;
CREATE FUNCTION size(document json) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('size', octet_length(document::text), 'type', json_typeof(document)) $$;
CREATE FUNCTION context(user_agent text, origin text, referer text, idempotency_key text, request_id text) RETURNS json LANGUAGE sql AS $$
    SELECT json_strip_nulls(json_build_object('user_agent', user_agent, 'origin', origin, 'referer', referer, 'idempotency_key', idempotency_key))
$$;
SQL
my @types = (['word', 'text'], ['count', 'int'], ['big', 'bigint'], ['num', 'number'], ['flag', 'boolean'], ['day', 'date'], ['moment', 'timestamp'], ['id', 'uuid'], ['ip', 'ip'], ['tree', 'json']);
my %at = (dashboard => '/analytics/http-badinput', engagement => '/v1/http-badinput', campaigns => '/api/v1/workspaces/http-badinput/http-badinput', activity => '/api/workspaces/http-badinput/http-badinput',
    public => '/api/v1/http-badinput', plain => '/http-badinput');
for my $family (@families)
{
    my $path = $at{$family} =~ s{workspaces/http-badinput}{workspaces/:w}r;
    my @w = $path =~ /:w/ ? (['w', 'path', 'workspace']) : ();
    my @more = (family => $family);
    route('POST', $path, 'take', @more, params => [@w, map { [$_->[0], 'body', $_->[1]] } @types]);
    route('GET', $path, 'see', @more, params => [@w, map { [$_->[0], 'query', $_->[1]] } @types]);
    route('GET', "$path/:word", 'see', @more, params => [@w, ['word', 'path'], map { [$_->[0], 'query', $_->[1]] } @types[1 .. $#types]]);
    route('PUT', $path, 'size', @more, params => [@w, ['document', 'document', 'json']]);
}
route('POST', '/track/http-badinput', 'size', family => 'dashboard', params => [['document', 'document', 'json']]);
route('GET', '/http-badinput-context', 'context');

# Each answer passes this: an intended status, in the family's shape.
sub clear
{
    my ($name, $r, $family, @statuses) = @_;
    my @faults = shape_faults($r, $family);
    push @faults, "status $r->{status}, not " . join ' or ', @statuses unless grep { $_ == $r->{status} } @statuses;
    ok(!@faults, $name) or diag(join "\n", @faults, substr $r->{raw}, 0, 600);
    return $r;
}
sub bad { my ($family) = @_; return $family eq 'engagement' ? 422 : 400 }
sub data { my ($r) = @_; my $j = json($r); return ref $j eq 'HASH' && ref $j->{data} ? $j->{data} : $j }

# --- Bodies ------------------------------------------------------------------------------------------------
for my $family (@families)
{
    my $post = sub { request('POST', $at{$family}, [$key, 'Content-Type: application/json'], $_[0]) };
    my %malformed = ('an open brace' => '{', 'nothing but a word' => 'word', 'two values' => '{} {}', 'a comma too many' => '{"word":"a",}', 'single quotes' => q({'word':'a'}),
        'a control character' => qq({"word":"a\x01b"}), 'a scalar' => '1', 'a string' => '"x"', 'null' => 'null', 'an array' => '[]', 'an array of objects' => '[{"word":"a"}]', 'blanks' => '  ',
        'a NUL' => qq({"word":"a\0b"}), 'a NUL alone' => "\0", 'invalid UTF-8' => qq({"word":"\xff"}), 'overlong UTF-8' => qq({"word":"\xc0\xaf"}), 'a surrogate in UTF-8' => qq({"word":"\xed\xa0\x80"}),
        'UTF-16' => "\xff\xfe{\0}\0", 'a form' => 'word=a&count=1', 'XML' => '<a/>', 'gzip' => "\x1f\x8b\x08\0\0", 'depth 65' => '[' x 65 . ']' x 65, 'depth 1 001' => '[' x 1001 . ']' x 1001,
        'depth 1 001 of objects' => '{"a":' x 1001 . '1' . '}' x 1001, 'an unclosed depth of 100 000' => '[' x 100_000);
    my @some = $family eq 'dashboard' || $family eq 'engagement' ? sort keys %malformed : ('an open brace', 'an array', 'a NUL', 'depth 1 001');
    clear("$family: $_", $post->($malformed{$_}), $family, bad($family)) for @some;
    clear("$family: no body", $post->(''), $family, 200);
    clear("$family: a BOM", $post->("\xef\xbb\xbf{}"), $family, bad($family), 200) if $family eq 'dashboard';
}
is(sql('SELECT count(*) FROM http_badinput.got WHERE word IS NOT NULL'), 0, 'nothing of them was taken');
for my $where ('tree', 'document')
{
    my ($open, $close) = $where eq 'tree' ? ('{"tree":', '}') : ('', '');
    my $method = $where eq 'tree' ? 'POST' : 'PUT';
    clear("$where: depth 60", request($method, $at{dashboard}, [$key], $open . '[' x 60 . ']' x 60 . $close), 'dashboard', 200);
    clear("$where: depth 1 001", request($method, $at{dashboard}, [$key], $open . '[' x 1001 . ']' x 1001 . $close), 'dashboard', 400);
    clear("$where: depth 1 000 000", request($method, $at{dashboard}, [$key], $open . '[' x 500_000 . ']' x 500_000 . $close), 'dashboard', 400);
    clear("$where: a number beyond float8", request($method, $at{dashboard}, [$key], $open . '1e999999' . $close), 'dashboard', $where eq 'tree' ? 400 : 200);
}
is(data(request('POST', $at{dashboard}, [$key], '{"word":"a\u0000b \ud800 \ud83d\ude00"}'))->{word}, "a\x{fffd}b \x{fffd} \x{1f600}", 'escapes that text cannot hold');

# Sizes: exactly at the limit, and one byte more.
for (['PUT', $at{engagement}, 'engagement', 1 << 20], ['POST', '/track/http-badinput', 'dashboard', 8 << 20])
{
    my ($method, $path, $family, $limit) = @$_;
    my $whole = '"' . 'x' x ($limit - 2) . '"';
    my $r = clear("$path: exactly $limit bytes", request($method, $path, [$key], $whole), $family, 200);
    is(data($r)->{size}, $limit, "$path: all of it arrived");
    clear("$path: one byte more", request($method, $path, [$key], $whole . ' '), $family, 413);
    my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } "$whole " =~ /(.{1,60000})/gs;
    clear("$path: one byte more in chunks", request($method, $path, [$key, 'Transfer-Encoding: chunked'], $chunked . "0\r\n\r\n"), $family, 413);
    clear("$path: a Content-Length too large, and no body", request($method, $path, [$key, 'Content-Length: ' . ($limit + 1)], ''), $family, 413);
}
clear('a batch limit is not for others: 8m', request('PUT', '/analytics/http-badinput?/track', [$key], 'x' x (1 << 20) . 'y'), 'dashboard', 413);

# --- Values ------------------------------------------------------------------------------------------------
my %value = (
    count => [['-1', 200], ['2147483647', 200], ['2147483648', 400], ['-2147483649', 400], ['9223372036854775808', 400], ['1e308', 400], ['1.5', 400], ['0x10', 400], ['%20', 400], ['1%00', 400], ['', 200], ['١', 400]],
    big => [['9223372036854775807', 200], ['9223372036854775808', 400], ['-9223372036854775808', 200], ['1e308', 400], ['99999999999999999999999999', 400]],
    num => [['1e308', 200], ['1e309', 400], ['-1e308', 200], ['NaN', 400], ['Infinity', 400], ['1' x 400, 400], ['', 200], ['--1', 400], ['1e', 400]],
    flag => [['true', 200], ['TRUE', 400], ['2', 400], ['null', 400], ['', 200]],
    day => [['2024-02-29', 200], ['2026-02-30', 400], ['0000-01-01', 400], ['9999-12-31', 200], ['infinity', 400], ['now', 400], ['today', 400], ['2026-1-1', 400], ['', 200]],
    moment => [['2026-03-16T14:30:45Z', 200], ['9999-12-31T23:59:59Z', 200], ['epoch', 400], ['-infinity', 400], ['2026-03-16T24:00:01Z', 400], ['allballs', 400], ['2026-03-16T14:30:45+99:99', 400]],
    id => [['5f0a4e5c-5a1e-4a7e-9df5-0d8f0f6f8b11', 200], ['{5f0a4e5c-5a1e-4a7e-9df5-0d8f0f6f8b11}', 400], ['0', 400], ['5f0a4e5c5a1e4a7e9df50d8f0f6f8b11', 400]],
    ip => [['127.1', 400], ['::1', 200], ['::ffff:1.2.3.4', 200], ['1.2.3.4/33', 400], ['fe80::1%25eth0', 400], ['1.2.3.4;5', 400], ['0x7f.1', 400]],
    tree => [['{}', 200], ['{', 400], ['1e999999', 400], ['[' x 100, 400], ['"\\u0000"', 200]],
);
for my $name (sort keys %value)
{
    for (@{ $value{$name} })
    {
        my ($value, $status) = @$_;
        utf8::encode($value) if utf8::is_utf8($value);
        my $sent = $value =~ s/([^!-~])/sprintf '%%%02X', ord $1/ger =~ s/\+/%2B/gr;
        my $short = length $value > 40 ? substr($value, 0, 40) . '…' : $value;
        clear("query $name=$short", request('GET', "$at{dashboard}?$name=$sent", [$key]), 'dashboard', $status);
        next if $value =~ /%/ || $name eq 'tree';
        my $in_body = $status == 200 && $value eq '' ? ($name eq 'word' ? 200 : 400) : $status;
        clear("body $name=\"$short\"", request('POST', $at{dashboard}, [$key], qq({"$name":"$value"})), 'dashboard', $in_body);
    }
    for my $json ('[]', '{}', '[1]', 'true', '-1e400', '""', '"\u0000"', '1e308', '-0', '0.1')
    {
        clear("body $name is $json", request('POST', $at{engagement}, [$key], qq({"$name":$json})), 'engagement', 200, 422);
    }
    clear("body $name is null", request('POST', $at{engagement}, [$key], qq({"$name":null})), 'engagement', 200);
}

# SQL in every text that a request can carry is text.
for my $sql ("'; DROP TABLE http_badinput.got; --", "' OR '1'='1", '"); SELECT pg_sleep(9); --', '$$; COMMIT; $$', "\\'; SELECT 1; --", '${jndi:x}', "%'", "E'\\x27'")
{
    my $sent = $sql =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
    my $quoted = JSON::PP->new->allow_nonref->encode($sql);
    is(data(clear("SQL in a query: $sql", request('GET', "$at{dashboard}?word=$sent", [$key]), 'dashboard', 200))->{word}, $sql, 'arrives as it is');
    is(data(clear("SQL in a path: $sql", request('GET', "$at{dashboard}/$sent", [$key]), 'dashboard', 200))->{word}, $sql, 'arrives as it is');
    is(data(clear("SQL in a body: $sql", request('POST', $at{dashboard}, [$key], qq({"word":$quoted})), 'dashboard', 200))->{word}, $sql, 'arrives as it is');
    my @fields = map { $_->[0] } grep { $_->[0] ne 'word' } @types;
    clear("SQL in query $_", request('GET', "$at{dashboard}?$_=$sent", [$key]), 'dashboard', 400) for @fields;
    clear("SQL in body $_", request('POST', $at{dashboard}, [$key], qq({"$_":$quoted})), 'dashboard', $_ eq 'tree' ? 200 : 400) for @fields;
    clear("SQL in a name: $sql", request('GET', "$at{dashboard}?$sent=1", [$key]), 'dashboard', 200);
    clear("SQL in a member's name: $sql", request('POST', $at{dashboard}, [$key], qq({$quoted:1})), 'dashboard', 200);
    clear("SQL in a workspace: $sql", request('GET', family_path('campaigns', 'http-badinput', $sent), [$key]), 'campaigns', 404);
    clear("SQL in a key: $sql", request('GET', $at{dashboard}, ["X-API-Key: $sql"]), 'dashboard', 401);
    clear("SQL in headers: $sql", request('GET', $at{dashboard}, [$key, map { "$_: $sql" } qw(User-Agent Origin Referer Idempotency-Key X-Request-Id Range Accept-Language Content-Type)]), 'dashboard', 200);
}
is(sql("SELECT to_regclass('http_badinput.got') IS NOT NULL"), 't', 'the table stands');

# --- Paths and queries ------------------------------------------------------------------------------------
for my $family (@families)
{
    my $path = $at{$family};
    clear("$family: %00 in the path", request('GET', "$path/a%00b", [$key]), $family, 400);
    clear("$family: %00 in the query", request('GET', "$path?word=a%00b", [$key]), $family, bad($family));
    clear("$family: invalid UTF-8 escaped in the path", request('GET', "$path/%ff%fe", [$key]), $family, 400);
    clear("$family: invalid UTF-8 escaped in the query", request('GET', "$path?word=%ff", [$key]), $family, bad($family));
    clear("$family: invalid UTF-8 raw in the path", request('GET', "$path/\xff", [$key]), $family, 400);
    clear("$family: UTF-8 raw in the query", request('GET', "$path?word=\xc3\xa4", [$key]), $family, 400);
    clear("$family: a broken escape in the path", request('GET', "$path/%zz", [$key]), $family, 400);
    clear("$family: half an escape at the end", request('GET', "$path/%e", [$key]), $family, 400);
    clear("$family: a broken escape in the query", request('GET', "$path?word=%zz", [$key]), $family, bad($family));
    clear("$family: .. is a segment", request('GET', "$path/..", [$key]), $family, 200);
    clear("$family: %2e%2e is a segment", request('GET', "$path/%2e%2e", [$key]), $family, 200);
    clear("$family: .. does not leave", request('GET', "$path/../http-badinput", [$key]), $family, 404);
    clear("$family: // is another path", request('GET', "$path//", [$key]), $family, 404);
    clear("$family: a slash at the end", request('GET', "$path/", [$key]), $family, 404);
    clear("$family: %2F is data", request('GET', "$path/a%2Fb", [$key]), $family, 200);
    clear("$family: a URI of 8 192 bytes", request('GET', "$path?word=" . 'x' x (8192 - length "$path?word="), [$key]), $family, 200);
    clear("$family: a URI of 8 193 bytes", request('GET', "$path?word=" . 'x' x (8193 - length "$path?word="), [$key]), $family, 414);
    clear("$family: a URI of 9 000 bytes", request('GET', "$path?" . 'x' x 9000, [$key]), $family, 414);
    clear("$family: 2 000 segments", request('GET', $path . '/a' x 2000, [$key]), $family, 404);
    clear("$family: 2 000 parameters", request('GET', "$path?" . join('&', map { "a$_=1" } 1 .. 1000), [$key]), $family, 200);
}
clear('a URI of 20 000 bytes', request('GET', '/v1/' . 'x' x 20_000, [$key]), 'engagement', 414);
clear('a URI of 100 000 bytes', request('GET', '/v1/' . 'x' x 100_000, [$key]), 'engagement', 414);
clear('.. above the root', request('GET', '/../../etc/passwd', [$key]), 'plain', 400, 404);
clear('// at the start', request('GET', '//v1/http-badinput', [$key]), 'plain', 404);
clear("a backslash", request('GET', '/v1\http-badinput', [$key]), 'plain', 404);
clear('a fragment', request('GET', "$at{dashboard}#x", [$key]), 'dashboard', 404);
clear('a dot segment before a family', request('GET', '/./v1/http-badinput', [$key]), 'plain', 404);
is(data(request('GET', "$at{dashboard}/..", [$key]))->{word}, '..', '.. is data');
is(data(request('GET', "$at{dashboard}/a%2Fb", [$key]))->{word}, 'a/b', '%2F is data');

# --- Headers ---------------------------------------------------------------------------------------------
for my $name (qw(User-Agent Origin Referer Idempotency-Key X-Request-Id Range Accept-Language Content-Type Content-Encoding Access-Control-Request-Method Accept Cookie Host))
{
    my @own = $name eq 'Host' ? () : ();
    for my $bytes ("\xff\xfe", "a\x01b", "a\tb", '', 'x' x 9000, "\xe2\x28\xa1", "a\x7fb", '"\\\'{}')
    {
        my $r = request('GET', '/http-badinput-context', [$key, "$name: $bytes"]);
        my $printed = unpack 'H16', $bytes;
        my @faults = grep { $_ } shape_faults($r, 'plain');
        ok(!@faults && ($r->{status} == 200 || $r->{status} == 400 && $name eq 'Host'), "$name with bytes $printed") or diag join "\n", @faults, $r->{raw};
    }
}
is(data(request('GET', '/http-badinput-context', [$key, "User-Agent: good \xff bad"]))->{user_agent}, 'good ', 'cut at the first bad byte');
is_deeply(data(request('GET', '/http-badinput-context', [$key, "Origin: https://a.example\xff"])), {}, 'half an origin is none');
clear("a key with bytes", request('GET', $at{dashboard}, ["$_\xff"]), 'dashboard', 401) for $key, "X-API-Key: $text";
clear('no key', request('GET', $at{dashboard}), 'dashboard', 401);
clear('a key one character off', request('GET', $at{dashboard}, [substr $key, 0, -1]), 'dashboard', 401);
clear('two Authorization', request('GET', $at{dashboard}, [$key, $key]), 'dashboard', 400, 401);
clear('two Authorization, one wrong', request('GET', $at{dashboard}, ['Authorization: Bearer x', $key]), 'dashboard', 400, 401);
clear('two X-API-Key, the first wrong', request('GET', $at{dashboard}, ['X-API-Key: x', "X-API-Key: $text"]), 'dashboard', 400, 401);
clear('two Host', request('GET', $at{dashboard}, [$key, 'Host: a', 'Host: b']), 'dashboard', 400);
clear('two Content-Length', request('POST', $at{dashboard}, [$key, 'Content-Length: 2', 'Content-Length: 3'], '{} '), 'dashboard', 400);
clear('no Host', scalar raw("GET $at{dashboard} HTTP/1.1\r\n$key\r\nConnection: close\r\n\r\n"), 'dashboard', 400);
clear('HTTP/1.0', scalar raw("GET $at{dashboard} HTTP/1.0\r\n$key\r\n\r\n"), 'dashboard', 200);
clear('60 KB of headers', request('GET', $at{dashboard}, [$key, map { "X-Fill-$_: " . 'x' x 1000 } 1 .. 60]), 'dashboard', 200, 431);
clear('120 KB of headers', request('GET', $at{dashboard}, [$key, map { "X-Fill-$_: " . 'x' x 1000 } 1 .. 120]), 'dashboard', 400, 431);
clear('a header of 20 KB', request('GET', $at{engagement}, [$key, 'X-Fill: ' . 'x' x 20_000]), 'engagement', 431);
clear('a header without a colon', request('GET', $at{dashboard}, [$key, 'nonsense']), 'dashboard', 200, 400);
clear('a header without a name', request('GET', $at{dashboard}, [$key, ': x']), 'dashboard', 200, 400);
clear('a blank before the colon', request('GET', $at{dashboard}, [$key, 'X-Evil : x']), 'dashboard', 200, 400);
clear('a folded header', request('GET', $at{dashboard}, [$key, "X-Evil: a\r\n b"]), 'dashboard', 200, 400);
clear('a NUL in a header', request('GET', $at{dashboard}, [$key, "X-Evil: a\0b"]), 'dashboard', 400);

# CRLF: no header and no request is made of data.
for my $uri ("$at{dashboard}?word=a%0d%0aX-Evil:%201", "$at{dashboard}/a%0d%0aX-Evil:%201%0d%0a%0d%0abody", '/x%0d%0aX-Evil:%201', "/v1/%0d%0a")
{
    my $r = request('GET', $uri, [$key, 'Origin: https://a.example%0d%0aX-Evil: 1', 'X-Request-Id: a%0d%0aX-Evil: 1']);
    ok($r->{status} && !defined header($r, 'X-Evil'), "CRLF in $uri") or diag $r->{raw};
    is(scalar(() = $r->{raw} =~ m{HTTP/1\.1 \d}g), 1, 'one answer');
}

# --- The line and the framing -------------------------------------------------------------------------------
my %line = ('GET http://evil.example?x=1 HTTP/1.1' => 400, 'GET http://evil.example HTTP/1.1' => 405, "GET http://evil.example$at{plain} HTTP/1.1" => 200, "FOO $at{plain} HTTP/1.1" => 405,
    "TRACE $at{plain} HTTP/1.1" => 405, 'CONNECT evil.example:80 HTTP/1.1' => 400, 'OPTIONS * HTTP/1.1' => 400, "get $at{plain} HTTP/1.1" => 400, "GET $at{plain} HTTP/2.0" => 400, "GET $at{plain} HTTP/1.2" => 200,
    "GET  $at{plain} HTTP/1.1" => 200, 'GET /a b HTTP/1.1' => 400, 'GET' => 400, "\x16\x03\x01\x02\0\x01" => 400, 'PRI * HTTP/2.0' => 400, "GET $at{plain} HTTP/9" => 400, "G\0T / HTTP/1.1" => 400, '/ GET HTTP/1.1' => 400,
    "PROPFIND $at{plain} HTTP/1.1" => 405, 'X' x 40 . " $at{plain} HTTP/1.1" => 405);
for my $line (sort keys %line)
{
    my $r = raw("$line\r\nHost: x\r\n$key\r\nConnection: close\r\n\r\n");
    (my $name = substr $line, 0, 60) =~ s/[^ -~]/./g;
    clear("the line $name", $r, $line =~ m{ /http-badinput| http} || !$r->{status} ? 'plain' : 'plain', $line{$line});
}
# Each request names its case as its request id: nginx's log tells how many it saw.
my $position = access_position();
my %expected;
sub framed
{
    my ($name, $expect, $bytes, %but) = @_;
    my @answers = raw($bytes =~ s/(HTTP\/1\.[01]\r\n)(?=Host: x|Authorization)/$1X-Request-Id: $name\r\n/gr, all => 1, seconds => 1);
    is(join(' ', map { $_->{status} } @answers), $expect, "$name: the answers");
    my @faults = map { shape_faults($_, 'plain') } @answers;
    ok(!@faults, "$name: in shape") or diag join "\n", @faults;
    $expected{$name} = $but{seen} // $expect;
}
my $post = "POST $at{plain} HTTP/1.1\r\nHost: x\r\n$key\r\n";
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: y\r\n\r\n";
my $close = "Connection: close\r\n";
framed('chunked', 200, "$post${close}Transfer-Encoding: chunked\r\n\r\n6\r\n{\"word\r\n6\r\n\":\"a\"}\r\n0\r\n\r\n");
framed('chunk-extension', 200, "$post${close}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n");
framed('chunk-size-wrong', 400, "$post${close}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n");
framed('chunk-size-huge', 413, "$post${close}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{}");
framed('chunk-size-overflow', 400, "$post${close}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n");
framed('te-and-cl', 400, "${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n$smuggled");
framed('cl-and-te', 400, "${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled");
framed('te-unknown', 501, "${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n$smuggled");
framed('te-twice', 400, "${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n$smuggled");
framed('te-blank', 400, "${post}Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n$smuggled");
framed('te-http10', 400, "POST $at{plain} HTTP/1.0\r\n${key}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$smuggled");
framed('cl-twice', 400, "${post}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}$smuggled");
framed('cl-list', 400, "${post}Content-Length: 2, 2\r\n\r\n{}$smuggled");
framed('cl-sign', 400, "${post}Content-Length: +2\r\n\r\n{}$smuggled");
framed('cl-negative', 400, "${post}Content-Length: -1\r\n\r\n{}$smuggled");
framed('cl-text', 400, "${post}Content-Length: 2x\r\n\r\n{}$smuggled");
framed('cl-huge', 400, "${post}Content-Length: 99999999999999999999\r\n\r\n{}$smuggled");
framed('pipelined', '200 200 401 200', "${post}Content-Length: 2\r\n\r\n{}${post}Content-Length: 0\r\n\r\nGET $at{plain} HTTP/1.1\r\nHost: x\r\n\r\nGET $at{plain} HTTP/1.1\r\nHost: x\r\n$key\r\n$close\r\n");
framed('get-with-a-body', '200 200', "GET $at{plain} HTTP/1.1\r\nHost: x\r\n$key\r\nContent-Length: " . length($smuggled) . "\r\n\r\n${smuggled}GET $at{plain} HTTP/1.1\r\nHost: x\r\n$key\r\n$close\r\n");
framed('marked-length-short', '200 400', "$post" . "Content-Length: 2\r\n\r\n{}nonsense\r\n\r\n", seen => 200);
{
    my $by_id = sub { my %seen; push @{ $seen{ $_->{id} } }, $_->{status} for @_; return \%seen };
    my @seen = access_since($position, sub { my $seen = $by_id->(@_); return !grep { !$seen->{$_} } keys %expected });
    my $seen = $by_id->(@seen);
    is(join(' ', @{ $seen->{$_} || [] }), $expected{$_}, "$_: the requests that nginx saw") for sort keys %expected;
    is(scalar(grep { $_->{path} =~ /smuggled/ } @seen), 0, 'nothing smuggled');
}
# Less than announced: the client goes away, and nothing is called.
{
    my $before = sql('SELECT count(*) FROM http_badinput.got');
    my $sock = IO::Socket::INET->new(PeerAddr => $ENV{LA_URL} =~ m{//(.*)}) or die;
    print $sock "${post}Content-Length: 100\r\n\r\n{\"word\":\"half\"}";
    close $sock;
    is(request('GET', '/healthz')->{status}, 200, 'a body that ends early');
    is(sql('SELECT count(*) FROM http_badinput.got'), $before, 'calls nothing');
}
finish();
