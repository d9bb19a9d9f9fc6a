# The dashboard's family over the wire: a path asked with a key, and the answer's status and whole body.
package Dashboard;
use strict;
use warnings;
use Exporter 'import';
use Door;
use Test::More;
our @EXPORT = qw(asking ask says capture);

my ($prefix, $default, $workspace);

# Where paths begin, the key that asks when none is named, and the workspace that capture() posts to.
sub asking { ($prefix, $default, $workspace) = @_; return }

sub ask
{
    my ($method, $path, $body, $key) = @_;
    return request($method, "$prefix$path", ['Authorization: Bearer ' . ($key // $default)], $body);
}

sub says
{
    my ($method, $path, $body, $status, $expect, $name, $key) = @_;
    my $r = ask($method, $path, $body, $key);
    is("$r->{status} $r->{body}", "$status $expect", $name // "$method $path") or diag $r->{raw};
    is_shaped($r, 'dashboard', ($name // "$method $path") . ': in shape') if $status >= 400;
    return;
}

# Posts as old as the test says, by the function the door calls.
sub capture
{
    my ($at, $ip, $fields) = @_;
    sql('SELECT leadanalytics.capture_lead($1, $2, referer => \'https://example.com/sky-towers\', client_ip => $3, now => $4)', $workspace, $fields, $ip, $at);
    return;
}

1;
