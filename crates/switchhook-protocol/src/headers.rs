//! The headers that every delivery carries beside its body, the two content types of that body, and the headers of
//! what else crosses the wire.
//! They add to Dialpad's request and never change it: nothing of this is in the body or in the claims.
//! Names are in lower case, as HTTP libraries keep them; on the wire case does not matter.

/// Prefix of our own headers.
pub const PREFIX: &str = "switchhook-";

/// The id of the event: the same for every attempt and every webhook, so a receiver can drop repeats by it.
pub const EVENT_ID: &str = "switchhook-event-id";

/// The kind of the event, spelled as [`Kind::route`](crate::Kind::route) spells it.
pub const EVENT_KIND: &str = "switchhook-event-kind";

/// The id of the delivery: one event for one webhook; a redelivery has a new one.
pub const DELIVERY_ID: &str = "switchhook-delivery-id";

/// The number of this attempt at the delivery, counted from 1.
pub const ATTEMPT: &str = "switchhook-attempt";

/// The id of the replay that made the delivery; absent on every other delivery.
pub const REPLAY: &str = "switchhook-replay";

/// Kind of a notification to people; no delivery has it.
pub const NOTIFICATION_KIND: &str = "switchhook-notification-kind";

/// On the answer that opens a websocket: its frames say where to go on from and what a delivery's headers would say.
pub const LABELLED: &str = "switchhook-labelled";

/// On events that are sent in: the key by which a repetition is known.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The id of a message as Standard Webhooks have it: the event's, as `evt_…`.
pub const WEBHOOK_ID: &str = "webhook-id";

/// Time of the attempt, in Unix seconds, as in Standard Webhooks.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";

/// The signatures of a message as Standard Webhooks have them: one for each secret that counts, with spaces between them.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// On the answer of a receiver of Standard Webhooks: what it wants no more of.
pub const WEBHOOK_DELIVERY: &str = "webhook-delivery";

/// The content type of a signed event: the body is one compact JWS. Dialpad sends the same.
pub const CONTENT_TYPE_JWT: &str = "application/jwt";

/// The content type of an unsigned event: the body is the event's JSON object.
pub const CONTENT_TYPE_JSON: &str = "application/json";
