//! `switchhook simulate --diagnose`: finds what a receiver gets wrong, from its answers to genuine, forged and odd requests.
//!
//! The sequence of requests is here; each depends on the answers before. The requests are described in `probe` and made in
//! `request`, the answers are judged in `judgement`, and the results are `finding`.

mod finding;
mod judgement;
mod probe;
mod request;

use std::time::Duration;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use switchhook_domain::Kind;
use switchhook_domain::clock::Clock;
use switchhook_domain::secret::Secret;
use switchhook_node::clock::SystemClock;
use url::Url;

use self::finding::FindingReport;
use self::judgement::{Observation, ProbeAnswer, Setup, judge};
use self::probe::{BrokenBody, EventShape, Forgery, HEADERS, HeaderForm, INVENTED, Probe, RequestStyle};
use self::request::Requests;
use crate::cli::output;
use switchhook_client::{Hook, HookAnswer, Trust};

/// Result of a diagnosis.
pub(in crate::cli) struct Diagnosis {
    url: Url,
    requests: usize,
    findings: Vec<FindingReport>,
    /// Questions that could not be answered, and why.
    not_seen: Vec<&'static str>,
}

/// The receiver, and how to reach it.
pub(in crate::cli) struct ReceiverTarget<'a> {
    pub(in crate::cli) url: &'a Url,
    pub(in crate::cli) secret: Option<&'a Secret>,
    pub(in crate::cli) count_at: Option<&'a Url>,
    pub(in crate::cli) timeout: Duration,
    pub(in crate::cli) trust: Trust,
}

pub(in crate::cli) async fn diagnose(target: &ReceiverTarget<'_>) -> anyhow::Result<Diagnosis> {
    let hook = |at| Hook::new(at, target.timeout, &target.trust);
    let secret = target.secret.map(Secret::expose);
    let mut run = DiagnosisRun {
        url: target.url.clone(),
        hook: hook(target.url)?,
        count: target.count_at.map(hook).transpose()?,
        requests: Requests::new(secret, SystemClock.now()),
        observations: Vec::new(),
    };
    run.run().await?;
    let setup = Setup {
        is_signed: secret.is_some(),
        timeout: target.timeout,
        counts: target.count_at.is_some(),
    };
    Ok(Diagnosis {
        url: target.url.clone(),
        requests: run.observations.len(),
        findings: judge(&run.observations, &setup),
        not_seen: not_seen(&setup),
    })
}

fn not_seen(setup: &Setup) -> Vec<&'static str> {
    let mut not_seen = Vec::new();
    if !setup.counts {
        not_seen.push(
            "whether a repeat counts twice, and whether an event that is accepted has any effect: answers do not show it; \
             give --count-at URL, where the receiver says how much it has stored",
        );
    }
    if !setup.is_signed {
        not_seen.push("whether signatures are verified: give --secret");
    }
    not_seen
}

struct DiagnosisRun {
    url: Url,
    hook: Hook,
    count: Option<Hook>,
    requests: Requests,
    observations: Vec<Observation>,
}

impl DiagnosisRun {
    async fn run(&mut self) -> anyhow::Result<()> {
        let Some((style, base)) = self.find_style().await? else {
            return self.try_invented().await;
        };
        self.try_repeat(style, base).await?;
        for shape in EventShape::ALL.into_iter().filter(|shape| *shape != base) {
            self.send(style, Probe::Event(shape)).await?;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Call) {
            self.send(style, Probe::Kind(kind)).await?;
        }
        self.try_forged_and_broken(style).await?;
        // Only where it can be seen that the genuine ones have no effect.
        if self.count.is_some() {
            self.try_invented().await?;
        }
        Ok(())
    }

    /// Finds a style and a shape in which a genuine event is accepted; first as Dialpad sends it.
    async fn find_style(&mut self) -> anyhow::Result<Option<(RequestStyle, EventShape)>> {
        for shape in [EventShape::Documented, EventShape::Nulls] {
            match self.send(RequestStyle::AsDialpad, Probe::Event(shape)).await? {
                ProbeAnswer::Status(200..=299) => return Ok(Some((RequestStyle::AsDialpad, shape))),
                // Nothing would be answered, one timeout after the other.
                ProbeAnswer::TimedOut => return Ok(None),
                _ => {}
            }
        }
        for style in self.requests.other_styles() {
            if self
                .send(style, Probe::Event(EventShape::Documented))
                .await?
                .is_taken()
            {
                return Ok(Some((style, EventShape::Documented)));
            }
        }
        for name in HEADERS {
            for form in HeaderForm::ALL {
                let style = RequestStyle::Header(name, form);
                if self.requests.is_possible(style)
                    && self
                        .send(style, Probe::Event(EventShape::Documented))
                        .await?
                        .is_taken()
                {
                    return Ok(Some((style, EventShape::Documented)));
                }
            }
        }
        Ok(None)
    }

    /// Sends the same delivery twice, as after a lost answer.
    async fn try_repeat(&mut self, style: RequestStyle, base: EventShape) -> anyhow::Result<()> {
        self.send(style, Probe::Counted(base)).await?;
        self.send(style, Probe::Repeat(base)).await?;
        Ok(())
    }

    async fn try_forged_and_broken(&mut self, style: RequestStyle) -> anyhow::Result<()> {
        // Whether it looks at the header that it waits for, or only whether there is one.
        if self.requests.is_signed() && matches!(style, RequestStyle::Header(..)) {
            self.send(style, Probe::Forged(Forgery::OtherSecret)).await?;
        }
        let style = match style {
            RequestStyle::As(_) | RequestStyle::Labelled => style,
            _ => RequestStyle::AsDialpad,
        };
        for forgery in Forgery::ALL {
            if self.requests.is_signed() {
                self.send(style, Probe::Forged(forgery)).await?;
            }
        }
        for broken in BrokenBody::ALL {
            self.send(style, Probe::Broken(broken)).await?;
        }
        Ok(())
    }

    /// Sends names that no phone system sends, in invented envelopes.
    async fn try_invented(&mut self) -> anyhow::Result<()> {
        if self
            .observations
            .iter()
            .any(|one| one.seen == ProbeAnswer::TimedOut)
        {
            return Ok(());
        }
        for style in [
            RequestStyle::AsDialpad,
            RequestStyle::Plain,
            RequestStyle::AllHeaders,
        ] {
            for invented in INVENTED {
                if self.requests.is_possible(style) {
                    self.send(style, Probe::Invented(invented.name)).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, style: RequestStyle, probe: Probe) -> anyhow::Result<ProbeAnswer> {
        let (headers, body) = self.requests.make(style, probe);
        let seen = match self.hook.post(headers, body).await {
            HookAnswer::Status(status) => ProbeAnswer::Status(status),
            HookAnswer::NoAnswer(reason) if reason.starts_with("no answer within") => ProbeAnswer::TimedOut,
            HookAnswer::Closed(reason) | HookAnswer::NoAnswer(reason) => ProbeAnswer::CutOff(reason),
            HookAnswer::Unreachable(reason) if self.observations.is_empty() => {
                return Err(anyhow!(reason).context(format!("no answer from {}", self.url)));
            }
            HookAnswer::Unreachable(reason) => ProbeAnswer::CutOff(reason),
        };
        let count = match &self.count {
            Some(count) => Some(read_count(count).await?),
            None => None,
        };
        self.observations.push(Observation {
            style,
            probe,
            seen: seen.clone(),
            count,
        });
        Ok(seen)
    }
}

/// Number of events that a receiver has stored: a number, or an object with the member `count`.
async fn read_count(hook: &Hook) -> anyhow::Result<i64> {
    let Some(text) = hook.text().await else {
        bail!("--count-at: it does not answer with 2xx");
    };
    let value: Value = serde_json::from_str(text.trim()).unwrap_or_default();
    let count = value.as_i64().or_else(|| value.get("count")?.as_i64());
    count.ok_or_else(|| {
        anyhow!("--count-at: its answer is neither a whole number nor an object like {{\"count\": 7}}")
    })
}

impl Diagnosis {
    pub(in crate::cli) fn as_json(&self) -> Value {
        json!({
            "url": self.url.as_str(),
            "requests": self.requests,
            "findings": self.findings.iter().map(FindingReport::as_json).collect::<Vec<_>>(),
            "not_seen": self.not_seen,
        })
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::print_json(&self.as_json());
        }
        for report in &self.findings {
            output::print(format_args!("{}: {}", report.finding.slug(), report.says))?;
            for seen in &report.seen {
                output::print(format_args!("    {seen}"))?;
            }
            output::print(format_args!("    what to do: {}", report.finding.page()))?;
        }
        for not_seen in &self.not_seen {
            output::remark(format_args!("not seen: {not_seen}"));
        }
        let requests = self.requests;
        match self.findings.len() {
            0 => output::print(format_args!("{requests} requests: no findings")),
            count => output::print(format_args!("{requests} requests: {count} findings")),
        }
    }

    /// Fails if there is a finding.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.findings.len() {
            0 => Ok(()),
            1 => bail!("the receiver at {} has 1 finding", self.url),
            count => bail!("the receiver at {} has {count} findings", self.url),
        }
    }
}
