//! The pure rules of Switchhook: what matches, what a delivery does next, what is hidden from whom.
//!
//! Nothing here reads a clock, makes random numbers, waits or touches a file: time and randomness are arguments.
//! What crosses the wire is `switchhook-protocol`'s; what is kept is `switchhook-store`'s.
//!
//! # Who is who
//!
//! | word | means | never means |
//! |---|---|---|
//! | webhook | where we send: id, `hook_url`, optional secret | one POST; a receiving program |
//! | websocket | where somebody may listen: a place in the log of events, no deliveries | a connection to it |
//! | endpoint | a webhook or a websocket: where a subscription points | |
//! | subscription | "send these events there": kind, enabled, a filter | a billing plan |
//! | event | something that happened: one of five kinds, with its bytes as received | a log line |
//! | delivery | one event for one webhook; has a state | an SMS's delivery result |
//! | attempt | one POST of a delivery, numbered from 1; never changed once finished | |
//! | dead letter | a delivery that was given up, and that nobody has sent again or dismissed since | |
//! | source | where events come in from outside | |
//! | target | the entity of the phone system that an event is about | where we send |
//! | contact | the outside party | a webhook's owner |
//! | replay | a stored job that makes new deliveries of old events | a retry |
//! | company | whose webhooks, subscriptions, keys and events these are | |
//! | outage | a time in which every attempt to send to a webhook failed | a suspension: a time in which none was made |
//! | claim | a node's right, until its lease ends, to make a delivery's next attempt | |
//! | notice | something that people should be told of, written down with the change that causes it | a notification's text |
//! | channel | where notifications go: a URL, a chat room, a mailbox | a webhook |
//! | order key | what deliveries of one webhook share that must go one after the other | |

pub mod address;
pub mod attempt;
pub mod breaker;
pub mod clearance;
pub mod clock;
pub mod company;
pub mod credential;
pub mod dead_letter;
pub mod delivery;
pub mod event;
pub mod filter;
pub mod history;
pub mod id;
pub mod key;
pub mod kind;
pub mod lease;
pub mod matching;
pub mod notification;
pub mod order;
pub mod outage;
pub mod phone_number;
pub mod quiet;
pub mod redaction;
pub mod replay;
pub mod retry;
pub mod secret;
pub mod source;
pub mod subscription;
pub mod suspension;
pub mod template;
pub mod traffic;
pub mod webhook;
pub mod websocket;

pub use switchhook_protocol::{Kind, Timestamp, scope};
