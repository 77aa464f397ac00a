//! Notifications: what is written down, what counts together, who gets what.

use switchhook_domain::attempt::AttemptOutcome;
use switchhook_domain::id::{CompanyId, WebhookId};
use switchhook_domain::notification::{
    FailingWebhook, LastFailure, News, Notice, Notification, SuspectStore, WebhookOf,
};
use switchhook_store::{NotificationRecord, PageRequest};

use crate::World;
use crate::samples::{COMPANY, NOON, OTHER_COMPANY};

const HOOK: WebhookId = WebhookId(7);

fn failing(attempts: u32) -> FailingWebhook {
    FailingWebhook {
        webhook: WebhookOf::new(HOOK, "https://example.com"),
        since: NOON,
        attempts,
        last: LastFailure::of(&AttemptOutcome::Lost),
    }
}

async fn add(world: &World, news: News) {
    let notice = Notice::new(Some(COMPANY), world.now, news);
    world.store.add_notice(notice).await.unwrap();
}

async fn listed(world: &World, company_id: CompanyId) -> Vec<NotificationRecord> {
    let page = world
        .store
        .list_notifications(company_id, PageRequest::first(50))
        .await;
    page.unwrap().items
}

pub(crate) async fn a_notice_is_a_notification_until_it_counts_with_one_or_takes_it_back(world: &mut World) {
    add(world, News::WebhookFailing(failing(2))).await;
    world.after(1);
    add(world, News::WebhookFailing(failing(3))).await;
    let kept = listed(world, COMPANY).await;
    let [
        NotificationRecord {
            notification,
            progress,
        },
    ] = &kept[..]
    else {
        panic!("{kept:?}")
    };
    let expected = Notification {
        id: notification.id,
        company_id: Some(COMPANY),
        at: NOON,
        count: 2,
        news: News::WebhookFailing(failing(3)),
        due_at: NOON,
        handed_out_at: None,
    };
    assert_eq!(*notification, expected);
    assert_eq!(progress, &[]);
    add(world, News::WebhookRecovered(failing(3))).await;
    assert_eq!(
        listed(world, COMPANY).await,
        [],
        "neither was said, so neither is"
    );
    add(
        world,
        News::WebhookDisabled(WebhookOf::new(HOOK, "https://example.com")),
    )
    .await;
    add(world, News::WebhookFailing(failing(4))).await;
    let kept = listed(world, COMPANY).await;
    let kinds: Vec<_> = kept
        .iter()
        .map(|one| one.notification.news.kind().as_str())
        .collect();
    assert_eq!(kinds, ["webhook.failing", "webhook.disabled"], "newest first");
    let ids: Vec<_> = kept.iter().map(|one| one.notification.id).collect();
    assert!(ids[0] > ids[1], "{ids:?}");
    let first = world
        .store
        .list_notifications(COMPANY, PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!((first.items.len(), first.next), (1, Some(ids[0].0)));
}

pub(crate) async fn the_operators_notifications_are_shown_to_the_first_company_alone(world: &mut World) {
    let news = News::StoreTrouble(SuspectStore {
        problem: "the disk is full".to_owned(),
        since: NOON,
        until: None,
    });
    let notice = Notice::new(None, world.now, news);
    world.store.add_notice(notice).await.unwrap();
    assert_eq!(listed(world, OTHER_COMPANY).await, []);
    let kept = listed(world, COMPANY).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].notification.company_id, None);
}
