# What the command refuses, and that it says what to do instead.
use strict;
use warnings;
use Command;
use Test::More;

my $dir     = scratch();
my $command = $ENV{LA_COMMAND};

sub refuses {
    my ($name, $said, @arguments) = @_;
    my ($rc, undef, $err) = run($command, @arguments);
    isnt($rc, 0, $name);
    like($err, $said, "$name: it says why");
    return;
}

my ($rc, $out) = run($command, '--help');
is($rc, 0, '--help');
like($out, qr/^  $_\b/m, "--help tells of $_") for qw(up down status psql import check bench reset);

refuses('no command',                 qr/usage:/);
refuses('an unknown command',         qr/no command "fly".*--help/s, 'fly');
refuses('a port that is none',        qr/--port must be/, 'up', '--port', $_) for qw(0 65536 -1 80x), '';
refuses('an option without a value',  qr/--state-dir needs a value/, 'up', '--state-dir');
refuses('an argument too many',       qr/up takes no "now"/, 'up', 'now');
refuses('import without a file',      qr/import takes one file/, 'import');
refuses('a number of events that is none', qr/--events must be/, 'bench', 'ingest', '--events', $_) for qw(0 12 many);
refuses('two benchmarks', qr/bench takes one name/, 'bench', 'door', 'ingest');
refuses('a benchmark that is none',   qr/no benchmark "\.\.\/x"/, 'bench', '../x');
refuses('quotes in the path',         qr/may not hold.*--state-dir/s, 'up', '--state-dir', "$dir/it's");
refuses('a path too long for sockets', qr/longer than 80 bytes.*--state-dir/s, 'up', '--state-dir', "$dir/" . 'x' x 90);
refuses('psql before up',             qr/not set up.*leadanalytics up/s, 'psql', '--state-dir', "$dir/none");
refuses('import before up',           qr/not set up.*leadanalytics up/s, 'import', '/etc/hostname', '--state-dir', "$dir/none");

mkdir "$dir/full";
open my $file, '>', "$dir/full/letter" or die;
close $file;
refuses("somebody's directory", qr/not empty and not ours/, 'up', '--state-dir', "$dir/full", '--port', free_port());
refuses("check in somebody's directory", qr/not empty/, 'check', '--state-dir', "$dir/full");
ok(-e "$dir/full/letter", 'which stays as it was');
is((run($command, 'down',  '--state-dir', "$dir/full"))[0], 0, 'down there does nothing');
is((run($command, 'reset', '--yes', '--state-dir', "$dir/full"))[0], 0, 'reset there does nothing');
ok(-e "$dir/full/letter", 'and it stays as it was');

($rc, $out) = run($command, 'status', '--state-dir', "$dir/none");
isnt($rc, 0, 'status before up is not well');
like($out, qr/not set up.*leadanalytics up/s, 'and says what to do');

SKIP: {
    skip 'only root closes a directory to the servers', 2 if $> != 0;
    mkdir "$dir/closed", 0700;
    refuses('a directory that the servers cannot enter', qr/cannot enter.*--state-dir/s, 'up', '--state-dir', "$dir/closed/state", '--port', free_port());
}

done_testing();
