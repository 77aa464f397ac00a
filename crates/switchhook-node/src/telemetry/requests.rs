//! Requests by route, method and class of the answer. What the outside invents does not become a label: routes are the
//! templates of those that there are, methods those that are known.

use std::sync::OnceLock;

use dashmap::DashMap;
use http::{Method, StatusCode};
use metrics::{Counter, Key, KeyName, Label, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::metric::METADATA;

const NAME: &str = "switchhook_http_requests_total";

/// Bound on the routes counted, above the number of routes.
const MOST: usize = 1_000;

const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other",
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters, by route.
#[derive(Default)]
pub(super) struct Requests(DashMap<Box<str>, Counters>);

/// The counters of one route, by method and class, of those that were needed.
type Counters = [[OnceLock<Counter>; CLASSES.len()]; METHODS.len()];

impl Requests {
    pub(super) fn new(recorder: &PrometheusRecorder) -> Self {
        recorder.describe_counter(
            KeyName::from_const_str(NAME),
            Some(Unit::Count),
            SharedString::const_str("Requests by route, method and class of the answer"),
        );
        let requests = Self::default();
        // So that there is something to see before the first request.
        let route = "/v1/events/{event}";
        let counters = requests.0.entry(route.into()).or_default();
        for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
            counter(&counters, recorder, route, &Method::POST, status);
        }
        drop(counters);
        requests
    }

    pub(super) fn count(
        &self,
        recorder: &PrometheusRecorder,
        route: &str,
        method: &Method,
        status: StatusCode,
    ) {
        if let Some(counters) = self.0.get(route) {
            return counter(&counters, recorder, route, method, status).increment(1);
        }
        if self.0.len() < MOST {
            let counters = self.0.entry(route.into()).or_default();
            counter(&counters, recorder, route, method, status).increment(1);
        }
    }
}

fn counter<'c>(
    counters: &'c Counters,
    recorder: &PrometheusRecorder,
    route: &str,
    method: &Method,
    status: StatusCode,
) -> &'c Counter {
    let known = METHODS.iter().position(|known| *known == method.as_str());
    let method = known.unwrap_or(METHODS.len() - 1);
    let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
    counters[method][class].get_or_init(|| {
        let labels = vec![
            Label::new("route", route.to_owned()),
            Label::from_static_parts("method", METHODS[method]),
            Label::from_static_parts("class", CLASSES[class]),
        ];
        recorder.register_counter(&Key::from_parts(NAME, labels), &METADATA)
    })
}
