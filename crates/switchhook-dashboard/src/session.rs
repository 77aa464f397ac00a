//! Who is signed in: with an API key, by a cookie that scripts and other sites never get to see.
//!
//! The key itself is not kept, only its hash, and it is looked up again at every page: a revoked key is out within a
//! second. Sessions are in memory; a node that does not know one takes it up from its cookie (`session/token.rs`), for
//! [`IDLE_FOR`] from its beginning. Those that were signed out of are in the store, so that no node takes them up again. In
//! `dev` everybody on this machine is signed in; then the `Host` must be this machine's, so that no name that leads here can
//! be used by another site.

mod filled;
mod sign_in;
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

pub(super) use self::filled::Filled;
pub(super) use self::sign_in::{ask, sign_in, sign_out};
use self::site::check_host;
use super::page::{Frame, Said, Trouble};
use super::{Desk, SharedDesk, assets};
use switchhook_node::caller::Caller;
use switchhook_node::callers::NoCaller;
use switchhook_node::keys;
use switchhook_node::refusal::Refusal;
use switchhook_node::sight::Sight;
use switchhook_web::observing::Asker;

const COOKIE_NAME: &str = "switchhook_session";

/// How long somebody stays signed in without looking at a page.
const IDLE_FOR: Duration = Duration::from_secs(12 * 3_600);

/// How many may be signed in at once.
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
async fn current(desk: &Desk, token: &str) -> Result<Option<Session>, Trouble> {
    let session = match desk.sessions.find(token, desk.node.clock.now()) {
        Some(session) => Some(session),
        None => take_up(desk, token).await?,
    };
    let Some(session) = session else { return Ok(None) };
    let ended = desk.node.store.ended_sessions(vec![session.kept]).await?;
    if ended.is_empty() {
        return Ok(Some(session));
    }
    desk.sessions.forget(session.kept);
    Ok(None)
}

/// The session of a token that another node made, or this one in an earlier life.
async fn take_up(desk: &Desk, token: &str) -> Result<Option<Session>, Trouble> {
    let Some(id) = token::claimed_key(token) else {
        return Ok(None);
    };
    let found = desk.node.store.keys(vec![id]).await?;
    let Some(key) = found.first() else {
        return Ok(None);
    };
    let now = desk.node.clock.now();
    let began_at = token::open(token, key).filter(|at| now.since(*at) < IDLE_FOR);
    let begin = |at| desk.sessions.begin(Session::of(token, key, at, now));
    Ok(began_at.map(begin))
}

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) caller: Caller,
    /// In which session; none where nobody needs to sign in.
    pub(super) session: Option<KeptSession>,
    pub(super) csrf: String,
    /// Whether nobody needs to sign in.
    pub(super) is_open: bool,
    query: Option<String>,
    /// Among those of the company that read.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Visitor {
    async fn of(parts: &Parts, desk: &Desk) -> Result<Self, Response> {
        let query = parts.uri.query().map(ToOwned::to_owned);
        let (key_hash, csrf, session) = match desk.node.settings.dashboard.open_with {
            Some(key_hash) => {
                check_host(&parts.headers).map_err(IntoResponse::into_response)?;
                (key_hash, desk.sessions.open_csrf.clone(), None)
            }
            None => {
                let token = cookie(&parts.headers).ok_or_else(|| to_sign_in(&parts.uri))?;
                let session = current(desk, token).await.map_err(IntoResponse::into_response)?;
                let session = session.ok_or_else(|| to_sign_in(&parts.uri))?;
                (session.key_hash, session.csrf, Some(session.kept))
            }
        };
        let found = desk.node.callers.find(key_hash).await;
        let caller = found.map_err(|nobody| match nobody {
            NoCaller::Store(error) => Trouble::from(error).into_response(),
            _ => to_sign_in(&parts.uri),
        })?;
        Asker::note(&parts.extensions, caller.company_id);
        if !caller.may(Right::Read) {
            let message = "This key may not look at anything: sign in with one that has the right `read`.";
            return Err(Trouble::new(StatusCode::FORBIDDEN, message).into_response());
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
    pub(super) fn must_write(&self) -> Result<(), Trouble> {
        if self.caller.may(Right::Write) {
            return Ok(());
        }
        let message = "This key may look, but not change anything.";
        Err(Trouble::new(StatusCode::FORBIDDEN, message))
    }

    /// What of events is shown.
    pub(super) fn sight(&self, desk: &Desk) -> Sight {
        Sight::of(self.caller, &desk.node)
    }

    /// Refuses who may not see events of this kind.
    pub(super) fn must_see(&self, kind: Kind) -> Result<(), Trouble> {
        Ok(self.caller.require_sight(kind).map_err(Refusal::from)?)
    }

    /// A parameter of the page's address, if it is not empty.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = url::form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes());
        let mut values = pairs.filter(|(key, value)| key == name && !value.is_empty());
        values.next().map(|(_, value)| value.trim().to_owned())
    }

    /// Which page of a list the address wants.
    pub(super) fn page(&self, limit: u32) -> PageRequest {
        PageRequest {
            after: self.query("cursor").and_then(|cursor| cursor.parse().ok()),
            limit,
        }
    }

    /// What is around a page that they look at.
    pub(super) fn frame(&self, desk: &Desk, section: &'static str, title: impl Into<String>) -> Frame {
        let settings = &desk.node.settings.dashboard;
        Frame {
            title: title.into(),
            section,
            csrf: self.csrf.clone(),
            can_write: self.caller.may(Right::Write),
            is_admin: self.caller.admin,
            is_open: self.is_open,
            has_inspector: desk.node.inspector.is_some(),
            has_simulator: settings.simulator,
            is_masked: !settings.mask.is_nothing(),
            version: assets::version(),
            said: self.query("said").and_then(|word| Said::of(&word)),
            trouble: None,
        }
    }
}

impl FromRequestParts<SharedDesk> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &SharedDesk) -> Result<Self, Response> {
        let visitor = Self::of(parts, desk).await?;
        let place = desk.node.shares.place_to_read(visitor.caller.company_id).await;
        let place = place.map_err(|busy| Trouble::from(Refusal::from(busy)).into_response())?;
        Ok(Self {
            _place: Some(Arc::new(place)),
            ..visitor
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
