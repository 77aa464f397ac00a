//! A disk that keeps what was synced, and of the rest what chance decides.
//!
//! A file is on the disk as it was when it was last synced. Of what was done to it since, a power cut keeps anything, in any
//! combination, and of a write any of its sectors. A name is there once its folder was synced; what was done to names since
//! then is kept up to some point.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::dice::Dice;
use super::record::Deed;

/// Unit of a write that is kept or lost as a whole.
const SECTOR: usize = 512;

/// The files that a disk shows, by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Syncs that do nothing, for a disk that lies.
pub(super) type Ignores = fn(&str) -> bool;

#[derive(Debug)]
pub(super) struct Disk {
    files: Vec<File>,
    /// The names now, and those that are certain.
    names: BTreeMap<String, usize>,
    certain_names: BTreeMap<String, usize>,
    /// Names after each change since they were certain.
    name_changes: Vec<BTreeMap<String, usize>>,
    handles: HashMap<u32, Handle>,
    ignores: Ignores,
}

#[derive(Debug)]
enum Handle {
    Folder,
    File { file: usize, name: String },
}

#[derive(Debug, Default)]
struct File {
    certain: Vec<u8>,
    /// Changes since then, with their handles.
    changes: Vec<(u32, Change)>,
}

/// Fate of a change.
enum Fate {
    Kept,
    Lost,
    Undecided,
}

#[derive(Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLength(usize),
}

impl Disk {
    /// A disk with these files, all of them certain.
    pub(super) fn with(files: &Files, ignores: Ignores) -> Self {
        let names: BTreeMap<_, _> = files.keys().cloned().zip(0..).collect();
        let contents = files.values().cloned().map(|certain| File {
            certain,
            changes: Vec::new(),
        });
        Self {
            files: contents.collect(),
            certain_names: names.clone(),
            names,
            name_changes: Vec::new(),
            handles: HashMap::new(),
            ignores,
        }
    }

    pub(super) fn apply(&mut self, deed: &Deed, dice: &mut Dice) {
        match deed {
            Deed::Open {
                handle,
                name,
                creates,
            } => self.open(*handle, name, *creates),
            Deed::Write {
                handle,
                offset,
                bytes,
            } => self.change(
                *handle,
                Change::Write {
                    offset: usize::try_from(*offset).expect("it fits"),
                    bytes: bytes.clone(),
                },
            ),
            Deed::SetLength { handle, length } => {
                let length = usize::try_from(*length).expect("it fits");
                self.change(*handle, Change::SetLength(length));
            }
            Deed::Sync { handle } => self.sync(*handle),
            Deed::FailedSync { handle } => self.fail_sync(*handle, dice),
            Deed::Remove { name } => {
                self.names.remove(name);
                self.name_changes.push(self.names.clone());
            }
            Deed::Rename { from, to } => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
                self.name_changes.push(self.names.clone());
            }
            Deed::Acknowledge { .. } | Deed::Fault => {}
        }
    }

    fn open(&mut self, handle: u32, name: &str, creates: bool) {
        if name.is_empty() {
            self.handles.insert(handle, Handle::Folder);
            return;
        }
        if creates {
            self.names.insert(name.to_owned(), self.files.len());
            self.files.push(File::default());
            self.name_changes.push(self.names.clone());
        }
        let file = *self.names.get(name).expect("only what is there is opened");
        let name = name.to_owned();
        self.handles.insert(handle, Handle::File { file, name });
    }

    fn change(&mut self, handle: u32, change: Change) {
        match &self.handles[&handle] {
            Handle::File { file, .. } => self.files[*file].changes.push((handle, change)),
            Handle::Folder => panic!("a folder is not written"),
        }
    }

    fn sync(&mut self, handle: u32) {
        match &self.handles[&handle] {
            Handle::Folder => {
                self.certain_names = self.names.clone();
                self.name_changes.clear();
            }
            Handle::File { name, .. } if (self.ignores)(name) => {}
            Handle::File { file, .. } => self.files[*file].settle(|_| Fate::Kept),
        }
    }

    /// Of what this handle wrote, what is on the disk stays there, and the rest never gets there: a later sync does not know
    /// of it. Whoever wrote through another handle is told by its own sync.
    fn fail_sync(&mut self, failed: u32, dice: &mut Dice) {
        if let Handle::File { file, .. } = &self.handles[&failed] {
            let (all, none) = (dice.one_in(3), dice.one_in(3));
            self.files[*file].settle(|handle| match handle == failed {
                true if all || !none && dice.one_in(2) => Fate::Kept,
                true => Fate::Lost,
                false => Fate::Undecided,
            });
        }
    }

    /// Files after a power cut now.
    pub(super) fn after_power_cut(&self, dice: &mut Dice) -> Files {
        let kept = dice.below(self.name_changes.len() + 1);
        let names = match kept {
            0 => &self.certain_names,
            kept => &self.name_changes[kept - 1],
        };
        names
            .iter()
            .map(|(name, file)| (name.clone(), self.files[*file].after_power_cut(dice)))
            .collect()
    }
}

impl File {
    fn settle(&mut self, mut fate: impl FnMut(u32) -> Fate) {
        for (handle, change) in std::mem::take(&mut self.changes) {
            match fate(handle) {
                Fate::Kept => change.apply(&mut self.certain, |_| true),
                Fate::Lost => {}
                Fate::Undecided => self.changes.push((handle, change)),
            }
        }
    }

    fn after_power_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.certain.clone();
        // Often a disk has written nothing of it, or all but the last.
        let (keeps_some, keeps_most) = (dice.one_in(2), dice.one_in(3));
        for (number, (_, change)) in self.changes.iter().enumerate() {
            let is_last = number + 1 == self.changes.len();
            if keeps_most && !is_last || keeps_some && dice.one_in(2) {
                let is_torn = dice.one_in(4);
                change.apply(&mut bytes, |_| !is_torn || dice.one_in(2));
            }
        }
        bytes
    }
}

impl Change {
    /// Does it, to those sectors that are kept.
    fn apply(&self, file: &mut Vec<u8>, mut keeps_sector: impl FnMut(usize) -> bool) {
        match self {
            Self::SetLength(length) => file.resize(*length, 0),
            Self::Write { offset, bytes } => {
                let mut at = 0;
                while at < bytes.len() {
                    let place = offset + at;
                    let piece = (SECTOR - place % SECTOR).min(bytes.len() - at);
                    if keeps_sector(place / SECTOR) {
                        if file.len() < place + piece {
                            file.resize(place + piece, 0);
                        }
                        file[place..place + piece].copy_from_slice(&bytes[at..at + piece]);
                    }
                    at += piece;
                }
            }
        }
    }
}

/// The files of a folder as they are.
pub(super) fn read_folder(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).expect("the folder is ours");
    let files = entries.map(|entry| entry.expect("the folder is ours"));
    files
        .map(|entry| {
            let name = entry.file_name().into_string().expect("names are ours");
            (name, std::fs::read(entry.path()).expect("the files are ours"))
        })
        .collect()
}

/// Makes a folder of files. What SQLite shares between processes does not survive them.
pub(super) fn write_folder(folder: &Path, files: &Files) {
    std::fs::create_dir_all(folder).expect("the folder is ours");
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("-shm")) {
        let file = std::fs::File::create(folder.join(name)).expect("the folder is ours");
        file.set_len(bytes.len() as u64).expect("there is room");
        let blocks = bytes.chunks(4096).zip((0..).step_by(4096));
        for (block, at) in blocks.filter(|(block, _)| block.iter().any(|byte| *byte != 0)) {
            std::os::unix::fs::FileExt::write_all_at(&file, block, at).expect("there is room");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, bytes: &[u8]) -> Deed {
        Deed::Write {
            handle: 1,
            offset,
            bytes: bytes.to_vec(),
        }
    }

    fn open(handle: u32, name: &str) -> Deed {
        Deed::Open {
            handle,
            name: name.to_owned(),
            creates: handle == 1,
        }
    }

    /// Possible files after a power cut following these deeds, over many seeds.
    fn outcomes(deeds: &[Deed]) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        (0..200)
            .map(|seed| {
                let mut dice = Dice::new(seed);
                let mut disk = Disk::with(&Files::new(), |_| false);
                deeds.iter().for_each(|deed| disk.apply(deed, &mut dice));
                disk.after_power_cut(&mut dice).remove("a")
            })
            .collect()
    }

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_be_gone_in_part() {
        let (file, folder) = (Deed::Sync { handle: 1 }, Deed::Sync { handle: 2 });
        let begun = [open(1, "a"), open(2, "")];
        let deeds = |more: &[Deed]| [&begun[..], more].concat();
        let some = |bytes: &[u8]| Some(bytes.to_vec());

        let all = outcomes(&deeds(&[write(0, b"one"), file.clone(), folder.clone()]));
        assert_eq!(all, [some(b"one")].into());
        let all = outcomes(&deeds(&[write(0, b"one"), file.clone()]));
        assert_eq!(all, [None, some(b"one")].into(), "its name is not certain");
        let all = outcomes(&deeds(&[folder.clone(), write(0, b"one")]));
        assert_eq!(all, [some(b""), some(b"one")].into());
        let all = outcomes(&deeds(&[
            folder.clone(),
            write(0, b"one"),
            file,
            write(0, b"t"),
            write(2, b"o"),
        ]));
        let expected = [some(b"one"), some(b"tne"), some(b"ono"), some(b"tno")];
        assert_eq!(all, expected.into());
        let torn = outcomes(&deeds(&[folder, write(500, &[1; 1_000])]));
        assert!(torn.len() > 4, "sectors are kept each by itself");
    }
}
