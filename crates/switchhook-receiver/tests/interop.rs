//! Tokens against other people's implementations, in both directions: PyJWT and Node's own cryptography. Where there is
//! no Python with PyJWT or no Node, the check says that it was skipped.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use switchhook_protocol::sign;
use switchhook_receiver::Receiver;

/// Reads `[[secret, claims as JSON text, our token], …]`; answers `[[signed by it, what it makes of our token], …]`.
const PYTHON: &str = r#"
import json, sys, jwt
answers = []
for secret, claims, token in json.load(sys.stdin):
    made = jwt.encode(json.loads(claims), secret, algorithm="HS256")
    seen = jwt.decode(token, secret, algorithms=["HS256"])
    for wrong in (lambda: jwt.decode(token, secret + "x", algorithms=["HS256"]),
                  lambda: jwt.decode(token[:-4] + "AAAA", secret, algorithms=["HS256"])):
        try: wrong()
        except jwt.InvalidSignatureError: pass
        else: raise SystemExit("a wrong signature was accepted")
    answers.append([made, json.dumps(seen)])
json.dump(answers, sys.stdout)
"#;

const NODE: &str = r#"
const crypto = require("node:crypto");
const tag = (secret, signed) => crypto.createHmac("sha256", secret).update(signed).digest();
const all = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const answers = all.map(([secret, claims, token]) => {
  const signed = [`{"typ":"JWT","alg":"HS256"}`, claims].map((part) => Buffer.from(part).toString("base64url")).join(".");
  const [header, payload, signature] = token.split(".");
  const given = Buffer.from(signature, "base64url");
  if (!crypto.timingSafeEqual(tag(secret, `${header}.${payload}`), given)) throw new Error("our signature does not hold");
  if (crypto.timingSafeEqual(tag(secret + "x", `${header}.${payload}`), given)) throw new Error("any secret holds");
  return [`${signed}.${tag(secret, signed).toString("base64url")}`, Buffer.from(payload, "base64url").toString("utf8")];
});
process.stdout.write(JSON.stringify(answers));
"#;

fn cases() -> Vec<(String, String)> {
    let claims = [
        json!({}).to_string(),
        json!({"call_id": i64::MAX, "state": "hangup", "duration": 8951.03}).to_string(),
        json!({"text": "Zoë \"Z\" 😀 \u{2028}\u{0} \\", "from_number": "+15550100", "to_number": []})
            .to_string(),
        r#"{ "spaced" : [ 1 , 2.50 , -1 ] , "deep": {"a": {"b": null}} }"#.to_owned(),
        json!({"long": "x".repeat(100_000)}).to_string(),
    ];
    // PyJWT warns of short secrets and refuses empty ones.
    let secrets = [
        "a secret of more than thirty-two bytes",
        "ünïcödé ünïcödé ünïcödé ünïcödé",
        &"long".repeat(50),
    ];
    let pairs = secrets.iter().flat_map(|secret| {
        let pair = |claims: &String| ((*secret).to_owned(), claims.clone());
        claims.iter().map(pair).collect::<Vec<_>>()
    });
    pairs.collect()
}

#[track_caller]
fn check(command: &mut Command) {
    let cases = cases();
    let questions: Vec<_> = cases
        .iter()
        .map(|(secret, claims)| json!([secret, claims, sign(secret, claims.as_bytes())]))
        .collect();
    let answers = ask(command, &Value::from(questions));
    let answers = answers.as_array().expect("it answers with a list");
    assert_eq!(answers.len(), cases.len());
    for ((secret, claims), answer) in cases.iter().zip(answers) {
        let text = |at: usize| answer[at].as_str().expect("it answers with texts");
        let same = |one: &str| serde_json::from_str::<Value>(one).expect("claims are JSON");
        assert_eq!(same(text(1)), same(claims), "what it makes of our token");
        let receiver = Receiver::builder()
            .secret(secret.as_str())
            .build()
            .expect("it is not empty");
        let event = receiver
            .receive(text(0).as_bytes())
            .expect("its token is accepted");
        assert_eq!(
            same(&String::from_utf8_lossy(&event.body)),
            same(claims),
            "what we make of its token"
        );
        let stranger = Receiver::builder()
            .secret("another")
            .build()
            .expect("it is not empty");
        assert_eq!(
            stranger
                .receive(text(0).as_bytes())
                .expect_err("another secret")
                .answer_status(),
            401
        );
    }
}

#[track_caller]
fn ask(command: &mut Command, question: &Value) -> Value {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interpreter starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(question.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "where the test's tools are is told by the script that installs them"
)]
fn pyjwt_and_we_agree() {
    match std::env::var("SWITCHHOOK_TEST_PYTHON") {
        Ok(python) => check(Command::new(python).args(["-c", PYTHON])),
        Err(_) => println!(
            "skipped: SWITCHHOOK_TEST_PYTHON names no Python with PyJWT (./scripts/check provides one)"
        ),
    }
}

#[test]
fn node_and_we_agree() {
    if Command::new("node").arg("--version").output().is_err() {
        println!("skipped: there is no `node` here");
        return;
    }
    check(Command::new("node").args(["-e", NODE]));
}
