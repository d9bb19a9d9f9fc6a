/*
 * Which window a request spends; the contract is in limit.h. An IPv6 address stands for its /64: that is what
 * one customer of a network has, and could take a new address from for every request.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "core/export.h"
#include "core/query.h"
#include "realtime/limit.h"
#include "realtime/limit_window.h"

#define UNIX_EPOCH ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY)

static const char *const pers[] = {
    [LA_RATE_KEY] = "key",
    [LA_RATE_WORKSPACE] = "workspace",
    [LA_RATE_IP] = "ip",
    [LA_RATE_WORKSPACE_IP] = "workspace_ip",
};

static const uint8 v4_in_v6[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static LaQuery read_classes = {"SELECT class, per, requests, seconds, family, method, spares_whitelisted "
                               "FROM leadanalytics.rate_limits"};

void
la_limit_init(void)
{
	la_window_init();
}

/* As hashtextextended(name, 0) has it. */
static uint64
number_of(const char *name)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) name, strlen(name), 0));
}

static LaRatePer
per_named(const char *name)
{
	for (int i = 0; i < lengthof(pers); i++)
		if (strcmp(pers[i], name) == 0)
			return i;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no rate limit is per \"%s\"", name),
	                errhint("Limits are per key, workspace, ip or workspace_ip.")));
}

List *
la_rate_classes(void)
{
	List *classes = NIL;
	uint64 count = la_query_run(&read_classes, NULL, NULL, true, 0);
	SPITupleTable *rows = SPI_tuptable;

	for (uint64 row = 0; row < count; row++)
	{
		LaRateClass *class = palloc(sizeof(LaRateClass));
		bool isnull;

		class->name = TextDatumGetCString(la_query_value(row, 1, &isnull));
		class->number = number_of(class->name);
		class->per = per_named(TextDatumGetCString(la_query_value(row, 2, &isnull)));
		class->requests = DatumGetInt32(la_query_value(row, 3, &isnull));
		class->seconds = DatumGetInt32(la_query_value(row, 4, &isnull));
		class->family = SPI_getvalue(rows->vals[row], rows->tupdesc, 5);
		class->method = SPI_getvalue(rows->vals[row], rows->tupdesc, 6);
		class->spares_whitelisted = DatumGetBool(la_query_value(row, 7, &isnull));
		classes = lappend(classes, class);
	}
	SPI_freetuptable(rows);
	return classes;
}

const LaRateClass *
la_rate_class_named(List *classes, const char *name)
{
	ListCell *cell;

	foreach (cell, classes)
		if (strcmp(((LaRateClass *) lfirst(cell))->name, name) == 0)
			return lfirst(cell);
	return NULL;
}

const LaRateClass *
la_rate_class_of_family(List *classes, const char *family, const char *method)
{
	ListCell *cell;

	foreach (cell, classes)
	{
		const LaRateClass *class = lfirst(cell);

		if (class->family != NULL && strcmp(class->family, family) == 0 &&
		    (class->method == NULL || strcmp(class->method, method) == 0))
			return class;
	}
	return NULL;
}

static void
own_by_ip(LaWindowOwner *owner, Datum ip)
{
	const inet *address = DatumGetPointer(ip) ? DatumGetInetPP(ip) : NULL;

	owner->of_an_ip = 1;
	if (address == NULL)
		return;
	if (ip_family(address) == PGSQL_AF_INET)
	{
		memcpy(owner->ip, v4_in_v6, sizeof(v4_in_v6));
		memcpy(owner->ip + sizeof(v4_in_v6), ip_addr(address), 4);
	}
	else
		memcpy(owner->ip, ip_addr(address),
		       memcmp(ip_addr(address), v4_in_v6, sizeof(v4_in_v6)) == 0 ? 16 : 8);
}

static LaWindowOwner
owner_of(const LaRateClass *class, const LaKey *key, Datum ip)
{
	LaWindowOwner owner = {.class = class ? class->number : 0, .database = MyDatabaseId};

	owner.workspace = key ? key->workspace : 0;
	if (key != NULL && key->per_minute > 0)
	{
		owner.seconds = SECS_PER_MINUTE;
		owner.key = key->id;
		return owner;
	}
	owner.seconds = class->seconds;
	if (class->per == LA_RATE_IP)
		owner.workspace = 0;
	if (class->per == LA_RATE_KEY && key != NULL)
		owner.key = key->id;
	if (key == NULL || class->per == LA_RATE_IP || class->per == LA_RATE_WORKSPACE_IP)
		own_by_ip(&owner, ip);
	return owner;
}

static int
limit_of(const LaRateClass *class, const LaKey *key)
{
	if (key != NULL && key->per_minute >= 0)
		return key->per_minute;
	return class ? class->requests : 0;
}

LaRate
la_rate_spend(const LaRateClass *class, const LaKey *key, Datum ip, TimestampTz now, bool look)
{
	LaRate rate = {.limit = limit_of(class, key)};
	int64 second = now / USECS_PER_SEC - (now % USECS_PER_SEC < 0) + UNIX_EPOCH;
	LaWindowOwner owner;
	LaWindow window;

	if (rate.limit == 0)
		return rate;
	owner = owner_of(class, key, ip);
	rate.limited = true;
	rate.refused = !la_window_count(&owner, second, rate.limit, look, &window);
	rate.remaining = Max(rate.limit - (int64) window.count, 0);
	rate.reset = window.ends;
	rate.wait = Max(window.ends - second, 1);
	return rate;
}

/* (class, per, requests, seconds, workspace, key, per_minute, ip, now) → (refused, limit, remaining, reset)
 */
LA_FUNCTION(la_limit_spend_rate)
{
	LaRateClass class = {0};
	LaKey key = {.per_minute = -1};
	bool has_class = !PG_ARGISNULL(0);
	bool has_key = !PG_ARGISNULL(5);
	TupleDesc desc;
	Datum values[4] = {0};
	bool nulls[4] = {false, true, true, true};
	LaRate rate;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (has_class)
	{
		class.number = number_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
		class.per = per_named(PG_ARGISNULL(1) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(1)));
		class.requests = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
		class.seconds = PG_ARGISNULL(3) ? SECS_PER_MINUTE : PG_GETARG_INT32(3);
	}
	key.workspace = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4);
	key.id = has_key ? PG_GETARG_INT64(5) : 0;
	if (!PG_ARGISNULL(6))
		key.per_minute = PG_GETARG_INT32(6);
	if (class.requests < 0 || (has_class && (class.seconds < 1 || class.seconds > SECS_PER_DAY)) ||
	    PG_ARGISNULL(8) || TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(8)) || PG_GETARG_TIMESTAMPTZ(8) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("no window has such a limit, length or moment"),
		                errhint("Requests from 0, seconds from 1 to 86400, a moment since 2000.")));
	rate = la_rate_spend(has_class ? &class : NULL, has_key ? &key : NULL,
	                     PG_ARGISNULL(7) ? (Datum) 0 : PG_GETARG_DATUM(7), PG_GETARG_TIMESTAMPTZ(8), false);
	values[0] = BoolGetDatum(rate.refused);
	if (rate.limited)
	{
		values[1] = Int32GetDatum(rate.limit);
		values[2] = Int32GetDatum(rate.remaining);
		values[3] = Int64GetDatum(rate.reset);
		memset(nulls, false, sizeof(nulls));
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* The address a window is of: a network for IPv6. */
static Datum
ip_of(const LaWindowOwner *owner)
{
	inet *ip = palloc0(sizeof(inet));
	bool is_v4 = memcmp(owner->ip, v4_in_v6, sizeof(v4_in_v6)) == 0;

	ip_family(ip) = is_v4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
	ip_bits(ip) = is_v4 ? 32 : 64;
	memcpy(ip_addr(ip), owner->ip + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
	SET_INET_VARSIZE(ip);
	return InetPGetDatum(ip);
}

/* → rows of (class, workspace, key, ip, seconds, requests, refused, ends) */
LA_FUNCTION(la_limit_rate_slots)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int count;
	LaWindow *windows;

	InitMaterializedSRF(fcinfo, 0);
	windows = la_window_list(MyDatabaseId, timestamptz_to_time_t(GetCurrentTimestamp()), &count);
	for (int i = 0; i < count; i++)
	{
		const LaWindow *window = &windows[i];
		const LaWindowOwner *owner = &window->owner;
		Datum values[] = {
		    UInt64GetDatum(owner->class),   Int32GetDatum(owner->workspace),
		    Int64GetDatum(owner->key),      owner->of_an_ip ? ip_of(owner) : (Datum) 0,
		    Int32GetDatum(owner->seconds),  Int32GetDatum(window->count),
		    Int32GetDatum(window->refused), TimestampTzGetDatum(time_t_to_timestamptz(window->ends)),
		};
		bool nulls[] = {
		    false, owner->workspace == 0, owner->key == 0, owner->of_an_ip == 0, false, false, false, false,
		};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* → (refused, uncounted), nulls without shared memory */
LA_FUNCTION(la_limit_rate_counters)
{
	TupleDesc desc;
	uint64 refused, uncounted;
	bool nulls[2] = {!la_window_shared(), !la_window_shared()};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	la_window_totals(&refused, &uncounted);
	return HeapTupleGetDatum(
	    heap_form_tuple(BlessTupleDesc(desc),
	                    (Datum[]){Int64GetDatum((int64) refused), Int64GetDatum((int64) uncounted)}, nulls));
}
