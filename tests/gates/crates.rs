//! Which crate may know which: `cargo tree` is asked.

use std::process::Command;

use crate::source::root;

/// What makes a crate one that does I/O: runtimes, netlink, Docker, system calls.
const IO: [&str; 12] = [
    "tokio",
    "mio",
    "socket2",
    "hyper",
    "bollard",
    "rtnetlink",
    "netlink-",
    "rustix",
    "nix",
    "async-",
    "smol",
    "futures",
];

#[test]
fn openflow_knows_no_io_and_no_sibling() {
    check("flowport-openflow", &["flowport-openflow"]);
}

#[test]
fn ovsdb_without_tokio_knows_no_io_and_no_sibling() {
    check("flowport-ovsdb", &["flowport-ovsdb"]);
}

#[test]
fn ovsdb_schema_knows_ovsdb_and_nothing_else_of_ours() {
    check("flowport-ovsdb-schema", &["flowport-ovsdb-schema", "flowport-ovsdb"]);
}

#[test]
fn ovsdb_conformance_knows_ovsdb_and_nothing_else_of_ours() {
    let package = "flowport-ovsdb-conformance";
    check_siblings(package, &linked_into(package), &[package, "flowport-ovsdb"]);
}

/// Nothing that is linked into `package`, without its default features, does I/O or is ours unless `siblings` has it.
fn check(package: &str, siblings: &[&str]) {
    let crates = linked_into(package);
    assert!(crates.iter().any(|name| name == package), "cargo tree does not tell of {package}: {crates:?}");
    check_siblings(package, &crates, siblings);
    for name in crates {
        let io = IO.iter().find(|prefix| name.starts_with(**prefix));
        assert!(io.is_none(), "{package} depends on {name}: it has to stay free of I/O");
    }
}

fn check_siblings(package: &str, crates: &[String], siblings: &[&str]) {
    for name in crates.iter().filter(|name| name.starts_with("flowport")) {
        assert!(siblings.contains(&&**name), "{package} depends on {name}: it may know {siblings:?}");
    }
}

fn linked_into(package: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["tree", "--locked", "--no-default-features", "-e", "normal", "--prefix", "none", "-p", package];
    let tree = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("UTF-8");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
