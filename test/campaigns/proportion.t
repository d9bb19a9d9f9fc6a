# leadanalytics.two_proportion_test() beside R's prop.test(correct = FALSE): the cases that sql/campaigns_compare.sql
# records, and random ones.
#
#   LA_SOCKET=<socket dir> prove test/campaigns/proportion.t
#
# Makes and drops a database of its own. A user with the right to create one is needed (PGUSER).
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET (the socket directory of a PostgreSQL server) is not set';
my $here = dirname(__FILE__);
plan skip_all => 'R (Debian\'s r-base-core) is not installed' if system('Rscript -e 0 >/dev/null 2>&1');

my $database = "leadanalytics_proportion_$$";
my $dir = tempdir(CLEANUP => 1);
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub lines_of
{
    my ($command, $input) = @_;
    open my $file, '>', "$dir/input" or die $!;
    print $file $input;
    close $file;
    my @lines = `$command < $dir/input`;
    die "$command failed" if $?;
    chomp @lines;
    return @lines;
}

sub psql { my ($sql, $db) = @_; return lines_of("psql -XqAt -v ON_ERROR_STOP=1 -d @{[$db // $database]} -f -", $sql) }

# Those that R itself answers to 9 digits: it takes shares from 1, and where they are next to it little is left.
sub cases
{
    my ($n) = @_;
    srand 44;
    my @cases;
    while (@cases < $n)
    {
        my @n = map { int 10**(0.5 + rand 7) } 1, 2;
        my $share = 0.0001 + rand 0.9;
        my @x = map { my $x = int($_ * $share + 3 * (rand(2) - 1) * sqrt($_ * $share * (1 - $share)) + 0.5); $x < 0 ? 0 : $x > $_ ? $_ : $x } @n;
        push @cases, "$x[0] $n[0] $x[1] $n[1]" if $x[0] + $x[1] > 0 && $x[0] + $x[1] < $n[0] + $n[1];
    }
    return @cases;
}

sub wrong
{
    my ($p, $q) = @_;
    return abs($p - $q) > 1e-9 * ($p < $q ? $q : $p);
}

open my $sql, '<', "$here/../../sql/campaigns_compare.sql" or die $!;
my (@recorded, @said);
while (<$sql>) { next unless /^ {4}\((\d+), (\d+), (\d+), (\d+), ([0-9.e-]+)\)[,;]$/; push @recorded, "$1 $2 $3 $4"; push @said, $5 }
my @cases = (@recorded, cases(3000));
cmp_ok(scalar @recorded, '>=', 50, 'cases are recorded');

my @r = lines_of("Rscript $here/proportion.R", join '', map { "$_\n" } @cases);
is(scalar @r, scalar @cases, 'R answers all');
is_deeply([ grep { wrong($r[$_], $said[$_]) } 0 .. $#recorded ], [], 'what is recorded is what R says');

psql("CREATE DATABASE $database", 'postgres');
psql('CREATE EXTENSION leadanalytics');
my @ours = psql(join '', map { "SELECT leadanalytics.two_proportion_test(@{[join ', ', split ' ']});\n" } @cases);
is(scalar @ours, scalar @cases, 'so do we');
is_deeply([ map { "$cases[$_]: R $r[$_], we $ours[$_]" } grep { wrong($r[$_], $ours[$_]) } 0 .. $#cases ], [], 'and say the same');
cmp_ok(scalar(grep { $_ < 0.05 } @r), '>', 100, 'of which many are significant');
psql("DROP DATABASE $database", 'postgres');
done_testing();
