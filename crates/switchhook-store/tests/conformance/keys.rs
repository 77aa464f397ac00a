//! API keys.

use switchhook_domain::id::KeyId;
use switchhook_store::{PageRequest, StoreError};

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
    let ids = |page: switchhook_store::Page<switchhook_domain::key::ApiKey>| -> Vec<i64> {
        page.items.iter().map(|key| key.id.0).collect()
    };
    assert_eq!(
        ids(world.store.list_keys(Some(COMPANY), ALL).await.unwrap()),
        [1, 3]
    );
    assert_eq!(ids(world.store.list_keys(None, ALL).await.unwrap()), [1, 2, 3]);
}
