# The update path. From the sources a second version is made that changes a function, changes another one's
# arguments, adds a column, a table, a view, a function and a route, with its update script. Then: a database
# of the old version that is updated is the same as one that starts with the new version; its data answer the
# same; and library and SQL of different versions refuse each other with the way out.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Private;
use Compare;
use Test::More;

my $pg = Private->new;
my $old = $pg->tree("$FindBin::Bin/../..", 'old');
$pg->install($old);
my $new = $pg->tree($old, 'new');
my ($fill, $catalog, $rows, $answers) = map { slurp("$FindBin::Bin/$_.sql") } qw(fill catalog rows answers);

# The second version's sources.
my $version = slurp("$old/leadanalytics.control") =~ /^default_version *= *'(.*)'/m ? $1 : die;
(my $next = $version) =~ s/(\d+)$/$1 + 1/e;
edit("$new/leadanalytics.control", qr/^(default_version *= *)'.*'/m, sub { "$1'$next'" });
edit("$new/src/tenant/tenant.sql", qr/See pg_timezone_names: /, sub { 'Look at pg_timezone_names: ' });
edit("$new/src/tenant/key.sql", qr/(revoke_workspace\(workspace int, role name)(\))/, sub { "$1, quietly boolean DEFAULT true$2" });
edit("$new/src/tenant/key.sql", qr/(FUNCTION leadanalytics.revoke_workspace\(int, name)(?=\))/, sub { "$1, boolean" });
edit("$new/src/tenant/tenant.tables.sql", qr/(CREATE TABLE leadanalytics.site \(.*?)(    PRIMARY KEY)/s, sub { "$1    label text,\n$2" });
spew("$new/src/tenant/tenant_note.tables.sql", <<'SQL');
CREATE SEQUENCE leadanalytics.note_id;
CREATE TABLE leadanalytics.note (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.note_id'),
    text text NOT NULL CHECK (text <> ''),
    PRIMARY KEY (workspace, id)
);
COMMENT ON TABLE leadanalytics.note IS 'what somebody noted';
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.note_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.note', '');
SQL
spew("$new/src/tenant/tenant_note.sql", <<'SQL');
CREATE VIEW leadanalytics.notes WITH (security_barrier) AS
    SELECT * FROM leadanalytics.note WHERE leadanalytics.may(workspace);
COMMENT ON VIEW leadanalytics.notes IS 'notes of one''s workspaces';
GRANT SELECT ON leadanalytics.notes TO leadanalytics_read;
CREATE FUNCTION leadanalytics.note_count(workspace int)
RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object('notes', count(*)) FROM leadanalytics.note n WHERE n.workspace = leadanalytics.permitted(note_count.workspace)
$$;
COMMENT ON FUNCTION leadanalytics.note_count(int) IS 'how many notes there are';
GRANT EXECUTE ON FUNCTION leadanalytics.note_count(int) TO leadanalytics_read;
INSERT INTO leadanalytics.route (method, path, function, summary, builtin) VALUES ('GET', '/notes', 'leadanalytics.note_count', 'notes', true);
SQL
my $tenant = slurp("$new/src/tenant/tenant.sql");
my $key = slurp("$new/src/tenant/key.sql");
my $changed = function($tenant, 'checked_timezone');
$changed =~ s/^CREATE FUNCTION/CREATE OR REPLACE FUNCTION/;
-d "$new/updates" or mkdir "$new/updates" or die;
spew("$new/updates/$version--$next.sql",
	join "\n", 'ALTER TABLE leadanalytics.site ADD COLUMN label text;', slurp("$new/src/tenant/tenant_note.tables.sql"), $changed,
	'DROP FUNCTION leadanalytics.revoke_workspace(int, name);', function($key, 'revoke_workspace'), slurp("$new/src/tenant/tenant_note.sql"));

sub spew
{
	my ($path, $text) = @_;
	open my $file, '>', $path or die "$path: $!";
	print $file $text;
	close $file or die;
}

sub edit
{
	my ($path, $what, $with) = @_;
	my $text = slurp($path);
	$text =~ s/$what/$with->()/ge or die "nothing to change in $path: adapt the test\n";
	spew($path, $text);
}

# A function with the COMMENT and GRANT below it, as its source has them.
sub function
{
	my ($source, $name) = @_;
	$source =~ /^(CREATE FUNCTION leadanalytics\.$name\(.*?)\n\n/ms or $source =~ /^(CREATE FUNCTION leadanalytics\.$name\(.*)/ms or die;
	return "$1\n";
}

# The old version, in a server that preloads the library and in one that does not.
my $one = $pg->cluster('one');
my $two = $pg->cluster('two', conf => ["shared_preload_libraries = 'leadanalytics'"]);
for my $node ($one, $two)
{
	$node->ask('postgres', 'CREATE DATABASE bare');
	$node->ask('bare', 'CREATE EXTENSION leadanalytics');
}
$one->ask('postgres', 'CREATE DATABASE old');
$one->ask('old', "CREATE EXTENSION leadanalytics; $fill");
my $rows_before = join "\n", grep { !/^leadanalytics\.(site|unit_state) / } split /\n/, $one->ask('old', $rows);
my $answers_before = $one->ask('old', $answers);

# The new version's files. The preloaded server still runs the old library.
$pg->install($new);
my $ask = q{SELECT leadanalytics.find_key('x') IS NULL;};
my $r = $one->psql('bare', $ask);
like($r->{err}, qr/55000: the leadanalytics library is version \Q$next\E, its SQL in this database is version \Q$version\E\n/, 'a newer library refuses older SQL');
like($r->{err}, qr/HINT:  ALTER EXTENSION leadanalytics UPDATE;/, '… and says what to do');
is($two->ask('bare', $ask), 't', 'what is preloaded goes on working until the SQL changes');
$r = $two->psql('bare', "$ask\n\\! psql -X -q -d bare -c 'ALTER EXTENSION leadanalytics UPDATE'\n$ask");
like($r->{out}, qr/^t\n$/, 'a session of before the update …');
like($r->{err}, qr/55000: the leadanalytics library is version \Q$version\E, its SQL in this database is version \Q$next\E\n/, '… refuses after it, though another session updated');
like($r->{err}, qr/HINT:  Install the library of version \Q$next\E and restart PostgreSQL/, '… and says what to do');
$two->stop;
$two->start;
is($two->ask('bare', $ask), 't', '… and it was right');

$r = $one->psql('bare', "$ask ALTER EXTENSION leadanalytics UPDATE; $ask", '-v', 'ON_ERROR_STOP=0');
like($r->{out}, qr/^t\n$/, 'an update works at once in the session that made it') or diag $r->{err};

# The same house by both ways in.
for my $node ($one, $two)
{
	$node->ask('postgres', 'CREATE DATABASE fresh');
	$node->ask('fresh', 'CREATE EXTENSION leadanalytics');
	same($node->ask('bare', "$catalog $rows"), $node->ask('fresh', "$catalog $rows"), 'updated and fresh have the same catalogue and built-in rows');
}
$one->ask('fresh', 'COMMENT ON TABLE leadanalytics.note IS NULL');
isnt($one->ask('fresh', $catalog), $one->ask('bare', $catalog), 'negative control: a forgotten comment is seen');
$one->ask('fresh', q{COMMENT ON TABLE leadanalytics.note IS 'what somebody noted'; GRANT EXECUTE ON FUNCTION leadanalytics.may(int) TO PUBLIC});
isnt($one->ask('fresh', $catalog), $one->ask('bare', $catalog), 'negative control: a forgotten REVOKE is seen');

# With data.
$one->ask('old', 'ALTER EXTENSION leadanalytics UPDATE');
same(join("\n", grep { !/^leadanalytics\.(site|unit_state|note|note_id|route) / } split /\n/, $one->ask('old', $rows)),
	join("\n", grep { !/^leadanalytics\.route / } split /\n/, $rows_before), 'an update changes no row but those it means to');
(my $answers_after = $one->ask('old', $answers)) =~ s{^/notes .*\n?}{}gm;
chomp $answers_after;
same($answers_after, $answers_before, 'the same answers as before the update');
is($one->ask('old', q{SELECT count(*) FROM leadanalytics.site WHERE label IS NULL}), 1, 'the new column is there');
# What users granted before the update is still theirs to dump: restored, it is the same again.
my $dump = "$one->{dir}/updated.dump";
quiet($one->run('pg_dump', '-Fc', '-f', $dump, 'old'), 'an updated database is dumped without a warning');
$one->ask('postgres', 'CREATE DATABASE restored');
quiet($one->run('pg_restore', '--exit-on-error', '-d', 'restored', $dump), '… and restored');
same($one->ask('restored', $catalog), $one->ask('old', $catalog), '… with the same catalogue, grants of users included');
same($one->ask('restored', $rows), $one->ask('old', $rows), '… the same rows');
same($one->ask('restored', $answers), $one->ask('old', $answers), '… and the same answers');

# Back to the old library: the new SQL is not for it.
$pg->install($old);
$r = $one->psql('old', $ask);
like($r->{err}, qr/55000: the leadanalytics library is version \Q$version\E, its SQL in this database is version \Q$next\E\n/, 'an older library refuses newer SQL');
like($r->{err}, qr/HINT:  Install the library of version \Q$next\E/, '… and says what to do');

# Versions that were released: their install scripts, kept beside this file, still lead here (see README.md).
for my $script (glob qq("$FindBin::Bin/leadanalytics--*.sql.gz"))
{
	my ($released) = $script =~ /leadanalytics--(.*)\.sql\.gz$/;
	next if $released eq $version;
	$pg->add_script($script);
	$one->ask('postgres', qq{CREATE DATABASE "from $released"});
	$r = $one->psql("from $released", "CREATE EXTENSION leadanalytics VERSION '$released'; ALTER EXTENSION leadanalytics UPDATE");
	is($r->{rc}, 0, "an update from $released works") or diag $r->{err};
	$one->ask('postgres', 'CREATE DATABASE "now"');
	$one->ask('now', 'CREATE EXTENSION leadanalytics');
	same($one->ask("from $released", "$catalog $rows"), $one->ask('now', "$catalog $rows"), "from $released to the same catalogue");
	$one->ask('postgres', 'DROP DATABASE "now"');
}

done_testing;
