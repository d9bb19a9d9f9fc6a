# What an event knows of where it came from, over SQL and HTTP: place, network, anonymity; the VPN score of
# its session (L7, D-21), held against a reckoning of our own; and that no file, whatever is wrong with it,
# keeps an event from being stored.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../http", "$FindBin::Bin/../lib";
use File::Temp 'tempdir';
use JSON::PP;
use Door;
use Mmdb;
use Psql;
use Test::More;
use Time::HiRes qw(time sleep);

$ENV{PGHOST} = $ENV{LA_SOCKET};
$ENV{PGUSER} //= 'postgres';
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
my $dir = tempdir('la-facts-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir; # the server's user reads it
$SIG{ALRM} = sub { die "hangs\n" };
my @reserved = (remove_reserved_networks => 0);
my $city = write_file("$dir/city.mmdb", 'GeoLite2-City', [ [ '192.0.2.0/25', place('GB', 'England', 'London') ], [ '192.0.2.128/25', place('FR') ], [ '127.0.0.0/8', place('US', 'Private', 'Private') ] ], @reserved);
my $asn = write_file("$dir/asn.mmdb", 'GeoLite2-ASN', [ map { [ "203.0.113.@{[$_ * 32]}/27", { autonomous_system_number => 64500 + $_, autonomous_system_organization => "Net $_" } ] } 0 .. 5 ], @reserved);
my $anonymous = write_file("$dir/anonymous.mmdb", 'GeoIP2-Anonymous-IP', [
    [ '203.0.113.0/28', { is_anonymous => 1, is_hosting_provider => 1 } ], [ '203.0.113.32/29', { is_anonymous => 1, is_anonymous_vpn => 1 } ],
    [ '203.0.113.40/29', { is_anonymous => 1, is_public_proxy => 1 } ], [ '203.0.113.48/29', { is_anonymous => 1, is_tor_exit_node => 1 } ], [ '203.0.113.64/27', { is_anonymous => 0 } ] ], @reserved);
my %file = (city => $city, asn => $asn, anonymous => $anonymous);

my $id = workspace();
my $s = session('leadanalytics');
sub files { my ($to, %files) = @_; return join '', map { ask($to, "SET leadanalytics.geo_$_ = '" . ($files{$_} // '') . "'") } qw(city asn anonymous) }
# One event of a visitor, from an address; what the server said.
sub come
{
    my ($visitor, $ip) = @_;
    return ask($s, qq{SELECT leadanalytics.track($id, '{"event_name":"x","visitor_id":"$visitor"}', client_ip => } . (defined $ip ? "'$ip'" : 'NULL') . ')');
}
my $accepted = '{"success":true,"accepted":1,"duplicates":0,"rejected":[]}';
sub facts
{
    my ($visitor) = @_;
    return ask($s, qq{SELECT e.geo_country, e.geo_region, e.geo_city, v.geo_country, v.geo_city, v.asn, v.network_name, n.is_anonymous, n.is_hosting, n.is_vpn, n.is_proxy, n.is_tor, v.ip
        FROM leadanalytics.events e JOIN leadanalytics.sessions v USING (workspace, session_id) JOIN leadanalytics.session s ON s.workspace = v.workspace AND s.number = v.number
        LEFT JOIN leadanalytics.term_network n ON n.workspace = s.workspace AND n.id = s.network WHERE e.workspace = $id AND e.visitor_id = '$visitor' ORDER BY e.id LIMIT 1});
}

subtest 'SQL' => sub {
    files($s, %file);
    my %want = (
        '192.0.2.1' => 'GB|England|London|GB|London|||f|f|f|f|f', '192.0.2.200' => 'FR|||FR||||f|f|f|f|f', '::ffff:192.0.2.2' => 'GB|England|London|GB|London|||f|f|f|f|f',
        '203.0.113.1' => '|||||64500|Net 0|t|t|f|f|f', '203.0.113.33' => '|||||64501|Net 1|t|f|t|f|f', '203.0.113.41' => '|||||64501|Net 1|t|f|f|t|f', '203.0.113.49' => '|||||64501|Net 1|t|f|f|f|t',
        '203.0.113.65' => '|||||64502|Net 2|f|f|f|f|f', '203.0.113.130' => '|||||64504|Net 4|f|f|f|f|f', '127.0.0.1' => '|||||||||||', '10.0.0.1' => '|||||||||||', '2001:db8::1' => '|||||||f|f|f|f|f');
    for my $ip (sort keys %want)
    {
        is(come("sql $ip", $ip), $accepted, "$ip: accepted");
        is(facts("sql $ip"), "$want{$ip}|$ip", "$ip: its facts");
    }
    is(come('sql none', undef), $accepted, 'no address');
    is(facts('sql none'), '||||||||||||', '… and no facts');
    is(ask($s, qq{SELECT leadanalytics.track($id, '{"events":[{"event_name":"x","visitor_id":"relay","context":{"ip":"192.0.2.200"}},{"event_name":"x","visitor_id":"nonsense","ip":"1.2.3"},{"event_name":"x","visitor_id":"nonsense2","ip":"' OR 1"}]}', client_ip => '192.0.2.1')} =~ s/' OR/'' OR/r),
        $accepted =~ s/1/3/r, 'whom an event was sent for');
    is(facts('relay'), 'FR|||FR||||f|f|f|f|f|192.0.2.200', 'its own address counts');
    is(facts($_), '||||||||||||', "$_: no address of it") for qw(nonsense nonsense2);
};

subtest 'HTTP: the connection\'s address counts' => sub {
    my %key = map { $_ => key($id, $_) } qw(sdk admin);
    sql("ALTER SYSTEM SET leadanalytics.geo_$_ = '$file{$_}'") for sort keys %file;
    sql('SELECT pg_reload_conf()');
    my $far = '192.0.2.1';
    my @lies = ("X-Forwarded-For: $far", "X-Real-IP: $far", "Forwarded: for=$far", "CF-Connecting-IP: $far", "True-Client-IP: $far", "X-LA-IP: $far", "X-LA-Client-IP: $far", "X-Client-IP: $far");
    my $post = sub { my ($visitor, @headers) = @_; return request('POST', '/api/v1/track', \@headers, encode_json({ event_name => 'x', visitor_id => $visitor, workspace_id => slug(), ip => $far, client_ip => $far, context => { ip => $far } }))->{body} };
    my $deadline = time + 10;
    my $n = 0;
    # (until PostgREST's sessions have read the settings)
    do { sleep 0.1; $post->('relay ' . ++$n, "X-API-Key: $key{sdk}") } until facts("relay $n") =~ /^GB/ || time > $deadline;
    is(facts("relay $n"), "GB|England|London|GB|London|||f|f|f|f|f|$far", 'with a key an event says whom it was sent for');
    is($post->('stranger'), $accepted, 'without a key');
    is(facts('stranger'), '||||||||||||127.0.0.1', '… it does not');
    is($post->('liar', @lies), $accepted, 'no header of the client\'s');
    is(facts('liar'), '||||||||||||127.0.0.1', '… says it either');
    request('POST', '/track/session/start', \@lies, encode_json({ fingerprint_id => 'f', page => '/', visitor_id => 'start', workspace_id => slug(), ip => $far, context => { ip => $far } }));
    is(sql("SELECT ip FROM leadanalytics.sessions WHERE workspace = $id AND visitor_id = 'start'"), '127.0.0.1', 'T1 neither');
    sql("ALTER SYSTEM RESET leadanalytics.geo_$_") for sort keys %file;
    sql('SELECT pg_reload_conf()');
};

subtest 'files that come, change, break and go' => sub {
    files($s);
    is(come('no file', '192.0.2.1'), $accepted, 'no file');
    is(facts('no file'), '||||||||||||192.0.2.1', '… no facts');
    my $path = "$dir/moving.mmdb";
    files($s, city => $path);
    like(come('missing', '192.0.2.1'), qr/\Q$accepted\E$/, 'a file that is not there');
    my $n = 0;
    # The event that comes next, until it has this country; every one was accepted.
    my $until = sub {
        my ($country) = @_;
        my ($deadline, $said, $got) = (time + 5);
        do
        {
            $said = come('moving ' . ++$n, '192.0.2.1');
            $got = (split /\|/, facts("moving $n"), -1)[0];
            sleep 0.05;
        } until $got eq $country || $said !~ /\Q$accepted\E$/ || time > $deadline;
        is("$got $said" =~ s/WARNING.*\n(.*HINT.*\n)?(.*DETAIL.*\n)?//gr, "$country $accepted", "country '$country'");
        return $said;
    };
    for my $country (qw(IT ES))
    {
        write_file($path, 'GeoLite2-City', [ [ '192.0.2.0/24', place($country) ] ], @reserved);
        $until->($country);
    }
    open my $out, '>:raw', "$path.new" or die;
    print $out "no database\n" x 1000;
    close $out;
    rename "$path.new", $path or die;
    like($until->(''), qr/WARNING:  leadanalytics.geo_city is not used/, 'a corrupt file: a warning, and no facts');
    is(come('corrupt again', '192.0.2.1'), $accepted, '… one warning');
    write_file($path, 'GeoLite2-City', [ [ '192.0.2.0/24', place('PT') ] ], @reserved);
    $until->('PT');
    unlink $path;
    $until->('');
    is(ask($s, "SELECT count(*), count(DISTINCT geo_country) FROM leadanalytics.events WHERE workspace = $id AND visitor_id LIKE 'moving%'"), "$n|3", 'every event is there');
};

# L7: sessions of three days, some fingerprints, addresses of several networks; one by one and in batches.
my @from = ((map { "203.0.113.$_" } 1, 2, 33, 34, 35, 65, 66, 97, 98, 129), '192.0.2.1', '2001:db8::1', '2001:db8::2');
srand 5;
my $start = 1778400000;
my @visits = map { { at => $start + int($_ * 260) + int rand 200, fp => (undef, qw(a a a a b b c d e))[ rand 10 ], ip => $_ % 9 ? $from[ rand @from ] : undef } } 0 .. 999;
# One fingerprint with one address, one with two networks that take turns a day apart.
push @visits, map { ({ at => $start + $_ * 7300 + 201, fp => 'calm', ip => '203.0.113.65' }, { at => $start + $_ * 90000 + 203, fp => 'turns', ip => $from[ $_ % 2 ? 2 : 5 ] }) } 0 .. 2;
@visits = sort { $a->{at} <=> $b->{at} } @visits;
my $n = 0;
$_->{name} = 'n' . $n++ for @visits;
sub event { my ($v) = @_; return { event_name => 'page_view', session_id => $v->{name}, timestamp => 1000 * $v->{at}, ($v->{fp} ? (fingerprint_id => $v->{fp}) : ()), ($v->{ip} ? (ip => $v->{ip}) : ()) } }
my $reckoning = <<'SQL';
WITH visit AS (
    SELECT *, ip <<= '203.0.113.0/28' AS hosting FROM leadanalytics.sessions WHERE workspace = %1$d AND session_id ~ '^n[0-9]+$'
), told AS (
    SELECT v.session_id, v.fingerprint_id, v.vpn_score, v.hosting, v.ip, d.ips > 3 AS many_ips, d.asns > 2 AS many_asns, d.sessions > 10 AS many_sessions,
           coalesce(v.asn <> l.asn, false) AS changed
    FROM visit v,
    LATERAL (SELECT count(DISTINCT t.ip) AS ips, count(DISTINCT t.asn) AS asns, count(*) AS sessions FROM visit t
             WHERE t.fingerprint_id = v.fingerprint_id AND t.started_at <= v.started_at AND t.started_at > v.started_at - interval '24 hours') d
    LEFT JOIN LATERAL (SELECT t.asn FROM visit t WHERE t.fingerprint_id = v.fingerprint_id AND t.started_at < v.started_at ORDER BY t.started_at DESC LIMIT 1) l ON true
), score AS (
    SELECT *, CASE WHEN fingerprint_id IS NULL AND ip IS NULL THEN NULL
        ELSE round((3 * coalesce(hosting, false)::int + 5 * many_ips::int + 5 * many_asns::int + 3 * many_sessions::int + 5 * changed::int) * 100 / 24.0) END AS want
    FROM told
)
SQL
sub reckon { my ($workspace, $select) = @_; return sql(sprintf($reckoning, $workspace) . $select) }

my ($singly, $together) = map { workspace($_) } qw(singly together);
files($s, %file);
subtest 'L7 VPN score' => sub {
    cmp_ok(scalar(keys %{ { map { $_->{at} => 1 } @visits } }), '>', 900, 'visits');
    my %of = ($singly => [ map { [$_] } @visits ], $together => []);
    for (my @left = @visits; @left;)
    {
        my @batch = splice @left, 0, 1 + int rand 400;
        push @{ $of{$together} }, [ sort { rand() <=> 0.5 } @batch ];
    }
    for my $workspace ($singly, $together)
    {
        my $accepted = 0;
        for my $batch (@{ $of{$workspace} })
        {
            my $json = encode_json({ events => [ map { event($_) } @$batch ] });
            my ($last) = sort { $b <=> $a } map { $_->{at} } @$batch;
            my $said = ask($s, "SELECT leadanalytics.track($workspace, '$json', now => to_timestamp($last)) ->> 'accepted'");
            $accepted += $said =~ /^\d+$/ ? $said : 0;
        }
        is($accepted, scalar @visits, 'all were accepted');
        is(reckon($workspace, 'SELECT count(*) FROM score'), scalar @visits, 'a session each');
        is(reckon($workspace, 'SELECT session_id, fingerprint_id, ip, vpn_score, want FROM score WHERE vpn_score IS DISTINCT FROM want ORDER BY 1 LIMIT 5'), '', 'every score is as reckoned');
    }
    is(reckon($singly, 'SELECT min(least(a, b)) > 0 FROM (SELECT count(*) FILTER (WHERE x) AS a, count(*) FILTER (WHERE NOT x) AS b FROM score, LATERAL (VALUES (1, hosting), (2, many_ips), (3, many_asns), (4, many_sessions), (5, changed)) r (n, x) WHERE fingerprint_id IS NOT NULL GROUP BY n) y'),
        't', 'every rule held and did not hold');
    is(reckon($singly, 'SELECT count(DISTINCT want) > 6, max(want) > 50, min(want), count(*) FILTER (WHERE want IS NULL) > 0 FROM score'), 't|t|0|t', 'scores of many kinds');
    is(sql("SELECT count(*) FROM leadanalytics.sessions a JOIN leadanalytics.sessions b USING (session_id) WHERE a.workspace = $singly AND b.workspace = $together AND a.vpn_score IS DISTINCT FROM b.vpn_score"), 0, 'one by one as in batches');
};

subtest 'overview' => sub {
    for my $workspace ($singly, $together)
    {
        my $want = reckon($workspace, 'SELECT count(DISTINCT fingerprint_id) FILTER (WHERE want > 50), count(DISTINCT fingerprint_id) FROM score');
        like($want, qr/^[1-9]\d*\|7$/, "suspected and all: $want");
        is(sql("SELECT vpn_suspected_count, unique_fingerprints FROM leadanalytics.overview_rows($workspace)"), $want, 'SQL: vpn_suspected_count, unique_fingerprints');
        my $r = json(request('GET', '/analytics/overview', [ 'X-API-Key: ' . key($workspace, 'admin') ]));
        is("$r->{vpn_suspected_count}|$r->{unique_fingerprints}", $want, 'HTTP: the same');
    }
};
leave($s);
finish();
