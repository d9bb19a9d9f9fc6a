// Calls every operation of /openapi.json with its examples and validates what comes. One line an operation:
// "ok METHOD PATH STATUS", or "not ok METHOD PATH STATUS WHY".
import Ajv2020 from 'ajv/dist/2020.js';

const { url, workspace, keys } = JSON.parse(process.env.LA_ROUTES);
const document = await (await fetch(`${url}/openapi.json`)).json();
const pointer = (...parts) => '#/' + parts.map(p => encodeURIComponent(String(p).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

// What the example has is all there is (D-80), except where its members are data.
function close(schema) {
  if (schema === null || typeof schema !== 'object') return;
  if (schema.type === 'object' && schema.properties && schema.required && !schema.additionalProperties) schema.additionalProperties = false;
  Object.values(schema).forEach(close);
}

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })));
for (const { operation } of operations) {
  for (const response of Object.values(operation.responses)) close(response.content?.['application/json']?.schema);
}
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(document, 'api');
const faults = (schema, body) => {
  const validate = ajv.compile(schema);
  return validate(body) ? [] : validate.errors.map(e => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
};

// What makes things comes before what reads them, and what takes them away last.
const order = ['PUT', 'POST', 'GET', 'PATCH', 'DELETE'];
operations.sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));

for (const { method, path, operation } of operations) {
  const parameters = operation.parameters ?? [];
  const missing = parameters.filter(p => p.required && p.example === undefined && !/^workspace/i.test(p.name)).map(p => `no example of ${p.name}`);
  const named = {};
  const query = new URLSearchParams();
  for (const p of parameters) {
    if (p.in === 'path') named[p.name] = /^workspace/i.test(p.name) ? workspace : p.example;
    else if (p.in === 'query' && p.example !== undefined) query.set(p.name, p.example);
  }
  const target = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(named[name])) + (query.size ? `?${query}` : '');
  const headers = {};
  const roles = operation.security.flatMap(s => s.bearer ?? []);
  // What anybody may post belongs to the workspace of a key, where there is one (D-69).
  const role = roles.length ? roles.find(r => r in keys) : method !== 'GET' && 'admin';
  if (role) headers.Authorization = `Bearer ${keys[role]}`;
  const content = operation.requestBody?.content?.['application/json'];
  if (operation.requestBody?.required && content?.example === undefined) missing.push('no example of the body');
  if (content?.example !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(url + target, { method, headers, redirect: 'manual', body: content?.example === undefined ? undefined : JSON.stringify(content.example) });
  const text = await response.text();
  const described = operation.responses[response.status];
  const problems = [...missing];
  if (!described) problems.push(`status ${response.status} is not described`);
  // An id or a signature that the server makes cannot be known to an example.
  else if (!response.ok && !(response.status === 404 && parameters.some(p => p.in === 'path' && !/^workspace/i.test(p.name)))
    && !(response.status === 403 && parameters.some(p => p.name === 'signature'))) problems.push(`status ${response.status}`);
  if (described && response.status < 300 && described.content?.['application/json']?.schema || described && response.status >= 400) {
    try {
      problems.push(...faults({ $ref: 'api' + pointer('paths', path, method.toLowerCase(), 'responses', response.status, 'content', 'application/json', 'schema') }, JSON.parse(text)));
    } catch (e) { problems.push(e.message) }
  }
  console.log(`${problems.length ? 'not ok' : 'ok'} ${method} ${path} ${response.status}${problems.length ? ` ${problems.slice(0, 6).join('; ')} | ${text.slice(0, 200)}` : ''}`);
}

// It can tell.
const ads = { $ref: 'api' + pointer('paths', '/api/v1/ads', 'get', 'responses', 200, 'content', 'application/json', 'schema') };
const example = document.paths['/api/v1/ads'].get.responses[200].content['application/json'].example;
const { total_spend: _, ...less } = example;
for (const [what, body] of [['missing', less], ['more', { ...example, more: 1 }], ['type', { ...example, total_spend: '1' }]]) {
  console.log(`ok control ${what} ${faults(ads, example).length === 0 && faults(ads, body).length > 0 ? 'refused' : 'taken'}`);
}
