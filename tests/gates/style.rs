//! Sizes of files, `unsafe`, and what Rust 1.85 does not know.

use std::fs;

use crate::source::{self, root};

/// No file is longer.
const LONGEST: usize = 800;
/// Half of the files are shorter.
const MEDIAN: usize = 200;

#[test]
fn files_are_short() {
    let mut lengths = Vec::new();
    for source in source::all() {
        let lines = source.text.lines().count();
        assert!(lines <= LONGEST, "{}: {lines} lines, {LONGEST} at most: split it", source.path);
        lengths.push(lines);
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] < MEDIAN, "half of the files have {MEDIAN} lines or more");
}

#[test]
fn unsafe_is_forbidden_in_every_crate() {
    let manifest = |member: &str| fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    assert!(manifest(".").contains("\nunsafe_code = \"forbid\"\n"), "the workspace no longer forbids unsafe");
    for member in [".", "openflow", "ovsdb", "ovsdb-schema", "integration"] {
        let inherits = manifest(member).contains("\n[lints]\nworkspace = true\n");
        assert!(inherits, "{member}/Cargo.toml does not take the workspace's lints");
    }
    for source in source::all() {
        let code = source.code();
        let found = words(&code).find(|(_, word)| *word == "unsafe");
        assert!(found.is_none(), "{}:{}: unsafe", source.path, found.map_or(0, |(at, _)| line(&code, at)));
    }
}

/// `if let A = b && c` came with Rust 1.88; what we promise to build with is older.
#[test]
fn there_are_no_let_chains() {
    for source in source::all() {
        let code = source.code();
        let chain = let_chain(&code);
        assert!(chain.is_none(), "{}:{}: a let chain", source.path, chain.map_or(0, |at| line(&code, at)));
    }
}

/// Where the first let chain is.
fn let_chain(code: &str) -> Option<usize> {
    let conditions = words(code).filter(|(_, word)| matches!(*word, "if" | "while"));
    conditions.map(|(at, word)| (at, condition(&code[at + word.len()..]))).find_map(|(at, condition)| {
        let has_let = condition.split_whitespace().any(|word| word == "let");
        (has_let && condition.contains("&&")).then_some(at)
    })
}

/// The condition that `rest` begins with, without what is in brackets of any kind.
fn condition(rest: &str) -> String {
    let mut depth = 0;
    let mut outer = String::new();
    for c in rest.chars() {
        // The braces of a pattern stand between `let` and `=`.
        let in_pattern =
            outer.rsplit("let ").next().is_some_and(|tail| outer.contains("let ") && !tail.contains('='));
        match c {
            '{' if depth == 0 && !in_pattern => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 => break,
            _ if depth == 0 => outer.push(c),
            _ => {}
        }
        // A guard of a match arm ends at its arrow, a condition outside any bracket of ours with the bracket.
        if depth < 0 || outer.ends_with("=>") {
            break;
        }
    }
    outer
}

fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !of_name(c)).map(move |word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

fn line(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[test]
fn a_let_chain_is_found_where_it_is() {
    for chain in [
        "if let Some(a) = b && c { }",
        "if a && let Some(b) = c { }",
        "while let A { b, .. } = c && d { }",
        "if a\n    && let Some(b) = c\n{ }",
    ] {
        assert!(let_chain(chain).is_some(), "{chain}");
    }
    for plain in [
        "if let Some(a) = b.filter(|c| d && e) { f && g }",
        "if let A { b, .. } = c { d && e }",
        "if a && b { let c = d; }",
        "x if a && b => { let c = d; }",
        "if matches!(a, B { c } if c && d) { }",
    ] {
        assert_eq!(let_chain(plain), None, "{plain}");
    }
}
