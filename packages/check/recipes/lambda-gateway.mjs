// Stands in for API Gateway: calls the handler of ./index.mjs with what a function URL hands over, and answers what it says.

import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { handler } = await import(pathToFileURL(`${process.cwd()}/index.mjs`).href);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const answer = await handler({
    version: "2.0",
    headers: request.headers,
    requestContext: { http: { method: request.method } },
    body: Buffer.concat(chunks).toString("base64"),
    isBase64Encoded: true,
  });
  response.writeHead(answer.statusCode, answer.headers).end(answer.body);
}).listen(Number(process.env.PORT), "127.0.0.1");
