# Forms of any bytes: whatever is posted under whatever content type is fields, a JSON object of texts, or 400;
# and what a browser would write of some fields is read as these fields, in each of the types.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use JSON::PP;
use Test::More;

seed(20261121);
fresh_database('la_fuzz_form');
my $json = JSON::PP->new->utf8->canonical;

sub text { return join '', map { pick('a', ' ', '=', '&', '+', '%', '%41', ';', '"', '\\', '--', "\r\n", "\n", '{', '}', ':', "\xc3\xa9", "\xf0\x9f\x98\x80", '-x-', '--x', "\r\n--x", 'Content-Disposition: form-data; name="a"') } 1 .. number_to(6) }
sub word { return join '', map { pick('a' .. 'e', '_', "\xc3\xa9") } 1 .. 1 + number_to(5) }

# The last of a name counts; nobody can write a name that is empty.
sub escape { my ($t) = @_; $t =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge; $t =~ s/%20/+/g; return $t }
my %write = (
    'application/json' => sub { return '{' . join(',', map { my $f = $_; join ':', map { my $t = $_; utf8::decode($t); JSON::PP->new->utf8->allow_nonref->encode($t) } @$f } @_) . '}' },
    'application/x-www-form-urlencoded' => sub { return join '&', map { join '=', map { escape($_) } @$_ } @_ },
    'multipart/form-data; boundary=x-y' => sub { return join('', map { "--x-y\r\nContent-Disposition: form-data; name=\"$$_[0]\"\r\n\r\n$$_[1]\r\n" } @_) . "--x-y--\r\n" },
    'text/plain' => sub { return join '', map { "$$_[0]=$$_[1]\r\n" } @_ });

my (@statements, @expect);
for my $n (0 .. 1999)
{
    my $type = pick(sort keys %write);
    my @fields = map { [ word(), text() ] } 1 .. 1 + number_to(5);
    if ($type eq 'text/plain') { $$_[1] =~ s/[\r\n=]//g for @fields; @fields = ([ 'a', 'b' ], @fields) }
    if ($type =~ /multipart/) { $$_[1] =~ s/--x-y/x/g for @fields }
    my %last = map { @$_ } @fields;
    my $body = $write{$type}->(@fields);
    push @statements, sprintf q{SELECT leadanalytics.form_fields('%s', '\x%s')}, $type, hex_of($body);
    push @expect, $json->encode({ map { my ($k, $v) = ($_, $last{$_}); utf8::decode($k); utf8::decode($v); ($k => $v) } keys %last });
}
my @lines = run_sql('SET client_encoding = utf8', map { "${_}::jsonb::text" } @statements);
is(scalar @lines, scalar @statements, 'every form is answered');
my @wrong = grep { !valid_json($lines[$_]) || $json->encode($json->decode($lines[$_])) ne $expect[$_] } 0 .. $#expect;
is(scalar @wrong, 0, 'written as a browser does, read as it was') or diag map { "$statements[$_]\n$lines[$_]\n$expect[$_]\n" } @wrong[0 .. ($#wrong > 2 ? 2 : $#wrong)];

# The same, damaged.
my @types = ((sort keys %write), 'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary="', 'multipart/form-data; boundary="x-y', 'multipart/form-data; x="a;b"; boundary=x-y; y', 'multipart/form-data;boundary=x', '', 'image/png', 'application/json;', ';', 'multipart/form-data; boundary=' . 'x' x 70);
my @broken;
for my $n (0 .. 7999)
{
    my $body = chance(85) ? $write{ pick(sort keys %write) }->(map { [ pick(word(), text()), text() ] } 1 .. number_to(6)) : bytes_of(number_to(60));
    for (1 .. number_to(5))
    {
        my ($at, $what) = (number_to(1 + length $body), number_to(5));
        $body = substr $body, 0, $at if $what == 0;
        substr($body, $at, number_to(6)) = '' if $what == 1;
        substr($body, $at, 0) = pick("\r\n", "\n", '--', '--x-y', "--x-y--\r\n", '"', '\\', ';', '=', '%', "\0", "\xff", 'name', ' ' x 300, 'Content-Disposition:', 'filename="', '{', '[') if $what == 2;
        substr($body, $at, 0) = bytes_of(1) if $what == 3;
        substr($body, $at, 0) = substr $body, number_to(1 + length $body), 40 if $what == 4;
    }
    push @broken, sprintf q{SELECT pg_temp.fields(%s, '\x%s')}, chance(3) ? 'NULL' : "'" . pick(@types) . "'", hex_of($body);
}
@lines = run_sql('SET client_encoding = utf8', q{CREATE FUNCTION pg_temp.fields(type text, body bytea) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE f json; BEGIN f := leadanalytics.form_fields(type, body);
    RETURN CASE WHEN NOT EXISTS (SELECT FROM json_each(f) WHERE json_typeof(value) <> 'string' OR key = '') AND f::jsonb IS NOT NULL THEN 'fields' ELSE 'odd ' || f END;
    EXCEPTION WHEN SQLSTATE 'LA400' THEN RETURN 'refused'; WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$}, @broken);
is(scalar @lines, scalar @broken, 'every damaged form is answered');
my %answers;
$answers{ /^(fields|refused)$/ ? $1 : 'else' }++ for @lines;
is($answers{else} // 0, 0, 'by fields or 400') or diag join "\n", grep { !/^(fields|refused)$/ } @lines;
cmp_ok($answers{$_} // 0, '>', 1000, "by $_ often enough to mean something") for qw(fields refused);
done_testing();
