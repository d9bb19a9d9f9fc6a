# What we read as JSON is what PostgreSQL reads, but for what core/json.h says: random, mutated and exhaustive
# texts are sent to two routes, one that takes the text whole (la_json_heal) and one that takes a member's tree
# (la_json_parse), and PostgreSQL's json and jsonb say whether they are JSON and what their values are.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use Test::More;

seed(20260415);
fresh_database('la_fuzz_json');
is_deeply(
    [   run_sql(
            q{CREATE SCHEMA fuzz; GRANT USAGE ON SCHEMA fuzz TO leadanalytics_owner},
            q{CREATE FUNCTION fuzz.whole(body json) RETURNS json LANGUAGE plpgsql STABLE AS 'BEGIN RETURN body::jsonb; EXCEPTION WHEN numeric_value_out_of_range THEN RETURN to_json($$too large$$::text); END'},
            q{CREATE FUNCTION fuzz.member(j json) RETURNS json LANGUAGE sql STABLE AS 'SELECT coalesce(j::jsonb, $$null$$)::json'},
            q{INSERT INTO leadanalytics.route (method, path, function, family, roles, summary) VALUES ('POST', '/v1/whole', 'fuzz.whole', 'engagement', '{public}', 'x'), ('POST', '/v1/member', 'fuzz.member', 'engagement', '{public}', 'x')},
            q{INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type) VALUES ('POST', '/v1/whole', 'body', 'document', 'body', 'json'), ('POST', '/v1/member', 'j', 'body', 'j', 'json')}
        )
    ],
    [],
    'the routes of the test are made');


# Both readings of one text. Each is a JSON value, or why there is none.
my @readers = (
    q{CREATE FUNCTION pg_temp.ours(path text, body bytea) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE answer bytea;
    BEGIN
        PERFORM set_config('request.headers', json_build_object('x-la-method', 'POST', 'x-la-uri', path)::text, true);
        answer := leadanalytics_door.handle_rw(body);
        IF current_setting('response.status') = '200' THEN RETURN convert_from(answer, 'UTF8')::jsonb -> 'data'; END IF;
        RETURN substring(current_setting('response.headers') FROM 'errors.*message[^[:alnum:]]+([[:alnum:] -]*)');
    END $$},
    q{CREATE FUNCTION pg_temp.theirs(path text, body bytea, mended bytea) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        BEGIN PERFORM convert_from(body, 'UTF8'); EXCEPTION WHEN character_not_in_repertoire THEN RETURN 'not valid UTF-8'; END;
        BEGIN PERFORM convert_from(body, 'UTF8')::json; EXCEPTION WHEN invalid_text_representation THEN RETURN 'not valid JSON'; END;
        IF path = '/v1/whole' THEN RETURN convert_from(mended, 'UTF8')::jsonb; END IF;
        RETURN coalesce(convert_from(mended, 'UTF8')::jsonb -> 'j', 'null');
    EXCEPTION WHEN numeric_value_out_of_range THEN RETURN 'too large'; WHEN statement_too_complex THEN RETURN 'nested too deep';
    END $$},
    q{CREATE FUNCTION pg_temp.compare(n int, path text, body bytea, mended bytea) RETURNS text LANGUAGE sql AS $$
        SELECT concat_ws('|', 'case', n, encode(convert_to(pg_temp.ours(path, body), 'UTF8'), 'hex'), encode(convert_to(pg_temp.theirs(path, body, mended), 'UTF8'), 'hex')) $$});

# What text cannot hold is replaced, written independently: outside strings valid JSON has no backslash.
sub mended
{
    my ($text) = @_;
    $text =~ s{\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u0000|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)}{length $1 == 5 ? '\ufffd' : "\\$1"}gse;
    return $text;
}

sub depth { my ($text) = @_; my ($depth, $most) = (0, 0); $text =~ s/\\.//gs; $text =~ s/"[^"]*"//g; for ($text =~ /[][{}]/g) { /[[{]/ ? $depth++ : $depth--; $most = $depth if $depth > $most } return $most }

# Characters beside those that end a run, with and without the top bit, and escapes of every kind.
my @characters = ('a', ' ', '!', '#', '[', ']', '~', "\x7f", "\xc2\x80", "\xc2\xa2", "\xc3\x9c", "\xe2\x82\xac", "\xef\xbf\xbf", "\xf0\x9f\x98\x80", '{', '}', ',', ':', '/', 'x' x 7, 'y' x 8, 'z' x 33);
my @escapes = ('\n', '\r', '\t', '\b', '\f', '\/', '\\\\', '\"', '\u0000', '\u0001', '\u001F', '\u0022', '\u005c', '\u007f', '\u0080', '\u07fF', '\u0800', '\uFfFd', '\uffff', '\ud800', '\uDBFF', '\udc00', '\uDFFF', '\ud83d\ude00', '\uDBFF\uDFFF', '\ud83d\u0041', '\ud83d\n', '\ud83d\ud83d\ude00');
my @bad = ("\x01", "\x1f", "\t", "\n", "\0", "\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", '\x', '\u12', '\u123g', '\ud83d\u', '\U0041', "\\\n", '"', '\\');
sub text { return '"' . join('', map { chance(75) ? pick(@characters) : chance(95) ? pick(@escapes) : pick(@bad) } 1 .. number_to(pick(3, 12))) . '"' }
sub space { return chance(80) ? '' : pick(' ', "\n", "\t", "\r", '  ', "\r\n") }

sub value
{
    my ($depth) = @_;
    my $kind = number_to($depth > 6 ? 7 : 12);
    my $value = $kind < 2 ? pick('null', 'true', 'false')
        : $kind < 4 ? pick('0', '-0', '-1.50', '0.0', '1e5', '1E+20', '12e-7', '-0.00E-0', '12345678901234567890.10', number_to(1000), pick('01', '1.', '.5', '-', '+1', '0x1', 'nul', 'True', 'NaN', '1e', ''))
        : $kind < 7 ? text()
        : $kind < 9 ? '[' . join(',', map { value($depth + 1) } 1 .. number_to(5)) . space() . ']'
        : '{' . join(',', map { space() . (chance(70) ? pick('"a"', '"b"', '""', '"j"') : text()) . space() . ':' . value($depth + 1) } 1 .. number_to(5)) . space() . '}';
    return space() . $value . space();
}

sub mutated
{
    my ($text) = @_;
    for (1 .. 1 + number_to(3))
    {
        my $at = number_to(length($text) + 1);
        my $what = number_to(6);
        substr($text, $at, 1) = '' if $what == 0 && $at < length $text;
        substr($text, $at, 0) = pick('"', '\\', '{', '}', '[', ']', ',', ':', '-', 'e', '0', '.', 'u', 't', @bad) if $what == 1;
        substr($text, $at, 1) = chr(number_to(256)) if $what == 2 && $at < length $text;
        substr($text, $at, 0) = substr $text, number_to(length($text) + 1), number_to(20) if $what == 3;
        substr($text, $at, 1) = chr(ord(substr $text, $at, 1) ^ 1 << number_to(8)) if $what == 4 && $at < length $text;
        $text = substr $text, 0, $at if $what == 5 && chance(20);
    }
    return $text;
}

my $sample = '{"a":[1,-2.50e+3,true,false,null,{"b":"\u00e9\n\ud83d\ude00\u0000"}],"' . "\xc3\xa9" . '":"","a":{}} ';
my @texts = (
    # each byte at each place of a word; each escape of one character; each number of up to four characters
    (map { my $byte = chr; map { '"' . 'x' x $_ . $byte . 'yyyyyyyyy"' } 0 .. 8 } 0 .. 255),
    (map { '"a\\' . chr() . '0041"' } 0 .. 255),
    (map { my $tail = $_; map { $_ . $tail } '-', '0', '1', '.', 'e', '+' } map { my $length = $_; map { my $n = $_; join '', map { ('-', '0', '9', '.', 'E', '+')[ int($n / 6**$_) % 6 ] } 0 .. $length - 1 } 0 .. 6**$length - 1 } 0 .. 3),
    # each beginning of a text, and the text without each of its bytes
    (map { substr($sample, 0, $_), substr($sample, 0, $_) . substr($sample, $_ + 1) } 0 .. length($sample) - 1),
    # the bounds of nesting, of a block of nodes, and of what a body may be
    (map { ('[' x $_ . ']' x $_, '{"a":' x $_ . '1' . '}' x $_, '[{"a":' x ($_ / 2) . '"x"' . '}]' x ($_ / 2)) } 1, 2, 62 .. 67, 200, 998 .. 1002, 3000),
    (map { ('[' . join(',', (7) x $_) . ']', '{' . join(',', map { "\"k$_\":[]" } 1 .. $_) . '}') } 30 .. 34, 1055 .. 1058, 4000),
    '"' . 'x' x 900_000 . '"', '"' . '\u00e9' x 150_000 . '"', '"' . '\"' x 400_000 . '"', '"' . '\ud83d\ude00' x 70_000 . '"', '[' x 900_000, '{"a":' x 150_000, '[' . '0,' x 300_000 . '0]', '"' . "\xc3\xa9" x 400_000 . '"', ' ' x 900_000 . '1' . ' ' x 9, '', "\xef\xbb\xbf1", '"', '"\\', '"\u', '"\ud83d\u', "\0", "1\0", "\"\0\"",
    # the last of a name wins, in the member's route too
    '1,"j":2', '1,"j":{"a":1,"a":2}', '1,"\u006a":3', '1}', '1},', '1,', 'null,"j":[{}]',
    (map { value(0) } 1 .. 3000),
    (map { mutated(value(0)) } 1 .. 3000));

# (without a body there is no document to read)
my @cases = grep { length $_->[1] } map { ([ '/v1/whole', $_ ], [ '/v1/member', "{\"j\":$_}" ]) } @texts;
my @answers;
for (run_sql(@readers, map { "SELECT pg_temp.compare($_, '$cases[$_][0]', '\\x" . hex_of($cases[$_][1]) . "', '\\x" . hex_of(mended($cases[$_][1])) . "')" } 0 .. $#cases))
{
    if (/^case\|(\d+)\|([0-9a-f]*)\|([0-9a-f]*)$/) { $answers[$1] = [ pack('H*', $2), pack('H*', $3) ] }
    else { push @answers, undef; diag substr $_, 0, 300 }
}
is(scalar(grep { $_ } @answers), scalar @cases, 'every text is read by both');

my (%count, @differ);
for my $n (0 .. $#cases)
{
    my ($path, $text) = @{ $cases[$n] };
    my ($ours, $theirs) = @{ $answers[$n] // [ 'no answer', '' ] };
    my $valid = $theirs !~ /^not valid/;
    # our own bounds, which PostgreSQL has not
    $theirs = 'nested too deep' if $valid ? depth($text) > 1000 : $theirs eq 'not valid JSON' && $ours eq 'nested too deep' && $text =~ tr/[{// > 1000;
    $theirs = 'Invalid j' if $valid && $path eq '/v1/member' && $theirs ne 'nested too deep' && depth($text) - 1 > 64;
    $theirs = $path eq '/v1/whole' ? '"too large"' : 'Invalid j' if $theirs eq 'too large' || ($path eq '/v1/member' && $ours eq 'Invalid j' && $text =~ /[eE][-+]?\d{3}|\d{200}/);
    $count{ $ours =~ /^(not valid.*|nested too deep|Invalid j|"too large")$/ ? $1 : "$path taken" }++;
    push @differ, "$path " . substr(hex_of($text), 0, 400) . ': ' . substr($ours, 0, 200) . ', PostgreSQL: ' . substr($theirs, 0, 200) if $ours ne $theirs;
}
is_deeply([ @differ[ 0 .. ($#differ < 4 ? $#differ : 4) ] ], [], 'taken or refused, and with the values, as PostgreSQL does');
cmp_ok($count{$_} // 0, '>', 2000, "many were: $_") for '/v1/whole taken', '/v1/member taken', 'not valid JSON', 'not valid UTF-8';
cmp_ok($count{'nested too deep'} // 0, '>', 10, 'some were: nested too deep');
note join ', ', map { "$_: $count{$_}" } sort keys %count;
done_testing;
