//! How commands lay out what they show: tables, facts, instants. The streams themselves are `terminal.rs`'s.

use std::fmt::Display;

use switchhook_domain::Timestamp;

pub(super) use crate::terminal::{NobodyReads, print, print_body, print_data, print_text, remark};
use crate::visible;

/// Writes JSON data, in the form that people can read.
pub(super) fn print_json(data: &impl serde::Serialize) -> anyhow::Result<()> {
    print_data(serde_json::to_string_pretty(data)?)
}

/// An instant for people: to the millisecond, UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string().replacen('T', " ", 1)
}

/// An instant that there may not be.
pub(super) fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// Rows under headings, each column as wide as it must be.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![headings.iter().map(ToString::to_string).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| visible::line(&cell).into_owned())
                .collect(),
        );
    }

    /// Prints the table, or a remark if it has no rows.
    pub(super) fn print_or(&self, nothing: &str) -> anyhow::Result<()> {
        if self.rows.len() == 1 {
            remark(nothing);
            return Ok(());
        }
        print_text(self.layout())
    }

    fn layout(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Names and values, one to a line, for showing one thing.
#[derive(Default)]
pub(super) struct Facts(Vec<(String, String)>);

impl Facts {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn fact(mut self, name: &str, value: impl Display) -> Self {
        self.0
            .push((name.to_owned(), visible::lines(&value.to_string()).into_owned()));
        self
    }

    /// Leaves the fact out if there is none.
    pub(super) fn fact_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        print_text(self.layout())
    }

    pub(super) fn layout(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or_default();
        let indented = |value: &str| value.replace('\n', &format!("\n{:width$}  ", ""));
        let line = |(name, value): &(String, String)| format!("{name:<width$}  {}", indented(value));
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["ID", "NAME"]);
        table.row(["1".to_owned(), "Weiß".to_owned()]);
        table.row(["1000".to_owned(), "a\u{1b}[31m\nb".to_owned()]);
        assert_eq!(table.layout(), "ID    NAME\n1     Weiß\n1000  a\\u{1b}[31m\\nb");
    }

    #[test]
    fn facts_stand_below_each_other() {
        let facts = Facts::new()
            .fact("id", 7)
            .fact_if("note", None::<&str>)
            .fact("body", "a\nb");
        assert_eq!(facts.layout(), "id    7\nbody  a\n      b");
    }
}
