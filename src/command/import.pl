# What psql reads during an import: for every chunk of lines of a log a COPY of (number, line) and a call
# of leadanalytics.import_log, all in one transaction. A line is COPY data with its number in front, so
# none is ever read as SQL or as a command of psql. Answers in rows: rejected LINE ERROR · chunk LINES
# ACCEPTED DUPLICATES · end, which comes after the COMMIT only.
#
# A log is known by its first line, not by its name: it may have grown or been rotated since last time.
use strict;
use warnings;
use Digest::SHA 'sha256_hex';

my ($file, $chunk) = @ARGV;
my $open = 0;

my $call = <<'SQL';
\.
SELECT leadanalytics.import_log(:workspace, :'source', min(n), array_agg(line ORDER BY n)) AS result, count(*) AS lines
FROM import_lines \gset
SELECT 'rejected', r->>'line', translate(r->>'error', E'\t\n', '  '), ''
FROM json_array_elements(:'result'::json->'rejected') AS r;
SELECT 'chunk', :lines, :'result'::json->>'accepted', :'result'::json->>'duplicates';
TRUNCATE import_lines;
SQL

sub finish {
    print $call if $open;
    $open = 0;
}

my $log = \*STDIN;
if ($file ne '-') {
    open $log, '-|', 'gzip', '-cdf', '--', $file or die "gzip: $!\n";
}

print "BEGIN;\nCREATE TEMPORARY TABLE import_lines (n bigint, line text) ON COMMIT DROP;\n";
while (my $line = <$log>) {
    $line =~ s/\r?\n\z//;
    print "\\set source ", sha256_hex($line), "\n" if $. == 1;

    # A byte that is no UTF-8 is written as \xHH, as web servers do themselves.
    my $decoded = $line;
    $line =~ s/([\x80-\xff])/sprintf("\\x%02X", ord $1)/ge unless utf8::decode($decoded);
    $line =~ s/\x00/\\x00/g;
    $line =~ s/\\/\\\\/g;
    $line =~ s/\t/\\t/g;
    $line =~ s/\r/\\r/g;

    print "COPY import_lines FROM STDIN;\n" unless $open;
    $open = 1;
    print "$.\t$line\n";
    finish() if $. % $chunk == 0;
}
finish();

# Half a file is no file: without the COMMIT nothing of it stays.
if ($file ne '-') {
    close $log or die "gzip cannot read all of $file\n";
}
print "COMMIT;\nSELECT 'end', '', '', '';\n";
