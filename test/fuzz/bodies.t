# Compressed bodies, whole, cut, with bits flipped, spliced and repeated: the door says of each what it says
# of the plain body that a second reckoning here makes of it, or that there is none; and the server lives.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Compress::Raw::Zlib;
use Fuzz;
use JSON::PP;
use Test::More;

diag 'seed ', seed(20261121) if $ENV{LA_SEED};
seed(20261121);
my $json = JSON::PP->new->utf8->canonical;
my $limit = 5000;

fresh_database('la_fuzz_bodies');
run_sql(q{CREATE SCHEMA fuzz; GRANT USAGE ON SCHEMA fuzz TO leadanalytics_owner},
    q{CREATE FUNCTION fuzz.doc(body json) RETURNS json LANGUAGE sql STABLE AS 'SELECT json_build_object($$md5$$, md5(body::text), $$length$$, length(body::text))'},
    q{INSERT INTO leadanalytics.route (method, path, function, roles, summary) VALUES ('POST', '/fuzz', 'fuzz.doc', '{public}', 'fuzz')},
    q{INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type) VALUES ('POST', '/fuzz', 'body', 'document', 'body', 'json')});

my %bits = (gzip => WANT_GZIP, zlib => MAX_WBITS, raw => -MAX_WBITS);
sub packed
{
    my ($text, $kind) = @_;
    my $z = Compress::Raw::Zlib::Deflate->new(-WindowBits => $bits{$kind}, -Level => number_to(10), -AppendOutput => 1, -Strategy => pick(Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_FIXED, Z_RLE));
    my $out = '';
    my @parts = map { substr $text, 0, number_to(length($text) + 1), '' } 1 .. number_to(3);
    for (@parts, $text) { $z->deflate($_, $out); $z->flush($out, pick(Z_SYNC_FLUSH, Z_FULL_FLUSH)) if chance(40) }
    $z->flush($out);
    return $out;
}

# The plain body, undef when there is none, 'too large' by length.
sub plain_of
{
    my ($coding, $bytes) = @_;
    return $bytes if $bytes eq '';
    my $kind = $coding eq 'gzip' ? 'gzip' : length $bytes >= 2 && unpack('n', $bytes) % 31 == 0 && (ord($bytes) & 0x8f) == 8 ? 'zlib' : 'raw';
    my $out = '';
    do
    {
        my $z = Compress::Raw::Zlib::Inflate->new(-WindowBits => $bits{$kind}, -AppendOutput => 1, -ConsumeInput => 1);
        my $status = $z->inflate($bytes, $out);
        return 'x' x ($limit + 1) if length $out > $limit;
        return undef if $status != Z_STREAM_END || ($kind ne 'gzip' && length $bytes);
    } while (length $bytes);
    return $out;
}

sub text { return $json->encode({ map { ("k$_" => pick(1, 'x' x number_to(200), 'caf\u00e9', [1, 2], { a => undef }, bytes_of(3) =~ s/[^a-z]//gr)) } 1 .. number_to(30) }) }
sub harmed
{
    my ($bytes) = @_;
    for (1 .. 1 + number_to(3))
    {
        my $at = number_to(length($bytes) || 1);
        my $what = number_to(7);
        if ($what < 2) { $bytes = substr $bytes, 0, $at }
        elsif ($what < 4) { substr($bytes, $at, 1) ^= chr(1 << number_to(8)) if $at < length $bytes }
        elsif ($what == 4) { substr($bytes, $at, number_to(5)) = bytes_of(number_to(5)) if $at < length $bytes }
        elsif ($what == 5) { $bytes .= pick("\0", bytes_of(1 + number_to(20)), substr $bytes, 0, number_to(40)) }
        else { substr($bytes, $at, 0) = substr $bytes, 0, number_to(length($bytes) + 1) }
    }
    return $bytes;
}

my @cases;
for (0 .. 2999)
{
    my $kind = pick(qw(gzip gzip gzip zlib raw));
    my $text = chance(5) ? '' : chance(8) ? '"' . 'y' x ($limit - 3 + number_to(4)) . '"' : text();
    my $bytes = packed($text, $kind);
    $bytes = join '', map { packed($_, $kind) } unpack '(a' . (1 + number_to(200)) . ')*', $text if $kind eq 'gzip' && chance(20);
    $bytes = chance(3) ? bytes_of(number_to(60)) : harmed($bytes) if chance(65);
    push @cases, [$kind eq 'gzip' ? 'gzip' : 'deflate', $bytes];
}
my $visit = q{CREATE FUNCTION pg_temp.visit(headers text, body bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer bytea;
BEGIN
    PERFORM set_config('request.headers', headers, true);
    answer := leadanalytics_door.handle_rw(body);
    RETURN concat_ws(' ', current_setting('response.status'), convert_from(answer, 'UTF8'), substring(current_setting('response.headers') FROM 'X-LA-Body":(.*)'));
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$};
sub visit { my ($body, %more) = @_; return 'SELECT pg_temp.visit(' . literal($json->encode({ 'x-la-method' => 'POST', 'x-la-uri' => '/fuzz', %more })) . ", '\\x" . hex_of($body) . "')" }

my @plain = map { plain_of(@$_) } @cases;
my @ours = run_sql($visit, map { visit($_->[1], 'x-la-encoding' => $_->[0], 'x-la-limit' => "$limit") } @cases);
my @theirs = run_sql($visit, map { visit($_ // '{') } @plain);
my (@differ, %seen);
for my $n (0 .. $#cases)
{
    my $large = defined $plain[$n] && length $plain[$n] > $limit;
    my $expect = $large ? '413 {\"error' : $theirs[$n];
    $seen{ $large ? 'too large' : !defined $plain[$n] ? 'none' : $theirs[$n] =~ /^200/ ? 'taken' : 'no JSON' }++;
    push @differ, "$cases[$n][0] " . hex_of($cases[$n][1]) . ": $ours[$n], not $expect" if $large ? $ours[$n] !~ /^413 / : $ours[$n] ne $expect;
}
is(scalar @ours, scalar @cases, 'every request is answered');
is_deeply([ @differ[ 0 .. ($#differ < 4 ? $#differ : 4) ] ], [], 'as the plain body is, or refused as none');
cmp_ok($seen{$_} // 0, '>', 10, "control: $_") for 'taken', 'too large', 'none';
is((run_sql('SELECT 1'))[0], '1', 'the server lives');
done_testing;
