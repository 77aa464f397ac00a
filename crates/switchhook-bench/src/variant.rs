//! Variant of a measurement: the process, its webhooks, and what they get. Which variants are compared is in `topic`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::load::{Load, Pace, Sent};
use super::payload::TARGET_BASE;
use super::prepared::SECRET;
use super::receiver::{Receiver, ReceiverBehaviour, Scheme};
use super::subject::{ServerOptions, Subject};
use super::test_bed::TestBed;
use switchhook_node::keys::DEFAULT_COMPANY;

/// Time after a change by which every node of a store knows of it.
const OTHERS_KNOW_AFTER: Duration = Duration::from_secs(2);

/// Variant of a measurement.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) process: Process,
    pub(super) body: BodyForm,
    pub(super) scheme: Scheme,
    pub(super) order: Order,
    pub(super) webhooks: Webhooks,
    pub(super) events_per_call: u64,
    /// Subscriptions that match nothing.
    pub(super) bystanders: u32,
}

/// Process under load.
#[derive(Debug, Clone)]
pub(super) enum Process {
    /// The forwarder.
    Floor,
    /// A server with a SQLite file.
    Server,
    /// So many servers on one new database of the PostgreSQL server of this run.
    Nodes(u32),
}

/// Form of the bodies that a receiver gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyForm {
    Json,
    Jwt,
}

/// True if events of one call go one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Ordered,
    Unordered,
}

/// Webhooks of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Webhooks {
    /// So many, and every event goes to each.
    All(u32),
    /// So many, and each event goes to one, in turns. The first one's receiver is of this manner.
    InTurns(u32, ReceiverBehaviour),
}

impl Variant {
    /// The ordinary way: kept in SQLite with an fsync, signed, delivered to one webhook.
    pub(super) fn live(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            process: Process::Server,
            body: BodyForm::Jwt,
            scheme: Scheme::Http,
            order: Order::Ordered,
            webhooks: Webhooks::All(1),
            events_per_call: 1,
            bystanders: 0,
        }
    }

    pub(super) const fn is_on_postgres(&self) -> bool {
        matches!(self.process, Process::Nodes(_))
    }

    pub(super) const fn deliveries_of_an_event(&self) -> u32 {
        match self.webhooks {
            Webhooks::All(count) => count,
            Webhooks::InTurns(..) => 1,
        }
    }

    /// The load that belongs to it.
    pub(super) const fn load(&self, senders: u32, pace: Pace) -> Load {
        let targets = match self.webhooks {
            Webhooks::All(_) => 1,
            Webhooks::InTurns(count, _) => count as u64,
        };
        Load {
            senders,
            pace,
            events_per_call: self.events_per_call,
            targets,
        }
    }

    /// Starts its process and registers its webhooks, to be found at `receiver`.
    pub(super) async fn start(
        &self,
        receiver: &Receiver,
        room: &Path,
        test_bed: &TestBed<'_>,
    ) -> Result<Subject> {
        let (store, nodes, database) = match self.process {
            Process::Floor => return Subject::start_floor(room, receiver.address).await,
            Process::Server => (test_bed.store(room, self.bystanders)?, 1, None),
            Process::Nodes(nodes) => {
                let postgres = test_bed.postgres()?;
                (postgres.new_database().await?, nodes, postgres.process())
            }
        };
        let options = ServerOptions {
            store: &store,
            company: Some(DEFAULT_COMPANY.0),
            authority: receiver.authority.as_deref(),
        };
        let mut subject = Subject::start_server(room, &options).await?;
        subject.database = database;
        for _ in 1..nodes {
            subject.add_node(room, &options).await?;
        }
        self.subscribe(&subject, receiver).await?;
        if nodes > 1 {
            // What the first node was told counts at the others within a second; events before that go nowhere.
            tokio::time::sleep(OTHERS_KNOW_AFTER).await;
        }
        Ok(subject)
    }

    async fn subscribe(&self, subject: &Subject, receiver: &Receiver) -> Result<()> {
        let secret = (self.body == BodyForm::Jwt).then_some(SECRET);
        let (count, first) = match self.webhooks {
            Webhooks::All(count) => (count, ReceiverBehaviour::Count),
            Webhooks::InTurns(count, first) => (count, first),
        };
        for number in 0..count {
            let behaviour = if number == 0 {
                first
            } else {
                ReceiverBehaviour::Count
            };
            let filter = match self.webhooks {
                Webhooks::All(_) => json!({}),
                Webhooks::InTurns(..) => {
                    json!({ "target_type": "user", "target_id": TARGET_BASE + u64::from(number) })
                }
            };
            let url = receiver.hook_url(behaviour, number);
            let webhook = subject.subscribe(&url, secret, &filter).await?;
            if self.order == Order::Unordered {
                subject.drop_order(&webhook).await?;
            }
        }
        Ok(())
    }

    /// Number of measured deliveries that follow from what was sent.
    pub(super) fn expected(&self, sent: &Sent) -> u64 {
        match self.webhooks {
            Webhooks::InTurns(_, ReceiverBehaviour::Answer | ReceiverBehaviour::Hang) => {
                sent.count_without_first_target()
            }
            _ => sent.count() * u64::from(self.deliveries_of_an_event()),
        }
    }
}
