-- A person's ids and addresses in texts that are not theirs alone: addresses of pages in the dictionary, bodies that
-- were told to others. Only whole words are taken for them, and in free text only words that are not likely somebody
-- else's: e-mail addresses, and ids and numbers of eight characters or more. Shorter ids are found where a text says
-- that it is one: {"visitor_id": "v1"}.

CREATE FUNCTION leadanalytics.url_encoded(part text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(CASE WHEN c.c ~ '^[A-Za-z0-9._~-]$' THEN c.c
                           ELSE upper(regexp_replace(encode(convert_to(c.c, 'UTF8'), 'hex'), '(..)', '%\1', 'g')) END, '' ORDER BY c.n)
    FROM regexp_split_to_table(part, '') WITH ORDINALITY AS c (c, n)
$$;
COMMENT ON FUNCTION leadanalytics.url_encoded(text) IS 'a text as a part of an address: all but letters, digits and ._~- as %xx';

CREATE FUNCTION leadanalytics.needles(who leadanalytics.subject)
RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT DISTINCT v.text FROM (
            SELECT unnest(who.emails) AS said
            UNION ALL
            SELECT w.word FROM unnest(who.visitor_ids || who.user_ids || who.session_ids || who.lead_names) AS w (word) WHERE char_length(w.word) >= 8
            UNION ALL
            SELECT p.phone FROM unnest(who.phones) AS p (phone) WHERE char_length(regexp_replace(p.phone, '[^0-9]', '', 'g')) >= 8) AS w,
            unnest(ARRAY[lower(w.said), lower(replace(w.said, '@', '%40')), lower(leadanalytics.url_encoded(w.said))]) AS v (text)
        ORDER BY 1)
$$;
COMMENT ON FUNCTION leadanalytics.needles(leadanalytics.subject) IS 'what tells of a person in any text, in lower case, also as addresses of pages write it';

-- Most texts tell of nobody: they are passed over by what costs little. Patterns for LIKE, of texts whose ASCII is in lower
-- case: of other letters any will do.
CREATE FUNCTION leadanalytics.marks(who leadanalytics.subject, needles text[])
RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(
        SELECT m.name || regexp_replace(regexp_replace(lower(m.said), '([\\%_])', '\\\1', 'g'), '[^ -~]+', '%', 'g') || '%'
        FROM (SELECT '%' AS name, unnest(needles) AS said
              UNION SELECT '%id%', to_json(w.word)::text FROM unnest(who.visitor_ids || who.user_ids || who.session_ids || who.lead_names) AS w (word)
              UNION SELECT '%lead%id%', unnest(who.leads)::text) AS m)
$$;
COMMENT ON FUNCTION leadanalytics.marks(leadanalytics.subject, text[]) IS 'patterns for LIKE: what tells of a person, its ASCII in lower case, is like one of them; not all that is, does';

-- An address ends where no letter goes on: ann@x.example is not in ann@x.example.org, nor in joann@x.example.
CREATE FUNCTION leadanalytics.needle_pattern(needle text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT '(?:(?<![[:alnum:]_.+-])|(?<=%[0-9A-Fa-f]{2}))' || regexp_replace(needle, '([^[:alnum:]])', '\\\1', 'g') || '(?![[:alnum:]_-]|\.[[:alnum:]])'
$$;
COMMENT ON FUNCTION leadanalytics.needle_pattern(text) IS 'a regular expression for a text as a word of its own';

CREATE FUNCTION leadanalytics.names_person(haystack text, needles text[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    lowered CONSTANT text := lower(haystack);
    needle text;
BEGIN
    IF lowered IS NOT NULL THEN
        FOREACH needle IN ARRAY needles LOOP
            IF strpos(lowered, needle) > 0 AND haystack ~* leadanalytics.needle_pattern(needle) THEN
                RETURN true;
            END IF;
        END LOOP;
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.names_person(text, text[]) IS 'whether a text has any of leadanalytics.needles() in it, whatever its case';

CREATE FUNCTION leadanalytics.without_person(haystack text, needles text[], word text)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    rest text := haystack;
    needle text;
BEGIN
    IF haystack IS NOT NULL THEN
        FOREACH needle IN ARRAY needles LOOP
            IF strpos(lower(rest), needle) > 0 THEN
                rest := regexp_replace(rest, leadanalytics.needle_pattern(needle), word, 'gi');
            END IF;
        END LOOP;
    END IF;
    RETURN rest;
END
$$;
COMMENT ON FUNCTION leadanalytics.without_person(text, text[], text) IS 'a text with another word in place of each of leadanalytics.needles()';

-- {"visitor_id": "v1", "leadId": 42}
CREATE FUNCTION leadanalytics.tells_of_person(document text, who leadanalytics.subject, needles text[], marks text[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    member record;
BEGIN
    IF document IS NULL OR NOT lower(document COLLATE "C") LIKE ANY (marks) THEN
        RETURN false;
    ELSIF leadanalytics.names_person(document, needles) THEN
        RETURN true;
    END IF;
    FOR member IN
        SELECT 'visitor_?[Ii][Dd]' AS name, to_json(unnest(who.visitor_ids))::text AS value
        UNION ALL SELECT 'user_?[Ii][Dd]', to_json(unnest(who.user_ids))::text
        UNION ALL SELECT 'session_?[Ii][Dd]', to_json(unnest(who.session_ids))::text
        UNION ALL SELECT 'lead_?[Ii][Dd]', to_json(unnest(who.lead_names))::text
        UNION ALL SELECT 'lead_?[Ii][Dd]', unnest(who.leads)::text
    LOOP
        IF strpos(document, member.value) > 0
           AND document ~ ('"' || member.name || '"\s*:\s*' || regexp_replace(member.value, '([^[:alnum:]])', '\\\1', 'g') || '(?![[:alnum:]])') THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.tells_of_person(text, leadanalytics.subject, text[], text[]) IS
    'whether the text of a JSON document has a person in it: one of leadanalytics.needles(), or a member such as visitor_id that is one of the person''s';

CREATE FUNCTION leadanalytics.delivery_tells(delivery leadanalytics.delivery, who leadanalytics.subject, needles text[], marks text[])
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(lower(btrim((delivery).recipient)) = ANY (who.emails), false) OR leadanalytics.tells_of_person((delivery).body, who, needles, marks)
           OR leadanalytics.names_person((delivery).subject, needles) OR leadanalytics.tells_of_person((delivery).answer, who, needles, marks)
$$;
COMMENT ON FUNCTION leadanalytics.delivery_tells(leadanalytics.delivery, leadanalytics.subject, text[], text[]) IS 'whether a delivery is to a person, or tells of one';

CREATE FUNCTION leadanalytics.answer_tells(stored leadanalytics.idempotency, who leadanalytics.subject, needles text[], marks text[])
RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN leadanalytics.tells_of_person((stored).headers::text, who, needles, marks)
        OR leadanalytics.tells_of_person(convert_from((stored).answer, 'UTF8'), who, needles, marks);
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN false; -- a picture
END
$$;
COMMENT ON FUNCTION leadanalytics.answer_tells(leadanalytics.idempotency, leadanalytics.subject, text[], text[]) IS 'whether an answer that is stored for its Idempotency-Key tells of a person';
