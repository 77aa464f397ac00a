// Remembers repeats in Redis or Valkey, for any number of processes. `client` is one of the package `redis`, connected.
//
//     createReceiver({ secret, repeats: repeatsInRedis(client) })

/** After so long, an event whose handler never came to its end may be claimed again. */
const CLAIM_MS = 60_000;

export function repeatsInRedis(client, prefix = "dialpad:") {
  return {
    async begin(key) {
      // Atomic: only one of those who ask at the same time sets it.
      const claimed = await client.set(prefix + key, "under_way", { condition: "NX", expiration: { type: "PX", value: CLAIM_MS } });
      if (claimed === "OK") return "first";
      return (await client.get(prefix + key)) === "done" ? "repeat" : "under_way";
    },
    async done(key, windowMs) {
      await client.set(prefix + key, "done", { expiration: { type: "PX", value: windowMs } });
    },
    async forget(key) {
      await client.del(prefix + key);
    },
  };
}
