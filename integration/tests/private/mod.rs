//! The private network namespace that tests run in, looked at with `ip` and `ethtool` as oracles.
#![allow(dead_code, reason = "each test file uses its part")]

use std::process::Command;
use std::time::Duration;

use flowport::netlink::Netns;
use serde_json::Value;

/// The longest that anything here may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Runs a program that must succeed and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program} cannot be started: {error}");
    });
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `ip -json ARGUMENTS` prints.
pub(crate) fn ip(arguments: &str) -> Value {
    let arguments: Vec<&str> = std::iter::once("-json").chain(arguments.split(' ')).collect();
    let printed = run("ip", &arguments);
    if printed.trim().is_empty() { Value::Array(vec![]) } else { serde_json::from_str(&printed).unwrap() }
}

/// The names of the interfaces in a namespace (`-n NAME`), or in ours (empty).
pub(crate) fn names(place: &str) -> Vec<String> {
    let links = ip(format!("{place} link show").trim_start());
    links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

/// A network namespace of `ip netns`, removed when dropped.
pub(crate) struct Sandbox {
    pub(crate) name: String,
}

impl Sandbox {
    pub(crate) fn new(name: &str) -> Self {
        refuse_a_shared_network();
        run("ip", &["netns", "add", name]);
        Self { name: name.to_owned() }
    }

    pub(crate) fn netns(&self) -> Netns {
        Netns::named(&self.name)
    }

    /// What `ip -json -n NAME ARGUMENTS` prints.
    pub(crate) fn ip(&self, arguments: &str) -> Value {
        ip(&format!("-n {} {arguments}", self.name))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        names(&format!("-n {}", self.name))
    }

    /// Runs a program inside.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        run("ip", &[&["netns", "exec", &self.name], arguments].concat())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// Links of no kind but `lo` are hardware: then this is somebody's network, and not for tests.
pub(crate) fn refuse_a_shared_network() {
    let links = ip("-details link show");
    let hardware = links.as_array().unwrap().iter().find(|link| {
        link["ifname"] != "lo" && link["linkinfo"]["info_kind"].is_null() || link["ifname"] == "docker0"
    });
    if let Some(link) = hardware {
        panic!("{} is here: run under `unshare --net --mount --pid --fork --mount-proc`", link["ifname"]);
    }
}
