//! The stream that keeps pages alive: it says that something happened, at most once a second, and the page then asks for its
//! live parts again. `GET /v1/stream` says what it was; a page left open costs the same however much it is.

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

use super::SharedState;
use super::page::PageError;
use super::session::Viewer;
use switchhook_node::live::Live;
use switchhook_node::share::{NoSlot, Slot};
use switchhook_web::api::stream::ALIVE_EVERY;

/// Bound on the open pages, over all companies.
pub const MOST_PAGES: usize = 512;

/// Shortest interval between two updates of a page.
const EVERY: Duration = Duration::from_secs(1);

/// Slots for open pages, over all companies.
pub(super) struct LiveUpdates(Arc<Semaphore>);

impl Default for LiveUpdates {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_PAGES)))
    }
}

/// Streams to a page a line for each change of its company.
pub(super) async fn stream(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let company_id = viewer.caller.company_id;
    let share = dashboard.node.shares.of(company_id);
    let place = Slot::take(&share.pages, &dashboard.live_updates.0).map_err(|none| {
        let message = match none {
            NoSlot::OfCompany => format!(
                "{} pages of this company are open, which is as many as may be (--limit-streams): close one.",
                dashboard.node.shares.limits().streams
            ),
            NoSlot::OfNode => {
                format!("{MOST_PAGES} pages are open, which is as many as there may be: close one.")
            }
        };
        PageError::new(StatusCode::TOO_MANY_REQUESTS, message)
    })?;
    let live = dashboard.node.live.clone();
    let lease = dashboard.node.leases.hold_in(viewer.caller, viewer.session);
    let updates = changes_of(live, company_id, lease.token(), (lease, place));
    let mut response = Sse::new(updates)
        .keep_alive(KeepAlive::new().interval(ALIVE_EVERY))
        .into_response();
    // Asks proxies to pass it on at once.
    let name = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static("no"));
    Ok(response)
}

/// Sends one for each change until the server stops or `ended`. What is held goes back then.
fn changes_of(
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
    use switchhook_node::live::EventInfo;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn happen(live: &Live, company_id: CompanyId) {
        let event = EventInfo {
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
        let mut updates = Box::pin(changes_of(live.clone(), CompanyId(1), ended.clone(), place));
        for _ in 0..10_000 {
            happen(&live, CompanyId(1));
        }
        assert!(updates.next().await.is_some());
        happen(&live, CompanyId(2));
        let silence = tokio::time::timeout(EVERY * 60, updates.next()).await;
        assert!(silence.is_err(), "what another company does is not told");
        happen(&live, CompanyId(1));
        assert!(updates.next().await.is_some());
        ended.cancel();
        assert!(updates.next().await.is_none(), "its key was revoked");
        drop(updates);
        assert_eq!(places.available_permits(), 1);
        let mut updates = Box::pin(changes_of(
            live.clone(),
            CompanyId(1),
            CancellationToken::new(),
            (),
        ));
        live.end();
        assert!(updates.next().await.is_none(), "the server stops");
    }
}
