#!/bin/bash
# C as .clang-format says, so that a difference is a change. Version 14, Debian 12's: others break lines elsewhere.
cd "$(dirname "$0")/../.." || exit 1
format=$(command -v clang-format-14 || command -v clang-format) || { echo "clang-format is missing: apt-get install clang-format-14"; exit 77; }
"$format" --dry-run src/*.c src/*/*.[ch] 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning: .*/: not formatted/p' | uniq | grep . && exit 1
exit 0
