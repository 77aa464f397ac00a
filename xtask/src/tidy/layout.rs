//! Rules about files as a whole: what they are called, how they open, how long they grow.

use super::Finding;
use super::tree::{SourceFile, Tree};

/// Names that say what kind of code a module holds and not what it is about.
const EMPTY_NAMES: [&str; 16] = [
    "util", "utils", "common", "helper", "helpers", "type", "types", "model", "models", "manager",
    "managers", "service", "services", "handler", "handlers", "misc",
];

/// From here on a file is worth a second look.
const MANY_LINES: usize = 400;

pub(super) fn module_name(file: &SourceFile, _: &Tree) -> Vec<Finding> {
    let names = file.path.trim_end_matches(".rs").split('/');
    names
        .filter(|name| EMPTY_NAMES.contains(name))
        .map(|name| Finding::in_file(file, format!("`{name}` does not say what it is about")))
        .collect()
}

pub(super) fn opening(file: &SourceFile, _: &Tree) -> Vec<Finding> {
    if file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![Finding::at_line(file, 1, "does not open with `//!`")]
}

pub(super) fn length(file: &SourceFile, _: &Tree) -> Vec<Finding> {
    let lines = file.text.lines().count();
    if lines <= MANY_LINES {
        return Vec::new();
    }
    vec![Finding::in_file(file, format!("{lines} lines"))]
}
