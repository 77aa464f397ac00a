//! Folder in which `dev` and `receive` keep a key, secrets and events: for its owner only, and not for
//! version control.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Default name of the folder.
pub const NAME: &str = ".switchhook";

/// Creates the folder and closes it to others. An existing one is closed too if it has our name; another may be
/// somebody's project, and is left as it is.
///
/// # Errors
/// If it cannot be created or closed to others.
pub fn make(folder: &Path) -> io::Result<()> {
    let is_ours = !folder.exists() || folder.file_name().is_some_and(|name| name == NAME);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if is_ours { close(folder) } else { Ok(()) }
}

fn close(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A link leads to what is not ours.
        if entry.file_type()?.is_file() {
            std::fs::set_permissions(entry.path(), Permissions::from_mode(0o600))?;
        }
    }
    let mut options = OpenOptions::new();
    let ignored = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.join(".gitignore"));
    match ignored {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_of_ours_is_closed_whether_it_is_new_or_not() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join(NAME);
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        std::fs::write(folder.join("key"), "shk_x").unwrap();
        std::fs::set_permissions(folder.join("key"), Permissions::from_mode(0o644)).unwrap();
        for folder in [folder, parent.path().join("new/inner")] {
            make(&folder).unwrap();
            make(&folder).unwrap();
            assert_eq!(mode(&folder), 0o700);
            assert_eq!(std::fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
        }
        assert_eq!(mode(&parent.path().join(NAME).join("key")), 0o600);
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_as_it_is() {
        let project = tempfile::tempdir().unwrap();
        std::fs::set_permissions(project.path(), Permissions::from_mode(0o755)).unwrap();
        make(project.path()).unwrap();
        assert_eq!(mode(project.path()), 0o755);
        assert!(!project.path().join(".gitignore").exists());
    }
}
