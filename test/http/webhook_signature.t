# S2-06: README's two checks of a signature, as they stand there, against what the database signs with.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use File::Basename 'dirname';
use File::Temp 'tempdir';
use JSON::PP ();
use Test::More;

my $readme = do { local $/; open my $in, '<', dirname(__FILE__) . '/../../README.md' or die $!; <$in> };
my %sample = (node => $readme =~ /```js\n(import \{ createHmac.*?)```/s, python3 => $readme =~ /```python\n(import hashlib, hmac.*?)```/s);
my $dir = tempdir(CLEANUP => 1);
my %call = (
    node => ['check.mjs', q(
import { readFileSync } from 'node:fs';
for (const c of JSON.parse(readFileSync(process.argv[2], 'utf8'))) console.log(isSigned(Buffer.from(c.body, 'base64'), c.header ?? undefined, c.secret) ? 'signed' : 'refused');
)],
    python3 => ['check.py', q(
import base64, json, sys
for c in json.load(open(sys.argv[1])):
    print('signed' if is_signed(base64.b64decode(c['body']), c['header'], c['secret']) else 'refused')
)]);

# Bodies as they are sent, with what is not ASCII; the signature is reckoned by the database.
my $secret = 'whsec_' . '0123456789abcdef' x 4;
my (@cases, @expected);
sub add { my ($body, $header, $expected) = @_; push @cases, { body => $body, header => $header, secret => $secret }; push @expected, $expected }
for my $body ('{"id":"evt_1","type":"lead.captured","createdAt":"2026-02-09T10:30:00.000Z","data":{"name":"Zoë 漢字 \u00e9"}}', '{}', '')
{
    my ($base64, $signature) = split /\|/, sql(q(SELECT translate(encode(convert_to(b, 'UTF8'), 'base64'), E'\n', '') || '|' || encode(leadanalytics.hmac_sha256(convert_to(b, 'UTF8'), convert_to($2, 'UTF8')), 'hex') FROM (SELECT $1::text AS b) AS t), $body, $secret);
    add($base64, "sha256=$signature", 'signed');
    add($base64, $_, 'refused') for $signature, "sha256=" . $signature =~ tr/0-9a-f/1-9a-f0/r, "sha256=$signature ", 'sha256=', '', undef, "sha256=\x{e9}";
    add('IA==' . $base64, "sha256=$signature", 'refused') if $body eq ''; # a blank more
}
{
    open my $out, '>', "$dir/cases.json" or die $!;
    print $out JSON::PP->new->ascii->encode(\@cases);
    close $out;
}
for my $language (sort keys %sample)
{
    ok($sample{$language}, "S2-06 README has a check in $language") or next;
    my ($file, $rest) = @{ $call{$language} };
    open my $out, '>', "$dir/$file" or die $!;
    print $out $sample{$language}, $rest;
    close $out;
    my $said = `$language '$dir/$file' '$dir/cases.json' 2>&1`;
    is($said, join('', map { "$_\n" } @expected), "S2-06 $language: what is signed, and nothing else");
}
finish();
