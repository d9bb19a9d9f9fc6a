# Random rows against a second reckoning of the dashboard's questions, written here from the contract (S1-01 … S1-07,
# S1-15; D-01, D-04, D-05b, D-07, D-09, D-21, D-71, D-76) and not from the SQL: every answer, at several times, in
# three time zones. The rows are written as they are, so that they hold what ingestion makes and what it would not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use JSON::PP;
use List::Util qw(max min sum0 uniq);
use POSIX qw(floor);
use Test::More;

seed(20260601);
my $json = JSON::PP->new->canonical;
fresh_database('la_fuzz_report');

my $begin = 1777593600; # 2026-05-01 00:00 UTC
my $end = $begin + 62 * 86400;
my @hosts = ('google.com', 'news.example', 'shop.example', 'blog.example', 't.example');
my @spelled = (['https://www.google.com/search', 0], ['https://GOOGLE.com', 0], ['http://news.example:8080/x', 1], ['//news.example', 1], ['https://shop.example/a', undef], ['https://www.shop.example/', undef],
    ['https://www.blog.example/', undef], ['nothing at all', undef], ['/path', undef], ['t.example', 4], ['android-app://t.example/', 4]);
my @pages = map { ["https://shop.example/$_", "/$_"] } 'a' .. 'h';
push @pages, [undef, '/i'], ['https://shop.example/a', '/another']; # one page twice
my @countries = ('AT', 'AT', 'IN', undef);

# A time to the microsecond, often at the edge of a day or an hour.
sub moment
{
    my $whole = $begin + number_to($end - $begin);
    $whole -= $whole % 86400 if chance(6);
    $whole -= $whole % 3600 if chance(6);
    $whole -= 1 if chance(4);
    return $whole * 1_000_000 + (chance(50) ? 0 : pick(1, 500_000, 999_999, number_to(1_000_000)));
}

my (@sessions, @events);
for my $number (1 .. 900)
{
    my $start = moment();
    $start = ($begin + 55 * 86400) * 1_000_000 + number_to(86400) * 1_000_000 if $number > 800; # a spike
    my $seen = $start + pick(0, 0, number_to(200), number_to(5000)) * 1_000_000 + (chance(50) ? 0 : number_to(1_000_000));
    my %s = (number => $number, start => $start, seen => $seen, visitor => chance(90) ? 1 + number_to(60) : undef, named => chance(60), clicks => number_to(30), returns => number_to(6),
        scroll => number_to(101), vpn => chance(30) ? undef : pick(0, 50, 51, 100), fingerprint => chance(60) ? number_to(40) : undef, place => number_to(5), referrer => number_to(@spelled + 3));
    if (chance(25)) { $s{ended} = $seen + number_to(100) * 1_000_000; $s{is_ended} = 1 }
    elsif (chance(30)) { $s{ended} = $seen }
    push @sessions, \%s;
}
for my $id (1 .. 4000)
{
    my $s = chance(80) ? pick(@sessions) : undef;
    my $bot = !$s && chance(30);
    push @events, { id => $id, at => $s ? $s->{start} + number_to(1 + int(($s->{seen} - $s->{start}) / 1_000_000)) * 1_000_000 : moment(), session => $s, visitor => $s ? $s->{visitor} : chance(70) ? 1 + number_to(80) : undef,
        fingerprint => $s ? $s->{fingerprint} : chance(20) ? number_to(60) : undef, bot => $bot, page => chance(90) ? number_to(scalar @pages) : undef, kind => pick(qw(p p a c)), form => chance(10) };
}

# --- What is to be said ------------------------------------------------------------------------------------

my $us = 1_000_000;
sub day_of { return floor($_[0] / $us / 86400) }
sub date { my @p = gmtime($_[0] * 86400); return sprintf '%04d-%02d-%02d', $p[5] + 1900, $p[4] + 1, $p[3] }
sub half_up { my ($numerator, $denominator, $digits) = @_; return 0 unless $denominator; my $f = 10**$digits; return floor((2 * $numerator * $f + $denominator) / (2 * $denominator)) / $f }

# When it ended as seen then, undef while it is open; its score then.
sub ended { my ($s, $now) = @_; return $s->{ended} // ($now - $s->{seen} > ($s->{named} ? 3600 : 1800) * $us ? $s->{seen} : undef) }
sub score { my ($s, $end) = @_; return min(35, floor(($end - $s->{start}) / 10 / $us)) + min(30, floor($s->{scroll} * 3 / 10)) + min(20, $s->{clicks}) + min(15, 5 * min(3, $s->{returns})) }
sub means
{
    my ($now, $digits, @of) = @_;
    my @complete = grep { defined ended($_, $now) } @of;
    return (half_up(sum0(map { ended($_, $now) - $_->{start} } @complete), $us * @complete, $digits), half_up(sum0(map { score($_, ended($_, $now)) } @complete), scalar @complete, 1));
}
sub distinct { return scalar uniq(grep { defined } @_) }
sub ranked { my ($name, $by, @rows) = @_; return [ sort { $b->{$by} <=> $a->{$by} || defined $b->{$name} <=> defined $a->{$name} || ($a->{$name} // '') cmp ($b->{$name} // '') } @rows ] }

sub host { my ($s) = @_; my $r = $spelled[ $s->{referrer} ]; return $r && defined $r->[1] ? $hosts[ $r->[1] ] : '(direct)' }
sub country { my ($s) = @_; return $s->{place} < @countries ? $countries[ $s->{place} ] : undef }
sub page { my ($e) = @_; my $p = $pages[ $e->{page} ]; return $p->[0] // $p->[1] }

my %reckon = (
    overview => sub {
        my ($now, $bots) = @_;
        my @e = grep { $bots || !$_->{bot} } @events;
        my ($duration, $score) = means($now, 0, @sessions);
        return { total_sessions => scalar @sessions, total_events => scalar @e, unique_visitors => distinct(map { $_->{visitor} } @e), unique_fingerprints => distinct(map { $_->{fingerprint} } @e, @sessions),
            avg_engagement_score => $score, avg_session_duration_s => $duration, vpn_suspected_count => distinct(map { $_->{fingerprint} } grep { ($_->{vpn} // 0) > 50 } @sessions) };
    },
    daily_sessions => sub {
        my ($now, $bots, $days) = @_;
        my (@rows, $today) = ();
        $today = day_of($now);
        for my $day ($today - $days + 1 .. $today)
        {
            my @s = grep { day_of($_->{start}) == $day } @sessions;
            my $visitors = distinct(map { $_->{visitor} } grep { ($bots || !$_->{bot}) && day_of($_->{at}) == $day } @events);
            next unless @s || $visitors;
            my ($duration, $score) = means($now, 1, @s);
            push @rows, { date => date($day), total_sessions => scalar @s, unique_visitors => $visitors, avg_duration => $duration, avg_engagement => $score };
        }
        return \@rows;
    },
    top_pages => sub {
        my ($now, $bots, $limit) = @_;
        my %by;
        push @{ $by{ page($_) } }, $_ for grep { $_->{kind} eq 'p' && defined $_->{page} && ($bots || !$_->{bot}) } @events;
        my $all = ranked('page', 'views', map { { page => $_, views => scalar @{ $by{$_} }, unique_sessions => distinct(map { $_->{session} && $_->{session}{number} } @{ $by{$_} }) } } keys %by);
        return [ @$all[ 0 .. min($limit, scalar @$all) - 1 ] ];
    },
    geo_distribution => sub {
        my %by;
        push @{ $by{ country($_) // '' } }, $_ for @sessions;
        return ranked('country', 'sessions', map { { country => length $_ ? $_ : undef, sessions => scalar @{ $by{$_} }, unique_visitors => distinct(map { $_->{visitor} } @{ $by{$_} }) } } keys %by);
    },
    engagement_distribution => sub {
        my ($now) = @_;
        my @n = (0) x 5;
        for my $s (@sessions) { my $end = ended($s, $now) // next; $n[ min(4, int(score($s, $end) / 20)) ]++ }
        return [ map { { bucket => (qw(0-19 20-39 40-59 60-79 80-100))[$_], count => $n[$_] } } 0 .. 4 ];
    },
    traffic_sources => sub {
        my %n;
        $n{ host($_) }++ for @sessions;
        return ranked('referrer_domain', 'sessions', map { { referrer_domain => $_, sessions => $n{$_} } } keys %n);
    },
    realtime => sub {
        my ($now, $bots) = @_;
        my $recent = sub { return $_[0] >= $now - 3600 * $us && $_[0] <= $now + 300 * $us };
        my @e = grep { $bots || !$_->{bot} } @events;
        my %active = map { ($_->{number} => $_) } (grep { $recent->($_->{start}) } @sessions), grep { defined } map { $_->{session} } grep { $recent->($_->{at}) } @e;
        return { active_sessions => scalar(grep { !$_->{is_ended} || $_->{ended} > $now } values %active), events_last_hour => scalar(grep { $recent->($_->{at}) } @e),
            unique_visitors_today => distinct(map { $_->{visitor} } grep { day_of($_->{at}) == day_of($now) } @e), total_sessions_today => scalar(grep { day_of($_->{start}) == day_of($now) } @sessions) };
    },
    anomalies => sub {
        my ($now, undef, $days) = @_;
        my ($today, $since, @rows) = (day_of($now), day_of(min(map { $_->{at} } @events)));
        my %at = (traffic_spike => [ map { $_->{start} } @sessions ], submission_drop => [ map { $_->{at} } grep { $_->{form} && !$_->{bot} } @events ]);
        my %on; # type → day → microseconds of the day
        for my $type (keys %at) { push @{ $on{$type}{ day_of($_) } }, $_ % (86400 * $us) for @{ $at{$type} } }
        for my $day (reverse $today - $days + 1 .. $today)
        {
            my $hours = $day == $today ? floor($now / $us / 3600) % 24 : 24;
            for my $type (sort keys %at)
            {
                my @n = map { my $d = $_; scalar grep { $_ < $hours * 3600 * $us } @{ $on{$type}{$d} // [] } } max($day - 28, $since) .. $day;
                my $value = pop @n;
                next if @n < 7;
                my $mean = sum0(@n) / @n;
                my $deviation = sqrt(sum0(map { ($_ - $mean)**2 } @n) / (@n - 1));
                my $far = $type eq 'traffic_spike' ? $value - $mean : $mean - $value;
                push @rows, { type => $type, date => date($day), value => $value, expected => half_up(sum0(@n), scalar @n, 1), severity => $far > 6 * $deviation ? 'high' : 'low' } if $far > 3 * $deviation;
            }
            my @s = grep { day_of($_->{start}) == $day } @sessions;
            my $suspected = grep { ($_->{vpn} // 0) > 50 } @s;
            push @rows, { type => 'vpn_ratio', date => date($day), value => half_up(100 * $suspected, scalar @s, 1), expected => 20, severity => $suspected > 0.4 * @s ? 'high' : 'low' } if 5 * $suspected > @s;
        }
        return \@rows;
    });

# --- What is said ------------------------------------------------------------------------------------------

sub value { my ($v) = @_; return !defined $v ? 'NULL' : $v =~ /^-?\d+$/ ? $v : "'$v'" }
sub at { my ($t) = @_; return defined $t ? sprintf("to_timestamp(%d) + interval '%d us'", floor($t / $us), $t % $us) : 'NULL' }
my $term = sub { my ($id, $kind, @parts) = @_; return "(1, $id, md5('$kind $id')::uuid, '$kind', ARRAY[" . join(', ', map { defined $_ ? "'$_'" : 'NULL' } @parts) . ']::text[])' };
my @terms = ((map { $term->(100 + $_, 'text', $spelled[$_][0]) } 0 .. $#spelled), (map { $term->(200 + $_, 'page', @{ $pages[$_] }) } 0 .. $#pages), (map { $term->(300 + $_, 'place', $countries[$_], "r$_", undef) } 0 .. $#countries),
    $term->(400, 'text', 'some'), "(1, 401, encode(substr(sha256('text\\000form_submission\\000'), 1, 16), 'hex')::uuid, 'text', '{form_submission}')");
my @statements = (
    q{SELECT leadanalytics.create_workspace('fuzz', domain => 'shop.example'), leadanalytics.create_site(1, 'blog', '{blog.example}')},
    q{SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series('2026-04-01'::timestamp, '2026-08-01', '1 month') AS m},
    'INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts) VALUES ' . join(",\n", @terms),
    'INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, ended_at, is_ended, visitor, session_id, clicks, returns, scroll_percent, vpn_score, fingerprint, place, referrer) VALUES ' . join(",\n", map { my $s = $_; '(' . join(', ', 1, $s->{number}, at($s->{start}), at($s->{seen}), at($s->{ended}), $s->{is_ended} ? 'true' : 'false', value($s->{visitor}), $s->{named} ? "'s$s->{number}'" : 'NULL',
            @$s{qw(clicks returns scroll)}, value($s->{vpn}), defined $s->{fingerprint} ? 500 + $s->{fingerprint} : 'NULL', $s->{place} < @countries ? 300 + $s->{place} : 'NULL', $s->{referrer} < @spelled ? 100 + $s->{referrer} : 'NULL') . ')' } @sessions),
    'INSERT INTO leadanalytics.event (workspace, at, received_at, session, visitor, name, fingerprint, page, kind, is_bot) VALUES ' . join(",\n", map { my $e = $_; '(' . join(', ', 1, at($e->{at}), at($e->{at}), $e->{session} ? $e->{session}{number} : 'NULL', value($e->{visitor}), $e->{form} ? 401 : 400,
            defined $e->{fingerprint} ? 500 + $e->{fingerprint} : 'NULL', defined $e->{page} ? 200 + $e->{page} : 'NULL', "'$e->{kind}'", $e->{bot} ? 'true' : 'false') . ')' } @events));

my (@questions, @broken);
# Also when a session is just not idle yet, and just idle; and when an event is just of the last hour, and just not.
my @open = grep { !defined $_->{ended} } @sessions;
my $edge = pick(grep { $_->{named} } @open)->{seen} + 3600 * $us;
my $other = pick(grep { !$_->{named} } @open)->{seen} + 1800 * $us;
my $hour = pick(grep { !$_->{bot} } @events)->{at} + 3600 * $us;
my @times = (($begin + 20 * 86400 + 43200) * $us, ($begin + 56 * 86400) * $us, (map { moment() } 1 .. 3), (map { ($_, $_ + 1) } $edge, $other, $hour), ($end + 86400) * $us);
for my $now (@times)
{
    my $at = at($now);
    push @questions, map { [ $now, @$_ ] } ['overview', '', 0], ['overview', ', include_bots => true', 1], ['daily_sessions', ', days => 30', 0, 30], ['daily_sessions', ', days => 90, include_bots => true', 1, 90], ['engagement_distribution', '', 0],
        ['realtime', '', 0], ['realtime', ', include_bots => true', 1], ['anomalies', ', days => 7', 0, 7], ['anomalies', ', days => 30', 0, 30];
}
push @questions, map { [ 0, @$_ ] } ['top_pages', ', 100', 0, 100], ['top_pages', ', 3, true', 1, 3], ['geo_distribution', '', 0], ['traffic_sources', '', 0];
for my $zone ('UTC', 'Asia/Kolkata', 'America/New_York')
{
    push @statements, "SET timezone = '$zone'";
    for my $n (0 .. $#questions)
    {
        my ($now, $function, $more) = @{ $questions[$n] };
        push @statements, "SELECT concat_ws('|', 'said', $n, '$zone', leadanalytics.$function(1" . ($now ? ', now => ' . at($now) : '') . "$more)::jsonb)";
    }
}
my %said;
for (run_sql(@statements)) { if (/^said\|(\d+)\|([^|]+)\|(.*)$/) { $said{$1}{$2} = decode_json($3) } elsif (/ERROR/) { push @broken, $_ } }
is_deeply(\@broken, [], 'no errors');

# The rows tell apart what they should.
cmp_ok(scalar @{ $reckon{anomalies}->($times[1], 0, 30) }, '>', 3, 'there are anomalies');
for my $n (0 .. $#questions)
{
    my ($now, $function, $more, @args) = @{ $questions[$n] };
    my $want = $json->encode($reckon{$function}->($now, @args));
    my @wrong = grep { $json->encode($said{$n}{$_} // {}) ne $want } 'UTC', 'Asia/Kolkata', 'America/New_York';
    ok(!@wrong, "$function$more at " . ($now / $us) . ' in three zones') or diag "in $wrong[0]: " . $json->encode($said{$n}{ $wrong[0] } // {}) . "\n  not: $want";
}
done_testing();
