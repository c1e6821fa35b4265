//! What the service manager is told, by the protocol of sd_notify(3): a datagram of lines `NAME=VALUE`.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::signal::unix::Signal;

use crate::reconciler::{Handle, Summary};

/// How long the service manager is kept waiting for a daemon that does not come into sync: Docker and what else comes
/// after it are not to be held up by one container.
const SYNC_TIME: Duration = Duration::from_secs(20);

/// How often the status is written anew where there is no watchdog.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The service manager that started the daemon, if one did.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// The longest silence that it bears.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    pub(super) fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        let for_us = env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let micros = env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok());
        let watchdog = micros.filter(|micros| for_us && *micros > 0).map(Duration::from_micros);
        match connect(&name) {
            Ok(socket) => Self { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!("NOTIFY_SOCKET={}: {error}", name.to_string_lossy());
                Self::default()
            }
        }
    }

    /// Tells of readiness as soon as all that can be attached is, then of being alive as often as is asked for, and of a
    /// reload on each `hang_up`. Ends with the reconciler.
    ///
    /// That the daemon lives is told with an answer of the state's owner only: one that hangs is thereby noticed.
    pub(super) async fn keep_informed(&self, reconciler: Handle, hang_up: &mut io::Result<Signal>) {
        let settled = tokio::time::timeout(SYNC_TIME, reconciler.settled());
        match settled.await {
            Ok(_) => tracing::info!("in sync"),
            Err(_) => tracing::warn!("not in sync after {} s; going on", SYNC_TIME.as_secs()),
        }
        let mut news = "READY=1";
        // Half the time, as sd_watchdog_enabled(3) advises.
        let every = self.watchdog.map_or(STATUS_EVERY, |watchdog| watchdog / 2);
        loop {
            let Some(summary) = reconciler.summary().await else { return };
            let alive = if self.watchdog.is_some() { "WATCHDOG=1\n" } else { "" };
            self.tell(&format!("{news}\n{alive}STATUS={}", in_words(&summary)));
            news = "";
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = super::caught(hang_up) => {
                    tracing::info!("reading everything again");
                    self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
                    reconciler.reread().await;
                    // It is reloaded then, in sync or not.
                    let _ = tokio::time::timeout(every / 2, reconciler.settled()).await;
                    news = "READY=1";
                }
            }
        }
    }

    /// Tells that the daemon ends.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping; ports and flows stay as they are");
    }

    /// A manager that does not listen is not waited for.
    fn tell(&self, lines: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(lines.trim_start().as_bytes()) {
            tracing::debug!("the service manager is not told {lines:?}: {error}");
        }
    }
}

/// An address that begins with `@` is one of the abstract namespace (unix(7)).
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The line that `systemctl status` shows.
fn in_words(summary: &Summary) -> String {
    let [wanted, converged, failed] = [
        summary.total(|bridge| bridge.wanted),
        summary.total(|bridge| bridge.converged),
        summary.total(|bridge| bridge.failed),
    ];
    let flows = summary.total(|bridge| bridge.datapath.as_ref().map_or(0, |datapath| datapath.flows));
    let stopped = summary.total(|bridge| bridge.desired) - wanted;
    let managed = summary.total(|bridge| usize::from(bridge.datapath.is_some()));
    let failed = if failed == 0 { String::new() } else { format!(" ({failed} fail)") };
    let stopped = if stopped == 0 { String::new() } else { format!(", {stopped} of stopped containers") };
    let passive = if summary.rules { "" } else { "Changes nothing without the lock of the database; " };
    format!(
        "{passive}{converged} of {wanted} ports{failed} in place{stopped}; {flows} flow entries on {managed} managed bridges"
    )
}

fn monotonic_micros() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconciler::{BridgeSummary, DatapathSummary};

    #[test]
    fn a_socket_may_be_a_file_or_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("flowport-test-{}", std::process::id());
        let files = [
            (SocketAddr::from_pathname(&path).unwrap(), path.into_os_string()),
            (SocketAddr::from_abstract_name(&name).unwrap(), format!("@{name}").into()),
        ];
        for (address, word) in files {
            let manager = UnixDatagram::bind_addr(&address).unwrap();
            let ours = ServiceManager { socket: Some(connect(&word).unwrap()), watchdog: None };
            ours.tell("\nSTATUS=well");
            let mut told = [0; 64];
            let length = manager.recv(&mut told).unwrap();
            assert_eq!(&told[..length], b"STATUS=well");
        }
    }

    #[test]
    fn the_status_counts() {
        let managed = BridgeSummary {
            desired: 5,
            wanted: 4,
            converged: 2,
            failed: 1,
            datapath: Some(DatapathSummary { flows: 30, ..Default::default() }),
            ..Default::default()
        };
        let plain = BridgeSummary { desired: 1, wanted: 1, converged: 1, ..Default::default() };
        let bridges = [("br0".parse().unwrap(), managed), ("br1".parse().unwrap(), plain)];
        let summary = Summary { rules: true, bridges: bridges.into(), settled: false };
        let expected =
            "3 of 5 ports (1 fail) in place, 1 of stopped containers; 30 flow entries on 1 managed bridges";
        assert_eq!(in_words(&summary), expected);
    }
}
