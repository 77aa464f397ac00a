// Compiled, never run: what the types promise to those who use the package.

import { Calls, createReceiver, LegOrder, type CallEvent, type Handlers, type Received } from "@switchhook/receiver";
import { handler } from "@switchhook/receiver/express";
import { plugin } from "@switchhook/receiver/fastify";
import { handler as forHono } from "@switchhook/receiver/hono";
import { lambda } from "@switchhook/receiver/lambda";
import { apiRoute, route } from "@switchhook/receiver/next";
import { edgeFunction } from "@switchhook/receiver/supabase";

const receiver = createReceiver({ secrets: ["new", "old"] });
const calls = new Calls();
const order = new LegOrder();

export const hook = receiver.handler({
  onCall: async ({ payload }) => {
    const id: string | null | undefined = payload.call_id;
    const seconds: number = (payload.duration_ms ?? 0) / 1000;
    if (payload.state === "hangup" || payload.state === "a state of tomorrow") console.log(id, seconds);
    console.log(calls.callOf(payload)?.key, order.isLate(payload), payload.recording_details?.[0]?.duration_ms);
    // @ts-expect-error: an id is text
    const number: number = payload.call_id;
    // @ts-expect-error: it may be null
    payload.contact.phone;
    // @ts-expect-error: nobody knows what it is
    payload.of_tomorrow.id;
  },
  onSms: ({ payload }, signal) => signal.aborted || payload.to_number?.join(", "),
  onAgentStatus: ({ payload }) => payload.availability_status === true || payload.availability_status === "available",
  onContact: ({ payload }) => payload.contact?.display_name,
  onChangeLog: ({ payload }) => payload.changed_by?.name,
  onOther: ({ kind, text }) => console.log(kind, text),
});

export const handlers: Handlers = { onCall: (event: Received<"call">) => event.payload satisfies CallEvent };
export const adapted = [handler, plugin, forHono, lambda, apiRoute, route, edgeFunction].map((adapt) => adapt(receiver, handlers));

// @ts-expect-error: there is no such kind
receiver.handler({ onCalls: () => undefined });
