//! `switchhook websockets`: websockets that clients receive events over, over Dialpad's API.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use switchhook_domain::id::WebsocketId;
use switchhook_domain::secret::Secret;

use super::connection::Connection;
use super::created::Created;
use super::output::{self, Facts, Table};
use super::pages::{List, Pagination};
use super::subscribe::{CreatedSubscription, Subscribe};
use super::webhooks::secret_in_words;
use super::{UsageError, block_on};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::websocket::token;
use switchhook_node::{amounts, keys};
use switchhook_web::api::LARGEST_PAGE;
use switchhook_web::api::answers::WebsocketAnswer;

/// Create, list, show, change and delete websockets
#[derive(Debug, Args)]
pub(super) struct Websockets {
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
    /// Create a websocket: a URL over which clients receive subscribed events
    #[command(after_help = "\
Examples:
  switchhook websockets create
  switchhook websockets create --generate-secret --subscribe call,sms

--subscribe matches every event of a kind. To narrow it: switchhook subscriptions create call --websocket ID …")]
    Create {
        #[command(flatten)]
        subscribe: Subscribe,

        #[command(flatten)]
        secret: SecretOptions,
    },
    /// List websockets, oldest first
    #[command(after_help = "Example:\n  switchhook websockets list --json")]
    List(Pagination),
    #[command(
        about = format!("Show a websocket with a fresh URL, which lasts {}", amounts::time(token::LASTS)),
        after_help = "Example:\n  switchhook websockets show 7730318061039616"
    )]
    Show(IdArgument),
    /// Change a websocket's secret
    #[command(after_help = "\
Examples:
  switchhook websockets update 7730318061039616 --generate-secret
  switchhook websockets update 7730318061039616 --no-secret")]
    Update {
        #[command(flatten)]
        which: IdArgument,

        #[command(flatten)]
        secret: SecretOptions,

        /// Remove the secret: send plain JSON
        #[arg(long, conflicts_with_all = ["secret", "generate_secret"])]
        no_secret: bool,
    },
    /// Delete a websocket; its subscriptions stay but deliver nothing, and its connections are closed
    #[command(after_help = "Example:\n  switchhook websockets delete 7730318061039616")]
    Delete(IdArgument),
}

#[derive(Debug, Args)]
struct IdArgument {
    /// Id of the websocket
    id: WebsocketId,
}

#[derive(Debug, Args)]
struct SecretOptions {
    /// Secret to sign frames with (HS256)
    #[arg(long)]
    secret: Option<String>,

    /// Generate the secret, and print it
    #[arg(long, conflicts_with = "secret")]
    generate_secret: bool,
}

impl SecretOptions {
    fn chosen(self) -> Option<String> {
        self.secret
            .or_else(|| self.generate_secret.then(keys::new_secret))
    }
}

/// A websocket, with its subscriptions if it was just created with them.
#[derive(Debug, Deserialize)]
struct WebsocketWithSubscriptions {
    #[serde(flatten)]
    websocket: WebsocketAnswer,
    #[serde(default)]
    subscriptions: Vec<CreatedSubscription>,
}

impl Websockets {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            let request = match self.command {
                Command::List(pagination) => return list(&client, &pagination, self.json).await,
                Command::Create { subscribe, secret } => {
                    let mut created = Created::default();
                    return match create(&client, &mut created, secret, &subscribe).await {
                        Ok(answer) => show(&answer, self.json),
                        Err(error) => Err(created.roll_back(error).await),
                    };
                }
                Command::Show(IdArgument { id }) => Request::get(&path(id), &[]),
                Command::Update {
                    which,
                    secret,
                    no_secret,
                } => {
                    let secret = match (secret.chosen(), no_secret) {
                        (Some(secret), _) => secret.into(),
                        (None, true) => Value::Null,
                        (None, false) => {
                            return Err(UsageError(
                                "nothing to change: give --secret, --generate-secret or --no-secret"
                                    .to_owned(),
                            )
                            .into());
                        }
                    };
                    Request::patch(path(which.id)).json(&json!({ "secret": secret }))
                }
                Command::Delete(IdArgument { id }) => {
                    let answer = client.send(Request::delete(path(id))).await?;
                    output::remark(format_args!("websocket {id} is deleted; it was:"));
                    return show(&answer, self.json);
                }
            };
            show(&client.send(request).await?, self.json)
        })
    }
}

async fn create(
    client: &Client,
    created: &mut Created,
    secret: SecretOptions,
    subscribe: &Subscribe,
) -> anyhow::Result<Answer> {
    let secret = secret.chosen();
    let request = secret.map_or_else(|| json!({}), |secret| json!({ "secret": secret }));
    let (id, websocket) = created.create(client, "/api/v2/websockets", &request).await?;
    subscribe.apply(client, created, &id, websocket).await
}

fn path(id: WebsocketId) -> String {
    format!("/api/v2/websockets/{id}")
}

async fn list(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/api/v2/websockets", &[], pagination, LARGEST_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["ID", "FRAMES"]);
    for websocket in list.items::<WebsocketAnswer>()? {
        let frames = if websocket.signature.is_some() {
            "jwt"
        } else {
            "json"
        };
        table.row([websocket.id.to_string(), frames.to_owned()]);
    }
    table.print_or("there are no websockets; `switchhook websockets create` creates one")?;
    list.remark_rest();
    Ok(())
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let WebsocketWithSubscriptions {
        websocket,
        subscriptions,
    } = answer.read()?;
    let secret = websocket
        .signature
        .as_ref()
        .and_then(|signature| signature.secret.clone());
    if let Some(warning) = secret.and_then(|secret| Secret::new(secret).weakness()) {
        output::remark(format_args!("warning: {warning}"));
    }
    let url = websocket.websocket_url.as_deref();
    let url = url.unwrap_or("none: this key may not connect to it");
    let facts = Facts::new()
        .fact("id", websocket.id)
        .fact("websocket_url", url)
        .fact(
            "secret",
            secret_in_words(websocket.signature.as_ref(), "frames are"),
        );
    let subscribed = |facts, subscription: &CreatedSubscription| subscription.add_to(facts);
    subscriptions.iter().fold(facts, subscribed).print()
}
