async function getAllEvents(startDate, endDate, eventName) {
  const allEvents = [];
  let offset = 0;
  const limit = 1000;
  let hasMore = true;

  while (hasMore) {
    const params = new URLSearchParams({
      start_date: startDate,
      end_date: endDate,
      event_name: eventName,
      limit: limit.toString(),
      offset: offset.toString()
    });

    const response = await fetch(`${BASE_URL}/events?${params}`, {
      headers: {
        'Authorization': `Bearer ${API_KEY}`
      }
    });

    const data = await response.json();
    allEvents.push(...data.events);
    hasMore = data.has_more;
    offset += limit;
  }

  return allEvents;
}

const purchases = await getAllEvents(
  '2026-03-01T00:00:00Z',
  '2026-03-16T23:59:59Z',
  'purchase'
);
console.log(`Total purchases: ${purchases.length}`);
