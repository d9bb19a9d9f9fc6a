-- Where a campaign says that a visit came from.

-- What a campaign does not say is told by the click id that its page's address had (D-55), under the names that
-- ingestion knows them by: see src/track/field.c.
CREATE FUNCTION leadanalytics.touch_of(parts text[])
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN parts IS NOT NULL THEN ARRAY[
        coalesce(nullif(parts[1], ''), CASE parts[6]
            WHEN 'gclid' THEN 'google' WHEN 'gbraid' THEN 'google' WHEN 'wbraid' THEN 'google' WHEN 'dclid' THEN 'google'
            WHEN 'fbclid' THEN 'facebook' WHEN 'msclkid' THEN 'bing' WHEN 'ttclid' THEN 'tiktok' WHEN 'twclid' THEN 'twitter'
            WHEN 'li_fat_id' THEN 'linkedin' WHEN 'sclid' THEN 'snapchat' WHEN 'epik' THEN 'pinterest' WHEN 'rdt_cid' THEN 'reddit'
            WHEN 'irclid' THEN 'impact' WHEN 'obclid' THEN 'outbrain' WHEN 'tblci' THEN 'taboola' WHEN 'qclid' THEN 'quora'
        END, ''),
        coalesce(nullif(parts[2], ''), CASE WHEN parts[6] <> '' THEN 'cpc' END, ''),
        coalesce(parts[3], '')]::text
    END
$$;
COMMENT ON FUNCTION leadanalytics.touch_of(text[]) IS
    'source, medium and campaign (an array as text, absent ones empty) of a campaign of the dictionary: as its utm parts say, else source and medium (cpc) as its click id does';
