//! Both profiles, every kind, every way in which a receiver fails: when it is tried again, and how that ends.
//!
//! The receiver never does anything else. Delays have no jitter here, so the tables are exact; a change of a table is seen as a
//! change of its snapshot.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use switchhook_domain::Kind;
use switchhook_domain::id::WebhookId;
use switchhook_domain::retry::Profile;
use switchhook_domain::subscription::{CallFilter, Filter, SmsFilter};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_protocol::{AgentType, ContactType, SmsDirection};

use crate::support::rig::{Reaction, Rig};

const MINUTE: Duration = Duration::from_secs(60);

/// Longer than anything is tried, even if the receiver asks for patience.
const LONGEST: Duration = Duration::from_secs(5 * 24 * 3_600);

/// Behaviours of a receiver, with their names in the table.
fn reactions() -> [(&'static str, Reaction); 13] {
    [
        ("200", Reaction::Answer(200)),
        ("204", Reaction::Answer(204)),
        ("302", Reaction::Answer(302)),
        ("400", Reaction::Answer(400)),
        ("404", Reaction::Answer(404)),
        ("410", Reaction::Answer(410)),
        ("429", Reaction::Answer(429)),
        ("429, in 10 min", Reaction::AnswerLater(429, 10 * MINUTE)),
        ("503, in 2 days", Reaction::AnswerLater(503, 2 * 24 * 60 * MINUTE)),
        ("500", Reaction::Answer(500)),
        ("503", Reaction::Answer(503)),
        ("timeout", Reaction::Silence),
        ("refused", Reaction::Refuse),
    ]
}

/// A subscription to everything of a kind, and an event of it.
fn case(kind: Kind) -> (Filter, &'static str) {
    match kind {
        Kind::Call => (
            Filter::Call(CallFilter::default()),
            r#"{"call_id":1,"state":"hangup"}"#,
        ),
        Kind::Sms => (
            Filter::Sms(SmsFilter {
                direction: SmsDirection::All,
                include_internal: false,
                status: false,
                target: None,
            }),
            r#"{"id":1,"direction":"inbound","from_number":"+15550100","to_number":["+15550101"]}"#,
        ),
        Kind::AgentStatus => (
            Filter::AgentStatus {
                agent_type: AgentType::Callcenter,
            },
            r#"{"target":{"id":1,"type":"user"},"on_duty_status":"available"}"#,
        ),
        Kind::Contact => (
            Filter::Contact {
                contact_type: ContactType::Shared,
            },
            r#"{"contact":{"id":"1","type":"shared"}}"#,
        ),
        Kind::Changelog => (Filter::Changelog, r#"{"action":"update"}"#),
        Kind::Unknown => unreachable!("nobody can subscribe to it"),
    }
}

/// Time of each attempt, in seconds, and the end of the delivery, for every kind and behaviour: a webhook for each.
async fn table(profile: Profile) -> String {
    let plan: Arc<Mutex<HashMap<WebhookId, Reaction>>> = Arc::default();
    let known = Arc::clone(&plan);
    let rig = Rig::steady(move |seen| known.lock()[&seen.webhook_id].clone()).await;
    let settings = WebhookSettings {
        profile: Some(profile),
        ..WebhookSettings::default()
    };
    let mut lines = Vec::new();
    for kind in Kind::ALL {
        let (filter, body) = case(kind);
        for (name, reaction) in reactions() {
            let id = rig.silent_webhook(settings.clone(), None).await;
            rig.subscribe(id, filter.clone()).await;
            plan.lock().insert(id, reaction);
            lines.push((kind, name, id));
        }
        rig.accept(kind, body).await;
    }
    rig.wait(LONGEST).await;
    let (deliveries, seen) = (rig.deliveries().await, rig.network.seen());
    let mut table = String::new();
    for (kind, name, id) in lines {
        write!(table, "{kind} {name}:").expect("a string takes everything");
        for one in seen.iter().filter(|one| one.webhook_id == id) {
            write!(table, " {:.1}", one.at.as_secs_f64()).expect("a string takes everything");
        }
        let delivery = deliveries.iter().find(|one| one.webhook_id == id);
        let state = delivery.expect("each has one").state.name();
        writeln!(table, " {}", state.as_str()).expect("a string takes everything");
    }
    table
}

#[tokio::test(start_paused = true)]
async fn the_durable_profile() {
    insta::assert_snapshot!(table(Profile::Durable).await);
}

#[tokio::test(start_paused = true)]
async fn the_dialpad_profile() {
    insta::assert_snapshot!(table(Profile::Dialpad).await);
}
