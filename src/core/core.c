/*
 * Loading: settings, and the check that library and SQL belong together.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/core.h"
#include "core/export.h"
#include "core/settings.h"

static bool preloaded = false; /* inherited by every backend from the postmaster */

void
la_core_init(void)
{
	preloaded = process_shared_preload_libraries_in_progress;
	la_settings_define();
}

LA_FUNCTION(la_core_preloaded)
{
	PG_RETURN_BOOL(preloaded);
}

char *
la_installed_version(void)
{
	Relation catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	char *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
	            CStringGetDatum("leadanalytics"));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(catalog), &isnull);

		version = isnull ? NULL : TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

static bool agreed =
    false; /* until a function changes: an update changes some, and may come from another session */

static void
ask_again(Datum arg, int cacheid, uint32 hash)
{
	agreed = false;
}

/* Below, equal to or above zero, as version a is older, the same or newer than b. */
static int
compare_versions(const char *a, const char *b)
{
	int left[3] = {0};
	int right[3] = {0};

	sscanf(a, "%d.%d.%d", &left[0], &left[1], &left[2]);
	sscanf(b, "%d.%d.%d", &right[0], &right[1], &right[2]);
	for (int i = 0; i < 3; i++)
	{
		if (left[i] != right[i])
			return left[i] - right[i];
	}
	return strcmp(a, b);
}

void
la_require_version(void)
{
	static bool listening = false;
	char *version;

	/* An update of several steps passes versions that are not the library's. */
	if (agreed || creating_extension)
		return;
	if (!listening)
	{
		CacheRegisterSyscacheCallback(PROCOID, ask_again, (Datum) 0);
		listening = true;
	}
	version = la_installed_version();
	if (version == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		                errmsg("the extension leadanalytics does not exist in this database"),
		                errhint("CREATE EXTENSION leadanalytics;")));
	if (strcmp(version, LA_VERSION) != 0)
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("the leadanalytics library is version %s, its SQL in this database is version %s",
		                LA_VERSION, version),
		         compare_versions(version, LA_VERSION) < 0
		             ? errhint("ALTER EXTENSION leadanalytics UPDATE;")
		             : errhint("Install the library of version %s and restart PostgreSQL; without preloading "
		                       "it, connecting again is enough.",
		                       version)));
	agreed = true;
}
