//! `switchhook simulate`: sends the events of a simulated company to the server or directly to a receiver.
//!
//! `stream` chooses the events, `receiver` and `server` send them, `results` counts and judges the answers. The
//! company is in `switchhook-simulator`, the speed of its time in `pace`. `diagnosis` finds out what is wrong with a receiver.

pub(super) mod diagnosis;
mod progress;
mod receiver;
mod results;
mod server;
mod stream;

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use switchhook_domain::Timestamp;
use switchhook_domain::secret::Secret;
use switchhook_protocol::spelled_enum;
use switchhook_simulator::{Dialect, Fault, Faults, Rate, Rhythm, Scenario};
use url::Url;

use self::diagnosis::{ReceiverTarget, diagnose};
use self::stream::Stream;
use super::accepted_secrets::parse_secret;
use super::connection::Connection;
use super::forward_trust::ForwardTrust;
use super::output::{self, Table};
use super::{UsageError, block_on, words};
use switchhook_node::duration::parse_duration;
use switchhook_node::pace::Speed;

/// Send the events of a simulated company: a scenario, or all of its events
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook simulate --list
  switchhook simulate inbound-voicemail
  switchhook simulate --rate 20 --duration 10m
  switchhook simulate ring-all-answered --to http://127.0.0.1:3000/hook --secret S
  switchhook simulate --to http://127.0.0.1:3000/hook --secret S --speed max --count 1000 \\
      --fault duplicate=0.05,bad-signature=0.1,late-leg=0.2 --expect 2xx
  switchhook simulate --to http://127.0.0.1:3000/hook --secret S --diagnose

Without --to the events are sent to the server, which delivers them to its subscriptions; it creates no webhook.
Exit code 1 if a valid event was refused, or --expect is not met.")]
pub(super) struct Simulate {
    /// Scenario to play (see --list) [default: all events of the company]
    #[arg(hide_possible_values = true, value_parser = words::one_of::<String>(Scenario::all().map(|scenario| scenario.name())))]
    scenario: Option<String>,

    /// List the scenarios
    #[arg(long, conflicts_with_all = ["scenario", "to", "print"])]
    list: bool,

    /// URL of a receiver to send to directly, without a server
    #[arg(long, value_name = "URL", help_heading = "Where to", value_parser = words::url("http://localhost:3000/hook"))]
    to: Option<Url>,

    /// Secret to sign with (HS256), the same as the receiver's
    #[arg(long, value_name = "SECRET", requires = "to", value_parser = parse_secret, help_heading = "Where to")]
    secret: Option<Secret>,

    /// Secret from before a rotation, for the fault old-secret
    #[arg(long, value_name = "SECRET", requires = "secret", value_parser = parse_secret, help_heading = "Where to")]
    old_secret: Option<Secret>,

    /// Time limit for the receiver's answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration, help_heading = "Where to")]
    timeout: Duration,

    /// Maximum number of open requests to the receiver; requests about one call are sent one after another
    #[arg(long, value_name = "N", default_value = "8", value_parser = words::whole_number::<u16>(1..=1024), help_heading = "Where to")]
    in_flight: u16,

    #[command(flatten, next_help_heading = "Where to")]
    trust: ForwardTrust,

    /// Print the events as NDJSON instead of sending them
    #[arg(long, conflicts_with_all = ["to", "expect"], help_heading = "Where to")]
    print: bool,

    /// Seed: the same seed gives the same events [default: random]
    #[arg(long, value_name = "N", help_heading = "What", value_parser = words::whole_number::<u64>(0..=u64::MAX))]
    seed: Option<u64>,

    /// Start of the company's time [default: now; with a known length, early enough to end now]
    #[arg(long, value_name = "TIME", help_heading = "What")]
    start: Option<Timestamp>,

    /// Average events per second of the company's time; a scenario is repeated [default: 1]
    #[arg(long, value_name = "EVENTS/S", value_parser = parse_rate, help_heading = "What")]
    rate: Option<Rate>,

    /// Distribution over time: steady, or workweek with nights and weekends (UTC)
    #[arg(long, value_name = "RHYTHM", default_value = "steady", hide_possible_values = true, value_parser = words::one_of::<Rhythm>(Rhythm::ALL.map(Rhythm::as_str)), help_heading = "What")]
    rhythm: Rhythm,

    /// Number of events to send; a scenario is repeated until then
    #[arg(long, value_name = "N", value_parser = words::whole_number::<u64>(1..=u64::MAX), help_heading = "What")]
    count: Option<u64>,

    /// Length of the company's time; a scenario is repeated until then
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, help_heading = "What")]
    duration: Option<Duration>,

    /// Form of the events: observed (like real traffic) or asyncapi (valid against the published contract)
    #[arg(long, value_name = "DIALECT", default_value_t, hide_possible_values = true, value_parser = words::one_of::<Dialect>(Dialect::ALL.map(Dialect::as_str)), help_heading = "What")]
    dialect: Dialect,

    /// Speed of the company's time: real, 60x or max [default: 10x for a scenario, else real]
    #[arg(long, value_name = "SPEED", help_heading = "What")]
    speed: Option<Speed>,

    /// Faults and their share of events: duplicate, reorder, delay, burst, late-leg; with --to also bad-signature,
    /// old-secret, wrong-content-type, truncated
    #[arg(
        long,
        value_name = "FAULT=SHARE,…",
        default_value = "",
        hide_default_value = true,
        hide_possible_values = true,
        value_parser = words::one_of::<Faults>(Fault::ALL.map(Fault::as_str)),
        help_heading = "Test"
    )]
    fault: Faults,

    /// Condition for exit code 0: 2xx (valid events are accepted, invalid ones refused), delivered (the server has also
    /// delivered everything), rejected (everything is refused)
    #[arg(long, value_name = "WHAT", hide_possible_values = true, value_parser = words::one_of::<Expectation>(Expectation::ALL.map(Expectation::as_str)), help_heading = "Test")]
    expect: Option<Expectation>,

    /// Diagnose the receiver from its answers to genuine, forged and odd requests; exit code 1 if anything is wrong
    #[arg(long, requires = "to", conflicts_with_all = ["scenario", "print", "expect", "fault", "count", "duration", "rate"], help_heading = "Test")]
    diagnose: bool,

    /// URL at which the receiver reports how many events it has stored: a number, or {"count": N}
    #[arg(long, value_name = "URL", requires = "diagnose", help_heading = "Test", value_parser = words::url("http://localhost:3000/hook"))]
    count_at: Option<Url>,

    /// Time limit for deliveries, with --expect delivered
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration, help_heading = "Test")]
    within: Duration,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

spelled_enum! {
    /// Condition for exit code 0.
    enum Expectation: "expectation" {
        /// What is right is taken, and what is wrong is refused.
        Taken = "2xx",
        /// As before, and the server has delivered all of it.
        Delivered = "delivered",
        /// All of it is refused.
        Rejected = "rejected",
    }
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.list {
            return list(self.json);
        }
        self.check_options()?;
        if let (true, Some(url)) = (self.diagnose, &self.to) {
            let target = ReceiverTarget {
                url,
                secret: self.secret.as_ref(),
                count_at: self.count_at.as_ref(),
                timeout: self.timeout,
                trust: self.trust.trust()?,
            };
            let diagnosis = block_on(diagnose(&target))?;
            diagnosis.print(self.json)?;
            return diagnosis.check();
        }
        let stream = Stream::choose(&self)?;
        if self.print {
            return stream
                .events
                .map(|sending| sending.event.body)
                .try_for_each(output::print_data);
        }
        output::remark(format_args!("{}", stream.in_words));
        let results = match &self.to {
            Some(url) => block_on(receiver::send_all(&self, url, stream))?,
            None => block_on(server::send_all(&self, stream))?,
        };
        results.print(self.json, self.expect)?;
        results.check(self.expect)
    }

    /// Checks combinations of options.
    fn check_options(&self) -> anyhow::Result<()> {
        for fault in self.fault.chosen() {
            if fault.is_about_the_request() && self.to.is_none() {
                let why = "is about the request to a receiver; name one with --to URL";
                return Err(UsageError(format!("{fault} {why}")).into());
            }
            if fault.needs_a_secret() && self.secret.is_none() {
                return Err(UsageError(format!("{fault} needs the receiver's --secret")).into());
            }
        }
        Ok(())
    }
}

fn list(json: bool) -> anyhow::Result<()> {
    if json {
        let scenarios: Vec<_> = Scenario::all()
            .map(|scenario| {
                let has_words = |dialect| !scenario.play(0, Timestamp::default(), dialect).is_empty();
                let dialects = Dialect::ALL.into_iter().filter(|dialect| has_words(*dialect));
                json!({
                    "name": scenario.name(),
                    "summary": scenario.summary(),
                    "dialects": dialects.map(Dialect::as_str).collect::<Vec<_>>(),
                })
            })
            .collect();
        return output::print_json(&scenarios);
    }
    let mut table = Table::new(&["SCENARIO", "WHAT HAPPENS"]).truncating(&["WHAT HAPPENS"]);
    for scenario in Scenario::all() {
        table.row([scenario.name().to_owned(), scenario.summary().to_owned()]);
    }
    table.print_or("there are none")
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    // The lowest is one an hour.
    const RATES: RangeInclusive<f64> = 0.0003..=100_000.0;
    let (least, most) = (RATES.start(), RATES.end());
    let rate = text.parse::<f64>().ok().filter(|rate| RATES.contains(rate));
    rate.map(|rate| Rate::per_hour((rate * 3_600.0).round() as u64))
        .ok_or_else(|| format!("a rate is a number of events a second, from {least} (one an hour) to {most}"))
}
