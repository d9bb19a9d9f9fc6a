# A private PostgreSQL for tests that must install another version of the extension, or restore into
# another cluster: nothing of the machine's installation or servers is touched, no root is needed.
#
# PostgreSQL finds its directories relative to its own binary. So a copy of bin/ beside directories of
# symbolic links to the machine's lib/ and share/ is an installation of its own, and `make install
# PG_CONFIG=…` puts our files there.
#
#   my $pg = Private->new;                       # everything lives in a temporary directory, removed at the end
#   my $tree = $pg->tree($root, 'new');          # a copy of our sources that one may change
#   $pg->install($tree);                         # build it and install it, over what was there
#   my $one = $pg->cluster('one', superuser => 'postgres', conf => ["shared_preload_libraries = 'leadanalytics'"]);
#   my $two = $pg->cluster('two', standby_of => $one);
#   my $r = $one->psql('db', 'SELECT 1');        # {rc, out, err}
#
# Private->machine has the machine's own installation, with what is installed there: clusters of our own only.
package Private;
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname basename);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use POSIX ();

my @clusters;

sub _empty
{
	my ($class) = @_;
	my $self = bless { dir => tempdir('leadanalytics-XXXXXX', TMPDIR => 1, CLEANUP => 1) }, $class;
	chmod 0755, $self->{dir} or die;
	# The server refuses to run as root; so do its tools here.
	$self->{user} = $> == 0 ? 'postgres' : undef;
	return $self;
}

sub machine
{
	my ($class) = @_;
	my $self = _empty($class);
	chomp($self->{bin} = qx(pg_config --bindir));
	return $self;
}

sub new
{
	my ($class) = @_;
	my $self = _empty($class);
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	my %at = map { chomp(my $path = `$pg_config --$_`); die "no pg_config: install postgresql-server-dev-15\n" if $?; $_ => abs_path($path) }
	  qw(bindir sharedir pkglibdir includedir-server);
	my $prefix = $at{bindir};
	$prefix = dirname($prefix) until 4 == grep { index($_, $prefix eq '/' ? '/' : "$prefix/") == 0 } values %at;
	die "PostgreSQL's directories have nothing in common\n" if $prefix eq '/';

	my $inside = sub { "$self->{dir}/pg" . substr($_[0], length $prefix) };
	make_path(map { $inside->($at{$_}) } qw(bindir pkglibdir sharedir));
	system('cp', '-L', glob("$at{bindir}/*"), $inside->($at{bindir})) == 0 or die "cp\n";
	_link($at{pkglibdir}, $inside->($at{pkglibdir}));
	_link($at{sharedir}, $inside->($at{sharedir}), 'extension');
	make_path($inside->("$at{sharedir}/extension"));
	_link("$at{sharedir}/extension", $inside->("$at{sharedir}/extension"));
	my $include = $inside->($at{'includedir-server'});
	make_path(dirname($include));
	symlink $at{'includedir-server'}, $include or die;
	$self->{bin} = $inside->($at{bindir});
	return $self;
}

# The machine's own installation, for a cluster that a test stops and kills; installs nothing.
sub of_machine
{
	my ($class) = @_;
	my $self = bless { dir => tempdir('leadanalytics-XXXXXX', TMPDIR => 1, CLEANUP => 1), user => $> == 0 ? 'postgres' : undef }, $class;
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	chomp($self->{bin} = `$pg_config --bindir`);
	chmod 0755, $self->{dir} or die;
	return $self;
}

# Links to everything in a directory but our own extension, should the machine have it.
sub _link
{
	my ($from, $to, @but) = @_;
	for my $path (glob("$from/*"))
	{
		my $name = basename($path);
		next if $name =~ /^leadanalytics\b/ or grep { $name eq $_ } @but;
		symlink $path, "$to/$name" or die "$to/$name: $!\n";
	}
}

sub tree
{
	my ($self, $root, $name) = @_;
	my $to = "$self->{dir}/$name";
	mkdir $to or die;
	my @parts = grep { -e "$root/$_" } qw(src updates pgxs.mk Makefile leadanalytics.control);
	system('cp', '-a', (map { "$root/$_" } @parts), $to) == 0 or die "cp\n";
	return $to;
}

sub install
{
	my ($self, $tree) = @_;
	local %ENV = (%ENV, MAKEFLAGS => '', MAKELEVEL => '', DESTDIR => '');
	my $r = _run(undef, undef, 'make', '-s', '-j2', '-C', $tree, 'install', 'with_llvm=no', "PG_CONFIG=$self->{bin}/pg_config");
	die "make install failed:\n$r->{out}$r->{err}" if $r->{rc};
}

# Put a compressed install script of another version beside ours.
sub add_script
{
	my ($self, $script) = @_;
	chomp(my $share = `$self->{bin}/pg_config --sharedir`);
	my $to = "$share/extension/" . basename($script, '.gz');
	system('sh', '-c', 'gzip -dc "$1" > "$2"', 'sh', $script, $to) == 0 or die "gzip\n";
}

sub cluster
{
	my ($self, $name, %option) = @_;
	my $node = bless { pg => $self, dir => "$self->{dir}/$name", superuser => $option{superuser} // 'postgres' }, 'Private::Cluster';
	mkdir $node->{dir} or die;
	chown +(getpwnam $self->{user})[ 2, 3 ], $node->{dir} if $self->{user};
	my $r = $option{standby_of}
	  ? $option{standby_of}->run('pg_basebackup', '-D', "$node->{dir}/data", '-c', 'fast', '-R')
	  : $node->run('initdb', '-N', '-D', "$node->{dir}/data", '-A', 'trust', '-U', $node->{superuser}, '-E', 'UTF8', '--locale=C.UTF-8');
	die "no cluster:\n$r->{err}" if $r->{rc};
	open my $conf, '>>', "$node->{dir}/data/postgresql.conf" or die;
	print $conf "$_\n"
	  for "listen_addresses = ''", "unix_socket_directories = '$node->{dir}'", 'fsync = off', "timezone = 'UTC'", @{ $option{conf} // [] };
	close $conf;
	push @clusters, $node;
	$node->start;
	return $node;
}

# Run and wait: {rc, out, err}. As the user, when given, with a directory it may stand in.
sub _run
{
	my ($user, $input, @command) = @_;
	my $files = tempdir(CLEANUP => 1);
	if (defined $input)
	{
		open my $in, '>', "$files/in" or die;
		print $in $input;
		close $in;
	}
	my $pid = fork // die;
	if (!$pid)
	{
		open STDIN, '<', defined $input ? "$files/in" : '/dev/null' or die;
		open STDOUT, '>', "$files/out" or die;
		open STDERR, '>', "$files/err" or die;
		if ($user)
		{
			my ($uid, $gid) = (getpwnam $user)[ 2, 3 ];
			chdir '/';
			$) = "$gid $gid";
			$( = $gid;
			POSIX::setuid($uid);
		}
		exec @command or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	my %result = (rc => $? >> 8 || $?);
	for my $name (qw(out err))
	{
		open my $file, '<', "$files/$name" or die;
		local $/;
		$result{$name} = <$file> // '';
	}
	return \%result;
}

# Servers outlive a test that is interrupted, unless it ends in the usual way.
$SIG{$_} = sub { exit 1 } for qw(HUP INT PIPE TERM);

END
{
	local $?;
	$_->stop for @clusters;
}

package Private::Cluster;

sub run
{
	my ($self, $program, @arguments) = @_;
	my $input = ref $arguments[0] ? ${ shift @arguments } : undef;
	local %ENV = (%ENV, PGHOST => $self->{dir}, PGUSER => $self->{superuser}, PGDATABASE => 'postgres', PGPORT => 5432, PGTZ => 'UTC',
		PGOPTIONS => '', PATH => "$self->{pg}{bin}:$ENV{PATH}");
	return Private::_run($self->{pg}{user}, $input, "$self->{pg}{bin}/$program", @arguments);
}

# SQL, or a psql script; stops at the first error.
sub psql
{
	my ($self, $database, $sql, @options) = @_;
	return $self->run('psql', \$sql, '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', @options, '-d', $database);
}

# The answer as one string; an error ends the test.
sub ask
{
	my ($self, @arguments) = @_;
	my $r = $self->psql(@arguments);
	die substr($arguments[1], 0, 200) . ":\n$r->{err}" if $r->{rc};
	chomp $r->{out};
	return $r->{out};
}

sub start
{
	my ($self) = @_;
	my $r = $self->run('pg_ctl', '-D', "$self->{dir}/data", '-l', "$self->{dir}/log", '-w', 'start');
	die "could not start: $r->{out}" . `tail -5 $self->{dir}/log` if $r->{rc};
	$self->{running} = 1;
}

sub stop
{
	my ($self) = @_;
	$self->run('pg_ctl', '-D', "$self->{dir}/data", '-m', 'fast', '-w', 'stop') if $self->{running};
	$self->{running} = 0;
}

1;
