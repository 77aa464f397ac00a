//! The index: all subscriptions of a company that want an event, at the cost of the ones that do.
//!
//! Owns how subscriptions are looked up. It says what the rule in `matching.rs` says, and a test holds it to that.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Range;

use smallvec::{SmallVec, smallvec};
use switchhook_protocol::{CallState, CallStateFilter, ContactType, Direction, SmsDirection};

use super::ExtraConditions;
use crate::event::{EventDetail, EventFacts, PayloadState};
use crate::filter::{Content, ParsedContent, PayloadFilter};
use crate::id::{IdHash, SubscriptionId};
use crate::redaction::Hidden;
use crate::subscription::{Endpoint, Filter, Subscription, TargetRef};

/// A webhook or a websocket that an event goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub endpoint: Endpoint,
    /// The subscriptions that asked for it, in ascending order; never empty.
    pub subscription_ids: Vec<SubscriptionId>,
    /// Parts that none of them may see.
    pub hidden: Hidden,
}

/// The subscriptions of one company that can match at all: the enabled ones with an endpoint.
///
/// A snapshot, never changed. An event costs a few look-ups and its matches, however many subscriptions there are for
/// other targets and states.
#[derive(Debug, Clone, Default)]
pub struct CompanyIndex {
    entries: Vec<Entry>,
    /// For each key a range of `postings`. Whoever chose the ids of targets so that looking them up is slow would slow only their own
    /// company's events.
    keys: HashMap<Key, Range<u32>, IdHash>,
    /// Indexes of `entries`.
    postings: Vec<u32>,
    /// Of the few entries that have one.
    filters: Vec<PayloadFilter>,
}

/// Subscription, as far as matching needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    id: SubscriptionId,
    endpoint: Endpoint,
    demands: ExtraConditions,
    hidden: Hidden,
    /// Its number among `filters`, from 1.
    filter: Option<NonZeroU32>,
}

/// Key of the index: one facet and a target, or the whole company.
type Key = (Facet, Option<TargetRef>);

/// Property that a filter asks for and an event has. A filter has one facet or, for call states, one per state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Facet {
    AnyCall,
    CallIn(CallState),
    Sms(SmsDirection),
    AgentStatus,
    Contact(ContactType),
    Changelog,
}

type Facets = SmallVec<[Facet; 4]>;

impl Facet {
    fn of_filter(filter: &Filter) -> Facets {
        match filter {
            Filter::Call(filter) if filter.call_states.is_every_state() => smallvec![Self::AnyCall],
            Filter::Call(filter) => filter.call_states.iter().filter_map(Self::of_state).collect(),
            Filter::Sms(filter) => smallvec![Self::Sms(filter.direction)],
            Filter::AgentStatus { .. } => smallvec![Self::AgentStatus],
            Filter::Contact { contact_type } => smallvec![Self::Contact(*contact_type)],
            Filter::Changelog => smallvec![Self::Changelog],
        }
    }

    const fn of_state(state: CallStateFilter) -> Option<Self> {
        match state {
            CallStateFilter::All => None,
            CallStateFilter::State(state) => Some(Self::CallIn(state)),
        }
    }

    pub(super) fn of_event(detail: &EventDetail) -> Facets {
        match detail {
            EventDetail::Call {
                state: Some(PayloadState::Known(state)),
                ..
            } => {
                smallvec![Self::AnyCall, Self::CallIn(*state)]
            }
            EventDetail::Call { .. } => smallvec![Self::AnyCall],
            EventDetail::Sms {
                direction: Some(Direction::Inbound),
                ..
            } => {
                smallvec![Self::Sms(SmsDirection::All), Self::Sms(SmsDirection::Inbound)]
            }
            EventDetail::Sms {
                direction: Some(Direction::Outbound),
                ..
            } => {
                smallvec![Self::Sms(SmsDirection::All), Self::Sms(SmsDirection::Outbound)]
            }
            EventDetail::Sms { direction: None, .. } => smallvec![Self::Sms(SmsDirection::All)],
            EventDetail::AgentStatus => smallvec![Self::AgentStatus],
            EventDetail::Contact { is_local: true } => smallvec![Self::Contact(ContactType::Local)],
            EventDetail::Contact { is_local: false } => {
                smallvec![Self::Contact(ContactType::Shared)]
            }
            EventDetail::Changelog => smallvec![Self::Changelog],
            EventDetail::Unknown => smallvec![],
        }
    }
}

impl CompanyIndex {
    /// Indexes the subscriptions of one company; those that cannot match at all are left out.
    #[must_use]
    pub fn build(subscriptions: impl IntoIterator<Item = Subscription>) -> Self {
        let mut index = Self::default();
        let mut keyed = Vec::new();
        for subscription in subscriptions {
            let Some(mut entry) = Entry::of(&subscription) else {
                continue;
            };
            if let Some(filter) = subscription.payload_filter {
                index.filters.push(filter);
                entry.filter = NonZeroU32::new(position(index.filters.len()));
            }
            let target = subscription.filter.target();
            let position = position(index.entries.len());
            keyed.extend(
                Facet::of_filter(&subscription.filter)
                    .into_iter()
                    .map(|facet| ((facet, target), position)),
            );
            index.entries.push(entry);
        }
        index.entries.shrink_to_fit();
        index.post(keyed);
        index
    }

    /// Endpoints of the subscriptions, each as often as it occurs.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.entries.iter().map(|entry| entry.endpoint)
    }

    fn post(&mut self, mut keyed: Vec<(Key, u32)>) {
        keyed.sort_unstable();
        self.postings.reserve_exact(keyed.len());
        for same_key in keyed.chunk_by(|one, other| one.0 == other.0) {
            let start = position(self.postings.len());
            self.postings.extend(same_key.iter().map(|(_, entry)| *entry));
            self.keys
                .insert(same_key[0].0, start..position(self.postings.len()));
        }
        self.keys.shrink_to_fit();
    }

    /// Number of subscriptions that can match.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if no event can match.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The endpoints that the event with this content goes to, in ascending order, each once. Says what
    /// [`judge`](super::judge) says. The content is looked at only if a subscription has a filter on them and wants the event
    /// otherwise.
    #[must_use]
    pub fn match_event(&self, facts: &EventFacts, content: &Content<'_>) -> Vec<Match> {
        let mut found = self.matching(facts);
        found.sort_unstable_by_key(|entry| (entry.endpoint, entry.id));
        found.dedup_by_key(|entry| entry.id);
        if found.iter().any(|entry| entry.filter.is_some()) {
            self.drop_filtered(&mut found, content);
        }
        found
            .chunk_by(|one, other| one.endpoint == other.endpoint)
            .map(Match::of)
            .collect()
    }

    fn drop_filtered(&self, found: &mut SmallVec<[Entry; 8]>, content: &Content<'_>) {
        let looks = ParsedContent::at(content);
        found.retain(|entry| match entry.filter {
            None => true,
            Some(number) => {
                let filter = &self.filters[number.get() as usize - 1];
                looks
                    .without(entry.hidden)
                    .is_some_and(|event| filter.lets_through(event))
            }
        });
    }

    fn matching(&self, facts: &EventFacts) -> SmallVec<[Entry; 8]> {
        let mut found = SmallVec::new();
        for facet in Facet::of_event(&facts.detail) {
            let targets = facts.targets().iter().copied().map(Some);
            for target in targets.chain([None]) {
                let candidates = self.candidates((facet, target));
                found.extend(candidates.filter(|entry| entry.demands.unmet_by(&facts.detail).is_none()));
            }
        }
        found
    }

    pub(super) fn candidates(&self, key: Key) -> impl Iterator<Item = Entry> {
        let range = self
            .keys
            .get(&key)
            .map_or(0..0, |range| range.start as usize..range.end as usize);
        self.postings[range]
            .iter()
            .map(|&entry| self.entries[entry as usize])
    }
}

/// More than four thousand million postings are beyond any memory that this runs in.
fn position(length: usize) -> u32 {
    u32::try_from(length).expect("an index has fewer than 2^32 postings")
}

impl Entry {
    fn of(subscription: &Subscription) -> Option<Self> {
        let endpoint = subscription.endpoint.filter(|_| subscription.enabled)?;
        Some(Self {
            id: subscription.id,
            endpoint,
            demands: ExtraConditions::of(&subscription.filter),
            hidden: Hidden::of(subscription),
            filter: None,
        })
    }
}

impl Match {
    fn of(entries: &[Entry]) -> Self {
        Self {
            endpoint: entries[0].endpoint,
            subscription_ids: entries.iter().map(|entry| entry.id).collect(),
            hidden: entries
                .iter()
                .map(|entry| entry.hidden)
                .fold(Hidden::EVERYTHING, Hidden::and),
        }
    }
}
