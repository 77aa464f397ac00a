//! Rules about single lines.
//!
//! Owns how a pattern reads; which patterns are forbidden where is told by the rules.

use super::Finding;
use super::tree::SourceFile;

/// Whether a line has a pattern. In a pattern `…` stands for anything, and `~` for nothing, so that
/// the rules and their examples can spell what they forbid without breaking themselves.
pub(super) fn has(line: &str, pattern: &str) -> bool {
    // As if there were spaces around it: a word at either end is still a word.
    let line = format!(" {line} ");
    let mut rest = line.as_str();
    plain(pattern).split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

pub(super) fn plain(pattern: &str) -> String {
    pattern.replace('~', "")
}

/// The lines that have one of the patterns.
pub(super) fn with_any(file: &SourceFile, patterns: &[&str]) -> Vec<Finding> {
    let lines = file.text.lines().zip(1..);
    lines
        .filter(|(line, _)| patterns.iter().any(|pattern| has(line, pattern)))
        .map(|(line, number)| Finding::at_line(file, number, line.trim()))
        .collect()
}

/// The lines of code that have one of the patterns and no such comment directly above.
pub(super) fn without_comment_above(file: &SourceFile, patterns: &[&str], comment: &str) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    with_any(file, patterns)
        .into_iter()
        .filter(|found| {
            let above = &lines[..found.line.unwrap_or_default() - 1];
            let mut comments = above.iter().rev().take_while(|line| line.starts_with("//"));
            !found.what.starts_with("//") && !comments.any(|line| line.starts_with(comment))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, pattern: &str, expected: bool) {
        assert_eq!(has(line, pattern), expected, "{pattern} in {line}");
    }

    #[test]
    fn the_parts_of_a_pattern_come_in_their_order() {
        check("UP the hill AND back", "UP … AND ", true);
        check("AND up; UP b", "UP … AND ", false);
        check("UP and down", "UP … AND ", false);
    }

    #[test]
    fn a_word_at_either_end_of_a_line_counts() {
        check("WITH care", " WITH", true);
        check("WITH", "WITH ", true);
        check("WITHIN", "WITH ", false);
    }

    #[test]
    fn a_tilde_stands_for_nothing() {
        check("abc", "a~b~c", true);
        check("a~b~c", "a~b~c", false);
    }
}
