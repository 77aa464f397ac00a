//! For each rule small trees that break it and that keep it: a rule that cannot fail is worthless.
//!
//! `~` stands for nothing here too, so that these examples do not break the rules themselves.

use super::rules::RULES;
use super::tree::Tree;
use super::{findings, lines};

type Files = &'static [(&'static str, &'static str)];

struct Example {
    rule: &'static str,
    breaks: &'static [Files],
    keeps: &'static [Files],
}

const EXAMPLES: &[Example] = &[
    Example {
        rule: "sql",
        breaks: &[
            &[("a.rs", "q(\"SEL~ECT id FROM events\")")],
            &[("a.rs", "q(\"SEL~ECT\nid\")")],
            &[("a.rs", "INS~ERT INTO events")],
            &[("a.rs", "INS~ERT OR IGNORE INTO events")],
            &[("a.rs", "UP~DATE webhooks S~ET paused = 1")],
            &[("a.rs", "UP~DATE webhooks\nS~ET paused = 1")],
            &[("a.rs", "DEL~ETE FROM events")],
            &[("crates/switchhook/tests/a.sql", "CRE~ATE TABLE a (b)")],
            &[("a.rs", "PRA~GMA user_version")],
        ],
        keeps: &[
            &[(
                "crates/switchhook-store/src/sqlite/events.rs",
                "//!\n\"SEL~ECT id FROM events\"",
            )],
            &[("a.rs", "// Select one, update it, delete it.\nconst SET: u8 = 1;")],
        ],
    },
    Example {
        rule: "terminal",
        breaks: &[
            &[(
                "crates/switchhook/src/dev/welcome.rs",
                "//!\n#![expect(clippy::print_std~out, reason = \"it talks\")]",
            )],
            &[(
                "crates/switchhook-receiver/src/journal.rs",
                "//!\n#[expect(clippy::print_std~err)]",
            )],
            &[(
                "crates/switchhook/src/clock.rs",
                "//!\nlet out = std::io::std~out().lock();",
            )],
            &[(
                "crates/switchhook/src/clock.rs",
                "//!\nwriteln!(io::std~err(), \"{name}\")",
            )],
        ],
        keeps: &[
            &[("crates/switchhook/src/terminal.rs", "//!\nio::std~out().lock()")],
            &[(
                "crates/switchhook/examples/a.rs",
                "#![expect(clippy::print_std~out)]",
            )],
        ],
    },
    Example {
        rule: "crate edges",
        breaks: &[
            &[(
                "crates/switchhook-simulator/Cargo.toml",
                "package.name = 'switchhook-simulator'\ndependencies.switchhook-domain = '1'",
            )],
            &[(
                "xtask/Cargo.toml",
                "package.name = 'xtask'\ndependencies.switchhook-store = '1'",
            )],
            &[(
                "crates/switchhook/Cargo.toml",
                "package.name = 'switchhook'\ndependencies.rusqlite = '1'",
            )],
            &[("crates/a/Cargo.toml", "not a manifest")],
        ],
        keeps: &[&[(
            "crates/switchhook/Cargo.toml",
            "package.name = 'switchhook'\ndependencies.switchhook-store.workspace = true\n[lints]\nworkspace = true",
        )]],
    },
    Example {
        rule: "bounds",
        breaks: &[
            &[("a.rs", "let (a, b) = mpsc::unbounded_~channel();")],
            &[(
                "a.rs",
                "// Bounded by hope.\n\nlet (a, b) = unbounded_~channel::<u8>();",
            )],
            &[("a.rs", "// Not bounded.\nlet (a, b) = mpsc::unb~ounded();")],
            &[("a.rs", "let (a, b) = mpsc::chan~nel();")],
            &[("a.rs", "let (a, b) = mpsc::chan~nel::<u8>();")],
        ],
        keeps: &[
            &[(
                "a.rs",
                "// Bounded by the cap\n// of the caller.\nlet (a, b) = unbounded_~channel();",
            )],
            &[(
                "a.rs",
                "// Never call unbounded_~channel() here.\nlet (a, b) = mpsc::channel(8);",
            )],
        ],
    },
    Example {
        rule: "mod.rs",
        breaks: &[&[("crates/a/src/api/mod.rs", "//! Routes.")]],
        keeps: &[&[
            ("crates/a/src/api.rs", "//! Routes."),
            ("crates/a/src/api/mod_rs.rs", "//! One."),
        ]],
    },
    Example {
        rule: "module names",
        breaks: &[
            &[("crates/a/src/utils.rs", "//! Things.")],
            &[("crates/a/src/types/one.rs", "//! One.")],
            &[("crates/a/tests/it/helpers.rs", "")],
        ],
        keeps: &[&[("crates/a/src/event_types.rs", "//! Kinds.")]],
    },
    Example {
        rule: "opening",
        breaks: &[
            &[("crates/a/src/lib.rs", "mod b;\n//! Late.")],
            &[("xtask/src/main.rs", "")],
        ],
        keeps: &[&[
            ("crates/a/src/lib.rs", "//! What it owns."),
            ("crates/a/tests/it.rs", "mod a;"),
        ]],
    },
    Example {
        rule: "length",
        breaks: &[&[("a.rs", LONG)]],
        keeps: &[&[("a.rs", "fn short() {}")]],
    },
    Example {
        rule: "unfinished",
        breaks: &[
            &[("a.rs", "// TO~DO: later")],
            &[("docs/a.md", "FIX~ME")],
            &[("a.rs", "fn a() { to~do!() }")],
            &[("a.rs", "fn a() { unimple~mented!(\"b\") }")],
        ],
        keeps: &[&[("a.rs", "// Nothing is left to do.")]],
    },
    Example {
        rule: "ignored tests",
        breaks: &[&[("a.rs", "#[test]\n#[ign~ore = \"slow\"]\nfn a() {}")]],
        keeps: &[&[("a.rs", "#[test]\nfn a_reader_may_ignore_it() {}")]],
    },
    Example {
        rule: "allow",
        breaks: &[
            &[("a.rs", "#[all~ow(dead_code)]\nfn a() {}")],
            &[("a.rs", "#![all~ow(dead_code)]")],
            &[("a.rs", "#[cfg_attr(test, all~ow(dead_code))]")],
        ],
        keeps: &[&[(
            "a.rs",
            "#[expect(dead_code, reason = \"b\")]\nfn a() { guard.allow(address) }",
        )]],
    },
    Example {
        rule: "foreign paths",
        breaks: &[
            &[("scripts/a", "cd /wo~rk/b")],
            &[("docs/a.md", "see `../sha~red/b`")],
        ],
        keeps: &[&[("docs/a.md", "our work/life balance, `/workbench`")]],
    },
    Example {
        rule: "migrations",
        breaks: &[
            &[
                ("crates/switchhook-store/migrations/sqlite/0001_events.sql", ""),
                ("crates/switchhook-store/migrations/postgres/0001_event.sql", ""),
            ],
            &[
                ("crates/switchhook-store/migrations/sqlite/0001_events.sql", ""),
                ("crates/switchhook-store/migrations/postgres/0001_events.sql", ""),
                ("crates/switchhook-store/migrations/postgres/0002_replays.sql", ""),
            ],
        ],
        keeps: &[
            &[("crates/switchhook-store/migrations/sqlite/0001_events.sql", "")],
            &[
                ("crates/switchhook-store/migrations/sqlite/0001_events.sql", ""),
                ("crates/switchhook-store/migrations/postgres/0001_events.sql", ""),
            ],
        ],
    },
    Example {
        rule: "decisions",
        breaks: &[
            &[("docs/decisions/0001-a.md", "# A\n## Context\n## Choice")],
            &[("docs/decisions/a.md", COMPLETE)],
            &[
                ("docs/decisions/0001-a.md", COMPLETE),
                ("docs/decisions/0001-b.md", COMPLETE),
            ],
        ],
        keeps: &[&[
            ("docs/decisions/0001-a.md", COMPLETE),
            ("docs/decisions/0002-b.md", COMPLETE),
            ("docs/decisions/README.md", "# Decisions"),
        ]],
    },
    Example {
        rule: "links",
        breaks: &[&[("docs/a.md", "see [b](b.md)")]],
        keeps: &[&[
            ("docs/a.md", "see [b](b.md)"),
            ("docs/b.md", "see [a](../docs/a.md#x)"),
        ]],
    },
];

const LONG: &str = match std::str::from_utf8(&[b'\n'; 401]) {
    Ok(lines) => lines,
    Err(_) => panic!("empty lines are text"),
};

const COMPLETE: &str = "# A\n\n## Context\n\n## Choice\n\n## What we gave up\n";

fn tree(files: Files) -> Tree {
    let mut tree = Tree::of(files);
    for file in &mut tree.files {
        file.text = lines::plain(&file.text);
    }
    tree
}

fn broken_rules(files: Files) -> Vec<&'static str> {
    let tree = tree(files);
    RULES
        .iter()
        .filter(|rule| !findings(rule, &tree).is_empty())
        .map(|rule| rule.name)
        .collect()
}

#[test]
fn every_rule_has_examples() {
    for rule in RULES {
        let example = EXAMPLES.iter().find(|example| example.rule == rule.name);
        let example = example.unwrap_or_else(|| panic!("no example for the rule {}", rule.name));
        assert!(!example.breaks.is_empty(), "{} is never broken", rule.name);
        assert!(!example.keeps.is_empty(), "{} is never kept", rule.name);
    }
}

#[test]
fn what_breaks_a_rule_breaks_that_rule_alone() {
    for example in EXAMPLES {
        for files in example.breaks {
            assert_eq!(broken_rules(files), [example.rule], "{files:?}");
        }
    }
}

#[test]
fn what_keeps_a_rule_keeps_all_of_them() {
    for example in EXAMPLES {
        for files in example.keeps {
            assert!(broken_rules(files).is_empty(), "{}: {files:?}", example.rule);
        }
    }
}
