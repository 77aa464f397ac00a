//! `switchhook webhooks test`: sends a sample event to one webhook, and prints its answer.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use switchhook_domain::Kind;
use switchhook_domain::delivery::StateName;
use switchhook_domain::id::{DeliveryId, WebhookId};
use switchhook_web::api::answers::{AcceptedEvent, DeliveryWithAttempts, WebhookWithSettings};
use tokio::time::{Instant, sleep};

use super::display::blocking_condition;
use crate::cli::deliveries::{self, has_been_tried};
use crate::cli::words;
use switchhook_client::{Client, Request};

/// Time limit for an attempt. A receiver may take longer if its timeout is longer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval of asking for the delivery.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Test a webhook: send it a sample event, whatever its subscriptions, and show the answer; exit code 1 unless it is 2xx
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks test 7730318061039616
  switchhook webhooks test 7730318061039616 --kind sms --json

The event is stored, and its delivery is retried like any other.")]
pub(super) struct Test {
    /// Id of the webhook
    id: WebhookId,

    /// Kind of the event
    #[arg(long, default_value = "call", value_parser = words::kinds())]
    kind: Kind,
}

impl Test {
    pub(super) async fn run(&self, client: &Client, json: bool) -> anyhow::Result<()> {
        let id = self.id;
        let webhook = Request::get(&format!("/v1/webhooks/{id}"), &[]);
        let webhook: WebhookWithSettings = client.send(webhook).await?.read()?;
        if let Some(condition) = blocking_condition(&webhook.health) {
            bail!(
                "webhook {id} is {condition}, and nothing is sent: `switchhook webhooks resume {id}` first"
            );
        }
        let request = Request::post(format!("/v1/webhooks/{id}/test")).json(&json!({ "kind": self.kind }));
        let sent: AcceptedEvent<'_> = client.send(request).await?.read()?;
        for delivery in sent.deliveries.0.iter() {
            await_attempt(client, delivery.id, json).await?;
        }
        Ok(())
    }
}

/// Waits for the delivery's first attempt, and prints it.
async fn await_attempt(client: &Client, id: DeliveryId, json: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    loop {
        let request = Request::get(&format!("/v1/deliveries/{id}"), &[]);
        let answer = client.send(request).await?;
        let delivery: DeliveryWithAttempts = answer.read()?;
        if has_been_tried(&delivery) {
            deliveries::show_answer(&answer, json)?;
            return match delivery.delivery.state == StateName::Delivered {
                true => Ok(()),
                false => bail!("the webhook did not accept the event"),
            };
        }
        if started.elapsed() > ATTEMPT_TIMEOUT {
            bail!(
                "the event has not been sent for {} s: `switchhook deliveries show {id}` shows its state, \
                 `switchhook doctor` what is wrong",
                ATTEMPT_TIMEOUT.as_secs()
            );
        }
        sleep(POLL_INTERVAL).await;
    }
}
