# Random events in random batches against a second reckoning of the rules, written here from the contract
# (D-04, D-56, D-70, D-71, L5) and not from the C: every session, every visitor, the overview, the ledger.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use JSON::PP;
use List::Util qw(max min sum0);
use Test::More;

seed(20260331);
my $json = JSON::PP->new->canonical;
fresh_database('la_fuzz_numbers');

my $begin = 1774914000; # 2026-03-30 23:40 UTC: the month ends a day later
my %limit = (named => 3600, made => 1800);

sub iso { my ($t) = @_; my @p = gmtime int $t; return sprintf '%04d-%02d-%02dT%02d:%02d:%02d%sZ', $p[5] + 1900, $p[4] + 1, @p[ 3, 2, 1, 0 ], chance(20) ? '.000' : '' }

# What the server knows, as we reckon it.
my (%stored, %visitor, %named, @sessions, @events, @recent);

sub is_open { my ($s, $now) = @_; return $now - $s->{last_seen} <= $s->{limit} }
sub fits
{
    my ($s, $at, $now) = @_;
    return 0 if $s->{stored} && !$s->{open};
    return 0 if !defined $s->{name} && $s->{start} - $at > $s->{limit};
    return $at - $s->{reach} <= $s->{limit};
}
sub take { my ($s, $e) = @_; $s->{start} //= $e->{at}; $s->{reach} = max($s->{reach} // $e->{at}, $e->{at}); push @{ $s->{fresh} }, $e; $e->{session} = $s; return }

sub reckon
{
    my ($now, @batch) = @_;
    my (%met, @new);
    for my $e (@batch)
    {
        next if defined $e->{event_id} && ($met{ $e->{event_id} }++ || $stored{ $e->{event_id} });
        my $believed = defined $e->{t} && $e->{t} >= $now - 7 * 86400 && $e->{t} <= $now + 300;
        push @new, { %$e, at => $believed ? $e->{t} : $now, index => scalar @new };
    }
    for my $e (@new)
    {
        $stored{ $e->{event_id} } = 1 if defined $e->{event_id};
        push @events, $e;
        next unless defined $e->{visitor_id};
        my $v = $visitor{ $e->{visitor_id} } //= { id => $e->{visitor_id}, sessions => 0 };
        $e->{visitor} = $v;
    }
    $_->{open} = is_open($_, $now), $_->{stored} = 1, $_->{reach} = $_->{last_seen}, $_->{fresh} = [] for @sessions;
    my @opened;
    my $open = sub { my ($name) = @_; my $s = { name => $name, limit => defined $name ? $limit{named} : $limit{made}, fresh => [], events => 0, pageviews => 0, clicks => 0, scroll => 0 }; push @opened, $s; return $s };
    for my $e (sort { $a->{at} <=> $b->{at} || $a->{index} <=> $b->{index} } @new)
    {
        if (defined $e->{session_id})
        {
            my $s = $named{ $e->{session_id} };
            if (!$s) { $s = $named{ $e->{session_id} } = $open->($e->{session_id}); take($s, $e) }
            elsif (fits($s, $e->{at}, $now)) { take($s, $e) }
        }
        elsif (my $v = $e->{visitor})
        {
            my $s = $v->{last};
            $s = $v->{opened} if !$s || !fits($s, $e->{at}, $now);
            $s = $v->{opened} = $open->() if !$s || !fits($s, $e->{at}, $now);
            take($s, $e);
        }
    }
    for my $s (sort { $a->{start} <=> $b->{start} || $a->{fresh}[0]{index} <=> $b->{fresh}[0]{index} } @opened)
    {
        my $first = $s->{fresh}[0];
        $s->{$_} = $first->{$_} for qw(page referrer utm_source visitor);
        $s->{last_seen} = $s->{start};
        $s->{returns} = $s->{visitor} ? $s->{visitor}{sessions}++ : 0;
        push @sessions, $s;
    }
    for my $s (@sessions)
    {
        for my $e (@{ $s->{fresh} })
        {
            $s->{events}++;
            $s->{pageviews}++ if $e->{event_name} eq 'page_view';
            $s->{clicks}++ if $e->{event_name} eq 'click';
            $s->{scroll} = max($s->{scroll}, $e->{scroll_percent} // 0);
            next if $e->{at} < $s->{last_seen};
            $s->{last_seen} = $e->{at};
            $s->{last_page} = $e->{page} if defined $e->{page};
        }
    }
    # What the next event without a session may belong to: the one that reaches furthest.
    for my $s (sort { $a->{start} <=> $b->{start} || $a->{fresh}[0]{index} <=> $b->{fresh}[0]{index} } grep { !defined $_->{name} } @opened)
    {
        my $v = $s->{visitor};
        $v->{last} = $s if !$v->{last} || $s->{last_seen} >= $v->{last}{last_seen};
    }
    delete $_->{opened} for values %visitor;
    return scalar @new;
}

my $made = 0;
sub event
{
    my ($now) = @_;
    my %e = (event_name => pick(qw(page_view page_view click scroll signup)));
    $e{event_id} = 'e' . $made++ if chance(85);
    $e{visitor_id} = 'v' . number_to(8) if chance(90);
    $e{session_id} = 's' . number_to(30) if chance(45);
    $e{fingerprint_id} = 'f' . number_to(5) if chance(20);
    $e{page} = '/p' . number_to(6) if chance(80);
    $e{referrer} = 'https://r' . number_to(4) if chance(30);
    $e{utm_source} = 'u' . number_to(3) if chance(20);
    $e{scroll_percent} = number_to(101) if $e{event_name} eq 'scroll';
    $e{t} = $now - number_to(chance(75) ? 5000 : 8 * 86400) + number_to(7) * 100 if chance(85);
    return \%e;
}

sub body
{
    my @list = map {
        my %e = %$_;
        my $data = { map { ($_ => $e{$_}) } grep { defined $e{$_} } qw(scroll_percent referrer) };
        $data->{url} = $e{page} if defined $e{page};
        my %sent = map { ($_ => $e{$_}) } grep { defined $e{$_} } qw(event_name event_id visitor_id session_id fingerprint_id utm_source);
        $sent{timestamp} = iso($e{t}) if defined $e{t};
        $sent{event_data} = $data if %$data;
        \%sent
    } @_;
    return $json->encode(@list == 1 && chance(50) ? $list[0] : { events => \@list });
}

my @statements = (
    q{SELECT leadanalytics.create_workspace('utc'), leadanalytics.create_workspace('kolkata')},
    'CREATE TEMP TABLE answer (n int, workspace int, said json)');
my @expected;
my $now = $begin;
for my $n (0 .. 119)
{
    $now += chance(30) ? number_to(60) : number_to(chance(15) ? 9000 : 1500);
    my @batch = map { event($now) } 1 .. (chance(25) ? 32 + number_to(30) : 1 + number_to(12));
    @recent = grep { $_->[0] > $now - 3 * 3600 } @recent;
    for (1 .. 3) { splice @batch, number_to(@batch + 1), 0, pick(@recent)->[1] if @recent && chance(40) }
    push @recent, map { [ $now, $_ ] } grep { defined $_->{event_id} } @batch[ 0 .. min(5, $#batch) ];
    # an id that two events of a batch have: the first is taken
    push @batch, { %{ event($now) }, event_id => $batch[0]{event_id} } if chance(30) && defined $batch[0]{event_id};
    my $accepted = reckon($now, @batch);
    my $text = body(@batch);
    push @expected, qq({"success":true,"accepted":$accepted,"duplicates":@{[ @batch - $accepted ]},"rejected":[]});
    for my $workspace (1, 2)
    {
        push @statements, "SET timezone = '" . ($workspace == 1 ? 'UTC' : 'Asia/Kolkata') . "'",
            "INSERT INTO answer SELECT $n, $workspace, leadanalytics.track($workspace, '" . ($text =~ s/'/''/gr) . "', now => to_timestamp($now))";
        push @statements, "DO \$\$ BEGIN PERFORM leadanalytics.close_idle($workspace, to_timestamp($now)); END \$\$" if $workspace == 2 && chance(30);
    }
}
my $epoch = sub { "extract(epoch FROM $_[0])::bigint" };
my $text = sub { "(SELECT t.parts[1] FROM leadanalytics.term t WHERE t.workspace = s.workspace AND t.id = s.$_[0])" };
for my $workspace (1, 2)
{
    push @statements, "SELECT 'answer', $workspace, n, said FROM answer WHERE workspace = $workspace ORDER BY n",
        "SELECT concat_ws('|', 'session', $workspace, coalesce(s.session_id, 'made'), coalesce(v.visitor_id, '-'), " . join(', ', map { $epoch->("s.$_") } qw(started_at last_seen)) . ', '
        . join(', ', map { "coalesce(" . $text->($_) . ", '-')" } qw(entry_page last_page referrer campaign))
        . ", s.returns, s.events, s.pageviews, s.clicks, s.scroll_percent) FROM leadanalytics.session s LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor WHERE s.workspace = $workspace ORDER BY 1",
        "SELECT concat_ws('|', 'visitor', $workspace, visitor_id, sessions) FROM leadanalytics.visitor WHERE workspace = $workspace ORDER BY 1",
        "SELECT concat_ws('|', 'event', $workspace, event_name, coalesce(visitor_id, '-'), coalesce(s.session_id, CASE WHEN s.number IS NOT NULL THEN 'made' ELSE '-' END), " . $epoch->('e.at') . ") FROM leadanalytics.events e LEFT JOIN leadanalytics.event r ON r.id = e.id AND r.at = e.at LEFT JOIN leadanalytics.session s ON s.workspace = e.workspace AND s.number = r.session WHERE e.workspace = $workspace ORDER BY 1",
        map { "SELECT concat_ws('|', 'overview', $workspace, $_, leadanalytics.overview($workspace, to_timestamp($_)))" } $now, $now + 2000, $now + 7 * 86400;
}
push @statements,
    q{SELECT 'broken', 'ledger', l.* FROM leadanalytics.ledger l WHERE n <> (SELECT count(*) FROM leadanalytics.event e WHERE e.id BETWEEN l.id_from AND l.id_to AND e.at BETWEEN l.at_min AND l.at_max AND e.workspace = l.workspace AND date_trunc('month', e.at AT TIME ZONE 'UTC') = l.leaf)},
    q{SELECT 'broken', 'sum', a, b FROM (SELECT sum(n) FROM leadanalytics.ledger) x (a), (SELECT count(*) FROM leadanalytics.event) y (b) WHERE a <> b},
    q{SELECT 'broken', 'session', s.number FROM leadanalytics.session s WHERE events <> (SELECT count(*) FROM leadanalytics.event e WHERE e.workspace = s.workspace AND e.session = s.number)},
    q{SELECT 'broken', 'visitor', v.visitor_id FROM leadanalytics.visitor v WHERE sessions <> (SELECT count(*) FROM leadanalytics.session s WHERE s.workspace = v.workspace AND s.visitor = v.number)},
    q{SELECT 'broken', 'event_id', event_id FROM leadanalytics.event WHERE event_id IS NOT NULL GROUP BY workspace, event_id HAVING count(*) > 1};

my (%found, @other);
for (run_sql(@statements))
{
    if (/^answer\|(\d)\|(\d+)\|(.*)$/) { push @{ $found{answer}{$1} }, $3 }
    elsif (/^(session|visitor|event)\|(\d)\|(.*)$/) { push @{ $found{$1}{$2} }, $3 }
    elsif (/^overview\|(\d)\|(\d+)\|(.*)$/) { $found{overview}{$1}{$2} = JSON::PP->new->decode($3) }
    elsif (/^\d+\|\d+$/) { next }
    else { push @other, $_ }
}
is_deeply(\@other, [], 'no errors, and the invariants of ledger, sessions, visitors and event ids hold');

my %want = (
    session => [ sort map { join '|', $_->{name} // 'made', $_->{visitor} ? $_->{visitor}{id} : '-', @$_{qw(start last_seen)}, (map { $_ // '-' } @$_{qw(page last_page referrer utm_source)}), @$_{qw(returns events pageviews clicks scroll)} } @sessions ],
    visitor => [ sort map { join '|', $_->{id}, $_->{sessions} } values %visitor ],
    event => [ sort map { join '|', $_->{event_name}, $_->{visitor_id} // ($_->{session} && $_->{session}{visitor} ? $_->{session}{visitor}{id} : '-'), $_->{session} ? $_->{session}{name} // 'made' : '-', $_->{at} } @events ],
);

# At most a few lines of what differs.
sub same
{
    my ($got, $expected, $name) = @_;
    my %count;
    $count{$_}++ for @$expected;
    $count{$_}-- for @$got;
    my @differ = map { ($count{$_} > 0 ? 'missing ' : 'too many ') . $_ } grep { $count{$_} } sort keys %count;
    ok(!@differ, $name) or diag join "\n", @differ[ 0 .. min(9, $#differ) ];
    return;
}

for my $workspace (1, 2)
{
    my $zone = $workspace == 1 ? 'UTC' : 'Asia/Kolkata';
    is_deeply($found{answer}{$workspace}, \@expected, "$zone: each batch is answered with its numbers");
    same([ sort @{ $found{$_}{$workspace} } ], $want{$_}, "$zone: every $_ is as reckoned (@{[ scalar @{ $want{$_} } ]})") for qw(event session visitor);
    for my $at ($now, $now + 2000, $now + 7 * 86400)
    {
        my @closed = grep { !is_open($_, $at) } @sessions;
        my $score = sub { my ($s) = @_; return min(35, int(($s->{last_seen} - $s->{start}) / 10)) + min(30, int($s->{scroll} * 3 / 10)) + min(20, $s->{clicks}) + min(15, 5 * $s->{returns}) };
        my $mean = sub { return @_ ? sum0(@_) / @_ : 0 };
        my $half_up = sub { my ($value, $digits) = @_; my $f = 10**$digits; return int($value * $f + 0.5 + 1e-9) / $f };
        is_deeply(
            $found{overview}{$workspace}{$at},
            {   total_sessions => scalar @sessions,
                total_events => scalar @events,
                unique_visitors => scalar keys %visitor,
                unique_fingerprints => scalar keys %{ { map { ($_->{fingerprint_id} => 1) } grep { defined $_->{fingerprint_id} } @events } },
                avg_engagement_score => $half_up->($mean->(map { $score->($_) } @closed), 1) + 0,
                avg_session_duration_s => $half_up->($mean->(map { $_->{last_seen} - $_->{start} } @closed), 0),
                vpn_suspected_count => 0,
            },
            "$zone: the overview " . ($at - $now) . ' s after the last batch');
    }
}
done_testing;
