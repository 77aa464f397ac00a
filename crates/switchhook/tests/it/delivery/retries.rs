//! Times of attempts.

use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::retry::Profile;
use switchhook_domain::subscription::{Filter, SmsFilter};
use switchhook_domain::webhook::WebhookSettings;
use switchhook_protocol::SmsDirection;

use crate::support::rig::{Reaction, Rig, Seen};

const DIALPAD: Profile = Profile::Dialpad;

fn by_attempt(statuses: &'static [u16]) -> impl Fn(&Seen) -> Reaction + Send + Sync {
    |seen| Reaction::Answer(statuses[(seen.attempt as usize - 1).min(statuses.len() - 1)])
}

#[track_caller]
fn check_times(seen: &[Seen], seconds: &[f64], tolerance: f64) {
    assert_eq!(seen.len(), seconds.len(), "{seen:#?}");
    for (number, (seen, expected)) in (1..).zip(seen.iter().zip(seconds)) {
        assert_eq!(seen.attempt, number);
        let at = seen.at.as_secs_f64();
        let slack = 0.1 + expected * tolerance;
        assert!(
            (expected - slack..=expected + slack).contains(&at),
            "attempt {number} at {at}, not {expected}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_twice_gets_three_attempts_at_the_profiles_times() {
    let rig = Rig::new(by_attempt(&[500, 500, 200])).await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(120)).await;
    check_times(&rig.network.seen(), &[0.0, 5.0, 35.0], 0.2);
    let delivery = rig.deliveries().await.remove(0);
    assert_eq!(delivery.state.name(), StateName::Delivered);
    let attempts = rig.store.attempts_of(delivery.id).await.unwrap();
    assert_eq!(
        attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
}

#[tokio::test(start_paused = true)]
async fn dialpads_table_for_calls_is_kept_to_the_second() {
    let rig = Rig::new(by_attempt(&[503])).await;
    rig.webhook(WebhookSettings {
        profile: Some(DIALPAD),
        ..WebhookSettings::default()
    })
    .await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(3600)).await;
    check_times(&rig.network.seen(), &[0.0, 2.0, 6.0, 14.0], 0.0);
    assert_eq!(rig.deliveries().await[0].state.name(), StateName::Exhausted);
}

#[tokio::test(start_paused = true)]
async fn dialpads_table_for_messages_lasts_hours() {
    let rig = Rig::new(by_attempt(&[500])).await;
    let id = rig
        .webhook(WebhookSettings {
            profile: Some(DIALPAD),
            ..WebhookSettings::default()
        })
        .await;
    let every = SmsFilter {
        direction: SmsDirection::All,
        include_internal: false,
        status: false,
        target: None,
    };
    rig.subscribe(id, Filter::Sms(every)).await;
    rig.accept(
        Kind::Sms,
        r#"{"id":1,"direction":"inbound","from_number":"+15550100","to_number":["+15550101"]}"#,
    )
    .await;
    rig.wait(Duration::from_secs(24 * 3600)).await;
    let minutes = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 123.5, 183.5, 243.5];
    check_times(&rig.network.seen(), &minutes.map(|minute| minute * 60.0), 0.0);
}

#[tokio::test(start_paused = true)]
async fn dialpads_refusals_are_final_and_silence_is_tried_twice_at_once() {
    let settings = || WebhookSettings {
        profile: Some(DIALPAD),
        ..WebhookSettings::default()
    };
    let refusing = Rig::new(by_attempt(&[429])).await;
    refusing.webhook(settings()).await;
    refusing.call(1, "hangup").await;
    refusing.wait(Duration::from_secs(60)).await;
    check_times(&refusing.network.seen(), &[0.0], 0.0);

    let silent = Rig::new(|_| Reaction::Refuse).await;
    silent.webhook(settings()).await;
    silent.call(1, "hangup").await;
    silent.wait(Duration::from_secs(60)).await;
    check_times(&silent.network.seen(), &[0.0, 0.0, 0.0], 0.0);
    assert_eq!(silent.deliveries().await[0].state.name(), StateName::Exhausted);
}

#[tokio::test(start_paused = true)]
async fn gone_ends_a_delivery_and_patience_is_granted() {
    let gone = Rig::new(by_attempt(&[410])).await;
    gone.webhook(WebhookSettings::default()).await;
    gone.call(1, "hangup").await;
    gone.wait(Duration::from_secs(3600)).await;
    assert_eq!(gone.network.seen().len(), 1);

    let patient = Rig::new(|seen| match seen.attempt {
        1 => Reaction::AnswerLater(429, Duration::from_secs(600)),
        _ => Reaction::Answer(204),
    })
    .await;
    patient.webhook(WebhookSettings::default()).await;
    patient.call(1, "hangup").await;
    patient.wait(Duration::from_secs(3600)).await;
    check_times(&patient.network.seen(), &[0.0, 600.0], 0.0);
}

#[tokio::test(start_paused = true)]
async fn after_three_days_a_delivery_is_given_up() {
    let rig = Rig::new(|_| Reaction::Refuse).await;
    rig.webhook(WebhookSettings::default()).await;
    rig.call(1, "hangup").await;
    rig.wait(Duration::from_secs(4 * 24 * 3600)).await;
    let seen = rig.network.seen();
    assert!((12..=16).contains(&seen.len()), "{} attempts", seen.len());
    let last = seen.last().unwrap().at;
    assert!(
        last <= Duration::from_secs(3 * 24 * 3600) && last > Duration::from_secs(2 * 24 * 3600),
        "{last:?}"
    );
    assert_eq!(rig.deliveries().await[0].state.name(), StateName::Exhausted);
}
