# 1 000 deliveries of the same events, over HTTP and SQL at once, whole batches and overlapping halves, in any
# order: every event counts once, whoever is told so, nobody is answered with an error, and what is stored
# adds up. LA_URL and LA_SOCKET name a running service; its database is used, in a workspace of our own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../http", "$FindBin::Bin/../lib";
use File::Temp;
use JSON::PP;
use Door;
use Adds;
use Test::More;
use Time::HiRes 'time';

my $deliveries = 1000;
my $clients = 20; # of each kind
my $id = workspace();
my $key = key($id, 'sdk');
sql('UPDATE leadanalytics.key SET per_minute = 0 WHERE workspace = $1', $id);
my $log = log_position();

# 20 events: three visitors, named sessions and others, a user, a text of each kind.
my $now = time;
my @events = map { {
    event_name => $_ % 4 ? 'page_view' : 'click', event_id => "dup-$_", visitor_id => 'v' . $_ % 3, fingerprint_id => 'f' . $_ % 2,
    ($_ % 2 ? (session_id => 's' . $_ % 5) : ()), ($_ % 7 ? () : (user_id => 'u' . $_)), ($_ % 5 ? (timestamp => int(1000 * ($now - 60 + $_)) ) : ()),
    event_data => { url => "https://example.com/$_?utm_source=x", title => "t$_" } } } 1 .. 20;
my %part = (whole => [ 0 .. 19 ], back => [ reverse 0 .. 19 ], first => [ 0 .. 12 ], second => [ reverse 7 .. 19 ]);
my @parts = map { my $name = $_; encode_json({ events => [ @events[ @{ $part{$name} } ] ] }) } sort keys %part;
my @size = map { scalar @{ $part{$_} } } sort keys %part;

my $dir = File::Temp->newdir;
pipe my $read, my $write or die;
$write->autoflush(1);
my @pids;
for my $client (0 .. 2 * $clients - 1)
{
    my $pid = fork // die;
    push @pids, $pid;
    next if $pid;
    # By one connection that stays, SQL; by one a request, HTTP.
    close $read;
    my $own = $deliveries / $clients / 2;
    my @said;
    if ($client % 2)
    {
        for my $n (1 .. $own)
        {
            my $which = ($client + $n) % 4;
            my $r = request('POST', '/api/v1/track', ["X-API-Key: $key"], $parts[$which]);
            push @said, $r->{status} == 200 ? "$which " . join ' ', @{ json($r) }{qw(accepted duplicates)} : "error $r->{status} $r->{body}";
        }
    }
    else
    {
        my $file = "$dir/$client.sql";
        open my $out, '>', $file or die;
        for my $n (1 .. $own)
        {
            my $which = ($client + $n) % 4;
            print $out "SELECT '$which ' || (t ->> 'accepted') || ' ' || (t ->> 'duplicates') FROM leadanalytics.track($id, '$parts[$which]') t;\n";
        }
        close $out;
        local $ENV{PGHOST} = $ENV{LA_SOCKET};
        @said = split /\n/, `psql -XqAt -U postgres -d leadanalytics -f $file 2>&1`;
    }
    print {$write} map { substr($_, 0, 300) . "\n" } @said;
    exec 'true'; # (no END of ours)
}
close $write;
my @said = <$read>;
waitpid $_, 0 for @pids;
chomp @said;
my @odd = grep { !/^[0-3] \d+ \d+$/ } @said;
is(scalar @said, $deliveries, 'every delivery was answered') or diag join "\n", @said[ 0 .. 3 ];
is(scalar @odd, 0, 'none with an error') or diag join "\n", @odd[ 0 .. ($#odd > 5 ? 5 : $#odd) ];
my ($accepted, $wrong) = (0, 0);
for (grep { /^[0-3] \d+ \d+$/ } @said)
{
    my ($which, $new, $known) = split / /;
    $accepted += $new;
    $wrong++ if $new + $known != $size[$which];
}
is($accepted, 20, 'each event was accepted once');
is($wrong, 0, 'all others were told to be duplicates');
is(sql('SELECT count(*), count(DISTINCT event_id) FROM leadanalytics.event WHERE workspace = $1', $id), '20|20', 'each is stored once');
is(sql("SELECT count(*) FROM leadanalytics.visitor WHERE workspace = $id"), 3, 'three visitors');
is(sql("SELECT count(*) FROM leadanalytics.session WHERE workspace = $id AND session_id IS NOT NULL"), 5, 'five sessions with a name');
is_deeply([ map { split /\n/, sql($_) } adding_up($id) ], [], 'what is stored adds up');
unlike(log_since($log), qr/deadlock detected/, 'nobody deadlocked');
finish();
