# S2-06, L9: what a webhook's receiver gets, whatever it does: hangs, resets, drips, floods, sends elsewhere.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Delivery;
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);
use Until;

plan skip_all => 'LA_SOCKET is not set: nothing is installed' if !$ENV{LA_SOCKET};

my $t = Delivery->new;
my $receiver = $t->receiver;
my $base = "http://127.0.0.1:$receiver->{port}";
sub headers { my ($request) = @_; return { map { lc $_->[0] => $_->[1] } @{ $request->{headers} } } }
sub path { my ($key) = @_; return substr $t->sql("SELECT url FROM leadanalytics.webhook WHERE key = '$key'"), length $base }

subtest 'S2-06 envelope, headers and signature' => sub {
	my @keys = map { $t->hook("$base/ok/$_") } 1, 2;
	my $other = $t->hook("$base/ok/other", topics => '{test.other}');
	# as json keeps it: its own order and spaces, a key twice, letters as they came
	my $data = qq({"b" : 1.50, "a":"Zo\xc3\xab \\u00e9 \xf0\x9f\x98\x80",  "b":[ ]});
	$t->tell($data);
	my @delivered = map { ($t->settled($_, 'delivered'))[0] } @keys;
	my @requests = map { $t->requests($receiver, "/ok/$_") } 1, 2;
	is(@requests, 2, 'each webhook that wants the topic is called once');
	is($t->requests($receiver, '/ok/other'), 0, 'and no other');
	for my $i (0, 1)
	{
		my ($r, $h) = ($requests[$i], headers($requests[$i]));
		like($r->{body}, qr/\A\{"id":"evt_[0-9a-f]{24}","type":"test\.made","createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","data":\Q$data\E\}\z/, 'the envelope, its data byte for byte');
		is($r->{line}, 'POST /ok/' . ($i + 1) . ' HTTP/1.1', 'POST');
		is($h->{'content-type'}, 'application/json', 'Content-Type');
		is($h->{'x-leadron-signature'}, 'sha256=' . hmac_sha256_hex($r->{body}, "secret of $keys[$i]"), 'X-Leadron-Signature');
		is($h->{'x-leadron-event'}, 'test.made', 'X-Leadron-Event');
		is($h->{'x-leadron-delivery'}, decode_json($r->{body})->{id}, 'X-Leadron-Delivery');
		like($h->{'user-agent'}, qr{^leadanalytics/\d}, 'User-Agent');
		is(join(' ', sort keys %$h), 'accept content-length content-type host user-agent x-leadron-delivery x-leadron-event x-leadron-signature', 'and no header more');
		is("$delivered[$i]{answer_status} $delivered[$i]{answer} $delivered[$i]{attempts}", '200 {"ok":true} 1', 'what it said is kept');
	}
	is($requests[0]{body}, $requests[1]{body}, 'both get the same');
	is($t->sql('SELECT count(*) FROM leadanalytics.outbox'), 0, 'the outbox is empty');
};

subtest 'L9 500 twice, then well: the same bytes and id each time, with pauses' => sub {
	my $key = $t->hook("$base/fail/2");
	$t->tell('{"n": 1}');
	my ($d) = $t->settled($key, 'delivered');
	my @r = $t->requests($receiver, '/fail/2');
	is(@r, 3, 'three attempts');
	is(join(' ', map { $_->{body} eq $r[0]{body} && headers($_)->{'x-leadron-signature'} eq headers($r[0])->{'x-leadron-signature'} } @r), '1 1 1', 'the same');
	cmp_ok($r[1]{at} - $r[0]{at}, '>', 0.79, 'a second between them, a fifth shorter at the least');
	cmp_ok($r[2]{at} - $r[1]{at}, '>', 1.59, 'then two');
	cmp_ok($r[2]{at} - $r[0]{at}, '<', 10, 'and not for ever');
	is("$d->{attempts} $d->{answer_status} " . ($d->{error} // ''), '3 204 ', 'delivered');
};

subtest 'L9 what fails, and how it is told' => sub {
	my %hostile = (
		'/always/500' => qr/^the receiver answered 500$/,
		'/always/401' => qr/^the receiver answered 401$/,
		'/always/304' => qr/^the receiver answered 304$/,
		'/hang' => qr/timed out/,
		'/drip' => qr/timed out/,
		'/drip_head' => qr/timed out/,
		'/reset' => qr/reset by peer|Recv failure/,
		'/close' => qr/Empty reply/,
		'/short' => qr/transfer closed with 95 bytes remaining/,
		'/garbage' => qr/HTTP\/0\.9/,
		'/flood_head' => qr/./,
		'/redirect/here' => qr/^the receiver answered 302$/,
		'/redirect/meta' => qr/^the receiver answered 302$/,
	);
	my %key = map { $_ => $t->hook("$base$_", topics => '{test.hostile}') } sort keys %hostile;
	my $good = $t->hook("$base/ok/good", topics => '{test.hostile}');
	my $begun = time;
	$t->tell('{}', 'test.hostile');
	my ($d) = $t->settled($good, 'delivered');
	cmp_ok(time - $begun, '<', 5, 'whoever answers is not kept waiting by the others');
	until_(30, sub { $t->sql("SELECT bool_and(attempts >= 2 AND error IS NOT NULL) FROM leadanalytics.delivery WHERE topic = 'test.hostile' AND webhook <> '$good'") eq 't' });
	for my $path (sort keys %hostile)
	{
		my ($d) = $t->deliveries($key{$path});
		is($d->{status}, 'waiting', "$path waits for another attempt");
		like($d->{error} // '', $hostile{$path}, 'and says why');
		my @r = $t->requests($receiver, $path);
		cmp_ok(scalar @r, '>=', 2, 'it was called again');
		is(scalar(grep { $_->{body} eq $r[0]{body} } @r), scalar @r, 'with the same');
	}
	is($t->requests($receiver, '/ok/redirected'), 0, 'no redirect is followed');
	my %end;
	for my $said (grep { $_->{what} eq 'request' } $t->said($receiver)) { push @{ $end{ $said->{path} } }, $said->{at} }
	my @hang = @{ $end{'/hang'} };
	cmp_ok($hang[1] - $hang[0], '<', 8, 'who hangs is left after 2 s, and called again after a pause');
	is_deeply([ grep { $_->{error} !~ /Broken pipe|reset|timed out|closed|EOF/i } $t->said($receiver, 'broken') ], [], 'the receiver itself had no other trouble');
	$t->sql("UPDATE leadanalytics.webhook SET active = false WHERE 'test.hostile' = ANY (topics)");
};

subtest 'L9 answers: of 10 MB, packed, of bytes that are no text' => sub {
	my $flood = $t->hook("$base/flood", topics => '{test.answer}');
	my $gzip = $t->hook("$base/gzip", topics => '{test.answer}');
	my $text = $t->hook("$base/fail/1/text", topics => '{test.answer}');
	$t->tell('{}', 'test.answer');
	my ($d) = $t->settled($flood, 'delivered');
	is($d->{answer}, 'x' x 1000, 'the first 1 000 bytes are kept');
	my ($flooded) = until_(10, sub { $t->said($receiver, 'flooded') }) ? $t->said($receiver, 'flooded') : ();
	cmp_ok($flooded->{bytes}, '<', 8_000_000, 'and the receiver does not get rid of 10 MB') or diag explain $flooded;
	($d) = $t->settled($gzip, 'delivered');
	like($d->{answer}, qr/^\x1f.*bomb$/, 'nothing is unpacked');
	until_(10, sub { ($d) = $t->deliveries($text); $d->{answer} });
	is($d->{answer}, "no \x{e9}" . 'y' x 993, 'bytes that are no text are left out') or diag explain $d;
	$t->tell('{}', 'test.answer');
	my @r = until_(20, sub { $t->requests($receiver, '/gzip') == 2 }) ? $t->requests($receiver, '/gzip') : ();
	ok(@r == 2 && !exists headers($r[1])->{cookie}, 'a cookie is not given back');
};

subtest 'L9 410 is the end, Retry-After is heard' => sub {
	my $gone = $t->hook("$base/always/410", topics => '{test.end}');
	my $later = $t->hook("$base/later/2", topics => '{test.end}');
	my $never = $t->hook("$base/later/999999", topics => '{test.end}');
	$t->tell('{}', 'test.end');
	my ($d) = $t->settled($gone, 'dead');
	is("$d->{attempts} $d->{error}", '1 the receiver answered 410', '410: dead at once');
	is($t->sql("SELECT active FROM leadanalytics.webhook WHERE key = '$gone'"), 't', 'the webhook itself stays');
	($d) = $t->settled($later, 'delivered');
	my @r = $t->requests($receiver, '/later/2');
	cmp_ok($r[1]{at} - $r[0]{at}, '>=', 1.9, 'Retry-After: 2');
	@r = until_(15, sub { $t->requests($receiver, '/later/999999') == 2 }) ? $t->requests($receiver, '/later/999999') : ();
	is(@r, 2, 'but not for 11 days: leadanalytics.webhook_retry_max');
};

subtest 'L9 dead letters, and replaying them' => sub {
	$t->sql("ALTER SYSTEM SET leadanalytics.webhook_attempts = 2");
	$t->sql('SELECT pg_reload_conf()');
	my $key = $t->hook("$base/fail/3/dead", topics => '{test.dead}');
	$t->tell('{}', 'test.dead');
	my ($d) = $t->settled($key, 'dead');
	is("$d->{status} $d->{attempts}", 'dead 2', 'given up after leadanalytics.webhook_attempts');
	like($t->sql("SELECT state FROM leadanalytics.status() WHERE part = 'deliveries'"), qr/ dead$/, 'status() says so');
	is($t->sql("SELECT leadanalytics.replay_delivery($t->{workspace}, $d->{id})"), 't', 'replay_delivery()');
	($d) = $t->settled($key, 'delivered');
	is("$d->{status} $d->{attempts}", 'delivered 4', 'it has as many attempts as a new one');
	my @r = $t->requests($receiver, '/fail/3/dead');
	is(scalar(grep { $_->{body} eq $r[0]{body} } @r), 4, 'with the same bytes and id');
	$t->sql('ALTER SYSTEM RESET leadanalytics.webhook_attempts');
	$t->sql('SELECT pg_reload_conf()');
};

subtest 'D-74 a postback goes to its platform, and counts once when it took it' => sub {
	my $used = sub { $t->sql("SELECT coalesce(sum(postbacks), 0) FROM leadanalytics.usage_month WHERE workspace = $t->{workspace}") };
	my $google = $t->hook("$base/fail/1/google", platform => 'google-ads', topics => '{conversion.postback}');
	my $meta = $t->hook("$base/ok/meta", platform => 'meta', topics => '{*}');
	my $all = $t->hook("$base/ok/all", topics => '{*}');
	$t->tell('{"platform": "google-ads"}', 'conversion.postback');
	my ($d) = $t->settled($google, 'delivered');
	is($d->{attempts}, 2, 'delivered at the second attempt');
	is($used->(), 1, 'and counted once');
	is($t->deliveries($meta) + $t->deliveries($all), 0, 'nobody else gets it');
	$t->sql("SELECT leadanalytics.replay_delivery($t->{workspace}, $d->{id})");
	until_(20, sub { $t->requests($receiver, '/fail/1/google') == 3 });
	($d) = $t->settled($google, 'delivered');
	is($t->requests($receiver, '/fail/1/google'), 3, 'replayed');
	is($used->(), 1, 'it is not counted again');
	$t->tell('{}', 'test.any');
	$t->settled($all, 'delivered');
	is($t->deliveries($meta), 0, 'a platform gets nothing but its postbacks');
};

subtest 'a webhook that is turned off, and one that is deleted' => sub {
	my $off = $t->hook("$base/always/500/off", topics => '{test.off}');
	my $gone = $t->hook("$base/slow/1.5", topics => '{test.off}');
	$t->tell('{}', 'test.off');
	until_(10, sub { $t->requests($receiver, '/always/500/off') && $t->requests($receiver, '/slow/1.5') });
	$t->sql("DELETE FROM leadanalytics.webhook WHERE key = '$gone'; UPDATE leadanalytics.webhook SET active = false, url = '$base/ok/on' WHERE key = '$off'");
	until_(10, sub { grep { $_->{what} eq 'end' && $_->{path} eq '/slow/1.5' } $t->said($receiver) });
	$t->tell('{}', 'test.any');
	is($t->deliveries($gone), 0, 'deleted in the middle of a delivery: nothing is left of it');
	my ($d) = $t->deliveries($off);
	is($d->{status}, 'waiting', 'turned off: it waits');
	is($t->requests($receiver, '/ok/on'), 0, '…');
	$t->sql("UPDATE leadanalytics.webhook SET active = true WHERE key = '$off'");
	($d) = $t->settled($off, 'delivered');
	is($d->{status}, 'delivered', 'turned on again it goes at once');
	is($t->sql("SELECT coalesce(max(failures), 0) FROM leadanalytics.unit_state"), 0, 'and no unit failed in all this');
};

done_testing();
