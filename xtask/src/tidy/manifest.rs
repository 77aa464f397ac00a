//! Which crate may depend on which, and what must stay out of the small ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::Finding;
use super::tree::{SourceFile, Tree};

struct Place {
    package: &'static str,
    /// The crates of this repository that it may depend on.
    on: &'static [&'static str],
    /// What it must not bring to those who depend on it.
    never: &'static [&'static str],
}

/// Pure crates: no async, no network, no database, no randomness.
const IMPURE: &[&str] = &[
    "async-trait",
    "axum",
    "hyper",
    "rand",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tokio",
];
const DATABASES: &[&str] = &["rusqlite", "sqlx"];

/// Nothing depends on this one, not even a test.
const TOP: &str = "switchhook";

const PLACES: [Place; 7] = [
    Place {
        package: "switchhook-protocol",
        on: &[],
        never: IMPURE,
    },
    Place {
        package: "switchhook-domain",
        on: &["switchhook-protocol"],
        never: IMPURE,
    },
    Place {
        package: "switchhook-store",
        on: &["switchhook-domain", "switchhook-protocol"],
        never: &["axum", "hyper"],
    },
    Place {
        package: "switchhook-receiver",
        on: &["switchhook-protocol"],
        never: DATABASES,
    },
    Place {
        package: "switchhook-simulator",
        on: &["switchhook-protocol"],
        never: IMPURE,
    },
    Place {
        package: TOP,
        on: &[
            "switchhook-domain",
            "switchhook-protocol",
            "switchhook-receiver",
            "switchhook-simulator",
            "switchhook-store",
        ],
        never: DATABASES,
    },
    Place {
        package: "xtask",
        on: &[],
        never: IMPURE,
    },
];

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(flatten)]
    everywhere: Tables,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    dependencies: BTreeMap<String, Value>,
    #[serde(default)]
    build_dependencies: BTreeMap<String, Value>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Value>,
}

pub(super) fn edges(file: &SourceFile, _: &Tree) -> Vec<Finding> {
    let manifest: Manifest = match toml::from_str(&file.text) {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::in_file(file, error.to_string())],
    };
    let package = manifest.package.name.as_str();
    let Some(place) = PLACES.iter().find(|place| place.package == package) else {
        return vec![Finding::in_file(
            file,
            format!("{package} has no place among the crates yet"),
        )];
    };
    let tables = || std::iter::once(&manifest.everywhere).chain(manifest.target.values());
    let built =
        tables().flat_map(|tables| names(&tables.dependencies).chain(names(&tables.build_dependencies)));
    let tested = tables().flat_map(|tables| names(&tables.dev_dependencies));
    built
        .filter(|name| !may_depend(place, name))
        .chain(tested.filter(|name| *name == TOP))
        .map(|name| Finding::in_file(file, format!("{package} must not depend on {name}")))
        .collect()
}

fn may_depend(place: &Place, name: &str) -> bool {
    let is_ours = PLACES.iter().any(|place| place.package == name);
    if is_ours {
        place.on.contains(&name)
    } else {
        !place.never.contains(&name)
    }
}

/// What the packages are really called, whatever name they have here.
fn names(table: &BTreeMap<String, Value>) -> impl Iterator<Item = &str> {
    table.iter().map(|(key, dependency)| {
        let package = dependency.get("package").and_then(Value::as_str);
        package.unwrap_or(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: &str, expected: &[&str]) {
        let tree = Tree::of(&[("Cargo.toml", manifest)]);
        let found = edges(&tree.files[0], &tree);
        let found: Vec<&str> = found.iter().map(|found| found.what.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_arrows_of_the_architecture_are_free() {
        check(
            "package.name = 'switchhook-store'
            [dependencies]
            switchhook-domain.workspace = true
            tokio = '1'",
            &[],
        );
    }

    #[test]
    fn no_other_arrow_is() {
        check(
            "package.name = 'switchhook-protocol'
            [dependencies]
            switchhook-domain.workspace = true",
            &["switchhook-protocol must not depend on switchhook-domain"],
        );
    }

    #[test]
    fn renaming_or_hiding_a_dependency_does_not_help() {
        check(
            "package.name = 'switchhook-domain'
            [dependencies]
            time = { package = 'tokio', version = '1' }
            [target.'cfg(unix)'.build-dependencies]
            switchhook-store = { path = '../switchhook-store' }",
            &[
                "switchhook-domain must not depend on tokio",
                "switchhook-domain must not depend on switchhook-store",
            ],
        );
    }

    #[test]
    fn tests_may_depend_on_anything_but_the_top() {
        check(
            "package.name = 'switchhook-protocol'
            [dev-dependencies]
            tokio = '1'
            switchhook-store.workspace = true
            switchhook.workspace = true",
            &["switchhook-protocol must not depend on switchhook"],
        );
    }

    #[test]
    fn a_new_crate_must_be_given_a_place() {
        check(
            "package.name = 'switchhook-extra'",
            &["switchhook-extra has no place among the crates yet"],
        );
    }
}
