//! Agenda of future events, sorted by time: virtual time jumps from one entry to the next.

use std::collections::BTreeMap;

use switchhook_protocol::Timestamp;

/// A queue ordered by time; what was entered first comes first at the same time.
#[derive(Clone, Debug)]
pub(crate) struct Agenda<T> {
    entries: BTreeMap<Place, T>,
    entered: u64,
}

/// A place in an agenda.
pub(crate) type Place = (Timestamp, u64);

impl<T> Agenda<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            entered: 0,
        }
    }

    /// Enters something; the answer is by what it can be taken out again.
    pub(crate) fn enter(&mut self, at: Timestamp, entry: T) -> Place {
        let place = (at, self.entered);
        self.entries.insert(place, entry);
        self.entered += 1;
        place
    }

    /// Takes out what was entered there, if its time has not come.
    pub(crate) fn take(&mut self, place: Place) -> Option<T> {
        self.entries.remove(&place)
    }

    /// Time of the next entry.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn next(&mut self) -> Option<(Timestamp, T)> {
        self.entries.pop_first().map(|((at, _), entry)| (at, entry))
    }
}
