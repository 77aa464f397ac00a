//! `switchhook replays`: sends old events again, as a job of the server.

mod progress;
mod selection;

use std::time::Duration;

use clap::{Args, Subcommand};
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::ReplayId;
use switchhook_domain::replay::ReplayStateName;

use self::progress::Progress;
use self::selection::Selection;
use super::block_on;
use super::connection::Connection;
use super::output::{self, Facts, Table, time};
use super::pages::{LARGEST_OWN_PAGE, List, Pagination};
use switchhook_client::{Answer, Client, Request};
use switchhook_node::clock::SystemClock;
use switchhook_node::duration::show_duration;
use switchhook_web::api::answers::{DryRunAnswer, FilterAnswer, ProgressAnswer, ReplayAnswer, ToAnswer};

/// Interval at which `--wait` asks for the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Create, list, show and cancel replays: old events sent again as new deliveries
#[derive(Debug, Args)]
pub(super) struct Replays {
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
    Create(Create),
    /// List replays, newest first
    #[command(after_help = "Example:\n  switchhook replays list")]
    List(Pagination),
    /// Show a replay and its progress
    #[command(after_help = "\
Examples:
  switchhook replays show 7730318061039616
  switchhook replays show 7730318061039616 --wait")]
    Show {
        /// Id of the replay
        id: ReplayId,

        /// Wait until the replay has ended, and show its progress
        #[arg(long)]
        wait: bool,
    },
    /// Cancel a replay and its pending deliveries
    #[command(after_help = "Example:\n  switchhook replays cancel 7730318061039616")]
    Cancel {
        /// Id of the replay
        id: ReplayId,
    },
}

/// Replay old events: each as a new delivery, in the order in which they were accepted
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook replays create --not-delivered --since 1d --dry-run
  switchhook replays create --not-delivered --since 1d --rate 50 --wait
  switchhook replays create --webhook 7730318061039616 --since 2026-11-21T09:00:00Z --until 2026-11-21T10:00:00Z
  switchhook replays create --id 7730318061039617 --to-url https://example.com/debug

The server runs the replay, which continues when this command ends and when the server restarts.
With --wait the exit code is 1 unless everything was delivered.")]
struct Create {
    #[command(flatten)]
    selection: Selection,

    /// Count the deliveries without creating them
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,

    /// Wait until the replay has ended, and show its progress
    #[arg(long)]
    wait: bool,
}

/// The replay ended, but not every event was delivered.
#[derive(Debug, thiserror::Error)]
#[error("replay {id} is {state}: {delivered} of {created} deliveries were delivered{}", .reason.as_ref().map(|why| format!("; {why}")).unwrap_or_default())]
struct IncompleteReplay {
    id: String,
    state: ReplayStateName,
    delivered: u64,
    created: u64,
    reason: Option<String>,
}

impl Replays {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            match self.command {
                Command::Create(create) => create.run(&client, self.json).await,
                Command::List(pagination) => list(&client, &pagination, self.json).await,
                Command::Show { id, wait } => {
                    let path = format!("/v1/replays/{id}");
                    if wait {
                        return follow(&client, &path, self.json).await;
                    }
                    show(&client.send(Request::get(&path, &[])).await?, self.json)
                }
                Command::Cancel { id } => cancel(&client, id, self.json).await,
            }
        })
    }
}

impl Create {
    async fn run(self, client: &Client, json: bool) -> anyhow::Result<()> {
        let mut request = self.selection.request(SystemClock.now())?;
        request["dry_run"] = self.dry_run.into();
        let answer = client.send(Request::post("/v1/replays").json(&request)).await?;
        if self.dry_run {
            return print_dry_run(&answer, json);
        }
        if self.wait {
            return follow_to_end(client, &answer, json).await;
        }
        print_started(&answer, json)
    }
}

pub(super) fn print_started(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let replay: ReplayAnswer = answer.read()?;
    output::print(format_args!(
        "replay {} creates {}: `switchhook replays show {} --wait` shows its progress",
        replay.id,
        total_in_words(&replay.progress),
        replay.id,
    ))
}

/// Follows a replay that was started until it has ended.
pub(super) async fn follow_to_end(client: &Client, answer: &Answer, json: bool) -> anyhow::Result<()> {
    let replay: ReplayAnswer = answer.read()?;
    follow(client, &format!("/v1/replays/{}", replay.id), json).await
}

pub(super) fn print_dry_run(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let dry_run: DryRunAnswer = answer.read()?;
    let total = in_words(dry_run.total, dry_run.total_is_exact);
    output::print(format_args!(
        "it would create {total} from {} events",
        dry_run.scanned
    ))?;
    if dry_run.skipped > 0 {
        output::remark(format_args!(
            "it would skip {}, because their webhooks are deleted: --to-webhook or --to-url sends them elsewhere",
            dry_run.skipped
        ));
    }
    Ok(())
}

fn in_words(total: u64, is_exact: bool) -> String {
    let about = if is_exact { "" } else { "about " };
    let deliveries = if total == 1 { "delivery" } else { "deliveries" };
    format!("{about}{total} {deliveries}")
}

async fn list(client: &Client, pagination: &Pagination, json: bool) -> anyhow::Result<()> {
    let list = List::read(client, "/v1/replays", &[], pagination, LARGEST_OWN_PAGE).await?;
    if json {
        return list.print_json();
    }
    let mut table = Table::new(&["ID", "STATE", "CREATED", "DELIVERED", "OF", "TO", "EVENTS"])
        .truncating(&["TO", "EVENTS"])
        .dropping(&["CREATED"]);
    for replay in list.items::<ReplayAnswer>()? {
        let about = if replay.progress.total_is_exact { "" } else { "~" };
        let (to, events) = (destination_in_words(&replay), filter_in_words(&replay));
        table.row([
            replay.id.to_string(),
            replay.state.to_string(),
            time(replay.created_at),
            replay.progress.delivered.to_string(),
            format!("{about}{}", replay.progress.total),
            to,
            events,
        ]);
    }
    table.print_or("there are no replays")?;
    list.remark_rest();
    Ok(())
}

fn show(answer: &Answer, json: bool) -> anyhow::Result<()> {
    if json {
        return output::print_data(answer.text()?);
    }
    let replay: ReplayAnswer = answer.read()?;
    facts(&replay, SystemClock.now()).print()
}

async fn cancel(client: &Client, id: ReplayId, json: bool) -> anyhow::Result<()> {
    let answer = client.send(Request::delete(format!("/v1/replays/{id}"))).await?;
    if json {
        return output::print_data(answer.text()?);
    }
    let replay: ReplayAnswer = answer.read()?;
    output::print(format_args!(
        "replay {id} is cancelled: {} delivered, {} cancelled",
        replay.progress.delivered, replay.progress.cancelled
    ))
}

/// Polls until the replay has ended.
async fn follow(client: &Client, path: &str, json: bool) -> anyhow::Result<()> {
    let progress = Progress::new();
    loop {
        let answer = client.send(Request::get(path, &[])).await?;
        let replay: ReplayAnswer = answer.read()?;
        progress.show(&replay);
        if replay.state == ReplayStateName::Running {
            tokio::time::sleep(POLL_INTERVAL).await;
            continue;
        }
        progress.end();
        show(&answer, json)?;
        return check_complete(replay);
    }
}

fn total_in_words(progress: &ProgressAnswer) -> String {
    in_words(progress.total, progress.total_is_exact)
}

fn facts(replay: &ReplayAnswer, now: Timestamp) -> Facts {
    let progress = &replay.progress;
    let since = replay.ended_at.map(|at| format!(" since {}", time(at)));
    let left = replay.eta.map(|eta| show_duration(eta.since(now)));
    Facts::new()
        .fact("id", replay.id)
        .fact("state", format!("{}{}", replay.state, since.unwrap_or_default()))
        .fact_if("reason", replay.reason.as_ref())
        .fact("events", filter_in_words(replay))
        .fact("to", destination_in_words(replay))
        .fact_if("rate", replay.rate.map(|rate| format!("{rate} events a second")))
        .fact("created", time(replay.created_at))
        .fact("total", total_in_words(progress))
        .fact(
            "created so far",
            format!("{} from {} events", progress.created, progress.scanned),
        )
        .fact_if("skipped", (progress.skipped > 0).then_some(progress.skipped))
        .fact("pending", progress.pending)
        .fact("delivered", progress.delivered)
        .fact("exhausted", progress.exhausted)
        .fact_if(
            "cancelled",
            (progress.cancelled > 0).then_some(progress.cancelled),
        )
        .fact_if("time left", left)
}

fn destination_in_words(replay: &ReplayAnswer) -> String {
    match &replay.to {
        None => "the same webhooks".to_owned(),
        Some(ToAnswer::WebhookId(id)) => format!("webhook {id}"),
        Some(ToAnswer::Url(url)) => url.clone(),
    }
}

fn filter_in_words(replay: &ReplayAnswer) -> String {
    let FilterAnswer {
        ids,
        kind,
        order_key,
        since,
        until,
        webhook_id,
        state,
        not_delivered,
        dead_letters,
        failure,
    } = &replay.filter;
    let parts = [
        ids.as_ref().map(|ids| format!("{} ids", ids.len())),
        kind.as_ref().map(|kind| format!("kind {kind}")),
        order_key.as_ref().map(|key| format!("order_key {key}")),
        since.map(|at| format!("since {}", time(at))),
        until.map(|at| format!("until {}", time(at))),
        webhook_id.map(|id| format!("webhook_id {id}")),
        state.as_ref().map(|state| format!("state {state}")),
        not_delivered.then(|| "not delivered".to_owned()),
        dead_letters.then(|| "dead letters".to_owned()),
        failure.map(|failure| format!("failure {failure}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Fails unless everything was delivered.
fn check_complete(replay: ReplayAnswer) -> anyhow::Result<()> {
    let ProgressAnswer {
        created, delivered, ..
    } = replay.progress;
    if replay.state == ReplayStateName::Finished && delivered == created {
        return Ok(());
    }
    Err(IncompleteReplay {
        id: replay.id.to_string(),
        state: replay.state,
        delivered,
        created,
        reason: replay.reason,
    }
    .into())
}
