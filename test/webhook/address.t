# L9: where webhooks may lead. Private addresses are refused after names are resolved, and no connection is made.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Delivery;
use Test::More;
use Until;

plan skip_all => 'LA_SOCKET is not set: nothing is installed' if !$ENV{LA_SOCKET};

my $t = Delivery->new(conf => ['leadanalytics.webhook_private = off', "leadanalytics.webhook_retry = '1h'", "leadanalytics.webhook_retry_max = '1h'"]);
my $receiver = $t->receiver;
my $port = $receiver->{port};

my %refused = (
	"http://127.0.0.1:$port/ok" => '127.0.0.1', "http://localhost:$port/ok" => '(127.0.0.1|::1)', "http://127.1:$port/ok" => '127.0.0.1', "http://2130706433:$port/ok" => '127.0.0.1',
	"http://0x7f000001:$port/ok" => '127.0.0.1', "http://0x7f.1:$port/ok" => '127.0.0.1', "http://0177.0.0.1:$port/ok" => '127.0.0.1', "http://0:$port/ok" => '0.0.0.0',
	"http://0.0.0.0:$port/ok" => '0.0.0.0', "http://[::1]:$port/ok" => '::1', "http://[::]:$port/ok" => '::', "http://[::ffff:127.0.0.1]:$port/ok" => '::ffff:127.0.0.1',
	"http://[::ffff:7f00:1]:$port/ok" => '::ffff:127.0.0.1', "http://[64:ff9b::7f00:1]:$port/ok" => '64:ff9b::7f00:1', "http://[2002:7f00:1::]:$port/ok" => '2002:7f00:1::',
	'http://169.254.169.254/latest/meta-data/' => '169.254.169.254', 'http://10.0.0.1/' => '10.0.0.1', 'http://172.16.0.1/' => '172.16.0.1', 'http://192.168.1.1/' => '192.168.1.1',
	'http://100.64.0.1/' => '100.64.0.1', 'http://224.0.0.1/' => '224.0.0.1', 'http://255.255.255.255/' => '255.255.255.255', 'http://[fe80::1]/' => 'fe80::1',
	'http://[fc00::1]/' => 'fc00::1', 'http://[ff02::1]/' => 'ff02::1', 'https://127.0.0.1:5432/' => '127.0.0.1',
);
my %wrong = (
	"http://user:secret\@127.0.0.1:$port/ok" => qr/^its url must have no user and no password$/,
	"http://user\@127.0.0.1:$port/ok" => qr/^its url must have no user and no password$/,
	"ftp://127.0.0.1:$port/ok" => qr{^its url must begin with http:// or https://$},
	"gopher://127.0.0.1:$port/_POST" => qr{^its url must begin with http:// or https://$},
	'file:///etc/passwd' => qr{^its url must begin with http:// or https://$},
	"smtp://127.0.0.1:$port/" => qr{^its url must begin with http:// or https://$},
	'http://' => qr/^its url is not valid$/,
	'http://nowhere.invalid/' => qr/resolve host/i,
);
my %key = map { $_ => $t->hook($_, workspace => $t->{workspace}) } sort keys %refused, keys %wrong;
local $ENV{http_proxy} = "http://127.0.0.1:$port";
$t->tell('{}');
ok(until_(60, sub { $t->sql("SELECT count(*) = @{[scalar keys %key]} FROM leadanalytics.delivery WHERE error IS NOT NULL") eq 't' }), 'all were tried');
for my $url (sort keys %refused)
{
	my ($d) = $t->deliveries($key{$url});
	like($d->{error} // '', qr/^its url leads to $refused{$url}, which is not a public address \(see leadanalytics\.webhook_private\)$/, "S2-06 $url");
}
for my $url (sort keys %wrong)
{
	my ($d) = $t->deliveries($key{$url});
	like($d->{error} // '', $wrong{$url}, $url);
}
is($t->sql("SELECT count(*) FROM leadanalytics.delivery WHERE status <> 'waiting' OR attempts <> 1"), 0, 'each is a failure like others, and waits');
is_deeply([ $t->said($receiver) ], [], 'no connection was made');

# The negative control: with the setting, the same URL is called.
$t->sql('ALTER SYSTEM SET leadanalytics.webhook_private = on');
$t->sql('SELECT pg_reload_conf()');
sleep 1;
my $url = "http://0x7f.1:$port/ok";
ok(until_(30, sub {
	$t->sql("SELECT leadanalytics.replay_delivery($t->{workspace}, id) FROM leadanalytics.delivery WHERE webhook = '$key{$url}' AND status = 'waiting'");
	$t->sql("SELECT status FROM leadanalytics.delivery WHERE webhook = '$key{$url}'") eq 'delivered' }), 'with leadanalytics.webhook_private it is delivered');
is($t->requests($receiver, '/ok'), 1, 'once');

subtest 'a certificate that nobody vouches for' => sub {
	my $pem = "$t->{dir}/pem";
	system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1,DNS:localhost -keyout $pem.key -out $pem.crt 2>/dev/null") == 0 or die;
	my $tls = $t->receiver("$pem.crt", "$pem.key");
	my $bad = $t->hook("https://127.0.0.1:$tls->{port}/ok", topics => '{test.tls}');
	$t->tell('{}', 'test.tls');
	until_(20, sub { ($t->deliveries($bad))[0]{error} });
	like(($t->deliveries($bad))[0]{error} // '', qr/certificate/i, 'is an error');
	is($t->said($tls, 'request'), 0, 'and nothing was said to it');
};

# Another way to what is public: Python's own registry. It knows no address within an address.
subtest 'is_public() against ipaddress' => sub {
	srand 11;
	my @v4 = map { join '.', map { int rand 256 } 1 .. 4 } 1 .. 3000;
	push @v4, map { my $first = $_; map { "$first.$_" } '0.0.0', '0.0.1', '0.1.255', '15.255.255', '64.0.0', '100.0.1', '127.255.255', '168.0.1', '255.255.255', '254.0.1', '2.1', '88.99.1', '18.0.1', '19.255.255', '51.100.7', '0.113.9' } 0 .. 255;
	@v4 = grep { /^\d+(\.\d+){3}$/ } @v4;
	my @v6 = map { my $head = $_; map { sprintf '%s:%x:%x::%x', $head, rand 65536, rand 65536, rand 65536 } 1 .. 40 } '2000', '2001:db8', '2001:0', '2001:4860', '2400', '3fff:0fff', '3f00', 'fc00', 'fd12', 'fe80', 'fec0', 'ff02', '4000', '100', '0:1', '5f00';
	open my $file, '>', "$t->{dir}/addresses" or die;
	print $file "$_\n" for @v4, @v6;
	close $file;
	my $theirs = qx(/usr/bin/python3 -c "
import ipaddress
new = [ipaddress.ip_network(n) for n in ('192.88.99.0/24', '3fff::/20', '5f00::/16', '4000::/2', '2001::/23', '100::/8', '::/8', 'fec0::/10')]
for line in open('$t->{dir}/addresses'):
    a = ipaddress.ip_address(line.strip())
    print('t' if a.is_global and not a.is_multicast and not any(a in n for n in new if n.version == a.version) else 'f')
");
	my $ours = $t->sql('SELECT leadanalytics.is_public(a::inet) FROM (VALUES ' . join(',', map { "('$_')" } @v4, @v6) . ') AS v (a)') . "\n";
	my @all = (@v4, @v6);
	my @t = split /\n/, $theirs;
	my @o = split /\n/, $ours;
	is(scalar @t, scalar @all, scalar(@all) . ' addresses');
	is_deeply([ map { "$all[$_]: $o[$_]" } grep { $t[$_] ne $o[$_] } 0 .. $#all ], [], 'no difference');
	is($t->sql("SELECT leadanalytics.is_public(a::inet) FROM (VALUES ('::ffff:8.8.8.8'), ('::ffff:10.0.0.1'), ('64:ff9b::808:808'), ('64:ff9b::a9fe:a9fe'), ('64:ff9b:1::808:808'), ('2002:808:808::1'), ('2002:a00:1::1'), ('2001:0:808:808::1'), ('::8.8.8.8')) AS v (a)"),
		join("\n", qw(t f t f f t f f f)), 'what carries an IPv4 address is as public as that');
};

done_testing();
