# Links and pixels in mails (S2-05): signed, public, counted; and never in a reader's way.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox marketing);
my $other = key(workspace('other'), 'live');
my $sandbox = sql('SELECT id FROM leadanalytics.workspace WHERE sandbox_of = $1', $id);
my $target = 'https://example.com/a%20b?c=d&e=%C3%A9#f';
my $agent = 'User-Agent: Thunderbird';

sub pixel { my ($workspace, @of) = @_; return path(sql('SELECT leadanalytics.open_pixel_url($1, $2, $3, $4)', $workspace, @of[0 .. 2])) }
sub link_to { my ($workspace, $to, @of) = @_; return path(sql('SELECT leadanalytics.click_url($1, $2, $3, $4, $5)', $workspace, $to, @of[0 .. 2])) }
sub path { my ($url) = @_; $url =~ m{^https?://[^/]+(/v1/t/.*)$} or die "no address: $url"; return $1 }
sub get { my ($path, @headers) = @_; return request('GET', $path, [ $agent, @headers ]) }
sub counted { return sql(q(SELECT coalesce(string_agg(concat_ws(' ', e.kind, m.key, m.lead, m.workflow, u.text, a.text, e.ip), ',' ORDER BY e.at, e.id), '') FROM leadanalytics.message_event e
    JOIN leadanalytics.message m ON m.workspace = e.workspace AND m.id = e.message LEFT JOIN leadanalytics.message_text u ON u.workspace = e.workspace AND u.id = e.url
    LEFT JOIN leadanalytics.message_text a ON a.workspace = e.workspace AND a.id = e.agent WHERE e.workspace = $1 AND ($2 IS NULL OR m.key = $2)), @_[0, 1]) }
sub count { return sql('SELECT count(*) FROM leadanalytics.message_event WHERE workspace = $1', $_[0] // $id) }
sub is_pixel
{
    my ($r, $name) = @_;
    is(join(' ', $r->{status}, header($r, 'Content-Type') // '', header($r, 'Cache-Control') // '', length $r->{body}, substr $r->{body}, 0, 6), '200 image/gif no-store 42 GIF89a', $name) or diag substr $r->{raw}, 0, 300;
}
sub is_link
{
    my ($r, $to, $name) = @_;
    is(join(' ', $r->{status}, header($r, 'Location') // '', header($r, 'Cache-Control') // '', length $r->{body}), "302 $to no-store 0", $name) or diag substr $r->{raw}, 0, 300;
}

my $pixel = pixel($id, 'mail', 'lead', 'exec');
my $link = link_to($id, $target, 'mail', 'lead', 'exec');
like($pixel, qr{^/v1/t/o/[A-Za-z0-9_-]+\.gif$}, 'S2-05 the address of a pixel');
like($link, qr{^/v1/t/c/[A-Za-z0-9_-]+$}, 'S2-05 the address of a link');
is_pixel(get($pixel), 'S2-05 a pixel');
is_link(get($link), $target, 'S2-05 a link');
is(counted($id), "o mail lead exec Thunderbird 127.0.0.1,c mail lead exec $target Thunderbird 127.0.0.1", 'S2-05 both are counted, with who it was');
is_pixel(get($pixel =~ s/\.gif$//r), 'S2-05 the pixel without its suffix');
is(count(), 3, 'S2-05 is it too');
is(sql(q(SELECT leadanalytics.has_engagement($1, 'email_open', message_id => 'mail') AND leadanalytics.has_engagement($1, 'link_click', workflow_execution_id => 'exec', lead_id => 'lead')), $id), 't', 'S2-09 conditions of workflows see it');
my $list = json(request('GET', '/v1/analytics/events?messageId=mail', ["X-API-Key: $key{live}"]));
is(join(' ', map { "$_->{type}:$_->{leadId}:$_->{workflowExecutionId}" } @{ $list->{data} }), 'email_open:lead:exec link_click:lead:exec email_open:lead:exec', 'S2-09 lists show it');

# HEAD is the same and counts nothing; other methods are none.
my $head = request('HEAD', $link, [$agent]);
is("$head->{status} " . (header($head, 'Location') // ''), "302 $target", 'HEAD of a link');
is(request('HEAD', $pixel, [$agent])->{status}, 200, 'HEAD of a pixel');
is_error(request('POST', $_, [], '{}'), 'engagement', 405, 'Method not allowed', "POST $_") for $link, $pixel;
is_link(get($link, $_), $target, "a link, $_") for 'Sec-Purpose: prefetch', 'Sec-Purpose: prefetch;prerender', 'Purpose: prefetch', 'X-Moz: prefetch';
is_pixel(get($pixel, 'Purpose: prefetch'), 'a pixel that is loaded ahead');
is(count(), 3, 'count nothing');

# What is not signed leads nowhere, and says nothing.
my ($said) = $link =~ m{/c/(.*)$};
for ('x', 'x.gif', '..%2F..%2Fetc', 'A' x 60, 'A' x 7000, "$said.gif", substr($said, 1), substr($said, 0, -2), $said . 'AAAA', scalar reverse($said), ($said =~ s/(.)$/$1 eq 'A' ? 'Q' : 'A'/er) . 'A', $said =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er, 'https:%2F%2Fevil.example')
{
    my $short = substr $_, 0, 20;
    is_error(get("/v1/t/c/$_"), 'engagement', 404, 'Link not found', "S2-05 no link: $short");
    is_pixel(get("/v1/t/o/$_"), "S2-05 no pixel, and yet one: $short");
}
is_error(get('/v1/t/c/' . ($pixel =~ m{/o/(.*)\.gif$})[0]), 'engagement', 404, 'Link not found', 'S2-05 a pixel is no link');
is_pixel(get("/v1/t/o/$said"), 'S2-05 a link is no pixel');
is_link(get("$link?target=https://evil.example&url=https://evil.example"), $target, 'S2-05 only what was signed');
is(count(), 4, 'S2-05 counted is nothing else');

# Machines count for nothing.
my $scanned = link_to($id, $target, 'scanned');
is_link(request('GET', $scanned, ['User-Agent: Barracuda Sentinel (EE)']), $target, 'a scanner is led on');
is_pixel(request('GET', pixel($id, 'scanned'), ['User-Agent: Mozilla/5.0']), 'a proxy is shown it');
is(sql(q(SELECT count(*) || ' ' || count(m.opened_at) || count(m.clicked_at) FROM leadanalytics.message m WHERE m.workspace = $1 AND m.key = 'scanned'), $id), '1 00', 'D-41 both are kept, and are no fact');

# A key that comes along changes nothing; a sandbox's links are the sandbox's; no origin matters.
is_link(get($link, "X-API-Key: $_"), $target, 'S2-05 with a key') for @key{qw(live marketing)}, $other;
is(count(), 9, 'S2-05 counted where it belongs');
is_link(get(link_to($sandbox, 'http://example.com', 'mail')), 'http://example.com', 'S2-04 of a sandbox');
is(count($sandbox), 1, 'S2-04 counted there');
sql(q(UPDATE leadanalytics.workspace SET allowed_origins = '{https://only.example}' WHERE id = $1), $id);
is_link(get($link, 'Origin: https://evil.example', 'Referer: https://mail.example/'), $target, 'S2-05 from anywhere');
is(count(), 10, 'S2-05 counted');

# What cannot be counted is logged, and in nobody's way.
my $position = log_position();
sql("ALTER TABLE leadanalytics.message_event ADD CONSTRAINT http_links CHECK (workspace <> $id) NOT VALID");
is_link(get($link), $target, 'S2-05 a reader is led on');
is_pixel(get($pixel), 'S2-05 and shown the picture');
sql('ALTER TABLE leadanalytics.message_event DROP CONSTRAINT http_links');
like(log_since($position, qr/link_click of message mail in workspace $id was not counted/), qr/email_open of message mail in workspace $id was not counted/, 'S2-05 the log has it');
is(count(), 10, 'S2-05 and nothing else does');

# A limit of their own: an office is one address.
is(sql(q(SELECT requests || ' ' || seconds || ' ' || per FROM leadanalytics.rate_class WHERE name = 'link')), '6000 60 ip', 'D-75 6 000 a minute and address');
# A workspace that is gone has no links.
sql('DELETE FROM leadanalytics.workspace WHERE id = $1', $sandbox);
sql('DELETE FROM leadanalytics.workspace WHERE id = $1', $id);
is_error(get($link), 'engagement', 404, 'Link not found', 'S2-05 of a workspace that is gone');
is_pixel(get($pixel), 'S2-05 its pixel');

finish();
