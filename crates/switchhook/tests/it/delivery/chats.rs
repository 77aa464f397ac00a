//! Output of the ready templates, checked with the packages that the chats publish.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_domain::id::{DeliveryId, EventId, WebhookId};
use switchhook_domain::template::{READY, Template, TemplateContext};
use switchhook_node::ingest::sample;

use crate::support::program::{skip, variable};
use crate::support::rig::START;

const JUDGE: &str = include_str!("chats.js");

/// Output of every ready template for events with much in them, and with nothing.
fn made() -> Value {
    let samples =
        [Kind::Call, Kind::Sms].map(|kind| sample::body(kind, START).expect("there is one of each"));
    let outbound = json!({"direction": "outbound", "to_number": ["+12025550100", "+12025550101"], "text": "a\n\"b\" *c*"});
    let events = samples.into_iter().chain([outbound.to_string(), "{}".to_owned()]);
    let context = TemplateContext {
        kind: Kind::Call,
        event_id: EventId(1),
        delivery_id: DeliveryId(2),
        webhook_id: WebhookId(3),
        attempt: 1,
        created_at: START,
    };
    let of_event = |event: String| {
        READY.iter().map(move |ready| {
            let template = Template::parse(ready.name, None).expect("it is ready");
            let body = template
                .fill_in(event.as_bytes(), context)
                .expect("it can be filled in");
            json!([
                ready.name,
                serde_json::from_str::<Value>(&body).expect("it makes JSON")
            ])
        })
    };
    events.flat_map(of_event).collect()
}

#[test]
fn the_packages_of_the_chats_take_what_the_ready_templates_make() {
    let Some(packages) = variable("SWITCHHOOK_TEST_NODE_PATH") else {
        skip("SWITCHHOOK_TEST_NODE_PATH names no packages of chats: scripts/check --install");
        return;
    };
    let mut judge = Command::new("node")
        .env("NODE_PATH", packages)
        .args(["-e", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = judge.stdin.take().expect("it is piped");
    stdin.write_all(made().to_string().as_bytes()).expect("it reads");
    drop(stdin);
    let output = judge.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
