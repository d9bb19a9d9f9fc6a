async function getAttribution(startDate, endDate, windowDays = 30) {
  const params = new URLSearchParams({
    start_date: startDate,
    end_date: endDate,
    window_days: windowDays.toString()
  });

  const response = await fetch(`${BASE_URL}/attribution?${params}`, {
    headers: {
      'Authorization': `Bearer ${API_KEY}`
    }
  });

  if (!response.ok) {
    throw new Error(`API error: ${response.status}`);
  }

  return response.json();
}

const attribution = await getAttribution(
  '2026-03-01T00:00:00Z',
  '2026-03-16T23:59:59Z'
);

for (const campaign of attribution.campaigns) {
  console.log(
    `${campaign.utm_source}/${campaign.utm_campaign}: ` +
    `${campaign.conversions} conversions, $${campaign.revenue} revenue`
  );
}
