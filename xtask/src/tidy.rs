//! `cargo xtask tidy`: rules about the repository that no compiler, Clippy or cargo-deny can check.
//!
//! Each rule is a function in a module of its own. A rule that a lint can express belongs into `Cargo.toml` or `clippy.toml`.

mod bounds;
mod links;
mod rings;
mod sql;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use tree::{SourceFile, Tree};

struct Rule {
    name: &'static str,
    reason: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

const RULES: [Rule; 4] = [
    Rule {
        name: "sql",
        reason: "SQL belongs into crates/switchhook-store; call a method of its `Store` instead",
        check: sql::outside_of_the_store,
    },
    Rule {
        name: "bounds",
        reason: "a comment `// Bounded by …` above an unbounded channel must say what limits its length",
        check: bounds::unexplained,
    },
    Rule {
        name: "rings",
        reason: "the top modules of a crate must not import each other in a ring; move what both need to where neither is",
        check: rings::of_modules,
    },
    Rule {
        name: "links",
        reason: "a link into the repository must lead to a file that exists",
        check: links::broken,
    },
];

/// Where a rule is broken, and how.
#[derive(Debug)]
struct Finding {
    path: String,
    line: Option<usize>,
    what: String,
}

impl Finding {
    fn in_file(file: &SourceFile, what: impl Into<String>) -> Self {
        Self {
            path: file.path.clone(),
            line: None,
            what: what.into(),
        }
    }

    fn at_line(file: &SourceFile, line: usize, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::in_file(file, what)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.what),
            None => write!(formatter, "{}: {}", self.path, self.what),
        }
    }
}

/// Checks the repository by every rule and prints what breaks one.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    for rule in &RULES {
        let findings = (rule.check)(&tree);
        if !findings.is_empty() {
            println!("{}: {}", rule.name, rule.reason);
        }
        for finding in &findings {
            println!("    {finding}");
        }
        count += findings.len();
    }
    if count > 0 {
        bail!("tidy: rules are broken in {count} places");
    }
    println!("tidy: {} files keep {} rules", tree.files.len(), RULES.len());
    Ok(())
}

/// What a rule finds in these files, as it is printed.
#[cfg(test)]
fn found(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
    let findings = check(&Tree::of(files));
    findings.iter().map(ToString::to_string).collect()
}
