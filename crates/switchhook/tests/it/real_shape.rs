//! An event as real traffic looks, through the real server, to a real socket: byte for byte, and verified by an
//! independent library.

use std::io::Write;
use std::process::{Command, Stdio};

use axum::http::StatusCode;
use serde_json::json;

use crate::support::http::{Arrival, RecordingReceiver};
use crate::support::process::ServerProcess;

/// Nulls, float durations, unknown fields, the largest int64, a number beyond a double, odd spacing. All invented.
const OBSERVED: &str = r#"{"call_id": 9223372036854775807,"state":"hangup", "direction":"inbound",
 "date_started":1790000000000,"date_rang":null,"date_connected":null,"duration":8951.03,"total_duration":1.2340e4,
 "target":{"id":5000000000000001,"type":"user","name":"Ann Example","office_id":77,"phone":"+15550100"},
 "contact":{"id":"c-1","type":"local","name":"Zo\u00eb \"Z\" \ud83d\ude00","email":"","phone":"+15550101"},
 "entry_point_target":{},"labels":[],"recording_details":[],"mos_score":4.41,"a_field_of_tomorrow":{"deep":[1,{"x":null}]},
 "beyond_a_double":1e400,"event_timestamp":1790000061100}"#;

const SECRET: &str = "an example secret of more than 32 bytes";

async fn delivered(secret: Option<&str>) -> Arrival {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = RecordingReceiver::start(|_| StatusCode::OK).await;
    let server = ServerProcess::start(dir.path()).await;
    let caller = server.caller();
    let webhook = json!({"hook_url": receiver.url(), "secret": secret}).to_string();
    let webhook = caller.ask("POST", "/api/v2/webhooks", &webhook).await;
    let subscription = json!({"endpoint_id": webhook["id"], "call_states": ["hangup"]}).to_string();
    caller
        .ask("POST", "/api/v2/subscriptions/call", &subscription)
        .await;
    let accepted = caller.ask("POST", "/v1/events/call", OBSERVED).await;
    receiver
        .wait_until("the delivery", |arrivals| !arrivals.is_empty())
        .await;
    let arrival = receiver.arrivals().remove(0);
    assert_eq!(
        arrival.header("switchhook-event-id"),
        accepted["id"].as_str().expect("ids are strings")
    );
    arrival
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_the_bytes_arrive_as_they_came() {
    let arrival = delivered(None).await;
    assert_eq!(arrival.header("content-type"), "application/json");
    assert_eq!(arrival.header("switchhook-event-kind"), "call");
    assert_eq!(arrival.header("switchhook-attempt"), "1");
    assert_eq!(arrival.header("content-length"), OBSERVED.len().to_string());
    assert_eq!(arrival.body, OBSERVED);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_the_same_bytes_are_the_claims_of_a_token_and_pyjwt_agrees() {
    let arrival = delivered(Some(SECRET)).await;
    assert_eq!(arrival.header("content-type"), "application/jwt");
    let verified = switchhook_protocol::verify(&arrival.body, [SECRET]).expect("the signature holds");
    assert_eq!(String::from_utf8_lossy(&verified), OBSERVED);
    check_with_pyjwt(&arrival.body);
}

/// Python with PyJWT, as `scripts/check` installs it.
#[expect(
    clippy::disallowed_methods,
    reason = "where the test's tools are is told by the script that installs them"
)]
fn python() -> Option<String> {
    std::env::var("SWITCHHOOK_TEST_PYTHON").ok()
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "a skipped check says so")]
fn check_with_pyjwt(token: &[u8]) {
    let Some(python) = python() else {
        println!("skipped: SWITCHHOOK_TEST_PYTHON names no Python with PyJWT (./scripts/check provides one)");
        return;
    };
    const PROGRAM: &str = "import sys, jwt\n\
        token, secret = sys.stdin.read(), sys.argv[1]\n\
        claims = jwt.decode(token, secret, algorithms=['HS256'])\n\
        assert jwt.get_unverified_header(token) == {'alg': 'HS256', 'typ': 'JWT'}\n\
        assert claims['call_id'] == 9223372036854775807, claims\n\
        assert claims['contact']['name'] == 'Zo\\u00eb \"Z\" \\U0001f600', claims\n\
        try:\n    jwt.decode(token, secret + 'x', algorithms=['HS256'])\n\
        except jwt.InvalidSignatureError: pass\n\
        else: raise SystemExit('another secret was accepted')\n\
        print('verified')\n";
    let mut child = Command::new(python)
        .args(["-c", PROGRAM, SECRET])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the Python that was named can be started");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(token)
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "verified\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
