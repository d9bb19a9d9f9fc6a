/*
 * The session's regexes and the file they come from. Loaded at the first agent that is read, about
 * 20 ms and 3 MB, and again when the file or the setting changed: looked at once a statement, so that
 * a package upgrade needs no restart, and one statement reads all its agents by the same regexes.
 *
 * A file that cannot be used is told by one WARNING a version: whatever it is now, it is what it is
 * until it changes. Ingestion goes on without it.
 */
#include "postgres.h"

#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "agent/regexes.h"
#include "core/settings.h"

#define MAX_FILE (8 * 1024 * 1024)

/* What makes a version of the file; all zero when there is none. */
typedef struct Version
{
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written;
} Version;

static AgentRegexes *regexes;
static char *loaded_path;
static Version loaded_version;
static TimestampTz looked_at; /* start of the statement that looked at the file */

/* PCRE2's memory. It takes NULL for an answer, and must not be jumped out of. */
static void *
allocate(PCRE2_SIZE size, void *context)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
release(void *block, void *context)
{
	if (block != NULL)
		pfree(block);
}

/* What PCRE2 did not take from the context: the machine code and its stack. */
static void
release_code(void *arg)
{
	AgentRegexes *old = arg;

	for (int list = 0; list < AGENT_LISTS; list++)
		for (int i = 0; i < old->count[list]; i++)
			pcre2_code_free(old->rules[list][i].code);
	pcre2_jit_stack_free(old->stack);
}

static bool
same_version(const Version *a, const Version *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->written.tv_sec == b->written.tv_sec && a->written.tv_nsec == b->written.tv_nsec;
}

static Version
version_of(const char *path)
{
	Version version = {0};
	struct stat found;

	if (path[0] != '\0' && stat(path, &found) == 0)
	{
		version.device = found.st_dev;
		version.inode = found.st_ino;
		version.size = found.st_size;
		version.written = found.st_mtim;
	}
	return version;
}

/* The file's bytes, or NULL with *problem. Opening a pipe would wait for somebody to write to it. */
static char *
read_whole(const char *path, size_t *length, const char **problem)
{
	struct stat found;
	char *bytes;
	FILE *file;

	if (stat(path, &found) != 0 || (file = AllocateFile(path, "rb")) == NULL)
	{
		*problem = psprintf("%s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(found.st_mode) || found.st_size > MAX_FILE)
	{
		*problem = S_ISREG(found.st_mode) ? "it is too large" : "it is no file";
		FreeFile(file);
		return NULL;
	}
	bytes = palloc(found.st_size + 1);
	*length = fread(bytes, 1, found.st_size, file);
	if (ferror(file))
		*problem = psprintf("%s", strerror(errno));
	FreeFile(file);
	return *problem == NULL ? bytes : NULL;
}

static AgentRegexes *
load(const char *path)
{
	/* Ours only when it is whole: until then it goes with the caller's should something be raised. */
	MemoryContext context =
	    AllocSetContextCreate(CurrentMemoryContext, "leadanalytics agent regexes", ALLOCSET_DEFAULT_SIZES);
	AgentRegexes *made = MemoryContextAllocZero(context, sizeof(AgentRegexes));
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	MemoryContext before = MemoryContextSwitchTo(context);
	size_t length = 0;
	char *yaml;

	made->context = context;
	callback->func = release_code;
	callback->arg = made;
	MemoryContextRegisterResetCallback(context, callback);

	made->general = pcre2_general_context_create(allocate, release, context);
	if (made->general == NULL || !agent_match_init(made))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
		                errhint("Give the server more memory, or fewer connections.")));
	if (path[0] == '\0')
		made->problem = "leadanalytics.agent_regexes is empty";
	else if ((yaml = read_whole(path, &length, &made->problem)) != NULL)
	{
		agent_load(made, yaml, length);
		pfree(yaml);
	}
	MemoryContextSwitchTo(before);
	MemoryContextSetParent(context, TopMemoryContext);
	return made;
}

const AgentRegexes *
agent_regexes(bool *changed)
{
	const char *path = la_agent_regexes != NULL ? la_agent_regexes : "";
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	bool same_path = regexes != NULL && strcmp(path, loaded_path) == 0;
	AgentRegexes *made;
	char *copy;
	Version version;

	*changed = false;
	if (same_path && statement == looked_at)
		return regexes;
	version = version_of(path);
	looked_at = statement;
	if (same_path && same_version(&version, &loaded_version))
		return regexes;

	/* The version seen before reading: a file written meanwhile is another one at the next look. */
	made = load(path);
	copy = MemoryContextStrdup(made->context, path);
	if (regexes != NULL)
		MemoryContextDelete(regexes->context);
	regexes = made;
	loaded_path = copy;
	loaded_version = version;
	*changed = true;
	/* An empty setting is a wish, not a fault. */
	if (made->problem != NULL && path[0] != '\0')
		ereport(WARNING,
		        (errcode(ERRCODE_CONFIG_FILE_ERROR),
		         errmsg("browsers, devices and bots are not known: \"%s\": %s", path, made->problem),
		         errhint("Install the Debian package uap-core, or set leadanalytics.agent_regexes to the "
		                 "place of its regexes.yaml.")));
	return regexes;
}
