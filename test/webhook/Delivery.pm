# A server of our own, whose deliveries go to receivers of ours. The real worker sends: nothing here calls what it calls.
package Delivery;
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../update";
use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Private;
use Until;

# Their output stays open until they were told to end: closing it would wait for them.
my (@children, @outputs);

# With a workspace and, unless told otherwise, started. Pauses and time limits are short, private addresses allowed.
sub new
{
	my ($class, %option) = @_;
	my @conf = ("shared_preload_libraries = 'leadanalytics'", 'max_worker_processes = 16', 'leadanalytics.webhook_private = on',
		"leadanalytics.webhook_timeout = '2s'", "leadanalytics.webhook_retry = '1s'", "leadanalytics.webhook_retry_max = '2s'",
		"leadanalytics.worker_restart = '1s'", @{ $option{conf} // [] });
	my $pg = Private->machine;
	my $self = bless { node => $pg->cluster('one', conf => \@conf), dir => tempdir('leadanalytics-XXXXXX', TMPDIR => 1, CLEANUP => 1), hooks => 0 }, $class;
	$self->sql("CREATE EXTENSION leadanalytics; SELECT leadanalytics.create_workspace('w', 'w')");
	$self->sql('SELECT leadanalytics.start()') unless $option{stopped};
	$self->{workspace} = $self->sql("SELECT id FROM leadanalytics.workspace WHERE slug = 'w'");
	return $self;
}

sub sql { my ($self, $sql) = @_; return $self->{node}->ask('postgres', $sql) }

# A program of this folder that prints its port: {port, log, pid}.
sub _run
{
	my ($self, $program, @arguments) = @_;
	my $log = "$self->{dir}/$program." . @children;
	my $pid = open my $out, '-|', '/usr/bin/python3', "$FindBin::Bin/$program.py", $log, @arguments or die "$program: $!";
	push @children, $pid;
	push @outputs, $out;
	local $SIG{ALRM} = sub { die "$program does not start\n" };
	alarm 20;
	chomp(my $port = <$out> // die "$program does not start\n");
	alarm 0;
	return { port => $port, log => $log, pid => $pid };
}

sub receiver { my ($self, @arguments) = @_; return $self->_run('receiver', @arguments) }
sub sink { my ($self, @arguments) = @_; return $self->_run('sink', @arguments) }

# What a program wrote down, of one kind or all.
sub said
{
	my ($self, $program, $what) = @_;
	open my $file, '<:raw', $program->{log} or return;
	seek $file, $program->{read} //= 0, 0;
	while (defined(my $line = <$file>))
	{
		last unless $line =~ /\n\z/;
		$program->{read} += length $line;
		my $said = decode_json($line);
		$said->{body} = decode_base64($said->{body}) if defined $said->{body};
		push @{ $program->{said} }, $said;
	}
	my @said = @{ $program->{said} // [] };
	return grep { !$what || $_->{what} eq $what } @said;
}

sub requests { my ($self, $receiver, $path) = @_; return grep { $_->{path} eq $path } $self->said($receiver, 'request') }

# A webhook to a path of a receiver, or to any url; its key.
sub hook
{
	my ($self, $to, %option) = @_;
	my $key = 'whk_' . ++$self->{hooks};
	my $platform = $option{platform} ? "'$option{platform}'" : 'NULL';
	$self->sql(sprintf "INSERT INTO leadanalytics.webhook (workspace, key, url, topics, platform, secret, at_once, active, created_at) VALUES (%d, '%s', '%s', '%s', %s, 'secret of %s', %d, %s, now())",
		$option{workspace} // $self->{workspace}, $key, $to, $option{topics} // '{test.made}', $platform, $key, $option{at_once} // 4, $option{active} // 'true');
	return $key;
}

sub tell
{
	my ($self, $data, $topic) = @_;
	$topic //= 'test.made';
	$self->sql("SELECT leadanalytics.tell($self->{workspace}, '$topic', \$data\$$data\$data\$, now())");
	return;
}

# The deliveries of a webhook, oldest first.
sub deliveries
{
	my ($self, $key) = @_;
	return @{ decode_json($self->sql("SELECT coalesce(json_agg(d ORDER BY id), '[]') FROM leadanalytics.deliveries d WHERE webhook = '$key'")) };
}

# Wait until so many of a webhook's deliveries are in a state; the deliveries.
sub settled
{
	my ($self, $key, $status, $n, $seconds) = @_;
	until_($seconds // 30, sub { $self->sql("SELECT count(*) FROM leadanalytics.delivery WHERE webhook = '$key' AND status = '$status'") >= ($n // 1) });
	return $self->deliveries($key);
}

sub sender { my ($self) = @_; return $self->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'leadanalytics send'") }

END { kill 'TERM', @children if @children }

1;
