// Each event once: where it is remembered which events were dealt with.

/** What to do with an event: deal with it, pass it over, or answer 503 because it is being dealt with. */
export type Turn = "first" | "repeat" | "under_way";

/**
 * Remembers which events were dealt with. The default is the memory of this process; several processes, or functions
 * that live for one request, need one outside: see the examples for SQLite, Redis and a key-value store.
 */
export interface RepeatStore {
  /** Whose turn it is. `first` claims the key, so that nobody else gets `first` until `done` or `forget`. */
  begin(key: string): Turn | Promise<Turn>;
  /** The event was dealt with: it is a repeat for so long. */
  done(key: string, windowMs: number): void | Promise<void>;
  /** It was not: it may come again. */
  forget(key: string): void | Promise<void>;
}

/** How much is remembered. What is beyond either is forgotten, oldest first. */
export interface Bounds {
  /** How many events; 100,000 unless said otherwise. */
  events?: number;
  /** What time it is, in milliseconds; for tests. */
  now?: () => number;
}

/** Remembers in memory: after a restart every event is new. */
export function repeatsInMemory({ events = 100_000, now = Date.now }: Bounds = {}): RepeatStore {
  // In the order in which they were dealt with.
  const until = new Map<string, number>();
  const underWay = new Set<string>();
  return {
    begin(key) {
      if (underWay.has(key)) return "under_way";
      if ((until.get(key) ?? 0) > now()) return "repeat";
      underWay.add(key);
      return "first";
    },
    done(key, windowMs) {
      underWay.delete(key);
      until.delete(key);
      until.set(key, now() + windowMs);
      for (const [oldest, end] of until) {
        if (until.size <= events && end > now()) break;
        until.delete(oldest);
      }
    },
    forget(key) {
      underWay.delete(key);
    },
  };
}
