//! Clearance by kind: what somebody may see of the events of each, by the table of kinds.

use switchhook_protocol::Kind;

use crate::clearance::{Clearance, MissingClearance};
use crate::redaction::Hidden;
use crate::scope::{Scope, Scopes};

impl Hidden {
    /// Parts of the kind's events that can be hidden.
    const fn possible(kind: Kind) -> Self {
        match kind.content_scope() {
            Some(scope) => Self::by_scopes(Scopes::ALL.without(scope)),
            None => Self::NOTHING,
        }
    }
}

impl Clearance {
    /// Clearance needed to see that there are events of this kind.
    #[must_use]
    pub const fn for_kind(kind: Kind) -> Self {
        Self {
            admin: kind.needs_admin(),
            scopes: kind.needed_scopes(),
        }
    }

    /// Clearance needed to see events of this kind with only `hidden` removed.
    #[must_use]
    pub fn for_content(kind: Kind, hidden: Hidden) -> Self {
        let is_shown = hidden.and(Hidden::possible(kind)).is_nothing();
        Self::for_kind(kind).with(kind.content_scope().filter(|_| is_shown))
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
        Hidden::by_scopes(self.scopes).and(Hidden::possible(kind))
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
