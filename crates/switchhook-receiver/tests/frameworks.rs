//! The handlers, the layer and the extractor, as a server would call them.

#![cfg(all(feature = "axum", feature = "tower"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use switchhook_protocol::{headers, sign};
use switchhook_receiver::axum::Event;
use switchhook_receiver::{
    Bounds, Handlers, Labels, MAX_BODY_BYTES, Received, Receiver, Repeats, VerifyLayer,
};
use tower::ServiceExt;

const SECRET: &str = "both sides know it";
const CALL: &[u8] = br#"{"call_id":4513924407164928,"state":"hangup","event_timestamp":1795253400250}"#;
const AGENT: &[u8] = br#"{"on_duty_status":"busy"}"#;

fn receiver() -> Receiver {
    Receiver::builder()
        .secret(SECRET)
        .build()
        .expect("the secret is not empty")
}

fn request(content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/hook").header("content-type", content_type);
    request.body(body.into()).expect("the request is right")
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("it is short");
    (status, String::from_utf8(body.into()).expect("answers are text"))
}

#[tokio::test]
async fn the_layer_hands_on_what_was_signed() {
    let inner = post(async |request: axum::extract::Request| {
        let event = request
            .extensions()
            .get::<Received>()
            .expect("the layer put it there");
        assert_eq!(event.body, CALL);
        assert_eq!(request.headers()["content-type"], "application/json");
        axum::Json::<serde_json::Value>::from_bytes(CALL)
            .expect("it is JSON")
            .0
            .to_string()
    });
    let router = Router::new()
        .route("/hook", inner)
        .layer(VerifyLayer::new(receiver()));
    for content_type in [
        "application/jwt",
        "text/plain",
        "application/json",
        "application/octet-stream",
    ] {
        let (status, body) = answer(&router, request(content_type, sign(SECRET, CALL))).await;
        assert_eq!(status, 200);
        assert!(body.contains("4513924407164928"), "{body}");
    }
    let (status, body) = answer(&router, request("application/jwt", sign("another", CALL))).await;
    assert_eq!(status, 401);
    assert!(body.contains("signature does not match"), "{body}");
    let huge = vec![b'a'; MAX_BODY_BYTES + 1];
    assert_eq!(answer(&router, request("application/jwt", huge)).await.0, 413);
}

#[tokio::test]
async fn the_extractor_takes_events_and_refuses_the_rest() {
    let inner = post(async |Event(event): Event| {
        event
            .call()
            .expect("it is a call")
            .state
            .expect("it has one")
            .to_string()
    });
    let router = Router::new().route("/hook", inner).with_state(receiver());
    assert_eq!(
        answer(&router, request("application/jwt", sign(SECRET, CALL))).await,
        (StatusCode::OK, "hangup".to_owned())
    );
    assert_eq!(answer(&router, request("application/json", CALL)).await.0, 401);
    assert_eq!(
        answer(&router, request("application/jwt", "eyJhbGciOiJub25lIn0.e30."))
            .await
            .0,
        401
    );
}

#[tokio::test]
async fn handlers_are_called_once_and_again_if_they_failed() {
    let tries = Arc::new(AtomicUsize::new(0));
    let troubles = Arc::new(AtomicUsize::new(0));
    let (counted, reported) = (Arc::clone(&tries), Arc::clone(&troubles));
    let handlers = Handlers::new(receiver(), Repeats::in_memory(Bounds::default()))
        .receive_call_event(move |event| {
            let tries = Arc::clone(&counted);
            async move {
                assert_eq!(
                    event.call()?.call_id.expect("it has one").as_i64(),
                    Some(4_513_924_407_164_928)
                );
                match tries.fetch_add(1, Ordering::SeqCst) {
                    0 => Err("the database is away".into()),
                    1 => panic!("a bug"),
                    _ => Ok(()),
                }
            }
        })
        .report(move |_| {
            reported.fetch_add(1, Ordering::SeqCst);
        });
    let router = Router::new().route("/hook", handlers.into_route());
    let send = async || answer(&router, request("application/jwt", sign(SECRET, CALL))).await;
    assert_eq!(
        send().await,
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the event could not be handled".to_owned()
        )
    );
    assert_eq!(send().await.0, 500);
    assert_eq!(send().await.0, 200);
    assert_eq!(send().await, (StatusCode::OK, "a repeat".to_owned()));
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    assert_eq!(
        answer(&router, request("application/jwt", "nonsense")).await.0,
        400
    );
    assert_eq!(troubles.load(Ordering::SeqCst), 3);
    // Nobody is there for agents: taken, and passed over.
    assert_eq!(
        answer(&router, request("text/plain", sign(SECRET, AGENT)))
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn while_an_event_is_handled_its_repeat_is_told_to_come_back() {
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let go_on = Arc::new(tokio::sync::Notify::new());
    let wait = Arc::clone(&go_on);
    let handlers =
        Handlers::new(receiver(), Repeats::in_memory(Bounds::default())).receive_other_event(move |_| {
            let (begun, wait) = (begun.clone(), Arc::clone(&wait));
            async move {
                begun.send(()).await?;
                wait.notified().await;
                Ok(())
            }
        });
    let labels = || Labels::read(|name| (name == headers::EVENT_ID).then_some("17"));
    let token = sign(SECRET, AGENT);
    let first = tokio::spawn({
        let (handlers, token) = (handlers.clone(), token.clone());
        async move { handlers.receive(labels(), token.as_bytes()).await }
    });
    has_begun.recv().await.expect("the handler begins");
    let meanwhile = handlers.receive(labels(), token.as_bytes()).await;
    assert_eq!((meanwhile.status, meanwhile.retry_after), (503, Some(5)));
    // The sender hangs up, and the handler goes on all the same.
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    go_on.notify_one();
    let status = loop {
        let answer = handlers.receive(labels(), token.as_bytes()).await;
        if answer.status != 503 {
            break answer.status;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(status, 200);
    assert!(has_begun.try_recv().is_err(), "it was handled once");
}

#[tokio::test(start_paused = true)]
async fn a_handler_without_an_end_is_dropped_and_its_event_comes_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let troubles = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (counted, reported) = (Arc::clone(&tries), Arc::clone(&troubles));
    let handlers = Handlers::new(receiver(), Repeats::in_memory(Bounds::default()))
        .receive_other_event(move |_| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
        .patience(std::time::Duration::from_secs(3))
        .report(move |trouble| reported.lock().unwrap().push(trouble.to_string()));
    let labels = || Labels::read(|name| (name == headers::EVENT_ID).then_some("17"));
    let token = sign(SECRET, AGENT);
    assert_eq!(handlers.receive(labels(), token.as_bytes()).await.status, 500);
    assert_eq!(
        troubles.lock().unwrap().as_slice(),
        ["the handler took longer than 3 s"]
    );
    assert_eq!(
        handlers.receive(labels(), token.as_bytes()).await.message,
        "received"
    );
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}
