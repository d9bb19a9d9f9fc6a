# import.pl FILE WORKSPACE FORMAT SOURCE CHUNK PSQL...: a web server's log or a CSV of events, chunk by
# chunk into leadanalytics.import_log or import_csv. FORMAT and SOURCE may be empty: found out here.
#
# Every chunk is a transaction, which also notes how far the file has come (leadanalytics.import). So the
# file is always read from its start, and what is there already is passed over; a running MD5 of those lines
# tells a file that has grown from another one that begins alike.
#
# A file is known by its first line, a CSV by the first two, not by its name: it may have been rotated.
# A line is COPY data with its number in front, so none is ever read as SQL or as a command of psql.
# Neither this nor psql keeps more than a chunk.
use strict;
use warnings;
use Digest::MD5 'md5';
use Digest::SHA 'sha256_hex';
use File::Basename 'dirname';
use IPC::Open3;
use JSON::PP;
use lib dirname(__FILE__);
use Records;

my ($file, $workspace, $format, $source, $chunk_lines, @psql) = @ARGV;
my $chunk_bytes = 8 << 20;
my $patience = 3;    # seconds for a database session whose client is gone to notice it
my $begun = time;
my $told = $begun;
binmode STDOUT, ':utf8';
$SIG{PIPE} = 'IGNORE';
$SIG{$_} = sub { fail('stopped', 'What is imported stays. Start it again: it goes on there.') } for qw(INT TERM HUP);

sub fail { print STDERR "leadanalytics: $_[0]\n", map { "  $_\n" } @_[1 .. $#_]; exit 1 }

# psql, which ends at the first error, and what it said about it.
my ($to, $from, $said, $psql);
sub connect_psql {
    open $said, '+>', undef or fail("no temporary file: $!");
    $psql = open3($to, $from, '>&' . fileno $said, @psql);
    binmode $_ for $to, $from;
    # A session whose client is gone ends, and lets go of the source, at once.
    must("SET client_min_messages = error; SET client_connection_check_interval = '500ms'; SET application_name = 'leadanalytics import';\n"
        . "SET standard_conforming_strings = on; CREATE TEMPORARY TABLE import_lines (n bigint, line text) ON COMMIT DELETE ROWS;\n",
        'the import cannot begin');
}

# The answer to statements, in rows; undef when psql has ended.
sub ask {
    print {$to} $_[0], "\\echo -- LA :SQLSTATE :LAST_ERROR_MESSAGE\n";
    $to->flush;
    my @rows;
    while (my $row = <$from>) {
        chomp $row;
        return ($1, @rows) if $row =~ /^-- LA (.*)/;
        push @rows, $row;
    }
    return;
}

sub lost {
    my ($what) = @_;
    close $to;
    waitpid $psql, 0;
    seek $said, 0, 0;
    my ($why) = grep { /\S/ } map { s/^psql:<stdin>:\d+: //r =~ s/\s+\z//r } <$said>;
    fail("$what: " . ($why // 'psql has ended'), 'Mend that and start it again: it goes on where it stopped.');
}

# The first row of the answer to statements that must succeed.
sub must {
    my ($statements, $what) = @_;
    my ($state, $row) = ask($statements);
    lost($what) if !defined $state;
    return $row;
}

sub literal { my ($text) = @_; $text =~ s/([\\'])/\\$1/g; return "E'$text'" }

# A byte that is no UTF-8 is written as \xHH, as web servers do themselves.
sub clean {
    my ($line) = @_;
    my $decoded = $line;
    $line =~ s/([\x80-\xff])/sprintf("\\x%02X", ord $1)/ge unless $line !~ /[\x80-\xff]/ || utf8::decode($decoded);
    $line =~ s/\x00/\\x00/g;
    return $line;
}

sub copy_data {
    my ($text) = @_;
    $text =~ s/\\/\\\\/g;
    $text =~ s/\t/\\t/g;
    $text =~ s/\n/\\n/g;
    $text =~ s/\r/\\r/g;
    return $text;
}

# What the file is.
my $records = Records->new($file, \&fail);
my $first = $records->peek;
if (!defined $first) {
    $records->broken and fail($records->broken);
    print "0 lines: nothing to import\n";
    exit 0;
}
if ($format eq '') {
    my $logged = $first =~ m{\[\d\d/\w{3}/\d{4}:};
    my $named = $first =~ /\A(?:\xEF\xBB\xBF)?(?:[^,]*,)*?"?event(?:_name)?"?(?:,|\r?\n?\z)/;
    $format = !$logged && ($named || $file =~ /\.csv(?:\.gz)?\z/i) ? 'csv' : 'log';
}
fail("$file is in UTF-16", "Convert it: iconv -f UTF-16 -t UTF-8") if $first =~ /\A(?:\xff\xfe|\xfe\xff)/ && $format eq 'csv';
$records->format($format);

my $header = '';
my $number = 0;
if ($format eq 'csv') {
    $header = clean(($records->next)[0] =~ s/\A\xEF\xBB\xBF//r);
    $number = 1;
    $first = $records->peek;
}
if ($source eq '') {
    $source = sha256_hex($format eq 'csv' ? "$header\n" . ($first // '') : $first =~ s/\r?\n\z//r);
}

# Take the source for us alone.
connect_psql();
my $into = "$workspace, " . literal($source);
my %import;
for (my $waited = 0;; $waited += 0.5) {
    my ($state, $row) = ask("\\set ON_ERROR_STOP 0\nSELECT leadanalytics.import_begin($into, '$format');\n");
    lost('the import cannot begin') if !defined $state;
    if (defined $row && $row =~ /^\{/) { %import = %{ decode_json($row) }; last }
    my ($code, $why) = split / /, $state, 2;
    my $busy = $code eq 'LA409' && $why =~ /another session/;
    fail("$file: $why", $busy ? 'Wait until that one has ended.' : $code eq 'LA409' ? 'Give the file a name of its own: --source NAME' : ())
        if !$busy || $waited >= $patience;
    select undef, undef, undef, 0.5;
}
seek $said, 0, 0;    # psql writes where we are
truncate $said, 0;
must("\\set ON_ERROR_STOP 1\n", 'the import cannot begin');

my $before = $format eq 'csv' ? 1 : 0;    # the header
my $known = $import{lines} > $before ? $import{lines} : $before;
my $what = $format eq 'csv' ? 'rows' : 'lines';
my $digest = "\0" x 16;
my %count = map { ($_ => 0) } qw(accepted duplicates rejected);
my $call = $format eq 'csv' ? "leadanalytics.import_csv($into, " . literal($header) . ', ' : "leadanalytics.import_log($into, ";

sub progress {
    return if time - $told < 2;
    $told = time;
    my $part = $records->part;
    printf STDERR "… %d $what%s, %d accepted, %d duplicates, %d rejected, %d s\n", $number, defined $part ? " ($part %)" : '',
        @count{qw(accepted duplicates rejected)}, time - $begun;
}

my (@data, @places);
my $bytes = 0;
sub send_chunk {
    return if !@data;
    my $start = $number - $#data;
    my $row = must("BEGIN;\nCOPY import_lines FROM STDIN;\n" . join('', map { $start + $_ . "\t$data[$_]\n" } 0 .. $#data)
        . "\\.\nSELECT ${call}min(n), array_agg(line ORDER BY n)) FROM import_lines;\nCOMMIT;\n",
        "the import stopped behind line $places[0][0], which stays imported with all before it");
    my $answer = decode_json($row);
    $count{$_} += $answer->{$_} for qw(accepted duplicates);
    for my $bad (@{ $answer->{rejected} }) {
        $count{rejected}++;
        print "line $places[$bad->{line} - $start][1]: $bad->{error}\n";
    }
    @data = @places = ();
    $bytes = 0;
    progress();
}

my $line = 0;    # of the file, where the record before ends
while (my ($text, $place, $open) = $records->next) {
    last if $open && $records->broken;
    if ($open && $format eq 'log' && $text !~ /"\z/) {
        print "line $place: is not complete yet, and left for the next import\n";
        last;
    }
    $text = clean($text);
    $number++;
    if ($number <= $known) {
        $digest = md5($digest . $text);
        fail("$file begins like a file that was imported before, but is another one",
            "Line $place at the latest differs. If both count, give this one a name of its own: --source NAME")
            if $number == $known && unpack('H*', $digest) ne $import{digest};
        progress();
    }
    else {
        push @places, [$line, $place];
        push @data, copy_data($text);
        $bytes += length $text;
        send_chunk() if @data >= $chunk_lines || $bytes >= $chunk_bytes;
    }
    $line = $place;
}
my $new = $number - $known;
send_chunk();
fail($records->broken, "What could be read of it, " . ($number - $before) . " $what, is imported. Mend the file and start it again: it goes on there.") if $records->broken;
fail("$file has $number lines, and begins like a file of which $known were imported before",
    'It has lost some, or is another one. If both count, give this one a name of its own: --source NAME') if $new < 0;

must("SELECT leadanalytics.import_finish($into);\n", 'the import cannot be finished');
if ($known > $before && $new == 0) {
    print $number - $before, " $what: all were imported before", (defined $import{finished_at} ? ', finished ' . $import{finished_at} =~ s/T/ /r =~ s/\..*|\+.*//r : ''), "\n";
}
else {
    printf "%d $what: %d accepted, %d duplicates, %d rejected%s\n", $new, @count{qw(accepted duplicates rejected)},
        $known > $before ? '; the ' . ($known - $before) . ' before them were imported earlier' : '';
}
close $to;
waitpid $psql, 0;
