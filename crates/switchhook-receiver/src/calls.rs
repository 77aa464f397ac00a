//! Which legs are one call: a real call is several legs with a `call_id` each, and no single field links them all.
//! Whatever leg an event is of, [`Calls::call_key`] gives the same key for all legs that four ids tie together.
//! Legs can come to be known as one call late; then two keys become one, and the answer says so.

use std::collections::{BTreeMap, HashMap};

use switchhook_protocol::{CallEvent, Id};

/// Knows which legs belong together. Bounded: the calls that were quiet for longest are forgotten.
#[derive(Debug)]
pub struct Calls {
    max_legs: usize,
    call_of: HashMap<String, CallKey>,
    calls: HashMap<CallKey, Call>,
    /// Which call was heard of when; the first one is the next to be forgotten.
    quietest: BTreeMap<u64, CallKey>,
    heard: u64,
}

/// Names a call: the id of the first of its legs that was heard of.
pub type CallKey = String;

#[derive(Debug)]
struct Call {
    legs: Vec<String>,
    begun: u64,
    heard: u64,
}

/// What is known about the call of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOf {
    /// The call's key.
    pub key: CallKey,
    /// Keys that were given before and mean this call from now on: merge what was made of them.
    pub merged: Vec<CallKey>,
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
        self.forget_the_quietest();
        Some(CallOf { key, merged })
    }

    /// How many legs are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.call_of.len()
    }

    /// Whether no leg is known.
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
                new_legs.extend(call.legs);
            }
        }
        let unknown = legs.iter().filter(|leg| !self.call_of.contains_key(**leg));
        new_legs.extend(unknown.map(|leg| (*leg).to_owned()));
        let call = self.calls.entry(key.to_owned()).or_insert_with(|| Call {
            legs: Vec::new(),
            begun: self.heard,
            heard: 0,
        });
        self.quietest.remove(&call.heard);
        call.heard = self.heard;
        self.quietest.insert(self.heard, key.to_owned());
        for leg in new_legs {
            self.call_of.insert(leg.clone(), key.to_owned());
            call.legs.push(leg);
        }
    }

    /// Never forgets the call that was heard of last, so a key that was just given is always known.
    fn forget_the_quietest(&mut self) {
        while self.call_of.len() > self.max_legs && self.quietest.len() > 1 {
            let Some((_, key)) = self.quietest.pop_first() else {
                return;
            };
            for leg in self.calls.remove(&key).map(|call| call.legs).unwrap_or_default() {
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
        /// Whatever order events come in: two legs have one key exactly if a chain of ids leads from one to the other.
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
