//! Description of the machine, without which figures mean nothing. What the machine does not tell is left out.

use std::path::Path;

use serde::Serialize;

/// The machine and the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    pub processor: Option<String>,
    /// Number of hardware threads.
    pub cores: usize,
    /// The operating system and its version.
    pub kernel: String,
    /// The file system that the store was on: what an fsync costs.
    pub filesystem: Option<String>,
    /// The version of Switchhook, and how it was built.
    pub switchhook: String,
    /// The version of SQLite.
    pub sqlite: String,
}

impl Machine {
    /// This one, with the store in `folder`.
    #[must_use]
    pub fn this(folder: &Path) -> Self {
        let build = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let version = read("/proc/sys/kernel/osrelease").unwrap_or_default();
        // A link may lead to another file system.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self {
            processor: read("/proc/cpuinfo").and_then(|text| processor(&text)),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, version.trim())
                .trim()
                .to_owned(),
            filesystem: read("/proc/self/mountinfo").and_then(|text| filesystem(&text, &folder)),
            switchhook: format!("{} ({build} build)", env!("CARGO_PKG_VERSION")),
            sqlite: switchhook_store::sqlite::version().to_owned(),
        }
    }

    /// True if the store's file system is in memory, so that fsync does nothing.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        matches!(self.filesystem.as_deref(), Some("tmpfs" | "ramfs"))
    }

    /// Description in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let processor = self.processor.as_deref().unwrap_or("unknown processor");
        let filesystem = self.filesystem.as_deref().unwrap_or("unknown file system");
        format!(
            "{processor}, {} cores, {}, {filesystem}; Switchhook {}, SQLite {}",
            self.cores, self.kernel, self.switchhook, self.sqlite
        )
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The type of the mount that `folder` is in: the one with the longest mount point above it.
fn filesystem(mountinfo: &str, folder: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mount_point = Path::new(before.split(' ').nth(4)?);
        let name = after.split(' ').next()?;
        folder
            .starts_with(mount_point)
            .then(|| (mount_point.components().count(), name))
    });
    // A later mount at the same place hides the one before.
    mounts
        .max_by_key(|(depth, _)| *depth)
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_is_the_one() {
        let mounts = "22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:25 / /srv rw - tmpfs tmpfs rw\n\
                      31 22 0:26 / /srvfiles rw - xfs /dev/b rw";
        let found = |path: &str| filesystem(mounts, Path::new(path));
        assert_eq!(found("/srv/a/b").as_deref(), Some("tmpfs"));
        assert_eq!(found("/var/lib").as_deref(), Some("ext4"));
        assert_eq!(found("/srvfiles/x").as_deref(), Some("xfs"));
    }

    #[test]
    fn the_processor_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: Example 9000\nflags: a\n";
        assert_eq!(processor(text).as_deref(), Some("Example 9000"));
        assert_eq!(processor("Hardware : ARM"), None);
    }
}
