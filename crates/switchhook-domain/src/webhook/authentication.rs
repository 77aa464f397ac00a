//! Authentication of deliveries beside the signature: a token, a password, a token of an `OAuth2` server, or a client
//! certificate. Its secrets are never shown again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::is_header_value;
use crate::credential::{MASK, shown_url, user_info};

/// The most bytes of a token, a name or a password.
const LONGEST_TEXT: usize = 4 * 1024;

/// The most bytes of certificates or of a key, as PEM.
pub const LONGEST_PEM: usize = 32 * 1024;

/// Scheme of authentication.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Authentication {
    /// `Authorization: Bearer TOKEN`.
    Bearer { token: String },
    /// `Authorization: Basic …`.
    Basic { username: String, password: String },
    /// A token that an `OAuth2` server gives for client credentials (RFC 6749 §4.4).
    Oauth2 {
        /// Token endpoint.
        token_url: String,
        client_id: String,
        /// By which the server knows who asks.
        client_secret: String,
        /// Scope, if the server requires one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// A client's certificate (mTLS).
    Mtls {
        /// The certificate and those above it, as PEM.
        cert: String,
        /// Its private key, as PEM.
        key: String,
    },
}

/// A webhook's, if it has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Auth(pub Option<Authentication>);

impl Authentication {
    /// Its name: what `type` is.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::Oauth2 { .. } => "oauth2",
            Self::Mtls { .. } => "mtls",
        }
    }

    /// Secret parts.
    fn secrets(&mut self) -> Vec<&mut String> {
        match self {
            Self::Bearer { token } => vec![token],
            Self::Basic { password, .. } => vec![password],
            Self::Oauth2 { client_secret, .. } => vec![client_secret],
            Self::Mtls { cert, key } => vec![cert, key],
        }
    }

    /// It as it is shown, to everybody.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut masked = self.clone();
        for secret in masked.secrets() {
            MASK.clone_into(secret);
        }
        if let Self::Oauth2 { token_url, .. } = &mut masked {
            *token_url = shown_url(token_url).into_owned();
        }
        masked
    }

    /// URL that its secret is sent to, if that is not the receiver.
    fn token_url(&mut self) -> Option<&mut String> {
        match self {
            Self::Oauth2 { token_url, .. } => Some(token_url),
            _ => None,
        }
    }

    /// True if it holds a secret that is not just a mask.
    pub(super) fn names_secret(&self) -> bool {
        let mut own = self.clone();
        own.secrets().iter().any(|secret| *secret != MASK)
    }

    /// It with the secrets of `before` where a mask was sent back; `None` if there is none to keep. A secret is kept for the server
    /// that it was given for, and no other.
    fn completed(mut self, before: Option<&Self>) -> Option<Self> {
        let mut before = before.filter(|before| before.name() == self.name()).cloned();
        if let (Some(own), Some(kept)) = (self.token_url(), before.as_mut().and_then(Self::token_url)) {
            if shown_url(kept) == *own {
                own.clone_from(kept);
            }
            if own != kept {
                before = None;
            }
        }
        let kept = before.as_mut().map(Self::secrets);
        let mut kept = kept.into_iter().flatten();
        for secret in self.secrets() {
            let kept = kept.next();
            if secret == MASK {
                *secret = kept?.clone();
            }
        }
        Some(self)
    }

    /// Checks its texts.
    ///
    /// # Errors
    /// If one is invalid, with the reason.
    pub fn check(&self) -> Result<(), String> {
        let text = |name: &str, text: &str, longest: usize| match text.len() {
            0 => Err(format!("{name} is empty")),
            length if length > longest => Err(format!("{name} is longer than {longest} bytes")),
            _ => Ok(()),
        };
        match self {
            Self::Bearer { token } => {
                text("token", token, LONGEST_TEXT)?;
                if !is_header_value(token) {
                    return Err("token: it may have visible ASCII letters only".to_owned());
                }
                Ok(())
            }
            Self::Basic { username, password } => {
                text("username", username, LONGEST_TEXT)?;
                text("password", password, LONGEST_TEXT)?;
                if username.contains(':') {
                    return Err("username: a colon cannot be in it".to_owned());
                }
                Ok(())
            }
            Self::Oauth2 {
                token_url,
                client_id,
                client_secret,
                scope,
            } => {
                text("token_url", token_url, LONGEST_TEXT)?;
                if user_info(token_url).is_some() {
                    return Err(
                        "token_url: leave user and password out: client_id and client_secret are sent"
                            .to_owned(),
                    );
                }
                text("client_id", client_id, LONGEST_TEXT)?;
                text("client_secret", client_secret, LONGEST_TEXT)?;
                scope
                    .as_ref()
                    .map_or(Ok(()), |scope| text("scope", scope, LONGEST_TEXT))
            }
            Self::Mtls { cert, key } => {
                text("cert", cert, LONGEST_PEM)?;
                text("key", key, LONGEST_PEM)
            }
        }
    }
}

impl Auth {
    /// Value to keep in place of `before`: masks that come back stand for the previous secrets.
    #[must_use]
    pub fn kept_over(self, before: &Self) -> Self {
        Self(self.0.and_then(|own| own.completed(before.0.as_ref())))
    }

    /// True if a mask came back that stands for nothing.
    #[must_use]
    pub fn has_unknown_mask(&self, before: &Self) -> bool {
        self.0.is_some() && self.clone().kept_over(before).0.is_none()
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authentication({}, ***)", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(password: &str) -> Auth {
        Auth(Some(Authentication::Basic {
            username: "us".to_owned(),
            password: password.to_owned(),
        }))
    }

    #[test]
    fn secrets_do_not_show_and_a_mask_keeps_what_is_set() {
        let before = basic("hunter2");
        let shown = before.0.as_ref().map(Authentication::masked);
        let json = serde_json::to_string(&shown).unwrap();
        assert_eq!(json, r#"{"type":"basic","username":"us","password":"***"}"#);
        assert!(!format!("{before:?}").contains("hunter2"));
        assert_eq!(basic("***").kept_over(&before), before);
        assert_eq!(basic("other").kept_over(&before), basic("other"));
        let bearer = Auth(Some(Authentication::Bearer {
            token: MASK.to_owned(),
        }));
        assert!(
            bearer.has_unknown_mask(&before),
            "of another type nothing is kept"
        );
        assert!(!basic("***").has_unknown_mask(&before));
        assert_eq!(Auth(None).kept_over(&before), Auth(None));
    }

    #[test]
    fn a_secret_is_kept_for_the_server_that_it_was_given_for() {
        let oauth2 = |token_url: &str, client_secret: &str| {
            Auth(Some(Authentication::Oauth2 {
                token_url: token_url.to_owned(),
                client_id: "us".to_owned(),
                client_secret: client_secret.to_owned(),
                scope: None,
            }))
        };
        let before = oauth2("https://e.com/token?key=k3y", "hunter2");
        let shown = Auth(before.0.as_ref().map(Authentication::masked));
        assert_eq!(shown, oauth2("https://e.com/token?key=***", "***"));
        assert_eq!(shown.kept_over(&before), before);
        let elsewhere = oauth2("https://evil.example/token", "***");
        assert!(elsewhere.has_unknown_mask(&before));
        let anew = oauth2("https://other.example/token", "other");
        assert_eq!(anew.clone().kept_over(&before), anew);
    }

    #[test]
    fn each_type_is_read_by_its_name_and_checked() {
        for (json, wrong) in [
            (r#"{"type":"bearer","token":"t"}"#, None),
            (r#"{"type":"bearer","token":""}"#, Some("token is empty")),
            (r#"{"type":"bearer","token":"a\nb"}"#, Some("token: it may have")),
            (
                r#"{"type":"basic","username":"a:b","password":"c"}"#,
                Some("username: a colon"),
            ),
            (
                r#"{"type":"oauth2","token_url":"https://e.com","client_id":"a","client_secret":"b"}"#,
                None,
            ),
            (
                r#"{"type":"oauth2","token_url":"https://u:p@e.com","client_id":"a","client_secret":"b"}"#,
                Some("token_url: leave user and password out"),
            ),
            (r#"{"type":"mtls","cert":"c","key":""}"#, Some("key is empty")),
        ] {
            let auth: Authentication = serde_json::from_str(json).unwrap();
            match (auth.check(), wrong) {
                (Ok(()), None) => {}
                (Err(error), Some(wrong)) => assert!(error.starts_with(wrong), "{error}"),
                (answer, _) => panic!("{json}: {answer:?}"),
            }
        }
        for json in [r#"{"type":"digest"}"#, r#"{"type":"bearer"}"#, r#"{"token":"t"}"#] {
            assert!(serde_json::from_str::<Authentication>(json).is_err(), "{json}");
        }
    }
}
