#!/bin/bash
# A file is one idea: past 600 lines it is split by phase.
cd "$(dirname "$0")/../.." || exit 1
mapfile -t files < <(find src sql test updates leadanalytics pgxs.mk -type f \
    ! -name '*.o' ! -name '*.bc' ! -name '*.d' ! -name '*.json' ! -name '*.gz' ! -path '*/node_modules/*' 2> /dev/null)
wc -l "${files[@]}" | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines" }' | grep . && exit 1
exit 0
