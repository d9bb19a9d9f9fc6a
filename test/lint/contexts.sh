#!/bin/bash
# The context's names that the door binds are the ones that leadanalytics.route_param keeps requests from saying.
cd "$(dirname "$0")/../.." || exit 1
door=$(sed -n 's/.*\[LA_CONTEXT_[A-Z_]*\] = {"\([a-z_]*\)".*/\1/p' src/http/route.c | sort)
table=$(sed -n '/context_is_not_a_requests_to_say/,/))/p' src/core/core.tables.sql | grep -o "'[a-z_]*'" | tr -d "'" | sort)
[ -n "$door" ] || { echo "src/http/route.c: no context names found: adapt this lint"; exit 1; }
diff <(echo "$door") <(echo "$table") | sed -n 's/^</only in src\/http\/route.c:/p; s/^>/only in src\/core\/core.tables.sql:/p' | grep . && exit 1
exit 0
