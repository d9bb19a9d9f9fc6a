/*
 * leadanalytics.may(workspace): may the caller ask about, and act for, this workspace?
 *
 * Inside the door only the workspace of the request, whoever runs the server's connections. Elsewhere
 * superusers, leadanalytics_owner, members of leadanalytics_admin (they set workspaces up, so to deny
 * them one would be a pretence), and members of a role that workspace_role names.
 *
 * "The caller" is GetOuterUserId(): the role that SET ROLE, else the log-in, says.
 *  - Not current_user: our functions are SECURITY DEFINER, inside them it is leadanalytics_owner, who
 *    may everything, and so would everybody.
 *  - Not session_user: a pool logs in as one role and takes the caller's with SET ROLE. Everyone would
 *    have the pool's rights, and a superuser who tries a role on would still have all of his.
 * SET ROLE is refused inside SECURITY DEFINER functions, so nothing we call can change it.
 *
 * The functions are not parallel safe: a parallel worker does not have the door's static.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "tenant/tenant.h"

static int current = LA_TENANT_NOBODY;
static bool current_sees_contacts = false;

static LaQuery granted_roles = {
    "SELECT role, as_role = 'admin' FROM leadanalytics.workspace_role WHERE workspace = $1", 1, {INT4OID}};

static LaQuery exists = {
    "SELECT FROM leadanalytics.workspace WHERE id = $1 AND closed_at IS NULL", 1, {INT4OID}};

static void
clear_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		current = LA_TENANT_NOBODY;
}

void
la_tenant_enter(int workspace, const char *role)
{
	/* A role that is new here sees contacts masked until it is listed. */
	static const char *const sees[] = {"admin", "sdk", "agent", "live", "sandbox", "member", "tenant"};
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(clear_at_end, NULL);
		registered = true;
	}
	current = workspace;
	current_sees_contacts = false;
	for (int i = 0; i < lengthof(sees) && role != NULL; i++)
		if (strcmp(role, sees[i]) == 0)
			current_sees_contacts = true;
}

void
la_tenant_leave(void)
{
	current = LA_TENANT_NOBODY;
}

void
la_tenant_within(int workspace, const char *role, LaTenant *outside)
{
	outside->workspace = current;
	outside->sees_contacts = current_sees_contacts;
	la_tenant_enter(workspace, role);
}

void
la_tenant_back(const LaTenant *outside)
{
	current = outside->workspace;
	current_sees_contacts = outside->sees_contacts;
}

int
la_tenant_current(void)
{
	return current;
}

static bool
has_role(Oid caller, const char *name)
{
	Oid role = get_role_oid(name, true);

	return OidIsValid(role) && has_privs_of_role(caller, role);
}

/* Whether the database role was given the workspace; contacts: with names, addresses and numbers of people.
 */
static bool
granted(int workspace, bool contacts)
{
	Oid caller = GetOuterUserId();
	Datum id = Int32GetDatum(workspace);
	uint64 rows;

	if (superuser_arg(caller) || has_role(caller, "leadanalytics_owner") ||
	    has_role(caller, "leadanalytics_admin"))
		return true;
	rows = la_query_run(&granted_roles, &id, NULL, true, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool isnull;
		Name role = DatumGetName(la_query_value(row, 1, &isnull));

		if ((!contacts || DatumGetBool(la_query_value(row, 2, &isnull))) && has_role(caller, NameStr(*role)))
			return true;
	}
	return false;
}

static bool
may(int workspace)
{
	return current != LA_TENANT_NOBODY ? workspace == current : granted(workspace, false);
}

/* Whether one of those who may sees people's contacts as they are. */
static bool
sees_contacts(int workspace)
{
	return current != LA_TENANT_NOBODY ? current_sees_contacts : granted(workspace, true);
}

LA_FUNCTION(la_tenant_sees_contacts)
{
	bool answer;

	/* To see less than one may is everybody's right. */
	if (PG_ARGISNULL(0) ||
	    (!PG_ARGISNULL(1) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)), "marketing") == 0))
		PG_RETURN_BOOL(false);
	SPI_connect();
	answer = sees_contacts(PG_GETARG_INT32(0));
	SPI_finish();
	PG_RETURN_BOOL(answer);
}

LA_FUNCTION(la_tenant_may)
{
	bool answer;

	SPI_connect();
	answer = may(PG_GETARG_INT32(0));
	SPI_finish();
	PG_RETURN_BOOL(answer);
}

void
la_tenant_require(int workspace)
{
	Datum id = Int32GetDatum(workspace);

	/* One text for a workspace that is not there and for one that is another's: the answer tells neither. */
	if (!may(workspace) || la_query_run(&exists, &id, NULL, true, 1) == 0)
		ereport(ERROR, (errcode(LA_NOT_FOUND), errmsg("Workspace not found"),
		                errhint("See leadanalytics.workspaces for those you may ask about; "
		                        "leadanalytics.grant_workspace() adds one.")));
}

LA_FUNCTION(la_tenant_permitted)
{
	SPI_connect();
	la_tenant_require(PG_ARGISNULL(0) ? LA_TENANT_NOBODY : PG_GETARG_INT32(0)); /* no workspace has that id */
	SPI_finish();
	PG_RETURN_INT32(PG_GETARG_INT32(0));
}
