//! Layout of output: tables, facts, instants. The streams are in `terminal.rs`.

use std::fmt::Display;

use switchhook_domain::Timestamp;

use crate::terminal::width;
pub(super) use crate::terminal::{OutputClosed, print, print_body, print_data, print_text, remark};
use switchhook_node::sanitize;

/// Writes indented JSON.
pub(super) fn print_json(data: &impl serde::Serialize) -> anyhow::Result<()> {
    print_data(serde_json::to_string_pretty(data)?)
}

/// An instant to the millisecond, UTC.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string().replacen('T', " ", 1)
}

pub(super) fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// Rows under headings. On a terminal, columns are truncated or dropped to fit its width.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns that may be truncated.
    truncatable: Vec<usize>,
    /// Columns that may be dropped, the least important first.
    droppable: Vec<usize>,
}

/// Text between two columns.
const GAP: &str = "  ";

/// Least width of a truncated cell: an id still fits.
const MIN_TRUNCATED_WIDTH: usize = 18;

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![headings.iter().map(ToString::to_string).collect()],
            truncatable: Vec::new(),
            droppable: Vec::new(),
        }
    }

    /// Lets these columns be truncated.
    pub(super) fn truncating(mut self, headings: &[&str]) -> Self {
        self.truncatable = self.indexes(headings);
        self
    }

    /// Lets these columns be dropped, the first of them first.
    pub(super) fn dropping(mut self, headings: &[&str]) -> Self {
        self.droppable = self.indexes(headings);
        self
    }

    fn indexes(&self, headings: &[&str]) -> Vec<usize> {
        let index = |heading: &&str| self.rows[0].iter().position(|known| known == heading);
        headings.iter().filter_map(index).collect()
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
            .filter(|(index, _)| columns.iter().all(|column| column.index != *index))
            .map(|(_, heading)| heading.as_str())
            .collect();
        if !left_out.is_empty() {
            remark(format_args!("no room for: {}", left_out.join(", ")));
        }
        Ok(())
    }

    /// Columns to print on a line of so many characters.
    fn columns(&self, available: Option<usize>) -> Vec<Column> {
        let mut columns: Vec<_> = (0..self.rows[0].len()).map(|index| self.column(index)).collect();
        let Some(available) = available else {
            return columns;
        };
        for droppable in &self.droppable {
            if total_width(columns.iter().map(|column| column.min_width)) <= available {
                break;
            }
            columns.retain(|column| column.index != *droppable);
        }
        loop {
            let total = total_width(columns.iter().map(|column| column.width));
            let widest = columns
                .iter_mut()
                .filter(|column| column.width > column.min_width);
            match widest.max_by_key(|column| column.width) {
                Some(column) if total > available => column.width -= 1,
                _ => return columns,
            }
        }
    }

    fn column(&self, index: usize) -> Column {
        let cells = self.rows.iter().filter_map(|row| row.get(index));
        let width = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
        let min_width = match self.truncatable.contains(&index) {
            true => width.min(MIN_TRUNCATED_WIDTH),
            false => width,
        };
        Column {
            index,
            width,
            min_width,
        }
    }

    fn layout(&self, columns: &[Column]) -> String {
        let line = |row: &Vec<String>| {
            let cells: Vec<_> = columns.iter().map(|column| column.cell(row)).collect();
            cells.join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

struct Column {
    index: usize,
    width: usize,
    min_width: usize,
}

impl Column {
    fn cell(&self, row: &[String]) -> String {
        let cell = row.get(self.index).map_or("", String::as_str);
        let width = self.width;
        if cell.chars().count() <= width {
            return format!("{cell:<width$}");
        }
        let head: String = cell.chars().take(width - 1).collect();
        format!("{head}…")
    }
}

/// Width of a line with columns of these widths.
fn total_width(widths: impl ExactSizeIterator<Item = usize>) -> usize {
    let gaps = widths.len().saturating_sub(1) * GAP.len();
    widths.sum::<usize>() + gaps
}

/// Names and values of one thing, one per line.
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

    /// Adds a fact if there is a value.
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
    fn check(available: usize, expected: &str) {
        let headings = ["ID", "HOOK URL", "STATE", "CREATED"];
        let mut table = Table::new(&headings)
            .truncating(&["HOOK URL"])
            .dropping(&["CREATED", "STATE"]);
        table.row(["7", "https://example.com/hooks/dialpad", "active", "2026-11-21"].map(str::to_owned));
        let layout = table.layout(&table.columns(Some(available)));
        assert_eq!(layout.lines().nth(1), Some(expected), "{layout}");
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

    /// A list of subscriptions, at the usual width of a terminal.
    #[test]
    fn ids_stay_whole_and_the_line_fits_where_two_columns_are_cut() {
        let headings = ["ID", "KIND", "EVENTS", "STATE", "GOES TO"];
        let mut table = Table::new(&headings).truncating(&["EVENTS", "GOES TO"]);
        let goes_to = "7730318061039617 https://example.com/hook";
        let cells = [
            "7730318061039616",
            "agent_status",
            "call centre agents",
            "enabled",
            goes_to,
        ];
        table.row(cells.map(str::to_owned));
        let layout = table.layout(&table.columns(Some(80)));
        let line = "7730318061039616  agent_status  call centre agents  enabled  7730318061039617 h…";
        assert_eq!(layout.lines().nth(1), Some(line));
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
