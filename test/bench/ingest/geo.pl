#!/usr/bin/perl
# geo.pl DIR: MaxMind DB files for the addresses of stream.sql (16.0.0.0/4 to 64.0.0.0/4): 4 096 networks of 500 cities
# in 60 countries, 300 autonomous systems, one network in twenty anonymous.
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my $dir = shift // die "which directory?\n";
my %types = (
	(map { $_ => 'utf8_string' } qw(iso_code en autonomous_system_organization)),
	(map { $_ => 'map' } qw(country city names)),
	(map { $_ => 'boolean' } qw(is_anonymous is_anonymous_vpn is_hosting_provider is_tor_exit_node)),
	subdivisions => [ 'array', 'map' ],
	autonomous_system_number => 'uint32',
);
my @countries = qw(US IN DE GB FR BR JP CA IT ES NL AU MX PL SE CH ID TR RU UA BE AT CZ PT RO GR HU DK FI NO IE IL AE SA ZA EG NG KE
	TH VN MY SG PH KR TW HK NZ AR CL CO PE BD PK LK NP KZ BG HR RS SK);

sub zipf { return int exp rand() * log($_[0] + 1) }

sub write_file
{
	my ($name, $type, $record) = @_;
	srand 42;
	my $tree = MaxMind::DB::Writer::Tree->new(
		ip_version => 6, record_size => 24, database_type => $type, languages => ['en'], description => { en => 'a benchmark' },
		map_key_type_callback => sub { $types{ $_[0] } });
	for my $n (0 .. 4095)
	{
		my $data = $record->($n) or next;
		$tree->insert_network(sprintf('%d.%d.0.0/14', 16 + ($n >> 6), ($n & 63) << 2), $data);
	}
	open my $file, '>:raw', "$dir/$name" or die "$dir/$name: $!\n";
	$tree->write_tree($file);
	close $file or die "$dir/$name: $!\n";
}

write_file('city.mmdb', 'GeoLite2-City', sub {
	my $city = zipf(500);
	return { country => { iso_code => $countries[ $city % 60 ] }, subdivisions => [ { names => { en => 'Region ' . $city % 150 } } ],
		city => { names => { en => "City $city" } } };
});
write_file('asn.mmdb', 'GeoLite2-ASN', sub {
	my $number = 64000 + zipf(300);
	return { autonomous_system_number => $number, autonomous_system_organization => "Network $number Ltd" };
});
write_file('anonymous.mmdb', 'GeoIP2-Anonymous-IP', sub {
	my ($n) = @_;
	return $n % 20 ? undef : { is_anonymous => 1, $n % 40 ? (is_hosting_provider => 1) : (is_anonymous_vpn => 1) };
});
