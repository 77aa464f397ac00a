//! Everything that can be wrong with a token, each with its name and a sentence for whoever reads the log.
//! No variant holds anything secret: neither the key nor the payload nor the signature that would have matched.
//! Where these are found is `verify`.

use std::fmt;

use super::verify::MAX_TOKEN_BYTES;

/// Reason for which a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no token.
    #[error("the token is empty")]
    Empty,
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token has {bytes} bytes; more than {MAX_TOKEN_BYTES} are not looked at")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It is JSON: the sender signs nothing.
    #[error("this is plain JSON and not a signed token; the sending webhook has no secret")]
    PlainJson,
    /// It is not three segments.
    #[error("a compact JWS has 3 segments separated by dots, and the token has {found}")]
    Segments {
        /// Number of segments.
        found: usize,
    },
    /// A segment is padded with `=`, which a JWS never is.
    #[error("the {part} of the token is padded with `=`; a JWS uses base64url without padding")]
    Padded {
        /// Segment concerned.
        part: TokenPart,
    },
    /// A segment holds something that is not base64url.
    #[error("the {part} of the token is not base64url: byte {at} (counted from 0) is {found:?}")]
    NotBase64 {
        /// Segment concerned.
        part: TokenPart,
        /// Offset within the segment.
        at: usize,
        /// Character found.
        found: char,
    },
    /// A segment has a length no base64 text can have.
    #[error(
        "the {part} of the token is cut off: {length} characters of base64url are no whole number of bytes"
    )]
    CutOff {
        /// Segment concerned.
        part: TokenPart,
        length: usize,
    },
    /// A segment's last character has bits set that mean nothing; only one spelling of each token is accepted.
    #[error("the {part} of the token ends in a character that no encoder writes; it was changed or cut off")]
    NotCanonical {
        /// Segment concerned.
        part: TokenPart,
    },
    /// The header is not a JSON object.
    #[error("the token's header is not a JSON object: {reason}")]
    HeaderNotJson {
        /// Description of the mistake.
        reason: String,
    },
    /// The header names no algorithm.
    #[error("the token's header names no algorithm; only HS256 is accepted")]
    NoAlgorithm,
    /// The header says that the token is not signed.
    #[error("the token says it is not signed (algorithm `none`); only HS256 is accepted")]
    Unsigned,
    /// The header names another algorithm.
    #[error("the token is signed with {found}; only HS256 is accepted")]
    OtherAlgorithm {
        /// Value in the header, as JSON text of at most 64 characters.
        found: String,
    },
    /// The header names extensions that must be understood; none is.
    #[error("the token's header has `crit`, which asks for extensions that are not supported")]
    Critical,
    /// There is no secret to check with.
    #[error("the token is signed, but no secret is known to check it with")]
    NoSecret,
    /// None of the secrets made this signature.
    #[error(
        "the signature {}: another secret, or the body was changed on its way", matches_none_of(*secrets_tried)
    )]
    WrongSignature {
        /// Number of secrets tried.
        secrets_tried: usize,
    },
}

fn matches_none_of(secrets: usize) -> String {
    match secrets {
        1 => "does not match the secret known here".to_owned(),
        secrets => format!("matches none of the {secrets} secrets known here"),
    }
}

/// One of the three segments of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPart {
    /// The first: which algorithm.
    Header,
    /// The second: the event.
    Payload,
    /// The third.
    Signature,
}

impl fmt::Display for TokenPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_match_is_said_of_one_secret_and_of_several() {
        let told = |secrets_tried| VerifyError::WrongSignature { secrets_tried }.to_string();
        assert!(
            told(1).contains("does not match the secret known here"),
            "{}",
            told(1)
        );
        assert!(
            told(2).contains("matches none of the 2 secrets known here"),
            "{}",
            told(2)
        );
    }
}
