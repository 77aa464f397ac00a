//! Authentication of deliveries: tokens, passwords, `OAuth2` servers, certificates.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::FailureReason;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::webhook::{Auth, Authentication, DeliveryDefaults, Webhook, WebhookSettings};
use switchhook_http::proxy::Outbound;
use switchhook_node::delivery::HttpTransport;
use switchhook_node::delivery::address_guard::AddressGuard;
use switchhook_node::delivery::transport::{Post, PostResult, Transport};
use switchhook_node::destination::Destination;

use super::network::{check_status, check_unanswered};
use crate::support::rig::{Reaction, Rig, START};
use crate::support::tls::{Authority, secure};

pub(super) fn with(auth: Authentication) -> WebhookSettings {
    WebhookSettings {
        auth: Auth(Some(auth)),
        ..WebhookSettings::default()
    }
}

pub(super) fn to(id: i64, url: &str, settings: WebhookSettings) -> Post {
    let webhook = Webhook::new(WebhookId(id), CompanyId(1), url, START).with_settings(settings);
    let destination = Arc::new(Destination::new(webhook, Arc::default()));
    Post {
        own_headers: Vec::new(),
        destination,
        body: Bytes::from_static(b"{}"),
    }
}

pub(super) fn transport(now: &Arc<AtomicI64>) -> HttpTransport {
    let now = Arc::clone(now);
    let clock: Arc<dyn Clock> = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
    let guard = Arc::new(AddressGuard::allowing_loopback());
    HttpTransport::new(guard, clock, DeliveryDefaults::default(), &Outbound::default())
        .expect("the machine has certificates")
}

#[tokio::test(start_paused = true)]
async fn a_token_and_a_password_are_sent_and_kept_out_of_what_is_kept() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let bearer = Authentication::Bearer {
        token: "t0ken".to_owned(),
    };
    let basic = Authentication::Basic {
        username: "us".to_owned(),
        password: "hunter2".to_owned(),
    };
    for (auth, expected) in [(bearer, "Bearer t0ken"), (basic, "Basic dXM6aHVudGVyMg==")] {
        let id = rig.webhook(with(auth)).await;
        let accepted = rig.call(1, "hangup").await;
        rig.wait(Duration::from_secs(1)).await;
        let seen = rig.network.seen();
        let seen = seen.iter().rfind(|seen| seen.webhook_id == id).unwrap();
        assert_eq!(seen.headers["authorization"], expected);
        let delivery = accepted
            .deliveries
            .iter()
            .find(|one| one.webhook_id == id)
            .unwrap();
        let attempts = rig.store.attempts_of(delivery.id).await.unwrap();
        let kept = attempts[0].request.as_ref().unwrap().headers.to_map();
        assert_eq!(kept["Authorization"], "***");
    }
}

/// A receiver that takes requests with a token, and a server that gives such tokens.
#[derive(Default)]
struct Guarded {
    asked: AtomicU32,
    refuses: Mutex<Option<&'static str>>,
    /// True if requests for a token hang.
    hangs: AtomicBool,
    revoked: Mutex<Vec<&'static str>>,
    seen: Mutex<Vec<String>>,
}

async fn give_token(
    State(guarded): State<Arc<Guarded>>,
    headers: HeaderMap,
    form: String,
) -> (StatusCode, String) {
    let number = guarded.asked.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(body) = *guarded.refuses.lock() {
        return (StatusCode::UNAUTHORIZED, body.to_owned());
    }
    if guarded.hangs.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    // Id and secret are encoded as in forms: `a b` and `p+w`.
    assert_eq!(headers["authorization"], "Basic YStiOnAlMkJ3");
    assert_eq!(form, "grant_type=client_credentials&scope=hooks.write");
    (
        StatusCode::OK,
        format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":"3600"}}"#),
    )
}

async fn take(State(guarded): State<Arc<Guarded>>, headers: HeaderMap) -> StatusCode {
    assert_eq!(headers.get_all("authorization").iter().count(), 1);
    let token = headers["authorization"].to_str().unwrap_or_default().to_owned();
    let is_revoked = guarded.revoked.lock().contains(&token.as_str());
    guarded.seen.lock().push(token);
    if is_revoked {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    }
}

async fn guarded() -> (SocketAddr, Arc<Guarded>) {
    let guarded = Arc::new(Guarded::default());
    let routes = Router::new()
        .route("/token", post(give_token))
        .route("/hook", post(take))
        .with_state(Arc::clone(&guarded));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, guarded)
}

fn oauth2(address: SocketAddr) -> WebhookSettings {
    with(Authentication::Oauth2 {
        token_url: format!("http://{address}/token"),
        client_id: "a b".to_owned(),
        client_secret: "p+w".to_owned(),
        scope: Some("hooks.write".to_owned()),
    })
}

#[tokio::test]
async fn a_token_of_an_oauth2_server_is_fetched_once_for_all_and_again_when_it_expires_or_is_refused() {
    let (address, guarded) = guarded().await;
    let now = Arc::new(AtomicI64::new(START.as_millis()));
    let transport = transport(&now);
    let url = format!("http://us:pw@{address}/hook");
    let posted: Vec<PostResult> =
        join_all((0..30).map(|id| transport.post(to(id, &url, oauth2(address))))).await;
    posted.iter().for_each(|posted| check_status(posted, 200));
    assert_eq!(guarded.asked.load(Ordering::SeqCst), 1, "fetched once for many");
    assert!(guarded.seen.lock().iter().all(|token| token == "Bearer token-1"));
    now.fetch_add(3_500_000, Ordering::SeqCst);
    check_status(&transport.post(to(1, &url, oauth2(address))).await, 200);
    assert_eq!(guarded.asked.load(Ordering::SeqCst), 1, "it has not expired");
    now.fetch_add(71_000, Ordering::SeqCst);
    guarded.revoked.lock().push("Bearer token-2");
    check_status(&transport.post(to(1, &url, oauth2(address))).await, 401);
    assert_eq!(
        guarded.asked.load(Ordering::SeqCst),
        2,
        "half a minute before it expires"
    );
    check_status(&transport.post(to(1, &url, oauth2(address))).await, 200);
    assert_eq!(
        guarded.asked.load(Ordering::SeqCst),
        3,
        "a token that was refused is not used again"
    );
    guarded.revoked.lock().push("Bearer token-3");
    let posted: Vec<PostResult> =
        join_all((0..30).map(|id| transport.post(to(id, &url, oauth2(address))))).await;
    posted.iter().for_each(|posted| check_status(posted, 200));
    assert_eq!(
        guarded.asked.load(Ordering::SeqCst),
        4,
        "one that was kept and is revoked is replaced within the attempt, once for all"
    );
}

#[tokio::test]
async fn who_waits_for_a_token_that_another_fetches_waits_no_longer_than_its_attempt_may_take() {
    let (address, guarded) = guarded().await;
    let now = Arc::new(AtomicI64::new(START.as_millis()));
    let transport = transport(&now);
    let url = format!("http://{address}/hook");
    guarded.hangs.store(true, Ordering::SeqCst);
    let patient = |timeout_ms| WebhookSettings {
        timeout_ms: Some(timeout_ms),
        ..oauth2(address)
    };
    let fetching = transport.post(to(1, &url, patient(600_000)));
    let waiting = async {
        while guarded.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        transport.post(to(2, &url, patient(50))).await
    };
    tokio::select! {
        _ = fetching => panic!("nothing is answered"),
        posted = waiting => {
            let words = "no token could be had of the OAuth2 server: it does not answer";
            check_unanswered(&posted, FailureReason::Authentication, words);
        }
    }
}

#[tokio::test]
async fn a_server_that_gives_no_token_is_an_outcome_in_words() {
    let (address, guarded) = guarded().await;
    let now = Arc::new(AtomicI64::new(START.as_millis()));
    let transport = transport(&now);
    let url = format!("http://{address}/hook");
    *guarded.refuses.lock() = Some(r#"{"error":"invalid_client","error_description":"no such client"}"#);
    let posted = join_all((0..10).map(|id| transport.post(to(id, &url, oauth2(address))))).await;
    for posted in &posted {
        let words =
            "no token could be had of the OAuth2 server: it answers 401: invalid_client (no such client)";
        check_unanswered(posted, FailureReason::Authentication, words);
    }
    assert_eq!(
        guarded.asked.load(Ordering::SeqCst),
        1,
        "those who waited do not ask again at once"
    );
    assert_eq!(guarded.seen.lock().len(), 0, "nothing is sent without a token");
    *guarded.refuses.lock() = None;
    now.fetch_add(2_000, Ordering::SeqCst);
    transport.post(to(1, &url, oauth2(address))).await;
    assert_eq!(
        *guarded.seen.lock(),
        ["Bearer token-2"],
        "it is asked again later"
    );
    let nobody = WebhookSettings {
        timeout_ms: Some(2_000),
        ..oauth2("127.0.0.1:1".parse().unwrap())
    };
    let posted = transport.post(to(1, &url, nobody)).await;
    check_unanswered(
        &posted,
        FailureReason::Authentication,
        "no token could be had of the OAuth2 server",
    );
}

fn mtls(of: &Authority, ca: &Authority) -> WebhookSettings {
    let (cert, key) = of.client();
    WebhookSettings {
        ca: Some(ca.pem()),
        ..with(Authentication::Mtls { cert, key })
    }
}

#[tokio::test]
async fn a_certificate_of_the_webhooks_own_is_shown_and_an_authority_of_its_own_trusted() {
    let (theirs, ours, other) = (Authority::new(), Authority::new(), Authority::new());
    let now = Arc::new(AtomicI64::new(START.as_millis()));
    let transport = transport(&now);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let address = secure(theirs.good().wanting_certificates(version, &ours)).await;
        let url = format!("https://{address}/hook");
        for _ in 0..2 {
            check_status(&transport.post(to(1, &url, mtls(&ours, &theirs))).await, 200);
        }
        let only_trusting = WebhookSettings {
            ca: Some(theirs.pem()),
            ..WebhookSettings::default()
        };
        let refused = transport.post(to(2, &url, only_trusting)).await;
        check_unanswered(&refused, FailureReason::Tls, "");
        let unknown = transport.post(to(3, &url, mtls(&other, &theirs))).await;
        check_unanswered(&unknown, FailureReason::Tls, "");
        let mistrusted = transport.post(to(4, &url, mtls(&ours, &other))).await;
        check_unanswered(&mistrusted, FailureReason::Tls, "authority");
        let nobody = transport.post(to(5, &url, WebhookSettings::default())).await;
        check_unanswered(&nobody, FailureReason::Tls, "authority");
        transport
            .probe(&to(6, &url, mtls(&ours, &theirs)).destination)
            .await
            .expect("it can be reached");
    }
    let address = secure(theirs.good().plain()).await;
    let trusted = WebhookSettings {
        ca: Some(theirs.pem()),
        ..WebhookSettings::default()
    };
    let url = format!("https://{address}/hook");
    check_status(&transport.post(to(7, &url, trusted)).await, 200);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_outcome_in_words() {
    let now = Arc::new(AtomicI64::new(START.as_millis()));
    let broken = with(Authentication::Mtls {
        cert: "no PEM".to_owned(),
        key: "none".to_owned(),
    });
    let posted = transport(&now)
        .post(to(1, "https://127.0.0.1:1/hook", broken))
        .await;
    check_unanswered(
        &posted,
        FailureReason::Authentication,
        "auth.cert: there is no certificate in it",
    );
}
