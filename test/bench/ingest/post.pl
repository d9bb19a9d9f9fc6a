#!/usr/bin/perl
# post.pl PORT PATH CONNECTIONS FILE EXPECT PIDS [HEADER]...: POST the bodies in FILE, and tell what that took.
#
# A line of FILE is "address TAB User-Agent TAB body". The requests are made before the clock starts and dealt out to the
# connections, each a process with one request under way. An answer whose status and body do not match EXPECT ends it.
# PIDS names servers: "nginx=12 postgres=34", whose CPU time (and their children's) is read before and after.
#
# Prints: requests, seconds, then for each server its CPU seconds, then those of the connections themselves.
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(time);

my ($port, $path, $connections, $file, $expect, $pids, @headers) = @ARGV;
my @servers = map { [ split /=/ ] } split ' ', $pids;
my @requests;
open my $in, '<:raw', $file or die "$file: $!\n";
while (<$in>)
{
	chomp;
	my ($ip, $agent, $body) = split /\t/;
	push @requests, join "\r\n", "POST $path HTTP/1.1", 'Host: bench', "User-Agent: $agent", "X-Forwarded-For: $ip",
		'Content-Type: application/json', 'Content-Length: ' . length $body, @headers, '', $body;
}
close $in;

# user and system time of a process, its children that are gone, and those that are there
sub cpu
{
	my ($pid) = @_;
	my $ticks = 0;
	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $handle, '<', $stat or next;
		my $line = <$handle> // next;
		my ($own) = $line =~ /^(\d+)/;
		my @field = split ' ', $line =~ s/^.*\) //sr;
		$ticks += $field[11] + $field[12] if $own == $pid || $field[1] == $pid;
		$ticks += $field[13] + $field[14] if $own == $pid;
	}
	return $ticks / 100;
}

sub complete
{
	my ($answer) = @_;
	my ($head, $body) = $answer =~ /^(.*?\r\n)\r\n(.*)$/s or return 0;
	return $body =~ /(^|\r\n)0\r\n\r\n$/ if $head =~ /^transfer-encoding: chunked/mi;
	return length $body >= ($head =~ /^content-length: (\d+)/mi ? $1 : 0);
}

sub connection
{
	my ($n, $ready, $go) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "port $port: $!\n";
	syswrite $ready, '.';
	sysread $go, my $byte, 1; # ends when the parent closes the other end
	for (my $i = $n; $i < @requests; $i += $connections)
	{
		for (my $sent = 0; $sent < length $requests[$i];)
		{
			$sent += syswrite($socket, $requests[$i], length($requests[$i]) - $sent, $sent) // die "send: $!\n";
		}
		my $answer = '';
		until (complete($answer))
		{
			sysread $socket, $answer, 65536, length $answer or die "the connection ends\n";
		}
		$answer =~ /$expect/s or die "not as expected: $answer\n";
	}
}

pipe my $ready_out, my $ready_in or die "pipe: $!\n";
pipe my $go_out, my $go_in or die "pipe: $!\n";
my @children = map {
	my $n = $_;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) { close $go_in; eval { connection($n, $ready_in, $go_out); 1 } or print STDERR $@ and exit 1; exit 0 }
	$pid;
} 0 .. $connections - 1;
my $ready = 0;
while ($ready < $connections) { $ready += sysread($ready_out, my $bytes, 99) || die "a connection failed\n" }
my %before = map { $_->[0] => cpu($_->[1]) } @servers;
my $begun = time;
close $go_in;
my $failed = 0;
for (@children) { waitpid $_, 0; $failed = 1 if $? }
my $took = time - $begun;
exit 1 if $failed;
my ($user, $system) = (times)[ 2, 3 ];
printf "%d %.6f %s %.2f\n", scalar @requests, $took, join(' ', map { sprintf '%.2f', cpu($_->[1]) - $before{ $_->[0] } } @servers), $user + $system;
