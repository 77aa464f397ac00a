//! How commands lay out what they show: tables, facts, instants. The streams themselves are `terminal.rs`'s.

use std::fmt::Display;

use switchhook_domain::Timestamp;

use crate::terminal::width;
pub(super) use crate::terminal::{NobodyReads, print, print_body, print_data, print_text, remark};
use switchhook_node::sanitize;

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

/// Rows under headings, each column as wide as it must be, and on a terminal no wider than there is room.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The columns that may be cut short.
    cuttable: Vec<usize>,
    /// The columns that may be left out, the least important first.
    spare: Vec<usize>,
}

/// What is between two columns.
const GAP: &str = "  ";

/// How much of a cell that is cut stays at the least: an id is still whole.
const SHORTEST_CUT: usize = 18;

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![headings.iter().map(ToString::to_string).collect()],
            cuttable: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// These columns may be cut short where there is little room.
    pub(super) fn cutting(mut self, headings: &[&str]) -> Self {
        self.cuttable = self.places(headings);
        self
    }

    /// These columns may be left out where there is little room, the first of them first.
    pub(super) fn sparing(mut self, headings: &[&str]) -> Self {
        self.spare = self.places(headings);
        self
    }

    fn places(&self, headings: &[&str]) -> Vec<usize> {
        let place = |heading: &&str| self.rows[0].iter().position(|known| known == heading);
        headings.iter().filter_map(place).collect()
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| sanitize::line(&cell).into_owned())
                .collect(),
        );
    }

    /// Prints the table, or a remark if it has no rows.
    pub(super) fn print_or(&self, nothing: &str) -> anyhow::Result<()> {
        if self.rows.len() == 1 {
            remark(nothing);
            return Ok(());
        }
        let columns = self.columns(width());
        print_text(self.layout(&columns))?;
        let left_out: Vec<_> = self.rows[0]
            .iter()
            .enumerate()
            .filter(|(place, _)| columns.iter().all(|column| column.place != *place))
            .map(|(_, heading)| heading.as_str())
            .collect();
        if !left_out.is_empty() {
            remark(format_args!("no room for: {}", left_out.join(", ")));
        }
        Ok(())
    }

    /// The columns that are shown, in a line of so many characters.
    fn columns(&self, room: Option<usize>) -> Vec<Column> {
        let mut columns: Vec<_> = (0..self.rows[0].len()).map(|place| self.column(place)).collect();
        let Some(room) = room else {
            return columns;
        };
        for spare in &self.spare {
            if taken(columns.iter().map(|column| column.least)) <= room {
                break;
            }
            columns.retain(|column| column.place != *spare);
        }
        loop {
            let wide = taken(columns.iter().map(|column| column.width));
            let longest = columns.iter_mut().filter(|column| column.width > column.least);
            match longest.max_by_key(|column| column.width) {
                Some(column) if wide > room => column.width -= 1,
                _ => return columns,
            }
        }
    }

    fn column(&self, place: usize) -> Column {
        let cells = self.rows.iter().filter_map(|row| row.get(place));
        let width = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
        let least = match self.cuttable.contains(&place) {
            true => width.min(SHORTEST_CUT),
            false => width,
        };
        Column { place, width, least }
    }

    fn layout(&self, columns: &[Column]) -> String {
        let line = |row: &Vec<String>| {
            let cells: Vec<_> = columns.iter().map(|column| column.cell(row)).collect();
            cells.join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A column as it is shown.
struct Column {
    place: usize,
    width: usize,
    /// How wide it is at the least.
    least: usize,
}

impl Column {
    fn cell(&self, row: &[String]) -> String {
        let cell = row.get(self.place).map_or("", String::as_str);
        let width = self.width;
        if cell.chars().count() <= width {
            return format!("{cell:<width$}");
        }
        let kept: String = cell.chars().take(width - 1).collect();
        format!("{kept}…")
    }
}

/// How much of a line columns of these widths take.
fn taken(widths: impl ExactSizeIterator<Item = usize>) -> usize {
    let gaps = widths.len().saturating_sub(1) * GAP.len();
    widths.sum::<usize>() + gaps
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
            .push((name.to_owned(), sanitize::lines(&value.to_string()).into_owned()));
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
        assert_eq!(
            table.layout(&table.columns(None)),
            "ID    NAME\n1     Weiß\n1000  a\\u{1b}[31m\\nb"
        );
    }

    #[track_caller]
    fn check(room: usize, expected: &str) {
        let headings = ["ID", "HOOK URL", "STATE", "CREATED"];
        let mut table = Table::new(&headings)
            .cutting(&["HOOK URL"])
            .sparing(&["CREATED", "STATE"]);
        table.row(["7", "https://example.com/hooks/dialpad", "active", "2026-11-21"].map(str::to_owned));
        let told = table.layout(&table.columns(Some(room)));
        assert_eq!(told.lines().nth(1), Some(expected), "{told}");
    }

    #[test]
    fn a_table_is_cut_to_the_room_there_is() {
        check(80, "7   https://example.com/hooks/dialpad  active  2026-11-21");
        check(50, "7   https://example.com/hooks…  active  2026-11-21");
        check(40, "7   https://example.com/hooks/d…  active");
        check(30, "7   https://example.c…  active");
        check(29, "7   https://example.com/hook…");
        // What must not be cut wraps.
        check(5, "7   https://example.c…");
    }

    /// As subscriptions are listed, in the width that a terminal has where nobody chose one.
    #[test]
    fn ids_stay_whole_and_the_line_fits_where_two_columns_are_cut() {
        let headings = ["ID", "KIND", "EVENTS", "STATE", "GOES TO"];
        let mut table = Table::new(&headings).cutting(&["EVENTS", "GOES TO"]);
        let goes_to = "7730318061039617 https://example.com/hook";
        let cells = [
            "7730318061039616",
            "agent_status",
            "call centre agents",
            "enabled",
            goes_to,
        ];
        table.row(cells.map(str::to_owned));
        let told = table.layout(&table.columns(Some(80)));
        let line = "7730318061039616  agent_status  call centre agents  enabled  7730318061039617 h…";
        assert_eq!(told.lines().nth(1), Some(line));
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
