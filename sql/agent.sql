-- User-Agents. That all families are as uap-core has them is what test/agent/agent.t compares, 30 000 of
-- them; here stands what this room adds, for people to read.
\set VERBOSITY terse
SET client_min_messages = warning;

-- S5-03, S5-05: browser, OS and type of device. Type is ours.
CREATE TEMP TABLE sample (n int GENERATED ALWAYS AS IDENTITY, what text, agent text);
INSERT INTO sample (what, agent) VALUES
('Chrome, Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36'),
('Edge, Windows', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91'),
('IE 11 with Tablet PC installed', 'Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Tablet PC 2.0; rv:11.0) like Gecko'),
('Safari, Mac', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15'),
('Firefox, Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0'),
('Firefox, Ubuntu', 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0'),
('Chromebook', 'Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36'),
('FreeBSD', 'Mozilla/5.0 (X11; FreeBSD amd64; rv:120.0) Gecko/20100101 Firefox/120.0'),
('iPhone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1'),
('Chrome on iPhone', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0.6099.101 Mobile/15E148 Safari/604.1'),
('Android phone', 'Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.43 Mobile Safari/537.36'),
('Android phone, reduced', 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36'),
('Firefox on Android', 'Mozilla/5.0 (Android 13; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0'),
('app on Android', 'Dalvik/2.1.0 (Linux; U; Android 9; SM-G960F Build/PPR1.180610.011)'),
('Opera Mini on Android', 'Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; en) Presto/2.12.423 Version/12.16'),
('Windows Phone', 'Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)'),
('old Nokia', 'Nokia6300/2.0 (05.00) Profile/MIDP-2.0 Configuration/CLDC-1.1'),
('KaiOS', 'Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5'),
('Apple Watch', 'atc/1.0 watchOS/5.2 model/Watch4,4 hwp/t8006 build/16T225 (6; dt:193)'),
('iPad', 'Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1'),
('Android tablet', 'Mozilla/5.0 (Linux; Android 12; SM-T870) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36'),
('Firefox on a tablet', 'Mozilla/5.0 (Android 11; Tablet; rv:109.0) Gecko/115.0 Firefox/115.0'),
('Kindle Fire', 'Mozilla/5.0 (Linux; U; Android 4.0.3; en-us; KFTT Build/IML74K) AppleWebKit/535.19 (KHTML, like Gecko) Silk/3.4 Mobile Safari/535.19 Silk-Accelerated=true'),
('PlayBook', 'Mozilla/5.0 (PlayBook; U; RIM Tablet OS 2.1.0; en-US) AppleWebKit/536.2+ (KHTML, like Gecko) Version/7.2.1.0 Safari/536.2+'),
('Samsung TV', 'Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/2.2 Chrome/63.0.3239.84 TV Safari/537.36'),
('LG TV', 'Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36 WebAppManager'),
('Fire TV', 'Mozilla/5.0 (Linux; Android 9; AFTS Build/PS7233) AppleWebKit/537.36 (KHTML, like Gecko) Silk/98.6.10 like Chrome/98.0.4758.136 Safari/537.36'),
('Chromecast', 'Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000'),
('Apple TV', 'AppleTV6,2/11.1'),
('Roku', 'Roku/DVP-9.10 (519.10E04111A)'),
('PlayStation 4', 'Mozilla/5.0 (PlayStation 4 7.55) AppleWebKit/605.1.15 (KHTML, like Gecko)'),
('Xbox', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/48.0.2564.82 Safari/537.36 Edge/20.02'),
('Switch', 'Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/606.4 (KHTML, like Gecko) NF/6.0.1.15.4 NintendoBrowser/5.1.0.20393'),
('Googlebot', 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'),
('Googlebot as a phone', 'Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.6099.71 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'),
('bingbot', 'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)'),
('Slack''s preview', 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)'),
('curl', 'curl/7.88.1'),
('Python', 'python-requests/2.31.0'),
('a log''s dash', '-'),
('nothing', ''),
('null', NULL),
('bait', '() { :; }; $1 $2 \1 %s %n ${jndi:ldap://x}'),
('emoji', '🦊🦊 Firefox/121.0 🦊');

SELECT what, a.browser, a.browser_version AS version, a.os, a.os_version AS of_os, a.device_type AS type, a.is_bot AS bot
FROM sample, leadanalytics.agent(agent) AS a ORDER BY n;
SELECT what, a.device, a.device_brand AS brand, a.device_model AS model
FROM sample, leadanalytics.agent(agent) AS a WHERE a.device IS NOT NULL ORDER BY n;

-- The rows of the table of types that the sample does not reach.
SELECT (leadanalytics.agent(agent)).device_type, left(agent, 100) AS agent
FROM unnest(ARRAY[
    'HbbTV/1.1.1 (;Samsung;SmartTV2013;T-FXPDEUC-1102.2;;) WebKit',
    'Mozilla/5.0 (LG smartTV)',
    'Mozilla/5.0 (X11; Linux) AppleWebKit/534 (KHTML, like Gecko) Smart TV Safari/534',
    'Mozilla/5.0 (SmartTV; Linux)',
    'Mozilla/5.0 (Linux; NetCast; U) AppleWebKit/537.31',
    'Mozilla/5.0 (Web0S; Linux) AppleWebKit/538.2',
    'Mozilla/5.0 (Linux; Android 9; Android TV) AppleWebKit/537.36 Chrome/90.0.4430.210 Safari/537.36',
    'Mozilla/5.0 (Linux; Android 10; BRAVIA 4K UR2) AppleWebKit/537.36 Chrome/90.0.4430.210 Safari/537.36',
    'Mozilla/5.0 (Fuchsia) AppleWebKit/537.36 Chrome/90.0.4430.210 Safari/537.36 CrKey/1.56',
    'Mozilla/5.0 (Linux; GoogleTV 3.2; NSZ-GS7/GX70 Build/MASTER) AppleWebKit/534.24 (KHTML, like Gecko) Chrome/11.0.696.77 Safari/534.24',
    'Mozilla/4.0 WebTV/2.6 (compatible; MSIE 4.0)',
    'MyApp/1.0 tvOS/17.2',
    'AppleTV11,1/11.1',
    'Mozilla/5.0 (PLAYSTATION 3; 3.55)',
    'Mozilla/4.0 (PSP (PlayStation Portable); 2.00)',
    'Opera/9.30 (Nintendo Wii; U; ; 3642; en)',
    'Mozilla/5.0 (hp-tablet; Linux; hpwOS/3.0.5; U; en-US) wOSBrowser/234.83 Safari/534.6 TouchPad/1.0',
    'Mozilla/5.0 (Linux; U; Android 3.2; en-us; GT-P7510 Build/HTJ85B) AppleWebKit/534.13 (KHTML, like Gecko) Version/4.0 Safari/534.13',
    'Mozilla/5.0 (Linux; U; Android 2.3.4; en-us; Kindle Fire Build/GINGERBREAD) AppleWebKit/533.1 (KHTML, like Gecko) Version/4.0 Mobile Safari/533.1',
    'Mozilla/5.0 (Macintosh; U; PPC Mac OS; en)',
    'Mozilla/4.0 (compatible; MSIE 5.22; Mac_PowerPC)',
    'MyApp/3.1 (Android 12)',
    'MyApp/3.1;Android/12',
    'MyApp/3.1 iOS/17.2',
    'Mozilla/4.0 (compatible; MSIE 4.01; Windows CE; PPC; 240x320)',
    'MyApp/1.0 (Windows Phone 8.1)',
    'MyApp/3.1 Android 12',
    'BlackBerry9700/5.0.0.862',
    'SymbianOS/9.4',
    'Mozilla/4.0 (Brew MP 1.0.2; U; en-us)',
    'Mozilla/5.0 (Linux; Tizen 2.3) AppleWebKit/537.3',
    'SonyEricssonW995/R1EA',
    'SunOS i86pc Solaris']) AS agent;

-- 512 bytes count, cut before a character.
SELECT (leadanalytics.agent(repeat('x', 500) || 'Chrome/120.0')).browser, (leadanalytics.agent(repeat('x', 501) || 'Chrome/120.0')).browser_version;
SELECT (leadanalytics.agent(repeat('x', 505) || 'Chrome/120.0')).browser;
SELECT (leadanalytics.agent('MyApp' || repeat('🦊', 2500))).is_bot, (leadanalytics.agent('x' || repeat('🦊', 2500))).is_bot;
SELECT a.browser = repeat('é', 200) AS characters_are_counted, a.browser_version
FROM leadanalytics.agent(repeat('é', 200) || '/7 CFNetwork/1 Darwin/1') AS a;

-- Each text is matched once a session, and what was not asked for longest makes room.
\c -
SET client_min_messages = warning;
SELECT count(*), count(DISTINCT (leadanalytics.agent('Firefox/' || i % 10 || '.0')).browser_version) FROM generate_series(1, 1000) AS i;
SELECT remembered, capacity, parsed FROM leadanalytics.agent_memory();
SELECT count(leadanalytics.agent('Firefox/' || i || '.0')) FROM generate_series(10, 1023) AS i;
SELECT remembered, parsed FROM leadanalytics.agent_memory();
-- Full. 0 is asked for again, so that 1 makes room for one more.
SELECT count(leadanalytics.agent('Firefox/' || i || '.0')) FROM unnest('{0, 1024, 0, 2}'::int[]) AS i;
SELECT remembered, parsed FROM leadanalytics.agent_memory();
SELECT count(leadanalytics.agent('Firefox/' || i || '.0')) FROM unnest('{1}'::int[]) AS i;
SELECT remembered, parsed FROM leadanalytics.agent_memory();
-- Three times what it holds, twice: right each time.
SELECT count(*) FROM generate_series(1, 6000) AS i
WHERE (leadanalytics.agent('Firefox/' || i % 3000 || '.7')).browser_version IS DISTINCT FROM i % 3000 || '.7';
SELECT remembered FROM leadanalytics.agent_memory();
-- Texts that differ beyond 512 bytes are one.
SELECT parsed AS before FROM leadanalytics.agent_memory() \gset
SELECT count(leadanalytics.agent('Firefox/1.0' || repeat(' ', 600) || i)) FROM generate_series(1, 50) AS i;
SELECT parsed - :before AS parsed FROM leadanalytics.agent_memory();

-- The file. None: one warning, and nothing is known.
SET leadanalytics.agent_regexes = 'regexes.yaml';
SET leadanalytics.agent_regexes = '/nonexistent/regexes.yaml';
SELECT * FROM leadanalytics.agent('Mozilla/5.0 (compatible; Googlebot/2.1)');
SELECT * FROM leadanalytics.agent('Firefox/121.0');
SELECT state, hint FROM leadanalytics.status() WHERE part = 'agent';
SET leadanalytics.agent_regexes = '/dev/zero';
SELECT * FROM leadanalytics.agent_regexes();
SET leadanalytics.agent_regexes = '';
SELECT (leadanalytics.agent('Firefox/121.0')).browser;
SELECT state, hint FROM leadanalytics.status() WHERE part = 'agent';

-- One's own, seen as soon as it is written, and what is wrong with it told by its line.
SET client_min_messages = error;
SELECT current_setting('data_directory') || '/la_regexes_test.yaml' AS path \gset
SET leadanalytics.agent_regexes = :'path';
CREATE PROCEDURE pg_temp.write(yaml text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT line FROM string_to_table(%L, E''\n'') AS line) TO %L', yaml, current_setting('leadanalytics.agent_regexes'));
END
$$;
CALL pg_temp.write('user_agent_parsers:
  - regex: ''(Own) (.)(?:[.](.))?''
    later_key: [of, {another: edition}]
  - regex: ''(bait)+(a+)+$''
os_parsers:
  - regex: ''(WIN)''
    os_replacement: ''  $1 + $1$2 $9 $ ''
    os_v1_replacement: ''$2''
device_parsers:
  - regex: ''the (thing|robot)''
    regex_flag: ''i''
    brand_replacement: ''Mine $1''
later_parsers: {a: [b, c]}');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
SELECT * FROM leadanalytics.agent('WIN Own 7 THE Thing');
SELECT * FROM leadanalytics.agent('Own ü.ö');
-- A regex that would take forever gives up, and with it all that is known of the agent.
SELECT * FROM leadanalytics.agent('WIN ' || 'bait' || repeat('a', 400) || '!');

CALL pg_temp.write('');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers: [');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('- one');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers:
  - family_replacement: x');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers:
  - regex: fine
  - regex: ''not (fine''');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers:
  - regex: x
    regex_flag: g');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers: &all
  - regex: x
os_parsers: *all');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers:
  - regex: [x]');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
CALL pg_temp.write('user_agent_parsers:
  - regex: x');
SELECT regexes, problem FROM leadanalytics.agent_regexes();
SELECT (leadanalytics.agent('x')).browser;

-- Mended, and known again.
RESET leadanalytics.agent_regexes;
SELECT (leadanalytics.agent('Firefox/121.0')).browser, problem FROM leadanalytics.agent_regexes();
COPY (SELECT) TO PROGRAM 'rm la_regexes_test.yaml';

-- Who may: readers ask, and only a superuser names a file.
SET ROLE leadanalytics_read;
SELECT browser FROM leadanalytics.agent('Firefox/121.0');
SET leadanalytics.agent_regexes = '/etc/passwd';
SHOW leadanalytics.agent_regexes;
SELECT path FROM leadanalytics.agent_regexes();
RESET ROLE;
