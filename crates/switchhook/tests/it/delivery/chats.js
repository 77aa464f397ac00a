// Judges what the ready templates make by what Slack, Microsoft and Discord publish themselves: the types of the messages that their
// webhooks take (@slack/webhook, discord-api-types), and the reader of cards (adaptivecards). Reads [[name, body], …].
const { execFileSync } = require("node:child_process");
const { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");

const made = JSON.parse(readFileSync(0, "utf8"));
const of = (chat) => made.filter(([name]) => name.startsWith(chat)).map(([, body]) => body);

for (const { type, attachments } of of("teams-")) {
  const [{ contentType, content }] = attachments;
  if (type !== "message" || contentType !== "application/vnd.microsoft.card.adaptive") throw new Error("no card");
  const [card, context] = [new AdaptiveCard(), new SerializationContext()];
  card.parse(content, context);
  const wrong = [...Array(context.eventCount).keys()].map((at) => context.getEventAt(at).message);
  wrong.push(...card.validateProperties().validationEvents.map((event) => event.message));
  if (wrong.length || card.getItemCount() !== 1) throw new Error(`${wrong}: ${JSON.stringify(content)}`);
}
const folder = mkdtempSync(join(tmpdir(), "chats-"));
symlinkSync(process.env.NODE_PATH, join(folder, "node_modules"));
writeFileSync(join(folder, "chats.ts"), `
import type { IncomingWebhookSendArguments } from "@slack/webhook";
import type { RESTPostAPIWebhookWithTokenJSONBody } from "discord-api-types/v10";
export const slack: IncomingWebhookSendArguments[] = ${JSON.stringify(of("slack-"))};
export const discord: RESTPostAPIWebhookWithTokenJSONBody[] = ${JSON.stringify(of("discord-"))};
`);
const tsc = [join(process.env.NODE_PATH, "typescript/bin/tsc"), "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "chats.ts"];
try { execFileSync(process.execPath, tsc, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] }); }
finally { rmSync(folder, { recursive: true }); }
