//! Failure of an attempt in one word: a status, or the reason for which no answer came. Lists are filtered and
//! grouped by it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use switchhook_protocol::UnknownWord;

use super::{AttemptOutcome, FailureReason, OutcomeClass};

/// Failure of an attempt. Its text form is the status or the reason: `503`, `connection_refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// An answer with this status.
    Status(u16),
    /// No answer.
    NoAnswer(FailureReason),
}

impl Failure {
    /// Valid words: a status, or one of the reasons.
    const WORDS: [&str; 12] = [
        "a status such as 503",
        FailureReason::Dns.as_str(),
        FailureReason::AddressRefused.as_str(),
        FailureReason::ConnectionRefused.as_str(),
        FailureReason::ConnectTimeout.as_str(),
        FailureReason::Tls.as_str(),
        FailureReason::AnswerTimeout.as_str(),
        FailureReason::ConnectionLost.as_str(),
        FailureReason::NotHttp.as_str(),
        FailureReason::BadRequest.as_str(),
        FailureReason::Template.as_str(),
        FailureReason::Authentication.as_str(),
    ];

    /// Failure in an outcome; `None` if it is a success, or unknown.
    #[must_use]
    pub const fn of(outcome: &AttemptOutcome) -> Option<Self> {
        match outcome {
            AttemptOutcome::Answered { status, .. } if !outcome.class().is_success() => {
                Some(Self::Status(*status))
            }
            AttemptOutcome::Unanswered { reason, .. } => Some(Self::NoAnswer(*reason)),
            AttemptOutcome::Answered { .. } | AttemptOutcome::Lost => None,
        }
    }

    /// Class of the failure, which decides on the consequences.
    #[must_use]
    pub const fn class(self) -> OutcomeClass {
        match self {
            Self::Status(status) => OutcomeClass::of_status(status),
            Self::NoAnswer(reason) => OutcomeClass::of_reason(reason),
        }
    }

    /// The status and the reason, as they are kept and shown apart: one of them is there.
    #[must_use]
    pub const fn parts(self) -> (Option<u16>, Option<FailureReason>) {
        match self {
            Self::Status(status) => (Some(status), None),
            Self::NoAnswer(reason) => (None, Some(reason)),
        }
    }

    /// Inverse of [`Failure::parts`]; `None` if neither is there.
    #[must_use]
    pub const fn from_parts(status: Option<u16>, reason: Option<FailureReason>) -> Option<Self> {
        match (status, reason) {
            (Some(status), _) => Some(Self::Status(status)),
            (None, Some(reason)) => Some(Self::NoAnswer(reason)),
            (None, None) => None,
        }
    }

    /// Label of the line shown for a failed attempt with this status, or without one.
    #[must_use]
    pub const fn name_of_last(status: Option<u16>) -> &'static str {
        match status {
            Some(_) => "last answer",
            None => "last error",
        }
    }

    /// Failure as the end of a sentence about the receiver, in the past: `answered 500`, `refused the connection`.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Status(status) => format!("answered {status}"),
            Self::NoAnswer(reason) => reason.in_words().to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::NoAnswer(reason) => f.pad(reason.as_str()),
        }
    }
}

impl FromStr for Failure {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        if let Ok(status @ 100..=999) = text.parse() {
            return Ok(Self::Status(status));
        }
        let reason = text.parse().map(Self::NoAnswer);
        reason.map_err(|_| UnknownWord::new("failure", text, Self::WORDS))
    }
}

impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Failure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_has_a_word_and_what_did_not_has_none() {
        let answered = |status| {
            Failure::of(&AttemptOutcome::Answered {
                status,
                retry_after: None,
            })
        };
        assert_eq!(answered(204), None);
        assert_eq!(answered(302), Some(Failure::Status(302)));
        assert_eq!(answered(503), Some(Failure::Status(503)));
        assert_eq!(Failure::of(&AttemptOutcome::Lost), None);
        for reason in FailureReason::ALL {
            let outcome = AttemptOutcome::Unanswered {
                reason,
                detail: "10.0.0.1:443".to_owned(),
            };
            assert_eq!(Failure::of(&outcome), Some(Failure::NoAnswer(reason)));
            assert_eq!(Failure::NoAnswer(reason).class(), outcome.class());
        }
    }

    #[test]
    fn a_word_reads_back_as_what_it_was() {
        let reasons = FailureReason::ALL.into_iter().map(Failure::NoAnswer);
        for failure in reasons.chain([Failure::Status(500)]) {
            assert_eq!(failure.to_string().parse(), Ok(failure));
            let (status, reason) = failure.parts();
            assert_eq!(Failure::from_parts(status, reason), Some(failure));
        }
        for wrong in ["nothing", "99", "1000", ""] {
            assert!(wrong.parse::<Failure>().is_err(), "{wrong}");
        }
        assert_eq!(Failure::Status(500).in_words(), "answered 500");
    }
}
