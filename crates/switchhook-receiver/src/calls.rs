//! Assignment of legs to calls: a real call is several legs with a `call_id` each, and no single field links them
//! all.
//!
//! Whatever leg an event is of, [`Calls::call_key`] gives the same key for all legs that four ids tie together. Legs
//! can turn out to be one call late; then two keys become one, and the answer says so. Some legs of one call share no
//! id at all: of these the answer only says that they may belong together.

use std::collections::{BTreeMap, HashMap, VecDeque};

use switchhook_protocol::{CallEvent, Id};

mod likeness;

pub use likeness::Likeness;

/// Bound on the calls of one caller that are compared. Whoever calls more often within a minute is a machine.
const MOST_ALIKE: usize = 8;

/// On how many lines a call is looked for.
const MOST_LINES: usize = 8;

/// Knows which legs belong together. Bounded: the calls that were quiet for longest are forgotten.
#[derive(Debug)]
pub struct Calls {
    max_legs: usize,
    call_of: HashMap<String, CallKey>,
    calls: HashMap<CallKey, Call>,
    /// Calls by the time of their last event; the first one is the next to be forgotten.
    quietest: BTreeMap<u64, CallKey>,
    heard: u64,
    /// The calls of each caller that were heard of last, oldest first.
    callers: HashMap<String, VecDeque<(CallKey, Likeness)>>,
}

/// Names a call: the id of the first of its legs that was heard of.
pub type CallKey = String;

#[derive(Debug)]
struct Call {
    legs: Vec<String>,
    begun: u64,
    heard: u64,
    /// Number of the caller, by which it is found.
    caller: Option<String>,
}

/// Call of an event, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOf {
    /// The call's key.
    pub key: CallKey,
    /// Keys that were given before and mean this call from now on: merge what was made of them.
    pub merged: Vec<CallKey>,
    /// Keys of other calls that may be this one: no id says so, but caller and line are the same and they began within
    /// 60 seconds ([`Likeness`]). They are not merged: somebody may have called twice.
    pub possibly: Vec<CallKey>,
}

impl Default for Calls {
    /// Knows 100,000 legs.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Calls {
    /// Knows at most so many legs, at least four.
    #[must_use]
    pub fn new(max_legs: usize) -> Self {
        Self {
            max_legs: max_legs.max(4),
            call_of: HashMap::new(),
            calls: HashMap::new(),
            quietest: BTreeMap::new(),
            heard: 0,
            callers: HashMap::new(),
        }
    }

    /// The call that an event is about: the union over `call_id`, `master_call_id`, `operator_call_id` and
    /// `entry_point_call_id`. `None` if the event has none of the four.
    ///
    /// ```
    /// use switchhook_receiver::{Calls, Kind, Payload};
    ///
    /// let mut calls = Calls::default();
    /// let mut key = |body: &str| {
    ///     let Ok(Payload::Call(call)) = Payload::read(Kind::Call, body.as_bytes()) else { unreachable!() };
    ///     calls.call_key(&call).expect("it has an id").key
    /// };
    /// let entry = key(r#"{"call_id": 1, "state": "ringing"}"#);
    /// let operator = key(r#"{"call_id": 2, "entry_point_call_id": 1, "state": "ringing"}"#);
    /// let transferred = key(r#"{"call_id": 3, "master_call_id": 2, "state": "connected"}"#);
    /// assert!(entry == operator && operator == transferred);
    /// ```
    pub fn call_key(&mut self, event: &CallEvent<'_>) -> Option<CallOf> {
        let ids = [
            &event.call_id,
            &event.master_call_id,
            &event.operator_call_id,
            &event.entry_point_call_id,
        ];
        // Real traffic writes an absent id as null, some of it as 0.
        let ids = ids.into_iter().flatten().map(Id::as_str).filter(|id| *id != "0");
        let mut legs: Vec<&str> = Vec::with_capacity(4);
        for id in ids {
            if !legs.contains(&id) {
                legs.push(id);
            }
        }
        let first = *legs.first()?;
        let mut known: Vec<CallKey> = Vec::new();
        for key in legs.iter().filter_map(|leg| self.call_of.get(*leg)) {
            if !known.contains(key) {
                known.push(key.clone());
            }
        }
        known.sort_by_key(|key| self.calls.get(key).map(|call| call.begun));
        let mut known = known.into_iter();
        let key = known.next().unwrap_or_else(|| first.to_owned());
        let merged: Vec<CallKey> = known.collect();
        self.hear_of(&key, &legs, &merged);
        let possibly = match Likeness::of(event) {
            Some(likeness) => self.possibly(&key, likeness),
            None => Vec::new(),
        };
        self.forget_the_quietest();
        Some(CallOf {
            key,
            merged,
            possibly,
        })
    }

    /// Number of known legs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.call_of.len()
    }

    /// True if no leg is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.call_of.is_empty()
    }

    fn hear_of(&mut self, key: &str, legs: &[&str], merged: &[CallKey]) {
        self.heard += 1;
        let mut new_legs: Vec<String> = Vec::new();
        for other in merged {
            if let Some(call) = self.calls.remove(other) {
                self.quietest.remove(&call.heard);
                self.forget_caller(other, call.caller.as_deref());
                new_legs.extend(call.legs);
            }
        }
        let unknown = legs.iter().filter(|leg| !self.call_of.contains_key(**leg));
        new_legs.extend(unknown.map(|leg| (*leg).to_owned()));
        let call = self.calls.entry(key.to_owned()).or_insert_with(|| Call {
            legs: Vec::new(),
            begun: self.heard,
            heard: 0,
            caller: None,
        });
        self.quietest.remove(&call.heard);
        call.heard = self.heard;
        self.quietest.insert(self.heard, key.to_owned());
        for leg in new_legs {
            self.call_of.insert(leg.clone(), key.to_owned());
            call.legs.push(leg);
        }
    }

    /// Other calls that may be this one; notes what is known of this.
    fn possibly(&mut self, key: &str, likeness: Likeness) -> Vec<CallKey> {
        let known = self.callers.get(&likeness.caller).into_iter().flatten();
        let others = known.filter(|(other, like)| other != key && like.may_be_one_call_with(&likeness));
        let others = others.map(|(other, _)| other.clone()).collect();
        self.note_likeness(key, likeness);
        others
    }

    /// Of a call's legs the first tells when it began; the lines of all are its.
    fn note_likeness(&mut self, key: &str, likeness: Likeness) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        let caller = call.caller.get_or_insert_with(|| likeness.caller.clone());
        if *caller != likeness.caller {
            return;
        }
        let of_caller = self.callers.entry(likeness.caller.clone()).or_default();
        if let Some((_, known)) = of_caller.iter_mut().find(|(other, _)| other == key) {
            let new = likeness
                .lines
                .into_iter()
                .filter(|line| !known.lines.contains(line));
            let room = MOST_LINES.saturating_sub(known.lines.len());
            let new: Vec<_> = new.take(room).collect();
            known.lines.extend(new);
            return;
        }
        of_caller.push_back((key.to_owned(), likeness));
        if of_caller.len() > MOST_ALIKE {
            of_caller.pop_front();
        }
    }

    fn forget_caller(&mut self, key: &str, caller: Option<&str>) {
        let Some(of_caller) = caller.and_then(|caller| self.callers.get_mut(caller)) else {
            return;
        };
        of_caller.retain(|(other, _)| other != key);
        if of_caller.is_empty() {
            self.callers.remove(caller.unwrap_or_default());
        }
    }

    /// Never forgets the call that was heard of last, so a key that was just given is always known.
    fn forget_the_quietest(&mut self) {
        while self.call_of.len() > self.max_legs && self.quietest.len() > 1 {
            let Some((_, key)) = self.quietest.pop_first() else {
                return;
            };
            let Some(call) = self.calls.remove(&key) else {
                continue;
            };
            self.forget_caller(&key, call.caller.as_deref());
            for leg in call.legs {
                self.call_of.remove(&leg);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use switchhook_protocol::{Kind, Payload};

    fn hear(calls: &mut Calls, body: &str) -> CallOf {
        let Ok(Payload::Call(call)) = Payload::read(Kind::Call, body.as_bytes()) else {
            panic!("{body} is a call event");
        };
        calls.call_key(&call).expect("it has an id")
    }

    #[test]
    fn two_calls_that_turn_out_to_be_one_keep_the_older_key() {
        let mut calls = Calls::default();
        assert_eq!(hear(&mut calls, r#"{"call_id":5}"#).key, "5");
        assert_eq!(hear(&mut calls, r#"{"call_id":2}"#).key, "2");
        let joined = hear(
            &mut calls,
            r#"{"call_id":2,"operator_call_id":"5","master_call_id":null}"#,
        );
        assert_eq!((joined.key.as_str(), joined.merged), ("5", vec!["2".to_owned()]));
        let again = hear(&mut calls, r#"{"call_id":2}"#);
        assert_eq!((again.key.as_str(), again.merged.len()), ("5", 0));
    }

    /// A leg of a call of somebody to the office or to one of its people.
    fn leg(id: u32, caller: &str, line: &str, began_at: u64) -> String {
        format!(
            r#"{{"call_id":{id},"direction":"inbound","external_number":"{caller}","internal_number":"{line}","date_started":{began_at}}}"#
        )
    }

    const CALLER: &str = "+15415550102";
    const LINE: &str = "+15415550103";
    const NOON: u64 = 1_795_624_000_000;

    #[test]
    fn legs_that_share_no_id_may_be_one_call_and_are_not_merged() {
        let mut calls = Calls::default();
        assert_eq!(hear(&mut calls, &leg(1, CALLER, LINE, NOON)).possibly.len(), 0);
        let other = hear(&mut calls, &leg(2, "(541) 555-0102", LINE, NOON + 60_000));
        assert_eq!((other.key.as_str(), other.possibly), ("2", vec!["1".to_owned()]));
        for (id, caller, line, began_at) in [
            (3, CALLER, LINE, NOON + 121_000),
            (4, CALLER, "+15415550199", NOON),
            (5, "+15415550177", LINE, NOON),
            (6, "anonymous", LINE, NOON),
            (7, CALLER, "201", NOON),
        ] {
            assert_eq!(
                hear(&mut calls, &leg(id, caller, line, began_at)).possibly.len(),
                0,
                "{id}"
            );
        }
        let paris = leg(9, "+33142685300", "+4581234567", NOON);
        assert_eq!(hear(&mut calls, &paris).possibly.len(), 0);
        let at_home = leg(10, "01 42 68 53 00", "81 23 45 67", NOON);
        assert_eq!(hear(&mut calls, &at_home).possibly, ["9"]);
        let outbound = leg(8, CALLER, LINE, NOON).replace("inbound", "outbound");
        assert_eq!(hear(&mut calls, &outbound).possibly.len(), 0);
        let linked = leg(2, CALLER, LINE, NOON).replace('}', r#","master_call_id":1}"#);
        let linked = hear(&mut calls, &linked);
        assert_eq!(
            (linked.merged.len(), linked.possibly.len()),
            (1, 0),
            "now it is certain"
        );
    }

    #[test]
    fn whoever_calls_all_the_time_takes_little() {
        let mut calls = Calls::new(100);
        for id in 1..1_000 {
            let possibly = hear(&mut calls, &leg(id, CALLER, LINE, NOON)).possibly;
            assert!(possibly.len() <= MOST_ALIKE);
            let other = format!("+1541{:07}", 5_000_000 + id);
            hear(&mut calls, &leg(10_000 + id, &other, LINE, NOON));
            assert!(calls.callers.len() <= calls.calls.len());
        }
        assert!(calls.callers.values().flatten().count() <= 100 + MOST_ALIKE);
    }

    #[test]
    fn an_event_without_ids_has_no_call() {
        let Ok(Payload::Call(call)) = Payload::read(Kind::Call, br#"{"call_id":null,"master_call_id":0}"#)
        else {
            panic!("it is an object");
        };
        assert_eq!(Calls::default().call_key(&call), None);
    }

    #[test]
    fn quiet_calls_are_forgotten_and_lively_ones_are_not() {
        let mut calls = Calls::new(4);
        for leg in 2..100 {
            hear(&mut calls, r#"{"call_id":1000}"#);
            hear(&mut calls, &format!("{{\"call_id\":{leg}}}"));
            assert!(calls.len() <= 4);
            assert_eq!(calls.calls.len(), calls.quietest.len());
        }
        assert!(calls.call_of.contains_key("1000") && !calls.call_of.contains_key("2"));
    }

    proptest! {
        /// Checks for any order of events: two legs have one key exactly if a chain of ids leads from one to the other.
        #[test]
        fn keys_are_the_connected_parts(links in prop::collection::vec((1_u8..20, 1_u8..20), 1..40)) {
            let mut calls = Calls::default();
            let mut part: Vec<u8> = (0..20).collect();
            for (a, b) in &links {
                hear(&mut calls, &format!("{{\"call_id\":{a},\"entry_point_call_id\":{b}}}"));
                let (a, b) = (part[usize::from(*a)], part[usize::from(*b)]);
                part.iter_mut().filter(|p| **p == a).for_each(|p| *p = b);
            }
            for (a, _) in &links {
                for (b, _) in &links {
                    let key = |leg: &u8| calls.call_of.get(&leg.to_string());
                    prop_assert_eq!(key(a) == key(b), part[usize::from(*a)] == part[usize::from(*b)]);
                }
            }
        }
    }
}
