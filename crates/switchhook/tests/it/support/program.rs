//! Programs that apt gives, which some tests stand beside ours.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A program that runs until the test is over.
pub(crate) struct Program(Child);

impl Program {
    /// Command that starts it. Where it is not installed, the test is skipped, and says so; in CI it fails.
    pub(crate) fn find(name: &str) -> Option<Command> {
        // Not everybody's search path has the programs of servers.
        let paths = [name.to_owned(), format!("/usr/sbin/{name}")];
        let is_there = |path: &&String| Command::new(path).arg("--version").output().is_ok();
        let found = paths.iter().find(is_there).map(Command::new);
        if found.is_none() {
            skip(&format!("there is no {name}: scripts/check --install"));
        }
        found
    }

    /// Starts it, and waits until it listens.
    #[expect(clippy::disallowed_methods, reason = "a test's own address needs no judge")]
    pub(crate) async fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        let mut program = Self(child.expect("it was there a moment ago"));
        for _ in 0..400 {
            if TcpStream::connect(address).is_ok() {
                return program;
            }
            if let Some(status) = program.0.try_wait().expect("the process is ours") {
                panic!("{command:?}: {status}");
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{command:?} does not listen at {address}");
    }
}

impl Program {
    /// Has it read its configuration again (`SIGHUP`).
    pub(crate) fn reload(&self) {
        let sent = Command::new("kill")
            .args(["-HUP", &self.0.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -HUP");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says what a run of the tests does not cover.
#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests is told what they do not cover"
)]
pub(crate) fn skip(why: &str) {
    assert!(
        variable("CI").is_none_or(|ci| ci != "true"),
        "CI skips nothing: {why}"
    );
    eprintln!("skipped: {why}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment what is there"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An address that nobody listens at (now).
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it listens")
}
