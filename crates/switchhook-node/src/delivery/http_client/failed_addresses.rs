//! Addresses that failed recently, which are tried last. They are forgotten after a while, and bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Time for which a failure is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// Bound on the failures remembered.
const MOST_REMEMBERED: usize = 1_024;

/// Bound on the addresses tried per name.
pub const ADDRESSES_TRIED: usize = 8;

/// Addresses that did not take a connection while another of the same name did, and families to which this machine has
/// no way.
#[derive(Debug, Default)]
pub(super) struct FailedAddresses(Mutex<HashMap<FailedAddress, Instant>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FailedAddress {
    Address(IpAddr),
    Family { is_v6: bool },
}

impl FailedAddresses {
    /// An address was tried in vain.
    pub(super) fn address(&self, address: IpAddr) {
        self.add(FailedAddress::Address(address));
    }

    /// This machine has no way to addresses of that family.
    pub(super) fn family_of(&self, address: IpAddr) {
        self.add(family_of(address));
    }

    /// An address took a connection.
    pub(super) fn clear(&self, address: IpAddr) {
        let mut failed_addresses = self.0.lock();
        if !failed_addresses.is_empty() {
            failed_addresses.remove(&FailedAddress::Address(address));
            failed_addresses.remove(&family_of(address));
        }
    }

    fn add(&self, doubted: FailedAddress) {
        let now = Instant::now();
        let mut failed_addresses = self.0.lock();
        if failed_addresses.len() >= MOST_REMEMBERED {
            failed_addresses.retain(|_, since| now.duration_since(*since) < REMEMBERED_FOR);
        }
        if failed_addresses.len() < MOST_REMEMBERED {
            failed_addresses.insert(doubted, now);
        }
    }

    /// The order in which addresses are tried (RFC 8305, section 4): families take turns, the one that comes first
    /// begins; what is doubted goes last.
    pub(super) fn order(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let failed_addresses = self.0.lock();
        let now = Instant::now();
        let is_doubted = |doubted: &FailedAddress| {
            failed_addresses
                .get(doubted)
                .is_some_and(|since| now.duration_since(*since) < REMEMBERED_FOR)
        };
        let (doubted, good): (Vec<_>, Vec<_>) = addresses.iter().partition(|address| {
            is_doubted(&FailedAddress::Address(**address)) || is_doubted(&family_of(**address))
        });
        let mut order = in_turns(&good);
        order.extend(in_turns(&doubted));
        order.truncate(ADDRESSES_TRIED);
        order
    }
}

const fn family_of(address: IpAddr) -> FailedAddress {
    FailedAddress::Family {
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
    fn check(failed_addresses: &FailedAddresses, addresses: &str, expected: &str) {
        assert_eq!(failed_addresses.order(&ips(addresses)), ips(expected));
    }

    #[tokio::test(start_paused = true)]
    async fn families_take_turns_and_the_first_one_begins() {
        let failed_addresses = FailedAddresses::default();
        check(
            &failed_addresses,
            "::1 ::2 ::3 ::4 10.0.0.1",
            "::1 10.0.0.1 ::2 ::3 ::4",
        );
        check(
            &failed_addresses,
            "10.0.0.1 10.0.0.2 ::1",
            "10.0.0.1 ::1 10.0.0.2",
        );
        check(&failed_addresses, "10.0.0.1", "10.0.0.1");
        check(&failed_addresses, "", "");
        check(
            &failed_addresses,
            "::1 ::2 ::3 ::4 ::5 ::6 ::7 ::8 ::9 10.0.0.1",
            "::1 10.0.0.1 ::2 ::3 ::4 ::5 ::6 ::7",
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_doubted_goes_last_until_that_is_forgotten_or_proved_wrong() {
        let failed_addresses = FailedAddresses::default();
        failed_addresses.address("::1".parse().unwrap());
        check(&failed_addresses, "::1 ::2 10.0.0.1", "::2 10.0.0.1 ::1");
        failed_addresses.family_of("::2".parse().unwrap());
        check(&failed_addresses, "::2 ::3 10.0.0.1", "10.0.0.1 ::2 ::3");
        failed_addresses.clear("::3".parse().unwrap());
        check(&failed_addresses, "::2 ::3 10.0.0.1", "::2 10.0.0.1 ::3");
        tokio::time::advance(REMEMBERED_FOR).await;
        check(&failed_addresses, "::1 ::2 10.0.0.1", "::1 10.0.0.1 ::2");
    }

    #[tokio::test(start_paused = true)]
    async fn doubts_are_bounded() {
        let failed_addresses = FailedAddresses::default();
        for number in 0..5_000 {
            failed_addresses.address(IpAddr::V4(std::net::Ipv4Addr::from(number)));
        }
        assert_eq!(failed_addresses.0.lock().len(), MOST_REMEMBERED);
        tokio::time::advance(REMEMBERED_FOR).await;
        failed_addresses.address("10.0.0.1".parse().unwrap());
        assert_eq!(failed_addresses.0.lock().len(), 1);
    }
}
