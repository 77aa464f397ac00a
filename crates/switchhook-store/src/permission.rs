//! Explanation of denied access to a file: who owns it, who we are, and what to do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// Access that is needed to a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    Read,
    /// To read it and write to it.
    Write,
    /// To make files in it, which is a folder.
    MakeFiles,
}

/// Reason for which this process may not use `path`; `None` if it may, or if something else is wrong.
///
/// Of the folders on the way, the first that denies passage is named.
#[must_use]
pub fn denied(path: &Path, purpose: FileAccess) -> Option<String> {
    denied_any([path], purpose)
}

/// Reason for which this process may not use one of `paths`, naming all denied ones of the same owner.
#[must_use]
pub fn denied_any<'a>(paths: impl IntoIterator<Item = &'a Path>, purpose: FileAccess) -> Option<String> {
    let mut all = paths
        .into_iter()
        .filter_map(|path| AccessDenied::find(path, purpose));
    let mut first = all.next()?;
    for other in all.filter(|other| other.uid == first.uid && other.wanted == first.wanted) {
        if !first.places.contains(&other.places[0]) {
            first.places.extend(other.places);
        }
    }
    let (owner, user) = (name_of(first.uid), name_of(rustix::process::geteuid().as_raw()));
    Some(first.in_words(&owner, &user))
}

/// Denied paths of one owner.
struct AccessDenied {
    /// At least one.
    places: Vec<PathBuf>,
    uid: u32,
    mode: u32,
    wanted: &'static str,
}

impl AccessDenied {
    fn find(path: &Path, purpose: FileAccess) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let (access, wanted) = match purpose {
            FileAccess::Read => (Access::READ_OK, "r"),
            FileAccess::Write => (Access::READ_OK | Access::WRITE_OK, "rw"),
            FileAccess::MakeFiles => (Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK, "rwx"),
        };
        let mut way: Vec<_> = path.ancestors().skip(1).collect();
        way.reverse();
        let way = way.into_iter().map(|folder| (folder, Access::EXEC_OK, "x"));
        let (place, _, wanted) = way
            .chain([(&*path, access, wanted)])
            .find(|(place, access, _)| is_denied(place, *access))?;
        let found = fs::metadata(place).ok()?;
        Some(Self {
            places: vec![place.to_owned()],
            uid: found.uid(),
            mode: found.mode() & 0o7777,
            wanted,
        })
    }

    fn in_words(&self, owner: &str, user: &str) -> String {
        let Self { mode, wanted, .. } = self;
        let shown: Vec<_> = self
            .places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        let advice = if owner == user {
            format!("`chmod u+{wanted} {}`", shown.join(" "))
        } else {
            format!(
                "as root `chown {user} {}`, or run this as {owner}",
                shown.join(" ")
            )
        };
        let whose = match shown.as_slice() {
            [one] => format!("{one} belongs to {owner} (mode {mode:04o})"),
            all => format!("{} belong to {owner}", all.join(", ")),
        };
        format!("{whose}, and this process runs as {user}: {advice}")
    }
}

fn is_denied(path: &Path, access: Access) -> bool {
    let allowed = accessat(CWD, path, access, AtFlags::EACCESS);
    matches!(allowed, Err(Errno::ACCESS | Errno::PERM))
}

/// A user's name, or number if the machine's own list has none.
fn name_of(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut users = users.lines().map(|line| line.split(':'));
    let name = users.find_map(|mut user| {
        let (name, _, id) = (user.next()?, user.next()?, user.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_may_be_used_or_is_not_there_is_not_denied() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(denied(folder.path(), FileAccess::MakeFiles), None);
        assert_eq!(denied(&folder.path().join("nothing"), FileAccess::Write), None);
        assert_eq!(denied(Path::new("/no/such/folder/file"), FileAccess::Read), None);
    }

    #[test]
    fn all_files_of_another_owner_are_named_at_once() {
        let denied = |places: &[&str]| AccessDenied {
            places: places.iter().map(PathBuf::from).collect(),
            uid: 0,
            mode: 0o600,
            wanted: "rw",
        };
        assert_eq!(
            denied(&["/s/db"]).in_words("root", "switchhook"),
            "/s/db belongs to root (mode 0600), and this process runs as switchhook: as root `chown switchhook /s/db`, or \
             run this as root"
        );
        assert_eq!(
            denied(&["/s/db", "/s/db-wal"]).in_words("root", "switchhook"),
            "/s/db, /s/db-wal belong to root, and this process runs as switchhook: as root `chown switchhook /s/db \
             /s/db-wal`, or run this as root"
        );
    }

    #[test]
    fn a_file_that_is_closed_to_its_owner_too_can_be_opened_by_him() {
        // Root may do everything.
        if rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(denied(&path, FileAccess::Read), None);
        let told = denied(&path, FileAccess::Write).unwrap();
        assert!(
            told.contains("mode 0400") && told.contains("chmod u+rw"),
            "{told}"
        );
        let other = folder.path().join("other");
        fs::copy(&path, &other).unwrap();
        let told = denied_any([&*path, &other], FileAccess::Write).unwrap();
        let both = format!("chmod u+rw {} {}`", path.display(), other.display());
        assert!(told.contains(&both), "{told}");
    }
}
