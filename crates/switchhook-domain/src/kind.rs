//! Kinds: what our rules say of each, in one table. What a kind is called and how its payloads look is the protocol's.

use switchhook_protocol::Kind;

use crate::clearance::{Clearance, MissingClearance};
use crate::redaction::Hidden;
use crate::scope::{Scope, Scopes};

/// Rules of a kind.
#[derive(Debug)]
pub struct Rules {
    /// Clearance needed to see that there are events of the kind.
    pub clearance: Clearance,
    /// Parts of its events that can be hidden.
    pub hides: Hidden,
    /// The scope that shows what can be taken out, of the whole company.
    pub shown_by: Option<Scope>,
    /// True if its subscriptions can be narrowed to a target.
    pub has_target: bool,
    /// After how many milliseconds the profile `dialpad` sends it again after the first, second, … 5xx.
    pub dialpad_retries_ms: &'static [u64],
}

/// Rules of a kind.
#[must_use]
pub const fn rules(kind: Kind) -> &'static Rules {
    match kind {
        Kind::Call => &CALL,
        Kind::Sms => &SMS,
        Kind::AgentStatus | Kind::Contact => &ADMINS,
        Kind::Changelog => &CHANGELOG,
        Kind::Unknown => &UNKNOWN,
    }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

const CALL: Rules = Rules {
    clearance: Clearance::NONE,
    hides: Hidden {
        recordings: true,
        ..Hidden::NOTHING
    },
    shown_by: Some(Scope::RecordingsExport),
    has_target: true,
    dialpad_retries_ms: &[2 * SECOND, 4 * SECOND, 8 * SECOND],
};

const SMS: Rules = Rules {
    clearance: Clearance::NONE,
    hides: Hidden {
        message_text: true,
        ..Hidden::NOTHING
    },
    shown_by: Some(Scope::MessageContentExportAll),
    has_target: true,
    dialpad_retries_ms: &[
        30 * SECOND,
        MINUTE,
        2 * MINUTE,
        4 * MINUTE,
        8 * MINUTE,
        16 * MINUTE,
        32 * MINUTE,
        60 * MINUTE,
        60 * MINUTE,
        60 * MINUTE,
    ],
};

const ADMINS: Rules = Rules {
    clearance: Clearance::ADMIN,
    hides: Hidden::NOTHING,
    shown_by: None,
    has_target: false,
    dialpad_retries_ms: &[100, 200, 400, 800],
};

const CHANGELOG: Rules = Rules {
    clearance: Clearance {
        admin: true,
        scopes: Scopes::NONE.with(Scope::ChangeLog),
    },
    ..ADMINS
};

/// It may be anything, so it is for those from whom nothing is kept.
const UNKNOWN: Rules = Rules {
    clearance: Clearance::FULL,
    ..ADMINS
};

impl Clearance {
    /// Clearance needed to see that there are events of this kind.
    #[must_use]
    pub const fn for_kind(kind: Kind) -> Self {
        rules(kind).clearance
    }

    /// Clearance needed to see events of this kind with only `hidden` removed.
    #[must_use]
    pub fn for_content(kind: Kind, hidden: Hidden) -> Self {
        let rules = rules(kind);
        let is_shown = hidden.and(rules.hides).is_nothing();
        Self::for_kind(kind).with(rules.shown_by.filter(|_| is_shown))
    }

    /// Checks that events of this kind can be seen at all.
    ///
    /// # Errors
    /// If not, with what is missing.
    pub fn sees(self, kind: Kind) -> Result<(), MissingClearance> {
        self.covers(Self::for_kind(kind))
    }

    /// Parts hidden from somebody who looks at events of this kind.
    ///
    /// Messages are shown only with the scope for the whole company, whichever target an event is about.
    #[must_use]
    pub fn hidden(self, kind: Kind) -> Hidden {
        Hidden::by_scopes(self.scopes).and(rules(kind).hides)
    }

    /// Parts hidden from a subscription to this kind: it may have a target, so for messages either scope shows their
    /// text.
    #[must_use]
    pub fn hidden_by_subscription(self, kind: Kind) -> Hidden {
        let hidden = self.hidden(kind);
        Hidden {
            message_text: hidden.message_text && !self.has(Scope::MessageContentExport),
            ..hidden
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clearance(text: &str) -> Clearance {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_looked_at_is_bounded_by_the_scopes_of_the_kind() {
        let all = Hidden::NOTHING;
        let recordings = Hidden {
            recordings: true,
            ..all
        };
        let message_text = Hidden {
            message_text: true,
            ..all
        };
        for (text, kind, hidden) in [
            ("", Kind::Call, recordings),
            ("admin", Kind::Call, recordings),
            ("recordings_export", Kind::Call, all),
            ("recordings_export", Kind::Sms, message_text),
            ("message_content_export", Kind::Sms, message_text),
            ("message_content_export:all", Kind::Sms, all),
            ("admin", Kind::Contact, all),
        ] {
            assert_eq!(clearance(text).hidden(kind), hidden, "{text} at {kind}");
        }
    }
}
