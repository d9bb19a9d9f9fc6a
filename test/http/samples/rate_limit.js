async function fetchWithRateLimit(url, options, maxRetries = 3) {
  for (let attempt = 0; attempt < maxRetries; attempt++) {
    const response = await fetch(url, options);

    if (response.status === 429) {
      const resetTimestamp = response.headers.get('X-RateLimit-Reset');
      const waitMs = (parseInt(resetTimestamp) * 1000) - Date.now();
      await new Promise(resolve => setTimeout(resolve, Math.max(waitMs, 1000)));
      continue;
    }

    return response;
  }

  throw new Error('Rate limit exceeded after retries');
}
