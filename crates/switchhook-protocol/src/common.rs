//! What the views of all kinds have in common; where each has it is in the file of that kind.

use crate::party::Contact;
use crate::spelled_enum;
use crate::target::Target;
use crate::timestamp::Timestamp;
use crate::value::{Id, Word};

/// What the views of all kinds have in common; what a kind lacks is `None`.
pub(crate) trait Event<'a> {
    fn target(&self) -> Option<&Target<'a>> {
        None
    }

    fn contact(&self) -> Option<&Contact<'a>> {
        None
    }

    fn event_timestamp(&self) -> Option<Timestamp> {
        None
    }

    fn subject_id(&self) -> Option<&Id<'a>> {
        None
    }

    fn what_happened(&self) -> Option<&str>;

    fn direction(&self) -> Option<&Word<'a, Direction>> {
        None
    }

    /// Three parts that no two events of the kind share; empty where fewer do.
    fn natural_key(&self) -> Option<[String; 3]> {
        None
    }
}

spelled_enum! {
    /// Which way a call or a message went, seen from the company.
    pub enum Direction: "direction" {
        Inbound = "inbound",
        Outbound = "outbound",
    }
}
