#!/bin/bash
# The questions of the engagement family among --events N (10 millions) events, half of them of the web and half of mail, with
# a lead to fifty of them: each beside the same answer from the rows alone (leadanalytics.exact), which has to be the same.
# Run by ./leadanalytics bench engagement, which starts the servers and sets LA_*. See README.md.
set -euo pipefail
all=${LA_BENCH_EVENTS:-10000000}
exact_rounds=${LA_BENCH_PLAIN_ROUNDS:-1}
exact_limit=${LA_BENCH_SECONDS:-60}s
LA_BENCH_EVENTS=$((all / 2))
# shellcheck source=test/bench/dataset.sh
. "$LA_SOURCE/test/bench/dataset.sh"

part_mail() {
    said "leads, and mail to them"
    sql -At -o /dev/null -v ends="$ends" -v leads=$((all / 50)) -v messages=$((all / 9)) -f "$here/../engagement/dataset.sql"
    sql -o /dev/null -c 'VACUUM (ANALYZE)' -c CHECKPOINT
}

part_ask() {
    said "asking"
    sql -At -F ' | ' -v ends="$ends" -v days="$days" -v rounds="$rounds" -v exact_rounds="$exact_rounds" -v exact_limit="$exact_limit" -f "$here/../engagement/questions.sql"
}

part_dataset
part_fold
part_mail
part_ask
said "done"
