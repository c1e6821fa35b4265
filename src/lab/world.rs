//! The outer process of a lab: starts its guard and its first process, passes signals in and the exit code out.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::UnshareFlags;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::LabError;
use super::cgroup::{self, LabCgroup};

/// Role words: first argument of `flowport lab` for the lab's own processes.
pub(super) const INIT: &str = "@init";
pub(super) const GUARD: &str = "@guard";
/// This program, also when its file has been replaced meanwhile (a rebuild).
pub(super) const EXE: &str = "/proc/self/exe";
/// Stands for the lab's cgroup on `@init`'s command line when there is none.
pub(super) const NO_CGROUP: &str = "-";

/// Signals that are passed on to the lab's command.
pub(super) const FORWARDED: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// See [`super::run`].
pub(super) fn run(command: &[OsString]) -> Result<ExitCode, LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LabError::io("start the lab's runtime", error))?;
    let cgroup = LabCgroup::create();
    let guard = cgroup.as_ref().map(LabCgroup::spawn_guard).transpose()?;
    let result = runtime.block_on(supervise(cgroup.as_ref(), command));
    // Waited for, so that nothing is left when we return.
    if let (Some(cgroup), Some(guard)) = (&cgroup, guard) {
        dismiss(guard, cgroup);
    }
    result
}

/// Lets the guard remove the cgroup: the end of its input is its sign. If it has been killed, that is done here.
fn dismiss(mut guard: Child, cgroup: &LabCgroup) {
    drop(guard.stdin.take());
    if !guard.wait().is_ok_and(|status| status.success()) {
        // What is left even so is removed by the next lab.
        let _ = cgroup::remove(cgroup.path());
    }
}

/// What the thread that owns the lab's first process reports.
enum InitEvent {
    Started(Pid),
    Ended(Result<ExitStatus, LabError>),
}

async fn supervise(cgroup: Option<&LabCgroup>, command: &[OsString]) -> Result<ExitCode, LabError> {
    let mut signals = Signals::new()?;
    let mut init = Command::new(EXE);
    init.args(["lab", INIT, &std::process::id().to_string()]);
    init.arg(cgroup.map_or(NO_CGROUP.as_ref(), |cgroup| cgroup.path().as_os_str()));
    init.args(command);
    // Two events are all there are.
    let (sender, mut events) = mpsc::channel(2);
    // A thread of its own: only its children get the new process namespace, and, as the parent in
    // the sense of the parent death signal, it must live as long as this process.
    std::thread::Builder::new()
        .name("lab".to_owned())
        .spawn(move || own_init(init, &sender))
        .map_err(|error| LabError::io("start a thread", error))?;
    let mut pid = None;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(InitEvent::Started(started)) => pid = Some(started),
                Some(InitEvent::Ended(status)) => return Ok(exit_code(status?)),
                None => return Ok(ExitCode::FAILURE),
            },
            signal = signals.next(), if pid.is_some() => {
                if let Some(pid) = pid {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

fn own_init(mut init: Command, events: &mpsc::Sender<InitEvent>) {
    let ended = unshare(UnshareFlags::NEWPID)
        .map_err(|error| LabError::io("make a process namespace", error))
        .and_then(|()| init.spawn().map_err(|error| LabError::io("start the lab's first process", error)))
        .and_then(|mut child| {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = events.blocking_send(InitEvent::Started(pid));
            }
            child.wait().map_err(|error| LabError::io("wait for the lab's first process", error))
        });
    let _ = events.blocking_send(InitEvent::Ended(ended));
}

/// As a shell reports it: 128 + N for the death by signal N.
pub(super) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// unshare(2). The library deprecates it for `CLONE_FILES`, under which threads no longer share file descriptors;
/// that flag is refused here.
#[expect(deprecated, reason = "sound without CLONE_FILES; the replacement is an unsafe function")]
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(rustix::io::Errno::INVAL);
    }
    rustix::thread::unshare(flags)
}

/// The [`FORWARDED`] signals that arrive at this process.
pub(super) struct Signals {
    received: mpsc::Receiver<Signal>,
}

impl Signals {
    /// Takes over the signals' handling. Needs a tokio runtime.
    pub(super) fn new() -> Result<Self, LabError> {
        // One of each kind waiting is enough: the kernel does not queue them either.
        let (sender, received) = mpsc::channel(FORWARDED.len());
        for forwarded in FORWARDED {
            let mut stream = signal(SignalKind::from_raw(forwarded.as_raw()))
                .map_err(|error| LabError::io(format!("handle signal {}", forwarded.as_raw()), error))?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if sender.send(forwarded).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { received })
    }

    /// The next signal. Safe to cancel.
    pub(super) async fn next(&mut self) -> Signal {
        match self.received.recv().await {
            Some(signal) => signal,
            // Never: the tasks above end only with the receiver.
            None => std::future::pending().await,
        }
    }
}
