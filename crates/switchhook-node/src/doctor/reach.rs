//! Connection test: can the server reach a webhook?
//!
//! It goes the way of an attempt (name, guard, connection, certificate) and stops before a byte of HTTP is sent.

use std::sync::Arc;

use switchhook_domain::attempt::FailureReason;
use switchhook_domain::webhook::{Authentication, Webhook};
use switchhook_http::tls::TlsFailure;

use super::{Finding, FindingKind, Location, at_webhook};
use crate::Node;
use crate::delivery::transport::ConnectError;
use crate::destination::Destination;
use crate::inspector;

/// Finding about the connection to a webhook.
pub(super) async fn webhook(node: &Node, webhook: &Webhook) -> Option<Finding> {
    if node.inspector.is_some() && inspector::name_of(&webhook.hook_url).is_some() {
        // In the house: there is no way that could be wrong.
        return None;
    }
    if let Err(refused) = node.address_guard.check_url(&webhook.hook_url) {
        return Some(finding(
            webhook,
            &ConnectError {
                reason: FailureReason::AddressRefused,
                tls: None,
                is_of_proxy: false,
                detail: refused.to_string(),
            },
        ));
    }
    // Not the registry's destination, so that the examination cannot depend on what it is to examine.
    let destination = Destination::new(webhook.clone(), Arc::default());
    let probed = node.transport.probe(&destination).await;
    probed.err().map(|failed| finding(webhook, &failed))
}

fn finding(webhook: &Webhook, failed: &ConnectError) -> Finding {
    if failed.is_of_proxy {
        return of_proxy(&failed.detail);
    }
    let change_url = format!("switchhook webhooks update {} --hook-url URL", webhook.id);
    let (trouble, remedy) = match failed.reason {
        FailureReason::AddressRefused | FailureReason::BadRequest | FailureReason::Template => (
            FindingKind::AddressRefused,
            format!(
                "use a public https:// address ({change_url}), or start the server with what allows this one"
            ),
        ),
        FailureReason::Authentication => (
            FindingKind::Tls,
            format!(
                "correct its certificates: switchhook webhooks update {} --auth … --ca …",
                webhook.id
            ),
        ),
        FailureReason::Dns => (
            FindingKind::UnknownName,
            format!(
                "correct the name ({change_url}), its entry in the name service, or what the server's machine asks for names \
                 (/etc/resolv.conf)"
            ),
        ),
        FailureReason::Tls => (FindingKind::Tls, tls_remedy(failed.tls, webhook)),
        FailureReason::ConnectionRefused
        | FailureReason::ConnectTimeout
        | FailureReason::AnswerTimeout
        | FailureReason::ConnectionLost
        | FailureReason::NotHttp => (
            FindingKind::Unreachable,
            format!(
                "start the receiver, open the firewall between it and the server, or correct the URL ({change_url})"
            ),
        ),
    };
    let what = format!("no connection can be made to it: {}", failed.detail);
    at_webhook(webhook, trouble, what, remedy)
}

/// The same for every webhook that is sent to through it.
fn of_proxy(detail: &str) -> Finding {
    Finding {
        trouble: FindingKind::Unreachable,
        location: Location::Server,
        what: format!("nothing gets through the proxy of its --hook-proxy: {detail}"),
        last_line: None,
        last_status: None,
        remedy: "correct the address or the credentials in the server's --hook-proxy (SWITCHHOOK_HOOK_PROXY), or start that \
                 proxy; whether the receivers behind it can be reached shows only then"
            .to_owned(),
    }
}

fn tls_remedy(trouble: Option<TlsFailure>, webhook: &Webhook) -> String {
    let update = format!("switchhook webhooks update {}", webhook.id);
    let change_url = format!("{update} --hook-url URL");
    let settings = &webhook.settings;
    let shows_certificate = matches!(settings.auth.0, Some(Authentication::Mtls { .. }));
    // With authorities of its own no other counts.
    let trust = match &settings.ca {
        Some(_) => {
            format!("give the webhook its certificate ({update} --ca @FILE), or leave out the webhook's `ca`")
        }
        None => "start the server with --hook-ca FILE".to_owned(),
    };
    match trouble.unwrap_or(TlsFailure::BrokenOff) {
        TlsFailure::NoTls => format!(
            "use the port at which the receiver speaks TLS; or, where the server allows it (--hook-allow-http), an http:// \
             URL ({change_url})"
        ),
        TlsFailure::OldTls => "let the receiver speak TLS 1.2 or 1.3".to_owned(),
        TlsFailure::ClientCertificate if shows_certificate => format!(
            "let the receiver trust the authority that issued the webhook's client certificate, or give the webhook another \
             ({update} --auth mtls:CERT_FILE:KEY_FILE)"
        ),
        TlsFailure::ClientCertificate => {
            "let the receiver do without a client certificate: the signature of each event says who sent it; or give the \
             webhook one (--auth mtls:CERT_FILE:KEY_FILE)"
                .to_owned()
        }
        TlsFailure::UnknownIssuer => format!(
            "if the authority is your own, {trust}; if not, let the receiver send every intermediate certificate with its own"
        ),
        TlsFailure::WrongName => {
            format!("use a name that the certificate has ({change_url}), or have one issued for this name")
        }
        TlsFailure::Expired => {
            "renew the receiver's certificate, and let the receiver load the new one".to_owned()
        }
        TlsFailure::NotYetValid => {
            "compare the clocks of the receiver, of its authority and of the server's machine".to_owned()
        }
        TlsFailure::Authority => format!(
            "let the receiver present a certificate of its own, issued by that authority; or make the self-signed one again \
             with `-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:NAME` (openssl req -x509), and {trust}"
        ),
        TlsFailure::Unfit => {
            "have the receiver's certificate issued anew, as browsers want it too: X.509 version 3, for server \
             authentication, with the name as subjectAltName, a key of 2048 bits or more (RSA) or on P-256 (ECDSA), signed with \
             SHA-256 or better; and let the receiver send the intermediate certificates that belong to it"
                .to_owned()
        }
        TlsFailure::NothingInCommon => {
            "let the receiver do without a client certificate (the signature of each event says who sent it), and let it speak \
             TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or ChaCha20"
                .to_owned()
        }
        TlsFailure::BrokenOff => {
            "look into the receiver's log, or that of the proxy or load balancer before it, for why TLS ended; make sure that \
             it is TLS that is spoken at this port, TLS 1.2 or 1.3, and without a client certificate"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Timestamp;
    use switchhook_domain::id::{CompanyId, WebhookId};
    use switchhook_domain::webhook::{Auth, WebhookSettings};

    use super::*;

    #[track_caller]
    fn check(trouble: TlsFailure, settings: &WebhookSettings, expected: &str) {
        let webhook = Webhook::new(
            WebhookId(7),
            CompanyId(1),
            "https://example.com",
            Timestamp::from_millis(0),
        )
        .with_settings(settings.clone());
        let remedy = tls_remedy(Some(trouble), &webhook);
        assert!(remedy.contains(expected), "{remedy}");
    }

    #[test]
    fn what_helps_is_what_counts_for_the_webhook() {
        let plain = WebhookSettings::default();
        let own = WebhookSettings {
            ca: Some("PEM".to_owned()),
            auth: Auth(Some(Authentication::Mtls {
                cert: "PEM".to_owned(),
                key: "PEM".to_owned(),
            })),
            ..WebhookSettings::default()
        };
        for trouble in [TlsFailure::UnknownIssuer, TlsFailure::Authority] {
            check(trouble, &plain, "start the server with --hook-ca FILE");
            check(trouble, &own, "switchhook webhooks update 7 --ca @FILE");
        }
        let trouble = TlsFailure::ClientCertificate;
        check(
            trouble,
            &plain,
            "let the receiver do without a client certificate",
        );
        check(
            trouble,
            &own,
            "trust the authority that issued the webhook's client certificate",
        );
    }
}
