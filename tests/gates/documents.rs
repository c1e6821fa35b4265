//! What the documents say of the tree and of the command line is so.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::source::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn paths_of_the_architecture_exist() {
    let text = read("ARCHITECTURE.md");
    let here = |path: &&str| {
        let first = path.split('/').next().unwrap_or("");
        ["src", "openflow", "ovsdb", "ovsdb-schema", "integration", "tests", ".ci", "dist"].contains(&first)
            && path.contains('/')
            || path.ends_with(".md") && !path.contains('/')
    };
    let mut found = 0;
    for path in quoted(&text).filter(here) {
        assert!(root().join(path).exists(), "ARCHITECTURE.md names {path}, which is not there");
        found += 1;
    }
    assert!(found > 20, "ARCHITECTURE.md names {found} paths only: is it read rightly?");
}

#[test]
fn the_architecture_has_a_line_for_each_module() {
    let text = read("ARCHITECTURE.md");
    let named: BTreeSet<&str> = quoted(&text).map(|path| path.trim_end_matches('/')).collect();
    for line in read("src/lib.rs").lines() {
        let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) else {
            continue;
        };
        let forms = [format!("src/{module}"), format!("src/{module}.rs")];
        assert!(
            forms.iter().any(|form| named.contains(&**form)),
            "ARCHITECTURE.md has no line for src/{module}"
        );
    }
}

#[test]
fn commands_and_options_of_the_readme_exist() {
    let text = read("README.md");
    let mut examples = 0;
    for line in text.lines().map(|line| line.trim_start_matches(['$', '#', ' '])) {
        let Some(words) = line.strip_prefix("flowport ") else { continue };
        let command = words.split_whitespace().next().unwrap();
        let help = Command::new(env!("CARGO_BIN_EXE_flowport")).args([command, "--help"]).output().unwrap();
        assert!(help.status.success(), "README.md: `flowport {command}` is no command");
        let help = String::from_utf8_lossy(&help.stdout);
        for option in words.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2) {
            let name = option.split('=').next().unwrap();
            assert!(help.contains(name), "README.md: `flowport {command}` has no {name}");
        }
        examples += 1;
    }
    assert!(examples >= 12, "README.md has {examples} examples only: is it read rightly?");
}

#[test]
fn the_changelog_tells_of_this_version() {
    let heading = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(
        read("CHANGELOG.md").lines().any(|line| line.starts_with(&heading)),
        "CHANGELOG.md has no `{heading}`"
    );
}
