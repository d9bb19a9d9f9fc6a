#!/bin/bash
# The install script creates and never takes over: CREATE OR REPLACE or IF NOT EXISTS would accept an object
# that somebody else put there, and give it our rights (CVE-2022-2625). No @extschema@ either (CVE-2023-39417).
# (plpgsql's IF NOT EXISTS (SELECT …) is another thing.)
cd "$(dirname "$0")/../.." || exit 1
for file in src/*.sql src/*/*.sql; do
    [[ $file == src/command/* ]] || sed 's/--.*//' "$file" | grep -inE '\bOR +REPLACE\b|\bIF +NOT +EXISTS +[^( ]|@extschema' | sed "s|^|$file:|"
done | grep . && exit 1
exit 0
