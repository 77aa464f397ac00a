//! Record of the shim: everything that was done to the files of a folder, in order. The format is described in
//! `shim.c`.

use std::path::Path;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Open {
        handle: u32,
        name: String,
        creates: bool,
    },
    Write {
        handle: u32,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetLength {
        handle: u32,
        length: u64,
    },
    Sync {
        handle: u32,
    },
    /// One that failed: nobody knows what of it is on the disk.
    FailedSync {
        handle: u32,
    },
    Remove {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// An event was acknowledged to its sender.
    Acknowledge {
        event: i64,
    },
    /// A call was made to fail.
    Fault,
}

/// Reads a record. What was being written when the process was killed is not part of it.
pub(super) fn read(path: &Path) -> Vec<Deed> {
    let bytes = std::fs::read(path).expect("the shim made a record");
    let mut rest = &bytes[..];
    let mut deeds = Vec::new();
    while let Some((head, behind)) = rest.split_at_checked(17) {
        let number = |at: usize, length: usize| {
            let digits = head[at..at + length].iter().rev();
            digits.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let length = usize::try_from(number(13, 4)).expect("it fits");
        let Some((payload, behind)) = behind.split_at_checked(length) else {
            break;
        };
        let handle = u32::try_from(number(1, 4)).expect("it has four bytes");
        deeds.push(deed(head[0], handle, number(5, 8), payload));
        rest = behind;
    }
    deeds
}

fn deed(kind: u8, handle: u32, number: u64, payload: &[u8]) -> Deed {
    let text = || String::from_utf8_lossy(payload).into_owned();
    match kind {
        b'O' => Deed::Open {
            handle,
            name: text(),
            creates: number != 0,
        },
        b'W' => Deed::Write {
            handle,
            offset: number,
            bytes: payload.to_vec(),
        },
        b'Z' => {
            let length = u64::from_le_bytes(payload.try_into().expect("a length"));
            Deed::Write {
                handle,
                offset: number,
                bytes: vec![0; usize::try_from(length).expect("it fits")],
            }
        }
        b'S' => Deed::SetLength {
            handle,
            length: number,
        },
        b'F' => Deed::Sync { handle },
        b'E' => Deed::FailedSync { handle },
        b'U' => Deed::Remove { name: text() },
        b'R' => {
            let names = text();
            let (from, to) = names.split_once('\0').expect("two names");
            Deed::Rename {
                from: from.to_owned(),
                to: to.to_owned(),
            }
        }
        b'A' => Deed::Acknowledge {
            event: event_in(&text()),
        },
        b'X' => Deed::Fault,
        other => panic!("the shim recorded a {other}"),
    }
}

/// The id in the answer to an event.
fn event_in(answer: &str) -> i64 {
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer has a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON, and whole");
    body["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("it has an id")
}
