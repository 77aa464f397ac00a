//! Sends events to the server: one by one if they are few or each answer counts, otherwise many at once.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::DeliveryId;
use switchhook_simulator::{Demand, Sending};
use tokio::time::{Instant, sleep};

use super::progress::Progress;
use super::results::{RequestOutcome, Results, SentEvent};
use super::stream::Stream;
use super::{Expectation, Simulate};
use crate::cli::send::is_about_the_event;
use crate::server::asked_to_stop;
use switchhook_client::{Client, ClientError, Request};
use switchhook_node::pace::Paced;
use switchhook_web::api::answers::{AcceptedEvent, BatchAnswer, DeliveryAnswer};

/// Bound on events sent at once.
const MOST_AT_ONCE: usize = 500;

/// Interval of asking the server for the state of deliveries.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Sends all events, and counts the answers.
pub(super) async fn send_all(options: &Simulate, stream: Stream) -> anyhow::Result<Results> {
    let mut run = IngestRun {
        client: options.connection.client()?,
        expect: options.expect,
        results: Results::default(),
        deliveries: Vec::new(),
    };
    let progress = Progress::begin();
    let mut paced = Paced::new(stream.events, stream.start, stream.speed);
    let stopping = asked_to_stop();
    tokio::pin!(stopping);
    let ended = loop {
        let due = tokio::select! {
            due = paced.next_due(MOST_AT_ONCE) => due,
            () = &mut stopping => None,
        };
        let Some(due) = due else { break Ok(()) };
        let company_time = due.last().map_or(stream.start, |last| last.event.at);
        if let Err(error) = run.send(due).await {
            break Err(error);
        }
        progress.show(&run.results, company_time);
    };
    if ended.is_ok() && options.expect == Some(Expectation::Delivered) {
        progress.wait_for("waiting for the deliveries");
        let by_state = run.delivered_within(options.within).await?;
        run.results.deliveries(by_state);
    }
    progress.end();
    ended.map(|()| run.results)
}

/// State of sending.
struct IngestRun {
    client: Client,
    expect: Option<Expectation>,
    results: Results,
    /// Deliveries that the server will make.
    deliveries: Vec<DeliveryId>,
}

impl IngestRun {
    async fn send(&mut self, due: Vec<Sending>) -> anyhow::Result<()> {
        // Each answer counts, or there is no hurry.
        if self.expect.is_some() || due.len() == 1 {
            for sending in due {
                self.send_one(sending).await?;
            }
            return Ok(());
        }
        let mut lines: BTreeMap<Kind, String> = BTreeMap::new();
        for sending in due {
            let text = lines.entry(sending.event.kind).or_default();
            writeln!(text, "{}", sending.event.body)?;
        }
        for (kind, text) in lines {
            self.send_lines(kind, text).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, sending: Sending) -> anyhow::Result<()> {
        let sent = SentEvent::of(&sending, Demand::Take);
        let request = Request::post(format!("/v1/events/{}", sending.event.kind))
            .body("application/json", sending.event.body.into());
        let outcome = match self.client.send(request).await {
            Ok(answer) => {
                let answer: AcceptedEvent<'_> = answer.read()?;
                let ids = answer.deliveries.0.iter().map(|delivery| delivery.id);
                if self.expect == Some(Expectation::Delivered) {
                    self.deliveries.extend(ids);
                }
                RequestOutcome::Answered(202)
            }
            Err(ClientError::Refused { status, .. }) if is_about_the_event(status) => {
                RequestOutcome::Answered(status)
            }
            Err(error) => return Err(error.into()),
        };
        self.results.count(sent, &outcome, self.expect);
        Ok(())
    }

    async fn send_lines(&mut self, kind: Kind, text: String) -> anyhow::Result<()> {
        let request = Request::post(format!("/v1/events/{kind}")).body("application/x-ndjson", text.into());
        let answer: BatchAnswer = self.client.send(request).await?.read()?;
        self.results.count_taken(answer.accepted);
        if answer.rejected_count > 0 {
            let reasons = answer.rejected.into_iter().map(|line| line.error.message);
            self.results.count_refused(answer.rejected_count, reasons);
        }
        Ok(())
    }

    /// Waits until nothing is pending, or the time is over; returns the number of deliveries in each state.
    async fn delivered_within(&mut self, within: Duration) -> anyhow::Result<BTreeMap<String, u64>> {
        let until = Instant::now() + within;
        let mut by_state = BTreeMap::new();
        let mut pending = std::mem::take(&mut self.deliveries);
        while !pending.is_empty() {
            let mut still_pending = Vec::new();
            for id in pending {
                let asked = self
                    .client
                    .send(Request::get(&format!("/v1/deliveries/{id}"), &[]))
                    .await?;
                let DeliveryAnswer { state, .. } = asked.read()?;
                if state == StateName::Pending {
                    still_pending.push(id);
                } else {
                    *by_state.entry(state.to_string()).or_default() += 1;
                }
            }
            pending = still_pending;
            if Instant::now() >= until {
                break;
            }
            if !pending.is_empty() {
                sleep(ASK_EVERY).await;
            }
        }
        if !pending.is_empty() {
            by_state.insert("pending".to_owned(), pending.len() as u64);
        }
        Ok(by_state)
    }
}
