//! The rule as tables: who may see what, and who may send it elsewhere.

use switchhook_protocol::{AgentType, ContactType, SmsDirection, TargetType, Timestamp};

use super::*;
use crate::id::{CompanyId, WebhookId};
use crate::subscription::{CallFilter, Endpoint, SmsFilter, TargetRef};

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn cleared(text: &str) -> Clearance {
    text.parse().expect("it names scopes")
}

fn subscription(filter: Filter, scopes: &str) -> Subscription {
    Subscription {
        id: SubscriptionId(7),
        company_id: CompanyId(1),
        endpoint: Some(Endpoint::Webhook(WebhookId(1))),
        enabled: true,
        filter,
        payload_filter: None,
        scopes: scopes.parse().expect("they are scopes"),
        created_at: NOON,
        updated_at: NOON,
    }
}

fn sms(has_target: bool) -> Filter {
    Filter::Sms(SmsFilter {
        direction: SmsDirection::All,
        include_internal: false,
        status: false,
        target: has_target.then_some(TargetRef {
            target_type: TargetType::Office,
            target_id: 5,
        }),
    })
}

#[track_caller]
fn check(subscription: &Subscription, clearance: &str, missing: Option<&str>) {
    let traffic = Traffic {
        subscriptions: vec![subscription.clone()],
        ..Traffic::default()
    };
    let refused = traffic.is_open_to(cleared(clearance)).err();
    let said = refused.map(|uncleared| uncleared.missing.to_string());
    assert_eq!(
        said.as_deref(),
        missing,
        "{clearance} at {:?}",
        subscription.filter
    );
}

#[test]
fn who_moves_a_webhook_must_be_cleared_for_every_subscription_of_it() {
    let call = |scopes| subscription(Filter::Call(CallFilter::default()), scopes);
    check(&call(""), "", None);
    check(
        &call("recordings_export"),
        "",
        Some("the scope recordings_export"),
    );
    check(
        &call("recordings_export"),
        "admin",
        Some("the scope recordings_export"),
    );
    check(&call("recordings_export"), "recordings_export", None);
    let of_company = subscription(sms(false), "message_content_export:all");
    check(
        &of_company,
        "message_content_export",
        Some("the scope message_content_export:all"),
    );
    check(&of_company, "message_content_export:all", None);
    let of_target = subscription(sms(true), "message_content_export:all");
    check(&of_target, "", Some("the scope message_content_export"));
    check(&of_target, "message_content_export", None);
    check(&of_target, "message_content_export:all", None);
    check(&subscription(sms(false), "message_content_export"), "", None);
    let agents = Filter::AgentStatus {
        agent_type: AgentType::Callcenter,
    };
    let contacts = Filter::Contact {
        contact_type: ContactType::Local,
    };
    for filter in [agents, contacts] {
        check(
            &subscription(filter.clone(), ""),
            "recordings_export",
            Some("an admin's key"),
        );
        check(&subscription(filter, ""), "admin", None);
    }
    let changes = subscription(Filter::Changelog, "change_log");
    check(&changes, "", Some("an admin's key and the scope change_log"));
    check(&changes, "admin", Some("the scope change_log"));
    check(&changes, "change_log", Some("an admin's key"));
    check(&changes, "admin,change_log", None);
    let disabled = Subscription {
        enabled: false,
        ..changes
    };
    check(&disabled, "admin", Some("the scope change_log"));
}

#[test]
fn a_subscription_is_widened_by_who_is_cleared_and_stopped_by_anybody() {
    let before = subscription(Filter::Call(CallFilter::default()), "recordings_export");
    let elsewhere = Subscription {
        endpoint: Some(Endpoint::Webhook(WebhookId(2))),
        ..before.clone()
    };
    let nowhere = Subscription {
        endpoint: None,
        ..before.clone()
    };
    let disabled = Subscription {
        enabled: false,
        ..before.clone()
    };
    let narrowed = Subscription {
        filter: Filter::Call(CallFilter {
            group_calls_only: true,
            ..CallFilter::default()
        }),
        ..before.clone()
    };
    let may = |clearance: &str, before, after| cleared(clearance).may_change(before, after).is_ok();
    for after in [&elsewhere, &narrowed] {
        assert!(!may("admin", &before, after), "{after:?}");
        assert!(may("recordings_export", &before, after), "{after:?}");
    }
    assert!(may("", &before, &before) && may("", &before, &disabled));
    assert!(!may("", &before, &nowhere), "what it leads to would be anybody's");
    assert!(may("recordings_export", &before, &nowhere) && may("", &nowhere, &nowhere));
    let may_delete = |clearance: &str, one| cleared(clearance).may_delete(one).is_ok();
    assert!(!may_delete("", &before) && may_delete("recordings_export", &before) && may_delete("", &nowhere));
    assert!(!may("", &disabled, &before), "that begins to send");
    assert!(!may("", &nowhere, &before));
}

#[test]
fn a_target_that_opens_the_text_of_messages_needs_the_scope_for_it() {
    let (company, target) = (
        subscription(sms(false), "message_content_export"),
        subscription(sms(true), "message_content_export"),
    );
    let refused = Clearance::default().may_change(&company, &target).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "sms subscription 7 needs the scope message_content_export"
    );
    assert!(
        cleared("message_content_export")
            .may_change(&company, &target)
            .is_ok()
    );
}
