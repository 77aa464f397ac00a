//! An unbounded channel says what limits its length.

use super::Finding;
use super::tree::Tree;

/// Calls that make a channel without a bound.
const CALLS: [&str; 4] = [
    "unbounded_channel(",
    "unbounded_channel::<",
    "mpsc::unbounded(",
    "mpsc::channel()",
];

const EXPLANATION: &str = "// Bounded by";

pub(super) fn unexplained(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|file| {
        // This rule and its tests spell what they forbid.
        file.path.ends_with(".rs") && !file.path.starts_with("xtask/src/tidy/")
    });
    let mut findings = Vec::new();
    for file in files {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let makes_channel = CALLS.iter().any(|call| line.contains(call)) && !line.starts_with("//");
            if makes_channel && !is_explained(&lines[..index]) {
                findings.push(Finding::at_line(file, index + 1, *line));
            }
        }
    }
    findings
}

/// True if the comment directly above explains the bound.
fn is_explained(above: &[&str]) -> bool {
    let mut comment = above.iter().rev().take_while(|line| line.starts_with("//"));
    comment.any(|line| line.starts_with(EXPLANATION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn a_channel_needs_the_comment_directly_above() {
        for text in [
            "let (a, b) = mpsc::unbounded_channel();",
            "let (a, b) = unbounded_channel::<u8>();",
            "let (a, b) = mpsc::channel();",
            "// Bounded by hope.\n\nlet (a, b) = mpsc::unbounded();",
            "// Not bounded.\nlet (a, b) = mpsc::unbounded_channel();",
        ] {
            assert_eq!(found(unexplained, &[("a.rs", text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn explained_channels_bounded_ones_and_comments_are_free() {
        for text in [
            "// Bounded by the limit\n// of the caller.\nlet (a, b) = unbounded_channel();",
            "// Never call unbounded_channel() here.\nlet (a, b) = mpsc::channel(8);",
        ] {
            assert!(found(unexplained, &[("a.rs", text)]).is_empty(), "{text}");
        }
    }
}
