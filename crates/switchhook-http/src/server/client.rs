//! Client of a request, and whether it came securely: from the connection, or from a trusted proxy's headers.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Client of a request. Requests have it in their extensions if the server has TLS or a proxy in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// True if the request came encrypted.
    pub is_secure: bool,
}

/// Origin of a connection's requests.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) peer: IpAddr,
    pub(super) is_secure: bool,
    pub(super) trusted: Arc<[IpNet]>,
}

impl Origin {
    /// Notes on a request who sends it, and for which host it is: HTTP/2 says that in the address.
    pub(super) fn note<B>(&self, request: &mut Request<B>) {
        let client = self.client(request.headers());
        request.extensions_mut().insert(client);
        let authority = request.uri().authority().map(Authority::as_str);
        if let Some(Ok(host)) = authority.map(HeaderValue::from_str) {
            request.headers_mut().entry(HOST).or_insert(host);
        }
    }

    fn client(&self, headers: &HeaderMap) -> Client {
        let direct = Client {
            address: self.peer.to_canonical(),
            is_secure: self.is_secure,
        };
        if !self.trusts(direct.address) {
            return direct;
        }
        let said_secure = words(headers, &FORWARDED_PROTO).last();
        Client {
            address: self.first_untrusted(headers).unwrap_or(direct.address),
            is_secure: said_secure.map_or(direct.is_secure, |scheme| scheme.eq_ignore_ascii_case("https")),
        }
    }

    /// Each proxy adds at the end whom it heard from: what stands before the first stranger is that stranger's own claim.
    fn first_untrusted(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let said: Vec<_> = words(headers, &FORWARDED_FOR).collect();
        let mut furthest = None;
        for word in said.iter().rev() {
            let Some(address) = address(word) else { break };
            furthest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        furthest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(&address))
    }
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address as proxies write it: some add the port.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    let with_port = || {
        word.parse()
            .ok()
            .map(|address: std::net::SocketAddr| address.ip())
    };
    let address = bare.parse().ok().or_else(with_port)?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, headers: &[(&'static str, &str)], address: &str, is_secure: bool) {
        let origin = Origin {
            peer: peer.parse().unwrap(),
            is_secure: false,
            trusted: ["10.0.0.0/8", "fd00::/8"]
                .map(|range| range.parse().unwrap())
                .into(),
        };
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        origin.note(&mut request);
        let expected = Client {
            address: address.parse().unwrap(),
            is_secure,
        };
        assert_eq!(request.extensions().get(), Some(&expected), "{headers:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = [
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
        ];
        check("10.1.2.3", &said, "198.51.100.7", true);
        check("::ffff:10.1.2.3", &said, "198.51.100.7", true);
        check("192.0.2.1", &said, "192.0.2.1", false);
    }

    #[test]
    fn what_a_client_claims_of_itself_does_not_count() {
        let claimed = [("x-forwarded-for", "203.0.113.9, 198.51.100.7, 10.0.0.4")];
        check("10.1.2.3", &claimed, "198.51.100.7", false);
        let in_lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        check("10.1.2.3", &in_lines, "198.51.100.7", false);
        check("10.1.2.3", &[("x-forwarded-for", "who knows")], "10.1.2.3", false);
        check(
            "10.1.2.3",
            &[("x-forwarded-proto", "https, http")],
            "10.1.2.3",
            false,
        );
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (word, read) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(address(word), Some(read.parse().unwrap()), "{word}");
        }
        assert_eq!(address("unknown"), None);
    }

    #[test]
    fn the_host_of_http2_is_in_the_address() {
        let origin = Origin {
            peer: [127, 0, 0, 1].into(),
            is_secure: true,
            trusted: Arc::new([]),
        };
        let mut request = Request::get("https://hooks.example.com:8443/x").body(()).unwrap();
        origin.note(&mut request);
        assert_eq!(request.headers()[HOST], "hooks.example.com:8443");
    }
}
