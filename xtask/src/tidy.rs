//! Rules about the code that neither the compiler nor Clippy can see.
//!
//! Owns what a rule is and how one is judged and reported. The rules themselves stand in
//! `tidy/rules.rs`; whoever adds one adds an example that breaks it to `tidy/examples.rs`.

mod decisions;
#[cfg(test)]
mod examples;
mod glob;
mod layout;
mod lines;
mod links;
mod manifest;
mod migrations;
mod rules;
mod tree;

use std::path::Path;

use anyhow::{Result, bail};

use rules::RULES;
use tree::{SourceFile, Tree};

struct Rule {
    name: &'static str,
    /// Which files it is about: patterns of paths, those with a leading `!` take away.
    files: &'static [&'static str],
    check: Check,
    reason: &'static str,
    exceptions: &'static [Exception],
    weight: Weight,
}

enum Check {
    /// No line has one of these patterns; see `lines::has` for how they read.
    NoLine(&'static [&'static str]),
    /// A line with one of `patterns` stands directly under a comment that begins with `comment`.
    CommentAbove {
        patterns: &'static [&'static str],
        comment: &'static str,
    },
    /// There is no such file.
    NoFile,
    /// Judges one file, which it may compare with the tree around it.
    EachFile(fn(&SourceFile, &Tree) -> Vec<Finding>),
    /// Judges all files together.
    AllFiles(fn(&[&SourceFile]) -> Vec<Finding>),
}

/// A file that may break a rule. Like `#[expect]`, it is an error once it excuses nothing.
struct Exception {
    file: &'static str,
    because: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Failure,
    Note,
}

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

    fn idle(exception: &Exception) -> Self {
        Self {
            path: exception.file.to_owned(),
            line: None,
            what: format!("the exception \"{}\" excuses nothing any more", exception.because),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.what),
            None => write!(formatter, "{}: {}", self.path, self.what),
        }
    }
}

/// Judges the repository by every rule and prints what it finds.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut failures = 0;
    for rule in RULES {
        let findings = excuse(rule.exceptions, findings(rule, &tree));
        report(rule, &findings);
        if rule.weight == Weight::Failure {
            failures += findings.len();
        }
    }
    if failures > 0 {
        bail!("tidy: rules are broken in {failures} places");
    }
    println!("tidy: {} files keep {} rules", tree.files.len(), RULES.len());
    Ok(())
}

fn report(rule: &Rule, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    let weight = match rule.weight {
        Weight::Failure => "failure",
        Weight::Note => "note",
    };
    println!("{weight}: {}: {}", rule.name, rule.reason);
    for finding in findings {
        println!("    {finding}");
    }
}

/// Every place that breaks the rule, excused or not.
fn findings(rule: &Rule, tree: &Tree) -> Vec<Finding> {
    let selected = |file: &&SourceFile| glob::selects(rule.files, &file.path);
    let files: Vec<&SourceFile> = tree.files.iter().filter(selected).collect();
    let each =
        |judge: &dyn Fn(&SourceFile) -> Vec<Finding>| files.iter().flat_map(|file| judge(file)).collect();
    match &rule.check {
        Check::NoLine(patterns) => each(&|file| lines::with_any(file, patterns)),
        Check::CommentAbove { patterns, comment } => {
            each(&|file| lines::without_comment_above(file, patterns, comment))
        }
        Check::NoFile => each(&|file| vec![Finding::in_file(file, "should not exist")]),
        Check::EachFile(judge) => each(&|file| judge(file, tree)),
        Check::AllFiles(judge) => judge(&files),
    }
}

/// Drops the findings that an exception excuses, and adds one for each exception that excuses none.
fn excuse(exceptions: &[Exception], mut findings: Vec<Finding>) -> Vec<Finding> {
    let idle: Vec<Finding> = exceptions
        .iter()
        .filter(|exception| !findings.iter().any(|found| found.path == exception.file))
        .map(Finding::idle)
        .collect();
    findings.retain(|found| !exceptions.iter().any(|exception| exception.file == found.path));
    findings.extend(idle);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCUSED: [Exception; 1] = [Exception {
        file: "a.rs",
        because: "it is the owner",
    }];

    fn finding(path: &str) -> Finding {
        Finding {
            path: path.to_owned(),
            line: Some(3),
            what: "text".to_owned(),
        }
    }

    #[test]
    fn an_exception_excuses_its_own_file_only() {
        let left = excuse(&EXCUSED, vec![finding("a.rs"), finding("b.rs")]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].to_string(), "b.rs:3: text");
    }

    #[test]
    fn an_exception_that_excuses_nothing_is_a_finding() {
        let left = excuse(&EXCUSED, Vec::new());
        assert_eq!(
            left[0].to_string(),
            "a.rs: the exception \"it is the owner\" excuses nothing any more"
        );
    }

    #[test]
    fn every_rule_tells_its_reason() {
        for rule in RULES {
            assert!(rule.reason.len() > 20, "{}", rule.name);
        }
    }
}
