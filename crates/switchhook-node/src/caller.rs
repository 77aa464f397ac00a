//! The caller of a verb and its rights: every verb takes one, and refuses one that lacks a right.
//!
//! Finding the caller (by key or session) is up to the API and the dashboard.

use std::fmt;

use switchhook_domain::Kind;
use switchhook_domain::clearance::{Clearance, MissingClearance};
use switchhook_domain::id::{CompanyId, KeyId};
use switchhook_domain::key::{ApiKey, Right, Rights};
use switchhook_domain::scope::Scopes;

/// The caller may not do this. Says what is missing and how to get it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Forbidden(pub String);

/// Authenticated caller, as its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub key_id: KeyId,
    pub company_id: CompanyId,
    /// True if it may use everything of its company.
    pub admin: bool,
    /// Rights beyond that.
    pub rights: Rights,
    /// Scopes of its own, and the most that its subscriptions may have.
    pub scopes: Scopes,
}

impl Caller {
    /// Caller with this key.
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

    /// Kinds and parts of the company's events that it may see.
    pub const fn clearance(self) -> Clearance {
        Clearance {
            admin: self.admin,
            scopes: self.scopes,
        }
    }

    /// Refuses a caller who may not see events of this kind.
    pub fn require_visible(self, kind: Kind) -> Result<(), Forbidden> {
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
pub fn uncleared(what: impl fmt::Display, missing: MissingClearance) -> Forbidden {
    Forbidden(format!(
        "{what} need {missing}: make a key with `switchhook keys create {}`",
        missing.options()
    ))
}
