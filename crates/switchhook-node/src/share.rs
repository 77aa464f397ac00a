//! Limits per company: what one may have, and what it may use of this node at once, so that none locks the others
//! out.
//!
//! Slots are per node: several nodes have as many each. Bounds over all companies are where slots are taken.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use switchhook_domain::id::CompanyId;
use switchhook_store::NewEvent;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Limit on a number of things, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(Option<u32>);

impl Limit {
    /// At most so many.
    #[must_use]
    pub const fn of(most: u32) -> Self {
        Self(Some(most))
    }

    /// True if one more than `count` is allowed.
    #[must_use]
    pub fn allows_more_than(self, count: usize) -> bool {
        self.0.is_none_or(|most| count < most as usize)
    }

    /// True if any number is allowed.
    #[must_use]
    pub const fn is_off(self) -> bool {
        self.0.is_none()
    }

    fn places(self) -> Arc<Semaphore> {
        let places = self.0.map_or(Semaphore::MAX_PERMITS, |most| most as usize);
        Arc::new(Semaphore::new(places))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(most) => write!(f, "{most}"),
            None => f.write_str("off"),
        }
    }
}

/// A word that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a limit: write a whole number from 1 to 1000000, or off")]
pub struct InvalidLimit(String);

impl FromStr for Limit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        let most = text.parse().ok().filter(|most| (1..=1_000_000).contains(most));
        most.map(Self::of).ok_or_else(|| InvalidLimit(text.to_owned()))
    }
}

/// Limits of each company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompanyLimits {
    pub webhooks: Limit,
    pub subscriptions: Limit,
    /// Its websockets, and the connections to them.
    pub websockets: Limit,
    pub sources: Limit,
    /// Its live streams, and its dashboard pages in sight.
    pub streams: Limit,
    /// Its requests that read at once.
    pub reads: Limit,
}

impl Default for CompanyLimits {
    fn default() -> Self {
        Self {
            webhooks: Limit::of(1_000),
            subscriptions: Limit::of(10_000),
            websockets: Limit::of(200),
            sources: Limit::of(1_000),
            streams: Limit::of(32),
            reads: Limit::of(4),
        }
    }
}

/// Every company's share of this node.
pub struct Shares {
    limits: CompanyLimits,
    companies: DashMap<CompanyId, Arc<Share>>,
    examinations: Semaphore,
}

/// One company's share of this node.
pub struct Share {
    pub streams: Arc<Semaphore>,
    pub pages: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// Those who wait for a place to read.
    readers_waiting: Semaphore,
    pub(crate) connections: Arc<Semaphore>,
    examination: Semaphore,
    /// Held by who changes what is registered and must not be changed by two at once.
    pub change: Mutex<()>,
    /// In KiB of events.
    accepting: Semaphore,
}

/// Bound on the requests of a company that wait for a slot to read, and on the wait of each.
const MOST_READERS_WAITING: usize = 64;
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Bound on the examinations that try connections at once, over all companies.
pub const MOST_EXAMINATIONS: usize = 4;

/// Bound on a company's events that are on their way into the store. More wait, in order: the store commits all that
/// waits at once, and other companies' events must not wait for a large commit.
pub const ACCEPTING_KIB: u32 = 8 * 1024;

/// Cost of an event, and of each of its deliveries, beside the event's bytes.
const EACH_KIB: usize = 4;
const DELIVERY_KIB: usize = 1;

fn weight(event: &NewEvent) -> u32 {
    let kib = event.body.len() / 1024 + EACH_KIB + event.deliveries.len() * DELIVERY_KIB;
    u32::try_from(kib).unwrap_or(ACCEPTING_KIB)
}

impl Shares {
    /// Everybody has all of theirs.
    #[must_use]
    pub fn new(limits: CompanyLimits) -> Self {
        Self {
            limits,
            companies: DashMap::new(),
            examinations: Semaphore::new(MOST_EXAMINATIONS),
        }
    }

    /// Limits of each company.
    #[must_use]
    pub const fn limits(&self) -> CompanyLimits {
        self.limits
    }

    #[must_use]
    pub fn of(&self, company_id: CompanyId) -> Arc<Share> {
        if let Some(share) = self.companies.get(&company_id) {
            return Arc::clone(&share);
        }
        let share = self.companies.entry(company_id);
        Arc::clone(&share.or_insert_with(|| Arc::new(Share::new(self.limits))))
    }

    /// Waits for one of a company's places to read: its requests take turns, so that others get to read too.
    ///
    /// # Errors
    /// If others of the company's read and wait for too long.
    pub async fn place_to_read(&self, company_id: CompanyId) -> Result<OwnedSemaphorePermit, Busy> {
        let share = self.of(company_id);
        let reads = Arc::clone(&share.reads);
        if let Ok(place) = Arc::clone(&reads).try_acquire_owned() {
            return Ok(place);
        }
        let waited = match share.readers_waiting.try_acquire() {
            Ok(_waiting) => timeout(LONGEST_WAIT, reads.acquire_owned()).await.ok(),
            Err(_) => None,
        };
        waited
            .and_then(Result::ok)
            .ok_or(Busy::Reading(self.limits.reads))
    }

    /// Takes the company's place to try connections and one among all of this node's.
    ///
    /// # Errors
    /// If an examination of the company's, or too many of others', are under way.
    pub(crate) fn place_to_examine<'a>(&'a self, own: &'a Share) -> Result<[SemaphorePermit<'a>; 2], Busy> {
        let own = own.examination.try_acquire();
        let of_all = self.examinations.try_acquire();
        Ok([
            own.map_err(|_| Busy::Examining)?,
            of_all.map_err(|_| Busy::ExaminingOthers)?,
        ])
    }
}

/// Reason for which something must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many of the company's requests read as may, and others wait.
    #[error(
        "{0} requests of this company are reading, which is as many as may at once (--limit-reads), and others wait: wait \
         {READ_AGAIN_SECONDS} s and try again"
    )]
    Reading(Limit),
    /// An examination of the company's tries connections.
    #[error(
        "another examination of this company is under way, and connections are tried by one at a time: ask again in a \
         moment, or with connect=false"
    )]
    Examining,
    /// Examinations of other companies' do.
    #[error(
        "examinations of {MOST_EXAMINATIONS} other companies are under way, which is as many as try connections at once: \
         ask again in a moment, or with connect=false"
    )]
    ExaminingOthers,
}

/// Time to wait for a slot to read.
const READ_AGAIN_SECONDS: u64 = 1;

/// Time to wait for the end of an examination.
const EXAMINE_AGAIN_SECONDS: u64 = 10;

impl Busy {
    /// Value of `Retry-After`, in seconds.
    #[must_use]
    pub const fn retry_after_seconds(self) -> u64 {
        match self {
            Self::Reading(_) => READ_AGAIN_SECONDS,
            Self::Examining | Self::ExaminingOthers => EXAMINE_AGAIN_SECONDS,
        }
    }
}

impl Share {
    fn new(limits: CompanyLimits) -> Self {
        Self {
            streams: limits.streams.places(),
            pages: limits.streams.places(),
            reads: limits.reads.places(),
            readers_waiting: Semaphore::new(MOST_READERS_WAITING),
            connections: limits.websockets.places(),
            examination: Semaphore::new(1),
            change: Mutex::new(()),
            accepting: Semaphore::new(ACCEPTING_KIB as usize),
        }
    }

    /// Waits until these events may go into the store.
    pub(crate) async fn take_in(&self, events: &[NewEvent]) -> Option<SemaphorePermit<'_>> {
        let all = events.iter().map(weight).fold(0, u32::saturating_add);
        // It is never closed.
        self.accepting.acquire_many(all.min(ACCEPTING_KIB)).await.ok()
    }
}

/// A place among the company's and one among all of this node's; both go back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

/// Reason for which there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSlot {
    /// The company has taken all of its own.
    OfCompany,
    /// There is none left on this node.
    OfNode,
}

impl Slot {
    /// Takes one of each.
    pub fn take(own: &Arc<Semaphore>, of_all: &Arc<Semaphore>) -> Result<Self, NoSlot> {
        let own = Arc::clone(own).try_acquire_owned();
        let of_all = Arc::clone(of_all).try_acquire_owned();
        Ok(Self {
            _own: own.map_err(|_| NoSlot::OfCompany)?,
            _of_all: of_all.map_err(|_| NoSlot::OfNode)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::EventId;
    use switchhook_domain::redaction::Hidden;
    use switchhook_domain::subscription::Revision;
    use switchhook_domain::{Kind, Timestamp};

    use super::*;

    #[test]
    fn limits_read_back_what_they_print() {
        for text in ["1", "1000", "1000000", "off"] {
            assert_eq!(
                text.parse::<Limit>().map(|limit| limit.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["0", "-1", "none", "", "1000001", "1.5"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
        assert!(Limit::of(3).allows_more_than(2) && !Limit::of(3).allows_more_than(3));
    }

    #[test]
    fn a_company_that_has_taken_all_of_its_places_leaves_the_others_theirs() {
        let shares = Shares::new(CompanyLimits {
            streams: Limit::of(2),
            ..CompanyLimits::default()
        });
        let of_all = Arc::new(Semaphore::new(3));
        let take = |company| Slot::take(&shares.of(CompanyId(company)).streams, &of_all);
        let held = [take(1).unwrap(), take(1).unwrap()];
        assert_eq!(take(1).unwrap_err(), NoSlot::OfCompany);
        let other = take(2).unwrap();
        assert_eq!(take(3).unwrap_err(), NoSlot::OfNode);
        drop(held);
        assert!(
            take(1).is_ok() && take(3).is_ok(),
            "places go back, also those of a refusal"
        );
        drop(other);
    }

    fn event(bytes: usize) -> NewEvent {
        NewEvent {
            id: EventId(1),
            company_id: CompanyId(1),
            kind: Kind::Call,
            body: vec![b' '; bytes].into(),
            accepted_at: Timestamp::from_millis(0),
            order_key: None,
            warnings: Vec::new(),
            idempotency: None,
            deliveries: Vec::new(),
            revision: Revision(0),
            concealable: Hidden::EVERYTHING,
            is_logged: false,
        }
    }

    #[tokio::test]
    async fn large_events_of_a_company_wait_for_each_other_and_keep_nobody_else_waiting() {
        let shares = Shares::new(CompanyLimits::default());
        let (one, other) = (shares.of(CompanyId(1)), shares.of(CompanyId(2)));
        let much = [event(ACCEPTING_KIB as usize * 2_048)];
        let little = [event(10)];
        let first = one.take_in(&much).await.expect("it is never closed");
        let mut second = Box::pin(one.take_in(&little));
        assert!(futures_util::poll!(&mut second).is_pending());
        let others = other.take_in(&much).await;
        drop(first);
        assert!(second.await.is_some() && others.is_some());
    }
}
