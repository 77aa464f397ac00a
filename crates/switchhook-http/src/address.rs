//! Address of a URL: everything that a connection and a request need to know of it, parsed once.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::uri::Scheme;
use percent_encoding::percent_decode_str;
use switchhook_domain::credential::shown_url;
use url::{Host, Url};

/// The server behind a URL, and the path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `https` rather than `http`.
    pub is_tls: bool,
    /// The host as the URL names it.
    pub host: Host<String>,
    pub port: u16,
    /// Scheme, host and port: what connections are shared by.
    pub origin: Arc<str>,
    /// Path and query, as they are.
    pub path: http::Uri,
    /// Value of the `Host` header.
    pub host_header: HeaderValue,
    /// User name and password of the URL as `Authorization`.
    pub authorization: Option<HeaderValue>,
}

impl Address {
    /// Absolute form of the URL.
    #[must_use]
    pub fn absolute(&self) -> http::Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = self.host_header.as_bytes().try_into().ok();
        parts.path_and_query = self.path.path_and_query().cloned();
        http::Uri::from_parts(parts).unwrap_or_else(|_| self.path.clone())
    }

    /// Takes a URL apart.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL with a host, in words for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text);
        // What is wrong is told to others too.
        let text = shown_url(text);
        let url = url.map_err(|error| format!("{text} is no URL: {error}"))?;
        let is_tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{text}: the scheme must be https or http, not {other}")),
        };
        let host = url
            .host()
            .ok_or_else(|| format!("{text} names no host"))?
            .to_owned();
        if let Host::Domain(name) = &host
            && name.trim_end_matches('.').split('.').any(str::is_empty)
        {
            return Err(format!("{text}: the name {name} has a part without letters"));
        }
        let port = url
            .port_or_known_default()
            .expect("http and https have a default port");
        if port == 0 {
            return Err(format!(
                "{text}: nothing can be reached at port 0; name the receiver's port"
            ));
        }
        let origin = format!("{}://{host}:{port}", url.scheme());
        let authority = url
            .port()
            .map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let path_and_query = url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        );
        let unusable = |what: &str| format!("{text}: the {what} cannot be put into a request");
        Ok(Self {
            is_tls,
            host,
            port,
            origin: origin.into(),
            path: path_and_query.parse().map_err(|_| unusable("path"))?,
            host_header: HeaderValue::from_str(&authority).map_err(|_| unusable("host"))?,
            authorization: basic_authorization(&url),
        })
    }
}

/// User name and password of a URL as `Basic` credentials (RFC 7617). In the URL they are escaped; what they say is not.
#[must_use]
pub fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    let password = url.password();
    if url.username().is_empty() && password.is_none() {
        return None;
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(password.unwrap_or_default()));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)));
    let mut value = value.expect("Base64 may stand in a header");
    value.set_sensitive(true);
    Some(value)
}

/// True if an address, or a form that is written like one, has a NUL in it: there it can only stand escaped. No name,
/// filter or cursor has one, and PostgreSQL can neither keep nor look for it.
#[must_use]
pub fn has_nul(text: &str) -> bool {
    text.contains("%00") || text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_string_stays_intact() {
        let address = Address::parse("https://example.com/hook?token=a%20b&x=1#fragment").unwrap();
        assert_eq!(address.path.to_string(), "/hook?token=a%20b&x=1");
        assert_eq!(address.absolute(), "https://example.com/hook?token=a%20b&x=1");
        assert_eq!(address.host_header, "example.com");
        assert_eq!(&*address.origin, "https://example.com:443");
    }

    #[test]
    fn a_user_name_becomes_an_authorization() {
        let address = Address::parse("http://ann:secret@127.0.0.1:8080/").unwrap();
        assert_eq!(address.host_header, "127.0.0.1:8080");
        assert_eq!(address.authorization.unwrap(), "Basic YW5uOnNlY3JldA==");
    }

    #[test]
    fn what_is_no_web_address_is_refused_in_words() {
        for (text, part) in [
            ("ftp://example.com", "scheme"),
            ("nonsense", "no URL"),
            ("https://", "no URL"),
            ("http://a..b/", "a..b has a part"),
            ("http://.example.com/", "has a part"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn credentials_are_sent_as_they_are_meant_and_not_as_a_url_spells_them() {
        for (url, expected) in [
            ("https://ann:secret@example.com", Some("ann:secret")),
            (
                "https://ann%40example.com:p%3A%2F%23%25@example.com",
                Some("ann@example.com:p:/#%"),
            ),
            ("https://ann:a b%FF@example.com", Some("ann:a b\u{fffd}")),
            ("https://:token@example.com", Some(":token")),
            ("https://token@example.com", Some("token:")),
            ("https://example.com", None),
            ("https://@example.com", None),
        ] {
            let sent = basic_authorization(&url.parse().unwrap()).map(|value| {
                let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
                String::from_utf8_lossy(&STANDARD.decode(encoded).unwrap()).into_owned()
            });
            assert_eq!(sent.as_deref(), expected, "{url}");
        }
    }
}
