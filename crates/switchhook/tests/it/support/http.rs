//! A client and a receiver that share nothing with the product's own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;

/// Speaks to one server with one key.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    key: String,
}

impl Caller {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's client must not be the product's"
    )]
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client,
            base: format!("http://{address}"),
            key: key.to_owned(),
        }
    }

    /// Sends a request; an answer that is no JSON is a null. An error means that no answer came.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(StatusCode, Value), String> {
        self.send_with(("content-type", "application/json"), method, path, body)
            .await
    }

    /// As [`Caller::ask`] for an event, which is one however often it is sent with this key.
    pub(crate) async fn ask_once(&self, key: &str, path: &str, body: &str) -> Value {
        match self.send_with(("idempotency-key", key), "POST", path, body).await {
            Ok((status, answer)) if status.is_success() => answer,
            other => panic!("POST {path} with {body}: {other:?}"),
        }
    }

    /// A page that is no JSON; `None` if no answer came.
    pub(crate) async fn text(&self, path: &str) -> Option<String> {
        let (_, bytes) = self.exchange(("accept", "*/*"), "GET", path, "").await.ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// Sends many events in, one to a line.
    pub(crate) async fn ask_lines(&self, path: &str, lines: &str) -> Value {
        let lined = ("content-type", "application/x-ndjson");
        match self.send_with(lined, "POST", path, lines).await {
            Ok((status, answer)) if status.is_success() => answer,
            other => panic!("POST {path}: {other:?}"),
        }
    }

    async fn send_with(
        &self,
        header: (&str, &str),
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(StatusCode, Value), String> {
        let (status, bytes) = self.exchange(header, method, path, body).await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn exchange(
        &self,
        (name, value): (&str, &str),
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(StatusCode, Bytes), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .header(name, value)
            .body(Full::from(body.to_owned()))
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok((status, body))
    }

    /// The headers of what is answered.
    pub(crate) async fn head(&self, path: &str) -> Result<HeaderMap, String> {
        let request = Request::head(format!("{}{path}", self.base)).body(Full::from(String::new()));
        let request = request.map_err(|error| error.to_string())?;
        let response = self.client.request(request).await;
        Ok(response.map_err(|error| error.to_string())?.headers().clone())
    }

    /// As [`Caller::send`], for what must go well.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        match self.send(method, path, body).await {
            Ok((status, answer)) if status.is_success() => answer,
            other => panic!("{method} {path} with {body}: {other:?}"),
        }
    }
}

/// One request as a receiver got it.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrival {
    /// A header's text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

type React = dyn Fn(&Arrival) -> StatusCode + Send + Sync;

/// A receiver on loopback that remembers everything.
#[derive(Clone)]
pub(crate) struct RecordingReceiver {
    pub(crate) address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    react: Arc<React>,
}

impl RecordingReceiver {
    pub(crate) async fn start(react: impl Fn(&Arrival) -> StatusCode + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let receiver = Self {
            address,
            arrivals: Arc::default(),
            react: Arc::new(react),
        };
        let routes = Router::new()
            .route("/{*path}", post(receive))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().clone()
    }

    /// Waits until `enough` says so; panics with what arrived if it takes too long.
    pub(crate) async fn wait_until(&self, what: &str, enough: impl Fn(&[Arrival]) -> bool) {
        for _ in 0..1_200 {
            if enough(&self.arrivals.lock()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!(
            "{what} did not happen within a minute; {} requests arrived",
            self.arrivals.lock().len()
        );
    }
}

async fn receive(State(receiver): State<RecordingReceiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let arrival = Arrival { headers, body };
    let status = (receiver.react)(&arrival);
    receiver.arrivals.lock().push(arrival);
    status
}
