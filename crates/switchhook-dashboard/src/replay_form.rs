//! The form of a replay, and what it asks for.

use std::fmt;

use switchhook_domain::Kind;
use switchhook_domain::id::id_of;
use switchhook_domain::replay::ReplayFilter;
use switchhook_node::replays::{ReplayRequest, ReplayTarget};

use super::events::{instant, joined};
use super::form::Form;
use super::session::Viewer;

/// A replay's form, as it was filled in.
#[derive(Debug, Default)]
pub(super) struct ReplayForm {
    pub(super) kind: Option<String>,
    pub(super) webhook: Option<String>,
    pub(super) state: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) not_delivered: bool,
    pub(super) to_webhook: Option<String>,
    pub(super) rate: Option<String>,
}

impl ReplayForm {
    /// The form as it was filled in.
    pub(super) fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).map(ToOwned::to_owned);
        Self {
            kind: text("kind"),
            webhook: text("webhook"),
            state: text("state"),
            since: text("since"),
            until: text("until"),
            not_delivered: form.is_ticked("not_delivered"),
            to_webhook: text("to_webhook"),
            rate: text("rate"),
        }
    }

    /// A form that an address has filled in so far.
    pub(super) fn of(viewer: &Viewer) -> Self {
        Self {
            webhook: viewer.query("webhook"),
            state: viewer.query("state"),
            kind: viewer.query("kind"),
            since: viewer.query("since"),
            until: viewer.query("until"),
            not_delivered: viewer.query("not_delivered").is_some(),
            ..Self::default()
        }
    }

    /// Request made from the form, or all its errors.
    pub(super) fn request(&self) -> Result<ReplayRequest, String> {
        let mut errors = Vec::new();
        let mut filter = ReplayFilter {
            since: instant("since", self.since.clone(), &mut errors),
            until: instant("until", self.until.clone(), &mut errors),
            not_delivered: self.not_delivered,
            ..ReplayFilter::default()
        };
        let mut read = Reading(&mut errors);
        filter.kind = read.one("kind", self.kind.as_deref(), Kind::of_kept);
        filter.state = read.one("state", self.state.as_deref(), str::parse);
        filter.webhook_id = read.one("webhook", self.webhook.as_deref(), id_of);
        let to = read.one("to_webhook", self.to_webhook.as_deref(), id_of);
        let rate = read.one("rate", self.rate.as_deref(), |text| {
            let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite());
            rate.ok_or_else(|| format!("`{text}` is not a number"))
        });
        match joined(&errors) {
            Some(errors) => Err(errors),
            None => Ok(ReplayRequest {
                filter,
                to: to.map_or(ReplayTarget::Origins, ReplayTarget::Webhook),
                rate,
            }),
        }
    }
}

/// Reads fields and notes what is wrong with them.
struct Reading<'a>(&'a mut Vec<String>);

impl Reading<'_> {
    fn one<T, E: fmt::Display>(
        &mut self,
        name: &str,
        text: Option<&str>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = read(text?);
        value
            .map_err(|error| self.0.push(format!("{name}: {error}")))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use switchhook_domain::Timestamp;

    use super::*;

    fn request(form: &str) -> Result<ReplayRequest, String> {
        ReplayForm::read(&Form::read(form.as_bytes())).request()
    }

    #[test]
    fn a_form_asks_for_what_it_says_and_nothing_else() {
        let form = "kind=call&webhook=&since=2026-11-24T10%3A30&not_delivered=on&rate=5&to_webhook=7";
        let asked = request(form).unwrap();
        let filter = ReplayFilter {
            kind: Some(Kind::Call),
            since: Some(Timestamp::from_millis(1_795_516_200_000)),
            not_delivered: true,
            ..ReplayFilter::default()
        };
        assert_eq!((asked.filter, asked.rate), (filter, Some(5.0)));
        assert!(matches!(
            asked.to,
            ReplayTarget::Webhook(switchhook_domain::id::WebhookId(7))
        ));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let message =
            request("since=soon&kind=fax&state=gone&webhook=x&to_webhook=-1&rate=fast").unwrap_err();
        for error in [
            "since: `soon` is no instant",
            "kind: `fax` is not a kind",
            "state: `gone` is not a",
            "webhook: `x` is not an id",
            "to_webhook: `-1` is not an id",
            "rate: `fast` is not a number",
        ] {
            assert!(message.contains(error), "{error} in {message}");
        }
    }
}
