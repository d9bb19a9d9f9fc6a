# Exports on a running server: their worker ended and killed in the middle, several of them at once, and how much
# memory one takes, however large its file is. What is read back by COPY is compared with the records.
#
# LA_SOCKET is the socket directory of a server with the library preloaded, where we are a superuser (PGUSER, default
# postgres). A database of our own, dropped at the end. LA_LONG=1: a million records instead of 200 000.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Psql;
use Test::More;
use Time::HiRes qw(time sleep);
use Until;

$ENV{PGHOST} = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET is not set';
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';
my $database = "la_fault_export_$$";
my $size = $ENV{LA_LONG} ? 1_000_000 : 200_000;
sub sql { return run_psql($database, $_[0]) }

run_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'");
sql(<<'SQL');
CREATE EXTENSION leadanalytics;
CREATE SCHEMA fault;
GRANT USAGE ON SCHEMA fault TO leadanalytics_owner;
-- A gate in the middle of the records: closed as long as somebody holds its lock.
CREATE FUNCTION fault.gate(open boolean) RETURNS int STABLE LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT open AND NOT pg_try_advisory_xact_lock_shared(4711) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN pg_backend_pid();
END $$;
CREATE FUNCTION fault.cell(n int) RETURNS text IMMUTABLE LANGUAGE sql AS $$
    SELECT CASE n % 11 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN '=HYPERLINK("http://x","y")' WHEN 3 THEN E'two\r\nlines, "quoted"' WHEN 4 THEN '-' || n WHEN 5 THEN E'\t@' WHEN 6 THEN 'é€😀'
                       ELSE repeat(md5(n::text), 1 + n % 3) END
$$;
-- In SQL, so that it is inlined: the records come as they are written.
CREATE FUNCTION fault.numbers(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS $$
    SELECT json_build_object('n', n, 'text', fault.cell(n), 'sign', CASE n % 3 WHEN 0 THEN NULL ELSE n % 2 = 0 END, 'amount', -n / 4.0,
                             'pid', fault.gate((options ->> 'gate')::int IS DISTINCT FROM n))
    FROM generate_series(1, (options ->> 'n')::int) AS n
$$;
INSERT INTO leadanalytics.export_type (name, function, summary) VALUES ('numbers', 'fault.numbers', 'of a test');
CREATE TABLE fault.back (n int, text text, sign boolean, amount numeric, pid int);
-- Another attempt when its pause is over, and not at the minute.
UPDATE leadanalytics.unit SET every = '1 second' WHERE name = 'exports';
SELECT leadanalytics.create_workspace('fault', 'fault'), leadanalytics.start();
SQL
my $id = sql("SELECT id FROM leadanalytics.workspace WHERE slug = 'fault'");

sub queue { my ($n, $format, $gate) = @_; return sql("SELECT leadanalytics.queue_export($id, 'numbers', '$format', jsonb_build_object('n', $n, 'gate', " . ($gate // 'NULL::int') . '))') }
sub state { return sql("SELECT status, attempts FROM leadanalytics.exports WHERE key = '$_[0]'") }
sub pid { return run_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE datname = '$database' AND application_name = 'leadanalytics job: exports'") }
sub completed { my ($key, $seconds) = @_; return until_($seconds, sub { state($key) =~ /^(completed|failed)/ }) && state($key) }

# The file read by COPY's own CSV, against the records: how many differ. Values that look like formulas have their apostrophe.
sub differences
{
    my ($key, $n) = @_;
    my $file = "/tmp/leadanalytics-fault-export.$$.csv";
    system("psql -XqAt -d $database -c \"SELECT encode(data, 'base64') FROM leadanalytics.export_chunk WHERE export = '$key' ORDER BY n\" | base64 -d > $file") == 0 or die;
    my $answer = sql(<<"SQL");
TRUNCATE fault.back;
\\copy fault.back FROM '$file' (FORMAT csv, HEADER match)
WITH record AS (
    SELECT n, CASE WHEN fault.cell(n) ~ E'^[-=+\@\\t\\r\\n]' THEN '''' || fault.cell(n) ELSE fault.cell(n) END AS text, CASE n % 3 WHEN 0 THEN NULL ELSE n % 2 = 0 END AS sign, -n / 4.0 AS amount
    FROM generate_series(1, $n) n
), back AS (SELECT n, text, sign, amount FROM fault.back)
SELECT (SELECT count(*) FROM (TABLE record EXCEPT ALL TABLE back) d) + (SELECT count(*) FROM (TABLE back EXCEPT ALL TABLE record) d);
SQL
    unlink $file;
    return $answer;
}

# At the gate, some pieces written, none to be seen.
sub at_gate
{
    my ($key) = @_;
    ok(until_(40, sub { pid() && run_psql('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = " . pid()) eq 't' }), 'in the middle of it');
    is(sql("SELECT count(*) FROM leadanalytics.export_chunk WHERE export = '$key'"), 0, 'nothing of it can be seen');
    return pid();
}

my %end = (
    'cancelled' => sub { run_psql('postgres', "SELECT pg_cancel_backend($_[0])") },
    'terminated' => sub { run_psql('postgres', "SELECT pg_terminate_backend($_[0])") },
    'killed (SIGKILL)' => sub { kill 'KILL', $_[0] or die "kill $_[0]: $!" },
);
for my $how (sort keys %end)
{
    subtest "the worker is $how in the middle of a file" => sub {
        my $guard = session($database);
        ask($guard, 'SELECT pg_advisory_lock(4711)');
        my $key = queue(50_000, 'csv', 30_000);
        my $pid = at_gate($key);
        $end{$how}->($pid);
        ok(until_(60, sub { pid() ne $pid || state($key) eq 'processing|2' }), 'it ends, or goes on with something else');
        ok(until_(60, sub { state($key) =~ /^processing/ }), 'the export is still to be written');
        is(sql("SELECT count(*) FROM leadanalytics.export_chunk WHERE export = '$key'"), 0, 'nothing of the first attempt is left');
        eval { leave($guard) };
        sql("UPDATE leadanalytics.export SET tried_at = tried_at - interval '1 minute' WHERE key = '$key' AND status = 'processing'"); # instead of waiting
        is(completed($key, 120), 'completed|2', 'the second attempt completes it');
        is(differences($key, 50_000), 0, 'whole and right');
    };
}

subtest 'what ends its worker each time is given up' => sub {
    my $key = sql("INSERT INTO leadanalytics.export (workspace, key, type, format, attempts, tried_at, created_at, secret) VALUES ($id, 'exp_given_up', 'numbers', 'csv', 3, now() - interval '1 hour', now(), '') RETURNING key");
    is(completed($key, 90), 'failed|4', 'after three attempts');
};

subtest 'several workers, many exports' => sub {
    sql("INSERT INTO leadanalytics.unit (name, function, kind, every, on_poke) VALUES ('exports_2', 'leadanalytics.write_exports', 'procedure', '1 second', true)");
    my @keys = split /\n/, sql("SELECT leadanalytics.queue_export($id, 'numbers', 'csv', '{\"n\": 20000}') FROM generate_series(1, 24)");
    ok(until_(120, sub { sql("SELECT count(*) FROM leadanalytics.exports WHERE status = 'processing'") == 0 }), 'all are done');
    is(sql("SELECT count(*) FROM leadanalytics.exports WHERE key IN ('" . join("','", @keys) . "') AND status = 'completed' AND attempts = 1 AND records = 20000"), 24, 'once each');
    is(sql("SELECT count(DISTINCT md5(s)) FROM (SELECT string_agg(regexp_replace(convert_from(data, 'UTF8'), ',[0-9]+\r\n', E'\r\n', 'g'), '' ORDER BY n) AS s FROM leadanalytics.export_chunk WHERE export IN ('" . join("','", @keys) . "') GROUP BY export) s"), 1, 'the same but for who wrote them')
        if sql("SELECT max(n) FROM leadanalytics.export_chunk WHERE export = '$keys[0]'") == 0;
    my %by = map { differences($_, 20_000) . ' ' . sql('SELECT min(pid) FROM fault.back') => 1 } @keys;
    is(scalar(grep { !/^0 / } keys %by), 0, 'all right');
    cmp_ok(scalar(keys %by), '>', 1, 'by more than one worker') or diag explain \%by;
    sql("DELETE FROM leadanalytics.unit WHERE name = 'exports_2'");
};

# Memory of the process alone: shared buffers it touched are not its own.
subtest "$size records" => sub {
    my $key = queue($size, 'csv');
    my ($peak, $begun) = (0, time);
    while (time < $begun + 300 && state($key) =~ /^processing/)
    {
        for (1 .. 5)
        {
            my $pid = pid();
            if ($pid && open my $status, '<', "/proc/$pid/status")
            {
                my $anon = (join('', <$status>) =~ /^RssAnon:\s+(\d+)/m)[0] // 0;
                $peak = $anon if $anon > $peak;
            }
        }
    }
    is(state($key), 'completed|1', 'completed');
    my $bytes = sql("SELECT size FROM leadanalytics.exports WHERE key = '$key'");
    diag(sprintf '%d records, %.0f MB: %.0f MB of memory, %.1f s', $size, $bytes / 1e6, $peak / 1024, time - $begun);
    cmp_ok($peak, '>', 1000, 'its memory was seen');
    cmp_ok($peak, '<', 64 * 1024, 'less than 64 MB of memory');
    is(differences($key, $size), 0, 'whole and right');
};

subtest 'the hour is over' => sub {
    sql("UPDATE leadanalytics.export SET expires_at = now() - interval '1 second', completed_at = now() - interval '1 hour' WHERE status = 'completed'; SELECT leadanalytics.run_unit('exports_over')");
    is(sql('SELECT count(*) FROM leadanalytics.export_chunk'), 0, 'no file is left');
};

END
{
    my $status = $?;
    eval { run_psql('postgres', "DROP DATABASE IF EXISTS $database WITH (FORCE)") } if $database && $ENV{PGHOST};
    $? = $status;
}
done_testing();
