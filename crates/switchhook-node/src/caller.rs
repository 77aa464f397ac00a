//! Who asks, and what they may do: every verb of a node takes a caller and refuses one who may not.
//!
//! How a caller is found (keys, sessions) is up to who talks to them.

use std::fmt;

use switchhook_domain::Kind;
use switchhook_domain::clearance::{Clearance, Missing};
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::{ApiKey, Right, Rights};
use switchhook_domain::scope::Scopes;

/// The caller may not do this. Says what is missing and how to get it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forbidden(pub String);

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub key_id: KeyId,
    pub company_id: CompanyId,
    /// Whether everything of the company is open to it.
    pub admin: bool,
    /// What else it may do.
    pub rights: Rights,
    /// What it and its subscriptions may see.
    pub scopes: Scopes,
}

impl Caller {
    /// Who has a key.
    pub fn of(key: &ApiKey) -> Self {
        let &ApiKey {
            id,
            company_id,
            admin,
            rights,
            scopes,
            ..
        } = key;
        Self {
            key_id: id,
            company_id,
            admin,
            rights,
            scopes,
        }
    }

    pub fn may(self, right: Right) -> bool {
        self.admin || self.rights.has(right)
    }

    /// Refuses a caller who may not.
    ///
    /// # Errors
    /// In words for a person.
    pub fn require(self, right: Right) -> Result<Self, Forbidden> {
        if self.may(right) {
            return Ok(self);
        }
        Err(Forbidden(format!(
            "this key may not {right}: make one with `switchhook keys create --rights {right}`",
            right = right.as_str()
        )))
    }

    /// What of its company's events it may see.
    pub const fn clearance(self) -> Clearance {
        Clearance {
            admin: self.admin,
            scopes: self.scopes,
        }
    }

    /// Refuses a caller who may not see events of this kind.
    pub fn require_sight(self, kind: Kind) -> Result<(), Forbidden> {
        let seen = self.clearance().sees(kind);
        seen.map_err(|missing| uncleared(format_args!("{kind} events"), missing))
    }

    /// Refuses a caller without an admin's key.
    pub fn require_admin(self, what: &str) -> Result<(), Forbidden> {
        if self.admin {
            return Ok(());
        }
        Err(Forbidden(format!(
            "{what} need an admin's key: make a key with `switchhook keys create --admin`"
        )))
    }
}

/// The refusal of what a key is not cleared for. `what` is plural.
pub fn uncleared(what: impl fmt::Display, missing: Missing) -> Forbidden {
    Forbidden(format!(
        "{what} need {missing}: make a key with `switchhook keys create {}`",
        missing.options()
    ))
}
