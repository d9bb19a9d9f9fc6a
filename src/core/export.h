/*
 * LA_FUNCTION(name) opens the definition of a function that SQL calls, and is the only
 * thing that exports a symbol: the library is compiled with hidden visibility.
 */
#ifndef LA_EXPORT_H
#define LA_EXPORT_H

#include "fmgr.h"

#define LA_FUNCTION(name)                                                                                    \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS);                                                         \
	PG_FUNCTION_INFO_V1(name);                                                                               \
	Datum name(PG_FUNCTION_ARGS)

#endif
