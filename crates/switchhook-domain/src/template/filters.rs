//! The filters that Jinja does not have.

use minijinja::Environment;
use minijinja::value::Value;
use switchhook_protocol::Timestamp;

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("duration", duration);
    environment.add_filter("time", time);
    environment.add_filter("truncate", truncate);
    environment.add_filter("slack", slack);
    environment.add_filter("markdown", markdown);
}

/// Milliseconds as people say them: `2:29`, or `1:02:29`; nothing if they are no number.
fn duration(milliseconds: Value) -> String {
    let Ok(milliseconds) = f64::try_from(milliseconds) else {
        return String::new();
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is out of range is cut"
    )]
    let seconds = (milliseconds / 1_000.0).max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Unix milliseconds as `2026-11-21T09:00:00.000Z`; nothing if they are no whole number.
fn time(milliseconds: Value) -> String {
    let milliseconds = i64::try_from(milliseconds).map(Timestamp::from_millis);
    milliseconds.map_or_else(|_| String::new(), |at| at.to_string())
}

/// At most so many characters.
fn truncate(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Escapes what Slack would take for a link, a channel or a person.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as a text of its own, whatever is there can be taken: numbers too"
)]
fn slack(text: String) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Escapes what Discord's Markdown would take for a link, a quotation or formatting.
#[expect(
    clippy::needless_pass_by_value,
    reason = "as a text of its own, whatever is there can be taken: numbers too"
)]
fn markdown(text: String) -> String {
    const MARKS: &str = "\\`*_~|<>[]()#";
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if MARKS.contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
