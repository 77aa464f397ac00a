//! Functions by which a batch is one statement, and so waits for one answer of the database: they lock the order queues, see that
//! nothing else has to be decided, and write. The statement is a transaction of its own.
//!
//! They do nothing where a delivery is behind or ahead of another one of its order queue, was cancelled or is a replay's, where an
//! idempotency key was used before, and where every attempt is late; then the batch goes the long way. They are the session's own (`pg_temp`), so that each version of this program has those that it knows.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::attempts::SETTLE_ALONE;
use super::order_queue::lock_queues;
use super::record::KEEP;
use crate::error::StoreError;

/// Number of batches that go the long way after one that had to, so that few go both.
pub(super) const PAUSE: u32 = 16;

pub(super) struct Functions {
    /// Keeps new events with their deliveries, if these are the first in their queues. Takes what [`KEEP`] takes and the queues.
    pub(super) keep: Function,
    /// Does what [`SETTLE_ALONE`] does, if nobody waits for the deliveries.
    pub(super) settle: Function,
}

pub(super) struct Function {
    create: String,
    /// The statement that calls it.
    pub(super) call: String,
}

pub(super) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let keep = format!(
        "PERFORM {LOCK_GIVEN}; IF {IS_KEY_KNOWN} OR {IS_BEHIND} THEN RETURN false; END IF; {KEEP}; RETURN true;"
    );
    let settle =
        format!("PERFORM {LOCK_OWN}; IF {IS_WAITED_FOR} THEN RETURN; END IF; RETURN QUERY {SETTLE_ALONE};");
    Functions {
        keep: Function::new("keep", "boolean", &keep, ""),
        settle: Function::new("settle", "SETOF record", &settle, SETTLED),
    }
});

/// Columns that [`SETTLE_ALONE`] answers.
const SETTLED: &str = " AS settled (delivery_id bigint, number bigint, was_pending bigint, order_key text, replay_id bigint, \
     follower_id bigint)";

const LOCK_GIVEN: &str = lock_queues!(
    "SELECT webhook_id, order_key FROM unnest($31::bigint[], $32::text[]) AS given (webhook_id, order_key)"
);

const IS_KEY_KNOWN: &str = "EXISTS (SELECT FROM unnest($22::bigint[], $26::text[]) AS given (company_id, key) \
     CROSS JOIN LATERAL (SELECT FROM events WHERE idempotency_key IS NOT NULL AND company_id = given.company_id \
     AND idempotency_key = given.key LIMIT 1) AS one WHERE given.key IS NOT NULL)";

/// Sorted, as below, so that no other index looks as good.
const IS_BEHIND: &str = "EXISTS (SELECT FROM unnest($31::bigint[], $32::text[]) AS given (webhook_id, order_key) \
     CROSS JOIN LATERAL (SELECT FROM deliveries WHERE state = 'pending' AND order_key IS NOT NULL \
     AND webhook_id = given.webhook_id AND order_key = given.order_key ORDER BY line_position LIMIT 1) AS one)";

const LOCK_OWN: &str = lock_queues!(
    "SELECT webhook_id, order_key FROM deliveries WHERE id = ANY($1::bigint[]) AND order_key IS NOT NULL"
);

/// A follower, a replay that counts, or whoever cancelled it.
const IS_WAITED_FOR: &str = "EXISTS (SELECT FROM unnest($1::bigint[]) AS given (id) \
     CROSS JOIN LATERAL (SELECT FROM deliveries AS one WHERE one.id = given.id AND (one.state <> 'pending' \
     OR one.replay_id IS NOT NULL OR (SELECT follower.id FROM deliveries AS follower WHERE follower.state = 'pending' \
     AND follower.order_key IS NOT NULL AND follower.webhook_id = one.webhook_id \
     AND follower.order_key = one.order_key AND follower.held IS NOT NULL \
     ORDER BY follower.line_position LIMIT 1) IS NOT NULL) LIMIT 1) AS one)";

impl Function {
    fn new(name: &str, returns: &str, body: &str, columns: &str) -> Self {
        let types = parameter_types(body);
        let numbers: Vec<_> = (1..=types.len()).map(|n| format!("${n}")).collect();
        let from = if columns.is_empty() {
            "SELECT"
        } else {
            "SELECT * FROM"
        };
        Self {
            create: format!(
                "CREATE OR REPLACE FUNCTION pg_temp.{name}({}) RETURNS {returns} LANGUAGE plpgsql AS \
                 $body$ BEGIN {body} END $body$",
                types.join(", ")
            ),
            call: format!("{from} pg_temp.{name}({}){columns}", numbers.join(", ")),
        }
    }
}

/// Types of `$1, $2, …`, which the statements say where they use them.
fn parameter_types(body: &str) -> Vec<&str> {
    let of = |n: u32| {
        let (_, rest) = body.split_once(&format!("${n}::"))?;
        let is_part = |c: char| c.is_ascii_lowercase() || c == '[' || c == ']';
        rest.split(|c| !is_part(c)).next()
    };
    (1..).map_while(of).collect()
}

/// Makes the functions; false where the server refuses them.
pub(super) async fn create(connection: &mut PgConnection) -> Result<bool, StoreError> {
    for function in [&FUNCTIONS.keep, &FUNCTIONS.settle] {
        let create = sqlx::raw_sql(AssertSqlSafe(&*function.create));
        match create.execute(&mut *connection).await {
            Ok(_) => {}
            // A right or the language is missing. (Source: the appendix "PostgreSQL Error Codes" of its manual.)
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("42")) => {
                tracing::info!(%error, "batches take several statements: the functions for writing one at once are refused");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_the_types_that_the_statements_say() {
        let body = "PERFORM lock($2::text[]); INSERT INTO t SELECT $1::bigint, $2::text[], '$4::text';";
        assert_eq!(parameter_types(body), ["bigint", "text[]"]);
        assert_eq!(FUNCTIONS.keep.call.matches('$').count(), 32);
        assert_eq!(FUNCTIONS.settle.call.matches('$').count(), 28);
    }
}
