//! Registration of metrics with name and description.

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::PrometheusRecorder;

pub(super) const METADATA: Metadata<'_> = Metadata::new("switchhook", Level::INFO, None);

pub(super) fn label(name: &'static str, value: &'static str) -> Vec<Label> {
    vec![Label::from_static_parts(name, value)]
}

pub(super) fn counter(
    recorder: &PrometheusRecorder,
    name: &'static str,
    help: &'static str,
    labels: Vec<Label>,
) -> Counter {
    recorder.describe_counter(
        KeyName::from_const_str(name),
        Some(Unit::Count),
        SharedString::const_str(help),
    );
    recorder.register_counter(&Key::from_parts(name, labels), &METADATA)
}

pub(super) fn gauge(recorder: &PrometheusRecorder, name: &'static str, help: &'static str) -> Gauge {
    labelled_gauge(recorder, name, help, vec![])
}

pub(super) fn labelled_gauge(
    recorder: &PrometheusRecorder,
    name: &'static str,
    help: &'static str,
    labels: Vec<Label>,
) -> Gauge {
    recorder.describe_gauge(KeyName::from_const_str(name), None, SharedString::const_str(help));
    recorder.register_gauge(&Key::from_parts(name, labels), &METADATA)
}

pub(super) fn histogram(recorder: &PrometheusRecorder, name: &'static str, help: &'static str) -> Histogram {
    recorder.describe_histogram(KeyName::from_const_str(name), None, SharedString::const_str(help));
    recorder.register_histogram(&Key::from_static_name(name), &METADATA)
}
