//! A body in chunks (RFC 9112, section 7.1), as a raw capture of a request may have it.

use super::capture::split_line;

/// The body in one piece; `None` if it is not chunked.
pub(super) fn join(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let (line, after) = split_line(rest);
        let line = std::str::from_utf8(line).ok()?;
        let size = line.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(after.get(..size)?);
        let (end, after) = split_line(&after[size..]);
        if !end.is_empty() {
            return None;
        }
        rest = after;
    }
}
