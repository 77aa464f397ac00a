//! Detection of an event's kind from its shape, since a body carries no label.

use crate::kind::Kind;
use crate::outline::Outline;

/// Tells an event's kind by its shape, since a body carries no label. `None` if it has none of the five shapes.
///
/// The signs are keys that Dialpad's payloads always hold, even when their value is null.
#[must_use]
pub fn recognize_kind(body: &[u8]) -> Option<Kind> {
    shapes_of(&Outline::read(body).ok()?).next()
}

/// The kind whose shape an event has, if it has not that of the kind that it is said to be.
///
/// ```
/// use switchhook_protocol::{Kind, kind_instead_of};
///
/// let body = br#"{"on_duty_status": "busy"}"#;
/// assert_eq!(kind_instead_of(Kind::Call, body), Some(Kind::AgentStatus));
/// assert_eq!(kind_instead_of(Kind::AgentStatus, body), None);
/// ```
#[must_use]
pub fn kind_instead_of(kind: Kind, body: &[u8]) -> Option<Kind> {
    Outline::read(body).ok()?.kind_instead_of(kind)
}

impl Outline<'_> {
    /// The kind whose shape the event has, if it has not that of the kind that it is said to be: [`kind_instead_of`].
    #[must_use]
    pub fn kind_instead_of(&self, kind: Kind) -> Option<Kind> {
        let mut others = shapes_of(self);
        let surest = others.next()?;
        (surest != kind && others.all(|other| other != kind)).then_some(surest)
    }
}

/// The kinds whose shapes an event has, surest first.
fn shapes_of(outline: &Outline<'_>) -> impl Iterator<Item = Kind> + use<> {
    let seen = signs_in(outline);
    let is_complete = |(kind, seen): &(Kind, u8)| seen.count_ones() as usize == kind.signs().len();
    Kind::ALL
        .into_iter()
        .zip(seen)
        .filter(is_complete)
        .map(|(kind, _)| kind)
}

/// Signs of each kind that an object has, as bits.
fn signs_in(outline: &Outline<'_>) -> [u8; Kind::ALL.len()] {
    let mut seen = [0_u8; Kind::ALL.len()];
    for (key, _) in outline.root().members() {
        for (seen, kind) in seen.iter_mut().zip(Kind::ALL) {
            for (bit, sign) in kind.signs().iter().enumerate() {
                *seen |= u8::from(*sign == key) << bit;
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_its_shape() {
        for (body, kind) in [
            (r#"{"call_id":1,"state":"hangup","contact":{}}"#, Some(Kind::Call)),
            (r#"{"state":null,"call_id":null}"#, Some(Kind::Call)),
            (r#"{"from_number":"+15550100","to_number":[]}"#, Some(Kind::Sms)),
            (r#"{"on_duty_status":"busy"}"#, Some(Kind::AgentStatus)),
            (r#"{"event":"Created","contact":{"id":"1"}}"#, Some(Kind::Contact)),
            (
                r#"{"action":"updated_ivr","changed_by":null}"#,
                Some(Kind::Changelog),
            ),
            (r#"{"call_id":1,"call_id":2}"#, None),
            ("{}", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(recognize_kind(body.as_bytes()), kind, "{body}");
        }
    }

    #[test]
    fn a_wrong_kind_is_told_from_an_event_that_has_two_shapes() {
        for (kind, body, other) in [
            (Kind::Call, r#"{"call_id":1,"state":"hangup"}"#, None),
            (Kind::Sms, r#"{"call_id":1,"state":"hangup"}"#, Some(Kind::Call)),
            (
                Kind::Contact,
                r#"{"call_id":1,"state":"hangup","contact":{}}"#,
                Some(Kind::Call),
            ),
            (
                Kind::Sms,
                r#"{"call_id":1,"state":"hangup","from_number":"","to_number":[]}"#,
                None,
            ),
            (Kind::Sms, r#"{"call_id":1}"#, None),
            (Kind::Call, "nonsense", None),
        ] {
            assert_eq!(kind_instead_of(kind, body.as_bytes()), other, "{kind}: {body}");
        }
    }
}
