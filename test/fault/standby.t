# The workers of a standby: none, until it is promoted; then they act there as they did on the primary.
# On two clusters of our own, with the library as it is installed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../update";
use Private;
use Test::More;
use Until;
use Time::HiRes qw(time sleep);

plan skip_all => 'LA_SOCKET is not set: nothing is installed' if !$ENV{LA_SOCKET};

my $pg = Private->machine;
my $primary = $pg->cluster('primary', conf => ["shared_preload_libraries = 'leadanalytics'"]);
$primary->ask('postgres', $_) for 'CREATE EXTENSION leadanalytics', <<'SQL', 'SELECT leadanalytics.start()';
	CREATE TABLE public.ran (unit text);
	CREATE FUNCTION public.beat(now timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.ran VALUES ('job') $$;
	CREATE FUNCTION public.fold(now timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.ran VALUES ('fold') $$;
	GRANT INSERT ON public.ran TO leadanalytics_owner;
	INSERT INTO leadanalytics.unit (name, function, lane, every) VALUES ('beat', 'public.beat', 'job', '1 second'), ('beat_fold', 'public.fold', 'fold', '1 second')
SQL
my $beats = sub { my ($node, $more) = @_; return $node->ask('postgres', "SELECT count(*) FILTER (WHERE unit = 'fold') > $more AND count(*) FILTER (WHERE unit = 'job') > $more FROM public.ran") eq 't' };
my $processes = sub { my ($node) = @_; return $node->ask('postgres', "SELECT string_agg(DISTINCT backend_type, ', ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type LIKE 'leadanalytics%' AND backend_type <> 'leadanalytics send'") }; # which is there at times
ok(until_(20, sub { $beats->($primary, 2) }), 'the primary is at work');

my $standby = $pg->cluster('standby', standby_of => $primary, conf => ['hot_standby = on']);
is($standby->ask('postgres', 'SELECT pg_is_in_recovery()'), 't', 'there is a standby');
my $there = $standby->ask('postgres', 'SELECT count(*) FROM public.ran');
ok(until_(20, sub { $standby->ask('postgres', 'SELECT count(*) FROM public.ran') > $there + 4 }), 'which follows the primary');
is($processes->($standby), '', 'no launcher and no worker there');
is($standby->ask('postgres', 'SELECT DISTINCT worker FROM leadanalytics.worker_status()'), 'standby', 'worker_status() works there and says why');
is($standby->ask('postgres', "SELECT state FROM leadanalytics.status() WHERE part = 'worker'"), 'off: this is a standby; it starts when it is promoted', 'status() too');

$primary->stop;
is($standby->ask('postgres', 'SELECT pg_promote()'), 't', 'promoted');
$there = $standby->ask('postgres', "SELECT count(*) FROM public.ran WHERE unit = 'fold'");
ok(until_(10, sub { $processes->($standby) eq 'leadanalytics fold, leadanalytics job, leadanalytics launcher' }), 'the workers are there within 10 s');
ok(until_(20, sub { $beats->($standby, $there + 2) }), 'and at work, without another start()');
done_testing();
