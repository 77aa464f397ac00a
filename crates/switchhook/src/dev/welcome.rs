//! What `dev` says.

use std::path::Path;

use switchhook_domain::webhook::Webhook;

use super::DevOptions;
use crate::{private_folder, terminal};

/// Says what is there and what to try.
pub(super) fn print(url: &str, key: &str, options: &DevOptions, webhook: &Webhook) {
    let pace = if options.simulate {
        format!(
            "A made-up company (seed {}) produces about {} events a second.",
            options.seed, options.rate
        )
    } else {
        "No events are made up: send your own.".to_owned()
    };
    // There the commands find the address and the key by themselves.
    let where_to_try = if options.dir == Path::new(private_folder::NAME) {
        " in this folder".to_owned()
    } else {
        format!(", after `export SWITCHHOOK_URL={url} SWITCHHOOK_API_KEY={key}`")
    };
    let text = format!(
        "Switchhook is listening at {url}

  dashboard     {url}/dashboard/{}
  API key       {key}
  inspector     {}  (webhook {}, signed, subscribed to everything)
  store         {}

{pace} Deliveries to the inspector are shown below.

Try, in another terminal{where_to_try}:
  switchhook simulate inbound-voicemail
  switchhook webhooks list
  switchhook webhooks create http://127.0.0.1:3000/hook --generate-secret --subscribe all
  switchhook webhooks test ID
  switchhook deliveries list

Ctrl-C stops.
",
        if options.listen.ip().is_loopback() {
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
