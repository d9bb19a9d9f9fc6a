/*
 * Lookups and files as rows, for SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/core.h"
#include "core/export.h"
#include "geo/file.h"
#include "geo/geo.h"

/* leadanalytics.geo(ip): one row; null is unknown. */
LA_FUNCTION(la_geo_geo)
{
	LaGeo geo;
	TupleDesc row = fcinfo->flinfo->fn_extra;

	la_require_version();
	if (row == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "leadanalytics.geo() must return a row");
		row = BlessTupleDesc(row);
		MemoryContextSwitchTo(caller);
		fcinfo->flinfo->fn_extra = row;
	}

	la_geo_find(PG_GETARG_INET_PP(0), &geo);
	{
		Datum values[] = {
		    CStringGetTextDatum(geo.country),
		    CStringGetTextDatum(geo.region ? geo.region : ""),
		    CStringGetTextDatum(geo.city ? geo.city : ""),
		    Int64GetDatum(geo.asn),
		    CStringGetTextDatum(geo.network_name ? geo.network_name : ""),
		    BoolGetDatum(geo.is_anonymous),
		    BoolGetDatum(geo.is_hosting),
		    BoolGetDatum(geo.is_vpn),
		    BoolGetDatum(geo.is_proxy),
		    BoolGetDatum(geo.is_tor),
		};
		bool unknown = !geo.knows_anonymity;
		bool nulls[] = {
		    geo.country[0] == '\0',
		    geo.region == NULL,
		    geo.city == NULL,
		    geo.asn == 0,
		    geo.network_name == NULL,
		    unknown,
		    unknown,
		    unknown,
		    unknown,
		    unknown,
		};

		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(row, values, nulls)));
	}
}

/* leadanalytics.geo_files(): the three settings, and how this backend finds their files. */
LA_FUNCTION(la_geo_files)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	la_require_version();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < GEO_FILES; i++)
	{
		LaGeoFile *file = geo_files[i];
		MMDB_s *mmdb = geo_file_use(file);
		bool open = mmdb != NULL;
		uint64 built = open ? mmdb->metadata.build_epoch : 0;
		bool dated = built > 0 && built < PG_UINT32_MAX;
		Datum values[] = {
		    CStringGetTextDatum(file->setting),
		    CStringGetTextDatum(file->path),
		    CStringGetTextDatum(open ? file->type : ""),
		    TimestampTzGetDatum(time_t_to_timestamptz(dated ? (pg_time_t) built : 0)),
		    CStringGetTextDatum(file->trouble),
		    CStringGetTextDatum(file->remedy ? file->remedy : ""),
		};
		bool nulls[] = {false, file->path[0] == '\0', !open, !dated, open, open};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
