//! What commands do while the daemon does not run, and what it makes of that; what is undone when the switch hangs.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use flowport::lab::{HostOptions, LabHost};
use flowport_integration::oracle::{ofctl, pings, vsctl};
use flowport_integration::{DEADLINE, container, flowport, host, wait_until};
use rustix::process::Signal;
use tokio::process::{Child, Command};

fn command(host: &LabHost, words: &[&str]) -> Command {
    let mut command = host.command(&flowport().display().to_string());
    command.arg("--db").arg(host.db()).arg("--socket").arg(socket(host)).args(words);
    command
}

fn socket(host: &LabHost) -> std::path::PathBuf {
    host.directory().join("flowport.sock")
}

/// Runs a command; its standard error when it fails.
async fn run(host: &LabHost, words: &[&str]) -> Result<(), String> {
    let output = host.output(&mut command(host, words)).await.unwrap();
    output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn start_daemon(host: &LabHost) -> Child {
    let mut daemon = command(host, &["daemon"]);
    daemon.arg("--state").arg(host.directory().join("state")).kill_on_drop(true);
    let child = host.spawn(&mut daemon).unwrap();
    let listens = async || std::os::unix::net::UnixStream::connect(socket(host)).is_ok();
    wait_until(DEADLINE, "the daemon listens", listens).await;
    child
}

async fn stop(mut daemon: Child) {
    daemon.kill().await.unwrap();
}

#[tokio::test]
async fn a_daemon_takes_over_what_was_changed_without_it() {
    let host = host(HostOptions::default()).await;
    run(&host, &["add-br", "br0", "--datapath=netdev"]).await.unwrap();
    let containers = [container().await, container().await, container().await];
    let names = containers.each_ref().map(|netns| format!("netns:{}", netns.path().display()));
    let daemon = start_daemon(&host).await;
    for (nth, name) in names.iter().enumerate() {
        let address = format!("--ipaddress=10.0.0.{}/24", nth + 1);
        run(&host, &["add-port", "br0", "eth1", name, &address]).await.unwrap();
    }
    stop(daemon).await;

    run(&host, &["del-port", "br0", "eth1", &names[0]]).await.unwrap();
    run(&host, &["set-vlan", "br0", "eth1", &names[1], "7"]).await.unwrap();
    assert!(vsctl(&host, &["get", "open_vswitch", ".", "external_ids"]).await.contains("flowport-detached"));
    let daemon = start_daemon(&host).await;
    let forgotten =
        async || !vsctl(&host, &["get", "open_vswitch", ".", "external_ids"]).await.contains("detached");
    wait_until(DEADLINE, "the mark of the detached port is taken back", forgotten).await;
    assert_eq!(vsctl(&host, &["list-ports", "br0"]).await.lines().count(), 2, "what was detached stays so");
    assert_eq!(vsctl(&host, &["--bare", "--columns=tag", "find", "port", "tag=7"]).await.trim(), "7");
    let records = format!("unix:{}", host.directory().join("local.sock").display());
    let records = host.run("ovsdb-client", &["dump", &records, "Flowport_Local"]).await.unwrap();
    assert!(!records.contains(&*containers[0].path().to_string_lossy()), "{records}");

    // Its address is free, and it can come again.
    run(&host, &["add-port", "br0", "eth1", &names[0], "--ipaddress=10.0.0.1/24"]).await.unwrap();
    stop(daemon).await;
    let daemon = start_daemon(&host).await;
    run(&host, &["add-port", "br0", "eth1", &names[0]]).await.unwrap_err();
    assert_eq!(vsctl(&host, &["list-ports", "br0"]).await.lines().count(), 3);
    stop(daemon).await;
}

#[tokio::test]
async fn what_a_switch_that_hangs_does_not_finish_is_not_reported_done() {
    let mut host = host(HostOptions::default()).await;
    run(&host, &["add-br", "br0", "--datapath=netdev"]).await.unwrap();
    vsctl(&host, &["add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev"]).await;
    let netns = container().await;
    let name = format!("netns:{}", netns.path().display());
    run(&host, &["add-port", "br0", "eth1", &name, "--ipaddress=10.0.0.1/24"]).await.unwrap();

    host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let refused = run(&host, &["--timeout=1", "adopt", "br1"]).await.unwrap_err();
    assert!(refused.contains("br1"), "{refused}");
    assert_eq!(
        vsctl(&host, &["--no-wait", "get", "bridge", "br1", "fail_mode", "external_ids"]).await.trim(),
        "[]\n{}"
    );
    let mut detaching = host.spawn(&mut command(&host, &["del-port", "br0", "eth1", &name])).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), detaching.wait()).await;
    assert!(early.is_err(), "its flow entries are still there: {early:?}");
    host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    assert!(detaching.wait().await.unwrap().success());
    assert!(!ofctl(&host, &["-OOpenFlow13", "dump-flows", "br0"]).await.contains("10.0.0.1"));
}

#[tokio::test]
async fn flow_entries_of_others_outlive_the_adoption_of_their_bridge() {
    let host = host(HostOptions::default()).await;
    vsctl(&host, &["add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev"]).await;
    let flows = async || ofctl(&host, &["-OOpenFlow13", "--no-stats", "dump-flows", "br1"]).await;
    assert!(flows().await.contains("actions=NORMAL"), "Open vSwitch has made the one of its own");
    let theirs = [
        "cookie=0x7, priority=9,udp,tp_dst=53 actions=drop",
        "cookie=0x8, table=9, idle_timeout=600, priority=1,ip,nw_dst=192.0.2.1 actions=output:7",
    ];
    for flow in theirs {
        ofctl(&host, &["-OOpenFlow13", "add-flow", "br1", &flow.replacen(" actions", ",actions", 1)]).await;
    }
    run(&host, &["adopt", "br1"]).await.unwrap();
    let after = flows().await;
    assert!(theirs.iter().all(|flow| after.contains(flow)), "{after}");
    assert!(!after.contains("actions=NORMAL"), "{after}");
    assert!(after.contains("cookie=0xf10f000000000000"), "{after}");
}

#[tokio::test]
async fn containers_that_are_on_a_bridge_when_it_is_adopted_go_on_talking() {
    let host = host(HostOptions::default()).await;
    vsctl(&host, &["add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev"]).await;
    let containers = [container().await, container().await];
    for (nth, netns) in containers.iter().enumerate() {
        let (name, address) =
            (format!("netns:{}", netns.name()), format!("--ipaddress=10.0.0.{}/24", nth + 1));
        run(&host, &["add-port", "br1", "eth1", &name, &address]).await.unwrap();
    }
    assert!(pings(&containers[0], "10.0.0.2", 5).await);
    run(&host, &["adopt", "br1"]).await.unwrap();
    assert!(pings(&containers[0], "10.0.0.2", 1).await && pings(&containers[1], "10.0.0.1", 1).await);
}

#[tokio::test]
async fn a_refused_port_leaves_the_daemon_idle() {
    let host = host(HostOptions::default()).await;
    run(&host, &["add-br", "br0", "--datapath=netdev"]).await.unwrap();
    let netns = container().await;
    let name = format!("netns:{}", netns.path().display());
    run(&host, &["add-port", "br0", "eth1", &name]).await.unwrap();
    let daemon = start_daemon(&host).await;
    host.run("ip", &["-n", netns.name(), "link", "add", "eth9", "type", "veth", "peer", "name", "eth8"])
        .await
        .unwrap();
    run(&host, &["add-port", "br0", "eth9", &name]).await.unwrap_err();
    let pid = daemon.id().unwrap();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // utime and stime of proc(5), the 14th and 15th of all, the 12th and 13th behind the name.
        let times = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        times.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
    };
    let mut before = ticks();
    // A second in a row without work: the rests after the refusal are over by then.
    let idle = async || {
        let begun = before;
        tokio::time::sleep(Duration::from_secs(1)).await;
        before = ticks();
        before - begun <= 3
    };
    wait_until(DEADLINE, "the daemon is idle", idle).await;
    stop(daemon).await;
}
