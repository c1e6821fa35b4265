//! The lab's cgroup: one directory in the machine's cgroup2 hierarchy. The lab sees it as its whole
//! hierarchy, so whatever `dockerd` and `runc` create is below it. Only this outlives its processes, hence the guard.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};

use super::{LabError, world};

const PREFIX: &str = "flowport-lab.";
/// A killed process is gone within milliseconds; one in an uninterruptible call may take longer.
const EMPTY_DEADLINE: Duration = Duration::from_secs(10);
/// The kernel sends at most one signal in 10 ms, and none when another lab's sweep was faster to remove the file.
const RECHECK: Duration = Duration::from_millis(20);

/// The lab's cgroup directory. The lock on it says that its lab is alive.
#[derive(Debug)]
pub(super) struct LabCgroup {
    path: PathBuf,
    _lock: File,
}

impl LabCgroup {
    /// Makes the directory, having removed those of labs that were killed together with their guards.
    /// `None`: this machine has no cgroup2 hierarchy that we may write.
    pub(super) fn create() -> Option<Self> {
        let root = hierarchy()?;
        sweep(&root);
        // A lab that starts at the same moment may sweep ours between its creation and its lock.
        (0..100).find_map(|attempt| {
            let path = root.join(format!("{PREFIX}{}.{attempt}", std::process::id()));
            fs::create_dir(&path).ok()?;
            let lock = lock(&path)?;
            path.is_dir().then_some(Self { path, _lock: lock })
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the guard: it removes the directory, and kills what is in it, as soon as the returned child's
    /// standard input is closed, be it by the death of this process.
    pub(super) fn spawn_guard(&self) -> Result<Child, LabError> {
        Command::new(world::EXE)
            .args(["lab", world::GUARD])
            .arg(&self.path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| LabError::io("start the lab's guard", error))
    }
}

/// `flowport lab @guard CGROUP`
pub(super) fn guard_main(args: &[OsString]) -> Result<ExitCode, LabError> {
    let path = args.first().map(PathBuf::from).ok_or_else(|| {
        LabError::io("start the guard", io::Error::new(io::ErrorKind::InvalidInput, "no cgroup named"))
    })?;
    // Out of the reach of the terminal's Ctrl-C and of a signal to the caller's process group.
    let _ = rustix::process::setsid();
    let _ = io::stdin().read_to_end(&mut Vec::new());
    remove(&path).map_err(|error| LabError::io(format!("remove {}", path.display()), error))?;
    Ok(ExitCode::SUCCESS)
}

/// Kills every process of the cgroup and removes its directories. Done already is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + EMPTY_DEADLINE;
    loop {
        let result = fs::write(path.join("cgroup.kill"), "1")
            .and_then(|()| wait_empty(path, deadline))
            .and_then(|()| remove_tree(path));
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => return Ok(()),
            // A process that was just being born, or another lab's sweep.
            Err(error) if is_transient(&error) && Instant::now() < deadline => {}
            result => return result,
        }
    }
}

fn is_transient(error: &io::Error) -> bool {
    // ENODEV: a control file was read while its directory went.
    [rustix::io::Errno::BUSY, rustix::io::Errno::NODEV, rustix::io::Errno::NOENT]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Waits until `cgroup.events` says `populated 0`; the kernel signals its changes as POLLPRI.
fn wait_empty(path: &Path, deadline: Instant) -> io::Result<()> {
    loop {
        let mut events = File::open(path.join("cgroup.events"))?;
        let mut text = String::new();
        events.read_to_string(&mut text)?;
        if text.lines().any(|line| line == "populated 0") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let timeout = Timespec::try_from(left.min(RECHECK)).ok();
        poll(&mut [PollFd::new(&events, PollFlags::PRI)], timeout.as_ref())?;
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// Removes the cgroups whose lab is dead. What cannot be removed now is left to the next lab.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let ours =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
        if ours && lock(&path).is_some() {
            let _ = remove(&path);
        }
    }
}

fn lock(path: &Path) -> Option<File> {
    let directory = File::open(path).ok()?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(directory)
}

/// Where the cgroup2 hierarchy is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` beside cgroup v1.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // proc_pid_mountinfo(5): ... (5) mount point, options, optional fields, "-", type.
    let mut points = mounts.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        right.starts_with("cgroup2 ").then(|| left.split(' ').nth(4))?.map(PathBuf::from)
    });
    points.rfind(|point| point.join("cgroup.procs").exists())
}
