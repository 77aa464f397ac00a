// A receiver in Node, nothing installed: node receiver.mjs, with SECRET and PORT in the environment.
// In Express, read the body with express.raw({ type: () => true, limit: "2mb" }): express.json() drops application/jwt.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.SECRET;
if (!secret) throw new Error("SECRET is not set");
const maxBody = 2 * 1024 * 1024;

// The event in a signed body, as text: ids go beyond what a JavaScript number holds. null if it is not signed.
function verified(body) {
  const segments = body.toString("latin1").split(".");
  if (segments.length !== 3 || !segments.every((segment) => /^[\w-]+$/.test(segment))) return null;
  const [header, payload, signature] = segments;
  if (parsed(Buffer.from(header, "base64url"))?.alg !== "HS256") return null;
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const text = Buffer.from(payload, "base64url").toString("utf8");
  return parsed(text) === null ? null : text;
}

// The object that a JSON text is, or null.
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

createServer((request, response) => {
  const chunks = [];
  let length = 0;
  request.on("data", (chunk) => {
    length += chunk.length;
    if (length <= maxBody) chunks.push(chunk);
  });
  request.on("end", () => {
    if (length > maxBody) return response.writeHead(413).end();
    const text = verified(Buffer.concat(chunks));
    if (text === null) return response.writeHead(401).end();
    // Drop what was seen before: the same event has the same id on every attempt.
    console.log(request.headers["switchhook-event-id"], JSON.parse(text).state);
    response.writeHead(200).end();
  });
}).listen(Number(process.env.PORT ?? 3000), "127.0.0.1");
