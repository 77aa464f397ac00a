//! Whether a connection to a webhook can be made from where the server stands.
//!
//! It goes the way of an attempt (name, guard, connection, certificate) and stops before a byte of HTTP is sent.

use std::sync::Arc;

use switchhook_domain::attempt::Silence;
use switchhook_domain::webhook::Webhook;

use super::{Finding, Trouble, at_webhook};
use crate::delivery::Route;
use crate::delivery::transport::NoConnection;
use crate::inspector;
use crate::system::System;

/// What is wrong with the way to a webhook.
pub(super) async fn webhook(system: &System, webhook: &Webhook) -> Option<Finding> {
    if system.inspector.is_some() && inspector::name_of(&webhook.hook_url).is_some() {
        // In the house: there is no way that could be wrong.
        return None;
    }
    if let Err(refused) = system.address_guard.check_url(&webhook.hook_url) {
        return Some(finding(
            webhook,
            &NoConnection {
                reason: Silence::AddressRefused,
                detail: refused.to_string(),
            },
        ));
    }
    // Not the registry's route, so that the examination cannot depend on what it is to examine.
    let route = Route::new(webhook.clone(), Arc::default());
    let probed = system.transport.probe(&route).await;
    probed.err().map(|failed| finding(webhook, &failed))
}

fn finding(webhook: &Webhook, failed: &NoConnection) -> Finding {
    let change_url = format!("switchhook webhooks update {} --hook-url URL", webhook.id);
    let (trouble, remedy) = match failed.reason {
        Silence::AddressRefused | Silence::BadRequest => (
            Trouble::AddressRefused,
            format!("use a public https:// address ({change_url}), or start the server with what allows this one"),
        ),
        Silence::Dns => (
            Trouble::UnknownName,
            format!("correct the name ({change_url}), or its entry in the name service that the server uses"),
        ),
        Silence::Tls => (
            Trouble::Tls,
            "let the receiver present a certificate for that name which the server's machine trusts, with every \
             intermediate certificate, and which is not expired"
                .to_owned(),
        ),
        Silence::ConnectionRefused
        | Silence::ConnectTimeout
        | Silence::AnswerTimeout
        | Silence::ConnectionLost
        | Silence::NotHttp => (
            Trouble::Unreachable,
            format!("start the receiver, open the firewall between it and the server, or correct the URL ({change_url})"),
        ),
    };
    let what = format!("no connection can be made to it: {}", failed.detail);
    at_webhook(webhook, trouble, what, remedy)
}
