//! Replays: what they send, how fast, in which order, and what a crash or a cancellation leaves of them.

mod crash;
mod kill;
mod pace;
mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use switchhook_domain::id::{EventId, KeyId, ReplayId};
use switchhook_domain::key::Rights;
use switchhook_domain::replay::{Replay, ReplayFilter, ReplayState};
use switchhook_domain::scope::Scopes;
use switchhook_node::caller::Caller;
use switchhook_node::replays::{self, ReplayRequest, ReplayTarget};

use crate::support::rig::{COMPANY, Rig, Seen};

/// Whoever sees everything of the company.
fn admin() -> Caller {
    Caller {
        key_id: KeyId(1),
        company_id: COMPANY,
        admin: true,
        rights: Rights::all(),
        scopes: Scopes::ALL,
    }
}

impl Rig {
    /// Replays to where the events went.
    async fn replay(&self, filter: ReplayFilter) -> ReplayId {
        self.replay_to(filter, ReplayTarget::Origins, None).await
    }

    async fn replay_to(&self, filter: ReplayFilter, to: ReplayTarget, rate: Option<f64>) -> ReplayId {
        let request = ReplayRequest { filter, to, rate };
        let made = replays::create(&self.node, admin(), request).await;
        made.expect("it can be made").id
    }

    async fn replay_now(&self, id: ReplayId) -> Replay {
        self.store.replay(COMPANY, id).await.expect("it is there")
    }

    /// Lets time pass until the replay has ended.
    async fn wait_for_replay(&self, id: ReplayId) -> Replay {
        for _ in 0..2_000 {
            let replay = self.replay_now(id).await;
            if replay.state != ReplayState::Running {
                return replay;
            }
            self.wait(Duration::from_millis(100)).await;
        }
        panic!("replay {id} does not end: {:?}", self.replay_now(id).await);
    }

    /// Requests of a replay that the network saw.
    fn seen_of(&self, id: ReplayId) -> Vec<Seen> {
        let mut seen = self.network.seen();
        seen.retain(|one| header(one, "switchhook-replay") == id.to_string());
        seen
    }
}

fn header<'a>(seen: &'a Seen, name: &str) -> &'a str {
    seen.headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn event_of(seen: &Seen) -> EventId {
    header(seen, "switchhook-event-id")
        .parse()
        .expect("every attempt names its event")
}

/// The deliveries that each event got.
fn deliveries_by_event(seen: &[Seen]) -> BTreeMap<EventId, BTreeSet<i64>> {
    let mut by_event = BTreeMap::<_, BTreeSet<_>>::new();
    for one in seen {
        by_event.entry(event_of(one)).or_default().insert(one.delivery_id);
    }
    by_event
}

fn everything() -> ReplayFilter {
    ReplayFilter {
        since: Some(switchhook_domain::Timestamp::from_millis(0)),
        ..ReplayFilter::default()
    }
}
