//! Each event once: what counts as a repeat, for how long, and what a file remembers through crashes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use switchhook_protocol::{Kind, RepeatKey, Timestamp};
use switchhook_receiver::{Bounds, JournalError, Repeats, Turn};

fn key(number: u64) -> RepeatKey {
    RepeatKey::of_labelled(&number.to_string(), b"{}")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// Deals with an event if it is its turn.
fn deal_with(repeats: &Arc<Repeats>, key: RepeatKey, now: Timestamp) -> bool {
    match repeats.begin_at(key, now) {
        Turn::First(claim) => {
            claim.done().expect("it can be remembered");
            true
        }
        Turn::Repeat => false,
        Turn::UnderWay => panic!("nobody deals with {key}"),
    }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room for a folder"))
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("seen")
    }

    fn open(&self) -> Arc<Repeats> {
        Repeats::in_file(self.file(), Bounds::default()).expect("the file is ours")
    }
}

/// Files remember by the real clock, so their events are of today.
#[expect(clippy::disallowed_methods, reason = "a file is opened at the real time")]
fn today() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("it is after 1970");
    Timestamp::from_millis(0).plus(since)
}

#[test]
fn an_event_is_dealt_with_once_and_one_that_failed_comes_again() {
    let repeats = Repeats::in_memory(Bounds::default());
    let Turn::First(claim) = repeats.begin_at(key(1), at(0)) else {
        panic!("it is new");
    };
    assert!(matches!(repeats.begin_at(key(1), at(1)), Turn::UnderWay));
    assert!(deal_with(&repeats, key(2), at(1)));
    drop(claim);
    assert!(deal_with(&repeats, key(1), at(2)));
    assert!(!deal_with(&repeats, key(1), at(3)));
    assert!(!deal_with(&repeats, key(2), at(3)));
}

#[test]
fn what_has_only_its_bytes_is_a_repeat_for_five_minutes() {
    let repeats = Repeats::in_memory(Bounds::default());
    let contact = RepeatKey::natural(Some(Kind::Contact), br#"{"event":"Created"}"#);
    assert!(deal_with(&repeats, contact, at(0)));
    assert!(!deal_with(&repeats, contact, at(299)));
    assert!(deal_with(&repeats, contact, at(300)));
    assert!(!deal_with(&repeats, contact, at(599)));
}

#[test]
fn what_is_old_or_too_much_is_forgotten() {
    let age = Duration::from_secs(60);
    let repeats = Repeats::in_memory(Bounds { events: 10, age });
    for number in 0..100 {
        assert!(deal_with(&repeats, key(number), at(0)));
        assert!(repeats.len() <= 10);
    }
    assert!(!deal_with(&repeats, key(90), at(59)));
    assert!(deal_with(&repeats, key(0), at(59)));
    assert!(deal_with(&repeats, key(99), at(60)));
}

#[test]
fn a_file_remembers_over_restarts_and_a_torn_line_is_repaired() {
    let folder = Folder::new();
    let now = today();
    let repeats = folder.open();
    let contact = RepeatKey::natural(Some(Kind::Contact), b"{}");
    assert!(deal_with(&repeats, key(1), now) && deal_with(&repeats, contact, now));
    drop(repeats);
    let whole = fs::read(folder.file()).expect("it is there");
    for torn in [
        &b"seen 17"[..],
        b"s",
        b"seen 1790000000000 00112233445566778899aabbccddeef",
        b"\0\0\0\0",
        b"seen \0\n",
    ] {
        fs::write(folder.file(), [&whole, torn].concat()).expect("it can be written");
        let repeats = folder.open();
        assert_eq!(repeats.len(), 2);
        assert!(!deal_with(&repeats, key(1), now) && !deal_with(&repeats, contact, now));
        drop(repeats);
        assert_eq!(fs::read(folder.file()).expect("it is there"), whole, "{torn:?}");
    }
    // A whole line that lacks only its line feed was not torn.
    fs::write(folder.file(), whole.trim_ascii_end()).expect("it can be written");
    assert!(deal_with(&folder.open(), key(2), now));
    assert_eq!(folder.open().len(), 3);
}

#[test]
fn a_file_is_one_processs_and_nobody_elses_file_is_touched() {
    let folder = Folder::new();
    let first = folder.open();
    let second = Repeats::in_file(folder.file(), Bounds::default());
    assert!(matches!(second, Err(JournalError::InUse { .. })), "{second:?}");
    drop(first);
    for foreign in [
        "my diary\n",
        "{\"a\":1}\n",
        "no line feed",
        "seen nothing\nmy diary",
    ] {
        fs::write(folder.file(), foreign).expect("it can be written");
        let refused = Repeats::in_file(folder.file(), Bounds::default());
        assert!(
            matches!(refused, Err(JournalError::Foreign { .. })),
            "{foreign}: {refused:?}"
        );
        assert_eq!(fs::read_to_string(folder.file()).expect("it is there"), foreign);
    }
}

#[test]
fn a_file_does_not_grow_for_ever() {
    let folder = Folder::new();
    let bounds = Bounds {
        events: 100,
        ..Bounds::default()
    };
    let line = |number| format!("seen {} {}\n", today().as_millis(), key(number));
    fs::write(folder.file(), (0..20_000).map(line).collect::<String>()).expect("it can be written");
    let repeats = Repeats::in_file(folder.file(), bounds).expect("the file is ours");
    let lines = || {
        fs::read_to_string(folder.file())
            .expect("it is there")
            .lines()
            .count()
    };
    assert_eq!((repeats.len(), lines()), (100, 100));
    assert!(!deal_with(&repeats, key(19_999), today()));
    assert!(deal_with(&repeats, key(7), today()));
    drop(repeats);
    let repeats = Repeats::in_file(folder.file(), bounds).expect("the file is ours");
    assert!(!deal_with(&repeats, key(7), today()));
    assert_eq!(lines(), 101);
}

#[test]
fn of_many_threads_one_deals_with_each_event() {
    let folder = Folder::new();
    let repeats = folder.open();
    let now = today();
    let dealt: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..50)
                        .filter(|number| deal_or_leave(&repeats, key(*number), now))
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .sum()
    });
    assert_eq!(dealt, 50);
    drop(repeats);
    assert_eq!(folder.open().len(), 50);
}

fn deal_or_leave(repeats: &Arc<Repeats>, key: RepeatKey, now: Timestamp) -> bool {
    match repeats.begin_at(key, now) {
        Turn::First(claim) => claim.done().is_ok(),
        Turn::Repeat | Turn::UnderWay => false,
    }
}
