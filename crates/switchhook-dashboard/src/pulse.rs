//! The stream that keeps pages alive: it says that something happened, at most once a second, and the page then asks for its
//! live parts again. What it was is told by `GET /v1/stream`; a page left open costs the same however much it is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use http::{HeaderName, HeaderValue, StatusCode};
use switchhook_domain::id::CompanyId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::SharedDesk;
use super::page::Trouble;
use super::session::Visitor;
use switchhook_node::live::Live;
use switchhook_node::share::{NoPlace, Place};

/// How many pages may be open and seen at once, of all companies.
const MOST_PAGES: usize = 512;

/// How often a page is told at the most.
const EVERY: Duration = Duration::from_secs(1);

/// How often a line is sent when nothing happens, so that nobody in between hangs up.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// The places of the pages that are open.
pub(super) struct Pulses(Arc<Semaphore>);

impl Default for Pulses {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_PAGES)))
    }
}

/// Tells a page when something happened.
pub(super) async fn stream(State(desk): State<SharedDesk>, visitor: Visitor) -> Result<Response, Trouble> {
    let company_id = visitor.caller.company_id;
    let share = desk.node.shares.of(company_id);
    let place = Place::take(&share.pages, &desk.pulses.0).map_err(|none| {
        let message = match none {
            NoPlace::OfCompany => format!(
                "{} pages of this company are open, which is as many as may be (--limit-streams): close one.",
                desk.node.shares.limits().streams
            ),
            NoPlace::OfNode => {
                format!("{MOST_PAGES} pages are open, which is as many as there may be: close one.")
            }
        };
        Trouble::new(StatusCode::TOO_MANY_REQUESTS, message)
    })?;
    let live = desk.node.live.clone();
    let lease = desk.node.leases.hold_in(visitor.caller, visitor.session);
    let pulses = beat(live, company_id, lease.token(), (lease, place));
    let mut response = Sse::new(pulses)
        .keep_alive(KeepAlive::new().interval(ALIVE_EVERY))
        .into_response();
    // Asks proxies to pass it on at once.
    let name = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static("no"));
    Ok(response)
}

/// Beats until the server stops or `ended`. What is held goes back then.
fn beat(
    live: Live,
    company_id: CompanyId,
    ended: CancellationToken,
    held: impl Send,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let seen = live.counted(company_id);
    let all = (live, seen, ended, held);
    futures_util::stream::unfold(all, move |(live, seen, ended, held)| async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = live.ended() => return None,
                () = ended.cancelled() => return None,
            }
            let counted = live.counted(company_id);
            if counted != seen {
                // Browsers pass over what has no data.
                let event = Event::default().event("changed").data(counted.to_string());
                return Some((Ok(event), (live, counted, ended, held)));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::EventId;

    use super::*;
    use switchhook_node::live::EventOf;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn happen(live: &Live, company_id: CompanyId) {
        let event = EventOf {
            id: EventId(7),
            kind: switchhook_domain::Kind::Call,
            is_duplicate: false,
        };
        live.accepted(company_id, event, std::iter::empty(), NOW, || None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_told_once_of_however_much_happened_and_of_nobody_elses() {
        let live = Live::new();
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).try_acquire_owned().unwrap();
        let ended = CancellationToken::new();
        let mut beats = Box::pin(beat(live.clone(), CompanyId(1), ended.clone(), place));
        for _ in 0..10_000 {
            happen(&live, CompanyId(1));
        }
        assert!(beats.next().await.is_some());
        happen(&live, CompanyId(2));
        let silence = tokio::time::timeout(EVERY * 60, beats.next()).await;
        assert!(silence.is_err(), "what another company does is not told");
        happen(&live, CompanyId(1));
        assert!(beats.next().await.is_some());
        ended.cancel();
        assert!(beats.next().await.is_none(), "its key was revoked");
        drop(beats);
        assert_eq!(places.available_permits(), 1);
        let mut beats = Box::pin(beat(live.clone(), CompanyId(1), CancellationToken::new(), ()));
        live.end();
        assert!(beats.next().await.is_none(), "the server stops");
    }
}
