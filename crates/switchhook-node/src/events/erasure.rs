//! Erasing a phone number: slice by slice, for as long as one request may take. What it touches is the store's.

use std::time::Duration;

use switchhook_domain::id::EventId;
use switchhook_domain::key::Right;
use switchhook_domain::phone_number::PhoneNumber;
use switchhook_store::{Erased, ErasureExtent, ErasureSlice};
use tokio::time::Instant;
use tracing::info;

use crate::Node;
use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::telemetry::Removal;

/// Events changed in one commit.
const SLICE: u32 = 500;

/// Time limit of one call.
pub const LONGEST_ERASURE: Duration = Duration::from_secs(5);

/// Erasure of a phone number.
#[derive(Debug)]
pub struct Erasure {
    /// The phone number, with its country code.
    pub number: String,
    /// Erasing, or only counting.
    pub extent: ErasureExtent,
    /// After which event to go on.
    pub after: Option<EventId>,
}

/// Removes what the store knows of a phone number, or counts it, from the oldest event on; answers where it stopped.
///
/// # Errors
/// If the caller may not or is no admin, the number is none, or the caller's key ended meanwhile.
pub async fn erase(node: &Node, caller: Caller, erasure: Erasure) -> Result<Erased, Refusal> {
    caller.require(Right::Write)?;
    caller.require_admin("erasures")?;
    let number: Result<PhoneNumber, _> = erasure.number.parse();
    let number = number.map_err(|error| Refusal::Invalid(format!("number: {error}")))?;
    let mut slice = ErasureSlice {
        company_id: caller.company_id,
        number,
        after: erasure.after,
        limit: SLICE,
        extent: erasure.extent,
    };
    let lease = node.leases.hold(caller);
    let began = Instant::now();
    let mut sum = Erased::default();
    loop {
        let erased = node.store.erase_number(slice.clone(), node.clock.now()).await?;
        sum.examined += erased.examined;
        sum.events += erased.events;
        sum.cancelled += erased.cancelled;
        sum.attempts += erased.attempts;
        sum.next = erased.next;
        slice.after = erased.next;
        if lease.is_over() {
            return Err(Refusal::KeyEnded);
        }
        if erased.next.is_none() || began.elapsed() > LONGEST_ERASURE {
            break;
        }
    }
    if erasure.extent == ErasureExtent::Erase {
        tell(node, &sum);
    }
    Ok(sum)
}

/// The number itself is in no log line.
fn tell(node: &Node, done: &Erased) {
    node.telemetry.removed(Removal::Payloads, done.events);
    if done.events > 0 {
        let (events, cancelled, attempts) = (done.events, done.cancelled, done.attempts);
        info!(
            events,
            cancelled,
            attempts,
            why = "a number was erased on request",
            "removed"
        );
    }
}
