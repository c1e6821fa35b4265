//! Real messages: each decodes, encodes to the same bytes, is refused when cut short, and survives being cut into
//! pieces together with all the others.

#![allow(clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use flowport_openflow::{Framer, Message};

/// The messages of ours that `dir/manifest.tsv` lists, by file name.
fn messages(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let manifest = fs::read_to_string(dir.join("manifest.tsv")).expect("manifest.tsv");
    let files = manifest.lines().skip(1).filter_map(|line| line.split('\t').next());
    let messages: Vec<_> = files
        .map(|file| {
            (file.to_owned(), fs::read(dir.join("messages").join(file)).expect("a message of the manifest"))
        })
        .collect();
    assert!(!messages.is_empty(), "{} lists no message", dir.display());
    messages
}

/// Our own vectors, and a larger collection if there is one.
fn collections() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let larger = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/openflow13");
    std::iter::once(own).chain(larger.is_dir().then_some(larger)).collect()
}

fn all() -> Vec<(String, Vec<u8>)> {
    collections().iter().flat_map(|dir| messages(dir)).collect()
}

#[test]
fn every_message_round_trips() {
    let mut failures = Vec::new();
    let all = all();
    for (file, bytes) in &all {
        match Message::decode(bytes) {
            Err(error) => failures.push(format!("{file}: {error}")),
            Ok(message) => {
                let mut again = Vec::new();
                message.encode(&mut again).expect("no longer than it was");
                if again != *bytes {
                    let at = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
                    failures.push(format!("{file}: differs at byte {at} of {}: {message:?}", bytes.len()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), all.len(), failures.join("\n"));
}

#[test]
fn every_truncation_is_refused() {
    for (file, bytes) in all() {
        for len in 0..bytes.len() {
            assert!(Message::decode(&bytes[..len]).is_err(), "{file} cut to {len} bytes");
        }
        // The same with a header that claims to be whole, so that the inner lengths are what refuses it, or not.
        for len in 8..bytes.len().min(512) {
            let mut cut = bytes[..len].to_vec();
            cut[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            if let Ok(message) = Message::decode(&cut) {
                let mut again = Vec::new();
                message.encode(&mut again).expect("no longer than it was");
                assert_eq!(again, cut, "{file} cut to {len} bytes and said to be whole");
            }
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_messages() {
    let all: Vec<_> = all().into_iter().map(|(_, bytes)| bytes).collect();
    let stream = all.concat();
    // A fixed sequence of sizes, from one byte to a few messages (a linear congruential generator).
    let mut state = 0x2545_f491_u32;
    for largest in [1, 7, 64, 1500, 65536] {
        let mut framer = Framer::new();
        let mut expected = all.iter();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (chunk, tail) = rest.split_at((1 + (state >> 8) as usize % largest).min(rest.len()));
            rest = tail;
            framer.feed(chunk);
            while let Some(message) = framer.next_message().expect("sound lengths") {
                assert_eq!(Some(message), expected.next().map(Vec::as_slice));
            }
        }
        assert_eq!(expected.next(), None);
        assert_eq!(framer.buffered(), 0);
    }
}

#[test]
fn no_mutation_panics() {
    for (file, bytes) in all().into_iter().filter(|(_, bytes)| bytes.len() < 600) {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut mutant = bytes.clone();
                mutant[at] ^= flip;
                if let Ok(message) = Message::decode(&mutant) {
                    let mut again = Vec::new();
                    message.encode(&mut again).expect("no longer than it was");
                    assert_eq!(again, mutant, "{file} with byte {at} changed by {flip:#x}");
                }
            }
        }
    }
}
