# shellcheck shell=bash
# Words the other files speak: what is printed, how a failure sounds, who runs what, and what is undone
# at the end however it comes.

umask 022
unset "${!PG@}" # a caller's PGHOST or PGOPTIONS would lead our clients elsewhere
unset CDPATH
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # nginx lives there, a user's PATH does not

say() { printf '%s\n' "$*"; }

# Said before whatever may take longer than two seconds.
step() { printf '… %s\n' "$*" >&2; }

warn() { printf 'leadanalytics: %s\n' "$*" >&2; }

# fail WHAT [WHERE OR REMEDY]...: one line each.
fail() {
    printf 'leadanalytics: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
    exit 1
}

# logged LOG WHAT REMEDY COMMAND...: run it quietly; when it fails, show the end of the log and stop.
logged() {
    local log=$1 what=$2 remedy=$3
    shift 3
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 12 "$log" | sed 's/^/  | /' >&2
        fail "$what" "log: $log" "$remedy"
    fi
}

# Functions that undo something, last first, at exit, error or signal.
undo=()
at_exit() { undo+=("$1"); }
run_undo() {
    local i status=$?
    trap - EXIT
    trap '' INT TERM HUP
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
        "${undo[i]}" || true
    done
    exit "$status"
}
trap run_undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

caller=$(id -un)
is_root() { [ "$(id -u)" -eq 0 ]; }

# The user that servers run as.
if is_root; then server_user=postgres; else server_user=$caller; fi

as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root: $*" "run it as root, or install sudo"
    fi
}

# setpriv and not su or runuser: no PAM session, no shell, and the process keeps its pid.
as_server() {
    if [ "$server_user" = "$caller" ]; then
        (cd / && "$@")
    else
        (cd / && exec setpriv --reuid "$server_user" --regid "$(id -g "$server_user")" --init-groups \
            env -u XDG_RUNTIME_DIR HOME=/nonexistent USER="$server_user" LOGNAME="$server_user" "$@")
    fi
}

# render TEMPLATE NAME VALUE ...: the file with every @NAME@ filled in.
render() {
    local text
    text=$(cat -- "$1")
    shift
    while [ $# -gt 0 ]; do
        text=${text//"@$1@"/"$2"}
        shift 2
    done
    printf '%s\n' "$text"
}

# write_if_changed FILE: put standard input into FILE; false when it already said that.
write_if_changed() {
    local new
    new=$(cat)
    if [ -f "$1" ] && [ "$new" = "$(cat -- "$1")" ]; then
        return 1
    fi
    printf '%s\n' "$new" >"$1.new"
    mv -f -- "$1.new" "$1"
}
