//! `--subscribe` of the commands that make an endpoint: subscriptions to everything of some kinds, in the same command.

use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};
use switchhook_domain::Kind;
use switchhook_protocol::{UnknownWord, same_word};

use super::made::Made;
use super::output::Facts;
use super::words;
use switchhook_client::{Answer, Client};
use switchhook_web::api::answers::AnySubscription;

/// What to subscribe a new endpoint to.
#[derive(Debug, Args)]
pub(super) struct Subscribe {
    /// Kinds of events to subscribe it to, separated by commas; all for every kind. If one is refused, nothing is made
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        value_parser = words::of::<Wish>(wishes())
    )]
    subscribe: Vec<Wish>,
}

/// Every kind.
const ALL: &str = "all";

fn wishes() -> impl Iterator<Item = &'static str> {
    [ALL].into_iter().chain(Kind::ALL.map(Kind::route))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    All,
    One(Kind),
}

impl FromStr for Wish {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if same_word(ALL, word) {
            return Ok(Self::All);
        }
        let kind = word.parse().map(Self::One);
        kind.map_err(|_: UnknownWord| UnknownWord::new("kind of event", word, wishes()))
    }
}

impl Subscribe {
    /// Whether nothing is to be subscribed to.
    pub(super) const fn is_empty(&self) -> bool {
        self.subscribe.is_empty()
    }

    fn wants(&self, kind: Kind) -> bool {
        self.subscribe
            .iter()
            .any(|wish| matches!(wish, Wish::All) || matches!(wish, Wish::One(one) if *one == kind))
    }

    /// Subscribes a new endpoint; answers it together with its `subscriptions`, if any were wanted.
    pub(super) async fn to(
        &self,
        client: &Client,
        made: &mut Made,
        endpoint_id: &str,
        endpoint: Answer,
    ) -> anyhow::Result<Answer> {
        if self.subscribe.is_empty() {
            return Ok(endpoint);
        }
        let mut subscriptions = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| self.wants(*kind)) {
            let subscribed = made.subscribe(client, endpoint_id, kind).await;
            let subscribed = subscribed.with_context(|| {
                format!(
                    "nothing is made: the {kind} subscription cannot be; --subscribe with other kinds leaves it out"
                )
            })?;
            for (_, answer) in subscribed {
                let mut subscription: Map<String, Value> = answer.read()?;
                subscription.insert("kind".to_owned(), kind.route().into());
                subscriptions.push(Value::Object(subscription));
            }
        }
        let mut together: Map<String, Value> = endpoint.read()?;
        together.insert("subscriptions".to_owned(), subscriptions.into());
        Ok(Answer(serde_json::to_vec(&together)?.into()))
    }
}

/// A subscription that was made along with its endpoint.
#[derive(Debug, Deserialize)]
pub(super) struct Subscribed {
    kind: Kind,
    #[serde(flatten)]
    subscription: AnySubscription,
}

impl Subscribed {
    pub(super) fn add_to(&self, facts: Facts) -> Facts {
        let Self { kind, subscription } = self;
        let told = format!(
            "{} {kind}: {}",
            subscription.id(),
            subscription.filter().in_words()
        );
        facts.fact("subscription", told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_or_all_is_read_in_any_case_and_the_refusal_names_all() {
        assert_eq!("ALL".parse(), Ok(Wish::All));
        assert_eq!("SMS".parse(), Ok(Wish::One(Kind::Sms)));
        for wrong in ["", "fax"] {
            let told = wrong.parse::<Wish>().unwrap_err().to_string();
            assert!(told.contains("use all, call, sms"), "{told}");
        }
    }
}
