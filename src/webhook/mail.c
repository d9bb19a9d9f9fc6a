/*
 * A mail (RFC 5322, MIME) for one recipient, sent by SMTP as the settings leadanalytics.smtp_… say; the
 * contract is in send.h.
 *
 * Nothing from a table can add a line to a header: a subject that is not plain goes encoded (RFC 2047),
 * a recipient that is no address goes nowhere, a file's name is made by us.
 */
#include "postgres.h"

#include <time.h>

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "core/export.h"
#include "core/settings.h"
#include "webhook/send.h"

/* What an encoded word holds: 45 bytes are 60 letters of base64, with =?UTF-8?B?…?= 72 of the 75 there may
 * be. */
#define WORD_BYTES 45

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool
has_mail_server(void)
{
	return la_smtp_url != NULL && la_smtp_url[0] != '\0' && la_smtp_from != NULL && la_smtp_from[0] != '\0';
}

LA_FUNCTION(la_webhook_has_mail_server)
{
	PG_RETURN_BOOL(has_mail_server());
}

/* One mailbox and nothing else, so that it can stand in an envelope and in a header. */
static bool
is_address(const char *text)
{
	const char *at = strchr(text, '@');

	if (at == NULL || at == text || at[1] == '\0' || strchr(at + 1, '@') != NULL || strlen(text) > 254)
		return false;
	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
		if (*p <= ' ' || *p == 0x7f || strchr("<>,;:\"\\()[]", *p) != NULL)
			return false;
	return true;
}

static bool
is_plain(const char *text)
{
	if (strlen(text) > 60 || strstr(text, "=?") != NULL)
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return true;
}

/* A header's text: as it is, or in encoded words, each of whole characters and on a line of its own. */
static char *
encoded(const char *text)
{
	StringInfoData line;
	int left = strlen(text);

	if (is_plain(text))
		return pstrdup(text);
	initStringInfo(&line);
	while (left > 0)
	{
		int bytes = pg_encoding_mbcliplen(PG_UTF8, text, left, WORD_BYTES);
		int length;

		appendStringInfo(&line, "%s=?UTF-8?B?", line.len > 0 ? "\r\n " : "");
		enlargeStringInfo(&line, pg_b64_enc_len(bytes) + 1);
		length = pg_b64_encode(text, bytes, line.data + line.len, pg_b64_enc_len(bytes) + 1);
		line.len += length;
		line.data[line.len] = '\0';
		appendStringInfoString(&line, "?=");
		text += bytes;
		left -= bytes;
	}
	return line.data;
}

static char *
date_line(void)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	return psprintf("Date: %s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
	                months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Lines end as mail's do. */
static char *
with_crlf(const char *text)
{
	StringInfoData lines;

	initStringInfo(&lines);
	for (; *text != '\0'; text++)
	{
		if (*text == '\n')
			appendStringInfoChar(&lines, '\r');
		if (*text != '\r')
			appendStringInfoChar(&lines, *text);
	}
	return lines.data;
}

static struct curl_slist *
append(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(list, line);

	if (longer == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("libcurl has no memory"),
		                errhint("See what else takes memory on this machine.")));
	return longer;
}

static void
add_headers(LaSending *sending)
{
	const char *lines[] = {
	    date_line(),
	    psprintf("From: %s", la_smtp_from),
	    psprintf("To: %s", sending->recipient),
	    psprintf("Subject: %s", encoded(sending->subject)),
	    psprintf("Message-ID: <%s@%s>", sending->mark, strchr(la_smtp_from, '@') + 1),
	    "Auto-Submitted: auto-generated", /* no answer by a machine, please */
	};

	for (int i = 0; i < lengthof(lines); i++)
		sending->headers = append(sending->headers, lines[i]);
}

static void
add_parts(LaSending *sending)
{
	char *text = with_crlf(sending->body);
	curl_mimepart *part;

	sending->mime = curl_mime_init(sending->easy);
	part = curl_mime_addpart(sending->mime);
	curl_mime_data(part, text, CURL_ZERO_TERMINATED);
	curl_mime_type(part, "text/plain; charset=utf-8");
	curl_mime_encoder(part, "base64");
	if (sending->file != NULL)
	{
		part = curl_mime_addpart(sending->mime);
		curl_mime_data(part, VARDATA_ANY(sending->file), VARSIZE_ANY_EXHDR(sending->file));
		curl_mime_type(part, sending->file_type);
		curl_mime_filename(part, sending->file_name);
		curl_mime_encoder(part, "base64");
	}
}

bool
la_mail_prepare(LaSending *sending)
{
	static const long tls[] = {
	    [LA_SMTP_TLS_NONE] = CURLUSESSL_NONE,
	    [LA_SMTP_TLS_TRY] = CURLUSESSL_TRY,
	    [LA_SMTP_TLS_REQUIRE] = CURLUSESSL_ALL,
	};
	CURL *easy = sending->easy;
	bool known = la_smtp_user != NULL && la_smtp_user[0] != '\0';

	if (!has_mail_server())
		la_send_fault(sending, false,
		              "no mail server is set: leadanalytics.smtp_url, leadanalytics.smtp_from");
	else if (!is_address(sending->recipient))
		la_send_fault(sending, true, "the recipient is no mail address");
	if (sending->error != NULL)
		return false;
	add_headers(sending);
	add_parts(sending);
	sending->recipients = append(NULL, psprintf("<%s>", sending->recipient));
	curl_easy_setopt(easy, CURLOPT_URL, la_smtp_url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	/* a password goes over no open line, unless it was said that there is none else */
	curl_easy_setopt(easy, CURLOPT_USE_SSL,
	                 known && la_smtp_tls == LA_SMTP_TLS_TRY ? (long) CURLUSESSL_ALL : tls[la_smtp_tls]);
	if (known)
	{
		curl_easy_setopt(easy, CURLOPT_USERNAME, la_smtp_user);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, la_smtp_password ? la_smtp_password : "");
	}
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, psprintf("<%s>", la_smtp_from));
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, sending->recipients);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, sending->headers);
	curl_easy_setopt(easy, CURLOPT_MIMEPOST, sending->mime);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long) LA_MAIL_TIMEOUT_S);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
	return true;
}
