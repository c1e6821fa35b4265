//! The first process of a lab (`flowport lab @init PARENT CGROUP COMMAND...`): makes the private world, runs the
//! command, forwards signals to it and reaps what is orphaned. Everything in the lab ends with this process.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_parent_process_death_signal, wait};
use rustix::thread::UnshareFlags;
use tokio::signal::unix::{SignalKind, signal};

use super::world::{NO_CGROUP, Signals, exit_code, unshare};
use super::{LAB_ENV, LabError, netns, requirements};

/// Where the lab sees its cgroup.
pub(super) const CGROUP_ROOT: &str = "/sys/fs/cgroup";
const DIRECTORY: &str = "/run/lab";
/// Trees whose changes go to memory: `dockerd` makes `/etc/docker/key.json` and `/opt/containerd` unasked.
const COPIED_ON_WRITE: [&str; 3] = ["/etc", "/opt", "/var"];
/// The machine's own state, which a daemon without the right options would find.
const HIDDEN: [&str; 6] = [
    "/etc/docker",
    "/etc/openvswitch",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/openvswitch",
    "/var/lib/flowport",
];
/// What would lead a program out of the lab.
const REMOVED_ENV: [&str; 8] = [
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "OVS_RUNDIR",
    "OVS_DBDIR",
    "OVS_LOGDIR",
    "OVS_SYSCONFDIR",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
];

pub(super) fn main(args: &[OsString]) -> Result<ExitCode, LabError> {
    let [parent, cgroup, command @ ..] = args else { return Err(usage()) };
    let [program, arguments @ ..] = command else { return Err(usage()) };
    if !die_with(parent)? {
        return Ok(ExitCode::FAILURE);
    }
    make_world((cgroup != NO_CGROUP).then(|| Path::new(cgroup)))?;
    // A session of its own: a Ctrl-C reaches the command once, through the outer process, and not twice.
    rustix::process::setsid().map_err(|error| LabError::io("make a session", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| LabError::io("start the lab's runtime", error))?;
    runtime.block_on(async {
        netns::set_loopback_up().await?;
        let mut child = Command::new(program);
        child.args(arguments).env(LAB_ENV, DIRECTORY).env("TMPDIR", format!("{DIRECTORY}/tmp"));
        child.env("PATH", requirements::search_path());
        for name in REMOVED_ENV {
            child.env_remove(name);
        }
        supervise(child, program).await.map(exit_code)
    })
}

fn usage() -> LabError {
    LabError::io(
        "start the lab's first process",
        io::Error::new(io::ErrorKind::InvalidInput, "it is not for users"),
    )
}

/// Makes the kernel kill this process, and so the lab, when the process `parent` ends. False: it has ended already.
fn die_with(parent: &OsStr) -> Result<bool, LabError> {
    let failed = |error| LabError::io("tie the lab to its parent", error);
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    // The parent may have ended before that call. /proc still counts as the parent does; getppid would say 0.
    let status = fs::read_to_string("/proc/self/status").map_err(failed)?;
    let found = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim);
    Ok(found.map(OsStr::new) == Some(parent))
}

fn make_world(cgroup: Option<&Path>) -> Result<(), LabError> {
    if let Some(cgroup) = cgroup {
        // Before the unsharing, which makes the present cgroup the root of what is seen. "0" is the writer.
        write(&cgroup.join("cgroup.procs"), "0")?;
    }
    unshare(
        UnshareFlags::NEWNS
            | UnshareFlags::NEWNET
            | UnshareFlags::NEWUTS
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWCGROUP,
    )
    .map_err(|error| LabError::io("make namespaces", error))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|error| LabError::io("make the mounts private", error))?;
    mount_run()?;
    COPIED_ON_WRITE.iter().try_for_each(|tree| mount_copy_on_write(Path::new(tree)))?;
    for path in HIDDEN.map(Path::new) {
        // Best effort to have a mount point: under a tree that stays shared nothing is created.
        if path.is_dir() || (is_copied(path) && fs::create_dir_all(path).is_ok()) {
            mount_fs("tmpfs", path, MountFlags::empty(), Some("mode=755"))?;
        }
    }
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // A fresh sysfs shows the lab's links, and hides AppArmor's files, into which dockerd would load a profile.
    mount_fs("sysfs", Path::new("/sys"), quiet, None)?;
    if cgroup.is_some() {
        let root = Path::new(CGROUP_ROOT);
        mount_fs("cgroup2", root, quiet, None)?;
        // Controllers can be given only to children of a cgroup without processes.
        let leaf = root.join("lab");
        create_dir(&leaf)?;
        write(&leaf.join("cgroup.procs"), "0")?;
    }
    mount_proc(quiet)
}

/// An empty `/run`, with the lab's directory and a `/run/netns` that is shared as `ip netns` leaves it.
fn mount_run() -> Result<(), LabError> {
    let run = Path::new("/run");
    mount_fs("tmpfs", run, MountFlags::NOSUID | MountFlags::NODEV, Some("mode=755"))?;
    for directory in ["/run/lock", "/run/lab", "/run/lab/tmp", "/run/lab/hosts", "/run/netns"] {
        create_dir(Path::new(directory))?;
    }
    fs::set_permissions("/run/lab/tmp", fs::Permissions::from_mode(0o1777))
        .map_err(|error| LabError::io("open /run/lab/tmp to all", error))?;
    let netns = Path::new(netns::DIRECTORY);
    mount_bind(netns, netns)
        .and_then(|()| mount_change(netns, MountPropagationFlags::SHARED))
        .map_err(|error| LabError::io("share /run/netns", error))?;
    let var_run = Path::new("/var/run");
    if var_run.is_dir() && !var_run.is_symlink() {
        mount_bind_recursive(run, var_run).map_err(|error| LabError::io("mount /var/run", error))?;
    }
    Ok(())
}

fn mount_copy_on_write(tree: &Path) -> Result<(), LabError> {
    if !is_copied(tree) {
        return Ok(());
    }
    let name = tree.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let [upper, work] = ["upper", "work"].map(|kind| format!("{DIRECTORY}/overlay/{name}/{kind}"));
    create_dir(Path::new(&upper))?;
    create_dir(Path::new(&work))?;
    let options = format!("lowerdir={},upperdir={upper},workdir={work}", tree.display());
    mount_fs("overlay", tree, MountFlags::empty(), Some(&options))
}

/// Not the tree in which the user builds and works: what is written there is to stay.
fn is_copied(path: &Path) -> bool {
    let in_use = [std::env::current_dir(), std::env::current_exe()];
    COPIED_ON_WRITE.iter().map(Path::new).any(|tree| {
        path.starts_with(tree) && tree.is_dir() && !in_use.iter().flatten().any(|used| used.starts_with(tree))
    })
}

/// The lab's own `/proc`, in which only the network's part of `/proc/sys` can be written: the rest is the machine's.
fn mount_proc(flags: MountFlags) -> Result<(), LabError> {
    mount_fs("proc", Path::new("/proc"), flags, None)?;
    let (sys, net) = ("/proc/sys", "/proc/sys/net");
    mount_bind(sys, sys)
        .and_then(|()| mount_remount(sys, MountFlags::BIND | MountFlags::RDONLY | flags, ""))
        .and_then(|()| mount_bind(net, net))
        .and_then(|()| mount_remount(net, MountFlags::BIND | flags, ""))
        .map_err(|error| LabError::io("protect /proc/sys", error))
}

/// Runs the command to its end. Ends of orphans, which fall to process 1, are collected on the way.
async fn supervise(mut command: Command, program: &OsStr) -> Result<ExitStatus, LabError> {
    let mut signals = Signals::new()?;
    let mut child_ended =
        signal(SignalKind::child()).map_err(|error| LabError::io("handle SIGCHLD", error))?;
    let child =
        command.spawn().map_err(|error| LabError::io(format!("run {}", program.to_string_lossy()), error))?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    loop {
        while let Ok(Some((ended, status))) = wait(WaitOptions::NOHANG) {
            if Some(ended) == pid {
                return Ok(ExitStatus::from_raw(status.as_raw()));
            }
        }
        tokio::select! {
            _ = child_ended.recv() => {}
            signal = signals.next() => {
                if let Some(pid) = pid {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

fn mount_fs(kind: &str, target: &Path, flags: MountFlags, options: Option<&str>) -> Result<(), LabError> {
    let options = options.and_then(|options| std::ffi::CString::new(options).ok());
    mount(kind, target, kind, flags, options.as_deref())
        .map_err(|error| LabError::io(format!("mount {kind} on {}", target.display()), error))
}

fn create_dir(path: &Path) -> Result<(), LabError> {
    fs::create_dir_all(path).map_err(|error| LabError::io(format!("make {}", path.display()), error))
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    fs::write(path, text).map_err(|error| LabError::io(format!("write {}", path.display()), error))
}
