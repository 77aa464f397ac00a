//! Output of `dev` at its start.

use std::path::Path;

use switchhook_domain::webhook::Webhook;

use super::DevOptions;
use crate::{private_folder, terminal};

/// Prints the addresses, the key and commands to try.
pub(super) fn print(
    url: &str,
    key: &str,
    options: &DevOptions,
    inspector_webhook: &Webhook,
    forward_webhook: Option<&Webhook>,
) {
    let store_path = options.dir.join("switchhook.db");
    let sign_in = if options.listen.ip().is_loopback() {
        ""
    } else {
        "  (sign in with the key)"
    };
    let receiver = match forward_webhook {
        Some(webhook) => format!("forwarding    {}", description(webhook)),
        None => format!("inspector     {}", description(inspector_webhook)),
    };
    let text = format!(
        "Switchhook is listening at {url}

  dashboard     {url}/dashboard/{sign_in}
  API key       {key}
  {receiver}
  store         {}

{}{}

{}",
        store_path.display(),
        secret_line(forward_webhook),
        pace(options, forward_webhook),
        suggestions(url, key, options, forward_webhook),
    );
    // It serves whether or not somebody reads this.
    let _ = terminal::print_text(text);
}

fn description(webhook: &Webhook) -> String {
    format!(
        "{}  (webhook {}, signed, subscribed to everything)",
        webhook.hook_url, webhook.id
    )
}

/// Line with the secret, ready to be pasted into a shell.
fn secret_line(forward_webhook: Option<&Webhook>) -> String {
    let secret = forward_webhook.and_then(|webhook| webhook.secret.as_ref());
    secret.map_or_else(String::new, |secret| {
        format!("SECRET={}\n\n", in_a_shell(secret.expose()))
    })
}

/// A word quoted for a shell. Generated secrets need no quotes; others may.
fn in_a_shell(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./+=:@%,".contains(letter);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn pace(options: &DevOptions, forward_webhook: Option<&Webhook>) -> String {
    let pace = if options.simulate {
        format!(
            "A simulated company (seed {}) sends about {} events per second.",
            options.seed, options.rate
        )
    } else {
        "No events are simulated: send your own.".to_owned()
    };
    let below = match forward_webhook {
        Some(_) => "The answers of your receiver are shown below.",
        None => "Deliveries to the inspector are shown below.",
    };
    format!("{pace} {below}")
}

fn suggestions(url: &str, key: &str, options: &DevOptions, forward_webhook: Option<&Webhook>) -> String {
    // There the commands find the address and the key by themselves.
    let where_to_try = if options.dir == Path::new(private_folder::NAME) {
        " in this folder".to_owned()
    } else {
        format!(", after `export SWITCHHOOK_URL={url} SWITCHHOOK_API_KEY={key}`")
    };
    let of_webhooks = match forward_webhook {
        Some(webhook) => format!("  switchhook webhooks test {}", webhook.id),
        None => "  switchhook webhooks list
  switchhook webhooks create http://127.0.0.1:3000/hook --generate-secret --subscribe all
  switchhook webhooks test ID"
            .to_owned(),
    };
    format!(
        "Try, in another terminal{where_to_try}:
  switchhook simulate inbound-voicemail
{of_webhooks}
  switchhook deliveries list

Ctrl-C stops.
"
    )
}

pub(super) fn show(line: &str) {
    let _ = terminal::print(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_pasted_as_it_is() {
        for (secret, pasted) in [
            ("aB3-_x", "aB3-_x"),
            ("two words", "'two words'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
        ] {
            assert_eq!(in_a_shell(secret), pasted);
        }
    }
}
