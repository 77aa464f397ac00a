//! Refusals of requests, and the answers to them. A refusal is for the receiver's log: it says what was wrong and
//! contains nothing secret. The sender decides what to do with the answer: Dialpad gives up at any 4xx, Switchhook
//! tries again.

use switchhook_protocol::{BodyError, MAX_TOKEN_BYTES, StandardError, VerifyError};

/// Reason for which a body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The receiver has a secret, and the body is not a token signed with it.
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// The signature in the headers, as Standard Webhooks have it, is not valid.
    #[error(transparent)]
    Standard(#[from] StandardError),
    /// The event is signed, and the receiver has no secret to check it with.
    #[error("the event is signed, but this receiver has no secret; give it the one of the webhook")]
    SecretMissing,
    /// The body, or the payload of the token, is not one JSON object.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is larger than [`MAX_TOKEN_BYTES`], twice what any sender sends.
    #[error("the body has {bytes} bytes or more; more than {MAX_TOKEN_BYTES} are not looked at")]
    TooLarge {
        /// Size in bytes, at least.
        bytes: usize,
    },
    /// The body did not arrive as a whole.
    #[error("the body broke off before its end")]
    BrokenOff,
}

impl Refusal {
    /// The HTTP status to answer: 401 if the signature is missing or wrong, 413 if the body is too large, else 400.
    #[must_use]
    pub fn answer_status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::Signature(VerifyError::TooLarge { .. }) => 413,
            Self::SecretMissing
            | Self::Signature(
                VerifyError::PlainJson
                | VerifyError::NoAlgorithm
                | VerifyError::Unsigned
                | VerifyError::OtherAlgorithm { .. }
                | VerifyError::WrongSignature { .. },
            ) => 401,
            Self::Standard(StandardError::Incomplete { .. } | StandardError::NotATime) => 400,
            Self::Standard(_) => 401,
            Self::Signature(_) | Self::Body(_) | Self::BrokenOff => 400,
        }
    }
}
