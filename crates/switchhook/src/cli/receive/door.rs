//! The HTTP side: any path takes POST requests, so many at once, and each is dealt with to its end even if the sender
//! hangs up.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use switchhook_receiver::{Labels, Refusal, whole_body};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::inbox::Inbox;
use crate::server::asked_to_stop;

/// How many requests are looked at at once; each may hold a body of 2 MiB and what is made of it.
const AT_ONCE: usize = 128;

/// For how long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// How long open requests have to end when it is asked to stop; whoever is not answered sends again.
const GRACE: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Door {
    inbox: Arc<Inbox>,
    places: Arc<Semaphore>,
}

/// Takes requests until it is asked to stop, and ends when the last one is answered.
pub(super) async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> anyhow::Result<()> {
    let door = Door {
        inbox,
        places: Arc::new(Semaphore::new(AT_ONCE)),
    };
    let router = Router::new().fallback(take).with_state(door);
    let stop = Arc::new(Notify::new());
    let stopping = Arc::clone(&stop);
    let served =
        axum::serve(listener, router).with_graceful_shutdown(async move { stopping.notified().await });
    tokio::select! {
        served = served => served.context("listening failed"),
        () = async {
            asked_to_stop().await;
            stop.notify_one();
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}

async fn take(State(door): State<Door>, request: Request) -> Response {
    if request.method() != Method::POST {
        let allow = [(header::ALLOW, "POST")];
        return (
            StatusCode::METHOD_NOT_ALLOWED,
            allow,
            "events are sent here with POST\n",
        )
            .into_response();
    }
    let Ok(place) = door.places.try_acquire_owned() else {
        let later = [(header::RETRY_AFTER, "1")];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            later,
            "too many requests at once\n",
        )
            .into_response();
    };
    let (parts, body) = request.into_parts();
    let labels = Labels::of(&parts.headers);
    let content = timeout(BODY_DEADLINE, whole_body(body)).await;
    let content = content.unwrap_or(Err(Refusal::BrokenOff));
    let dealing = tokio::spawn(async move {
        let outcome = door.inbox.take(labels, content).await;
        drop(place);
        outcome
    });
    match dealing.await {
        Ok(outcome) => outcome.into_response(),
        Err(_panicked) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
