# The dashboard's answers about a real web server log against awk, which knows nothing of ours (S1-01 … S1-06).
#
# The log: LA_ACCESS_LOG, else the one beside the project's folder; without it there is nothing to do.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Cwd 'abs_path';
use Door;
use File::Temp 'tempdir';
use Test::More;

my $log = $ENV{LA_ACCESS_LOG} // "$FindBin::Bin/../../../shared/data/access.log";
plan skip_all => "no log at $log (name one by LA_ACCESS_LOG)" unless -r $log;
my $dir = tempdir(CLEANUP => 1);
my $own = 'www.semicomplete.com';
my $id = sql('SELECT leadanalytics.create_workspace($1, domain => $2)', slug(), $own);
my $key = key($id, 'admin');
my $command = $ENV{LA_COMMAND} // abs_path("$FindBin::Bin/../../leadanalytics");
is(system("$command import '$log' --workspace @{[slug()]} --state-dir '$ENV{LA_STATE}' >$dir/import 2>&1"), 0, 'the log is imported') or diag qx(cat $dir/import);

# Robots are told by the agent, which is not awk's to know; all else is: pages, sessions by half an hour of idleness,
# who referred their first line, and the score of what a log knows of.
my $awk = <<'AWK';
function epoch(t,   p, m, y, era, yoe, doy) {
	split(t, p, /[\/: ]/); m = int(index("JanFebMarAprMayJunJulAugSepOctNovDec", p[2]) / 3 + 0.67); y = p[3];
	if (m <= 2) { y--; m += 9 } else m -= 3;
	era = int(y / 400); yoe = y - era * 400; doy = int((153 * m + 2) / 5) + p[1] - 1;
	return (era * 146097 + yoe * 365 + int(yoe / 4) - int(yoe / 100) + doy - 719468) * 86400 + p[4] * 3600 + p[5] * 60 + p[6] - (substr(p[7], 2, 2) * 3600 + substr(p[7], 4, 2) * 60) * (substr(p[7], 1, 1) == "-" ? -1 : 1);
}
function host(url,   h) {
	if (url !~ /^[A-Za-z]+:\/\/[^\/?#:@ "<>]+([:\/?#]|$)/) return "(direct)";
	h = tolower(url); sub(/^[a-z]+:\/\//, "", h); sub(/[:\/?#].*/, "", h); sub(/^www\./, "", h);
	return h == OWN ? "(direct)" : h;
}
BEGIN { while ((getline line < BOTS) > 0) bot[line] = 1; if (!AGENTS) OWN = substr(OWN, 5) }
{
	line = $0; gsub(/\\"/, "\001", line);
	if (split(line, q, "\"") < 7 || !match(q[1], /\[[^\]]*\]/)) next;
	at = epoch(substr(q[1], RSTART + 1, RLENGTH - 2)); split(q[1], head, " "); split(q[3], status, " ");
	agent = q[6]; gsub(/\001/, "\\\"", agent);
	if (AGENTS) { if (!(agent in told)) print agent; told[agent] = 1; next }
	if (agent in bot) next;
	who = head[1] " " q[6]; split(q[2], request, " "); page = q[2]; sub(/^[^ ]* /, "", page); sub(/ HTTP\/[0-9.]+$/, "", page);
	name = page; sub(/[?#].*/, "", name); sub(/.*\//, "", name); extension = ""; if (name ~ /.\.[^.]+$/) { extension = tolower(name); sub(/.*\./, "", extension) } gsub(/\001/, "\\\"", page);
	events++; if (!(who in session)) people++;
	if (!((who, int(at / 86400)) in came)) { came[who, int(at / 86400)] = 1; visitors[int(at / 86400)]++ }
	if (!(who in session) || at - last[session[who]] > 1800 || start[session[who]] - at > 1800) {
		session[who] = ++sessions; start[sessions] = last[sessions] = at; returns[sessions] = had[who]++; referred[host(q[4])]++
	}
	s = session[who]; if (at > last[s]) last[s] = at;
	if (request[1] == "GET" && (status[1] ~ /^2[0-9][0-9]$/ || status[1] == "304") && index(ASSETS, " " extension " ") == 0) {
		views[page]++; if (!((page, s) in on)) { on[page, s] = 1; seen[page]++ }
	}
}
END {
	if (AGENTS) exit;
	for (s = 1; s <= sessions; s++) {
		d = int(start[s] / 86400); took = last[s] - start[s]; count[d]++; seconds[d] += took; all += took;
		score = (took > 350 ? 35 : int(took / 10)) + (returns[s] > 3 ? 15 : 5 * returns[s]); points[d] += score; sum += score; bucket[score >= 80 ? 4 : int(score / 20)]++
	}
	print "overview|" sessions "|" events "|" people "|" sprintf("%.1f", int(sum * 10 / sessions + 0.5) / 10) "|" int(all / sessions + 0.5);
	for (d in visitors) print "day|" d "|" count[d] + 0 "|" visitors[d] "|" sprintf("%.1f|%.1f", int(seconds[d] * 10 / count[d] + 0.5) / 10, int(points[d] * 10 / count[d] + 0.5) / 10);
	for (p in views) print "page|" views[p] "|" seen[p] "|" p;
	for (h in referred) print "source|" referred[h] "|" h;
	for (b = 0; b < 5; b++) print "bucket|" bucket[b] + 0;
}
AWK
my $assets = ' css js mjs map json wasm png jpg jpeg gif svg ico webp avif bmp tif tiff woff woff2 ttf otf eot mp3 mp4 m4a m4v webm ogg ogv wav avi mov mpg mpeg flv swf'
    . ' zip gz tgz bz2 xz rar 7z tar iso exe dmg deb rpm jar pdf doc docx xls xlsx ppt pptx csv txt xml ';

sub awk
{
    my ($bots, $agents) = @_;
    open my $program, '>', "$dir/awk" or die $!;
    print $program $awk;
    close $program;
    my @lines = split /\n/, qx(LC_ALL=C awk -v AGENTS=$agents -v OWN=$own -v ASSETS='$assets' -v BOTS=$bots -f $dir/awk '$log');
    die 'awk failed' if $?;
    return @lines;
}
open my $robots, '>:raw', "$dir/robots" or die $!;
print $robots sql('SELECT u FROM unnest(ARRAY[' . join(',', map { "'" . s/'/''/gr . "'" } awk('/dev/null', 1)) . ']) u WHERE (leadanalytics.agent(u)).is_bot'), "\n";
close $robots;
my %said;
sub date { my @p = gmtime($_[0] * 86400); return sprintf '%04d-%02d-%02d', $p[5] + 1900, $p[4] + 1, $p[3] }
for (awk("$dir/robots", 0)) { my ($what, @row) = split /\|/, $_, $_ =~ /^page/ ? 4 : -1; push @{ $said{$what} }, \@row }

sub ask { my ($path) = @_; return json(request('GET', "/analytics/$path", ["Authorization: Bearer $key"])) }
sub largest { my ($n, $by, @rows) = @_; return [ (sort { $b->[0] <=> $a->[0] || $a->[$by] cmp $b->[$by] } @rows)[ 0 .. $n - 1 ] ] }

my $overview = ask('overview');
is_deeply([ @$overview{qw(total_sessions total_events unique_visitors avg_engagement_score avg_session_duration_s)} ], [ map { $_ + 0 } @{ $said{overview}[0] } ], 'S1-01 the overview');
is_deeply([ map { [ @$_{qw(views unique_sessions page)} ] } @{ ask('pages/top?limit=100') } ], largest(100, 2, @{ $said{page} }), 'S1-03 the 100 most viewed of ' . @{ $said{page} } . ' pages');
is_deeply([ map { $_->{count} } @{ ask('engagement') } ], [ map { $_->[0] } @{ $said{bucket} } ], 'S1-05 the scores');
is_deeply([ map { [ @$_{qw(sessions referrer_domain)} ] } @{ ask('sources') } ], largest(scalar @{ $said{source} }, 1, @{ $said{source} }), 'S1-06 all ' . @{ $said{source} } . ' sources');
is_deeply(ask('geo'), [ { country => undef, sessions => $overview->{total_sessions}, unique_visitors => $overview->{unique_visitors} } ], 'S1-04 no place is known') unless ask('geo')->[0]{country};

# The days are long gone: asked as of the log's last one.
my @days = map { [ date($_->[0]), @$_[ 1 .. 4 ] ] } sort { $a->[0] <=> $b->[0] } @{ $said{day} };
for my $zone ('UTC', 'Asia/Kolkata', 'America/New_York')
{
    my $answer = sql('SET timezone = $1; SELECT date, total_sessions, unique_visitors, avg_duration, avg_engagement FROM leadanalytics.daily_sessions_rows($2, 10000, $3::timestamptz) r', $zone, $id, "$days[-1][0] 23:00Z");
    is($answer, join("\n", map { join '|', @$_ } @days), 'S1-02 ' . @days . " days in $zone");
}
finish();
