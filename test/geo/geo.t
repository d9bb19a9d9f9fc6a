# Addresses and geo files: what is found, and what files may do to us. The files are made here, for the
# networks set aside for documentation.
#
#   LA_SOCKET=<socket dir> prove test/geo/geo.t
#
# Makes and drops a database of its own; PGUSER (default postgres) is a superuser. The settings are set in
# our sessions alone.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Until;
use File::Copy qw(copy);
use File::Temp qw(tempdir);
use POSIX qw(mkfifo);
use Time::HiRes qw(time sleep);
use MaxMind::DB::Reader::PP; # in Perl alone: shares nothing with the library under test
use Mmdb;
use Psql;

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET is not set';
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
my $database = "leadanalytics_geo_$$";
my $dir = tempdir('la-geo-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir; # the server's user reads it
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
$SIG{ALRM} = sub { die "hangs\n" };

my $city = write_file("$dir/city.mmdb", 'GeoLite2-City', [
	[ '192.0.2.0/25', place('GB', 'England', 'London') ],
	[ '192.0.2.128/26', place('DE', 'Île-de-x', 'Köln') ],
	[ '192.0.2.192/27', place('FR') ],
	[ '192.0.2.224/28', place(undef, undef, 'Nowhere') ],
	[ '192.0.2.240/28', place('ZZ') ],
	[ '198.51.100.0/24', place('US', 'New York', 'x' x 199 . 'é') ],
	[ '2001:db8:1::/48', place('IN', 'Karnataka', 'Bengaluru') ],
	[ '10.0.0.0/8', place('US', 'Private', 'Private') ],
	[ 'fd00::/8', place('US', 'Private', 'Private') ],
], remove_reserved_networks => 0);
my $asn = write_file("$dir/asn.mmdb", 'DBIP-ASN-Lite (compat=GeoLite2-ASN)', [
	[ '192.0.2.0/24', { autonomous_system_number => 64496, autonomous_system_organization => 'Example GmbH' } ],
	[ '2001:db8::/32', { autonomous_system_number => 4294967295 } ],
	[ '203.0.113.0/24', { traits => { autonomous_system_number => 64500, autonomous_system_organization => 'In traits' } } ],
], remove_reserved_networks => 0);
my $anonymous = write_file("$dir/anonymous.mmdb", 'GeoIP2-Anonymous-IP', [
	[ '203.0.113.0/28', { is_anonymous => 1, is_hosting_provider => 1 } ],
	[ '203.0.113.16/28', { is_anonymous => 1, is_anonymous_vpn => 1 } ],
	[ '203.0.113.32/28', { is_anonymous => 1, is_public_proxy => 1 } ],
	[ '203.0.113.48/28', { is_anonymous => 1, is_residential_proxy => 1 } ],
	[ '203.0.113.64/28', { is_anonymous => 1, is_tor_exit_node => 1 } ],
	[ '203.0.113.80/28', { is_anonymous => 0, is_hosting_provider => 0 } ],
], remove_reserved_networks => 0);

sub set { my ($session, $setting, $path) = @_; return ask($session, "SET leadanalytics.geo_$setting = '$path'") }
sub country { my ($session, $ip) = @_; return ask($session, "SELECT country FROM leadanalytics.geo('$ip')") }
sub state_of { my ($session, $part) = @_; return ask($session, "SELECT state, hint FROM leadanalytics.status() WHERE part = 'geo $part'") }

system('psql', '-Xq', '-d', 'postgres', '-c', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'") == 0 or die;
END { system('psql', '-Xq', '-d', 'postgres', '-c', "DROP DATABASE IF EXISTS $database WITH (FORCE)") if $database }
system('psql', '-Xq', '-d', $database, '-c', 'SET client_min_messages = error', '-c', 'CREATE EXTENSION leadanalytics') == 0 or die;

sub all_files
{
	my $session = session($database);
	set($session, city => $city);
	set($session, asn => $asn);
	set($session, anonymous => $anonymous);
	return $session;
}
my $s = all_files();

subtest 'what is found' => sub {
	my %want = (
		'192.0.2.1'        => 'GB|England|London|64496|Example GmbH|f|f|f|f|f',
		'192.0.2.1/24'     => 'GB|England|London|64496|Example GmbH|f|f|f|f|f',
		'::ffff:192.0.2.1' => 'GB|England|London|64496|Example GmbH|f|f|f|f|f',
		'192.0.2.127'      => 'GB|England|London|64496|Example GmbH|f|f|f|f|f',
		'192.0.2.128'      => 'DE|Île-de-x|Köln|64496|Example GmbH|f|f|f|f|f',
		'192.0.2.192'      => 'FR|||64496|Example GmbH|f|f|f|f|f',
		'192.0.2.224'      => '||Nowhere|64496|Example GmbH|f|f|f|f|f',
		'192.0.2.240'      => '|||64496|Example GmbH|f|f|f|f|f',
		'198.51.100.1'     => 'US|New York|' . 'x' x 199 . '|||f|f|f|f|f', # a whole character less than the limit
		'2001:db8:1::1'    => 'IN|Karnataka|Bengaluru|4294967295||f|f|f|f|f',
		'2001:db8:2::1'    => '|||4294967295||f|f|f|f|f',
		'203.0.113.1'      => '|||64500|In traits|t|t|f|f|f',
		'203.0.113.17'     => '|||64500|In traits|t|f|t|f|f',
		'203.0.113.33'     => '|||64500|In traits|t|f|f|t|f',
		'203.0.113.49'     => '|||64500|In traits|t|f|f|t|f',
		'203.0.113.65'     => '|||64500|In traits|t|f|f|f|t',
		'203.0.113.81'     => '|||64500|In traits|f|f|f|f|f',
		'8.8.8.8'          => '|||||f|f|f|f|f',
		# Private and reserved: nothing, though a file of ours claims to know.
		map { $_ => '|||||||||' } qw(10.1.2.3 fd00::1 ::ffff:10.1.2.3 0.0.0.0 127.0.0.1 100.64.0.1 169.254.1.1 172.16.0.1
			172.31.255.255 192.168.1.1 224.0.0.1 255.255.255.255 :: ::1 fe80::1 ff02::1),
	);
	is(ask($s, "SELECT * FROM leadanalytics.geo('$_')"), $want{$_}, $_) for sort keys %want;
	is(country($s, $_), '', "$_ is no private one, and unknown") for qw(172.32.0.1 100.128.0.1 11.0.0.1 2a00::1);
	like(state_of($s, 'city'), qr/^\Q$city\E: GeoLite2-City, built 20\d\d-\d\d-\d\d\|$/, 'status() names file, type and date');
	is(ask($s, 'SELECT count(*) FROM leadanalytics.geo_files() WHERE built > now() - interval \'1 hour\' AND trouble IS NULL'), 3, 'geo_files()');
	is(ask($s, "SET ROLE leadanalytics_read; SELECT city FROM leadanalytics.geo('192.0.2.1'); RESET ROLE"), 'London', 'readers may ask');
};

subtest '100 000 lookups are as the reader in Perl has them' => sub {
	srand 7;
	my $random6 = sub { join ':', map { sprintf '%x', int rand 65536 } 1 .. $_[0] };
	my @pool = ((map { ("192.0.2.$_", "198.51.100.$_", "203.0.113.$_") } 0 .. 255),
		(map { '2001:db8:' . int(rand 4) . ':' . $random6->(5) } 1 .. 2000),
		(map { join '.', 1 + int rand 9, map { int rand 256 } 1 .. 3 } 1 .. 1000), (map { '2a00:' . $random6->(7) } 1 .. 1000));
	my @ips = map { $pool[ rand @pool ] } 1 .. 100_000;
	open my $file, '>', "$dir/ips" or die $!;
	print $file "$_\n" for @ips;
	close $file;
	my @got = split /\n/, ask($s, <<"SQL");
CREATE TEMP TABLE ips (n serial, ip inet);
\\copy ips (ip) FROM '$dir/ips'
SELECT g.* FROM ips, leadanalytics.geo(ip) AS g ORDER BY n
SQL
	is(scalar @got, 100_000, 'all answered');
	my %reader = (city => $city, asn => $asn, anonymous => $anonymous);
	$_ = MaxMind::DB::Reader::PP->new(file => $_) for values %reader;
	my %known;
	my $expect = sub {
		my ($ip) = @_;
		my %record = map { $_ => $reader{$_}->record_for_address($ip) } keys %reader;
		my $network = $record{asn}{traits} // $record{asn};
		my $flag = $record{anonymous};
		my $country = $record{city}{country}{iso_code} // '';
		my $name = $record{city}{city}{names}{en} // '';
		$name =~ s/é$//;
		return join '|', $country eq 'ZZ' ? '' : $country, $record{city}{subdivisions}[0]{names}{en} // '', $name,
			$network->{autonomous_system_number} // '', $network->{autonomous_system_organization} // '',
			map { $_ ? 't' : 'f' } $flag->{is_anonymous}, $flag->{is_hosting_provider}, $flag->{is_anonymous_vpn},
			$flag->{is_public_proxy} || $flag->{is_residential_proxy}, $flag->{is_tor_exit_node};
	};
	my @wrong = grep { $got[$_] ne ($known{ $ips[$_] } //= $expect->($ips[$_])) } 0 .. $#ips;
	is(scalar @wrong, 0, 'none differs') or diag map { "$ips[$_]: $got[$_]; Perl: $known{$ips[$_]}\n" } @wrong[ 0 .. ($#wrong > 4 ? 4 : $#wrong) ];
	cmp_ok(scalar(grep { /^(GB|DE|US|IN)/ } @got), '>', 10_000, 'and many are known');
};

subtest 'replaced by rename' => sub {
	my $path = "$dir/replaced.mmdb";
	my $write = sub { write_file($path, 'GeoLite2-City', [ [ '192.0.2.0/24', place($_[0]) ] ], remove_reserved_networks => 0) };
	$write->('FR');
	set($s, city => $path);
	is(country($s, '192.0.2.1'), 'FR', 'the first');
	for my $code ('IT', 'ES')
	{
		$write->($code);
		ok(until_(2, sub { country($s, '192.0.2.1') eq $code }), "$code within 2 s, in the same session");
	}
	my $pid = ask($s, 'SELECT pg_backend_pid()');
	my $mapped = sub { ask($s, q{SELECT count(*) FROM regexp_split_to_table(pg_read_file('/proc/self/maps', 0, 1000000), '\n') AS l WHERE l ~ 'mmdb'}) };
	is($mapped->(), 3, 'three files are mapped, the old ones no more');
	unlink $path;
	ok(until_(2, sub { country($s, '192.0.2.1') eq '' }), 'removed: unknown');
	like(state_of($s, 'city'), qr/^\Q$path\E does not exist\|Put the file there/, '… and status() says why');
	is(ask($s, "SELECT asn FROM leadanalytics.geo('192.0.2.1')"), 64496, 'the other files are not touched');
	$write->('PT');
	ok(until_(2, sub { country($s, '192.0.2.1') eq 'PT' }), 'there again: known again');
	set($s, city => '');
	is(country($s, '192.0.2.1'), '', 'no file set: unknown');
	like(state_of($s, 'city'), qr/^off: no file is set\|Set leadanalytics.geo_city/, '… and status() says so');
	is($mapped->(), 2, 'its mapping is gone');
};

# Whatever the setting names: no error, no hanging, one warning, a word in status(), and cured by a good file.
sub slurp { open my $file, '<:raw', $_[0] or die "$_[0]: $!"; local $/; return scalar <$file> }
sub spew { my ($path, $bytes) = @_; open my $file, '>:raw', "$path.new" or die $!; print $file $bytes; close $file; rename "$path.new", $path or die; return }
my $good = slurp($city);
my $london = index $good, 'London';
my $marker = rindex $good, "\xab\xcd\xefMaxMind.com";
my %bad = (
	'a directory'             => [ sub { mkdir $_[0] }, qr/is no regular file/ ],
	'a FIFO'                  => [ sub { mkfifo($_[0], 0666) or die }, qr/is no regular file/ ],
	'an unreadable file'      => [ sub { spew($_[0], $good); chmod 0000, $_[0] }, qr/\|Let the server's user read it/ ],
	'an empty file'           => [ sub { spew($_[0], '') }, qr/is empty\|Fetch it again/ ],
	'a text'                  => [ sub { spew($_[0], "no database\n" x 1000) }, qr/is no whole MaxMind DB file/ ],
	'a file cut short'        => [ sub { spew($_[0], substr $good, 0, length($good) * 0.6) }, qr/is no whole MaxMind DB file/ ],
	'one cut a little'        => [ sub { spew($_[0], substr $good, 0, $marker + 30) }, qr/is no whole MaxMind DB file/ ],
	'the end of one'          => [ sub { spew($_[0], substr $good, $marker) }, qr/is (damaged|no whole)/ ],
	'one of another type'     => [ sub { copy($asn, $_[0]) }, qr/is a database of type DBIP-ASN-Lite.*\|Set leadanalytics.geo_city to/ ],
	'one with broken texts'   => [ sub { my $b = $good; substr($b, $london, 1) = "\xff"; spew($_[0], $b) }, qr/is damaged/ ],
	'one with broken records' => [ sub { my $b = $good; substr($b, $london - 20, 20) = "\xff" x 20; spew($_[0], $b) }, qr/is (damaged)/ ],
	'one with a broken tree'  => [ sub { my $b = $good; substr($b, 0, $marker / 3) = "\xfe" x ($marker / 3); spew($_[0], $b) }, qr/is damaged/ ],
);
my %case = map { $_ => { path => "$dir/" . s/ /-/gr . '.mmdb', session => session($database) } } keys %bad;
for my $what (sort keys %bad)
{
	subtest $what => sub {
		my ($make, $state) = @{ $bad{$what} };
		my ($path, $t) = @{ $case{$what} }{qw(path session)};
		$make->($path);
		set($t, city => $path);
		my $said = join "\n", map { country($t, '192.0.2.1') } 1 .. 20;
		unlike($said, qr/ERROR|FATAL|GB/, 'no error, and nothing known');
		my $warnings = () = $said =~ /WARNING:  leadanalytics.geo_city is not used: /g;
		is($warnings, 1, 'one warning') or diag $said;
		like(state_of($t, 'city'), $state, 'status() says what and what to do');
	};
}
subtest 'bad files a second later' => sub {
	my $looked = time;
	until_(2, sub { time - $looked > 1.1 });
	is(country($case{$_}{session}, '192.0.2.1'), '', "$_: no second warning") for sort keys %case;
	for (map { $_->{path} } values %case)
	{
		-d $_ ? rmdir $_ : unlink $_;
		copy($city, "$_.new");
		rename "$_.new", $_ or die $!;
	}
	for my $what (sort keys %case)
	{
		my $t = $case{$what}{session};
		ok(until_(2, sub { country($t, '192.0.2.1') eq 'GB' }), "$what: a good file in its place is used");
		like(state_of($t, 'city'), qr/built/, '… and status() is content');
		leave($t);
	}
};

subtest 'files with random damage crash nothing' => sub {
	srand 11;
	my $t = session($database);
	my %outcome;
	ask($t, "CREATE TEMP TABLE sample AS SELECT ('192.0.2.' || i)::inet AS ip FROM generate_series(0, 255, 15) i UNION ALL SELECT '2001:db8:1::1'");
	for my $round (1 .. ($ENV{LA_LONG} ? 10_000 : 400))
	{
		my $bytes = $good;
		# Near the top of the tree, in the records and in the description of the file.
		substr($bytes, ($round % 3 == 0 ? int rand $marker / 2 : $marker / 2 + int rand(length($good) - $marker / 2)), 1) = chr int rand 256
			for 1 .. 1 + rand 4;
		spew("$dir/fuzz$round.mmdb", $bytes);
		my $said = ask($t, "SET leadanalytics.geo_city = '$dir/fuzz$round.mmdb'; "
			. 'SELECT count(g.country) FROM sample, leadanalytics.geo(ip) g; SELECT count(*) FROM leadanalytics.status()');
		unlink "$dir/fuzz$round.mmdb";
		$outcome{ $said =~ /no whole/ ? 'not opened' : $said =~ /is damaged/ ? 'damaged' : $said =~ /of type/ ? 'another type'
			: $said =~ /ERROR|FATAL|server/ ? "error: $said" : 'read' }++;
	}
	my @errors = grep { /^error/ } keys %outcome;
	is("@errors", '', 'no error');
	cmp_ok($outcome{damaged} // 0, '>', 5, 'damage was met');
	note join ', ', map { "$_: $outcome{$_}" } sort keys %outcome;
	leave($t);
};

subtest 'settings' => sub {
	like(set($s, city => 'city.mmdb'), qr/invalid value.*absolute path/s, 'a path must be absolute');
	like(ask($s, "SET ROLE leadanalytics_admin; SET leadanalytics.geo_city = '$asn'; RESET ROLE"), qr/permission denied/, 'only superusers name files');
	ask($s, "ALTER DATABASE $database SET leadanalytics.geo_city = '$city'");
	my $t = session($database);
	is(country($t, '192.0.2.1'), 'GB', 'ALTER DATABASE … SET serves every session');
	leave($t);
};

leave($s);
done_testing();
