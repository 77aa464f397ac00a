//! Statements of the seam on PostgreSQL.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::columns::Query;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::sql::{Dialect, Plan, RowCallback, Sql, Value};

fn query_of(plan: Plan, statement: &str, values: &[Value<'_>]) -> Query<'static> {
    let statement = AssertSqlSafe(Dialect::Postgres.spell(statement).into_owned());
    let query = sqlx::query(statement).persistent(plan == Plan::Once);
    values.iter().fold(query, |query, value| match value {
        Value::Number(number) => query.bind(*number),
        Value::Real(number) => query.bind(*number),
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Bytes(bytes) => query.bind(*bytes),
        Value::Numbers(numbers) => query.bind(&**numbers),
    })
}

#[async_trait]
impl Sql for PgConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn query(
        &mut self,
        plan: Plan,
        statement: &str,
        values: &[Value<'_>],
        each: &mut RowCallback<'_>,
    ) -> Result<(), StoreError> {
        let rows = query_of(plan, statement, values).fetch_all(self).await?;
        for row in &rows {
            each(row)?;
        }
        Ok(())
    }

    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let done = query_of(Plan::Once, statement, values).execute(self).await?;
        Ok(done.rows_affected())
    }
}

#[async_trait]
impl Sql for Transaction<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn query(
        &mut self,
        plan: Plan,
        statement: &str,
        values: &[Value<'_>],
        each: &mut RowCallback<'_>,
    ) -> Result<(), StoreError> {
        self.connection.query(plan, statement, values, each).await
    }

    async fn execute(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        Sql::execute(&mut *self.connection, statement, values).await
    }
}
