//! Outcomes: what came of an attempt, which class that is, and what each class does.

use switchhook_protocol::{Timestamp, spelled_enum};

/// What came of an attempt.
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
        /// Why not.
        reason: FailureReason,
        /// The particulars, in words for a person.
        detail: String,
    },
    /// We do not know: the node that made it stopped, or lost its lease.
    Lost,
}

impl AttemptOutcome {
    /// What the outcome means for the delivery.
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
    /// Why no answer came.
    pub enum FailureReason: "failure reason" {
        /// The host's name has no address.
        Dns = "dns",
        /// The address is one we do not send to.
        AddressRefused = "address_refused",
        /// Nobody listens there.
        ConnectionRefused = "connection_refused",
        /// The connection did not stand in time.
        ConnectTimeout = "connect_timeout",
        /// TLS could not be agreed, or the certificate is not to be trusted.
        Tls = "tls",
        /// No answer came in time.
        AnswerTimeout = "answer_timeout",
        /// The connection broke.
        ConnectionLost = "connection_lost",
        /// What came was no HTTP.
        NotHttp = "not_http",
        /// The request could not even be made (a `hook_url` that is no URL, a header that is none).
        BadRequest = "bad_request",
        /// The webhook's template makes nothing of the event that could be sent.
        Template = "template",
        /// What the receiver wants to know us by could not be had: a token of an `OAuth2` server, or a certificate.
        Authentication = "authentication",
    }
}

impl FailureReason {
    /// What the receiver did, as the end of a sentence about it in the past: `at the last one it refused the connection`.
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
    /// What an outcome means. What follows from each class is said by [`OutcomeClass::consequences`].
    pub enum OutcomeClass: "attempt outcome" {
        /// 2xx: the receiver has it.
        Accepted = "accepted",
        /// 3xx: we do not follow, so the receiver does not have it.
        Redirected = "redirected",
        /// 408, 425, 429: not now.
        Postponed = "postponed",
        /// 410: never again.
        Gone = "gone",
        /// Any other 4xx: the receiver thinks the request is wrong. Or there is none, because the template is wrong.
        Refused = "refused",
        /// 5xx, or a status that is none.
        Failed = "failed",
        /// Nothing came.
        Unanswered = "unanswered",
        /// Unknown.
        Lost = "lost",
    }
}

impl OutcomeClass {
    /// What an answer with this status means.
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

    /// What it means that there is none, for this reason.
    pub(super) const fn of_reason(reason: FailureReason) -> Self {
        match reason {
            // As if the receiver had refused it: the same is to be expected until somebody changes the template.
            FailureReason::Template => Self::Refused,
            _ => Self::Unanswered,
        }
    }
}

/// What follows from an attempt that ended with a class: for its delivery, for those behind it, for its webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequences {
    /// What the attempt counts as in its delivery.
    pub counts_as: CountsAs,
    /// Whether the profile `durable` tries again.
    pub durable: Retry,
    /// Whether the profile `dialpad` tries again.
    pub dialpad: Retry,
    /// How long the delivery still holds up those behind it that share its order key.
    pub blocks: Blocks,
    /// What it is for the webhook's breaker: good closes it, ten bad ones in a row open it.
    pub breaker: Sign,
    /// What it is for the cap on the webhook's attempts under way: good raises it by one, bad halves it.
    pub cap: Sign,
}

/// What an attempt counts as in its delivery.
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

/// Whether a delivery is tried again.
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

/// How long a delivery holds up those behind it that share its order key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// No longer.
    Never,
    /// For [`ATTEMPTS_THAT_BLOCK`](crate::order::ATTEMPTS_THAT_BLOCK) attempts: the same answer is to be expected tomorrow.
    Briefly,
    /// While it is tried, for at most [`LONGEST_BLOCK`](crate::order::LONGEST_BLOCK).
    WhileTried,
}

/// What an attempt says of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It works.
    Good,
    /// It does not.
    Bad,
    /// Nothing.
    Neither,
}

impl OutcomeClass {
    /// What follows from an attempt of this class: the one table that every rule reads.
    #[must_use]
    #[rustfmt::skip]
    pub const fn consequences(self) -> Consequences {
        use Retry::{AtOnce, AtOnceTwice, Scheduled};
        use Sign::{Bad, Good, Neither};
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

    /// Whether the receiver has the delivery.
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
    breaker: Sign,
    cap: Sign,
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
                row.breaker != Sign::Bad || row.cap == Sign::Bad,
                "who fails is sent less: {class}"
            );
            assert_eq!(
                class.is_success(),
                row.breaker == Sign::Good,
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
