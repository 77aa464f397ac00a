//! Cases of API keys.

use switchhook_domain::id::KeyId;
use switchhook_domain::key::ApiKey;
use switchhook_store::{ENDED_SESSIONS_KEPT, PageRequest, Session, StoreError};

use crate::samples::{COMPANY, NOON, OTHER_COMPANY, key};
use crate::world::World;

const ALL: PageRequest = PageRequest::first(100);

pub(crate) async fn a_key_is_found_by_its_hash_and_can_be_revoked_once(world: &mut World) {
    let store = &world.store;
    let made = store.create_key(key(1_001, COMPANY)).await.unwrap();
    assert_eq!(made, key(1_001, COMPANY));
    assert_eq!(store.find_key(made.hash).await.unwrap(), Some(made.clone()));
    assert_eq!(store.find_key([9; 32]).await.unwrap(), None);

    let revoked = store.revoke_key(made.id, NOON).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(NOON));
    let again = store
        .revoke_key(made.id, NOON.plus(std::time::Duration::from_secs(1)))
        .await
        .unwrap();
    assert_eq!(again, revoked, "a second time changes nothing");
    assert_eq!(
        store.find_key(made.hash).await.unwrap(),
        Some(revoked),
        "a revoked key is still known"
    );
    let unknown = store.revoke_key(KeyId(9), NOON).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("key"))), "{unknown:?}");
}

pub(crate) async fn keys_are_listed_oldest_first_by_company_or_all(world: &mut World) {
    for (id, company) in [(3, COMPANY), (1, COMPANY), (2, OTHER_COMPANY)] {
        world.store.create_key(key(id, company)).await.unwrap();
    }
    let ids = |page: switchhook_store::Page<ApiKey>| -> Vec<i64> {
        page.items.iter().map(|key| key.id.0).collect()
    };
    assert_eq!(
        ids(world.store.list_keys(Some(COMPANY), ALL).await.unwrap()),
        [1, 3]
    );
    assert_eq!(ids(world.store.list_keys(None, ALL).await.unwrap()), [1, 2, 3]);
}

pub(crate) async fn valid_keys_of_a_company_are_counted(world: &mut World) {
    let later = NOON.plus(std::time::Duration::from_secs(60));
    for (id, company, expires_at) in [
        (1, COMPANY, None),
        (2, OTHER_COMPANY, None),
        (3, COMPANY, Some(NOON)),
        (4, COMPANY, Some(later)),
        (5, COMPANY, None),
    ] {
        let key = ApiKey {
            expires_at,
            ..key(id, company)
        };
        world.store.create_key(key).await.unwrap();
    }
    world.store.revoke_key(KeyId(5), NOON).await.unwrap();
    for (company, now, valid) in [(COMPANY, NOON, 2), (COMPANY, later, 1), (OTHER_COMPANY, later, 1)] {
        assert_eq!(world.store.count_valid_keys(company, now).await.unwrap(), valid);
    }
}

pub(crate) async fn keys_are_found_by_their_ids_as_they_are_now(world: &mut World) {
    let store = &world.store;
    for (id, company) in [(1, COMPANY), (2, OTHER_COMPANY), (3, COMPANY)] {
        store.create_key(key(id, company)).await.unwrap();
    }
    let revoked = store.revoke_key(KeyId(2), NOON).await.unwrap();
    let mut found = store.keys(vec![KeyId(2), KeyId(9), KeyId(1)]).await.unwrap();
    found.sort_by_key(|key| key.id);
    assert_eq!(found, [key(1, COMPANY), revoked]);
    assert!(store.keys(Vec::new()).await.unwrap().is_empty());
}

pub(crate) async fn the_last_use_of_a_key_is_the_latest_that_was_noted(world: &mut World) {
    let store = &world.store;
    for id in [1, 2] {
        store.create_key(key(id, COMPANY)).await.unwrap();
    }
    let later = NOON.plus(std::time::Duration::from_secs(60));
    store
        .note_key_uses(vec![(KeyId(2), NOON), (KeyId(1), later), (KeyId(9), NOON)])
        .await
        .unwrap();
    // Another node knows of an earlier use only.
    store.note_key_uses(vec![(KeyId(1), NOON)]).await.unwrap();
    let keys = store.list_keys(Some(COMPANY), ALL).await.unwrap().items;
    let used: Vec<_> = keys.iter().map(|key| key.last_used_at).collect();
    assert_eq!(used, [Some(later), Some(NOON)]);
}

fn session(key_id: i64, number: u16) -> Session {
    let mut token_hash = [7; 32];
    token_hash[..2].copy_from_slice(&number.to_be_bytes());
    Session {
        key_id: KeyId(key_id),
        token_hash,
        began_at: NOON,
    }
}

pub(crate) async fn an_ended_session_stays_ended_and_the_others_go_on(world: &mut World) {
    let store = &world.store;
    let (ended, other, of_another_key) = (session(1, 1), session(1, 2), session(2, 1));
    let all = vec![other, ended, of_another_key];
    assert_eq!(store.ended_sessions(all.clone()).await.unwrap(), []);
    let later = NOON.plus(std::time::Duration::from_secs(60));
    for _ in 0..2 {
        store.end_session(ended, later).await.unwrap();
        assert_eq!(store.ended_sessions(all.clone()).await.unwrap(), [ended]);
    }
    // Long after, whoever signs out lets go of what is not needed any more.
    let much_later = later.plus(ENDED_SESSIONS_KEPT * 2);
    store.end_session(other, much_later).await.unwrap();
    assert_eq!(store.ended_sessions(all).await.unwrap(), [other]);
}

pub(crate) async fn a_flood_of_ended_sessions_ends_all_that_their_key_began(world: &mut World) {
    let store = &world.store;
    let at = |seconds| NOON.plus(std::time::Duration::from_secs(seconds));
    let victim = session(1, 5_000);
    store.end_session(victim, at(1)).await.unwrap();
    for number in 0..1_000 {
        store.end_session(session(1, number), at(2)).await.unwrap();
    }
    let of_another_key = session(2, 1);
    let begun_later = Session {
        began_at: at(3),
        ..session(1, 5_001)
    };
    let all = vec![
        victim,
        session(1, 0),
        session(1, 999),
        of_another_key,
        begun_later,
    ];
    assert_eq!(
        store.ended_sessions(all).await.unwrap(),
        [victim, session(1, 0), session(1, 999)]
    );
}
