//! Who asks: from the API key of a request to its caller, and what the caller may do.
//!
//! A key that was found is remembered for at most a second. So a revoked key stops working within a second, and a new
//! one works at its first request, because nothing is remembered of keys that were not found. The key itself is never
//! kept or logged, only its hash.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{FromRequestParts, Request};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Uri};
use parking_lot::RwLock;
use switchhook_domain::Timestamp;
use switchhook_domain::id::CompanyId;
use switchhook_domain::key::{ApiKey, Right};
pub(super) use switchhook_node::caller::Caller;
use tokio::time::Instant;

use super::error::ApiError;
use super::request::Query;
use super::{Api, SharedApi};
use switchhook_node::keys;

/// How long a key that was found is taken to be as it was.
const REMEMBERED: Duration = Duration::from_secs(1);

/// How many keys are remembered at the most.
const MOST_REMEMBERED: usize = 1_024;

/// Names the company, where a key could be used for several. Ours belong to one.
const COMPANY_HEADER: &str = "dp-company-id";

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident may $right:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(pub(crate) Caller);

        impl FromRequestParts<SharedApi> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
                let known = parts.extensions.get::<Caller>().copied();
                let caller = match known {
                    Some(caller) => caller,
                    None => authenticate(api, &parts.headers, &parts.uri).await?,
                };
                Ok(Self(caller.require(Right::$right)?))
            }
        }
    )+};
}

callers! {
    /// A caller who may look.
    Reader may Read,
    /// A caller who may change webhooks, subscriptions and deliveries.
    Writer may Write,
    /// A caller who may send events in.
    Ingester may Ingest,
}

/// Finds out who asks.
pub(crate) async fn authenticate(api: &Api, headers: &HeaderMap, uri: &Uri) -> Result<Caller, ApiError> {
    let key = presented_key(headers, uri)?;
    let caller = api.keys.find(api, keys::hash(&key)).await?;
    check_company(headers, caller)?;
    Ok(caller)
}

/// Whether a request shows a key; what asks from inside does not.
pub(super) fn shows_key(request: &Request) -> bool {
    presented_key(request.headers(), request.uri()).is_ok()
}

/// Asks again after something that took its time, such as a body that came slowly: the key may have been revoked meanwhile.
pub(super) async fn still_allowed(api: &Api, parts: &Parts, since: Instant) -> Result<(), ApiError> {
    let is_recent = since.elapsed() < REMEMBERED;
    // Who asks from inside has shown no key, and sends no body slowly.
    if is_recent || presented_key(&parts.headers, &parts.uri).is_err() {
        return Ok(());
    }
    authenticate(api, &parts.headers, &parts.uri).await.map(drop)
}

/// The key by which something was opened is not what it was: it was revoked, has expired, or may do something else.
pub(crate) fn key_has_ended() -> ApiError {
    ApiError::unauthorized(
        "invalid",
        "this API key was revoked or has expired in the meantime",
    )
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
    Query::of(uri).text("apikey").ok_or_else(|| {
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

type Hash = [u8; 32];

/// The keys that were found lately.
#[derive(Debug, Default)]
pub(crate) struct KeyCache {
    found: RwLock<HashMap<Hash, Found>>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    caller: Caller,
    expires_at: Option<Timestamp>,
    read_at: Timestamp,
}

impl Found {
    /// A clock that was put back makes everything old.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at <= now && now.since(self.read_at) < REMEMBERED
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl KeyCache {
    pub(super) async fn find(&self, api: &Api, hash: Hash) -> Result<Caller, ApiError> {
        let now = api.node.clock.now();
        let remembered = self.found.read().get(&hash).copied();
        if let Some(found) = remembered.filter(|found| found.is_fresh(now) && !found.is_expired(now)) {
            return Ok(found.caller);
        }
        let key = api.node.store.find_key(hash).await?;
        let key = key.filter(|key| verify_slices_are_equal(&key.hash, &hash).is_ok());
        let key = key.ok_or_else(|| {
            ApiError::unauthorized(
                "invalid",
                "this API key is not known: `switchhook keys list` shows the ones that are",
            )
        })?;
        check_validity(&key, now)?;
        let found = Found {
            caller: Caller::of(&key),
            expires_at: key.expires_at,
            read_at: now,
        };
        self.remember(hash, found, now);
        Ok(found.caller)
    }

    fn remember(&self, hash: Hash, found: Found, now: Timestamp) {
        let mut all = self.found.write();
        if all.len() >= MOST_REMEMBERED {
            all.retain(|_, found| found.is_fresh(now));
        }
        if all.len() >= MOST_REMEMBERED {
            all.clear();
        }
        all.insert(hash, found);
    }
}

fn check_validity(key: &ApiKey, now: Timestamp) -> Result<(), ApiError> {
    if key.is_valid_at(now) {
        return Ok(());
    }
    let (what, at) = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => ("was revoked", at),
        (None, Some(at)) => ("expired", at),
        (None, None) => return Ok(()),
    };
    Err(ApiError::unauthorized(
        "invalid",
        format!("this API key {what} at {at}: make a new one with `switchhook keys create`"),
    ))
}
