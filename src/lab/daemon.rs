//! One daemon of a lab host: started, stopped and killed by its handle.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::{DAEMON_DEADLINE, LabError, Netns};

/// Between two looks at a condition that cannot be waited for, as a socket's appearance.
const POLL: Duration = Duration::from_millis(2);
/// How much of a log an error carries.
const LOG_LINES: usize = 6;

/// A daemon in a lab host's network namespace. Dropped, it is killed.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    program: &'static str,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    log: PathBuf,
    netns: Arc<Netns>,
    child: Option<Child>,
}

impl Daemon {
    /// Describes the daemon, not started yet. `log` receives its standard output and error.
    pub(super) fn new(netns: &Arc<Netns>, program: &'static str, log: PathBuf) -> Self {
        let name = format!("{program} of {}", netns.name());
        Self { name, program, args: Vec::new(), env: Vec::new(), log, netns: Arc::clone(netns), child: None }
    }

    pub(super) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(super) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(OsString::from));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Its process id as the lab counts, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts the process; not yet ready. Running already: nothing is done.
    pub(super) fn spawn(&mut self) -> Result<(), LabError> {
        if self.is_running() {
            return Ok(());
        }
        let failed = |error| LabError::io(format!("start {}", self.name), error);
        let log = File::options().create(true).append(true).open(&self.log).map_err(failed)?;
        let mut command = Command::new(self.program);
        command.args(&self.args).envs(self.env.iter().cloned()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
        self.child = Some(self.netns.spawn(&mut command)?);
        Ok(())
    }

    /// Waits until `ready` says so, as long as the process runs.
    pub(super) async fn until_ready(&mut self, mut ready: impl AsyncFnMut() -> bool) -> Result<(), LabError> {
        let deadline = Instant::now() + DAEMON_DEADLINE;
        while self.is_running() && Instant::now() < deadline {
            if ready().await {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(self.failed("ready"))
    }

    /// Ends it with SIGTERM and waits. Not running: nothing is done.
    ///
    /// # Errors
    /// It has not ended within 20 s.
    pub async fn stop(&mut self) -> Result<(), LabError> {
        self.end(Signal::TERM).await
    }

    /// Ends it with SIGKILL, as a crash would, and waits.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn kill(&mut self) -> Result<(), LabError> {
        self.end(Signal::KILL).await
    }

    /// Sends a signal, as SIGSTOP for a daemon that hangs.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, signal: Signal) -> Result<(), LabError> {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        pid.ok_or(rustix::io::Errno::SRCH)
            .and_then(|pid| kill_process(pid, signal))
            .map_err(|error| LabError::io(format!("signal {}", self.name), error))
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    async fn end(&mut self, signal: Signal) -> Result<(), LabError> {
        if !self.is_running() {
            self.child = None;
            return Ok(());
        }
        self.signal(signal)?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if tokio::time::timeout(DAEMON_DEADLINE, child.wait()).await.is_ok() {
            return Ok(());
        }
        self.child = Some(child);
        Err(self.failed("ended"))
    }

    fn failed(&self, wanted: &'static str) -> LabError {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ");
        LabError::Daemon { daemon: self.name.clone(), wanted, log }
    }
}
