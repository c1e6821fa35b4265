//! A private lab on this machine, for `flowport demo`, the tests that need packets, and the benches.
//!
//! `flowport lab -- COMMAND` runs COMMAND in a world of its own: own processes, mounts, network, IPC and host name,
//! an empty `/run`, and `/etc`, `/opt`, `/var` whose changes go to memory. Inside, [`Lab::current`] hands out
//! simulated hosts ([`LabHost`]), each with its Open vSwitch and, if asked, its Docker Engine.
//!
//! ```text
//!   flowport lab -- CMD     waits, forwards signals and the exit code        (machine)
//!     |- flowport lab @guard    at the other's end removes the lab's cgroup  (machine)
//!     `- flowport lab @init     process 1 of the lab: mounts, reaps          (lab)
//!          `- CMD
//! ```
//!
//! Nothing outlives the lab, whichever process is killed: `@init` dies with its parent (parent death signal), the
//! kernel kills all the lab's processes with it, and with the last process go its namespaces and so its mounts, links
//! and files. The one thing the kernel keeps is a cgroup directory: `@guard` removes it, and the next lab
//! removes what a killed guard has left. A lab may be started inside a lab.

mod cgroup;
mod daemon;
mod docker;
mod host;
mod init;
mod netns;
mod ovs;
mod requirements;
mod underlay;
mod world;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub use daemon::Daemon;
pub use docker::{DockerContainer, DockerEngine, DockerOptions};
pub use host::{HostOptions, LabDatapath, LabHost, StartTimes};
pub use netns::{Netns, in_netns};
pub use ovs::LabOvs;
pub use requirements::{Missing, Purpose, Requirements, requirements};
pub use underlay::connect;

/// Set inside a lab; its value is the lab's directory ([`Lab::directory`]).
pub const LAB_ENV: &str = "FLOWPORT_LAB";

use crate::netlink::NetlinkError;

/// What can go wrong with a lab.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A system call or file operation of the lab failed.
    #[error("lab: cannot {what}")]
    Io {
        /// What was tried, with its object.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Namespaces and mounts need root.
    #[error("lab: needs root; run it with sudo")]
    NotRoot,
    /// [`Lab::current`] was called outside a lab.
    #[error("not inside a lab; run it as `flowport lab -- COMMAND`")]
    Outside,
    /// The name is not usable for a host or a network namespace.
    #[error("lab: `{0}` is not a usable name; use letters, digits, `-` and `_`, 32 at most")]
    Name(String),
    /// A daemon did not start or end within its deadline.
    #[error("lab: {daemon} is not {wanted}; the end of its log: {log}")]
    Daemon {
        /// Name of the daemon and its host.
        daemon: String,
        /// The state that was waited for.
        wanted: &'static str,
        /// The last lines of its log, joined.
        log: String,
    },
    /// A program that the lab calls has failed.
    #[error("lab: `{command}` failed: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// A netlink request was refused.
    #[error("lab: cannot {what}")]
    Netlink {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        #[source]
        source: Box<NetlinkError>,
    },
    /// The Docker Engine refused a request.
    #[error("lab: cannot {what}")]
    Docker {
        /// What was tried.
        what: String,
        /// The engine's answer.
        #[source]
        source: Box<bollard::errors::Error>,
    },
    /// This lab has no cgroup, so no container engine can run in it.
    #[error(
        "lab: no writable cgroup2 hierarchy on this machine, so no Docker Engine; mount one with `mount -t cgroup2`"
    )]
    NoCgroup,
}

impl LabError {
    fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }
}

/// Entry point of the hidden subcommand `flowport lab`: `args` is everything after the word `lab`.
///
/// `[--] COMMAND ARGS...` runs COMMAND in a new lab and exits as it does (128 + N when signal N ended it);
/// `@init` and `@guard` are the lab's own processes. To be called before any thread or runtime is started.
#[must_use]
#[expect(clippy::print_stderr, reason = "a program of its own, started before the command line is read")]
pub fn main(args: &[OsString]) -> ExitCode {
    let args = if args.first().is_some_and(|first| first == "--") { &args[1..] } else { args };
    let result = match args.first().and_then(|first| first.to_str()) {
        Some(world::INIT) => init::main(&args[1..]),
        Some(world::GUARD) => cgroup::guard_main(&args[1..]),
        Some(_) => run(args),
        None => {
            eprintln!("flowport: lab: no command; usage: flowport lab -- COMMAND [ARG]...");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        eprintln!("flowport: {error}{cause}");
        ExitCode::FAILURE
    })
}

/// Runs `command` (program, then arguments) in a new lab and waits for its end.
///
/// The running executable must be `flowport` (its hidden subcommand `lab` is called). SIGINT, SIGTERM, SIGHUP and
/// SIGQUIT are passed on to the command. When this returns no process of the lab is left.
///
/// # Errors
/// [`LabError::NotRoot`], or the part of the lab that could not be made.
pub fn run(command: &[OsString]) -> Result<ExitCode, LabError> {
    world::run(command)
}

/// Runs this program again, with `args`, in a new lab: what `flowport demo` does when it is not [inside](Lab::current).
///
/// # Errors
/// As [`run`].
pub fn enter(args: &[OsString]) -> Result<ExitCode, LabError> {
    let exe = std::env::current_exe().map_err(|error| LabError::io("find the running executable", error))?;
    let mut command = vec![exe.into_os_string()];
    command.extend_from_slice(args);
    run(&command)
}

/// The lab that this process runs in.
#[derive(Debug, Clone)]
pub struct Lab {
    directory: PathBuf,
}

impl Lab {
    /// The lab around this process.
    ///
    /// # Errors
    /// [`LabError::Outside`] when there is none.
    pub fn current() -> Result<Self, LabError> {
        let directory = std::env::var_os(LAB_ENV).map(PathBuf::from).filter(|directory| directory.is_dir());
        directory.map(|directory| Self { directory }).ok_or(LabError::Outside)
    }

    /// A directory in memory that vanishes with the lab. Its `tmp` is the `TMPDIR` of the lab's processes.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether a Docker Engine can run here: the lab has a cgroup2 hierarchy of its own.
    #[must_use]
    pub fn has_cgroup(&self) -> bool {
        Path::new(init::CGROUP_ROOT).join("cgroup.procs").exists()
    }
}

/// How long a daemon of the lab may take to start or to stop. Usual are 0.1 s; a loaded machine takes longer.
pub(crate) const DAEMON_DEADLINE: Duration = Duration::from_secs(20);
