# CSV files of chance, cut into rows by the command's reader and taken by leadanalytics.import_csv in chunks of
# chance: every cell comes out as it was put in. What is put in is the second way: nothing here parses CSV.
#
#   LA_SOCKET=<socket dir> prove test/track/csv.t
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Psql;
use Test::More;
use File::Temp qw(tempdir);
use File::Basename qw(dirname);
use JSON::PP;
use lib dirname(__FILE__) . '/../../src/command';
use Records;

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET (the socket directory of a PostgreSQL server) is not set';
my $database = "leadanalytics_csv_$$";
my $dir = tempdir(CLEANUP => 1);
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub psql { my ($sql, $db) = @_; return run_psql($db // $database, $sql) }

psql("CREATE DATABASE $database ENCODING 'UTF8' TEMPLATE template0", 'postgres');
psql('CREATE EXTENSION leadanalytics');
my $seed = $ENV{LA_SEED} // time ^ $$;
srand $seed;
note("LA_SEED=$seed");

my @pieces = ('a', 'Z', ',', '"', '""', "\n", "\r\n", "\r", ' ', ';', "\t", '\\', "\xc3\xa9", "\xe2\x82\xac", '1', '0.5', 'true', '\\.', "'", '{}', '$$', ':x', '--');
sub cell { return join '', map { $pieces[rand @pieces] } 1 .. rand 9 }

# Quotes where they must be, and sometimes where they may be.
sub write_cell
{
	my ($cell) = @_;
	return $cell if $cell !~ /[,\r\n]|\A"/ && rand() < 0.6;
	return '"' . ($cell =~ s/"/""/gr) . '"';
}

for my $round (1 .. 20)
{
	my $workspace = psql("SELECT leadanalytics.create_workspace('csv$round')");
	my @names = map { "c$_" . ($round % 3 ? '' : qq( ,"\n$_)) } 1 .. 1 + rand 5;
	my $end = $round % 2 ? "\n" : "\r\n";
	my @rows = map { [map { cell() } @names] } 1 .. 300;
	my $file = "$dir/$round.csv";
	open my $out, '>:raw', $file or die $!;
	print $out "\xEF\xBB\xBF" if $round % 5 == 0;
	print $out join(',', map { write_cell($_) } 'event_name', 'event_id', @names), $end;
	for (0 .. $#rows)
	{
		print $out join(',', map { write_cell($_) } 'e', $_, @{ $rows[$_] }), $_ == $#rows && $round % 4 == 0 ? '' : $end;
		print $out $end if rand() < 0.05;    # an empty line is no row
	}
	close $out;

	my $records = Records->new($file, sub { die @_ });
	$records->format('csv');
	my ($header) = $records->next;
	my @read;
	while (my ($text) = $records->next) { push @read, $text }
	is(@read, @rows, "round $round: rows are cut where they end");
	my $quoted = sub { "'" . $_[0] =~ s/'/''/gr . "'" };
	my $sql = '';
	for (my $from = 0; $from < @read;)
	{
		my $to = $from + int rand 120;
		$to = $#read if $to > $#read;
		$sql .= "SELECT leadanalytics.import_csv($workspace, 'csv', " . $quoted->($header) . ', ' . ($from + 2) . ', ARRAY[' . join(',', map { $quoted->($_) } @read[$from .. $to]) . "]) -> 'rejected';\n";
		$from = $to + 1;
	}
	is(psql($sql) =~ s/\[\]\n?//gr, '', "round $round: none is rejected");
	my @expected = map { my $row = $_; +{ map { length $row->[$_] ? ($names[$_] => $row->[$_]) : () } 0 .. $#names } } @rows;
	my @got = map { JSON::PP->new->decode($_) } split /\n/, psql("SELECT coalesce((SELECT json_object_agg(key, value) FROM jsonb_each_text(event_data)), '{}') FROM leadanalytics.events WHERE workspace = $workspace ORDER BY id");
	is_deeply(\@got, \@expected, "round $round: every cell is as it was");
}
END { psql("DROP DATABASE IF EXISTS $database WITH (FORCE)", 'postgres') if $socket; }
done_testing();
