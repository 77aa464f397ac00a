//! The one script and the one style sheet, built in. Their names carry a version, so that browsers may keep them.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

const SCRIPT: &str = include_str!("../assets/dashboard.js");
const STYLE: &str = include_str!("../assets/dashboard.css");
const ICON: &str = include_str!("../assets/icon.svg");

/// Version in the addresses of assets, so that a browser fetches those of a new build.
pub(super) fn version() -> String {
    // FNV-1a: tells versions apart, no more.
    let bytes = SCRIPT.bytes().chain(STYLE.bytes()).chain(ICON.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

pub(super) async fn get(Path(name): Path<String>) -> Response {
    let (content_type, text) = match name.as_str() {
        "dashboard.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "dashboard.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let kept = HeaderValue::from_static("private, max-age=31536000, immutable");
    let content_type = HeaderValue::from_static(content_type);
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, kept)], text).into_response()
}
