# Web events of any shape and lines of a log of any kind: whatever is in a JSON object or a line, the answer
# says what was taken and what not, and nothing fails.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use JSON::PP;
use Test::More;

seed(20260401);
fresh_database('la_fuzz_track');

my @keys = qw(event_name event visitor_id anonymous_id distinct_id anonymousId userId fingerprint_id device_fingerprint session_id sessionId event_id eventId workspace_id timestamp page_url page_path page_title referrer utm_source utm_medium utm_campaign source scroll_percent event_data properties context url path title page siteKey events);

sub text { return '"' . join('', map { pick('a', 'b', '\n', '\u0000', '\ud800', '\udc00', '\ud83d\ude00', "\xc3\xa9", "\xf0\x9f\x98\x80", '\"', '/', 'https://x/', 'x' x 300, 'y' x 2500) } 1 .. number_to(4)) . '"' }

sub value
{
    my ($depth) = @_;
    my $kind = number_to($depth > 6 ? 8 : 11);
    return pick(qw(null true false 0 -1 100 101 1e400 -1e-400 1.5 1e5 99999999999999999999999 1710599445 1710599445123 "2026-02-30T00:00:00Z" "9999-12-31T23:59:60.999999999999+15:59" "0001-01-01T00:00:00-15:59" "")) if $kind < 5;
    return text() if $kind < 8;
    return '[' . join(',', map { value($depth + 1) } 1 .. number_to(4)) . ']' if $kind == 8;
    return object($depth + 1);
}

sub object { my ($depth) = @_; return '{' . join(',', map { '"' . pick(@keys) . '":' . value($depth) } 1 .. number_to(9)) . '}' }
sub event { my $text = object(1); $text =~ s/^\{/'{"event_name":"x"' . ($text eq '{}' ? '' : ',')/e if chance(60); return $text }

my @lines = (
    '1.2.3.4 - - [10/Oct/2025:13:55:36 -0700] "GET /a/b.html?x=1 HTTP/1.1" 200 2326 "https://r.example/\"x" "Mozilla/5.0 (X; \x22)"',
    '2001:db8::1 - bob [01/Jan/2026:00:00:00 +0000] "POST /x HTTP/2.0" 304 - "-" "-"',
    '::1 - - [29/Feb/2024:23:59:60 +1400] "GET / HTTP/1.0" 200 0 "" ""');

sub line
{
    my $line = pick(@lines);
    for (1 .. number_to(4))
    {
        my ($at, $what) = (number_to(1 + length $line), number_to(5));
        $line = substr $line, 0, $at if $what == 0;
        substr($line, $at, number_to(5)) = '' if $what == 1;
        substr($line, $at, 0) = pick('"', '\\', ' ', '[', ']', '/', '.', 'x' x 3000, "\xc3\xa9", '%', '..', '?', '#', '-') if $what == 2;
        substr($line, $at, 0) = chr(32 + number_to(95)) if $what == 3;
        substr($line, $at, 0) = substr $line, number_to(1 + length $line), 30 if $what == 4;
    }
    utf8::decode(my $copy = $line) or $line =~ s/[\x80-\xff]/?/g;
    return $line;
}

my @statements = (
    q{SELECT leadanalytics.create_workspace('fuzz') || ' is the workspace'},
    q{CREATE FUNCTION pg_temp.track(n int, body text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN concat_ws('|', 'case', n, leadanalytics.track(1, body::json)); EXCEPTION WHEN OTHERS THEN RETURN concat_ws('|', 'failed', n, SQLSTATE, SQLERRM); END $$},
    q{CREATE FUNCTION pg_temp.import(n int, lines text[]) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RETURN concat_ws('|', 'case', n, leadanalytics.import_log(1, 'fuzz', n, lines)); EXCEPTION WHEN OTHERS THEN RETURN concat_ws('|', 'failed', n, SQLSTATE, SQLERRM); END $$});
my @sent;
for my $n (0 .. 999)
{
    my @events = map { chance(5) ? value(0) : event() } 1 .. number_to(40);
    my $one = chance(50);
    my $body = $one ? event() : '{"events":[' . join(',', @events) . ']}';
    push @sent, $one ? undef : scalar @events; # an event that has a member "events" of its own is not one
    push @statements, "SELECT pg_temp.track($n, " . literal($body) . ')';
}
for my $n (1000 .. 1399)
{
    my @file = map { line() } 1 .. 1 + number_to(10);
    push @sent, scalar @file;
    push @statements, "SELECT pg_temp.import($n, ARRAY[" . join(',', map { literal($_) } @file) . '])';
}

my ($answers, $accepted, $rejected, @faults) = (0, 0, 0);
for (run_sql(@statements))
{
    next if /is the workspace$/;
    my ($mark, $n, $answer) = split /\|/, $_, 3;
    my $said = $mark eq 'case' && eval { JSON::PP->new->utf8->decode($answer) };
    if (!$said) { push @faults, substr $_, 0, 300; next }
    $answers++;
    $accepted += $said->{accepted};
    $rejected += @{ $said->{rejected} };
    my $sum = $said->{accepted} + $said->{duplicates} + @{ $said->{rejected} };
    push @faults, "case $n: $sum of $sent[$n]: $answer" if defined $sent[$n] && $sum != $sent[$n];
}
is($answers, scalar @sent, 'all are answered');
is_deeply([ @faults[ 0 .. ($#faults < 4 ? $#faults : 4) ] ], [], 'each event is accepted, a duplicate or rejected');
cmp_ok($accepted, '>', 500, 'some were accepted');
cmp_ok($rejected, '>', 500, 'some were rejected');
is_deeply([ run_sql('SELECT count(*) FROM leadanalytics.events', 'SELECT coalesce(sum(n), 0) FROM leadanalytics.ledger', q{SELECT leadanalytics.overview(1) ->> 'total_events'}) ], [ ($accepted) x 3 ], 'and stored: in the view, the ledger and the overview');
done_testing;
