//! The daemon as a service manager runs it: what it tells, and with what rights it does its work.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use flowport::lab::HostOptions;
use flowport_integration::oracle::pings;
use flowport_integration::scene::{By, Scene, named, same, signal};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::UnixDatagram;
use tokio::process::Command;

/// The unit that the package installs.
const UNIT: &str = include_str!("../../dist/flowport.service");

/// The end of the protocol that systemd has.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn listen(scene: &Scene) -> Self {
        let path = scene.host.directory().join("notify");
        let _ = std::fs::remove_file(&path);
        Self { socket: UnixDatagram::bind(&path).unwrap(), path }
    }

    /// The next thing that it is told.
    async fn told(&self) -> String {
        let mut told = vec![0; 4096];
        let length =
            tokio::time::timeout(DEADLINE, self.socket.recv(&mut told)).await.expect("it is told").unwrap();
        String::from_utf8(told[..length].to_vec()).unwrap()
    }

    /// The next thing that has this line, and whether anything has `unless` before.
    async fn told_line(&self, line: &str, unless: &str) -> String {
        loop {
            let told = self.told().await;
            if told.lines().any(|told| told == line) {
                return told;
            }
            assert!(!told.contains(unless), "{unless} before {line}: {told}");
        }
    }
}

/// Starts the daemon by `command`, as the manager does.
fn start(
    scene: &mut Scene,
    command: Command,
    words: &str,
    manager: Option<&Manager>,
    more: &[(&str, String)],
) {
    let mut command = scene.configured(command, words.split_whitespace());
    command.stdout(Stdio::null()).stderr(Stdio::null()).envs(more.iter().map(|(name, value)| (name, value)));
    command.env("NOTIFY_SOCKET", manager.map_or_else(PathBuf::new, |manager| manager.path.clone()));
    scene.daemon = Some(scene.host.spawn(&mut command).unwrap());
}

fn flowport(scene: &Scene) -> Command {
    scene.host.command(&flowport_integration::flowport().display().to_string())
}

#[tokio::test]
async fn it_is_ready_when_all_is_as_it_should_be() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = [container().await, container().await];
    for (nth, container) in containers.iter().enumerate() {
        scene
            .done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.{}/24", named(container), nth + 1))
            .await;
    }
    scene.end_daemon(Signal::KILL).await;
    let port = scene.ports().await.pop_first().unwrap();
    scene.tool("ovs-vsctl", &format!("--no-wait del-port {port}")).await;
    scene.tool("ovs-ofctl", "-O OpenFlow13 del-flows br0").await;

    let manager = Manager::listen(&scene);
    let command = flowport(&scene);
    start(&mut scene, command, "daemon", Some(&manager), &[("WATCHDOG_USEC", "300000".into())]);
    let told = manager.told().await;
    assert!(told.starts_with("READY=1\nWATCHDOG=1\nSTATUS=2 of 2 ports in place; "), "{told}");
    let before = scene.seen().await;
    assert!(scene.whole().await && scene.ports().await.len() == 2, "{before:#?}");
    assert!(pings(&containers[0], "10.0.0.2", 3).await);

    for _ in 0..3 {
        let told = manager.told().await;
        assert!(told.starts_with("WATCHDOG=1\nSTATUS=2 of 2 ports"), "{told}");
    }

    // What somebody took from the switch, of which nobody tells, is put right when it is asked to look.
    scene.tool("ovs-ofctl", "-O OpenFlow13 del-flows br0").await;
    signal(scene.daemon.as_ref().unwrap(), Signal::HUP);
    let told = manager.told_line("RELOADING=1", "READY=1").await;
    assert!(told.contains("\nMONOTONIC_USEC="), "{told}");
    manager.told_line("READY=1", "STOPPING=1").await;
    same(&before, &scene.seen().await);

    signal(scene.daemon.as_ref().unwrap(), Signal::TERM);
    manager.told_line("STOPPING=1", "READY=1").await;
    assert!(scene.daemon.take().unwrap().wait().await.unwrap().success());
}

#[tokio::test]
async fn a_watchdog_for_another_process_and_no_manager_are_no_trouble() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let manager = Manager::listen(&scene);
    let other = [("WATCHDOG_USEC", "100000".into()), ("WATCHDOG_PID", "1".into())];
    let command = flowport(&scene);
    start(&mut scene, command, "daemon", Some(&manager), &other);
    let told = manager.told().await;
    assert!(told.starts_with("READY=1\n") && !told.contains("WATCHDOG"), "{told}");
    scene.end_daemon(Signal::TERM).await;

    let command = flowport(&scene);
    start(&mut scene, command, "daemon", None, &other);
    wait_until(DEADLINE, "it listens", async || {
        scene.run("add-br br1 --datapath=netdev").await.code == Some(0)
    })
    .await;
}

/// Each container's process is watched by an open file, and a shell allows a thousand.
#[tokio::test]
async fn it_may_open_as_many_files_as_it_is_allowed_to() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let manager = Manager::listen(&scene);
    let words = format!("--nofile=300:3000 {} daemon", flowport_integration::flowport().display());
    let command = scene.host.command("prlimit");
    start(&mut scene, command, &words, Some(&manager), &[]);
    manager.told_line("READY=1", "STOPPING=1").await;
    let pid = scene.daemon.as_ref().and_then(tokio::process::Child::id).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().next(), Some("3000"), "{limits}");
}

#[tokio::test]
async fn docker_may_wait_for_the_daemon() {
    let mut scene = Scene::start(HostOptions::with_docker(), By::Daemon).await;
    let engine = scene.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
    let before = scene.seen().await;
    scene.end_daemon(Signal::TERM).await;

    // As systemd has it while the host starts: who connects is answered when docker.service runs, which waits for us.
    let socket = scene.host.directory().join("docker-to-come.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let manager = Manager::listen(&scene);
    let docker = [("DOCKER_HOST", format!("unix://{}", socket.display()))];
    let command = flowport(&scene);
    let begun = Instant::now();
    start(&mut scene, command, "daemon", Some(&manager), &docker);
    let told = manager.told().await;
    assert!(told.starts_with("READY=1\nSTATUS=1 of 1 ports"), "{told} after {:?}", begun.elapsed());
    same(&before, &scene.seen().await);
}

#[tokio::test]
async fn the_capabilities_of_the_unit_suffice() {
    let mut scene = Scene::start(HostOptions::with_docker(), By::Itself).await;
    let capabilities: String = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet=CAP_"))
        .map(|names| names.to_lowercase().replace(" cap_", ",+"))
        .unwrap();
    let words = format!(
        "--bounding-set=-all,+{capabilities} --no-new-privs {} daemon",
        flowport_integration::flowport().display()
    );
    let manager = Manager::listen(&scene);
    let command = scene.host.command("setpriv");
    start(&mut scene, command, &words, Some(&manager), &[]);
    assert!(manager.told().await.starts_with("READY=1"));
    let pid = scene.daemon.as_ref().and_then(tokio::process::Child::id).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    let number = u64::from_str_radix(effective, 16).unwrap();
    assert_eq!(number.count_ones() as usize, capabilities.split(',').count(), "{effective}: {capabilities}");

    let engine = scene.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    let netns = container().await;
    let gateway = "--gateway=10.0.0.254 --route=192.0.2.0/24@10.0.0.254 --mtu=1400";
    scene.done("add-br br1 --datapath=netdev --address=10.9.9.1/24").await;
    scene
        .done(&format!("add-port br0 eth1 web --ipaddress=10.0.0.1/24 --ipaddress=fd00::1/64 {gateway}"))
        .await;
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.2/24", named(&netns))).await;
    assert!(pings(&netns, "10.0.0.1", 5).await);
    scene.done(&format!("set-vlan br0 eth1 {} 5", named(&netns))).await;
    // The end of a process is told by its pidfd, and its start by Docker.
    let pid = scene.host.docker().unwrap().container_pid("web").await.unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    wait_until(DEADLINE, "its port goes", async || scene.ports().await.len() == 1 && scene.whole().await)
        .await;
    scene.host.docker().unwrap().start_container("web").await.unwrap();
    wait_until(DEADLINE, "its port is back", async || scene.ports().await.len() == 2 && scene.whole().await)
        .await;
    scene.done("del-port br0 eth1 web").await;
    scene.done(&format!("del-port br0 eth1 {}", named(&netns))).await;
    assert!(scene.ports().await.is_empty() && scene.whole().await);
}
