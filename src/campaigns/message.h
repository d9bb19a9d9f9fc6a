/*
 * A message as its events tell it, one after the other in the order of their time, and the row that follows.
 */
#ifndef LA_CAMPAIGNS_MESSAGE_H
#define LA_CAMPAIGNS_MESSAGE_H

#include "datatype/timestamp.h"
#include "executor/tuptable.h"

/* The columns of a message's row. Attributes it has from the event that told them first; what its sending
 * said counts before all else. */
enum
{
	WORKSPACE,
	ID,
	FIRST_AT,
	CAMPAIGN,
	DOMAIN,
	MAILBOX,
	SENDING_IP,
	LEAD,
	RECIPIENT,
	WORKFLOW,
	SENT_AT,
	DELIVERED_AT,
	BOUNCED_AT,
	IS_HARD,
	REASON,
	OPENED_AT,
	CLICKED_AT,
	REPLIED_AT,
	COMPLAINED_AT,
	UNSUBSCRIBED_AT,
	LEAD_NUMBER, /* follows from the lead: see leads/leads.h */
	COLUMNS
};
#define ATTRIBUTES (SENT_AT - CAMPAIGN)

typedef struct Row
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS];
} Row;

/* The facts, by the kind of their events. */
typedef struct Fact
{
	char kind;
	int column;
} Fact;
#define FACTS 8
extern const Fact campaigns_facts[FACTS];

typedef struct Event
{
	TimestampTz at;
	int url; /* 0: none */
	char kind;
	bool is_machine;
} Event;

typedef struct Attribute
{
	Datum value;
	bool is_told;
	bool is_of_sending;
} Attribute;

typedef struct Message
{
	int64 id;
	Event *events;
	int n;
	int room;
	Attribute attributes[ATTRIBUTES];
	bool is_hard;
	int reason; /* 0: none */
	bool bounced;
} Message;

/* The columns of events that campaigns_take_event() reads. */
#define CAMPAIGNS_EVENT_COLUMNS                                                                              \
	"e.message, e.at, e.kind, e.is_machine, e.is_hard, e.url, e.reason, "                                    \
	"e.campaign, e.domain, e.mailbox, e.sending_ip, e.lead, e.recipient, e.workflow"

/* Its next event; what is kept is allocated in the current memory context. */
extern void campaigns_take_event(Message *message, TupleTableSlot *row);

/* The row of a message whose events are all taken, one at least. */
extern void campaigns_tell_row(Message *message, int workspace, Row *row);

#endif
