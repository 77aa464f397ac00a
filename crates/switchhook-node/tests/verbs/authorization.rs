//! Rights of every verb: each is called by every sort of caller, and compared with one table.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::filter::PayloadFilter;
use switchhook_domain::history::Range;
use switchhook_domain::id::{
    ChannelId, DeliveryId, EventId, KeyId, ReplayId, SourceId, SubscriptionId, WebhookId, WebsocketId,
};
use switchhook_domain::key::{Right, Rights};
use switchhook_domain::notification::ChannelType;
use switchhook_domain::replay::ReplayFilter;
use switchhook_domain::scope::Scopes;
use switchhook_domain::subscription::SubscriptionRequest;
use switchhook_domain::webhook::WebhookRequest;
use switchhook_node::api_keys::KeyRequest;
use switchhook_node::caller::Caller;
use switchhook_node::deliveries::DeliverySearch;
use switchhook_node::doctor::{self, ConnectionCheck, ExamineOptions};
use switchhook_node::events::{self, Erasure};
use switchhook_node::feed::{self, FeedRequest, Only, Start, consumers};
use switchhook_node::notifications::{self, ChannelRequest};
use switchhook_node::refusal::Refusal;
use switchhook_node::replays::{self, ReplayRequest};
use switchhook_node::sources::{self, SourceRequest};
use switchhook_node::webhooks::{self, PreviewRequest, Rotation};
use switchhook_node::{Node, api_keys, dead_letters, deliveries, history, subscriptions, websockets};
use switchhook_store::{
    DeadLetterFilter, ErasureExtent, EventFilter, LogPosition, PageRequest, StoreError, SubscriptionFilter,
};

use crate::fixture::{CHAT, Fixture, admin, stranger, unscoped, with_right};

/// Company's things for each trial.
struct Things {
    webhook: WebhookId,
    websocket: WebsocketId,
    subscription: SubscriptionId,
    source: SourceId,
    event: EventId,
    unknown: EventId,
    delivery: DeliveryId,
    replay: ReplayId,
    channel: ChannelId,
    consumer: String,
    key: KeyId,
}

impl Things {
    async fn of(fixture: &Fixture) -> Self {
        let node = &fixture.node;
        let delivery = fixture.delivery().await;
        let kept = deliveries::get(node, admin(), delivery)
            .await
            .expect("it was made");
        let websocket = fixture.websocket().await;
        let source = SourceRequest {
            name: Some(Some("ours".to_owned())),
            ..SourceRequest::default()
        };
        let replay = replays::create(node, admin(), replay())
            .await
            .expect("it can be made");
        Self {
            webhook: kept.webhook_id,
            websocket,
            subscription: fixture.subscription(websocket.0).await,
            source: sources::create(node, admin(), source)
                .await
                .expect("it can be made")
                .source
                .id,
            event: kept.event_id,
            unknown: fixture
                .event(Kind::Unknown, r#"{"call_id":2,"state":"hangup"}"#)
                .await,
            delivery,
            replay: replay.id,
            channel: channel_of(fixture).await,
            consumer: consumer_of(fixture).await,
            key: api_keys::create(node, admin(), key())
                .await
                .expect("it can be made")
                .key
                .id,
        }
    }
}

async fn consumer_of(fixture: &Fixture) -> String {
    let made = consumers::put(&fixture.node, admin(), "two", Start::Oldest).await;
    made.expect("it can be made").0.name
}

/// Only some may be there.
async fn channel_of(fixture: &Fixture) -> ChannelId {
    let node = &fixture.node;
    let all = notifications::list_channels(node, admin(), PageRequest::first(50)).await;
    for channel in all.expect("they can be read").items {
        let deleted = notifications::delete_channel(node, admin(), channel.id).await;
        deleted.expect("it is there");
    }
    let made = notifications::create_channel(node, admin(), channel()).await;
    made.expect("it can be made").id
}

fn key() -> KeyRequest {
    KeyRequest {
        name: "another".to_owned(),
        admin: false,
        rights: Rights::all(),
        scopes: Scopes::NONE,
        expires_in: None,
    }
}

fn channel() -> ChannelRequest {
    ChannelRequest {
        channel_type: Some(Some(ChannelType::Slack)),
        url: Some(Some(CHAT.to_owned())),
        ..ChannelRequest::default()
    }
}

fn replay() -> ReplayRequest {
    ReplayRequest {
        filter: ReplayFilter {
            kind: Some(Kind::Call),
            ..ReplayFilter::default()
        },
        ..ReplayRequest::default()
    }
}

fn webhook() -> WebhookRequest {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    WebhookRequest {
        hook_url: Some(Some(format!("https://example.com/another/{number}"))),
        ..WebhookRequest::default()
    }
}

fn source() -> SourceRequest {
    SourceRequest {
        name: Some(Some("another".to_owned())),
        ..SourceRequest::default()
    }
}

fn previewed() -> PreviewRequest {
    PreviewRequest {
        template: Some("slack-call".to_owned()),
        ..PreviewRequest::default()
    }
}

fn polled() -> FeedRequest {
    FeedRequest {
        start: Start::Oldest,
        limit: 1,
        wait: Duration::ZERO,
        only: Only::default(),
        is_signed: false,
    }
}

fn asked() -> PayloadFilter {
    PayloadFilter::parse(r#"{"state": "hangup"}"#).expect("it is a filter")
}

fn filtered() -> SubscriptionRequest {
    SubscriptionRequest {
        payload_filter: Some(Some(asked())),
        ..SubscriptionRequest::default()
    }
}

fn states() -> SubscriptionRequest {
    SubscriptionRequest {
        group_calls_only: Some(Some(true)),
        ..SubscriptionRequest::default()
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + 'a>>;
type Verb = for<'a> fn(&'a Node, Caller, &'a Things) -> Answer<'a>;

/// A verb as the table has it.
macro_rules! verb {
    (|$node:ident, $caller:ident, $things:ident| $call:expr) => {
        |$node, $caller, $things| {
            let _ = $things;
            Box::pin(async move { $call.await.map(drop) })
        }
    };
}

const NO_WRITE: &str = "this key may not write";
const NO_INGEST: &str = "this key may not ingest";
const NO_READ: &str = "this key may not read";
const NOT_THERE: &str = "not found";
const ADMINS: &str = "API keys need an admin's key";
const OK: &str = "";

/// Results of each verb for a caller who may only read, one who may only ingest, one who may do everything except see
/// recordings and admin's things, and another company's admin. The company's own admin may do everything.
#[rustfmt::skip]
const TABLE: &[(&str, Verb, [&str; 4])] = &[
    ("webhooks::list", verb!(|node, caller, things| webhooks::list(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("webhooks::get", verb!(|node, caller, things| webhooks::get(node, caller, things.webhook)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("webhooks::has_pending", verb!(|node, caller, things| webhooks::has_pending(node, caller, things.webhook)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("webhooks::create", verb!(|node, caller, things| webhooks::create(node, caller, webhook())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("webhooks::update", verb!(|node, caller, things| webhooks::update(node, caller, things.webhook, webhook())),
        [NO_WRITE, NO_WRITE, "webhook", NOT_THERE]),
    ("webhooks::rotate_secret", verb!(|node, caller, things| webhooks::rotate_secret(node, caller, things.webhook, Rotation::default())),
        [NO_WRITE, NO_WRITE, "webhook", NOT_THERE]),
    ("webhooks::preview", verb!(|node, caller, things| webhooks::preview(node, caller, Some(things.webhook), previewed())),
        [OK, NO_READ, OK, NOT_THERE]),
    ("webhooks::pause", verb!(|node, caller, things| webhooks::pause(node, caller, things.webhook)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("webhooks::resume", verb!(|node, caller, things| webhooks::resume(node, caller, things.webhook)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("webhooks::retry", verb!(|node, caller, things| webhooks::retry(node, caller, things.webhook)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("webhooks::skip_to_now", verb!(|node, caller, things| webhooks::skip_to_now(node, caller, things.webhook)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("webhooks::test", verb!(|node, caller, things| webhooks::test(node, caller, things.webhook, Kind::Call)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("webhooks::delete", verb!(|node, caller, things| webhooks::delete(node, caller, things.webhook)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("websockets::create", verb!(|node, caller, things| websockets::create(node, caller, None)),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("websockets::list", verb!(|node, caller, things| websockets::list(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("websockets::get", verb!(|node, caller, things| websockets::get(node, caller, things.websocket)),
        [OK, NO_READ, "websocket", NOT_THERE]),
    ("websockets::set_secret", verb!(|node, caller, things| websockets::set_secret(node, caller, things.websocket, Some(None))),
        [NO_WRITE, NO_WRITE, "websocket", NOT_THERE]),
    ("websockets::delete", verb!(|node, caller, things| websockets::delete(node, caller, things.websocket)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("subscriptions::list", verb!(|node, caller, things| subscriptions::list(node, caller, Kind::Changelog, SubscriptionFilter::default(), PageRequest::first(1))),
        ["changelog subscriptions need", NO_READ, "changelog subscriptions need", OK]),
    ("subscriptions::list_all", verb!(|node, caller, things| subscriptions::list_all(node, caller, SubscriptionFilter::default(), PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("subscriptions::get", verb!(|node, caller, things| subscriptions::get(node, caller, Kind::Call, things.subscription)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("subscriptions::create", verb!(|node, caller, things| subscriptions::create(node, caller, Kind::Call, states())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("subscriptions::update", verb!(|node, caller, things| subscriptions::update(node, caller, Kind::Call, things.subscription, states())),
        [NO_WRITE, NO_WRITE, "call subscription", NOT_THERE]),
    ("subscriptions::update_any", verb!(|node, caller, things| subscriptions::update_any(node, caller, things.subscription, filtered())),
        [NO_WRITE, NO_WRITE, "call subscription", NOT_THERE]),
    ("subscriptions::kind_of", verb!(|node, caller, things| subscriptions::kind_of(node, caller, things.subscription)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("events::try_filter", verb!(|node, caller, things| events::try_filter(node, caller, Kind::Changelog, &asked())),
        ["changelog", NO_READ, "changelog", OK]),
    ("subscriptions::set_enabled", verb!(|node, caller, things| subscriptions::set_enabled(node, caller, Kind::Call, things.subscription, false)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("subscriptions::delete", verb!(|node, caller, things| subscriptions::delete(node, caller, Kind::Call, things.subscription)),
        [NO_WRITE, NO_WRITE, "call subscription", NOT_THERE]),
    ("feed::read", verb!(|node, caller, things| feed::read(node, caller, polled())),
        [OK, NO_READ, OK, OK]),
    ("consumers::put", verb!(|node, caller, things| consumers::put(node, caller, "one", Start::Oldest)),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("consumers::list", verb!(|node, caller, things| consumers::list(node, caller)),
        [OK, NO_READ, OK, OK]),
    ("consumers::get", verb!(|node, caller, things| consumers::get(node, caller, &things.consumer)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("consumers::read", verb!(|node, caller, things| consumers::read(node, caller, &things.consumer, polled())),
        [OK, NO_READ, OK, NOT_THERE]),
    ("consumers::acknowledge", verb!(|node, caller, things| consumers::acknowledge(node, caller, &things.consumer, LogPosition(0))),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("consumers::seek", verb!(|node, caller, things| consumers::seek(node, caller, &things.consumer, Start::Now)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("consumers::delete", verb!(|node, caller, things| consumers::delete(node, caller, &things.consumer)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("sources::list", verb!(|node, caller, things| sources::list(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("sources::get", verb!(|node, caller, things| sources::get(node, caller, things.source)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("sources::list_refusals", verb!(|node, caller, things| sources::list_refusals(node, caller, things.source, PageRequest::first(1))),
        [OK, NO_READ, OK, NOT_THERE]),
    ("sources::refusing", verb!(|node, caller, things| sources::refusing(node, caller)),
        [OK, NO_READ, OK, OK]),
    ("sources::create", verb!(|node, caller, things| sources::create(node, caller, source())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("sources::update", verb!(|node, caller, things| sources::update(node, caller, things.source, source())),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("sources::retry_refusals", verb!(|node, caller, things| sources::retry_refusals(node, caller, things.source)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("sources::delete", verb!(|node, caller, things| sources::delete(node, caller, things.source)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("deliveries::get", verb!(|node, caller, things| deliveries::get(node, caller, things.delivery)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("deliveries::get_with_attempts", verb!(|node, caller, things| deliveries::get_with_attempts(node, caller, things.delivery)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("deliveries::search", verb!(|node, caller, things| deliveries::search(node, caller, &DeliverySearch::default(), PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("deliveries::of_event", verb!(|node, caller, things| deliveries::of_event(node, caller, things.event, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("deliveries::redeliver", verb!(|node, caller, things| deliveries::redeliver(node, caller, things.delivery)),
        [NO_WRITE, NO_WRITE, "call delivery", NOT_THERE]),
    ("deliveries::cancel", verb!(|node, caller, things| deliveries::cancel(node, caller, things.delivery)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("dead_letters::list", verb!(|node, caller, things| dead_letters::list(node, caller, DeadLetterFilter::default())),
        [OK, NO_READ, OK, OK]),
    ("dead_letters::by_webhook", verb!(|node, caller, things| dead_letters::by_webhook(node, caller)),
        [OK, NO_READ, OK, OK]),
    ("dead_letters::page", verb!(|node, caller, things| dead_letters::page(node, caller, DeadLetterFilter::default(), PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("dead_letters::count", verb!(|node, caller, things| dead_letters::count(node, caller, DeadLetterFilter::default())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("dead_letters::resend", verb!(|node, caller, things| dead_letters::resend(node, caller, DeadLetterFilter::default(), None)),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("dead_letters::dismiss", verb!(|node, caller, things| dead_letters::dismiss(node, caller, DeadLetterFilter::default())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("replays::list", verb!(|node, caller, things| replays::list(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("replays::get", verb!(|node, caller, things| replays::get(node, caller, things.replay)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("replays::count", verb!(|node, caller, things| replays::count(node, caller, replay())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("replays::create", verb!(|node, caller, things| replays::create(node, caller, replay())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("replays::cancel", verb!(|node, caller, things| replays::cancel(node, caller, things.replay)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("events::list", verb!(|node, caller, things| events::list(node, caller, unknown_events(), PageRequest::first(1))),
        ["unknown events need", NO_READ, "unknown events need", OK]),
    ("events::read", verb!(|node, caller, things| events::read(node, caller, unknown_events(), PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("events::get", verb!(|node, caller, things| events::get(node, caller, things.unknown)),
        ["unknown events need", NO_READ, "unknown events need", NOT_THERE]),
    ("events::explain", verb!(|node, caller, things| events::explain(node, caller, things.event, None, PageRequest::first(1))),
        [OK, NO_READ, OK, NOT_THERE]),
    ("events::route", verb!(|node, caller, things| events::route(node, caller, things.unknown, Kind::Call)),
        [NO_INGEST, "unknown events need", "unknown events need", NOT_THERE]),
    ("events::erase", verb!(|node, caller, things| events::erase(node, caller, erasure())),
        [NO_WRITE, NO_WRITE, "erasures need an admin's key", OK]),
    ("events::summaries", verb!(|node, caller, things| events::summaries(node, caller, vec![things.event])),
        [OK, NO_READ, OK, OK]),
    ("history::of", verb!(|node, caller, things| history::of(node, caller, Some(things.webhook), range(node))),
        [OK, NO_READ, OK, NOT_THERE]),
    ("notifications::list", verb!(|node, caller, things| notifications::list(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("notifications::list_channels", verb!(|node, caller, things| notifications::list_channels(node, caller, PageRequest::first(1))),
        [OK, NO_READ, OK, OK]),
    ("notifications::channel", verb!(|node, caller, things| notifications::channel(node, caller, things.channel)),
        [OK, NO_READ, OK, NOT_THERE]),
    ("notifications::create_channel", verb!(|node, caller, things| notifications::create_channel(node, caller, channel())),
        [NO_WRITE, NO_WRITE, OK, OK]),
    ("notifications::update_channel", verb!(|node, caller, things| notifications::update_channel(node, caller, things.channel, ChannelRequest::default())),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("notifications::delete_channel", verb!(|node, caller, things| notifications::delete_channel(node, caller, things.channel)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("notifications::test_channel", verb!(|node, caller, things| notifications::test_channel(node, caller, things.channel)),
        [NO_WRITE, NO_WRITE, OK, NOT_THERE]),
    ("api_keys::list", verb!(|node, caller, things| api_keys::list(node, caller, PageRequest::first(1))),
        [ADMINS, ADMINS, ADMINS, OK]),
    ("api_keys::create", verb!(|node, caller, things| api_keys::create(node, caller, key())),
        [ADMINS, ADMINS, ADMINS, OK]),
    ("api_keys::revoke", verb!(|node, caller, things| api_keys::revoke(node, caller, things.key)),
        [ADMINS, ADMINS, ADMINS, NOT_THERE]),
    ("doctor::examine", verb!(|node, caller, things| doctor::examine(node, caller, examination(things))),
        [OK, NO_READ, OK, NOT_THERE]),
];

fn unknown_events() -> EventFilter {
    EventFilter {
        kind: Some(Kind::Unknown),
        ..EventFilter::default()
    }
}

fn erasure() -> Erasure {
    Erasure {
        number: "+12025550100".to_owned(),
        extent: ErasureExtent::Erase,
        after: None,
    }
}

fn range(node: &Node) -> Range {
    Range::last(Duration::from_secs(60 * 60), node.clock.now())
}

fn examination(things: &Things) -> ExamineOptions {
    ExamineOptions {
        only: Some(things.webhook),
        connections: ConnectionCheck::Skip,
    }
}

fn is_as_expected(answer: &Result<(), Refusal>, expected: &str) -> bool {
    match answer {
        Ok(()) => expected == OK,
        Err(Refusal::Store(StoreError::NotFound(_))) => expected == NOT_THERE,
        Err(refusal) => expected != OK && refusal.to_string().starts_with(expected),
    }
}

#[tokio::test(start_paused = true)]
async fn every_verb_refuses_who_may_not() {
    let (reader, ingester) = (with_right(Right::Read), with_right(Right::Ingest));
    let callers = [reader, ingester, unscoped(), stranger()];
    for (name, verb, expected) in TABLE {
        let fixture = Fixture::new().await;
        for (caller, expected) in callers.into_iter().zip(expected) {
            let things = Things::of(&fixture).await;
            let answer = verb(&fixture.node, caller, &things).await;
            assert!(
                is_as_expected(&answer, expected),
                "{name} to {caller:?}: {answer:?}"
            );
        }
        let things = Things::of(&fixture).await;
        let answer = verb(&fixture.node, admin(), &things).await;
        assert!(answer.is_ok(), "{name} to the admin: {answer:?}");
    }
}

/// What takes a caller and refuses nobody: it says what they may see, and verbs decide.
const NO_VERBS: &[&str] = &["traffic::", "visibility::", "::shown_to"];

#[test]
fn the_table_has_every_verb() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut missing = Vec::new();
    let mut found = 0;
    for file in rust_files(&sources) {
        let text = std::fs::read_to_string(&file).expect("it is a source");
        let module = file
            .strip_prefix(&sources)
            .expect("it is among them")
            .with_extension("");
        for name in verbs(&text) {
            found += 1;
            // `webhooks::skip::skip_to_now` is offered as `webhooks::skip_to_now`.
            let names = module.iter().map(|part| format!("{}::{name}", part.display()));
            let names: Vec<_> = names.collect();
            let is_known = |known: &&str| names.iter().any(|name| name.contains(*known));
            if !TABLE
                .iter()
                .any(|(known, ..)| names.iter().any(|name| name == known))
                && !NO_VERBS.iter().any(is_known)
            {
                missing.push(names);
            }
        }
    }
    assert!(missing.is_empty(), "no row of the table for {missing:?}");
    assert!(
        found >= TABLE.len(),
        "{found} verbs were found, and {} are known",
        TABLE.len()
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("it is a folder");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .collect()
}

/// Names of the functions of a source that take a node and a caller.
fn verbs(text: &str) -> impl Iterator<Item = &str> {
    text.split("pub async fn ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once('(')?;
        let (taken, _) = rest.split_once(')')?;
        (taken.contains("node: &Node") && taken.contains("caller: Caller")).then_some(name)
    })
}
