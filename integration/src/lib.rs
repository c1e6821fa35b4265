//! What the tests with namespaces, containers and packets share.
//!
//! They run as root inside a lab, one for each test binary, which Cargo's runner starts:
//!
//! ```text
//! cargo build
//! CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$PWD/target/debug/flowport lab --" cargo test -p flowport-integration
//! ```
//!
//! The programs that look at the result (`ovs-vsctl`, `ip`, `ping`...) are oracles: the product calls none of them.

pub mod bench;
pub mod commands;
pub mod healing;
pub mod oracle;
pub mod pinger;
pub mod scene;
pub mod town;
pub mod wire;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use flowport::lab::{self, HostOptions, Lab, LabHost, Netns};

/// MTU of the wire between hosts, in bytes.
pub const UNDERLAY_MTU: u32 = 1500;
/// The link to the other host, in each host.
pub const UPLINK: &str = "uplink0";
/// How long a test waits for what takes milliseconds: a machine full of other tests is slow.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// The lab around this test.
///
/// # Panics
/// Outside a lab, with the way to get into one.
#[must_use]
pub fn lab() -> Lab {
    match Lab::current() {
        Ok(lab) => lab,
        Err(error) => panic!("{error}; see the documentation of flowport_integration"),
    }
}

/// A host with a name that no other test of this binary has.
///
/// # Panics
/// When it cannot be started.
pub async fn host(options: HostOptions) -> LabHost {
    match LabHost::start(&lab(), &unique("h"), options).await {
        Ok(host) => host,
        Err(error) => panic!("{}", chain(&error)),
    }
}

/// Two hosts with Open vSwitch, started together, and a wire from [`UPLINK`] to [`UPLINK`].
///
/// # Panics
/// When they cannot be started.
pub async fn two_hosts(first: HostOptions, second: HostOptions) -> (LabHost, LabHost) {
    let (first, second) = tokio::join!(host(first), host(second));
    if let Err(error) = lab::connect(&first, UPLINK, &second, UPLINK, UNDERLAY_MTU).await {
        panic!("{}", chain(&error));
    }
    (first, second)
}

/// A network namespace that stands for a container, with a name that no other test of this binary has.
///
/// # Panics
/// When it cannot be made.
pub async fn container() -> Netns {
    match Netns::create(&lab(), &unique("c")).await {
        Ok(netns) => netns,
        Err(error) => panic!("{}", chain(&error)),
    }
}

/// A name with `prefix` that is new in this process.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{prefix}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `condition` holds and returns how long that took.
///
/// # Panics
/// When it does not hold within `deadline`; says `what` was waited for.
pub async fn wait_until(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
    start.elapsed()
}

/// The parent of a process. `None`: no such process, or one that only waits to be collected.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("State:")?.starts_with('Z') {
        return None;
    }
    field("PPid:")?.parse().ok()
}

/// Tries until it succeeds.
///
/// # Panics
/// When it does not within the deadline, with the last error.
pub async fn until_ok<T, E: std::error::Error + 'static>(
    deadline: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(start.elapsed() < deadline, "not within {deadline:?}: {}", chain(&error)),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The `flowport` executable: `FLOWPORT_EXE`, or the one that was built beside this test binary.
///
/// # Panics
/// When it is not there: `cargo build` makes it.
#[must_use]
pub fn flowport() -> PathBuf {
    let named = std::env::var_os("FLOWPORT_EXE").map(PathBuf::from);
    // target/debug/deps/TEST -> target/debug/flowport
    let built = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.join("flowport")));
    match named.or(built).filter(|path| path.is_file()) {
        Some(path) => path,
        None => panic!("no flowport executable; run `cargo build` or set FLOWPORT_EXE"),
    }
}

/// An error with its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
