# For tests that throw random input at the database: a generator with a seed, a database of their own, and
# a way to run thousands of statements in one session and to see where it died.
package Fuzz;
use strict;
use warnings;
use Exporter 'import';
use File::Temp;
use JSON::PP;
our @EXPORT = qw(seed chance pick number_to bytes_of fresh_database run_sql hex_of literal valid_json);

# Every run makes the same input, whatever Perl's own generator is; LA_SEED makes others.
my $state;
sub seed { ($state) = @_; $state = ($ENV{LA_SEED} // $state) & 0x7fffffff || 1; return $state }

sub number_to
{
    my ($below) = @_;
    $state = ($state * 1103515245 + 12345) & 0x7fffffff;
    return ($state >> 8) % $below;
}
sub chance { my ($percent) = @_; return number_to(100) < $percent }
sub pick { return $_[ number_to(scalar @_) ] }
sub bytes_of { my ($length) = @_; return join '', map { chr number_to(256) } 1 .. $length }

sub hex_of { return unpack 'H*', $_[0] }

# A text (bytes in UTF-8) as an SQL expression, whatever is in it.
sub literal { return "convert_from('\\x" . hex_of($_[0]) . "', 'UTF8')" }

sub fresh_database
{
    my ($name) = @_;
    system('psql', '-X', '-q', '-d', 'postgres', '-c', "DROP DATABASE IF EXISTS $name", '-c', "CREATE DATABASE $name TEMPLATE template0 ENCODING 'UTF8'") == 0
        or die "no database $name";
    $ENV{PGDATABASE} = $name;
    $ENV{PGOPTIONS} = '-c client_min_messages=warning';
    run_sql('CREATE EXTENSION leadanalytics', 'SELECT leadanalytics.set_rate_limit(class, 0) FROM leadanalytics.rate_limits');
    return;
}

# All the statements in one session: its output, line by line. What goes wrong is on a line as "ERROR: …".
sub run_sql
{
    my @statements = @_;
    my $file = File::Temp->new(SUFFIX => '.sql');
    print {$file} "$_;\n" for @statements;
    close $file;
    open my $out, '-|', "psql -X -q -A -t -f $file 2>&1" or die "psql: $!";
    my @lines = <$out>;
    close $out;
    chomp @lines;
    return @lines;
}

sub valid_json { my ($text) = @_; return eval { JSON::PP->new->utf8->allow_nonref->decode($text); 1 } }

1;
