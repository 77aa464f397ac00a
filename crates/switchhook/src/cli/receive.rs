//! `switchhook receive`: a receiver that verifies events, drops repeats, and stores an event before it answers 200.
//!
//! `endpoint` accepts requests, `inbox` processes them, `record` is the format of a line in the file, `command` runs
//! `--exec`, `outcome` is the answer and the output, `signature_adviser` says why a signature is not valid.

mod command;
mod endpoint;
mod inbox;
mod outcome;
mod record;
mod signature_adviser;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use switchhook_receiver::{Bounds, Journal, Receiver, Repeats};

use self::command::Command;
use self::inbox::{EventHandler, Inbox};
use self::outcome::OutcomePrinter;
use self::signature_adviser::SignatureAdviser;
use super::accepted_secrets::AcceptedSecrets;
use super::{block_on_server, output};
use crate::config::{TlsOptions, parse_listen};
use crate::logging::{self, LogFormat};
use crate::tls::ServerCertificate;
use crate::words;
use crate::{private_folder, tls};
use switchhook_http::server::Inbound;
use switchhook_node::duration::parse_duration;
use switchhook_node::settings::TlsSettings;

/// Receive events: verify them, drop repeats, and store them or pass them to a command before answering 200
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook receive --listen 127.0.0.1:3000 --secret S --out events.ndjson
  switchhook receive --secret S --exec './on-event.sh'
  switchhook receive --secret NEW --secret OLD --json
  switchhook receive --listen 0.0.0.0:443 --acme-domain hooks.example.com --secret S --out events.ndjson

With --out each event is a line: {\"received_at\":…, \"kind\":…, \"event_id\":…, \"event\":{…}}, on the disk before the
answer. With --exec the event is the command's standard input, and SWITCHHOOK_EVENT_ID, _EVENT_KIND, _DELIVERY_ID and
_ATTEMPT are set; exit code 0 is answered with 200, anything else with 500, so that the event comes again. With both, the
line is written once the command has succeeded.")]
pub(super) struct Receive {
    /// Address and port to listen on; every path accepts events
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = parse_listen)]
    listen: SocketAddr,

    #[command(flatten)]
    secrets: AcceptedSecrets,

    /// Accept signed events in quotes, as sent by gateways that turn every body into JSON
    #[arg(long)]
    accept_quoted: bool,

    /// File to append the events to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Shell command to run for each event
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,

    /// Maximum number of commands running at once
    #[arg(long, value_name = "N", default_value = "4", value_parser = words::whole_number::<u16>(1..=256))]
    exec_at_once: u16,

    /// Time limit for a command, including its wait to start; then it is killed, and the sender sends the event again
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    exec_timeout: Duration,

    /// File for the ids of handled events, with --exec and without --out
    #[arg(long, value_name = "FILE", default_value = ".switchhook/received.seen")]
    remember: PathBuf,

    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    tls: TlsOptions,
}

impl Receive {
    pub(super) fn run(self) -> anyhow::Result<()> {
        self.secrets.warn();
        let listen = self.listen;
        let tls = self.tls.settings()?;
        if tls != TlsSettings::Off {
            // A renewed certificate, or one that cannot be had, is told in the log.
            logging::init(LogFormat::Text, "warn,switchhook::tls=info");
        }
        let inbox = Arc::new(self.inbox()?);
        block_on_server(async move {
            let listener = switchhook_http::server::listen(listen)?;
            let address = listener.local_addr()?;
            let secured = tls::start(&tls)?;
            let scheme = if secured.is_some() { "https" } else { "http" };
            output::remark(format_args!("listening at {scheme}://{address}"));
            let inbound = Inbound {
                listener,
                identity: secured.as_ref().map(ServerCertificate::identity),
                trusted_proxies: Vec::new(),
            };
            endpoint::serve(inbound, inbox).await
        })
    }

    fn inbox(self) -> anyhow::Result<Inbox> {
        let (repeats, file) = self.open_repeats()?;
        let command = self.exec.as_ref().map(|words| {
            let at_once = usize::from(self.exec_at_once);
            Command::new(words, at_once, self.exec_timeout)
        });
        Ok(Inbox {
            receiver: self.receiver()?,
            repeats,
            handler: EventHandler { command, file },
            printer: OutcomePrinter { json: self.json },
            adviser: SignatureAdviser::new(self.secrets),
        })
    }

    fn receiver(&self) -> anyhow::Result<Receiver> {
        // What no kind can be is kept too: Dialpad does not send again what it was refused.
        let mut builder = Receiver::builder().accept_any_json();
        for key in self.secrets.keys() {
            builder = builder.also_accept(key);
        }
        if self.accept_quoted {
            builder = builder.accept_quoted();
        }
        if self.secrets.is_empty() {
            output::remark("no --secret: unsigned events are accepted from anybody");
        }
        Ok(builder.build()?)
    }

    /// Known events, and the file for new ones. The file of `--out` also tells which events are known, so that
    /// one write decides both.
    fn open_repeats(&self) -> anyhow::Result<(Arc<Repeats>, Option<Arc<Journal>>)> {
        match (&self.out, &self.exec) {
            (Some(path), _) => {
                let (repeats, journal) = open_file(path)?;
                Ok((repeats, Some(journal)))
            }
            (None, Some(_)) => {
                create_parent(&self.remember)?;
                let repeats = Repeats::in_file(&self.remember, Bounds::default());
                Ok((repeats.context(FILE_ERROR)?, None))
            }
            (None, None) => {
                output::remark("neither --out nor --exec: events are printed and not stored");
                Ok((Repeats::in_memory(Bounds::default()), None))
            }
        }
    }
}

const FILE_ERROR: &str = "events cannot be stored; name another file, or stop the process that uses this one";

fn open_file(path: &Path) -> anyhow::Result<(Arc<Repeats>, Arc<Journal>)> {
    create_parent(path)?;
    let repeats = Repeats::in_memory(Bounds::default());
    let (journal, found) = Journal::open(path, record::FORMAT, |line| {
        if let Some((key, at)) = record::read(line) {
            repeats.remember(key, at);
        }
    })
    .context(FILE_ERROR)?;
    if found.bytes_cut > 0 {
        let bytes = found.bytes_cut;
        output::remark(format_args!(
            "removed a line that a crash cut off: {bytes} bytes that were never acknowledged"
        ));
    }
    output::remark(format_args!(
        "storing in {}, which has {} events",
        path.display(),
        found.lines
    ));
    warn_if_readable(path);
    Ok((repeats, Arc::new(journal)))
}

/// Warns if others may read the file. A new file is for its owner only; an existing one keeps its mode.
fn warn_if_readable(path: &Path) {
    let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        let path = path.display();
        output::remark(format_args!(
            "other users of this machine can read {path}; `chmod 600 {path}` prevents that"
        ));
    }
}

fn create_parent(file: &Path) -> anyhow::Result<()> {
    match file.parent() {
        Some(folder) if folder.ends_with(private_folder::NAME) => private_folder::make(folder)
            .with_context(|| format!("cannot create {} for its owner only", folder.display())),
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
        }
        None => Ok(()),
    }
}
