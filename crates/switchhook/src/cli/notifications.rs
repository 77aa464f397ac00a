//! `switchhook notifications`: sent notifications, and the channels that they go to.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use switchhook_domain::id::ChannelId;
use switchhook_domain::notification::{ChannelType, NotificationKind, SendState};

use super::connection::Connection;
use super::output::{self, Facts, Table, time};
use super::pages::{LARGEST_OWN_PAGE, List, Pagination};
use super::{UsageError, block_on, words};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::amounts;
use switchhook_node::retention::NOTIFICATIONS_LAST;
use switchhook_web::api::answers::{NotificationAnswer, NotificationChannel, NotificationTest};

/// List notifications, and set up channels for them: Slack, Teams, Discord, e-mail, webhooks
#[derive(Debug, Args)]
pub(super) struct Notifications {
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
    #[command(
        about = format!(
            "List notifications and their outcomes, newest first ({})",
            amounts::time(NOTIFICATIONS_LAST)
        ),
        after_help = "Example:\n  switchhook notifications list"
    )]
    List(Pagination),
    /// Create, list, change, delete and test the channels that notifications go to
    #[command(subcommand)]
    Channels(Channels),
}

#[derive(Debug, Subcommand)]
enum Channels {
    /// Create a channel
    #[command(after_help = "\
Examples:
  switchhook notifications channels create --type slack --to \"$SLACK_WEBHOOK_URL\"
  switchhook notifications channels create --type email --to ops@example.com --kind webhook.failing
  switchhook notifications channels create --type webhook --to https://example.com/alerts --secret \"$SECRET\"

Next: switchhook notifications channels test ID")]
    Create {
        /// Type of the channel
        #[arg(long = "type", value_name = "TYPE", value_parser = words::one_of::<ChannelType>(ChannelType::ALL.map(ChannelType::as_str)))]
        channel_type: ChannelType,

        #[command(flatten)]
        settings: Settings,
    },
    /// List channels, oldest first
    #[command(after_help = "Example:\n  switchhook notifications channels list")]
    List(Pagination),
    /// Change a channel; options that are not given change nothing
    #[command(after_help = "\
Example:
  switchhook notifications channels update 7730318061039616 --kind webhook.failing --kind webhook.recovered")]
    Update {
        #[command(flatten)]
        which: IdArgument,

        #[command(flatten)]
        settings: Settings,

        /// Remove the secret: send unsigned JSON
        #[arg(long, conflicts_with = "secret")]
        no_secret: bool,
    },
    /// Delete a channel
    #[command(after_help = "Example:\n  switchhook notifications channels delete 7730318061039616")]
    Delete(IdArgument),
    /// Test a channel: send a message, and show whether it arrived
    #[command(after_help = "Example:\n  switchhook notifications channels test 7730318061039616")]
    Test(IdArgument),
}

#[derive(Debug, Args)]
struct IdArgument {
    /// Id of the channel
    id: ChannelId,
}

#[derive(Debug, Args)]
struct Settings {
    /// URL to post to, or with type email a mailbox; repeat the option for several mailboxes
    #[arg(long, value_name = "URL|MAILBOX")]
    to: Vec<String>,

    /// Secret to sign with (HS256), for type webhook
    #[arg(long)]
    secret: Option<String>,

    /// Kind of notification to send; repeat the option for several [default: every kind]
    #[arg(long = "kind", value_name = "KIND", value_parser = words::one_of::<NotificationKind>(NotificationKind::ALL.map(NotificationKind::as_str)))]
    kinds: Vec<NotificationKind>,
}

impl Settings {
    fn fields(self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.extend(self.secret.map(|secret| ("secret".to_owned(), secret.into())));
        match &self.to[..] {
            [] => {}
            [url] if url.contains("://") => {
                fields.insert("url".to_owned(), url.as_str().into());
            }
            mailboxes => {
                fields.insert("to".to_owned(), mailboxes.into());
            }
        }
        if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.as_str()).collect();
            fields.insert("kinds".to_owned(), kinds.into());
        }
        fields
    }
}

impl Notifications {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            let request = match self.command {
                Command::List(pagination) => return list(&client, &pagination, self.json).await,
                Command::Channels(Channels::List(pagination)) => {
                    return list_channels(&client, &pagination, self.json).await;
                }
                Command::Channels(Channels::Test(IdArgument { id })) => {
                    return test(&client, id, self.json).await;
                }
                Command::Channels(Channels::Create {
                    channel_type,
                    settings,
                }) => {
                    let mut fields = settings.fields();
                    fields.insert("type".to_owned(), channel_type.as_str().into());
                    Request::post(CHANNELS).json(&fields.into())
                }
                Command::Channels(Channels::Update {
                    which,
                    settings,
                    no_secret,
                }) => {
                    let mut fields = settings.fields();
                    if no_secret {
                        fields.insert("secret".to_owned(), Value::Null);
                    }
                    if fields.is_empty() {
                        let words = "nothing to change: give an option; --help lists them";
                        return Err(UsageError(words.to_owned()).into());
                    }
                    Request::patch(path(which.id)).json(&fields.into())
                }
                Command::Channels(Channels::Delete(IdArgument { id })) => {
                    let answer = client.send(Request::delete(path(id))).await?;
                    output::remark(format_args!("channel {id} is deleted; it was:"));
                    return show(&answer, self.json);
                }
            };
            show(&client.send(request).await?, self.json)
        })
    }
}

const CHANNELS: &str = "/v1/notification-channels";

fn path(id: ChannelId) -> String {
    format!("{CHANNELS}/{id}")
}

async fn list(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/v1/notifications", &[], pagination, LARGEST_OWN_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["ID", "AT", "KIND", "OUTCOME", "TEXT"])
        .truncating(&["OUTCOME", "TEXT"])
        .dropping(&["ID", "KIND"]);
    for notification in list.items::<NotificationAnswer>()? {
        let outcome = outcome(&notification);
        table.row([
            notification.id,
            time(notification.at),
            notification.kind,
            outcome,
            notification.text,
        ]);
    }
    table.print_or("there are no notifications")?;
    list.remark_rest();
    Ok(())
}

fn outcome(notification: &NotificationAnswer) -> String {
    if let Some(until) = notification.held_until {
        return format!("held until {}", time(until));
    }
    if notification.sends.is_empty() {
        return "no channel wanted it".to_owned();
    }
    let sends = notification.sends.iter().map(|send| {
        let to = send
            .channel_id
            .map_or_else(|| "command".to_owned(), |id| id.to_string());
        match &send.error {
            Some(error) if send.state != SendState::Sent => format!("{} ({to}): {error}", send.state),
            _ => format!("{} ({to})", send.state),
        }
    });
    sends.collect::<Vec<_>>().join(", ")
}

async fn list_channels(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, CHANNELS, &[], pagination, LARGEST_OWN_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["ID", "TYPE", "TO", "KINDS", "CREATED"])
        .truncating(&["TO", "KINDS"])
        .dropping(&["CREATED"]);
    for channel in list.items::<NotificationChannel>()? {
        table.row([
            channel.id.to_string(),
            channel.channel_type.to_string(),
            channel.url.or(channel.to).unwrap_or_default(),
            NotificationKind::list_of(&channel.kinds),
            time(channel.created_at),
        ]);
    }
    table.print_or(
        "there are no channels; `switchhook notifications channels create --type slack --to URL` creates one",
    )?;
    list.remark_rest();
    Ok(())
}

async fn test(client: &Client, id: ChannelId, json: bool) -> anyhow::Result<()> {
    let answer = client.send(Request::post(format!("{}/test", path(id)))).await?;
    let tested: NotificationTest = answer.read()?;
    if json {
        output::print_data(answer.text()?)?;
    }
    match tested.error.filter(|_| !tested.sent) {
        Some(error) => bail!("the test message did not arrive: {error}"),
        None if json => Ok(()),
        None => Facts::new().fact("sent", "the test message has arrived").print(),
    }
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let channel: NotificationChannel = answer.read()?;
    Facts::new()
        .fact("id", channel.id)
        .fact("type", channel.channel_type)
        .fact_if("url", channel.url.as_ref())
        .fact_if("to", channel.to.as_ref())
        .fact("signed", if channel.secret.is_some() { "yes" } else { "no" })
        .fact("kinds", NotificationKind::list_of(&channel.kinds))
        .fact("created", time(channel.created_at))
        .print()
}
