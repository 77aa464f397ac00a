//! Sessions of the dashboard: somebody signs in with an API key and gets a cookie that scripts and other sites cannot
//! read.
//!
//! The key itself is not kept, only its hash, and it is looked up again for every page: a revoked key is out within a
//! second. Sessions are in memory; a node that does not know one restores it from its cookie (`session/token.rs`),
//! for [`IDLE_FOR`] from its start. Ended sessions are in the store, so that no node restores them. In `dev`
//! everybody on this machine is signed in; then the `Host` must be this machine's, so that another site cannot use a
//! name that leads here.

mod sign_in;
mod signed_form;
mod site;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use switchhook_domain::key::{ApiKey, Right};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{PageRequest, Session as KeptSession};
use tokio::sync::OwnedSemaphorePermit;

pub(super) use self::sign_in::{ask, sign_in, sign_out};
pub(super) use self::signed_form::SignedForm;
use self::site::check_host;
use super::page::{Flash, Frame, PageError};
use super::{DashboardState, SharedState, assets};
use switchhook_ingress::request_log::LoggedCompany;
use switchhook_node::caller::Caller;
use switchhook_node::callers::AuthenticationError;
use switchhook_node::refusal::Refusal;
use switchhook_node::visibility::Visibility;
use switchhook_node::{keys, sessions};

const COOKIE_NAME: &str = "switchhook_session";

/// Idle time after which a session ends.
pub const IDLE_FOR: Duration = Duration::from_secs(12 * 3_600);

/// Rows of a page of a list.
const ROWS_OF_A_PAGE: u32 = 50;

/// Bound on the sessions of one node; the longest idle one goes first.
const MOST_SESSIONS: usize = 1_024;

/// Everybody who is signed in.
pub(super) struct Sessions {
    /// By the hash of what is in the cookie.
    known: Mutex<HashMap<[u8; 32], Session>>,
    /// Guards the forms of those who need not sign in.
    open_csrf: String,
}

#[derive(Debug, Clone)]
struct Session {
    key_hash: [u8; 32],
    kept: KeptSession,
    csrf: String,
    seen_at: Timestamp,
}

impl Session {
    fn of(token: &str, key: &ApiKey, began_at: Timestamp, now: Timestamp) -> Self {
        Self {
            key_hash: key.hash,
            kept: KeptSession {
                key_id: key.id,
                token_hash: keys::hash(token),
                began_at,
            },
            csrf: token::csrf(token),
            seen_at: now,
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            open_csrf: keys::new_secret(),
        }
    }
}

impl Sessions {
    /// Begins a session, or takes one up that another node began.
    fn begin(&self, session: Session) -> Session {
        let now = session.seen_at;
        let mut known = self.known.lock();
        known.retain(|_, session| now.since(session.seen_at) < IDLE_FOR);
        if known.len() >= MOST_SESSIONS {
            let oldest = known.iter().min_by_key(|(_, session)| session.seen_at);
            if let Some(oldest) = oldest.map(|(token, _)| *token) {
                known.remove(&oldest);
            }
        }
        known.insert(session.kept.token_hash, session.clone());
        session
    }

    fn find(&self, token: &str, now: Timestamp) -> Option<Session> {
        let hash = keys::hash(token);
        let mut known = self.known.lock();
        let session = known.get_mut(&hash)?;
        if now.since(session.seen_at) >= IDLE_FOR {
            known.remove(&hash);
            return None;
        }
        session.seen_at = session.seen_at.max(now);
        Some(session.clone())
    }

    fn forget(&self, session: KeptSession) {
        self.known.lock().remove(&session.token_hash);
    }
}

/// The session of a token, unless it was signed out of, here or elsewhere.
async fn current(dashboard: &DashboardState, token: &str) -> Result<Option<Session>, PageError> {
    let session = match dashboard.sessions.find(token, dashboard.node.clock.now()) {
        Some(session) => Some(session),
        None => take_up(dashboard, token).await?,
    };
    let Some(session) = session else { return Ok(None) };
    if !sessions::has_ended(&dashboard.node, session.kept).await? {
        return Ok(Some(session));
    }
    dashboard.sessions.forget(session.kept);
    Ok(None)
}

/// The session of a token that another node made, or this one in an earlier life.
async fn take_up(dashboard: &DashboardState, token: &str) -> Result<Option<Session>, PageError> {
    let Some(id) = token::claimed_key(token) else {
        return Ok(None);
    };
    let Some(key) = sessions::key(&dashboard.node, id).await? else {
        return Ok(None);
    };
    let now = dashboard.node.clock.now();
    let began_at = token::open(token, &key).filter(|at| now.since(*at) < IDLE_FOR);
    let begin = |at| dashboard.sessions.begin(Session::of(token, &key, at, now));
    Ok(began_at.map(begin))
}

/// Signed-in person who asks for a page.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) caller: Caller,
    /// Session; none where nobody needs to sign in.
    pub(super) session: Option<KeptSession>,
    pub(super) csrf: String,
    /// True if nobody needs to sign in.
    pub(super) is_open: bool,
    query: Option<String>,
    /// Among those of the company that read.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Viewer {
    async fn of(parts: &Parts, dashboard: &DashboardState) -> Result<Self, Response> {
        let query = parts.uri.query().map(ToOwned::to_owned);
        let (key_hash, csrf, session) = match dashboard.node.settings.dashboard.open_with {
            Some(key_hash) => {
                check_host(&parts.headers).map_err(IntoResponse::into_response)?;
                (key_hash, dashboard.sessions.open_csrf.clone(), None)
            }
            None => {
                let token = cookie(&parts.headers).ok_or_else(|| to_sign_in(&parts.uri))?;
                let session = current(dashboard, token)
                    .await
                    .map_err(IntoResponse::into_response)?;
                let session = session.ok_or_else(|| to_sign_in(&parts.uri))?;
                (session.key_hash, session.csrf, Some(session.kept))
            }
        };
        let found = dashboard.node.callers.find(key_hash).await;
        let caller = found.map_err(|nobody| match nobody {
            AuthenticationError::Store(error) => PageError::from(error).into_response(),
            _ => to_sign_in(&parts.uri),
        })?;
        LoggedCompany::note(&parts.extensions, caller.company_id);
        if !caller.may(Right::Read) {
            let message = "This key may not look at anything: sign in with one that has the right `read`.";
            return Err(PageError::new(StatusCode::FORBIDDEN, message).into_response());
        }
        Ok(Self {
            caller,
            is_open: session.is_none(),
            session,
            csrf,
            query,
            _place: None,
        })
    }

    /// Refuses who may only look: forms show what such a key must not see.
    pub(super) fn must_write(&self) -> Result<(), PageError> {
        if self.caller.may(Right::Write) {
            return Ok(());
        }
        let message = "This key may look, but not change anything.";
        Err(PageError::new(StatusCode::FORBIDDEN, message))
    }

    /// Filter for what this viewer may see of events.
    pub(super) fn visibility(&self, dashboard: &DashboardState) -> Visibility {
        Visibility::of(self.caller, &dashboard.node)
    }

    /// Refuses who may not see events of this kind.
    pub(super) fn must_see(&self, kind: Kind) -> Result<(), PageError> {
        Ok(self.caller.require_visible(kind).map_err(Refusal::from)?)
    }

    /// A parameter of the page's address, if it is not empty.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = url::form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        let mut values = pairs.filter(|(key, value)| key == name && !value.is_empty());
        values.next().map(|(_, value)| value.trim().to_owned())
    }

    /// Page of a list, from the query.
    pub(super) fn page(&self) -> PageRequest {
        PageRequest {
            after: self.query("cursor").and_then(|cursor| cursor.parse().ok()),
            limit: ROWS_OF_A_PAGE,
        }
    }

    /// Layout for a page of this viewer.
    pub(super) fn frame(
        &self,
        dashboard: &DashboardState,
        section: &'static str,
        title: impl Into<String>,
    ) -> Frame {
        let settings = &dashboard.node.settings;
        Frame {
            title: title.into(),
            section,
            csrf: self.csrf.clone(),
            can_write: self.caller.may(Right::Write),
            is_admin: self.caller.admin,
            is_open: self.is_open,
            has_inspector: dashboard.node.inspector.is_some(),
            has_simulator: settings.dashboard.simulator,
            is_masked: !settings.mask.is_nothing(),
            version: assets::version(),
            flash: self.query("flash").and_then(|word| Flash::of(&word)),
            error: None,
        }
    }
}

impl FromRequestParts<SharedState> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, dashboard: &SharedState) -> Result<Self, Response> {
        let viewer = Self::of(parts, dashboard).await?;
        let place = dashboard
            .node
            .shares
            .place_to_read(viewer.caller.company_id)
            .await;
        let place = place.map_err(|busy| PageError::from(Refusal::from(busy)).into_response())?;
        Ok(Self {
            _place: Some(Arc::new(place)),
            ..viewer
        })
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

fn to_sign_in(uri: &Uri) -> Response {
    let wanted = uri.path_and_query().map_or("", |path| path.as_str());
    let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    Redirect::to(&format!("/dashboard/sign-in?next={next}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

    fn session(token: &str) -> Session {
        Session::of(token, &token::tests::key(7, "shk_one"), NOW, NOW)
    }

    #[test]
    fn a_session_ends_when_nobody_looks_or_when_it_is_ended() {
        let sessions = Sessions::default();
        let token = "a token";
        let kept = sessions.begin(session(token)).kept;
        assert!(sessions.find(token, NOW.plus(IDLE_FOR / 2)).is_some());
        assert!(
            sessions.find(token, NOW.plus(IDLE_FOR)).is_some(),
            "it was used in between"
        );
        assert!(sessions.find(token, NOW.plus(IDLE_FOR * 2)).is_none());
        sessions.begin(session(token));
        sessions.forget(kept);
        assert!(sessions.find(token, NOW).is_none());
    }

    #[test]
    fn there_are_not_more_sessions_than_may_be() {
        let sessions = Sessions::default();
        for number in 0..MOST_SESSIONS + 10 {
            sessions.begin(session(&number.to_string()));
        }
        assert_eq!(sessions.known.lock().len(), MOST_SESSIONS);
    }
}
