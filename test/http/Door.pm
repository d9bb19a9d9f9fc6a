# The tests' client of a running service: raw HTTP, SQL beside it, and what every answer must look like.
#
# The environment says which service: LA_URL (http://127.0.0.1:PORT), LA_STATE (its state directory) and
# LA_SOCKET (PostgreSQL's socket directory, default LA_STATE/run). A test file makes a workspace, a schema
# of functions and routes of its own, all named after the file, and finish() removes them again.
package Door;
use strict;
use warnings;
use Exporter 'import';
use File::Basename 'basename', 'dirname';
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes 'time', 'sleep';

our @EXPORT = qw(request start answer raw header json sql sql_as workspace key functions route family_path @families
    shape_faults is_shaped is_error is_success log_since log_position postgrest_pids access_since access_position
    finish unhurt slug);

our @families = qw(dashboard engagement activity campaigns public plain);
my %prefix = (dashboard => '/analytics', engagement => '/v1', public => '/api/v1', plain => '');

my $url = $ENV{LA_URL} || 'http://127.0.0.1:8080';
my $state = $ENV{LA_STATE} or die "LA_STATE must name the service's state directory\n";
my $socket = $ENV{LA_SOCKET} || "$state/run";
my ($host, $port) = $url =~ m{^http://([^:/]+):(\d+)} or die "LA_URL must be http://HOST:PORT, not $url\n";
(my $name = basename($0)) =~ s/\.t$//;
my $schema = "http_$name";
my ($pg_log, $access_log, $reloads, $pids);

# --- SQL, as superuser ---------------------------------------------------------------------------------

# The text with $1, $2 … replaced by quoted values; returns what psql prints, unaligned. Dies on an error.
sub sql { return sql_as('postgres', @_) }

sub sql_as
{
    my ($role, $text, @values) = @_;
    if (@values)
    {
        $text =~ s/\$(\d+)/defined $values[$1 - 1] ? "'" . $values[$1 - 1] =~ s{'}{''}gr . "'" : 'NULL'/ge;
    }
    local @ENV{qw(PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS)} = ($socket, 5432, $role, 'leadanalytics', '-c client_min_messages=warning');
    my $file = "/tmp/leadanalytics-http-test.$$.sql";
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;
    my $answer = `psql -X -q -A -t -v ON_ERROR_STOP=1 -f $file 2>&1`;
    my $failed = $?;
    unlink $file;
    die "$answer\nin: $text\n" if $failed;
    chomp $answer;
    return $answer;
}

# slug('other'): the workspace's name in paths, unique to this file.
sub slug { return join '-', "http-$name", @_ }

sub workspace
{
    my $slug = slug(@_);
    return sql('SELECT leadanalytics.create_workspace($1, $1)', $slug);
}

sub key
{
    my ($workspace, $role, %more) = @_;
    return sql('SELECT leadanalytics.create_key($1, $2, member => $3)', $workspace, $role, $more{member});
}

# Functions for the test's routes, in a schema of its own, which is the search_path while they are made.
sub functions
{
    my ($text) = @_;
    sql("CREATE SCHEMA IF NOT EXISTS $schema; GRANT USAGE ON SCHEMA $schema TO leadanalytics_owner;
         SET search_path = $schema, leadanalytics; $text");
}

# route('GET', '/v1/x', 'function', family => …, roles => …; params => [[name, place, type, column => value …] …])
sub route
{
    my ($method, $path, $function, %more) = @_;
    my $params = delete $more{params} || [];
    my %row = (family => 'plain', summary => 'of a test', method => $method, path => $path, function => "$schema.$function", %more);
    my $text = insert('route', %row);
    my $position = 0;
    for my $param (@$params)
    {
        my ($name, $place, $type, %rest) = @$param;
        $text .= insert('route_param', method => $method, path => $path, name => $name, place => $place || 'query',
            arg => $name, type => $type || 'text', position => $position++, %rest);
    }
    sql($text);
}

sub insert
{
    my ($table, %row) = @_;
    my @columns = sort keys %row;
    return sprintf "INSERT INTO leadanalytics.%s (%s) VALUES (%s);\n", $table, join(', ', @columns),
        join(', ', map { my $v = $row{$_}; $v =~ s/'/''/g; "'$v'" } @columns);
}

# family_path('campaigns', 'rest'): a path of that family; the ones with a workspace take ours.
sub family_path
{
    my ($family, $rest, $slug) = @_;
    $slug //= slug();
    return "/api/workspaces/$slug/$rest" if $family eq 'activity';
    return "/api/v1/workspaces/$slug/$rest" if $family eq 'campaigns';
    return "$prefix{$family}/$rest";
}

sub clean
{
    sql("DELETE FROM leadanalytics.route WHERE function LIKE '$schema.%' OR path LIKE '%http-$name%';
         DROP SCHEMA IF EXISTS $schema CASCADE;
         DELETE FROM leadanalytics.rate_class WHERE name LIKE 'http\\_$name%';
         SELECT leadanalytics.set_rate_limit(class, NULL) FROM leadanalytics.rate_limits;
         DELETE FROM leadanalytics.workspace WHERE slug = 'http-$name' OR slug LIKE 'http-$name-%';");
}

# A test asks more often than people may: until the end there are no limits but those it makes.
sub lift_limits { sql('SELECT leadanalytics.set_rate_limit(class, 0) FROM leadanalytics.rate_limits') }

# --- HTTP ------------------------------------------------------------------------------------------------

# request(method, uri, headers, body): headers is a list of "Name: value" lines, or a hash; a body brings
# its Content-Length. One connection a request.
sub request { return answer(start(@_)) }

sub start
{
    my ($method, $uri, $headers, $body) = @_;
    my @lines = ref $headers eq 'HASH' ? map { "$_: $headers->{$_}" } sort keys %$headers : @{ $headers || [] };
    push @lines, 'Host: 127.0.0.1' unless grep { /^host:/i } @lines;
    push @lines, 'Content-Length: ' . length $body if defined $body && !grep { /^(content-length|transfer-encoding):/i } @lines;
    my $sock = send_bytes(join("\r\n", "$method $uri HTTP/1.1", @lines, 'Connection: close', '', '') . ($body // ''));
    return [ $sock, $method ];
}

# What the service says to these bytes: one answer, or all of them (a list) when several are expected.
sub raw
{
    my ($bytes, %how) = @_;
    my $text = read_all(send_bytes($bytes), $how{seconds} || 5, $how{all} ? undef : 'GET');
    return parse($text, 'GET') unless wantarray && $how{all};
    my @answers;
    while (length $text && @answers < 50)
    {
        my $one = parse($text, 'GET');
        push @answers, $one;
        last if !$one->{status} || !length $one->{rest};
        $text = $one->{rest};
    }
    return @answers;
}

sub answer
{
    my ($started, $seconds) = @_;
    my ($sock, $method) = @$started;
    return parse(read_all($sock, $seconds || 25, $method), $method);
}

sub send_bytes
{
    my ($bytes) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Timeout => 5) or die "cannot connect to $url: $!\n";
    local $SIG{PIPE} = 'IGNORE';
    $sock->blocking(0);
    my ($sent, $select) = (0, IO::Select->new($sock));
    while ($sent < length $bytes)
    {
        # An answer that comes before we are done is one: the service refuses the rest.
        my ($readable, $writable) = IO::Select->select($select, $select, undef, 5);
        last if !$writable || (@$readable && $sent > 0 && length $bytes > 100_000);
        my $n = syswrite $sock, $bytes, 65536, $sent;
        last if !defined $n && !$!{EAGAIN};
        $sent += $n || 0;
    }
    return $sock;
}

# Until the end, or with a method until one whole answer to it is there: after a body that it refuses
# nginx keeps the connection for a while.
sub read_all
{
    my ($sock, $seconds, $method) = @_;
    my ($text, $select, $end) = ('', IO::Select->new($sock), time + $seconds);
    while ((my $left = $end - time) > 0)
    {
        $select->can_read($left) or last;
        my $n = sysread $sock, $text, 65536, length $text;
        next if !defined $n && $!{EAGAIN};
        last unless $n;
        last if $method && parse($text, $method)->{whole};
    }
    close $sock;
    return $text;
}

sub parse
{
    my ($text, $method) = @_;
    my $r = { raw => $text, status => 0, lines => [], headers => {}, body => '', rest => '' };
    my ($head, $rest) = $text =~ /^(.*?)\r\n\r\n(.*)$/s or return $r;
    my ($first, @lines) = split /\r\n/, $head;
    $first =~ m{^HTTP/1\.[01] (\d{3})} or return $r;
    $r->{status} = $1;
    $r->{lines} = \@lines;
    for (@lines) { my ($n, $v) = /^([^:]+):\s*(.*)$/ or next; push @{ $r->{headers}{ lc $n } }, $v }
    if ($method eq 'HEAD' || $r->{status} == 204 || $r->{status} == 304) { $r->{rest} = $rest; $r->{whole} = 1 }
    elsif ((header($r, 'Transfer-Encoding') // '') eq 'chunked')
    {
        while ($rest =~ s/^([0-9a-fA-F]+)\r\n//)
        {
            my $length = hex $1;
            $r->{body} .= substr $rest, 0, $length, '';
            $rest =~ s/^\r\n//;
            $r->{whole} = 1, last if $length == 0;
        }
        $r->{rest} = $rest;
    }
    elsif (defined(my $length = header($r, 'Content-Length')))
    {
        $r->{whole} = length $rest >= $length;
        $r->{body} = substr $rest, 0, $length, '';
        $r->{rest} = $rest;
    }
    else { $r->{body} = $rest }
    return $r;
}

# All values of a header joined, undef without one.
sub header
{
    my ($r, $name) = @_;
    my $values = $r->{headers}{ lc $name } or return undef;
    return join ', ', @$values;
}

sub json { return eval { JSON::PP->new->utf8->allow_nonref->decode($_[0]{body}) } }

# --- What every answer must look like ----------------------------------------------------------------------

# All that is wrong with an answer of the family, as a list of words.
sub shape_faults
{
    my ($r, $family) = @_;
    my @faults;
    return ("no answer: " . substr($r->{raw}, 0, 200)) unless $r->{status};
    push @faults, 'HTML' if $r->{body} =~ /<html/i;
    push @faults, "header $_" for grep { header($r, $_) } qw(Content-Location Set-Cookie X-LA X-LA-Body X-Accel-Redirect Proxy-Status);
    push @faults, 'Content-Range of PostgREST' if header($r, 'Content-Range') && $r->{status} != 206;
    push @faults, 'Server: ' . (header($r, 'Server') // '') if (header($r, 'Server') // '') ne 'nginx';
    push @faults, 'X-Content-Type-Options' unless (header($r, 'X-Content-Type-Options') // '') eq 'nosniff';
    push @faults, 'X-Request-Id' unless (header($r, 'X-Request-Id') // '') =~ /^[A-Za-z0-9._-]{1,64}$/;
    push @faults, "$_ twice" for grep { @{ $r->{headers}{$_} } > 1 && $_ ne 'vary' } keys %{ $r->{headers} };
    if ($r->{status} >= 400)
    {
        push @faults, 'Content-Type: ' . (header($r, 'Content-Type') // 'none')
            unless (header($r, 'Content-Type') // '') eq 'application/json';
        push @faults, body_faults($r, $family) unless $r->{body} eq '' && $r->{head};
    }
    elsif ((header($r, 'Content-Type') // '') eq 'application/json' && $r->{body} ne '')
    {
        push @faults, 'no JSON: ' . substr($r->{body}, 0, 100) unless defined json($r) || $r->{body} eq 'null';
    }
    return @faults;
}

sub body_faults
{
    my ($r, $family) = @_;
    my $body = json($r);
    return 'no JSON object: ' . substr($r->{body}, 0, 100) unless ref $body eq 'HASH';
    (my $bare = $r->{body}) =~ s/"(?:[^"\\]|\\.)*"//g;
    my @faults = $bare =~ /\s/ ? ('JSON is not compact') : ();
    my $names = join ',', sort keys %$body;
    if ($family eq 'engagement')
    {
        push @faults, "members $names" unless $names =~ /^(errors,)?message,meta,status,success$/;
        push @faults, 'success' if $body->{success};
        push @faults, "another status in the body" unless ($body->{status} // 0) == $r->{status};
        push @faults, 'message' unless length($body->{message} // '');
        my $meta = ref $body->{meta} eq 'HASH' ? $body->{meta} : {};
        push @faults, 'meta' unless ($meta->{version} // '') eq 'v1' && keys %$meta == 2;
        push @faults, 'meta.timestamp' unless ($meta->{timestamp} // '') =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
    }
    elsif ($family eq 'campaigns')
    {
        push @faults, "members $names" unless $names eq 'error,success';
        push @faults, 'success' if $body->{success};
        my $error = ref $body->{error} eq 'HASH' ? $body->{error} : {};
        push @faults, 'error' unless join(',', sort keys %$error) eq 'code,message' && $error->{code} =~ /^[A-Z_]+$/ && length $error->{message};
    }
    else
    {
        push @faults, "members $names" unless $names eq 'error' && !ref $body->{error} && length $body->{error};
    }
    return @faults;
}

sub is_shaped
{
    my ($r, $family, $name) = @_;
    my @faults = shape_faults($r, $family);
    ok(!@faults, $name) or diag(join "\n", @faults, substr $r->{raw}, 0, 600);
}

# An error of that status and, where given, text; in the family's shape.
sub is_error
{
    my ($r, $family, $status, $message, $name) = @_;
    my @faults = shape_faults($r, $family);
    push @faults, "status $r->{status}, not $status" unless $r->{status} == $status;
    my $body = json($r);
    my $said = ref $body ne 'HASH' ? '' : $family eq 'engagement' ? $body->{message} : ref $body->{error} ? $body->{error}{message} : $body->{error};
    push @faults, "'$said', not '$message'" if defined $message && $said ne $message;
    ok(!@faults, $name) or diag(join "\n", @faults, substr $r->{raw}, 0, 600);
}

# 2xx or 3xx in the family's shape; returns the data.
sub is_success
{
    my ($r, $family, $status, $name) = @_;
    my @faults = shape_faults($r, $family);
    push @faults, "status $r->{status}, not $status" unless $r->{status} == $status;
    ok(!@faults, $name) or diag(join "\n", @faults, substr $r->{raw}, 0, 600);
    my $body = json($r);
    return $family eq 'engagement' || $family eq 'campaigns' ? $body->{data} : $body;
}

# --- What the servers say --------------------------------------------------------------------------------

sub read_from
{
    my ($file, $position) = @_;
    open my $in, '<', $file or die "$file: $!";
    seek $in, $position, 0;
    local $/;
    return <$in> // '';
}

sub position { my ($pattern) = @_; return { map { $_ => -s $_ } glob qq("$state/log/$pattern") } }
sub since { my ($pattern, $position) = @_; return join '', map { read_from($_, $position->{$_} || 0) } sort glob qq("$state/log/$pattern") }

sub log_position { return position('postgresql-*.log') }

# PostgreSQL's log since then; with a pattern, waits a moment until it is there.
sub log_since
{
    my ($position, $pattern) = @_;
    my $text;
    for (1 .. 40)
    {
        $text = since('postgresql-*.log', $position);
        last if !defined $pattern || $text =~ $pattern;
        sleep 0.05;
    }
    return $text;
}

sub access_position { return position('access.log') }

# nginx's access log since then, as objects, once $there->(them) is true: each worker writes when its
# buffer is a second old.
sub access_since
{
    my ($position, $there) = @_;
    my @lines;
    for (1 .. 80)
    {
        @lines = map { JSON::PP->new->latin1->decode($_) } since('access.log', $position) =~ /^(.*)\n/mg;
        last if $there->(@lines);
        sleep 0.05;
    }
    return @lines;
}

# ro, rw: the process ids, found by their command lines.
sub postgrest_pids
{
    my %pids;
    for my $dir (glob '/proc/[0-9]*')
    {
        open my $in, '<', "$dir/cmdline" or next;
        local $/;
        my @words = split /\0/, <$in> // '';
        next unless @words == 2 && $words[1] =~ m{^\Q$state\E/etc/postgrest-(r[ow])\.conf$};
        my $side = $1;
        $pids{$side} = $dir =~ s{.*/}{}r;
    }
    return \%pids;
}

sub schema_loads { my $text = since('postgrest-r?.log', {}); return scalar(() = $text =~ /Schema cache loaded/g) }

# Nothing was harmed: healthy, the same processes, nothing alarming in the log, no schema reload.
sub unhurt
{
    my ($name) = @_;
    is(request('GET', '/healthz')->{status}, 200, "$name: healthy");
    is_deeply(postgrest_pids(), $pids, "$name: PostgREST's processes are the same");
    my @alarms = log_since($pg_log) =~ /^(.*(?:PANIC|FATAL|terminated by signal).*)$/mg;
    is("@alarms", '', "$name: nothing alarming in PostgreSQL's log");
    is(schema_loads(), $reloads, "$name: PostgREST did not reload its schema");
}

my $finished;

sub finish
{
    my (%how) = @_;
    unhurt('at the end') unless $how{hurt};
    clean();
    $finished = 1;
    done_testing();
}

END
{
    local $?;
    eval { clean() } unless $finished || !defined $name;
}

clean();
lift_limits();
$pg_log = log_position();
$reloads = schema_loads();
$pids = postgrest_pids();
1;
