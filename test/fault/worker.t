# The background workers on a running server: killed, locked out, cloned, dropped, out of places.
#
# LA_SOCKET is the socket directory of a server with the library preloaded, where we are a superuser
# (PGUSER, default postgres). Databases of our own, dropped at the end. Nothing sleeps for a fixed time:
# until() polls, with a deadline. LA_LONG=1 adds what disturbs or takes minutes: kill -9 (a crash restart
# of the whole server), 10 idle seconds without WAL (nobody else may write).
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET is not set';
$ENV{PGUSER} //= 'postgres';
$ENV{PGCONNECT_TIMEOUT} = 10;
delete $ENV{PGDATABASE};
my $prefix = "la_fault_$$";
my @made;

# Output of statements, unaligned; undef when one failed (the error is in $error).
our $error = '';
sub sql {
    my ($database, @statements) = @_;
    my @command = ('psql', '-XAtq', '-h', $socket, '-d', $database, '-v', 'ON_ERROR_STOP=1', map { ('-c', $_) } @statements);
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        exec @command or exit 127;
    }
    my $text = join '', <$out>;
    close $out;
    $text =~ s/\n\z//;
    $error = $? ? $text : '';
    return $? ? undef : $text;
}

# Poll until the code is true; false after so many seconds.
sub until_ {
    my ($seconds, $code) = @_;
    my $deadline = time + $seconds;
    while (time < $deadline) {
        my $value = $code->();
        return $value if $value;
        sleep 0.1;
    }
    return;
}

# A psql that stays: what it is told goes in at once, its end closes its session.
sub session {
    my ($database) = @_;
    my $pid = open(my $in, '|-') // die "fork: $!";
    if (!$pid) {
        open(STDOUT, '>', '/dev/null');
        open(STDERR, '>', '/dev/null');
        exec 'psql', '-Xq', '-h', $socket, '-d', $database or exit 127;
    }
    $in->autoflush(1);
    return $in;
}

sub fresh {
    my ($name) = @_;
    my $database = "${prefix}_$name";
    push @made, $database;
    defined sql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'") or die $error;
    return $database;
}

# With the extension, started, and a unit that counts.
sub living {
    my ($name) = @_;
    my $database = fresh($name);
    defined sql($database, 'CREATE EXTENSION leadanalytics', <<'SQL', 'SELECT leadanalytics.start()') or die $error;
        CREATE SCHEMA fault;
        CREATE TABLE fault.ran (unit text, at timestamptz, who text, pid int);
        CREATE FUNCTION fault.beat(now timestamptz) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO fault.ran VALUES ('beat', now, current_user, pg_backend_pid()) $$;
        GRANT USAGE ON SCHEMA fault TO leadanalytics_owner;
        GRANT ALL ON fault.ran TO leadanalytics_owner;
        INSERT INTO leadanalytics.unit (name, function, every) VALUES ('beat', 'fault.beat', '1 second');
SQL
    return $database;
}

sub pid { my ($database) = @_; sql('postgres', <<"SQL") }
    SELECT pid FROM pg_stat_activity a WHERE backend_type = 'leadanalytics worker' AND datname = '$database'
SQL
sub launcher { sql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'leadanalytics launcher'") }
sub beats { my ($database) = @_; sql($database, "SELECT count(*) FROM fault.ran WHERE unit = 'beat'") // 0 }

# Whether the worker works: one more beat than now.
sub works {
    my ($database, $seconds) = @_;
    my $before = beats($database);
    return until_($seconds, sub { beats($database) > $before });
}
sub timed { my ($code) = @_; my $begun = time; my $value = $code->(); return (time - $begun, $value) }

like(sql('postgres', 'SHOW shared_preload_libraries'), qr/leadanalytics/, 'the server has the library preloaded');
my $log = sql('postgres', 'SELECT pg_current_logfile()') || $ENV{LA_LOG};
$log = sql('postgres', 'SHOW data_directory') . "/$log" if $log && $log !~ m{^/};
sub log_size { $log && -s $log || 0 }
sub logged {
    my ($from) = @_;
    open(my $file, '<', $log) or return '';
    seek $file, $from, 0;
    local $/;
    return scalar <$file> // '';
}

my $main = living('main');
subtest 'a database is noticed when start() commits, without a restart' => sub {
    ok(until_(10, sub { pid($main) }), 'its worker is there');
    ok(works($main, 10), 'and runs its units');
    is(sql($main, 'SELECT DISTINCT who FROM fault.ran'), 'leadanalytics_owner', 'as leadanalytics_owner');
    is(sql($main, "SELECT worker, pid = @{[pid($main)]} FROM leadanalytics.worker_status() WHERE unit = 'beat'"),
        'active|t', 'worker_status() shows it');
    is(sql($main, "SELECT state FROM leadanalytics.status() WHERE part = 'worker'"), 'active', 'and so does status()');
    like(sql($main, "SELECT application_name FROM pg_stat_activity WHERE pid = @{[pid($main)]}"),
        qr/^leadanalytics worker$/, 'under its name');
};

subtest 'a unit added while the worker sleeps' => sub {
    my $sleepy = fresh('sleepy');
    sql($sleepy, 'CREATE EXTENSION leadanalytics', 'SELECT leadanalytics.start()');
    ok(until_(10, sub { sql($sleepy, 'SELECT count(*) FROM leadanalytics.unit_state') }), 'its only units are done for an hour');
    sql($sleepy, 'CREATE FUNCTION public.mine(now timestamptz) RETURNS void LANGUAGE sql AS $$ $$',
        "INSERT INTO leadanalytics.unit (name, function, every) VALUES ('mine', 'public.mine', '1 hour')");
    ok(until_(5, sub { sql($sleepy, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'mine'") }), 'runs within 5 s');
    sql('postgres', "DROP DATABASE $sleepy");
};

subtest 'before start() and after a rolled back start() nothing acts' => sub {
    my $idle = fresh('idle');
    sql($idle, 'CREATE EXTENSION leadanalytics', 'BEGIN', 'SELECT leadanalytics.start()', 'ROLLBACK');
    is(sql($idle, 'SELECT worker FROM leadanalytics.worker_status() LIMIT 1'), 'not started', 'status: not started');
    is(pid($idle), '', 'no worker');
    is(sql($idle, 'SELECT count(*) FROM leadanalytics.unit_state'), 0, 'nothing ran');
};

for my $how ('SIGTERM', 'pg_terminate_backend') {
    subtest "the worker ended by $how comes back" => sub {
        my $pid = pid($main);
        $how eq 'SIGTERM' ? kill('TERM', $pid) : sql('postgres', "SELECT pg_terminate_backend($pid)");
        ok(until_(10, sub { my $now = pid($main); $now && $now ne $pid }), 'within 10 s');
        ok(works($main, 10), 'and works');
    };
}

subtest 'the launcher ended by SIGTERM comes back' => sub {
    my ($old, $worker) = (launcher(), pid($main));
    kill 'TERM', $old;
    ok(until_(10, sub { my $now = launcher(); $now && $now ne $old }), 'within 10 s');
    is(pid($main), $worker, 'the worker did not mind');
    kill 'TERM', $worker;
    ok(until_(10, sub { my $now = pid($main); $now && $now ne $worker }), 'and is in its care again');
    my $late = living('late');
    ok(works($late, 10), 'new databases are noticed');
};

subtest 'a unit that fails stops no other, and backs off' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.bad(now timestamptz) RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO fault.ran VALUES ('bad', now); RAISE EXCEPTION 'poisoned'; END $$;
        CREATE FUNCTION fault.slow(now timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT pg_sleep(60) $$;
        CREATE FUNCTION fault.rise(now timestamptz) RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN SET ROLE postgres; END $$;
        CREATE PROCEDURE fault.steps(now timestamptz) LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO fault.ran VALUES ('step 1', now, current_user);
            COMMIT;
            INSERT INTO fault.ran VALUES ('step 2', now, current_user);
            COMMIT;
            RAISE EXCEPTION 'after two commits';
        END $$;
        INSERT INTO leadanalytics.unit (name, function, kind, every, timeout_ms) VALUES
            ('a_bad', 'fault.bad', 'function', '1 second', 1000), ('a_slow', 'fault.slow', 'function', '1 second', 300),
            ('a_rise', 'fault.rise', 'function', '1 second', 1000), ('a_steps', 'fault.steps', 'procedure', '1 second', 1000);
SQL
    ok(until_(20, sub { sql($main, "SELECT min(failures) >= 2 AND count(*) = 4 FROM leadanalytics.unit_state WHERE name LIKE 'a\\_%'") eq 't' }),
        'each failed, was tried again and failed again');
    is(sql($main, "SELECT name, last_error FROM leadanalytics.unit_state WHERE failures > 0 ORDER BY 1"),
        "a_bad|poisoned (SQLSTATE P0001)\n"
        . "a_rise|cannot set parameter \"role\" within security-definer function (SQLSTATE 42501)\n"
        . "a_slow|canceling statement due to statement timeout (SQLSTATE 57014)\n"
        . "a_steps|after two commits (SQLSTATE P0001)", 'their errors are kept');
    is(sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'bad'"), 0, 'a failed function left nothing');
    is(sql($main, "SELECT bool_and(a = b) FROM (SELECT count(*) FILTER (WHERE unit = 'step 1') a, count(*) FILTER (WHERE unit = 'step 2') b FROM fault.ran WHERE unit LIKE 'step%') x"),
        't', 'a failed procedure left what it had committed');
    is(sql($main, "SELECT string_agg(DISTINCT who, ',') FROM fault.ran"), 'leadanalytics_owner', 'never as anybody else');
    ok(works($main, 10), 'the others go on');
    is(sql($main, "SELECT count(*) FROM fault.ran WHERE pid IS NOT NULL AND pid <> @{[pid($main)]} AND at > now() - interval '1 second'"),
        0, 'in the same process');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name LIKE 'a\\_%'");
};

subtest 'a poke at commit' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.poked(now timestamptz) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO fault.ran VALUES ('poked', now, current_user) $$;
        INSERT INTO leadanalytics.unit (name, function, every, on_poke) VALUES ('poked', 'fault.poked', '1 hour', true);
SQL
    my $count = sub { sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'poked'") };
    ok(until_(10, sub { $count->() == 1 }), 'a new unit runs once');
    sql($main, 'BEGIN', 'SELECT leadanalytics.worker_poke()', 'ROLLBACK');
    ok(works($main, 10) && works($main, 10), 'two rounds after a poke rolled back');
    is($count->(), 1, 'it has not run again');
    sql($main, 'SELECT leadanalytics.worker_poke()');
    ok(until_(5, sub { $count->() == 2 }), 'after one that committed it has');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name = 'poked'");
};

subtest 'SQL of another version' => sub {
    my $version = sql($main, "SELECT extversion FROM pg_extension WHERE extname = 'leadanalytics'");
    my $from = log_size();
    sql($main, "UPDATE pg_extension SET extversion = '999' WHERE extname = 'leadanalytics'");
    ok(until_(10, sub { pid($main) eq '' }), 'the worker leaves');
    like(logged($from), qr/its SQL there is version 999.*HINT:  Run ALTER EXTENSION/s, 'and says why') if $log;
    sql($main, "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'leadanalytics'");
    sql($main, 'ALTER EXTENSION leadanalytics UPDATE');
    ok(works($main, 10), 'ALTER EXTENSION … UPDATE brings it back');
};

subtest 'CREATE DATABASE … TEMPLATE of a database at work' => sub {
    my $clone = "${prefix}_clone";
    push @made, $clone;
    my ($seconds, $done) = timed(sub { sql('postgres', "CREATE DATABASE $clone TEMPLATE $main") });
    ok(defined $done, 'goes through') or diag $error;
    cmp_ok($seconds, '<', 5, 'within 5 s');
    ok(works($main, 10), 'the original goes on');
    my $before = beats($clone);
    is(sql($clone, 'SELECT leadanalytics.started()'), 'f', 'the clone is not started');
    is(sql($clone, 'SELECT count(*) FROM leadanalytics.tick()'), 0, 'nor acts by hand');
    ok(works($main, 10), 'while the original beats');
    is(beats($clone), $before, 'the clone does not');
    sql($clone, 'SELECT leadanalytics.start()');
    ok(works($clone, 10), 'after its own start() it does');
};

subtest 'DROP DATABASE from another database' => sub {
    for my $how ('', ' WITH (FORCE)') {
        my $database = living($how ? 'force' : 'drop');
        ok(works($database, 10), 'at work');
        my ($seconds, $done) = timed(sub { sql('postgres', "DROP DATABASE $database$how") });
        ok(defined $done, "DROP DATABASE$how goes through") or diag $error;
        cmp_ok($seconds, '<', 5, 'within 5 s');
        is(sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'"), 0, 'no orphan');
    }
};

subtest 'a DROP DATABASE that fails brings the worker back' => sub {
    my $guest = session($main);
    print $guest "SELECT 1;\n";
    ok(until_(10, sub { sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$main' AND application_name = 'psql'") >= 1 }), 'somebody is connected');
    ok(!defined sql('postgres', "DROP DATABASE $main"), 'refused');
    like($error, qr/is being accessed by other users/, 'because of him');
    close $guest;
    ok(works($main, 10), 'the worker is back');
    sql('postgres', "DROP ROLE IF EXISTS ${prefix}_nobody", "CREATE ROLE ${prefix}_nobody");
    my $pid = pid($main);
    ok(!defined sql('postgres', "SET ROLE ${prefix}_nobody", "DROP DATABASE $main"), 'refused to a role without the right');
    is(pid($main), $pid, 'which does not stop the worker');
    sql('postgres', "DROP ROLE ${prefix}_nobody");
};

subtest 'RENAME' => sub {
    my ($seconds, $done) = timed(sub { sql('postgres', "ALTER DATABASE $main RENAME TO ${main}_renamed") });
    ok(defined $done && $seconds < 5, 'goes through within 5 s') or diag $error;
    sql('postgres', "ALTER DATABASE ${main}_renamed RENAME TO $main");
    ok(works($main, 10), 'and it works on');
};

subtest 'DROP EXTENSION of a database at work' => sub {
    my $database = living('dropext');
    ok(works($database, 10), 'at work');
    my $pid = pid($database);
    my $from = log_size();
    sql($database, 'BEGIN', 'DROP EXTENSION leadanalytics', 'ROLLBACK');
    ok(works($database, 10), 'rolled back: it works on');
    defined sql($database, <<'SQL') or die $error;
        CREATE FUNCTION fault.long(now timestamptz) RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN LOCK TABLE leadanalytics.unit_state IN ROW EXCLUSIVE MODE; PERFORM pg_sleep(60); END $$;
        INSERT INTO leadanalytics.unit (name, function, every) VALUES ('long', 'fault.long', '1 second');
SQL
    ok(until_(10, sub { sql($database, "SELECT state FROM leadanalytics.worker_status() WHERE unit = 'long'") eq 'running' }), 'in the middle of a long unit');
    my ($seconds, $done) = timed(sub { sql($database, 'DROP EXTENSION leadanalytics') });
    ok(defined $done, 'goes through') or diag $error;
    cmp_ok($seconds, '<', 5, 'within 5 s');
    ok(until_(10, sub { pid($database) eq '' }), 'no worker is left');
    ok(works($main, 10) && works($main, 10), 'two beats of another database later');
    is(pid($database), '', 'there still is none');
  SKIP: {
        skip 'no log file', 1 unless $log;
        my @errors = grep { /ERROR|FATAL|PANIC/ && !/terminating background worker/ } split /\n/, logged($from);
        is("@errors", '', 'no error in the log');
    }
    sql($database, 'DROP TABLE fault.ran', 'DROP SCHEMA fault CASCADE');
    sql($database, 'CREATE EXTENSION leadanalytics', 'SELECT leadanalytics.start()');
    ok(until_(10, sub { pid($database) }), 'created again, it works again');
    sql('postgres', "DROP DATABASE $database");
};

subtest 'ALTER EXTENSION, and a lock on its tables' => sub {
    my $old = pid($main);
    my ($seconds, $done) = timed(sub { sql($main, 'ALTER EXTENSION leadanalytics UPDATE') });
    ok(defined $done && $seconds < 5, 'ALTER EXTENSION … UPDATE within 5 s') or diag $error;
    ok(works($main, 10), 'the worker works on');
    my $from = log_size();
    my $holder = session($main);
    print $holder "BEGIN; LOCK TABLE leadanalytics.unit IN ACCESS EXCLUSIVE MODE;\n";
    ok(until_(10, sub { sql($main, "SELECT count(*) FROM pg_locks WHERE relation = 'leadanalytics.unit'::regclass AND mode = 'AccessExclusiveLock' AND granted") }),
        'leadanalytics.unit is locked');
    my $beat = sql('postgres', "SELECT clock_timestamp()");
    ok(until_(10, sub { sql($main, "SELECT beat > '$beat' FROM leadanalytics.worker_slots() JOIN pg_database d ON d.oid = database AND datname = current_database()") eq 't' }),
        'the worker looks and waits for no lock');
    is(sql($main, "SELECT count(*) FROM pg_locks WHERE pid = @{[pid($main)]} AND NOT granted"), 0, 'it stands in no queue');
    print $holder "COMMIT;\n";
    close $holder;
    ok(works($main, 10), 'and works on after it');
  SKIP: {
        skip 'no log file', 1 unless $log;
        unlike(logged($from), qr/ERROR|FATAL/, 'no error in the log');
    }
};

subtest 'no background worker is free' => sub {
    my $from = log_size();
    my $places = sql('postgres', 'SHOW max_worker_processes');
    # Each database at work takes a place. More databases than places: the last ones wait, and say so.
    my @databases = map { living("many$_") } 1 .. $places;
    my $waiting = until_(20, sub {
        my @w = grep { sql($_, 'SELECT worker FROM leadanalytics.worker_status() LIMIT 1') eq 'waits for a free background worker' } @databases;
        @w && \@w;
    });
    ok($waiting, 'somebody waits') or return;
    like(sql($waiting->[0], "SELECT hint FROM leadanalytics.status() WHERE part = 'worker'"), qr/max_worker_processes/, 'with a hint');
    ok(works($main, 10), 'the others work');
    my ($free) = grep { my $d = $_; !grep { $_ eq $d } @$waiting } @databases;
    sql('postgres', "DROP DATABASE $free");
    ok(until_(15, sub { grep { pid($_) } @$waiting }), 'a place that comes free is taken');
  SKIP: {
        skip 'no log file', 1 unless $log;
        my $lines = () = logged($from) =~ /cannot start a background worker/g;
        cmp_ok($lines, '<=', 1 + int($places / 10), 'a line a minute at most in the log');
        cmp_ok($lines, '>=', 1, 'but one there is');
    }
    sql('postgres', "DROP DATABASE $_") for grep { $_ ne $free } @databases;
    ok(works($main, 10), 'and all is as before');
};

SKIP: {
    skip 'LA_LONG is not set', 2 unless $ENV{LA_LONG};
    subtest '10 idle seconds write no WAL' => sub {
        my $quiet = fresh('quiet');
        sql('postgres', map { "DROP DATABASE IF EXISTS $_ WITH (FORCE)" } grep { $_ ne $quiet && $_ ne $main } @made);
        sql($main, "UPDATE leadanalytics.unit SET enabled = false WHERE name = 'beat'");
        sql($quiet, 'CREATE EXTENSION leadanalytics', 'CREATE SCHEMA fault', <<'SQL', 'SELECT leadanalytics.start()');
            CREATE FUNCTION fault.nothing(now timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT count(*) FROM leadanalytics.route $$;
            GRANT USAGE ON SCHEMA fault TO leadanalytics_owner;
            INSERT INTO leadanalytics.unit (name, function, every) VALUES ('nothing', 'fault.nothing', '1 second');
SQL
        ok(until_(10, sub { sql($quiet, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'nothing'") }), 'a unit that does nothing runs each second');
        sql('postgres', 'CHECKPOINT');
        my ($from, $same);
        ok(until_(120, sub {
            my $lsn = sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
            ($from, $same) = ($lsn, time) if !defined $from || $from ne $lsn;
            time - $same >= 10;
        }), 'the WAL stood still for 10 s');
        ok(sql($quiet, "SELECT max(beat) > clock_timestamp() - interval '3 seconds' FROM leadanalytics.worker_slots()") eq 't', 'while the worker looked each second');
    };
    subtest 'kill -9 of a worker: the server restarts, and everything comes back' => sub {
        sql($main, "UPDATE leadanalytics.unit SET enabled = true WHERE name = 'beat'");
        my ($pid, $old) = (pid($main), launcher());
        kill 'KILL', $pid;
        ok(until_(30, sub { my $now = launcher(); $now && $now ne $old }), 'the launcher');
        ok(until_(30, sub { my $now = pid($main); $now && $now ne $pid }), 'the worker');
        ok(works($main, 10), 'the work');
    };
}

END {
    sql('postgres', map { "DROP DATABASE IF EXISTS $_ WITH (FORCE)" } @made) if @made;
}
done_testing();
