//! Client for a receiver that is named on the command line, without a server: every answer is data, not an error.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::connector::{Connector, connector};
use super::{ClientError, Http, Trust, http_client, in_full, is_web_address};
use switchhook_http::OUR_NAME;
use switchhook_http::address::basic_authorization;
use switchhook_http::status_line::SharedStatus;
use switchhook_http::tls::{closes_in_handshake, tls_error};

/// Bytes of an answer that are read, so that the connection can be reused.
const LARGEST_ANSWER: usize = 64 << 10;

/// Client for a receiver's URL.
#[derive(Clone, Debug)]
pub struct Hook {
    url: http::Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    http: Http,
    connector: Connector,
}

/// Result of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// An answer with that status.
    Status(u16),
    /// No connection could be made; the reason, and what to do.
    Unreachable(String),
    /// The connection ended before the first byte of an answer. What stands before a program that is down may do
    /// so: the proxy of a container's port, for example.
    Closed(String),
    /// No answer came in time, or something that is not HTTP.
    NoAnswer(String),
}

impl Hook {
    /// Client for the receiver at `url`, with a time limit for each answer, and the certificates to accept.
    ///
    /// # Errors
    /// If `url` is not an HTTP URL.
    pub fn new(url: &Url, timeout: Duration, trust: &Trust) -> Result<Self, ClientError> {
        let uri = url.as_str().parse().ok().filter(|_| is_web_address(url));
        let uri = uri.ok_or_else(|| {
            ClientError::InvalidUsage(format!(
                "{url} is not a web address; write it as http://127.0.0.1:3000/hook"
            ))
        })?;
        let connector = connector(url.scheme(), trust)?;
        Ok(Self {
            url: uri,
            authorization: basic_authorization(url),
            timeout,
            http: http_client(connector.clone()),
            connector,
        })
    }

    /// Posts, and waits for the answer. The status decides: once it has come, nothing that is wrong with the rest of the
    /// answer matters.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> HookAnswer {
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(OUR_NAME));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let deadline = Instant::now() + self.timeout;
        let mut exchange = self.exchange(request.clone(), deadline).await;
        // The receiver closed a kept connection just when it was used. As for deliveries, that is no answer to this request.
        while exchange.is_on_closed_connection {
            exchange = self.exchange(request.clone(), deadline).await;
        }
        if exchange.is_http {
            return exchange.answer;
        }
        match timeout_at(deadline, self.connector.detect_http2(&self.url)).await {
            Ok(true) => self.exchange(request, deadline).await.answer,
            _ => exchange.answer,
        }
    }

    /// Gets the text at the URL, if the answer is 2xx.
    pub async fn text(&self) -> Option<String> {
        let mut request = http::Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(OUR_NAME));
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let exchange = async {
            let response = self.http.request(request).await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            let body = Limited::new(response.into_body(), LARGEST_ANSWER);
            Some(body.collect().await.ok()?.to_bytes())
        };
        let body = tokio::time::timeout(self.timeout, exchange).await.ok()??;
        String::from_utf8(body.to_vec()).ok()
    }

    async fn exchange(&self, mut request: http::Request<Full<Bytes>>, deadline: Instant) -> Exchange {
        let captured = capture_connection(&mut request);
        let error = match timeout_at(deadline, self.http.request(request)).await {
            Ok(Ok(response)) => {
                let status = response.status().as_u16();
                // Read to its end for the connection's sake; what it says does not matter.
                let reading = Limited::new(response.into_body(), LARGEST_ANSWER).collect();
                let _ = timeout_at(deadline, reading).await;
                return HookAnswer::Status(status).into();
            }
            Ok(Err(error)) if error.is_connect() => {
                return HookAnswer::Unreachable(why_unreachable(&error)).into();
            }
            Ok(Err(error)) => Some(error),
            Err(_elapsed) => None,
        };
        let seen = status_of(&captured);
        let seen = seen.as_ref().map(|seen| seen.lock());
        if let Some(status) = seen.as_ref().and_then(|seen| seen.status()) {
            return HookAnswer::Status(status).into();
        }
        let Some(error) = error else {
            return HookAnswer::NoAnswer(format!("no answer within {} ms", self.timeout.as_millis())).into();
        };
        let why = in_full(&error);
        if tls_error(&error).is_some() {
            return HookAnswer::NoAnswer(why).into();
        }
        let has_no_answer = seen.as_ref().is_some_and(|seen| !seen.has_begun());
        let is_kept = seen.is_some_and(|seen| seen.is_of_kept_connection());
        Exchange {
            answer: match has_no_answer {
                true => HookAnswer::Closed("it closed the connection without an answer".to_owned()),
                false => HookAnswer::NoAnswer(why),
            },
            is_http: !has_no_answer && !is_parse(&error),
            is_on_closed_connection: has_no_answer && is_kept,
        }
    }
}

/// An answer, and whether it was HTTP as far as is known.
struct Exchange {
    answer: HookAnswer,
    is_http: bool,
    /// True if it was tried on a connection that was kept, and that the receiver closed without an answer.
    is_on_closed_connection: bool,
}

impl From<HookAnswer> for Exchange {
    fn from(answer: HookAnswer) -> Self {
        Self {
            answer,
            is_http: true,
            is_on_closed_connection: false,
        }
    }
}

/// Status seen on the connection of a request.
fn status_of(captured: &CaptureConnection) -> Option<SharedStatus> {
    let mut extras = http::Extensions::new();
    captured.connection_metadata().as_ref()?.get_extras(&mut extras);
    extras.remove()
}

fn is_parse(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .filter_map(|layer| layer.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse)
}

/// Reason for which there is no connection, and what to do.
fn why_unreachable(error: &(dyn Error + 'static)) -> String {
    let why = in_full(error);
    match tls_error(error) {
        None if closes_in_handshake(error) => why,
        None => format!("{why}: is the receiver running?"),
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("{why}; --forward-ca FILE trusts another authority, --forward-insecure any certificate")
        }
        Some(_) => why,
    }
}
