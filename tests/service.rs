//! The unit that the package installs: what systemd and its tools say of it, and that none of its hardening gets lost.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const UNIT: &str = include_str!("../dist/flowport.service");

/// The values of a directive, in order.
fn values(directive: &str) -> Vec<&str> {
    let assigned = UNIT.lines().filter_map(|line| line.split_once('='));
    assigned.filter(|(name, _)| *name == directive).map(|(_, value)| value).collect()
}

fn words(directive: &str) -> BTreeSet<&str> {
    values(directive).into_iter().flat_map(str::split_whitespace).collect()
}

#[test]
fn it_has_three_capabilities() {
    assert_eq!(words("CapabilityBoundingSet"), ["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"].into());
    assert_eq!(values("AmbientCapabilities"), Vec::<&str>::new());
}

#[test]
fn it_is_hardened() {
    for (directive, value) in [
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ReadWritePaths", "/tmp"),
        ("ProtectHome", "read-only"),
        ("PrivateDevices", "yes"),
        ("ProtectClock", "yes"),
        ("ProtectControlGroups", "yes"),
        ("ProtectHostname", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectKernelModules", "yes"),
        ("LockPersonality", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_NETLINK AF_INET AF_INET6"),
        ("RestrictNamespaces", "net"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("SystemCallArchitectures", "native"),
        ("SystemCallFilter", "@system-service"),
        ("UMask", "0077"),
        ("StateDirectoryMode", "0700"),
    ] {
        assert_eq!(values(directive), [value], "{directive}");
    }
    // What would take away what the daemon is for: it sets IPv6 in /proc/sys/net of containers, and finds their namespaces
    // by their processes, and those that are mounted anywhere.
    for directive in ["ProtectKernelTunables", "PrivateNetwork", "PrivateUsers", "PrivateTmp", "ProtectProc"]
    {
        assert_eq!(values(directive), Vec::<&str>::new(), "{directive}");
    }
}

#[test]
fn it_is_watched_and_starts_in_time() {
    for (directive, value) in
        [("Type", "notify"), ("NotifyAccess", "main"), ("Restart", "always"), ("KillMode", "mixed")]
    {
        assert_eq!(values(directive), [value], "{directive}");
    }
    assert!(values("WatchdogSec")[0].parse::<u32>().unwrap() > 0);
    assert!(words("After").contains("openvswitch-switch.service"));
    assert!(words("Before").contains("docker.service"), "Docker's first containers are seen as they start");
}

/// Runs systemd-analyze with the unit as it is, but for the program, which need not be installed here, and for the
/// manual pages.
fn analyze(words: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("flowport.service");
    let unit = UNIT.replace("/usr/bin/flowport", env!("CARGO_BIN_EXE_flowport"));
    let lines = unit.lines().filter(|line| !line.starts_with("Documentation="));
    fs::write(&path, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let run = Command::new("systemd-analyze").args(words).arg(&path).env("SYSTEMD_PAGER", "").output();
    run.expect("systemd-analyze runs: `make deps` installs it")
}

#[test]
fn it_is_sound() {
    let output = analyze(&["verify"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("flowport"), "{said}");
}

/// From 0 (safe) to 10; The three capabilities, root and the host's network account for 3.5, as systemd 252 counts.
#[test]
fn its_exposure_is_as_low_as_it_was() {
    let output = analyze(&["security", "--offline=true", "--threshold=40"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stderr));
}
