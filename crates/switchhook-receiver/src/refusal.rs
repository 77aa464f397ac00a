//! Why the body of a request is not taken, and what to answer then.
//! A refusal is for the receiver's log: it says what was wrong and holds nothing secret.
//! What the sender does with the answer is its business: Dialpad gives up at any 4xx, Switchhook tries again.

use switchhook_protocol::{BodyError, VerifyError};

/// Why a body is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The receiver has a secret, and the body is not a token signed with it.
    #[error(transparent)]
    Signature(#[from] VerifyError),
    /// The body is a signed token, and the receiver has no secret to check it with.
    #[error("the event is signed, but this receiver has no secret; give it the one of the webhook")]
    SecretMissing,
    /// The body, or the payload of the token, is not one JSON object.
    #[error(transparent)]
    Body(#[from] BodyError),
}

impl Refusal {
    /// The HTTP status to answer: 401 if the signature is missing or wrong, 413 if the body is too large, else 400.
    #[must_use]
    pub fn answer_status(&self) -> u16 {
        match self {
            Self::Signature(VerifyError::TooLarge { .. }) => 413,
            Self::SecretMissing
            | Self::Signature(
                VerifyError::PlainJson
                | VerifyError::NoAlgorithm
                | VerifyError::Unsigned
                | VerifyError::OtherAlgorithm { .. }
                | VerifyError::WrongSignature { .. },
            ) => 401,
            Self::Signature(_) | Self::Body(_) => 400,
        }
    }
}
