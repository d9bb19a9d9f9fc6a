#!/bin/bash
# A room includes headers of rooms before it in ROOMS, never of those after it.
cd "$(dirname "$0")/../.." || exit 1
read -r -a rooms <<< "$(sed -n 's/^ROOMS = //p' pgxs.mk)"
[ ${#rooms[@]} -gt 1 ] || { echo "pgxs.mk: no ROOMS"; exit 1; }
bad=0
for ((i = 0; i < ${#rooms[@]}; i++)); do
    for later in "${rooms[@]:i + 1}"; do
        grep -n "#include \"$later/" "src/${rooms[i]}"/*.[ch] 2> /dev/null && bad=1
    done
done
for folder in $(find src -name '*.c' -printf '%h\n' | sort -u | sed 's|^src/\?||'); do
    [[ " ${rooms[*]} " == *" $folder "* ]] || { echo "src/$folder holds C and is no room of pgxs.mk"; bad=1; }
done
exit $bad
