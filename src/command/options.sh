# shellcheck shell=bash
# The command line, and the state directory's layout.

usage() {
    cat <<'TEXT'
usage: leadanalytics COMMAND [OPTIONS]

  up                 install what is missing, build, start everything, print keys and curl lines;
                     again: changes nothing, or brings back what is gone
  down               stop the servers, keep the data
  status             each server, leadanalytics.status(), where the logs are; exit code 0 if all is well
  psql [ARGS]        psql in our database, as superuser
  import FILE        read a web server's log in combined format, or a CSV of events (FILE.gz too;
                     - is standard input); again: goes on where it stopped, or where the file has grown
  check [--long]     build, lint and test everything on servers of its own
  bench [NAME]       run test/bench/NAME.sh (default: engine) on servers of its own; --events N: of so many events;
                     --peers: engine also asks other databases
  build              build and install the extension, start nothing
  reset              down, then delete all data

options:
  --port N           where nginx listens on 127.0.0.1 (default: the last one, at first 8080)
  --state-dir DIR    data, logs, sockets, settings (default: /var/lib/leadanalytics for root,
                     ~/.local/state/leadanalytics for others)
  --workspace SLUG   import: into which workspace (default: demo)
  --format FORMAT    import: log or csv (default: what the first line looks like)
  --source NAME      import: what the file is known by (default: its first line)
  --yes              reset: do not ask
  --help
TEXT
}

usage_error() { fail "$1" "see: leadanalytics --help"; }

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }

parse_options() {
    command='' port='' state='' workspace=demo import_format='' import_source='' long='' yes='' bench_events='' peers=''
    arguments=()
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help) usage; exit 0 ;;
            --port | --state-dir | --workspace | --format | --source | --events)
                [ $# -ge 2 ] || usage_error "$1 needs a value"
                set_option "$1" "$2"
                shift
                ;;
            --port=* | --state-dir=* | --workspace=* | --format=* | --source=* | --events=*) set_option "${1%%=*}" "${1#*=}" ;;
            --long) long=1 ;;
            --yes) yes=1 ;;
            --peers) peers=1 ;;
            *)
                if [ -z "$command" ]; then
                    command=$1
                    # What follows psql is psql's, but for our own options before it.
                    if [ "$command" = psql ]; then
                        shift
                        take_psql_arguments "$@"
                        break
                    fi
                else
                    arguments+=("$1")
                fi
                ;;
        esac
        shift
    done
    case $command in
        up | down | status | check | build | reset) [ ${#arguments[@]} -eq 0 ] || usage_error "$command takes no \"${arguments[0]}\"" ;;
        import) [ ${#arguments[@]} -eq 1 ] || usage_error "import takes one file" ;;
        bench)
            [ ${#arguments[@]} -le 1 ] || usage_error "bench takes one name"
            arguments=("${arguments[0]:-engine}")
            ;;
        psql) ;;
        '') usage >&2; exit 2 ;;
        *) usage_error "no command \"$command\"" ;;
    esac
    case $command in check | bench) ;; *) place_state "${state:-$(default_state)}" ;; esac
}

set_option() {
    case $1 in
        --port)
            is_port "$2" || usage_error "--port must be from 1 to 65535, not \"$2\""
            port=$2
            ;;
        --state-dir) [ -n "$2" ] || usage_error "--state-dir needs a directory"; state=$2 ;;
        --workspace) workspace=$2 ;;
        --format)
            case $2 in log | csv) ;; *) usage_error "--format must be log or csv, not \"$2\"" ;; esac
            import_format=$2
            ;;
        --source) [ -n "$2" ] || usage_error "--source needs a name"; import_source=$2 ;;
        --events)
            [[ $2 =~ ^[1-9][0-9]{3,8}$ ]] || usage_error "--events must be from 1000 to 999999999, not \"$2\""
            bench_events=$2
            ;;
    esac
}

take_psql_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --state-dir=*) state=${1#*=} ;;
            --state-dir) [ $# -ge 2 ] || usage_error "$1 needs a value"; state=$2; shift ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
}

default_state() {
    if is_root; then
        echo /var/lib/leadanalytics
    else
        echo "${XDG_STATE_HOME:-$HOME/.local/state}/leadanalytics"
    fi
}

# Names everything in the state directory. The path goes into the configuration of four programs, each
# with its own quoting, and into socket addresses, which the system limits to 107 bytes.
place_state() {
    state=$(realpath -m -- "$1")
    case $state in
        *[\"\'\\\$\;{}#%*?\`]* | *[[:cntrl:]]* | *'['* | *']'*)
            fail "the state directory's path may not hold quotes, control characters or any of \\ \$ ; { } # % * ? [ ] \`" \
                "choose another: --state-dir DIR" ;;
    esac
    [ "$(printf %s "$state" | wc -c)" -le 80 ] ||
        fail "the state directory's path is longer than 80 bytes, too long for the sockets in it: $state" \
            "choose a shorter one: --state-dir DIR"
    mark=$state/.leadanalytics
    pg=$state/pg
    run=$state/run
    logs=$state/log
    etc=$state/etc
    homes=$state/home
    build=$state/build
    keys=$state/keys
    postgrest=$state/bin/postgrest
}

# The port: asked for, else the one of last time, else 8080.
choose_port() {
    if [ -z "$port" ] && [ -r "$etc/port" ]; then
        read -r port <"$etc/port" || true
        is_port "$port" || port=''
    fi
    port=${port:-8080}
}
