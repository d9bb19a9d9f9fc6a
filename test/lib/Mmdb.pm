# MaxMind DB files of a test's own.
package Mmdb;
use strict;
use warnings;
use Exporter 'import';
use MaxMind::DB::Writer::Tree;
our @EXPORT = qw(write_file place);

my %types = (
	(map { $_ => 'utf8_string' } qw(iso_code en de database autonomous_system_organization)),
	(map { $_ => 'map' } qw(country city names traits)),
	(map { $_ => 'boolean' }
		qw(is_anonymous is_anonymous_vpn is_hosting_provider is_public_proxy is_residential_proxy is_tor_exit_node)),
	subdivisions => [ 'array', 'map' ],
	autonomous_system_number => 'uint32',
);

# write_file(path, database type, [network => record]…): put in place by rename, as one should.
sub write_file
{
	my ($path, $type, $networks, %more) = @_;
	my $tree = MaxMind::DB::Writer::Tree->new(
		ip_version => 6, record_size => 24, database_type => $type, languages => ['en'],
		description => { en => 'a test' }, map_key_type_callback => sub { $types{ $_[0] } }, %more);
	$tree->insert_network(@$_) for @$networks;
	open my $file, '>:raw', "$path.new" or die "$path: $!";
	$tree->write_tree($file);
	close $file or die "$path: $!";
	rename "$path.new", $path or die "$path: $!";
	return $path;
}

sub place
{
	my ($country, $region, $city) = @_;
	return {
		($country ? (country => { iso_code => $country, names => { de => 'x', en => 'y' } }) : ()),
		($region ? (subdivisions => [ { iso_code => 'XX', names => { de => 'x', en => $region } }, { names => { en => 'smaller' } } ]) : ()),
		($city ? (city => { names => { de => 'x', en => $city } }) : ()),
	};
}

1;
