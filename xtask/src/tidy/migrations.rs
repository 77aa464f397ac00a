//! Both databases are brought forward by migrations of the same numbers and names.

use super::Finding;
use super::tree::SourceFile;

/// The two folders, wherever the rule's files lie.
const SIDES: [&str; 2] = ["sqlite", "postgres"];

/// A side without any migration is one that is not supported yet.
pub(super) fn agree(files: &[&SourceFile]) -> Vec<Finding> {
    let [sqlite, postgres] = SIDES.map(|side| of_side(files, side));
    if sqlite.is_empty() || postgres.is_empty() {
        return Vec::new();
    }
    let mut findings = missing(&sqlite, &postgres, SIDES[1]);
    findings.extend(missing(&postgres, &sqlite, SIDES[0]));
    findings
}

fn of_side<'a>(files: &[&'a SourceFile], side: &str) -> Vec<&'a SourceFile> {
    let files = files.iter().copied();
    files
        .filter(|file| file.path.rsplit('/').nth(1) == Some(side))
        .collect()
}

fn missing(files: &[&SourceFile], others: &[&SourceFile], side: &str) -> Vec<Finding> {
    files
        .iter()
        .filter(|file| !others.iter().any(|other| name(other) == name(file)))
        .map(|file| Finding::in_file(file, format!("has no twin in {side}")))
        .collect()
}

fn name(file: &SourceFile) -> Option<&str> {
    file.path.rsplit('/').next()
}
