//! The questions that can be asked, and what is held against what to answer each.

use clap::ValueEnum;

use super::drain::short;
use super::receiver::{ReceiverBehaviour, Scheme};
use super::variant::{BodyForm, Order, Process, Variant, Webhooks};

/// Question that the benchmark answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// Accepted, signed and delivered, held against a forwarder that keeps nothing; then latencies
    Live,
    /// One sender, 200 events a second
    Quiet,
    /// Each event to 20 webhooks
    FanOut,
    /// A stored backlog on its way out
    Drain,
    /// One webhook of ten never answers
    Hanging,
    /// From ten subscriptions to a million
    Subscriptions,
    /// SQLite and PostgreSQL
    Store,
    /// JSON and JWT
    Signing,
    /// Five events of each call, in order or not
    Order,
    /// Receivers that are reached by TLS
    Tls,
}

/// Scale of the variants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) is_quick: bool,
}

impl Topic {
    /// Its name on the command line.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value
            .expect("no topic is left out on the command line")
            .get_name()
            .to_owned()
    }

    /// Variants measured in turn; the first is what the others are compared with. Empty if there is nothing to
    /// compare.
    pub(super) fn variants(self, scale: Scale) -> Vec<Variant> {
        let live = || Variant::live("live");
        let floor = |name| Variant {
            process: Process::Floor,
            ..Variant::live(name)
        };
        match self {
            Self::Live => vec![floor("floor"), live()],
            Self::Quiet => vec![
                floor("quiet-floor"),
                Variant::live("quiet-sqlite"),
                Variant {
                    process: Process::Nodes(1),
                    ..Variant::live("quiet-postgresql")
                },
            ],
            Self::FanOut => vec![
                live(),
                Variant {
                    webhooks: Webhooks::All(20),
                    ..Variant::live("fan-out-20")
                },
            ],
            // Ten webhooks both times, of which nine count.
            Self::Hanging => [
                ("hanging-0-of-10", ReceiverBehaviour::Answer),
                ("hanging-1-of-10", ReceiverBehaviour::Hang),
            ]
            .map(|(name, behaviour)| Variant {
                webhooks: Webhooks::InTurns(10, behaviour),
                ..Variant::live(name)
            })
            .into(),
            Self::Subscriptions => Self::subscription_counts(scale)
                .iter()
                .map(|count| Variant {
                    bystanders: *count,
                    ..Variant::live(&format!("subscriptions-{}", short((*count).into())))
                })
                .collect(),
            Self::Store => {
                let nodes = [
                    (1, "postgresql"),
                    (2, "postgresql-2-nodes"),
                    (3, "postgresql-3-nodes"),
                ];
                let on_postgres = nodes.map(|(nodes, name)| Variant {
                    process: Process::Nodes(nodes),
                    ..Variant::live(name)
                });
                [floor("floor"), Variant::live("sqlite")]
                    .into_iter()
                    .chain(on_postgres)
                    .collect()
            }
            Self::Signing => vec![
                Variant::live("jwt"),
                Variant {
                    body: BodyForm::Json,
                    ..Variant::live("json")
                },
            ],
            Self::Order => [("unordered", Order::Unordered), ("ordered", Order::Ordered)]
                .map(|(name, order)| Variant {
                    order,
                    events_per_call: 5,
                    ..Variant::live(name)
                })
                .into(),
            Self::Tls => vec![
                Variant::live("http"),
                Variant {
                    scheme: Scheme::Https,
                    ..Variant::live("https")
                },
            ],
            // It has no load of its own: see drain.rs.
            Self::Drain => Vec::new(),
        }
    }

    const fn subscription_counts(scale: Scale) -> &'static [u32] {
        if scale.is_quick {
            &[10, 1_000]
        } else {
            &[10, 1_000, 100_000, 1_000_000]
        }
    }
}
