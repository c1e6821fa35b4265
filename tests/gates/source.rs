//! The source files of the workspace, as the gates read them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the sources of the workspace's members are.
const MEMBERS: [&str; 6] = ["src", "tests", "openflow", "ovsdb", "ovsdb-schema", "integration"];

/// A Rust source file.
pub(crate) struct Source {
    /// Its path from the root of the workspace.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl Source {
    /// The text without comments, and with every string and character literal empty; lines stay where they are.
    pub(crate) fn code(&self) -> String {
        code(&self.text)
    }

    /// As [`Self::code`], up to the module of tests at the end; nothing of a file of tests.
    pub(crate) fn product_code(&self) -> String {
        if self.path.contains("/tests") {
            return String::new();
        }
        let code = self.code();
        let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
        code[..end].to_owned()
    }
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of the workspace.
pub(crate) fn all() -> Vec<Source> {
    let sources: Vec<Source> = MEMBERS.iter().flat_map(|member| under(member)).collect();
    assert!(sources.len() > 100, "the gates look at the wrong place: {} files", sources.len());
    sources
}

/// The Rust files in a directory or module: `src/plan` is `src/plan.rs` and all in `src/plan/`.
pub(crate) fn under(module: &str) -> Vec<Source> {
    let mut files = Vec::new();
    let file = root().join(module).with_extension("rs");
    files.extend(file.is_file().then_some(file));
    collect(&root().join(module), &mut files);
    assert!(!files.is_empty(), "{module} is gone: the gates name it");
    files.sort();
    let read = |file: PathBuf| Source {
        path: file.strip_prefix(root()).unwrap().display().to_string(),
        text: fs::read_to_string(&file).unwrap(),
    };
    files.into_iter().map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string(rest),
            'r' if !ends_in_a_name(&code) => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            if !rest.starts_with('/') {
                code.push_str("\"\"");
            }
            code.extend(rest[..skipped].matches('\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

fn ends_in_a_name(code: &str) -> bool {
    code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The length of the string literal that `rest` begins with.
fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of the raw string literal that `rest` begins with; 0 when it begins with another word.
fn raw_string(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
}

/// The length of the character literal that `rest` begins with; 0 when it is a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |at| at + 4),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

#[test]
fn comments_and_literals_are_left_out() {
    let text = "let a = \"// \\\" if\"; // unsafe\nlet b = r#\"x\"y\"#; /* c */ let c = '\\''; fn d<'a>(e: &'a str) {}";
    assert_eq!(code(text), "let a = \"\"; \nlet b = \"\";  let c = \"\"; fn d<'a>(e: &'a str) {}");
}
