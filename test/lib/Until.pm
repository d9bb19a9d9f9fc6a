# Waiting for what is to happen: no longer than needed, and not for ever.
package Until;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(time sleep);
our @EXPORT = qw(until_);

# Ask again and again, an error being no: what the code says when it is true, nothing when the seconds are over.
sub until_
{
	my ($seconds, $code) = @_;
	my $deadline = time + $seconds;
	while (time < $deadline)
	{
		my $value = eval { $code->() };
		return $value if $value;
		sleep 0.05;
	}
	return;
}

1;
