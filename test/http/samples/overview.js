const API_KEY = 'dk_your_api_key';
const BASE_URL = 'https://app.datalyr.com/api/v1';

async function getOverview(startDate, endDate) {
  const params = new URLSearchParams({
    start_date: startDate,
    end_date: endDate
  });

  const response = await fetch(`${BASE_URL}/overview?${params}`, {
    headers: {
      'Authorization': `Bearer ${API_KEY}`
    }
  });

  if (!response.ok) {
    throw new Error(`API error: ${response.status}`);
  }

  return response.json();
}

// Usage
const data = await getOverview(
  '2026-03-10T00:00:00Z',
  '2026-03-16T23:59:59Z'
);
console.log(`Visitors: ${data.visitors_total}`);
console.log(`Pageviews: ${data.pageviews_total}`);
