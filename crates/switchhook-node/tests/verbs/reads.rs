//! Reads of what receivers, senders and sessions left behind: each company sees its own.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::Kind;
use switchhook_domain::key::ApiKey;
use switchhook_domain::webhook::WebhookRequest;
use switchhook_node::caller::Caller;
use switchhook_node::deliveries::DeliverySearch;
use switchhook_node::source::{SourceCache, SourceError, SourceInput};
use switchhook_node::sources::SourceRequest;
use switchhook_node::{dead_letters, deliveries, sessions, sources, webhooks};
use switchhook_store::{DeliveryFilter, PageRequest, Session};
use tokio::time::timeout;

use crate::fixture::{Fixture, GONE, START, admin, stranger};

const FIRST: PageRequest = PageRequest::first(9);

/// A delivery of the company's that its receiver wants no more.
async fn given_up(fixture: &Fixture) {
    let node = &fixture.node;
    let request = WebhookRequest {
        hook_url: Some(Some(GONE.to_owned())),
        ..WebhookRequest::default()
    };
    let made = webhooks::create(node, admin(), request).await;
    let id = made.expect("the URL is new").webhook.id;
    fixture.subscription(id.0).await;
    fixture
        .event(Kind::Call, r#"{"call_id":1,"state":"hangup"}"#)
        .await;
    let counted = async {
        while dead_letters::by_webhook(node, admin())
            .await
            .expect("an admin may")
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), counted)
        .await
        .expect("it is given up at once");
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_counted_for_their_company_only() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    given_up(&fixture).await;
    let own = dead_letters::by_webhook(node, admin()).await.unwrap();
    let counts: Vec<_> = own.values().map(|dead| dead.count).collect();
    assert_eq!(counts, [1]);
    let theirs = dead_letters::by_webhook(node, stranger()).await.unwrap();
    assert!(theirs.is_empty(), "{theirs:?}");
}

#[tokio::test(start_paused = true)]
async fn deliveries_and_attempts_are_found_by_their_company_only() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    given_up(&fixture).await;
    let failed = DeliverySearch {
        filter: DeliveryFilter {
            has_failed: true,
            ..DeliveryFilter::default()
        },
        ..DeliverySearch::default()
    };
    let theirs = deliveries::search(node, stranger(), &failed, FIRST)
        .await
        .unwrap();
    assert!(theirs.deliveries.is_empty(), "{theirs:?}");
    let own = deliveries::search(node, admin(), &failed, FIRST).await.unwrap();
    let [delivery] = &own.deliveries[..] else {
        panic!("one has failed: {own:?}");
    };
    let (_, attempts) = deliveries::get_with_attempts(node, admin(), delivery.id)
        .await
        .unwrap();
    let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1]);
    let event = delivery.event_id;
    let theirs = deliveries::of_event(node, stranger(), event, FIRST)
        .await
        .unwrap();
    assert!(theirs.is_empty(), "{theirs:?}");
    let own = deliveries::of_event(node, admin(), event, FIRST).await.unwrap();
    assert_eq!(own.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_a_source_are_told_to_its_company_only() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let request = SourceRequest {
        name: Some(Some("ours".to_owned())),
        secret: Some(Some("s".repeat(40))),
        ..SourceRequest::default()
    };
    let made = sources::create(node, admin(), request).await.unwrap();
    let token = made.url.rsplit('/').next().unwrap();
    let inlet = SourceCache::default().find(node, token).await.unwrap().unwrap();
    let unsigned = SourceInput {
        content_type: None,
        signature: Ok(None),
        content: Bytes::from_static(b"{}"),
    };
    let taken = inlet.take(node, unsigned).await;
    assert!(matches!(taken, Err(SourceError::Refused { .. })), "{taken:?}");
    let own = sources::refusing(node, admin()).await.unwrap();
    let counts: Vec<_> = own.iter().map(|one| (one.source_id, one.count)).collect();
    assert_eq!(counts, [(made.source.id, 1)]);
    assert!(sources::refusing(node, stranger()).await.unwrap().is_empty());
    let refused = sources::list_refusals(node, admin(), made.source.id, FIRST).await;
    assert_eq!(refused.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_ended_is_over_and_others_go_on() {
    let fixture = Fixture::new().await;
    let node = &fixture.node;
    let key = fixture.key(|key| ApiKey { admin: true, ..key }).await;
    let session = |byte| Session {
        key_id: key.id,
        token_hash: [byte; 32],
        began_at: START,
    };
    let [first, second] = [1, 2].map(session);
    let opened = [first, second].map(|session| node.leases.hold_in(Caller::of(&key), Some(session)));
    sessions::end(node, first).await.expect("it can be kept");
    timeout(Duration::from_secs(60), opened[0].ended())
        .await
        .expect("what was opened in it ends");
    assert!(!opened[1].is_over());
    let ended = node.store.ended_sessions(vec![first, second]).await.unwrap();
    assert_eq!(ended, [first]);
    sessions::end(node, first).await.expect("once more is no mistake");
}
