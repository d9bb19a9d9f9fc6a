/*
 * The columns of leadanalytics.message_item, by their place in it (campaigns.tables.sql).
 */
#ifndef LA_CAMPAIGNS_ITEM_H
#define LA_CAMPAIGNS_ITEM_H

enum
{
	INDEX,
	FAULT,
	KEY,
	KIND,
	EVENT_ID,
	AT,
	AT_RECEIPT,
	CAMPAIGN,
	DOMAIN,
	MAILBOX,
	SENDING_IP,
	LEAD,
	RECIPIENT,
	WORKFLOW,
	IS_HARD,
	BOUNCE_CODE,
	REASON,
	URL,
	AGENT,
	IP,
	ITEM_COLUMNS
};

/* No event of a message is older than 2000-01-01 00:00 UTC: no count would have it. */
#define LA_OLDEST_MESSAGE ((TimestampTz) 0)

#endif
