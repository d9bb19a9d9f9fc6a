/*
 * Whether a session looks as if it came through a VPN or proxy (L7): what is known of its network, and how
 * often its fingerprint changed networks lately. Reckoned when the session opens, from the sessions that
 * started in the 24 hours before it and from the last one before it; this batch's count as stored ones do.
 *
 * A session without a fingerprint has no such history: its network alone counts.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "track/track.h"

#define MANY                                                                                                 \
	1000 /* sessions of a fingerprint that are looked at, the latest: no browser has as many in a day */

static LaQuery earlier_sessions = {
    "SELECT u.fingerprint, s.started_at, s.ip, s.asn "
    "FROM unnest($2, $3) AS u (fingerprint, before) CROSS JOIN LATERAL ("
    "SELECT s.started_at, s.ip, n.asn FROM leadanalytics.session s "
    "LEFT JOIN leadanalytics.term_network n ON n.workspace = s.workspace AND n.id = s.network "
    "WHERE s.workspace = $1 AND s.fingerprint = u.fingerprint AND s.started_at <= u.before "
    "ORDER BY s.started_at DESC LIMIT $4) AS s",
    4,
    {INT4OID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, INT4OID}};

static LaQuery score = {"SELECT leadanalytics.vpn_score($1, $2, $3, $4, $5, false)",
                        5,
                        {BOOLOID, INT4OID, INT4OID, INT4OID, BOOLOID}};

/* A session, stored or of this batch, as far as the score goes by it. */
typedef struct Sight
{
	int fingerprint;
	TimestampTz started_at;
	const inet *ip; /* NULL: not known */
	int64 asn;      /* 0: not known */
} Sight;

typedef struct Sights
{
	Sight *all; /* by fingerprint */
	int n;
} Sights;

/* Different values seen, as many as matter. */
typedef struct Seen
{
	const inet *ips[4]; /* "more than 3" */
	int64 asns[3];      /* "more than 2" */
	int nips;
	int nasns;
} Seen;

static int
fingerprint_of(const LaSession *session)
{
	return session->first->term[LA_SLOT_FINGERPRINT].id;
}

static bool
same_ip(const inet *a, const inet *b)
{
	return ip_family(a) == ip_family(b) && memcmp(ip_addr(a), ip_addr(b), ip_addrsize(a)) == 0;
}

static int
by_fingerprint(const void *a, const void *b)
{
	return ((const Sight *) a)->fingerprint - ((const Sight *) b)->fingerprint;
}

/* The sessions that open and have a fingerprint. */
static Sights
look_around(LaSession **opened, int n)
{
	Sights sights = {palloc(Max(n, 1) * sizeof(Sight)), 0};

	for (int i = 0; i < n; i++)
	{
		const LaClient *client = opened[i]->first->client;

		if (fingerprint_of(opened[i]) != 0)
			sights.all[sights.n++] = (Sight){fingerprint_of(opened[i]), opened[i]->after.started_at,
			                                 client->ip ? DatumGetInetPP(client->ip) : NULL, client->asn};
	}
	qsort(sights.all, sights.n, sizeof(Sight), by_fingerprint);
	return sights;
}

/* Add what is stored of their fingerprints, up to the latest start of each. */
static void
look_back(LaBatch *batch, Sights *sights)
{
	Datum *fingerprints = palloc(sights->n * sizeof(Datum));
	TimestampTz *latest = palloc(sights->n * sizeof(TimestampTz));
	int asked = 0;
	uint64 found;

	for (int i = 0; i < sights->n; i++)
	{
		const Sight *sight = &sights->all[i];

		if (i == 0 || sight->fingerprint != sight[-1].fingerprint)
		{
			fingerprints[asked] = Int32GetDatum(sight->fingerprint);
			latest[asked++] = sight->started_at;
		}
		else if (sight->started_at > latest[asked - 1])
			latest[asked - 1] = sight->started_at;
	}
	found = la_query_run(
	    &earlier_sessions,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(fingerprints, asked, INT4OID, 4, true, TYPALIGN_INT)),
	              la_query_array(latest, asked, TIMESTAMPTZOID), Int32GetDatum(MANY)},
	    NULL, false, 0);
	sights->all = repalloc(sights->all, (found + sights->n) * sizeof(Sight));
	for (uint64 row = 0; row < found; row++)
	{
		Sight *sight = &sights->all[sights->n++];
		bool isnull;
		Datum value;

		sight->fingerprint = DatumGetInt32(la_query_value(row, 1, &isnull));
		sight->started_at = DatumGetTimestampTz(la_query_value(row, 2, &isnull));
		value = la_query_value(row, 3, &isnull);
		sight->ip = isnull ? NULL : (const inet *) PG_DETOAST_DATUM_COPY(value);
		value = la_query_value(row, 4, &isnull);
		sight->asn = isnull ? 0 : DatumGetInt64(value);
	}
	SPI_freetuptable(SPI_tuptable);
	qsort(sights->all, sights->n, sizeof(Sight), by_fingerprint);
}

static void
see(Seen *seen, const Sight *sight)
{
	bool new_ip = sight->ip != NULL && seen->nips < lengthof(seen->ips);
	bool new_asn = sight->asn != 0 && seen->nasns < lengthof(seen->asns);

	for (int i = 0; i < seen->nips && new_ip; i++)
		new_ip = !same_ip(seen->ips[i], sight->ip);
	for (int i = 0; i < seen->nasns && new_asn; i++)
		new_asn = seen->asns[i] != sight->asn;
	if (new_ip)
		seen->ips[seen->nips++] = sight->ip;
	if (new_asn)
		seen->asns[seen->nasns++] = sight->asn;
}

static int
judge(const Sights *sights, const LaSession *session)
{
	const LaClient *client = session->first->client;
	TimestampTz at = session->after.started_at;
	TimestampTz last = DT_NOBEGIN;
	int64 last_asn = 0;
	Seen seen = {0};
	int sessions = 0;
	int result;
	bool isnull;
	Sight key = {.fingerprint = fingerprint_of(session)};
	Sight *sight =
	    key.fingerprint == 0 ? NULL : bsearch(&key, sights->all, sights->n, sizeof(Sight), by_fingerprint);

	while (sight != NULL && sight > sights->all && sight[-1].fingerprint == key.fingerprint)
		sight--;
	for (; sight != NULL && sight < sights->all + sights->n && sight->fingerprint == key.fingerprint; sight++)
	{
		if (sight->started_at > at)
			continue;
		if (sight->started_at < at && sight->started_at > last)
		{
			last = sight->started_at;
			last_asn = sight->asn;
		}
		if (sight->started_at <= at - USECS_PER_DAY)
			continue;
		see(&seen, sight);
		sessions++;
	}
	la_query_run(&score,
	             (Datum[]){BoolGetDatum(client->is_hosting), Int32GetDatum(seen.nips),
	                       Int32GetDatum(seen.nasns), Int32GetDatum(sessions),
	                       BoolGetDatum(last_asn != 0 && client->asn != 0 && last_asn != client->asn)},
	             NULL, false, 1);
	result = DatumGetInt32(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return result;
}

void
track_vpn(LaBatch *batch, LaSession **opened, int n)
{
	Sights sights = look_around(opened, n);

	if (sights.n > 0)
		look_back(batch, &sights);
	for (int i = 0; i < n; i++)
	{
		const LaClient *client = opened[i]->first->client;

		if (client->network.id == 0 && fingerprint_of(opened[i]) == 0)
			opened[i]->vpn_score = -1;
		else if (!client->is_hosting && fingerprint_of(opened[i]) == 0)
			opened[i]->vpn_score = 0; /* no rule can hold: not worth a statement */
		else
			opened[i]->vpn_score = judge(&sights, opened[i]);
	}
}
