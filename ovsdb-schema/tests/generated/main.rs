//! The checked-in tables are what the schemas say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod generator;

use std::path::{Path, PathBuf};

#[track_caller]
fn check(schema: &str, module: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("schemas").join(schema)).expect("schema is readable");
    let expected = generator::module(&serde_json::from_str(&text).expect("schema is JSON"), schema);
    let path: PathBuf = root.join("src").join(module);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).expect("module is writable");
        return;
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == expected,
        "{} is stale: run UPDATE=1 cargo test -p flowport-ovsdb-schema",
        path.display()
    );
}

#[test]
fn open_vswitch_is_as_its_schema() {
    check("vswitch.ovsschema", "open_vswitch.rs");
}

#[test]
fn flowport_local_is_as_its_schema() {
    check("flowport-local.ovsschema", "flowport_local.rs");
}
