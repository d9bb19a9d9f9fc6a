/*
 * The settings, one row each. Who may change what: a setting that changes stored facts or answers of
 * others is for superusers (or ALTER SYSTEM, ALTER DATABASE); one that changes only how the caller's
 * own question is answered is for everybody.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "core/settings.h"

char *la_geo_city = NULL;
char *la_geo_asn = NULL;
char *la_geo_anonymous = NULL;
bool la_policy_cidr = false;
bool la_enforce_limits = false;
int la_track_past_s = 7 * 24 * 3600;
int la_track_future_s = 5 * 60;
int la_track_dictionary = 1000000;
int la_session_server_s = 30 * 60;
int la_session_client_s = 60 * 60;
int la_idempotency_keep_s = 24 * 3600;
int la_worker_restart_s = 5;
int la_worker_jobs = 2;
int la_machine_s = 5;
int la_machine_links = 3;
int la_live_after_ms = 50;
int la_live_memory_mb = 64;
int la_live_workspace_memory_mb = 32;
int la_segment_events = 200;
int la_quarters_keep_s = 35 * 24 * 3600;
char *la_agent_regexes = NULL;
bool la_exact = false;
bool la_webhook_private = false;
int la_webhook_timeout_s = 10;
int la_webhook_at_once = 64;
char *la_smtp_url = NULL;
char *la_smtp_from = NULL;
char *la_smtp_user = NULL;
char *la_smtp_password = NULL;
int la_smtp_tls = LA_SMTP_TLS_TRY;

/* Asked by SQL alone, with current_setting(). */
static bool bot_lead_detection = true;
static bool engine_enabled = true;
static int lead_reengage_s = 24 * 3600;
static int heatmap_sends = 100;
static int predict_horizon_s = 90 * 24 * 3600;
static int fold_events = 1000;
static int fold_after_s = 60;
static int event_retention_s = 0;
static int export_keep_s = 7 * 24 * 3600;
static int report_keep_s = 7 * 24 * 3600;
static int webhook_retry_s = 10;
static int webhook_retry_max_s = 6 * 3600;
static int webhook_attempts = 16;
static int delivery_keep_s = 30 * 24 * 3600;
static int mail_attachment_kb = 10 * 1024;
static char *public_url = NULL;

typedef struct BoolSetting
{
	const char *name;
	const char *what;
	bool *value;
	bool standard;
	GucContext context;
} BoolSetting;

typedef struct IntSetting
{
	const char *name;
	const char *what;
	int *value;
	int standard;
	int min;
	int max;
	GucContext context;
	int unit;
} IntSetting;

typedef struct TextSetting
{
	const char *name;
	const char *what;
	char **value;
	const char *standard;
	GucContext context;
	GucStringCheckHook check;
	int flags;
} TextSetting;

/* A relative one would mean something in the data directory, which nobody means. */
static bool
check_path(char **value, void **extra, GucSource source)
{
	if (*value == NULL || **value == '\0' || is_absolute_path(*value))
		return true;
	GUC_check_errdetail("It must be an absolute path, or empty for none.");
	return false;
}

/* A path is put behind it. */
static bool
check_url(char **value, void **extra, GucSource source)
{
	const char *url = *value ? *value : "";
	size_t length = strlen(url);

	if (length == 0 || ((strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
	                    url[length - 1] != '/' && strpbrk(url, " \t\r\n?#\"<>\\") == NULL))
		return true;
	GUC_check_errdetail("It must be an address such as https://analytics.example.com, without a slash at the "
	                    "end, or empty for none.");
	return false;
}

/* A user in it would be shown with it. */
static bool
check_smtp_url(char **value, void **extra, GucSource source)
{
	const char *url = *value ? *value : "";

	if (*url == '\0' || ((strncmp(url, "smtp://", 7) == 0 || strncmp(url, "smtps://", 8) == 0) &&
	                     strpbrk(url, " \t\r\n@?#\"<>\\") == NULL))
		return true;
	GUC_check_errdetail(
	    "It must be an address such as smtp://mail.example.com:587 or smtps://mail.example.com, "
	    "without a user, or empty for none.");
	return false;
}

/* It becomes a line of each mail. */
static bool
check_smtp_from(char **value, void **extra, GucSource source)
{
	const char *from = *value ? *value : "";
	const char *at = strchr(from, '@');

	if (*from == '\0' || (at != NULL && at != from && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
	                      strlen(from) <= 254 && strpbrk(from, " \t\r\n<>,;:\"\\()[]") == NULL))
		return true;
	GUC_check_errdetail("It must be an address such as reports@example.com, or empty for none.");
	return false;
}

static const struct config_enum_entry tls_words[] = {
    {"none", LA_SMTP_TLS_NONE, false},
    {"try", LA_SMTP_TLS_TRY, false},
    {"require", LA_SMTP_TLS_REQUIRE, false},
    {NULL, 0, false},
};

static const BoolSetting bools[] = {
    {"leadanalytics.policy_cidr", "Networks may be blocked and whitelisted, not only addresses.",
     &la_policy_cidr, false, PGC_SUSET},
    {"leadanalytics.enforce_limits",
     "Requests are refused once the plan's events of the month (POST /api/v1/track) or its requests (/v1) "
     "are "
     "used up.",
     &la_enforce_limits, false, PGC_SUSET},
    {"leadanalytics.bot_lead_detection",
     "Enquiries with a filled honeypot are kept apart, and their address is blocked.", &bot_lead_detection,
     true, PGC_SUSET},
    {"leadanalytics.engine_enabled", "The questions under /analytics/engine are answered.", &engine_enabled,
     true, PGC_SUSET},
    {"leadanalytics.webhook_private",
     "Webhooks may lead to private addresses: this machine, its network, what only it can reach.",
     &la_webhook_private, false, PGC_SUSET},
    {"leadanalytics.exact",
     "Questions are answered from the rows alone, by plain SQL: a second way to every number.", &la_exact,
     false, PGC_USERSET},
};

static const IntSetting ints[] = {
    {"leadanalytics.track_past", "How far before its receipt a client's timestamp is believed.",
     &la_track_past_s, 7 * 24 * 3600, 0, 366 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.track_future", "How far after its receipt a client's timestamp is believed.",
     &la_track_future_s, 5 * 60, 0, 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.track_dictionary", "How many entries a workspace's dictionary takes.",
     &la_track_dictionary, 1000000, 1, INT_MAX, PGC_SUSET, 0},
    {"leadanalytics.session_idle_server", "Idle time that ends a session made by the server.",
     &la_session_server_s, 30 * 60, 60, 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.session_idle_client", "Idle time that ends a session named by the client.",
     &la_session_client_s, 60 * 60, 60, 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.idempotency_keep", "How long the answer to an Idempotency-Key is kept.",
     &la_idempotency_keep_s, 24 * 3600, 60, 31 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.worker_restart", "Pause before a worker that failed is started again.",
     &la_worker_restart_s, 5, 1, 3600, PGC_SIGHUP, GUC_UNIT_S},
    {"leadanalytics.worker_jobs",
     "How many workers a database may have for its units of lane job; 0: the fold worker runs them too.",
     &la_worker_jobs, 2, 0, LA_WORKER_MAX_JOBS, PGC_SIGHUP, 0},
    {"leadanalytics.segment_events", "How many events a day or month has at the least that gets segments.",
     &la_segment_events, 200, 1, 1000000, PGC_SUSET, 0},
    {"leadanalytics.quarters_keep", "How long segments of quarters of an hour are kept.", &la_quarters_keep_s,
     35 * 24 * 3600, 24 * 3600, INT_MAX, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.fold_events", "How many unfolded events of a workspace are folded at once.", &fold_events,
     1000, 1, INT_MAX, PGC_SUSET, 0},
    {"leadanalytics.fold_after", "How old fewer unfolded events get before they are folded.", &fold_after_s,
     60, 1, 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.event_retention", "How long events are kept as rows, by whole months; 0: for ever.",
     &event_retention_s, 0, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.export_keep", "How long exports are remembered after their file is gone.", &export_keep_s,
     7 * 24 * 3600, 0, 366 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.report_keep", "How long the file of a scheduled report is there.", &report_keep_s,
     7 * 24 * 3600, 60, 366 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.lead_reengage", "Time after which another post of a lead is announced by webhook again.",
     &lead_reengage_s, 24 * 3600, 0, 366 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.machine_time",
     "Opens and clicks so soon after a message was sent or delivered, and clicks so close together, are "
     "machines'.",
     &la_machine_s, 5, 0, 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.machine_links", "How many links of a message only a machine follows at once.",
     &la_machine_links, 3, 2, 1000, PGC_SUSET, 0},
    {"leadanalytics.predict_horizon",
     "How long after it came a lead that is won counts as converted, to models that predict it.",
     &predict_horizon_s, 90 * 24 * 3600, 24 * 3600, 5 * 366 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.heatmap_sends", "How many messages tell that a time to send them is the best.",
     &heatmap_sends, 100, 1, INT_MAX, PGC_USERSET, 0},
    {"leadanalytics.webhook_timeout", "How long a webhook's receiver may take.", &la_webhook_timeout_s, 10, 1,
     60, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.webhook_at_once", "How many deliveries are sent at once.", &la_webhook_at_once, 64, 2,
     256, PGC_SUSET, 0},
    {"leadanalytics.webhook_retry",
     "The pause after a delivery's first attempt that failed; each later one is twice as long.",
     &webhook_retry_s, 10, 1, 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.webhook_retry_max", "The longest pause between two attempts at a delivery.",
     &webhook_retry_max_s, 6 * 3600, 1, 7 * 24 * 3600, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.webhook_attempts", "After so many attempts a delivery is given up.", &webhook_attempts,
     16, 1, 1000, PGC_SUSET, 0},
    {"leadanalytics.delivery_keep", "How long deliveries are kept after they ended.", &delivery_keep_s,
     30 * 24 * 3600, 3600, INT_MAX, PGC_SUSET, GUC_UNIT_S},
    {"leadanalytics.mail_attachment",
     "How large a file goes with a mail; of a larger one the mail has the link.", &mail_attachment_kb,
     10 * 1024, 0, 100 * 1024, PGC_SUSET, GUC_UNIT_KB},
    {"leadanalytics.live_after",
     "How long rows may take to tell what happens now before a workspace is counted in memory; -1: never.",
     &la_live_after_ms, 50, -1, INT_MAX, PGC_SUSET, GUC_UNIT_MS},
    {"leadanalytics.live_memory", "Shared memory for live counts; 0: none.", &la_live_memory_mb, 64, 0,
     INT_MAX / 1024, PGC_POSTMASTER, GUC_UNIT_MB},
    {"leadanalytics.live_workspace_memory", "How much of it the counts of one workspace may take.",
     &la_live_workspace_memory_mb, 32, 1, INT_MAX / 1024, PGC_SIGHUP, GUC_UNIT_MB},
};

/* Those of the mail server can only be set for the whole server: what ALTER DATABASE sets, everybody can
 * read. */
static const TextSetting texts[] = {
    {"leadanalytics.geo_city", "MaxMind DB file of cities or countries.", &la_geo_city, "", PGC_SUSET,
     check_path},
    {"leadanalytics.geo_asn", "MaxMind DB file of networks (ASN or ISP).", &la_geo_asn, "", PGC_SUSET,
     check_path},
    {"leadanalytics.geo_anonymous", "MaxMind DB file of anonymous addresses.", &la_geo_anonymous, "",
     PGC_SUSET, check_path},
    {"leadanalytics.agent_regexes", "The regexes.yaml of uap-core that tells browsers and bots apart.",
     &la_agent_regexes, "/usr/share/uap-core/regexes.yaml", PGC_SUSET, check_path},
    {"leadanalytics.public_url", "Where clients reach the service: what links that it makes begin with.",
     &public_url, "", PGC_SIGHUP, check_url},
    {"leadanalytics.smtp_url", "The mail server: smtp://host:port or smtps://host:port.", &la_smtp_url, "",
     PGC_SIGHUP, check_smtp_url, GUC_SUPERUSER_ONLY},
    {"leadanalytics.smtp_from", "The address that mails come from.", &la_smtp_from, "", PGC_SIGHUP,
     check_smtp_from},
    {"leadanalytics.smtp_user", "Who we are at the mail server; empty: nobody.", &la_smtp_user, "",
     PGC_SIGHUP, NULL, GUC_SUPERUSER_ONLY},
    {"leadanalytics.smtp_password", "The password there.", &la_smtp_password, "", PGC_SIGHUP, NULL,
     GUC_SUPERUSER_ONLY},
};

void
la_settings_define(void)
{
	for (int i = 0; i < lengthof(bools); i++)
		DefineCustomBoolVariable(bools[i].name, bools[i].what, NULL, bools[i].value, bools[i].standard,
		                         bools[i].context, 0, NULL, NULL, NULL);
	for (int i = 0; i < lengthof(ints); i++)
	{
		/* what only a start can change means nothing without preloading, and could not be defined later */
		if (ints[i].context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress)
			continue;
		DefineCustomIntVariable(ints[i].name, ints[i].what, NULL, ints[i].value, ints[i].standard,
		                        ints[i].min, ints[i].max, ints[i].context, ints[i].unit, NULL, NULL, NULL);
	}
	for (int i = 0; i < lengthof(texts); i++)
		DefineCustomStringVariable(texts[i].name, texts[i].what, NULL, texts[i].value, texts[i].standard,
		                           texts[i].context, texts[i].flags, texts[i].check, NULL, NULL);
	DefineCustomEnumVariable(
	    "leadanalytics.smtp_tls",
	    "Whether the connection to an smtp:// server must be encrypted (STARTTLS): none, "
	    "try, require.",
	    NULL, &la_smtp_tls, LA_SMTP_TLS_TRY, tls_words, PGC_SIGHUP, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("leadanalytics");
}
