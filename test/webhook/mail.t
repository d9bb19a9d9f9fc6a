# S2-21: mails, against a mail server of ours: what it gets, what it refuses, and files that go with them. Read by Python's own mail parser.
use strict;
use warnings;
use utf8;
use FindBin;
use lib $FindBin::Bin;
use Delivery;
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;

binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
use Until;

plan skip_all => 'LA_SOCKET is not set: nothing is installed' if !$ENV{LA_SOCKET};
plan skip_all => 'Debian\'s python3-aiosmtpd is not installed' if system("/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null");

my $t = Delivery->new;
my $sink = $t->sink;
my %asked;
sub setting { my %set = @_; $t->sql("ALTER SYSTEM SET leadanalytics.$_ = '$set{$_}'") for sort keys %set; $t->sql('SELECT pg_reload_conf()'); sleep 1; return }

sub mail
{
	my ($to, $subject, $body, $attachment) = @_;
	return $t->sql(encode_utf8(sprintf "SELECT leadanalytics.send_mail(%d, %s, %s, %s, 'report.ready', 'run 7', %s)", $t->{workspace}, map { defined $_ ? "\$q\$$_\$q\$" : 'NULL' } $to, $subject, $body, $attachment));
}
sub state { my ($id, $seconds, $want) = @_; my $d; until_($seconds, sub { $d = decode_json($t->sql("SELECT row_to_json(d) FROM leadanalytics.deliveries d WHERE id = $id")); $want->($d) }); return $d }
sub ended { my ($id) = @_; return state($id, 30, sub { $_[0]{status} ne 'waiting' }) }
sub failed { my ($id) = @_; return state($id, 30, sub { $_[0]{error} }) }

# What arrived for a recipient, as Python reads it.
sub arrived
{
	my ($to) = @_;
	open my $program, '>', "$t->{dir}/read.py" or die;
	print $program <<'PY';
import base64, email, email.policy, hashlib, json, sys
for line in open(sys.argv[1]):
    said = json.loads(line)
    if said['what'] != 'mail' or said['recipients'] != [sys.argv[2]]:
        continue
    raw = base64.b64decode(said['data'])
    m = email.message_from_bytes(raw, policy=email.policy.default)
    files = [dict(name=p.get_filename(), type=p.get_content_type(), md5=hashlib.md5(p.get_payload(decode=True)).hexdigest()) for p in m.iter_attachments()]
    print(json.dumps(dict(sender=said['sender'], headers=[[k, str(v)] for k, v in m.items()], text=m.get_body().get_content(), files=files, long=max(len(l) for l in raw.split(b'\r\n')), defects=len(m.defects), ascii=raw.isascii())))
PY
	close $program;
	open my $out, '-|', '/usr/bin/python3', "$t->{dir}/read.py", $sink->{log}, $to or die;
	my @mails = map { decode_json($_) } <$out>;
	$_->{h} = { map { lc $_->[0] => $_->[1] } @{ $_->{headers} } } for @mails;
	return @mails;
}

subtest 'no mail server' => sub {
	my $id = mail('early@example.com', 'Early', 'text');
	my $d = failed($id);
	is("$d->{status} $d->{error}", 'waiting no mail server is set: leadanalytics.smtp_url, leadanalytics.smtp_from', 'it says so, and waits');
	is($t->sql("SELECT state, hint FROM leadanalytics.status() WHERE part = 'mail'"), '1 wait for a mail server|Set leadanalytics.smtp_url and leadanalytics.smtp_from.', 'status() too');
	setting(smtp_url => "smtp://127.0.0.1:$sink->{port}", smtp_from => 'reports@la.example');
	is(ended($id)->{status}, 'delivered', 'set, it is sent');
	is($t->sql("SELECT count(*) FROM leadanalytics.status() WHERE part = 'mail'"), 0, 'status() has nothing to say');
};

subtest 'S2-21 a mail' => sub {
	my $subject = 'Wöchentlicher Bericht: Zoë & Łukasz — 日本語のレポート 😀 ' . 'ä' x 60;
	my $body = "Grüße,\nsecond line\n.\n.dotted\n" . 'long ' x 300 . "\n€ end";
	my $d = ended(mail('zoe@example.com', $subject, $body));
	is("$d->{status} $d->{answer_status}", 'delivered 250', 'is delivered');
	my @m = arrived('zoe@example.com');
	is(scalar @m, 1, 'once');
	my $m = $m[0];
	is($m->{h}{subject}, $subject, 'its subject is what it was');
	is($m->{text} =~ s/\r\n/\n/gr =~ s/\n\z//r, $body, 'so is its text');
	is("$m->{sender} $m->{h}{from} $m->{h}{to}", 'reports@la.example reports@la.example zoe@example.com', 'from and to');
	like($m->{h}{date}, qr/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/, 'Date');
	like($m->{h}{'message-id'}, qr/^<[0-9a-f]{32}\@la\.example>$/, 'Message-ID');
	is($m->{h}{'mime-version'}, '1.0', 'MIME-Version');
	is("$m->{defects} $m->{ascii}", '0 ' . JSON::PP::true, 'nothing is wrong with it, and all of it is ASCII');
	cmp_ok($m->{long}, '<', 999, 'no line is too long');
};

subtest 'S2-21 refused for now, refused for good, one recipient like the other' => sub {
	my @ids = map { mail($_, 'Report', 'text') } 'later@example.com', 'nobody@example.com', 'spam@example.com', 'fine@example.com';
	my @d = map { ended($_) } @ids;
	is(join(' ', map { "$_->{status}/$_->{attempts}" } @d), 'delivered/2 dead/1 dead/1 delivered/1', '451 is tried again, 550 and 554 are not, the others have their mail');
	is("$d[1]{answer_status} $d[1]{answer}", "550 550 5.1.1 there is no such user: Zo\x{eb}\r\n", 'what the server said is kept');
	is(scalar arrived('later@example.com'), 1, 'later@ has it once');
	my ($first) = arrived('fine@example.com');
	is($t->sql("SELECT leadanalytics.replay_delivery($t->{workspace}, $ids[3])"), 't', 'replayed');
	until_(20, sub { arrived('fine@example.com') == 2 });
	my @both = arrived('fine@example.com');
	is($both[1]{h}{'message-id'} // '', $first->{h}{'message-id'}, 'a mail keeps its Message-ID');
};

subtest 'nothing from a table becomes a header or a command' => sub {
	my $d = ended(mail('inject@example.com', "Hi\r\nBcc: evil\@example.com\r\n\r\nbody", 'text'));
	my ($m) = arrived('inject@example.com');
	is($d->{status}, 'delivered', 'a subject of several lines is sent');
	is_deeply([ grep { /bcc/i } map { $_->[0] } @{ $m->{headers} } ], [], 'as one header');
	for my $to ("a\@example.com\r\nRCPT TO:<evil\@example.com>", 'a@example.com>,<b@example.com', 'nobody', 'a b@example.com', '@example.com', 'x' x 250 . '@example.com')
	{
		my $d = ended(mail($to, 'Hi', 'text'));
		is("$d->{status} $d->{error}", 'dead the recipient is no mail address', 'no address: ' . substr($to =~ s/\s/ /gr, 0, 30));
	}
	is_deeply([ grep { $_->{address} =~ /evil/ } $t->said($sink, 'rcpt') ], [], 'nobody else is named');
};

subtest 'S2-21 the file of an export' => sub {
	my $export = sub { my ($key, $status, $size) = @_; $t->sql(<<"SQL"); return $key };
INSERT INTO leadanalytics.export (workspace, key, type, format, status, created_at, completed_at, expires_at, size, records, error, secret)
SELECT $t->{workspace}, '$key', 'engagement_leads', 'csv', '$status', now(), now(), now() + interval '1 hour', $size, 1, CASE '$status' WHEN 'failed' THEN 'insufficient data' END, 's';
INSERT INTO leadanalytics.export_chunk SELECT $t->{workspace}, '$key', n, substr(decode(string_agg(md5(n || ' ' || i), '' ORDER BY i), 'hex'), 1, least(1048576, $size - n * 1048576)::int)
FROM generate_series(0, ($size - 1) / 1048576) AS n, generate_series(1, 65536) AS i WHERE '$status' = 'completed' GROUP BY n;
SQL
	$export->('exp_file', 'completed', 1_500_001);
	my $md5 = $t->sql("SELECT md5(string_agg(data, '' ORDER BY n)) FROM leadanalytics.export_chunk WHERE export = 'exp_file'");
	is(ended(mail('file@example.com', 'With a file', 'See the file.', 'exp_file'))->{status}, 'delivered', 'goes with the mail');
	my ($m) = arrived('file@example.com');
	is_deeply($m->{files}, [ { name => 'exp_file.csv', type => 'text/csv', md5 => $md5 } ], 'byte for byte');
	is($m->{text} =~ s/\s+\z//r, 'See the file.', 'beside the text');

	$export->('exp_big', 'completed', 12_000_000);
	is(ended(mail('big@example.com', 'Big', 'See the file.', 'exp_big'))->{status}, 'delivered', 'one larger than leadanalytics.mail_attachment does not');
	($m) = arrived('big@example.com');
	is(scalar @{ $m->{files} }, 0, '…');
	like($m->{text}, qr{The file has 12000000 bytes, which is too much for a mail\. Until \S+Z it is here:\s+\S*/v1/analytics/exports/exp_big/download\?expires=\d+&signature=[0-9a-f]{64}}, 'the mail says where it is');

	$export->('exp_bad', 'failed', 10);
	is(ended(mail('bad@example.com', 'x', 'x', 'exp_bad'))->{error}, 'there is no file: export exp_bad failed: insufficient data', 'a failed export');
	$t->sql("UPDATE leadanalytics.export SET expires_at = now() WHERE key = 'exp_big'");
	is(ended(mail('old@example.com', 'x', 'x', 'exp_big'))->{error}, 'its file is gone: export exp_big has expired', 'an expired one');
	is(ended(mail('none@example.com', 'x', 'x', 'exp_none'))->{error}, 'its file is gone: there is no export exp_none', 'none at all');
	$t->sql("UPDATE leadanalytics.unit SET enabled = false WHERE name = 'exports'");
	$export->('exp_soon', 'processing', 10);
	my $soon = mail('soon@example.com', 'x', 'x', 'exp_soon');
	my $d = failed($soon);
	is("$d->{status} $d->{error}", 'waiting its file is not ready: export exp_soon', 'one that is not ready is waited for');
	$t->sql("UPDATE leadanalytics.export SET status = 'failed', error = 'no' WHERE key = 'exp_soon'");
	is(ended($soon)->{status}, 'dead', 'until it is known');
	is(scalar(grep { $_->{address} =~ /^(bad|old|none|soon)\@/ } $t->said($sink, 'rcpt')), 0, 'no mail goes without its file');
};

subtest 'a password goes over no open line' => sub {
	my $known = $t->sink('la', 'pa55word');
	setting(smtp_url => "smtp://127.0.0.1:$known->{port}", smtp_user => 'la', smtp_password => 'pa55word');
	my $id = mail('secure@example.com', 'x', 'x');
	like(failed($id)->{error}, qr/TLS|SSL/i, 'the server has no TLS: an error');
	is(scalar $t->said($known, 'auth'), 0, 'it was not told who we are');
	setting(smtp_tls => 'none');
	is(ended($id)->{status}, 'delivered', 'unless leadanalytics.smtp_tls says that there is none');
	is_deeply([ map { $_->{good} ? 1 : 0 } $t->said($known, 'auth') ], [1], 'then it was');
	setting(smtp_password => 'wrong');
	$id = mail('secure@example.com', 'x', 'x');
	my $d = failed($id);
	is($d->{status}, 'waiting', 'a wrong password is our fault, not the mail\'s: it waits');
	$t->sql('CREATE ROLE analyst; GRANT leadanalytics_admin TO analyst');
	for my $name (qw(smtp_url smtp_user smtp_password))
	{
		like($t->{node}->psql('postgres', "SELECT leadanalytics.preloaded(); SET ROLE analyst; SHOW leadanalytics.$name")->{err}, qr/permission denied|must be superuser/, "$name is shown to superusers only");
	}
	is($t->sql("SELECT count(*) FROM leadanalytics.delivery d WHERE d::text LIKE '%pa55word%'"), 0, 'it is in no row');
	open my $log, '<', "$t->{node}{dir}/log" or die;
	is(scalar(grep { /secret of|sha256=/ } <$log>), 0, 'and no secret is in the log');
};

is($t->sql('SELECT coalesce(max(failures), 0) FROM leadanalytics.unit_state'), 0, 'no unit failed');
done_testing();
