//! Probes of a diagnosis: an event in some shape, and the style of the request. The requests themselves are
//! made by `request`.

use switchhook_domain::Kind;

/// Style of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestStyle {
    /// As Dialpad sends it: the token, or JSON without a secret, and no headers of Switchhook.
    AsDialpad,
    /// The same body under another content type.
    As(&'static str),
    /// With the headers of Switchhook.
    Labelled,
    /// As JSON, although there is a secret.
    Plain,
    /// As JSON, with a signature in this header.
    Header(&'static str, HeaderForm),
    /// As JSON, with a signature in each such header.
    AllHeaders,
}

/// Value of a header that a receiver may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderForm {
    /// The signature of the JSON in hexadecimal.
    Hexadecimal,
    Base64,
    /// `sha256=` and hexadecimal, as GitHub has it.
    Sha256,
    /// The secret itself.
    Secret,
    Bearer,
    /// In hexadecimal, and the body is the token.
    Token,
}

/// Names that receivers have been seen to wait for. No phone system sends one of them.
pub(super) const HEADERS: [&str; 11] = [
    "X-Dialpad-Signature",
    "Dialpad-Signature",
    "X-Dialpad-Signature-256",
    "X-Dialpad-Webhook-Signature",
    "X-Webhook-Signature",
    "X-Signature",
    "X-Hub-Signature-256",
    "X-Webhook-Secret",
    "X-Dialpad-Secret",
    "X-Dialpad-Token",
    "Authorization",
];

/// Contents of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A call event.
    Event(EventShape),
    /// A call event that is counted before its repeat.
    Counted(EventShape),
    /// The same event again.
    Repeat(EventShape),
    /// An event of another kind.
    Kind(Kind),
    /// A forged event.
    Forged(Forgery),
    /// A broken body.
    Broken(BrokenBody),
    /// An event in an invented format.
    Invented(&'static str),
}

/// A call event, genuine in every shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventShape {
    /// With the members of the published contract, none of them null.
    Documented,
    /// As accounts send it: null, `{}` and `[]` for what is absent.
    Nulls,
    /// With members that no document lists.
    MoreMembers,
    /// In a state that is not documented.
    NewState,
    /// With durations that have a fraction.
    Fractions,
    /// With ids that do not fit a double.
    LargeIds,
}

impl EventShape {
    pub(super) const ALL: [Self; 6] = [
        Self::Documented,
        Self::Nulls,
        Self::MoreMembers,
        Self::NewState,
        Self::Fractions,
        Self::LargeIds,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    OtherSecret,
    ChangedPayload,
    AlgorithmNone,
    Plain,
}

impl Forgery {
    pub(super) const ALL: [Self; 4] = [
        Self::OtherSecret,
        Self::ChangedPayload,
        Self::AlgorithmNone,
        Self::Plain,
    ];

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::OtherSecret => "an event that is signed with another secret",
            Self::ChangedPayload => "an event that was changed after it was signed",
            Self::AlgorithmNone => "a token without a signature (algorithm `none`)",
            Self::Plain => "an event that is not signed at all",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokenBody {
    Empty,
    Truncated,
}

impl BrokenBody {
    pub(super) const ALL: [Self; 2] = [Self::Empty, Self::Truncated];

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Empty => "an empty body",
            Self::Truncated => "a body that breaks off",
        }
    }
}

/// A format that no phone system sends.
pub(super) struct InventedFormat {
    /// Name of the event in the body.
    pub(super) name: &'static str,
    /// Member with the name.
    pub(super) member: &'static str,
    /// Member with the event.
    pub(super) inner: &'static str,
}

pub(super) const INVENTED: [InventedFormat; 5] = [
    invented("call.ended", "event", "data"),
    invented("call.completed", "type", "payload"),
    invented("call_ended", "event_type", "data"),
    invented("call.hangup", "event_type", "call"),
    invented("call.missed", "event", "call"),
];

const fn invented(name: &'static str, member: &'static str, inner: &'static str) -> InventedFormat {
    InventedFormat { name, member, inner }
}

impl HeaderForm {
    pub(super) const ALL: [Self; 6] = [
        Self::Hexadecimal,
        Self::Base64,
        Self::Sha256,
        Self::Secret,
        Self::Bearer,
        Self::Token,
    ];
}
