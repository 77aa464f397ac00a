//! API keys: whose they are and what they may do. The key itself is never here, only its hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use switchhook_protocol::{Timestamp, UnknownWord, spelled_enum};

use crate::id::{CompanyId, KeyId};
use crate::scope::Scopes;

spelled_enum! {
    /// Right of a key within its company.
    pub enum Right: "right" {
        /// As far as its clearance goes.
        Read = "read",
        Write = "write",
        Ingest = "ingest",
    }
}

impl Right {
    /// Sentence on what it allows.
    #[must_use]
    pub const fn allows(self) -> &'static str {
        match self {
            Self::Read => "look at webhooks, events and deliveries",
            Self::Write => "change webhooks, subscriptions and deliveries",
            Self::Ingest => "send events in",
        }
    }
}

spelled_enum! {
    /// State of a key, by which it opens something or nothing.
    pub enum KeyState: "state of a key" {
        Valid = "valid",
        Revoked = "revoked",
        Expired = "expired",
    }
}

/// A set of rights; its text form is a comma-separated list of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Rights(u8);

impl Rights {
    /// Everything that is no admin's: what a key gets unless told otherwise.
    #[must_use]
    pub fn all() -> Self {
        Right::ALL.into_iter().collect()
    }

    /// True if `right` is in the set.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u8) != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | 1 << right as u8))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Right::ALL
            .into_iter()
            .filter(|r| self.has(*r))
            .map(Right::as_str)
            .collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Rights {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|name| name.trim().parse::<Right>()).collect()
    }
}

impl From<Rights> for String {
    fn from(rights: Rights) -> Self {
        rights.to_string()
    }
}

impl TryFrom<String> for Rights {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Stored data of an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The key's id: what `keys list` shows and `keys revoke` takes.
    pub id: KeyId,
    pub company_id: CompanyId,
    /// Display name.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// True if it may use everything of its company.
    pub admin: bool,
    /// Rights of a key that is no admin's.
    pub rights: Rights,
    /// Scopes of the key, and the most that its subscriptions may have.
    pub scopes: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// Last use, to within some minutes.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Admin key that may do and see everything of its company, and does not expire.
    #[must_use]
    pub fn of_admin(id: KeyId, company_id: CompanyId, name: &str, hash: [u8; 32], now: Timestamp) -> Self {
        Self {
            id,
            company_id,
            name: name.to_owned(),
            hash,
            admin: true,
            rights: Rights::all(),
            scopes: Scopes::ALL,
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> KeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyState::Revoked,
            (None, Some(end)) if end <= now => KeyState::Expired,
            (None, _) => KeyState::Valid,
        }
    }

    /// State of the key at `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.state_at(now) == KeyState::Valid
    }

    /// True if the key has this right.
    #[must_use]
    pub const fn may(&self, right: Right) -> bool {
        self.admin || self.rights.has(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_read_back_what_they_print() {
        assert_eq!(
            "read,ingest".parse::<Rights>().map(|r| r.to_string()),
            Ok("read,ingest".to_owned())
        );
        assert!(
            "".parse::<Rights>().is_err(),
            "a key without any right is a mistake"
        );
    }
}
