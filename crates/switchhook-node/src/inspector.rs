//! The inspector: a receiver that lives in the server, to look at what is sent and to see how failures are handled.
//!
//! A webhook whose URL is `inspector://NAME` is handed its deliveries in process, without a socket (`transport`). What
//! arrives is verified as a receiver would, and the last of it is kept in memory. It can be told to fail.

mod transport;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::CompanyId;
use switchhook_domain::secret::Secret;
use switchhook_protocol::{Kind, headers, spelled_enum, verify};
use tokio::sync::broadcast;

pub(crate) use self::transport::InspectedTransport;

/// Scheme of inspector URLs.
pub const SCHEME: &str = "inspector://";

/// Bound on the inspectors of a node.
const MOST_INSPECTORS: usize = 64;

/// Bytes that each keeps.
pub const MOST_REQUESTS: usize = 200;

/// Bound on the bodies kept by each, in bytes.
pub const MOST_BYTES: usize = 8 << 20;

/// Bound on the requests by which a printing listener may fall behind.
const MOST_BEHIND: usize = 256;

const LONGEST_NAME: usize = 64;

/// Every inspector of a node.
pub struct Inspector {
    clock: Arc<dyn Clock>,
    inspectors: Mutex<HashMap<(CompanyId, String), InspectorState>>,
    arrivals: broadcast::Sender<Arc<ReceivedRequest>>,
}

/// State of one inspector.
#[derive(Default)]
struct InspectorState {
    behaviour: Behaviour,
    kept: VecDeque<Arc<ReceivedRequest>>,
    kept_bytes: usize,
    arrived: u64,
}

spelled_enum! {
    /// Answers of an inspector.
    #[derive(Default)]
    pub enum Behaviour: "way for the inspector to answer" {
        /// Answers 200.
        #[default]
        Accept = "accept",
        /// Answers 500.
        Fail = "fail",
        /// 200, but only after a while.
        Slow = "slow",
        /// Never answers.
        Silent = "silent",
    }
}

/// Delay of a slow inspector.
const SLOW: Duration = Duration::from_secs(3);

impl Behaviour {
    /// Description, for people.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Accept => "Answer 200",
            Self::Fail => "Answer 500",
            Self::Slow => "Answer 200 after 3 seconds",
            Self::Silent => "Do not answer at all",
        }
    }
}

/// Request that an inspector received.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// Number of the request, from 1.
    pub number: u64,
    /// Name of the inspector.
    pub name: String,
    pub at: Timestamp,
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
    /// The event's bytes, if they could be had.
    pub event: Option<Bytes>,
    /// Result of checking the signature.
    pub verdict: Verdict,
    /// Status of the answer; `None` if there was none.
    pub answered: Option<u16>,
}

/// Result of checking a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is valid.
    Verified,
    /// It has none, and none was to be expected.
    Unsigned,
    /// It is not to be believed, and why.
    Refused(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("signature holds"),
            Self::Unsigned => f.write_str("not signed: the webhook has no secret"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl ReceivedRequest {
    /// A header's text; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Kind that its headers name.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_kept(self.header(headers::EVENT_KIND)).ok()
    }
}

/// An inspector at a glance.
#[derive(Debug, Clone)]
pub struct InspectorSummary {
    pub name: String,
    pub behaviour: Behaviour,
    /// Number of requests since the server's start.
    pub arrived: u64,
    /// Kept requests, newest first.
    pub kept: Vec<Arc<ReceivedRequest>>,
}

impl Inspector {
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            inspectors: Mutex::default(),
            arrivals: broadcast::channel(MOST_BEHIND).0,
        }
    }

    /// Requests from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<ReceivedRequest>> {
        self.arrivals.subscribe()
    }

    /// The inspectors of a company that got something or were told something, by name.
    #[must_use]
    pub fn overviews(&self, company_id: CompanyId) -> Vec<InspectorSummary> {
        let inspectors = self.inspectors.lock();
        let own = inspectors.iter().filter(|((owner, _), _)| *owner == company_id);
        let mut overviews: Vec<_> = own.map(|((_, name), room)| room.overview(name)).collect();
        overviews.sort_by(|one, other| one.name.cmp(&other.name));
        overviews
    }

    /// One of them; one that got nothing yet is as good as any.
    #[must_use]
    pub fn overview(&self, company_id: CompanyId, name: &str) -> InspectorSummary {
        let inspectors = self.inspectors.lock();
        let room = inspectors.get(&(company_id, name.to_owned()));
        room.map_or_else(
            || InspectorState::default().overview(name),
            |room| room.overview(name),
        )
    }

    /// Tells one how to answer from now on.
    pub fn behave(&self, company_id: CompanyId, name: &str, behaviour: Behaviour) {
        self.in_room(company_id, name, |room| room.behaviour = behaviour);
    }

    /// Forgets the received requests.
    pub fn clear(&self, company_id: CompanyId, name: &str) {
        self.in_room(company_id, name, |room| {
            room.kept.clear();
            room.kept_bytes = 0;
        });
    }

    /// Takes what was posted to the inspector of that name, and says how to answer.
    fn take(
        &self,
        company_id: CompanyId,
        name: &str,
        secret: Option<&Secret>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Behaviour {
        let (verdict, event) = judge(&body, secret);
        let at = self.clock.now();
        let taken = self.in_room(company_id, name, |room| {
            room.arrived += 1;
            let arrival = Arc::new(ReceivedRequest {
                number: room.arrived,
                name: name.to_owned(),
                at,
                headers,
                event,
                answered: answer(room.behaviour, &verdict),
                verdict,
                body,
            });
            room.keep(Arc::clone(&arrival));
            (room.behaviour, arrival)
        });
        let Some((behaviour, arrival)) = taken else {
            return Behaviour::Accept;
        };
        // An error means that nobody prints them.
        let _ = self.arrivals.send(arrival);
        behaviour
    }

    fn in_room<T>(
        &self,
        company_id: CompanyId,
        name: &str,
        act: impl FnOnce(&mut InspectorState) -> T,
    ) -> Option<T> {
        let mut inspectors = self.inspectors.lock();
        let key = (company_id, name.to_owned());
        if inspectors.len() >= MOST_INSPECTORS && !inspectors.contains_key(&key) {
            return None;
        }
        Some(act(inspectors.entry(key).or_default()))
    }
}

impl InspectorState {
    fn keep(&mut self, arrival: Arc<ReceivedRequest>) {
        self.kept_bytes += weight(&arrival);
        self.kept.push_front(arrival);
        while self.kept.len() > MOST_REQUESTS || (self.kept_bytes > MOST_BYTES && self.kept.len() > 1) {
            if let Some(oldest) = self.kept.pop_back() {
                self.kept_bytes -= weight(&oldest);
            }
        }
    }

    fn overview(&self, name: &str) -> InspectorSummary {
        InspectorSummary {
            name: name.to_owned(),
            behaviour: self.behaviour,
            arrived: self.arrived,
            kept: self.kept.iter().cloned().collect(),
        }
    }
}

fn weight(arrival: &ReceivedRequest) -> usize {
    arrival.body.len() + arrival.event.as_ref().map_or(0, Bytes::len)
}

fn judge(body: &Bytes, secret: Option<&Secret>) -> (Verdict, Option<Bytes>) {
    match secret {
        None => (Verdict::Unsigned, Some(body.clone())),
        Some(secret) => match verify(body, [secret.expose()]) {
            Ok(event) => (Verdict::Verified, Some(event.into())),
            Err(error) => (Verdict::Refused(error.to_string()), None),
        },
    }
}

fn answer(behaviour: Behaviour, verdict: &Verdict) -> Option<u16> {
    match behaviour {
        Behaviour::Silent => None,
        Behaviour::Fail => Some(500),
        Behaviour::Accept | Behaviour::Slow if matches!(verdict, Verdict::Refused(_)) => Some(401),
        Behaviour::Accept | Behaviour::Slow => Some(200),
    }
}

/// The name of the inspector that a URL means, if it means one.
#[must_use]
pub fn name_of(url: &str) -> Option<&str> {
    let name = url.strip_prefix(SCHEME)?;
    let is_name = (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPANY: CompanyId = CompanyId(1);

    fn inspector() -> Inspector {
        Inspector::new(Arc::new(|| Timestamp::from_millis(1_795_420_800_000)))
    }

    fn take(inspector: &Inspector, body: impl Into<Bytes>, secret: Option<&str>) -> Behaviour {
        let secret = secret.map(Secret::new);
        inspector.take(COMPANY, "dev", secret.as_ref(), HeaderMap::new(), body.into())
    }

    #[test]
    fn it_says_whether_a_signature_holds_and_why_not() {
        let inspector = inspector();
        take(&inspector, "{}", None);
        take(
            &inspector,
            switchhook_protocol::sign("right", b"{}"),
            Some("right"),
        );
        take(
            &inspector,
            switchhook_protocol::sign("wrong", b"{}"),
            Some("right"),
        );
        let kept = inspector.overview(COMPANY, "dev").kept;
        let verdicts: Vec<_> = kept.iter().map(|one| (&one.verdict, one.answered)).collect();
        assert!(
            matches!(verdicts[0], (Verdict::Refused(why), Some(401)) if !why.is_empty()),
            "{verdicts:?}"
        );
        assert_eq!(verdicts[1], (&Verdict::Verified, Some(200)));
        assert_eq!(verdicts[2], (&Verdict::Unsigned, Some(200)));
        assert_eq!(kept[1].event.as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn it_keeps_neither_too_many_nor_too_large_things_and_counts_them_all() {
        let inspector = inspector();
        for _ in 0..MOST_REQUESTS + 50 {
            take(&inspector, "{}", None);
        }
        let overview = inspector.overview(COMPANY, "dev");
        assert_eq!(overview.kept.len(), MOST_REQUESTS);
        assert_eq!(overview.kept[0].number, overview.arrived);
        for _ in 0..20 {
            take(&inspector, vec![b' '; 1 << 20], None);
        }
        assert!(inspector.overview(COMPANY, "dev").kept.len() <= 4);
    }

    #[test]
    fn companies_do_not_see_each_others_and_there_are_not_too_many() {
        let inspector = inspector();
        take(&inspector, "{}", None);
        assert_eq!(inspector.overview(CompanyId(2), "dev").arrived, 0);
        for number in 0..2 * MOST_INSPECTORS {
            inspector.behave(COMPANY, &format!("n{number}"), Behaviour::Fail);
        }
        assert_eq!(inspector.overviews(COMPANY).len(), MOST_INSPECTORS);
    }

    #[test]
    fn its_urls_are_told_from_others() {
        assert_eq!(name_of("inspector://dev"), Some("dev"));
        for other in [
            "https://dev",
            "inspector://",
            "inspector://Dev/x",
            "inspector://a b",
        ] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
