# User-Agents, each family, version, brand and model, against what others say of them: uap-core's own test
# files, and ua-parser, another implementation of its specification.
#
#   LA_SOCKET=<socket dir> prove test/agent/agent.t       LA_ACCESS_LOG=<a real log> adds its agents
#
# Makes and drops a database of its own. A user with the right to create one is needed (PGUSER).
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use File::Basename qw(dirname);
use JSON::PP;

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET (the socket directory of a PostgreSQL server) is not set';
my $here = dirname(__FILE__);
my $python = '/usr/bin/python3';    # Debian's: it has Debian's packages
plan skip_all => 'Debian\'s python3-ua-parser is not installed' if system("$python -c 'import ua_parser, yaml' 2>/dev/null");

my $database = "leadanalytics_agent_$$";
my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical->allow_nonref;
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub psql
{
	my ($sql, $db) = @_;
	open my $file, '>:raw', "$dir/sql" or die $!;
	print $file $sql;
	close $file;
	open my $pipe, '-|:raw', "psql -XqAt -v ON_ERROR_STOP=1 -d @{[$db // $database]} -f $dir/sql 2>&1" or die $!;
	my @out = <$pipe>;
	close $pipe or die "psql: @out";
	chomp @out;
	return @out;
}

# agent => what leadanalytics.agent() says, for many at once
sub ours
{
	my ($agents) = @_;
	my $sql = "CREATE TEMP TABLE a (n int, agent text);\nCOPY a FROM stdin;\n";
	for my $n (0 .. $#$agents)
	{
		utf8::encode(my $agent = $agents->[$n]);
		$agent =~ s/([\\\n\r\t])/{"\\" => '\\\\', "\n" => '\\n', "\r" => '\\r', "\t" => '\\t'}->{$1}/ge;
		$sql .= "$n\t$agent\n";
	}
	my @rows = psql("$sql\\.\nSELECT row_to_json(leadanalytics.agent(agent)) FROM a ORDER BY n;\n");
	is(@rows, @$agents, @$agents . ' agents are read');
	return map { $agents->[$_] => $json->decode($rows[$_]) } 0 .. $#$agents;
}

# A version as it is written: up to the first part that is missing.
sub joined
{
	my @parts;
	for (@_)
	{
		last if !defined || $_ eq '';
		push @parts, $_;
	}
	return join '.', @parts;
}

# What a foreign result says in our words; only the lists it has.
my %os = ('Mac OS X' => 'macOS', 'WatchOS' => 'watchOS', 'ATV OS X' => 'tvOS');
sub expected
{
	my ($theirs) = @_;
	my %say;
	if (my $ua = $theirs->{ua}) { @say{qw(browser browser_version)} = ($ua->[0], joined(@$ua[1 .. 3])) }
	if (my $system = $theirs->{os}) { @say{qw(os os_version)} = ($os{ $system->[0] } // $system->[0], joined(@$system[1 .. 4])) }
	if (my $device = $theirs->{device}) { @say{qw(device device_brand device_model)} = @$device }
	for (values %say) { $_ = '' if !defined || $_ eq 'Other' }
	return \%say;
}

sub differences
{
	my ($ours, $theirs) = @_;
	my @found;
	for my $case (@$theirs)
	{
		my $expected = expected($case);
		for (sort keys %$expected)
		{
			my $got = $ours->{ $case->{agent} }{$_} // '';
			push @found, "$case->{agent}\n  $_: \"$got\", expected \"$expected->{$_}\"" if $got ne $expected->{$_};
		}
	}
	return @found;
}

sub oracle
{
	open my $pipe, '-|:raw', $python, "$here/oracle.py", @_ or die "oracle.py: $!";
	my @cases = map { $json->decode($_) } <$pipe>;
	close $pipe or die 'oracle.py failed';
	return \@cases;
}

sub parsed_by_others
{
	my ($agents) = @_;
	open my $file, '>:raw', "$dir/agents" or die $!;
	print $file $json->ascii->encode($_), "\n" for @$agents;
	close $file;
	return oracle('parse', "$dir/agents");
}

sub same
{
	my ($what, $theirs) = @_;
	my %agents = map { $_->{agent} => 1 } @$theirs;
	my %ours = ours([sort keys %agents]);
	my @found = differences(\%ours, $theirs);
	ok(!@found, "$what: " . @$theirs . ' cases') or diag(scalar(@found), " differences\n", join "\n", grep { defined } @found[0 .. 9]);
	return \%ours;
}

psql("CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'", 'postgres');
END { qx(psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS $database WITH (FORCE)' 2>&1) if $database }
psql('CREATE EXTENSION leadanalytics');
(my $status) = psql("SELECT state FROM leadanalytics.status() WHERE part = 'agent'");
like($status, qr/^\d{4} regexes of /, 'the regexes are there') or diag($status);

my $uap = '/usr/share/uap-core';
for my $file (map { "$uap/$_" } qw(tests/test_ua.yaml tests/test_os.yaml tests/test_device.yaml
		test_resources/additional_os_tests.yaml test_resources/firefox_user_agent_strings.yaml
		test_resources/opera_mini_user_agent_strings.yaml test_resources/podcasting_user_agent_strings.yaml
		test_resources/pgts_browser_list.yaml))
{
  SKIP:
	{
		skip "$file is not there", 2 unless -r $file;
		my $cases = oracle('cases', $file);
		same('uap-core\'s ' . ($file =~ s{.*/}{}r), $cases);
	}
}

open my $list, '<:encoding(UTF-8)', "$here/agents.txt" or die $!;
chomp(my @agents = <$list>);
push @agents, '', ' ', "\t", "two\nlines Firefox/121.0", 'Mozilla/5.0 ' x 800, "\x{1F98A}" x 2500, 'x' . "\x{1F98A}" x 2500,
	'Firefox/' . '1' x 10000, ('(' x 511) . 'Chrome/120.0.0.0', 'Chrome/120.0' . ' ' x 600;
my $theirs = parsed_by_others(\@agents);
my $ours = same('our list, as ua-parser reads it', $theirs);

# Negative control: a comparison that finds nothing must be one that would have.
my $wrong = $json->decode($json->encode($theirs->[0]));
$wrong->{os}[1] = '11';
is(scalar(differences($ours, [$wrong])), 1, 'a wrong version would be seen');

SKIP:
{
	my $log = $ENV{LA_ACCESS_LOG} // "$here/../../../shared/data/access.log";
	skip 'LA_ACCESS_LOG (a web server\'s log in combined format) is not set', 2 unless -r $log;
	my %seen;
	open my $lines, '<:encoding(UTF-8)', $log or die "$log: $!";
	while (<$lines>) { $seen{$1}++ if /"([^"]*)"?$/ }
	same('a real log, as ua-parser reads it', parsed_by_others([sort keys %seen]));
}
done_testing();
