//! The command line: the list of commands, their errors and exit codes.
//!
//! Each command has a file in `cli/`. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

#![expect(
    clippy::doc_markdown,
    reason = "the comments on options are their help, shown as they are"
)]

mod accepted_secrets;
mod backup;
mod bench;
mod companies;
mod completions;
mod config;
mod connect;
mod connection;
mod created;
mod dead_letters;
mod deliveries;
mod dev;
mod diagnosis;
mod doctor;
mod erase;
mod events;
mod explain_request;
mod feed;
mod forward_trust;
mod guest;
mod help;
mod init;
mod jwt;
mod keys;
pub mod listen;
mod man;
mod mcp;
mod migrate;
mod notifications;
mod output;
mod pages;
mod ready;
mod receive;
mod replays;
mod secrets;
mod send;
mod serve;
mod simulate;
mod sources;
mod spec;
mod store;
mod subscribe;
mod subscriptions;
mod tail;
mod template_worker;
mod webhooks;
mod websockets;

#[cfg(feature = "fuzzing")]
pub(crate) use explain_request::explain_capture;

use std::ffi::OsString;
use std::pin::Pin;
use std::process::ExitCode;

use clap::error::ContextValue;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::sources::{self as settings, Mistakes, ParseError, Parsed};
use crate::config::{file_options, mistakes_of};
use switchhook_client::ClientError;
use switchhook_http::cause::without_code;
use switchhook_node::sanitize;

use crate::{terminal, words};

/// Self-hosted webhooks for Dialpad events: accepts events and delivers them, signed, in order, with retries for days
#[derive(Debug, Parser)]
#[command(
    name = "switchhook",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "Example: see signed deliveries happen\n  switchhook dev")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Init(init::Init),
    Serve(serve::Serve),
    #[command(subcommand)]
    Keys(keys::Keys),
    Webhooks(webhooks::Webhooks),
    Websockets(websockets::Websockets),
    Subscriptions(subscriptions::Subscriptions),
    Sources(sources::Sources),
    Notifications(notifications::Notifications),
    #[command(subcommand)]
    Connect(connect::Connect),
    Listen(listen::Listen),
    Send(send::Send),
    Simulate(Box<simulate::Simulate>),
    Events(events::Events),
    Feed(feed::Feed),
    Deliveries(deliveries::Deliveries),
    DeadLetters(dead_letters::DeadLetters),
    Replays(replays::Replays),
    Tail(tail::Tail),
    Receive(receive::Receive),
    #[command(subcommand)]
    Jwt(jwt::Jwt),
    ExplainRequest(explain_request::ExplainRequest),
    Ready(ready::Ready),
    Doctor(doctor::Doctor),
    Erase(erase::Erase),
    #[command(subcommand)]
    Companies(companies::Companies),
    #[command(subcommand)]
    Config(config::Config),
    Migrate(migrate::Migrate),
    #[command(name = "backup")]
    BackUp(backup::BackUp),
    Restore(backup::Restore),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    Bench(bench::Bench),
    BenchFloor(bench::Floor),
    #[command(subcommand)]
    Spec(spec::Spec),
    Mcp(mcp::Mcp),
    Completions(completions::Completions),
    Man(man::Man),
    TemplateWorker(template_worker::TemplateWorker),
}

/// Every command with its options.
#[must_use]
pub fn command() -> clap::Command {
    help::laid_out(Cli::command())
}

/// The program, from its arguments to its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    terminal::report_panics();
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = match settings::parse(command(), &file_options(), &mistakes_of, &args) {
        Ok(parsed) => parsed,
        Err(ParseError::Clap(error)) => return report_clap_error(*error),
        Err(ParseError::Mistakes(mistakes)) => return report(&mistakes.into()),
    };
    match Cli::from_arg_matches(&parsed.matches) {
        Ok(cli) => match cli.command.run(&parsed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&error),
        },
        Err(error) => report_clap_error(error.format(&mut command())),
    }
}

impl Command {
    fn run(self, parsed: &Parsed) -> anyhow::Result<()> {
        match self {
            Self::Dev(command) => command.run(),
            Self::Init(command) => command.run(),
            Self::Serve(command) => command.run(),
            Self::Keys(command) => command.run(),
            Self::Webhooks(command) => command.run(),
            Self::Websockets(command) => command.run(),
            Self::Subscriptions(command) => command.run(),
            Self::Sources(command) => command.run(),
            Self::Notifications(command) => command.run(),
            Self::Connect(command) => command.run(),
            Self::Listen(command) => command.run(),
            Self::Send(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Events(command) => command.run(),
            Self::Feed(command) => command.run(),
            Self::Deliveries(command) => command.run(),
            Self::DeadLetters(command) => command.run(),
            Self::Replays(command) => command.run(),
            Self::Tail(command) => command.run(),
            Self::Receive(command) => command.run(),
            Self::Jwt(command) => command.run(),
            Self::ExplainRequest(command) => command.run(),
            Self::Ready(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Erase(command) => command.run(),
            Self::Companies(command) => command.run(),
            Self::Config(command) => command.run(parsed),
            Self::Migrate(command) => command.run(),
            Self::BackUp(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Store(command) => command.run(),
            Self::Secrets(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::BenchFloor(command) => command.run(),
            Self::Spec(command) => command.run(),
            Self::Mcp(command) => command.run(),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
            Self::TemplateWorker(_) => template_worker::TemplateWorker::run(),
        }
    }
}

/// Wrong usage of a command: the same arguments will always fail.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

fn report_clap_error(mut error: clap::Error) -> ExitCode {
    if error.use_stderr() {
        terminal::remark_text(sanitized_message(&mut error).trim_end());
    } else {
        // Nobody is left to tell if this fails.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Message of a wrong command line. Arguments may be untrusted, and stay on one line.
fn sanitized_message(error: &mut clap::Error) -> String {
    let typed = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, sanitize::line(text).into_owned())),
        _ => None,
    });
    for (kind, text) in typed.collect::<Vec<_>>() {
        error.insert(kind, ContextValue::String(text));
    }
    let report = error.render().to_string();
    match std::error::Error::source(error).map(ToString::to_string) {
        Some(reason) => report.replace(&reason, &sanitize::line(&reason)),
        None => report,
    }
}

/// Prints an error with its causes, and returns the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<output::OutputClosed>() {
        return ExitCode::SUCCESS;
    }
    for (depth, cause) in error.chain().enumerate() {
        let label = if depth == 0 { "error: " } else { "  because: " };
        let report = without_code(&cause.to_string());
        terminal::remark_text(format_args!("{label}{}", indent_continuation(&report)));
    }
    if is_usage_error(error) {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Indents the lines after the first, so that none looks like another error.
fn indent_continuation(text: &str) -> String {
    let indented = |line: &str| {
        if line.starts_with(' ') {
            line.to_owned()
        } else {
            format!("  {line}")
        }
    };
    let mut lines = text.trim_end().split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| format!("{all}\n{}", indented(line)))
}

fn is_usage_error(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let client = cause.downcast_ref::<ClientError>();
        cause.is::<UsageError>()
            || cause.is::<Mistakes>()
            || matches!(client, Some(ClientError::InvalidUsage(_)))
    })
}

/// Runs a command on one thread. The future is boxed, because the runtime is compiled three times for each type of
/// future that it runs.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let work: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(work);
    runtime.block_on(work)
}

/// Runs a server on half of the processors: the other half sends deliveries.
fn block_on_server(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    block_on_threads(crate::server::half_of_the_processors(), work)
}

/// Runs a benchmark on as many threads as there are processors.
fn block_on_all_processors(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    block_on_threads(std::thread::available_parallelism().map_or(1, usize::from), work)
}

fn block_on_threads(threads: usize, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    let work: Pin<Box<dyn Future<Output = _> + '_>> = Box::pin(work);
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_leaf(command: &clap::Command, check: &mut dyn FnMut(&clap::Command)) {
        if command.has_subcommands() {
            let ours = command.get_subcommands().filter(|next| next.get_name() != "help");
            ours.for_each(|next| each_leaf(next, check));
        } else {
            check(command);
        }
    }

    #[test]
    fn the_commands_are_defined_without_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_each_command_has_an_example() {
        each_leaf(&Cli::command(), &mut |command| {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example") && help.contains("switchhook "),
                "{} has no example",
                command.get_name()
            );
            assert!(
                command.get_about().is_some(),
                "{} says not what it does",
                command.get_name()
            );
        });
    }

    #[test]
    fn every_command_that_prints_data_has_json() {
        let without = [
            "dev",
            "serve",
            "bench-floor",
            "completions",
            "man",
            "mcp",
            "template-worker",
            "asyncapi",
            "openapi",
            "schema",
        ];
        let mut command = Cli::command();
        // Global options reach the leaves only now.
        command.build();
        each_leaf(&command, &mut |command| {
            let has_json = command
                .get_arguments()
                .any(|option| option.get_long() == Some("json"));
            assert!(
                has_json || without.contains(&command.get_name()),
                "{} has no --json",
                command.get_name()
            );
        });
    }

    #[test]
    fn no_help_shows_the_value_of_a_variable() {
        let mut command = Cli::command();
        command.build();
        each_leaf(&command, &mut |command| {
            for option in command
                .get_arguments()
                .filter(|option| option.get_env().is_some())
            {
                assert!(option.is_hide_env_values_set(), "{}", option.get_id());
            }
        });
    }

    #[test]
    fn every_option_of_serve_is_a_variable_of_its_name() {
        for option in file_options() {
            let long = option.get_long().expect("every option has a long name");
            let variable = format!("SWITCHHOOK_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(
                option.get_env().and_then(|name| name.to_str()),
                Some(variable.as_str())
            );
        }
    }
}
