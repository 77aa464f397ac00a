//! Event of a simulation, ready to be sent, with a few facts that its body does not tell.

use switchhook_protocol::{Kind, Timestamp};

/// Something that happened in the simulated company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedEvent {
    pub kind: Kind,
    /// Time of sending, in virtual time: when it happened, unless something held it up. Events come in this order.
    pub at: Timestamp,
    /// The story it belongs to: all legs of one call, all statuses of one message. Numbered from 1.
    pub story: u64,
    /// The id of what it is about: the leg of a call, the message, the agent, the contact. 0 in the change log.
    pub subject: i64,
    /// Name of the step, in one word of the wire: a call's state, an agent's duty, a contact's change, the log's
    /// action; of a message its status, or `received`.
    pub step: &'static str,
    /// The event as Dialpad would send it: one JSON object.
    pub body: String,
}
