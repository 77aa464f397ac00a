//! The receivers of `docs/receivers`, run as they are, against the vectors that are signed with one secret: what is right is
//! taken, what is forged is not. Where a language is not installed, its test says that it was skipped.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use switchhook_protocol::verify;

use super::{Accept, Vector, file};

const SECRET: &str = "both sides know ït";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// A receiver in another language.
struct Receiving {
    child: Child,
    address: SocketAddr,
}

impl Receiving {
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let mut child = command
            .env("SECRET", SECRET)
            .env("PORT", address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("its interpreter is there");
        // A compiler may have to run first.
        for _ in 0..1_200 {
            if connect(address).is_some() {
                return Self { child, address };
            }
            assert!(matches!(child.try_wait(), Ok(None)), "{command:?} ended");
            wait_a_moment();
        }
        let _ = child.kill();
        panic!("{command:?} does not listen");
    }

    /// The status that a request is answered with; `None` if the connection was cut instead.
    fn post(&self, vector: &Vector) -> Option<u16> {
        let mut stream = connect(self.address).expect("it listens");
        let body = vector.body();
        let content_type = vector.header("content-type").unwrap_or("application/jwt");
        let event_id = vector.header("switchhook-event-id").unwrap_or("17");
        let head = format!(
            "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nSwitchhook-Event-Id: {event_id}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // Whoever answers before the end of a body may cut it off, and with it the answer.
        let _ = stream.write_all(&body);
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1)?.parse().ok()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        // An error means that it is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's client must not be the product's"
)]
fn connect(address: SocketAddr) -> Option<TcpStream> {
    TcpStream::connect(address).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process tells nobody when it begins to listen"
)]
fn wait_a_moment() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it listens")
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "a skipped check says so")]
fn check(probe: &[&str], command: impl Fn(&Path, SocketAddr) -> Command) {
    let [program, words @ ..] = probe else {
        panic!("a probe is a command");
    };
    let probed = Command::new(program).args(words).output();
    if !probed.is_ok_and(|output| output.status.success()) {
        println!("skipped: `{}` does not run here", probe.join(" "));
        return;
    }
    let address = free_address();
    let receiving = Receiving::start(&mut command(&docs().join("receivers"), address), address);
    let mut vectors = file().vectors;
    vectors.retain(|vector| vector.secrets == [SECRET]);
    // Whatever came in between, what is right is taken once more.
    vectors.extend(file().vectors.into_iter().take(1));
    for vector in &vectors {
        let answered = receiving.post(vector);
        let accepts = answered.is_some_and(|status| (200..300).contains(&status));
        let refuses = answered.map_or(vector.status == Some(413), |status| (400..500).contains(&status));
        let is_right = match vector.accept {
            Accept::Yes => accepts || refuses && vector.small.is_some(),
            Accept::No => refuses || accepts && vector.small.is_some(),
            Accept::Either => accepts || refuses,
        };
        assert!(is_right, "{} was answered with {answered:?}", vector.name);
    }
}

fn interpreter(program: &'static str, file: &'static str) -> impl Fn(&Path, SocketAddr) -> Command {
    move |folder, _| {
        let mut command = Command::new(program);
        command.arg(folder.join(file));
        command
    }
}

#[test]
fn the_one_in_python_takes_what_is_signed_only() {
    check(&["python3", "--version"], interpreter("python3", "receiver.py"));
}

#[test]
fn the_one_in_node_takes_what_is_signed_only() {
    check(&["node", "--version"], interpreter("node", "receiver.mjs"));
}

#[test]
fn the_one_in_ruby_takes_what_is_signed_only() {
    check(&["ruby", "--version"], interpreter("ruby", "receiver.rb"));
}

#[test]
fn the_one_in_php_takes_what_is_signed_only() {
    check(&["php", "--version"], |folder, address| {
        let mut command = Command::new("php");
        command
            .args(["-S", &address.to_string()])
            .arg(folder.join("receiver.php"));
        command
    });
}

#[test]
fn the_one_in_go_takes_what_is_signed_only() {
    let built = tempfile::tempdir().expect("there is room for a folder");
    let program = built.path().join("receiver");
    check(&["go", "version"], |folder, _| {
        let source = folder.join("receiver.go");
        let compiled = Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(source)
            .status();
        assert!(
            compiled.is_ok_and(|status| status.success()),
            "it does not compile"
        );
        Command::new(&program)
    });
}

#[test]
fn the_request_of_the_page_is_real() {
    let page = std::fs::read_to_string(docs().join("receiving.md")).expect("the page is there");
    let token = page
        .lines()
        .find(|line| line.starts_with("eyJ"))
        .expect("it shows a token");
    let event = verify(token.as_bytes(), ["hunter2"]).expect("its signature holds");
    assert_eq!(event, br#"{"call_id":1,"state":"hangup"}"#);
    assert!(page.contains(&format!("Content-Length: {}", token.len())));
}
