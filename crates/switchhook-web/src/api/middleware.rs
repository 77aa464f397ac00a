//! Middleware for every request and every answer, whatever the route.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;
use switchhook_http::address::has_nul;
use switchhook_ingress::error::ApiError;
use switchhook_ingress::forbid_caching;

/// Refuses a NUL in the address, and keeps answers to those who showed a key out of caches.
pub(super) async fn check(request: Request, next: Next) -> Response {
    let is_private = needs_a_key(request.uri().path());
    let mut response = match refuse_nul(request.uri()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if is_private {
        forbid_caching(response.headers_mut());
    }
    response
}

fn needs_a_key(path: &str) -> bool {
    path.starts_with("/api/v2/") || path.starts_with("/v1/")
}

fn refuse_nul(uri: &Uri) -> Result<(), ApiError> {
    let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
    // A key with a NUL is a wrong key, and whether it is looked at depends on the headers.
    let mut looked_at = pairs.filter(|pair| !pair.starts_with("apikey="));
    if has_nul(uri.path()) || looked_at.any(has_nul) {
        return Err(ApiError::invalid(
            "the address has the character NUL (%00) in it, which no name or filter can have: leave it out",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_told_from_what_looks_like_one() {
        for (uri, is_refused) in [
            ("/v1/events?order_key=a%00b", true),
            ("/v1/events?order%00key=a", true),
            ("/v1/webhooks/%00", true),
            ("/v1/events?apikey=%00", false),
            ("/v1/events?apikey=%00&cursor=%00", true),
            ("/v1/events?order_key=a%2500b", false),
            ("/v1/events?order_key=a%20b", false),
        ] {
            assert_eq!(refuse_nul(&uri.parse().unwrap()).is_err(), is_refused, "{uri}");
        }
    }
}
