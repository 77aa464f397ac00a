//! The one place where PostgreSQL's errors become the store's: sorted by what the caller can do.

use std::time::Duration;

use super::MOST_CONNECTIONS;
use crate::StoreError;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(failure) => sorted(failure.code().as_deref().unwrap_or(""), failure.message()),
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::RowNotFound => Self::Corrupt(error.to_string()),
            sqlx::Error::Configuration(why) => Self::Unusable(format!("the store's URL is not understood: {why}")),
            sqlx::Error::PoolTimedOut => Self::Unavailable(
                "no connection to PostgreSQL was free in time: is it up, and does it allow enough connections?".into(),
            ),
            sqlx::Error::PoolClosed => Self::closed(),
            // It was reached, so it is up.
            sqlx::Error::Tls(why) => Self::Unavailable(format!("no TLS can be spoken with PostgreSQL: {why}")),
            _ => Self::Unavailable(format!(
                "PostgreSQL cannot be reached: {error}: is it up, and does it listen there?"
            )),
        }
    }
}

/// By the class of SQLSTATE, that is its first two characters.
/// Source: the appendix "PostgreSQL Error Codes" of its manual.
fn sorted(code: &str, message: &str) -> StoreError {
    match (code.get(..2).unwrap_or(""), code) {
        // A statement that was prepared is not there, or somebody else's is.
        (_, "26000" | "42P05") => shared_sessions(),
        _ if message.contains("statement pooling mode") => shared_sessions(),
        _ if NONE_LEFT.iter().any(|words| message.contains(words)) => no_connection(),
        _ if message.contains("unsupported startup parameter") => StoreError::Unusable(format!(
            "the pooler in front of PostgreSQL refuses a parameter ({message}): leave it out of the URL, or name it in \
             PgBouncer's ignore_startup_parameters"
        )),
        (_, "28P01") => StoreError::Unusable(format!(
            "PostgreSQL refuses: {message}; in a URL `@ # / ? : %` of a password are written percent-encoded: \
             {PERCENT_ENCODED}"
        )),
        (_, "57014") => StoreError::Unavailable(
            "a statement took too long at PostgreSQL and was stopped: another session may hold a lock, or the database is \
             overloaded; a list takes less with a time range"
                .into(),
        ),
        (_, "53100") => {
            StoreError::Unavailable("PostgreSQL's disk is full: free some space; nothing was lost".into())
        }
        ("23", _) => StoreError::Conflict(format!("it is already kept ({message})")),
        // Data that the database refuses, and rows or indexes that it finds damaged.
        ("22" | "XX" | "54", _) => StoreError::Corrupt(message.to_owned()),
        // Wrong user, password or database, missing rights, tables that are not there.
        ("28" | "3D" | "3F" | "42", _) => StoreError::Unusable(format!("PostgreSQL refuses: {message}")),
        _ => StoreError::Unavailable(format!("PostgreSQL answers: {message}")),
    }
}

/// Escapes for special characters of a password in a URL.
pub(super) const PERCENT_ENCODED: &str = "%40 %23 %2F %3F %3A %25";

/// A pooler gives every transaction another session.
pub(super) fn shared_sessions() -> StoreError {
    StoreError::Unusable(
        "PgBouncer in transaction mode (or a pooler like it) is in front of PostgreSQL: each transaction gets another session, \
         so that notices (LISTEN) and prepared statements are lost; use it in session mode (pool_mode = session), or connect \
         directly (at Neon: the host without `-pooler`)"
            .into(),
    )
}

/// Errors of `PgBouncer` and PostgreSQL for a lack of connections.
const NONE_LEFT: [&str; 3] = ["query_wait_timeout", "max_client_conn", "too many clients"];

/// No connection could be made, although somebody may listen.
pub(super) fn no_connection() -> StoreError {
    StoreError::Unavailable(format!(
        "PostgreSQL gave this node no connection in time: it may be overloaded, or it or a pooler before it (PgBouncer: \
         default_pool_size) has none left; a node needs up to {MOST_CONNECTIONS}"
    ))
}

pub(super) fn no_answer(within: Duration) -> StoreError {
    StoreError::Unavailable(format!("PostgreSQL did not answer within {} s", within.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: fn(&StoreError) -> bool) {
        let error = sorted(code, "why");
        assert!(expected(&error), "{code}: {error:?}");
    }

    #[test]
    fn who_speaks_no_tls_is_not_said_to_be_down() {
        let error = StoreError::from(sqlx::Error::Tls("server does not support TLS".into()));
        let told = error.to_string();
        assert!(told.ends_with("server does not support TLS"), "{told}");
    }

    #[test]
    fn errors_are_sorted_by_what_the_caller_can_do() {
        for later in [
            "57P01", "08006", "53300", "40001", "40P01", "25P03", "55P03", "53100", "57014",
        ] {
            check(later, |error| matches!(error, StoreError::Unavailable(_)));
        }
        for (code, message) in [
            ("08P01", "query_wait_timeout"),
            ("08P01", "no more connections allowed (max_client_conn)"),
            ("53300", "sorry, too many clients already"),
        ] {
            let error = sorted(code, message);
            assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
            assert!(error.to_string().contains("a node needs up to 11"), "{error}");
        }
        check("57014", |error| error.to_string().contains("may hold a lock"));
        check("23505", |error| matches!(error, StoreError::Conflict(_)));
        for unreadable in ["22021", "XX001", "54000"] {
            check(unreadable, |error| matches!(error, StoreError::Corrupt(_)));
        }
        for configuration in ["28P01", "3D000", "42501", "26000", "42P05"] {
            check(configuration, |error| matches!(error, StoreError::Unusable(_)));
        }
    }
}
