//! A captured request, parsed leniently: whatever is not understood is a body.
//!
//! The formats differ in how they begin. curl commands are read in `curl`, JSON captures in `json_capture`, chunks in
//! `chunked`.

use std::fmt;

use super::{chunked, curl, json_capture};

/// A request, as far as the capture has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Capture {
    pub(super) format: CaptureFormat,
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// True if a line feed after the token was dropped as the capture's own.
    pub(super) dropped_line_end: bool,
}

/// Format of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CaptureFormat {
    Http,
    Curl,
    Json,
    Body,
}

impl fmt::Display for CaptureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "a raw HTTP request",
            Self::Curl => "a curl command",
            Self::Json => "a request as JSON",
            Self::Body => "a body",
        })
    }
}

impl Capture {
    pub(super) fn of(input: &[u8]) -> Self {
        let read = curl::read(input)
            .or_else(|| json_capture::read(input))
            .or_else(|| read_http(input));
        read.unwrap_or_else(|| Self::of_body(input)).without_line_end()
    }

    /// Drops the line feed at the end of files and clipboards, which was never sent, unless `Content-Length` counts it.
    fn without_line_end(mut self) -> Self {
        let is_text = matches!(self.format, CaptureFormat::Body | CaptureFormat::Http)
            && self.header("content-length").is_none();
        if is_text && self.body.starts_with(b"ey") && self.body.ends_with(b"\n") {
            self.body.pop();
            self.body.pop_if(|byte| *byte == b'\r');
            self.dropped_line_end = true;
        }
        self
    }

    pub(super) fn of_body(input: &[u8]) -> Self {
        Self {
            format: CaptureFormat::Body,
            method: None,
            target: None,
            headers: Vec::new(),
            body: input.to_vec(),
            dropped_line_end: false,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn has_headers(&self) -> bool {
        !self.headers.is_empty()
    }

    /// A note if the sender's `Content-Length` does not fit the captured body.
    pub(super) fn note_on_length(&self) -> Option<String> {
        let sent: usize = self.header("content-length")?.trim().parse().ok()?;
        let bytes = self.body.len();
        (sent != bytes).then(|| {
            format!("Content-Length says {sent} bytes, and the capture has {bytes}: the body was changed, perhaps only by the capture")
        })
    }
}

/// A request line or a header, more headers, an empty line, a body. Lines may have the `> ` of `curl -v` before them.
fn read_http(input: &[u8]) -> Option<Capture> {
    let mut capture = Capture {
        format: CaptureFormat::Http,
        ..Capture::of_body(b"")
    };
    let mut rest = input;
    let mut is_first = true;
    loop {
        let (line, after) = split_line(rest);
        let line = std::str::from_utf8(line).ok()?;
        let line = line
            .strip_prefix("> ")
            .or_else(|| line.strip_prefix('>'))
            .unwrap_or(line)
            .trim_end();
        rest = after;
        if is_first && let Some((method, target)) = request_line(line) {
            (capture.method, capture.target) = (Some(method), Some(target));
        } else if line.is_empty() && !is_first {
            break;
        } else {
            capture.headers.push(header_line(line)?);
        }
        is_first = false;
        if rest.is_empty() {
            break;
        }
    }
    let is_chunked = capture
        .header("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"));
    let whole = is_chunked.then(|| chunked::join(rest)).flatten();
    capture.body = whole.unwrap_or_else(|| without_editors_line_feed(rest, capture.header("content-length")));
    Some(capture)
}

/// Drops the line feed that an editor added, if the body then fits `Content-Length`.
fn without_editors_line_feed(body: &[u8], sent: Option<&str>) -> Vec<u8> {
    let sent = sent.and_then(|sent| sent.trim().parse().ok());
    let shorter = [b"\r\n".as_slice(), b"\n"]
        .into_iter()
        .filter_map(|end| body.strip_suffix(end));
    let fitting = shorter
        .into_iter()
        .find(|body| Some(body.len()) == sent && sent.is_some());
    fitting.unwrap_or(body).to_vec()
}

pub(super) fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (
            text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]),
            &text[end + 1..],
        ),
        None => (text, b""),
    }
}

fn request_line(line: &str) -> Option<(String, String)> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next());
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_version = version.is_none_or(|version| version.starts_with("HTTP/")) && words.next().is_none();
    let is_target = target.starts_with('/') || target.starts_with("http");
    (is_method && is_version && is_target).then(|| (method.to_owned(), target.to_owned()))
}

pub(super) fn header_line(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_header = !name.is_empty() && name.bytes().all(is_name);
    is_header.then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
}
