//! Posts to a receiver that its user names on the command line, without any server: what is answered is data.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::{BodyExt, Full, Limited};
use url::Url;

use super::{ClientError, Http, Trust, http_client, in_full, is_web_address};
use switchhook_http::address::basic_authorization;
use switchhook_http::cause::{closes_in_handshake, tls_error};

/// How much of an answer is read, so that the connection can be used again.
const LARGEST_ANSWER: usize = 64 << 10;

const OUR_NAME: &str = concat!("Switchhook/", env!("CARGO_PKG_VERSION"));

/// A receiver's address.
#[derive(Clone, Debug)]
pub struct Hook {
    url: http::Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    http: Http,
}

/// What came of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// An answer with that status.
    Status(u16),
    /// No connection could be made; why, and what to do.
    Unreachable(String),
    /// The connection stood, and no answer came.
    Silent(String),
}

impl Hook {
    /// The receiver at `url`, which has so long to answer, and to whose certificates `trust` applies.
    ///
    /// # Errors
    /// If `url` is no web address.
    pub fn new(url: &Url, timeout: Duration, trust: &Trust) -> Result<Self, ClientError> {
        let uri = url.as_str().parse().ok().filter(|_| is_web_address(url));
        let uri = uri.ok_or_else(|| {
            ClientError::Unusable(format!(
                "{url} is not a web address; write it as http://127.0.0.1:3000/hook"
            ))
        })?;
        Ok(Self {
            url: uri,
            authorization: basic_authorization(url),
            timeout,
            http: http_client(url.scheme(), trust)?,
        })
    }

    /// Posts, and waits for what is answered.
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
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => HookAnswer::Silent(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }

    /// Asks for what is there: the text of an answer of 2xx, if there is one.
    pub async fn text(&self) -> Option<String> {
        let mut request = http::Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(OUR_NAME));
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let asking = async {
            let response = self.http.request(request).await.ok()?;
            if !response.status().is_success() {
                return None;
            }
            let body = Limited::new(response.into_body(), LARGEST_ANSWER);
            Some(body.collect().await.ok()?.to_bytes())
        };
        let body = tokio::time::timeout(self.timeout, asking).await.ok()??;
        String::from_utf8(body.to_vec()).ok()
    }

    async fn exchange(&self, request: http::Request<Full<Bytes>>) -> HookAnswer {
        match self.http.request(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                // Read to its end for the connection's sake; what it says does not matter.
                let _ = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
                HookAnswer::Status(status)
            }
            Err(error) if error.is_connect() => HookAnswer::Unreachable(why_unreachable(&error)),
            Err(error) => HookAnswer::Silent(in_full(&error)),
        }
    }
}

/// Why there is no connection, and what to do.
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
