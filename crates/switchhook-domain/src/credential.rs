//! Credentials: what counts as one by its name, and texts without them.
//!
//! There is one list, used wherever something is shown, stored or logged. A name counts if it speaks of a secret, a
//! token, a key, a password, a cookie, a signature or an authorization; in a URL user and password count too. A secret
//! that is part of a path cannot be told from any other path, and is not looked for.

use std::borrow::Cow;
use std::ops::Range;

/// Placeholder for a credential.
pub const MASK: &str = "***";

/// Parts of names that leave no doubt, wherever they stand.
const STEMS: [&str; 11] = [
    "authorization",
    "apikey",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "session",
    "signature",
    "token",
];

/// Words that are credentials by themselves: between separators, or the whole name.
const WORDS: [&str; 13] = [
    "auth", "bearer", "code", "hmac", "jwt", "key", "keys", "pass", "pin", "pwd", "sas", "sid", "sig",
];

/// Names that sound like one and are none: a setting of PostgreSQL's URLs.
const PLAIN: [&str; 1] = ["targetsessionattrs"];

/// Names that nearly every answer has, which need no closer look.
const ORDINARY: [&str; 8] = [
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "server",
    "transfer-encoding",
    "vary",
];

/// True if a header, parameter, member or setting of this name holds a credential.
#[must_use]
pub fn is_credential(name: &str) -> bool {
    !ORDINARY.contains(&name) && sounds_like_one(name)
}

fn sounds_like_one(name: &str) -> bool {
    let name = in_small_words(name);
    let joined: String = name.split(' ').collect();
    if PLAIN.contains(&joined.as_str()) {
        return false;
    }
    STEMS.iter().any(|stem| joined.contains(stem))
        || joined.ends_with("key")
        || name.split(' ').any(|word| WORDS.contains(&word))
}

/// `accessToken`, `access_token` and `Access-Token` as `access token`.
fn in_small_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_uppercase() && after_small || !letter.is_alphanumeric() {
            words.push(' ');
        }
        after_small = letter.is_lowercase();
        if letter.is_alphanumeric() {
            words.extend(letter.to_lowercase());
        }
    }
    words
}

/// The value of a header or parameter as it may be shown: nothing of a credential, and URLs without those in them.
#[must_use]
pub fn shown_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_credential(name) {
        return Cow::Borrowed(MASK);
    }
    match shown_url(value) {
        Cow::Borrowed(_) => shown_text(value),
        shown => shown,
    }
}

/// A URL as it may be shown: without user and password, and without the values of parameters that are credentials.
/// Everything else stays byte for byte. A text that is no URL stays as it is.
#[must_use]
pub fn shown_url(url: &str) -> Cow<'_, str> {
    let Some(start) = authority_start(url) else {
        return Cow::Borrowed(url);
    };
    let user_info = user_info(url);
    let parameters = url[start..].find(['?', '#']).map_or(url.len(), |at| start + at);
    let shown_parameters = shown_parameters(&url[parameters..]);
    if user_info.is_none() && matches!(shown_parameters, Cow::Borrowed(_)) {
        return Cow::Borrowed(url);
    }
    let (before, host) = user_info.map_or((start, start), |range| (range.start, range.end));
    let mask = if host > before { MASK } else { "" };
    Cow::Owned([&url[..before], mask, &url[host..parameters], &shown_parameters].concat())
}

/// Range of user and password in a URL, without the `@` after them.
#[must_use]
pub fn user_info(url: &str) -> Option<Range<usize>> {
    let start = authority_start(url)?;
    let rest = &url[start..];
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@').filter(|at| *at > 0)?;
    Some(start..start + at)
}

/// The parameters of a URL, those of its fragment too, as they are written.
pub fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let start = authority_start(url).unwrap_or(url.len());
    let (_, query) = url[start..].split_once(['?', '#']).unwrap_or_default();
    query
        .split(['?', '#', '&', ';'])
        .filter_map(|pair| pair.split_once('='))
}

/// Start of the authority in a URL. Lenient readers take any number of slashes, also backslashes.
fn authority_start(url: &str) -> Option<usize> {
    let colon = url.find(':')?;
    let scheme = &url[..colon];
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'));
    let slashes = url[colon + 1..]
        .bytes()
        .take_while(|byte| matches!(byte, b'/' | b'\\'))
        .count();
    let is_web = ["http", "https", "ws", "wss"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    (is_scheme && (slashes > 1 || is_web)).then_some(colon + 1 + slashes)
}

/// Query and fragment, `?` and `#` included.
fn shown_parameters(text: &str) -> Cow<'_, str> {
    let is_mark = |byte: u8| matches!(byte, b'?' | b'#' | b'&' | b';');
    let mut shown = String::new();
    let mut kept_until = 0;
    let mut at = 0;
    while at < text.len() {
        let begin = at + usize::from(is_mark(text.as_bytes()[at]));
        let length = text.as_bytes()[begin..].iter().position(|byte| is_mark(*byte));
        let end = length.map_or(text.len(), |length| begin + length);
        if let Some(equals) = text[begin..end].find('=')
            && is_credential(&decoded(&text[begin..begin + equals]))
            && begin + equals + 1 < end
        {
            shown.push_str(&text[kept_until..=begin + equals]);
            shown.push_str(MASK);
            kept_until = end;
        }
        at = end.max(at + 1);
    }
    if kept_until == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[kept_until..]);
    Cow::Owned(shown)
}

/// A name with its `%` sequences undone.
fn decoded(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    let bytes = name.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = name
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

/// A sentence as it may be shown: without the credentials of the URLs in it.
#[must_use]
pub fn shown_text(text: &str) -> Cow<'_, str> {
    // Nothing but a user and parameters hold credentials.
    if !text.contains(':') || !text.contains(['@', '=']) {
        return Cow::Borrowed(text);
    }
    // What cannot stand in a URL ends one.
    let words = text.split_inclusive([' ', '\t', '\n', '<', '>', '"']);
    let shown: String = words.map(shown_word).collect();
    if shown == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(shown)
    }
}

/// A word, in which a URL may stand behind something else.
fn shown_word(word: &str) -> Cow<'_, str> {
    let is_of_scheme = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    let bare = word.trim_end_matches([' ', '\t', '\n', '<', '>', '"']);
    for (colon, _) in bare.match_indices(':') {
        let start = bare[..colon].trim_end_matches(is_of_scheme).len();
        if let Cow::Owned(shown) = shown_url(&bare[start..]) {
            return Cow::Owned([&word[..start], &shown, &word[bare.len()..]].concat());
        }
    }
    Cow::Borrowed(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_do_not_sound_like_credentials() {
        for name in ORDINARY {
            assert!(!sounds_like_one(name), "{name}");
        }
    }

    #[test]
    fn names_that_speak_of_secrets_are_credentials_however_they_are_spelled() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "x-apikey",
            "Ocp-Apim-Subscription-Key",
            "accessToken",
            "ACCESS_TOKEN",
            "client_secret",
            "password",
            "X-Auth",
            "x-functions-key",
            "sig",
            "X-Hub-Signature-256",
            "code",
            "hook-proxy-password",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in [
            "content-type",
            "user-agent",
            "author",
            "keyboard",
            "x-request-id",
            "date",
            "location",
            "monitor",
            "state",
            "switchhook-event-id",
        ] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[track_caller]
    fn check(url: &str, shown: &str) {
        assert_eq!(shown_url(url), shown);
    }

    #[test]
    fn a_url_is_shown_without_its_credentials_and_otherwise_as_it_is() {
        check("https://example.com/hook?a=1", "https://example.com/hook?a=1");
        check(
            "https://ann:s3cret@example.com/a@b",
            "https://***@example.com/a@b",
        );
        check("https://s3cret@example.com", "https://***@example.com");
        check("https:ann:s3cret@example.com/", "https:***@example.com/");
        check(
            "https:\\\\ann:s3@cret@example.com\\",
            "https:\\\\***@example.com\\",
        );
        check("postgres://me:hunter2@db/x", "postgres://***@db/x");
        check("postgres://me:hunter@2@db:port/x", "postgres://***@db:port/x");
        check(
            "postgres://me:hunter2@one:1,two:2/x?target_session_attrs=read-write&sslpassword=hunter3",
            "postgres://***@one:1,two:2/x?target_session_attrs=read-write&sslpassword=***",
        );
        check(
            "postgres://db/x?user=me&password=hunter2&sslmode=require",
            "postgres://db/x?user=me&password=***&sslmode=require",
        );
        check(
            "https://e.com/?code=a%20b&x=1#token=c",
            "https://e.com/?code=***&x=1#token=***",
        );
        check(
            "https://e.com/?to%6ben=a&key=&b=2",
            "https://e.com/?to%6ben=***&key=&b=2",
        );
        check("sqlite:./switchhook.db", "sqlite:./switchhook.db");
        check("inspector://dev", "inspector://dev");
        check("no url: a@b", "no url: a@b");
        check("", "");
    }

    #[test]
    fn the_url_in_another_text_of_a_header_is_shown_without_its_credentials() {
        assert_eq!(
            shown_value("x-callback", "call https://a:b@e.com/ back"),
            "call https://***@e.com/ back"
        );
    }

    #[test]
    fn a_sentence_is_shown_without_the_credentials_of_its_urls() {
        assert_eq!(
            shown_text("\"https://a:b@e.com/?key=c\" is no URL: say https://e.com"),
            "\"https://***@e.com/?key=***\" is no URL: say https://e.com"
        );
        assert_eq!(
            shown_text("<https://a:b@e.com/1>; rel=next, see=https://e.com/?token=c"),
            "<https://***@e.com/1>; rel=next, see=https://e.com/?token=***"
        );
        assert_eq!(shown_text("nothing to hide: 5"), "nothing to hide: 5");
    }

    proptest! {
        #[test]
        fn any_text_can_be_shown(text in "(https?:[/\\\\]{0,3})?[a-z%?#&;=@:./é\\\\]{0,40}") {
            let shown = shown_url(&text).into_owned();
            prop_assert_eq!(shown_url(&shown), shown.as_str(), "what is masked stays masked");
            prop_assert!(is_credential(&text) || !is_credential(&text));
        }

        #[test]
        fn no_password_is_left(user in "[a-z:]{0,8}", host in "[a-z]{1,8}", path in "[a-z/?=&]{0,12}") {
            let shown = shown_url(&format!("https://{user}:S3CRET@{host}/{path}&token=S3CRET")).into_owned();
            let is_in_path = !path.contains(['?', '#']);
            prop_assert_eq!(shown.matches("S3CRET").count(), usize::from(is_in_path), "{}", shown);
        }
    }
}
