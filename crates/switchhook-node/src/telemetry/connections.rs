//! Metrics of client connections.

use metrics_exporter_prometheus::PrometheusRecorder;
use switchhook_http::server::{ConnectionCounts, Overdue};

use super::metric::{counter, gauge, label};

pub(super) fn connection_counts(recorder: &PrometheusRecorder) -> ConnectionCounts {
    let closed = |reason| {
        let help = "Connections that the server closed, by reason: `head`, `idle`, `body` and `answer` for what the client \
                    took too long with, `room` to make room for another";
        counter(
            recorder,
            "switchhook_connections_closed_total",
            help,
            label("reason", reason),
        )
    };
    let refused = |reason| {
        let help = "Connections that were not taken: `limit` if there was no room to be made, `files` if no file was left";
        counter(
            recorder,
            "switchhook_connections_refused_total",
            help,
            label("reason", reason),
        )
    };
    ConnectionCounts {
        open: gauge(
            recorder,
            "switchhook_connections_open",
            "Connections of clients that are open",
        ),
        accepted: counter(
            recorder,
            "switchhook_connections_accepted_total",
            "Connections of clients that were taken",
            vec![],
        ),
        overdue: Overdue::ALL.map(|why| closed(why.as_str())),
        made_room: closed("room"),
        refused: refused("limit"),
        without_file: refused("files"),
    }
}
