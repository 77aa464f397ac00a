//! How often and how much `/api/v2` may be used: not limited, or exactly as Dialpad documents it.
//!
//! Rates are counted here, per company, each node its share; how many subscriptions there may be is counted by the store.
//! Sending events in and everything under `/v1` is never limited.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::Method;
use switchhook_domain::id::CompanyId;
use switchhook_store::StoreError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::SharedApi;
use switchhook_node::caller::Caller;
use switchhook_node::settings::ApiLimits;

use super::auth::{authenticate, shows_key};
use super::error::ApiError;
use switchhook_node::Node;

/// From how many companies on those that are within their rates are forgotten.
const MANY_COMPANIES: usize = 1_024;

/// How many nodes can share a rate: the smallest stock, which is a second's worth of everything.
const LARGEST_WEIGHT: u32 = 20;

/// Counts the requests of each company.
pub(crate) struct Limiter<C: Clock = DefaultClock> {
    rates: Option<Rates<C>>,
    clock: C,
}

struct Rates<C: Clock> {
    everything: Rate<C>,
    webhook_posts: Rate<C>,
    websocket_posts: Rate<C>,
    rest: Rate<C>,
}

type Rate<C> =
    RateLimiter<CompanyId, DefaultKeyedStateStore<CompanyId>, C, NoOpMiddleware<<C as Clock>::Instant>>;

impl<C: Clock + Clone> Limiter<C> {
    /// Enforces `limits`.
    pub(crate) fn new(limits: ApiLimits, clock: C) -> Self {
        let rate = |quota| RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        let rates = match limits {
            ApiLimits::Off => None,
            ApiLimits::Dialpad => Some(Rates {
                everything: rate(Quota::per_second(
                    const { NonZeroU32::new(20).expect("not zero") },
                )),
                webhook_posts: rate(Quota::per_minute(
                    const { NonZeroU32::new(100).expect("not zero") },
                )),
                websocket_posts: rate(Quota::per_minute(
                    const { NonZeroU32::new(250).expect("not zero") },
                )),
                rest: rate(Quota::per_minute(
                    const { NonZeroU32::new(1_200).expect("not zero") },
                )),
            }),
        };
        Self { rates, clock }
    }

    /// Counts a request, unless it is one too many: then says how long to wait. Where several nodes answer, a request
    /// counts once for each of them, so that all together allow what one alone would.
    fn count(&self, company_id: CompanyId, method: &Method, path: &str, nodes: u32) -> Result<(), Duration> {
        let Some(rates) = &self.rates else { return Ok(()) };
        let weight = NonZeroU32::new(nodes.clamp(1, LARGEST_WEIGHT)).unwrap_or(NonZeroU32::MIN);
        let own = match (method, path) {
            (&Method::POST, "/api/v2/webhooks") => &rates.webhook_posts,
            (&Method::POST, "/api/v2/websockets") => &rates.websocket_posts,
            _ => &rates.rest,
        };
        for rate in [own, &rates.everything] {
            let counted = rate.check_key_n(&company_id, weight);
            let counted = counted.expect("no weight is larger than the smallest stock");
            counted.map_err(|not_until| not_until.wait_time_from(self.clock.now()))?;
            if rate.len() > MANY_COMPANIES {
                rate.retain_recent();
            }
        }
        Ok(())
    }
}

/// Stands before every route of `/api/v2`.
pub(crate) async fn limit_rate(
    State(api): State<SharedApi>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let is_inside = request.extensions().get::<Caller>().is_some();
    if api.limiter.rates.is_some() && !is_inside {
        let caller = authenticate(&api, request.headers(), request.uri()).await?;
        let (method, path) = (request.method(), request.uri().path());
        let nodes = api.node.store.nodes();
        let counted = api.limiter.count(caller.company_id, method, path, nodes);
        counted.map_err(too_often)?;
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// 400: a company has as many of something as it may have.
pub(super) fn too_many(what: &str, there: usize, option: &str) -> ApiError {
    StoreError::LimitReached(format!(
        "this company has {there} {what}, which is as many as it may have ({option}): delete one first"
    ))
    .into()
}

/// How long a request waits for a place to read.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long to wait until others of the company have read.
const READ_AGAIN_SECONDS: u64 = 1;

/// What is no reading of the store, or has limits of its own.
const NO_READING: [&str; 2] = ["/v1/stream", "/v1/doctor"];

/// Stands before every route: requests of one company that read take turns, so that others get to read too.
pub(crate) async fn limit_reads(
    State(api): State<SharedApi>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (path, method) = (request.uri().path(), request.method());
    let needs_key = path.starts_with("/v1/") || path.starts_with("/api/v2/");
    let reads = matches!(*method, Method::GET | Method::HEAD) && needs_key && !NO_READING.contains(&path);
    // Who asks from inside shows no key: the page that asks has a place already.
    let is_inside = request.extensions().get::<Caller>().is_some() && !shows_key(&request);
    if !reads || is_inside {
        return Ok(next.run(request).await);
    }
    let caller = authenticate(&api, request.headers(), request.uri()).await?;
    let _place = reading(&api.node, caller.company_id).await?;
    Ok(next.run(request).await)
}

/// Waits for a company's place to read.
pub(crate) async fn reading(node: &Node, company_id: CompanyId) -> Result<OwnedSemaphorePermit, ApiError> {
    let share = node.shares.of(company_id);
    let reads = Arc::clone(&share.reads);
    if let Ok(place) = Arc::clone(&reads).try_acquire_owned() {
        return Ok(place);
    }
    let waited = match share.readers_waiting.try_acquire() {
        Ok(_waiting) => timeout(LONGEST_WAIT, reads.acquire_owned()).await.ok(),
        Err(_) => None,
    };
    waited.and_then(Result::ok).ok_or_else(|| {
        ApiError::too_often(
            format!(
                "{} requests of this company are reading, which is as many as may at once (--limit-reads), and others wait: \
                 wait {READ_AGAIN_SECONDS} s and try again",
                node.shares.limits().reads
            ),
            READ_AGAIN_SECONDS,
        )
    })
}

fn too_often(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let seconds = seconds.max(1);
    ApiError::too_often(
        format!("too many requests of this company: wait {seconds} s and try again"),
        seconds,
    )
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const COMPANY: CompanyId = CompanyId(1);
    #[track_caller]
    fn check(method: &Method, path: &str, pause: Duration, nodes: u32, allowed: u32) {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::new(ApiLimits::Dialpad, clock.clone());
        let mut done = 0;
        while limiter.count(COMPANY, method, path, nodes).is_ok() {
            done += 1;
            clock.advance(pause);
            assert!(done < 10_000, "no limit is met");
        }
        assert_eq!(done, allowed);
        assert_eq!(
            limiter.count(CompanyId(2), method, path, nodes),
            Ok(()),
            "others have their own count"
        );
    }

    #[test]
    fn dialpads_rates_are_enforced_for_each_company() {
        let webhooks = "/api/v2/webhooks";
        check(&Method::GET, webhooks, Duration::ZERO, 1, 20);
        // At 50 ms the 20 a second are never met: 100 in stock, and one more comes every 600 ms.
        check(&Method::POST, webhooks, Duration::from_millis(50), 1, 109);
        // 250 in stock, and one more comes every 240 ms.
        check(
            &Method::POST,
            "/api/v2/websockets",
            Duration::from_millis(50),
            1,
            315,
        );
    }

    #[test]
    fn several_nodes_share_the_rates() {
        check(&Method::GET, "/api/v2/webhooks", Duration::ZERO, 2, 10);
        check(&Method::GET, "/api/v2/webhooks", Duration::ZERO, 3, 6);
        check(&Method::GET, "/api/v2/webhooks", Duration::ZERO, 64, 1);
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds() {
        let error = too_often(Duration::from_millis(1_001));
        assert!(error.body().message.contains("wait 2 s"));
    }

    #[test]
    fn limits_read_back_what_they_print() {
        for limits in ApiLimits::ALL {
            assert_eq!(limits.to_string().parse(), Ok(limits));
        }
        assert!("none".parse::<ApiLimits>().is_err());
    }
}
