//! `switchhook explain-request`: what a captured request is, and whether its signature is valid.
//!
//! `capture` parses the capture, whatever tool made it; signatures are diagnosed in `switchhook-protocol`.

mod capture;
mod chunked;
mod curl;
mod json_capture;
mod standard;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_protocol::{Diagnosis, VerifyError, check_object, diagnose, headers, recognize_kind};
use switchhook_receiver::{Labels, Receiver};

use self::capture::Capture;
use self::standard::StandardSignature;
use super::accepted_secrets::AcceptedSecrets;
use super::output::{self, Facts};
use super::{diagnosis, jwt};

/// Explain a captured request: what it is, and whether its signature is valid
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook explain-request request.txt --secret S
  pbpaste | switchhook explain-request --secret S --secret OLD --json

A capture is a raw HTTP request, the output of `curl -v`, a curl command, JSON with headers and a body (as request bins,
gateways and HAR files have it), or a body alone.")]
pub(super) struct ExplainRequest {
    /// File with the capture; - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    #[command(flatten)]
    secrets: AcceptedSecrets,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ExplainRequest {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.secrets.warn();
        let capture = Capture::of(&jwt::read(&self.file)?);
        let keys = self.secrets.keys();
        let explanation = Explanation::of(capture, &keys);
        if self.json {
            output::print_json(&explanation.as_json(keys.len()))
        } else {
            explanation.as_facts(keys.len()).print()
        }
    }
}

/// Kind of a request's body, recognized without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    Empty,
    Token,
    Event,
    Other,
}

struct Explanation {
    capture: Capture,
    labels: Labels,
    body_kind: BodyKind,
    diagnosis: Diagnosis,
    /// Signature in the headers of Standard Webhooks.
    standard: Option<StandardSignature>,
    kind: Option<Kind>,
    summary: Option<String>,
    notes: Vec<String>,
}

impl Explanation {
    fn of(capture: Capture, keys: &[&[u8]]) -> Self {
        let labels = Labels::read(|name| capture.header(name));
        let diagnosis = diagnose(&capture.body, keys, None);
        let body_kind = if capture.body.trim_ascii().is_empty() {
            BodyKind::Empty
        } else if diagnosis.payload.is_some() {
            BodyKind::Token
        } else if check_object(&capture.body).is_ok() {
            BodyKind::Event
        } else {
            BodyKind::Other
        };
        let event = diagnosis.payload.as_deref().unwrap_or(&capture.body);
        let open = Receiver::builder()
            .build()
            .expect("there is no secret to be wrong");
        let received = open.receive_labelled(labels.clone(), event).ok();
        let mut explanation = Self {
            kind: received.as_ref().and_then(|event| event.kind),
            summary: received.map(|event| event.summary()),
            standard: StandardSignature::of(&capture, keys),
            capture,
            labels,
            body_kind,
            diagnosis,
            notes: Vec::new(),
        };
        explanation.notes = explanation.notes(keys.len());
        explanation
    }

    fn notes(&self, secrets: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(method) = self.capture.method.as_deref().filter(|method| *method != "POST") {
            notes.push(format!("events are sent with POST, and this is {method}"));
        }
        notes.extend(self.note_on_type());
        notes.extend(self.capture.note_on_length());
        if self.capture.dropped_line_end {
            notes.push(
                "the line feed after the token is ignored as the capture's own; a receiver refuses a body that has one".to_owned(),
            );
        }
        match self.body_kind {
            BodyKind::Empty => notes.push(
                "the body is empty: a framework that does not know `application/jwt` may have dropped it; capture the raw request"
                    .to_owned(),
            ),
            BodyKind::Event if secrets > 0 && self.standard.is_none() => notes.push(
                "the event is not signed: the webhook that sends it has no secret, or this is another webhook's".to_owned(),
            ),
            BodyKind::Event if self.kind.is_none() => {
                notes.push("the event has none of the five known shapes; use a hook URL for each kind to distinguish them".to_owned());
            }
            BodyKind::Token if self.summary.is_none() => {
                notes.push("the token's payload is not one JSON object; receivers refuse it, and a source stores it if it is JSON".to_owned());
            }
            _ => {}
        }
        if let (Some(label), Some(shape)) = (self.labels.kind, self.shape())
            && label != shape
        {
            notes.push(format!(
                "the header calls it {label}, and it has the shape of {shape}; believe the shape"
            ));
        }
        notes
    }

    fn shape(&self) -> Option<Kind> {
        recognize_kind(self.diagnosis.payload.as_deref().unwrap_or(&self.capture.body))
    }

    fn note_on_type(&self) -> Option<String> {
        let given = self.capture.header("content-type")?;
        let expected = match self.body_kind {
            BodyKind::Token => headers::CONTENT_TYPE_JWT,
            BodyKind::Event => headers::CONTENT_TYPE_JSON,
            BodyKind::Empty | BodyKind::Other => return None,
        };
        let essence = given.split(';').next().unwrap_or_default().trim();
        (!essence.eq_ignore_ascii_case(expected)).then(|| {
            format!(
                "its Content-Type is `{essence}`, where senders say `{expected}`; a receiver should not care"
            )
        })
    }

    fn sender(&self) -> &'static str {
        match &self.labels.event_id {
            Some(_) => "Switchhook (its headers are there)",
            None if self.capture.has_headers() => {
                "not Switchhook: its headers are not there (Dialpad sends none)"
            }
            None => "unknown: there are no headers in this capture",
        }
    }

    fn content_in_words(&self) -> &'static str {
        match self.body_kind {
            BodyKind::Empty => "nothing",
            BodyKind::Token => "a signed event (a JWT)",
            BodyKind::Event if self.standard.is_some() => {
                "an event (plain JSON) with a signature in its headers"
            }
            BodyKind::Event => "an unsigned event (plain JSON)",
            BodyKind::Other => "neither a JWT nor one JSON object",
        }
    }

    fn as_facts(&self, secrets: usize) -> Facts {
        let target = self.capture.target.as_deref().unwrap_or_default();
        let request = self
            .capture
            .method
            .as_ref()
            .map(|method| format!("{method} {target}"));
        let mut facts = Facts::new()
            .fact("capture", self.capture.format)
            .fact_if("request", request)
            .fact("sender", self.sender())
            .fact_if("event id", self.labels.event_id.as_ref())
            .fact_if("attempt", self.labels.attempt)
            .fact(
                "body",
                format_args!("{}, {} bytes", self.content_in_words(), self.capture.body.len()),
            )
            .fact_if("kind", self.kind)
            .fact_if("event", self.summary.as_ref());
        if let Some(standard) = &self.standard {
            facts = standard.add_facts(facts, secrets);
        }
        if self.is_about_signatures(secrets) {
            facts = diagnosis::add_facts(facts, &self.diagnosis, secrets);
        }
        self.notes
            .iter()
            .fold(facts, |facts, note| facts.fact("note", note))
    }

    /// True if the body is signed or should be: it need not be without a secret, or with a signature in the headers.
    fn is_about_signatures(&self, secrets: usize) -> bool {
        self.body_kind == BodyKind::Token || secrets > 0 && self.standard.is_none()
    }

    fn as_json(&self, secrets: usize) -> Value {
        let body_kind = match self.body_kind {
            BodyKind::Empty => "empty",
            BodyKind::Token => "token",
            BodyKind::Event => "event",
            BodyKind::Other => "other",
        };
        let is_unsigned = matches!(self.diagnosis.verdict, Err(VerifyError::PlainJson));
        let signature = self
            .is_about_signatures(secrets)
            .then(|| diagnosis::as_json(&self.diagnosis, secrets));
        json!({
            "capture": self.capture.format.to_string(),
            "method": self.capture.method,
            "target": self.capture.target,
            "content_type": self.capture.header("content-type"),
            "event_id": self.labels.event_id,
            "delivery_id": self.labels.delivery_id,
            "attempt": self.labels.attempt,
            "body": body_kind,
            "body_bytes": self.capture.body.len(),
            "is_signed": !is_unsigned && self.body_kind == BodyKind::Token || self.standard.is_some(),
            "kind": self.kind,
            "summary": self.summary,
            "signature": signature,
            "standard_webhooks": self.standard.as_ref().map(StandardSignature::as_json),
            "notes": self.notes,
        })
    }
}

/// Explanation of any bytes as text and as JSON, for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn explain_capture(input: &[u8]) -> (String, Value) {
    let keys: [&[u8]; 1] = [b"s"];
    let explanation = Explanation::of(Capture::of(input), &keys);
    (
        explanation.as_facts(keys.len()).layout(),
        explanation.as_json(keys.len()),
    )
}
