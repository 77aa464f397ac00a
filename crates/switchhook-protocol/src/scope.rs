//! Scopes: what a key, and so every subscription it makes, may see of the events.
//!
//! Names and effects are Dialpad's; which kind needs which is in the table of kinds. Removing what a scope hides from an event's bytes
//! is the domain's.

use std::fmt;
use std::str::FromStr;

use crate::spelled_enum;
use crate::spelling::UnknownWord;
use serde::{Deserialize, Serialize};

spelled_enum! {
    /// One permission beyond the ordinary.
    pub enum Scope: "scope" {
        ChangeLog = "change_log",
        RecordingsExport = "recordings_export",
        MessageContentExport = "message_content_export",
        MessageContentExportAll = "message_content_export:all",
    }
}

impl Scope {
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Sentence on what it shows.
    #[must_use]
    pub const fn shows(self) -> &'static str {
        match self {
            Self::ChangeLog => "change logs, with an admin key",
            Self::RecordingsExport => "links to recordings and voicemails",
            Self::MessageContentExport => "text of messages, for subscriptions with a target",
            Self::MessageContentExportAll => "text of all messages",
        }
    }
}

/// A set of scopes; its text form is a comma-separated list of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Scopes(u8);

impl Scopes {
    pub const NONE: Self = Self(0);

    pub const ALL: Self = Self((1 << Scope::ALL.len()) - 1);

    /// The set with `scope` in it.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// The set with `scope` not in it.
    #[must_use]
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !scope.bit())
    }

    /// True if `scope` is in the set.
    #[must_use]
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes in the set.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Scopes {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::parse::<Scope>).collect()
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

impl TryFrom<String> for Scopes {
    type Error = UnknownWord;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_what_they_print() {
        for bits in 0..16 {
            let scopes = Scopes(bits);
            assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
    }

    #[test]
    fn an_unknown_scope_is_named() {
        let error = "change_log,calls".parse::<Scopes>().unwrap_err();
        assert!(error.to_string().contains("`calls`"), "{error}");
    }
}
