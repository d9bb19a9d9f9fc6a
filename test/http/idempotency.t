# Idempotency-Key: what comes twice is done once, and answered twice (S2-03, D-30).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Compress::Raw::Zlib;
use Door;
use Test::More;
use Time::HiRes 'time', 'sleep';

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => 'Authorization: Bearer ' . key($id, $_) } qw(admin live sdk);
my $foreign = 'Authorization: Bearer ' . key($other, 'admin');
functions(<<'SQL');
CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, word text, key text);
GRANT ALL ON done TO leadanalytics_owner;
CREATE FUNCTION work(word text, wait float8 DEFAULT 0, idempotency_key text DEFAULT NULL) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    made int;
BEGIN
    INSERT INTO http_idempotency.done (word, key) VALUES (word, idempotency_key) RETURNING n INTO made;
    PERFORM pg_sleep(wait);
    IF word LIKE 'fail%' THEN PERFORM leadanalytics.fail(409, 'No'); END IF;
    IF word LIKE 'fault%' THEN PERFORM 1 / 0; END IF;
    RETURN json_build_object('n', made, 'word', word, 'at', clock_timestamp());
END $$;
CREATE FUNCTION made(word text) RETURNS leadanalytics.reply LANGUAGE plpgsql AS $$
DECLARE
    n int := (http_idempotency.work(word) ->> 'n');
BEGIN
    RETURN CASE word WHEN 'empty' THEN leadanalytics.reply(202, json_build_object('X-N', n))
                     WHEN 'elsewhere' THEN leadanalytics.reply(303, json_build_object('Location', '/there/' || n))
                     WHEN 'large' THEN leadanalytics.reply(200, NULL, 'text/plain', convert_to(n || repeat('x', 3000000), 'UTF8'))
                     ELSE leadanalytics.reply(201, json_build_object('Location', '/x/' || n, 'X-Word', word), 'image/gif', '\x00ff00') END;
END $$;
CREATE SEQUENCE tries;
GRANT USAGE ON SEQUENCE tries TO leadanalytics_owner;
CREATE FUNCTION third() RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('http_idempotency.tries') % 3 <> 0 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;
    RETURN http_idempotency.work('third');
END $$;
SQL
my @work = (idempotent => 1, params => [['word', 'body', 'text', required => 1], ['wait', 'body', 'number']]);
route($_, '/v1/http-idempotency', 'work', family => 'engagement', roles => '{live}', success => 201, message => 'Done', @work) for qw(POST PUT PATCH DELETE);
route('POST', '/v1/http-idempotency/other', 'work', family => 'engagement', @work);
route('POST', '/v1/http-idempotency/slow', 'work', family => 'engagement', timeout_ms => 11000, @work);
route('POST', '/v1/http-idempotency/of/:it', 'work', family => 'engagement', idempotent => 1, params => [['word', 'body', 'text', required => 1], ['it', 'path', 'number', arg => 'wait']]);
route('POST', '/v1/http-idempotency/unmarked', 'work', family => 'engagement', params => [['word', 'body', 'text', required => 1]]);
route('POST', '/v1/http-idempotency/made', 'made', family => 'engagement', idempotent => 1, params => [['word', 'body', 'text', required => 1]]);
route('POST', '/v1/http-idempotency/third', 'third', family => 'engagement', idempotent => 1);
route('POST', '/track/http-idempotency', 'work', family => 'dashboard', roles => '{public,sdk}', cors => 1, @work);
route('POST', family_path('campaigns', 'http-idempotency', ':w'), 'work', family => 'campaigns', idempotent => 1, params => [['w', 'path', 'workspace'], ['word', 'body', 'text', required => 1]]);

my $path = '/v1/http-idempotency';
sub done { my ($word) = @_; return sql('SELECT count(*) FROM http_idempotency.done WHERE word = $1', $word) }
sub rows { return sql("SELECT count(*) FROM leadanalytics.idempotency WHERE route LIKE '%http-idempotency%'") }
sub post { my ($to, $idem, $word, @more) = @_; return request('POST', $to, [$key{admin}, defined $idem ? "Idempotency-Key: $idem" : (), @more], qq({"word":"$word"})) }
sub replayed { return header($_[0], 'Idempotency-Replayed') // '' }

# The same answer again, to the byte, marked as such.
sub is_replay
{
    my ($r, $first, $name) = @_;
    is("$r->{status} $r->{body}", "$first->{status} $first->{body}", "$name: the first's answer");
    is(replayed($r), 'true', "$name: says so");
    is(header($r, $_), header($first, $_), "$name: $_") for 'Content-Type', 'Location', 'X-Word', 'X-N';
}
sub is_first { my ($r, $status, $name) = @_; is("$r->{status} " . replayed($r), "$status ", $name) or diag $r->{raw} }

# --- The same, and not the same ------------------------------------------------------------------------------
{
    my $first = post($path, 'a', 'one');
    is_success($first, 'engagement', 201, 'D-30: the first');
    is(replayed($first), '', 'is no replay');
    is(sql('SELECT key FROM http_idempotency.done WHERE word = $1', 'one'), 'a', 'its function knows the key');
    sleep 0.01; # the envelope has the time
    is_replay(post($path, 'a', 'one'), $first, 'the same again');
    is_replay(post($path, 'a', 'two'), $first, 'another body');
    is_replay(request('POST', $path, [$key{admin}, 'Idempotency-Key: a'], '{}'), $first, 'a body that lacks something');
    is_replay(request('POST', $path, [$key{admin}, 'Idempotency-Key: a'], 'nonsense'), $first, 'a body that is none');
    is_replay(request('POST', "$path?word=x", ['X-API-Key: ' . $key{admin} =~ s/.* //r, 'idempotency-key: a', 'X-Request-Id: again-1'], ''), $first, 'another query, other headers');
    is(done('one') . done('two'), '10', 'done once');
    is_first(post($path, 'A', 'one'), 201, 'keys are told apart by case');
    is_first(post("$path/other", 'a', 'one'), 200, 'another route');
    is_first(request($_, $path, [$key{admin}, 'Idempotency-Key: a'], '{"word":"one"}'), 201, "another method, $_") for qw(PUT PATCH DELETE);
    is_first(request('POST', $path, [$foreign, 'Idempotency-Key: a'], '{"word":"one"}'), 201, 'another workspace');
    is_first(request('POST', $path, [$key{live}, 'Idempotency-Key: a'], '{"word":"one"}'), 201, 'another role');
    is_first(post("$path/of/0", 'a', 'one'), 200, 'a path with a parameter');
    is_first(post("$path/of/0.1", 'a', 'one'), 200, 'another parameter');
    is(replayed(post("$path/of/0%2E1", 'a', 'one')), 'true', 'the same, written otherwise');
    is(done('one'), 10, 'each of them done');
    is_error(request('POST', $path, ['Idempotency-Key: a'], '{"word":"one"}'), 'engagement', 401, undef, 'without a key nothing is told');
    is_error(request('POST', $path, [$key{sdk}, 'Idempotency-Key: a'], '{"word":"one"}'), 'engagement', 403, undef, 'nor to another role');
    is_first(post(family_path('campaigns', 'http-idempotency'), 'a', 'one'), 200, 'a workspace in the path');
    is_error(post(family_path('campaigns', 'http-idempotency', slug('other')), 'a', 'one'), 'campaigns', 404, 'Workspace not found', 'which must be the key\'s');
}

# --- Without the header, or without the mark, nothing is remembered ---------------------------------------------
{
    my $before = rows();
    is_first(post($path, undef, 'plain'), 201, 'no Idempotency-Key') for 1, 2;
    is_first(post($path, '', 'plain'), 201, 'an empty one');
    is_first(post("$path/unmarked", 'u', 'plain'), 200, 'a route that is not marked') for 1, 2;
    is(done('plain'), 5, 'all done');
    is(rows(), $before, 'none remembered');
}

# --- Which texts are keys ----------------------------------------------------------------------------------------
{
    my $n = 0;
    for my $idem ('x' x 256, ' inside it ', q(it's "quoted" \\ {}), '0', "'; DROP TABLE leadanalytics.idempotency; --", '8e03978e-40d5-43dd-bc93-6894a57f9324')
    {
        $n++;
        my $first = post($path, $idem, "key $n");
        is_first($first, 201, "the key $n");
        is_replay(post($path, $idem, "key $n"), $first, "the key $n again");
        is(done("key $n"), 1, "the key $n: once");
    }
    is_first(post($path, 'x' x 255 . 'y', 'key 1'), 201, 'the last of 256 characters counts');
    for my $idem ('x' x 257, 'x' x 5000, "a\xffb", "a\x01b", "\xc3\xa9", '!')
    {
        is_error(post($path, $idem, 'unreadable'), 'engagement', 400, 'Invalid Idempotency-Key', 'no key: ' . substr $idem =~ s/[^ -~]/?/gr, 0, 10);
        is_first(post("$path/unmarked", $idem, 'unmarked'), 200, 'which only a marked route minds');
    }
    is(done('unreadable'), 0, 'not done: it would be again');
}

# --- Whatever an answer is made of ----------------------------------------------------------------------------
for my $word ('gif', 'empty', 'elsewhere', 'large')
{
    my $first = post("$path/made", "made $word", $word);
    is_replay(post("$path/made", "made $word", $word), $first, "a reply, $word");
    is(done($word), 1, "a reply, $word: once");
}

# --- Failures are not remembered --------------------------------------------------------------------------------
for (['fail', 409], ['fault', 500])
{
    my ($word, $status) = @$_;
    my $before = rows();
    is(post($path, $word, "$word-first")->{status}, $status, "$word: fails");
    is(rows(), $before, "$word: leaves nothing");
    is_first(post($path, $word, "now $word"), 201, "$word: the next one is done");
    is(replayed(post($path, $word, "$word-first")), 'true', "$word: and that is remembered");
}
is_error(post($path, 'invalid', 'x" : 1'), 'engagement', 422, undef, 'a body that cannot be read');
is_error(request('POST', $path, [$key{admin}, 'Idempotency-Key: invalid'], '{}'), 'engagement', 422, undef, 'one that lacks something');
is_first(post($path, 'invalid', 'valid'), 201, 'the next one is done');
{
    sql("SELECT setval('http_idempotency.tries', 3)");
    my $first = post("$path/third", 't', 'x');
    is_first($first, 200, 'done at the third try');
    is_replay(post("$path/third", 't', 'x'), $first, 'its answer');
    is(done('third'), 1, 'once');
}

# --- Without an API key: nobody swallows another's ---------------------------------------------------------------
{
    my $to = '/track/http-idempotency';
    my $public = sub { my ($word, @more) = @_; return request('POST', $to, ['Idempotency-Key: 1', @more], qq({"word":"$word"})) };
    my $first = $public->('mine');
    is_first($first, 200, 'keyless: the first');
    is_replay($public->('mine'), $first, 'keyless: again');
    is_first($public->('a stranger'), 200, 'keyless: another body is another request');
    is_first($public->('mine', 'Origin: https://shop.example'), 200, 'keyless: another origin, too');
    is_first($public->('mine', 'Origin: https://evil.example'), 200, 'keyless: and another');
    is_first($public->('mine', 'Referer: https://shop.example/x'), 200, 'keyless: where there is none, the referer');
    is_first(request('POST', "$to?a=1", ['Idempotency-Key: 1'], '{"word":"mine"}'), 200, 'keyless: another query');
    is_first($public->('mine', $key{sdk}), 200, 'with an API key it is another one');
    is_replay($public->('mine'), $first, 'keyless: still the first');
    is(done('mine'), 6, 'keyless: each done once');
    my ($z) = Compress::Raw::Zlib::Deflate->new(-WindowBits => WANT_GZIP, -AppendOutput => 1);
    my $packed = '';
    $z->deflate('{"word":"mine"}', $packed);
    $z->flush($packed);
    is_replay(request('POST', $to, ['Idempotency-Key: 1', 'Content-Encoding: gzip'], $packed), $first, 'keyless: the same body, compressed');

    # CORS is each request's own.
    my $r = $public->('mine', 'Origin: https://shop.example', 'X-Request-Id: own-1');
    is(replayed($r), 'true', 'of a page, again');
    is(header($r, 'X-Request-Id'), 'own-1', 'with its own request id');
    is(header($r, 'Vary'), 'Accept-Encoding, Origin', 'and one Vary of a kind');
    like(header(request('OPTIONS', $to, ['Origin: https://shop.example', 'Access-Control-Request-Method: POST']), 'Vary'), qr/^Origin/, 'a preflight is no request');
}

# --- At once -----------------------------------------------------------------------------------------------------
{
    my @started = map { start('POST', $path, [$key{admin}, 'Idempotency-Key: race'], qq({"word":"race","wait":0.3,"who":$_})) } 1 .. 20;
    my @answers = map { answer($_) } @started;
    is(done('race'), 1, '20 at once: done once');
    is(join(' ', sort { $a <=> $b } map { $_->{status} } @answers), join(' ', (201) x 20), 'all answered as done');
    is(scalar(keys %{ { map { $_->{body} => 1 } @answers } }), 1, 'with one answer');
    is(scalar(grep { replayed($_) eq 'true' } @answers), 19, 'all but one a replay');
}
{
    # The first fails: one after the other tries, none is told another's failure as its own success.
    my @started = map { start('POST', $path, [$key{admin}, 'Idempotency-Key: race-fail'], $_ < 4 ? '{"word":"fail-race","wait":0.2}' : '{"word":"race-good","wait":0.1}') } 1 .. 8;
    my @answers = map { answer($_) } @started;
    is(done('race-good'), 1, 'the first ones fail: still done once');
    is(done('fail-race'), 0, 'and what failed is undone');
    my %statuses;
    $statuses{ $_->{status} . replayed($_) }++ for @answers;
    is($statuses{201}, 1, 'one did it') or diag explain \%statuses;
    is(($statuses{201} // 0) + ($statuses{'201true'} // 0) + ($statuses{409} // 0), 8, 'the others failed, or were told');
}
{
    # Whoever waits does so for less than the role's lock_timeout, and is told to come again.
    my $slow = start('POST', "$path/slow", [$key{admin}, 'Idempotency-Key: slow'], '{"word":"slow","wait":9}');
    for (1 .. 40) { last if sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgrest_rw' AND wait_event = 'PgSleep'"); sleep 0.05 }
    my $begun = time;
    my $waiting = start('POST', "$path/slow", [$key{admin}, 'Idempotency-Key: slow'], '{"word":"slow"}');
    is_first(post("$path/slow", 'another', 'quick'), 200, 'another key does not wait');
    my $r = answer($waiting);
    is_error($r, 'engagement', 503, undef, 'the first takes long');
    is(header($r, 'Retry-After'), 1, 'to be tried again');
    cmp_ok(time - $begun, '<', 9, 'before it is done');
    is(answer($slow)->{status}, 200, 'the first is done');
    is(replayed(post("$path/slow", 'slow', 'slow')), 'true', 'and then its answer is there');
    is(done('slow'), 1, 'done once');
}
{
    # Different keys, the same visitors: no deadlock with what ingestion locks.
    my $body = '{"events":[' . join(',', map { qq({"event_name":"page_view","visitor_id":"v$_","session_id":"s$_","event_id":"EVENT-$_"}) } 1 .. 20) . ']}';
    my @started = map { my $batch = int($_ / 2); start('POST', '/api/v1/track', [$key{admin}, "Idempotency-Key: batch-$batch"], $body =~ s/EVENT/http-idempotency-$batch/gr) } 0 .. 19;
    my @answers = map { answer($_) } @started;
    is(join(' ', map { $_->{status} } @answers), join(' ', (200) x 20), 'batches at once');
    is(scalar(grep { replayed($_) eq 'true' } @answers), 10, 'half of them for the second time');
    is(sql("SELECT count(*) FROM leadanalytics.events WHERE workspace = $id"), 200, 'each event once');
    is($_->{body} =~ /"accepted":20,"duplicates":0/, 1, 'a retry is told what the first was') for @answers[0 .. 3];
}

# --- Until it is old -----------------------------------------------------------------------------------------------
{
    my $first = post($path, 'old', 'old');
    my $age = sub { sql(q{UPDATE leadanalytics.idempotency SET at = now() - $1::interval WHERE digest = (SELECT digest FROM leadanalytics.idempotency ORDER BY at DESC LIMIT 1)}, @_) };
    $age->('23 hours 59 minutes');
    is(replayed(post($path, 'old', 'old')), 'true', 'a day long it is remembered');
    sql(q{UPDATE leadanalytics.idempotency SET at = now() - interval '24 hours 1 minute' WHERE at < now() - interval '23 hours'});
    my @answers = map { answer($_) } map { start('POST', $path, [$key{admin}, 'Idempotency-Key: old'], '{"word":"old","wait":0.1}') } 1 .. 6;
    is(done('old'), 2, 'then it is done again, though nobody swept, once');
    is(scalar(grep { replayed($_) eq 'true' } @answers), 5, 'and that is remembered');
}

# What OpenAPI says of it.
{
    my $paths = json(request('GET', '/openapi.json'))->{paths};
    my ($header) = grep { $_->{in} eq 'header' } @{ $paths->{'/api/v1/track'}{post}{parameters} };
    is($header->{name}, 'Idempotency-Key', 'OpenAPI: track heeds it');
    is(scalar(grep { $_->{in} eq 'header' } @{ $paths->{"$path/unmarked"}{post}{parameters} || [] }), 0, 'OpenAPI: an unmarked route does not');
}
sql("DELETE FROM leadanalytics.idempotency WHERE route LIKE '%http-idempotency%' OR workspace IN ($id, $other)");
finish();
