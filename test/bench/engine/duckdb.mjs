// The questions of questions.sql in DuckDB, on the same rows, in a database file of its own.
// node duckdb.mjs DIRECTORY ROUNDS: reads DIRECTORY/fact.json and rows/*.csv; writes DIRECTORY/figures (name, way, round,
// ms) and DIRECTORY/answers (place, bucket or value, numbers), both as PostgreSQL's COPY reads them.
import { readFileSync, writeFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const [directory, rounds] = process.argv.slice(2);
const fact = JSON.parse(readFileSync(`${directory}/fact.json`));
const instance = await DuckDBInstance.create(`${directory}/rows.duckdb`);
const db = await instance.connect();
const all = async (sql) => (await db.runAndReadAll(sql)).getRows();

await db.run(`CREATE TABLE event (workspace int, moment timestamp, session bigint, visitor int, person int, name int, title int, referrer int,
    source int, page int, campaign int, place int, agent int, kind varchar, is_bot boolean)`);
await db.run('CREATE TABLE session (workspace int, number bigint, visitor int, started_at timestamp, referrer int, campaign int)');
await db.run('CREATE TABLE term (workspace int, id int, part1 varchar, part2 varchar, part3 varchar)');
for (const table of ['event', 'session', 'term'])
    await db.run(`COPY ${table} FROM '${directory}/rows/${table}.csv' (FORMAT csv, HEADER false)`);
await db.run('CHECKPOINT');

const during = (column) => `workspace = ${fact.workspace} AND ${column} >= '${fact.starts}' AND ${column} < '${fact.ends}'`;
const counts = "count(*), count(*) FILTER (WHERE kind = 'p'), count(*) FILTER (WHERE kind = 'c'), count(DISTINCT visitor)";
const overview = `
    SELECT e.*, s.n FROM (SELECT date_trunc('day', moment) AS day, ${counts} FROM event WHERE ${during('moment')} AND NOT is_bot GROUP BY 1) AS e
    JOIN (SELECT date_trunc('day', started_at) AS day, count(*) AS n FROM session WHERE ${during('started_at')} GROUP BY 1) AS s USING (day)
    UNION ALL SELECT NULL, *, (SELECT count(*) FROM session WHERE ${during('started_at')}) FROM (SELECT ${counts} FROM event WHERE ${during('moment')} AND NOT is_bot) AS e`;
const breakdown = (column, part, table, when) => `
    SELECT ${part}, n, visitors FROM (SELECT ${column} AS id, count(*) AS n, count(DISTINCT visitor) AS visitors FROM ${table}
        WHERE ${during(when)} GROUP BY 1 ORDER BY 3 DESC, 2 DESC LIMIT 20) AS top
    LEFT JOIN term t ON t.workspace = ${fact.workspace} AND t.id = top.id`;
const host = "regexp_extract(t.part1, '^https?://(?:www\\.)?([^/]+)', 1)";
const questions = {
    1: overview,
    2: breakdown('referrer', host, 'session', 'started_at'),
    3: breakdown('campaign', 't.part3', 'session', 'started_at'),
    4: breakdown('page', 't.part1', "(SELECT * FROM event WHERE kind = 'p' AND NOT is_bot AND page IS NOT NULL)", 'moment'),
};

let figures = '';
let answers = '';
for (const { place, name } of fact.questions) {
    for (let round = 0; round <= rounds; round++) {
        const begun = process.hrtime.bigint();
        const rows = await all(questions[place]);
        const ms = Number(process.hrtime.bigint() - begun) / 1e6;
        if (round > 0) figures += `${name}\tDuckDB\t${round}\t${ms}\n`;
        else for (const row of rows) answers += `${[place, ...row.map((v) => (v === null ? '\\N' : v)), ...(place === 1 ? [] : ['\\N', '\\N', '\\N'])].join('\t')}\n`;
    }
}
writeFileSync(`${directory}/figures`, figures);
writeFileSync(`${directory}/answers`, answers);
