//! The client of the commands: sends requests to a Switchhook server's API, and turns errors into a message for a
//! person. The commands are in `cli/`; the API is in `switchhook-web`.

mod connector;
mod hook;
mod stream;
mod websocket;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchhook_domain::credential::shown_url;
use switchhook_domain::secret::Secret;
use switchhook_ingress::error::ErrorEnvelope;
use switchhook_ingress::readiness::Readiness;
use switchhook_protocol::headers;
use url::Url;

use switchhook_http::cause::in_full;

pub use self::connector::Trust;
use self::connector::{Connector, connector};
pub use self::hook::{Hook, HookAnswer};
pub use self::stream::{ServerSentEvent, Stream};
pub use self::websocket::{ListenError, WebsocketListener};

/// Time limit of a whole request.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Bound on the bytes of an answer.
const LARGEST_ANSWER: usize = 64 << 20;

/// Header by which the server recognizes a repeated request.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(headers::IDEMPOTENCY_KEY);

/// Client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    authorization: Option<HeaderValue>,
    http: Http,
}

type Http = HyperClient<Connector, Full<Bytes>>;

/// Body of a successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer(pub Bytes);

/// Request to a server.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Reason for which there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The caller must send another request.
    #[error("{0}")]
    InvalidUsage(String),
    /// No connection could be made.
    #[error(
        "cannot reach the server at {url}: {why}; is it running? `switchhook serve` or `switchhook dev` starts one, --url or SWITCHHOOK_URL names another"
    )]
    Unreachable {
        /// URL at which no server answers.
        url: String,
        why: String,
    },
    /// The server accepted the connection and did not answer.
    #[error("the server at {url} did not answer within {} seconds", TIMEOUT.as_secs())]
    TimedOut { url: String },
    /// The server answered with an error.
    #[error("{message} (HTTP {status}){}", hint(*.status))]
    Refused { status: u16, message: String },
    /// The answer is not from a Switchhook server.
    #[error("the answer of {url} is not from a Switchhook server: {what}; check --url")]
    UnexpectedAnswer { url: String, what: String },
}

impl ClientError {
    /// True if a retry may succeed: the server is down or overloaded, or a proxy answers in its place.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::UnexpectedAnswer { .. }
                | Self::Refused {
                    status: 408 | 429 | 500..,
                    ..
                }
        )
    }
}

impl Request {
    /// `GET` with a query; parameters without a value are left out.
    #[must_use]
    pub fn get(path: &str, query: &[(&str, Option<String>)]) -> Self {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in query {
            if let Some(value) = value {
                pairs.append_pair(name, value);
            }
        }
        let query = pairs.finish();
        let target = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        Self::new(Method::GET, target)
    }

    /// `POST` without a body.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// `PUT` without a body.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// `PATCH` without a body.
    #[must_use]
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// `DELETE`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// The request with a JSON body.
    #[must_use]
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string().into())
    }

    /// The request with any body.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: Bytes) -> Self {
        self.body = body;
        self.header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// The request with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

impl Answer {
    /// The answer as text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<&str, ClientError> {
        std::str::from_utf8(&self.0).map_err(|error| unexpected(&error))
    }

    /// The answer's JSON.
    ///
    /// # Errors
    /// If it is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.0).map_err(|error| unexpected(&error))
    }
}

impl Client {
    /// A client of the server at `base`, with an API key if there is one.
    ///
    /// # Errors
    /// If `base` is not an HTTP URL, or the key cannot be sent in a header.
    pub fn new(base: &Url, key: Option<&Secret>) -> Result<Self, ClientError> {
        if !is_web_address(base) {
            return Err(ClientError::InvalidUsage(format!(
                "{} is not a web address; write it as http://127.0.0.1:8400",
                shown_url(base.as_str())
            )));
        }
        let http = http_client(connector(base.scheme(), &Trust::System)?);
        let base = base.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            authorization: key.map(authorization).transpose()?,
            http,
        })
    }

    /// Sends a request and waits for a successful answer.
    ///
    /// # Errors
    /// If there is no answer, or an error.
    pub async fn send(&self, request: Request) -> Result<Answer, ClientError> {
        let exchange = self.ask(request);
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ClientError::TimedOut {
                url: shown_url(&self.base).into_owned(),
            }),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, ClientError> {
        let request = self.http_request(request)?;
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let body = body
            .map_err(|error| self.unexpected(format!("its answer ended early: {}", in_full(&*error))))?
            .to_bytes();
        if status.is_success() {
            return Ok(Answer(body));
        }
        Err(self.refused(status, &body))
    }

    fn http_request(&self, request: Request) -> Result<http::Request<Full<Bytes>>, ClientError> {
        let url = format!("{}{}", self.base, request.target);
        let mut builder = http::Request::builder().method(request.method).uri(url);
        builder = builder.header(USER_AGENT, concat!("switchhook-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let builder = builder.body(Full::new(request.body));
        builder.map_err(|error| {
            ClientError::InvalidUsage(format!(
                "cannot send a request to {}: {error}",
                shown_url(&self.base)
            ))
        })
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> ClientError {
        if error.is_connect() {
            return ClientError::Unreachable {
                url: shown_url(&self.base).into_owned(),
                why: in_full(error),
            };
        }
        self.unexpected(in_full(error))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match message_of(body) {
            Some(message) => ClientError::Refused {
                status: status.as_u16(),
                message,
            },
            None => self.unexpected(format!("HTTP {status} without an explanation")),
        }
    }

    fn unexpected(&self, what: String) -> ClientError {
        ClientError::UnexpectedAnswer {
            url: shown_url(&self.base).into_owned(),
            what,
        }
    }
}

/// Message of an error, or of `/readyz`, whose answer has no envelope.
fn message_of(body: &[u8]) -> Option<String> {
    if let Ok(ErrorEnvelope { error }) = serde_json::from_slice(body) {
        return Some(error.message);
    }
    let readiness: Readiness = serde_json::from_slice(body).ok()?;
    let problems = readiness.problems().join(", ");
    (!readiness.ready).then(|| format!("the server is not ready: {problems}"))
}

fn unexpected(error: &dyn Error) -> ClientError {
    ClientError::UnexpectedAnswer {
        url: "the server".to_owned(),
        what: error.to_string(),
    }
}

const fn hint(status: u16) -> &'static str {
    match status {
        401 => {
            "\nGive a key with --key or SWITCHHOOK_API_KEY; `switchhook keys create --name NAME` creates one"
        }
        _ => "",
    }
}

fn is_web_address(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn authorization(key: &Secret) -> Result<HeaderValue, ClientError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
    let mut value =
        value.map_err(|_| ClientError::InvalidUsage("the API key has invalid characters".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[expect(
    clippy::disallowed_methods,
    reason = "asks the server, or the receiver, that its user names on the command line; no registered hook URL ever comes here"
)]
fn http_client(connector: Connector) -> Http {
    HyperClient::builder(TokioExecutor::new())
        .http1_title_case_headers(true)
        // As deliveries do: what is odd in the headers of a receiver says nothing of whether it took the event.
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .build(connector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_server_that_is_away_is_waited_for_and_a_refusal_is_not() {
        let refused = |status| ClientError::Refused {
            status,
            message: String::new(),
        };
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(refused(status).is_transient(), "{status}");
        }
        for status in [400, 401, 403, 404, 409] {
            assert!(!refused(status).is_transient(), "{status}");
        }
        let (url, nowhere) = (String::new(), ClientError::InvalidUsage(String::new()));
        assert!(ClientError::TimedOut { url }.is_transient() && !nowhere.is_transient());
    }

    #[test]
    fn a_message_is_found_in_the_envelope_and_in_what_readyz_answers() {
        for (body, message) in [
            (r#"{"error":{"message":"no"}}"#, Some("no")),
            (
                r#"{"ready":false,"store":"disk full","delivery":"ok","clock":"ok"}"#,
                Some("the server is not ready: store: disk full"),
            ),
            (
                r#"{"ready":true,"store":"ok","delivery":"ok","clock":"ok"}"#,
                None,
            ),
            ("Bad Gateway", None),
        ] {
            assert_eq!(message_of(body.as_bytes()).as_deref(), message, "{body}");
        }
    }

    #[test]
    fn a_query_is_escaped_and_leaves_out_what_is_not_asked() {
        let request = Request::get(
            "/v1/events",
            &[
                ("since", Some("2026-11-21T10:30:00+01:00".into())),
                ("kind", None),
            ],
        );
        assert_eq!(
            request.target,
            "/v1/events?since=2026-11-21T10%3A30%3A00%2B01%3A00"
        );
        assert_eq!(Request::get("/v1/events", &[("kind", None)]).target, "/v1/events");
    }

    #[test]
    fn a_refusal_shows_the_message_and_never_the_key() {
        let error = ClientError::Refused {
            status: 409,
            message: "this URL is taken".into(),
        };
        assert_eq!(error.to_string(), "this URL is taken (HTTP 409)");
        let bad = authorization(&Secret::new("shk_\n")).unwrap_err().to_string();
        assert!(!bad.contains("shk_"), "{bad}");
    }
}
