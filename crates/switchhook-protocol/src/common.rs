//! Fields that the views of several kinds have in common; the file of each kind says where it has them.

use crate::party::Contact;
use crate::spelled_enum;
use crate::target::Target;
use crate::timestamp::Timestamp;
use crate::value::{Id, Word};

/// Fields that the views of several kinds have in common; `None` if a kind lacks one.
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
    /// Direction of a call or a message, seen from the company.
    pub enum Direction: "direction" {
        Inbound = "inbound",
        Outbound = "outbound",
    }
}
