# Imports of web server logs against an independent reckoning by awk.
#
#   LA_SOCKET=<socket dir> prove test/track/import.t       LA_ACCESS_LOG=<a real log> adds it
#
# Makes and drops a database of its own. A user with the right to create one is needed (PGUSER).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Psql;
use Test::More;
use File::Temp qw(tempdir);
use File::Basename qw(dirname);
use Digest::SHA qw(sha256_hex);

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET (the socket directory of a PostgreSQL server) is not set';
my $database = "leadanalytics_import_$$";
my $dir = tempdir(CLEANUP => 1);
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub psql { my ($sql, $db) = @_; return run_psql($db // $database, $sql) }

# Import a file in chunks of so many lines, each a transaction; returns accepted, duplicates and the lines rejected.
# Between chunks something else may happen.
sub import_file
{
	my ($workspace, $path, $chunk, $between) = @_;
	open my $file, '<:raw', $path or die "$path: $!";
	chomp(my @lines = <$file>);
	close $file;
	my $source = sha256_hex($lines[0]);
	my $sql = '';
	for (my $from = 0; $from < @lines; $from += $chunk)
	{
		my @part = @lines[$from .. ($from + $chunk > @lines ? $#lines : $from + $chunk - 1)];
		s/'/''/g for @part;
		$sql .= "SELECT t->>'accepted', t->>'duplicates', (SELECT string_agg(r->>'line', ' ') FROM json_array_elements(t->'rejected') r) "
			. "FROM leadanalytics.import_log($workspace, '$source', @{[$from + 1]}, ARRAY[" . join(',', map {"'$_'"} @part) . "]) t;\n" . ($between // '');
	}
	my ($accepted, $duplicates, @rejected) = (0, 0);
	for (split /\n/, psql($sql))
	{
		my ($a, $d, $r) = split /\|/;
		$accepted += $a;
		$duplicates += $d;
		push @rejected, split(/ /, $r // '');
	}
	return ($accepted, $duplicates, "@rejected");
}

# The reckoning: one awk program that knows nothing of ours. Fields are split at quotes that have no
# backslash before them.
my $awk = <<'AWK';
function epoch(t,   p, m) {
	split(t, p, /[\/: ]/); m = index("JanFebMarAprMayJunJulAugSepOctNovDec", p[2]) / 3 + 0.67;
	m = int(m); y = p[3]; if (m <= 2) { y--; mm = m + 9 } else mm = m - 3;
	era = int(y / 400); yoe = y - era * 400; doy = int((153 * mm + 2) / 5) + p[1] - 1; doe = yoe * 365 + int(yoe / 4) - int(yoe / 100) + doy;
	days = era * 146097 + doe - 719468;
	off = (substr(p[7], 2, 2) * 3600 + substr(p[7], 4, 2) * 60) * (substr(p[7], 1, 1) == "-" ? -1 : 1);
	return days * 86400 + p[4] * 3600 + p[5] * 60 + p[6] - off;
}
BEGIN { while ((getline line < BOTS) > 0) bot[line] = 1 }
{
	line = $0; gsub(/\\"/, "\001", line); n = split(line, q, "\"");
	if (n < 7 || !match(q[1], /\[[^\]]*\]/)) { bad[++nbad] = NR; next }
	when = substr(q[1], RSTART + 1, RLENGTH - 2); split(q[1], head, " "); split(q[3], st, " ");
	at = epoch(when); who = head[1] " " q[6]; events++;
	agent = q[6]; gsub(/\001/, "\\\"", agent); if (AGENTS) { if (!(agent in told)) print agent; told[agent] = 1; next }
	split(q[2], r, " "); page = q[2]; sub(/^[^ ]* /, "", page); sub(/ HTTP\/[0-9.]+$/, "", page);
	path = page; sub(/[?#].*/, "", path); ext = path; sub(/.*\//, "", ext); if (ext ~ /.\.[^.]+$/) sub(/.*\./, "", ext); else ext = "";
	ext = tolower(ext); gsub(/\001/, "\\\"", page);
	if (r[1] == "GET" && (st[1] ~ /^2[0-9][0-9]$/ || st[1] == "304") && index(ASSETS, " " ext " ") == 0) {
		views[page]++; day[int(at / 86400)]++; total++
	}
	if (!(who in seen)) visitors++;
	seen[who] = 1;
	if (agent in bot) next;
	if (!(who in last)) people++;
	theirs++;
	if (!(who in last) || at - last[who] > 1800 || start[who] - at > 1800) {
		sessions++; start[who] = at; if (who in last) duration += last[who] - first[who]; first[who] = at; last[who] = at
	}
	else if (at > last[who]) last[who] = at
}
END {
	if (AGENTS) exit;
	print "people " people + 0; print "theirs " theirs + 0;
	for (w in last) duration += last[w] - first[w];
	print "events " events; print "views " total + 0; print "visitors " visitors; print "sessions " sessions; print "seconds " duration;
	b = ""; for (i = 1; i <= nbad; i++) b = b (i > 1 ? " " : "") bad[i]; print "bad " b;
	for (p in views) print "page " views[p] " " p;
	for (d in day) print "day " day[d] " " d;
}
AWK
my $assets = ' css js mjs map json wasm png jpg jpeg gif svg ico webp avif bmp tif tiff woff woff2 ttf otf eot mp3 mp4 m4a m4v webm ogg ogv wav avi mov mpg mpeg flv swf'
	. ' zip gz tgz bz2 xz rar 7z tar iso exe dmg deb rpm jar pdf doc docx xls xlsx ppt pptx csv txt xml ';

sub reckon
{
	my ($path) = @_;
	open my $program, '>', "$dir/awk" or die $!;
	print $program $awk;
	close $program;
	# which agents are robots is not awk's to know
	my @agents = split /\n/, qx(LC_ALL=C awk -v AGENTS=1 -v BOTS=/dev/null -f $dir/awk $path);
	open my $robots, '>:raw', "$dir/robots" or die $!;
	print $robots psql('SELECT u FROM unnest(ARRAY[' . join(',', map { "'" . s/'/''/gr . "'" } @agents) . ']) u WHERE (leadanalytics.agent(u)).is_bot'), "\n";
	close $robots;
	my $out = qx(LC_ALL=C awk -v ASSETS='$assets' -v BOTS=$dir/robots -f $dir/awk $path);
	die 'awk failed' if $?;
	my (%facts, %pages, %days);
	for (split /\n/, $out)
	{
		if (/^page (\d+) (.*)/) { $pages{$2} = $1 }
		elsif (/^day (\d+) (.*)/) { $days{$2} = $1 }
		elsif (/^(\w+) (.*)/) { $facts{$1} = $2 }
	}
	return (\%facts, \%pages, \%days);
}

my $number = 0;
sub workspace
{
	$number++;
	return psql("SELECT leadanalytics.create_workspace('log$number', 'Log $number')");
}

sub sessions_of
{
	my ($workspace) = @_;
	return psql("SELECT v.visitor_id, s.started_at AT TIME ZONE 'UTC', s.last_seen AT TIME ZONE 'UTC', s.events, s.pageviews, s.returns, "
		. "(SELECT parts[1] FROM leadanalytics.term t WHERE t.workspace = s.workspace AND t.id = s.entry_page), "
		. "(SELECT parts[1] FROM leadanalytics.term t WHERE t.workspace = s.workspace AND t.id = s.last_page) "
		. "FROM leadanalytics.session s JOIN leadanalytics.visitor v ON (v.workspace, v.number) = (s.workspace, s.visitor) "
		. "WHERE s.workspace = $workspace ORDER BY v.visitor_id COLLATE \"C\", 2, 6");
}

sub compare
{
	my ($what, $path) = @_;
	my ($facts, $pages, $days) = reckon($path);
	my $one = workspace();
	my ($accepted, $duplicates, $rejected) = import_file($one, $path, 10_000);
	is($accepted, $facts->{events}, "$what: every line but the bad ones is an event");
	is($duplicates, 0, "$what: no duplicates the first time");
	is($rejected, $facts->{bad}, "$what: bad lines by their numbers");
	my %our = map { my ($n, $p) = split /\|/, $_, 2; ($p => $n) }
		split /\n/, psql("SELECT count(*), page_url FROM leadanalytics.events WHERE workspace = $one AND kind = 'p' GROUP BY 2");
	is_deeply(\%our, $pages, "$what: pages and their views (" . keys(%our) . ' pages)');
	%our = map { my ($n, $d) = split /\|/; ($d => $n) }
		split /\n/, psql("SELECT count(*), floor(extract(epoch FROM at) / 86400) FROM leadanalytics.events WHERE workspace = $one AND kind = 'p' GROUP BY 2");
	is_deeply(\%our, $days, "$what: days and their views");
	is(psql("SELECT count(DISTINCT visitor), count(*) FROM leadanalytics.event WHERE workspace = $one"), "$facts->{visitors}|$facts->{events}", "$what: visitors and events");
	is(psql("SELECT count(*), sum(events), extract(epoch FROM sum(last_seen - started_at))::bigint FROM leadanalytics.session WHERE workspace = $one"),
		"$facts->{sessions}|$facts->{theirs}|$facts->{seconds}", "$what: sessions and their seconds");
	my $overview = "SELECT o->>'total_sessions', o->>'total_events', o->>'unique_visitors', o->>'avg_session_duration_s' FROM leadanalytics.overview($one) o";
	is(psql($overview), join('|', @$facts{qw(sessions theirs people)}, int($facts->{seconds} / $facts->{sessions} + 0.5)), "S1-01 $what: overview");
	is(psql("SET timezone = '$_'; $overview"), psql($overview), "D-01 $what: overview in $_") for 'Asia/Kolkata', 'America/New_York';
	my $before = psql($overview);
	is(psql("SELECT leadanalytics.close_idle($one)"), 0, "D-04 $what: while the import goes on, idleness closes none of its sessions");
	psql("SELECT leadanalytics.import_finish($one, source) FROM leadanalytics.imports WHERE workspace = $one");
	is(psql("SELECT leadanalytics.close_idle($one) + count(*) FROM leadanalytics.session s, leadanalytics.imports i WHERE s.workspace = $one AND i.workspace = $one "
		. "AND s.last_seen >= i.last_at - interval '30 min'"), $facts->{sessions}, "$what: finished, all but those that the log ends with");
	is(psql("SELECT leadanalytics.close_idle($one, now() + interval '1 day 1 second'); SELECT count(*) FROM leadanalytics.session WHERE workspace = $one AND ended_at IS NULL") =~ s/.*\n//r,
		0, "$what: a day later, all");
	is(psql($overview), $before, "$what: closing changes no answer");

	my $sessions = sessions_of($one);
	is_deeply([import_file($one, $path, 700)], [0, $facts->{events}, $facts->{bad}], "$what: a second import adds nothing");
	is(sessions_of($one), $sessions, "$what: nor a session");
	for my $chunk (100, 1)
	{
		next if $chunk == 1 && $facts->{events} > 3000;
		my $other = workspace();
		import_file($other, $path, $chunk, "SELECT FROM leadanalytics.sweep_sessions(now()) s WHERE s < 0;\n");
		is(sessions_of($other), $sessions, "$what: the same sessions in chunks of $chunk");
	}
	# half of the file, then all of it: the log has grown
	my $grown = workspace();
	my $half = int($facts->{events} / 2);
	system("head -n $half $path > $dir/half") == 0 or die;
	my ($first) = import_file($grown, "$dir/half", 250);
	psql("SELECT leadanalytics.import_finish($grown, source) FROM leadanalytics.imports WHERE workspace = $grown; SELECT leadanalytics.close_idle($grown)");
	my ($rest) = import_file($grown, $path, 300);
	is($first + $rest, $facts->{events}, "$what: grown by half");
	is(sessions_of($grown), $sessions, "$what: the same sessions when the log has grown");
	is(psql("SELECT count(*) FROM leadanalytics.ledger l WHERE l.n <> (SELECT count(*) FROM leadanalytics.event e "
		. "WHERE e.workspace = l.workspace AND e.id BETWEEN l.id_from AND l.id_to AND e.at BETWEEN l.at_min AND l.at_max)"), 0, "$what: the ledger names its events");
}

# A log with everything a log has: late lines, two months, zones, odd bytes, quotes, lines that are none.
sub generate
{
	my ($path) = @_;
	my @agents = ('Mozilla/5.0 (X11)', '-', 'odd \"quoted\" agent', "Opera/9 (\xc3\xa9)", 'bot; +http://x/[y]');
	my @pages = ('/', '/a', '/a?x=1&y=%20', '/b/c.html', '/img/logo.PNG', '/app.js?v=2', '/.hidden', '/dir.d/', '/feed.xml', '/a b', '/x\"y', '/.gz', '/%D0%B0');
	my @status = (200, 200, 200, 206, 301, 304, 404, 500);
	my $clock = 1_427_760_000;    # 2015-03-31 00:00 UTC
	srand 7;
	open my $file, '>:raw', $path or die $!;
	for (1 .. 2500)
	{
		$clock += int(rand 90);
		my $at = $clock - (rand() < 0.1 ? int(rand 4000) : 0);
		my $offset = (0, 2, -5)[int(rand 3)];
		my ($s, $m, $h, $d, $mon, $y) = gmtime($at + $offset * 3600);
		my $time = sprintf '%02d/%s/%d:%02d:%02d:%02d %s%02d00', $d, (qw(Jan Feb Mar Apr May Jun))[$mon], $y + 1900, $h, $m, $s, $offset < 0 ? '-' : '+', abs $offset;
		my $ip = rand() < 0.2 ? '2001:db8::' . int(rand 9) : '192.0.2.' . int(rand 40);
		my $method = rand() < 0.9 ? 'GET' : rand() < 0.5 ? 'POST' : 'HEAD';
		my $request = rand() < 0.01 ? '-' : "$method $pages[rand @pages] HTTP/1.1";
		print $file qq($ip - - [$time] "$request" $status[rand @status] @{[rand() < 0.2 ? '-' : int rand 9999]} "@{[rand() < 0.5 ? '-' : 'https://r.example/']}" "$agents[rand @agents]"\n);
		print $file rand() < 0.5 ? "garbage\n" : qq($ip - - [$time] "GET / HTTP/1.1" 200 1 "-" "cut\n) if rand() < 0.01;
	}
	close $file;
}

psql("CREATE DATABASE $database ENCODING 'UTF8' TEMPLATE template0", 'postgres');
psql('CREATE EXTENSION leadanalytics');
generate("$dir/generated.log");
compare('generated', "$dir/generated.log");

my $real = $ENV{LA_ACCESS_LOG} // dirname(__FILE__) . '/../../../shared/data/access.log';
SKIP:
{
	skip "no real log at $real (name one by LA_ACCESS_LOG)", 1 unless -r $real;
	compare('real', $real);
}
END { psql("DROP DATABASE IF EXISTS $database WITH (FORCE)", 'postgres') if $socket; }
done_testing();
