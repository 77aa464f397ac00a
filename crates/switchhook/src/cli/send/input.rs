//! Splits an input into events, without changing their bytes and without holding more than one of them.
//!
//! Three formats differ in how the input begins: an array (`[`), lines (the first line is a whole JSON object,
//! or no JSON at all), or objects that go over several lines.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use switchhook_protocol::LARGEST_EVENT;
use tokio::sync::mpsc::Sender;

/// Bound on the bytes read for one event: the largest event, and a reader's buffer.
const LARGEST_STEP: usize = LARGEST_EVENT + (64 << 10);

/// An event of the input, valid or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputEvent {
    /// Line number, or position in the array, from 1.
    pub(super) number: u64,
    /// Format of the input, which the number counts by.
    pub(super) format: InputFormat,
    pub(super) text: Bytes,
    /// True if there were more bytes than any server accepts; then they are not held.
    pub(super) is_too_large: bool,
}

/// Format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputFormat {
    /// One event per line.
    Lines,
    /// An array of events.
    Elements,
    /// One or more events, each over several lines.
    Objects,
}

impl InputFormat {
    /// Word for one event.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Lines => "line",
            Self::Elements => "element",
            Self::Objects => "object",
        }
    }
}

impl InputEvent {
    fn new(number: u64, format: InputFormat, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let is_too_large = text.len() > LARGEST_EVENT;
        Self {
            number,
            format,
            text: if is_too_large { Bytes::new() } else { text },
            is_too_large,
        }
    }
}

/// Reads all events and sends them to the channel, until it is closed.
pub(super) fn read(source: impl BufRead, items: &Sender<anyhow::Result<InputEvent>>) {
    let mut take = |item| {
        items
            .blocking_send(Ok(item))
            .map_err(|_| anyhow!("the events are not read any more"))
    };
    if let Err(error) = read_events(source, &mut take) {
        // Nobody is left to tell if this fails.
        let _ = items.blocking_send(Err(error));
    }
}

type EventSink<'a> = &'a mut dyn FnMut(InputEvent) -> anyhow::Result<()>;

fn read_events(mut source: impl BufRead, take: EventSink<'_>) -> anyhow::Result<()> {
    let blank_lines = skip_blank(&mut source)?;
    match source.fill_buf()?.first() {
        None => Err(anyhow!("the input is empty; give events as JSON")),
        Some(b'[') => elements(source, take),
        Some(_) => lines_or_objects(source, blank_lines, take),
    }
}

/// Skips white space and a byte order mark; returns the number of lines skipped.
fn skip_blank(source: &mut impl BufRead) -> io::Result<u64> {
    if source.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        source.consume(3);
    }
    let mut lines = 0;
    loop {
        let buffer = source.fill_buf()?;
        let blank = buffer
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        lines += buffer[..blank].iter().filter(|byte| **byte == b'\n').count() as u64;
        source.consume(blank);
        if blank == 0 {
            return Ok(lines);
        }
    }
}

fn lines_or_objects(mut source: impl BufRead, blank_lines: u64, take: EventSink<'_>) -> anyhow::Result<()> {
    let first = read_line(&mut source)?.unwrap_or_default();
    let parsed: Result<IgnoredAny, _> = serde_json::from_slice(&first);
    let is_incomplete = parsed.is_err_and(|error| error.is_eof()) && first.len() <= LARGEST_EVENT;
    if is_incomplete {
        let whole = first.chain(&b"\n"[..]).chain(source);
        return objects(BufReader::new(whole), take);
    }
    lines(first, source, blank_lines, take)
}

fn lines(
    first: Vec<u8>,
    mut source: impl BufRead,
    blank_lines: u64,
    take: EventSink<'_>,
) -> anyhow::Result<()> {
    let mut next = Some(first);
    let mut number = blank_lines;
    while let Some(line) = next {
        number += 1;
        if !line.trim_ascii().is_empty() {
            take(InputEvent::new(number, InputFormat::Lines, line))?;
        }
        next = read_line(&mut source)?;
    }
    Ok(())
}

/// Reads a line without its end; of one that is too long only enough to see that it is.
fn read_line(source: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = LARGEST_EVENT as u64 + 2;
    if source.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let is_whole = line.last() == Some(&b'\n');
    if !is_whole && line.len() as u64 == limit {
        source.skip_until(b'\n')?;
        return Ok(Some(line));
    }
    if is_whole {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

fn objects(source: impl BufRead, take: EventSink<'_>) -> anyhow::Result<()> {
    let read = Cell::new(0);
    let stepped = StepLimitedReader { source, read: &read };
    let values = serde_json::Deserializer::from_reader(BufReader::new(stepped)).into_iter::<Box<RawValue>>();
    for (value, number) in values.zip(1..) {
        let value = value.with_context(|| format!("object {number} of the input is not JSON"))?;
        take(InputEvent::new(
            number,
            InputFormat::Objects,
            String::from(Box::<str>::from(value)),
        ))?;
        read.set(0);
    }
    Ok(())
}

fn elements(source: impl BufRead, take: EventSink<'_>) -> anyhow::Result<()> {
    let read = Cell::new(0);
    let mut array =
        serde_json::Deserializer::from_reader(BufReader::new(StepLimitedReader { source, read: &read }));
    let mut number = 0;
    let mut stopped = None;
    let elements = Elements {
        take,
        read: &read,
        number: &mut number,
        stopped: &mut stopped,
    };
    let parsed = array.deserialize_seq(elements).and_then(|()| array.end());
    match (stopped, parsed) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => {
            Err(error).with_context(|| format!("the array is not JSON after its element {number}"))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// Visitor that passes on the elements of an array as they are read.
struct Elements<'a> {
    take: EventSink<'a>,
    read: &'a Cell<usize>,
    number: &'a mut u64,
    stopped: &'a mut Option<anyhow::Error>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element::<Box<RawValue>>()? {
            *self.number += 1;
            self.read.set(0);
            let item = InputEvent::new(
                *self.number,
                InputFormat::Elements,
                String::from(Box::<str>::from(element)),
            );
            if let Err(error) = (self.take)(item) {
                *self.stopped = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// Reader that fails if it reads more than [`LARGEST_STEP`] for one event.
struct StepLimitedReader<'a, R> {
    source: R,
    read: &'a Cell<usize>,
}

impl<R: Read> Read for StepLimitedReader<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > LARGEST_STEP {
            return Err(io::Error::other(format!(
                "the next event is {}",
                super::report::too_large_message()
            )));
        }
        let count = self.source.read(buffer)?;
        self.read.set(self.read.get() + count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(input: &[u8]) -> anyhow::Result<Vec<InputEvent>> {
        let mut items = Vec::new();
        read_events(BufReader::with_capacity(7, input), &mut |item| {
            items.push(item);
            Ok(())
        })?;
        Ok(items)
    }

    #[track_caller]
    fn check(input: &str, format: InputFormat, expected: &[(u64, &str)]) {
        let items = items(input.as_bytes()).unwrap();
        let read: Vec<_> = items
            .iter()
            .map(|item| (item.number, std::str::from_utf8(&item.text).unwrap()))
            .collect();
        assert_eq!(read, expected);
        assert!(items.iter().all(|item| item.format == format));
    }

    #[test]
    fn lines_keep_their_bytes_and_their_numbers() {
        check("{\"a\": 1e400}", InputFormat::Lines, &[(1, "{\"a\": 1e400}")]);
        check(
            "\n\n{\"a\":1}\r\n \n{bad\n{\"b\": 2.50 }",
            InputFormat::Lines,
            &[(3, "{\"a\":1}"), (5, "{bad"), (6, "{\"b\": 2.50 }")],
        );
        check("{bad}\n{}", InputFormat::Lines, &[(1, "{bad}"), (2, "{}")]);
        check("\u{feff}{}\n{}\n", InputFormat::Lines, &[(1, "{}"), (2, "{}")]);
    }

    #[test]
    fn an_object_over_several_lines_is_one_event() {
        let pretty = "{\n  \"a\": 1.0,\n  \"b\": {}\n}";
        check(&format!("{pretty}\n"), InputFormat::Objects, &[(1, pretty)]);
        check(
            &format!("{pretty}\n{pretty} {{}}"),
            InputFormat::Objects,
            &[(1, pretty), (2, pretty), (3, "{}")],
        );
    }

    #[test]
    fn the_elements_of_an_array_keep_their_bytes() {
        check(
            " [ {\"a\": 1e400,\n \"b\": 9223372036854775808}, 7 , {} ]\n",
            InputFormat::Elements,
            &[
                (1, "{\"a\": 1e400,\n \"b\": 9223372036854775808}"),
                (2, "7"),
                (3, "{}"),
            ],
        );
        check("[]", InputFormat::Elements, &[]);
    }

    #[test]
    fn what_is_no_input_is_told_with_its_place() {
        for (input, expected) in [
            ("", "the input is empty"),
            (" \n", "the input is empty"),
            ("[{}, {]", "not JSON after its element 1"),
            ("[{}] x", "not JSON after its element 1"),
            ("{\n\"a\": }", "object 1 of the input is not JSON"),
        ] {
            let error = format!("{:#}", items(input.as_bytes()).unwrap_err());
            assert!(error.contains(expected), "{input}: {error}");
        }
    }

    #[test]
    fn what_is_too_large_is_never_held() {
        let long = "x".repeat(3 * LARGEST_EVENT);
        let lines = items(format!("{{}}\n{long}\n{{}}").as_bytes()).unwrap();
        let sizes: Vec<_> = lines
            .iter()
            .map(|item| (item.number, item.is_too_large, item.text.len()))
            .collect();
        assert_eq!(sizes, [(1, false, 2), (2, true, 0), (3, false, 2)]);
        let array = format!("[{{}}, \"{long}\"]");
        assert!(format!("{:#}", items(array.as_bytes()).unwrap_err()).contains("larger than 1 MiB"));
    }
}
