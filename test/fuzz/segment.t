# Damaged segments: bits flipped, bytes cut off, put in and mixed up, columns and rows exchanged. Whatever it is, answers, folds and
# reconcile() fail with data_corrupted, or say what they said before. And with sums made to agree, as nobody but a
# superuser can: they may say anything, but the server stands. LA_SEED replays a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Fuzz;
use Psql;
use Test::More;

my $seed = seed($ENV{LA_LONG} ? time : 20260510);
my $times = $ENV{LA_LONG} ? 5000 : 120;
note("LA_SEED=$seed");
fresh_database('la_fuzz_segment');
my $db = session('la_fuzz_segment');
sub db { my ($sql) = @_; return ask($db, $sql) }

for my $statement (
    'SET leadanalytics.segment_events = 1',
    "SELECT leadanalytics.create_workspace(s, timezone => 'Asia/Kolkata') FROM unnest('{a,b}'::text[]) AS s",
    # Several parts: of two days, few and many visitors, lists and pages of bits.
    (map { my ($day, $events, $visitors) = @$_; map { "SELECT leadanalytics.track($_, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'n' || i % 5, 'visitor_id', 'v' || i * 7 % $visitors,
        'timestamp', '2026-05-$day 10:00Z'::timestamptz + i * interval '1 minute', 'event_data', json_build_object('path', '/' || i % 20, 'fingerprint_id', 'f' || i % 30)))) FROM generate_series(1, $events) AS i), now => '2026-05-12Z', as_role => 'admin')->>'accepted'" } 1, 2 }
        [ '01', 700, 600 ], [ '10', 300, 40 ], [ '10', 60, 50 ]),
    "SELECT leadanalytics.fold(now => '2026-05-12')",
    "SELECT leadanalytics.build(w, '2026-07-12') FROM generate_series(1, 2) AS w",
    "INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, kind) SELECT '2026-05-01 12:00Z'::timestamptz + d * interval '1 day', now(), w, 1 + i * 5 % 9000, (SELECT min(id) FROM leadanalytics.term WHERE workspace = w), 'c'
     FROM generate_series(1, 2) AS w, generate_series(0, 9, 9) AS d, generate_series(1, 1500) AS i",
    "SELECT leadanalytics.fold(now => '2026-05-12')",
    "SELECT leadanalytics.track(w, '{\"event_name\": \"n1\", \"visitor_id\": \"late\", \"timestamp\": \"2026-05-01T15:00:00Z\"}', now => '2026-05-12Z', as_role => 'admin')->>'accepted' FROM generate_series(1, 2) AS w",
    q{CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE said text; BEGIN EXECUTE statement INTO said; RETURN said; EXCEPTION WHEN OTHERS THEN RETURN format('%s %s', SQLSTATE, SQLERRM); END $$},
    q{CREATE FUNCTION say(w int) RETURNS text LANGUAGE sql AS $$
      SELECT try(format($q$SELECT md5(string_agg(a::text, ' ')) FROM leadanalytics.answer_from_segments(%s, (SELECT array_agg(name) FROM leadanalytics.dimensions()), '{-infinity,infinity}', '2026-05-12', true, true, 0, false, '{}', '{}') a$q$, w))
             || E'\n' || try(format($q$SELECT md5(string_agg(a::text, ' ')) FROM leadanalytics.answer_from_segments(%s, '{total,page,fingerprint}', '{2026-05-01 05:00Z,2026-05-02Z,2026-05-11 09:00Z}', '2026-05-12', true, true, 0, false, '{}', '{}') a$q$, w))
             || E'\n' || try(format($q$SELECT coalesce(string_agg(r::text, ' '), 'agree') FROM leadanalytics.reconcile(%s) r$q$, w)) $$},
    q{CREATE FUNCTION fold_and_say(w int) RETURNS text LANGUAGE sql AS $$ SELECT try(format($q$SELECT leadanalytics.fold_workspace(%s, 50000, '2026-05-12')$q$, w)) || E'\n' || say(w) $$})
{
    my $said = db($statement);
    BAIL_OUT("$statement: $said") if $said =~ /ERROR/;
}
cmp_ok(db('SELECT count(DISTINCT part) FROM leadanalytics.segment WHERE workspace = 1'), '>=', 2, 'buckets have parts');
like(db("SELECT string_agg(DISTINCT grain::text, NULL ORDER BY grain::text) FROM leadanalytics.bucket WHERE workspace = 1"), qr/^dmq/, 'of every kind');
my $sound = db('SELECT say(1)');
my $folded = db("BEGIN;\nSELECT fold_and_say(1);\nROLLBACK");
my $ok = qr/^[0-9a-f]{32}$/;
my @sound = split /\n/, $sound;
like($sound[0], $ok, 'they answer');
is($sound[2], 'agree', 'and agree with the rows');

# Place and bytes of every row: as text keys, and the columns' bytes.
my @rows = map { my @f = split /\|/; { key => [ @f[ 0 .. 5 ] ], us => $f[6], d => pack('H*', $f[7]), s => $f[8] eq '-' ? undef : pack('H*', $f[8]) } }
    split /\n/, db(q{SELECT workspace, dimension, part, bucket, grain, zone, (extract(epoch FROM bucket - '2000-01-01Z') * 1000000)::bigint, encode(directory, 'hex'), coalesce(encode(sets, 'hex'), '-') FROM leadanalytics.segment WHERE workspace = 1});

my @crc = map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;
sub crc { my ($bytes) = @_; my $c = 0xffffffff; $c = $crc[ ($c ^ $_) & 0xff ] ^ ($c >> 8) for unpack 'C*', $bytes; return $c ^ 0xffffffff }
# The payload with its sum.
sub summed
{
    my ($row, $column, $payload) = @_;
    my ($workspace, $dimension, $part, undef, $grain, $zone) = @{ $row->{key} };
    return $payload . pack 'V', crc(pack('l< l< l< q< a a a*', $workspace, $dimension, $part, $row->{us}, $grain, $column, $zone) . $payload);
}
is(summed($rows[0], 'd', substr $rows[0]{d}, 0, -4), $rows[0]{d}, 'we reckon sums as they are reckoned');

sub damage
{
    my ($bytes) = @_;
    my $at = number_to(length($bytes) || 1);
    my $how = number_to(8);
    if ($how < 3 && length $bytes) { substr($bytes, $at, 1) = chr(ord(substr $bytes, $at, 1) ^ 1 << number_to(8)) }
    elsif ($how == 3) { $bytes = substr $bytes, 0, $at }
    elsif ($how == 4) { substr($bytes, $at, 0) = bytes_of(1 + number_to(8)) }
    elsif ($how == 5 && length $bytes) { substr($bytes, $at, 1 + number_to(8)) = '' }
    elsif ($how == 6 && length $bytes) { substr($bytes, $at, 1 + number_to(10)) = pick("\xff" x 10, "\xff" x 4, "\0" x 5, "\x80" x 9 . "\x01", "\xff\xff\xff\xff\x0f", "\x3a\x30\0\0", "\x3b\x30\xff\xff") }
    else { $bytes = bytes_of(number_to(40)) }
    return $bytes;
}
sub where { my ($row) = @_; return sprintf "(workspace, dimension, part, bucket, grain, zone) = (%s, %s, %s, '%s', '%s', '%s')", @{ $row->{key} } }
sub put { my ($row, $column, $bytes) = @_; return sprintf "UPDATE leadanalytics.segment SET %s = '\\x%s' WHERE %s", $column eq 'd' ? 'directory' : 'sets', hex_of($bytes), where($row) }

my %counted;
my $good = 1;
my $done = 0;
while ($done < $times && $good)
{
    my $row = pick(@rows);
    my $column = defined $row->{s} && chance(50) ? 's' : 'd';
    my $agreeing = chance(50);
    my $update;
    if (!$agreeing && chance(30)) # another row's or column's
    {
        my $other = pick(@rows);
        my $its = chance(80) ? $column : $column eq 's' ? 'd' : 's';
        next if !defined $other->{$its} || $other->{$its} eq $row->{$column};
        $update = put($row, $column, $other->{$its});
    }
    else
    {
        my $bytes = $agreeing ? summed($row, $column, damage(substr $row->{$column}, 0, -4)) : damage($row->{$column});
        next if $bytes eq $row->{$column};
        $update = put($row, $column, $bytes);
    }
    $done++;
    my $fold = chance(30);
    my $said = db("BEGIN;\n$update;\nSELECT @{[$fold ? 'fold_and_say' : 'say']}(1);\nROLLBACK");
    my @lines = split /\n/, $said;
    my $kind = $agreeing ? 'with sums that agree' : 'with others';
    if ($said =~ /server closed|connection to server|^FATAL|^PANIC/m || @lines != ($fold ? 4 : 3)) { fail("seed $seed: the server stands"); diag("$update\n$said"); $good = 0; last }
    if (!$agreeing && $lines[-1] !~ /^XX001 /) { fail("seed $seed: reconcile() finds every damage"); diag("$update\n$lines[-1]"); $good = 0; last }
    for my $i (0 .. $#lines)
    {
        my $line = $lines[$i];
        my $expected = (split /\n/, $fold ? $folded : $sound)[$i];
        if ($line =~ /^(XX001) /) { $counted{"$kind: found"}++ }
        elsif ($line eq $expected) { $counted{"$kind: not touched"}++ }
        elsif ($agreeing && $line !~ /^[0-9A-Z]{5} /) { $counted{"$kind: believed"}++ }
        # what it takes to make a large set of a wrong count is refused, too
        elsif ($agreeing && $line =~ /^(XX000 invalid memory alloc request size|53200 |54000 )/) { $counted{"$kind: too large"}++ }
        else { fail("seed $seed: damage is found"); diag("$update\nnot $expected\nbut $line"); $good = 0; last }
    }
}
note("$_: $counted{$_}") for sort keys %counted;
cmp_ok($counted{'with others: found'} // 0, '>', 20, 'damaged bytes were found');
cmp_ok($counted{'with sums that agree: found'} // 0, '>', 10, 'also behind their sums');
ok($good, 'nothing else was said');
is(db('SELECT say(1)'), $sound, 'and all is as before');
is(db('SELECT leadanalytics.forget_segments(1) > 0'), 't', 'segments can be forgotten');
is((split /\n/, db('SELECT say(1)'))[2], 'agree', 'and the rows answer');
leave($db);
done_testing;
