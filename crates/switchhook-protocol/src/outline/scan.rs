//! Scanner for JSON (RFC 8259): one pass over the bytes, without recursion, however deep they are nested.

use super::{JsonType, Node, Outline};

/// Bounds on nesting and on number length that every reader accepts: some end at 128 levels, and a double at 309
/// digits.
const PLAIN_DEPTH: usize = 100;
const PLAIN_DIGITS: usize = 300;

/// Bytes of an event per value, approximately.
const BYTES_OF_A_VALUE: usize = 12;

/// Outline of `text`, if it is one JSON value.
pub(super) fn scan(text: &str) -> Option<Outline<'_>> {
    // Places are kept in 32 bits.
    u32::try_from(text.len()).ok()?;
    let mut scan = Scan {
        bytes: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity(text.len() / BYTES_OF_A_VALUE + 8),
        depth: 0,
        is_plain: true,
    };
    scan.value()?;
    Some(Outline {
        text,
        nodes: scan.nodes,
        is_plain: scan.is_plain,
    })
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    depth: usize,
    is_plain: bool,
}

/// No container: what the outermost is in.
const NOWHERE: u32 = u32::MAX;

impl Scan<'_> {
    /// The whole text: one value.
    fn value(&mut self) -> Option<()> {
        self.skip_white();
        // The innermost container that is open. While it is, its `next` has the place of the one around it.
        let mut open = NOWHERE;
        loop {
            // A value begins here.
            match self.peek()? {
                byte @ (b'{' | b'[') => {
                    let sort = if byte == b'{' {
                        JsonType::Object
                    } else {
                        JsonType::Array
                    };
                    let place = self.push(self.at, sort);
                    self.nodes[place as usize].next = open;
                    open = place;
                    self.depth += 1;
                    self.is_plain &= self.depth <= PLAIN_DEPTH;
                    self.at += 1;
                    self.skip_white();
                    // An empty one has no first value.
                    if self.peek()? == end_of(sort) {
                        open = self.close(open);
                    } else {
                        if sort == JsonType::Object {
                            self.name()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true", JsonType::Boolean)?,
                b'f' => self.word(b"false", JsonType::Boolean)?,
                b'n' => self.word(b"null", JsonType::Null)?,
                _ => return None,
            }
            // A value ended here, and with it maybe what it is in.
            loop {
                self.skip_white();
                if open == NOWHERE {
                    return (self.at == self.bytes.len()).then_some(());
                }
                let sort = self.nodes[open as usize].sort;
                let byte = self.peek()?;
                if byte == end_of(sort) {
                    open = self.close(open);
                } else if byte == b',' {
                    self.at += 1;
                    self.skip_white();
                    if sort == JsonType::Object {
                        self.name()?;
                    }
                    break;
                } else {
                    return None;
                }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Notes what begins at `start` and ends here.
    fn push(&mut self, start: usize, sort: JsonType) -> u32 {
        let place = narrow(self.nodes.len());
        self.nodes.push(Node {
            start: narrow(start),
            end: narrow(self.at),
            next: place + 1,
            sort,
        });
        place
    }

    /// The container ends with this byte; answers the one around it.
    fn close(&mut self, open: u32) -> u32 {
        self.at += 1;
        self.depth -= 1;
        let (end, next) = (narrow(self.at), narrow(self.nodes.len()));
        let node = &mut self.nodes[open as usize];
        node.end = end;
        std::mem::replace(&mut node.next, next)
    }

    /// A member's name with the colon behind it.
    fn name(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        self.string()?;
        self.skip_white();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        self.skip_white();
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        self.at += 1;
        let mut sort = JsonType::String;
        loop {
            self.skip_ordinary();
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    sort = JsonType::EscapedString;
                    self.escape()?;
                }
                // What moves the cursor may not stand in a string.
                _ => return None,
            }
        }
        self.at += 1;
        self.push(start, sort);
        Some(())
    }

    /// Goes to the next byte that means something in a string, or to the end.
    fn skip_ordinary(&mut self) {
        let rest = &self.bytes[self.at..];
        let (words, tail) = rest.as_chunks::<8>();
        for word in words {
            let special = special_in(u64::from_le_bytes(*word));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        self.at += tail.iter().position(is_special).unwrap_or(tail.len());
    }

    fn escape(&mut self) -> Option<()> {
        let escaped = *self.bytes.get(self.at + 1)?;
        self.at += 2;
        match escaped {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
            b'u' => {
                let digits = self.bytes.get(self.at..self.at + 4)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                // Whether the other half follows is for those to say who decode it.
                let is_half = matches!(digits, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                self.is_plain &= !is_half;
                self.at += 4;
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let mut sort = JsonType::Integer;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        // Nothing follows a leading zero.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            sort = JsonType::Number;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            sort = JsonType::Number;
            self.is_plain = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.is_plain &= self.at - start <= PLAIN_DIGITS;
        self.push(start, sort);
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8], sort: JsonType) -> Option<()> {
        let start = self.at;
        if !self.bytes[start..].starts_with(word) {
            return None;
        }
        self.at += word.len();
        self.push(start, sort);
        Some(())
    }
}

/// The highest bit of each byte that means something in a string. Those above the lowest of them may be set for nothing.
const fn special_in(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const fn below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(ONES * bound as u64) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (below(word, 0x20) | quote | backslash) & (ONES << 7)
}

const fn end_of(container: JsonType) -> u8 {
    if matches!(container, JsonType::Object) {
        b'}'
    } else {
        b']'
    }
}

/// A place in a text of which the length has 32 bits. It has no more values than bytes.
const fn narrow(place: usize) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "the length was looked at before")]
    {
        place as u32
    }
}
