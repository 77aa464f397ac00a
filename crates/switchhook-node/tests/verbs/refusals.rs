//! Refusals that admins get too: invalid requests, conflicts, and limits.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::id::{EventId, ReplayId, SourceId, SubscriptionId, WebhookId};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::notification::{ChannelType, MOST_CHANNELS, NotificationKind};
use switchhook_domain::replay::ReplayFilter;
use switchhook_domain::scope::Scopes;
use switchhook_domain::subscription::SubscriptionRequest;
use switchhook_domain::webhook::WebhookRequest;
use switchhook_node::api_keys::KeyRequest;
use switchhook_node::caller::Caller;
use switchhook_node::events::{self, Erasure};
use switchhook_node::feed::{self, FeedRequest, Only, Start, consumers};
use switchhook_node::notifications::{self, ChannelRequest};
use switchhook_node::replays::{self, ReplayRequest, ReplayTarget};
use switchhook_node::share::{CompanyLimits, Limit};
use switchhook_node::sources::{self, SourceRequest};
use switchhook_node::webhooks::{self, PreviewRequest, Rotation};
use switchhook_node::{api_keys, deliveries, keys, subscriptions, websockets};
use switchhook_protocol::ContactType;
use switchhook_store::{ErasureExtent, PageRequest};

use crate::fixture::{Fixture, NOWHERE, START, admin, refused, stranger, unscoped};

fn long() -> Option<Option<String>> {
    Some(Some("s".repeat(2_049)))
}

#[tokio::test(start_paused = true)]
async fn webhooks_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let id = fixture.webhook().await;
    let url = |url: &str| WebhookRequest {
        hook_url: Some(Some(url.to_owned())),
        ..WebhookRequest::default()
    };
    let secret = WebhookRequest {
        secret: long(),
        ..url("https://example.com/secret")
    };
    for (request, words) in [
        (WebhookRequest::default(), "hook_url is required"),
        (url(""), "hook_url is empty"),
        (url("https://example.com/a b"), "hook_url has white space"),
        (url("https://127.0.0.1/"), "hook_url: "),
        (secret, "secret is longer than 2048 characters"),
    ] {
        refused(webhooks::create(node, admin(), request).await, words);
    }
    let cleared = WebhookRequest {
        hook_url: Some(None),
        ..WebhookRequest::default()
    };
    refused(
        webhooks::update(node, admin(), id, cleared).await,
        "hook_url cannot be null",
    );
    let long_overlap = Rotation {
        overlap: Some("91d".to_owned()),
        ..Rotation::default()
    };
    refused(
        webhooks::rotate_secret(node, admin(), id, long_overlap).await,
        "overlap: an old secret counts for at most 90 days",
    );
    refused(
        webhooks::test(node, admin(), id, Kind::Unknown).await,
        "kind: `unknown` is not a",
    );
    refused(
        webhooks::pause(node, admin(), WebhookId(NOWHERE)).await,
        "there is no such webhook",
    );
}

#[tokio::test(start_paused = true)]
async fn subscriptions_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let webhook = fixture.webhook().await;
    let to = |id: i64| SubscriptionRequest {
        endpoint_id: Some(Some(id)),
        ..SubscriptionRequest::default()
    };
    for (kind, request, words) in [
        (
            Kind::Call,
            to(NOWHERE),
            "endpoint_id: there is no webhook 7 and no websocket",
        ),
        (Kind::Sms, to(webhook.0), "direction is required"),
        (Kind::Contact, to(webhook.0), "contact_type is required"),
        (
            Kind::Unknown,
            to(webhook.0),
            "there are no subscriptions of kind unknown",
        ),
    ] {
        refused(subscriptions::create(node, admin(), kind, request).await, words);
    }
    let id = fixture.subscription(webhook.0).await;
    let half = SubscriptionRequest {
        target_id: Some(Some(5)),
        ..SubscriptionRequest::default()
    };
    refused(
        subscriptions::update(node, admin(), Kind::Call, id, half).await,
        "target_type and target_id go together",
    );
    refused(
        subscriptions::delete(node, admin(), Kind::Sms, id).await,
        "there is no such",
    );
    let absent = SubscriptionId(NOWHERE);
    refused(
        subscriptions::set_enabled(node, admin(), Kind::Call, absent, true).await,
        "there is no such",
    );
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_disabled_is_enabled_by_who_may_see_it() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let request = SubscriptionRequest {
        contact_type: Some(Some(ContactType::Shared)),
        ..SubscriptionRequest::default()
    };
    let made = subscriptions::create(node, admin(), Kind::Contact, request).await;
    let id = made.expect("it is new").subscription.id;
    for enabled in [false, true] {
        let switched = subscriptions::set_enabled(node, admin(), Kind::Contact, id, enabled).await;
        assert_eq!(
            switched.expect("an admin sees contacts").subscription.enabled,
            enabled
        );
    }
    let webhook = fixture.webhook().await;
    let id = fixture.subscription(webhook.0).await;
    let disabled = subscriptions::set_enabled(node, unscoped(), Kind::Call, id, false).await;
    assert!(!disabled.expect("whoever writes may disable").subscription.enabled);
    refused(
        subscriptions::set_enabled(node, unscoped(), Kind::Call, id, true).await,
        "call subscription",
    );
}

#[tokio::test(start_paused = true)]
async fn sources_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let named = |name: &str| SourceRequest {
        name: Some(Some(name.to_owned())),
        ..SourceRequest::default()
    };
    let of_kind = |kind| SourceRequest {
        kind: Some(Some(kind)),
        ..named("ours")
    };
    let secret = SourceRequest {
        secret: long(),
        ..named("ours")
    };
    let overlap = SourceRequest {
        overlap: Some("soon".to_owned()),
        ..named("ours")
    };
    for (request, words) in [
        (SourceRequest::default(), "name is required"),
        (named(""), "name: write 1 to 200 characters"),
        (named(&"n".repeat(201)), "name: write 1 to 200 characters"),
        (of_kind(Kind::Unknown), "kind: `unknown` is not a"),
        (secret, "secret is longer"),
        (overlap, "overlap: "),
    ] {
        refused(sources::create(node, admin(), request).await, words);
    }
    let id = sources::create(node, admin(), named("ours"))
        .await
        .unwrap()
        .source
        .id;
    let unnamed = SourceRequest {
        name: Some(None),
        ..SourceRequest::default()
    };
    refused(
        sources::update(node, admin(), id, unnamed).await,
        "name cannot be null",
    );
    let another_kind = SourceRequest {
        kind: Some(Some(Kind::Call)),
        ..SourceRequest::default()
    };
    refused(
        sources::update(node, unscoped(), id, another_kind).await,
        "changes of the kind of source",
    );
    refused(
        sources::delete(node, admin(), SourceId(NOWHERE)).await,
        "there is no such source",
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_or_is_known_stays_so() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let id = fixture.delivery().await;
    let event = deliveries::cancel(node, admin(), id).await.unwrap().event_id;
    assert!(deliveries::cancel(node, admin(), id).await.is_err());
    refused(
        events::route(node, admin(), event, Kind::Sms).await,
        &format!("event {event} is of kind call already"),
    );
    refused(
        events::route(node, admin(), EventId(NOWHERE), Kind::Sms).await,
        "there is no such event",
    );
    refused(
        websockets::create(node, admin(), long().flatten()).await,
        "secret is longer",
    );
}

#[tokio::test(start_paused = true)]
async fn replays_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    fixture.delivery().await;
    let calls = || ReplayRequest {
        filter: ReplayFilter {
            kind: Some(Kind::Call),
            ..ReplayFilter::default()
        },
        ..ReplayRequest::default()
    };
    let to = |to| ReplayRequest { to, ..calls() };
    let inside = ReplayTarget::Url {
        url: "https://127.0.0.1/".to_owned(),
        secret: None,
    };
    let rate = ReplayRequest {
        rate: Some(0.0),
        ..calls()
    };
    for (request, words) in [
        (ReplayRequest::default(), "filter is required"),
        (rate, "rate: 0.001 to 100000 events a second"),
        (
            to(ReplayTarget::Webhook(WebhookId(NOWHERE))),
            "there is no such webhook",
        ),
        (to(inside), "to.url: "),
    ] {
        refused(replays::count(node, admin(), request.clone()).await, words);
        refused(replays::create(node, admin(), request).await, words);
    }
    let counted = replays::count(node, admin(), calls()).await.unwrap();
    assert_eq!((counted.planned, counted.scanned), (1, 1));
    let id = replays::create(node, admin(), calls()).await.unwrap().id;
    replays::cancel(node, admin(), id).await.unwrap();
    refused(
        replays::cancel(node, admin(), ReplayId(NOWHERE)).await,
        "there is no such replay",
    );
}

#[tokio::test(start_paused = true)]
async fn a_company_has_no_more_than_it_may() {
    let one = Limit::of(1);
    let fixture = Fixture::limited(CompanyLimits {
        webhooks: one,
        subscriptions: one,
        websockets: one,
        sources: one,
        ..CompanyLimits::default()
    })
    .await;
    let node = &fixture.node;
    let webhook = fixture.webhook().await;
    fixture.websocket().await;
    fixture.subscription(webhook.0).await;
    let source = || SourceRequest {
        name: Some(Some("ours".to_owned())),
        ..SourceRequest::default()
    };
    sources::create(node, admin(), source()).await.unwrap();
    let hook = WebhookRequest {
        hook_url: Some(Some("https://example.com/second".to_owned())),
        ..WebhookRequest::default()
    };
    let changes = SubscriptionRequest::default();
    refused(
        webhooks::create(node, admin(), hook).await,
        "this company has 1 webhooks",
    );
    refused(
        websockets::create(node, admin(), None).await,
        "this company has 1 websockets",
    );
    refused(
        subscriptions::create(node, admin(), Kind::Changelog, changes).await,
        "this company has 1 subscriptions",
    );
    refused(
        sources::create(node, admin(), source()).await,
        "this company has 1 sources",
    );
}

#[tokio::test(start_paused = true)]
async fn notification_channels_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let of_type = |channel_type| ChannelRequest {
        channel_type: Some(Some(channel_type)),
        ..ChannelRequest::default()
    };
    let at = |channel_type, url: &str| ChannelRequest {
        url: Some(Some(url.to_owned())),
        ..of_type(channel_type)
    };
    let slack = || at(ChannelType::Slack, "https://hooks.example.com/T0");
    let to = ChannelRequest {
        to: Some(Some(vec!["ops@example.com".to_owned()])),
        ..of_type(ChannelType::Email)
    };
    let signed_slack = ChannelRequest {
        secret: Some(Some("s".repeat(40))),
        ..slack()
    };
    let of_kinds = |kinds: &[NotificationKind]| ChannelRequest {
        kinds: Some(Some(kinds.to_vec())),
        ..slack()
    };
    for (request, words) in [
        (ChannelRequest::default(), "type is required: webhook, slack"),
        (
            of_type(ChannelType::Discord),
            "url is required: where to post to for type discord",
        ),
        (of_type(ChannelType::Email), "to is required"),
        (
            to,
            "type: this server cannot send e-mail: start it with --notify-email-host",
        ),
        (
            at(ChannelType::Email, "https://example.com"),
            "url: a channel of type email has none",
        ),
        (at(ChannelType::Webhook, "https://127.0.0.1/"), "url: "),
        (
            at(ChannelType::Webhook, "inspector://dev"),
            "url: the inspector takes no notifications",
        ),
        (signed_slack, "secret: only a channel of type webhook signs"),
        (of_kinds(&[]), "kinds: name at least one of webhook.failing"),
    ] {
        refused(notifications::create_channel(node, admin(), request).await, words);
    }
    let theirs = of_kinds(&[NotificationKind::StoreTrouble]);
    refused(
        notifications::create_channel(node, stranger(), theirs).await,
        "kinds: store.trouble is about the whole server",
    );
    let made = notifications::create_channel(node, stranger(), slack()).await;
    let kinds = made.expect("it can be made").kinds;
    assert!(!kinds.iter().any(|kind| kind.is_the_operators()), "{kinds:?}");
    for _ in 0..MOST_CHANNELS {
        let made = notifications::create_channel(node, admin(), slack()).await;
        made.expect("there is room");
    }
    refused(
        notifications::create_channel(node, admin(), slack()).await,
        "this company has 20 notification channels",
    );
    let page = notifications::list_channels(node, admin(), PageRequest::first(1)).await;
    let id = page.expect("they can be read").items[0].id;
    refused(
        notifications::update_channel(node, admin(), id, of_type(ChannelType::Teams)).await,
        "type: channel ",
    );
    let as_shown = at(ChannelType::Slack, "https://hooks.example.com/***");
    let same = notifications::update_channel(node, admin(), id, as_shown).await;
    let same = same.expect("what was shown stays what it is");
    assert_eq!(same.destination.expose(), "https://hooks.example.com/T0");
}

#[tokio::test(start_paused = true)]
async fn keys_say_what_cannot_be() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let request = |name: &str, scopes: Scopes| KeyRequest {
        name: name.to_owned(),
        admin: false,
        rights: Rights::all(),
        scopes,
        expires_in: None,
    };
    for name in [String::new(), "  ".to_owned(), "n".repeat(201)] {
        let made = api_keys::create(node, admin(), request(&name, Scopes::NONE)).await;
        refused(made, "name: write 1 to 200 characters");
    }
    let unscoped_admin = Caller {
        scopes: Scopes::NONE,
        ..admin()
    };
    let made = api_keys::create(node, unscoped_admin, request("more", Scopes::ALL)).await;
    refused(made, "keys with these scopes need ");
    let made = api_keys::create(node, admin(), request(" crm ", Scopes::ALL)).await;
    let made = made.expect("it can be made");
    assert_eq!(made.key.name, "crm");
    let found = node.callers.find(keys::hash(made.text.expose())).await;
    let found = found.expect("it is valid at once");
    assert_eq!((found.company_id, found.admin), (admin().company_id, false));
    let own = Caller {
        key_id: made.key.id,
        ..admin()
    };
    refused(
        api_keys::revoke(node, own, made.key.id).await,
        "this is the key that you use",
    );
    let ending = fixture.key(|key| ApiKey {
        admin: true,
        expires_at: Some(START.plus(Duration::from_secs(60))),
        ..key
    });
    let ending = Caller {
        key_id: ending.await.id,
        ..admin()
    };
    for (seconds, is_fine) in [(None, false), (Some(61), false), (Some(60), true)] {
        let request = KeyRequest {
            expires_in: seconds.map(Duration::from_secs),
            ..request("crm", Scopes::NONE)
        };
        let made = api_keys::create(node, ending, request).await;
        if is_fine {
            made.expect("it ends with the one that makes it");
        } else {
            refused(made, "your key is valid until 2026-");
        }
    }
    let revoked = api_keys::revoke(node, admin(), made.key.id).await;
    assert!(revoked.expect("it is there").revoked_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_feed_says_what_it_cannot_sign_and_how_consumers_are_named() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let webhook = fixture.webhook().await;
    let signed = |webhook_id| FeedRequest {
        start: Start::Oldest,
        limit: 1,
        wait: Duration::ZERO,
        only: Only {
            webhook_id,
            ..Only::default()
        },
        is_signed: true,
    };
    refused(
        feed::read(node, admin(), signed(None)).await,
        "webhook_id is required with format=jwt",
    );
    let no_secret = WebhookRequest {
        secret: Some(None),
        ..WebhookRequest::default()
    };
    let changed = webhooks::update(node, admin(), webhook, no_secret).await;
    assert!(changed.expect("it is there").webhook.secret.is_none());
    refused(
        feed::read(node, admin(), signed(Some(webhook))).await,
        "format=jwt: webhook",
    );
    for name in ["", "a b", "ä", &"n".repeat(consumers::LONGEST_NAME + 1)] {
        refused(
            consumers::put(node, admin(), name, Start::Oldest).await,
            "name: a consumer's name has 1 to",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn previews_and_erasures_say_what_they_lack() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let webhook = fixture.webhook().await;
    let nothing = PreviewRequest::default;
    refused(
        webhooks::preview(node, admin(), None, nothing()).await,
        "template is required",
    );
    refused(
        webhooks::preview(node, admin(), Some(webhook), nothing()).await,
        "the webhook has no template",
    );
    let erasure = |number: &str| Erasure {
        number: number.to_owned(),
        extent: ErasureExtent::Erase,
        after: None,
    };
    for number in ["", "anonymous", "12"] {
        refused(events::erase(node, admin(), erasure(number)).await, "number: ");
    }
    let unknown = fixture
        .event(Kind::Unknown, r#"{"call_id":2,"external_number":"+12025550100"}"#)
        .await;
    let erased = events::erase(node, admin(), erasure("+12025550100")).await;
    assert_eq!(erased.expect("it can be read").events, 1);
    refused(
        events::route(node, admin(), unknown, Kind::Call).await,
        &format!("event {unknown} has no payload any more"),
    );
}
