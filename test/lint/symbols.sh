#!/bin/bash
# What the library exports is what SQL calls, what starts a worker, and the two names PostgreSQL looks for.
cd "$(dirname "$0")/../.." || exit 1
library=leadanalytics.so
[ -f $library ] || library=$("${PG_CONFIG:-pg_config}" --pkglibdir)/leadanalytics.so
[ -f "$library" ] || { echo "$library is missing: run make first"; exit 1; }
wanted() {
    sed -n "s/.*'MODULE_PATHNAME', *'\(la_[a-z0-9_]*\)'.*/\1\npg_finfo_\1/p" src/*/*.sql
    sed -n 's/.*bgw_function_name = "\(.*\)".*/\1/p' src/*/*.c
    printf '%s\n' Pg_magic_func _PG_init
}
diff <(wanted | sort -u) <(nm -D --defined-only "$library" | awk '{print $3}' | sort) |
    sed -n 's/^</not exported, though SQL or a worker names it:/p; s/^>/exported, though nothing names it:/p' | grep . && exit 1
exit 0
