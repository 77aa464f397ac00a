//! The program itself, to be started again for what needs a process of its own.

use std::path::{Path, PathBuf};

/// Path of the program. On Linux it is right even after another file has taken its place.
pub(crate) fn own_program() -> Option<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Some(running.to_owned());
    }
    std::env::current_exe().ok()
}
