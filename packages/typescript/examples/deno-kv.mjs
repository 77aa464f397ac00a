// Remembers repeats in Deno KV, for functions that live for one request. Other key-value stores are alike if they can set a
// key only where there is none; one that cannot (Cloudflare's KV) may deal with an event twice: take a Durable Object there.
//
//     createReceiver({ secret, repeats: repeatsInKv(await Deno.openKv()) })

/** After so long, an event whose handler never came to its end may be claimed again. */
const CLAIM_MS = 60_000;

export function repeatsInKv(kv, now = Date.now) {
  const place = (key) => ["dialpad", key];
  return {
    async begin(key) {
      const entry = await kv.get(place(key));
      if (entry.value && entry.value.until > now()) return entry.value.isDone ? "repeat" : "under_way";
      const claim = { isDone: false, until: now() + CLAIM_MS };
      const claimed = await kv.atomic().check(entry).set(place(key), claim, { expireIn: CLAIM_MS }).commit();
      return claimed.ok ? "first" : "under_way";
    },
    async done(key, windowMs) {
      await kv.set(place(key), { isDone: true, until: now() + windowMs }, { expireIn: windowMs });
    },
    async forget(key) {
      await kv.delete(place(key));
    },
  };
}
