//! A phone company from a seed: believable events of all five kinds, without a phone.
//!
//! Owns what happens in the simulated company and when, in virtual time; the same seed and start give the same bytes
//! on every machine. It sees only what a customer sees (the payloads) and knows nothing of servers: who sends the
//! events where, and how fast, is the caller's. It has no clock, no network and no threads, so that a test suite can
//! drive its own handler with it.
//!
//! - [`Simulation`]: the life of a company, an endless stream. Start here; `company` has who is in it, `day` what begins
//!   when, and then there is one file for each kind of event.
//! - [`Scenario`]: a short script with a name, always in the same order.
//! - [`FaultyStream`] and [`Wire`]: what goes wrong on the way, and the requests that carry it.
//!
//! ```
//! use switchhook_protocol::{Kind, Timestamp};
//! use switchhook_simulator::Simulation;
//!
//! let start: Timestamp = "2026-11-21T09:00:00Z".parse()?;
//! let first = Simulation::new(7, start).next().expect("a simulation never ends");
//! assert_eq!(first.kind, Kind::Call);
//! assert_eq!(first.at, start);
//! assert!(first.body.contains(r#""state":"ringing""#));
//! # Ok::<(), switchhook_protocol::InvalidTimestamp>(())
//! ```
//!
//! A handler that writes one ticket for each call, held against a call of four legs and against a company's hour:
//!
//! ```
//! use std::collections::BTreeSet;
//! use switchhook_protocol::{Id, Kind, Payload, Timestamp};
//! use switchhook_simulator::{Dialect, Scenario, Simulation};
//!
//! /// The handler under test: the calls that it has written tickets for, by their entry legs.
//! #[derive(Default)]
//! struct Tickets(BTreeSet<i64>);
//!
//! impl Tickets {
//!     fn handle(&mut self, kind: Kind, body: &[u8]) {
//!         let Ok(Payload::Call(call)) = Payload::read(kind, body) else { return };
//!         let is_answered = call.date_connected.is_some();
//!         let leg = call.entry_point_call_id.or(call.call_id);
//!         if let (true, Some(leg)) = (is_answered, leg.as_ref().and_then(Id::as_i64)) {
//!             self.0.insert(leg);
//!         }
//!     }
//! }
//!
//! let start = Timestamp::from_millis(1_795_420_800_000);
//! let mut tickets = Tickets::default();
//! let scenario = Scenario::find("ring-all-answered").expect("it is one of them");
//! for event in scenario.play(1, start, Dialect::Observed) {
//!     tickets.handle(event.kind, event.body.as_bytes());
//! }
//! assert_eq!(tickets.0.len(), 1, "one call, one ticket");
//!
//! for event in Simulation::new(1, start).take_while(|event| event.at.since(start).as_secs() < 3_600) {
//!     tickets.handle(event.kind, event.body.as_bytes());
//! }
//! assert!(tickets.0.len() > 50);
//! ```
//!
//! The company, Larkfield Supply, is the same for every seed, ids included: a target that was chosen once stays. Ids are
//! below 2^53, numbers and addresses belong to nobody.

mod agenda;
mod calendar;
mod company;
mod dialect;
mod event;
mod fault;
mod json;
mod rng;
mod scenario;
mod simulation;
mod story;
mod wire;

pub use calendar::{Rate, Rhythm};
pub use dialect::Dialect;
pub use event::SimulatedEvent;
pub use fault::{Fault, Faults, FaultyStream, InvalidFaults, Sending};
pub use scenario::{Encore, Scenario};
pub use simulation::{Builder, Simulation};
pub use wire::{Demand, Wire, WireRequest};
