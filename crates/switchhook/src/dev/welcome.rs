//! What `dev` says.

use std::net::SocketAddr;

use switchhook_domain::webhook::Webhook;

use super::DevOptions;
use crate::terminal;

/// Says what is there and what to try.
pub(super) fn print(address: SocketAddr, key: &str, options: &DevOptions, webhook: &Webhook) {
    let pace = if options.simulate {
        format!(
            "A made-up company (seed {}) produces about {} events a second.",
            options.seed, options.rate
        )
    } else {
        "No events are made up: send your own.".to_owned()
    };
    let text = format!(
        "Switchhook is listening at http://{address}

  dashboard     http://{address}/dashboard/{}
  API key       {key}
  inspector     {}  (webhook {}, signed, subscribed to everything)
  store         {}

{pace} Deliveries to the inspector are shown below.

Try, in another terminal in this folder:
  switchhook simulate inbound-voicemail
  switchhook webhooks list
  switchhook webhooks create http://127.0.0.1:3000/hook --generate-secret
  switchhook subscriptions create call --webhook ID --call-states hangup
  switchhook deliveries list

Ctrl-C stops.
",
        if address.ip().is_loopback() {
            ""
        } else {
            "  (sign in with the key)"
        },
        webhook.hook_url,
        webhook.id,
        options.dir.join("switchhook.db").display(),
    );
    // It serves whether or not somebody reads this.
    let _ = terminal::print_text(text);
}

/// Shows one line.
pub(super) fn show(line: &str) {
    let _ = terminal::print(line);
}
