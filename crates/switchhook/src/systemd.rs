//! Interface to systemd: sockets to listen at, and reports of the server's state.
//!
//! Without systemd there are no sockets, and reports go nowhere.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use switchhook_node::liveness::Liveness;
use tracing::warn;

/// Sockets passed by systemd: for clients, and for metrics. Connections wait in them while no server runs, so
/// that a restart refuses none.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) listen: Option<TcpListener>,
    pub(crate) metrics: Option<TcpListener>,
}

impl Sockets {
    /// Takes the sockets that were passed, if any.
    ///
    /// # Errors
    /// If one is not a listening TCP socket.
    pub(crate) fn take() -> Result<Self> {
        let mut given = ListenFd::from_env();
        let mut take = |place| {
            let taken = given.take_tcp_listener(place);
            taken.context(
                "a socket that the server was started with (LISTEN_FDS) is not a listening TCP socket",
            )
        };
        Ok(Self {
            listen: take(0)?,
            metrics: take(1)?,
        })
    }
}

/// Reports that requests are accepted.
pub(crate) fn ready() {
    notify(&NotifyState::Ready);
}

/// Reports that the server is stopping.
pub(crate) fn stopping() {
    notify(&NotifyState::Stopping);
}

/// Sends watchdog messages, if systemd wants them, until a part of the server fails.
pub(crate) async fn keep_alive(liveness: Liveness) {
    let Some(timeout) = sd_notify::watchdog_enabled() else {
        return;
    };
    let every = (timeout / 3).max(Duration::from_millis(10));
    while liveness.failure().is_none() {
        notify(&NotifyState::Watchdog);
        tokio::time::sleep(every).await;
    }
}

fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        warn!(%error, ?state, "systemd could not be notified");
    }
}
