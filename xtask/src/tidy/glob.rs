//! Patterns of paths: `*` is part of one name, `**` any number of folders.
//!
//! Only what the rules need; nothing here touches the disk.

/// Whether a list of patterns selects a path: one of them matches, and none with a leading `!`.
pub(super) fn selects(patterns: &[&str], path: &str) -> bool {
    let (excluded, included): (Vec<&str>, Vec<&str>) =
        patterns.iter().partition(|pattern| pattern.starts_with('!'));
    included.iter().any(|pattern| matches(pattern, path))
        && !excluded.iter().any(|pattern| matches(&pattern[1..], path))
}

fn matches(pattern: &str, path: &str) -> bool {
    if pattern == "**" {
        return true;
    }
    if let Some(rest) = pattern.strip_prefix("**/") {
        let folders = path.match_indices('/').map(|(slash, _)| slash + 1);
        return std::iter::once(0)
            .chain(folders)
            .any(|start| matches(rest, &path[start..]));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        let name = path.find('/').unwrap_or(path.len());
        return (0..=name).any(|end| path.get(end..).is_some_and(|tail| matches(rest, tail)));
    }
    let mut wanted = pattern.chars();
    let mut present = path.chars();
    match (wanted.next(), present.next()) {
        (None, None) => true,
        (Some(a), Some(b)) => a == b && matches(wanted.as_str(), present.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], path: &str, expected: bool) {
        assert_eq!(selects(patterns, path), expected, "{patterns:?} on {path}");
    }

    #[test]
    fn a_star_stays_within_one_name() {
        check(&["crates/*/Cargo.toml"], "crates/switchhook/Cargo.toml", true);
        check(&["crates/*/Cargo.toml"], "crates/Cargo.toml", false);
        check(&["crates/*/Cargo.toml"], "crates/a/b/Cargo.toml", false);
        check(&["docs/*.md"], "docs/STYLE.md", true);
        check(&["docs/*.md"], "docs/decisions/0001.md", false);
    }

    #[test]
    fn two_stars_cross_folders_and_none() {
        check(&["**/*.rs"], "main.rs", true);
        check(&["**/*.rs"], "a/b/main.rs", true);
        check(&["crates/*/src/**/*.rs"], "crates/a/src/lib.rs", true);
        check(&["crates/*/src/**/*.rs"], "crates/a/src/b/c.rs", true);
        check(&["crates/*/src/**/*.rs"], "crates/a/tests/b.rs", false);
        check(&["store/**"], "store/src/lib.rs", true);
        check(&["**"], "LICENSE-MIT", true);
    }

    #[test]
    fn an_exclamation_mark_takes_away() {
        check(&["**/*.rs", "!store/**"], "store/src/lib.rs", false);
        check(&["!store/**", "**/*.rs"], "other/src/lib.rs", true);
    }
}
