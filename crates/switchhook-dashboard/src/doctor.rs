//! The doctor: what is wrong, where, and what to do about it. What is examined is the node's.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use switchhook_domain::attempt::Failure;
use switchhook_node::doctor::{ConnectionCheck, ExamineOptions, Finding, Location, examine};

use super::SharedState;
use super::page::{Frame, PageError, show as show_page};
use super::session::Viewer;
use super::widgets::{Sentence, many};

/// Bound on the findings shown.
const MOST_FINDINGS: usize = 200;

#[derive(Template)]
#[template(path = "doctor.html")]
struct DoctorPage {
    frame: Frame,
    findings: Vec<FindingRow>,
    more: usize,
    webhooks: String,
    subscriptions: String,
    /// True if connections were tried.
    connects: bool,
    unreached: usize,
}

/// One thing that is wrong.
#[derive(Debug)]
struct FindingRow {
    place: String,
    /// The page about the place, if there is one.
    link: Option<String>,
    what: Sentence,
    last_line: Option<String>,
    /// Label of that line: an answer, or an error.
    name_of_last: &'static str,
    remedy: String,
}

impl FindingRow {
    fn of(finding: Finding) -> Self {
        Self {
            link: match &finding.location {
                Location::Server => None,
                Location::Webhook { id, .. } => Some(format!("/dashboard/webhooks/{id}")),
                Location::Source { id, .. } => Some(format!("/dashboard/sources/{id}")),
                Location::Subscription { id, kind } => {
                    Some(format!("/dashboard/subscriptions/{}/{id}/edit", kind.route()))
                }
            },
            place: finding.location.to_string(),
            what: Sentence(finding.what),
            last_line: finding.last_line,
            name_of_last: Failure::name_of_last(finding.last_status),
            remedy: finding.remedy,
        }
    }
}

/// Shows what is wrong. Connections are tried if that is asked for.
pub(super) async fn show(
    State(dashboard): State<SharedState>,
    viewer: Viewer,
) -> Result<Response, PageError> {
    let connects = viewer.query("connect").is_some();
    let examination = ExamineOptions {
        only: None,
        connections: match connects {
            true => ConnectionCheck::Try,
            false => ConnectionCheck::Skip,
        },
    };
    let report = examine(&dashboard.node, viewer.caller, examination).await?;
    let more = report.findings.len().saturating_sub(MOST_FINDINGS);
    let findings = report.findings.into_iter().take(MOST_FINDINGS);
    Ok(show_page(&DoctorPage {
        frame: viewer.frame(&dashboard, "doctor", "Doctor"),
        findings: findings.map(FindingRow::of).collect(),
        more,
        webhooks: many(report.webhooks, "webhook"),
        subscriptions: many(report.subscriptions, "subscription"),
        connects,
        unreached: report.unreached,
    }))
}
