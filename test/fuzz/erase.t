# Random visitors and persons are erased, folded or not, from a workspace that its twin never heard of them in: every
# answer of the two is the same. In a third one they share sessions, and what is left must add up and be what the rows
# say. LA_SEED replays a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Adds;
use Fuzz;
use JSON::PP;
use Psql;
use Test::More;

my $seed = seed($ENV{LA_LONG} ? time : 20261122);
my $seconds = $ENV{LA_LONG} ? 600 : 30;
note("LA_SEED=$seed");
my $json = JSON::PP->new->canonical;
fresh_database('la_fuzz_erase');

my $begin = 1772323200; # 2026-03-01 00:00 UTC, before New York's clocks are set
my $days = 40;
my $db = session('la_fuzz_erase');
sub say_sql { my ($sql) = @_; my $said = ask($db, $sql); return $said }
sub must { my ($sql) = @_; my $said = say_sql($sql); BAIL_OUT("seed $seed: $sql: $said") if $said =~ /ERROR/; return $said }

must($_) for 'SET leadanalytics.segment_events = 4',
    q{SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series(date '2026-02-01', '2026-06-01', '1 month') AS m},
    q{SELECT leadanalytics.create_workspace('w' || i, 'Workspace ' || i, timezone => 'America/New_York') FROM generate_series(1, 3) AS i},
    # what only the number of the dictionary tells apart, and what depends on who else was there when it was stored
    q{CREATE VIEW twins AS SELECT d.name FROM leadanalytics.dimensions() d WHERE d.name NOT IN ('event_page', 'event_campaign', 'event_place', 'origin', 'tag_source', 'suspected')},
    q{CREATE FUNCTION said(w int, b timestamptz[], n timestamptz) RETURNS TABLE (dimension text, slot int, value text, counts bigint[], members bigint) LANGUAGE sql STABLE AS $$
        SELECT a.dimension, a.slot, a.value, a.counts, a.members FROM twins t, leadanalytics.answer_from_segments(w, ARRAY[t.name], b, n, true, true, 0, false, '{}', '{}') a $$},
    q{CREATE FUNCTION differ(b timestamptz[], n timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
        (SELECT 'erased: ' || x::text FROM (SELECT * FROM said(1, b, n) EXCEPT ALL SELECT * FROM said(2, b, n)) AS x LIMIT 4)
        UNION ALL
        (SELECT 'never there: ' || x::text FROM (SELECT * FROM said(2, b, n) EXCEPT ALL SELECT * FROM said(1, b, n)) AS x LIMIT 4) $$},
    q{CREATE FUNCTION rows_differ(w int, b timestamptz[], n timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
        (SELECT 'segments: ' || x::text FROM (SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_segments(w, ARRAY[d.name], b, n, true, true, 0, false, '{}', '{}') a
            EXCEPT ALL SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_rows(w, ARRAY[d.name], b, n, true, true, 0, false, '{}', '{}') a) AS x LIMIT 4) $$},
    q{CREATE FUNCTION numbers(w int, ids text[]) RETURNS int[] LANGUAGE sql STABLE AS $$ SELECT array_agg(v.number) FROM leadanalytics.visitor v WHERE v.workspace = w AND v.visitor_id = ANY (ids) $$},
    q{CREATE FUNCTION people(w int, ids text[]) RETURNS int[] LANGUAGE sql STABLE AS $$ SELECT array_agg(p.number) FROM leadanalytics.person p WHERE p.workspace = w AND p.user_id = ANY (ids) $$};

# --- Facts ------------------------------------------------------------------------------------------------

my @agents = ('Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
    'Googlebot/2.1 (+http://www.google.com/bot.html)', '');
my $clock = $begin + 86400;
my $id = 0;

sub time_of
{
    my ($s) = @_;
    my @p = gmtime $s;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d', $p[5] + 1900, $p[4] + 1, @p[3, 2, 1, 0];
}
sub moment { return chance(60) ? $clock - number_to(7200) : $begin + number_to($days * 86400) }

# Of somebody: v… by a browser, u… by a server that knows no visitor.
sub event_of
{
    my ($who, $session) = @_;
    my %e = (event_name => pick(qw(page_view page_view page_view click scroll signup purchase)), event_data => { url => 'https://shop.example/' . pick('a' .. 'f', number_to(60), $who) }, timestamp => time_of(moment()) . 'Z');
    if ($who =~ /^u/) { $e{user_id} = $who }
    else { $e{visitor_id} = $who; $e{user_id} = "u-$who" if chance(10) }
    $e{session_id} = $session if defined $session;
    $e{event_data}{referrer} = pick('https://www.google.com/', 'https://news.example/a', 'nothing', "https://$who.example/") if chance(50);
    $e{event_data}{utm_campaign} = pick('spring', 'autumn', $who), $e{event_data}{utm_source} = pick('mail', 'ads') if chance(20);
    $e{event_data}{tags} = [ map { pick(qw(red green blue)) } 0 .. number_to(3) ] if chance(20);
    $e{event_data}{scroll_percent} = number_to(101) if chance(20);
    $e{source} = 'shopify' if chance(10);
    $e{event_data}{fingerprint_id} = 'f' . pick($who, number_to(12)) if chance(40);
    $e{event_id} = 'e' . ++$id if chance(30);
    return \%e;
}

sub track
{
    my ($w, $agent, $address, @events) = @_;
    return 0 unless @events;
    return must(sprintf q{SELECT leadanalytics.track(%d, '%s', client_ip => '198.51.100.%d', user_agent => '%s', now => '%sZ', as_role => 'admin')->>'accepted'},
        $w, $json->encode({ events => \@events }), $address, $agent, time_of($clock));
}

# The twins hear the same of those who stay; of who goes only the first one does.
my %goes;
my @stay = ((map { "v$_" } 0 .. 49), (map { "u$_" } 0 .. 9));
my @everybody = @stay;
sub track_twins
{
    my @events = map { my $who = pick(@everybody, @everybody[0 .. 5]); [ $who, event_of($who, chance(50) && $who =~ /^v/ ? "s-$who-" . number_to(4) : undef) ] } 1 .. pick(1, 3, 20, 80);
    my ($agent, $address) = (pick(@agents), number_to(9));
    track(1, $agent, $address, map { $_->[1] } @events);
    track(2, $agent, $address, map { $_->[1] } grep { !$goes{ $_->[0] } } @events);
    return;
}

# In the third a session is anybody's; some say nothing of who they are.
sub track_crowd
{
    my @events = map { event_of(pick(@everybody), chance(80) ? 's' . number_to(25) . '-' . int($clock / 86400) : undef) } 1 .. pick(1, 3, 20, 80);
    for (@events) { delete $_->{visitor_id} if $_->{session_id} && chance(10) }
    track(3, pick(@agents), number_to(9), @events);
    return;
}

# --- What is done with them -------------------------------------------------------------------------------

my %counted;
sub array { return "'{" . join(',', @_) . "}'" }
sub erase
{
    my ($w, @who) = @_;
    my $said = must(sprintf q{SELECT string_agg(format('%%s %%s', n, what), ', ' ORDER BY what) FROM leadanalytics.erase_web(%d, coalesce(numbers(%d, %s), '{}'), coalesce(people(%d, %s), '{}'), '%sZ')},
        $w, $w, array(grep { /^v/ } @who), $w, array(map { /^u/ ? $_ : "u-$_" } @who), time_of($clock));
    $counted{$2} += $1 while $said =~ /(\d+) ([a-z ]+)/g;
    return;
}
my $some = sub { 1 + number_to(3) };
my $bounds = sub { return chance(30) ? "'{-infinity,infinity}'" : sprintf q{(SELECT array_agg(s ORDER BY s) FROM leadanalytics.steps('%sZ', '%sZ', '%s', '%s') s)}, time_of($begin + number_to(86400)), time_of($begin + $days * 86400), pick(qw(day week month)), pick(qw(UTC America/New_York Asia/Kolkata)) };
my @deeds = (
    [ 30, \&track_twins ],
    [ 20, \&track_crowd ],
    [ 10, sub { must(sprintf q{SELECT leadanalytics.fold_workspace(%d, %d, '%sZ')}, $some->(), pick(50, 400, 50000), time_of($clock)) } ],
    [ 6, sub { must(sprintf q{SELECT leadanalytics.build_workspace(%d, '%sZ')}, $some->(), time_of($clock + pick(0, 0, 40 * 86400))) } ],
    [ 3, sub { must(sprintf q{SELECT leadanalytics.close_idle(i, '%sZ') FROM generate_series(1, 3) i}, time_of($clock)) } ],
    [ 2, sub { my ($i, $n, $at) = (pick(@everybody), number_to(4), time_of($clock)); say_sql(qq{SELECT leadanalytics.track_session_end($_, '{"session_id": "s-$i-$n"}', now => '${at}Z')}) for 1, 2 } ],
    [ 1, sub { say_sql(sprintf q{SELECT leadanalytics.track_session_end(3, '{"session_id": "s%d-%d"}', now => '%sZ')}, number_to(25), int($clock / 86400), time_of($clock)) } ],
    [ 3, sub { my @who = grep { chance(30) } sort keys %goes; erase(1, @who) if @who } ],
    [ 4, sub { erase(3, map { pick(@everybody) } 1 .. pick(1, 1, 4)) } ],
    [ 8, sub { $clock += pick(60, 900, 7200, 40000); $clock = $begin + $days * 86400 if $clock > $begin + $days * 86400 } ],
);
my $weights = 0;
$weights += $_->[0] for @deeds;

sub empty
{
    my ($what, $sql) = @_;
    my $said = say_sql($sql);
    return 1 if $said eq '';
    is($said, '', "seed $seed: $what");
    return 0;
}

my $until = time + $seconds;
my $good = 1;
while (time < $until && $good)
{
    # Whoever is to go was in neither of the twins before; who went may come again, as somebody new.
    push @stay, grep { chance(20) } sort keys %goes;
    my $round = $counted{rounds}++;
    %goes = map { $_ => 1 } (map { "v$_-$round" } 0 .. number_to(15)), (map { "u$_-$round" } 0 .. number_to(4));
    @everybody = (@stay, sort keys %goes);
    for (1 .. 60)
    {
        my $at = number_to($weights);
        my $i = 0;
        $at -= $deeds[$i++][0] while $at >= $deeds[$i][0];
        $deeds[$i][1]->();
    }
    erase(1, sort keys %goes);
    my $now = time_of($clock);
    for my $asked ($bounds->(), "'{-infinity,infinity}'")
    {
        $good &&= empty('erased is as never there', qq{SELECT * FROM differ($asked, '${now}Z')});
        $good &&= empty("workspace $_: segments and rows answer alike", qq{SELECT * FROM rows_differ($_, $asked, '${now}Z')}) for 1, 3;
    }
    $good &&= empty("workspace $_: segments, trail and rows agree", "SELECT r FROM leadanalytics.reconcile($_) r LIMIT 5") for 1, 3;
    $good &&= empty("workspace $_: all adds up", $_->[1]) for map { my $w = $_; map { [ $w, $_ ] } adding_up($w) } 1, 3;
    $good &&= empty('nobody of them is left', sprintf q{SELECT v.visitor_id FROM leadanalytics.visitor v WHERE v.workspace = 1 AND v.visitor_id = ANY (%s) UNION ALL SELECT p.user_id FROM leadanalytics.person p WHERE p.workspace = 1 AND p.user_id = ANY (%s)}, (array(sort keys %goes)) x 2);
}
my ($segments, $grains, $events) = split /\|/, must('SELECT (SELECT count(*) FROM leadanalytics.segment), (SELECT string_agg(DISTINCT grain::text, NULL ORDER BY grain::text) FROM leadanalytics.bucket), (SELECT count(*) FROM leadanalytics.event)');
is($grains, 'dmqw', "$segments segments of $events events");
cmp_ok($counted{$_} // 0, '>', 0, "there were some: $_") for 'rounds', 'events', 'sessions', 'sessions left to others', 'points', 'guests', 'identities', 'visitors', 'persons';
note(join ', ', map { "$counted{$_} $_" } sort keys %counted);
leave($db);
done_testing;
