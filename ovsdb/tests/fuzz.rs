//! The fuzz targets' bodies over their corpus and over mutations of it, with a stable toolchain.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "../fuzz/src/bodies.rs"]
#[allow(unreachable_pub, missing_docs)]
mod bodies;

use std::fs;
use std::path::Path;

/// Inputs a target, besides the corpus.
const MUTATIONS: usize = 10_000;

/// What JSON and its readers turn on.
const TOKENS: [&[u8]; 14] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\n",
    b"null",
    b"\\ud83e",
    b"1e999",
    b"\xff",
    b"[\"set\",[]]",
    b"18446744073709551616",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> =
        fs::read_dir(dir).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{target}: {} inputs", paths.len());
    paths.iter().map(|path| fs::read(path).expect("an input")).collect()
}

/// A linear congruential generator: the same inputs every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

fn run(target: &str, body: fn(&[u8])) {
    let corpus = corpus(target);
    corpus.iter().for_each(|input| body(input));
    let mut random = Random(0x5eed);
    for _ in 0..MUTATIONS {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(input.len());
            match random.below(6) {
                0 if !input.is_empty() => input[at] = random.below(256) as u8,
                1 if !input.is_empty() => input[at] ^= 1 << random.below(8),
                2 => input.truncate(at),
                3 => {
                    let token = TOKENS[random.below(TOKENS.len())];
                    input.splice(at..at, token.iter().copied());
                }
                4 => {
                    let other = &corpus[random.below(corpus.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[random.below(other.len())..]);
                }
                _ => {
                    let until = at + random.below(input.len() - at + 1);
                    let part = input[at..until].to_vec();
                    input.splice(at..at, part);
                }
            }
        }
        body(&input);
    }
}

#[test]
fn framer() {
    run("framer", bodies::framer);
}

#[test]
fn values() {
    run("values", bodies::values);
}

#[test]
fn updates() {
    run("updates", bodies::updates);
}

#[test]
fn session() {
    run("session", bodies::session);
}
