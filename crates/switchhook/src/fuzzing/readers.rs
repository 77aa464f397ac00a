//! The parts that read what strangers wrote by themselves: tokens, payloads, configuration files, captures.

use std::ffi::OsString;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::builder::Resettable;
use clap::{Args, Command, FromArgMatches};
use serde_json::Value;
use switchhook_domain::event::EventFacts;
use switchhook_domain::id::{CompanyId, KeyId, WebsocketId};
use switchhook_domain::redaction::{Hidden, redact};
use switchhook_domain::secret::Secret;
use switchhook_domain::websocket::Websocket;
use switchhook_domain::{Kind, Timestamp};
use switchhook_protocol::{
    Outline, Payload, RepeatKey, check_object, diagnose, recognize_kind, sign, verify,
};

use crate::config::amount::parse_size;
use crate::config::sources::parse;
use crate::config::{ServeOptions, file_options, mistakes_of};
use switchhook_node::duration::{parse_duration, show_duration};
use switchhook_node::mask::{Content, Mask};
use switchhook_node::summary::Summary;
use switchhook_node::validation::Validator;
use switchhook_node::websocket::token;

const SECRETS: [&str; 2] = ["both sides know it", "an older one"];

/// Events of every kind, with what makes reading hard.
pub(super) fn event_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Kind::ALL
        .iter()
        .map(|kind| {
            let body =
                switchhook_node::ingest::sample::body(*kind, Timestamp::from_millis(1_790_000_000_000));
            body.expect("there is a sample of each").into_bytes()
        })
        .collect();
    seeds.extend(HARD_EVENTS.iter().map(|event| event.as_bytes().to_vec()));
    seeds
}

const HARD_EVENTS: &[&str] = &[
    r#"{"call_id":9223372036854775807,"state":"hangup","recording_url":["https://a/b"],"recording_details":[{"url":"u","id":1e400}],"voicemail_link":null}"#,
    r#"{"id":7,"from_number":"+14155550100","to_number":["+14155550101"],"te\u0078t":"secret","text":"twice","text_content":"c","mms_url":"m"}"#,
    r#"{ "text" : "a\"b\\" , "x" : { "text" : [ { "text" : 1 } ] , "y" : "text" } , "phone" : "+14155550100" }"#,
    r#"{"call_id":"7","state":" Ringing_","contact":{"name":"Ann\u202e\u0000","phone":"(202) 555-0100"},"target":{"type":"user","id":"5"}}"#,
    r#"{"a":[[[[[[[[[[[[{"recording_details":{"x":[{"url":"u"}]}}]]]]]]]]]]]],"note":"+14155550100","":"","\ud800":1}"#,
];

/// A signature holds only if it is one: judged here by the standard's own words.
pub(super) fn signature(input: &[u8]) {
    let judged = verify(input, SECRETS);
    let diagnosis = diagnose(input, &SECRETS, Some(b"{}"));
    assert_eq!(diagnosis.verdict.is_ok(), judged.is_ok(), "both judge alike");
    if let Ok(payload) = &judged {
        let text = std::str::from_utf8(input).expect("a token is text");
        let (signed, tag) = text.rsplit_once('.').expect("a token has parts");
        let tag = URL_SAFE_NO_PAD.decode(tag).expect("a token is base64");
        let fits = |secret: &&str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        };
        assert!(SECRETS.iter().any(fits));
        assert_eq!(diagnosis.payload.as_ref(), Some(payload));
    }
    let token = sign(SECRETS[1], input);
    assert_eq!(
        verify(token.as_bytes(), SECRETS).as_deref(),
        Ok(input),
        "what was signed verifies"
    );
    assert!(verify(token.as_bytes(), ["another"]).is_err());
}

pub(super) fn signature_seeds() -> Vec<Vec<u8>> {
    let events = event_seeds();
    let mut seeds: Vec<_> = events
        .iter()
        .map(|event| sign(SECRETS[0], event).into_bytes())
        .collect();
    let token = sign(SECRETS[1], b"{}");
    seeds.push(format!("\"{token}\"").into_bytes());
    seeds.push(format!("Bearer {token}\r\n").into_bytes());
    seeds.push(sign("a stranger's", b"{}").into_bytes());
    seeds.push(b"eyJhbGciOiJub25lIn0.e30.".to_vec());
    seeds
}

/// A text is a websocket's token only if it is the very one that was issued.
pub(super) fn websocket_token(input: &[u8]) {
    let (websocket, issued, now) = issued_token();
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let claimed = token::claimed_websocket(text);
    if let Ok(grant) = token::check(text, &websocket, now) {
        assert_eq!(text, issued);
        assert_eq!((grant.websocket_id, grant.only), (websocket.id, None));
        assert_eq!(claimed, Some(websocket.id));
    } else {
        assert_ne!(text, issued);
    }
}

fn issued_token() -> (Websocket, String, Timestamp) {
    let now = Timestamp::from_millis(1_790_000_000_000);
    let websocket = Websocket {
        id: WebsocketId(7),
        company_id: CompanyId(1),
        secret: None,
        token_key: Secret::new("a key of its own"),
        created_at: now,
        updated_at: now,
    };
    let issued = token::issue(&websocket, None, KeyId(1), "http://127.0.0.1:8400", now);
    (websocket, issued, now)
}

pub(super) fn websocket_token_seeds() -> Vec<Vec<u8>> {
    let (websocket, issued, now) = issued_token();
    let stranger = Websocket {
        token_key: Secret::new("another key"),
        ..websocket
    };
    let forged = token::issue(&stranger, None, KeyId(1), "http://127.0.0.1:8400", now);
    vec![
        issued.into_bytes(),
        forged.into_bytes(),
        sign("a key of its own", b"{}").into_bytes(),
    ]
}

/// Redaction takes out what is hidden, all of it, and nothing else.
pub(super) fn redaction(input: &[u8]) {
    let redacted = redact(input, Hidden::EVERYTHING);
    assert_eq!(redact(input, Hidden::NOTHING), input);
    if check_object(input).is_err() {
        return;
    }
    check_object(&redacted).expect("what is left of an object is one");
    assert_eq!(redact(&redacted, Hidden::EVERYTHING), redacted, "once is enough");
    // Numbers beyond what a double holds are no values here.
    if let Ok(mut expected) = serde_json::from_slice::<Value>(input) {
        strip(&mut expected, false);
        let left: Value = serde_json::from_slice(&redacted).expect("it is JSON");
        assert_eq!(left, expected);
    }
}

/// Reference redaction, on values instead of bytes.
fn strip(value: &mut Value, in_recordings: bool) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| !is_hidden(name, member, in_recordings));
            for (name, member) in members {
                strip(member, in_recordings || names_recording(&letters(name)));
            }
        }
        Value::Array(items) => {
            items.retain(|item| !(in_recordings && is_address(item)));
            items.iter_mut().for_each(|item| strip(item, in_recordings));
        }
        _ => {}
    }
}

fn is_address(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let has_gap = text.contains(|letter: char| {
        letter.is_ascii_whitespace() || matches!(letter, '\0' | '"' | '\\' | '\u{8}')
    });
    let is_path = text.contains('/') && text.contains('.') && !has_gap;
    is_path || text.contains("://") || text.to_ascii_lowercase().starts_with("data:")
}

fn is_hidden(name: &str, member: &Value, in_recordings: bool) -> bool {
    let letters = letters(name);
    let links = ["url", "urls", "link", "links", "uri", "uris", "href", "hrefs"];
    let is_link = links.iter().any(|link| letters.ends_with(link));
    let is_address = is_address(member) && !letters.contains("transcript");
    ["text", "text_content", "mms_url"].contains(&name)
        || letters == "voicemailrecordingid"
        || names_recording(&letters) && (is_link || is_address)
        || is_link && names_linked_recording(&letters, &links)
        || in_recordings && (is_link || is_address)
}

fn names_recording(letters: &str) -> bool {
    let subjects = [
        "record",
        "voicemail",
        "voicemessage",
        "audio",
        "video",
        "media",
        "sound",
        "mp3",
        "mp4",
        "wav",
        "listen",
        "screencapture",
        "screenshot",
        "playback",
        "review",
        "share",
    ];
    subjects.iter().any(|subject| letters.contains(subject))
}

fn names_linked_recording(letters: &str, links: &[&str]) -> bool {
    let parts = ["greeting", "download", "moment", "transcript"];
    parts.iter().any(|part| letters.contains(part))
        || links.iter().any(|link| letters.strip_suffix(link) == Some("rec"))
}

fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Checks that masked text is shown nowhere, and that an event cannot add markup of its own.
pub(super) fn mask(input: &[u8]) {
    let both = Mask {
        numbers: true,
        text: true,
    };
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (pretty, raw) = switchhook_dashboard::masked_json(text, both);
    let tags = pretty.matches("<span class=").count() + pretty.matches("</span>").count();
    assert_eq!(pretty.matches('<').count(), tags);
    if let (true, Ok(masked)) = (check_object(input).is_ok(), serde_json::from_str::<Value>(&raw)) {
        is_masked("", &masked);
    }
}

fn is_masked(key: &str, value: &Value) {
    let both = Mask {
        numbers: true,
        text: true,
    };
    match value {
        Value::String(text) => {
            let again = both.value(Content::of(key), text);
            assert!(again.is_none_or(|again| again == *text), "{key}: {text}");
        }
        Value::Array(items) => items.iter().for_each(|item| is_masked(key, item)),
        Value::Object(members) => members.iter().for_each(|(key, member)| is_masked(key, member)),
        _ => {}
    }
}

/// Readers of an event's payload, whatever kind it is sent as.
pub(super) fn event(input: &[u8]) {
    thread_local! {
        static VALIDATOR: Validator = Validator::new();
    }
    let kind = recognize_kind(input);
    assert!(kind.is_none() || std::str::from_utf8(input).is_ok());
    let outline = Outline::read(input);
    assert_eq!(
        outline.as_ref().map(Outline::text),
        check_object(input).as_ref().copied()
    );
    for kind in Kind::ALL {
        let summary = Summary::of(kind, input, Mask::NOTHING);
        assert!(
            summary.what.len() + summary.detail.len() < 4_096,
            "a summary is short"
        );
        let _ = RepeatKey::natural(Some(kind), input);
        if let Ok(outline) = &outline {
            let _ = VALIDATOR.with(|validator| validator.check(kind, outline));
        }
        if let Ok(payload) = std::str::from_utf8(input)
            .map_err(drop)
            .and_then(|_| Payload::read(kind, input).map_err(drop))
        {
            let facts = EventFacts::of(&payload);
            assert_eq!(facts.kind(), kind);
            assert!(
                facts.order_key.is_none_or(|key| key.as_str().len() < 4_096),
                "a key is short"
            );
        }
    }
}

/// A configuration file is read or its mistakes are reported; and so is a duration.
pub(super) fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(time) = parse_duration(text) {
        let shown = show_duration(time);
        let again = parse_duration(&shown).expect("what is shown can be typed");
        assert!(again <= time && show_duration(again) == shown);
    }
    let _ = parse_size(text);
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join("switchhook.toml");
    std::fs::write(&path, text).expect("the folder is ours");
    let serve = ServeOptions::augment_args(Command::new("serve"));
    // Without the environment, so that the one of this machine does not matter.
    let serve = serve.mut_args(|option| option.env(Resettable::Reset));
    let args: [OsString; 3] = ["serve".into(), "--config".into(), path.into()];
    if let Ok(parsed) = parse(serve, &file_options(), &mistakes_of, &args)
        && let Ok(options) = ServeOptions::from_arg_matches(&parsed.matches)
    {
        let _ = options.settings();
    }
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    let file = "listen = \"0.0.0.0:8400\"\nlease = \"2m\"\nmax-in-flight = 7\nhook-allow = [\"10.0.0.0/8\", \"::1\"]\n\
                hook-allow-http = true\nmask = \"numbers,text\"\nstore = \"sqlite:./a.db\"\n";
    vec![
        file.into(),
        b"1h 30m".to_vec(),
        b"10GiB".to_vec(),
        b"[a]\nb = { c = 1979-05-27 }\n".to_vec(),
    ]
}

/// Whatever somebody pastes is explained.
pub(super) fn capture(input: &[u8]) {
    let (facts, json) = crate::cli::explain_capture(input);
    assert!(!facts.is_empty() && json.is_object());
}

pub(super) fn capture_seeds() -> Vec<Vec<u8>> {
    let token = sign("s", b"{\"call_id\":1,\"state\":\"hangup\"}");
    let captures = [
        format!(
            "POST /hook HTTP/1.1\r\nContent-Type: application/jwt\r\nSwitchhook-Event-Id: 7\r\n\r\n{token}\n"
        ),
        "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n".to_owned(),
        format!("curl -X POST 'http://a/b' -H 'content-type: application/jwt' --data-raw '{token}'"),
        format!("> POST /hook HTTP/1.1\n> Host: a\n> \n{token}"),
        format!(
            r#"{{"headers":{{"Content-Type":"application/jwt"}},"body":"{token}","isBase64Encoded":false}}"#
        ),
        format!(
            r#"{{"log":{{"entries":[{{"request":{{"method":"POST","url":"http://a","headers":[{{"name":"a","value":"b"}}],"postData":{{"text":"{token}"}}}}}}]}}}}"#
        ),
        token,
    ];
    captures.map(String::into_bytes).into()
}
