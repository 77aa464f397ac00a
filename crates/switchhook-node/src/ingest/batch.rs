//! Many events as lines: taking a stream of bytes apart, and keeping its lines in chunks of bounded size.
//!
//! A bad line is named and its neighbours are kept. A line's bytes are kept as they stand between the line ends.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};
use switchhook_domain::id::CompanyId;
use switchhook_store::StoreError;

use super::{Accepted, LARGEST_EVENT, Rejected, SentAs, Submission, accept_many};
use crate::Node;

/// Bounds on the events of one commit, and on their bytes.
const MOST_LINES: usize = 500;
pub const MOST_BYTES: usize = 1024 * 1024;

/// Most bad lines that are told one by one; the others are counted.
pub const MOST_REJECTED: usize = 100;

/// Most lines that were kept and deviate, and most bytes of what is said of them, that are told one by one.
pub const MOST_WARNED: usize = 100;
const MOST_WARNING_BYTES: usize = 64 * 1024;

/// Result of a batch.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of events kept.
    pub accepted: u64,
    /// Number of repeats, recognized by their key.
    pub duplicates: u64,
    /// Number of lines not kept.
    pub rejected_count: u64,
    /// The first of those.
    pub rejected: Vec<RejectedLine>,
    /// Number of events kept that deviate from their schema.
    pub warned_count: u64,
    /// The first of those.
    pub warned: Vec<WarnedLine>,
    warning_bytes: usize,
    /// The last line that was seen to, from 1.
    pub last_line: u64,
}

/// A line that is not kept.
#[derive(Debug)]
pub struct RejectedLine {
    /// Its number, from 1, blank lines counted.
    pub line: u64,
    pub reason: Rejected,
}

/// A line that is kept, and what is said of it.
#[derive(Debug)]
pub struct WarnedLine {
    /// Its number, from 1, blank lines counted.
    pub line: u64,
    /// Deviations from the schema.
    pub warnings: Vec<String>,
}

/// Events line by line.
pub struct Batch<'a> {
    node: &'a Node,
    company_id: CompanyId,
    sent_as: SentAs,
    idempotency_key: Option<String>,
    splitter: Splitter,
    waiting: Vec<Line>,
    waiting_bytes: usize,
    report: Report,
}

impl<'a> Batch<'a> {
    /// A batch without any line yet. A line's own idempotency key is `KEY:LINE`.
    #[must_use]
    pub fn new(node: &'a Node, company_id: CompanyId, sent_as: SentAs, key: Option<String>) -> Self {
        Self {
            node,
            company_id,
            sent_as,
            idempotency_key: key,
            splitter: Splitter::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            report: Report::default(),
        }
    }

    /// Result so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Takes the next bytes; keeps what has come together.
    ///
    /// # Errors
    /// If the store cannot keep anything. What the report counts is kept.
    pub async fn feed(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        while let Some(line) = self.splitter.next_line(&mut bytes) {
            self.add(line).await?;
        }
        Ok(())
    }

    /// Keeps the rest, also a last line without an end.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub async fn finish(&mut self) -> Result<(), StoreError> {
        if let Some(line) = self.splitter.last_line() {
            self.add(line).await?;
        }
        self.keep().await
    }

    /// Final result.
    #[must_use]
    pub fn into_report(self) -> Report {
        self.report
    }

    async fn add(&mut self, line: Line) -> Result<(), StoreError> {
        self.waiting_bytes += line.content.len();
        self.waiting.push(line);
        if self.waiting.len() >= MOST_LINES || self.waiting_bytes >= MOST_BYTES {
            self.keep().await?;
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), StoreError> {
        let lines = mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let mut submissions = Vec::with_capacity(lines.len());
        let mut refused = Vec::with_capacity(lines.len());
        for line in lines {
            let number = line.number;
            let submission = self.submission(line);
            refused.push((number, submission.map(|one| submissions.push(one)).err()));
        }
        if submissions.is_empty() {
            // Nothing waits for the store then, and a thread that takes apart one bad line after the other accepts nothing else.
            tokio::task::yield_now().await;
        }
        let mut outcomes = accept_many(self.node, submissions).await?.into_iter();
        for (line, refused) in refused {
            self.report.last_line = line;
            let outcome = match refused {
                Some(reason) => Err(reason),
                None => outcomes.next().expect("there is an outcome of every submission"),
            };
            match outcome {
                Ok(accepted) => self.report.take(line, accepted),
                Err(reason) => self.report.reject(RejectedLine { line, reason }),
            }
        }
        Ok(())
    }

    fn submission(&self, line: Line) -> Result<Submission, Rejected> {
        let kind = self.sent_as.kind_of(&line.content);
        Ok(Submission {
            company_id: self.company_id,
            kind: kind.inspect_err(|reason| self.node.telemetry.rejected(reason.reason()))?,
            body: line.content,
            idempotency_key: self
                .idempotency_key
                .as_ref()
                .map(|key| format!("{key}:{}", line.number).into()),
        })
    }
}

impl Report {
    fn take(&mut self, line: u64, accepted: Accepted) {
        match accepted.is_duplicate {
            true => self.duplicates += 1,
            false => self.accepted += 1,
        }
        let warnings = accepted.warnings;
        if warnings.is_empty() {
            return;
        }
        self.warned_count += 1;
        if self.warned.len() < MOST_WARNED && self.warning_bytes < MOST_WARNING_BYTES {
            self.warning_bytes += warnings.iter().map(String::len).sum::<usize>();
            self.warned.push(WarnedLine { line, warnings });
        }
    }

    fn reject(&mut self, line: RejectedLine) {
        self.rejected_count += 1;
        if self.rejected.len() < MOST_REJECTED {
            self.rejected.push(line);
        }
    }
}

/// One line that is not blank.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: u64,
    /// Its bytes without the line's end. Of a line that is too long just enough to see that it is.
    content: Bytes,
}

/// Takes bytes apart into lines, however they are cut; holds at most one line's beginning.
#[derive(Debug, Default)]
struct Splitter {
    number: u64,
    begun: BytesMut,
}

impl Splitter {
    /// The next line that is not blank, or `None` if `bytes` is used up.
    fn next_line(&mut self, bytes: &mut Bytes) -> Option<Line> {
        while !bytes.is_empty() {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.begin(bytes);
                bytes.clear();
                return None;
            };
            self.begin(&bytes[..end]);
            bytes.advance(end + 1);
            if let Some(line) = self.complete() {
                return Some(line);
            }
        }
        None
    }

    /// The last line, if it has no end.
    fn last_line(&mut self) -> Option<Line> {
        if self.begun.is_empty() {
            None
        } else {
            self.complete()
        }
    }

    /// One byte more than an event may have, and one for a carriage return, tells that a line is too long.
    fn begin(&mut self, bytes: &[u8]) {
        let room = (LARGEST_EVENT + 2).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn complete(&mut self) -> Option<Line> {
        self.number += 1;
        let mut content = self.begun.split().freeze();
        if content.last() == Some(&b'\r') {
            content.truncate(content.len() - 1);
        }
        let is_blank = content.trim_ascii().is_empty();
        (!is_blank).then_some(Line {
            number: self.number,
            content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<(u64, String)> {
        let mut splitter = Splitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(line) = splitter.next_line(&mut piece) {
                lines.push(line);
            }
        }
        lines.extend(splitter.last_line());
        let text = |content: &Bytes| String::from_utf8_lossy(content).into_owned();
        lines
            .iter()
            .map(|line| (line.number, text(&line.content)))
            .collect()
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        let whole = b"{\"a\":1}\r\n\n  {\"b\":2} \n\r\n{\"c\":3}";
        let expected = [
            (1, "{\"a\":1}".to_owned()),
            (3, "  {\"b\":2} ".to_owned()),
            (5, "{\"c\":3}".to_owned()),
        ];
        assert_eq!(lines(&[whole]), expected);
        for cut in 0..whole.len() {
            let (head, tail) = whole.split_at(cut);
            assert_eq!(lines(&[head, tail]), expected, "cut at {cut}");
        }
        let single: Vec<_> = whole.chunks(1).collect();
        assert_eq!(lines(&single), expected);
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held_whole() {
        let long = vec![b'x'; 3 * LARGEST_EVENT];
        let found = lines(&[&long, b"\n{}"]);
        assert_eq!(found[0].1.len(), LARGEST_EVENT + 2);
        assert_eq!(found[1], (2, "{}".to_owned()));
    }
}
