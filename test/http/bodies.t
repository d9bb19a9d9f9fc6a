# What a body may be wrapped in: Content-Encoding, bounded as plain bodies are; any Content-Type.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Compress::Raw::Zlib;
use Door;
use Test::More;
use Time::HiRes 'time';

my $id = workspace();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
functions(<<'SQL');
CREATE FUNCTION word(word text DEFAULT 'none') RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('word', word) $$;
CREATE FUNCTION whole(document json) RETURNS json LANGUAGE sql AS $$ SELECT json_build_object('length', octet_length(document::text)) $$;
CREATE FUNCTION bare() RETURNS json LANGUAGE sql AS $$ SELECT '{"word":"bare"}'::json $$;
SQL
my %at = map { $_ => $_ eq 'plain' ? '/http-bodies' : family_path($_, 'http-bodies') } @families;
for my $family (@families)
{
    my $path = $family eq 'plain' ? $at{plain} : family_path($family, 'http-bodies', ':w');
    my @w = $path =~ /:w/ ? (['w', 'path', 'workspace']) : ();
    route($_, $path, 'word', family => $family, params => [@w, ['word', 'body']]) for qw(POST PUT PATCH DELETE);
}
my @whole = (params => [['document', 'document', 'json', required => 1]]);
route('POST', $_, 'whole', @whole) for '/http-bodies/whole', '/track/http-bodies', '/api/v1/track/http-bodies';
route('POST', '/http-bodies/bare', 'bare');
route('GET', '/http-bodies/bare', 'bare');

# gzip, zlib or raw deflate; with full => 1 in pieces that may be repeated.
my %bits = (gzip => WANT_GZIP, zlib => MAX_WBITS, raw => -MAX_WBITS);
sub packed
{
    my ($text, $kind, %how) = @_;
    my ($z, $status) = Compress::Raw::Zlib::Deflate->new(-WindowBits => $bits{ $kind // 'gzip' }, -Level => $how{level} // 9, -AppendOutput => 1);
    my $out = '';
    $z->deflate($text, $out);
    $z->flush($out);
    return $out;
}
sub send_as { my ($path, $coding, $body, @more) = @_; return request('POST', $path, [$key, "Content-Encoding: $coding", 'Content-Type: application/json', @more], $body) }
sub data { my ($r) = @_; my $body = json($r); return ref $body->{data} ? $body->{data} : $body }
sub word_is { my ($r, $family, $word, $name) = @_; is_success($r, $family, 200, $name); is((data($r) // {})->{word}, $word, "$name: what was sent") }

# --- Codings -------------------------------------------------------------------------------------------------
my $text = '{"word":"zipped"}';
for my $family (@families)
{
    word_is(send_as($at{$family}, 'gzip', packed($text)), $family, 'zipped', "$family: gzip");
    is_error(send_as($at{$family}, 'gzip', substr packed($text), 0, -1), $family, 400, 'Invalid request body', "$family: cut off");
    is_error(send_as($at{$family}, 'br', $text), $family, 415, 'Unsupported Content-Encoding', "$family: unknown");
    is_error(send_as($at{$family}, 'gzip', packed('{"word":"' . 'x' x 2e6 . '"}')), $family, 413, 'Request body too large', "$family: too large");
    is_error(send_as($at{$family}, 'gzip', packed('{"word":')), $family, $family eq 'engagement' ? 422 : 400, undef, "$family: what is in it is no JSON");
}
word_is(send_as($at{plain}, $_->[0], $_->[1]), 'plain', 'zipped', "$_->[0] as $_->[2]")
    for ['x-gzip', packed($text), 'gzip'], ['GZip', packed($text), 'gzip'], ['X-GZIP', packed($text), 'gzip'], ['deflate', packed($text, 'zlib'), 'zlib'], ['Deflate', packed($text, 'raw'), 'raw deflate'],
    ['identity', $text, 'itself'], ['IDENTITY', $text, 'itself'], ['', $text, 'itself'], ['gzip', packed($text, 'gzip', level => 0), 'stored blocks'];
word_is(request($_, $at{engagement}, [$key, 'Content-Encoding: gzip'], packed($text)), 'engagement', 'zipped', "$_ with a gzip body") for qw(POST PUT PATCH DELETE);
for my $coding ('br', 'zstd', 'compress', 'gzip, gzip', 'identity, gzip', 'gzip;q=1', '*', 'gzipp', 'gzi', '!', 'x' x 65, "g\xffzip")
{
    my $r = send_as($at{campaigns}, $coding, packed($text));
    is_error($r, 'campaigns', 415, 'Unsupported Content-Encoding', 'coding ' . $coding =~ s/[^ -~]/?/gr);
    is(header($r, 'Accept-Encoding'), 'gzip, deflate', 'says what is supported');
}
my $crc_wrong = packed($text);
substr($crc_wrong, -8, 1) ^= "\x01";
my $size_wrong = packed($text);
substr($size_wrong, -4, 1) ^= "\x01";
is_error(send_as($at{plain}, $_->[0], $_->[1]), 'plain', 400, 'Invalid request body', $_->[2])
    for ['gzip', $text, 'gzip that is none'], ['gzip', packed($text, 'zlib'), 'gzip that is zlib'], ['deflate', packed($text), 'deflate that is gzip'], ['deflate', "\xff" x 20, 'deflate that is none'],
    ['gzip', $crc_wrong, 'a wrong checksum'], ['gzip', $size_wrong, 'a wrong length'], ['gzip', packed($text) . 'x', 'a byte after the end'], ['gzip', packed($text) . "\0" x 512, 'zeros after the end'],
    ['deflate', packed($text, 'zlib') . 'x', 'a byte after zlib'], ['deflate', packed($text, 'raw') . 'x', 'a byte after deflate'], ['deflate', packed($text, 'zlib') x 2, 'two zlib streams'],
    ['gzip', "\x1f", 'one byte'], ['gzip', "\x1f\x8b\x08\x20\0\0\0\0\0\xff" . packed($text, 'raw'), 'a header that has more than we read'];

# Members: together they are the body.
word_is(send_as($at{plain}, 'gzip', join '', map { packed($_) } split //, $text), 'plain', 'zipped', 'a member for each byte');
word_is(send_as($at{plain}, 'gzip', packed('') . packed($text) . packed('') x 100), 'plain', 'zipped', 'empty members');
is_error(send_as($at{plain}, 'gzip', packed($text) . substr packed(' '), 0, 12), 'plain', 400, 'Invalid request body', 'half a second member');
is_success(send_as('/http-bodies/whole', 'gzip', packed('[') . packed('1]')), 'plain', 200, 'a document in two members');

# Where there is nothing to undo.
word_is(send_as($at{plain}, 'gzip', ''), 'plain', 'none', 'an empty body has no coding');
word_is(send_as('/http-bodies/bare', 'br', 'anything'), 'plain', 'bare', 'a route without a body does not look at it');
word_is(request('GET', '/http-bodies/bare', ['Content-Encoding: br', $key]), 'plain', 'bare', 'nor does a GET');
is_error(request('POST', $at{plain}, ['Content-Encoding: br'], 'x'), 'plain', 401, undef, 'who may not call is told that first');
is_error(send_as(family_path('campaigns', 'http-bodies', 'another'), 'br', 'x'), 'campaigns', 404, 'Workspace not found', 'so is who names another workspace');

# --- Bounds: those of plain bodies -----------------------------------------------------------------------------
for (['/http-bodies/whole', 1 << 20], ['/track/http-bodies', 8 << 20], ['/api/v1/track/http-bodies', 8 << 20])
{
    my ($path, $most) = @$_;
    my $family = $path =~ /^.track/ ? 'dashboard' : $path =~ /^.api/ ? 'public' : 'plain';
    for my $more (0, 1)
    {
        my $body = '"' . 'x' x ($most + $more - 2) . '"';
        my @as = (['plain', request('POST', $path, [$key], $body)], ['gzip', send_as($path, 'gzip', packed($body))], ['deflate', send_as($path, 'deflate', packed($body, 'zlib'))],
            ['gzip in two members', send_as($path, 'gzip', packed(substr $body, 0, 500_000) . packed(substr $body, 500_000))]);
        for my $as (@as)
        {
            my ($what, $r) = @$as;
            if ($more) { is_error($r, $family, 413, 'Request body too large', "$path: a byte too much, $what") }
            else { is_deeply([$r->{status}, data($r)], [200, { length => $most }], "$path: as large as may be, $what") or diag substr $r->{raw}, 0, 500 }
        }
    }
    is_error(send_as($path, 'gzip', packed('"' . 'x' x (3 * $most) . '"', 'gzip', level => 0)), $family, 413, 'Request body too large', "$path: compressed it is too large already");
}
# --- Bombs: memory and time stay those of a large plain body ---------------------------------------------------
# Of the processes that may answer a POST: kB of memory, VmRSS or, since the last time this was asked, VmHWM.
sub memory
{
    my ($what) = @_;
    my %is;
    for my $pid (split /\n/, sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'postgrest_rw'"))
    {
        open my $in, '<', "/proc/$pid/status" or next;
        /^$what:\s+(\d+)/ and $is{$pid} = $1 while <$in>;
        open my $out, '>', "/proc/$pid/clear_refs" or next;
        print $out 5;
    }
    return \%is;
}
sub grown
{
    my ($before) = @_;
    my $after = memory('VmHWM');
    my $most = 0;
    for (keys %$after) { my $by = $after->{$_} - ($before->{$_} // 0); $most = $by if $by > $most }
    return $most;
}
{
    my $zeros = '';
    my $z = Compress::Raw::Zlib::Deflate->new(-WindowBits => WANT_GZIP, -Level => 9, -AppendOutput => 1);
    $z->deflate("\0" x (1 << 20), $zeros);
    $z->flush($zeros, Z_FULL_FLUSH);
    my $piece = '';
    $z->deflate("\0" x (1 << 20), $piece);
    $z->flush($piece, Z_FULL_FLUSH);
    my %bomb = (
        'a thousandfold' => $zeros . $piece x int(8_000_000 / length $piece),
        'members of nothing' => packed('') x 400_000,
        'members of one byte' => packed(' ') x 350_000,
        'empty blocks' => packed('') =~ s/^(.{10}).*/$1/sr . "\0\0\0\xff\xff" x 1_600_000,
    );
    for my $name (sort keys %bomb)
    {
        for my $path ('/track/http-bodies', '/http-bodies/whole')
        {
            my $body = $path =~ /track/ ? $bomb{$name} : substr $bomb{$name}, 0, 1_000_000;
            my ($before, $begun) = (memory('VmRSS'), time);
            my $r = send_as($path, 'gzip', $body);
            my $seconds = time - $begun;
            my $grown = grown($before);
            ok($r->{status} == 413 || $r->{status} == 400, "$path: $name: refused") or diag substr $r->{raw}, 0, 300;
            cmp_ok($seconds, '<', 3, "$path: $name: soon");
            cmp_ok($grown, '<', 64 << 10, "$path: $name: at the cost of a large body");
            ok(scalar(grep { $_ > 1000 } values %$before), 'control: memory is seen');
            diag sprintf '%s %s: %d bytes, %.2f s, %d kB', $path, $name, length $body, $seconds, $grown if $ENV{LA_DIAG};
        }
    }
}
# --- Content-Type: a body that a route takes as JSON is JSON whatever it is called -------------------------------
for my $type (undef, 'text/plain;charset=UTF-8', 'text/plain', 'application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"', 'application/octet-stream', 'application/reports+json',
    'application/json; charset=iso-8859-1', 'image/gif', '*/*', 'nonsense', '', ';', 'x' x 300, "text/\xff", 'application/vnd.pgrst.object+json', 'text/csv')
{
    my @type = defined $type ? ("Content-Type: $type") : ();
    my $name = 'Content-Type ' . substr(($type // 'none') =~ s/[^ -~]/?/gr, 0, 40);
    word_is(request('POST', $at{engagement}, [$key, @type], '{"word":"w"}'), 'engagement', 'w', $name);
    is_error(request('POST', $at{engagement}, [$key, @type], 'word=w'), 'engagement', 422, 'Validation failed', "$name: what is no JSON") unless $type && $type =~ /form/;
    word_is(request('POST', $at{dashboard}, [$key, @type, 'Content-Encoding: gzip'], packed('{"word":"w"}')), 'dashboard', 'w', "$name, compressed");
}
{
    # As a page's last words are sent: no key, no preflight, text.
    my $slug = slug();
    my $r = request('POST', '/api/v1/track', ['Content-Type: text/plain;charset=UTF-8', 'Origin: https://shop.example'], qq({"events":[{"workspace_id":"$slug","event_name":"page_view","visitor_id":"b1"}],"workspace_id":"$slug"}));
    is_success($r, 'public', 200, 'navigator.sendBeacon');
    is(json($r)->{accepted}, 1, 'is stored') or diag $r->{raw};
    $r = request('POST', '/api/v1/track', [$key, 'Content-Encoding: gzip'], packed('{"events":[' . join(',', map { qq({"event_name":"page_view","visitor_id":"z$_","event_data":{"url":"https://shop.example/$_"}}) } 1 .. 1000) . ']}'));
    is((json($r) // {})->{accepted}, 1000, 'a compressed batch of a thousand events') or diag $r->{raw};
}
finish();
