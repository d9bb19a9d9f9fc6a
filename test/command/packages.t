# Installing packages leaves the machine's own arrangements as they were: also when it fails, or is
# interrupted, or was killed the last time. Nothing is installed here: apt-get and sudo are stand-ins.
use strict;
use warnings;
use Command;
use Test::More;

my $dir = scratch();
mkdir "$dir/bin";
$ENV{TMPDIR} = $dir; # logs of failures are kept

sub script {
    my ($file, $text, $mode) = @_;
    open my $handle, '>', $file or die "$file: $!";
    print $handle $text;
    close $handle;
    chmod $mode, $file;
    return;
}

script("$dir/bin/apt-get", <<"SH", 0755);
#!/bin/sh
case \$* in *install*) cat $dir/policy-rc.d >$dir/seen-policy; cat $dir/cluster/* >$dir/seen-cluster 2>/dev/null; . $dir/then ;; esac
SH
script("$dir/bin/sudo",      "#!/bin/sh\nexec \"\$@\"\n",     0755);
script("$dir/bin/update-rc.d", "#!/bin/sh\necho \"\$@\" >>$dir/disabled\n", 0755);

# The command's own functions, on paths of ours.
sub install {
    my ($then, @packages) = @_;
    script("$dir/then", "$then\n", 0644);
    unlink map { "$dir/$_" } qw(seen-policy seen-cluster disabled);
    return run('bash', '-c', <<'SH', 'install', $ENV{LA_SOURCE}, $dir, @packages);
set -euo pipefail
source_dir=$1 dir=$2
shift 2
. "$source_dir/src/command/base.sh"
. "$source_dir/src/command/packages.sh"
PATH=$dir/bin:$PATH
policy=$dir/policy-rc.d policy_saved=$dir/policy-rc.d.saved no_cluster_dir=$dir/cluster no_cluster=$dir/cluster/x.conf
postgresql_common=$dir/postgresql-common
install_packages "$@"
SH
}

sub file_state { my @s = stat $_[0]; return join ' ', slurp($_[0]), @s[ 1, 2, 4, 5, 9 ] }

my $policy = "$dir/policy-rc.d";
is((install('true', 'nginx', 'postgresql-15'))[0], 0, 'packages are installed');
like(slurp("$dir/seen-policy"), qr/exit 101/, 'meanwhile nothing may be started');
like(slurp("$dir/seen-cluster"), qr/create_main_cluster = false/, 'and no cluster is made');
is(slurp("$dir/disabled"), "nginx disable\npostgresql disable\n", 'the new services are disabled');
ok(!-e $policy,           'afterwards policy-rc.d is gone again');
ok(!-e "$dir/cluster/x.conf", 'and the rule about clusters');

script($policy, "#!/bin/sh\nexit 0\n", 0754);
utime 1e9, 1e9, $policy;
my $before = file_state($policy);
install('true', 'nginx');
like(slurp("$dir/seen-policy"), qr/exit 101/, "somebody's policy-rc.d is replaced for the duration");
is(file_state($policy), $before, 'and is back exactly as it was');

mkdir "$dir/postgresql-common";
install('true', 'postgresql-15');
is(slurp("$dir/seen-cluster"), '', 'where PostgreSQL was before, its rule about clusters stays');
is(slurp("$dir/disabled"),     '', 'and its service');

my ($rc, undef, $err) = install('echo no such package; exit 100', 'nginx');
isnt($rc, 0, 'a failure is one');
like($err, qr/no such package.*could not install nginx.*log:/s, 'it says what, why and where the log is');
is(file_state($policy), $before, 'and policy-rc.d is as it was');

($rc) = install('kill -TERM $PPID; sleep 1', 'nginx');
isnt($rc, 0, 'interrupted');
is(file_state($policy), $before, 'policy-rc.d is as it was');

install('kill -KILL $PPID', 'nginx');
isnt(file_state($policy), $before, 'a kill -9 leaves ours behind');
install('true', 'nginx');
is(file_state($policy), $before, 'but the next installation brings the old one back');

done_testing();
