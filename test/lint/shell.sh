#!/bin/bash
# Shell scripts are read by shellcheck; the command's parts as the one script they are.
command -v shellcheck >/dev/null || exit 77
parts=$(sed -n 's/^for part in \(.*\); do$/\1/p' leadanalytics)
for part in $parts; do cat "src/command/$part.sh"; done |
    { echo 'source_dir=. command="" arguments=()'; cat; } |
    shellcheck -s bash -e SC2034,SC2154,SC2016 - || exit 1
shellcheck -e SC1090,SC1091,SC2154 leadanalytics .ci/run test/lint/*.sh
