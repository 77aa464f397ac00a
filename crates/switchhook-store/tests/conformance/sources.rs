//! Sources, and what they did not take.

use switchhook_domain::Kind;
use switchhook_domain::id::{RefusalId, SourceId};
use switchhook_domain::secret::Secret;
use switchhook_domain::source::{REFUSAL_HEAD, Refusal, RefusalBounds, Source, SourceChange};
use switchhook_domain::webhook::OldSecret;
use switchhook_protocol::StandardHeaders;
use switchhook_store::{ErasureExtent, ErasureSlice, PageRequest, RefusalSlice};

use crate::World;
use crate::samples::{COMPANY, LEASE, NOON, OTHER_COMPANY, is_missing};

fn source(id: i64) -> Source {
    let mut token_hash = [7; 32];
    token_hash[..8].copy_from_slice(&id.to_be_bytes());
    Source {
        id: SourceId(id),
        company_id: COMPANY,
        name: format!("source {id}"),
        kind: Some(Kind::AgentStatus),
        token_hash,
        secret: Some(Secret::new("s3cret")),
        old_secrets: vec![OldSecret {
            secret: Secret::new("0ld"),
            valid_until: NOON.plus(LEASE),
        }],
        created_at: NOON,
        updated_at: NOON,
    }
}

fn refusal(id: i64, source_id: SourceId) -> Refusal {
    Refusal {
        id: RefusalId(id),
        source_id,
        refused_at: NOON,
        status: 401,
        reason: format!("reason {id}"),
        content_type: (id % 2 == 0).then(|| "application/jwt".to_owned()),
        signature: (id % 2 == 1).then(|| StandardHeaders {
            id: format!("evt_{id}"),
            timestamp: "1790000000".to_owned(),
            signature: "v1,AAAA".to_owned(),
        }),
        body_bytes: 70_000,
        body: vec![0, 255, b'{'],
    }
}

pub(crate) async fn a_source_is_found_by_its_token_changed_and_deleted(world: &mut World) {
    let made = source(world.id());
    let kept = world.store.create_source(made.clone()).await.unwrap();
    assert_eq!(kept, made);
    world.store.create_source(source(world.id())).await.unwrap();
    assert_eq!(world.store.source(COMPANY, made.id).await.unwrap(), made);
    assert_eq!(
        world.store.find_source(made.token_hash).await.unwrap(),
        Some(made.clone())
    );
    assert_eq!(world.store.find_source([1; 32]).await.unwrap(), None);
    let change = SourceChange {
        name: Some("another".to_owned()),
        kind: Some(None),
        secret: Some(Some(Secret::new("new"))),
        old_secret_until: Some(NOON.plus(2 * LEASE)),
    };
    world.after(90);
    let changed = world
        .store
        .update_source(COMPANY, made.id, change.clone(), world.now)
        .await
        .unwrap();
    assert_eq!(changed, made.clone().changed(change, world.now));
    assert_eq!(changed.valid_secrets(world.now).count(), 2);
    assert_eq!(
        world.store.find_source(made.token_hash).await.unwrap(),
        Some(changed.clone())
    );
    assert_eq!(
        world.store.delete_source(COMPANY, made.id).await.unwrap(),
        changed
    );
    assert_eq!(world.store.find_source(made.token_hash).await.unwrap(), None);
    let gone = world.store.source(COMPANY, made.id).await;
    assert!(is_missing(&gone, "source"));
}

pub(crate) async fn sources_are_listed_oldest_first_and_are_their_companys_alone(world: &mut World) {
    let ids: Vec<_> = (0..3).map(|_| world.id()).collect();
    for &id in &ids {
        world.store.create_source(source(id)).await.unwrap();
    }
    let first = world
        .store
        .list_sources(COMPANY, PageRequest::first(2))
        .await
        .unwrap();
    assert_eq!(first.items, [source(ids[0]), source(ids[1])]);
    assert_eq!(first.next, Some(ids[1]));
    assert_eq!(world.store.count_sources(COMPANY).await.unwrap(), 3);
    assert_eq!(world.store.count_sources(OTHER_COMPANY).await.unwrap(), 0);
    let others = world
        .store
        .list_sources(OTHER_COMPANY, PageRequest::first(9))
        .await;
    assert_eq!(others.unwrap().items, []);
    let id = SourceId(ids[0]);
    let theirs = world.store.source(OTHER_COMPANY, id).await;
    assert!(is_missing(&theirs, "source"));
    let theirs = world.store.delete_source(OTHER_COMPANY, id).await;
    assert!(is_missing(&theirs, "source"));
    let refusals = world
        .store
        .list_refusals(OTHER_COMPANY, id, PageRequest::first(9))
        .await;
    assert!(is_missing(&refusals, "source"));
}

/// Room for so many refusals of the samples.
fn room_for(count: u64) -> RefusalBounds {
    RefusalBounds {
        bytes: count * 1_000,
        ..RefusalBounds::DEFAULT
    }
}

pub(crate) async fn of_refusals_the_newest_are_kept(world: &mut World) {
    let (one, other) = (source(world.id()), source(world.id()));
    for made in [&one, &other] {
        world.store.create_source(made.clone()).await.unwrap();
    }
    let theirs = refusal(world.id(), other.id);
    world
        .store
        .keep_refusal(theirs.clone(), room_for(3))
        .await
        .unwrap();
    let ids: Vec<_> = (0..5).map(|_| world.id()).collect();
    for &id in &ids {
        world
            .store
            .keep_refusal(refusal(id, one.id), room_for(3))
            .await
            .unwrap();
    }
    let all = PageRequest::first(9);
    let kept = world.store.list_refusals(COMPANY, one.id, all).await.unwrap();
    let newest: Vec<_> = ids.iter().rev().take(3).map(|&id| refusal(id, one.id)).collect();
    assert_eq!(kept.items, newest);
    let page = world
        .store
        .list_refusals(COMPANY, one.id, PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!(page.next, Some(ids[4]));
    let large = Refusal {
        body: vec![b'x'; 3_000],
        ..refusal(world.id(), one.id)
    };
    world
        .store
        .keep_refusal(large.clone(), room_for(4))
        .await
        .unwrap();
    let kept = world.store.list_refusals(COMPANY, one.id, all).await.unwrap();
    assert_eq!(kept.items, [large], "a large one takes the room of many");
    let kept = world.store.list_refusals(COMPANY, other.id, all).await.unwrap();
    assert_eq!(kept.items, std::slice::from_ref(&theirs));
    world.store.delete_source(COMPANY, other.id).await.unwrap();
    world.store.keep_refusal(theirs, room_for(3)).await.unwrap();
    world.store.create_source(other.clone()).await.unwrap();
    let kept = world.store.list_refusals(COMPANY, other.id, all).await.unwrap();
    assert_eq!(kept.items, [], "of a source that is gone nothing is kept");
}

pub(crate) async fn refusals_are_read_whole_in_slices_and_forgotten(world: &mut World) {
    let one = source(world.id());
    world.store.create_source(one.clone()).await.unwrap();
    let mut refusals = Vec::new();
    for size in [20_000, 20_000, 3, 30_000] {
        let refusal = Refusal {
            body: vec![b'y'; size],
            ..refusal(world.id(), one.id)
        };
        let bounds = RefusalBounds::DEFAULT;
        world.store.keep_refusal(refusal.clone(), bounds).await.unwrap();
        refusals.push(refusal);
    }
    let most = RefusalSlice {
        count: 3,
        bytes: 30_000,
    };
    let first = world.store.read_refusals(one.id, None, most).await.unwrap();
    assert_eq!(first, refusals[..2], "enough bytes");
    let after = Some(refusals[0].id);
    let next = world.store.read_refusals(one.id, after, most).await.unwrap();
    assert_eq!(next, refusals[1..], "as many as were asked for");
    let after = Some(refusals[3].id);
    assert_eq!(world.store.read_refusals(one.id, after, most).await.unwrap(), []);

    let listed = world
        .store
        .list_refusals(COMPANY, one.id, PageRequest::first(9))
        .await
        .unwrap();
    let heads: Vec<_> = listed.items.iter().map(|one| one.body.len()).collect();
    assert_eq!(heads, [REFUSAL_HEAD, 3, REFUSAL_HEAD, REFUSAL_HEAD]);

    let dealt_with = vec![refusals[0].id, refusals[2].id];
    world.store.forget_refusals(one.id, dealt_with).await.unwrap();
    let left = world.store.read_refusals(one.id, None, most).await.unwrap();
    assert_eq!(left, [refusals[1].clone(), refusals[3].clone()]);
    assert_eq!(world.store.forget_old_refusals(NOON, 10).await.unwrap(), 0);
    let later = world.now.plus(LEASE);
    assert_eq!(world.store.forget_old_refusals(later, 1).await.unwrap(), 1);
    assert_eq!(world.store.forget_old_refusals(later, 10).await.unwrap(), 1);
    assert_eq!(world.store.read_refusals(one.id, None, most).await.unwrap(), []);
}

pub(crate) async fn sources_that_refused_lately_are_told_with_what_was_last(world: &mut World) {
    let (quiet, one, other) = (source(world.id()), source(world.id()), source(world.id()));
    for made in [&quiet, &one, &other] {
        world.store.create_source(made.clone()).await.unwrap();
    }
    let before = refusal(world.id(), quiet.id);
    world
        .store
        .keep_refusal(before, RefusalBounds::DEFAULT)
        .await
        .unwrap();
    world.now = world.now.plus(LEASE);
    let since = world.now;
    for (made, reasons) in [(&one, &["first", "second"][..]), (&other, &["only"])] {
        for reason in reasons {
            let refusal = Refusal {
                reason: (*reason).to_owned(),
                ..refusal(world.id(), made.id)
            };
            world
                .store
                .keep_refusal(refusal, RefusalBounds::DEFAULT)
                .await
                .unwrap();
        }
    }
    for (most, counts) in [(9, [2, 1]), (1, [1, 1])] {
        let found = world.store.refusing_sources(COMPANY, since, most).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.source_id, one.count, one.last_reason.as_str()))
            .collect();
        assert_eq!(
            found,
            [(one.id, counts[0], "second"), (other.id, counts[1], "only")]
        );
    }
    let theirs = world
        .store
        .refusing_sources(OTHER_COMPANY, since, 9)
        .await
        .unwrap();
    assert_eq!(theirs, []);
}

pub(crate) async fn a_number_is_erased_from_refusals_too(world: &mut World) {
    let one = source(world.id());
    world.store.create_source(one.clone()).await.unwrap();
    let bodies: [&[u8]; 4] = [
        br#"{"from_number":"+15551234567"}"#,
        br#"{"from_number":"+15550000000"}"#,
        b"eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
        b"",
    ];
    for body in bodies {
        let refusal = Refusal {
            body: body.to_vec(),
            ..refusal(world.id(), one.id)
        };
        world.store.keep_refusal(refusal, room_for(100)).await.unwrap();
    }
    let slice = |extent| ErasureSlice {
        company_id: COMPANY,
        number: "+15551234567".parse().unwrap(),
        after: None,
        limit: 100,
        extent,
    };
    for (extent, left) in [
        (ErasureExtent::Count, bodies.as_slice()),
        (ErasureExtent::Erase, &[bodies[1], bodies[3]]),
    ] {
        world.store.erase_number(slice(extent), world.now).await.unwrap();
        let kept = world
            .store
            .list_refusals(COMPANY, one.id, PageRequest::first(9))
            .await
            .unwrap();
        let kept: Vec<_> = kept.items.iter().rev().map(|one| &one.body[..]).collect();
        assert_eq!(kept, left);
    }
}
