/*
 * The rows of those who go: found by the index of what somebody did (src/track/track.sql), deleted, and what
 * stays of sessions that they shared.
 */
#include "rollup/unfold.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

static LaQuery own_sessions = {
    "SELECT s.number FROM unnest($2) AS v (number) CROSS JOIN LATERAL (SELECT s.number FROM "
    "leadanalytics.session s WHERE s.workspace = $1 AND s.visitor = v.number OFFSET 0) AS s",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery guest_sessions = {
    "SELECT g.session FROM unnest($2) AS v (number) CROSS JOIN LATERAL (SELECT g.session FROM "
    "leadanalytics.guest g WHERE g.workspace = $1 AND g.number = v.number OFFSET 0) AS g",
    2,
    {INT4OID, INT8ARRAYOID}};

/* Whose they are, and whether somebody else was their guest. */
static LaQuery look_at_sessions = {
    "SELECT s.number, s.visitor, s.started_at, EXISTS (SELECT FROM leadanalytics.guest g "
    "WHERE g.workspace = $1 AND g.session = s.number AND g.number <> ALL ($3)) "
    "FROM unnest($2) AS n (number) CROSS JOIN LATERAL (SELECT * FROM leadanalytics.session s "
    "WHERE s.workspace = $1 AND s.number = n.number OFFSET 0) AS s",
    3,
    {INT4OID, INT8ARRAYOID, INT8ARRAYOID}};

/* Deleted, and their words noted: perhaps nobody else uses them. Places and networks are no one's. */
#define NOTED(words)                                                                                         \
	", noted AS (INSERT INTO leadanalytics.erased_term AS t (workspace, id) SELECT DISTINCT $1, u.id FROM "  \
	"gone g CROSS JOIN LATERAL unnest(" words ") AS u (id) WHERE u.id IS NOT NULL ORDER BY u.id "            \
	"ON CONFLICT DO NOTHING) SELECT count(*) FROM gone"

static LaQuery delete_events = {
    "WITH gone AS (DELETE FROM leadanalytics.event e WHERE e.workspace = $1 "
    "AND coalesce(e.session, -coalesce(e.visitor, e.person)) = ANY ($2) "
    "AND (e.visitor = ANY ($3) OR (e.visitor IS NULL AND e.person = ANY ($4))) RETURNING e.*)" NOTED(
        "ARRAY[g.name, g.title, g.referrer, g.source, g.page, g.campaign, g.agent, g.fingerprint, g.device] "
        "|| g.tags"),
    4,
    {INT4OID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID}};

static LaQuery delete_sessions = {
    "WITH gone AS (DELETE FROM leadanalytics.session s WHERE s.workspace = $1 AND s.number = ANY ($2) "
    "RETURNING s.*)" NOTED("ARRAY[g.entry_page, g.referrer, g.campaign, g.agent, g.fingerprint, g.device, "
                           "g.last_page]"),
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery delete_guests = {
    "DELETE FROM leadanalytics.guest g WHERE g.workspace = $1 AND g.session = ANY ($2)",
    2,
    {INT4OID, INT8ARRAYOID}};

/*
 * What the events that are left make of their sessions, in the order they were received; those that are made
 * anew are nobody's, and what only the first one's sender had is not known. What a client said of its end
 * holds for as long as it is the same session.
 */
static LaQuery write_sessions = {
    "UPDATE leadanalytics.session s SET visitor = CASE WHEN NOT n.anew THEN s.visitor END, "
    "started_at = w.started_at, entry_page = CASE WHEN n.anew THEN f.page ELSE s.entry_page END, "
    "referrer = CASE WHEN n.anew THEN f.referrer ELSE s.referrer END, "
    "campaign = CASE WHEN n.anew THEN f.campaign ELSE s.campaign END, "
    "place = CASE WHEN n.anew THEN f.place ELSE s.place END, "
    "agent = CASE WHEN n.anew THEN f.agent ELSE s.agent END, "
    "fingerprint = CASE WHEN n.anew THEN f.fingerprint ELSE s.fingerprint END, "
    "device = CASE WHEN n.anew THEN f.device ELSE s.device END, "
    "network = CASE WHEN NOT n.anew THEN s.network END, ip = CASE WHEN NOT n.anew THEN s.ip END, "
    "vpn_score = CASE WHEN NOT n.anew THEN s.vpn_score END, "
    "returns = CASE WHEN n.anew THEN 0 ELSE s.returns END, "
    "events = l.events, pageviews = l.pageviews, clicks = l.clicks, scroll_percent = l.scroll_percent, "
    "last_page = CASE WHEN s.is_ended AND NOT n.anew THEN s.last_page ELSE l.last_page END, "
    "last_seen = w.last_seen, is_ended = s.is_ended AND NOT n.anew, "
    "ended_at = CASE WHEN s.is_ended AND NOT n.anew THEN s.ended_at WHEN s.ended_at IS NOT NULL THEN "
    "w.last_seen END "
    "FROM unnest($2, $3) AS n (number, anew) "
    "CROSS JOIN LATERAL (SELECT t.started_at FROM leadanalytics.session t WHERE t.workspace = $1 "
    "AND t.number = n.number OFFSET 0) AS t "
    "CROSS JOIN LATERAL (SELECT count(*) AS events, count(*) FILTER (WHERE e.kind = 'p') AS pageviews, "
    "count(*) FILTER (WHERE e.is_click) AS clicks, coalesce(max(e.scroll), 0) AS scroll_percent, max(e.at) "
    "AS "
    "at, "
    "(array_agg(e.page ORDER BY e.place DESC) FILTER (WHERE e.page IS NOT NULL AND e.at >= e.so_far))[1] AS "
    "last_page "
    "FROM (SELECT e.kind, e.at, e.page, row_number() OVER received AS place, max(e.at) OVER received AS "
    "so_far, "
    "(SELECT p.parts[1] = 'click' FROM leadanalytics.term p WHERE p.workspace = $1 AND p.id = e.name) AS "
    "is_click, "
    "CASE WHEN jsonb_typeof(e.data -> 'scroll_percent') = 'number' THEN (e.data ->> "
    "'scroll_percent')::float8 END AS scroll "
    "FROM leadanalytics.event e WHERE coalesce(e.session, -coalesce(e.visitor, e.person)) = n.number "
    "AND e.workspace = $1 WINDOW received AS (ORDER BY e.id >> 10, e.at, e.id) OFFSET 0) AS e) AS l "
    "LEFT JOIN LATERAL (SELECT * FROM leadanalytics.event e "
    "WHERE coalesce(e.session, -coalesce(e.visitor, e.person)) = n.number AND e.workspace = $1 "
    "ORDER BY e.id >> 10, e.at, e.id LIMIT 1) AS f ON true "
    "CROSS JOIN LATERAL (SELECT x.started_at, greatest(l.at, x.started_at) AS last_seen FROM (SELECT CASE "
    "WHEN n.anew THEN coalesce(f.at, t.started_at) ELSE t.started_at END AS started_at) AS x) AS w "
    "WHERE s.workspace = $1 AND s.number = n.number",
    3,
    {INT4OID, INT8ARRAYOID, BOOLARRAYOID}};

static LaQuery lessen_ledger = {
    "UPDATE leadanalytics.ledger l SET n = l.n - g.n FROM unnest($2, $3) AS g (id_from, n) "
    "WHERE l.workspace = $1 AND l.id_from = g.id_from",
    3,
    {INT4OID, INT8ARRAYOID, INT8ARRAYOID}};

static LaQuery empty_session_ledger = {
    "DELETE FROM leadanalytics.session_ledger l WHERE l.workspace = $1 AND l.numbers <@ $2",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery lessen_session_ledger = {
    "UPDATE leadanalytics.session_ledger l SET numbers = ARRAY(SELECT u.number FROM unnest(l.numbers) AS u "
    "(number) WHERE u.number <> ALL ($2) ORDER BY u.number) WHERE l.workspace = $1 AND l.numbers && $2",
    2,
    {INT4OID, INT8ARRAYOID}};

/* A session that somebody leaves. */
typedef struct Visit
{
	int64 leave; /* events */
	int64 left;
	LaEventFact first; /* received of all */
	bool first_leaves;
} Visit;

typedef struct Finding
{
	const LaTail *tail;
	LaLeaving *leaving;
	LaNumbers sessions;
	Visit *visits; /* of the sessions */
} Finding;

static bool
has(const LaNumbers *all, int64 number)
{
	return rollup_tail_has(all->numbers, all->n, number);
}

static Visit *
visit_of(const Finding *finding, int64 session)
{
	int low = 0;
	int high = finding->sessions.n;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (finding->sessions.numbers[middle] < session)
			low = middle + 1;
		else
			high = middle;
	}
	return low < finding->sessions.n && finding->sessions.numbers[low] == session ? &finding->visits[low]
	                                                                              : NULL;
}

/* Blocks of ids are drawn as batches come; a batch is walked in the order of time. */
static bool
is_before(const LaEventFact *a, const LaEventFact *b)
{
	if (a->id >> 10 != b->id >> 10)
		return a->id < b->id;
	return a->at != b->at ? a->at < b->at : a->id < b->id;
}

static void
keep_event(LaLeaving *leaving, const LaEventFact *event, int row)
{
	LaEventFact *kept;

	if (leaving->n == leaving->room)
	{
		Size room = leaving->room = Max(256, 2 * leaving->room);

		leaving->events = leaving->n == 0 ? palloc_extended(room * sizeof(LaEventFact), MCXT_ALLOC_HUGE)
		                                  : repalloc_huge(leaving->events, room * sizeof(LaEventFact));
		leaving->rows = leaving->n == 0 ? palloc_extended(room * sizeof(int), MCXT_ALLOC_HUGE)
		                                : repalloc_huge(leaving->rows, room * sizeof(int));
	}
	kept = &leaving->events[leaving->n];
	*kept = *event;
	if (event->ntags > 0)
		kept->tags = memcpy(palloc(event->ntags * sizeof(int)), event->tags, event->ntags * sizeof(int));
	leaving->rows[leaving->n++] = row;
}

static void
keep_view(LaLeaving *leaving, const LaEventFact *event)
{
	if (leaving->nviews == leaving->views_room)
	{
		Size size = (leaving->views_room = Max(256, 2 * leaving->views_room)) * sizeof(LaView);

		leaving->views = leaving->nviews == 0 ? palloc_extended(size, MCXT_ALLOC_HUGE)
		                                      : repalloc_huge(leaving->views, size);
	}
	leaving->views[leaving->nviews++] = (LaView){event->at, event->session, event->page};
}

static void
take_event(const LaEventFact *event, void *arg)
{
	Finding *finding = arg;
	LaLeaving *leaving = finding->leaving;
	Visit *visit = event->session == 0 ? NULL : visit_of(finding, event->session);
	bool leaves =
	    event->visitor != 0 ? has(&leaving->visitors, event->visitor) : has(&leaving->persons, event->person);
	int row = rollup_tail_row(finding->tail, event->id, event->at);

	if (leaves)
		keep_event(leaving, event, row);
	else if (row < 0 && event->kind == 'p' && event->page != 0 && !event->is_bot)
		keep_view(leaving, event);
	if (visit == NULL)
		return;
	if (visit->leave + visit->left == 0 || is_before(event, &visit->first))
	{
		visit->first = *event;
		visit->first_leaves = leaves;
	}
	visit->leave += leaves;
	visit->left += !leaves;
}

static void
add_number(LaNumbers *all, int64 number)
{
	all->numbers[all->n++] = number;
}

/* The numbers in the first column of what a query finds for these. */
static void
add_found(LaNumbers *all, LaQuery *query, int workspace, const LaNumbers *of)
{
	uint64 n =
	    la_query_run(query, (Datum[]){Int32GetDatum(workspace), la_query_array(of->numbers, of->n, INT8OID)},
	                 NULL, true, 0);

	all->numbers = repalloc_huge(all->numbers, (all->n + n + 1) * sizeof(int64));
	for (uint64 row = 0; row < n; row++)
	{
		bool isnull;

		add_number(all, DatumGetInt64(la_query_value(row, 1, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
}

static LaNumbers
room_for(int n)
{
	return (LaNumbers){palloc_extended(Max(n, 1) * sizeof(int64), MCXT_ALLOC_HUGE), 0};
}

/* Sessions, and what was done outside of them. */
static LaNumbers
keys_of(const LaNumbers *sessions, const LaLeaving *leaving)
{
	LaNumbers keys = room_for(sessions->n + leaving->visitors.n + leaving->persons.n);

	for (int i = 0; i < sessions->n; i++)
		add_number(&keys, sessions->numbers[i]);
	for (int i = 0; i < leaving->visitors.n; i++)
		add_number(&keys, -leaving->visitors.numbers[i]);
	for (int i = 0; i < leaving->persons.n; i++)
		add_number(&keys, -leaving->persons.numbers[i]);
	rollup_sort_numbers(&keys);
	return keys;
}

/* What becomes of a session. */
static void
decide(LaLeaving *leaving, const Visit *visit, int64 number, int visitor, bool is_dropped, bool has_others)
{
	bool own = visitor != 0 && has(&leaving->visitors, visitor);

	if (!own && visit->leave == 0)
		return;
	/* others' events in it may have been dropped */
	if (visit->left == 0 && (own || visitor == 0) && !(is_dropped && has_others))
		add_number(&leaving->deleted, number);
	else if (own || (visitor == 0 && visit->first_leaves))
	{
		add_number(&leaving->kept, number);
		add_number(&leaving->anew, number);
	}
	else if (is_dropped)
		return; /* of what its rows were nobody knows: it stays as it is */
	else
		add_number(&leaving->kept, number);
	add_number(&leaving->touched, number);
}

void
rollup_find_leaving(int workspace, const LaTail *tail, TimestampTz dropped_before, LaLeaving *leaving)
{
	Finding finding = {.tail = tail, .leaving = leaving, .sessions = room_for(0)};
	LaNumbers who = room_for(leaving->visitors.n + leaving->persons.n);
	LaNumbers keys;
	uint64 n;

	for (int i = 0; i < leaving->visitors.n; i++)
		add_number(&who, leaving->visitors.numbers[i]);
	for (int i = 0; i < leaving->persons.n; i++)
		add_number(&who, leaving->persons.numbers[i]);
	add_found(&finding.sessions, &own_sessions, workspace, &leaving->visitors);
	add_found(&finding.sessions, &guest_sessions, workspace, &who);
	rollup_sort_numbers(&finding.sessions);
	finding.visits =
	    palloc_extended(Max(finding.sessions.n, 1) * sizeof(Visit), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	keys = keys_of(&finding.sessions, leaving);
	rollup_events_of_keys(workspace, keys.numbers, keys.n, take_event, &finding);

	leaving->touched = room_for(finding.sessions.n);
	leaving->deleted = room_for(finding.sessions.n);
	leaving->kept = room_for(finding.sessions.n);
	leaving->anew = room_for(finding.sessions.n);
	n = la_query_run(&look_at_sessions,
	                 (Datum[]){Int32GetDatum(workspace),
	                           la_query_array(finding.sessions.numbers, finding.sessions.n, INT8OID),
	                           la_query_array(who.numbers, who.n, INT8OID)},
	                 NULL, true, 0);
	for (uint64 row = 0; row < n; row++)
	{
		bool isnull;
		int64 number = DatumGetInt64(la_query_value(row, 1, &isnull));
		TimestampTz started_at = DatumGetTimestampTz(la_query_value(row, 3, &isnull));
		bool has_others = DatumGetBool(la_query_value(row, 4, &isnull));
		int visitor = DatumGetInt32(la_query_value(row, 2, &isnull));

		decide(leaving, visit_of(&finding, number), number, isnull ? 0 : visitor, started_at < dropped_before,
		       has_others);
	}
	SPI_freetuptable(SPI_tuptable);
	rollup_sort_numbers(&leaving->touched);
	rollup_sort_numbers(&leaving->deleted);
	rollup_sort_numbers(&leaving->kept);
	rollup_sort_numbers(&leaving->anew);
	leaving->sessions = finding.sessions;
}

/* Rows of the ledger name fewer events, or go. */
static void
lessen_ledger_rows(int workspace, const LaTail *tail, const LaLeaving *leaving)
{
	int64 *less = palloc0(Max(tail->n, 1) * sizeof(int64));
	LaNumbers rows = room_for(tail->n);
	LaNumbers counts = room_for(tail->n);
	LaNumbers gone = room_for(tail->n);

	for (int64 i = 0; i < leaving->n; i++)
		if (leaving->rows[i] >= 0)
			less[leaving->rows[i]]++;
	for (int i = 0; i < tail->n; i++)
	{
		if (less[i] == 0)
			continue;
		if (less[i] == tail->events_of[i])
			add_number(&gone, tail->id_from[i]);
		else
		{
			add_number(&rows, tail->id_from[i]);
			add_number(&counts, less[i]);
		}
	}
	rollup_delete_tail(workspace, &(LaTail){.n = gone.n, .id_from = gone.numbers});
	if (rows.n > 0)
		la_query_run(&lessen_ledger,
		             (Datum[]){Int32GetDatum(workspace), la_query_array(rows.numbers, rows.n, INT8OID),
		                       la_query_array(counts.numbers, counts.n, INT8OID)},
		             NULL, false, 0);
}

static void
run(LaQuery *query, int workspace, const LaNumbers *numbers)
{
	if (numbers->n > 0)
		la_query_run(
		    query, (Datum[]){Int32GetDatum(workspace), la_query_array(numbers->numbers, numbers->n, INT8OID)},
		    NULL, false, 0);
}

static void
write_kept(int workspace, const LaLeaving *leaving)
{
	Datum *anew = palloc(Max(leaving->kept.n, 1) * sizeof(Datum));

	for (int i = 0; i < leaving->kept.n; i++)
		anew[i] = BoolGetDatum(has(&leaving->anew, leaving->kept.numbers[i]));
	if (leaving->kept.n > 0)
		la_query_run(
		    &write_sessions,
		    (Datum[]){
		        Int32GetDatum(workspace), la_query_array(leaving->kept.numbers, leaving->kept.n, INT8OID),
		        PointerGetDatum(construct_array(anew, leaving->kept.n, BOOLOID, 1, true, TYPALIGN_CHAR))},
		    NULL, false, 0);
}

void
rollup_delete_leaving(int workspace, const LaTail *tail, const LaLeaving *leaving)
{
	LaNumbers keys = keys_of(&leaving->sessions, leaving);
	Datum values[] = {Int32GetDatum(workspace), la_query_array(keys.numbers, keys.n, INT8OID),
	                  la_query_array(leaving->visitors.numbers, leaving->visitors.n, INT8OID),
	                  la_query_array(leaving->persons.numbers, leaving->persons.n, INT8OID)};
	bool isnull;

	/* what was found is what the snapshot saw: there may be more by now */
	la_query_run(&delete_events, values, NULL, false, 0);
	if (DatumGetInt64(la_query_value(0, 1, &isnull)) != leaving->n)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("somebody added events of whom is to be erased"), errhint("Try again.")));
	lessen_ledger_rows(workspace, tail, leaving);
	run(&delete_sessions, workspace, &leaving->deleted);
	run(&delete_guests, workspace, &leaving->deleted);
	run(&empty_session_ledger, workspace, &leaving->deleted);
	run(&lessen_session_ledger, workspace, &leaving->deleted);
	write_kept(workspace, leaving);
}
