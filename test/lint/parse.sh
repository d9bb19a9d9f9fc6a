#!/bin/bash
# Every shell script parses, and none is left without its "#!" or, when it is only read by another, its mark.
cd "$(dirname "$0")/../.." || exit 1
bad=0
while IFS= read -r file; do
    bash -n "$file" || bad=1
    head -1 "$file" | grep -qE '^#(!/bin/bash|!/usr/bin/env bash| shellcheck shell=bash)' || { echo "$file: the first line says no shell"; bad=1; }
done < <(find leadanalytics .ci/run src test -type f \( -name '*.sh' -o -name leadanalytics -o -name run \) ! -path '*/node_modules/*' 2> /dev/null)
exit $bad
