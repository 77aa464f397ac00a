//! Limits of `/api/v2`: none, or exactly those that Dialpad documents.
//!
//! Rates are counted here, per company, each node its share; the number of subscriptions is checked by the store.
//! Sending events in and everything under `/v1` is never limited.

use std::num::NonZeroU32;
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
use switchhook_node::settings::ApiLimits;

use super::SharedApi;
use switchhook_ingress::auth::authenticate;
use switchhook_ingress::error::ApiError;

/// Number of companies from which on those within their rates are forgotten.
const MANY_COMPANIES: usize = 1_024;

/// Number of nodes that can share a rate: the smallest allowance, which is a second's worth of everything.
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

    /// Counts a request, unless it is one too many: then it says how long to wait. Where several nodes answer, a request
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
    if api.limiter.rates.is_some() {
        let caller = authenticate(&api.node, request.headers(), request.uri()).await?;
        let (method, path) = (request.method(), request.uri().path());
        let nodes = api.node.live_nodes();
        let counted = api.limiter.count(caller.company_id, method, path, nodes);
        counted.map_err(too_often)?;
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

/// Paths that do not read the store, or have limits of their own.
const NO_READING: [&str; 4] = ["/v1/stream", "/v1/doctor", "/v1/dead-letters/export", "/v1/feed"];

/// True for a consumer's feed, which waits like the feed.
fn is_of_consumer(path: &str) -> bool {
    path.starts_with("/v1/consumers/") && path.ends_with("/feed")
}

/// Stands before every route: requests of one company that read take turns, so that others get to read too.
pub(crate) async fn limit_reads(
    State(api): State<SharedApi>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (path, method) = (request.uri().path(), request.method());
    let needs_key = path.starts_with("/v1/") || path.starts_with("/api/v2/");
    let has_own_limit = NO_READING.contains(&path) || is_of_consumer(path);
    let reads = matches!(*method, Method::GET | Method::HEAD) && needs_key && !has_own_limit;
    if !reads {
        return Ok(next.run(request).await);
    }
    let caller = authenticate(&api.node, request.headers(), request.uri()).await?;
    let _place = api.node.shares.place_to_read(caller.company_id).await?;
    Ok(next.run(request).await)
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
