// Order within a leg. Switchhook keeps it; Dialpad does not, and a `ringing` after its `hangup` leaves a record stuck.

import type { CallEvent } from "./events.js";
import { asTime, asWord, letters } from "./json.js";

const MIDDLE = 2;

/** How far a call is in a state, for events of the same instant; any other state is in the middle. */
const STAGES: Record<string, number> = {
  calling: 0, queued: 0, ringing: 0, preanswer: 1, missed: 3, voicemail: 3, blocked: 3, hangup: 4,
  voicemailuploaded: 5, recording: 5, adminrecording: 5, transcription: 5, calltranscription: 5,
  recapsummary: 6, recapoutcome: 6, recappurposes: 6, recapactionitems: 6, aiplaybook: 6,
  csat: 6, pcsat: 6, dispositions: 6, postcall: 6,
};

/** Knows how far each leg is. Bounded: the legs that are known for longest are forgotten. */
export class LegOrder {
  readonly #maxLegs: number;
  readonly #passed = new Map<string, [at: number, stage: number]>();

  /** Knows at most so many legs. */
  constructor(maxLegs = 100_000) {
    this.#maxLegs = Math.max(maxLegs, 1);
  }

  /**
   * Lets an event pass, and says whether a newer one of its leg passed before: then do not take its state over. An
   * event without an id or a time is never late.
   */
  isLate(event: CallEvent): boolean {
    const leg = asWord(event.call_id);
    const at = asTime(event.event_timestamp);
    if (leg === undefined || at === undefined) return false;
    const stage = STAGES[letters(asWord(event.state) ?? "")] ?? MIDDLE;
    const newest = this.#passed.get(leg);
    if (newest && (newest[0] > at || (newest[0] === at && newest[1] > stage))) return true;
    this.#passed.set(leg, [at, stage]);
    for (const oldest of this.#passed.keys()) {
      if (this.#passed.size <= this.#maxLegs) break;
      this.#passed.delete(oldest);
    }
    return false;
  }
}
