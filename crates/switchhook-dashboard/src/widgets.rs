//! The small things on pages: instants, chips for states and kinds, lengths of time.

use std::fmt::{self, Write};
use std::time::Duration;

use askama::filters::HtmlSafe;
use switchhook_domain::attempt::Failure;
use switchhook_domain::credential::shown_url;
use switchhook_domain::delivery::{Delivery, DeliveryState, WaitingFor};
use switchhook_domain::webhook::{Severity, Webhook};
use switchhook_domain::{Kind, Timestamp};

use super::json_text::escape;
pub(super) use switchhook_node::amounts::many;
use switchhook_node::deliveries::DeliveryStatus;
use switchhook_store::LastAttempt;

/// An instant: in the viewer's zone where there is a script, in UTC where there is none, exact on hover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.to_string();
        let short = exact.get(..19).unwrap_or(&exact).replacen('T', " ", 1);
        write!(
            f,
            r#"<time datetime="{exact}" title="{exact}">{short}&nbsp;UTC</time>"#
        )
    }
}

impl HtmlSafe for Moment {}

/// A sentence of the node's, in which instants are shown like others.
#[derive(Debug, Clone)]
pub(super) struct Sentence(pub(super) String);

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.0.split(' ').enumerate() {
            if place > 0 {
                f.write_char(' ')?;
            }
            let bare = word.trim_end_matches([',', ';', ':', '.', ')']);
            match bare.parse::<Timestamp>() {
                Ok(at) if bare.contains('T') => write!(f, "{}{}", Moment(at), &word[bare.len()..])?,
                _ => write!(f, "{}", escape_html(word))?,
            }
        }
        Ok(())
    }
}

impl HtmlSafe for Sentence {}

fn escape_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    escape(&mut html, text);
    html
}

/// A length of time for people.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0 if length.is_zero() => "0 s".to_owned(),
        0 if length.as_millis() == 0 => format!("{} µs", length.as_micros()),
        0 => format!("{} ms", length.as_millis()),
        1..=9 => format!("{:.1} s", length.as_secs_f64()),
        10..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Formats milliseconds.
pub(super) fn millis(millis: f64) -> String {
    span(Duration::try_from_secs_f64(millis / 1_000.0).unwrap_or(Duration::MAX))
}

/// A row about a delivery.
#[derive(Debug, Clone)]
pub(super) struct DeliveryRow {
    pub(super) id: String,
    pub(super) event_id: String,
    pub(super) webhook_id: String,
    /// URL, or what is known of a deleted webhook.
    pub(super) url: String,
    pub(super) kind: &'static str,
    /// Summary of the event; empty where nobody asked for it.
    pub(super) what: String,
    pub(super) who: String,
    pub(super) state: String,
    /// `good`, `bad`, `wait` or `off`.
    pub(super) tone: &'static str,
    /// Outcome of the last attempt: a status, or that there was no answer.
    pub(super) result: Option<String>,
    pub(super) took: Option<String>,
    pub(super) attempts: u32,
    pub(super) failures: u32,
    pub(super) at: Moment,
    pub(super) due_at: Option<Moment>,
    pub(super) note: Option<String>,
}

impl DeliveryRow {
    pub(super) fn of(
        delivery: &Delivery,
        status: &DeliveryStatus,
        last: Option<&LastAttempt>,
        url: Option<&str>,
    ) -> Self {
        // Only of a planned retry it is known when it is made.
        let due_at = match (delivery.state, status.waiting_for) {
            (DeliveryState::Pending { due_at }, Some(WaitingFor::Retry)) => Some(Moment(due_at)),
            _ => None,
        };
        let webhook_id = delivery.webhook_id.to_string();
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event_id.to_string(),
            url: url.map_or_else(
                || format!("webhook {webhook_id}, deleted"),
                |url| shown_url(url).into_owned(),
            ),
            webhook_id,
            kind: delivery.kind.title(),
            what: String::new(),
            who: String::new(),
            state: status.label.clone(),
            tone: tone(delivery),
            result: last.map(|last| result(last, delivery)),
            took: last.map(|last| span(last.took)),
            attempts: delivery.attempt_number,
            failures: delivery.failures.total(),
            at: Moment(delivery.created_at),
            due_at,
            note: delivery.note.clone(),
        }
    }
}

/// Outcome of a delivery's last attempt: a status, or the reason why there was no answer.
pub(super) fn result(last: &LastAttempt, delivery: &Delivery) -> String {
    match (last.status, delivery.last_failure) {
        (Some(status), _) => status.to_string(),
        (None, Some(Failure::NoAnswer(reason))) => reason.as_str().replace('_', " "),
        (None, _) => "no answer".to_owned(),
    }
}

/// CSS class of a delivery.
pub(super) fn tone(delivery: &Delivery) -> &'static str {
    match delivery.state {
        DeliveryState::Delivered { .. } => "good",
        DeliveryState::Exhausted { .. } if delivery.resolved.is_some() => "off",
        DeliveryState::Exhausted { .. } => "bad",
        DeliveryState::Cancelled { .. } => "off",
        DeliveryState::Pending { .. } if delivery.failures.total() > 0 => "bad",
        DeliveryState::Pending { .. } => "wait",
    }
}

/// The tone of a condition.
pub(super) const fn tone_of(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "good",
        Severity::Waiting => "wait",
        Severity::Wrong => "bad",
    }
}

/// One of the choices of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>, chosen: Option<&str>) -> Self {
        let value = value.into();
        Self {
            is_chosen: chosen == Some(value.as_str()),
            label: label.into(),
            value,
        }
    }
}

/// The kinds of kept events to choose from.
pub(super) fn kinds(chosen: Option<&str>) -> Vec<Choice> {
    choices_of(&Kind::KEPT, chosen)
}

/// The kinds that there are subscriptions to and samples of, to choose from.
pub(super) fn known_kinds(chosen: Option<&str>) -> Vec<Choice> {
    choices_of(&Kind::ALL, chosen)
}

fn choices_of(kinds: &[Kind], chosen: Option<&str>) -> Vec<Choice> {
    let choice = |kind: &Kind| Choice::new(kind.route(), kind.title(), chosen);
    kinds.iter().map(choice).collect()
}

/// The webhooks to choose from.
pub(super) fn webhooks(webhooks: &[Webhook], chosen: Option<&str>) -> Vec<Choice> {
    let all = webhooks.iter();
    all.map(|webhook| Choice::new(webhook.id.to_string(), shown_url(&webhook.hook_url), chosen))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_listed_and_not_subscribed_to() {
        let has_unknown = |kinds: Vec<Choice>| kinds.iter().any(|kind| kind.value == "unknown");
        assert!(has_unknown(kinds(None)));
        assert!(!has_unknown(known_kinds(None)));
    }

    #[test]
    fn instants_are_exact_for_machines_and_short_for_people() {
        let moment = Moment(Timestamp::from_millis(1_795_420_800_123)).to_string();
        assert_eq!(
            moment,
            r#"<time datetime="2026-11-23T08:00:00.123Z" title="2026-11-23T08:00:00.123Z">2026-11-23 08:00:00&nbsp;UTC</time>"#
        );
    }

    #[test]
    fn instants_in_a_sentence_are_shown_like_others_and_the_rest_is_escaped() {
        let sentence = Sentence("it came at 2026-11-23T08:00:00.123Z, for <b>7</b>".to_owned()).to_string();
        assert!(sentence.starts_with("it came at <time datetime=\"2026-11-23T08:00:00.123Z\""));
        assert!(
            sentence.ends_with("</time>, for &lt;b&gt;7&lt;/b&gt;"),
            "{sentence}"
        );
        assert_eq!(
            Sentence("attempt 12 of 20.".to_owned()).to_string(),
            "attempt 12 of 20."
        );
    }

    #[test]
    fn lengths_are_told_in_the_unit_that_fits() {
        for (millis, expected) in [
            (0, "0 s"),
            (7, "7 ms"),
            (1_500, "1.5 s"),
            (90_000, "90 s"),
            (600_000, "10 min"),
            (8_000_000, "2 h"),
            (200_000_000, "2 days"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
    }
}
