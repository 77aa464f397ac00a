//! Bodies that a template makes: sent unsigned, bounded, and a mistake is an outcome and no storm of retries.

use std::time::Duration;

use switchhook_domain::attempt::{AttemptOutcome, FailureReason, OutcomeClass};
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::template::{TemplateContext, TemplateError};
use switchhook_domain::webhook::{SettingsPatch, WebhookChange, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_node::templates::{TemplateSource, Templates, WorkerPenalty};

use crate::support::rig::{COMPANY, Reaction, Rig};

fn templated(template: &str, jwt: Option<bool>) -> WebhookSettings {
    WebhookSettings {
        template: Some(template.to_owned()),
        jwt,
        ..WebhookSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_makes_the_body_and_it_is_signed_only_if_that_is_asked_for() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let plain = rig
        .signed_webhook(templated("slack-call", None), Some("s3cret"))
        .await;
    let signed = rig
        .signed_webhook(templated("slack-call", Some(true)), Some("s3cret"))
        .await;
    let text = WebhookSettings {
        content_type: Some("text/plain".to_owned()),
        ..templated("call {{ event.call_id }}, attempt {{ attempt }}", None)
    };
    let text = rig.webhook(text).await;
    rig.call(9_007_199_254_740_993, "missed").await;
    rig.wait(Duration::from_secs(1)).await;
    let seen = rig.network.seen();
    let of = |id| seen.iter().find(|seen| seen.webhook_id == id).unwrap();
    let slack = r#"{"text": "Call missed:  an unknown number"}"#;
    assert_eq!(
        (of(plain).body.as_ref(), &of(plain).headers["content-type"]),
        (slack.as_bytes(), &"application/json".parse().unwrap())
    );
    let verified = switchhook_protocol::verify(&of(signed).body, ["s3cret"]).unwrap();
    assert_eq!(verified, slack.as_bytes());
    assert_eq!(of(signed).headers["content-type"], "application/jwt");
    assert_eq!(of(text).body, "call 9007199254740993, attempt 1");
    assert_eq!(of(text).headers["content-type"], "text/plain");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_a_template_is_an_outcome_with_its_line_and_is_mended_by_another_template() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    let id = rig
        .webhook(templated("{\n\"id\": {{ event.state }}\n}", None))
        .await;
    let delivery = rig.call(1, "hangup").await.deliveries[0].id;
    rig.wait(Duration::from_secs(60)).await;
    assert_eq!(rig.network.seen().len(), 0, "nothing is sent");
    let attempts = rig.store.attempts_of(delivery).await.unwrap();
    assert!((1..=3).contains(&attempts.len()), "no storm: {}", attempts.len());
    let outcome = &attempts[0].outcome;
    let AttemptOutcome::Unanswered { reason, detail } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(*reason, FailureReason::Template);
    assert!(detail.contains("line 2 of what it makes is not JSON"), "{detail}");
    assert_eq!(outcome.class(), OutcomeClass::Refused);
    let change = WebhookChange {
        settings: SettingsPatch {
            template: Some(Some("{\"id\": \"{{ event.state }}\"}".to_owned())),
            ..SettingsPatch::default()
        },
        ..WebhookChange::default()
    };
    rig.store
        .update_webhook(COMPANY, id, change, rig.node.clock.now())
        .await
        .unwrap();
    rig.node.registry.refresh(COMPANY).await.unwrap();
    rig.node.engine.retry(id);
    rig.wait(Duration::from_secs(5)).await;
    let delivery = rig.store.delivery(COMPANY, delivery).await.unwrap();
    assert_eq!(delivery.state.name(), StateName::Delivered);
    assert_eq!(rig.network.seen()[0].body, r#"{"id": "hangup"}"#);
}

#[tokio::test(start_paused = true)]
async fn headers_are_made_from_each_event_and_a_key_is_the_same_for_each_attempt() {
    let rig = Rig::new(|seen| match seen.attempt {
        1 => Reaction::Answer(503),
        _ => Reaction::Answer(200),
    })
    .await;
    let headers = [
        ("x-call", "{{ event.call_id }} {{ event.state }}"),
        ("x-nothing", "{{ event.missing }}"),
    ];
    rig.webhook(WebhookSettings {
        event_headers: headers
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
        idempotency_key: true,
        ..WebhookSettings::default()
    })
    .await;
    let delivery = rig.call(9_007_199_254_740_993, "hang\\nup é").await.deliveries[0].id;
    rig.wait(Duration::from_secs(60)).await;
    let seen = rig.network.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        let made = String::from_utf8(seen.headers["x-call"].as_bytes().to_vec()).unwrap();
        assert_eq!(made, "9007199254740993 hang up é");
        assert_eq!(seen.headers["x-nothing"], "");
        assert_eq!(seen.headers["idempotency-key"], delivery.to_string().as_str());
    }
    let attempts = rig.store.attempts_of(delivery).await.unwrap();
    let kept = attempts[0].request.as_ref().unwrap().headers.to_map();
    assert_eq!(kept["X-Call"], "(made from the event)");
}

#[tokio::test(start_paused = true)]
async fn a_header_that_cannot_be_made_is_an_outcome_that_names_it() {
    let rig = Rig::new(|_| Reaction::Answer(200)).await;
    rig.webhook(WebhookSettings {
        event_headers: [(
            "x-long".to_owned(),
            "{{ 'x' * 3000 }}{{ event.state }}".to_owned(),
        )]
        .into(),
        ..WebhookSettings::default()
    })
    .await;
    let delivery = rig.call(1, "hangup").await.deliveries[0].id;
    rig.wait(Duration::from_secs(60)).await;
    assert!(rig.network.seen().is_empty(), "nothing is sent");
    let attempts = rig.store.attempts_of(delivery).await.unwrap();
    let AttemptOutcome::Unanswered { reason, detail } = &attempts[0].outcome else {
        panic!("{:?}", attempts[0].outcome);
    };
    assert_eq!(*reason, FailureReason::Template);
    assert!(detail.contains("the header `x-long` cannot be made"), "{detail}");
}

const CIRCUMSTANCES: TemplateContext = TemplateContext {
    kind: Kind::Call,
    event_id: EventId(1),
    delivery_id: DeliveryId(2),
    webhook_id: WebhookId(3),
    attempt: 1,
    created_at: Timestamp::from_millis(0),
};

fn body(template: &str) -> TemplateSource {
    TemplateSource::Body {
        template: template.to_owned(),
        content_type: Some("text/plain".to_owned()),
    }
}

fn in_processes() -> Templates {
    Templates::new(Some(env!("CARGO_BIN_EXE_switchhook").into()))
}

#[tokio::test]
async fn a_template_that_takes_all_time_memory_or_stack_costs_a_process_and_nobody_else() {
    let templates = in_processes();
    let event = format!(
        r#"{{"state": "hangup", "a": "{}b", "b": "{}"}}"#,
        "a,".repeat(200_000),
        "b".repeat(200_000)
    );
    let nested = "{% set it = namespace(a=1) %}{% for n in range(15000) %}{% set it.a = [it.a] %}{% endfor %}{{ it.a }}";
    let preview = async |template: &str| {
        templates
            .preview(COMPANY, body(template), event.as_bytes(), CIRCUMSTANCES)
            .await
    };
    let doubled = format!(
        "{{% set a = [1, 1] %}}{}{{{{ a|tojson }}}}",
        "{% set a = [a, a] %}".repeat(40)
    );
    for template in [
        nested,
        &doubled,
        "{{ ([1] * 100000000) ~ '' }}",
        "{{ event.b|trim(event.a) }}",
        "{{ range(3000)|sort(attribute=event.a) }}",
        "{% for x in [1] %}{{ loop.cycle() }}{% endfor %}",
    ] {
        let made = preview(template).await;
        let is_ended = matches!(made, Err(TemplateError::TooMuch | TemplateError::TooLaborious));
        assert!(is_ended, "{template:.100}");
        assert_eq!(preview("{{ event.state }}").await.as_deref(), Ok("hangup"));
    }
    // What one leaves in the memory of a process is nobody else's fault.
    for _ in 0..60 {
        let _ = preview("{% for x in [1] %}{{ loop.changed(loop, event, event.a ~ 'x') }}{% endfor %}").await;
        assert_eq!(preview("{{ event.state }}").await.as_deref(), Ok("hangup"));
    }
}

#[tokio::test]
async fn a_webhook_whose_template_has_cost_a_process_rests() {
    let templates = in_processes();
    let (hostile, other) = (WorkerPenalty::default(), WorkerPenalty::default());
    let bad = body("{% for x in [1] %}{{ loop.cycle() }}{% endfor %}");
    let fill_in = async |rest, piece: &TemplateSource| {
        let pieces = std::slice::from_ref(piece);
        templates
            .fill_in(COMPANY, rest, pieces, b"{}", CIRCUMSTANCES)
            .await
            .remove(0)
    };
    assert_eq!(fill_in(&hostile, &bad).await, Err(TemplateError::TooMuch));
    assert_eq!(fill_in(&hostile, &body("x")).await, Err(TemplateError::TooMuch));
    assert_eq!(fill_in(&other, &body("x")).await.as_deref(), Ok("x"));
}
