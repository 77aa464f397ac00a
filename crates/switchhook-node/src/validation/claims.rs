//! Members of an event that JWT libraries take for their own.
//!
//! A signed event's claims are the event and nothing else, so that a member named `exp` is the token's end to every library
//! that looks for one. No kind of event has such members; somebody's own events may.

use switchhook_protocol::Outline;

use super::Deviation;

/// The registered claims (RFC 7519 §4.1), and what a library takes each for.
const REGISTERED: [(&str, &str); 7] = [
    ("aud", "whom the token is for"),
    ("exp", "the end of the token"),
    ("iat", "when the token was issued, in seconds"),
    ("iss", "who issued the token"),
    ("jti", "the token's id, a text"),
    ("nbf", "the beginning of the token"),
    ("sub", "whom the token is about, a text"),
];

/// True if the event has any note.
pub(super) fn has_mistakable(event: &Outline<'_>) -> bool {
    // Most names have another length.
    let is_registered = |name: &str| name.len() == 3 && REGISTERED.iter().any(|(other, _)| *other == name);
    event.root().members().any(|(name, _)| is_registered(&name))
}

/// A note for each member of the event that has the name of a registered claim.
pub(super) fn mistakable(event: &Outline<'_>) -> impl Iterator<Item = Deviation> {
    let is_member = |name: &str| event.root().members().any(|(other, _)| other == name);
    REGISTERED
        .into_iter()
        .filter(move |(name, _)| is_member(name))
        .map(|(name, taken_for)| Deviation {
            pointer: format!("/{name}"),
            message: format!(
                "JWT libraries take this for {taken_for}, and many will refuse the signed event: give it another name"
            ),
            is_certain: false,
        })
}
