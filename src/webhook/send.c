/*
 * Sending; the contract is in send.h.
 *
 * A receiver is a stranger: it may lie, stall, drip, flood or send us elsewhere. So all of a sending has
 * one time limit, its answer one of size, nothing is followed, decoded, remembered or reused, and neither
 * the environment nor a file has a say. Where a name leads is looked at when the socket is opened for
 * that very address: no other answer of the name server can come in between.
 *
 * libcurl resolves names in threads of its own. They must get none of PostgreSQL's signals, whose
 * handlers are not made for them: a thread has the signals blocked that its maker had.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>

#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "core/settings.h"
#include "webhook/address.h"
#include "webhook/send.h"

/* Sockets are waited for without the latch, so it is looked at so often. */
#define GLANCE_MS 50

struct LaSender
{
	MemoryContext context;
	CURLM *multi;
	int busy;
	List *faulty; /* LaSending that did not begin */
};

static void
end_sender(void *arg)
{
	curl_multi_cleanup(((LaSender *) arg)->multi);
}

static void
end_sending(void *arg)
{
	LaSending *sending = arg;

	if (sending->easy != NULL)
	{
		if (sending->sender != NULL)
			curl_multi_remove_handle(sending->sender->multi, sending->easy);
		curl_easy_cleanup(sending->easy);
	}
	curl_mime_free(sending->mime);
	curl_slist_free_all(sending->headers);
	curl_slist_free_all(sending->recipients);
}

/* Memory of libcurl's is no context's: it goes when the context goes. */
static void
call_at_end(MemoryContext context, MemoryContextCallbackFunction function, void *arg)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof(MemoryContextCallback));

	callback->func = function;
	callback->arg = arg;
	MemoryContextRegisterResetCallback(context, callback);
}

static void
out_of_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("libcurl has no memory"),
	                errhint("See what else takes memory on this machine.")));
}

LaSender *
la_sender_make(MemoryContext context)
{
	static bool ready = false; /* in this process */
	LaSender *sender = MemoryContextAllocZero(context, sizeof(LaSender));

	if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		out_of_memory();
	ready = true;
	sender->context = context;
	sender->multi = curl_multi_init();
	if (sender->multi == NULL)
		out_of_memory();
	call_at_end(context, end_sender, sender);
	return sender;
}

int
la_sender_busy(const LaSender *sender)
{
	return sender->busy;
}

LaSending *
la_sending_make(LaSender *sender)
{
	MemoryContext context =
	    AllocSetContextCreate(sender->context, "leadanalytics delivery", ALLOCSET_DEFAULT_SIZES);
	LaSending *sending = MemoryContextAllocZero(context, sizeof(LaSending));

	sending->context = context;
	call_at_end(context, end_sending, sending);
	sending->easy = curl_easy_init();
	if (sending->easy == NULL)
		out_of_memory();
	return sending;
}

/* What libcurl wants to connect to, and may not unless it is public. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	LaSending *sending = arg;

	if (!la_webhook_private && !la_address_public(&address->addr))
	{
		const void *bytes = address->family == AF_INET6
		                        ? (const void *) &((struct sockaddr_in6 *) &address->addr)->sin6_addr
		                        : (const void *) &((struct sockaddr_in *) &address->addr)->sin_addr;

		if (inet_ntop(address->family, bytes, sending->refused, sizeof(sending->refused)) == NULL)
			strlcpy(sending->refused, "of an unknown kind", sizeof(sending->refused));
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void
keep(LaSending *sending, const char *data, size_t length)
{
	size_t more = Min(length, (size_t) (LA_ANSWER_KEPT - sending->kept));

	memcpy(sending->raw + sending->kept, data, more);
	sending->kept += more;
}

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	LaSending *sending = arg;

	keep(sending, data, n);
	sending->body_bytes += n;
	return sending->body_bytes > LA_ANSWER_READ ? 0 : n;
}

/* Header lines; of a mail server, its replies, of which the last one before the parting says it all. */
static size_t
take_header(char *data, size_t size, size_t n, void *arg)
{
	LaSending *sending = arg;

	sending->header_bytes += n;
	if (sending->recipient != NULL && strncmp(data, "221", Min(n, 3)) != 0)
	{
		sending->kept = 0;
		keep(sending, data, n);
		sending->replies += n > 3 && data[3] != '-';
	}
	return sending->header_bytes > LA_ANSWER_READ ? 0 : n;
}

/* A mail's length is not known, so it is read; a webhook's body is simply there. */
static void
add_header(LaSending *sending, const char *name, const char *value)
{
	struct curl_slist *longer = curl_slist_append(sending->headers, psprintf("%s: %s", name, value));

	if (longer == NULL)
		out_of_memory();
	sending->headers = longer;
}

static bool
called_by_http(LaSending *sending)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	char *user = NULL;
	const char *fault = NULL;

	if (parts == NULL)
		out_of_memory();
	if (curl_url_set(parts, CURLUPART_URL, sending->url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		fault = "its url is not valid";
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		fault = "its url must begin with http:// or https://";
	else if (curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_NO_USER)
		fault = "its url must have no user and no password";
	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(parts);
	if (fault != NULL)
		la_send_fault(sending, false, fault);
	return fault == NULL;
}

static bool
prepare_post(LaSending *sending)
{
	CURL *easy = sending->easy;

	if (!called_by_http(sending))
		return false;
	add_header(sending, "Content-Type", "application/json");
	add_header(sending, "X-Leadron-Event", sending->topic);
	add_header(sending, "X-Leadron-Delivery", sending->occurrence);
	add_header(sending, "X-Leadron-Signature", sending->mark);
	add_header(sending, "Expect", ""); /* do not ask first whether a long body is welcome */
	curl_easy_setopt(easy, CURLOPT_URL, sending->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "leadanalytics/" LA_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sending->headers);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(sending->body));
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, sending->body);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, sending);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, sending);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long) la_webhook_timeout_s);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long) Min(la_webhook_timeout_s, 5));
	return true;
}

/* What holds for every sending. */
static void
prepare(LaSending *sending)
{
	CURL *easy = sending->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, sending);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, sending->curl_error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server that does not answer */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, sending);
}

void
la_send_fault(LaSending *sending, bool final, const char *error)
{
	sending->final = final;
	sending->error = MemoryContextStrdup(sending->context, error);
}

void
la_send(LaSender *sender, LaSending *sending)
{
	MemoryContext before = MemoryContextSwitchTo(sending->context);
	bool ready = sending->error == NULL;

	if (ready)
	{
		prepare(sending);
		ready = sending->recipient != NULL ? la_mail_prepare(sending) : prepare_post(sending);
	}
	MemoryContextSwitchTo(sender->context);
	if (!ready)
		sender->faulty = lappend(sender->faulty, sending);
	else if (curl_multi_add_handle(sender->multi, sending->easy) != CURLM_OK)
		out_of_memory();
	else
		sending->sender = sender;
	sender->busy++;
	MemoryContextSwitchTo(before);
}

void
la_sender_wait(LaSender *sender, long ms)
{
	sigset_t all;
	sigset_t usual;
	int running;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &usual);
	curl_multi_perform(sender->multi, &running);
	pthread_sigmask(SIG_SETMASK, &usual, NULL);
	if (sender->faulty == NIL && running == sender->busy)
	{
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		curl_multi_poll(sender->multi, NULL, 0, Min(ms, GLANCE_MS), NULL);
		pgstat_report_wait_end();
	}
}

/* What came from outside as text: what is no UTF-8, and the character a limit cut, are left out. */
static char *
as_text(const LaSending *sending, const char *came, int kept)
{
	char *text = MemoryContextAlloc(sending->context, kept + 1);
	char *end = text;
	const unsigned char *raw = (const unsigned char *) came;

	for (int i = 0; i < kept;)
	{
		int length = pg_utf_mblen(raw + i);

		if (raw[i] == '\0' || i + length > kept || !pg_utf8_islegal(raw + i, length))
		{
			i++;
			continue;
		}
		memcpy(end, raw + i, length);
		end += length;
		i += length;
	}
	*end = '\0';
	return text;
}

/* What libcurl says it came to, in our words where they say more. */
static void
judge(LaSending *sending, CURLcode code)
{
	bool cut = sending->body_bytes > LA_ANSWER_READ; /* an answer long enough */
	long status = 0;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(sending->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(sending->easy, CURLINFO_RETRY_AFTER, &retry_after);
	sending->retry_after_s = Min(Max(retry_after, 0), PG_INT32_MAX);
	sending->status = status;
	if (sending->kept > 0)
		sending->answer = as_text(sending, sending->raw, sending->kept);
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && cut))
		return;
	/* A mail server's word about this mail, and not about us (its greeting, encryption, who we are). */
	if (sending->recipient != NULL &&
	    (sending->replies < 2 || (code != CURLE_SEND_ERROR && code != CURLE_WEIRD_SERVER_REPLY)))
		sending->status = 0;
	if (sending->refused[0] != '\0')
	{
		sending->error = MemoryContextAlloc(sending->context, 200);
		snprintf(sending->error, 200,
		         "its url leads to %s, which is not a public address (see leadanalytics.webhook_private)",
		         sending->refused);
	}
	else
	{
		/* there may be names in it that the other side gave itself, in its certificate */
		const char *said = sending->curl_error[0] != '\0' ? sending->curl_error : curl_easy_strerror(code);

		sending->error = as_text(sending, said, strlen(said));
	}
}

LaSending *
la_sender_done(LaSender *sender)
{
	LaSending *sending = NULL;
	CURLMsg *message;
	int left;

	if (sender->faulty != NIL)
	{
		sending = linitial(sender->faulty);
		sender->faulty = list_delete_first(sender->faulty);
		sender->busy--;
		return sending;
	}
	while ((message = curl_multi_info_read(sender->multi, &left)) != NULL)
	{
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &sending);
		judge(sending, message->data.result);
		sender->busy--;
		return sending;
	}
	return NULL;
}
