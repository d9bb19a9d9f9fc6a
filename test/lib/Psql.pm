# Sessions that stay open between statements, by psql and its environment.
package Psql;
use strict;
use warnings;
use Exporter 'import';
use IPC::Open2;
our @EXPORT = qw(session ask leave);

# A psql that stays. ask() sends statements and returns what they print, warnings with it.
sub session
{
	my ($database) = @_;
	my ($in, $out);
	my $pid = open2($out, $in, "exec psql -XqAt -d $database 2>&1");
	binmode $_, ':utf8' for $in, $out;
	$in->autoflush(1);
	my $self = { in => $in, out => $out, pid => $pid };
	ask($self, "SET statement_timeout = '30s'");
	return $self;
}

sub ask
{
	my ($session, $sql) = @_;
	print { $session->{in} } "$sql;\n\\echo <end>\n";
	my $text = '';
	alarm 40;
	while (defined(my $line = readline $session->{out}))
	{
		last if $line eq "<end>\n";
		$text .= $line;
	}
	alarm 0;
	$text =~ s/\n\z//;
	return $text;
}

sub leave
{
	my ($session) = @_;
	close $session->{in};
	waitpid $session->{pid}, 0;
	return;
}

1;
