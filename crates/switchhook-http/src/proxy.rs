//! Settings of outbound connections: certificates to trust beside the machine's, and a proxy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::{Host, Url};

use crate::address::{Address, basic_authorization};

/// Operator's settings of outbound connections.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Certificates of authorities that are trusted beside the machine's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Through what connections go, if not directly.
    pub proxy: Option<Proxy>,
    /// True if the proxy gets names, which it resolves itself, instead of checked addresses.
    pub proxy_by_name: bool,
    /// Hosts reached without the proxy, in the syntax of `NO_PROXY`.
    pub no_proxy: String,
    /// Maximum age of a connection, because a name may lead elsewhere by then.
    pub connection_age: Duration,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            extra_roots: Vec::new(),
            proxy: None,
            proxy_by_name: false,
            no_proxy: String::new(),
            connection_age: Duration::from_secs(60),
        }
    }
}

/// An HTTP proxy that is asked for tunnels (`CONNECT`), to plain and to secure receivers alike.
///
/// It gets addresses, not names, unless it is told otherwise: the address that was judged is the one that is connected to.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// URL of the proxy, without credentials.
    pub uri: Uri,
    /// Value of `Proxy-Authorization`.
    pub authorization: Option<HeaderValue>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.uri)
    }
}

impl FromStr for Proxy {
    type Err = String;

    // What is wrong may hold a password, so it is not repeated.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "this is not an HTTP proxy; write it as http://[USER:PASSWORD@]HOST:PORT".to_owned();
        let url = Url::parse(text).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?;
        if url.scheme() != "http" || !matches!(url.path(), "" | "/") {
            return Err(wrong());
        }
        let port = url.port_or_known_default().ok_or_else(wrong)?;
        if port == 0 {
            return Err(
                "nobody can listen at port 0; write the proxy as http://[USER:PASSWORD@]HOST:PORT".to_owned(),
            );
        }
        Ok(Self {
            uri: format!("http://{host}:{port}").parse().map_err(|_| wrong())?,
            authorization: basic_authorization(&url),
        })
    }
}

/// Hosts reached without a proxy.
#[derive(Debug)]
pub struct NoProxy(Matcher);

impl NoProxy {
    /// Takes names (and what ends in them), addresses and ranges, with commas between; `*` is every name.
    #[must_use]
    pub fn of(list: &str) -> Self {
        // Which proxy it would be does not matter.
        Self(
            Matcher::builder()
                .all("http://proxy")
                .no(no_proxy_list(list))
                .build(),
        )
    }

    /// True if an address is among them.
    #[must_use]
    pub fn has(&self, address: &Address) -> bool {
        self.0.intercept(&address.absolute()).is_none()
    }
}

/// One entry of `NO_PROXY` as it is compared: a name (`*.example.com` is `.example.com`), an address or a range.
///
/// # Errors
/// In words for a person, if it is nothing that could ever be met.
pub fn no_proxy_entry(text: &str) -> Result<String, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "`{text}` is not a name, address or range; write names as example.com or *.example.com, without a port, and \
             ranges as 10.0.0.0/8 or fd00::/8"
        )
    };
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if text.is_empty() || text == "*" || bare.parse::<IpNet>().is_ok() || bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    let suffix = text
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(text);
    let name = suffix.strip_prefix('.').unwrap_or(suffix).trim_end_matches('.');
    match Host::parse(name) {
        Ok(Host::Domain(name)) if !name.contains('*') => Ok(name),
        _ => Err(wrong()),
    }
}

/// A list as `NO_PROXY` holds it, with what could never be met left out.
#[must_use]
pub fn no_proxy_list(list: &str) -> String {
    let entries: Vec<_> = list
        .split(',')
        .filter_map(|entry| no_proxy_entry(entry).ok())
        .collect();
    entries.join(",")
}

/// The certificates of a PEM file.
///
/// # Errors
/// If there are none, or one cannot be read.
pub fn read_certificates(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .context("it is not PEM")?;
    ensure!(
        !certificates.is_empty(),
        "there is no certificate in it; it should have a block that begins with -----BEGIN CERTIFICATE-----"
    );
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_credentials_that_are_not_shown() {
        let proxy: Proxy = "http://ann:secret@proxy.internal:3128".parse().unwrap();
        assert_eq!(proxy.uri, "http://proxy.internal:3128");
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic YW5uOnNlY3JldA==");
        assert!(!format!("{proxy:?}").contains("secret"));
        let ipv6: Proxy = "http://[::1]".parse().unwrap();
        assert_eq!(ipv6.uri.port_u16(), Some(80));
        for wrong in [
            "proxy:3128",
            "https://proxy",
            "http://proxy/path",
            "http://proxy:0",
            "socks5://proxy",
            "secret",
        ] {
            let error = wrong.parse::<Proxy>().unwrap_err();
            assert!(
                error.contains("HOST:PORT") && !error.contains("secret"),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn what_is_excepted_is_named_as_in_no_proxy() {
        let except = NoProxy::of("internal.example, .corp, 10.0.0.0/8,192.0.2.1");
        for (url, expected) in [
            ("https://internal.example/", true),
            ("http://hooks.Internal.Example:8443/", true),
            ("https://notinternal.example/", false),
            ("https://a.corp/", true),
            ("https://10.1.2.3/", true),
            ("https://192.0.2.1/", true),
            ("https://192.0.2.2/", false),
            ("https://[2001:db8::1]/", false),
        ] {
            assert_eq!(except.has(&Address::parse(url).unwrap()), expected, "{url}");
        }
        let except = NoProxy::of("*.corp.test., [2001:db8::1],a b,B\u{fc}cher.example");
        for (url, expected) in [
            ("https://direct.corp.test/", true),
            ("https://notcorp.test/", false),
            ("https://[2001:db8::1]/", true),
            ("https://b\u{fc}cher.example/", true),
        ] {
            assert_eq!(except.has(&Address::parse(url).unwrap()), expected, "{url}");
        }
        assert!(NoProxy::of("*").has(&Address::parse("https://example.com").unwrap()));
        for wrong in [
            "a b",
            "::1/200",
            "10.0.0.0/33",
            "a.*.b",
            "*corp",
            "example.com:443",
            "https://a",
            ".",
            "*.",
        ] {
            assert!(no_proxy_entry(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
        assert!(!NoProxy::of("").has(&Address::parse("https://example.com").unwrap()));
    }

    #[test]
    fn what_holds_no_certificate_is_refused() {
        for wrong in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        ] {
            assert!(read_certificates(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
