//! `switchhook simulate --diagnose`: what a receiver gets wrong, told from its answers to genuine, forged and odd requests.
//!
//! Here: which requests are sent, the next depending on what was answered. What there is to ask is `probe`, how it is asked
//! `request`, what the answers mean is `judgement`, which looks at nothing else, and the words for it are `finding`.

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

use self::finding::Found;
use self::judgement::{Observation, Seen, Setup, judge};
use self::probe::{Break, Forgery, HEADERS, HeaderForm, INVENTED, Probe, Shape, Way};
use self::request::Requests;
use crate::cli::output;
use switchhook_client::{Hook, HookAnswer, Trust};

/// What was looked at, and what was found.
pub(in crate::cli) struct Diagnosis {
    url: Url,
    requests: usize,
    found: Vec<Found>,
    /// What could not be told, and why.
    not_seen: Vec<&'static str>,
}

/// Whom to ask, and how.
pub(in crate::cli) struct Subject<'a> {
    pub(in crate::cli) url: &'a Url,
    pub(in crate::cli) secret: Option<&'a Secret>,
    pub(in crate::cli) count_at: Option<&'a Url>,
    pub(in crate::cli) timeout: Duration,
    pub(in crate::cli) trust: Trust,
}

/// Asks a receiver, and judges it.
pub(in crate::cli) async fn diagnose(subject: &Subject<'_>) -> anyhow::Result<Diagnosis> {
    let hook = |at| Hook::new(at, subject.timeout, &subject.trust);
    let secret = subject.secret.map(Secret::expose);
    let mut examination = Examination {
        url: subject.url.clone(),
        hook: hook(subject.url)?,
        count: subject.count_at.map(hook).transpose()?,
        requests: Requests::new(secret, SystemClock.now()),
        observations: Vec::new(),
    };
    examination.run().await?;
    let setup = Setup {
        is_signed: secret.is_some(),
        timeout: subject.timeout,
        counts: subject.count_at.is_some(),
    };
    Ok(Diagnosis {
        url: subject.url.clone(),
        requests: examination.observations.len(),
        found: judge(&examination.observations, &setup),
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

struct Examination {
    url: Url,
    hook: Hook,
    count: Option<Hook>,
    requests: Requests,
    observations: Vec<Observation>,
}

impl Examination {
    async fn run(&mut self) -> anyhow::Result<()> {
        let Some((way, base)) = self.find_way().await? else {
            return self.try_invented().await;
        };
        self.try_repeat(way, base).await?;
        for shape in Shape::ALL.into_iter().filter(|shape| *shape != base) {
            self.look(way, Probe::Event(shape)).await?;
        }
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Call) {
            self.look(way, Probe::Kind(kind)).await?;
        }
        self.try_wrong(way).await?;
        // Only where it can be seen that the genuine ones have no effect.
        if self.count.is_some() {
            self.try_invented().await?;
        }
        Ok(())
    }

    /// How a genuine event has to come so that it is accepted, and which: first as Dialpad sends it.
    async fn find_way(&mut self) -> anyhow::Result<Option<(Way, Shape)>> {
        for shape in [Shape::Documented, Shape::Nulls] {
            match self.look(Way::AsDialpad, Probe::Event(shape)).await? {
                Seen::Status(200..=299) => return Ok(Some((Way::AsDialpad, shape))),
                // Nothing would be answered, one timeout after the other.
                Seen::TimedOut => return Ok(None),
                _ => {}
            }
        }
        for way in self.requests.other_ways() {
            if self.look(way, Probe::Event(Shape::Documented)).await?.is_taken() {
                return Ok(Some((way, Shape::Documented)));
            }
        }
        for name in HEADERS {
            for form in HeaderForm::ALL {
                let way = Way::Header(name, form);
                if self.requests.can_go(way)
                    && self.look(way, Probe::Event(Shape::Documented)).await?.is_taken()
                {
                    return Ok(Some((way, Shape::Documented)));
                }
            }
        }
        Ok(None)
    }

    /// The same delivery twice, as it comes if an answer was lost.
    async fn try_repeat(&mut self, way: Way, base: Shape) -> anyhow::Result<()> {
        self.look(way, Probe::Counted(base)).await?;
        self.look(way, Probe::Repeat(base)).await?;
        Ok(())
    }

    async fn try_wrong(&mut self, way: Way) -> anyhow::Result<()> {
        // Whether it looks at the header that it waits for, or only whether there is one.
        if self.requests.is_signed() && matches!(way, Way::Header(..)) {
            self.look(way, Probe::Forged(Forgery::OtherSecret)).await?;
        }
        let way = match way {
            Way::As(_) | Way::Labelled => way,
            _ => Way::AsDialpad,
        };
        for forgery in Forgery::ALL {
            if self.requests.is_signed() {
                self.look(way, Probe::Forged(forgery)).await?;
            }
        }
        for broken in Break::ALL {
            self.look(way, Probe::Broken(broken)).await?;
        }
        Ok(())
    }

    /// Names that no phone system sends, in the envelopes that people believe in.
    async fn try_invented(&mut self) -> anyhow::Result<()> {
        if self.observations.iter().any(|one| one.seen == Seen::TimedOut) {
            return Ok(());
        }
        for way in [Way::AsDialpad, Way::Plain, Way::AllHeaders] {
            for invented in INVENTED {
                if self.requests.can_go(way) {
                    self.look(way, Probe::Invented(invented.name)).await?;
                }
            }
        }
        Ok(())
    }

    async fn look(&mut self, way: Way, probe: Probe) -> anyhow::Result<Seen> {
        let (headers, body) = self.requests.make(way, probe);
        let seen = match self.hook.post(headers, body).await {
            HookAnswer::Status(status) => Seen::Status(status),
            HookAnswer::Silent(reason) if reason.starts_with("no answer within") => Seen::TimedOut,
            HookAnswer::Closed(reason) | HookAnswer::Silent(reason) => Seen::CutOff(reason),
            HookAnswer::Unreachable(reason) if self.observations.is_empty() => {
                return Err(anyhow!(reason).context(format!("no answer from {}", self.url)));
            }
            HookAnswer::Unreachable(reason) => Seen::CutOff(reason),
        };
        let count = match &self.count {
            Some(count) => Some(read_count(count).await?),
            None => None,
        };
        self.observations.push(Observation {
            way,
            probe,
            seen: seen.clone(),
            count,
        });
        Ok(seen)
    }
}

/// How much a receiver has stored: a number, or an object with the member `count`.
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
            "findings": self.found.iter().map(Found::as_json).collect::<Vec<_>>(),
            "not_seen": self.not_seen,
        })
    }

    pub(super) fn tell(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return output::print_json(&self.as_json());
        }
        for found in &self.found {
            output::print(format_args!("{}: {}", found.finding.slug(), found.says))?;
            for seen in &found.seen {
                output::print(format_args!("    {seen}"))?;
            }
            output::print(format_args!("    what to do: {}", found.finding.page()))?;
        }
        for not_seen in &self.not_seen {
            output::remark(format_args!("not seen: {not_seen}"));
        }
        let requests = self.requests;
        match self.found.len() {
            0 => output::print(format_args!("{requests} requests: nothing is wrong")),
            found => output::print(format_args!("{requests} requests: {found} findings")),
        }
    }

    /// Fails if something is wrong.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        match self.found.len() {
            0 => Ok(()),
            1 => bail!("the receiver at {} has something wrong with it", self.url),
            found => bail!("the receiver at {} has {found} things wrong with it", self.url),
        }
    }
}
