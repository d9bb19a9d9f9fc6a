/*
 * The settings (leadanalytics.<room>_<what>), one row each in settings.c.
 */
#ifndef LA_SETTINGS_H
#define LA_SETTINGS_H

extern char *la_geo_city; /* leadanalytics.geo_city: an absolute path, or "" */
extern char *la_geo_asn;
extern char *la_geo_anonymous;
extern bool la_policy_cidr;       /* leadanalytics.policy_cidr: networks may be listed */
extern bool la_enforce_limits;    /* events beyond the plan's are refused */
extern int la_track_past_s;       /* how old a client's timestamp may be, s */
extern int la_track_future_s;     /* how far ahead it may be, s */
extern int la_track_dictionary;   /* how many entries a workspace's dictionary takes */
extern int la_session_server_s;   /* idle limit of sessions made by the server, s */
extern int la_session_client_s;   /* idle limit of sessions the client named, s */
extern int la_worker_restart_s;   /* pause before a failed worker starts again, s */
extern int la_worker_jobs;        /* how many job workers a database may have at once */
extern int la_segment_events;     /* a day or month with fewer events gets no segments */
extern int la_quarters_keep_s;    /* how long quarters of an hour are kept, s */
extern char *la_agent_regexes;    /* path of uap-core's regexes.yaml, "": none */
extern int la_idempotency_keep_s; /* how long an answer to an Idempotency-Key is kept, s */
extern bool la_exact;             /* answers come from the rows alone */
extern int la_machine_s;          /* opens and clicks so soon after the sending are machines', s */
extern int la_machine_links;      /* so many links of a message are followed at once by machines only */
extern int la_live_after_ms;  /* how long rows may take before live counts are kept in memory, -1: never */
extern int la_live_memory_mb; /* the shared memory for them, MB */
extern int la_live_workspace_memory_mb; /* how much of it one workspace may have, MB */

extern bool la_webhook_private;  /* webhooks may lead to private addresses */
extern int la_webhook_timeout_s; /* how long a receiver may take, s */
extern int la_webhook_at_once;   /* how many deliveries are sent at once */
extern char *la_smtp_url;        /* smtp://…, smtps://…, "": none */
extern char *la_smtp_from;       /* an address, "": none */
extern char *la_smtp_user;       /* "": nobody */
extern char *la_smtp_password;
extern int la_smtp_tls; /* an LaSmtpTls */

typedef enum LaSmtpTls
{
	LA_SMTP_TLS_NONE,
	LA_SMTP_TLS_TRY,
	LA_SMTP_TLS_REQUIRE,
} LaSmtpTls;

#define LA_WORKER_MAX_JOBS 8

extern void la_settings_define(void);

#endif
