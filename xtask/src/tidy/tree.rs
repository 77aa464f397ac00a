//! The files of the repository, read once for all rules.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders of what was built or run.
const GENERATED: [&str; 5] = [".git", "target", ".switchhook", "node_modules", "__pycache__"];

pub(super) struct Tree {
    /// In the order of their paths.
    pub(super) files: Vec<SourceFile>,
}

pub(super) struct SourceFile {
    /// From the root of the repository, with `/` between the names.
    pub(super) path: String,
    /// Empty if the file is not text: a picture has no lines to judge.
    pub(super) text: String,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// True if there is a file or a folder at this path.
    pub(super) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty()
            || self.files.iter().any(|file| {
                file.path
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| SourceFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        });
        Self {
            files: files.collect(),
        }
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<SourceFile>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if GENERATED.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            let text = String::from_utf8(bytes).unwrap_or_default();
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_holds_files_and_the_folders_above_them() {
        let tree = Tree::of(&[("docs/decisions/0001-one.md", "")]);
        for path in [
            "docs",
            "docs/",
            "docs/decisions",
            "docs/decisions/0001-one.md",
            "",
        ] {
            assert!(tree.holds(path), "{path}");
        }
        for path in ["doc", "docs/decisions/0001", "decisions"] {
            assert!(!tree.holds(path), "{path}");
        }
    }

    #[test]
    fn this_repository_is_read_without_what_was_built() {
        let tree = Tree::read(crate::root()).expect("the repository can be read");
        assert!(tree.holds("xtask/src/tidy/tree.rs"));
        assert!(!tree.holds("target"));
        assert!(!tree.holds(".git"));
    }
}
