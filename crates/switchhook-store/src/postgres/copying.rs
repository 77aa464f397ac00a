//! A PostgreSQL database as a side of a copy.

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Row as _};
use switchhook_domain::Timestamp;

use super::connection::{self, Connector};
use super::node::Node;
use super::schema;
use crate::copy_endpoint::{Cell, Column, ColumnType, CopyEndpoint, MARKER, Record, Table};
use crate::error::StoreError;
use crate::row::Row;
use crate::sealing::Sealing;
use crate::shared::secrets;

pub(crate) struct PostgresEndpoint {
    connection: PgConnection,
}

impl PostgresEndpoint {
    /// Opens the database and makes its tables if there are none. Refuses one that nodes use.
    pub(crate) async fn open(url: &str, now: Timestamp) -> Result<Self, StoreError> {
        let patiently = [("statement_timeout", "0")];
        let connector = Connector::new(url)?;
        let mut link = connector.connect_with(&patiently).await?;
        connector.refuse_shared_sessions(&mut link).await?;
        let mut connection = link.connection;
        connection::check_version(&mut connection).await?;
        schema::migrate(&mut connection, now).await?;
        let nodes = Node::count_alive(&mut connection).await?;
        if nodes > 0 {
            return Err(StoreError::Unusable(format!(
                "{nodes} nodes use the database: stop them first (one that was killed counts for some seconds)"
            )));
        }
        // A row that a crash takes is sent again. The end of the copy is what must last, and it brings the rest with it.
        sqlx::query("SET synchronous_commit = off")
            .execute(&mut connection)
            .await?;
        Ok(Self { connection })
    }

    async fn number(&mut self, sql: String) -> Result<u64, StoreError> {
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut self.connection)
            .await?;
        Ok(row.try_get::<i64, _>(0)?.unsigned_abs())
    }
}

/// True if a copy into the database is unfinished.
pub(super) async fn is_marked(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT to_regclass($1) IS NOT NULL")
        .bind(MARKER)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

#[async_trait]
impl CopyEndpoint for PostgresEndpoint {
    async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        self.number(format!("SELECT count(*) FROM {}", table.name)).await
    }

    async fn payload_bytes(&mut self) -> Result<u64, StoreError> {
        self.number("SELECT coalesce(sum(octet_length(body)), 0)::bigint FROM events".into())
            .await
    }

    async fn check_secrets(&mut self, sealing: &Sealing) -> Result<(), StoreError> {
        secrets::check(&mut self.connection, sealing).await
    }

    async fn last_key(&mut self, table: &Table) -> Result<Option<Record>, StoreError> {
        let key = key_columns(table);
        let names: Vec<_> = key.iter().map(|column| &*column.name).collect();
        let backwards: Vec<_> = key
            .iter()
            .map(|column| format!("{} DESC", ordered(column)))
            .collect();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            names.join(", "),
            table.name,
            backwards.join(", ")
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_optional(&mut self.connection)
            .await?;
        row.map(|row| record(&row, &key)).transpose()
    }

    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Record>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let key: Vec<_> = key_columns(table).into_iter().map(ordered).collect();
        let key = key.join(", ");
        let behind = match after {
            Some(after) => {
                let places: Vec<_> = (1..=after.len()).map(|n| format!("${n}")).collect();
                format!("WHERE ({key}) > ({})", places.join(", "))
            }
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} {behind} ORDER BY {key} LIMIT {limit}",
            table.names(),
            table.name
        );
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = after.into_iter().flatten().cloned().fold(query, bind);
        let rows = query.fetch_all(&mut self.connection).await?;
        let columns: Vec<_> = table.columns.iter().collect();
        rows.iter().map(|row| record(row, &columns)).collect()
    }

    async fn write(&mut self, table: &Table, rows: Vec<Record>) -> Result<(), StoreError> {
        let arrays: Vec<_> = (1..)
            .zip(&table.columns)
            .map(|(n, column)| match column.column_type {
                ColumnType::Numbers => format!("${n}::bigint[]"),
                ColumnType::Reals => format!("${n}::double precision[]"),
                ColumnType::Texts => format!("${n}::text[]"),
                ColumnType::Bytes => format!("${n}::bytea[]"),
            })
            .collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            table.name,
            table.names(),
            arrays.join(", ")
        );
        let mut columns = vec![Vec::with_capacity(rows.len()); table.columns.len()];
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let query = sqlx::query(AssertSqlSafe(sql));
        let columns = table.columns.iter().zip(columns);
        let query = columns.fold(query, |query, (column, cells)| {
            bind_array(query, column.column_type, cells)
        });
        query.execute(&mut self.connection).await?;
        Ok(())
    }

    async fn marker(&mut self) -> Result<Option<String>, StoreError> {
        if !is_marked(&mut self.connection).await? {
            return Ok(None);
        }
        let sql = format!("SELECT source FROM {MARKER}");
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    async fn begin(&mut self, source: &str) -> Result<(), StoreError> {
        let sql = format!("CREATE TABLE {MARKER} AS SELECT $1::text AS source");
        sqlx::query(AssertSqlSafe(sql))
            .bind(source)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        let mut transaction = self.connection.begin().await?;
        sqlx::query("SET LOCAL synchronous_commit = on")
            .execute(&mut *transaction)
            .await?;
        for sql in AFTERWARDS {
            sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        }
        let sql = format!("DROP TABLE {MARKER}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        sqlx::raw_sql("ANALYZE").execute(&mut self.connection).await?;
        Ok(())
    }
}

/// Statements for data that the rows do not bring: positions in order queues, which SQLite lacks, and sequences.
const AFTERWARDS: [&str; 3] = [
    "UPDATE deliveries SET line_position = id \
     WHERE order_key IS NOT NULL AND line_position IS NULL AND state = 'pending'",
    "SELECT setval(pg_get_serial_sequence('subscription_versions', 'revision'), \
     (SELECT coalesce(max(revision), 0) + 1 FROM subscription_versions), false)",
    // A claim that came along must not look like one of a node here.
    "SELECT setval(pg_get_serial_sequence('nodes', 'id'), \
     greatest((SELECT coalesce(max(claimed_by), 0) + 1 FROM deliveries WHERE claimed_by IS NOT NULL), \
     (SELECT coalesce(max(id), 0) + 1 FROM nodes)), false)",
];

fn key_columns(table: &Table) -> Vec<&Column> {
    table.key().into_iter().map(|n| &table.columns[n]).collect()
}

/// The column in the order in which SQLite has it too.
fn ordered(column: &Column) -> String {
    match column.column_type {
        ColumnType::Texts => format!("{} COLLATE \"C\"", column.name),
        ColumnType::Numbers | ColumnType::Reals | ColumnType::Bytes => column.name.clone(),
    }
}

fn record(row: &PgRow, columns: &[&Column]) -> Result<Record, StoreError> {
    let row: &Row<'_> = row;
    let cell = |(n, column): (usize, &&Column)| {
        let cell = match column.column_type {
            ColumnType::Numbers => row.get::<Option<i64>>(n)?.map(Cell::Number),
            ColumnType::Reals => row.get::<Option<f64>>(n)?.map(Cell::Real),
            ColumnType::Texts => row.get::<Option<String>>(n)?.map(Cell::Text),
            ColumnType::Bytes => row.get::<Option<Vec<u8>>>(n)?.map(Cell::Bytes),
        };
        Ok(cell.unwrap_or(Cell::Nothing))
    };
    columns.iter().enumerate().map(cell).collect()
}

fn bind(query: Query<'_, Postgres, PgArguments>, cell: Cell) -> Query<'_, Postgres, PgArguments> {
    match cell {
        Cell::Nothing => query.bind(None::<i64>),
        Cell::Number(number) => query.bind(number),
        Cell::Real(number) => query.bind(number),
        Cell::Text(text) => query.bind(text),
        Cell::Bytes(bytes) => query.bind(bytes),
    }
}

fn bind_array(
    query: Query<'_, Postgres, PgArguments>,
    column_type: ColumnType,
    cells: Vec<Cell>,
) -> Query<'_, Postgres, PgArguments> {
    match column_type {
        ColumnType::Numbers => query.bind(cells.iter().map(number).collect::<Vec<_>>()),
        ColumnType::Reals => query.bind(cells.iter().map(real).collect::<Vec<_>>()),
        ColumnType::Texts => query.bind(cells.into_iter().map(text).collect::<Vec<_>>()),
        ColumnType::Bytes => query.bind(cells.into_iter().map(bytes).collect::<Vec<_>>()),
    }
}

fn number(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    }
}

fn real(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Real(number) => Some(*number),
        _ => None,
    }
}

/// PostgreSQL's texts cannot hold NUL, which a receiver's words may.
fn text(cell: Cell) -> Option<String> {
    match cell {
        Cell::Text(text) if text.contains('\0') => Some(text.replace('\0', "")),
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

fn bytes(cell: Cell) -> Option<Vec<u8>> {
    match cell {
        Cell::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}
