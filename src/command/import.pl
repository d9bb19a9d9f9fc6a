# What psql reads during an import: for every chunk of lines of a log a COPY of (number, line) and a call
# of leadanalytics.import_log. A line is COPY data with its number in front, so none is ever read as SQL or
# as a command of psql. Answers in rows: rejected LINE ERROR · chunk LINES ACCEPTED DUPLICATES · end.
use strict;
use warnings;

my $chunk = shift @ARGV;
my $open  = 0;

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

print "CREATE TEMPORARY TABLE import_lines (n bigint, line text);\n";
while (my $line = <STDIN>) {
    $line =~ s/\r?\n\z//;

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
print "SELECT 'end', '', '', '';\n";
