//! Requests by route, method and class of the answer. What the outside invents does not become a label: routes are the
//! templates of those that there are, methods those that are known.

use dashmap::DashMap;
use http::{Method, StatusCode};
use metrics::{Counter, Key, KeyName, Label, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::metric::METADATA;

const NAME: &str = "switchhook_http_requests_total";

/// How many series there can be: more routes than there are, times methods, times classes.
const MOST: usize = 2_000;

/// The counters.
#[derive(Default)]
pub(super) struct Requests(DashMap<(String, &'static str, &'static str), Counter>);

impl Requests {
    pub(super) fn new(recorder: &PrometheusRecorder) -> Self {
        recorder.describe_counter(
            KeyName::from_const_str(NAME),
            Some(Unit::Count),
            SharedString::const_str("Requests by route, method and class of the answer"),
        );
        let requests = Self::default();
        // So that there is something to see before the first request.
        for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
            requests.counter(recorder, "/v1/events/{event}", &Method::POST, status);
        }
        requests
    }

    pub(super) fn count(
        &self,
        recorder: &PrometheusRecorder,
        route: &str,
        method: &Method,
        status: StatusCode,
    ) {
        if let Some(counter) = self.counter(recorder, route, method, status) {
            counter.increment(1);
        }
    }

    fn counter(
        &self,
        recorder: &PrometheusRecorder,
        route: &str,
        method: &Method,
        status: StatusCode,
    ) -> Option<Counter> {
        let (method, class) = (known(method), class(status));
        let key = (route.to_owned(), method, class);
        if let Some(counter) = self.0.get(&key) {
            return Some(counter.clone());
        }
        if self.0.len() >= MOST {
            return None;
        }
        let labels = vec![
            Label::new("route", route.to_owned()),
            Label::from_static_parts("method", method),
            Label::from_static_parts("class", class),
        ];
        let counter = recorder.register_counter(&Key::from_parts(NAME, labels), &METADATA);
        self.0.insert(key, counter.clone());
        Some(counter)
    }
}

fn known(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

const fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
