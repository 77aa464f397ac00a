//! `switchhook webhooks`: the commands. Changes are in `webhooks/change.rs`, output is in `webhooks/display.rs`.

mod change;
mod display;
mod sample;
mod settings;
mod skip;
mod template;

use clap::{Args, Subcommand};
use switchhook_domain::id::WebhookId;
use switchhook_domain::webhook::Condition;

use self::change::{Create, RotateSecret, Update};
pub(super) use self::display::secret_in_words;
use self::display::{blocking_condition, list, show, waiting_in_words};
use super::connection::Connection;
use super::pages::Pagination;
use super::{block_on, doctor, output};
use switchhook_client::{Answer, Client, Request};
use switchhook_web::api::answers::WebhookWithSettings;

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
    List(Pagination),
    /// Show a webhook and its settings
    #[command(after_help = "Example:\n  switchhook webhooks show 7730318061039616")]
    Show(IdArgument),
    Update(Box<Update>),
    /// Delete a webhook; its waiting deliveries are cancelled, its subscriptions stay but deliver nothing
    #[command(after_help = "Example:\n  switchhook webhooks delete 7730318061039616")]
    Delete(IdArgument),
    RotateSecret(RotateSecret),
    Test(sample::Test),
    Preview(template::Preview),
    /// List the ready templates, which --template takes by name
    #[command(after_help = "Example:\n  switchhook webhooks templates --json")]
    Templates,
    /// Pause a webhook: its deliveries wait until it is resumed
    #[command(after_help = "Example:\n  switchhook webhooks pause 7730318061039616")]
    Pause(IdArgument),
    /// Resume a webhook: send its waiting deliveries, oldest first
    #[command(after_help = "Example:\n  switchhook webhooks resume 7730318061039616")]
    Resume(IdArgument),
    /// Retry a webhook: make one attempt at once, and send all waiting deliveries if it succeeds
    #[command(after_help = "Example:\n  switchhook webhooks retry 7730318061039616")]
    Retry(IdArgument),
    /// Skip to now: cancel the waiting deliveries of a webhook, and continue with new events
    #[command(after_help = "Example:\n  switchhook webhooks skip-to-now 7730318061039616")]
    SkipToNow(IdArgument),
}

#[derive(Debug, Args)]
struct IdArgument {
    /// Id of the webhook
    id: WebhookId,
}

impl Webhooks {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            let answer = match self.command {
                Command::List(pagination) => return list(&client, &pagination, self.json).await,
                Command::Create(create) => create.send(&client).await?,
                Command::Update(update) => update.send(&client).await?,
                Command::Show(IdArgument { id }) => {
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
                Command::Pause(IdArgument { id }) => {
                    client
                        .send(Request::post(format!("/v1/webhooks/{id}/pause")))
                        .await?
                }
                Command::Resume(IdArgument { id }) => {
                    let path = format!("/v1/webhooks/{id}");
                    let before: WebhookWithSettings = client.send(Request::get(&path, &[])).await?.read()?;
                    let answer = client.send(Request::post(format!("{path}/resume"))).await?;
                    remark_waiting(
                        &answer,
                        if blocking_condition(&before.health).is_some() {
                            "is resumed"
                        } else {
                            "was not paused"
                        },
                    )?;
                    answer
                }
                Command::Retry(IdArgument { id }) => {
                    let answer = client
                        .send(Request::post(format!("/v1/webhooks/{id}/retry")))
                        .await?;
                    remark_waiting(&answer, "is retried")?;
                    answer
                }
                Command::SkipToNow(IdArgument { id }) => return skip::to_now(&client, id, self.json).await,
                Command::Delete(IdArgument { id }) => {
                    let answer = client.send(Request::delete(format!("/v1/webhooks/{id}"))).await?;
                    output::remark(format_args!("webhook {id} is deleted; it was:"));
                    answer
                }
            };
            show(&answer, self.json)
        })
    }
}

/// Prints what was done to a webhook, and what happens to its waiting deliveries.
fn remark_waiting(answer: &Answer, action: &str) -> anyhow::Result<()> {
    let WebhookWithSettings { webhook, health, .. } = answer.read()?;
    let id = webhook.id;
    if health.waiting.count == 0 {
        output::remark(format_args!(
            "webhook {id} {action}; no delivery waits, so none is sent: to send a test event, use `switchhook webhooks test {id}`"
        ));
        return Ok(());
    }
    let next = match health.condition {
        Condition::Failing | Condition::PausedByFailures => {
            "one attempt is made now; if it succeeds, all are sent"
        }
        _ => "they are sent now, oldest first",
    };
    let waiting = waiting_in_words(&health.waiting);
    output::remark(format_args!("webhook {id} {action}; {waiting} waiting: {next}"));
    Ok(())
}

/// Prints a hint if the webhook has no subscription, and so gets nothing.
async fn remark_no_subscription(client: &Client, id: WebhookId) -> anyhow::Result<()> {
    let report = doctor::fetch_report(client, Some(id), false).await?;
    if let Some(finding) = report
        .findings
        .iter()
        .find(|finding| finding.trouble == "no_subscription")
    {
        output::remark("");
        let what = finding.what.trim_end_matches('.');
        output::remark(format_args!("{what}; {}", finding.remedy));
    }
    Ok(())
}
