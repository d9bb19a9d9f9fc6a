/*
 * The pooled two-proportion z-test: how likely two shares, x1 of n1 and x2 of n2, differ at least so
 * much when one probability lies behind both. Two-sided, without a continuity correction: R's
 * prop.test(correct = FALSE).
 *
 * z = (x1·n2 − x2·n1) · sqrt((n1 + n2) / (n1 · n2 · x · (n1 + n2 − x))), x = x1 + x2, is the usual
 * formula with its fractions cleared: what is subtracted are whole numbers of 128 bits, so shares that
 * differ in their last digits lose none of them. The rest are products and quotients of positive doubles,
 * none of which leaves 1 … 10^77.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

#include "core/export.h"

static void
must_be_a_share(int64 x, int64 n)
{
	if (n < 0 || x < 0 || x > n)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("%lld of %lld is no share", (long long) x, (long long) n),
		                errhint("Of n trials, 0 or more, from 0 to n succeed.")));
}

/* two_proportion_test(x1 bigint, n1 bigint, x2 bigint, n2 bigint) → float8 */
LA_FUNCTION(la_campaigns_two_proportion_test)
{
	int64 x1 = PG_GETARG_INT64(0);
	int64 n1 = PG_GETARG_INT64(1);
	int64 x2 = PG_GETARG_INT64(2);
	int64 n2 = PG_GETARG_INT64(3);
	uint64 x = (uint64) x1 + (uint64) x2;
	uint64 n = (uint64) n1 + (uint64) n2;
	int128 difference;
	double z;

	must_be_a_share(x1, n1);
	must_be_a_share(x2, n2);
	/* Nothing to tell apart: one side has not been tried, or all went the same way. */
	if (n1 == 0 || n2 == 0 || x == 0 || x == n)
		PG_RETURN_FLOAT8(1);
	difference = (int128) x1 * n2 - (int128) x2 * n1;
	if (difference < 0)
		difference = -difference;
	z = (double) difference * sqrt((double) n / ((double) n1 * (double) n2 * (double) x * (double) (n - x)));
	PG_RETURN_FLOAT8(erfc(z / M_SQRT2));
}
