/*
 * What core does when the library is loaded: settings, and the check that library and SQL belong together.
 */
#ifndef LA_CORE_H
#define LA_CORE_H

extern void la_core_init(void);

/*
 * Raise 55000 with a hint unless the extension's SQL in this database is of the library's version.
 * Looked up once a session, and again when functions changed; cheap otherwise. la_query_run calls it:
 * only C code that reads no table needs to.
 */
extern void la_require_version(void);

/* The version of the extension's SQL in this database, NULL when it is not created here. In a transaction. */
extern char *la_installed_version(void);

#endif
