//! Links in Markdown lead to files that exist, and so do the source files that the maps of the code name.
//!
//! Links to the web are not followed, because a check must not need a network. Anchors are not checked either.

use super::Finding;
use super::tree::{SourceFile, Tree};

pub(super) fn broken(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    let links = pages.flat_map(|page| broken_in(page, tree));
    let maps = tree
        .files
        .iter()
        .filter(|file| MAPS.contains(&file.path.as_str()));
    links
        .chain(maps.flat_map(|map| unknown_sources(map, tree)))
        .collect()
}

/// The pages that lead through the code. They name its files by the end of their paths.
const MAPS: [&str; 2] = ["docs/ARCHITECTURE.md", "CONTRIBUTING.md"];

fn unknown_sources<'a>(map: &'a SourceFile, tree: &'a Tree) -> impl Iterator<Item = Finding> + 'a {
    let named = (1..).zip(map.text.lines()).flat_map(|(number, line)| {
        let code = line.split('`').skip(1).step_by(2);
        code.filter(|code| code.ends_with(".rs") && !code.contains([' ', '*', '…']))
            .map(move |code| (number, code))
    });
    named
        .filter(|(_, code)| !tree.files.iter().any(|file| is_at_end(&file.path, code)))
        .map(|(number, code)| Finding::at_line(map, number, format!("no source file `{code}`")))
}

/// True if a path ends with what is named, whose crate is named without `switchhook-`.
fn is_at_end(path: &str, named: &str) -> bool {
    let before = path.strip_suffix(named);
    before.is_some_and(|before| before.is_empty() || before.ends_with(['/', '-']))
}

fn broken_in<'a>(page: &'a SourceFile, tree: &'a Tree) -> impl Iterator<Item = Finding> + 'a {
    prose(&page.text)
        .flat_map(|(number, line)| targets(&line).into_iter().map(move |to| (number, to)))
        .filter(|(_, target)| !leads_somewhere(&page.path, target, tree))
        .map(|(number, target)| Finding::at_line(page, number, format!("no file at `{target}`")))
}

/// The lines outside of fenced code, with their numbers and without inline code.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut in_code = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            return None;
        }
        let words: String = line.split('`').step_by(2).collect();
        (!in_code).then_some((number, words))
    })
}

/// Where the links of a line lead: `[text](target "title")` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .map(|(_, target)| target);
    inline
        .chain(definition)
        .filter_map(|target| target.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn leads_somewhere(from: &str, target: &str, tree: &Tree) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    is_elsewhere || path.is_empty() || absolute(from, path).is_some_and(|path| tree.holds(&path))
}

/// The path from the root of the repository; none if it leads out of it.
fn absolute(from: &str, target: &str) -> Option<String> {
    let mut names: Vec<&str> = from.split('/').collect();
    names.pop();
    if target.starts_with('/') {
        names.clear();
    }
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let files = [("docs/guide.md", text), ("README.md", ""), ("docs/a/b.md", "")];
        assert_eq!(found(broken, &files), expected);
    }

    #[test]
    fn source_files_that_a_map_of_the_code_names_exist() {
        let map = "`node/src/a.rs` asks `b.rs`, `fine()` and `c.rs`";
        let files = [
            ("docs/ARCHITECTURE.md", map),
            ("docs/guide.md", "`c.rs`"),
            ("crates/switchhook-node/src/a.rs", ""),
            ("crates/switchhook-node/src/b.rs", ""),
        ];
        assert_eq!(
            found(broken, &files),
            ["docs/ARCHITECTURE.md:1: no source file `c.rs`"]
        );
    }

    #[test]
    fn links_to_files_and_folders_resolve() {
        check(
            "[a](../README.md) [b](a/b.md#part \"title\") [c](a/) [d](/README.md)",
            &[],
        );
        check("[a]: a/b.md", &[]);
    }

    #[test]
    fn links_elsewhere_are_left_alone() {
        check(
            "[a](https://example.com/x) [b](#part) <mailto:a@b> [c](mailto:a@b)",
            &[],
        );
    }

    #[test]
    fn a_dead_link_is_named_with_its_line() {
        check(
            "one\n[a](b.md) and ![c](a/d.png)\n[e]: ../../out.md",
            &[
                "docs/guide.md:2: no file at `b.md`",
                "docs/guide.md:2: no file at `a/d.png`",
                "docs/guide.md:3: no file at `../../out.md`",
            ],
        );
    }

    #[test]
    fn code_has_no_links() {
        check("```\n[a](b.md)\n```\n`[c](d.md)` tail", &[]);
    }
}
