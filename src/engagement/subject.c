/*
 * Who did something: a forest of those who are the same; subject.h has the contract.
 *
 * Numbers of the web are found without a search: those of a workspace lie close together.
 */
#include "engagement/subject.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"

#include "core/query.h"
#include "engagement/lead_name.h"

#define PAGE 128 /* numbers may be spread thin where there are many workspaces */

static LaQuery read_aliases = {"SELECT p.number, p.alias_of FROM leadanalytics.person p WHERE p.workspace = "
                               "$1 AND p.alias_of IS NOT NULL",
                               1,
                               {INT4OID}};

static LaQuery read_visitors = {
    "SELECT v.number, v.person FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.person IS NOT NULL",
    1,
    {INT4OID}};

/* By the visitors of its posts, and as the person its id is of; also one that only mails have named yet. */
static LaQuery read_names = {
    "SELECT l.id, coalesce(l.external_id, l.id::text), l.visitor_id FROM leadanalytics.lead l "
    "WHERE l.workspace = $1 "
    "UNION ALL SELECT s.lead, NULL, s.visitor_id FROM leadanalytics.lead_submission s "
    "WHERE s.workspace = $1 AND NOT s.is_primary AND s.visitor_id IS NOT NULL "
    "UNION ALL SELECT n.id, n.lead_id, NULL FROM leadanalytics.named_lead n WHERE n.workspace = $1",
    1,
    {INT4OID}};

/* The same for few leads, each looked up. */
static LaQuery read_leads = {
    "SELECT l.id, w.number FROM leadanalytics.lead l CROSS JOIN LATERAL ("
    "SELECT v.number FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.visitor_id = l.visitor_id "
    "UNION ALL SELECT p.number FROM leadanalytics.person p WHERE p.workspace = $1 "
    "AND p.user_id = coalesce(l.external_id, l.id::text) OFFSET 0) AS w WHERE l.workspace = $1 "
    "UNION ALL SELECT s.lead, w.number FROM leadanalytics.lead_submission s CROSS JOIN LATERAL ("
    "SELECT v.number FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.visitor_id = s.visitor_id "
    "OFFSET 0) "
    "AS w WHERE s.workspace = $1 AND NOT s.is_primary AND s.visitor_id IS NOT NULL "
    "UNION ALL SELECT n.id, w.number FROM leadanalytics.named_lead n CROSS JOIN LATERAL ("
    "SELECT p.number FROM leadanalytics.person p WHERE p.workspace = $1 AND p.user_id = n.lead_id OFFSET 0) "
    "AS w WHERE n.workspace = $1",
    1,
    {INT4OID}};

typedef struct Lead
{
	int64 number; /* key */
	char status;
	int subject;
} Lead;

#define SH_PREFIX lead
#define SH_ELEMENT_TYPE Lead
#define SH_KEY_TYPE int64
#define SH_KEY number
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key) ^ (uint32) ((key) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct LaSubjects
{
	MemoryContext context;
	int **pages; /* of numbers of the web: subject + 1, 0: not met */
	int npages;
	lead_hash *leads;
	int *same_as; /* of each subject: another one, itself the lowest of those who are the same */
	int n;
	int room;
};

LaSubjects *
engagement_subjects(void)
{
	LaSubjects *subjects = palloc0(sizeof *subjects);

	subjects->context = CurrentMemoryContext;
	subjects->leads = lead_create(CurrentMemoryContext, 256, NULL);
	subjects->same_as = palloc((subjects->room = 1024) * sizeof(int));
	return subjects;
}

static int
new_subject(LaSubjects *subjects)
{
	if (subjects->n == subjects->room)
		subjects->same_as = repalloc_huge(subjects->same_as, (Size) (subjects->room *= 2) * sizeof(int));
	subjects->same_as[subjects->n] = subjects->n;
	return subjects->n++;
}

static void
add_page(LaSubjects *subjects, int page)
{
	if (page >= subjects->npages)
	{
		int npages = Max(page + 1, 2 * subjects->npages);
		int **pages = MemoryContextAllocZero(subjects->context, npages * sizeof(int *));

		if (subjects->npages > 0)
			memcpy(pages, subjects->pages, subjects->npages * sizeof(int *));
		subjects->pages = pages;
		subjects->npages = npages;
	}
	subjects->pages[page] = MemoryContextAllocZero(subjects->context, PAGE * sizeof(int));
}

static inline int *
web_place(LaSubjects *subjects, uint32 number)
{
	int page = number / PAGE;

	if (unlikely(page >= subjects->npages || subjects->pages[page] == NULL))
		add_page(subjects, page);
	return &subjects->pages[page][number % PAGE];
}

static inline int
subject_at(LaSubjects *subjects, int *place)
{
	if (*place == 0)
		*place = new_subject(subjects) + 1;
	return *place - 1;
}

static int
lead_subject(LaSubjects *subjects, int64 number)
{
	bool found;
	Lead *lead = lead_insert(subjects->leads, number, &found);

	if (!found)
		lead->subject = new_subject(subjects);
	return lead->subject;
}

/* The one of them that stands for all; the way there gets shorter. */
static inline int
first_of(LaSubjects *subjects, int subject)
{
	int *same_as = subjects->same_as;

	while (same_as[subject] != subject)
		subject = same_as[subject] = same_as[same_as[subject]];
	return subject;
}

static int
subject_of(LaSubjects *subjects, LaWho who, int64 number)
{
	return first_of(subjects, who == LA_WEB ? subject_at(subjects, web_place(subjects, number))
	                                        : lead_subject(subjects, number));
}

int
engagement_nsubjects(const LaSubjects *subjects)
{
	return subjects->n;
}

void
engagement_join(LaSubjects *subjects, LaWho a, int64 a_number, LaWho b, int64 b_number)
{
	int left = subject_of(subjects, a, a_number);
	int right = subject_of(subjects, b, b_number);

	subjects->same_as[Max(left, right)] = Min(left, right);
}

static void
take_web(TupleTableSlot *row, void *arg)
{
	engagement_join(arg, LA_WEB, DatumGetInt32(row->tts_values[0]), LA_WEB,
	                DatumGetInt32(row->tts_values[1]));
}

static void
take_lead(TupleTableSlot *row, void *arg)
{
	engagement_join(arg, LA_LEAD, DatumGetInt64(row->tts_values[0]), LA_WEB,
	                DatumGetInt32(row->tts_values[1]));
}

void
engagement_join_web(LaSubjects *subjects, int workspace)
{
	Datum values[] = {Int32GetDatum(workspace)};

	la_query_each(&read_aliases, values, NULL, take_web, subjects);
	la_query_each(&read_visitors, values, NULL, take_web, subjects);
}

typedef struct Names
{
	LaLeadNames *visitors;
	LaLeadNames *persons;
} Names;

static void
take_names(TupleTableSlot *row, void *arg)
{
	Names *names = arg;
	void *lead = DatumGetPointer(row->tts_values[0]);

	if (!row->tts_isnull[1])
		la_lead_names_add(names->persons, row->tts_values[1], lead);
	if (!row->tts_isnull[2])
		la_lead_names_add(names->visitors, row->tts_values[2], lead);
}

static void
join_lead(void *lead, uint32 number, void *arg)
{
	engagement_join(arg, LA_LEAD, DatumGetInt64(PointerGetDatum(lead)), LA_WEB, number);
}

void
engagement_join_leads(LaSubjects *subjects, int workspace)
{
	Datum values[] = {Int32GetDatum(workspace)};
	Names names = {la_lead_names_create(0), la_lead_names_create(0)};

	if (la_lead_names_are_many(la_query_each(&read_names, values, NULL, take_names, &names)))
	{
		la_lead_names_visitors(names.visitors, workspace, join_lead, subjects);
		la_lead_names_persons(names.persons, workspace, join_lead, subjects);
	}
	else
		la_query_each(&read_leads, values, NULL, take_lead, subjects);
}

void
engagement_settle(LaSubjects *subjects)
{
	lead_iterator i;
	Lead *lead;

	for (int page = 0; page < subjects->npages; page++)
		for (int k = 0; subjects->pages[page] != NULL && k < PAGE; k++)
			if (subjects->pages[page][k] != 0)
				subjects->pages[page][k] = first_of(subjects, subjects->pages[page][k] - 1) + 1;
	lead_start_iterate(subjects->leads, &i);
	while ((lead = lead_iterate(subjects->leads, &i)) != NULL)
		lead->subject = first_of(subjects, lead->subject);
}

/* Places are asked for all at once: that is what time goes into, waiting for memory. */
void
engagement_subjects_of(LaSubjects *subjects, const LaPoint *points, int n, int *found)
{
	int *places[LA_SUBJECTS_AT_ONCE];

	for (int i = 0; i < n; i++)
	{
		places[i] = engagement_is_lead(&points[i]) ? NULL : web_place(subjects, points[i].number);
		__builtin_prefetch(places[i], 1);
	}
	for (int i = 0; i < n; i++)
		found[i] =
		    places[i] == NULL ? lead_subject(subjects, points[i].number) : subject_at(subjects, places[i]);
}

LaBitmap *
engagement_web_numbers(const LaSubjects *subjects, const LaBitmap *of)
{
	LaBitmap *numbers = la_bitmap_create();

	for (int page = 0; page < subjects->npages; page++)
		for (int k = 0; subjects->pages[page] != NULL && k < PAGE; k++)
			if (subjects->pages[page][k] != 0 && la_bitmap_has(of, subjects->pages[page][k] - 1))
				la_bitmap_add(numbers, page * PAGE + k);
	return numbers;
}
