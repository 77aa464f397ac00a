//! `switchhook doctor`: the server's report of problems and remedies, and a comparison of the clocks.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use switchhook_domain::Timestamp;
use switchhook_domain::attempt::Failure;
use switchhook_domain::clock::Clock;
use switchhook_domain::id::WebhookId;

use super::block_on;
use super::connection::Connection;
use super::output;
use switchhook_client::{Client, Request};
use switchhook_node::clock::SystemClock;
use switchhook_web::api::answers::{DoctorAnswer, FindingAnswer};

/// Largest accepted difference between the server's clock and this machine's.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Report problems and what to do about them; exit code 0 if there are none, 1 otherwise
///
/// Checks webhooks, subscriptions, secrets, late and exhausted deliveries, clocks, and whether the server can connect to
/// each webhook. No event is sent.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  switchhook doctor
  switchhook doctor --webhook 7730318061039616
  switchhook doctor --no-connect --json")]
pub(super) struct Doctor {
    /// Only problems of this webhook
    #[arg(long, value_name = "ID")]
    webhook: Option<WebhookId>,

    /// Do not try to connect to webhooks
    #[arg(long)]
    no_connect: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: Connection,
}

/// Bound on the places listed for one group.
const MAX_PLACES: usize = 10;

/// Findings that say the same of several places.
struct Group<'a> {
    first: &'a FindingAnswer,
    remedy: String,
    places: Vec<&'a str>,
}

/// Groups of findings, in the order of the first of each.
fn groups(findings: &[FindingAnswer]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut index_by_key = HashMap::new();
    for finding in findings {
        let remedy = general_remedy(finding);
        let key = (
            &finding.trouble,
            &finding.what,
            &finding.last_line,
            remedy.clone(),
        );
        let index = *index_by_key.entry(key).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.places.push(&finding.place),
            None => groups.push(Group {
                first: finding,
                remedy,
                places: vec![&finding.place],
            }),
        }
    }
    groups
}

/// Remedy with `ID` for the id of the one place.
fn general_remedy(finding: &FindingAnswer) -> String {
    let ids = [finding.webhook_id, finding.subscription_id, finding.source_id];
    ids.into_iter()
        .flatten()
        .fold(finding.remedy.clone(), |remedy, id| {
            remedy.replace(&id.to_string(), "ID")
        })
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.places.iter().take(MAX_PLACES) {
            writeln!(f, "{place}")?;
        }
        if self.places.len() > MAX_PLACES {
            writeln!(f, "and {} more", self.places.len() - MAX_PLACES)?;
        }
        let remedy = match self.places.len() {
            1 => &self.first.remedy,
            _ => &self.remedy,
        };
        writeln!(f, "  {}", self.first.what)?;
        if let Some(line) = &self.first.last_line {
            let name = Failure::name_of_last(self.first.last_status);
            writeln!(f, "  {name}: {line}")?;
        }
        writeln!(f, "  → {remedy}")
    }
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let client = self.connection.client()?;
        block_on(async {
            let mut report = fetch_report(&client, self.webhook, !self.no_connect).await?;
            let clocks = clock_skew(report.now, SystemClock.now());
            report.findings_count += usize::from(clocks.is_some());
            report.findings.extend(clocks);
            if self.json {
                output::print_json(&report)?;
            } else {
                print(&report)?;
            }
            match report.findings_count {
                0 => Ok(()),
                1 => bail!("1 problem found"),
                count => bail!("{count} problems found"),
            }
        })
    }
}

pub(super) async fn fetch_report(
    client: &Client,
    webhook: Option<WebhookId>,
    connect: bool,
) -> anyhow::Result<DoctorAnswer> {
    let query = [
        ("webhook_id", webhook.map(|id| id.to_string())),
        ("connect", Some(connect.to_string())),
    ];
    Ok(client.send(Request::get("/v1/doctor", &query)).await?.read()?)
}

/// A finding if the clocks differ. The time of the server's answer is recent enough to compare.
fn clock_skew(server_time: Timestamp, own_time: Timestamp) -> Option<FindingAnswer> {
    // Only one of the two is not zero.
    let (ahead, back) = (server_time.since(own_time), own_time.since(server_time));
    let (off, direction) = if ahead > back {
        (ahead, "ahead of")
    } else {
        (back, "behind")
    };
    (off > MAX_CLOCK_SKEW).then(|| FindingAnswer {
        trouble: "clock_skew".to_owned(),
        place: "the server".to_owned(),
        webhook_id: None,
        subscription_id: None,
        source_id: None,
        last_line: None,
        last_status: None,
        what: format!("its clock is {} s {direction} this machine's", off.as_secs()),
        remedy: "set both clocks by NTP: retries and times in the log use the server's".to_owned(),
    })
}

fn print(report: &DoctorAnswer) -> anyhow::Result<()> {
    for group in groups(&report.findings) {
        output::print_text(format_args!("{group}"))?;
    }
    if report.findings_count > report.findings.len() {
        output::remark("there are more findings; --webhook ID reports on one webhook");
    }
    if report.unreached > 0 {
        output::remark(format_args!(
            "there was no time to connect to {} webhooks; --webhook ID reports on one webhook",
            report.unreached
        ));
    }
    if report.findings.is_empty() {
        let nodes = match report.nodes {
            0 | 1 => String::new(),
            nodes => format!(", {}", counted(nodes, "node")),
        };
        output::print(format_args!(
            "all is well: {}, {}{nodes}",
            counted(report.webhooks, "webhook"),
            counted(report.subscriptions, "subscription")
        ))?;
    }
    Ok(())
}

fn counted<N: fmt::Display + Copy + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use switchhook_web::api::answers::IdText;

    use super::*;

    #[test]
    fn what_is_the_same_at_several_places_is_said_once() {
        let finding = |id: i64, what: &str| FindingAnswer {
            trouble: "tls".to_owned(),
            place: format!("webhook {id} (https://example.com/{id})"),
            webhook_id: Some(IdText(id)),
            subscription_id: None,
            source_id: None,
            what: what.to_owned(),
            last_line: None,
            last_status: None,
            remedy: format!("switchhook webhooks update {id} --hook-url URL"),
        };
        let mut findings: Vec<_> = (100..112).map(|id| finding(id, "expired")).collect();
        findings.insert(1, finding(7, "wrong name"));
        let texts: Vec<_> = groups(&findings).iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2);
        assert!(
            texts[0].starts_with("webhook 100 (https://example.com/100)\nwebhook 101"),
            "{}",
            texts[0]
        );
        assert!(
            texts[0].ends_with("and 2 more\n  expired\n  → switchhook webhooks update ID --hook-url URL\n")
        );
        assert_eq!(
            texts[1],
            "webhook 7 (https://example.com/7)\n  wrong name\n  → switchhook webhooks update 7 --hook-url URL\n"
        );
    }

    #[test]
    fn clocks_may_differ_a_little() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let found = |server_time| clock_skew(server_time, now).map(|finding| finding.what);
        assert_eq!(found(now.plus(Duration::from_secs(4))), None);
        assert!(found(now.plus(Duration::from_secs(90))).is_some_and(|what| what.contains("90 s ahead of")));
        assert!(found(now.minus(Duration::from_secs(6))).is_some_and(|what| what.contains("6 s behind")));
    }
}
