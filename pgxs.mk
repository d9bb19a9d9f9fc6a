# The build. A room is a folder of src/; its place in ROOMS is its place in the house: a room may
# use the rooms before it, never the ones after it.
ROOMS = core worker tenant geo agent policy bitmap rollup realtime track webhook conversion ads leads report activity campaigns engagement predict export privacy http schedule

EXTENSION = leadanalytics
LA_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" leadanalytics.control)
SQL_SCRIPT = build/leadanalytics--$(LA_VERSION).sql

MODULE_big = leadanalytics
OBJS = src/leadanalytics.o $(patsubst %.c,%.o,$(sort $(wildcard $(ROOMS:%=src/%/*.c))))
UPDATES = $(patsubst updates/%.sql,build/leadanalytics--%.sql,$(wildcard updates/*--*.sql))
DATA_built = $(SQL_SCRIPT) $(UPDATES)
SHLIB_LINK += -lmaxminddb -lyaml -lpcre2-8 -lz -lcurl -llinear
EXTRA_CLEAN = build $(OBJS:.o=.d)

# The install script is all state first, then all functions: a room's functions may name any table.
# grants.sql closes it.
STATE = $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.tables.sql))
FUNCTIONS = $(filter-out $(STATE),$(foreach room,$(ROOMS),$(wildcard src/$(room)/*.sql))) src/grants.sql

# sql/<room>.sql and sql/<room>_<what>.sql, in the order of the house.
TESTS = $(sort $(notdir $(basename $(wildcard sql/*.sql))))
REGRESS = $(foreach room,$(ROOMS) leadanalytics,$(filter $(room) $(room)_%,$(TESTS)))
REGRESS_OPTS = --load-extension=leadanalytics
ISOLATION = $(notdir $(basename $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=leadanalytics

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Only what SQL calls is exported: everything is hidden but the symbols LA_FUNCTION declares.
override CFLAGS += -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
	-fvisibility=hidden -MMD -MP
override CPPFLAGS += -Isrc -DLA_VERSION='"$(LA_VERSION)"' -DPGDLLEXPORT='__attribute__((visibility("default")))'
# Sets are united as fast as loops over words run.
src/bitmap/bitmap.o src/bitmap/stored.o: CFLAGS += $(CFLAGS_UNROLL_LOOPS) $(CFLAGS_VECTORIZE)
-include $(OBJS:.o=.d)
src/core/core.o src/core/core.bc: leadanalytics.control

$(SQL_SCRIPT): $(STATE) $(FUNCTIONS) leadanalytics.control pgxs.mk
	@mkdir -p $(@D)
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION leadanalytics" to load this file. \quit'; \
	   for part in $(STATE) $(FUNCTIONS); do printf '\n-- %s\n' "$$part"; cat "$$part"; done; } > $@

# updates/<from>--<to>.sql; what it adds gets its owner the same way.
$(UPDATES): build/leadanalytics--%.sql: updates/%.sql src/grants.sql pgxs.mk
	@mkdir -p $(@D)
	@{ printf '%s\n' '\echo Use "ALTER EXTENSION leadanalytics UPDATE" to load this file. \quit'; \
	   for part in $< src/grants.sql; do printf '\n-- %s\n' "$$part"; cat "$$part"; done; } > $@
