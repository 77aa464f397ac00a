//! What could not be reached lately is tried last. It is forgotten after a while, and bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long something is doubted.
const DOUBTED_FOR: Duration = Duration::from_secs(300);

/// How many doubts there are at the most.
const MOST_DOUBTS: usize = 1_024;

/// How many of a name's addresses are tried.
const ADDRESSES_TRIED: usize = 8;

/// Addresses that did not take a connection while another of the same name did, and families to which this machine has
/// no way.
#[derive(Debug, Default)]
pub(super) struct Doubts(Mutex<HashMap<Doubted, Instant>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Doubted {
    Address(IpAddr),
    Family { is_v6: bool },
}

impl Doubts {
    /// An address was tried in vain.
    pub(super) fn address(&self, address: IpAddr) {
        self.add(Doubted::Address(address));
    }

    /// This machine has no way to addresses of that family.
    pub(super) fn family_of(&self, address: IpAddr) {
        self.add(family_of(address));
    }

    /// An address took a connection.
    pub(super) fn clear(&self, address: IpAddr) {
        let mut doubts = self.0.lock();
        if !doubts.is_empty() {
            doubts.remove(&Doubted::Address(address));
            doubts.remove(&family_of(address));
        }
    }

    fn add(&self, doubted: Doubted) {
        let now = Instant::now();
        let mut doubts = self.0.lock();
        if doubts.len() >= MOST_DOUBTS {
            doubts.retain(|_, since| now.duration_since(*since) < DOUBTED_FOR);
        }
        if doubts.len() < MOST_DOUBTS {
            doubts.insert(doubted, now);
        }
    }

    /// The order in which addresses are tried (RFC 8305, section 4): families take turns, the one that comes first
    /// begins; what is doubted goes last.
    pub(super) fn order(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let doubts = self.0.lock();
        let now = Instant::now();
        let is_doubted = |doubted: &Doubted| {
            doubts
                .get(doubted)
                .is_some_and(|since| now.duration_since(*since) < DOUBTED_FOR)
        };
        let (doubted, good): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| {
            is_doubted(&Doubted::Address(**address)) || is_doubted(&family_of(**address))
        });
        let mut order = in_turns(&good);
        order.extend(in_turns(&doubted));
        order.truncate(ADDRESSES_TRIED);
        order
    }
}

const fn family_of(address: IpAddr) -> Doubted {
    Doubted::Family {
        is_v6: address.is_ipv6(),
    }
}

fn in_turns(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let (mine, others): (Vec<IpAddr>, Vec<_>) = addresses
        .iter()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    let (mut mine, mut others) = (mine.into_iter(), others.into_iter());
    let mut order = Vec::with_capacity(addresses.len());
    while order.len() < addresses.len() {
        order.extend(mine.next());
        order.extend(others.next());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &str) -> Vec<IpAddr> {
        text.split_whitespace().map(|one| one.parse().unwrap()).collect()
    }

    #[track_caller]
    fn check(doubts: &Doubts, addresses: &str, expected: &str) {
        assert_eq!(doubts.order(&ips(addresses)), ips(expected));
    }

    #[tokio::test(start_paused = true)]
    async fn families_take_turns_and_the_first_one_begins() {
        let doubts = Doubts::default();
        check(&doubts, "::1 ::2 ::3 ::4 10.0.0.1", "::1 10.0.0.1 ::2 ::3 ::4");
        check(&doubts, "10.0.0.1 10.0.0.2 ::1", "10.0.0.1 ::1 10.0.0.2");
        check(&doubts, "10.0.0.1", "10.0.0.1");
        check(&doubts, "", "");
        check(
            &doubts,
            "::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 10.0.0.1",
            "::1 10.0.0.1 ::2 ::3 ::4 ::5 ::6 ::7",
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_doubted_goes_last_until_that_is_forgotten_or_proved_wrong() {
        let doubts = Doubts::default();
        doubts.address("::1".parse().unwrap());
        check(&doubts, "::1 ::2 10.0.0.1", "::2 10.0.0.1 ::1");
        doubts.family_of("::2".parse().unwrap());
        check(&doubts, "::2 ::3 10.0.0.1", "10.0.0.1 ::2 ::3");
        doubts.clear("::3".parse().unwrap());
        check(&doubts, "::2 ::3 10.0.0.1", "::2 10.0.0.1 ::3");
        tokio::time::advance(DOUBTED_FOR).await;
        check(&doubts, "::1 ::2 10.0.0.1", "::1 10.0.0.1 ::2");
    }

    #[tokio::test(start_paused = true)]
    async fn doubts_are_bounded() {
        let doubts = Doubts::default();
        for number in 0..5_000 {
            doubts.address(IpAddr::V4(std::net::Ipv4Addr::from(number)));
        }
        assert_eq!(doubts.0.lock().len(), MOST_DOUBTS);
        tokio::time::advance(DOUBTED_FOR).await;
        doubts.address("10.0.0.1".parse().unwrap());
        assert_eq!(doubts.0.lock().len(), 1);
    }
}
