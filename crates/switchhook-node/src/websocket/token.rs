//! Tokens: the right to listen at a websocket for an hour, as a text in its URL.
//!
//! A JWT of Dialpad's form, signed with a key of the websocket's own: it ends with its hour, with the websocket, or with
//! the API key that it was made for (`client_id`), and a copy of the store without the encryption key cannot make one.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use switchhook_domain::id::{KeyId, SubscriptionId, WebsocketId};
use switchhook_domain::websocket::Websocket;
use switchhook_domain::{Kind, Timestamp};

/// Lifetime of a token, and of a connection made with it.
pub const LASTS: Duration = Duration::from_secs(3_600);

const HEADER: &str = r#"{"alg":"HS256","typ":"vnd.dialpad.websocket+jwt"}"#;

/// The longest token that is looked at.
const LONGEST: usize = 1_024;

/// Events that a token's bearer may hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub websocket_id: WebsocketId,
    /// Only what this subscription lets through.
    pub only: Option<(Kind, SubscriptionId)>,
    pub expires_at: Timestamp,
    /// As long as this key is valid: the one that it was made for.
    pub key_id: KeyId,
}

/// Reason for which a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is none, or none of ours.
    #[error("this is no token of this server's: GET the websocket to have a new websocket_url")]
    Unknown,
    #[error("this token has expired: GET the websocket to have a new websocket_url")]
    Expired,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    exp: i64,
    client_id: String,
}

/// A token for the websocket, or for one of the subscriptions that point at it, made for whoever has the key.
#[must_use]
pub fn issue(
    websocket: &Websocket,
    only: Option<(Kind, SubscriptionId)>,
    key_id: KeyId,
    issuer: &str,
    now: Timestamp,
) -> String {
    let scope = match only {
        None => "*".to_owned(),
        Some((kind, id)) => format!("{}:{id}", kind.route()),
    };
    let issued_at = now.as_millis() / 1_000;
    let claims = Claims {
        iss: issuer.to_owned(),
        sub: format!("endpoint:{}:{scope}", websocket.id),
        iat: issued_at,
        exp: issued_at + 3_600,
        client_id: key_id.to_string(),
    };
    let claims = serde_json::to_vec(&claims).expect("claims are plain text");
    let mut token = URL_SAFE_NO_PAD.encode(HEADER);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let tag = hmac::sign(&key(websocket), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut token);
    token
}

fn key(websocket: &Websocket) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, websocket.token_key.expose().as_bytes())
}

/// Websocket that a token claims to be for. Nothing is verified yet.
#[must_use]
pub fn claimed_websocket(token: &str) -> Option<WebsocketId> {
    read(token).map(|grant| grant.websocket_id)
}

/// Grant of a token.
///
/// # Errors
/// If the token is not for this websocket, or has expired.
pub fn check(token: &str, websocket: &Websocket, now: Timestamp) -> Result<Grant, InvalidToken> {
    let (signed, tag) = token.rsplit_once('.').ok_or(InvalidToken::Unknown)?;
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| InvalidToken::Unknown)?;
    hmac::verify(&key(websocket), signed.as_bytes(), &tag).map_err(|_| InvalidToken::Unknown)?;
    let grant = read(token).ok_or(InvalidToken::Unknown)?;
    if grant.expires_at <= now {
        return Err(InvalidToken::Expired);
    }
    Ok(grant)
}

fn read(token: &str) -> Option<Grant> {
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    if URL_SAFE_NO_PAD.decode(header).ok()? != HEADER.as_bytes() {
        return None;
    }
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let mut words = claims.sub.split(':');
    let (Some("endpoint"), Some(id)) = (words.next(), words.next()) else {
        return None;
    };
    let only = match (words.next()?, words.next()) {
        ("*", None) => None,
        (kind, Some(id)) => Some((kind.parse().ok()?, id.parse().ok()?)),
        _ => return None,
    };
    Some(Grant {
        websocket_id: id.parse().ok()?,
        only,
        expires_at: Timestamp::from_millis(claims.exp.checked_mul(1_000)?),
        key_id: claims.client_id.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use switchhook_domain::id::CompanyId;
    use switchhook_domain::secret::Secret;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const KEY: KeyId = KeyId(7);

    fn websocket(key: &str) -> Websocket {
        Websocket {
            id: WebsocketId(77),
            company_id: CompanyId(1),
            secret: None,
            token_key: Secret::new(key),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    #[test]
    fn a_token_grants_its_websocket_or_one_subscription_for_an_hour() {
        let websocket = websocket("one");
        for only in [None, Some((Kind::AgentStatus, SubscriptionId(5)))] {
            let token = issue(&websocket, only, KEY, "https://example.com", NOW);
            assert_eq!(claimed_websocket(&token), Some(websocket.id));
            let grant = check(&token, &websocket, NOW.plus(LASTS - Duration::from_secs(1))).unwrap();
            assert_eq!((grant.websocket_id, grant.only), (websocket.id, only));
            assert_eq!(grant.key_id, KEY);
            assert_eq!(grant.expires_at, NOW.plus(LASTS));
            assert_eq!(
                check(&token, &websocket, NOW.plus(LASTS)),
                Err(InvalidToken::Expired)
            );
        }
    }

    #[test]
    fn its_form_is_dialpads() {
        let token = issue(&websocket("one"), None, KEY, "https://example.com", NOW);
        let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
        assert_eq!(parts.next().unwrap(), HEADER.as_bytes());
        let claims = String::from_utf8(parts.next().unwrap()).unwrap();
        assert_eq!(
            claims,
            r#"{"iss":"https://example.com","sub":"endpoint:77:*","iat":1790000000,"exp":1790003600,"client_id":"7"}"#
        );
    }

    #[test]
    fn nobody_else_can_make_or_change_one() {
        let websocket = websocket("one");
        let token = issue(&websocket, None, KEY, "", NOW);
        let forged = issue(&self::websocket("two"), None, KEY, "", NOW);
        let unknown = Err(InvalidToken::Unknown);
        assert_eq!(check(&forged, &websocket, NOW), unknown);
        let (signed, tag) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD
            .encode(r#"{"iss":"","sub":"endpoint:77:*","iat":0,"exp":9999999999,"client_id":"7"}"#);
        assert_eq!(
            check(&format!("{header}.{claims}.{tag}"), &websocket, NOW),
            unknown
        );
        for nonsense in ["", ".", "..", "a.b.c", &"e".repeat(5_000), signed] {
            assert_eq!(check(nonsense, &websocket, NOW), unknown, "{nonsense}");
            assert_eq!(
                claimed_websocket(nonsense).filter(|_| nonsense != signed),
                None,
                "{nonsense}"
            );
        }
    }
}
