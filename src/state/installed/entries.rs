//! Flow entries by the hundred thousand, in little memory: each is one piece of bytes, found by what makes it the same
//! entry, and by its cookie.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use flowport_openflow::wire::Wire;
use flowport_openflow::{Cookie, FlowKey, Instruction};
use hashbrown::HashTable;

use crate::pipeline::Flow;

/// Where an entry is kept as long as it is not removed.
pub type Place = u32;

/// What stands in the place of a flow entry that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Where it is kept.
    pub place: Place,
    /// Whether it has the same cookie.
    pub same_cookie: bool,
    /// Whether it does the same.
    pub same_instructions: bool,
}

#[derive(Clone, Default)]
pub(super) struct Entries {
    /// By place; none where one was removed.
    entries: Vec<Option<Entry>>,
    free: Vec<Place>,
    by_key: HashTable<Place>,
    by_cookie: HashMap<u64, Vec<Place>>,
    hashes: RandomState,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    cookie: u64,
    /// How long the key is, in [`LEN`] bytes; the key; the instructions as they are on the wire.
    bytes: Box<[u8]>,
}

/// Bytes of the length.
const LEN: usize = 4;

impl Entry {
    fn split(&self) -> (&[u8], &[u8]) {
        split(&self.bytes)
    }

    fn key(&self) -> &[u8] {
        self.split().0
    }
}

/// Key and instructions.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((len, rest)) = bytes.split_first_chunk::<LEN>() else { return (&[], &[]) };
    let len = u32::from_ne_bytes(*len) as usize;
    rest.split_at_checked(len).unwrap_or((rest, &[]))
}

/// Writes an entry's bytes over what is in `out`.
fn pack(key: &FlowKey, instructions: &[Instruction], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; LEN]);
    key.pack(out);
    let len = (out.len() - LEN) as u32;
    out[..LEN].copy_from_slice(&len.to_ne_bytes());
    instructions.iter().for_each(|instruction| instruction.encode(out));
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn room(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = (Place, Cookie)> {
        (0..).zip(&self.entries).filter_map(|(place, entry)| Some((place, Cookie(entry.as_ref()?.cookie))))
    }

    pub(super) fn key(&self, place: Place) -> Option<FlowKey> {
        FlowKey::unpack(self.at(place)?.key()).ok()
    }

    pub(super) fn cookie(&self, key: &FlowKey) -> Option<Cookie> {
        let mut packed = Vec::new();
        key.pack(&mut packed);
        self.at(self.find(&packed)?).map(|entry| Cookie(entry.cookie))
    }

    pub(super) fn look_up(&self, flow: &Flow, scratch: &mut Vec<u8>) -> Option<Lookup> {
        pack(&flow.key, &flow.instructions, scratch);
        let place = self.find(split(scratch).0)?;
        let entry = self.at(place)?;
        let same_instructions = *entry.bytes == **scratch;
        Some(Lookup { place, same_cookie: entry.cookie == flow.cookie.0, same_instructions })
    }

    pub(super) fn has(&self, cookie: Cookie) -> bool {
        self.by_cookie.contains_key(&cookie.0)
    }

    pub(super) fn of(&self, cookie: Cookie) -> impl Iterator<Item = Place> {
        self.by_cookie.get(&cookie.0).into_iter().flatten().copied()
    }

    pub(super) fn insert(&mut self, key: &FlowKey, cookie: Cookie, instructions: &[Instruction]) {
        let mut bytes = Vec::new();
        pack(key, instructions, &mut bytes);
        let entry = Entry { cookie: cookie.0, bytes: bytes.into() };
        if let Some(place) = self.find(entry.key()) {
            self.take(place);
        }
        let hash = self.hashes.hash_one(entry.key());
        let place = self.free.pop().unwrap_or(self.entries.len() as Place);
        match self.entries.get_mut(place as usize) {
            Some(free) => *free = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        let Self { entries, by_key, hashes, .. } = self;
        by_key.insert_unique(hash, place, |place| hash_at(entries, hashes, *place));
        self.by_cookie.entry(cookie.0).or_default().push(place);
    }

    pub(super) fn remove(&mut self, key: &FlowKey) {
        let mut packed = Vec::new();
        key.pack(&mut packed);
        if let Some(place) = self.find(&packed) {
            self.take(place);
        }
    }

    pub(super) fn remove_all(&mut self, cookie: Cookie) {
        for place in self.by_cookie.get(&cookie.0).cloned().into_iter().flatten() {
            self.take(place);
        }
    }

    /// Gives back memory that is not used.
    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.by_cookie.values_mut().for_each(Vec::shrink_to_fit);
    }

    fn at(&self, place: Place) -> Option<&Entry> {
        self.entries.get(place as usize)?.as_ref()
    }

    fn find(&self, key: &[u8]) -> Option<Place> {
        let is_it = |place: &Place| self.at(*place).is_some_and(|entry| entry.key() == key);
        self.by_key.find(self.hashes.hash_one(key), is_it).copied()
    }

    fn take(&mut self, place: Place) {
        let hash = hash_at(&self.entries, &self.hashes, place);
        let Some(entry) = self.entries.get_mut(place as usize).and_then(Option::take) else { return };
        if let Ok(found) = self.by_key.find_entry(hash, |other| *other == place) {
            found.remove();
        }
        self.free.push(place);
        if let Some(places) = self.by_cookie.get_mut(&entry.cookie) {
            if let Some(at) = places.iter().position(|other| *other == place) {
                places.swap_remove(at);
            }
            if places.is_empty() {
                self.by_cookie.remove(&entry.cookie);
            }
        }
    }
}

fn hash_at(entries: &[Option<Entry>], hashes: &RandomState, place: Place) -> u64 {
    let entry = entries.get(place as usize).and_then(Option::as_ref);
    entry.map_or(0, |entry| hashes.hash_one(entry.key()))
}

/// Where an entry is kept says nothing.
impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        let same = |entry: &Entry| other.find(entry.key()).and_then(|place| other.at(place)) == Some(entry);
        self.len() == other.len() && self.entries.iter().flatten().all(same)
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.places().map(|(place, cookie)| (cookie, self.key(place)));
        f.debug_map().entries(keys).finish()
    }
}
