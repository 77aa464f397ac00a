//! The top modules of a crate import each other in one direction, so that each can be read without those that use it.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::tree::{SourceFile, Tree};

/// Which modules each module imports.
type Imports<'t> = BTreeMap<&'t str, BTreeSet<&'t str>>;

pub(super) fn of_modules(tree: &Tree) -> Vec<Finding> {
    let roots = tree.files.iter().filter(|file| is_root(file));
    roots.flat_map(|root| rings_of(root, tree)).collect()
}

fn is_root(file: &SourceFile) -> bool {
    file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs")
}

fn rings_of(root: &SourceFile, tree: &Tree) -> Vec<Finding> {
    let folder = root.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let files = tree.files.iter();
    let files: Vec<_> = files
        .filter_map(|file| Some((module_of(file, folder)?, file)))
        .collect();
    let modules: BTreeSet<_> = files.iter().map(|(module, _)| *module).collect();
    let exported = exports(production(root), &modules);
    let mut imports = Imports::new();
    for (module, file) in &files {
        // In the file of a top module, what is above it is the crate.
        let is_top = file.path == format!("{folder}/{module}.rs");
        let prefixes: &[&str] = if is_top {
            &["crate::", " super::"]
        } else {
            &["crate::"]
        };
        let names = prefixes
            .iter()
            .flat_map(|prefix| names_after(production(file), prefix));
        let others = names.filter_map(|name| modules.get(name).or_else(|| exported.get(name)).copied());
        imports
            .entry(*module)
            .or_default()
            .extend(others.filter(|other| other != module));
    }
    let finding = |ring: Vec<&str>| Finding::in_file(root, format!("{} import each other", ring.join(", ")));
    rings(&imports).into_iter().map(finding).collect()
}

/// The top module that a file of a crate belongs to, unless it is one of tests.
fn module_of<'t>(file: &'t SourceFile, folder: &str) -> Option<&'t str> {
    let path = file
        .path
        .strip_prefix(folder)?
        .strip_prefix('/')?
        .strip_suffix(".rs")?;
    let is_of_tests = path.split('/').any(|name| name == "tests");
    let module = path.split('/').next()?;
    (!is_of_tests && !matches!(module, "lib" | "main")).then_some(module)
}

/// The text before its tests.
fn production(file: &SourceFile) -> &str {
    let end = file.text.find("\n#[cfg(test)]\nmod tests");
    &file.text[..end.unwrap_or(file.text.len())]
}

/// The names that the root exports, with their modules: `pub use module::{Name, Other};`, with or without `self::` before it.
fn exports<'t>(root: &'t str, modules: &BTreeSet<&'t str>) -> BTreeMap<&'t str, &'t str> {
    let mut exported = BTreeMap::new();
    for statement in root
        .split(';')
        .filter_map(|text| text.trim_start().strip_prefix("pub use "))
    {
        let statement = statement
            .trim_start_matches("self::")
            .trim_start_matches("crate::");
        if let Some((module, names)) = statement.split_once("::")
            && let Some(module) = modules.get(module)
        {
            exported.extend(words(names).map(|name| (name, *module)));
        }
    }
    exported
}

/// The first name of each path that begins with a prefix: `crate::a::B` has `a`, `crate::{a::B, c}` has `a` and `c`.
fn names_after<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let mut names = Vec::new();
    let mut group_depth = 0;
    for line in code {
        let mut rest = line;
        loop {
            if group_depth > 0 {
                names.extend(first_names(rest, &mut group_depth));
            }
            let Some((_, behind)) = rest.split_once(prefix) else {
                break;
            };
            if let Some(group) = behind.strip_prefix('{') {
                group_depth = 1;
                rest = group;
            } else {
                names.extend(words(behind).next());
                rest = behind;
            }
        }
    }
    names
}

/// The names that stand in a group itself, and not in a group or a path within it. The group may go on behind the line.
fn first_names<'t>(line: &'t str, depth: &mut usize) -> Vec<&'t str> {
    let mut names = Vec::new();
    let mut is_first = true;
    for (at, letter) in line.char_indices() {
        match letter {
            '{' => *depth += 1,
            '}' => *depth -= 1,
            ',' => is_first = true,
            _ if *depth == 1 && is_first && !letter.is_whitespace() => {
                names.extend(words(&line[at..]).next());
                is_first = false;
            }
            _ => {}
        }
        if *depth == 0 {
            break;
        }
    }
    names
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
}

/// The modules that reach each other, ring by ring.
fn rings<'t>(imports: &Imports<'t>) -> Vec<Vec<&'t str>> {
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|module| (*module, reach(module, imports)))
        .collect();
    let mut rings = BTreeSet::new();
    for (module, others) in &reached {
        let back = |other: &&&str| reached.get(**other).is_some_and(|theirs| theirs.contains(module));
        let ring: Vec<_> = others.iter().filter(back).copied().collect();
        if !ring.is_empty() {
            rings.insert(ring);
        }
    }
    rings.into_iter().collect()
}

/// What a module imports, directly or through others.
fn reach<'t>(module: &'t str, imports: &Imports<'t>) -> BTreeSet<&'t str> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![module];
    while let Some(next) = ahead.pop() {
        let others = imports.get(next).into_iter().flatten();
        ahead.extend(others.copied().filter(|other| reached.insert(*other)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn what_the_root_exports_is_of_its_module_however_that_is_written() {
        for export in [
            "pub use a::Shown;",
            "pub use self::a::Shown;",
            "pub use crate::a::{Shown, other};",
        ] {
            let root = format!("mod a;\nmod b;\n{export}\n");
            let files = [
                ("crates/x/src/lib.rs", &*root),
                ("crates/x/src/a.rs", "use crate::b::C;"),
                ("crates/x/src/b.rs", "use crate::Shown;"),
            ];
            let expected = "crates/x/src/lib.rs: a, b import each other";
            assert_eq!(found(of_modules, &files), [expected], "{export}");
        }
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], ring: Option<&str>) {
        let mut all = vec![("crates/x/src/lib.rs", "mod a;\npub use a::{Shown, other};\n")];
        all.extend(files);
        let expected = ring.map(|ring| format!("crates/x/src/lib.rs: {ring} import each other"));
        assert_eq!(found(of_modules, &all), Vec::from_iter(expected));
    }

    #[test]
    fn modules_that_import_in_one_direction_are_free() {
        check(
            &[
                ("crates/x/src/a.rs", "use crate::b::{C, crate_d};\n// crate::c\n"),
                (
                    "crates/x/src/b.rs",
                    "use crate::c::D;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
                ),
                ("crates/x/src/c.rs", "mod deep;\n"),
                ("crates/x/src/c/deep.rs", "use super::a;\nuse crate::c;\n"),
                ("crates/x/src/c/tests.rs", "use crate::a;\n"),
                ("crates/y/src/c.rs", "use crate::a;\n"),
            ],
            None,
        );
    }

    #[test]
    fn a_ring_is_found_however_its_imports_are_written() {
        let a = ("crates/x/src/a.rs", "use crate::b::C;\n");
        for b in [
            "use crate::a;",
            "use crate::Shown;",
            "use crate::{\n    Other,\n    a::{self, c},\n};",
            "use super::a;",
            "fn f() { crate::a::g() }",
        ] {
            check(&[a, ("crates/x/src/b.rs", b)], Some("a, b"));
        }
        check(
            &[
                a,
                ("crates/x/src/b/deep.rs", "use crate::c::D;"),
                ("crates/x/src/c.rs", "use crate::other;"),
            ],
            Some("a, b, c"),
        );
    }
}
