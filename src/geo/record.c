/*
 * What is in a record, in the schemas of GeoLite2, GeoIP2 and DB-IP. See record.h.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "geo/record.h"

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The value of that type at the path; has_data is false when there is none. */
static int
value_at(MMDB_entry_s *entry, const char *const *path, uint32 type, MMDB_entry_data_s *data)
{
	int status = MMDB_aget_value(entry, data, path);

	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || status == MMDB_INVALID_LOOKUP_PATH_ERROR)
	{
		data->has_data = false;
		return MMDB_SUCCESS;
	}
	if (status == MMDB_SUCCESS && data->has_data && data->type != type)
		data->has_data = false;
	return status;
}

/* Texts in a file have a length and no end. NULL stays where there is none. */
static int
text_at(MMDB_entry_s *entry, const char *const *path, const char **text)
{
	MMDB_entry_data_s data;
	int status = value_at(entry, path, MMDB_DATA_TYPE_UTF8_STRING, &data);

	if (status != MMDB_SUCCESS || !data.has_data || data.data_size == 0)
		return status;
	if (data.data_size > LA_GEO_TEXT_MAX)
		data.data_size = pg_encoding_mbcliplen(PG_UTF8, data.utf8_string, data.data_size, LA_GEO_TEXT_MAX);
	if (!pg_verify_mbstr(PG_UTF8, data.utf8_string, data.data_size, true))
		return MMDB_INVALID_DATA_ERROR;
	*text = pnstrdup(data.utf8_string, data.data_size);
	return MMDB_SUCCESS;
}

static int
number_at(MMDB_entry_s *entry, const char *const *path, uint32 *number)
{
	MMDB_entry_data_s data;
	int status = value_at(entry, path, MMDB_DATA_TYPE_UINT32, &data);

	if (status == MMDB_SUCCESS && data.has_data)
		*number = data.uint32;
	return status;
}

/* Files leave out what is false; a second path adds to what a first one set. */
static int
flag_at(MMDB_entry_s *entry, const char *const *path, bool *flag)
{
	MMDB_entry_data_s data;
	int status = value_at(entry, path, MMDB_DATA_TYPE_BOOLEAN, &data);

	if (status == MMDB_SUCCESS && data.has_data && data.boolean)
		*flag = true;
	return status;
}

#define TRY(call)                                                                                            \
	do                                                                                                       \
	{                                                                                                        \
		int status_ = (call);                                                                                \
		if (status_ != MMDB_SUCCESS)                                                                         \
			return status_;                                                                                  \
	} while (0)

int
geo_read_city(MMDB_entry_s *entry, LaGeo *geo)
{
	const char *country = NULL;

	TRY(text_at(entry, PATH("country", "iso_code"), &country));
	TRY(text_at(entry, PATH("subdivisions", "0", "names", "en"), &geo->region));
	TRY(text_at(entry, PATH("city", "names", "en"), &geo->city));
	/* DB-IP has ZZ where it knows no country. */
	if (country != NULL && strlen(country) == 2 && strspn(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2 &&
	    strcmp(country, "ZZ") != 0)
		strlcpy(geo->country, country, sizeof(geo->country));
	return MMDB_SUCCESS;
}

/* GeoIP2 Enterprise has in "traits" what the other files have at the top. */
int
geo_read_asn(MMDB_entry_s *entry, LaGeo *geo)
{
	TRY(number_at(entry, PATH("autonomous_system_number"), &geo->asn));
	TRY(text_at(entry, PATH("autonomous_system_organization"), &geo->network_name));
	if (geo->asn == 0)
	{
		TRY(number_at(entry, PATH("traits", "autonomous_system_number"), &geo->asn));
		TRY(text_at(entry, PATH("traits", "autonomous_system_organization"), &geo->network_name));
	}
	return MMDB_SUCCESS;
}

int
geo_read_anonymous(MMDB_entry_s *entry, LaGeo *geo)
{
	static const struct
	{
		const char *name;
		size_t flag;
	} flags[] = {
	    {"is_anonymous", offsetof(LaGeo, is_anonymous)},
	    {"is_hosting_provider", offsetof(LaGeo, is_hosting)},
	    {"is_anonymous_vpn", offsetof(LaGeo, is_vpn)},
	    {"is_public_proxy", offsetof(LaGeo, is_proxy)},
	    {"is_residential_proxy", offsetof(LaGeo, is_proxy)},
	    {"is_tor_exit_node", offsetof(LaGeo, is_tor)},
	};

	for (int i = 0; i < lengthof(flags); i++)
	{
		bool *flag = (bool *) ((char *) geo + flags[i].flag);

		TRY(flag_at(entry, PATH(flags[i].name), flag));
		TRY(flag_at(entry, PATH("traits", flags[i].name), flag));
	}
	return MMDB_SUCCESS;
}
