# Exports (S4-06, S4-07, D-48): asked for, looked after, and their files by a signed link.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Digest::SHA 'hmac_sha256_hex';
use JSON::PP ();
use Test::More;
use Time::HiRes 'time', 'sleep';

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => 'Authorization: Bearer ' . key($id, $_) } qw(tenant admin sdk live marketing);
my $foreign = 'Authorization: Bearer ' . key($other, 'tenant');
my $slug = slug();
my $base = "/api/v1/workspaces/$slug/analytics";

functions(<<'SQL');
CREATE FUNCTION cell(n int) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE n % 9 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '=1+1' WHEN 3 THEN E'two\r\nlines, "quoted"' WHEN 4 THEN '@' WHEN 5 THEN 'é€😀' ELSE repeat('x', 100) END
$$;
CREATE FUNCTION numbers(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS $$
    SELECT json_build_object('n', n, 'a "name", with more', http_export.cell(n), 'yes', n % 2 = 0) FROM generate_series(1, (options ->> 'n')::int) AS n
$$;
CREATE FUNCTION fails(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'table of secrets'; END $$;
INSERT INTO leadanalytics.export_type (name, function, summary) VALUES ('http_export', 'http_export.numbers', 'of a test'), ('http_export_fails', 'http_export.fails', 'of a test');
SQL

sub queue { my ($n, $format, $type) = @_; return sql('SELECT leadanalytics.queue_export($1, $2, $3, $4)', $id, $type // 'http_export', $format, qq({"n": $n})) }
sub look { my ($export, $auth, $in) = @_; return request('GET', ($in // $base) . "/exports/$export", [$auth // $key{tenant}]) }
sub finished { my ($export) = @_; for (1 .. 400) { my $r = look($export); return $r if $r->{status} != 200 || json($r)->{data}{status} ne 'processing'; sleep 0.1 } return look($export) }
sub path_of { my ($url) = @_; return $url =~ s{^http://[^/]+}{}r }
sub is_said { my ($r, $status, $code, $message, $name) = @_; is_error($r, 'campaigns', $status, $message, $name); is(json($r)->{error}{code}, $code, "$name: $code") }

# S4-07.
my $export = queue(50_000, 'csv');
my $said = is_success(finished($export), 'campaigns', 200, 'S4-07');
is(join(',', sort keys %$said), 'completed_at,created_at,download_url,expires_at,export_id,file_size_bytes,format,status', 'S4-07 D-80 its eight members');
like(finished($export)->{body}, qr/^\{"success":true,"data":\{"export_id":"\Q$export\E","status":"completed","format":"csv","file_size_bytes":\d+,"created_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","completed_at":"[0-9T:-]+Z","download_url":"http:[^"]+","expires_at":"[0-9T:-]+Z"\}\}$/, 'S4-07 the body');
is(sql("SELECT '$said->{expires_at}'::timestamptz - '$said->{completed_at}'::timestamptz"), '01:00:00', 'S4-07 the link lives an hour');
is($said->{download_url} =~ s/\?.*//r, ($ENV{LA_URL} || 'http://127.0.0.1:8080') . "$base/exports/$export/download", 'S4-07 where it is');
is(header(look($export), 'X-RateLimit-Limit'), undef, 'S4-07 limits are lifted for the test');
is_said(look('exp_unknown'), 404, 'EXPORT_NOT_FOUND', "Export with ID exp_unknown not found in workspace $slug", 'S4-07 an unknown one');
is_said(look($export, $foreign, "/api/v1/workspaces/$slug-other/analytics"), 404, 'EXPORT_NOT_FOUND', "Export with ID $export not found in workspace $slug-other", 'S4-07 of another workspace');
is_said(look($export, $foreign), 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', 'S4-07 in another workspace');
is_said(look($export, 'X-Nothing: 1'), 401, 'UNAUTHORIZED', undef, 'S4-07 without a key');
is_said(look($export, $key{$_}), 403, 'FORBIDDEN', 'Forbidden', "S4-07 with a key of role $_") for qw(sdk live marketing);
is(look($export, $key{admin})->{status}, 200, 'S4-07 an admin key');
is_said(finished(queue(0, 'csv')), 422, 'EXPORT_FAILED', 'Failed to generate export: insufficient data', 'S4-07 no records');
my $fails = queue(1, 'csv', 'http_export_fails');
is_said(finished($fails), 422, 'EXPORT_FAILED', 'Failed to generate export: internal error', 'S4-07 an error of ours tells nothing');
is_success(request('HEAD', "$base/exports/$export", [$key{tenant}]), 'campaigns', 200, 'S4-07 HEAD');

# The file.
my $link = path_of($said->{download_url});
my $whole = request('GET', $link);
is($whole->{status}, 200, 'the link needs no key');
is_shaped($whole, 'campaigns', 'its answer is shaped');
is(header($whole, 'Content-Length'), $said->{file_size_bytes}, 'its length is told');
is(length $whole->{body}, $said->{file_size_bytes}, 'and is the file\'s');
is(header($whole, 'Content-Type'), 'text/csv; charset=utf-8', 'its type');
is(header($whole, 'Content-Disposition'), qq(attachment; filename="$export.csv"), 'its name');
is(header($whole, 'Accept-Ranges'), 'bytes', 'it comes in parts, too');
is(header($whole, 'Content-Range'), undef, 'this is the whole');
is(header($whole, 'Cache-Control'), 'no-store', 'nobody keeps it');
is(request('GET', $link, [$key{sdk}])->{status}, 200, 'with a key that would open nothing else');
is_said(request('GET', $link, ['Authorization: Bearer wrong']), 401, 'UNAUTHORIZED', undef, 'not with a wrong key');

# A second way to the contents: Python's reader of CSV.
sub parsed
{
    my ($body) = @_;
    my $file = "/tmp/leadanalytics-http-export.$$";
    open my $out, '>:raw', $file or die;
    print $out $body;
    close $out;
    my $digest = `python3 -c "import csv,hashlib,json; print(hashlib.md5('\\n'.join('|'.join(r) for r in csv.reader(open('$file', newline='', encoding='utf-8'), strict=True)).encode()).hexdigest())"`;
    unlink $file;
    chomp $digest;
    return $digest;
}
SKIP: {
    skip 'python3 is not installed', 1 if system('python3 -c "" 2>/dev/null');
    is(parsed($whole->{body}), sql(q{SELECT md5('n|a "name", with more|yes' || string_agg(E'\n' || n || '|' || coalesce(regexp_replace(http_export.cell(n), '^(?=[=@])', ''''), '') || '|' || (n % 2 = 0), '' ORDER BY n)) FROM generate_series(1, 50000) n}),
        'what Python reads is what was written');
}
for my $format (qw(json ndjson))
{
    my $made = json(finished(queue(2000, $format)))->{data};
    my $r = request('GET', path_of($made->{download_url}));
    my $records = eval { JSON::PP->new->utf8->decode($format eq 'json' ? $r->{body} : '[' . join(',', split /\n/, $r->{body}) . ']') };
    is(scalar @{ $records || [] }, 2000, "$format: a JSON text, 2 000 records");
    is_deeply([@{ $records || [] }[1, 8]], [{ n => 2, 'a "name", with more' => '=1+1', yes => JSON::PP::true() }, { n => 9, 'a "name", with more' => undef, yes => JSON::PP::false() }], "$format: as they are");
    is(header($r, 'Content-Type'), $format eq 'json' ? 'application/json' : 'application/x-ndjson', "$format: its type");
    like(header($r, 'Content-Disposition'), qr/\.$format"$/, "$format: its name");
}

# Parts: nginx puts them together from slices of 1 MiB.
my $size = length $whole->{body};
my $slice = 1048576;
cmp_ok($size, '>', 2 * $slice, 'a file of some slices');
for my $range ([0, 0], [0, 9], [$slice - 5, $slice + 5], [$slice, 2 * $slice - 1], [5, $size - 1], [$size - 1, $size - 1], [$size - 10, $size + 10])
{
    my ($from, $to) = @$range;
    my $r = request('GET', $link, ["Range: bytes=$from-$to"]);
    my $end = $to < $size ? $to : $size - 1;
    is("$r->{status} " . (header($r, 'Content-Range') // ''), "206 bytes $from-$end/$size", "bytes=$from-$to");
    ok($r->{body} eq substr($whole->{body}, $from, $end - $from + 1), "bytes=$from-$to: the bytes");
}
ok(request('GET', $link, ["Range: bytes=$slice-"])->{body} eq substr($whole->{body}, $slice), 'from there on');
ok(request('GET', $link, ['Range: bytes=-100'])->{body} eq substr($whole->{body}, -100), 'the last bytes');
my $etag = header($whole, 'ETag');
like($etag, qr/^"\w+"$/, 'an ETag');
is(request('GET', $link, ['Range: bytes=5-9', "If-Range: $etag"])->{body}, substr($whole->{body}, 5, 5), 'resumed: the same file');
is(request('GET', $link, ['Range: bytes=5-9', 'If-Range: "another"'])->{status}, 200, 'resumed: another file comes whole');
is_said(request('GET', $link, ["Range: $_"]), 416, 'VALIDATION_ERROR', 'Range not satisfiable', "a range that is none: $_")
    for "bytes=$size-", 'bytes=' . ($size + $slice) . '-', 'bytes=9-5', 'bytes=-0', 'bytes=', 'bytes=-', 'bytes=x-', 'bytes=5', 'bytes=5-x', 'bytes=5 6', 'bytes=99999999999999999999-', 'bytes=0-99999999999999999999';
ok(request('GET', $link, ['Range: bytes=0-1,3-4'])->{body} eq $whole->{body}, 'two ranges: it comes whole');
ok(request('GET', $link, ['Range: Bytes= 3 - 4 '])->{body} eq substr($whole->{body}, 3, 2), 'blanks in a range');
ok(request('GET', $link, ['Range: lines=1-2'])->{body} eq $whole->{body}, 'a range of something else is none');
my $head = request('HEAD', $link);
is("$head->{status} " . header($head, 'Content-Length'), "200 $size", 'HEAD');
my $packed = request('GET', $link, ['Accept-Encoding: gzip']);
ok(!defined header($packed, 'Content-Encoding') && $packed->{body} eq $whole->{body}, 'it is not compressed');
ok(request('GET', $link, ['X-LA-Slice: bytes=0-9', 'X-LA-Range: bytes=0-9'])->{body} eq $whole->{body}, 'slices are nginx\'s to say');
is_error(request('POST', $link), 'campaigns', 405, 'Method not allowed', 'nothing to POST');

# The link: all of it counts, and its time.
my ($expires, $signature) = $link =~ /expires=(\d+)&signature=(\w+)$/;
my %wrong = (
    'a changed signature' => $link =~ s/(.)$/$1 eq '0' ? 1 : 0/er, 'a longer signature' => "${link}0", 'a shorter signature' => $link =~ s/.$//r,
    'no signature' => $link =~ s/&signature.*//r, 'an empty signature' => $link =~ s/(?<=signature=).*//r, 'no end' => $link =~ s/expires=\d+&//r,
    'a later end' => $link =~ s/expires=(\d+)/"expires=" . ($1 + 1)/er, 'an end that is no number' => $link =~ s/expires=\d+/expires=soon/r,
    'nothing' => $link =~ s/\?.*//r, 'another export' => $link =~ s/\Q$export\E/$fails/r, 'an unknown export' => $link =~ s/\Q$export\E/exp_unknown/r,
    'another workspace' => $link =~ s/\Q$slug\E/$slug-other/r, 'an unknown workspace' => $link =~ s/\Q$slug\E/nowhere/r,
    'NUL' => $link =~ s/.$/%00/r, 'no UTF-8' => $link =~ s/.$/%ff/r,
);
for my $what (sort keys %wrong)
{
    my $r = request('GET', $wrong{$what});
    $what =~ /NUL|UTF/ && $r->{status} == 400 ? is_shaped($r, 'campaigns', "403 or 400: $what") : is_said($r, 403, 'FORBIDDEN', 'The link is not valid or has expired', "403: $what");
}
is_said(request('GET', $wrong{'a changed signature'}, [$key{tenant}]), 403, 'FORBIDDEN', 'The link is not valid or has expired', '403: a key does not help');
# the secret signs for this database: what another one with the same rows would sign
my ($secret) = sql('SELECT secret FROM leadanalytics.export WHERE key = $1', $export);
my ($system, $oid) = split /\|/, sql('SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()');
is(hmac_sha256_hex("export $system $oid $id $export $expires", $secret), $signature, 'the signature, made otherwise');
is(request('GET', "$base/exports/$export/download?expires=$expires&signature=" . hmac_sha256_hex("export $system " . ($oid + 1) . " $id $export $expires", $secret))->{status}, 403, '403: a link of a clone');

# S4-06.
my $today = sql("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')");
sql('SELECT leadanalytics.put_message_events($1, $2)', $id, JSON::PP->new->encode([map { my $n = $_; map { { message_id => "m$n", event => $_, campaign_id => 'cmp_' . ($n % 2 ? 'abc123' : 'def456'), domain_id => 'd', timestamp => "${today}T00:00:00Z" } } 'sent', $n % 4 ? 'replied' : () } 1 .. 40]));
sub ask { my ($body, $auth, @more) = @_; return request('POST', "$base/export", [$auth // $key{tenant}, 'Content-Type: application/json', @more], ref $body ? JSON::PP->new->encode($body) : $body) }
my $asked = ask('{"export_type":"campaign_performance","format":"csv","time_range":"30d","campaign_ids":["cmp_abc123"],"include_time_series":true}');
my $data = is_success($asked, 'campaigns', 200, 'S4-06 the sample of the document');
like($asked->{body}, qr/^\{"success":true,"data":\{"export_id":"exp_\w+","status":"processing","estimated_completion":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","download_url":null\}\}$/, 'S4-06 the body');
is(sql("SELECT '$data->{estimated_completion}'::timestamptz - date_trunc('second', created_at) FROM leadanalytics.export WHERE key = '$data->{export_id}'"), '00:05:00', 'D-48 in five minutes');
my $file = request('GET', path_of(json(finished($data->{export_id}))->{data}{download_url}))->{body};
my @lines = split /\r\n/, $file;
is(scalar @lines, 1 + 1 + 31, 'S4-06 names, the campaign, its 31 days (D-02)');
is(join(',', map { /^[\d.]+$/ ? $_ + 0 : $_ } split /,/, $lines[1]), 'cmp_abc123,cmp_abc123,,20,20,0,0,0,20,0,0,100,0,0,0,100,0,0,0', 'S4-06 the campaign');
is($lines[-1], $lines[1] =~ s/,,/,$today,/r, 'S4-06 today');
my %records = (campaign_performance => 2, workspace_overview => 1, deliverability => 2, engagement_heatmap => 1);
for my $type (sort keys %records)
{
    my $done = json(finished(json(ask({ export_type => $type, format => 'ndjson' }))->{data}{export_id}))->{data};
    my @all = split /\n/, request('GET', path_of($done->{download_url}))->{body};
    is(scalar @all, $records{$type}, "S4-06 $type: its records") or diag @all;
    is(json({ body => $all[0] })->{emails_sent}, $type =~ /^(campaign|deliver)/ ? 20 : 40, "S4-06 $type: what was sent");
}
is_said(finished(json(ask({ export_type => 'deliverability', time_range => { start => '2020-01-01', end => '2020-01-31' } }))->{data}{export_id}), 422, 'EXPORT_FAILED', 'Failed to generate export: insufficient data', 'D-48 no message in the time');

my %bad = (
    'export_type is required' => ['{}', '{"export_type":null}', '{"format":"csv"}'],
    'Invalid export_type' => ['{"export_type":"everything"}', '{"export_type":"http_export"}', '{"export_type":5}', '{"export_type":""}'],
    'Invalid format' => map({ [map { qq({"export_type":"deliverability","format":$_}) } @$_] } ['"xls"', '"CSV"', '7', '""']),
    'time_range must be one of 7d, 30d, 90d or an object with start and end' => map({ [map { qq({"export_type":"deliverability","time_range":$_}) } @$_] } ['"1d"', '"custom"', '30', '[]']),
    'time_range.end is required' => ['{"export_type":"deliverability","time_range":{"start":"2026-01-01"}}'],
    'Invalid time_range.start' => ['{"export_type":"deliverability","time_range":{"start":"soon","end":"2026-01-01"}}'],
    'Invalid campaign_ids' => map({ [map { qq({"export_type":"deliverability","campaign_ids":$_}) } @$_] } ['[]', '"cmp_abc123"', '{}', '[1]', '[null]']),
    'Invalid include_time_series' => map({ [map { qq({"export_type":"deliverability","include_time_series":$_}) } @$_] } ['"yes"', '5', '[]']),
);
for my $message (sort keys %bad) { is_said(ask($_), 400, 'VALIDATION_ERROR', $message, "S4-06 $_") for @{ $bad{$message} } }
is_said(ask($_), 400, 'VALIDATION_ERROR', undef, "S4-06 $_") for '', 'no JSON', '[]', '"x"';
is_said(ask('{"export_type":"deliverability","time_range":{"start":"2026-01-02","end":"2026-01-01"}}'), 400, 'INVALID_TIME_RANGE', 'Start date must be before end date', 'S4-06 a range that ends before it begins');
is_said(ask('{"export_type":"deliverability","campaign_ids":["cmp_abc123","cmp_ghi789"]}'), 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID cmp_ghi789 not found in workspace $slug", 'S4-06 an unknown campaign');
is_said(request('POST', "/api/v1/workspaces/$slug-other/analytics/export", [$foreign], '{"export_type":"deliverability","campaign_ids":["cmp_abc123"]}'), 404, 'CAMPAIGN_NOT_FOUND', "Campaign with ID cmp_abc123 not found in workspace $slug-other", 'S4-06 another workspace\'s campaign');
is_said(ask('{"export_type":"deliverability"}', $foreign), 404, 'WORKSPACE_NOT_FOUND', 'Workspace not found', 'S4-06 another workspace');
is_said(ask('{"export_type":"deliverability"}', $key{$_}), 403, 'FORBIDDEN', 'Forbidden', "S4-06 with a key of role $_") for qw(sdk live marketing);
is_said(ask('{"export_type":"deliverability"}', 'X-Nothing: 1'), 401, 'UNAUTHORIZED', undef, 'S4-06 without a key');
is(request('GET', "$base/export", [$key{tenant}])->{status}, 405, 'S4-06 no GET');
is(ask('{"export_type":"deliverability"}', $key{admin})->{status}, 200, 'S4-06 an admin key');
my @same = map { json(ask('{"export_type":"deliverability"}', undef, 'Idempotency-Key: one'))->{data}{export_id} } 1, 2;
is($same[0], $same[1], 'Idempotency-Key: asked for once');
isnt(json(ask('{"export_type":"deliverability"}'))->{data}{export_id}, $same[0], 'without it: again');

# Rates: an address has 60 a minute, however many slices a file has; a look has its workspace's.
sql("SELECT leadanalytics.set_rate_limit('campaign_export_status', NULL); SELECT leadanalytics.set_rate_limit('campaign_export', NULL)");
sleep 60 - time % 60 + 0.2 if time % 60 > 45;
my $first = request('GET', $link);
is(header($first, 'X-RateLimit-Limit'), 60, 'D-75 downloads: 60 a minute');
is(header(request('GET', $link), 'X-RateLimit-Remaining'), header($first, 'X-RateLimit-Remaining') - 1, 'D-75 a file counts once');
is(header(look($export), 'X-RateLimit-Limit'), 60, 'D-75 looks: 60 a minute');
my $refused;
for (1 .. 61) { $refused = request('HEAD', $link); last if $refused->{status} == 429 }
is($refused->{status}, 429, 'D-75 one too many');
is(header(ask('{}'), 'X-RateLimit-Limit'), 10, 'D-75 asking: 10 a minute');
for (1 .. 10) { $refused = ask('{}'); last if $refused->{status} == 429 }
is_said($refused, 429, 'RATE_LIMITED', 'Rate limit exceeded', 'D-75 one too many');
Door::lift_limits();

# Expired: by the clock at once, removed by the worker, and still known.
sql("UPDATE leadanalytics.export SET expires_at = now() WHERE key = '$export'");
is_said(request('GET', $link), 403, 'FORBIDDEN', 'The link is not valid or has expired', 'the hour is over');
is_deeply([@{ json(look($export))->{data} }{qw(status download_url file_size_bytes)}], ['expired', undef, $size], 'S4-07 expired');
sql("SELECT leadanalytics.run_unit('exports_over')");
is(sql('SELECT count(*) FROM leadanalytics.export_chunk WHERE export = $1', $export), 0, 'its file is gone');
is(json(look($export))->{data}{status}, 'expired', 'S4-07 and it stays expired');

# A large file passes through PostgREST by slices: its peak of memory grows by far less than the file.
sub peak { my ($pid) = @_; open my $in, '<', "/proc/$pid/status" or return 0; return (join('', <$in>) =~ /^VmHWM:\s+(\d+)/m)[0] * 1024 }
my $large = json(finished(queue(1_000_000, 'ndjson')))->{data};
my $ro = postgrest_pids()->{ro};
my $before = peak($ro);
my $begun = time;
my $got = `curl -s '$large->{download_url}' | wc -c`;
my $seconds = time - $begun;
cmp_ok($got, '==', $large->{file_size_bytes}, 'a file of a million records');
diag(sprintf '%.0f MB in %.1f s, PostgREST at its peak %.0f MB (before %.0f MB)', $got / 1e6, $seconds, peak($ro) / 1e6, $before / 1e6);
cmp_ok(peak($ro) - $before, '<', $large->{file_size_bytes} / 2, 'PostgREST does not hold it');

sql("DELETE FROM leadanalytics.export_type WHERE name ~ '^http_export'");
finish();
