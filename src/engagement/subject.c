/*
 * Who did something: a forest of those who are the same; subject.h has the contract.
 *
 * Numbers of the web are found without a search: those of a workspace lie close together.
 */
#include "engagement/subject.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"

#include "core/query.h"

#define PAGE 4096

static LaQuery read_aliases = {"SELECT p.number, p.alias_of FROM leadanalytics.person p WHERE p.workspace = "
                               "$1 AND p.alias_of IS NOT NULL",
                               1,
                               {INT4OID}};

static LaQuery read_visitors = {
    "SELECT v.number, v.person FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.person IS NOT NULL",
    1,
    {INT4OID}};

/* By the visitors of its posts, and as the person its id is of. */
static LaQuery read_leads = {
    "SELECT l.id, w.number FROM leadanalytics.lead l CROSS JOIN LATERAL ("
    "SELECT v.number FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.visitor_id = l.visitor_id "
    "UNION ALL SELECT p.number FROM leadanalytics.person p WHERE p.workspace = $1 "
    "AND p.user_id = coalesce(l.external_id, l.id::text) OFFSET 0) AS w WHERE l.workspace = $1 "
    "UNION ALL SELECT s.lead, w.number FROM leadanalytics.lead_submission s CROSS JOIN LATERAL ("
    "SELECT v.number FROM leadanalytics.visitor v WHERE v.workspace = $1 AND v.visitor_id = s.visitor_id "
    "OFFSET 0) "
    "AS w WHERE s.workspace = $1 AND NOT s.is_primary AND s.visitor_id IS NOT NULL",
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

static inline int
web_subject(LaSubjects *subjects, uint32 number)
{
	int page = number / PAGE;
	int *place;

	if (unlikely(page >= subjects->npages || subjects->pages[page] == NULL))
		add_page(subjects, page);
	place = &subjects->pages[page][number % PAGE];
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

int
engagement_subject(LaSubjects *subjects, LaWho who, int64 number)
{
	return first_of(subjects, who == LA_WEB ? web_subject(subjects, number) : lead_subject(subjects, number));
}

int
engagement_nsubjects(const LaSubjects *subjects)
{
	return subjects->n;
}

void
engagement_join(LaSubjects *subjects, LaWho a, int64 a_number, LaWho b, int64 b_number)
{
	int left = engagement_subject(subjects, a, a_number);
	int right = engagement_subject(subjects, b, b_number);

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

void
engagement_join_leads(LaSubjects *subjects, int workspace)
{
	la_query_each(&read_leads, (Datum[]){Int32GetDatum(workspace)}, NULL, take_lead, subjects);
}
