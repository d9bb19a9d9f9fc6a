# import: every line counts once, hostile lines stay data, half a file is no file.
use strict;
use warnings;
use Command;
use Test::More;

my $dir  = scratch();
my $slug = "import-$$";
my $id;

sub la { return run($ENV{LA_COMMAND}, @_, '--state-dir', $ENV{LA_STATE}) }

sub sql {
    my ($statement) = @_;
    my ($rc, $out, $err) = run($ENV{LA_COMMAND}, 'psql', '--state-dir', $ENV{LA_STATE}, '-X', '-A', '-t', '-c', $statement);
    die $err if $rc;
    chomp $out;
    return $out;
}

sub write_file {
    my ($name, @lines) = @_;
    open my $file, '>:raw', "$dir/$name" or die;
    print $file @lines;
    close $file;
    return "$dir/$name";
}

sub events { return sql("SELECT count(*) FROM leadanalytics.events WHERE workspace = $id") }

$id = sql("SELECT leadanalytics.create_workspace('$slug')");
my @into = ('--workspace', $slug);

# 25 000 lines: more than two chunks. 50 visitors with two pages a minute.
my @month = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);
my @lines = map {
    my ($second, $minute, $hour, $day, $month, $year) = gmtime 1_700_000_000 + 30 * $_;
    sprintf qq(192.0.2.%d - - [%02d/%s/%d:%02d:%02d:%02d +0000] "GET /page-%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/118.0"\n),
        $_ % 50, $day, $month[$month], $year + 1900, $hour, $minute, $second, $_ % 7, $_;
} 1 .. 25_000;
my $log = write_file('a log', @lines);
my ($rc, $out, $err) = la('import', $log, @into);
is($rc,  0, 'a log') or diag($err);
is($out, "25000 lines: 25000 accepted, 0 duplicates, 0 rejected\n", 'every line is in');
is(events(), 25_000, 'as an event');
is(sql("SELECT string_agg(page_url || ' ' || n, ', ' ORDER BY page_url) FROM (SELECT page_url, count(*) AS n FROM leadanalytics.events WHERE workspace = $id GROUP BY 1) p")
    =~ s{\S*/page}{/page}gr,
    join(', ', map { my $page = $_; "/page-$page " . grep { $_ % 7 == $page } 1 .. 25_000 } 0 .. 6), 'pages as counted here');
($rc, $out) = la('import', $log, @into);
is($out, "25000 lines: 0 accepted, 25000 duplicates, 0 rejected\n", 'again: all are known');
my $rotated = write_file('a log.1', @lines, $lines[0]);
($rc, $out) = la('import', $rotated, @into);
is($out, "25001 lines: 1 accepted, 25000 duplicates, 0 rejected\n", 'rotated and grown: the one new line counts');
sql("DELETE FROM leadanalytics.event WHERE workspace = $id AND id = (SELECT max(id) FROM leadanalytics.event WHERE workspace = $id)");
system('gzip', '-k', '--', $log) == 0 or die;
($rc, $out) = la('import', "$log.gz", @into);
is($out, "25000 lines: 0 accepted, 25000 duplicates, 0 rejected\n", 'compressed it is the same file');

# What would be an end of data, a command of psql, SQL, or no text.
my $good = $lines[0] =~ s/page-1/nice/r;
($rc, $out) = la('import', write_file('hostile', "\\.\n", "DROP TABLE leadanalytics.event;\n", "\\! touch $dir/pwned\n", "\xff\xfe\x00\t\r \\\n", "\n",
    "'); DROP TABLE leadanalytics.event; --\n", $good =~ s/\n/\r\n/r, $good =~ s/nice/\xff/r, $good =~ s/nice/back\\\\slash\\q/r), @into);
is($rc, 0, 'hostile lines');
like($out, qr/^line $_: \S/m, "line $_ is refused and named") for 1 .. 6;
like($out, qr/^9 lines: 3 accepted, 0 duplicates, 6 rejected$/m, 'the others are taken');
ok(!-e "$dir/pwned", 'nothing was run');
is(events(), 25_003, 'nothing was dropped');

# Half a file.
my $whole = slurp("$log.gz");
my $half  = write_file('half.gz', substr $whole, 0, length($whole) / 2);
($rc, $out, $err) = la('import', $half, @into);
isnt($rc, 0, 'half a compressed file fails');
like($err, qr/nothing of it was kept.*unexpected end/, 'and says so');
is(events(), 25_003, 'and keeps nothing');

($rc, $out, $err) = la('import', $log, '--workspace', "none' OR true --");
isnt($rc, 0, 'an unknown workspace is refused');
like($err, qr/no workspace.*\n.*demo/, 'with those there are');
($rc, $out, $err) = la('import', "$dir/none", @into);
like($err, qr/cannot read/, 'a missing file is named');
($rc, $out) = la('import', write_file('empty'), @into);
is($out, "0 lines: 0 accepted, 0 duplicates, 0 rejected\n", 'an empty file is none');

done_testing();
