# Random journeys and what their conversions are attributed to (S5-08; D-53 … D-55, D-60), against a second reckoning
# (attribution.sql): many small worlds where much happens at once, and one of 100 000 journeys. LA_SEED draws others,
# LA_JOURNEYS and LA_WORLDS say how many.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use Test::More;

my $seed = seed(20260308);
my $journeys = $ENV{LA_JOURNEYS} // 100_000;
my $worlds = $ENV{LA_WORLDS} // 12;
fresh_database('la_fuzz_attribution');

# The number of things compared, and all that is wrong.
sub world
{
    my ($name, %world) = @_;
    my @said = run_sql("SET work_mem = '64MB'", join("\n", (map { "\\set $_ '$world{$_}'" } sort keys %world), "\\i $FindBin::Bin/attribution.sql", 'SELECT'));
    my @compared = grep { /^(conversions|rows)/ } @said;
    my ($made) = grep { s/^made\|// } @said;
    my @wrong = grep { /ERROR/ || (/^(conversions|rows)/ && !/\|0$/) } @said;
    is(scalar @compared, 14 + 4 * ($world{windows} =~ tr/,// + 1), "$name: all is compared") or diag "seed $world{seed}";
    is("@wrong", '', "$name: " . ($made // 'nothing was made')) or diag "seed $world{seed}";
    return;
}

for my $n (1 .. $worlds)
{
    world("world $n", seed => $seed + $n, journeys => 1 + number_to(80), step => pick(60, 3600, 86400, 604800),
        windows => '{7,30,90}', from => '2026-01-01Z', to => sprintf('2026-%02d-%02d %02d:00Z', 2 + number_to(4), 1 + number_to(28), number_to(24)));
}
world('many journeys', seed => $seed, journeys => $journeys, step => 1, windows => '{30}', from => '2026-03-01Z', to => '2026-04-01Z');
done_testing();
