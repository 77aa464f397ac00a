//! `switchhook webhooks`: where we send.

mod sample;
mod settings;
mod shown;
mod skip;
mod template;

use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use switchhook_domain::id::WebhookId;

use self::settings::SettingsOptions;
use self::shown::{add_health, waiting_in_words};
use super::connection::Connection;
use super::made::Made;
use super::output::{self, Facts, Table, time};
use super::pages::{Extent, List, OUR_PAGE};
use super::subscribe::{Subscribe, Subscribed};
use super::{Misuse, doctor, wait_for};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::keys;
use switchhook_web::api::answers::{Signature, WebhookWithSettings};

/// Create, list, show, change, test, delete, pause, resume and retry webhooks
#[derive(Debug, Args)]
pub(super) struct Webhooks {
    #[command(subcommand)]
    command: Command,

    /// Print JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Box<Create>),
    /// List webhooks, oldest first
    #[command(after_help = "Example:\n  switchhook webhooks list --json")]
    List(Extent),
    /// Show a webhook and its settings
    #[command(after_help = "Example:\n  switchhook webhooks show 7730318061039616")]
    Show(Which),
    Update(Box<Update>),
    /// Delete a webhook; its subscriptions stay and deliver nothing, its waiting deliveries are cancelled
    #[command(after_help = "Example:\n  switchhook webhooks delete 7730318061039616")]
    Delete(Which),
    RotateSecret(RotateSecret),
    Test(sample::Test),
    Preview(template::Preview),
    /// List the ready templates, which --template takes by name
    #[command(after_help = "Example:\n  switchhook webhooks templates --json")]
    Templates,
    /// Pause a webhook: nothing is sent, nothing is lost
    #[command(after_help = "Example:\n  switchhook webhooks pause 7730318061039616")]
    Pause(Which),
    /// Resume a webhook: send what waited, oldest first
    #[command(after_help = "Example:\n  switchhook webhooks resume 7730318061039616")]
    Resume(Which),
    /// Retry a webhook now: make one attempt at once, and send everything that waits if it succeeds
    #[command(after_help = "Example:\n  switchhook webhooks retry 7730318061039616")]
    Retry(Which),
    /// Skip what waits for a webhook: cancel it, and go on with the events that come from now on
    #[command(after_help = "Example:\n  switchhook webhooks skip-to-now 7730318061039616")]
    SkipToNow(Which),
}

/// Create a webhook: a URL that Switchhook posts subscribed events to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks create https://example.com/hooks/dialpad --generate-secret --subscribe all
  switchhook webhooks create http://127.0.0.1:3000/hook --subscribe call,sms --profile dialpad
  switchhook webhooks create https://hooks.slack.com/services/T0/B0/X --template slack-missed-call

--subscribe takes everything of a kind. To narrow it: switchhook subscriptions create call --webhook ID …")]
struct Create {
    /// The address to post to (--url names the Switchhook server)
    #[arg(
        value_name = "HOOK_URL",
        required_unless_present = "hook_url",
        conflicts_with = "hook_url"
    )]
    address: Option<String>,

    /// The same as an option
    #[arg(long, value_name = "HOOK_URL")]
    hook_url: Option<String>,

    #[command(flatten)]
    subscribe: Subscribe,

    #[command(flatten)]
    secret: SecretOptions,

    #[command(flatten)]
    settings: SettingsOptions,
}

/// Change a webhook's URL, secret or settings; what is not given stays
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks update 7730318061039616 --hook-url https://example.com/new
  switchhook webhooks update 7730318061039616 --profile dialpad --timeout 10s
  switchhook webhooks update 7730318061039616 --no-secret --unset profile,timeout")]
struct Update {
    /// The webhook's id
    id: WebhookId,

    /// Another address to post to
    #[arg(long, value_name = "HOOK_URL")]
    hook_url: Option<String>,

    #[command(flatten)]
    secret: SecretOptions,

    /// No longer signed: plain JSON
    #[arg(long, conflicts_with_all = ["secret", "generate_secret"])]
    no_secret: bool,

    #[command(flatten)]
    settings: SettingsOptions,

    /// Settings that follow the server again, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = settings::parse_name)]
    unset: Vec<&'static str>,
}

#[derive(Debug, Args)]
struct SecretOptions {
    /// Sign deliveries with this secret (HS256)
    #[arg(long)]
    secret: Option<String>,

    /// Sign deliveries with a secret that is made up and printed
    #[arg(long, conflicts_with = "secret")]
    generate_secret: bool,
}

/// Replace a webhook's secret; deliveries are signed with the new one at once
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks rotate-secret 7730318061039616
  switchhook webhooks rotate-secret 7730318061039616 --overlap 7d --announce-kid

Let the receiver accept both secrets first: give it the new one with --secret, or have it look at the
header's kid. The old one still counts, until the overlap ends, for events that others sign with it.")]
struct RotateSecret {
    /// The webhook's id
    id: WebhookId,

    /// The new secret; without one it is made up and printed
    #[arg(long)]
    secret: Option<String>,

    /// For how long the old secret still counts; 0s forgets it at once
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    overlap: String,

    /// Whether the header of signed deliveries names the secret (kid)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    announce_kid: Option<bool>,
}

#[derive(Debug, Args)]
struct Which {
    /// The webhook's id
    id: WebhookId,
}

impl Webhooks {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        wait_for(async {
            let answer = match self.command {
                Command::List(extent) => return list(&client, &extent, self.json).await,
                Command::Create(create) => create.send(&client).await?,
                Command::Update(update) => update.send(&client).await?,
                Command::Show(Which { id }) => {
                    let answer = client
                        .send(Request::get(&format!("/v1/webhooks/{id}"), &[]))
                        .await?;
                    show(&answer, self.json)?;
                    return remark_no_subscription(&client, id).await;
                }
                Command::Test(test) => return test.run(&client, self.json).await,
                Command::Preview(preview) => return preview.run(&client, self.json).await,
                Command::Templates => return template::list(self.json),
                Command::RotateSecret(rotation) => rotation.send(&client).await?,
                Command::Pause(Which { id }) => {
                    client
                        .send(Request::post(format!("/v1/webhooks/{id}/pause")))
                        .await?
                }
                Command::Resume(Which { id }) => {
                    let answer = client
                        .send(Request::post(format!("/v1/webhooks/{id}/resume")))
                        .await?;
                    remark_waiting(&answer, "resumed", "what waits is sent now, oldest first")?;
                    answer
                }
                Command::Retry(Which { id }) => {
                    let answer = client
                        .send(Request::post(format!("/v1/webhooks/{id}/retry")))
                        .await?;
                    remark_waiting(
                        &answer,
                        "retried",
                        "one attempt is made now; if it succeeds, all are sent",
                    )?;
                    answer
                }
                Command::SkipToNow(Which { id }) => return skip::to_now(&client, id, self.json).await,
                Command::Delete(Which { id }) => {
                    let answer = client.send(Request::delete(format!("/v1/webhooks/{id}"))).await?;
                    output::remark(format_args!("webhook {id} is deleted; this is what it was:"));
                    answer
                }
            };
            show(&answer, self.json)
        })
    }
}

impl SecretOptions {
    fn chosen(&self) -> Option<String> {
        self.secret
            .clone()
            .or_else(|| self.generate_secret.then(keys::new_secret))
    }
}

impl Create {
    /// Makes the webhook with its settings and subscriptions, or nothing.
    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut made = Made::default();
        match self.make(client, &mut made).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(made.take_back(error).await),
        }
    }

    async fn make(&self, client: &Client, made: &mut Made) -> anyhow::Result<Answer> {
        let address = self.address.as_ref().or(self.hook_url.as_ref());
        let mut request = self.settings.chosen();
        request.insert("hook_url".to_owned(), json!(address));
        let secret = self.secret.chosen();
        request.extend(secret.map(|secret| ("secret".to_owned(), secret.into())));
        let (id, webhook) = made
            .make(client, "/v1/webhooks", &request.into())
            .await
            .context("nothing is made: the webhook cannot be made so")?;
        let webhook = self.subscribe.to(client, made, &id, webhook).await?;
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
    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
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
            return Err(Misuse("nothing to change: give an option; --help lists them".to_owned()).into());
        }
        let path = format!("/v1/webhooks/{}", self.id);
        Ok(client.send(Request::patch(path).json(&change.into())).await?)
    }
}

impl RotateSecret {
    async fn send(&self, client: &Client) -> anyhow::Result<Answer> {
        let mut request = json!({ "overlap": self.overlap });
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

/// Says what was done to a webhook, and what that means for what waits.
fn remark_waiting(answer: &Answer, done: &str, then: &str) -> anyhow::Result<()> {
    let WebhookWithSettings { webhook, health, .. } = answer.read()?;
    let id = webhook.id;
    match health.waiting.count {
        0 => output::remark(format_args!("webhook {id} is {done}; no delivery waits")),
        _ => output::remark(format_args!(
            "webhook {id} is {done}; {} waiting: {then}",
            waiting_in_words(&health.waiting)
        )),
    }
    Ok(())
}

async fn list(client: &Client, extent: &Extent, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/v1/webhooks", &[], extent, OUR_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&[
        "ID",
        "HOOK URL",
        "CONDITION",
        "WAITING",
        "BODY",
        "PROFILE",
        "CREATED",
    ])
    .cutting(&["HOOK URL"])
    .sparing(&["CREATED", "PROFILE", "BODY"]);
    for shown in list.items::<WebhookWithSettings>()? {
        let WebhookWithSettings { webhook, health, .. } = shown;
        let body = if webhook.signature.is_some() {
            "jwt"
        } else {
            "json"
        };
        let more = if health.waiting.more { "+" } else { "" };
        table.row([
            webhook.id.to_string(),
            webhook.hook_url,
            health.condition.in_words().to_owned(),
            format!("{}{more}", health.waiting.count),
            body.to_owned(),
            shown.in_force.profile.to_string(),
            time(shown.created_at),
        ]);
    }
    table.print_or("there are no webhooks; `switchhook webhooks create URL` makes one")?;
    list.remark_rest();
    Ok(())
}

/// A webhook without a subscription is silent, and nothing else says why.
async fn remark_no_subscription(client: &Client, id: WebhookId) -> anyhow::Result<()> {
    let report = doctor::ask(client, Some(id), false).await?;
    if let Some(finding) = report
        .findings
        .iter()
        .find(|finding| finding.trouble == "no_subscription")
    {
        output::remark("");
        output::remark(format_args!("{}; {}", finding.what, finding.remedy));
    }
    Ok(())
}

/// A webhook, with its subscriptions if it was just made with them.
#[derive(Deserialize)]
struct Shown {
    #[serde(flatten)]
    webhook: WebhookWithSettings,
    #[serde(default)]
    subscriptions: Vec<Subscribed>,
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let Shown {
        webhook,
        subscriptions,
    } = answer.read()?;
    let facts = Facts::new()
        .fact("id", webhook.webhook.id)
        .fact("hook_url", &webhook.webhook.hook_url)
        .fact(
            "secret",
            secret_in_words(webhook.webhook.signature.as_ref(), "the body is"),
        )
        .fact_if("kid", webhook.kid.as_ref())
        .fact_if("standard secret", webhook.standard_secret.as_ref())
        .fact("created", time(webhook.created_at));
    let facts = add_health(facts, &webhook.health);
    let facts = webhook.old_secrets.iter().fold(facts, |facts, old| {
        facts.fact(
            "old secret",
            format!("{} counts until {}", old.kid, time(old.valid_until)),
        )
    });
    webhook
        .warnings
        .iter()
        .for_each(|warning| output::remark(format_args!("warning: {warning}")));
    let facts = settings::add_settings(facts, &webhook);
    let subscribed = |facts, subscription: &Subscribed| subscription.add_to(facts);
    subscriptions.iter().fold(facts, subscribed).print()
}

/// The secret of what is signed, or what it is without one.
pub(super) fn secret_in_words(signature: Option<&Signature>, what: &str) -> String {
    match signature {
        None => format!("none: {what} plain JSON"),
        Some(signature) => {
            let secret = signature.secret.clone();
            secret.unwrap_or_else(|| "set, and hidden".to_owned())
        }
    }
}
