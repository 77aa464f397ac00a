//! Lists that are read page by page, up to `--limit`.

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

pub(super) use switchhook_web::api::LARGEST_PAGE_OF_OURS as LARGEST_OWN_PAGE;

/// Options for the part of a list to show.
#[derive(Clone, Debug, Args)]
pub(super) struct Pagination {
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value = "50", value_parser = words::whole_number::<u32>(1..=u32::MAX))]
    pub(super) limit: u32,

    /// Cursor to continue from, as the previous list printed it
    #[arg(long, value_name = "CURSOR")]
    pub(super) cursor: Option<String>,
}

impl Pagination {
    /// The whole list.
    pub(super) const ALL: Self = Self {
        limit: u32::MAX,
        cursor: None,
    };
}

/// Options for a range of time.
#[derive(Clone, Debug, Args)]
pub(super) struct TimeRange {
    /// Start time: 2026-11-21T09:00:00Z, unix milliseconds, or a time ago (1h)
    #[arg(long, value_name = "TIME", value_parser = parse_point_in_time)]
    since: Option<PointInTime>,

    /// End time, not included, in the same formats
    #[arg(long, value_name = "TIME", value_parser = parse_point_in_time)]
    until: Option<PointInTime>,
}

/// A time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PointInTime {
    At(Timestamp),
    Ago(Duration),
}

impl TimeRange {
    /// Query parameters of the range.
    pub(super) fn query(&self, now: Timestamp) -> [(&'static str, Option<String>); 2] {
        let at = |when: PointInTime| match when {
            PointInTime::At(at) => at.to_string(),
            PointInTime::Ago(duration) => now.minus(duration).to_string(),
        };
        [("since", self.since.map(at)), ("until", self.until.map(at))]
    }
}

fn parse_point_in_time(text: &str) -> Result<PointInTime, String> {
    if let Ok(duration) = parse_duration(text) {
        return Ok(PointInTime::Ago(duration));
    }
    text.parse()
        .map(PointInTime::At)
        .map_err(|error| format!("{error}, or as a time ago, like 1h"))
}

/// Items exactly as the server wrote them. The cursor is any text: Dialpad's is not an id.
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
        pagination: &Pagination,
        page: u32,
    ) -> anyhow::Result<Self> {
        let mut list = Self {
            items: Vec::new(),
            cursor: pagination.cursor.clone(),
        };
        loop {
            let missing = pagination.limit as usize - list.items.len();
            let mut query = query.to_vec();
            query.push(("limit", Some(missing.min(page as usize).to_string())));
            let sent_cursor = list.cursor.take();
            query.push(("cursor", sent_cursor.clone()));
            let next: Self = client.send(Request::get(path, &query)).await?.read()?;
            if next.cursor.is_some() && next.cursor == sent_cursor {
                bail!("the server's list at {path} does not continue: it repeats a cursor");
            }
            list.items.extend(next.items);
            list.cursor = next.cursor;
            if list.cursor.is_none() || list.items.len() >= pagination.limit as usize {
                return Ok(list);
            }
        }
    }

    pub(super) fn append(mut self, other: Self) -> Self {
        self.items.extend(other.items);
        self
    }

    /// Items as `T`.
    pub(super) fn items<T: DeserializeOwned>(&self) -> anyhow::Result<Vec<T>> {
        Ok(self.texts().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// JSON of each item.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.get())
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        output::print_data(serde_json::to_string(self)?)
    }

    /// Prints how to list the rest, if there is more.
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
        assert_eq!(
            parse_point_in_time("90m"),
            Ok(PointInTime::Ago(Duration::from_secs(5_400)))
        );
        assert_eq!(
            parse_point_in_time("1795253400000"),
            Ok(PointInTime::At(Timestamp::from_millis(1_795_253_400_000)))
        );
        assert_eq!(
            parse_point_in_time("2026-11-21T09:30:00Z"),
            Ok(PointInTime::At(Timestamp::from_millis(1_795_253_400_000)))
        );
        assert!(parse_point_in_time("yesterday").is_err_and(|error| error.contains("1h")));
    }
}
