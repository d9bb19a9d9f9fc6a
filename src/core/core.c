/*
 * Loading: settings, and the check that library and SQL belong together.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

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

void
la_require_version(void)
{
	static bool agreed = false;
	char *version;

	if (agreed)
		return;
	version = la_installed_version();
	if (version == NULL || strcmp(version, LA_VERSION) != 0)
		ereport(ERROR,
		        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		         errmsg("the leadanalytics library is version %s, its SQL in this database is version %s",
		                LA_VERSION, version ? version : "none"),
		         errhint("Run ALTER EXTENSION leadanalytics UPDATE, then connect again.")));
	agreed = true;
}
