/*
 * Names of leads among those of visitors and persons; see lead_name.h.
 *
 *	names ─▶ a visitor's number, else a person's ─▶ its person ─▶ the person's other names and visitors
 *
 * Texts are hashed where they are few, and those of the web stream past. (Joined in SQL, the texts of all
 *visitors are kept and looked at several times: that took six times as long.)
 */
#include "engagement/lead_name.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"

#include "core/query.h"

typedef struct Text
{
	const char *data;
	int length;
} Text;

/* What a name, or an owner, belongs to: a list of leads. */
typedef struct Link
{
	void *lead;
	struct Link *next;
} Link;

typedef struct Called
{
	Text text;
	uint32 hash;
	char status;
	int number; /* 0: nobody's */
	int person; /* 0: it is no person's */
	Link *leads;
} Called;

#define SH_PREFIX name
#define SH_ELEMENT_TYPE Called
#define SH_KEY_TYPE Text
#define SH_KEY text
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).data, (key).length)
#define SH_EQUAL(table, a, b) ((a).length == (b).length && memcmp((a).data, (b).data, (a).length) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) ((entry)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Person
{
	int number;
	int root; /* itself, or whose other name it is */
	char status;
	Link *leads; /* of a root */
} Person;

#define SH_PREFIX person
#define SH_ELEMENT_TYPE Person
#define SH_KEY_TYPE int
#define SH_KEY number
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Visitor
{
	int number;
	int person;
} Visitor;

/* Most names of the web are no lead's: that is told by a bit of the hash, which is at hand when the names are
 * not. */
#define FILTER_BITS (1 << 21)

struct LaLeadNames
{
	uint64 filter[FILTER_BITS / 64];
	name_hash *names;
	person_hash *persons;
	Visitor *visitors; /* those that are somebody's */
	int64 nvisitors;
	int64 room;
};

static LaQuery visitors = {
    "SELECT v.visitor_id, v.number, v.person FROM leadanalytics.visitor v WHERE v.workspace = $1",
    1,
    {INT4OID}};

static LaQuery persons = {
    "SELECT p.user_id, p.number, p.alias_of FROM leadanalytics.person p WHERE p.workspace = $1",
    1,
    {INT4OID}};

static LaQuery nvisitors = {
    "SELECT c.reltuples::bigint FROM pg_catalog.pg_class c WHERE c.oid = 'leadanalytics.visitor'::regclass",
    0,
    {0}};

/* Looking up a name costs as much as reading twenty. */
bool
la_lead_names_are_many(int64 nleads)
{
	bool isnull;

	la_query_run(&nvisitors, NULL, NULL, true, 1);
	return nleads * 20 > DatumGetInt64(la_query_value(0, 1, &isnull));
}

LaLeadNames *
la_lead_names_create(int64 nnames)
{
	LaLeadNames *names = palloc0(sizeof *names);

	names->names = name_create(CurrentMemoryContext, Min(Max(nnames, 1024), PG_INT32_MAX), NULL);
	names->persons = person_create(CurrentMemoryContext, 1024, NULL);
	names->room = 1024;
	names->visitors = palloc(names->room * sizeof(Visitor));
	return names;
}

static Text
text_of(Datum datum)
{
	struct varlena *text = PG_DETOAST_DATUM_PACKED(datum);

	return (Text){VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)};
}

static void
link_lead(Link **list, void *lead)
{
	Link *link = palloc(sizeof *link);

	*link = (Link){lead, *list};
	*list = link;
}

void
la_lead_names_add(LaLeadNames *names, Datum text, void *lead)
{
	bool found;
	Called *name = name_insert(names->names, text_of(text), &found);

	if (!found)
	{
		names->filter[name->hash % FILTER_BITS / 64] |= UINT64CONST(1) << name->hash % 64;
		name->text.data = memcpy(palloc(Max(name->text.length, 1)), name->text.data, name->text.length);
		name->number = name->person = 0;
		name->leads = NULL;
	}
	if (name->leads == NULL || name->leads->lead != lead) /* said of a post, and of the next one */
		link_lead(&name->leads, lead);
}

static Called *
find(const LaLeadNames *names, Datum datum)
{
	Text text = text_of(datum);
	uint32 hash = hash_bytes((const unsigned char *) text.data, text.length);

	if ((names->filter[hash % FILTER_BITS / 64] & UINT64CONST(1) << hash % 64) == 0)
		return NULL;
	return name_lookup_hash(names->names, text, hash);
}

static void
take_visitor(TupleTableSlot *row, void *arg)
{
	LaLeadNames *names = arg;
	Visitor visitor = {.number = DatumGetInt32(row->tts_values[1]),
	                   .person = row->tts_isnull[2] ? 0 : DatumGetInt32(row->tts_values[2])};
	Called *name = find(names, row->tts_values[0]);

	if (name != NULL)
	{
		name->number = visitor.number;
		name->person = visitor.person;
	}
	if (visitor.person == 0)
		return;
	if (names->nvisitors == names->room)
		names->visitors = repalloc_huge(names->visitors, (names->room *= 2) * sizeof(Visitor));
	names->visitors[names->nvisitors++] = visitor;
}

/* A visitor's id comes before a user's. */
static void
take_person(TupleTableSlot *row, void *arg)
{
	LaLeadNames *names = arg;
	int number = DatumGetInt32(row->tts_values[1]);
	Called *name = find(names, row->tts_values[0]);
	bool found;
	Person *person = person_insert(names->persons, number, &found);

	person->root = row->tts_isnull[2] ? number : DatumGetInt32(row->tts_values[2]);
	person->leads = NULL;
	if (name != NULL && name->number == 0)
		name->number = name->person = number;
}

static Person *
root_of(const LaLeadNames *names, int number)
{
	Person *person = number == 0 ? NULL : person_lookup(names->persons, number);

	return person == NULL ? NULL : person_lookup(names->persons, person->root);
}

static void
hand_over(const Link *leads, int number, LaTakeNumber take, void *arg)
{
	for (; leads != NULL; leads = leads->next)
		take(leads->lead, number, arg);
}

void
la_lead_names_resolve(LaLeadNames *names, int workspace, LaTakeNumber take, void *arg)
{
	name_iterator at;
	Called *name;
	person_iterator person_at;
	Person *person;

	la_query_each(&visitors, (Datum[]){Int32GetDatum(workspace)}, NULL, take_visitor, names);
	la_query_each(&persons, (Datum[]){Int32GetDatum(workspace)}, NULL, take_person, names);
	name_start_iterate(names->names, &at);
	while ((name = name_iterate(names->names, &at)) != NULL)
	{
		Person *root = root_of(names, name->person);

		if (root == NULL && name->number != 0)
			hand_over(name->leads, name->number, take, arg);
		for (Link *link = name->leads; root != NULL && link != NULL; link = link->next)
			link_lead(&root->leads, link->lead);
	}
	person_start_iterate(names->persons, &person_at);
	while ((person = person_iterate(names->persons, &person_at)) != NULL)
	{
		Person *root = root_of(names, person->number);

		if (root != NULL)
			hand_over(root->leads, person->number, take, arg);
	}
	for (int64 i = 0; i < names->nvisitors; i++)
	{
		Person *root = root_of(names, names->visitors[i].person);

		if (root != NULL)
			hand_over(root->leads, names->visitors[i].number, take, arg);
	}
}

typedef struct Matching
{
	const LaLeadNames *names;
	LaTakeNumber take;
	void *arg;
} Matching;

static void
match(TupleTableSlot *row, void *arg)
{
	const Matching *matching = arg;
	const Called *name = find(matching->names, row->tts_values[0]);

	if (name != NULL)
		hand_over(name->leads, DatumGetInt32(row->tts_values[1]), matching->take, matching->arg);
}

void
la_lead_names_visitors(const LaLeadNames *names, int workspace, LaTakeNumber take, void *arg)
{
	la_query_each(&visitors, (Datum[]){Int32GetDatum(workspace)}, NULL, match, &(Matching){names, take, arg});
}

void
la_lead_names_persons(const LaLeadNames *names, int workspace, LaTakeNumber take, void *arg)
{
	la_query_each(&persons, (Datum[]){Int32GetDatum(workspace)}, NULL, match, &(Matching){names, take, arg});
}
