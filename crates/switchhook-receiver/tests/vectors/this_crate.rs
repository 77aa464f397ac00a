//! This crate against the vectors: what it accepts, why it refuses, and what it makes of calls.

use std::time::Duration;

use serde_json::Value;
use switchhook_protocol::{BodyError, Milliseconds, Payload, Timestamp, VerifyError};
use switchhook_receiver::{
    CallOf, Calls, Kind, Labels, LegOrder, Received, Receiver, ReceiverBuilder, Refusal,
};

use super::{Accept, Vector, file};

fn receiver(secrets: &[String]) -> Receiver {
    made(Receiver::builder(), secrets)
}

fn made(mut builder: ReceiverBuilder, secrets: &[String]) -> Receiver {
    for secret in secrets {
        builder = builder.also_accept(secret.as_str());
    }
    builder.build().expect("no secret is empty")
}

/// The word for a refusal in the file.
fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::SecretMissing => "secret_missing",
        Refusal::TooLarge { .. } => "too_large",
        Refusal::Body(BodyError::Empty) => "empty",
        Refusal::Body(BodyError::NotUtf8 { .. }) => "not_utf8",
        Refusal::Body(BodyError::NotAnObject { .. }) => "not_an_object",
        Refusal::Body(BodyError::NotJson { .. } | BodyError::MoreThanOne { .. }) => "not_json",
        Refusal::Signature(error) => match error {
            VerifyError::Empty => "empty",
            VerifyError::TooLarge { .. } => "too_large",
            VerifyError::PlainJson => "plain_json",
            VerifyError::Segments { .. } => "segments",
            VerifyError::Padded { .. } => "padded",
            VerifyError::NotBase64 { .. } => "not_base64",
            VerifyError::CutOff { .. } => "cut_off",
            VerifyError::NotCanonical { .. } => "not_canonical",
            VerifyError::HeaderNotJson { .. } => "header_not_json",
            VerifyError::NoAlgorithm => "no_algorithm",
            VerifyError::Unsigned => "unsigned",
            VerifyError::OtherAlgorithm { .. } => "other_algorithm",
            VerifyError::Critical => "critical",
            VerifyError::WrongSignature { .. } => "wrong_signature",
            _ => "?",
        },
        _ => "?",
    }
}

fn check_accepted(vector: &Vector, event: &Received) {
    let name = &vector.name;
    assert_eq!(
        vector.event.as_deref().map(str::as_bytes),
        Some(&*event.body),
        "{name}"
    );
    assert_eq!(event.kind.map(Kind::route), vector.kind.as_deref(), "{name}");
    if let Some(key) = &vector.repeat_key {
        assert_eq!(event.repeat_key().to_string(), *key, "{name}");
    }
    for (path, wanted) in &vector.reads {
        if let Some(found) = read(event, path) {
            assert_eq!(found, *wanted, "{name}: {path}");
        }
    }
}

/// A member as the file has it; `None` if the typed views have no such member.
fn read(event: &Received, path: &str) -> Option<Value> {
    let payload = event.payload().ok()?;
    let subject = payload.subject_id().map(ToString::to_string);
    match (&payload, path) {
        (Payload::Call(call), "duration_ms") => Some(call.duration.map(Milliseconds::as_f64).into()),
        (Payload::Call(_), "call_id")
        | (Payload::Sms(_), "id")
        | (Payload::AgentStatus(_), "target.id")
        | (Payload::Contact(_), "contact.id") => Some(subject.into()),
        _ => None,
    }
}

#[test]
fn every_vector_is_judged_as_the_file_says() {
    let file = file();
    assert!(file.vectors.len() > 100, "{}", file.vectors.len());
    for vector in &file.vectors {
        let name = &vector.name;
        let labels = Labels::read(|wanted| vector.header(wanted));
        let judged = receiver(&vector.secrets).receive_labelled(labels, &vector.body());
        match (vector.accept, judged) {
            (Accept::Yes, Ok(event)) => check_accepted(vector, &event),
            (Accept::No, Err(refusal)) => {
                assert_eq!(Some(refusal.answer_status()), vector.status, "{name}: {refusal}");
                assert_eq!(
                    Some(word(&refusal)),
                    vector.refusal.as_deref(),
                    "{name}: {refusal}"
                );
            }
            (Accept::Either, _) => {}
            (wanted, judged) => panic!("{name}: {wanted:?} was wanted, and it is {judged:?}"),
        }
    }
}

#[test]
fn what_is_no_object_is_taken_by_a_receiver_of_any_json() {
    let refused = |vector: &&Vector| vector.refusal.as_deref() == Some("not_an_object");
    for vector in file().vectors.iter().filter(refused) {
        let receiver = made(Receiver::builder().accept_any_json(), &vector.secrets);
        check_accepted(vector, &receiver.receive(&vector.body()).expect(&vector.name));
    }
}

#[test]
fn the_legs_of_a_call_are_those_of_the_file() {
    for sequence in file().calls {
        let mut calls = Calls::default();
        for step in &sequence.events {
            let body = step.event.as_bytes();
            let Ok(Payload::Call(event)) = Payload::read(Kind::Call, body) else {
                panic!("{} is no call", step.event);
            };
            let CallOf {
                key,
                merged,
                possibly,
                ..
            } = calls.call_key(&event).expect("it has an id");
            let found = (key, merged, possibly);
            let wanted = (step.key.clone(), step.merged.clone(), step.possibly.clone());
            assert_eq!(found, wanted, "{}: {}", sequence.name, step.event);
        }
    }
}

#[test]
fn an_event_is_late_where_the_file_says_so() {
    let open = receiver(&[]);
    for sequence in file().orders {
        let mut order = LegOrder::new(Duration::ZERO, 0);
        for step in &sequence.events {
            let now = Timestamp::from_millis(0);
            order.add(open.receive(step.event.as_bytes()).expect("it is an event"), now);
            let ordered = order.next(now).expect("nobody waits");
            assert_eq!(ordered.is_late, step.is_late, "{}: {}", sequence.name, step.event);
        }
    }
}
