//! Clearance: what of its company's events a key may see, and so what it may send anywhere.
//!
//! What each kind takes to be seen is in the table of `kind.rs`, what goes somewhere takes is `traffic.rs`; scopes show what they
//! show, to admins too. Taking out of an event what a clearance does not show is `redaction.rs`; who has which is said by the keys
//! (`key.rs`).

use std::fmt;
use std::str::FromStr;

use switchhook_protocol::UnknownWord;

use crate::scope::{Scope, Scopes};

/// Clearance: what somebody may see of a company's events. The default is calls and messages without recordings and
/// texts.
///
/// Its text form is a comma-separated list: `admin` and the names of scopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Clearance {
    /// True for an admin's.
    pub admin: bool,
    pub scopes: Scopes,
}

const ADMIN: &str = "admin";

impl Clearance {
    /// Calls and messages without recordings and texts.
    pub const NONE: Self = Self {
        admin: false,
        scopes: Scopes::NONE,
    };

    /// An admin's, without any scope.
    pub const ADMIN: Self = Self {
        admin: true,
        ..Self::NONE
    };

    /// Nothing is kept from it.
    pub const FULL: Self = Self {
        admin: true,
        scopes: Scopes::ALL,
    };

    pub(crate) fn with(self, scope: Option<Scope>) -> Self {
        Self {
            scopes: self.scopes.union(scope.into_iter().collect()),
            ..self
        }
    }

    pub(crate) fn has(self, scope: Scope) -> bool {
        let has_more =
            scope == Scope::MessageContentExport && self.scopes.has(Scope::MessageContentExportAll);
        has_more || self.scopes.has(scope)
    }

    /// Checks that it includes `needed`.
    ///
    /// # Errors
    /// If it does not, with what is missing.
    pub fn covers(self, needed: Self) -> Result<(), MissingClearance> {
        let missing = Self {
            admin: needed.admin && !self.admin,
            scopes: needed.scopes.iter().filter(|scope| !self.has(*scope)).collect(),
        };
        if missing == Self::default() {
            Ok(())
        } else {
            Err(MissingClearance {
                lacking: missing,
                needed,
            })
        }
    }
}

/// Clearance that a key lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct MissingClearance {
    lacking: Clearance,
    needed: Clearance,
}

impl fmt::Display for MissingClearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clearance { admin, scopes } = self.lacking;
        let names: Vec<_> = scopes.iter().map(Scope::as_str).collect();
        let scopes = match names.len() {
            0 => String::new(),
            1 => format!("the scope {}", names[0]),
            _ => format!("the scopes {}", names.join(", ")),
        };
        match (admin, scopes.as_str()) {
            (true, "") => f.write_str("an admin's key"),
            (true, scopes) => write!(f, "an admin's key and {scopes}"),
            (false, scopes) => f.write_str(scopes),
        }
    }
}

impl MissingClearance {
    /// Options of the command that creates a sufficient key, which repeat what the key has.
    #[must_use]
    pub fn options(self) -> String {
        let Clearance { admin, scopes } = self.needed;
        let admin = admin.then(|| "--admin".to_owned());
        let scopes = (scopes != Scopes::NONE).then(|| format!("--scopes {scopes}"));
        admin.into_iter().chain(scopes).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Clearance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let admin = self.admin.then_some(ADMIN);
        let names: Vec<_> = admin
            .into_iter()
            .chain(self.scopes.iter().map(Scope::as_str))
            .collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Clearance {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let (admin, scopes): (Vec<_>, Vec<_>) = text.split(',').partition(|name| *name == ADMIN);
        Ok(Self {
            admin: !admin.is_empty(),
            scopes: scopes.join(",").parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use switchhook_protocol::Kind;

    use super::*;

    fn clearance(text: &str) -> Clearance {
        text.parse().unwrap()
    }

    #[test]
    fn a_clearance_reads_back_what_it_prints_and_the_full_one_covers_all() {
        for text in [
            "",
            "admin",
            "recordings_export",
            "admin,change_log,message_content_export:all",
        ] {
            assert_eq!(clearance(text).to_string(), text);
            assert_eq!(Clearance::FULL.covers(clearance(text)), Ok(()));
        }
        let missing = Clearance::default().covers(Clearance::FULL).unwrap_err();
        assert_eq!(
            missing.options(),
            "--admin --scopes change_log,recordings_export,message_content_export,message_content_export:all"
        );
        // A key with what is lacking alone would lack what the other one has.
        let missing = Clearance::ADMIN
            .covers(Clearance::for_kind(Kind::Changelog))
            .unwrap_err();
        assert_eq!(missing.to_string(), "the scope change_log");
        assert_eq!(missing.options(), "--admin --scopes change_log");
        assert!("calls".parse::<Clearance>().is_err());
    }
}
