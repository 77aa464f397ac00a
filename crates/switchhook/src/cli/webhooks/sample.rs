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

/// Send a sample event to a webhook, whatever it is subscribed to, and show its answer: exit code 1 if it did not take it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook webhooks test 7730318061039616
  switchhook webhooks test 7730318061039616 --kind sms --json

The event is kept, and its delivery is tried again like any other.")]
pub(super) struct Test {
    /// The webhook's id
    id: WebhookId,

    /// The kind of event
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
                false => bail!("the webhook did not take the event"),
            };
        }
        if started.elapsed() > ATTEMPT_TIMEOUT {
            bail!(
                "the event waits to be sent for {} s: `switchhook deliveries show {id}` shows what becomes of it, \
                 `switchhook doctor` what is wrong",
                ATTEMPT_TIMEOUT.as_secs()
            );
        }
        sleep(POLL_INTERVAL).await;
    }
}
