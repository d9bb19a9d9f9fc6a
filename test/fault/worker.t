# The background workers on a running server: killed, locked out, cloned, dropped, out of places.
#
# LA_SOCKET is the socket directory of a server with the library preloaded, where we are a superuser
# (PGUSER, default postgres). Databases of our own, dropped at the end. Nothing sleeps for a fixed time:
# until() polls, with a deadline. LA_LONG=1 adds what disturbs or takes minutes: kill -9 (a crash restart
# of the whole server), 10 idle seconds without WAL (nobody else may write).
use strict;
use warnings;
use Test::More;
use Until;
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

# Of two job workers the older one: the other came to help, and leaves.
sub pid {
    my ($database, $lane) = @_;
    $lane //= 'fold|job';
    return sql('postgres', <<"SQL");
    SELECT pid FROM pg_stat_activity a WHERE backend_type ~ '^leadanalytics ($lane)\$' AND datname = '$database' ORDER BY backend_type, backend_start LIMIT 1
SQL
}
# Which worker ran a beat last.
sub beaten_by { my ($database) = @_; sql($database, <<'SQL') }
    SELECT coalesce((SELECT a.backend_type FROM pg_stat_activity a WHERE a.pid = r.pid), 'gone') FROM fault.ran r WHERE r.unit = 'beat' ORDER BY r.at DESC LIMIT 1
SQL
sub lanes { my ($database) = @_; sql('postgres', <<"SQL") }
    SELECT string_agg(substr(backend_type, 15), ' ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type ~ '^leadanalytics (fold|job)\$' AND datname = '$database'
SQL

sub slots { sql('postgres', "SELECT backend_type, pid, application_name, query FROM pg_stat_activity WHERE backend_type LIKE 'leadanalytics%'") . "\n" . sql($made[0], 'SELECT * FROM leadanalytics.worker_slots()') }

# Delete units, and cancel those that run.
sub forget {
    my ($database, @units) = @_;
    sql($database, "DELETE FROM leadanalytics.unit WHERE name = '$_'") for @units;
    sql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = '$database' AND application_name ~ ': $_\$'") for @units;
}

# A unit of each lane that takes a minute, and holds locks of the extension meanwhile; both are running.
sub busy {
    my ($database) = @_;
    defined sql($database, <<'SQL') or die $error;
        CREATE OR REPLACE FUNCTION fault.long(now timestamptz) RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN LOCK TABLE leadanalytics.unit_state IN ROW EXCLUSIVE MODE; PERFORM pg_sleep(60); END $$;
        INSERT INTO leadanalytics.unit (name, function, lane, every) VALUES ('long_fold', 'fault.long', 'fold', '1 second'), ('long_job', 'fault.long', 'job', '1 second');
SQL
    ok(until_(60, sub { sql($database, "SELECT count(*) FROM leadanalytics.worker_status() WHERE unit LIKE 'long%' AND state = 'running'") == 2 }),
        'in the middle of a long unit in each lane');
}
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
    ok(until_(60, sub { pid($main) }), 'its worker is there');
    ok(works($main, 60), 'and runs its units');
    is(sql($main, 'SELECT DISTINCT who FROM fault.ran'), 'leadanalytics_owner', 'as leadanalytics_owner');
    is(sql($main, "SELECT worker, lane, state IN ('waiting', 'running'), late < interval '5 seconds', beat > now() - interval '5 seconds' FROM leadanalytics.worker_status() WHERE unit = 'beat'"),
        'active|job|t|t|t', 'worker_status() shows them');
    is(sql($main, "SELECT state FROM leadanalytics.status() WHERE part = 'worker'"), 'active', 'and so does status()');
    is(sql($main, "SELECT application_name FROM pg_stat_activity WHERE pid = @{[pid($main, 'fold')]}"),
        'leadanalytics fold', 'under their names');
    like(sql($main, "SELECT application_name FROM pg_stat_activity WHERE pid = @{[pid($main, 'job')]}"),
        qr/^leadanalytics job(: \w+)?$/, '…');
};

subtest 'a unit added while the worker sleeps' => sub {
    my $sleepy = fresh('sleepy');
    sql($sleepy, 'CREATE EXTENSION leadanalytics', 'SELECT leadanalytics.start()');
    ok(until_(60, sub { sql($sleepy, 'SELECT count(*) FROM leadanalytics.unit_state') }), 'its only units are done for an hour');
    sql($sleepy, 'CREATE FUNCTION public.mine(now timestamptz) RETURNS void LANGUAGE sql AS $$ $$',
        "INSERT INTO leadanalytics.unit (name, function, every) VALUES ('mine', 'public.mine', '1 hour')");
    ok(until_(60, sub { sql($sleepy, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'mine'") }), 'runs');
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
    for my $lane ('fold', 'job') {
        subtest "the $lane worker ended by $how comes back" => sub {
            ok(until_(60, sub { lanes($main) eq 'fold job' && sql($main, "SELECT count(pid) FROM leadanalytics.worker_slots() WHERE worker = 'job 1' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") }),
                'one worker a lane');
            my $pid = pid($main, $lane);
            my $other = pid($main, $lane eq 'fold' ? 'job' : 'fold');
            $how eq 'SIGTERM' ? kill('TERM', $pid) : sql('postgres', "SELECT pg_terminate_backend($pid)");
            ok(until_(60, sub { my $now = pid($main, $lane); $now && $now ne $pid }), 'another one');
            is(pid($main, $lane eq 'fold' ? 'job' : 'fold'), $other, 'the other one did not mind');
            ok(works($main, 60), 'and works');
        };
    }
}

subtest 'the launcher ended by SIGTERM comes back' => sub {
    my ($old, $worker) = (launcher(), pid($main));
    kill 'TERM', $old;
    ok(until_(60, sub { my $now = launcher(); $now && $now ne $old }), 'another one');
    is(pid($main), $worker, 'the worker did not mind');
    kill 'TERM', $worker;
    ok(until_(60, sub { my $now = pid($main); $now && $now ne $worker }), 'and is in its care again');
    my $late = living('late');
    ok(works($late, 60), 'new databases are noticed');
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
    ok(until_(60, sub { sql($main, "SELECT min(failures) >= 2 AND count(*) = 4 FROM leadanalytics.unit_state WHERE name LIKE 'a\\_%'") eq 't' }),
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
    ok(works($main, 60), 'the others go on');
    is(sql($main, 'SELECT sum(failures) FROM leadanalytics.worker_slots()'), 0, 'and no process ended of it');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name LIKE 'a\\_%'");
};

subtest 'a unit that ends its worker stops no other either' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.deadly(now timestamptz) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_terminate_backend(pg_backend_pid()) $$;
        INSERT INTO leadanalytics.unit (name, function, every) VALUES ('a_deadly', 'fault.deadly', '1 second');
SQL
    ok(until_(60, sub { sql($main, "SELECT failures >= 2 FROM leadanalytics.unit_state WHERE name = 'a_deadly'") eq 't' }), 'it was tried again');
    is(sql($main, "SELECT last_error, next_run - last_start >= interval '10 seconds' FROM leadanalytics.unit_state WHERE name = 'a_deadly'"),
        'its worker ended while it ran|t', 'that is kept, and it backs off');
    ok(works($main, 60), 'the others go on');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name = 'a_deadly'");
    ok(until_(60, sub { my $pid = pid($main, 'job'); $pid && sql($main, "SELECT bool_and(failures = 0) FROM leadanalytics.worker_slots()") eq 't' }), 'and its worker is well again');
};

subtest 'a long unit holds up neither its own lane nor the other' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.long(now timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT pg_sleep(60) $$;
        CREATE FUNCTION fault.fold(now timestamptz) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO fault.ran VALUES ('fold', now, current_user, pg_backend_pid()) $$;
        INSERT INTO leadanalytics.unit (name, function, lane, every) VALUES ('long1', 'fault.long', 'job', '1 second'), ('fold_beat', 'fault.fold', 'fold', '1 second');
SQL
    my $state = sub { my ($name) = @_; sql($main, "SELECT state FROM leadanalytics.worker_status() WHERE unit = '$name'") };
    my $folds = sub { sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'fold'") };
    ok(until_(60, sub { $state->('long1') eq 'running' }), 'a long unit runs');
    is(sql($main, "SELECT application_name, backend_type, a.pid = s.pid FROM leadanalytics.worker_status() s JOIN pg_stat_activity a USING (pid) WHERE unit = 'long1'"),
        'leadanalytics job: long1|leadanalytics job|t', 'pg_stat_activity and worker_status() say so');
    my $before = $folds->();
    ok(until_(60, sub { $folds->() >= $before + 3 }), 'lane fold goes on');
    is(sql($main, "SELECT DISTINCT pid FROM fault.ran WHERE unit = 'fold'"), pid($main, 'fold'), 'in the fold worker');
    ok(works($main, 60), 'lane job too');
    is(lanes($main), 'fold job job', 'in a second job worker');

    sql($main, "INSERT INTO leadanalytics.unit (name, function, every) VALUES ('long2', 'fault.long', '1 second')");
    ok(until_(60, sub { $state->('long2') eq 'running' }), 'a second long unit: now all job workers are at it');
    $before = $folds->();
    ok(until_(60, sub { $folds->() >= $before + 3 }), 'lane fold goes on');
    is(lanes($main), 'fold job job', 'and there is no third job worker');
    ok(until_(60, sub { sql($main, "SELECT late > '2 seconds' FROM leadanalytics.worker_status() WHERE unit = 'beat'") eq 't' }), 'worker_status() says that a unit waits');

    my $job = sql($main, "SELECT pid FROM leadanalytics.worker_status() WHERE unit = 'long1'");
    kill 'STOP', $job;
    sql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'leadanalytics job: long2'");
    ok(works($main, 60), 'a job worker that does not move any more holds up nobody');
    kill 'CONT', $job;
    forget($main, 'long1', 'long2');
    ok(until_(60, sub { lanes($main) eq 'fold job' }), 'the second job worker leaves when it is not needed') or diag slots();
    ok(works($main, 60), 'the first goes on');
};

subtest 'a unit runs in one worker at a time' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.alone(now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT pg_try_advisory_xact_lock(hashtext('fault.alone')) THEN RAISE EXCEPTION 'twice at once'; END IF;
            INSERT INTO fault.ran VALUES ('alone', now, current_user, pg_backend_pid());
            PERFORM pg_sleep(0.7);
        END $$;
        INSERT INTO leadanalytics.unit (name, function, every) VALUES ('blocks', 'fault.long', '1 second');
SQL
    ok(until_(60, sub { lanes($main) eq 'fold job job' }), 'two job workers');
    sql($main, "INSERT INTO leadanalytics.unit (name, function, every, on_poke) VALUES ('alone', 'fault.alone', '1 second', true)");
    forget($main, 'blocks');
    until_(8, sub { sql($main, 'SELECT leadanalytics.worker_poke()'); 0 });
    is(sql($main, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'alone' AND failures > 0"), 0, 'poked again and again, they never run it both');
    cmp_ok(sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'alone'"), '>=', 4, 'but one does');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name = 'alone'");
};

subtest 'leadanalytics.worker_jobs = 0: the fold worker does it all' => sub {
    sql('postgres', 'ALTER SYSTEM SET leadanalytics.worker_jobs = 0', 'SELECT pg_reload_conf()');
    ok(until_(60, sub { lanes($main) eq 'fold' }), 'job workers leave');
    ok(works($main, 60), 'their units run');
    is(beaten_by($main), 'leadanalytics fold', 'in the fold worker');
    my $folds = sub { sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'fold'") };
    my $before = $folds->();
    ok(until_(60, sub { $folds->() > $before }), 'beside its own');
    sql($main, "INSERT INTO leadanalytics.unit (name, function, every) VALUES ('long1', 'fault.long', '1 second')");
    ok(until_(60, sub { sql($main, "SELECT state FROM leadanalytics.worker_status() WHERE unit = 'long1'") eq 'running' }), 'a long unit runs there');
    $before = $folds->();
    ok(!until_(3, sub { $folds->() > $before }), 'and holds up lane fold: the price (and proof that the test above can fail)');
    forget($main, 'long1');
    sql('postgres', 'ALTER SYSTEM RESET leadanalytics.worker_jobs', 'SELECT pg_reload_conf()');
    ok(until_(60, sub { lanes($main) eq 'fold job' }), 'set again, there is a job worker') or diag slots();
    ok(works($main, 60) && works($main, 60), 'which works');
    is(beaten_by($main), 'leadanalytics job', 'in the place of the fold worker');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name = 'fold_beat'");
};

subtest 'a job worker with nothing to do leaves, and comes back for what is due' => sub {
    my $idle = fresh('rests');
    sql($idle, 'CREATE EXTENSION leadanalytics', "UPDATE leadanalytics.unit SET enabled = every >= interval '1 hour'", <<'SQL', 'SELECT leadanalytics.start()');
        CREATE TABLE public.ran (at timestamptz);
        GRANT INSERT ON public.ran TO leadanalytics_owner;
        CREATE FUNCTION public.poked(now timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.ran VALUES (now) $$;
        INSERT INTO leadanalytics.unit (name, function, every, on_poke) VALUES ('poked', 'public.poked', '1 hour', true);
SQL
    my $ran = sub { sql($idle, 'SELECT count(*) FROM public.ran') };
    ok(until_(60, sub { $ran->() }), 'its units are done for an hour');
    ok(until_(60, sub { lanes($idle) eq 'fold' }), 'only the fold worker stays');
    is(sql($idle, "SELECT state FROM leadanalytics.worker_slots() WHERE worker = 'job 1' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"),
        'rests', 'worker_slots() says that the other rests');
    is(sql($idle, "SELECT count(*) FROM leadanalytics.status() WHERE part LIKE 'worker%'"), 1, 'status() does not mind');
    my $before = $ran->();
    sql($idle, 'SELECT leadanalytics.worker_poke()');
    ok(until_(60, sub { $ran->() == $before + 1 }), 'a poke brings it back');
    ok(until_(60, sub { lanes($idle) eq 'fold' }), 'it leaves again');
    sql($idle, "INSERT INTO leadanalytics.unit (name, function, every) VALUES ('new', 'public.poked', '80 seconds')");
    ok(until_(60, sub { sql($idle, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'new'") }), 'a new unit too');
    ok(until_(60, sub { lanes($idle) eq 'fold' }), 'it leaves again');
    $before = $ran->();
    ok(!$ENV{LA_LONG} || until_(90, sub { $ran->() > $before }), 'and a unit that is due again');
    sql('postgres', "DROP DATABASE $idle");
};

subtest 'a poke at commit' => sub {
    defined sql($main, <<'SQL') or die $error;
        CREATE FUNCTION fault.poked(now timestamptz) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO fault.ran VALUES ('poked', now, current_user) $$;
        INSERT INTO leadanalytics.unit (name, function, every, on_poke) VALUES ('poked', 'fault.poked', '1 hour', true);
SQL
    my $count = sub { sql($main, "SELECT count(*) FROM fault.ran WHERE unit = 'poked'") };
    ok(until_(60, sub { $count->() == 1 }), 'a new unit runs once');
    sql($main, 'BEGIN', 'SELECT leadanalytics.worker_poke()', 'ROLLBACK');
    ok(works($main, 60) && works($main, 60), 'two rounds after a poke rolled back');
    is($count->(), 1, 'it has not run again');
    sql($main, 'SELECT leadanalytics.worker_poke()');
    ok(until_(60, sub { $count->() == 2 }), 'after one that committed it has');
    sql($main, "DELETE FROM leadanalytics.unit WHERE name = 'poked'");
};

subtest 'SQL of another version' => sub {
    my $version = sql($main, "SELECT extversion FROM pg_extension WHERE extname = 'leadanalytics'");
    my $from = log_size();
    sql($main, "UPDATE pg_extension SET extversion = '999' WHERE extname = 'leadanalytics'");
    ok(until_(60, sub { pid($main) eq '' }), 'the worker leaves');
    like(logged($from), qr/its SQL there is version 999.*HINT:  Run ALTER EXTENSION/s, 'and says why') if $log;
    sql($main, "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'leadanalytics'");
    sql($main, 'ALTER EXTENSION leadanalytics UPDATE');
    ok(works($main, 60), 'ALTER EXTENSION … UPDATE brings it back');
};

subtest 'CREATE DATABASE … TEMPLATE of a database at work' => sub {
    my $clone = "${prefix}_clone";
    push @made, $clone;
    busy($main);
    my ($seconds, $done) = timed(sub { sql('postgres', "CREATE DATABASE $clone TEMPLATE $main") });
    ok(defined $done, 'goes through') or diag $error;
    cmp_ok($seconds, '<', 5, 'within 5 s');
    ok(until_(60, sub { lanes($main) =~ /fold job/ }), 'the original goes on');
    forget($_, 'long_fold', 'long_job') for $main, $clone;
    ok(works($main, 60), 'and works');
    my $before = beats($clone);
    is(sql($clone, 'SELECT leadanalytics.started()'), 'f', 'the clone is not started');
    is(sql($clone, 'SELECT count(*) FROM leadanalytics.tick()'), 0, 'nor acts by hand');
    ok(works($main, 60), 'while the original beats');
    is(beats($clone), $before, 'the clone does not');
    sql($clone, 'SELECT leadanalytics.start()');
    ok(works($clone, 60), 'after its own start() it does');
};

subtest 'DROP DATABASE from another database' => sub {
    for my $how ('', ' WITH (FORCE)') {
        my $database = living($how ? 'force' : 'drop');
        ok(works($database, 60), 'at work');
        busy($database);
        my ($seconds, $done) = timed(sub { sql('postgres', "DROP DATABASE $database$how") });
        ok(defined $done, "DROP DATABASE$how goes through") or diag $error;
        cmp_ok($seconds, '<', 5, 'within 5 s');
        is(sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database'"), 0, 'no orphan');
    }
};

subtest 'a DROP DATABASE that fails brings the worker back' => sub {
    my $guest = session($main);
    print $guest "SELECT 1;\n";
    ok(until_(60, sub { sql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE datname = '$main' AND application_name = 'psql'") >= 1 }), 'somebody is connected');
    ok(!defined sql('postgres', "DROP DATABASE $main"), 'refused');
    like($error, qr/is being accessed by other users/, 'because of him');
    close $guest;
    ok(works($main, 60), 'the worker is back');
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
    ok(works($main, 60), 'and it works on');
};

subtest 'DROP EXTENSION of a database at work' => sub {
    my $database = living('dropext');
    ok(works($database, 60), 'at work');
    my $pid = pid($database);
    my $from = log_size();
    sql($database, 'BEGIN', 'DROP EXTENSION leadanalytics', 'ROLLBACK');
    ok(works($database, 60), 'rolled back: it works on');
    busy($database);
    my ($seconds, $done) = timed(sub { sql($database, 'DROP EXTENSION leadanalytics') });
    ok(defined $done, 'goes through') or diag $error;
    cmp_ok($seconds, '<', 5, 'within 5 s');
    ok(until_(60, sub { pid($database) eq '' }), 'no worker is left');
    ok(works($main, 60) && works($main, 60), 'two beats of another database later');
    is(pid($database), '', 'there still is none');
  SKIP: {
        skip 'no log file', 1 unless $log;
        my @errors = grep { /ERROR|FATAL|PANIC/ && !/terminating background worker/ } split /\n/, logged($from);
        is("@errors", '', 'no error in the log');
    }
    sql($database, 'DROP TABLE fault.ran', 'DROP SCHEMA fault CASCADE');
    sql($database, 'CREATE EXTENSION leadanalytics', 'SELECT leadanalytics.start()');
    ok(until_(60, sub { pid($database) }), 'created again, it works again');
    sql('postgres', "DROP DATABASE $database");
};

subtest 'ALTER EXTENSION, and a lock on its tables' => sub {
    busy($main);
    my ($seconds, $done) = timed(sub { sql($main, 'ALTER EXTENSION leadanalytics UPDATE') });
    ok(defined $done && $seconds < 5, 'ALTER EXTENSION … UPDATE within 5 s') or diag $error;
    forget($main, 'long_fold', 'long_job');
    ok(works($main, 60), 'the worker works on');
    my $from = log_size();
    my $holder = session($main);
    print $holder "BEGIN; LOCK TABLE leadanalytics.unit IN ACCESS EXCLUSIVE MODE;\n";
    ok(until_(60, sub { sql($main, "SELECT count(*) FROM pg_locks WHERE relation = 'leadanalytics.unit'::regclass AND mode = 'AccessExclusiveLock' AND granted") }),
        'leadanalytics.unit is locked');
    my $beat = sql('postgres', "SELECT clock_timestamp()");
    ok(until_(60, sub { sql($main, "SELECT bool_or(beat > '$beat') FROM leadanalytics.worker_slots() JOIN pg_database d ON d.oid = database AND datname = current_database()") eq 't' }),
        'the worker looks and waits for no lock');
    is(sql($main, "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE backend_type ~ 'leadanalytics' AND NOT granted"), 0, 'it stands in no queue');
    print $holder "COMMIT;\n";
    close $holder;
    ok(works($main, 60), 'and works on after it');
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
    ok(works($main, 60), 'the others work');
    is(join(' ', grep { lanes($_) !~ /^(fold( job)*|)$/ } $main, @databases), '', 'lane fold comes first: nowhere are job workers alone');
    is(lanes($main), 'fold', 'job workers gave their places away');
    is(beaten_by($main), 'leadanalytics fold', 'the fold worker does their work meanwhile');
    is(sql($main, "SELECT state FROM leadanalytics.status() WHERE part = 'worker job 1'"), 'waits for a free background worker', 'and status() says so');
    # It says so at most once a minute: an earlier subtest may have had the last line.
    ok(until_(90, sub { logged($from) =~ /cannot start a background worker/ }), 'the log says so') if $log;
    my ($free) = grep { my $d = $_; !grep { $_ eq $d } @$waiting } @databases;
    sql('postgres', "DROP DATABASE $free");
    ok(until_(60, sub { grep { pid($_) } @$waiting }), 'a place that comes free is taken');
  SKIP: {
        skip 'no log file', 1 unless $log;
        my @lines = logged($from) =~ /cannot start a background worker/g;
        cmp_ok(scalar @lines, '<=', 2 + int($places / 10), 'a line a minute at most in the log');
    }
    sql('postgres', "DROP DATABASE $_") for grep { $_ ne $free } @databases;
    ok(until_(60, sub { lanes($main) eq 'fold job' }), 'with places enough a job worker is there again');
    ok(works($main, 60), 'and all is as before');
};

SKIP: {
    skip 'LA_LONG is not set', 4 unless $ENV{LA_LONG};
    subtest '10 idle seconds write no WAL' => sub {
        my $quiet = fresh('quiet');
        sql('postgres', map { "DROP DATABASE IF EXISTS $_ WITH (FORCE)" } grep { $_ ne $quiet && $_ ne $main } @made);
        sql($main, "UPDATE leadanalytics.unit SET enabled = false WHERE name = 'beat'");
        sql($quiet, 'CREATE EXTENSION leadanalytics', 'CREATE SCHEMA fault', <<'SQL', 'SELECT leadanalytics.start()');
            CREATE FUNCTION fault.nothing(now timestamptz) RETURNS void LANGUAGE sql AS $$ SELECT count(*) FROM leadanalytics.route $$;
            GRANT USAGE ON SCHEMA fault TO leadanalytics_owner;
            INSERT INTO leadanalytics.unit (name, function, lane, every) VALUES ('nothing', 'fault.nothing', 'fold', '1 second');
SQL
        ok(until_(60, sub { sql($quiet, "SELECT count(*) FROM leadanalytics.unit_state WHERE name = 'nothing'") }), 'a unit that does nothing runs each second');
        sql('postgres', 'CHECKPOINT');
        my $switches = sub { my $n = 0; for my $pid (@_) { open my $f, '<', "/proc/$pid/status" or die; /^voluntary_ctxt_switches:\s+(\d+)/ and $n += $1 while <$f> } $n };
        my ($from, $same, @workers, $woken);
        ok(until_(120, sub {
            my $lsn = sql('postgres', 'SELECT pg_current_wal_insert_lsn()');
            if (!defined $from || $from ne $lsn) {
                ($from, $same) = ($lsn, time);
                @workers = split /\n/, sql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type ~ 'leadanalytics (fold|job)' AND datname = '$quiet'");
                $woken = $switches->(@workers);
            }
            time - $same >= 10;
        }), 'the WAL stood still for 10 s');
        cmp_ok(eval { $switches->(@workers) - $woken } // 0, '<=', 10 + 3, 'its workers woke up once a second');
        ok(sql($quiet, "SELECT max(beat) > clock_timestamp() - interval '3 seconds' FROM leadanalytics.worker_slots()") eq 't', 'while the worker looked each second');
    };
    sql($main, "UPDATE leadanalytics.unit SET enabled = true WHERE name = 'beat'");
    sql('postgres', map { "DROP DATABASE IF EXISTS $_ WITH (FORCE)" } grep { $_ ne $main } @made);
    my @more = map { living("more$_") } 1 .. 4; # more than the launcher starts at once
    for my $whom ('fold', 'job', 'launcher') {
        subtest "kill -9 of the $whom: the server restarts, and everything comes back" => sub {
            ok(until_(60, sub { pid($main, 'fold') && pid($main, 'job') }), 'all at work');
            my $old = launcher();
            kill 'KILL', $whom eq 'launcher' ? $old : pid($main, $whom);
            ok(until_(60, sub { my $now = launcher(); $now && $now ne $old }), 'the launcher');
            for my $database ($main, @more) {
                ok(until_(60, sub { (lanes($database) // '') =~ /^fold job/ }), 'the workers');
                ok(works($database, 60), 'the work');
            }
        };
    }
}

END {
    sql('postgres', 'ALTER SYSTEM RESET leadanalytics.worker_jobs', 'SELECT pg_reload_conf()') if @made;
    sql('postgres', map { "DROP DATABASE IF EXISTS $_ WITH (FORCE)" } @made) if @made;
}
done_testing();
