/*
 * Sending over the network, by libcurl: many at once, in one process, without waiting for any of them in
 * particular. Knows neither tables nor transactions. Private to this room.
 */
#ifndef LA_WEBHOOK_SEND_H
#define LA_WEBHOOK_SEND_H

#include <curl/curl.h>

/* Of an answer so much is read, and so much kept. */
#define LA_ANSWER_READ (64 * 1024)
#define LA_ANSWER_KEPT 1000

/* Longest that sending a mail takes; a webhook's is leadanalytics.webhook_timeout. */
#define LA_MAIL_TIMEOUT_S 120

typedef struct LaSender LaSender;

/* One delivery on its way, with all it needs, in a memory context of its own. */
typedef struct LaSending
{
	MemoryContext context;
	LaSender *sender; /* NULL: not on its way yet */

	/* what it is; whoever makes it fills this in */
	int workspace;
	int64 id;
	int attempt;
	char *body;
	char *mark;       /* a webhook's: its signature; a mail's: what makes its Message-ID */
	char *url;        /* a webhook's */
	char *topic;      /* … */
	char *occurrence; /* … */
	char *recipient;  /* a mail's; NULL: it is a webhook's */
	char *subject;    /* … */
	char *export;     /* …: whose file goes with it, NULL: none */
	char *file_name;  /* …, NULL: none */
	char *file_type;
	struct varlena *file;

	/* what became of it */
	int status;        /* of the answer, 0: none */
	int retry_after_s; /* as the receiver asked, 0: it did not */
	bool final;        /* another attempt would not help */
	char *error;       /* NULL: there is a whole answer */
	char *answer;      /* its beginning, as text; NULL: none */

	/* while it is on its way */
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *recipients;
	curl_mime *mime;
	int64 body_bytes; /* of the answer */
	int64 header_bytes;
	int kept;
	int replies; /* of a mail server */
	char raw[LA_ANSWER_KEPT];
	char refused[64]; /* the private address it led to, "": none */
	char curl_error[CURL_ERROR_SIZE];
} LaSending;

/* A sender lives as long as the memory context, and so does all that is on its way: an error leaves nothing.
 */
extern LaSender *la_sender_make(MemoryContext context);
extern int la_sender_busy(const LaSender *sender);

extern LaSending *la_sending_make(LaSender *sender);

/* Begin. What cannot even begin is done at once, with an error. */
extern void la_send(LaSender *sender, LaSending *sending);

/* Let everything go on, for so many ms at the most if there is nothing to do. */
extern void la_sender_wait(LaSender *sender, long ms);

/* The next one that is done; the caller deletes its context. NULL: none. */
extern LaSending *la_sender_done(LaSender *sender);

/* Ends a sending before it began. */
extern void la_send_fault(LaSending *sending, bool final, const char *error);

/* mail.c: all that makes a mail of it; false when it cannot be sent. */
extern bool la_mail_prepare(LaSending *sending);

#endif
