/*
 * Records as CSV and JSON; the contract is in record.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/export.h"
#include "export/record.h"

static const LaFileFormat formats[] = {
    {.name = "csv", .begin = "", .between = "", .end = "", .csv = true},
    {.name = "json", .begin = "[\n", .between = ",\n", .end = "\n]\n"},
    {.name = "ndjson", .begin = "", .between = "\n", .end = "\n"},
    {.name = "pieces", .begin = "", .between = "", .end = "", .pieces = true},
};

const LaFileFormat *
la_file_format(const char *name)
{
	for (int i = 0; i < lengthof(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no file format \"%s\"", name),
	                errhint("It is csv, json or ndjson.")));
}

LaJson *
la_record_parse(const char *text, int length)
{
	const char *why;
	LaJson *record = la_json_parse(text, length, &why);

	if (record == NULL || record->type != LA_JSON_OBJECT || record->count == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("a record must be a JSON object with members"),
		                errhint("Correct the function of the export's type.")));
	la_json_foreach (member, record)
		if (member->type == LA_JSON_ARRAY || member->type == LA_JSON_OBJECT)
			ereport(ERROR,
			        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			         errmsg("member \"%s\" of a record is an array or object", member->key),
			         errhint("A record is flat: write the value as a text, or as members of its own.")));
	return record;
}

const LaJson *
la_record_piece(const char *text, int length)
{
	const char *why;
	const LaJson *piece = la_json_parse(text, length, &why);

	if (piece == NULL || piece->type != LA_JSON_STRING)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a piece of a file must be a JSON string"),
		         errhint("Correct the function of the export's type.")));
	return piece;
}

/* What a spreadsheet may take for a formula: also by the wide signs of East Asian keyboards. */
static bool
is_formula(const char *text)
{
	static const char *const signs[] = {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"};

	for (int i = 0; i < lengthof(signs); i++)
		if (strncmp(text, signs[i], strlen(signs[i])) == 0)
			return true;
	return false;
}

static void
append_text(StringInfo out, const char *text, int length)
{
	bool formula = is_formula(text);

	if (length > 0 && text[strcspn(text, ",\"\r\n")] == '\0')
	{
		if (formula)
			appendStringInfoChar(out, '\'');
		appendBinaryStringInfo(out, text, length);
		return;
	}
	appendStringInfoString(out, formula ? "\"'" : "\"");
	for (const char *c = text; *c != '\0'; c++)
	{
		if (*c == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *c);
	}
	appendStringInfoChar(out, '"');
}

void
la_record_csv(StringInfo out, const LaJson *record, bool names)
{
	la_json_foreach (member, record)
	{
		if (member != record->first)
			appendStringInfoChar(out, ',');
		if (names)
			append_text(out, member->key, strlen(member->key));
		else if (member->type == LA_JSON_STRING)
			append_text(out, member->text, member->length);
		else if (member->type != LA_JSON_NULL)
			appendBinaryStringInfo(out, member->text, member->length);
	}
	appendStringInfoString(out, "\r\n");
}

LA_FUNCTION(la_export_csv_line)
{
	text *json = PG_GETARG_TEXT_PP(0);
	LaJson *record = la_record_parse(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	StringInfoData line;

	initStringInfo(&line);
	la_record_csv(&line, record, PG_GETARG_BOOL(1));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(line.data, line.len));
}
