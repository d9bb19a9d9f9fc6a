/*
 * What an SQLSTATE means over HTTP.
 */
#include "postgres.h"

#include "core/error.h"

bool
la_is_for_client(int sqlstate)
{
	char *state = unpack_sql_state(sqlstate);

	return state[0] == 'L' && state[1] == 'A' && (state[2] == '4' || state[2] == '5') &&
	       strspn(state + 2, "0123456789") == 3;
}

int
la_http_status(int sqlstate)
{
	if (la_is_for_client(sqlstate))
	{
		int status = atoi(unpack_sql_state(sqlstate) + 2);

		return status < 500 || status == 503 ? status : 500;
	}

	switch (sqlstate)
	{
		/* What a later try may cure: the client is told so, and drops nothing. */
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_DISK_FULL:
		case ERRCODE_OUT_OF_MEMORY:
		case ERRCODE_TOO_MANY_CONNECTIONS:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
			return 503;
		default:
			return 500;
	}
}
