// Compiled, never run: what the types promise to those who use the package.

import { Calls, createReceiver, LegOrder, type CallEvent, type Received } from "@switchhook/receiver";
import { handler } from "@switchhook/receiver/express";

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

export const express = handler(receiver, { onCall: (event: Received<"call">) => event.payload satisfies CallEvent });

// @ts-expect-error: there is no such kind
receiver.handler({ onCalls: () => undefined });
