//! A certificate from an authority by ACME (RFC 8555), stored in a folder and renewed when two thirds of its time are over.
//!
//! The authority looks for the proof at port 443 of each name, on the connection that clients use (TLS-ALPN-01, RFC 8737), so
//! that no other port need be open. The stored files are `folder`, the request for a certificate is `order`.

mod folder;
mod order;
mod validity;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use switchhook_domain::Timestamp;
use switchhook_domain::clock::Clock;
use switchhook_http::server::Identity;
use switchhook_node::clock::SystemClock;
use switchhook_node::settings::AcmeSettings;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};

use self::folder::Folder;

/// Pause after the first failure, and after many in a row, because authorities allow few requests.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Longest sleep, so that a machine that was suspended renews in time.
const LONGEST_SLEEP: Duration = Duration::from_secs(60 * 60);

/// Presents the stored certificate, and gets another when there is none or it is due.
pub(super) fn keep(settings: AcmeSettings, identity: Arc<Identity>) -> Result<JoinHandle<()>> {
    let folder = Folder::open(&settings)?;
    let due_at = folder.certificate().map(|kept| {
        identity.show(kept.certificate);
        kept.renew_at
    });
    Ok(tokio::spawn(renew(settings, folder, due_at, identity)))
}

async fn renew(
    settings: AcmeSettings,
    folder: Folder,
    mut due_at: Option<Timestamp>,
    identity: Arc<Identity>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(wait) = due_at
            .map(|at| at.since(SystemClock.now()))
            .filter(|wait| !wait.is_zero())
        {
            sleep(wait.min(LONGEST_SLEEP)).await;
            continue;
        }
        let ordered = order::certificate(&settings, &folder, &identity).await;
        identity.forget_challenges();
        match ordered {
            Ok(kept) => {
                identity.show(kept.certificate);
                due_at = Some(kept.renew_at);
                pause = FIRST_PAUSE;
                info!(names = settings.names.join(","), renew_at = %kept.renew_at, "there is a new certificate");
            }
            Err(error) => {
                warn!(
                    error = format!("{error:#}"),
                    again_after = ?pause,
                    "no certificate was issued"
                );
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
