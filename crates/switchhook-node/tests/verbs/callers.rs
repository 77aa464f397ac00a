//! Callers by their keys.

use std::time::Duration;

use switchhook_domain::key::ApiKey;
use switchhook_node::caller::Caller;

use crate::fixture::{Fixture, START};

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_valid_has_no_caller_and_says_why() {
    let fixture = Fixture::new().await;
    let made = [
        fixture.key(|key| ApiKey { hash: [1; 32], ..key }).await,
        fixture
            .key(|key| ApiKey {
                hash: [2; 32],
                revoked_at: Some(START),
                ..key
            })
            .await,
        fixture
            .key(|key| ApiKey {
                hash: [3; 32],
                expires_at: Some(START),
                ..key
            })
            .await,
    ];
    let found = fixture.node.callers.find(made[0].hash).await;
    assert_eq!(found.expect("it is valid"), Caller::of(&made[0]));
    for (hash, words) in [
        ([2; 32], "this API key was revoked at "),
        ([3; 32], "this API key expired at "),
        ([4; 32], "this API key is not known"),
    ] {
        let nobody = fixture.node.callers.find(hash).await.expect_err(words);
        assert!(nobody.to_string().starts_with(words), "{nobody}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_remembered_for_a_second_and_never_beyond_its_time() {
    let fixture = Fixture::new().await;
    let soon = START.plus(Duration::from_millis(1_500));
    let key = fixture
        .key(|key| ApiKey {
            expires_at: Some(soon),
            ..key
        })
        .await;
    let callers = &fixture.node.callers;
    assert!(callers.find(key.hash).await.is_ok());
    tokio::time::advance(Duration::from_millis(900)).await;
    assert!(callers.find(key.hash).await.is_ok());
    tokio::time::advance(Duration::from_millis(600)).await;
    assert!(callers.find(key.hash).await.is_err());
    let later = fixture.key(|key| ApiKey { hash: [8; 32], ..key }).await;
    assert!(callers.find(later.hash).await.is_ok());
    let now = fixture.node.clock.now();
    fixture
        .node
        .store
        .revoke_key(later.id, now)
        .await
        .expect("the key is there");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(callers.find(later.hash).await.is_err(), "it was revoked");
}

#[tokio::test(start_paused = true)]
async fn the_use_of_a_key_is_kept_at_once_and_then_every_five_minutes() {
    let fixture = Fixture::new().await;
    let key = fixture.key(|key| key).await;
    let (node, callers) = (&fixture.node, &fixture.node.callers);
    let last_used = async || {
        let kept = node.store.keys(vec![key.id]).await.expect("it can be read");
        kept[0].last_used_at
    };
    let use_it = async |after: u64| {
        tokio::time::advance(Duration::from_secs(after)).await;
        callers.find(key.hash).await.expect("it is valid");
        let now = node.clock.now();
        let flushed = callers.uses().flush(&*node.store, now).await;
        flushed.expect("the store is there");
        now
    };
    assert_eq!(last_used().await, None);
    let first = use_it(2).await;
    assert_eq!(last_used().await, Some(first));
    use_it(60).await;
    assert_eq!(last_used().await, Some(first), "that is not worth a commit");
    let third = use_it(240).await;
    assert_eq!(last_used().await, Some(third));
    // Long after, when nothing is remembered of it any more.
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let flushed = callers.uses().flush(&*node.store, node.clock.now()).await;
    flushed.expect("the store is there");
    assert_eq!(last_used().await, Some(third), "it was not used since");
}
