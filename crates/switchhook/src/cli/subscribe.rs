//! `--subscribe` of the commands that create an endpoint: subscriptions to every event of some kinds.

use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};
use switchhook_domain::Kind;
use switchhook_protocol::{UnknownWord, same_word};

use super::created::Created;
use super::output::Facts;
use super::words;
use switchhook_client::{Answer, Client};
use switchhook_web::api::answers::AnySubscription;

/// Option for the subscriptions of a new endpoint.
#[derive(Debug, Args)]
pub(super) struct Subscribe {
    /// Kinds of events to subscribe to, separated by commas; all for every kind. If one is refused, nothing is created
    #[arg(
        long,
        value_name = "KINDS",
        value_delimiter = ',',
        value_parser = words::one_of::<KindChoice>(choices())
    )]
    subscribe: Vec<KindChoice>,
}

/// Word for every kind.
const ALL: &str = "all";

fn choices() -> impl Iterator<Item = &'static str> {
    [ALL].into_iter().chain(Kind::ALL.map(Kind::route))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KindChoice {
    All,
    One(Kind),
}

impl FromStr for KindChoice {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if same_word(ALL, word) {
            return Ok(Self::All);
        }
        let kind = word.parse().map(Self::One);
        kind.map_err(|_: UnknownWord| UnknownWord::new("kind of event", word, choices()))
    }
}

impl Subscribe {
    /// True if there is nothing to subscribe to.
    pub(super) const fn is_empty(&self) -> bool {
        self.subscribe.is_empty()
    }

    fn wants(&self, kind: Kind) -> bool {
        self.subscribe.iter().any(|choice| {
            matches!(choice, KindChoice::All) || matches!(choice, KindChoice::One(one) if *one == kind)
        })
    }

    /// Subscribes a new endpoint; returns it together with its `subscriptions`, if any.
    pub(super) async fn apply(
        &self,
        client: &Client,
        created: &mut Created,
        endpoint_id: &str,
        endpoint: Answer,
    ) -> anyhow::Result<Answer> {
        if self.subscribe.is_empty() {
            return Ok(endpoint);
        }
        let mut subscriptions = Vec::new();
        for kind in Kind::ALL.into_iter().filter(|kind| self.wants(*kind)) {
            let subscribed = created.subscribe(client, endpoint_id, kind).await;
            let subscribed = subscribed.with_context(|| {
                format!(
                    "nothing was created: the {kind} subscription was refused; leave {kind} out of --subscribe"
                )
            })?;
            for (_, answer) in subscribed {
                let mut subscription: Map<String, Value> = answer.read()?;
                subscription.insert("kind".to_owned(), kind.route().into());
                subscriptions.push(Value::Object(subscription));
            }
        }
        let mut combined: Map<String, Value> = endpoint.read()?;
        combined.insert("subscriptions".to_owned(), subscriptions.into());
        Ok(Answer(serde_json::to_vec(&combined)?.into()))
    }
}

/// A subscription that was created with its endpoint.
#[derive(Debug, Deserialize)]
pub(super) struct CreatedSubscription {
    kind: Kind,
    #[serde(flatten)]
    subscription: AnySubscription,
}

impl CreatedSubscription {
    pub(super) fn add_to(&self, facts: Facts) -> Facts {
        let Self { kind, subscription } = self;
        let text = format!(
            "{} {kind}: {}",
            subscription.id(),
            subscription.filter().in_words()
        );
        facts.fact("subscription", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_or_all_is_read_in_any_case_and_the_refusal_names_all() {
        assert_eq!("ALL".parse(), Ok(KindChoice::All));
        assert_eq!("SMS".parse(), Ok(KindChoice::One(Kind::Sms)));
        for wrong in ["", "fax"] {
            let text = wrong.parse::<KindChoice>().unwrap_err().to_string();
            assert!(text.contains("use all, call, sms"), "{text}");
        }
    }
}
