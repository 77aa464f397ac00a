//! Guard against requests to addresses that are not on the public internet (SSRF).
//!
//! Without it a customer could make the server post into the operator's own network. The address is checked when the
//! connection is made, for every connection, so that a name that resolves differently after the check gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

use switchhook_http::address::Address;

/// Decides where may be sent.
#[derive(Debug, Clone, Default)]
pub struct AddressGuard {
    /// Ranges that are allowed although they are not public.
    pub allow: Vec<IpNet>,
    /// Ranges that are refused, whether public or allowed.
    pub deny: Vec<IpNet>,
    /// True if `http://` URLs are allowed.
    pub allow_http: bool,
}

/// Reason for which a URL or an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAddress(String);

/// The addresses of a name, judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedAddresses {
    /// Those that a connection may be made to.
    pub allowed: Vec<IpAddr>,
    /// Those that it may not.
    pub left_out: Vec<RefusedAddress>,
}

impl CheckedAddresses {
    /// In words, which addresses are left out.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        /// Bound on the addresses named in an error.
        const NAMED: usize = 4;
        let named: Vec<_> = self
            .left_out
            .iter()
            .take(NAMED)
            .map(|refused| &*refused.0)
            .collect();
        let more = self.left_out.len().saturating_sub(NAMED);
        match (named.is_empty(), more) {
            (true, _) => None,
            (false, 0) => Some(format!("left out: {}", named.join("; "))),
            (false, more) => Some(format!("left out: {}; and {more} more", named.join("; "))),
        }
    }
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RefusedAddress {}

impl AddressGuard {
    /// Everything goes: for one person on one machine.
    #[must_use]
    pub fn allowing_loopback() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"].map(|range| range.parse().expect("a range"));
        Self {
            allow: loopback.into(),
            deny: Vec::new(),
            allow_http: true,
        }
    }

    /// Checks what can be told of a URL before its name is looked up.
    ///
    /// # Errors
    /// If it can never be sent to.
    pub fn check_url(&self, url: &str) -> Result<(), RefusedAddress> {
        let address = Address::parse(url).map_err(RefusedAddress)?;
        self.check_scheme(&address)?;
        match address.host {
            Host::Ipv4(address) => self.check(address.into()),
            Host::Ipv6(address) => self.check(address.into()),
            Host::Domain(name) if is_localhost(&name) => self.check(Ipv4Addr::LOCALHOST.into()),
            Host::Domain(_) => Ok(()),
        }
    }

    /// Checks that what is sent to `address` may go as it would: encrypted or not.
    ///
    /// # Errors
    /// If it is `http://` and the server does not allow that.
    pub fn check_scheme(&self, address: &Address) -> Result<(), RefusedAddress> {
        if address.is_tls || self.allow_http {
            return Ok(());
        }
        Err(RefusedAddress(
            "the URL must start with https:// (the server can allow http:// with --hook-allow-http)".into(),
        ))
    }

    /// Sorts out which of a name's addresses a connection may be made to.
    ///
    /// # Errors
    /// If none is: why the first one is not.
    pub fn judge(&self, addresses: &[IpAddr]) -> Result<CheckedAddresses, RefusedAddress> {
        let mut judged = CheckedAddresses::default();
        for address in addresses {
            match self.check(*address) {
                Ok(()) => judged.allowed.push(*address),
                Err(refused) => judged.left_out.push(refused),
            }
        }
        match judged.left_out.first() {
            Some(refused) if judged.allowed.is_empty() => Err(refused.clone()),
            _ => Ok(judged),
        }
    }

    /// Checks an address that a connection is about to be made to.
    ///
    /// # Errors
    /// If it is in a denied range, or neither public nor in an allowed one.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let real = reached_address(address);
        let inner = behind_isatap(real);
        let is_in = |ranges: &[IpNet], address: &IpAddr| ranges.iter().any(|range| range.contains(address));
        let hidden = inner.is_some_and(|inner| is_in(&self.deny, &inner));
        if hidden || is_in(&self.deny, &address) || is_in(&self.deny, &real) {
            return Err(RefusedAddress(format!(
                "{address} is in a range that this server denies with --hook-deny"
            )));
        }
        if is_in(&self.allow, &address) || is_in(&self.allow, &real) {
            return Ok(());
        }
        match special_purpose(real).or_else(|| inner.and_then(special_purpose)) {
            None => Ok(()),
            Some(purpose) => Err(RefusedAddress(format!(
                "{address} is {purpose}, which hooks may not reach (the server can allow it with --hook-allow {real})"
            ))),
        }
    }
}

/// True for names that always mean this machine, whatever a name server says.
#[must_use]
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The address that is reached in the end: IPv6 has several ways to write an IPv4 address.
fn reached_address(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let [.., g, h] = v6.segments();
    let last_four = || IpAddr::V4(Ipv4Addr::from((u32::from(g) << 16) | u32::from(h)));
    match v6.segments() {
        // mapped ::ffff:0:0/96 (RFC 4291), translated ::ffff:0:0:0/96 (RFC 2765), NAT64 64:ff9b::/96 (RFC 6052)
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            last_four()
        }
        // compatible ::/96 (RFC 4291), but for :: and ::1 themselves
        [0, 0, 0, 0, 0, 0, ..] if u128::from(v6) > 1 => last_four(),
        // 6to4 2002::/16 (RFC 3056)
        [0x2002, high, low, ..] => IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => address,
    }
}

/// The IPv4 address behind an ISATAP address: it stands in the interface identifier, whatever the prefix (RFC 5214, 6.1).
fn behind_isatap(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    match v6.segments() {
        [.., 0 | 0x200, 0x5efe, g, h] => Some(Ipv4Addr::from((u32::from(g) << 16) | u32::from(h)).into()),
        _ => None,
    }
}

/// Purpose of an address range that is not public.
fn special_purpose(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => SPECIAL_V4
            .iter()
            .find(|(range, _)| range.contains(&v4))
            .map(|(_, purpose)| *purpose),
        IpAddr::V6(v6) => SPECIAL_V6
            .iter()
            .find(|(range, _)| range.contains(&v6))
            .map(|(_, purpose)| *purpose)
            .or_else(|| (!GLOBAL_UNICAST.contains(&v6)).then_some("not a public address")),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

// IPv4: the IANA special-purpose address registry (<https://www.iana.org/assignments/iana-ipv4-special-registry>), and
// addresses in public ranges at which the machines of a cloud reach the cloud itself. The metadata services of the others
// are in ranges of the registries: 169.254.0.0/16 (AWS, Azure, Google, Oracle, DigitalOcean, Hetzner, Tencent …),
// 100.64.0.0/10 (Alibaba's 100.100.100.200), 192.0.0.0/24 (Oracle's 192.0.0.192), fc00::/7 (AWS's fd00:ec2::254,
// Google's fd20:ce::254).
const SPECIAL_V4: [(Ipv4Net, &str); 18] = [
    (v4(0, 0, 0, 0, 8), "\"this network\""),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "a carrier's shared address"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    // https://cloud.ibm.com/docs/vpc?topic=vpc-service-endpoints-for-vpc: name servers, mirrors, services
    (v4(161, 26, 0, 0, 16), "an address of IBM Cloud's platform"),
    (v4(166, 8, 0, 0, 14), "an address of IBM Cloud's platform"),
    // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16: the host of a machine
    (v4(168, 63, 129, 16, 32), "Azure's platform address"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "reserved for documentation"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "reserved for benchmarks"),
    (v4(198, 51, 100, 0, 24), "reserved for documentation"),
    (v4(203, 0, 113, 0, 24), "reserved for documentation"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "reserved or a broadcast address"),
];

// What is handed out for the public internet so far (<https://www.iana.org/assignments/ipv6-unicast-address-assignments>).
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

// IPv6: the IANA special-purpose address registry (<https://www.iana.org/assignments/iana-ipv6-special-registry>).
// 2001::/23 holds Teredo (2001::/32), benchmarks (2001:2::/48) and ORCHID (2001:10::/28, 2001:20::/28).
const SPECIAL_V6: [(Ipv6Net, &str); 13] = [
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        "the unspecified address",
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        "the loopback address",
    ),
    (v6(0x64, 0xff9b, 1, 48), "a local translation address"),
    (v6(0x100, 0, 0, 64), "a discard address"),
    (v6(0x2001, 0, 0, 23), "reserved for protocols"),
    (v6(0x2001, 0xdb8, 0, 32), "reserved for documentation"),
    (v6(0x3ffe, 0, 0, 16), "a retired test network"),
    (v6(0x3fff, 0, 0, 20), "reserved for documentation"),
    (v6(0x5f00, 0, 0, 16), "a segment routing address"),
    (v6(0xfc00, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 0, 8), "a multicast address"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, is_allowed: bool) {
        let answer = AddressGuard::default().check(address.parse().unwrap());
        assert_eq!(answer.is_ok(), is_allowed, "{address}: {answer:?}");
    }

    #[test]
    fn public_addresses_are_sent_to() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:0101:0101::",
            "2a00:1450::1",
            "161.25.255.255",
            "161.27.0.0",
            "166.7.255.255",
            "166.12.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "2606:4700::5efe:1.1.1.1",
            "2606:4700::1:5efe:a00:1",
        ] {
            check(address, true);
        }
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_however_they_are_written() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:192.168.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:0001::",
            "2002:c0a8:0101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            // Clouds' platform addresses and metadata services, in public ranges and in others.
            "161.26.0.10",
            "166.9.0.1",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "64:ff9b::168.63.129.16",
            "2002:a83f:8110::1",
            "100.100.100.200",
            "192.0.0.192",
            "169.254.170.2",
            "169.254.0.23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fe80::a9fe:a9fe",
            // Tunnels, and what nobody has been given.
            "2001:470:1::5efe:10.0.0.1",
            "fe80::5efe:1.1.1.1",
            "2001:470:1::200:5efe:169.254.169.254",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "100:0:0:1::1",
            "4000::1",
            "200::1",
        ] {
            check(address, false);
        }
    }

    #[test]
    fn of_several_addresses_the_public_ones_are_used_and_the_others_are_named() {
        let ips = |text: &str| -> Vec<IpAddr> { text.split(' ').map(|one| one.parse().unwrap()).collect() };
        let guard = AddressGuard::default();
        let judged = guard.judge(&ips("10.0.0.1 1.1.1.1 ::1 2606:4700::1111")).unwrap();
        assert_eq!(judged.allowed, ips("1.1.1.1 2606:4700::1111"));
        let note = judged.note().unwrap();
        assert!(
            note.starts_with("left out: 10.0.0.1 is a private address"),
            "{note}"
        );
        assert!(note.contains("; ::1 is the loopback address"), "{note}");
        assert_eq!(guard.judge(&ips("1.1.1.1")).unwrap().note(), None);
        let refused = guard.judge(&ips("10.0.0.1 ::1")).unwrap_err();
        assert!(refused.to_string().starts_with("10.0.0.1"), "{refused}");
        let many = guard.judge(&ips(
            "1.1.1.1 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6",
        ));
        assert!(many.unwrap().note().unwrap().ends_with("; and 2 more"));
    }

    #[test]
    fn an_allowed_range_opens_just_itself() {
        let guard = AddressGuard {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            ..AddressGuard::default()
        };
        assert!(guard.check("10.1.2.3".parse().unwrap()).is_ok());
        assert!(guard.check("::ffff:10.1.2.3".parse().unwrap()).is_ok());
        assert!(guard.check("10.2.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_denied_range_is_refused_even_if_it_is_public_or_allowed() {
        let guard = AddressGuard {
            allow: vec!["10.0.0.0/8".parse().unwrap()],
            deny: ["10.9.0.0/16", "1.1.1.0/24", "2606:4700::/32"]
                .map(|range| range.parse().unwrap())
                .into(),
            allow_http: false,
        };
        assert!(guard.check("10.8.0.1".parse().unwrap()).is_ok());
        for address in [
            "10.9.0.1",
            "::ffff:10.9.0.1",
            "1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:0101:0101::",
            "2606:4700::1111",
        ] {
            let refused = guard.check(address.parse().unwrap()).unwrap_err();
            assert!(
                refused.to_string().contains("--hook-deny"),
                "{address}: {refused}"
            );
        }
        assert!(guard.check_url("https://1.1.1.1/hook").is_err());
    }

    #[test]
    fn urls_that_can_never_be_reached_are_refused_when_they_are_saved() {
        let guard = AddressGuard::default();
        for url in [
            "http://example.com/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::ffff:7f00:1]/",
            "https://localhost/",
            "https://a.LOCALHOST./",
            "ftp://example.com/",
        ] {
            assert!(guard.check_url(url).is_err(), "{url}");
        }
        assert!(guard.check_url("https://example.com/hook?x=1").is_ok());
        assert!(
            AddressGuard::allowing_loopback()
                .check_url("http://localhost:3000/")
                .is_ok()
        );
    }
}
