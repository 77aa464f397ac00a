//! Lists that the server gives page by page, read as far as somebody wants them.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use switchhook_domain::Timestamp;

use super::output;
use crate::words;
use switchhook_client::{Client, Request};
use switchhook_node::duration::parse_duration;

pub(super) use switchhook_web::api::LARGEST_PAGE_OF_OURS as OUR_PAGE;

/// How much of a list.
#[derive(Clone, Debug, Args)]
pub(super) struct Extent {
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value = "50", value_parser = words::whole::<u32>(1..=u32::MAX))]
    pub(super) limit: u32,

    /// Cursor to continue from, as the previous list printed it
    #[arg(long, value_name = "CURSOR")]
    pub(super) cursor: Option<String>,
}

impl Extent {
    /// Everything there is.
    pub(super) const ALL: Self = Self {
        limit: u32::MAX,
        cursor: None,
    };
}

/// From when till when.
#[derive(Clone, Debug, Args)]
pub(super) struct Period {
    /// Beginning: 2026-11-21T09:00:00Z, unix milliseconds, or how long ago (1h)
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    since: Option<When>,

    /// End, in the same forms; not included
    #[arg(long, value_name = "TIME", value_parser = parse_when)]
    until: Option<When>,
}

/// A time as people give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    At(Timestamp),
    Ago(Duration),
}

impl Period {
    /// The period as the API takes it.
    pub(super) fn query(&self, now: Timestamp) -> [(&'static str, Option<String>); 2] {
        let at = |when: When| match when {
            When::At(at) => at.to_string(),
            When::Ago(ago) => now.minus(ago).to_string(),
        };
        [("since", self.since.map(at)), ("until", self.until.map(at))]
    }
}

fn parse_when(text: &str) -> Result<When, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(When::Ago(ago));
    }
    text.parse()
        .map(When::At)
        .map_err(|error| format!("{error}, or as how long ago it was, like 1h"))
}

/// Items exactly as the server wrote them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct List {
    items: Vec<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl List {
    /// Reads pages until there are enough items or no more. No page is larger than `page`.
    pub(super) async fn read(
        client: &Client,
        path: &str,
        query: &[(&str, Option<String>)],
        extent: &Extent,
        page: u32,
    ) -> anyhow::Result<Self> {
        let mut list = Self {
            items: Vec::new(),
            cursor: extent.cursor.clone(),
        };
        loop {
            let wanted = extent.limit as usize - list.items.len();
            let mut query = query.to_vec();
            query.push(("limit", Some(wanted.min(page as usize).to_string())));
            let asked = list.cursor.take();
            query.push(("cursor", asked.clone()));
            let next: Self = client.send(Request::get(path, &query)).await?.read()?;
            if next.cursor.is_some() && next.cursor == asked {
                bail!("the server's list at {path} does not go on: it names the same place again");
            }
            list.items.extend(next.items);
            list.cursor = next.cursor;
            if list.cursor.is_none() || list.items.len() >= extent.limit as usize {
                return Ok(list);
            }
        }
    }

    /// This list and then that one.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self
    }

    /// The items as what they should be.
    pub(super) fn items<T: DeserializeOwned>(&self) -> anyhow::Result<Vec<T>> {
        Ok(self.texts().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// Each item's JSON.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.get())
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        output::print_data(serde_json::to_string(self)?)
    }

    /// Says how to see the rest.
    pub(super) fn remark_rest(&self) {
        if let Some(cursor) = &self.cursor {
            output::remark(format_args!(
                "there are more: --limit {}, or --cursor {cursor}",
                self.items.len() * 2
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_how_long_ago_it_was() {
        assert_eq!(parse_when("90m"), Ok(When::Ago(Duration::from_secs(5_400))));
        assert_eq!(
            parse_when("1795253400000"),
            Ok(When::At(Timestamp::from_millis(1_795_253_400_000)))
        );
        assert_eq!(
            parse_when("2026-11-21T09:30:00Z"),
            Ok(When::At(Timestamp::from_millis(1_795_253_400_000)))
        );
        assert!(parse_when("yesterday").is_err_and(|error| error.contains("1h")));
    }
}
