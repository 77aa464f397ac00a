//! Authentication: from the API key of a request to its caller.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Uri};
use switchhook_domain::id::CompanyId;
use switchhook_node::Node;
use switchhook_node::caller::Caller;
use switchhook_node::callers::REMEMBERED;
use switchhook_node::keys;
use switchhook_node::refusal::Refusal;
use tokio::time::Instant;

use crate::error::ApiError;
use crate::query::parameter;

/// Names the company, where a key could be used for several. Ours belong to one.
const COMPANY_HEADER: &str = "dp-company-id";

/// The caller of a request.
///
/// # Errors
/// If no key is presented, it is not valid, or another company is named.
pub async fn authenticate(node: &Node, headers: &HeaderMap, uri: &Uri) -> Result<Caller, ApiError> {
    let key = presented_key(headers, uri)?;
    let caller = node.callers.find(keys::hash(&key)).await?;
    check_company(headers, caller)?;
    Ok(caller)
}

/// Checks the key again after a slow step, such as a body that came slowly: it may have been revoked meanwhile.
pub async fn still_allowed(node: &Node, parts: &Parts, since: Instant) -> Result<(), ApiError> {
    if since.elapsed() < REMEMBERED {
        return Ok(());
    }
    authenticate(node, &parts.headers, &parts.uri).await.map(drop)
}

/// Error for something open whose key was revoked, has expired, or has other rights now.
pub fn key_has_ended() -> ApiError {
    Refusal::KeyEnded.into()
}

fn presented_key<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Result<Cow<'a, str>, ApiError> {
    if let Some(header) = headers.get(AUTHORIZATION) {
        let text = header.to_str().unwrap_or_default();
        return match text.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => {
                Ok(Cow::Borrowed(key.trim()))
            }
            _ => Err(ApiError::unauthorized(
                "invalid",
                "write the header as `Authorization: Bearer KEY`",
            )),
        };
    }
    parameter(uri.query().unwrap_or_default(), "apikey").ok_or_else(|| {
        ApiError::unauthorized(
            "required",
            "an API key is required: send it as `Authorization: Bearer KEY` or as `?apikey=KEY`",
        )
    })
}

fn check_company(headers: &HeaderMap, caller: Caller) -> Result<(), ApiError> {
    let Some(header) = headers.get(COMPANY_HEADER).filter(|header| !header.is_empty()) else {
        return Ok(());
    };
    let named = header
        .to_str()
        .ok()
        .and_then(|text| text.parse::<CompanyId>().ok());
    if named == Some(caller.company_id) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "DP-Company-ID names another company than the key's, which is {}",
        caller.company_id
    )))
}
