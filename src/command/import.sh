# shellcheck shell=bash
# import FILE: a web server's log in combined format, in chunks of 10 000 lines and one
# transaction: a session that crosses the edge of a chunk stays one.

import_chunk=10000

cmd_import() {
    local file=${arguments[0]} id chunk=0 lines=0 accepted=0 duplicates=0 rejected=0 kind a b c begun=$SECONDS told=$SECONDS
    [ -e "$mark" ] || fail "not set up: $state does not exist" "start it: leadanalytics up"
    postgres_answers || fail "PostgreSQL does not answer" "start it: leadanalytics up"
    if [ "$file" != - ]; then
        if [ ! -f "$file" ] || [ ! -r "$file" ]; then fail "cannot read $file" "name a log file, or - for standard input"; fi
    fi
    id=$(sql -v slug="$workspace" <<<"SELECT id FROM leadanalytics.workspace WHERE slug = :'slug'")
    [ -n "$id" ] || fail "no workspace \"$workspace\"" "those there are: $(sql -c "SELECT string_agg(slug, ', ' ORDER BY slug) FROM leadanalytics.workspace")"
    import_log=$(mktemp)
    at_exit remove_import_log
    while IFS=$'\t' read -r kind a b c; do
        case $kind in
            chunk)
                chunk=$((chunk + 1))
                lines=$((lines + a)) accepted=$((accepted + b)) duplicates=$((duplicates + c))
                [ $((SECONDS - told)) -lt 2 ] || {
                    told=$SECONDS
                    printf '… %d lines, %d accepted, %d duplicates, %d rejected, %d s\n' "$lines" "$accepted" "$duplicates" \
                        "$rejected" $((SECONDS - begun)) >&2
                }
                ;;
            rejected)
                rejected=$((rejected + 1))
                printf 'line %s: %s\n' "$a" "$b"
                ;;
            end) chunk=end ;;
        esac
    done < <(import_stream "$file" | sql -F $'\t' -v workspace="$id" 2>>"$import_log")
    if [ "$chunk" != end ]; then
        fail "the import failed after $lines lines and nothing of it was kept: $(grep -m 1 . "$import_log" || true)" \
            "Mend that and start it again."
    fi
    say "$lines lines: $accepted accepted, $duplicates duplicates, $rejected rejected"
}

remove_import_log() { rm -f -- "$import_log"; }

import_stream() {
    perl "$source_dir/src/command/import.pl" "$1" "$import_chunk" 2>>"$import_log"
}
