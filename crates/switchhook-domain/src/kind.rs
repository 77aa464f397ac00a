//! Kinds: what our rules say of each, in one table. What a kind is called and how its payloads look is the protocol's.

use switchhook_protocol::Kind;

use crate::clearance::Clearance;
use crate::redaction::Hidden;
use crate::scope::{Scope, Scopes};

/// What the rules say of a kind.
#[derive(Debug)]
pub struct Rules {
    /// What it takes to see that there are events of the kind.
    pub clearance: Clearance,
    /// What can be taken out of its events.
    pub hides: Hidden,
    /// The scope that shows what can be taken out, of the whole company.
    pub shown_by: Option<Scope>,
    /// Whether a subscription to it can be narrowed to a target.
    pub has_target: bool,
    /// After how many milliseconds the profile `dialpad` sends it again after the first, second, … 5xx.
    pub dialpad_retries_ms: &'static [u64],
}

/// What the rules say of a kind.
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
