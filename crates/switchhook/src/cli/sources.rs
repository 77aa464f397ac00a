//! `switchhook sources`: URLs that accounts post their events to, and refused requests.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use switchhook_domain::Kind;
use switchhook_domain::id::SourceId;
use switchhook_domain::source::RefusalBounds;

use super::connection::Connection;
use super::output::{self, Facts, Table, time};
use super::pages::{LARGEST_OWN_PAGE, List, Pagination};
use super::{UsageError, block_on};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::webhooks::OVERLAP;
use switchhook_node::{amounts, keys};
use switchhook_protocol::shortened;
use switchhook_web::api::answers::{RefusalAnswer, RetriedAnswer, SourceAnswer};

/// Create, list, show, change and delete sources: URLs that a real account posts its events to
#[derive(Debug, Args)]
pub(super) struct Sources {
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
    /// Create a source; its URL is shown only now
    #[command(after_help = "\
Examples:
  switchhook sources create --name \"our account\" --generate-secret
  switchhook sources create --name changes --kind changelog --secret \"$SECRET\"

Next: create a webhook with the address and the secret at the account;
`switchhook connect dialpad` does all of it.")]
    Create {
        /// Name of the source
        #[arg(long)]
        name: String,

        /// Kind of all its events [default: detected from the shape of each event]
        #[arg(long, value_parser = super::words::kinds())]
        kind: Option<Kind>,

        #[command(flatten)]
        secret: SecretOptions,
    },
    /// List sources, oldest first
    #[command(after_help = "Example:\n  switchhook sources list")]
    List(Pagination),
    /// Show a source
    #[command(after_help = "Example:\n  switchhook sources show 7730318061039616")]
    Show(IdArgument),
    Update(Update),
    /// Delete a source; the events it received stay
    #[command(after_help = "Example:\n  switchhook sources delete 7730318061039616")]
    Delete(IdArgument),
    #[command(
        about = format!(
            "List requests that a source refused and why, newest first ({}, at most {})",
            amounts::time(RefusalBounds::DEFAULT.age),
            amounts::size(RefusalBounds::DEFAULT.bytes)
        ),
        after_help = "\
Examples:
  switchhook sources refusals 7730318061039616
  switchhook sources refusals 7730318061039616 --limit 1 --json")]
    Refusals {
        #[command(flatten)]
        which: IdArgument,

        #[command(flatten)]
        pagination: Pagination,
    },
    /// Retry refused requests, after the source's secret or kind was corrected
    #[command(after_help = "\
Example:
  switchhook sources update 7730318061039616 --secret \"$RIGHT_ONE\"
  switchhook sources retry-refusals 7730318061039616")]
    RetryRefusals(IdArgument),
}

/// Change a source; options that are not given change nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook sources update 7730318061039616 --generate-secret --overlap 7d
  switchhook sources update 7730318061039616 --any-kind")]
struct Update {
    #[command(flatten)]
    which: IdArgument,

    /// New name of the source
    #[arg(long)]
    name: Option<String>,

    /// Kind of all its events
    #[arg(long, value_parser = super::words::kinds())]
    kind: Option<Kind>,

    /// Detect the kind of each event from its shape
    #[arg(long, conflicts_with = "kind")]
    any_kind: bool,

    #[command(flatten)]
    secret: SecretOptions,

    /// Remove the secret: accept plain JSON from anybody
    #[arg(long, conflicts_with_all = ["secret", "generate_secret"])]
    no_secret: bool,

    #[arg(
        long,
        help = format!("Time for which the old secret stays valid [default: {}]", amounts::time(OVERLAP)),
        value_name = "DURATION"
    )]
    overlap: Option<String>,
}

#[derive(Debug, Args)]
struct IdArgument {
    /// Id of the source
    id: SourceId,
}

#[derive(Debug, Args)]
struct SecretOptions {
    /// Secret that events must be signed with (HS256): that of the webhook at the account
    #[arg(long)]
    secret: Option<String>,

    /// Generate the secret, and print it
    #[arg(long, conflicts_with = "secret")]
    generate_secret: bool,
}

impl Sources {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            let (request, generated) = match self.command {
                Command::List(pagination) => return list(&client, &pagination, self.json).await,
                Command::Refusals { which, pagination } => {
                    return refusals(&client, which.id, &pagination, self.json).await;
                }
                Command::RetryRefusals(IdArgument { id }) => {
                    return retry_refusals(&client, id, self.json).await;
                }
                Command::Create { name, kind, secret } => {
                    let mut fields = secret.fields();
                    let generated = secret.generated_secret(&fields);
                    fields.insert("name".to_owned(), name.into());
                    fields.extend(kind.map(|kind| ("kind".to_owned(), kind.route().into())));
                    (Request::post("/v1/sources").json(&fields.into()), generated)
                }
                Command::Update(update) => update.request()?,
                Command::Show(IdArgument { id }) => (Request::get(&path(id), &[]), None),
                Command::Delete(IdArgument { id }) => {
                    let answer = client.send(Request::delete(path(id))).await?;
                    output::remark(format_args!("source {id} is deleted; it was:"));
                    return show(&answer, None, self.json);
                }
            };
            show(&client.send(request).await?, generated, self.json)
        })
    }
}

fn path(id: SourceId) -> String {
    format!("/v1/sources/{id}")
}

impl SecretOptions {
    fn fields(&self) -> Map<String, Value> {
        let secret = self.secret.clone();
        let secret = secret.or_else(|| self.generate_secret.then(keys::new_secret));
        secret
            .map(|secret| ("secret".to_owned(), secret.into()))
            .into_iter()
            .collect()
    }

    /// The generated secret, which is printed.
    fn generated_secret(&self, fields: &Map<String, Value>) -> Option<String> {
        let secret = fields.get("secret").filter(|_| self.generate_secret)?;
        secret.as_str().map(str::to_owned)
    }
}

impl Update {
    fn request(self) -> anyhow::Result<(Request, Option<String>)> {
        let mut fields = self.secret.fields();
        let generated = self.secret.generated_secret(&fields);
        fields.extend(self.name.map(|name| ("name".to_owned(), name.into())));
        fields.extend(self.kind.map(|kind| ("kind".to_owned(), kind.route().into())));
        if self.any_kind {
            fields.insert("kind".to_owned(), Value::Null);
        }
        if self.no_secret {
            fields.insert("secret".to_owned(), Value::Null);
        }
        if fields.is_empty() {
            return Err(UsageError("nothing to change: give an option; --help lists them".to_owned()).into());
        }
        fields.extend(self.overlap.map(|overlap| ("overlap".to_owned(), overlap.into())));
        Ok((
            Request::patch(path(self.which.id)).json(&fields.into()),
            generated,
        ))
    }
}

async fn list(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/v1/sources", &[], pagination, LARGEST_OWN_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["ID", "NAME", "KIND", "FORMAT", "FINGERPRINT", "CREATED"])
        .truncating(&["NAME"])
        .dropping(&["CREATED", "FINGERPRINT"]);
    for source in list.items::<SourceAnswer>()? {
        table.row([
            source.id.to_string(),
            source.name,
            source
                .kind
                .map_or_else(|| "any".to_owned(), |kind| kind.to_string()),
            body_format(source.signed).to_owned(),
            source.fingerprint,
            time(source.created_at),
        ]);
    }
    table.print_or("there are no sources; `switchhook sources create --name NAME` creates one")?;
    list.remark_rest();
    Ok(())
}

async fn refusals(client: &Client, id: SourceId, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(
        client,
        &format!("{}/refusals", path(id)),
        &[],
        pagination,
        LARGEST_OWN_PAGE,
    )
    .await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["REFUSED", "STATUS", "REASON", "CONTENT TYPE", "SIZE", "BODY"])
        .truncating(&["REASON", "BODY"])
        .dropping(&["SIZE", "CONTENT TYPE"]);
    for refusal in list.items::<RefusalAnswer>()? {
        table.row([
            time(refusal.refused_at),
            refusal.status.to_string(),
            refusal.reason,
            refusal.content_type.unwrap_or_else(|| "-".to_owned()),
            refusal.size.to_string(),
            refusal
                .body
                .map_or_else(|| "-".to_owned(), |body| shortened(&body, 60).into_owned()),
        ]);
    }
    table.print_or("there are no refused requests")?;
    list.remark_rest();
    Ok(())
}

async fn retry_refusals(client: &Client, id: SourceId, json: bool) -> anyhow::Result<()> {
    let request = Request::post(format!("{}/retry-refusals", path(id)));
    let answer = client.send(request).await?;
    if json {
        return output::print_data(answer.text()?);
    }
    let retried: RetriedAnswer = answer.read()?;
    Facts::new()
        .fact("accepted", retried.taken)
        .fact("duplicates", retried.duplicates)
        .fact("still refused", retried.still_refused)
        .print()
}

const fn body_format(is_signed: bool) -> &'static str {
    if is_signed { "jwt" } else { "json" }
}

fn show(answer: &Answer, generated: Option<String>, json: bool) -> anyhow::Result<()> {
    if json {
        let mut shown: Value = answer.read()?;
        if let Some(secret) = generated {
            shown["secret"] = secret.into();
        }
        return output::print_data(shown);
    }
    let source: SourceAnswer = answer.read()?;
    let facts = Facts::new()
        .fact("id", source.id)
        .fact("name", &source.name)
        .fact_if("address", source.url.as_ref())
        .fact_if("secret", generated)
        .fact(
            "kind",
            source.kind.map_or("detected from each event", Kind::route),
        )
        .fact("format", body_format(source.signed))
        .fact("fingerprint", &source.fingerprint)
        .fact("created", time(source.created_at));
    let facts = source.old_secrets_until.iter().fold(facts, |facts, until| {
        facts.fact("old secret", format!("valid until {}", time(*until)))
    });
    for warning in &source.warnings {
        output::remark(format_args!("warning: {warning}"));
    }
    facts.print()
}
