# import: every line counts once, hostile lines stay data, and what stops an import at any place does not
# change how it ends: killed clients, psqls, sessions and servers, half a file, a second import at once.
# Memory does not grow with the file: LA_LONG=1 takes a million lines.
use strict;
use warnings;
use Command;
use Digest::SHA 'sha256_hex';
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
like($out, qr/^25000 lines: all were imported before, finished \d{4}-/, 'again: all are known');
is($rc, 0, 'which is no failure');
my $rotated = write_file('a log.1', @lines, $lines[0]);
($rc, $out) = la('import', $rotated, @into);
is($out, "1 lines: 1 accepted, 0 duplicates, 0 rejected; the 25000 before them were imported earlier\n", 'rotated and grown: the one new line counts');
system('gzip', '-k', '--', $rotated) == 0 or die;
($rc, $out) = la('import', "$rotated.gz", @into);
like($out, qr/^25001 lines: all were imported before/, 'compressed it is the same file');
($rc, $out, $err) = la('import', $log, @into);
isnt($rc, 0, 'a file that has lost lines is told');
like($err, qr/has 25000 lines, and begins like a file of which 25001 were imported before/, 'as such');
my @changed = @lines;
$changed[7] =~ s/page/other/;
my $other = write_file('another log', @changed, $lines[0]);
($rc, $out, $err) = la('import', $other, @into);
isnt($rc, 0, 'another file that begins alike is not taken for a grown one');
like($err, qr/begins like a file that was imported before, but is another one.*\n.*--source NAME/, 'but can be named');
($rc, $out) = la('import', $other, @into, '--source', "it's\\another");
is($out, "25001 lines: 25001 accepted, 0 duplicates, 0 rejected\n", 'and then counts');
my $cut = write_file('cut', $lines[3], $lines[4], substr $lines[5], 0, 60);
($rc, $out) = la('import', $cut, @into);
is($out, "line 3: is not complete yet, and left for the next import\n2 lines: 2 accepted, 0 duplicates, 0 rejected\n", 'a line that is being written is not one yet');
($rc, $out) = la('import', write_file('cut', @lines[3 .. 5]), @into);
is($out, "1 lines: 1 accepted, 0 duplicates, 0 rejected; the 2 before them were imported earlier\n", 'but then is');

# What would be an end of data, a command of psql, SQL, or no text.
my $good = $lines[0] =~ s/page-1/nice/r;
($rc, $out, $err) = la('import', write_file('hostile', "\\.\n", "DROP TABLE leadanalytics.event;\n", "\\! touch $dir/pwned\n", "\xff\xfe\x00\t\r \\\n", "\n",
    "'); DROP TABLE leadanalytics.event; --\n", $good =~ s/\n/\r\n/r, $good =~ s/nice/\xff/r, $good =~ s/nice/back\\\\slash\\q/r), @into);
is($rc, 0, 'hostile lines') or diag($err);
like($out, qr/^line $_: \S/m, "line $_ is refused and named") for 1 .. 6;
like($out, qr/^9 lines: 3 accepted, 0 duplicates, 6 rejected$/m, 'the others are taken');
ok(!-e "$dir/pwned", 'nothing was run');
is(events(), 50_008, 'nothing was dropped');

my $piped = qx("$ENV{LA_COMMAND}" import - --state-dir "$ENV{LA_STATE}" --workspace $slug < "$log" 2>&1);
like($piped, qr/has 25000 lines, and begins like a file of which 25001/, 'standard input is a file like others');

# Half a file: what could be read stays, and the whole goes on there.
my $halved = "import-half-$$";
my $half_id = sql("SELECT leadanalytics.create_workspace('$halved')");
my $whole = slurp("$rotated.gz");
my $half  = write_file('half.gz', substr $whole, 0, length($whole) / 2);
($rc, $out, $err) = la('import', $half, '--workspace', $halved);
isnt($rc, 0, 'half a compressed file fails');
like($err, qr/gzip cannot read all.*\n.*What could be read of it, \d+ lines, is imported/, 'and says so');
my ($taken) = $err =~ /of it, (\d+) lines/;
cmp_ok($taken, '>', 1000, 'what could be read is there');
($rc, $out) = la('import', "$rotated.gz", '--workspace', $halved);
is($out, sprintf("%d lines: %d accepted, 0 duplicates, 0 rejected; the %d before them were imported earlier\n", 25_001 - $taken, 25_001 - $taken, $taken), 'and the whole goes on');

# What stops it at any place. Numbers drawn in vain are gone, so sessions are compared by their rank.
sub ask {
    my ($statement) = @_;
    my $out = qx(psql -XqAt -h "$ENV{LA_SOCKET}" -U postgres -d leadanalytics -c "$statement" 2>/dev/null);
    chomp $out;
    return $out;
}

sub rows {
    my ($workspace) = @_;
    return sha256_hex(sql("SELECT at, event_name, kind, visitor_id, event_id, page_url, referrer, source, event_data, dense_rank() OVER (ORDER BY session_id::bigint) FROM leadanalytics.events "
        . "WHERE workspace = $workspace ORDER BY event_id")),
        sql("SELECT rank() OVER (ORDER BY number), started_at, last_seen, ended_at, events, pageviews, clicks, returns, scroll_percent FROM leadanalytics.session WHERE workspace = $workspace ORDER BY number"),
        sql("SELECT lines, digest, accepted, duplicates, rejected, last_at, finished_at IS NOT NULL FROM leadanalytics.import WHERE workspace = $workspace");
}

sub start {
    my ($chunk, @arguments) = @_;
    my $pid = fork // die;
    if ($pid == 0) {
        setpgrp;
        open STDIN,  '<', '/dev/null';
        open STDOUT, '>', "$dir/started";
        open STDERR, '>', "$dir/started.err";
        delete @ENV{ grep { /^PG/ } keys %ENV };
        $ENV{LEADANALYTICS_IMPORT_CHUNK} = $chunk;
        exec $ENV{LA_COMMAND}, 'import', @arguments, '--state-dir', $ENV{LA_STATE} or die;
    }
    return $pid;
}

sub child_of {
    my ($parent, $name) = @_;
    for my $status (glob '/proc/[0-9]*/status') {
        my $text = slurp($status);
        return ($status =~ m{/(\d+)/})[0] if $text =~ /^Name:\t\Q$name\E$/m && $text =~ /^PPid:\t$parent$/m;
    }
    return;
}

my $good_log = write_file('mixed', map { ($lines[$_], $_ % 1000 == 7 ? "not a line $_\n" : ()) } 0 .. 11_999);
my @whole_of = map { my $w = sql("SELECT leadanalytics.create_workspace('import-$_-$$')"); $w } qw(whole cut);
my $backend = "SELECT pid FROM pg_stat_activity WHERE application_name = 'leadanalytics import'";
($rc) = la('import', $good_log, '--workspace', "import-whole-$$");
is($rc, 0, 'an import that nothing stops');
my %stop = (
    'its client is killed' => sub { kill KILL => $_[0] },
    'all of its processes are killed' => sub { kill KILL => -$_[0] },
    'its psql is killed' => sub { kill KILL => child_of($_[0], 'psql') // 0 },
    'its database session is ended' => sub { ask("SELECT pg_terminate_backend(pid) FROM ($backend) b") },
    'it is interrupted' => sub { kill INT => -$_[0] },
    'the server is killed' => sub { kill KILL => ask($backend) || 0 },
);
my $place = 1;
for my $how (sort keys %stop) {
    my $pid = start(100, $good_log, '--workspace', "import-cut-$$");
    my $reached = up_to(30, sub { (ask("SELECT lines FROM leadanalytics.import WHERE workspace = $whole_of[1]") || 0) >= $place });
    $stop{$how}->($pid);
    waitpid $pid, 0;
    my $status = $?;
    up_to(30, sub { ask('SELECT 1') eq '1' });
    my $lines = ask("SELECT lines FROM leadanalytics.import WHERE workspace = $whole_of[1]");
    ok($reached && $status != 0 && $lines < 12_012, "stopped at line $lines: $how");
    $place = $lines + 700;
}
($rc, $out, $err) = la('import', $good_log, '--workspace', "import-cut-$$");
is($rc, 0, 'it goes on') or diag($err);
like($out, qr/^\d+ lines: \d+ accepted, 0 duplicates, \d+ rejected; the \d+ before them were imported earlier$/m, 'behind what is there');
my ($as_whole, $as_cut) = map { [ rows($_) ] } @whole_of;
is_deeply($as_cut, $as_whole, 'and ends as if nothing had stopped it: events, sessions, counts');
like($as_whole->[2], qr/^12012\|[^|]+\|12000\|0\|12\|/, 'which is all of it');

# Two at once.
my $two_id = sql("SELECT leadanalytics.create_workspace('import-two-$$')");
my $pid = start(500, $good_log, '--workspace', "import-two-$$");
up_to(30, sub { (ask("SELECT lines FROM leadanalytics.import WHERE workspace = $two_id") || 0) > 0 });
kill STOP => $pid;
($rc, $out, $err) = la('import', $good_log, '--workspace', "import-two-$$");
kill CONT => $pid;
isnt($rc, 0, 'a second import of the same log at once is refused');
like($err, qr/this source is being imported by another session/, 'and says so');
waitpid $pid, 0;
is($?, 0, 'the first does not mind');
is(slurp("$dir/started") =~ s/^line.*\n//mgr, "12012 lines: 12000 accepted, 0 duplicates, 12 rejected\n", 'and took every line once');

# Memory: the most that each process had of its own, after the first tenth and at the end.
sub memory {
    my ($pid, $what) = @_;
    return slurp("/proc/$pid/status") =~ /^$what:\s+(\d+) kB/m ? $1 : 0;
}
my $many = $ENV{LA_LONG} ? 1_000_000 : 60_000;
{
    open my $file, '>', "$dir/many" or die;
    for (1 .. $many) {
        my ($second, $minute, $hour, $day, $month, $year) = gmtime 1_600_000_000 + 3 * $_;
        printf $file qq(198.51.%d.%d - - [%02d/%s/%d:%02d:%02d:%02d +0000] "GET /page-%d?q=%d HTTP/1.1" 200 %d "https://r.example/%d" "Mozilla/5.0 (X11; Linux x86_64) Firefox/%d.0"\n),
            $_ / 7 % 250, $_ % 250, $day, $month[$month], $year + 1900, $hour, $minute, $second, $_ % 5000, $_ % 91, $_, $_ % 300, $_ % 40;
    }
}
my $many_id = sql("SELECT leadanalytics.create_workspace('import-many-$$')");
$pid = start(2000, "$dir/many", '--workspace', "import-many-$$");
my (%early, %late, $lines);
my $running = 1;
while ($running) {
    $lines = ask("SELECT lines FROM leadanalytics.import WHERE workspace = $many_id") || 0;
    my %now = (perl => memory($pid, 'VmHWM'), psql => memory(child_of($pid, 'psql') // 0, 'VmHWM'), postgres => memory(ask($backend) || 0, 'RssAnon'));
    my $into = $lines < $many / 5 ? \%early : \%late;
    for (keys %now) { $into->{$_} = $now{$_} if $now{$_} > ($into->{$_} // 0) }
    select undef, undef, undef, 0.2;
    $running = 0 if waitpid($pid, 1) == $pid;
}
is(slurp("$dir/started"), "$many lines: $many accepted, 0 duplicates, 0 rejected\n", "$many lines");
for (sort keys %late) {
    ok($early{$_} && $late{$_} - $early{$_} < 16_384, "$_ takes no more at the end ($late{$_} kB) than after the first fifth ($early{$_} kB)");
}

# CSV: told by its name, its header or --format; rows over lines, a byte order mark, quotes never closed.
my @csv = ("event_name,visitor_id,timestamp,url,note\r\n", qq(page_view,v1,2020-01-01T10:00:00Z,https://x.example/,"a ""quote"",\r\n\r\nand more"\r\n), "\r\n",
    qq(buy,v1,2020-01-01T10:01:00Z,,"\xff \xc3\xa9\\."\r\n), qq(buy,v1,2020-01-01T10:02:00Z,,5" \t\\N\r\n));
my $csv_id = sql("SELECT leadanalytics.create_workspace('import-csv-$$')");
my @into_csv = ('--workspace', "import-csv-$$");
($rc, $out, $err) = la('import', write_file('events', "\xEF\xBB\xBF", @csv), @into_csv);
is($out, "3 rows: 3 accepted, 0 duplicates, 0 rejected\n", 'a CSV') or diag($err);
is(sql("SELECT string_agg(event_data ->> 'note', '|' ORDER BY at) FROM leadanalytics.events WHERE workspace = $csv_id"), qq(a "quote",\r\n\r\nand more|\\xFF \\xC3\\xA9\\.|5" \t\\N), 'its cells');
($rc, $out) = la('import', write_file('events.CSV', @csv, map { "more,v1,2020-01-01T11:00:$_" . "Z,,\n" } 10 .. 12), @into_csv);
is($out, "3 rows: 3 accepted, 0 duplicates, 0 rejected; the 3 before them were imported earlier\n", 'grown');
my @rest = map { "e$_,v2,2020-01-02T11:00:00Z,,\n" } 1 .. 20_000;
($rc, $out) = la('import', write_file('open', $csv[0], qq(a,v2,2020-01-02T10:00:00Z,,"never closed\n), @rest), @into_csv);
is($out, "line 2: row has a quote that is not closed\n20001 rows: 20000 accepted, 0 duplicates, 1 rejected\n", 'a quote that is never closed loses one line');
($rc, $out) = la('import', write_file('no line break', "event_name,visitor_id\nlast,v3"), @into_csv);
is($out, "1 rows: 1 accepted, 0 duplicates, 0 rejected\n", 'a last row without a line break');
($rc, $out, $err) = la('import', write_file('wrong.csv', "a;b\n1;2\n"), @into_csv);
like($err, qr/the header names no column event_name/, 'no CSV of events');
isnt($rc, 0, 'is a failure');
($rc, $out, $err) = la('import', write_file('wide', "\xff\xfee\0v\0e\0n\0t\0\n\0"), @into_csv, '--format', 'csv');
like($err, qr/UTF-16/, 'nor is UTF-16');
($rc, $out) = la('import', write_file('only header', $csv[0]), @into_csv);
is($out, "0 rows: 0 accepted, 0 duplicates, 0 rejected\n", 'a header alone');
($rc, $out) = la('import', write_file('long line', 'x' x 3_000_000, "\n", $lines[9], 'y' x 100_000), @into_csv, '--format', 'log');
is($out, "line 1: line is longer than 65536 bytes\nline 3: line is longer than 65536 bytes\n3 lines: 1 accepted, 0 duplicates, 2 rejected\n", 'lines of any length');
($rc, $out, $err) = la('import', $log, '--format', 'xml');
like($err, qr/--format must be log or csv/, 'no other format');

($rc, $out, $err) = la('import', $log, '--workspace', "none' OR true --");
isnt($rc, 0, 'an unknown workspace is refused');
like($err, qr/no workspace.*\n.*demo/, 'with those there are');
($rc, $out, $err) = la('import', "$dir/none", @into);
like($err, qr/cannot read/, 'a missing file is named');
($rc, $out) = la('import', write_file('empty'), @into);
is($out, "0 lines: nothing to import\n", 'an empty file is none');

done_testing();
