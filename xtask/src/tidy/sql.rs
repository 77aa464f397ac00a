//! SQL stands in the store only.

use super::Finding;
use super::tree::Tree;

/// The beginnings of statements, each with a word that must follow on the same line.
const STATEMENTS: [(&str, &str); 8] = [
    ("SELECT ", ""),
    ("INSERT INTO ", ""),
    ("INSERT OR ", ""),
    ("UPDATE ", " SET "),
    (" SET ", " = "),
    ("DELETE FROM ", ""),
    ("CREATE TABLE ", ""),
    ("PRAGMA ", ""),
];

pub(super) fn outside_of_the_store(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|file| {
        let may_hold_sql = file.path.ends_with(".rs") || file.path.ends_with(".sql");
        // This rule and its tests spell what they forbid.
        let is_exempt =
            file.path.starts_with("crates/switchhook-store/") || file.path.starts_with("xtask/src/tidy/");
        may_hold_sql && !is_exempt
    });
    files
        .flat_map(|file| {
            (1..)
                .zip(file.text.lines())
                .filter(|(_, line)| is_statement(line))
                .map(|(number, line)| Finding::at_line(file, number, line.trim()))
        })
        .collect()
}

fn is_statement(line: &str) -> bool {
    // A statement may be broken into lines after any of its words.
    let line = format!(" {line} ");
    STATEMENTS.iter().any(|(beginning, following)| {
        line.split_once(beginning)
            .is_some_and(|(_, rest)| rest.contains(following))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn statements_are_found_wherever_they_are_broken_into_lines() {
        let text = "q(\"SELECT id FROM events\")\nq(\"SELECT\n id\")\nINSERT INTO events\nINSERT OR IGNORE\n\
                    UPDATE webhooks SET paused = 1\nUPDATE webhooks\nSET paused = 1\nDELETE FROM events\nCREATE TABLE a (b)\nPRAGMA user_version";
        let lines: Vec<usize> = outside_of_the_store(&Tree::of(&[("crates/switchhook/src/a.rs", text)]))
            .iter()
            .filter_map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [1, 2, 4, 5, 6, 8, 9, 10, 11]);
    }

    #[test]
    fn the_store_and_words_of_prose_are_free() {
        let files = [
            ("crates/switchhook-store/src/sqlite.rs", "SELECT id FROM events"),
            (
                "a.rs",
                "// Select one, update it, delete it.\nconst SET: u8 = UPDATE;",
            ),
            ("docs/a.md", "SELECT id FROM events"),
        ];
        assert!(found(outside_of_the_store, &files).is_empty());
    }
}
