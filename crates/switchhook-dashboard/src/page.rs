//! Parts that all pages share: the frame around them, security headers, redirects with a flash message, and the error
//! page.

use std::str::FromStr;

use askama::Template;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{Extensions, HeaderValue, Method, StatusCode};
use switchhook_http::address::has_nul;
use switchhook_http::server::Client;
use switchhook_node::callers::AuthenticationError;
use switchhook_node::refusal::Refusal;
use switchhook_store::StoreError;
use tokio::sync::Semaphore;

use super::assets;
use switchhook_ingress::error::ApiError;
use switchhook_node::sanitize;

/// Nothing but our own script and style, and nobody may put us into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Layout around every page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// The entry of the navigation that it belongs to.
    pub(super) section: &'static str,
    pub(super) csrf: String,
    pub(super) can_write: bool,
    /// True if the viewer may see and do everything in the company.
    pub(super) is_admin: bool,
    /// True if nobody needs to sign in.
    pub(super) is_open: bool,
    pub(super) has_inspector: bool,
    pub(super) has_simulator: bool,
    pub(super) is_masked: bool,
    pub(super) version: String,
    /// Message about the change that led here.
    pub(super) flash: Option<&'static str>,
    /// Reason why the change was refused.
    pub(super) error: Option<String>,
}

impl Frame {
    pub(super) fn with_error(mut self, error: Option<String>) -> Self {
        self.error = error;
        self
    }

    /// The pages that the navigation has under "More": section, path and name.
    pub(super) fn more(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let mut more = vec![
            ("dead_letters", "/dashboard/dead-letters", "Dead letters"),
            ("websockets", "/dashboard/websockets", "Websockets"),
            ("notifications", "/dashboard/notifications", "Notifications"),
            ("keys", "/dashboard/keys", "API keys"),
            ("doctor", "/dashboard/doctor", "Doctor"),
            ("api", "/dashboard/api", "API reference"),
        ];
        more.retain(|(section, ..)| self.is_admin || *section != "keys");
        more
    }

    pub(super) fn is_under_more(&self) -> bool {
        self.more().iter().any(|(section, ..)| self.is_in(section))
    }

    pub(super) fn is_in(&self, section: &str) -> bool {
        self.section == section
    }
}

/// Answers with a rendered page.
pub(super) fn show(page: &impl Template) -> Response {
    show_with(StatusCode::OK, page)
}

/// Shows a form again, with what was wrong with it.
pub(super) fn show_again(page: &impl Template) -> Response {
    show_with(StatusCode::UNPROCESSABLE_ENTITY, page)
}

fn show_with(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(sanitize::html(&html).into_owned())).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Redirects to a page, which shows `flash`.
pub(super) fn go(path: &str, flash: Flash) -> Response {
    let join = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{join}flash={}", flash.as_str())).into_response()
}

macro_rules! flashes {
    ($($name:ident = $word:literal: $text:literal,)+) => {
        /// Messages that a page shows after a change. The parameter `flash` of its address names one of them, so that a link
        /// from elsewhere cannot put words of its own into a page.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Flash { $($name,)+ }

        impl Flash {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Text for the parameter `flash`.
            pub(super) fn of(word: &str) -> Option<&'static str> {
                match word { $($word => Some($text),)+ _ => None }
            }
        }
    };
}

flashes! {
    Created = "created": "Created.",
    Saved = "saved": "Saved.",
    Deleted = "deleted": "Deleted.",
    Paused = "paused": "Webhook paused: its deliveries wait, and none is lost.",
    Resumed = "resumed": "Webhook resumed: waiting deliveries are sent now, oldest first.",
    Retrying = "retrying": "One attempt is made now; on success all waiting deliveries are sent.",
    NothingToRetry = "nothing-to-retry": "No delivery is waiting, so no attempt is made: send a test event to try the receiver.",
    Skipped = "skipped": "Waiting deliveries cancelled; new events are sent.",
    Tested = "tested": "Test event sent.",
    Enabled = "enabled": "Subscription enabled.",
    Disabled = "disabled": "Subscription disabled: it makes no deliveries until it is enabled again.",
    Redelivered = "redelivered": "Event redelivered, as this new delivery.",
    Cancelled = "cancelled": "Delivery cancelled: it will not be sent.",
    Behaves = "behaves": "Response of the inspector changed.",
    Cleared = "cleared": "Received requests cleared.",
    Playing = "playing": "Scenario started.",
    Replaying = "replaying": "Replay started.",
    Dismissed = "dismissed": "Dead letters dismissed: they stay in the history.",
    DismissedInPart = "dismissed-in-part": "Dead letters dismissed in part: dismiss again for the rest.",
    Judged = "judged": "Refused requests retried: those listed were refused again.",
    ReplayCancelled = "replay-cancelled": "Replay cancelled.",
    Rotated = "rotated": "Secret rotated: the old one stays valid for 24 hours.",
    Revoked = "revoked": "Key revoked: it is refused within a second, and its open connections end.",
    SignedOut = "signed-out": "You are signed out.",
}

/// A page that cannot be shown, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PageError {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl PageError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

/// The id in the address of a page.
pub(super) fn id_of<T: FromStr>(text: &str) -> Result<T, PageError> {
    switchhook_domain::id::id_of(text).map_err(|error| PageError::not_found(format!("{error}.")))
}

/// In the words of the API, which are for people too.
impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self::new(error.status(), error.message())
    }
}

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        ApiError::from(refusal).into()
    }
}

impl From<AuthenticationError> for PageError {
    fn from(nobody: AuthenticationError) -> Self {
        ApiError::from(nobody).into()
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => {
                Self::not_found(format!("There is no such {what}; it may have been deleted."))
            }
            StoreError::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{error}; try again in a moment"),
            ),
            error => {
                tracing::error!(%error, "a page could not be made");
                let message =
                    "The server could not do this because of a fault of its own: its log says which.";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    version: String,
    title: &'static str,
    message: String,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not here",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Not now",
            status if status.is_client_error() => "That did not work",
            _ => "Something broke",
        };
        let page = ErrorPage {
            version: assets::version(),
            title,
            message: self.message,
        };
        show_with(self.status, &page)
    }
}

/// Answers unknown paths.
pub(super) async fn nowhere() -> PageError {
    PageError::not_found("There is no such page.")
}

/// Refuses a NUL in the address, as the API does.
pub(super) async fn refuse_nul(request: Request, next: Next) -> Response {
    if has_nul(request.uri().path()) || request.uri().query().is_some_and(has_nul) {
        let message = "The address has the character NUL (%00) in it: leave it out.";
        return PageError::new(StatusCode::BAD_REQUEST, message).into_response();
    }
    next.run(request).await
}

/// Bound on the pages rendered at once, because each holds its data in memory.
static PAGES: Semaphore = Semaphore::const_new(8);

/// Makes a page wait while many others are being made. What was asked to be done is not held up.
pub(super) async fn wait_for_a_place(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let _place = PAGES.acquire().await.expect("it is never closed");
    next.run(request).await
}

/// For a year a browser that was here comes by HTTPS only.
const ONLY_SECURELY: &str = "max-age=31536000";

/// True if the request came over TLS, to this server or to a trusted proxy.
pub(super) fn comes_securely(extensions: &Extensions) -> bool {
    extensions.get::<Client>().is_some_and(|client| client.is_secure)
}

/// Adds the headers that protect a page.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let is_secure = comes_securely(request.extensions());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if is_secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_SECURELY));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::Flash;
    use crate::limits::overlap;

    #[test]
    fn how_long_an_old_secret_stays_valid_is_said_as_it_is() {
        let rotated = Flash::of("rotated").expect("it is said after a rotation");
        assert!(
            rotated.ends_with(&format!("valid for {}.", overlap())),
            "{rotated}"
        );
    }
}
