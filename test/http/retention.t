# How long a workspace keeps what, over the wire; and a workspace that was deleted (L10).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP;
use Test::More;

my $id = workspace();
my $other = workspace('other');
my %key = map { $_ => key($id, $_) } qw(admin marketing sdk agent live tenant);
my $path = '/api/v1/workspace/retention';
my $one = '200 {"accepted":1,"rejected":[]}';

sub ask { my ($method, $key, $body) = @_; return request($method, $path, ['Authorization: Bearer ' . ($key // $key{admin})], $body) }
sub says { my ($r, $expect, $name) = @_; is("$r->{status} $r->{body}", $expect, $name) or diag $r->{raw} }
sub kept { my %kept = map { $_->{kind} => $_ } @{ decode_json(ask('GET', @_)->{body})->{retention} }; return \%kept }

my $r = ask('GET');
is($r->{status}, 200, 'GET answers');
is_deeply([ map { $_->{kind} } @{ decode_json($r->{body})->{retention} } ],
    [ qw(events sessions message_events lead_payloads leads kept_apart activity exports deliveries idempotency) ], 'with every kind, in their order');
is_deeply([ sort keys %{ decode_json($r->{body})->{retention}[0] } ], [ qw(description is_own keep_days kind) ], 'and what there is to say of it');
ok(!(grep { defined $_->{keep_days} || $_->{is_own} } values %{ kept() }), 'everything is kept for ever unless somebody says else');

says(ask('PATCH', undef, '{"kind":"events","keep_days":90}'), $one, 'PATCH takes days');
my $kept = kept();
is("$kept->{events}{keep_days} $kept->{events}{is_own}", '90 1', 'which GET shows');
ok(!defined $kept->{leads}{keep_days}, 'and of nothing else');
ok(!defined kept(key($other, 'admin'))->{events}{keep_days}, 'nor of anybody else');
is(sql("SELECT keep FROM leadanalytics.retentions WHERE workspace = $id AND kind = 'events'"), '90 days', 'nor is SQL told else');
is(sql("SELECT count(*) FROM leadanalytics.retention_due(now()) WHERE workspace = $id"), 0, 'it begins with the next 03:00');
is(sql("SELECT string_agg(kind, ' ') FROM leadanalytics.retention_due(now() + interval '1 day') WHERE workspace = $id"), 'events', 'and then it does');
says(ask('PATCH', undef, '{"kind":"leads","keep_days":36500}'), $one, 'a hundred years');
says(ask('PATCH', undef, '{"kind":"events","keep_days":0}'), $one, '0');
$kept = kept();
ok(!defined $kept->{events}{keep_days} && $kept->{events}{is_own}, 'is for ever, by its own word');
says(ask('PATCH', undef, '{"kind":"events","keep_days":null}'), $one, 'null');
ok(!kept()->{events}{is_own}, 'is what everybody has');
says(ask('PATCH', undef, '{"kind":"leads"}'), $one, 'so is nothing');
ok(!kept()->{leads}{is_own}, 'of leads, too');

is_error(ask('PATCH', undef, $_->[0]), 'public', 400, $_->[1], "PATCH $_->[0]") for
    ['{"kind":"nothing","keep_days":9}', 'Unknown kind of data'], ['{"keep_days":9}', undef], ['{"kind":"events","keep_days":-1}', undef],
    ['{"kind":"events","keep_days":36501}', undef], ['{"kind":"events","keep_days":1.5}', undef], ['{"kind":"events","keep_days":"x"}', undef], ['{"kind":"","keep_days":1}', undef], ['[', undef];
for my $method (qw(GET PATCH))
{
    my $body = $method eq 'PATCH' ? '{"kind":"events","keep_days":1}' : undef;
    is_error(ask($method, $key{$_}, $body), 'public', 403, 'Forbidden', "$method with a $_ key") for qw(sdk agent marketing live tenant);
    is_error(request($method, $path, [], $body), 'public', 401, undef, "$method without a key");
}
is_error(ask('DELETE'), 'public', 405, undef, 'DELETE');

# A workspace that is deleted.
my $gone = workspace('gone');
my $gone_key = key($gone, 'admin');
my $slug = sql("SELECT slug FROM leadanalytics.workspace WHERE id = $gone");
sub track { return request('POST', '/api/v1/track', [], qq({"workspace_id":"$slug","event_name":"page_view","visitor_id":"v"})) }
is(ask('GET', $gone_key)->{status}, 200, 'its key opens');
my $taken = track()->{status};
sql("SELECT leadanalytics.close_workspace($gone)");
is_error(ask('GET', $gone_key), 'public', 401, undef, 'once it is closed it does not');
is_error(track(), 'public', 403, undef, "and posts are refused that were taken ($taken)") if $taken == 200;
sql("CALL leadanalytics.delete_workspace($gone)") if sql("SELECT leadanalytics.is_closed($gone)") eq 't';
is(sql("SELECT count(*) FROM leadanalytics.workspace WHERE id = $gone"), 0, 'then it is gone');
is(sql("SELECT (SELECT count(*) FROM leadanalytics.event WHERE workspace = $gone) + (SELECT count(*) FROM leadanalytics.visitor WHERE workspace = $gone)"), 0, 'with its events and visitors');
is(ask('GET')->{status}, 200, 'and nobody else is');
done_testing();
