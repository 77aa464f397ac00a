//! `switchhook template-worker`: process that a server starts to render templates.

use std::io;

use anyhow::Context;
use clap::Args;
use switchhook_node::templates;

/// Render templates for the server that started this process
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "Example:\n  switchhook template-worker    # reads an order in each line, answers in one"
)]
pub(super) struct TemplateWorker {}

impl TemplateWorker {
    #[expect(
        clippy::disallowed_methods,
        reason = "a server reads this, and no terminal shows it"
    )]
    pub(super) fn run() -> anyhow::Result<()> {
        let ended = templates::work(io::stdin().lock(), io::stdout().lock());
        ended.context("standard input cannot be read, or standard output not be written")
    }
}
