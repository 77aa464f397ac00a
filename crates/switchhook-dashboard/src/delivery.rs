//! One delivery: what was sent at each attempt, what came back, how long it took, and what comes next.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use switchhook_domain::attempt::{Attempt, AttemptOutcome, CountsAs, Phases};
use switchhook_domain::credential::{shown_text, shown_url};
use switchhook_domain::delivery::{Delivery, DeliveryState};
use switchhook_domain::redaction::redact;
use switchhook_domain::webhook::Webhook;
use switchhook_protocol::verify;
use switchhook_store::StoreError;

use super::SharedState;
use super::json_text::pretty;
use super::page::{Flash, Frame, PageError, go, id_of, show as show_page};
use super::session::{SignedForm, Viewer};
use super::widgets::{DeliveryRow, Moment, Sentence, span};
use switchhook_node::deliveries::{self, DeliveryStatus};
use switchhook_node::destination::Destination;
use switchhook_node::destination::complete_record;
use switchhook_node::inspector::name_of;
use switchhook_node::json_text::raw_head;
use switchhook_node::mask::Mask;
use switchhook_node::refusal::Refusal;
use switchhook_node::visibility::Visibility;
use switchhook_node::{blocking, events, webhooks};

/// An attempt as it is shown.
#[derive(Debug)]
struct AttemptPart {
    number: u32,
    tone: &'static str,
    /// `200`, or why nothing came.
    result: String,
    detail: Option<String>,
    at: Moment,
    took: String,
    url: Option<String>,
    headers: Vec<(String, String)>,
    curl: Option<String>,
    answer: Option<AnswerPart>,
    bars: Vec<Bar>,
    retry_after: Option<Moment>,
    /// True if the answer is unfolded, because it explains the failure.
    is_open: bool,
}

#[derive(Debug)]
struct AnswerPart {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    is_truncated: bool,
}

/// A phase of an attempt, as a part of a bar that is 1,000 wide.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    name: &'static str,
    class: &'static str,
    x: u64,
    width: u64,
    took: String,
}

/// Request of an attempt.
#[derive(Debug)]
struct Sent {
    /// As it goes over the wire.
    wire: String,
    /// Body, indented.
    pretty: String,
    token: Option<Token>,
    is_masked: bool,
}

/// A token taken apart.
#[derive(Debug)]
struct Token {
    header: String,
    signature: String,
    is_right: bool,
    verdict: String,
}

#[derive(Template)]
#[template(path = "delivery.html")]
struct DeliveryPage {
    frame: Frame,
    row: DeliveryRow,
    kind_name: &'static str,
    next: Sentence,
    is_pending: bool,
    order_key: Option<String>,
    subscriptions: Vec<String>,
    origin: Option<String>,
    hidden: Option<&'static str>,
    attempts: Vec<AttemptPart>,
    sent: Sent,
    is_webhook_gone: bool,
}

pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let (node, caller) = (&dashboard.node, viewer.caller);
    let (delivery, attempts) = deliveries::get_with_attempts(node, caller, id).await?;
    let visibility = viewer.visibility(&dashboard);
    let event = events::get(node, caller, delivery.event_id).await?;
    let event = visibility.event(event).expect("its kind may be seen");
    let webhook = match webhooks::get(node, caller, delivery.webhook_id).await {
        Ok(shown) => Some(shown.webhook),
        Err(Refusal::Store(StoreError::NotFound(_))) => None,
        Err(error) => return Err(error.into()),
    };
    let status = deliveries::status(&dashboard.node, &delivery).await?;
    let answers = attempts.iter().filter_map(|attempt| attempt.answer.as_ref());
    let bytes = event.body.len() + answers.map(|answer| answer.body_head.len()).sum::<usize>();
    let shown = PageData {
        route: dashboard.node.registry.destination(delivery.webhook_id),
        frame: viewer.frame(&dashboard, "deliveries", format!("Delivery {id}")),
        visibility,
        delivery,
        body: event.body,
        attempts,
        webhook,
        status,
    };
    Ok(blocking::run(bytes, move || page(shown)).await)
}

/// Data from which the page is made, off the async threads.
struct PageData {
    frame: Frame,
    visibility: Visibility,
    delivery: Delivery,
    body: Bytes,
    attempts: Vec<Attempt>,
    webhook: Option<Webhook>,
    route: Option<Arc<Destination>>,
    status: DeliveryStatus,
}

fn page(shown: PageData) -> Response {
    let PageData {
        frame,
        visibility,
        delivery,
        body,
        attempts,
        webhook,
        route,
        status,
    } = shown;
    let url = webhook.as_ref().map(|webhook| webhook.hook_url.as_str());
    let sent = sent(&delivery, route.as_deref(), &body, visibility);
    let parts = attempts
        .into_iter()
        .map(|attempt| attempt_part(attempt, &delivery, &sent, visibility))
        .rev();
    show_page(&DeliveryPage {
        frame,
        row: DeliveryRow::of(&delivery, &status, None, url),
        kind_name: delivery.kind.title(),
        next: Sentence(status.text),
        is_pending: matches!(delivery.state, DeliveryState::Pending { .. }),
        order_key: delivery
            .order_key
            .as_ref()
            .map(|key| visibility.mask.id(key.as_str()).into_owned()),
        subscriptions: delivery
            .subscription_ids
            .iter()
            .map(ToString::to_string)
            .collect(),
        origin: delivery.origin.map(|id| id.to_string()),
        hidden: match (delivery.hidden.recordings, delivery.hidden.message_text) {
            (true, true) => Some("recordings and the text of messages"),
            (true, false) => Some("recordings"),
            (false, true) => Some("the text of messages"),
            (false, false) => None,
        },
        attempts: parts.collect(),
        sent,
        is_webhook_gone: webhook.is_none(),
    })
}

pub(super) async fn redeliver(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    let made = deliveries::redeliver(&dashboard.node, viewer.caller, id).await?;
    Ok(go(
        &format!("/dashboard/deliveries/{}", made.id),
        Flash::Redelivered,
    ))
}

pub(super) async fn cancel(
    State(dashboard): State<SharedState>,
    Path(id): Path<String>,
    SignedForm(viewer, _): SignedForm,
) -> Result<Response, PageError> {
    let id = id_of(&id)?;
    deliveries::cancel(&dashboard.node, viewer.caller, id).await?;
    Ok(go(&format!("/dashboard/deliveries/{id}"), Flash::Cancelled))
}

/// `body` is what the viewer may see of the event.
fn sent(delivery: &Delivery, route: Option<&Destination>, body: &[u8], visibility: Visibility) -> Sent {
    let mask = visibility.mask;
    // A token shows all that is in it.
    let is_masked = !mask.is_nothing() || visibility.sees_less_than(delivery.kind, delivery.hidden);
    let shown = redact(body, delivery.hidden);
    let text = String::from_utf8_lossy(&shown);
    let signing = route.and_then(|route| Some((route.signer.as_ref()?, route.webhook.secret.as_ref()?)));
    let (wire, token) = match signing {
        None => (raw_head(&text, mask), None),
        Some(_) if is_masked => ("•••".to_owned(), None),
        Some((signer, secret)) => {
            let token = signer.sign(&shown);
            let taken_apart = take_apart(&token, secret.expose());
            (raw_head(&token, Mask::NOTHING), Some(taken_apart))
        }
    };
    Sent {
        wire,
        pretty: pretty(&text, mask),
        token,
        is_masked,
    }
}

fn take_apart(token: &str, secret: &str) -> Token {
    let mut parts = token.split('.');
    let header = parts
        .next()
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .unwrap_or_default();
    let checked = verify(token.as_bytes(), [secret]);
    Token {
        header: String::from_utf8_lossy(&header).into_owned(),
        signature: parts.nth(1).unwrap_or_default().to_owned(),
        is_right: checked.is_ok(),
        verdict: checked.map_or_else(
            |error| error.to_string(),
            |_| "The signature holds with the webhook's present secret.".to_owned(),
        ),
    }
}

fn attempt_part(attempt: Attempt, delivery: &Delivery, sent: &Sent, visibility: Visibility) -> AttemptPart {
    let class = attempt.outcome.class();
    let detail = match attempt.outcome {
        AttemptOutcome::Lost => Some("the server stopped while it was under way: nobody knows how it ended"),
        _ => attempt.detail(),
    };
    let detail = detail.map(|detail| visibility.mask.loose(&shown_text(detail)).into_owned());
    let (result, retry_after) = match attempt.outcome {
        AttemptOutcome::Answered { status, retry_after } => (status.to_string(), retry_after),
        AttemptOutcome::Unanswered { reason, .. } => (reason.as_str().replace('_', " "), None),
        AttemptOutcome::Lost => ("lost".to_owned(), None),
    };
    let url = attempt.request.as_ref();
    let url = url.map(|request| shown_url(&request.url).into_owned());
    let mut headers = attempt
        .request
        .map(|request| visibility.headers(delivery.kind, request.headers.to_map()))
        .unwrap_or_default();
    if url.is_some() {
        complete_record(&mut headers, delivery, attempt.number, attempt.started_at);
    }
    let headers: Vec<_> = headers.into_iter().collect();
    AttemptPart {
        number: attempt.number,
        tone: match class.consequences().counts_as {
            CountsAs::Success => "good",
            CountsAs::Answered | CountsAs::Unanswered => "bad",
            CountsAs::Nothing => "off",
        },
        result,
        detail,
        at: Moment(attempt.started_at),
        took: span(attempt.phases.total),
        curl: url
            .as_ref()
            .filter(|url| name_of(url).is_none())
            .map(|url| curl(url, &headers, &sent.wire)),
        url,
        headers,
        answer: attempt.answer.map(|answer| AnswerPart {
            status: answer.status,
            headers: visibility
                .headers(delivery.kind, answer.headers.to_map())
                .into_iter()
                .collect(),
            body: visibility.answer_head(delivery.kind, &answer.body_head),
            is_truncated: answer.is_truncated,
        }),
        is_open: !class.is_success(),
        bars: bars(&attempt.phases),
        retry_after: retry_after.map(Moment),
    }
}

/// The longest body that is part of a command: it stands there again for each attempt.
const LONGEST_IN_COMMAND: usize = 16 * 1024;

/// The same request as a command. A long body is to be put into a file first.
fn curl(url: &str, headers: &[(String, String)], body: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut command = format!("curl -X POST {}", quoted(url));
    for (name, value) in headers {
        command.push_str(" \\\n  -H ");
        command.push_str(&quoted(&format!("{name}: {value}")));
    }
    command.push_str(" \\\n  --data-binary ");
    match body.len() > LONGEST_IN_COMMAND {
        true => command.push_str("@body"),
        false => command.push_str(&quoted(body)),
    }
    command
}

/// The phases of an attempt one after the other.
fn bars(phases: &Phases) -> Vec<Bar> {
    let before = |ends: &[Option<Duration>]| ends.iter().flatten().sum::<Duration>();
    let set_up = before(&[phases.dns, phases.connect, phases.tls]);
    let first_byte = phases.first_byte.map(|at| at.saturating_sub(set_up));
    let answered_at = phases.first_byte.unwrap_or(phases.total);
    let waiting = match first_byte {
        Some(waiting) => Some(waiting),
        None => Some(phases.total.saturating_sub(set_up)).filter(|rest| !rest.is_zero()),
    };
    let reading = Some(phases.total.saturating_sub(answered_at)).filter(|rest| !rest.is_zero());
    let parts = [
        ("name lookup", "p1", phases.dns),
        ("connecting", "p2", phases.connect),
        ("TLS", "p3", phases.tls),
        ("waiting for the answer", "p4", waiting),
        ("reading it", "p5", reading),
    ];
    let total = phases.total.as_micros().max(1);
    let mut x = 0;
    let parts = parts
        .into_iter()
        .filter_map(|(name, class, took)| Some((name, class, took?)));
    parts
        .map(|(name, class, took)| {
            let share = u64::try_from(took.as_micros() * 1_000 / total).unwrap_or(1_000);
            let width = share.clamp(2, 1_000 - x.min(998));
            let bar = Bar {
                name,
                class,
                x,
                width,
                took: span(took),
            };
            x = (x + width).min(998);
            bar
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_phases_of_an_attempt_fill_its_bar() {
        let phases = Phases {
            dns: Some(ms(10)),
            connect: Some(ms(20)),
            tls: Some(ms(20)),
            first_byte: Some(ms(90)),
            total: ms(100),
        };
        let bars = bars(&phases);
        let shown: Vec<_> = bars.iter().map(|bar| (bar.class, bar.x, bar.width)).collect();
        assert_eq!(
            shown,
            [
                ("p1", 0, 100),
                ("p2", 100, 200),
                ("p3", 300, 200),
                ("p4", 500, 400),
                ("p5", 900, 100)
            ]
        );
    }

    #[test]
    fn a_kept_connection_and_a_silent_receiver_have_only_waiting() {
        let phases = Phases {
            total: ms(5_000),
            ..Phases::default()
        };
        let bars = bars(&phases);
        assert_eq!(bars.len(), 1);
        assert_eq!((bars[0].class, bars[0].width), ("p4", 1_000));
        assert!(super::bars(&Phases::default()).is_empty());
    }

    #[test]
    fn a_command_survives_quotes_in_what_it_sends() {
        let command = curl("https://example.com/", &[("a".into(), "b".into())], "it's");
        assert!(command.ends_with(r"--data-binary 'it'\''s'"), "{command}");
        let command = curl("https://example.com/", &[], &"x".repeat(LONGEST_IN_COMMAND + 1));
        assert!(command.ends_with("--data-binary @body"), "{command}");
    }
}
