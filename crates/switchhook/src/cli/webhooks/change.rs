//! Options and requests to create or change a webhook, or to rotate its secret.

use anyhow::Context;
use clap::Args;
use serde_json::{Map, Value, json};
use switchhook_client::{Answer, Client, Request};
use switchhook_domain::id::WebhookId;
use switchhook_node::webhooks::OVERLAP;
use switchhook_node::{amounts, keys};

use super::settings::{self, SettingsOptions};
use crate::cli::UsageError;
use crate::cli::created::Created;
use crate::cli::subscribe::Subscribe;
use crate::words;

/// Create a webhook: a URL that Switchhook posts subscribed events to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks create https://example.com/hooks/dialpad --generate-secret --subscribe all
  switchhook webhooks create http://127.0.0.1:3000/hook --subscribe call,sms --profile dialpad
  switchhook webhooks create https://hooks.slack.com/services/T0/B0/X --template slack-missed-call

--subscribe matches every event of a kind. To narrow it: switchhook subscriptions create call --webhook ID …")]
pub(super) struct Create {
    /// URL to post to (--url is the Switchhook server)
    #[arg(
        value_name = "HOOK_URL",
        required_unless_present = "hook_url",
        conflicts_with = "hook_url"
    )]
    address: Option<String>,

    /// URL to post to, instead of the argument
    #[arg(long, value_name = "HOOK_URL")]
    hook_url: Option<String>,

    #[command(flatten)]
    subscribe: Subscribe,

    #[command(flatten)]
    secret: SecretOptions,

    #[command(flatten)]
    settings: SettingsOptions,
}

/// Change a webhook's URL, secret or settings; options that are not given change nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks update 7730318061039616 --hook-url https://example.com/new
  switchhook webhooks update 7730318061039616 --profile dialpad --timeout 10s
  switchhook webhooks update 7730318061039616 --no-secret --unset profile,timeout")]
pub(super) struct Update {
    /// Id of the webhook
    id: WebhookId,

    /// New URL to post to
    #[arg(long, value_name = "HOOK_URL")]
    hook_url: Option<String>,

    #[command(flatten)]
    secret: SecretOptions,

    /// Remove the secret: send plain JSON
    #[arg(long, conflicts_with_all = ["secret", "generate_secret"])]
    no_secret: bool,

    #[command(flatten)]
    settings: SettingsOptions,

    /// Settings to reset to the server's defaults, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = settings::parse_name)]
    unset: Vec<&'static str>,
}

#[derive(Debug, Args)]
struct SecretOptions {
    /// Secret to sign deliveries with (HS256)
    #[arg(long)]
    secret: Option<String>,

    /// Generate the secret, and print it
    #[arg(long, conflicts_with = "secret")]
    generate_secret: bool,
}

/// Rotate a webhook's secret; deliveries are signed with the new one at once
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks rotate-secret 7730318061039616
  switchhook webhooks rotate-secret 7730318061039616 --overlap 7d --announce-kid

Let the receiver accept both secrets first: choose the new one with --secret, or use the header's kid.
Until the overlap ends, the old secret stays valid for events that others sign with it.")]
pub(super) struct RotateSecret {
    /// Id of the webhook
    id: WebhookId,

    /// New secret [default: a generated one, which is printed]
    #[arg(long)]
    secret: Option<String>,

    #[arg(
        long,
        help = format!(
            "Time for which the old secret stays valid; 0s for none [default: {}]",
            amounts::time(OVERLAP)
        ),
        value_name = "DURATION"
    )]
    overlap: Option<String>,

    /// Name the secret in the header of signed deliveries (kid)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = words::yes_no())]
    announce_kid: Option<bool>,
}

impl SecretOptions {
    fn chosen(&self) -> Option<String> {
        self.secret
            .clone()
            .or_else(|| self.generate_secret.then(keys::new_secret))
    }
}

impl Create {
    /// Creates the webhook with its settings and subscriptions, or nothing.
    pub(super) async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut created = Created::default();
        match self.create(client, &mut created).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(created.roll_back(error).await),
        }
    }

    async fn create(&self, client: &Client, created: &mut Created) -> anyhow::Result<Answer> {
        let address = self.address.as_ref().or(self.hook_url.as_ref());
        let mut request = self.settings.chosen();
        request.insert("hook_url".to_owned(), json!(address));
        let secret = self.secret.chosen();
        request.extend(secret.map(|secret| ("secret".to_owned(), secret.into())));
        let (id, webhook) = created
            .create(client, "/v1/webhooks", &request.into())
            .await
            .context("nothing was created: the webhook was refused")?;
        let webhook = self.subscribe.apply(client, created, &id, webhook).await?;
        if self.subscribe.is_empty() {
            return Ok(webhook);
        }
        // When it was made it had no subscription, and its health said so. Not every key may look again.
        let now = Request::get(&format!("/v1/webhooks/{id}"), &[]);
        let Ok(now) = client.send(now).await else {
            return Ok(webhook);
        };
        let mut webhook: Map<String, Value> = webhook.read()?;
        let mut now: Map<String, Value> = now.read()?;
        webhook.extend(now.remove_entry("health"));
        Ok(Answer(serde_json::to_vec(&webhook)?.into()))
    }
}

impl Update {
    pub(super) async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut change = self.settings.chosen();
        change.extend(
            self.hook_url
                .clone()
                .map(|url| ("hook_url".to_owned(), url.into())),
        );
        change.extend(
            self.secret
                .chosen()
                .map(|secret| ("secret".to_owned(), secret.into())),
        );
        if self.no_secret {
            change.insert("secret".to_owned(), Value::Null);
        }
        change.extend(self.unset.iter().map(|name| (name.to_string(), Value::Null)));
        if change.is_empty() {
            return Err(UsageError("nothing to change: give an option; --help lists them".to_owned()).into());
        }
        let path = format!("/v1/webhooks/{}", self.id);
        Ok(client.send(Request::patch(path).json(&change.into())).await?)
    }
}

impl RotateSecret {
    pub(super) async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut request = json!({});
        if let Some(overlap) = &self.overlap {
            request["overlap"] = overlap.as_str().into();
        }
        if let Some(secret) = &self.secret {
            request["secret"] = secret.as_str().into();
        }
        if let Some(announce_kid) = self.announce_kid {
            request["announce_kid"] = announce_kid.into();
        }
        let path = format!("/v1/webhooks/{}/rotate-secret", self.id);
        Ok(client.send(Request::post(path).json(&request)).await?)
    }
}
