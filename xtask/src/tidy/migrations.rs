//! Both databases have migrations with the same numbers and names.

use super::Finding;
use super::tree::{SourceFile, Tree};

const FOLDER: &str = "crates/switchhook-store/migrations/";

pub(super) fn without_counterpart(tree: &Tree) -> Vec<Finding> {
    let migrations: Vec<(&SourceFile, &str, &str)> = tree.files.iter().filter_map(migration).collect();
    let has = |wanted: (&str, &str)| {
        migrations
            .iter()
            .any(|(_, database, name)| (*database, *name) == wanted)
    };
    let missing = |(file, database, name): &(&SourceFile, &str, &str)| {
        let other = match *database {
            "sqlite" => "postgres",
            _ => "sqlite",
        };
        (!has((other, name))).then(|| Finding::in_file(file, format!("{other}/{name} does not exist")))
    };
    migrations.iter().filter_map(missing).collect()
}

/// The file with its database and its name, if it is a migration.
fn migration(file: &SourceFile) -> Option<(&SourceFile, &str, &str)> {
    let (database, name) = file.path.strip_prefix(FOLDER)?.split_once('/')?;
    Some((file, database, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[track_caller]
    fn check(names: &[&str], expected: &[&str]) {
        let paths: Vec<String> = names.iter().map(|name| format!("{FOLDER}{name}")).collect();
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        let expected: Vec<String> = expected.iter().map(|what| format!("{FOLDER}{what}")).collect();
        assert_eq!(found(without_counterpart, &files), expected);
    }

    #[test]
    fn the_same_names_on_both_sides_agree() {
        check(&["sqlite/0001_events.sql", "postgres/0001_events.sql"], &[]);
    }

    #[test]
    fn a_migration_without_counterpart_is_named_on_either_side() {
        check(
            &["sqlite/0001_events.sql", "postgres/0001_event.sql"],
            &[
                "sqlite/0001_events.sql: postgres/0001_events.sql does not exist",
                "postgres/0001_event.sql: sqlite/0001_event.sql does not exist",
            ],
        );
        check(
            &["sqlite/0001_events.sql"],
            &["sqlite/0001_events.sql: postgres/0001_events.sql does not exist"],
        );
    }
}
