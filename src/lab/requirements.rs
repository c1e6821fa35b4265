//! What a lab needs of the machine, as data: for `make demo`, which installs what is missing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a missing program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Hosts with Open vSwitch: no lab without it.
    OpenVSwitch,
    /// Docker containers: without it the demo uses network namespaces.
    Docker,
    /// What tests and the demo look with: `ip`, `ping`, `iperf3`, ...
    Oracle,
}

/// A program that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The program, or the path of the file.
    pub program: &'static str,
    /// The package of Debian and Ubuntu that has it.
    pub package: &'static str,
    /// What it is for.
    pub purpose: Purpose,
}

/// See [`requirements`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// What is not there.
    pub missing: Vec<Missing>,
    /// This process is not root, and a lab needs root.
    pub not_root: bool,
}

impl Requirements {
    /// The packages to install for these purposes, each once: `apt-get install PACKAGE...`.
    #[must_use]
    pub fn packages(&self, purposes: &[Purpose]) -> Vec<&'static str> {
        let wanted = self.missing.iter().filter(|missing| purposes.contains(&missing.purpose));
        wanted.map(|missing| missing.package).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether all is there for this purpose.
    #[must_use]
    pub fn met(&self, purpose: Purpose) -> bool {
        self.missing.iter().all(|missing| missing.purpose != purpose)
    }
}

const PROGRAMS: [(&str, &str, Purpose); 13] = [
    ("ovsdb-server", "openvswitch-common", Purpose::OpenVSwitch),
    ("ovs-vswitchd", "openvswitch-switch", Purpose::OpenVSwitch),
    ("ovsdb-tool", "openvswitch-common", Purpose::OpenVSwitch),
    ("dockerd", "docker.io", Purpose::Docker),
    ("containerd", "containerd", Purpose::Docker),
    ("runc", "runc", Purpose::Docker),
    ("ovs-vsctl", "openvswitch-switch", Purpose::Oracle),
    ("ovs-ofctl", "openvswitch-common", Purpose::Oracle),
    ("ip", "iproute2", Purpose::Oracle),
    ("ping", "iputils-ping", Purpose::Oracle),
    ("iperf3", "iperf3", Purpose::Oracle),
    ("ethtool", "ethtool", Purpose::Oracle),
    ("nsenter", "util-linux", Purpose::Oracle),
];
const BUSYBOX: Missing = Missing { program: "busybox", package: "busybox-static", purpose: Purpose::Docker };

/// What is missing on this machine for a lab. An empty answer with `not_root` unset: a lab can start.
#[must_use]
pub fn requirements() -> Requirements {
    let absent = PROGRAMS.into_iter().filter(|(program, ..)| find_program(program).is_none());
    let mut missing: Vec<Missing> =
        absent.map(|(program, package, purpose)| Missing { program, package, purpose }).collect();
    if !find_program(BUSYBOX.program).is_some_and(|path| is_static(&path)) {
        missing.push(BUSYBOX);
    }
    Requirements { missing, not_root: !rustix::process::geteuid().is_root() }
}

/// System directories that a user's `PATH` often lacks.
const SYSTEM_PATH: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// `PATH` with the system directories at its end.
pub(super) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).chain(SYSTEM_PATH.map(PathBuf::from)).collect();
    // Fails for a name with a colon in it, which a part of PATH cannot have.
    std::env::join_paths(directories).unwrap_or(path)
}

pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path()).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Whether an executable runs without libraries, so alone in a container: it names no program interpreter, which
/// the linker puts near the start.
fn is_static(path: &Path) -> bool {
    let mut head = Vec::new();
    let Ok(file) = std::fs::File::open(path) else { return false };
    if file.take(8192).read_to_end(&mut head).is_err() {
        return false;
    }
    !head.windows(8).any(|window| window == b"/ld-linu" || window == b"/ld-musl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_libraries_is_not_static() {
        // This test binary itself, linked as every Rust program for a libc with shared libraries.
        let dynamic = std::env::current_exe().unwrap();
        assert_eq!(is_static(&dynamic), cfg!(target_feature = "crt-static"));
        assert!(!is_static(Path::new("/no/such/file")));
    }

    #[test]
    fn packages_are_named_once_and_only_for_what_is_asked() {
        let missing = PROGRAMS.map(|(program, package, purpose)| Missing { program, package, purpose });
        let all = Requirements { missing: missing.to_vec(), not_root: true };
        assert_eq!(all.packages(&[Purpose::OpenVSwitch]), ["openvswitch-common", "openvswitch-switch"]);
        assert!(!all.met(Purpose::Docker));
        let none = Requirements { missing: Vec::new(), not_root: false };
        assert!(none.packages(&[Purpose::Docker, Purpose::Oracle]).is_empty() && none.met(Purpose::Docker));
    }
}
