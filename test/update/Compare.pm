# What both tests here say about two lists of lines, and about programs that should have nothing to say.
package Compare;
use strict;
use warnings;
use Exporter qw(import);
use Test::More;
our @EXPORT = qw(slurp same quiet);

sub slurp
{
	open my $file, '<', $_[0] or die "$_[0]: $!\n";
	local $/;
	return <$file>;
}

# The same lines, in any order, and at least one; else the first that one has and the other has not.
sub same
{
	my ($got, $expected, $name) = @_;
	my %count;
	$count{$_}++ for split /\n/, $got;
	$count{$_}-- for split /\n/, $expected;
	my @more = grep { $count{$_} > 0 } sort keys %count;
	my @less = grep { $count{$_} < 0 } sort keys %count;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(%count && !@more && !@less, $name)
	  || diag(%count ? () : "nothing to compare\n", map({ "more: $_\n" } splice @more, 0, 10), map({ "less: $_\n" } splice @less, 0, 10));
}

sub quiet
{
	my ($r, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($r->{rc} == 0 && $r->{err} eq '', $name) || diag("exit $r->{rc}\n$r->{err}");
}

1;
