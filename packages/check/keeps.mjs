// A receiver for `cargo xtask strangers`, in Node, Deno and Bun alike: each event once, as a line of the file $KEPT.

import { appendFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { createReceiver } from "@switchhook/receiver";
import { handler } from "@switchhook/receiver/express";

const { KEPT, PORT, SECRET } = process.env;
const receiver = createReceiver({ secrets: [SECRET, "of before"], report: () => undefined });
const keep = (event) => appendFileSync(KEPT, `${JSON.stringify({ kind: event.kind, key: event.repeatKey })}\n`);

writeFileSync(KEPT, "");
createServer(handler(receiver, { onOther: keep })).listen(Number(PORT), "127.0.0.1");
