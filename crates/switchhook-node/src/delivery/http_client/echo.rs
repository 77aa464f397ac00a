//! Removal of credentials that a receiver echoes in its answer, because stored answers must not hold what stored
//! requests do not.
//!
//! It looks for the values themselves and for their spellings in JSON, HTML and URLs. Other encodings cannot be told
//! from ordinary text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use memchr::memmem;
use switchhook_domain::attempt::{Answer, AttemptOutcome, HeaderRecord};
use switchhook_domain::credential::{MASK, is_credential, parameters, user_info};
use switchhook_domain::webhook::Authentication;
use switchhook_protocol::headers::IDEMPOTENCY_KEY;
use url::form_urlencoded::{byte_serialize, parse};

use crate::delivery::transport::{Post, PostResult};
use crate::destination::Destination;

/// Shortest text that is removed: shorter ones occur everywhere.
const SHORTEST: usize = 4;

/// A part of a value is a credential by itself if it is at least as long: `Bearer` is none.
const SHORTEST_PART: usize = 8;

/// Credentials in all their spellings.
#[derive(Debug, Default)]
struct SentCredentials(Vec<String>);

/// The spellings of all credentials of a POST, the longest first: a shorter one may be a part of it.
struct Spellings<'s>(Vec<&'s str>);

/// Takes the credentials of a POST out of what came back. What all to a destination have is worked out once.
pub(super) fn mask_echo(post: &Post, posted: &mut PostResult) {
    let destination = &post.destination;
    let standing = destination
        .sent
        .get_or_init(|| SentCredentials::always_to(destination).0);
    let besides = has_others(post).then(|| SentCredentials::only_with(post).0);
    Spellings::of([standing, &besides.unwrap_or_default()]).strike_from(posted);
}

/// True if a POST has credentials that others to the same destination lack.
fn has_others(post: &Post) -> bool {
    let destination = &post.destination;
    let has_token = post.own_headers.iter().any(|(name, _)| name == AUTHORIZATION);
    has_token || destination.templates.has_headers() || destination.standard.is_some()
}

impl SentCredentials {
    /// Credentials of every POST to a destination.
    fn always_to(destination: &Destination) -> Self {
        let mut sent = Self::default();
        for (name, value) in &destination.headers {
            sent.note_header(name, value);
        }
        let webhook = &destination.webhook;
        sent.note_url(&webhook.hook_url);
        if let Some(Authentication::Oauth2 { client_secret, .. }) = &webhook.settings.auth.0 {
            sent.note(client_secret);
        }
        sent
    }

    /// Credentials of this POST alone.
    fn only_with(post: &Post) -> Self {
        let always = &post.destination.headers;
        let mut sent = Self::default();
        for (name, value) in &post.own_headers {
            if !always.get_all(name).iter().any(|same| same == value) {
                sent.note_header(name, value);
            }
        }
        sent
    }

    fn note_header(&mut self, name: &HeaderName, value: &HeaderValue) {
        // The key by which a receiver tells repetitions is a delivery's id.
        if name.as_str() == IDEMPOTENCY_KEY {
            return;
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        if value.is_sensitive() || is_credential(name.as_str()) {
            self.note_value(&text);
        } else {
            text.split(' ').for_each(|word| self.note_url(word));
        }
    }

    /// The value of a header, and the parts of it: of `Bearer TOKEN` the token, of cookies each.
    fn note_value(&mut self, value: &str) {
        self.note(value);
        for part in value.split([' ', ';', ',']) {
            let named = part.split_once('=').map(|(_, value)| value);
            for part in [Some(part), named].into_iter().flatten() {
                if part.len() >= SHORTEST_PART {
                    self.note(part);
                }
            }
        }
        let pair = value
            .strip_prefix("Basic ")
            .and_then(|encoded| STANDARD.decode(encoded).ok());
        if let Some(pair) = pair.and_then(|pair| String::from_utf8(pair).ok()) {
            self.note_pair(&pair);
        }
    }

    fn note_url(&mut self, url: &str) {
        if let Some(range) = user_info(url) {
            let written = &url[range];
            self.note_pair(written);
            self.note_pair(&decoded(written));
        }
        for (name, value) in parameters(url) {
            if is_credential(&decoded(name)) {
                self.note(value);
                self.note(&decoded(value));
            }
        }
    }

    /// A user and a password: together, and the password by itself.
    fn note_pair(&mut self, pair: &str) {
        self.note(pair);
        if let Some((_, password)) = pair.split_once(':') {
            self.note(password);
        }
    }

    /// A credential, in every spelling.
    fn note(&mut self, plain: &str) {
        if plain.len() < SHORTEST {
            return;
        }
        let in_json = serde_json::to_string(plain).unwrap_or_default();
        let in_json = in_json.trim_matches('"');
        let in_html = plain
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        let spellings = [
            plain.to_owned(),
            in_json.to_owned(),
            in_json.replace('/', "\\/"),
            in_html.replace('\'', "&#39;"),
            in_html.replace('\'', "&#x27;"),
            byte_serialize(plain.as_bytes()).collect(),
        ];
        for spelling in spellings {
            if !self.0.contains(&spelling) {
                self.0.push(spelling);
            }
        }
    }
}

impl<'s> Spellings<'s> {
    fn of(sent: [&'s [String]; 2]) -> Self {
        let mut spellings: Vec<_> = sent.into_iter().flatten().map(String::as_str).collect();
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        Self(spellings)
    }

    /// Takes them out of what came back.
    fn strike_from(&self, posted: &mut PostResult) {
        if self.0.is_empty() {
            return;
        }
        if let AttemptOutcome::Unanswered { detail, .. } = &mut posted.outcome {
            self.strike_text(detail);
        }
        if let Some(answer) = &mut posted.answer {
            self.strike_answer(answer);
        }
    }

    fn strike_answer(&self, answer: &mut Answer) {
        self.strike_headers(&mut answer.headers);
        answer.note.iter_mut().for_each(|note| self.strike_text(note));
        if let Cow::Owned(struck) = self.struck(&answer.body_head) {
            answer.body_head = struck;
        }
        if answer.is_truncated {
            // Of one that stood where the rest was left out the beginning is there.
            let head = &answer.body_head;
            let cut = |spelling: &&str| {
                let mut lengths = (SHORTEST..spelling.len()).rev();
                lengths.find(|length| head.ends_with(&spelling.as_bytes()[..*length]))
            };
            if let Some(length) = self.0.iter().filter_map(cut).max() {
                answer.body_head.truncate(head.len() - length);
                answer.body_head.extend_from_slice(MASK.as_bytes());
            }
        }
    }

    fn strike_headers(&self, headers: &mut HeaderRecord) {
        let mut map = headers.to_map();
        map.values_mut().for_each(|value| self.strike_text(value));
        let shown = map.iter().map(|(name, value)| (name, Cow::Borrowed(&**value)));
        *headers = HeaderRecord::of(shown);
    }

    fn strike_text(&self, text: &mut String) {
        if let Cow::Owned(struck) = self.struck(text.as_bytes()) {
            *text = String::from_utf8_lossy(&struck).into_owned();
        }
    }

    fn struck<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut shown = Cow::Borrowed(bytes);
        for spelling in &self.0 {
            let found: Vec<_> = memmem::find_iter(&shown, *spelling).collect();
            if found.is_empty() {
                continue;
            }
            let mut struck = Vec::with_capacity(shown.len());
            let mut from = 0;
            for at in found {
                struck.extend_from_slice(&shown[from..at]);
                struck.extend_from_slice(MASK.as_bytes());
                from = at + spelling.len();
            }
            struck.extend_from_slice(&shown[from..]);
            shown = Cow::Owned(struck);
        }
        shown
    }
}

/// A part of a URL with its `%` sequences undone.
fn decoded(written: &str) -> String {
    // As the value of a form a plus would be a space, and an ampersand its end.
    let written = written.replace('+', "%2B").replace('&', "%26");
    parse(format!("={written}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use switchhook_domain::Timestamp;
    use switchhook_domain::attempt::{FailureReason, Phases};
    use switchhook_domain::id::{CompanyId, WebhookId};
    use switchhook_domain::webhook::{Auth, Webhook, WebhookSettings};

    use super::*;

    fn post(url: &str, settings: WebhookSettings) -> Post {
        let webhook = Webhook::new(WebhookId(1), CompanyId(1), url, Timestamp::from_millis(0));
        let destination = Destination::new(webhook.with_settings(settings), Arc::default());
        Post {
            own_headers: Vec::new(),
            destination: Arc::new(destination),
            body: bytes::Bytes::new(),
        }
    }

    fn sent(url: &str, headers: &[(&str, &str)]) -> Post {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings = WebhookSettings {
            headers: headers.iter().map(owned).collect(),
            ..WebhookSettings::default()
        };
        post(url, settings)
    }

    #[track_caller]
    fn check(post: &Post, body: &str, kept: &str) {
        let mut posted = PostResult::unanswered(FailureReason::ConnectionLost, body, Phases::default());
        posted.answer = Some(Answer {
            body_head: body.into(),
            headers: HeaderRecord::of([("x-echo", Cow::Borrowed(body))]),
            note: Some(body.to_owned()),
            ..Answer::default()
        });
        mask_echo(post, &mut posted);
        let answer = posted.answer.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.body_head), kept);
        assert_eq!(answer.headers.to_map()["x-echo"], kept);
        assert_eq!(answer.note.as_deref(), Some(kept));
        let AttemptOutcome::Unanswered { detail, .. } = posted.outcome else {
            panic!("it was not answered");
        };
        assert_eq!(detail, kept);
    }

    #[test]
    fn what_was_sent_and_comes_back_is_struck_out_in_every_spelling() {
        let sent = sent(
            "https://ann:hunt%2Fer2@example.com/?token=qu%20ery&team=blue#key=frag",
            &[
                ("x-api-key", "a\"/b<c"),
                ("cookie", "theme=red; session=0123456789"),
                ("authorization", "Bearer t0ken-0123"),
                ("x-team", "blue"),
            ],
        );
        for (echoed, kept) in [
            ("you sent a\"/b<c", "you sent ***"),
            (r#"{"key":"a\"/b<c"}"#, r#"{"key":"***"}"#),
            (r#"{"key":"a\"\/b<c"}"#, r#"{"key":"***"}"#),
            ("<p>a&quot;/b&lt;c</p>", "<p>***</p>"),
            ("POST /?token=qu%20ery&team=blue", "POST /?token=***&team=blue"),
            ("qu ery, qu+ery, frag", "***, ***, ***"),
            ("ann:hunt/er2 or hunt%2Fer2", "*** or ***"),
            ("no t0ken-0123, Bearer t0ken-0123!", "no ***, ***!"),
            ("theme of 0123456789: blue", "theme of ***: blue"),
            ("nothing of it", "nothing of it"),
        ] {
            check(&sent, echoed, kept);
        }
    }

    #[test]
    fn a_password_in_an_authorization_is_struck_out_too() {
        let sent = sent(
            "https://example.com/",
            &[("authorization", "Basic dXM6aHVudGVyMg==")],
        );
        check(&sent, "us:hunter2, hunter2, dXM6aHVudGVyMg==", "***, ***, ***");
    }

    #[test]
    fn what_differs_with_each_attempt_goes_with_what_always_stands() {
        let settings = WebhookSettings {
            headers: [("x-api-key".to_owned(), "0123".to_owned())].into(),
            auth: Auth(Some(Authentication::Oauth2 {
                token_url: "https://id.example.com/token".to_owned(),
                client_id: "us".to_owned(),
                client_secret: "cl1ent".to_owned(),
                scope: None,
            })),
            ..WebhookSettings::default()
        };
        let mut post = post("https://example.com/?token=query", settings);
        for token in ["first-012345", "other-012345"] {
            let bearer = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            post.set_header(AUTHORIZATION, bearer);
            let echoed = format!("{token} 0123 cl1ent query");
            check(&post, &echoed, "*** *** *** ***");
        }
        check(&post, "first-012345", "first-***45");
    }

    #[test]
    fn the_beginning_of_one_where_the_rest_was_left_out_goes_too() {
        let sent = sent("https://example.com/", &[("x-api-key", "0123456789")]);
        for (head, kept) in [("key 012345", "key ***"), ("key 012", "key 012")] {
            let mut posted = PostResult::unanswered(FailureReason::ConnectionLost, "", Phases::default());
            posted.answer = Some(Answer {
                body_head: head.into(),
                is_truncated: true,
                ..Answer::default()
            });
            mask_echo(&sent, &mut posted);
            let answer = posted.answer.unwrap();
            assert_eq!(String::from_utf8_lossy(&answer.body_head), kept);
        }
    }
}
