//! Outcomes: what came of an attempt, which class that is, and what each class does.

use switchhook_protocol::{Timestamp, spelled_enum};

/// Outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver answered: the line with the status came, which decides, whatever became of the rest.
    Answered {
        /// HTTP status.
        status: u16,
        /// Until when the answer asked us to wait.
        retry_after: Option<Timestamp>,
    },
    /// No status came.
    Unanswered {
        reason: FailureReason,
        /// The particulars, in words for a person.
        detail: String,
    },
    /// We do not know: the node that made it stopped, or lost its lease.
    Lost,
}

impl AttemptOutcome {
    /// Class of the outcome, which decides on the consequences.
    #[must_use]
    pub const fn class(&self) -> OutcomeClass {
        match self {
            Self::Answered { status, .. } => OutcomeClass::of_status(*status),
            Self::Unanswered { reason, .. } => OutcomeClass::of_reason(*reason),
            Self::Lost => OutcomeClass::Lost,
        }
    }
}

spelled_enum! {
    /// Reason for which no answer came.
    pub enum FailureReason: "failure reason" {
        /// The host's name has no address.
        Dns = "dns",
        /// The address is one we do not send to.
        AddressRefused = "address_refused",
        /// Nobody listens at the address.
        ConnectionRefused = "connection_refused",
        /// The connection did not stand in time.
        ConnectTimeout = "connect_timeout",
        /// TLS could not be agreed, or the certificate is not to be trusted.
        Tls = "tls",
        /// No answer came in time.
        AnswerTimeout = "answer_timeout",
        /// The connection broke.
        ConnectionLost = "connection_lost",
        /// The answer was not HTTP.
        NotHttp = "not_http",
        /// The request could not even be made (a `hook_url` that is no URL, a header that is none).
        BadRequest = "bad_request",
        /// The webhook's template makes nothing of the event that could be sent.
        Template = "template",
        /// The credentials for the receiver could not be obtained: a token of an `OAuth2` server, or a certificate.
        Authentication = "authentication",
    }
}

impl FailureReason {
    /// Reason as the end of a sentence about the receiver, in the past: `at the last one it refused the connection`.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Dns => "could not be found by its name",
            Self::AddressRefused => "had an address that is not sent to",
            Self::ConnectionRefused => "refused the connection",
            Self::ConnectTimeout => "could not be connected to in time",
            Self::Tls => "could not be connected to with TLS",
            Self::AnswerTimeout => "did not answer in time",
            Self::ConnectionLost => "broke the connection off",
            Self::NotHttp => "answered something that is not HTTP",
            Self::BadRequest => "could not be sent the request",
            Self::Authentication => "was sent nothing, because the credentials for it could not be had",
            Self::Template => "was sent nothing, because the template cannot be filled in",
        }
    }
}

spelled_enum! {
    /// Class of an outcome. [`OutcomeClass::consequences`] is the table of what follows from each.
    pub enum OutcomeClass: "attempt outcome" {
        /// 2xx: the receiver has it.
        Accepted = "accepted",
        /// 3xx: we do not follow, so the receiver does not have it.
        Redirected = "redirected",
        /// 408, 425, 429: not now.
        Postponed = "postponed",
        /// 410: the receiver wants nothing ever again.
        Gone = "gone",
        /// Any other 4xx: the receiver thinks the request is wrong. Or there is none, because the template is wrong.
        Refused = "refused",
        /// 5xx, or a status that is none.
        Failed = "failed",
        /// No answer came.
        Unanswered = "unanswered",
        /// The outcome is unknown.
        Lost = "lost",
    }
}

impl OutcomeClass {
    /// Class of an answer with this status.
    pub(super) const fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Accepted,
            300..=399 => Self::Redirected,
            408 | 425 | 429 => Self::Postponed,
            410 => Self::Gone,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// Class of a missing answer.
    pub(super) const fn of_reason(reason: FailureReason) -> Self {
        match reason {
            // As if the receiver had refused it: the same is to be expected until somebody changes the template.
            FailureReason::Template => Self::Refused,
            _ => Self::Unanswered,
        }
    }
}

/// Consequences of an outcome: for its delivery, for those behind it, and for its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequences {
    /// Count that the delivery keeps.
    pub counts_as: CountsAs,
    /// Retry of the profile `durable`.
    pub durable: Retry,
    /// Retry of the profile `dialpad`.
    pub dialpad: Retry,
    /// Time for which the delivery still holds up those behind it with the same order key.
    pub blocks: Blocks,
    /// Signal for the webhook's breaker: a good one closes it, ten bad ones in a row open it.
    pub breaker: HealthSignal,
    /// Signal for the cap on the webhook's attempts in flight: a good one raises it by one, a bad one halves it.
    pub cap: HealthSignal,
}

/// Count of a delivery that an attempt adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsAs {
    /// Delivered.
    Success,
    /// A failure with an answer.
    Answered,
    /// A failure without an answer.
    Unanswered,
    /// Neither success nor failure: we do not know.
    Nothing,
}

/// Rule by which a delivery is tried again, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: unless the attempt succeeded, the delivery is given up.
    Never,
    /// After the delay in the profile's schedule, until that ends.
    Scheduled,
    /// At once, at most twice.
    AtOnceTwice,
    /// At once, however often.
    AtOnce,
}

/// Time for which a delivery holds up those behind it with the same order key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// It no longer does.
    Never,
    /// For [`ATTEMPTS_THAT_BLOCK`](crate::order::ATTEMPTS_THAT_BLOCK) attempts: the same answer is to be expected tomorrow.
    Briefly,
    /// While it is tried, for at most [`LONGEST_BLOCK`](crate::order::LONGEST_BLOCK).
    WhileTried,
}

/// Statement of an attempt about its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthSignal {
    /// The receiver works.
    Good,
    /// The receiver fails.
    Bad,
    /// It says nothing about the receiver.
    Neither,
}

impl OutcomeClass {
    /// Consequences of this class: the one table that every rule reads.
    #[must_use]
    #[rustfmt::skip]
    pub const fn consequences(self) -> Consequences {
        use Retry::{AtOnce, AtOnceTwice, Scheduled};
        use HealthSignal::{Bad, Good, Neither};
        match self {
            //                        counts as             durable        dialpad        blocks              breaker  cap
            Self::Accepted   => row(CountsAs::Success,    Retry::Never,  Retry::Never,  Blocks::Never,      Good,    Good),
            Self::Redirected => row(CountsAs::Answered,   Scheduled,     Retry::Never,  Blocks::WhileTried, Neither, Neither),
            Self::Postponed  => row(CountsAs::Answered,   Scheduled,     Retry::Never,  Blocks::WhileTried, Neither, Bad),
            Self::Gone       => row(CountsAs::Answered,   Retry::Never,  Retry::Never,  Blocks::Never,      Neither, Neither),
            Self::Refused    => row(CountsAs::Answered,   Scheduled,     Retry::Never,  Blocks::Briefly,    Neither, Neither),
            Self::Failed     => row(CountsAs::Answered,   Scheduled,     Scheduled,     Blocks::WhileTried, Bad,     Bad),
            Self::Unanswered => row(CountsAs::Unanswered, Scheduled,     AtOnceTwice,   Blocks::WhileTried, Bad,     Bad),
            Self::Lost       => row(CountsAs::Nothing,    AtOnce,        AtOnce,        Blocks::WhileTried, Neither, Neither),
        }
    }

    /// True if the receiver has the delivery.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self.consequences().counts_as, CountsAs::Success)
    }
}

const fn row(
    counts_as: CountsAs,
    durable: Retry,
    dialpad: Retry,
    blocks: Blocks,
    breaker: HealthSignal,
    cap: HealthSignal,
) -> Consequences {
    Consequences {
        counts_as,
        durable,
        dialpad,
        blocks,
        breaker,
        cap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, class: OutcomeClass, says: &str) {
        let outcome = AttemptOutcome::Answered {
            status,
            retry_after: None,
        };
        assert_eq!(outcome.class(), class, "{status}");
        let Consequences {
            counts_as,
            durable,
            dialpad,
            blocks,
            breaker,
            cap,
        } = class.consequences();
        let told = format!("{counts_as:?} {durable:?} {dialpad:?} {blocks:?} {breaker:?} {cap:?}");
        assert_eq!(told, says, "{status}");
    }

    #[test]
    fn what_does_a_429_do() {
        check(
            429,
            OutcomeClass::Postponed,
            "Answered Scheduled Never WhileTried Neither Bad",
        );
        check(
            410,
            OutcomeClass::Gone,
            "Answered Never Never Never Neither Neither",
        );
        check(
            401,
            OutcomeClass::Refused,
            "Answered Scheduled Never Briefly Neither Neither",
        );
        check(
            500,
            OutcomeClass::Failed,
            "Answered Scheduled Scheduled WhileTried Bad Bad",
        );
    }

    #[test]
    fn the_columns_of_the_table_agree() {
        for class in OutcomeClass::ALL {
            let row = class.consequences();
            let is_over = row.durable == Retry::Never;
            assert_eq!(
                is_over,
                row.blocks == Blocks::Never,
                "what is over holds up nobody: {class}"
            );
            assert!(
                !is_over || row.dialpad == Retry::Never,
                "durable is the more patient: {class}"
            );
            assert!(
                row.breaker != HealthSignal::Bad || row.cap == HealthSignal::Bad,
                "who fails is sent less: {class}"
            );
            assert_eq!(
                class.is_success(),
                row.breaker == HealthSignal::Good,
                "only success closes: {class}"
            );
        }
    }

    #[test]
    fn success_is_2xx_alone() {
        for status in 0..=u16::MAX {
            let outcome = AttemptOutcome::Answered {
                status,
                retry_after: None,
            };
            assert_eq!(
                outcome.class().is_success(),
                (200..300).contains(&status),
                "{status}"
            );
        }
    }
}
