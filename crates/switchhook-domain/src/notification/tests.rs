use serde_json::json;

use super::*;
use crate::attempt::{Failure, FailureReason};
use crate::id::{DeliveryId, KeyId, SourceId, WebhookId};

/// 2026-09-21T14:13:20Z.
const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const ID: NotificationId = NotificationId(7);

fn webhook() -> WebhookInfo {
    WebhookInfo::new(WebhookId(123), "https://ann:s3cret@example.com/hook?token=t0k")
}

fn failing(attempts: u32) -> FailingWebhook {
    FailingWebhook {
        webhook: webhook(),
        since: NOON,
        attempts,
        last: Some(Failure::Status(500)),
    }
}

fn one_of_each() -> Vec<NotificationPayload> {
    vec![
        NotificationPayload::WebhookFailing(failing(12)),
        NotificationPayload::WebhookRecovered(failing(1)),
        NotificationPayload::WebhookDisabled(webhook()),
        NotificationPayload::DeliveryExhausted(GivenUpDelivery {
            webhook: webhook(),
            delivery_id: DeliveryId(5),
            last: Some(Failure::NoAnswer(FailureReason::ConnectTimeout)),
        }),
        NotificationPayload::SourceRefusing(RefusingSource {
            source_id: SourceId(9),
            name: "our account".to_owned(),
            status: 401,
        }),
        NotificationPayload::SourceSilent(SilentSource {
            source_id: SourceId(9),
            name: "our account".to_owned(),
            last_event_at: NOON,
        }),
        NotificationPayload::ServerLate(LateServer {
            delivery_id: DeliveryId(5),
            due_since: NOON,
        }),
        NotificationPayload::StoreTrouble(SuspectStore {
            problem: "the disk is full".to_owned(),
            since: NOON,
            until: Some(NOON.plus(Duration::from_secs(90))),
        }),
        NotificationPayload::KeyExpiring(ExpiringKey {
            key_id: KeyId(4),
            name: "crm".to_owned(),
            expires_at: NOON,
        }),
    ]
}

#[track_caller]
fn check(newest: Option<LatestNotification>, opposite: Option<LatestNotification>, expected: Placement) {
    let kind = NotificationKind::WebhookFailing;
    assert_eq!(placement(kind, newest, opposite, NOON), expected);
}

#[test]
fn what_is_new_is_said_at_once_and_what_follows_waits_for_the_end_of_the_quiet_time() {
    let quiet = NotificationKind::WebhookFailing
        .quiet_time()
        .expect("it can be said again");
    let minute = Duration::from_secs(60);
    check(None, None, Placement::New { due_at: NOON });
    check(Some(LatestNotification::Open(ID)), None, Placement::Joins(ID));
    let lately = LatestNotification::HandedOut(NOON.minus(minute));
    let end = NOON.minus(minute).plus(quiet);
    check(Some(lately), None, Placement::New { due_at: end });
    let long_ago = LatestNotification::HandedOut(NOON.minus(quiet));
    check(Some(long_ago), None, Placement::New { due_at: NOON });
}

#[test]
fn what_is_said_once_is_not_said_again() {
    let kind = NotificationKind::KeyExpiring;
    let said = Some(LatestNotification::HandedOut(NOON));
    assert_eq!(placement(kind, said, None, NOON), Placement::Known);
    assert_eq!(placement(kind, None, None, NOON), Placement::New { due_at: NOON });
}

#[test]
fn a_failure_and_its_recovery_within_the_quiet_time_are_not_said() {
    let said = Some(LatestNotification::HandedOut(NOON.minus(Duration::from_secs(1))));
    check(said, Some(LatestNotification::Open(ID)), Placement::Cancels(ID));
    check(None, said, Placement::New { due_at: NOON });
}

#[test]
fn what_is_no_longer_so_is_corrected_before_the_quiet_time_ends() {
    let ago = |minutes: u64| NOON.minus(Duration::from_secs(60 * minutes));
    let failed = Some(LatestNotification::HandedOut(ago(9)));
    let due_at = |recovered| Placement::New { due_at: recovered };
    check(
        failed,
        Some(LatestNotification::HandedOut(ago(1))),
        due_at(ago(1).plus(WRONG_FOR)),
    );
    check(failed, Some(LatestNotification::HandedOut(ago(8))), due_at(NOON));
    let quiet = NotificationKind::WebhookFailing.quiet_time().unwrap();
    check(
        failed,
        Some(LatestNotification::HandedOut(ago(10))),
        due_at(ago(9).plus(quiet)),
    );
}

#[test]
fn a_kind_and_its_opposite_are_each_others() {
    for kind in NotificationKind::ALL {
        if let Some(opposite) = kind.opposite() {
            assert_eq!(opposite.opposite(), Some(kind));
        }
    }
}

#[test]
fn each_kind_of_news_reads_back_as_it_was_kept() {
    let kinds: Vec<_> = one_of_each().iter().map(NotificationPayload::kind).collect();
    assert_eq!(kinds, NotificationKind::ALL);
    for payload in one_of_each() {
        let kept = payload.data().to_string();
        assert_eq!(
            NotificationPayload::from_kept(payload.kind(), &kept).ok(),
            Some(payload)
        );
    }
    assert!(NotificationPayload::from_kept(NotificationKind::KeyExpiring, "{}").is_err());
}

#[test]
fn data_has_ids_as_text_and_no_credentials() {
    assert_eq!(
        NotificationPayload::WebhookFailing(failing(12)).data(),
        json!({
            "webhook_id": "123",
            "hook_url": "https://***@example.com/hook?token=***",
            "since": 1_790_000_000_000_i64,
            "attempts": 12,
            "last_status": 500,
        })
    );
}

#[test]
fn texts_say_what_happened_since_when_and_what_to_do() {
    let later = NOON.plus(Duration::from_secs(12_000));
    let texts: Vec<_> = one_of_each()
        .iter()
        .map(|payload| payload.text(later, 1))
        .collect();
    assert_eq!(
        texts,
        [
            "Webhook 123 (https://***@example.com/hook?token=***) has failed since 2026-09-21 14:13:20 UTC: 12 attempts in a \
             row failed; at the last one the receiver answered 500.",
            "Webhook 123 (https://***@example.com/hook?token=***) works again. It had failed for 3 h 20 min, since 2026-09-21 \
             14:13:20 UTC: 1 attempt in a row failed; at the last one the receiver answered 500.",
            "Webhook 123 (https://***@example.com/hook?token=***) was disabled, because its receiver had failed for too long or asked for it. \
             Its deliveries wait: resume it once the receiver works again.",
            "Delivery 5 to webhook 123 (https://***@example.com/hook?token=***) was given up: at its last attempt the \
             receiver could not be connected to in time. Redeliver it once the receiver works.",
            "Source 9 (our account) refused a request at 2026-09-21 17:33:20 UTC with status 401. It is kept: see the source's \
             refusals for the reason, and retry them.",
            "Source 9 (our account) has taken no event for 3 h 20 min, since 2026-09-21 14:13:20 UTC. Check that the account \
             still sends to it.",
            "The server sends late: delivery 5 has been due for 3 h 20 min, since 2026-09-21 14:13:20 UTC. See `switchhook \
             doctor`.",
            "The store could not be written for 1 min, since 2026-09-21 14:13:20 UTC: the disk is full. It can again; nothing \
             that was acknowledged is lost.",
            "API key 4 (crm) expires at 2026-09-21 14:13:20 UTC. Make another one, and replace it before then.",
        ]
    );
}

#[test]
fn what_happened_often_is_counted() {
    let text = |n: usize| one_of_each()[n].text(NOON, 12);
    assert!(text(3).starts_with("12 deliveries to webhook 123"));
    assert!(text(4).contains("refused 12 requests since"));
}

#[test]
fn a_notification_is_tried_for_hours_and_not_for_ever() {
    let delays: Vec<_> = (1..=MOST_ATTEMPTS).map_while(delay_after).collect();
    assert_eq!(delays.len(), MOST_ATTEMPTS as usize - 1);
    assert_eq!(delays[0], Duration::from_secs(10));
    let whole: Duration = delays.iter().sum();
    assert!((2..8).contains(&(whole.as_secs() / 3_600)), "{whole:?}");
}

#[test]
fn a_recipient_reads_back_as_it_was_kept() {
    for recipient in [Recipient::Command, Recipient::Channel(ChannelId(77))] {
        assert_eq!(Recipient::from_number(recipient.as_number()), recipient);
    }
}

#[test]
fn a_channel_that_is_told_all_kinds_lists_none() {
    let [first, second, ..] = NotificationKind::ALL;
    assert_eq!(NotificationKind::list_of(&NotificationKind::ALL), "everything");
    let some = NotificationKind::list_of(&[first, second]);
    assert_eq!(some, format!("{first}, {second}"));
}
