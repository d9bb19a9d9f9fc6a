# Tables that restore: dump → restore into another cluster, a clone, DROP EXTENSION, CREATE again.
# The second cluster's superuser has another name, and preloads the library: nothing may depend on who
# installed, and no worker may act on a half-restored database.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Private;
use Compare;
use Test::More;

my $pg = Private->new;
$pg->install($pg->tree("$FindBin::Bin/../..", 'tree'));
my $one = $pg->cluster('one', superuser => 'postgres');
my $two = $pg->cluster('two', superuser => 'boss', conf => ["shared_preload_libraries = 'leadanalytics'"]);
my @roles = qw(leadanalytics_owner leadanalytics_read leadanalytics_write leadanalytics_admin leadanalytics_anon leadanalytics_authenticator);

my ($fill, $catalog, $rows, $answers) = map { slurp("$FindBin::Bin/$_.sql") } qw(fill catalog rows answers);

$one->ask('postgres', 'CREATE DATABASE old');
$one->ask('old', 'CREATE EXTENSION leadanalytics');
my $filled = $one->psql('old', $fill);
is($filled->{rc}, 0, 'something is in every table') or BAIL_OUT($filled->{err});
my $before = $one->ask('old', $catalog);
cmp_ok($one->ask('old', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'leadanalytics'::regnamespace AND relispartition AND relkind = 'r'}),
	'>', 1, 'there are leaves');
my $rows_before = $one->ask('old', $rows);
my $answers_before = $one->ask('old', $answers);
is($one->ask('old', 'SELECT leadanalytics.started()'), 't', 'the first database is started');

# The comparison sees what it should see: a row more, a grant less.
$one->ask('postgres', 'CREATE DATABASE control TEMPLATE old');
$one->ask('control', q{UPDATE leadanalytics.workspace SET name = 'x' WHERE slug = 'acme'});
isnt($one->ask('control', $rows), $rows_before, 'negative control: a changed row is seen');
$one->ask('control', 'REVOKE EXECUTE ON FUNCTION leadanalytics.may(int) FROM leadanalytics_read');
isnt($one->ask('control', $catalog), $before, 'negative control: a lost grant is seen');

# A clone has its parent's rows and is not at home.
$one->ask('postgres', 'CREATE DATABASE clone TEMPLATE old');
is($one->ask('clone', 'SELECT leadanalytics.started()'), 'f', 'a clone does not act before start()');
$one->ask('clone', 'SELECT leadanalytics.start()');
is($one->ask('clone', 'SELECT leadanalytics.started()'), 't', '… and does after it');
is($one->ask('old', 'SELECT leadanalytics.started()'), 't', '… which its parent does not notice');

for my $format (qw(custom plain))
{
	my $file = "$one->{dir}/$format.dump";
	quiet($one->run('pg_dump', '-F', $format, '-f', $file, 'old'), "pg_dump, $format format, says nothing");
	if ($format eq 'plain')
	{
		open my $dump, '<', $file or die;
		my @named = grep { /\b(postgres)\b/ && !/^--/ } <$dump>;
		is(join('', @named), '', 'the dump names no superuser');
	}
	$two->ask('postgres', 'CREATE ROLE bi') if $format eq 'custom'; # roles come by pg_dumpall --roles-only
	$two->ask('postgres', "CREATE DATABASE $format");
	quiet(
		$format eq 'custom'
		? $two->run('pg_restore', '--exit-on-error', '-d', $format, $file)
		: $two->run('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', $file, '-d', $format),
		"it restores without a warning, $format format");
	same($two->ask($format, $catalog), $before, "the same catalogue, $format format");
	same($two->ask($format, $rows), $rows_before, "the same rows and next values, $format format");
	same($two->ask($format, $answers), $answers_before, "the same answers, $format format");
	is($two->ask($format, 'SELECT leadanalytics.started()'), 'f', 'a restored database does not act before start()');
}
is($two->ask('custom', q{SELECT leadanalytics.create_workspace('next') > (SELECT max(id) FROM leadanalytics.workspace)}), 't', 'the next id is a new one');
is($two->ask('custom', q{SELECT slug FROM leadanalytics.workspaces ORDER BY 1 LIMIT 1}), 'acme', 'it works');
is($two->ask('custom', q{SELECT DISTINCT leadanalytics.make_leaf(parent, '2026-03-01') FROM leadanalytics.partitioned}), 't', 'the next leaf can be made');

# What DROP EXTENSION leaves in the restored database.
my $left = q{
	SELECT pg_describe_object(classid, objid, 0) FROM (
		SELECT 'pg_class'::regclass, oid, relnamespace FROM pg_class UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
		UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type UNION ALL SELECT 'pg_namespace'::regclass, oid, oid FROM pg_namespace
		UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator) AS o (classid, objid, namespace)
	WHERE namespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^leadanalytics')
	UNION ALL SELECT 'cast ' || oid FROM pg_cast WHERE castfunc <> 0 AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = castfunc)};
isnt($two->ask('custom', $left), '', 'negative control: something is there before DROP EXTENSION');
$two->ask('custom', 'DROP VIEW public.mine; DROP EXTENSION leadanalytics');
is($two->ask('custom', $left), '', 'DROP EXTENSION leaves nothing behind, leaves included');
is($two->ask('custom', 'SELECT rolname FROM pg_roles WHERE rolname = ANY (\'{' . join(',', @roles) . '}\') ORDER BY 1'), join("\n", sort @roles), 'roles belong to the cluster and stay');
$two->ask('custom', 'CREATE EXTENSION leadanalytics');
is($two->ask('custom', 'SELECT count(*) FROM leadanalytics.workspace'), 0, 'CREATE EXTENSION works again, on an empty house');
$two->ask('postgres', 'CREATE DATABASE fresh');
$two->ask('fresh', 'CREATE EXTENSION leadanalytics');
same($two->ask('custom', $catalog), $two->ask('fresh', $catalog), '… the same as anywhere');

done_testing;
