//! Promises that must hold after every history.

use std::collections::{BTreeMap, HashMap, HashSet};

use switchhook_domain::delivery::{Delivery, StateName};

use super::history::History;

pub(super) fn check(history: &History) {
    nothing_acknowledged_is_lost(history);
    attempts_have_no_gaps(history);
    nothing_is_sent_elsewhere_or_twice_at_once(history);
    what_counts_as_delivered_was_sent(history);
    order_is_kept(history);
}

/// Every acknowledged delivery is there, and at the end it is at its end.
fn nothing_acknowledged_is_lost(history: &History) {
    let by_id: HashMap<_, _> = history.deliveries.iter().map(|one| (one.id, one)).collect();
    for id in &history.acknowledged {
        let delivery = by_id
            .get(id)
            .unwrap_or_else(|| panic!("delivery {id} was acknowledged and is gone"));
        assert!(delivery.state.is_final(), "{delivery:?} never came to an end");
    }
}

/// Attempts are numbered 1, 2, 3 …, each once, up to the number that the delivery names.
fn attempts_have_no_gaps(history: &History) {
    for (delivery, numbers) in history.deliveries.iter().zip(&history.attempts) {
        let expected: Vec<_> = (1..=delivery.attempt_number).collect();
        assert_eq!(numbers, &expected, "attempts of {delivery:?}");
    }
}

fn nothing_is_sent_elsewhere_or_twice_at_once(history: &History) {
    let webhooks: HashMap<_, _> = history
        .deliveries
        .iter()
        .map(|one| (one.id.0, one.webhook_id))
        .collect();
    for seen in &history.seen {
        assert_eq!(
            webhooks.get(&seen.delivery_id),
            Some(&seen.webhook_id),
            "{seen:?} went elsewhere"
        );
    }
    assert!(
        history.overlaps.is_empty(),
        "attempts made twice: {:?}",
        history.overlaps
    );
}

fn what_counts_as_delivered_was_sent(history: &History) {
    let sent: HashSet<_> = history.seen.iter().map(|seen| seen.delivery_id).collect();
    for delivery in history
        .deliveries
        .iter()
        .filter(|one| one.state.name() == StateName::Delivered)
    {
        assert!(sent.contains(&delivery.id.0), "{delivery:?} was never sent");
    }
}

/// Checks that deliveries of a key were first sent in their order, unless a note says otherwise.
fn order_is_kept(history: &History) {
    let mut first_sent = HashMap::new();
    for (nth, seen) in history.seen.iter().enumerate() {
        first_sent.entry(seen.delivery_id).or_insert(nth);
    }
    let mut lines = BTreeMap::<_, Vec<&Delivery>>::new();
    for delivery in &history.deliveries {
        if let Some(key) = &delivery.order_key {
            lines
                .entry((delivery.webhook_id, key.clone()))
                .or_default()
                .push(delivery);
        }
    }
    for ((webhook_id, key), mut line) in lines {
        line.sort_by_key(|one| one.id);
        let sent: Vec<_> = line
            .iter()
            .filter(|one| one.note.is_none())
            .filter_map(|one| first_sent.get(&one.id.0))
            .collect();
        assert!(
            sent.is_sorted(),
            "{key} to webhook {webhook_id}: {sent:?} of {line:#?}"
        );
    }
}
