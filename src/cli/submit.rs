//! Hands an intent to the daemon where there is one, and carries it out here otherwise.

use std::cell::OnceCell;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::daemon::protocol::{Answer, Ask};
use crate::direct;
use crate::intent::Intent;
use crate::model::LinkName;
use crate::ovsdb::Database;
use crate::reconciler::{Outcome, Progress};
use crate::refused::Refused;

use super::{Failure, Global, output};

/// How long a daemon may be silent beyond the time that it was given: it undoes what came to nothing, and may be busy with
/// others.
const GRACE: Duration = Duration::from_secs(10);
/// The ports that `del-ports --all` is given time for where the database does not tell how many there are.
const MANY: usize = 1000;
/// How long the database may take to tell.
const COUNT_TIME: Duration = Duration::from_secs(2);
/// Below this many ports a bar would be gone before it is read.
const PORTS_WORTH_A_BAR: usize = 20;

/// Carries the intent out, by the daemon or here, and waits until it has converged.
pub(super) fn submit(global: &Global, intent: Intent) -> Result<Outcome, Refused> {
    let bar = Bar::for_intent(&intent);
    let timeout = global.timeout_for(ports(&intent, |bridge| count(global, bridge)));
    match UnixStream::connect(&global.socket) {
        Ok(daemon) => ask(&daemon, global, (intent, timeout), &bar),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Refused::other(format!(
            "permission denied on the daemon's socket {}: run as root",
            global.socket.display()
        ))),
        // No daemon, or one that died and left its socket.
        Err(_) => {
            let runtime = output::runtime().map_err(|Failure(line)| Refused::other(line))?;
            runtime.block_on(direct::carry_out(&global.db()?, intent, timeout, |progress| {
                bar.show(progress);
            }))
        }
    }
}

/// How many ports the intent is about. Those of a whole bridge are counted.
fn ports(intent: &Intent, count: impl FnOnce(&LinkName) -> Option<usize>) -> usize {
    match intent {
        Intent::AddPorts { ports } => ports.len(),
        Intent::DelPorts { bridge, containers } if containers.is_empty() => count(bridge).unwrap_or(MANY),
        // As a rule a container has one port on a bridge; what some have more is within the time that all get.
        Intent::DelPorts { containers, .. } => containers.len(),
        _ => 0,
    }
}

/// The ports of containers on a bridge; none when they are not known, or need not be, since the time is given.
fn count(global: &Global, bridge: &LinkName) -> Option<usize> {
    if global.timeout.is_some() {
        return None;
    }
    let (db, runtime) = (global.db().ok()?, output::runtime().ok()?);
    let database = runtime.block_on(Database::connect(&db, COUNT_TIME)).ok()?;
    Some(database.rows().ports.values().filter(|row| row.bridge == *bridge).count())
}

fn ask(
    mut daemon: &UnixStream,
    global: &Global,
    (intent, timeout): (Intent, Duration),
    bar: &Bar,
) -> Result<Outcome, Refused> {
    let lost = |error: io::Error| {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return Refused::other(format!(
                "the daemon at {} does not answer: does it hang? see `systemctl status flowport`",
                global.socket.display()
            ));
        }
        Refused::other(format!(
            "the daemon at {} broke off: {error}; see `journalctl -u flowport`",
            global.socket.display()
        ))
    };
    let mut line =
        serde_json::to_vec(&Ask { intent, timeout }).map_err(|error| Refused::other(error.to_string()))?;
    line.push(b'\n');
    daemon.set_read_timeout(Some(timeout + GRACE)).map_err(lost)?;
    daemon.set_write_timeout(Some(timeout + GRACE)).map_err(lost)?;
    daemon.write_all(&line).map_err(lost)?;
    for line in BufReader::new(daemon).lines() {
        let answer = serde_json::from_str(&line.map_err(lost)?)
            .map_err(|error| Refused::other(format!("the daemon speaks another version: {error}")))?;
        match answer {
            Answer::Progress(progress) => bar.show(progress),
            Answer::Done(outcome) => return Ok(outcome),
            Answer::Refused(refused) => return Err(refused),
            // Nobody asked.
            Answer::Ruling(_) => {}
        }
    }
    Err(lost(io::ErrorKind::UnexpectedEof.into()))
}

/// A progress bar, on a terminal and for many ports.
struct Bar {
    is_on_terminal: bool,
    /// Made when it is known how many ports there are.
    shown: OnceCell<ProgressBar>,
}

impl Bar {
    fn for_intent(intent: &Intent) -> Self {
        let bar = Self { is_on_terminal: io::stderr().is_terminal(), shown: OnceCell::new() };
        // Looking thousands of containers up takes its time, too.
        if let Intent::AddPorts { ports } = intent {
            bar.show(Progress { done: 0, of: ports.len() });
        }
        bar
    }

    fn show(&self, progress: Progress) {
        if self.is_on_terminal && progress.of >= PORTS_WORTH_A_BAR {
            self.shown.get_or_init(|| made(progress.of)).set_position(progress.done as u64);
        }
    }
}

fn made(ports: usize) -> ProgressBar {
    let bar = ProgressBar::new(ports as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} ports, {elapsed}") {
        bar.set_style(style);
    }
    bar.tick();
    bar
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.shown.get() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(json: &str) -> Intent {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn ports_are_counted_where_nobody_names_them() {
        let never = |_: &LinkName| -> Option<usize> { panic!("nothing to count") };
        let one = r#"{"do":"del-port","bridge":"br0","interface":"eth1","container":"a"}"#;
        let named = r#"{"do":"del-ports","bridge":"br0","containers":["a","b","netns:c"]}"#;
        let added = r#"{"do":"add-ports","ports":[{"container":"a","interface":"eth1"},{"container":"b","interface":"eth1"}]}"#;
        for (json, count) in [(one, 0), (named, 3), (added, 2)] {
            assert_eq!(ports(&intent(json), never), count, "{json}");
        }
        let all = intent(r#"{"do":"del-ports","bridge":"br0","containers":[]}"#);
        assert_eq!(ports(&all, |bridge| (bridge.as_str() == "br0").then_some(4000)), 4000);
        assert_eq!(ports(&all, |_| None), MANY, "the database does not tell");
    }
}
