// Stands in for Twenty's REST API, as far as the recipe asks it, and starts the recipe's program beside it.

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const records = new Map();

const api = createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  const url = new URL(request.url, "http://x");
  const answer = (status, data) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ data }));
  if (request.headers.authorization !== "Bearer key" || !url.pathname.startsWith("/rest/dialpadCalls")) return answer(401);
  const id = url.pathname.split("/")[3];
  if (request.method === "GET") {
    const key = JSON.parse(/^callKey\[eq\]:(.*)$/.exec(url.searchParams.get("filter"))[1]);
    return answer(200, { dialpadCalls: [...records.values()].filter(({ callKey }) => callKey === key).slice(0, 1) });
  }
  const record = JSON.parse(text);
  if (request.method === "PATCH" && records.has(id)) {
    records.set(id, { ...records.get(id), ...record });
    return answer(200, { updateDialpadCall: records.get(id) });
  }
  if (request.method !== "POST" || [...records.values()].some(({ callKey }) => callKey === record.callKey)) return answer(400);
  const added = { id: String(records.size + 1), ...record };
  records.set(added.id, added);
  answer(201, { createDialpadCall: added });
});

await new Promise((resolve) => api.listen(0, "127.0.0.1", resolve));
process.env.TWENTY_URL = `http://127.0.0.1:${api.address().port}`;
process.env.TWENTY_KEY = "key";
await import(pathToFileURL(`${process.cwd()}/${process.argv[2]}`).href);
