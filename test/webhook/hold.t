# L9: while receivers are waited for, nothing is held and nobody else waits; a sender that ends in the middle sends again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Delivery;
use JSON::PP;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(time sleep);
use Until;

plan skip_all => 'LA_SOCKET is not set: nothing is installed' if !$ENV{LA_SOCKET};

my $t = Delivery->new(stopped => 1, conf => ["leadanalytics.webhook_timeout = '5s'"]);
my $receiver = $t->receiver;
my $base = "http://127.0.0.1:$receiver->{port}";

subtest 'before start() nothing is sent' => sub {
	my $key = $t->hook("$base/ok/early");
	$t->tell('{}');
	my $r = $t->{node}->psql('postgres', 'CALL leadanalytics.deliver(now())');
	like($r->{err}, qr/not started in this database/, 'not by hand either');
	is($t->sql('SELECT count(*) FROM leadanalytics.outbox'), 1, 'it is still in the outbox');
	is($t->said($receiver), 0, 'nobody was called');
	like($t->{node}->psql('postgres', 'BEGIN; CALL leadanalytics.deliver(now())')->{err}, qr/outside of any transaction/, 'nor in a transaction');
	$t->sql('SELECT leadanalytics.start()');
	my ($d) = $t->settled($key, 'delivered');
	is($d->{status}, 'delivered', 'after start() it is');
};

subtest 'no snapshot, no transaction id, no lock while a receiver hangs' => sub {
	my $hang = $t->hook("$base/hang", topics => '{test.hang}', at_once => 64);
	my $ok = $t->hook("$base/ok/beside", topics => '{test.beside}');
	$t->tell('{}', 'test.hang') for 1 .. 5;
	ok(until_(20, sub { $t->requests($receiver, '/hang') == 5 }), 'five are waited for');
	my $pid = $t->sender;
	is($t->sql("SELECT backend_xmin IS NULL, backend_xid IS NULL, application_name FROM pg_stat_activity WHERE pid = $pid"), 't|t|leadanalytics send: deliver', 'no snapshot and no transaction id');
	is($t->sql("SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype <> 'virtualxid'"), 0, 'no lock');
	is($t->sql("SET lock_timeout = '1s'; BEGIN; LOCK TABLE leadanalytics.delivery, leadanalytics.webhook, leadanalytics.outbox; ROLLBACK; SELECT 'free'"), 'free', 'whoever wants the tables has them');
	my $begun = time;
	$t->tell('{}', 'test.beside');
	$t->settled($ok, 'delivered');
	cmp_ok(time - $begun, '<', 4, 'what is told meanwhile is sent meanwhile');
	is($t->sql("SELECT count(*) FROM leadanalytics.delivery WHERE webhook = '$hang' AND attempts = 1 AND leased_until > now()"), 5, 'the five are still waited for');
	$t->sql("DELETE FROM leadanalytics.webhook WHERE key = '$hang'");
};

subtest 'a pause ends while others are waited for' => sub {
	my $hang = $t->hook("$base/hang/again", topics => '{test.again}');
	my $fails = $t->hook("$base/fail/1/again", topics => '{test.again}');
	$t->tell('{}', 'test.again');
	$t->settled($fails, 'delivered');
	my ($first, $second) = map { $_->{at} } $t->requests($receiver, '/fail/1/again');
	cmp_ok($second - $first, '<', 3.9, 'tried again after its pause of a second, not when the receiver that hangs has had its five');
	$t->sql("DELETE FROM leadanalytics.webhook WHERE key IN ('$hang', '$fails')");
};

subtest 'as many at once as a webhook takes, and no more; others have their turn' => sub {
	my $slow = $t->hook("$base/slow/0.4", topics => '{test.slow}', at_once => 3);
	my $next = $t->hook("$base/ok/next", topics => '{test.next}');
	$t->sql("SELECT leadanalytics.tell($t->{workspace}, 'test.slow', '{}', now()) FROM generate_series(1, 30)");
	until_(10, sub { $t->requests($receiver, '/slow/0.4') > 3 });
	my $begun = time;
	$t->tell('{}', 'test.next');
	$t->settled($next, 'delivered');
	cmp_ok(time - $begun, '<', 2.5, 'thirty that wait for one do not keep another waiting');
	$t->settled($slow, 'delivered', 30);
	my @r = $t->requests($receiver, '/slow/0.4');
	is(scalar @r, 30, 'all of them came, once');
	my %ids = map { decode_json($_->{body})->{id} => 1 } @r;
	is(scalar keys %ids, 30, 'each with its id');
	is(max(map { $_->{at_once} } @r), 3, 'three at once at the most');
	my @told = split /\n/, $t->sql("SELECT occurrence FROM leadanalytics.delivery WHERE webhook = '$slow' ORDER BY id");
	my $first = decode_json($r[0]{body})->{id}; # of three at once, whichever got through first
	ok(scalar(grep { $_ eq $first } @told[0 .. 2]), 'the first ones first') or diag explain \@told;
};

subtest 'a burst: nothing is lost, nothing comes twice' => sub {
	my @keys = map { $t->hook("$base/ok/burst$_", topics => '{test.burst}', at_once => 16) } 1 .. 3;
	$t->sql("SELECT leadanalytics.tell($t->{workspace}, 'test.burst', json_build_object('n', n, 'much', repeat('x', 10000)), now()) FROM generate_series(1, 700) AS n");
	my ($begun, $kb) = (time, 0);
	until_(90, sub {
		if (open my $status, '<', '/proc/' . ($t->sender || 'none') . '/status')
		{
			$kb = max($kb, map { /^RssAnon:\s+(\d+)/ } <$status>);
		}
		return $t->sql("SELECT count(*) FROM leadanalytics.delivery WHERE topic = 'test.burst' AND status = 'delivered'") == 2100;
	});
	$t->settled($_, 'delivered', 700) for @keys;
	diag(sprintf '2100 deliveries in %.1f s', time - $begun);
	ok($kb > 0 && $kb < 20_000, 'and the 21 MB that are sent are not kept') or diag "$kb kB";
	for my $n (1 .. 3)
	{
		my @got = map { decode_json($_->{body}) } $t->requests($receiver, "/ok/burst$n");
		is(join(' ', sort { $a <=> $b } map { $_->{data}{n} } @got), join(' ', 1 .. 700), "webhook $n got each one once");
	}
	is($t->sql("SELECT count(DISTINCT occurrence) FROM leadanalytics.delivery WHERE topic = 'test.burst'"), 700, 'an occurrence has one id at all webhooks');
};

subtest 'idle: the sender leaves, and is back for what is told' => sub {
	my $key = $t->hook("$base/ok/awake", topics => '{test.awake}');
	ok(until_(60, sub { $t->sender eq '' }), 'it leaves when nothing is due');
	is($t->sql("SELECT worker, state FROM leadanalytics.worker_slots() WHERE worker = 'send'"), 'send|rests', 'and rests');
	my $begun = time;
	$t->tell('{}', 'test.awake');
	$t->settled($key, 'delivered');
	cmp_ok(time - $begun, '<', 5, 'called again, it sends at once');
};

# SIGTERM ends one process; kill -9 all of them, after which the server recovers by itself.
for my $signal ('TERM', 'KILL')
{
	subtest "the sender ended by SIG$signal between sending and recording" => sub {
		my $path = "/slow/4/$signal";
		my $key = $t->hook("$base$path", topics => "{test.\L$signal\E}");
		$t->tell('{"n": 1}', "test.\L$signal");
		ok(until_(20, sub { $t->requests($receiver, $path) == 1 }), 'the receiver has it, and has not answered');
		is(kill($signal, $t->sender), 1, "it is ended");
		ok(until_(30, sub { $t->sql('SELECT 1') }), 'the server is there');
		# its lease of 35 s, as if they were over
		ok(until_(10, sub { $t->sql("SELECT count(*) FROM leadanalytics.delivery WHERE webhook = '$key' AND leased_until > now()") }), 'it is still taken');
		sleep 2;
		is($t->requests($receiver, $path), 1, 'nobody sends it as long as it is');
		$t->sql("UPDATE leadanalytics.delivery SET next_at = now(), leased_until = now() WHERE webhook = '$key'; UPDATE leadanalytics.webhook SET at_once = at_once");
		my ($d) = $t->settled($key, 'delivered');
		is("$d->{status} $d->{attempts}", 'delivered 2', 'then it is sent again');
		my @r = $t->requests($receiver, $path);
		is(scalar @r, 2, 'once');
		is($r[0]{body}, $r[1]{body}, 'with the same bytes and id');
	};
}

done_testing();
