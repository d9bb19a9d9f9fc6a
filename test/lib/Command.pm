# For tests of the command: runs it, and looks at processes from outside through /proc.
package Command;
use strict;
use warnings;
use Exporter 'import';
use File::Temp 'tempdir';
use IO::Socket::INET;
our @EXPORT = qw(scratch run up_to free_port answers server_pids pid_of uid_of listens slurp);

# A directory that the servers' user can enter, gone at the end.
sub scratch {
    my $dir = tempdir('la-command-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $dir;
    return $dir;
}

# run COMMAND...: (exit code, standard output, standard error); no shell in between.
sub run {
    my @command = @_;
    my ($out, $err) = map { File::Temp->new } 1 .. 2;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<', '/dev/null'    or die;
        open STDOUT, '>', $out->filename or die;
        open STDERR, '>', $err->filename or die;
        delete @ENV{ grep { /^PG|^LEADANALYTICS_/ } keys %ENV };
        exec { $command[0] } @command or die "exec $command[0]: $!";
    }
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, slurp($out->filename), slurp($err->filename));
}

sub slurp {
    my ($file) = @_;
    open my $handle, '<', $file or return '';
    local $/;
    return <$handle> // '';
}

# Wait until the code says yes, at most so many seconds.
sub up_to {
    my ($seconds, $code) = @_;
    for (1 .. $seconds * 20) {
        return 1 if $code->();
        select undef, undef, undef, 0.05;
    }
    return 0;
}

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die;
    return $socket->sockport;
}

# The status line's number of a GET, or 0.
sub answers {
    my ($port, $path) = @_;
    my (undef, $out) = run('curl', '-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', "http://127.0.0.1:$port$path");
    return $out + 0;
}

# pids of all processes that work in a directory under this one: name => [pids]
sub server_pids {
    my ($state) = @_;
    my %found;
    for my $cwd (glob '/proc/[0-9]*/cwd') {
        my $place = readlink $cwd // next;
        next unless index($place, "$state/") == 0;
        my ($pid) = $cwd =~ m{/proc/(\d+)/};
        chomp(my $name = slurp("/proc/$pid/comm"));
        push @{ $found{$name} }, $pid;
    }
    return %found;
}

# What status says: server => pid
sub pid_of {
    my ($status) = @_;
    return { $status =~ /^(\S+)\s+up\s+pid (\d+)/mg };
}

sub uid_of { return (stat "/proc/$_[0]")[4] }

# Addresses that a process listens on by TCP: "127.0.0.1:8080"
sub listens {
    my ($pid) = @_;
    my %inode = map { /socket:\[(\d+)\]/ ? ($1 => 1) : () } map { readlink // '' } glob "/proc/$pid/fd/*";
    my @found;
    for my $table ('/proc/net/tcp', '/proc/net/tcp6') {
        for (split /\n/, slurp($table)) {
            my @field = split;
            next unless @field > 9 && $field[3] eq '0A' && $inode{ $field[9] };
            my ($address, $port) = split /:/, $field[1];
            my $ip = length $address == 8 ? join '.', reverse map { hex } $address =~ /../g : $address;
            push @found, $ip . ':' . hex $port;
        }
    }
    return @found;
}

1;
