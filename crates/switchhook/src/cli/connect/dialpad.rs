//! `switchhook connect dialpad`: a source at Switchhook, a webhook and subscriptions at Dialpad; all of it or nothing.
//!
//! Nothing is stored between two runs: what is connected is recognized by its address, `PUBLIC-URL/in/…`.

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use switchhook_domain::Kind;
use switchhook_domain::secret::Secret;
use url::Url;

use crate::cli::connection::Connection;
use crate::cli::created::{self, Created};
use crate::cli::output::{self, Facts};
use crate::cli::pages::{LARGEST_OWN_PAGE, List, Pagination};
use crate::cli::subscriptions::is_forbidden;
use crate::cli::{block_on, words};
use crate::config::parse_public_url;
use switchhook_client::Client;
use switchhook_node::keys;
use switchhook_node::sources::fingerprint;
use switchhook_web::api::LARGEST_PAGE;
use switchhook_web::api::answers::{AnySubscription, SourceAnswer, WebhookAnswer};

/// Receive the events of a Dialpad account: create a source here, and a webhook and subscriptions at Dialpad
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook connect dialpad --api-key \"$DIALPAD_API_KEY\" --public-url https://switchhook.example.com
  switchhook connect dialpad --api-key \"$DIALPAD_API_KEY\" --public-url https://switchhook.example.com --undo

If a step fails, everything created before is removed. --undo removes everything, here and at Dialpad. The kinds
agent_status, contact and changelog need an admin's key at Dialpad, changelog its scope change_log too.")]
pub(in crate::cli) struct Dialpad {
    /// API key of the Dialpad account
    #[arg(long, env = "DIALPAD_API_KEY", value_name = "KEY", hide_env_values = true, value_parser = parse_key)]
    api_key: Secret,

    /// URL at which Dialpad reaches this Switchhook server
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    public_url: String,

    /// URL of Dialpad's API
    #[arg(long, value_name = "URL", default_value = "https://dialpad.com", value_parser = words::url("https://dialpad.com"))]
    dialpad_url: Url,

    /// Kinds of events, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        value_parser = words::kinds(),
        default_values = Kind::ALL.map(Kind::route)
    )]
    kinds: Vec<Kind>,

    /// Name of the source
    #[arg(long, default_value = "dialpad")]
    name: String,

    /// Remove what `connect dialpad` created
    #[arg(long)]
    undo: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

fn parse_key(text: &str) -> Result<Secret, String> {
    match text.trim() {
        "" => Err("the key is empty".to_owned()),
        key => Ok(Secret::new(key)),
    }
}

/// The two servers that are connected.
struct Servers {
    switchhook: Client,
    dialpad: Client,
    /// Beginning of the address of every source, as Dialpad sees it.
    prefix: String,
    created: Created,
}

impl Dialpad {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut servers = Servers {
            switchhook: self.connection.client()?,
            dialpad: Client::new(&self.dialpad_url, Some(&self.api_key))?,
            prefix: format!("{}/in/", self.public_url),
            created: Created::default(),
        };
        block_on(async {
            if self.undo {
                return servers.undo(self.json).await;
            }
            match self.connect(&mut servers).await {
                Ok(connected) => connected.print(self.json),
                Err(error) => Err(servers.created.roll_back(error).await),
            }
        })
    }

    async fn connect(&self, servers: &mut Servers) -> anyhow::Result<Connected> {
        if let Some(webhook) = servers.webhooks().await?.first() {
            bail!(
                "this account already sends to {}… (its webhook {}): --undo first",
                servers.prefix,
                webhook.id
            );
        }
        let secret = keys::new_secret();
        let Servers {
            switchhook,
            dialpad,
            prefix,
            created,
        } = servers;
        let request = json!({ "name": self.name, "secret": secret });
        let source = created.create(switchhook, "/v1/sources", &request).await;
        let (_, source) = source.context("the source cannot be created")?;
        let source: SourceAnswer = source.read()?;
        let token = source.url.as_deref().and_then(|url| url.rsplit_once("/in/"));
        let (_, token) = token.context("the server shows no address for the new source")?;
        let hook_url = format!("{prefix}{token}");
        let request = json!({ "hook_url": hook_url, "secret": secret });
        let webhook = created.create(dialpad, "/api/v2/webhooks", &request).await;
        let (webhook_id, _) = webhook.context("the webhook cannot be created at Dialpad")?;
        let mut subscription_ids = Vec::new();
        for &kind in &self.kinds {
            let subscribed = created.subscribe(dialpad, &webhook_id, kind).await;
            let subscribed = subscribed.with_context(|| {
                format!("the {kind} subscription cannot be created at Dialpad; leave {kind} out of --kinds")
            })?;
            subscription_ids.extend(subscribed.into_iter().map(|(id, _)| id));
        }
        Ok(Connected {
            source_id: source.id.to_string(),
            webhook_id,
            subscription_ids,
        })
    }
}

struct Connected {
    source_id: String,
    webhook_id: String,
    subscription_ids: Vec<String>,
}

impl Connected {
    fn print(&self, is_json: bool) -> anyhow::Result<()> {
        if is_json {
            return output::print_data(json!({
                "source_id": self.source_id,
                "webhook_id": self.webhook_id,
                "subscription_ids": self.subscription_ids,
            }));
        }
        Facts::new()
            .fact("source", &self.source_id)
            .fact("webhook at Dialpad", &self.webhook_id)
            .fact("subscriptions at Dialpad", self.subscription_ids.join(", "))
            .print()?;
        output::remark(format_args!(
            "connected: events are accepted from now on; `switchhook sources refusals {}` shows refused ones",
            self.source_id
        ));
        Ok(())
    }
}

impl Servers {
    /// Webhooks of the account that post to this server.
    async fn webhooks(&self) -> anyhow::Result<Vec<WebhookAnswer>> {
        let list = List::read(
            &self.dialpad,
            "/api/v2/webhooks",
            &[],
            &Pagination::ALL,
            LARGEST_PAGE,
        )
        .await;
        let mut webhooks = list
            .context("cannot list the webhooks at Dialpad")?
            .items::<WebhookAnswer>()?;
        webhooks.retain(|webhook| webhook.hook_url.starts_with(&self.prefix));
        Ok(webhooks)
    }

    async fn undo(&self, is_json: bool) -> anyhow::Result<()> {
        let webhooks = self.webhooks().await?;
        let mut removed = Vec::new();
        for kind in Kind::ALL {
            let path = format!("/api/v2/subscriptions/{}", kind.route());
            let list = List::read(&self.dialpad, &path, &[], &Pagination::ALL, LARGEST_PAGE).await;
            let list = match list {
                // Nor could it have made one.
                Err(error) if is_forbidden(&error) => continue,
                list => list?,
            };
            for json in list.texts() {
                let subscription = AnySubscription::read(kind, json)?;
                let is_ours = |webhook: &WebhookAnswer| webhook.hook_url.starts_with(&self.prefix);
                if subscription.endpoint().webhook().is_some_and(is_ours) {
                    let path = format!("{path}/{}", subscription.id());
                    created::remove(&self.dialpad, &path).await?;
                    removed.push(path);
                }
            }
        }
        let sources = List::read(
            &self.switchhook,
            "/v1/sources",
            &[],
            &Pagination::ALL,
            LARGEST_OWN_PAGE,
        )
        .await?;
        let sources = sources.items::<SourceAnswer>()?;
        for webhook in webhooks {
            let path = format!("/api/v2/webhooks/{}", webhook.id);
            created::remove(&self.dialpad, &path).await?;
            removed.push(path);
            let token = webhook.hook_url.strip_prefix(&self.prefix).unwrap_or_default();
            let fingerprint = fingerprint(&keys::hash(token));
            for source in sources.iter().filter(|source| source.fingerprint == fingerprint) {
                let path = format!("/v1/sources/{}", source.id);
                created::remove(&self.switchhook, &path).await?;
                removed.push(path);
            }
        }
        if is_json {
            return output::print_data(json!({ "removed": removed }));
        }
        if removed.is_empty() {
            output::remark(format_args!("nothing of this account sends to {}…", self.prefix));
            return Ok(());
        }
        output::print("removed:")?;
        removed
            .iter()
            .try_for_each(|path| output::print(format_args!("  {path}")))
    }
}
