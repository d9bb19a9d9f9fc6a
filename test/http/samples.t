# The document's own samples, as they stand there (samples/), against data of the ranges they ask for. Replaced are the
# base URL and the key, and the address that the page's e-mail protection has eaten.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use File::Basename 'dirname';
use JSON::PP ();
use Test::More;

my $samples = dirname(__FILE__) . '/samples';
my $id = workspace();
sql(q(UPDATE leadanalytics.workspace SET timezone = 'America/Chicago' WHERE id = $1), $id);
my $admin = key($id, 'admin');
my $key = key($id, 'sdk');

sub post
{
    my @all = @_;
    my $taken = 0;
    while (my @some = splice @all, 0, 1000)
    {
        my $r = request('POST', '/api/v1/track', ["Authorization: Bearer $admin", 'Content-Type: application/json'], JSON::PP->new->canonical->encode({ events => \@some }));
        $taken += (json($r) // {})->{accepted} // 0;
    }
    return $taken;
}

sub event
{
    my ($name, $visitor, $at, $url, %data) = @_;
    return { event_name => $name, visitor_id => $visitor, session_id => "s-$visitor", timestamp => $at, event_data => { url => "https://acme.com$url", %data } };
}

# --- What there is to find ----------------------------------------------------------------------------------

# Journeys: a visit by way of a campaign, or of none, and what was bought in it. The last two lines are of other days.
my %campaign = (google => ['google', 'cpc', 'spring_sale'], facebook => ['facebook', 'paid', 'retargeting_q1']);
my @journeys = (['google', 700, 10.5, '2026-03-12'], ['facebook', 400, 7, '2026-03-03'], ['', 123, 3, '2026-03-16'], ['google', 30, 1, '2026-02-28'], ['google', 40, 1, '2026-03-17']);
my (@events, $n);
for (@journeys)
{
    my ($campaign, $count, $value, $day) = @$_;
    my $query = $campaign ? sprintf '?utm_source=%s&utm_medium=%s&utm_campaign=%s', @{ $campaign{$campaign} } : '';
    for my $i (1 .. $count)
    {
        $n++;
        my $at = sprintf '%sT%02d:%02d:%02d', $day, 8 + $i / 60 / 10, $i / 10 % 60, $i % 10;
        push @events, event('pageview', "v$n", "${at}Z", "/$query", $campaign eq 'google' ? (referrer => 'https://www.google.com/') : ());
        push @events, event('purchase', "v$n", "$at.500Z", '/thanks', value => $value, currency => 'USD');
    }
}
# Both ends are inclusive: the first and the last moment of the ranges, and what is just outside.
push @events, event('pageview', "edge$_->[0]", $_->[1], '/') for [1, '2026-03-10T00:00:00.000Z'], [2, '2026-03-16T23:59:59.999Z'], [3, '2026-03-09T23:59:59.999Z'], [4, '2026-03-17T00:00:00.000Z'];
push @events, { %{ event('$identify', 'v1', '2026-03-12T08:30:00Z', '/', email => 'ann@example.com') }, user_id => 'u1' };
is(post(@events), scalar @events, 'the events of the samples are stored');
sql('SELECT leadanalytics.put_ads($1, $2)', $id, JSON::PP->new->encode([
    map { { date => $_->[0], platform => $_->[1], account_id => 'a', level => $_->[2], campaign_id => "c$_->[1]", adset_id => $_->[2] eq 'campaign' ? undef : 's', spend => $_->[3], revenue => 2 * $_->[3] } }
        ['2026-03-05', 'meta', 'campaign', 100], ['2026-03-06', 'meta', 'adset', 20], ['2026-03-05', 'meta', 'adset', 1000], ['2026-03-05', 'google', 'campaign', 5], ['2026-03-18', 'meta', 'campaign', 7]]));

# --- curl ---------------------------------------------------------------------------------------------------

sub text
{
    my ($file, $with) = @_;
    open my $in, '<', "$samples/$file" or die "$file: $!";
    local $/;
    my $text = <$in>;
    $text =~ s{https://app\.datalyr\.com}{$ENV{LA_URL}}g;
    $text =~ s/dk_your_api_key/$with/g;
    $text =~ s/\[email[^\]]*protected\]/search=ann\@example.com/;
    $text =~ s{\s+\z}{};
    return $text;
}

sub curl
{
    my ($name) = @_;
    my $text = text("$name.curl", $key);
    my $said = `$text 2>/dev/null`;
    return JSON::PP->new->utf8->decode($said =~ /^\s*[\[{]/ ? $said : '{}');
}

my $overview = curl('overview');
# 700 of the campaign, 123 of none, and the two edges
is_deeply([@$overview{qw(visitors_total pageviews_total sessions_total custom_events_total)}], [825, 825, 825, 823], 'S5-01 curl: overview of 7 days') or diag explain $overview;
is_deeply($overview->{custom_event_counts}, { purchase => 823 }, 'S5-01 custom events');
is($overview->{timezone}, 'America/Chicago', 'S5-01 time zone');

my $traffic = curl('traffic');
is_deeply([@$traffic{qw(total type)}], [1227 - 1, 'referrer'], 'S5-02 curl: traffic');
is_deeply([map { "$_->{name} $_->{count} $_->{percentage}" } @{ $traffic->{data} }], ['google.com 700 57.1', '(direct) 526 42.9'], 'S5-02 sources') or diag explain $traffic;

my $users = curl('users');
is_deeply([map { "$_->{visitor_id} " . ($_->{email} // '') } @{ $users->{users} }], ['v1 ann@example.com'], 'S5-09 curl: a user by e-mail') or diag explain $users;
is($users->{total_count}, 1, 'S5-09 one');

my $ads = curl('ads');
is_deeply([map { "$_->{platform} $_->{level} $_->{campaign_id} $_->{spend} $_->{roas}" } @{ $ads->{data} }], ['meta campaign cmeta 120 2'], 'S5-11 curl: Meta by campaign, no day twice') or diag explain $ads;
is($ads->{overall_roas}, 2, 'S5-11 overall_roas');

is(post(map { my $e = event('pageview', "now$_", undef, '/pricing'); delete $e->{timestamp}; $e } 1 .. 5), 5, 'five people are there');
my $live = curl('realtime');
is_deeply([@$live{qw(active_visitors pageviews time_window)}], [5, 5, 30], 'S5-07 curl: who is there') or diag explain $live;

# --- JavaScript ---------------------------------------------------------------------------------------------

# Top-level await: a module each. The constants stand in the first sample alone.
sub node
{
    my ($name, $with, $before, $after) = @_;
    my $text = text('overview.js', $with);
    my ($constants) = $text =~ /\A((?:const .*\n)+)/ or die 'no constants';
    $text = $constants . text("$name.js", $with) unless $name eq 'overview';
    my $file = "/tmp/leadanalytics-sample.$$.mjs";
    open my $out, '>', $file or die "$file: $!";
    print $out ($before // '') . $text . ($after // '');
    close $out;
    my $said = `node '$file' 2>&1`;
    unlink $file;
    return $said;
}

is(node('overview', $key), "Visitors: 825\nPageviews: 825\n", 'S5-01 JavaScript: getOverview');

# By construction, and as SQL says it.
my $attribution = node('attribution', $key);
is($attribution, "google/spring_sale: 700 conversions, \$7350 revenue\nfacebook/retargeting_q1: 400 conversions, \$2800 revenue\n", 'S5-08 JavaScript: getAttribution');
my $rows = sql(q(SELECT string_agg(format('%s/%s: %s conversions, $%s revenue', utm_source, utm_campaign, conversions, trim_scale(revenue)), E'\n' ORDER BY revenue DESC)
    FROM leadanalytics.attribution_rows($1, '2026-03-01Z', '2026-03-17Z')), $id);
is($attribution, "$rows\n", 'S5-08 SQL says the same');

is(node('events', $key), "Total purchases: 1223\n", 'S5-05 JavaScript: getAllEvents, more than a page');
my $ids = node('events', $key, '', 'console.log(new Set(purchases.map(e => e.id)).size, new Set(purchases.map(e => e.visitor_id)).size, purchases.every(e => e.event_name === "purchase"));');
like($ids, qr/^1223 1223 true$/m, 'S5-05 no event twice, no other among them');

# A key of three requests a minute: the fourth waits for the next minute, up to 60 s.
my $slow = sql(q(SELECT leadanalytics.create_key($1, 'agent', per_minute => 3)), $id);
my $watch = 'const said = []; const plain = fetch; globalThis.fetch = async (...a) => { const r = await plain(...a); said.push(r.status); return r; };';
my $loop = <<'JS';
// All within one window.
if (60 - Date.now() / 1000 % 60 < 5) await new Promise(resolve => setTimeout(resolve, 5500));
const answers = [];
for (let i = 0; i < 5; i++) answers.push((await fetchWithRateLimit(`${BASE_URL}/overview?start_date=2026-03-10&end_date=2026-03-16`, { headers: { 'Authorization': `Bearer ${API_KEY}` } })).status);
console.log(answers.join(), said.join());
JS
is(node('rate_limit', $slow, $watch, $loop), "200,200,200,200,200 200,200,200,429,200,200\n", 'S5 fetchWithRateLimit: told to wait once, and through afterwards');
# Told to wait and not waiting: as often as the sample tries.
is(node('rate_limit', $slow, "const real = setTimeout; globalThis.setTimeout = (f, ms) => real(f, new Error().stack.includes('fetchWithRateLimit') ? 0 : ms); $watch",
    'let n = 0; try { for (; n < 9; n++) await fetchWithRateLimit(`${BASE_URL}/overview?start_date=2026-03-10&end_date=2026-03-16`, { headers: { Authorization: `Bearer ${API_KEY}` } }); } catch (e) { console.log(e.message, said.slice(-3).join()); }'),
    "Rate limit exceeded after retries 429,429,429\n", 'control: who does not wait is refused');
finish();
