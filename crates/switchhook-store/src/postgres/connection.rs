//! Connections: how they are made, the settings of every session, and when one is of no use any more.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::time::{Instant, sleep, timeout};

use super::at_once;
use super::failure::{no_connection, shared_sessions};
use super::targets::{Server, ServerState, SessionAttrs, Targets};
use crate::StoreError;

/// Time limit of connecting to a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit of checking a connection.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks whether a session is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Maximum age of a connection: names move to other addresses, and the memory of a session grows with its age.
pub const MAX_AGE: Duration = Duration::from_secs(30 * 60);

/// Settings of every session, made once it is there, if its server knows them: poolers refuse most of it on the way in.
const SETTINGS: [(&str, &str); 10] = [
    // Each statement sees what was committed before it, also by those whose locks it waited for.
    ("default_transaction_isolation", "read committed"),
    // What takes longer is stopped, and its caller learns of it.
    ("statement_timeout", "15s"),
    // After that the server drops a transaction whose node disappeared or stalled in the middle of it. Until then the others
    // wait for its locks, and a node has no reason to pause between two statements.
    ("idle_in_transaction_session_timeout", "3s"),
    // Compiling a plan takes longer than any statement here.
    ("jit", "off"),
    // Statements find everything by an index, in the index's order. The planner would rather read a table whole and sort it
    // where statistics say that it is small, or that it has nothing of what came since.
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("enable_incremental_sort", "off"),
];

/// Number of looks for shared sessions, since another client may come in between.
const LOOKS: u32 = 3;

/// Prepared statements per connection.
const STATEMENTS: usize = 256;

/// The oldest server that has all that is used here: `hashtextextended`, generated identities, `plan_cache_mode`.
const OLDEST_VERSION: i32 = 120_000;

/// Makes connections to whichever of the servers is fit.
pub(super) struct Connector {
    targets: Targets,
    state: Mutex<State>,
}

struct State {
    /// The server that was fit last.
    last: usize,
    /// Connections that are older are given up: the server has changed since.
    changed_at: Instant,
    /// Number of connections made, to stagger their ages.
    made: u32,
}

/// A connection that may be given up.
pub(super) struct Link {
    pub(super) connection: PgConnection,
    made_at: Instant,
    lasts: Duration,
    /// True if its session has those for batches of one statement.
    pub(super) has_functions: bool,
    /// Process of the server and its beginning, by which the session can be ended.
    backend: Option<(i32, String)>,
}

impl Connector {
    /// # Errors
    /// `Unusable` if the URL is not understood.
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let targets = Targets::parse(url)?.with(|options| {
            let name = options.get_application_name().unwrap_or("switchhook").to_owned();
            options
                .application_name(&name)
                .statement_cache_capacity(STATEMENTS)
                // Fractions travel as they are, and poolers do not know it.
                .extra_float_digits(None)
        });
        let state = State {
            last: 0,
            changed_at: Instant::now(),
            made: 0,
        };
        Ok(Self {
            targets,
            state: Mutex::new(state),
        })
    }

    /// A connection for anything but the commits of the hot path.
    pub(super) async fn connect(&self) -> Result<Link, StoreError> {
        self.connect_with(&[]).await
    }

    /// The connection for the commits of the hot path, which keeps the plans that it made, with functions of its own.
    pub(super) async fn connect_to_commit(&self) -> Result<Link, StoreError> {
        let mut link = self
            .connect_with(&[("plan_cache_mode", "force_generic_plan")])
            .await?;
        let preparing = async {
            let own = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
            if let Some(row) = sqlx::raw_sql(own).fetch_optional(&mut link.connection).await? {
                link.backend = Some((row.try_get(0)?, row.try_get(1)?));
            }
            link.has_functions = at_once::create(&mut link.connection).await?;
            Ok::<_, StoreError>(())
        };
        match timeout(CONNECT_TIMEOUT, preparing).await {
            Ok(prepared) => prepared.map(|()| link),
            Err(_elapsed) => Err(no_connection()),
        }
    }

    /// Ends the session of a connection that broke: the server may not have noticed, and may still commit. Best effort: a server
    /// that cannot be reached is mostly gone, and with it the session.
    pub(super) async fn end_session(&self, link: &Link) {
        let Some((pid, start)) = &link.backend else { return };
        let ending = async {
            let mut other = self.connect().await?;
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
            while !sqlx::query(end)
                .bind(pid)
                .bind(start)
                .fetch_all(&mut other.connection)
                .await?
                .is_empty()
            {
                sleep(LOOK_AGAIN).await;
            }
            let _ = other.connection.close().await;
            Ok::<_, StoreError>(())
        };
        if !matches!(timeout(CHECK_TIMEOUT, ending).await, Ok(Ok(()))) {
            tracing::debug!(pid, "a session whose connection broke could not be ended");
        }
    }

    /// A connection to the first server that is fit, beginning with the one that was last; `more` settings count over the usual ones.
    pub(super) async fn connect_with(&self, more: &[(&str, &str)]) -> Result<Link, StoreError> {
        let Targets { servers, wanted } = &self.targets;
        let rounds: &[SessionAttrs] = match wanted {
            SessionAttrs::PreferStandby => &[SessionAttrs::Standby, SessionAttrs::Any],
            _ => std::slice::from_ref(wanted),
        };
        let first = self.state.lock().last;
        let mut refusals = Vec::new();
        for wanted in rounds {
            for place in (0..servers.len()).map(|n| (first + n) % servers.len()) {
                let server = &servers[place];
                match connect_to(server, *wanted, more).await {
                    Ok(connection) => return Ok(self.link(place, connection)),
                    Err(error) if servers.len() == 1 && rounds.len() == 1 => return Err(error),
                    Err(error) => refusals.push(format!("{}: {error}", server.name)),
                }
            }
        }
        Err(StoreError::Unavailable(format!(
            "none of the servers can be used: {}",
            refusals.join("; ")
        )))
    }

    fn link(&self, place: usize, connection: PgConnection) -> Link {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.last, place) != place {
            let server = &self.targets.servers[place].name;
            tracing::info!(server, "this server is used from now on");
        }
        state.made = state.made.wrapping_add(1);
        Link {
            connection,
            made_at: Instant::now(),
            lasts: MAX_AGE + MAX_AGE / 16 * (state.made % 8),
            has_functions: false,
            backend: None,
        }
    }

    /// Refuses a pooler that gives every transaction another session: then two connections have one, or one has two.
    pub(super) async fn refuse_shared_sessions(&self, link: &mut Link) -> Result<(), StoreError> {
        // If there is no second connection to be had, whoever needs one will say so.
        let Ok(mut other) = self.connect().await else {
            return Ok(());
        };
        for _ in 0..LOOKS {
            let own = session(&mut link.connection).await?;
            if session(&mut other.connection).await? == own || session(&mut link.connection).await? != own {
                return Err(shared_sessions());
            }
        }
        // Saying goodbye only keeps the server's log tidy.
        let _ = other.connection.close().await;
        Ok(())
    }

    /// Options for connecting to a server that is usable now.
    pub(super) async fn options_of_fit(&self) -> Result<PgConnectOptions, StoreError> {
        // Saying goodbye only keeps the server's log tidy.
        let _ = self.connect().await?.connection.close().await;
        let last = self.state.lock().last;
        Ok(self.targets.servers[last].options.clone())
    }

    /// True if a connection made then may be reused.
    pub(super) fn is_current_since(&self, made_at: Instant) -> bool {
        made_at >= self.state.lock().changed_at && made_at.elapsed() < MAX_AGE
    }

    /// True if a connection may be reused.
    pub(super) fn is_current(&self, link: &Link) -> bool {
        link.made_at >= self.state.lock().changed_at && link.made_at.elapsed() < link.lasts
    }

    /// Asks a connection on which something failed whether it is of use any longer. If it says that its server has become one
    /// that is not wanted, or is gone, all others are given up too: they lead there as well.
    pub(super) async fn is_well(&self, link: &mut Link) -> bool {
        let state = timeout(CHECK_TIMEOUT, server_state(&mut link.connection)).await;
        let is_well = matches!(state, Ok(Ok(state)) if self.targets.wanted.is_still_met(state));
        if !is_well {
            self.give_up_others(link);
        }
        is_well && self.is_current(link)
    }

    /// Gives up all other connections of the time of this one, which is of no use any longer: they lead to the same server.
    pub(super) fn give_up_others(&self, link: &Link) {
        let mut state = self.state.lock();
        // One that was made before all were given up says nothing of those that were made since.
        if link.made_at >= state.changed_at {
            state.changed_at = Instant::now();
        }
    }
}

async fn connect_to(
    server: &Server,
    wanted: SessionAttrs,
    more: &[(&str, &str)],
) -> Result<PgConnection, StoreError> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(&server.options).await?;
        set(&mut connection, more).await?;
        let state = server_state(&mut connection).await?;
        Ok::<_, StoreError>((connection, state))
    };
    let Ok(connected) = timeout(CONNECT_TIMEOUT, connecting).await else {
        return Err(no_connection());
    };
    let (connection, state) = connected?;
    match wanted.refusal(state) {
        None => Ok(connection),
        Some(why) => {
            let _ = connection.close().await;
            Err(StoreError::Unavailable(format!(
                "PostgreSQL at {} is not used: {why}",
                server.name
            )))
        }
    }
}

/// Sets the settings of a session, of which the last of a name counts. A commit that is answered is on the disk, whatever the
/// database's default is. No statement is prepared for it: of those a pooler may know nothing.
async fn set(connection: &mut PgConnection, more: &[(&str, &str)]) -> Result<(), sqlx::Error> {
    let settings: BTreeMap<_, _> = SETTINGS.iter().chain(more).copied().collect();
    let settings = settings
        .into_iter()
        .map(|(name, value)| format!("('{name}', '{value}')"));
    let settings = settings.collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT set_config(name, value, false) FROM (VALUES {settings}) AS wanted (name, value) \
         WHERE current_setting(name, true) IS NOT NULL \
         UNION ALL SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

async fn server_state(connection: &mut PgConnection) -> Result<ServerState, sqlx::Error> {
    let sql = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()";
    let row = sqlx::raw_sql(sql).fetch_one(connection).await?;
    Ok(ServerState {
        is_read_only: row.try_get(0)?,
        is_standby: row.try_get(1)?,
    })
}

/// Identity of the session, unique over all servers.
async fn session(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let sql = "SELECT concat_ws(' ', pg_backend_pid(), pg_postmaster_start_time(), inet_server_addr(), inet_server_port())";
    sqlx::raw_sql(sql).fetch_one(connection).await?.try_get(0)
}

/// Refuses servers that are too old.
pub(super) async fn check_version(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT current_setting('server_version_num')::int, current_setting('server_version')")
            .fetch_one(connection)
            .await?;
    let (number, name): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if number < OLDEST_VERSION {
        return Err(StoreError::Unusable(format!(
            "PostgreSQL {name} is too old: use version 12 or newer"
        )));
    }
    Ok(())
}
