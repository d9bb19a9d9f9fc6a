# shellcheck shell=bash
# import FILE: what it needs is looked at here; the import itself is import.pl.

cmd_import() {
    local file=${arguments[0]} id
    [ -e "$mark" ] || fail "not set up: $state does not exist" "start it: leadanalytics up"
    postgres_answers || fail "PostgreSQL does not answer" "start it: leadanalytics up"
    if [ "$file" != - ]; then
        if [ ! -f "$file" ] || [ ! -r "$file" ]; then
            fail "cannot read $file" "name a log or CSV file, or - for standard input"
        fi
    fi
    id=$(sql -v slug="$workspace" <<<"SELECT id FROM leadanalytics.workspace WHERE slug = :'slug'")
    [ -n "$id" ] || fail "no workspace \"$workspace\"" "those there are: $(sql -c "SELECT string_agg(slug, ', ' ORDER BY slug) FROM leadanalytics.workspace")"
    psql_words
    exec perl "$source_dir/src/command/import.pl" "$file" "$id" "$import_format" "$import_source" \
        "${LEADANALYTICS_IMPORT_CHUNK:-10000}" "${psql[@]}"
}
