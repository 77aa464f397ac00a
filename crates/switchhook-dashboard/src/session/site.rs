//! Protection against requests that other sites make a browser send: the origin and the host must be ours.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::page::PageError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Browsers say where a form was sent from; it must be a page of ours.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), PageError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same_site = text(&FETCH_SITE).is_none_or(|site| site == "same-origin" || site == "none");
    let host = text(&HOST).unwrap_or_default();
    let is_same_host = text(&ORIGIN).is_none_or(|origin| {
        origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
    });
    if is_same_site && is_same_host {
        return Ok(());
    }
    let message = "This form was sent from another site, so nothing was done.";
    Err(PageError::new(StatusCode::FORBIDDEN, message))
}

/// Refuses other names than this machine's, for dashboards where nobody signs in.
pub(super) fn check_host(headers: &HeaderMap) -> Result<(), PageError> {
    let host = headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) {
            name
        } else {
            host
        }
    });
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return Ok(());
    }
    let message = "This dashboard is open to this machine only: use http://127.0.0.1 in the address.";
    Err(PageError::new(StatusCode::FORBIDDEN, message))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], is_allowed: bool) {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(pair).collect();
        assert_eq!(check_site(&headers).is_ok(), is_allowed, "{headers:?}");
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        check(
            &[
                ("host", "a:1"),
                ("origin", "http://a:1"),
                ("sec-fetch-site", "same-origin"),
            ],
            true,
        );
        check(&[("host", "a:1")], true);
        check(&[("host", "a:1"), ("origin", "http://b:1")], false);
        check(&[("host", "a:1"), ("origin", "null")], false);
        check(&[("host", "a:1"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "a:1"), ("sec-fetch-site", "same-site")], false);
    }

    #[test]
    fn an_open_dashboard_answers_to_this_machines_names_only() {
        let allowed = |host: &'static str| {
            let headers: HeaderMap = [(HOST, HeaderValue::from_static(host))].into_iter().collect();
            check_host(&headers).is_ok()
        };
        for host in ["127.0.0.1:8400", "localhost:8400", "[::1]:8400", "localhost"] {
            assert!(allowed(host), "{host}");
        }
        for host in ["evil.example:8400", "127.0.0.1.evil.example", "", "10.0.0.1"] {
            assert!(!allowed(host), "{host}");
        }
    }
}
