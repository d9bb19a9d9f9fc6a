/*
 * Kinds of events.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "core/kind.h"

/* Every other name with a $ is auto too. */
static const struct
{
	const char *name;
	char kind;
} kinds[] = {
    {"page_view", 'p'}, {"pageview", 'p'},  {"$pageview", 'p'},  {"page_visit", 'p'},        {"scroll", 'a'},
    {"click", 'a'},     {"mousemove", 'a'}, {"navigation", 'a'}, {"visibility_change", 'a'},
};

char
la_event_kind(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return name[0] == '$' ? 'a' : 'c';
}

LA_FUNCTION(la_core_event_kind)
{
	PG_RETURN_CHAR(la_event_kind(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

LA_FUNCTION(la_core_names_of_kind)
{
	Datum names[lengthof(kinds)];
	int n = 0;

	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].kind == PG_GETARG_CHAR(0))
			names[n++] = CStringGetTextDatum(kinds[i].name);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}
