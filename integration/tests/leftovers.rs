//! A lab leaves nothing, however it ends: no process, namespace, link, mount, cgroup or file.
//!
//! These tests start labs of their own with `flowport lab`. They pass inside a lab (labs nest) and outside.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use flowport::lab::{HostOptions, requirements};
use flowport_integration::{UNDERLAY_MTU, UPLINK, flowport, host, parent};
use rustix::process::{Pid, Signal, kill_process};

const DEADLINE: Duration = Duration::from_secs(20);
const READY: &str = "lab is ready";

/// Not a test of its own: what runs inside the labs below. Two hosts and the wire, a container, then waits.
#[tokio::test]
#[ignore = "the tests of this file start it inside a lab"]
async fn busy_lab() {
    let (first, second) = tokio::join!(host(HostOptions::with_docker()), host(HostOptions::default()));
    flowport::lab::connect(&first, UPLINK, &second, UPLINK, UNDERLAY_MTU).await.unwrap();
    let engine = first.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    engine.run_container("box", "busybox", "none", &["sleep", "600"]).await.unwrap();
    println!("{READY}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
}

#[test]
fn the_exit_code_is_the_commands() {
    let lab =
        |script: &str| Command::new(flowport()).args(["lab", "--", "sh", "-c", script]).status().unwrap();
    assert_eq!(lab("exit 7").code(), Some(7));
    assert_eq!(lab("kill -9 $$").code(), Some(128 + 9));
    assert_eq!(lab("exit 0").code(), Some(0));
    // Orphans of the command fall to process 1 and end with it.
    let start = Instant::now();
    assert_eq!(lab("(sleep 600 &) & exit 3").code(), Some(3));
    assert!(start.elapsed() < DEADLINE);
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let output = Command::new(flowport()).args(["lab", "--", "no-such-program"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-program"), "{output:?}");
}

#[test]
fn the_machine_is_out_of_reach() {
    let script =
        "ls -A /run/netns /var/lib/docker /etc/docker /run/docker.sock /var/run/openvswitch 2>/dev/null;
        ip -o link | wc -l; touch /etc/flowport-was-here /opt/flowport-was-here /var/flowport-was-here;
        echo 1 >/proc/sys/kernel/printk; touch \"$TMPDIR/x\"; true";
    let output = Command::new(flowport()).args(["lab", "--", "sh", "-c", script]).output().unwrap();
    let listed = String::from_utf8_lossy(&output.stdout);
    let listed: Vec<&str> = listed.lines().filter(|line| !line.is_empty() && !line.ends_with(':')).collect();
    assert_eq!(listed, ["1"], "its own loopback is all that a lab sees: {output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("Read-only"),
        "the kernel's settings: {output:?}"
    );
    for directory in ["/etc", "/opt", "/var"] {
        assert!(!Path::new(directory).join("flowport-was-here").exists(), "a file in {directory}");
    }
}

#[test]
fn nothing_is_left_when_the_command_ends() {
    let mut lab = BusyLab::start();
    lab.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(lab.wait().success());
    lab.assert_gone(Duration::ZERO);
}

#[test]
fn nothing_is_left_when_the_outer_process_is_killed() {
    let mut lab = BusyLab::start();
    kill(lab.outer.id(), Signal::KILL);
    assert_eq!(lab.wait().signal(), Some(9));
    lab.assert_gone(DEADLINE);
}

#[test]
fn nothing_is_left_when_the_first_process_is_killed() {
    let mut lab = BusyLab::start();
    kill(lab.init, Signal::KILL);
    assert_eq!(lab.wait().code(), Some(128 + 9));
    lab.assert_gone(Duration::ZERO);
}

#[test]
fn a_signal_to_the_outer_process_reaches_the_command() {
    let mut lab = BusyLab::start();
    kill(lab.outer.id(), Signal::TERM);
    assert_eq!(lab.wait().code(), Some(128 + 15));
    lab.assert_gone(Duration::ZERO);
}

#[test]
fn nothing_is_left_when_the_guard_is_killed() {
    let mut lab = BusyLab::start();
    kill(lab.guard, Signal::KILL);
    assert!(!lab.processes().is_empty(), "the lab does without its guard");
    lab.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(lab.wait().success());
    lab.assert_gone(Duration::ZERO);
}

#[test]
fn what_a_killed_guard_leaves_goes_with_the_next_lab() {
    let mut lab = BusyLab::start();
    kill(lab.guard, Signal::KILL);
    kill(lab.outer.id(), Signal::KILL);
    lab.wait();
    wait_until(DEADLINE, "its processes are gone", || lab.processes().is_empty());
    assert!(Command::new(flowport()).args(["lab", "true"]).status().unwrap().success());
    lab.assert_gone(DEADLINE);
}

#[test]
fn nothing_is_left_of_labs_that_are_killed_while_they_start() {
    let marker = format!("600.{:09}", std::process::id());
    let mut cgroups = Vec::new();
    // A start takes about 6 ms until its command runs.
    for moment in (0..40).map(|step| Duration::from_micros(250 * step)) {
        let mut outer = Command::new(flowport()).args(["lab", "--", "sleep", &marker]).spawn().unwrap();
        let start = Instant::now();
        while start.elapsed() < moment {
            std::hint::spin_loop();
        }
        outer.kill().unwrap();
        assert_eq!(outer.wait().unwrap().signal(), Some(9));
        cgroups.push(format!("flowport-lab.{}.", outer.id()));
    }
    let left = || {
        processes()
            .into_iter()
            .map(command_line)
            .filter(|line| line.contains(&marker) || cgroups.iter().any(|cgroup| line.contains(cgroup)))
    };
    wait_until(DEADLINE, "all processes are gone", || left().next().is_none());
    // One that was killed before it had a guard leaves its cgroup to the next lab.
    assert!(Command::new(flowport()).args(["lab", "true"]).status().unwrap().success());
    let directories =
        ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(fs::read_dir).into_iter().flatten().flatten();
    let names: Vec<String> =
        directories.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let left = names.iter().filter(|name| cgroups.iter().any(|cgroup| name.starts_with(cgroup)));
    assert_eq!(left.count(), 0, "{names:?}");
}

/// A lab with [`busy_lab`] in it, and what it is known by on the outside.
struct BusyLab {
    outer: Child,
    stdin: Option<ChildStdin>,
    /// Held open: the command would fail to write.
    _output: Lines<BufReader<ChildStdout>>,
    init: u32,
    guard: u32,
    cgroup: PathBuf,
    /// Process id and start time of all that ran in it when it was ready.
    members: Vec<(u32, String)>,
    /// A link here whose peer is in the lab's network namespace: the kernel removes both when that namespace ends.
    probe: String,
    before: BTreeSet<String>,
}

impl BusyLab {
    fn start() -> Self {
        let missing = requirements();
        assert!(missing.missing.is_empty() && !missing.not_root, "the lab needs more: {missing:?}");
        let before = surroundings();
        let inside = std::env::current_exe().unwrap();
        let mut outer = Command::new(flowport())
            .args(["lab", "--"])
            .arg(inside)
            .args(["--ignored", "--exact", "busy_lab", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(outer.stdout.take().unwrap()).lines();
        assert!(output.any(|line| line.unwrap().contains(READY)), "the lab did not start");
        let child = |role: &str| {
            let of_outer = |pid: &u32| parent(*pid) == Some(outer.id());
            processes().into_iter().filter(of_outer).find(|pid| command_line(*pid).contains(role)).unwrap()
        };
        let (init, guard) = (child("@init"), child("@guard"));
        let cgroup = command_line(guard).split('\0').nth(3).map(PathBuf::from).unwrap();
        // The engine says that a container runs a moment before its program does.
        wait_until(DEADLINE, "its daemons and its container run", || {
            let programs: Vec<String> = members(&cgroup).into_iter().map(command_line).collect();
            let runs = |program: &&str| programs.iter().any(|line| line.split('\0').next() == Some(program));
            ["ovsdb-server", "ovs-vswitchd", "dockerd", "containerd", "sleep"].iter().all(runs)
        });
        let members = members(&cgroup).into_iter().filter_map(|pid| Some((pid, started(pid)?))).collect();
        let probe = format!("probe{}", outer.id());
        ip(&["link", "add", &probe, "type", "veth", "peer", "probe", "netns", &init.to_string()]);
        let stdin = outer.stdin.take();
        let lab = Self { outer, stdin, _output: output, init, guard, cgroup, members, probe, before };
        lab.assert_there();
        lab
    }

    /// What [`Self::assert_gone`] looks for can be found while the lab runs.
    fn assert_there(&self) {
        assert!(self.cgroup.is_dir() && !self.processes().is_empty());
        assert!(link_exists(&self.probe));
        // No process of the lab holds a file in a place that outlives the lab, but what it was given: our own output.
        let open_files = |pid: &str| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| fs::read_link(file.path()).ok()).collect::<Vec<_>>()
        };
        let inherited = open_files("self");
        for pid in self.processes() {
            for file in open_files(&pid.to_string()).into_iter().filter(|file| !inherited.contains(file)) {
                // ovsdb-server opens nameless files in /tmp, which end with it.
                let nameless = file.to_string_lossy().ends_with(" (deleted)");
                assert!(
                    nameless || !file.starts_with("/tmp") && !file.starts_with("/var/tmp"),
                    "{file:?} of {pid}"
                );
            }
        }
    }

    fn wait(&mut self) -> ExitStatus {
        self.outer.wait().unwrap()
    }

    /// Its processes that run still. A process id is not enough: the kernel gives it out again.
    fn processes(&self) -> Vec<u32> {
        let runs = |(pid, start): &&(u32, String)| started(*pid).as_ref() == Some(start);
        self.members.iter().filter(runs).map(|(pid, _)| *pid).collect()
    }

    /// Processes and the cgroup within `deadline` (at once, if the lab ended in good order); the
    /// kernel takes network namespaces down a little later in any case.
    fn assert_gone(&self, deadline: Duration) {
        wait_until(deadline, "its processes are gone", || self.processes().is_empty());
        wait_until(deadline, "its guard is gone", || parent(self.guard).is_none());
        wait_until(deadline, "its cgroup is gone", || !self.cgroup.exists());
        wait_until(DEADLINE, "its network namespace is gone", || !link_exists(&self.probe));
        let after = surroundings();
        let new: Vec<&String> =
            after.difference(&self.before).filter(|path| !path.contains("probe")).collect();
        assert!(new.is_empty(), "left: {new:?}");
    }
}

impl Drop for BusyLab {
    fn drop(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

/// Mounts, named namespaces, and the files in places where the lab's daemons keep theirs by default.
fn surroundings() -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut all: BTreeSet<String> = mounts.lines().map(str::to_owned).collect();
    for directory in [
        "/run",
        "/run/netns",
        "/run/docker",
        "/run/openvswitch",
        "/run/containerd",
        "/etc",
        "/etc/docker",
        "/etc/openvswitch",
        "/opt",
        "/opt/containerd",
        "/var/lib",
        "/var/lib/docker",
        "/var/lib/containerd",
        "/var/lib/flowport",
        "/var/log/openvswitch",
        "/var/run",
    ] {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        all.extend(entries.map(|entry| entry.path().to_string_lossy().into_owned()));
    }
    all
}

fn processes() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processes of a cgroup and of those below it.
fn members(cgroup: &Path) -> Vec<u32> {
    let own = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    let below = fs::read_dir(cgroup).into_iter().flatten().flatten().map(|entry| entry.path());
    all.extend(below.filter(|path| path.is_dir()).flat_map(|path| members(&path)));
    all
}

/// When a running process was started, in clock ticks since boot: field 22 of proc_pid_stat(5).
fn started(pid: u32) -> Option<String> {
    parent(pid)?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19).map(str::to_owned)
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).into_owned()
}

fn link_exists(name: &str) -> bool {
    Command::new("ip")
        .args(["link", "show", name])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "between two looks at the condition")]
fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
