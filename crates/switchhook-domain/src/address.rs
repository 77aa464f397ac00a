//! Comparison of addresses: two spellings can lead to the same receiver.
//!
//! Only the compared form is here. Addresses are stored, shown and sent as they were written.

use std::borrow::Cow;

use url::Url;

/// An address as it is compared.
///
/// Two are one if they differ in the case of scheme or host, the default port, a dot behind the host, an empty path,
/// segments like `/./`, what is percent-encoded without need, or a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedAddress {
    /// All of it but user and password, so that it may be kept where credentials may not.
    pub place: String,
    /// User and password.
    user_info: Option<(String, Option<String>)>,
}

impl ComparedAddress {
    /// The form in which an address is compared; one that cannot be read is only itself.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let Ok(mut url) = Url::parse(address) else {
            return Self {
                place: address.to_owned(),
                user_info: None,
            };
        };
        let user_info = take_user_info(&mut url);
        url.set_fragment(None);
        if let Some(host) = url.host_str().filter(|host| host.ends_with('.')) {
            let host = host.trim_end_matches('.').to_owned();
            // A host that is only dots stays as it is.
            let _ = url.set_host(Some(&host));
        }
        Self {
            place: with_needed_escapes(url.as_str()).into_owned(),
            user_info,
        }
    }
}

fn take_user_info(url: &mut Url) -> Option<(String, Option<String>)> {
    let user = with_needed_escapes(url.username()).into_owned();
    let password = url
        .password()
        .map(|password| with_needed_escapes(password).into_owned());
    if user.is_empty() && password.is_none() {
        return None;
    }
    // Only an address without a host refuses, and has no user either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some((user, password))
}

/// Decodes what needs no escape (RFC 3986 §2.3), and writes the other escapes in capitals.
fn with_needed_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut needed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        needed.push_str(before);
        let digits = escape
            .get(1..3)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match (digits, byte) {
            (Some(_), Some(byte)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                needed.push(char::from(byte));
                &escape[3..]
            }
            (Some(digits), _) => {
                needed.push('%');
                needed.push_str(&digits.to_ascii_uppercase());
                &escape[3..]
            }
            (None, _) => {
                needed.push_str("%25");
                &escape[1..]
            }
        };
    }
    needed.push_str(rest);
    Cow::Owned(needed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_one(one: &str, other: &str) {
        assert_eq!(
            ComparedAddress::of(one),
            ComparedAddress::of(other),
            "{one} {other}"
        );
    }

    #[track_caller]
    fn check_two(one: &str, other: &str) {
        assert_ne!(
            ComparedAddress::of(one),
            ComparedAddress::of(other),
            "{one} {other}"
        );
    }

    #[test]
    fn one_address_in_many_spellings_is_one() {
        let plain = "https://hooks.example.com/a/b~c?x=1";
        for other in [
            "https://hooks.example.com:443/a/b~c?x=1",
            "HTTPS://Hooks.Example.COM/a/b~c?x=1",
            "https://hooks.example.com./a/b~c?x=1",
            "https://hooks.example.com/a/b%7Ec?x=1",
            "https://hooks.example.com/%61/b%7ec?%78=1",
            "https://hooks.example.com/./a/c/../b~c?x=1",
            "https://hooks.example.com/a/b~c?x=1#there",
            "https://@hooks.example.com/a/b~c?x=1",
        ] {
            check_one(plain, other);
        }
        check_one("https://example.com", "https://example.com/");
        check_one("https://example.com?x", "https://example.com/?x");
        check_one("http://example.com:80", "http://example.com");
        check_one("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example/");
        check_one("https://[2001:DB8::0:1]/", "https://[2001:db8::1]/");
        check_one("https://127.1/", "https://127.0.0.1/");
        check_one("https://example.com/%c3%bc", "https://example.com/%C3%BC");
        check_one("https://example.com/\u{fc}", "https://example.com/%C3%BC");
        check_one(
            "https://ann:a%2Db@example.com/",
            "https://ann:a-b@example.com:443",
        );
    }

    #[test]
    fn what_a_receiver_could_tell_apart_is_two() {
        for (one, other) in [
            ("https://example.com/", "http://example.com/"),
            ("https://example.com/", "https://example.com:8443/"),
            ("https://example.com/a", "https://example.com/a/"),
            ("https://example.com/a", "https://example.com/A"),
            ("https://example.com/a", "https://example.com/a?"),
            ("https://example.com/a%2Fb", "https://example.com/a/b"),
            ("https://example.com/a%20b", "https://example.com/a+b"),
            ("https://example.com/?a=1&b=2", "https://example.com/?b=2&a=1"),
            ("https://ann:one@example.com/", "https://ann:two@example.com/"),
            ("https://ann@example.com/", "https://example.com/"),
            ("inspector://one", "inspector://two"),
            ("no address", "another"),
        ] {
            check_two(one, other);
        }
    }

    #[test]
    fn what_may_be_kept_has_no_credentials_in_it() {
        let address = ComparedAddress::of("https://ann:one@example.com/x");
        assert_eq!(address.place, "https://example.com/x");
    }

    proptest! {
        #[test]
        fn the_compared_form_is_its_own(rest in "[a-zA-Z0-9%./?&=~_-]{0,30}") {
            let once = ComparedAddress::of(&format!("https://Example.com/{rest}"));
            prop_assert_eq!(ComparedAddress::of(&once.place).place, once.place);
        }
    }
}
