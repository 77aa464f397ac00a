//! Sources: where events come in from outside, such as the webhook of an account in the phone system.
//!
//! Owns the object, how a change applies, and what is kept of what a source did not take. How a request is checked is
//! ingest's.

use std::time::Duration;

use switchhook_protocol::{Kind, StandardHeaders, Timestamp};

use crate::id::{CompanyId, RefusalId, SourceId};
use crate::secret::Secret;
use crate::webhook::{OldSecret, replace_secret, valid_secrets};

/// Unguessable URL at which events come in from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    pub id: SourceId,
    pub company_id: CompanyId,
    /// Display name.
    pub name: String,
    /// Kind of its events, if all are of one kind; otherwise each is detected from its shape.
    pub kind: Option<Kind>,
    /// SHA-256 of the token in its address. The token is nowhere.
    pub token_hash: [u8; 32],
    /// With a secret only what is signed with it is taken, without one only plain JSON.
    pub secret: Option<Secret>,
    /// The secrets before it that still count, the newest last.
    pub old_secrets: Vec<OldSecret>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A change to a source: outer `None` leaves as it is, `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceChange {
    /// New name.
    pub name: Option<String>,
    /// Another kind, or whatever the shape tells.
    pub kind: Option<Option<Kind>>,
    /// A new secret, or none any more.
    pub secret: Option<Option<Secret>>,
    /// Until when the secret that is replaced still counts; `None` forgets it at once.
    pub old_secret_until: Option<Timestamp>,
}

/// Refused request of a source, kept so that people can see what was wrong, and accept it after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its id; refusals are listed by it, newest first.
    pub id: RefusalId,
    pub source_id: SourceId,
    pub refused_at: Timestamp,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Reason, for people.
    pub reason: String,
    /// Content type, as the sender says.
    pub content_type: Option<String>,
    /// Signature in its headers, if there was one.
    pub signature: Option<StandardHeaders>,
    /// Size of its body.
    pub body_bytes: u32,
    /// These bytes; in a list only the first [`REFUSAL_HEAD`] of them.
    pub body: Vec<u8>,
}

/// A source that refused something lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentRefusals {
    pub source_id: SourceId,
    /// Display name.
    pub name: String,
    /// Number of refused requests, up to a bound.
    pub count: u32,
    /// Time of the last refusal.
    pub last_at: Timestamp,
    /// The HTTP status that was answered then.
    pub last_status: u16,
    /// Reason of the last refusal, for people.
    pub last_reason: String,
}

/// Bytes of each refusal shown in lists.
pub const REFUSAL_HEAD: usize = 16 * 1024;

/// Bounds on the refusals kept per source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalBounds {
    /// The newest, until they come to so many bytes.
    pub bytes: u64,
    /// None that is older.
    pub age: Duration,
}

impl RefusalBounds {
    /// Some ten thousand events, for long enough that somebody notices and corrects what was wrong.
    pub const DEFAULT: Self = Self {
        bytes: 64 << 20,
        age: Duration::from_secs(30 * 24 * 60 * 60),
    };
}

impl Refusal {
    /// Cost against the bound: its bytes, and what every row takes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let signature = self
            .signature
            .as_ref()
            .map_or(0, |one| one.id.len() + one.signature.len());
        1024 + (self.body.len() + self.reason.len() + signature) as u64
    }
}

impl Source {
    /// The source with `change` made at `now`.
    #[must_use]
    pub fn changed(mut self, change: SourceChange, now: Timestamp) -> Self {
        self.name = change.name.unwrap_or(self.name);
        self.kind = change.kind.unwrap_or(self.kind);
        if let Some(secret) = change.secret {
            let until = change.old_secret_until;
            replace_secret(&mut self.secret, &mut self.old_secrets, secret, until);
        }
        self.old_secrets.retain(|old| old.valid_until > now);
        self.updated_at = now;
        self
    }

    /// The secret and those before it that count at `now`.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        valid_secrets(self.secret.as_ref(), &self.old_secrets, now)
    }
}
