//! Made-up things of every sort.

use std::time::Duration;

use bytes::Bytes;
use switchhook_domain::attempt::{
    Answer, Attempt, AttemptOutcome, AttemptRequest, FailureReason, HeaderRecord, Phases,
};
use switchhook_domain::delivery::DeliveryState;
use switchhook_domain::id::{CompanyId, DeliveryId, EventId, KeyId, SubscriptionId, WebhookId};
use switchhook_domain::key::{ApiKey, Rights};
use switchhook_domain::order::OrderKey;
use switchhook_domain::redaction::Hidden;
use switchhook_domain::scope::{Scope, Scopes};
use switchhook_domain::secret::Secret;
use switchhook_domain::subscription::{Endpoint, Filter, Revision, Subscription};
use switchhook_domain::webhook::{OldSecret, Webhook, WebhookSettings};
use switchhook_domain::{Kind, Timestamp};
use switchhook_store::{FinishedAttempt, NewDelivery, NewEvent, StoreError};

pub(crate) const COMPANY: CompanyId = CompanyId(1);
pub(crate) const OTHER_COMPANY: CompanyId = CompanyId(2);
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_261_200_000);
pub(crate) const LEASE: Duration = Duration::from_secs(60);

pub(crate) fn key(id: i64, company_id: CompanyId) -> ApiKey {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&id.to_be_bytes());
    ApiKey {
        id: KeyId(id),
        company_id,
        name: format!("key {id}"),
        hash,
        admin: id % 2 == 0,
        rights: Rights::all(),
        scopes: [Scope::ChangeLog, Scope::MessageContentExportAll]
            .into_iter()
            .collect(),
        created_at: NOON,
        expires_at: Some(NOON.plus(LEASE)),
        revoked_at: None,
        last_used_at: None,
    }
}

pub(crate) fn webhook(id: i64, company_id: CompanyId) -> Webhook {
    let hook_url = format!("https://example.com/hooks/{id}?token=a%20b");
    Webhook {
        secret: Some(Secret::new("s3cret")),
        old_secrets: vec![OldSecret {
            secret: Secret::new("0ld"),
            valid_until: NOON.plus(LEASE),
        }],
        settings: WebhookSettings {
            max_in_flight: Some(3),
            rate: Some(0.5),
            ..WebhookSettings::default()
        },
        ..Webhook::new(WebhookId(id), company_id, hook_url, NOON)
    }
}

pub(crate) fn subscription(id: i64, webhook_id: Option<WebhookId>, filter: Filter) -> Subscription {
    Subscription {
        id: SubscriptionId(id),
        company_id: COMPANY,
        endpoint: webhook_id.map(Endpoint::Webhook),
        enabled: true,
        filter,
        payload_filter: None,
        scopes: Scopes::NONE,
        created_at: NOON,
        updated_at: NOON,
    }
}

pub(crate) fn event(id: i64, accepted_at: Timestamp) -> NewEvent {
    NewEvent {
        id: EventId(id),
        company_id: COMPANY,
        kind: Kind::Call,
        body: Bytes::from(format!(r#"{{"call_id":{id},"state":"hangup"}}"#)),
        accepted_at,
        order_key: None,
        warnings: Vec::new(),
        idempotency: None,
        deliveries: Vec::new(),
        revision: Revision(0),
        concealable: Hidden::EVERYTHING,
        is_logged: false,
    }
}

pub(crate) fn delivery(id: i64, webhook_id: WebhookId) -> NewDelivery {
    NewDelivery {
        id: DeliveryId(id),
        webhook_id,
        subscription_ids: vec![SubscriptionId(5), SubscriptionId(6)],
        hidden: Hidden {
            recordings: true,
            message_text: false,
        },
        is_ordered: true,
        claim_until: None,
    }
}

pub(crate) fn order_key(number: i64) -> OrderKey {
    OrderKey::new(format!("call:{number}"))
}

pub(crate) fn answered(number: u32, status: u16, at: Timestamp) -> Attempt {
    attempt(
        number,
        AttemptOutcome::Answered {
            status,
            retry_after: None,
        },
        at,
    )
}

pub(crate) fn unanswered(number: u32, reason: FailureReason, at: Timestamp) -> Attempt {
    attempt(
        number,
        AttemptOutcome::Unanswered {
            reason,
            detail: format!("it was {reason}"),
        },
        at,
    )
}

pub(crate) fn attempt(number: u32, outcome: AttemptOutcome, at: Timestamp) -> Attempt {
    let headers = |name: &str, value: &str| HeaderRecord::of([(name, value.to_owned().into())]);
    let answer = match outcome {
        AttemptOutcome::Answered { status, .. } => Some(Answer {
            status,
            headers: headers("retry-after", "ü \"quoted\""),
            body_head: vec![0, 255, b'o', b'k'],
            is_truncated: true,
            // Most that are accepted have none.
            note: (status >= 300).then(|| "its body broke off".to_owned()),
        }),
        _ => None,
    };
    Attempt {
        number,
        started_at: at.minus(Duration::from_millis(250)),
        finished_at: at,
        outcome,
        request: Some(AttemptRequest {
            url: "https://example.com/hooks/1".into(),
            headers: headers("Content-Type", "application/json"),
        }),
        answer,
        phases: Phases {
            dns: Some(Duration::from_micros(1)),
            connect: None,
            tls: Some(Duration::ZERO),
            first_byte: Some(Duration::from_micros(249_999)),
            total: Duration::from_millis(250),
        },
    }
}

/// A first attempt that the receiver accepted.
pub(crate) fn delivered(delivery_id: i64, webhook_id: WebhookId) -> FinishedAttempt {
    FinishedAttempt {
        delivery_id: DeliveryId(delivery_id),
        webhook_id,
        attempt: answered(1, 200, NOON),
        state: DeliveryState::Delivered { at: NOON },
        failures: crate::world::failures(0, 0),
        blocks_until: NOON,
        suspended: Duration::ZERO,
    }
}

/// True if the answer says that something does not exist.
pub(crate) fn is_missing<T>(answer: &Result<T, StoreError>, what: &str) -> bool {
    matches!(answer, Err(StoreError::NotFound(missing)) if *missing == what)
}
