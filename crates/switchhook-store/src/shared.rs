//! Parts of [`Store`](crate::Store) that both drivers share, with their statements; each file is one noun.
//!
//! The drivers differ for a reason in `sqlite/` and `postgres/`: whatever makes, claims, ends and removes deliveries.

pub(crate) mod channels;
pub(crate) mod companies;
pub(crate) mod dead_letters;
pub(crate) mod deliveries;
pub(crate) mod events;
mod explain;
pub(crate) mod feeds;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod notices;
pub(crate) mod notification_store;
pub(crate) mod notifications;
pub(crate) mod outages;
pub(crate) mod refusals;
pub(crate) mod replays;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod sources;
pub(crate) mod subscription_store;
pub(crate) mod subscriptions;
mod suspensions;
pub(crate) mod versions;
pub(crate) mod webhooks;
pub(crate) mod websockets;
