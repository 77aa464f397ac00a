//! Reading a journal back: hands out whole lines and finds where they end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::{Format, Found, Journal};

/// The longest line that is looked at: no receiver takes an event of this size.
const MAX_LINE_BYTES: u64 = 8 * 1024 * 1024;

/// Reads the lines, and tells where the last whole one ends. `None` if the file is something else.
pub(super) fn scan(
    file: &File,
    format: Format,
    each: &mut impl FnMut(&[u8]),
) -> io::Result<Option<(Found, u64)>> {
    let length = file.metadata()?.len();
    let mut at = length.saturating_sub(Journal::READ_BACK);
    let mut reader = BufReader::with_capacity(1 << 16, file);
    reader.seek(SeekFrom::Start(at))?;
    let mut line = Vec::new();
    if at > 0 {
        at += next_line(&mut reader, &mut line)?;
    }
    let mut found = Found::default();
    let mut good_until = at;
    let mut is_ours = true;
    loop {
        let bytes = next_line(&mut reader, &mut line)?;
        if bytes == 0 {
            break;
        }
        at += bytes;
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if text.starts_with(format.opening.as_bytes()) && (format.is_whole)(text) {
            each(text);
            found.lines += 1;
            good_until = at;
            is_ours = true;
        } else {
            is_ours &= could_be_torn(text, format);
        }
    }
    found.bytes_cut = length - good_until;
    Ok(is_ours.then_some((found, good_until)))
}

/// True for the beginning of one of our lines, or for what a file system leaves where it never wrote.
fn could_be_torn(text: &[u8], format: Format) -> bool {
    let opening = format.opening.as_bytes();
    text.starts_with(opening) || opening.starts_with(text) || text.contains(&0)
}

/// One line with its line feed, or what there is of it; an endless one in pieces, none of which is whole.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    Ok(reader.take(MAX_LINE_BYTES).read_until(b'\n', line)? as u64)
}

/// True if a line feed, or nothing at all, is before this position.
pub(super) fn ends_a_line(mut file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    file.seek(SeekFrom::Start(last))?;
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}
