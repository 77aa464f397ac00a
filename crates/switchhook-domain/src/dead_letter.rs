//! Dead letters: deliveries that were given up, until somebody deals with them. Their state is final and stays; what is dealt with
//! needs nobody any more.

use switchhook_protocol::{Timestamp, spelled_enum};

spelled_enum! {
    /// Treatment of a delivery that was given up.
    pub enum Resolution: "resolution" {
        /// Its event was sent to the webhook again, as another delivery.
        Resent = "resent",
        /// Somebody decided against it.
        Dismissed = "dismissed",
    }
}

/// Treatment of a delivery that was given up, with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    pub how: Resolution,
    pub at: Timestamp,
}
