//! A daemon whose peers die and come back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use flowport::lab::{HostOptions, Netns};
use flowport_integration::oracle::{flow_entries, ofctl, output_at, pings};
use flowport_integration::scene::{By, Scene, inside, named, same, signal};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::Signal;

/// Two containers with ports, that reach each other.
async fn two_containers(scene: &Scene) -> [Netns; 2] {
    let containers = [container().await, container().await];
    for (nth, container) in containers.iter().enumerate() {
        scene
            .done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.{}/24", named(container), nth + 1))
            .await;
    }
    assert!(pings(&containers[0], "10.0.0.2", 5).await);
    containers
}

async fn resumes(containers: &[Netns; 2]) {
    wait_until(DEADLINE, "ping goes on", async || pings(&containers[0], "10.0.0.2", 1).await).await;
}

#[tokio::test]
async fn flow_entries_come_back_with_vswitchd() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let before = scene.seen().await;
    for _ in 0..3 {
        scene.host.ovs_mut().vswitchd().kill().await.unwrap();
        scene.host.ovs_mut().start_vswitchd().await.unwrap();
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
        resumes(&containers).await;
    }
    // Detached while it was away: the port does not come back.
    scene.host.ovs_mut().vswitchd().kill().await.unwrap();
    scene.done(&format!("del-port br0 eth1 {}", named(&containers[0]))).await;
    scene.host.ovs_mut().start_vswitchd().await.unwrap();
    wait_until(DEADLINE, "one is left", async || scene.whole().await && scene.ports().await.len() == 1).await;
    assert!(!inside(&containers[0]).await.contains("eth1"));
}

#[tokio::test]
async fn flow_entries_and_groups_that_somebody_deletes_come_back() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let foreign = "table=0,priority=7,in_port=77,cookie=0x5,actions=drop";
    ofctl(&scene.host, &["add-flow", "br0", foreign]).await;
    let entries = async || {
        let mut entries = flow_entries(&scene.host, "br0", "").await;
        entries.sort();
        (entries, ofctl(&scene.host, &["dump-groups", "br0"]).await.lines().count())
    };
    let before = entries().await;
    for delete in [
        "del-flows br0 table=4",
        "del-flows br0 cookie=0xf10f000000000000/0xffff000000000000",
        "del-groups br0",
    ] {
        let words: Vec<&str> = delete.split(' ').collect();
        ofctl(&scene.host, &words).await;
        wait_until(DEADLINE, delete, async || entries().await == before).await;
        resumes(&containers).await;
    }
}

/// A part of a group is named by no flow entry, so that none is missing without it.
#[tokio::test]
async fn a_part_of_a_group_that_somebody_deletes_holds_up_nobody() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let mut containers = Vec::new();
    for _ in 0..67 {
        containers.push(container().await);
    }
    let line = |(nth, container): (usize, &Netns)| {
        let (name, address) = (named(container), format!("10.0.0.{}/24", nth + 1));
        format!(r#"{{"bridge":"br0","interface":"eth1","container":"{name}","ipaddress":"{address}"}}"#)
    };
    let lines: Vec<String> = containers[1..].iter().enumerate().map(line).collect();
    let said = scene.add_ports(&lines).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let groups = ofctl(&scene.host, &["dump-groups", "br0"]).await;
    let parts = groups.lines().filter(|line| line.contains("output:"));
    let ids = parts.filter_map(|line| line.split("group_id=").nth(1)?.split(',').next());
    let all: Vec<&str> = ids.collect();
    assert!(all.len() > 1, "{groups}");
    for id in all {
        ofctl(&scene.host, &["del-groups", "br0", &format!("group_id={id}")]).await;
    }
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.200/24", named(&containers[0]))).await;
    assert!(pings(&containers[0], "10.0.0.1", 3).await);
    let now = ofctl(&scene.host, &["dump-groups", "br0"]).await;
    assert_eq!(now.lines().count(), groups.lines().count(), "{now}");
}

/// The daemon died after it had taken the attachment off its records, and before the port's rows were gone.
#[tokio::test]
async fn a_port_that_was_on_its_way_out_when_the_daemon_died_goes() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    scene.end_daemon(Signal::KILL).await;
    let socket = format!("unix:{}", scene.host.directory().join("flowport/local.sock").display());
    let gone = format!(
        r#"["Flowport_Local",{{"op":"delete","table":"Attachment","where":[["container","==","{}"]]}}]"#,
        named(&containers[0])
    );
    scene.host.run("ovsdb-client", &["transact", &socket, &gone]).await.unwrap();
    scene.start_daemon().await;
    wait_until(DEADLINE, "one is left", async || scene.whole().await && scene.ports().await.len() == 1).await;
    assert!(!inside(&containers[0]).await.contains("eth1") && inside(&containers[1]).await.contains("eth1"));
}

/// What was refused is not in force, whatever died meanwhile.
#[tokio::test]
async fn a_policy_that_was_refused_while_the_database_died_is_the_one_from_before() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    scene.done("set-icc br0 off").await;
    scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let asking = scene.spawn("set-icc br0 on --timeout=4");
    let marks = async || scene.tool("ovs-vsctl", "--no-wait get bridge br0 external_ids").await;
    wait_until(DEADLINE, "it is asked for", async || !marks().await.contains("isolated")).await;
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    let said = asking.wait_with_output().await.unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    scene.host.ovs_mut().start_ovsdb().await.unwrap();
    scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    let marks = async || scene.tool("ovs-vsctl", "--no-wait get bridge br0 external_ids").await;
    wait_until(DEADLINE, "it is as before", async || marks().await.contains("isolated")).await;
}

/// Of two who want something of one port the first gives up: what the second wants stays.
#[tokio::test]
async fn who_gives_up_takes_nothing_back_that_another_wants_since() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let c = container().await;
    scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let first = scene.spawn(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.1/24 --timeout=3", named(&c)));
    wait_until(DEADLINE, "its row is there", async || scene.ports().await.len() == 1).await;
    let second = scene.spawn(&format!("set-vlan br0 eth1 {} 7 --timeout=60", named(&c)));
    let said = first.wait_with_output().await.unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    let said = second.wait_with_output().await.unwrap();
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let port = scene.ports().await.into_iter().next().expect("it is attached");
    assert_eq!(scene.tool("ovs-vsctl", &format!("get port {port} tag")).await.trim(), "7");
    wait_until(DEADLINE, "it is whole", async || scene.whole().await).await;
    let inside = output_at(c.path(), "ip", &["address", "show", "dev", "eth1"]).await;
    assert!(String::from_utf8_lossy(&inside.stdout).contains("10.0.0.1/24"), "{inside:?}");
}

/// Its link goes first, so that the end of the namespace takes none along that would tell of it.
#[tokio::test]
async fn a_namespace_that_goes_when_its_link_is_gone_loses_its_port() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let [first, second] = two_containers(&scene).await;
    let daemon = scene.daemon.as_ref().unwrap();
    let of_second = flowport_integration::town::host_end(second.name());
    signal(daemon, Signal::STOP);
    scene.tool("ip", &format!("link delete {of_second}")).await;
    drop(second);
    signal(daemon, Signal::CONT);
    wait_until(DEADLINE, "one is left", async || scene.whole().await && scene.ports().await.len() == 1).await;
    wait_until(DEADLINE, "one record is left", async || scene.records().await.len() == 1).await;
    assert!(inside(&first).await.contains("eth1"));
}

#[tokio::test]
async fn the_database_may_go_and_come_back() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let before = scene.seen().await;
    for _ in 0..3 {
        scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
        scene.host.ovs_mut().start_ovsdb().await.unwrap();
        // What the daemon is asked for before it is connected again waits for that.
        scene.done("add-br br1 --datapath=netdev --timeout=60").await;
        scene.done("del-br br1").await;
        wait_until(DEADLINE, "all is as before", async || scene.seen().await == before).await;
        // The userspace datapath of Open vSwitch 3.1 itself rests while ovs-vswitchd has no database, and that looks for
        // one once a second (`lib/reconnect.c`).
        resumes(&containers).await;
    }
}

#[tokio::test]
async fn a_link_or_a_row_that_somebody_takes_away_comes_back_and_works() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let before = scene.seen().await;
    let ports: Vec<String> = scene.ports().await.into_iter().collect();
    let uplinks = async || scene.flows("br0").await.iter().any(|flow| flow.contains("metadata=0x200000000"));
    assert!(!uplinks().await);
    for take_away in ["ip link delete", "ovs-vsctl del-port", "ovs-vsctl clear interface ... external_ids"] {
        for port in &ports {
            let words = match take_away.split_once("...") {
                Some((start, end)) => format!("{start} {port} {end}"),
                None => format!("{take_away} {port}"),
            };
            let (program, words) = words.split_once(' ').unwrap();
            scene.tool(program, words).await;
            assert!(!uplinks().await, "a container's port is no way to other hosts: {words}");
        }
        // The bridge's row names its ports by identity, which may be other.
        let is_back = async || scene.seen().await.len() == before.len() && scene.whole().await;
        wait_until(DEADLINE, take_away, is_back).await;
        resumes(&containers).await;
    }
}

#[tokio::test]
async fn a_daemon_that_hangs_is_not_waited_for_without_end() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let daemon = scene.daemon.as_ref().unwrap();
    signal(daemon, Signal::STOP);
    scene.refused("--timeout=1 del-ports br0 --all", &["does not answer", "systemctl status flowport"]).await;
    signal(daemon, Signal::CONT);
}

#[tokio::test]
async fn a_daemon_that_is_only_starting_ends_when_it_is_told_to() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    scene.host.ovs_mut().ovsdb_server().signal(Signal::STOP).unwrap();
    let before = std::fs::metadata(scene.log()).map_or(0, |log| log.len());
    scene.daemon = Some(scene.spawn("daemon -v"));
    // It has taken over the handling of signals before it says anything.
    wait_until(DEADLINE, "it starts", async || {
        std::fs::metadata(scene.log()).is_ok_and(|log| log.len() > before)
    })
    .await;
    let ended = tokio::time::timeout(DEADLINE, scene.end_daemon(Signal::TERM)).await;
    assert!(ended.is_ok(), "it waits for its database");
    scene.host.ovs_mut().ovsdb_server().signal(Signal::CONT).unwrap();
}

#[tokio::test]
async fn a_container_that_dies_while_the_database_is_away_loses_its_port() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let [first, second] = two_containers(&scene).await;
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    drop(second);
    scene.host.ovs_mut().start_ovsdb().await.unwrap();
    wait_until(DEADLINE, "one is left", async || scene.whole().await && scene.ports().await.len() == 1).await;
    assert!(inside(&first).await.contains("eth1"));
    assert_eq!(scene.records().await.len(), 1);
}

#[tokio::test]
async fn containers_may_lose_their_engine() {
    let mut scene = Scene::start(HostOptions::with_docker(), By::Daemon).await;
    let engine = scene.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    for name in ["web", "shop"] {
        engine.run_container(name, "busybox", "none", &["sleep", "600"]).await.unwrap();
    }
    scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
    scene.done("add-port br0 eth1 shop --ipaddress=10.0.0.2/24").await;
    let before = scene.seen().await;
    scene.host.docker_mut().unwrap().daemon().kill().await.unwrap();
    scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
    // Without --live-restore its containers end with it; what stops keeps its attachment.
    wait_until(DEADLINE, "the ports go", async || scene.whole().await && scene.ports().await.is_empty())
        .await;
    assert_eq!(scene.records().await.len(), 2);
    for name in ["web", "shop"] {
        scene.host.docker().unwrap().start_container(name).await.unwrap();
    }
    wait_until(DEADLINE, "the ports are back", async || {
        scene.whole().await && scene.seen().await.len() == before.len()
    })
    .await;
    let pinged =
        async || scene.host.run("docker", &["exec", "web", "ping", "-c1", "-W1", "10.0.0.2"]).await.is_ok();
    wait_until(DEADLINE, "ping goes on", pinged).await;
    // One that is removed while nobody listens is removed all the same.
    scene.end_daemon(Signal::KILL).await;
    scene.host.docker().unwrap().remove_container("shop").await.unwrap();
    scene.start_daemon().await;
    wait_until(DEADLINE, "one is left", async || scene.whole().await && scene.ports().await.len() == 1).await;
    wait_until(DEADLINE, "its record is gone", async || scene.records().await.len() == 1).await;
}

#[tokio::test]
async fn a_daemon_that_was_killed_is_replaced_without_a_lost_packet() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let before = scene.seen().await;
    for with in [Signal::KILL, Signal::TERM, Signal::KILL] {
        scene.end_daemon(with).await;
        // With SIGKILL its socket stays behind, and is no obstacle.
        assert_eq!(scene.socket().exists(), with == Signal::KILL);
        assert!(pings(&containers[0], "10.0.0.2", 3).await);
        scene.start_daemon().await;
        scene.run("del-port br0 eth9 netns:nosuch").await.refused(&["nosuch"]);
        same(&before, &scene.seen().await);
        assert!(pings(&containers[0], "10.0.0.2", 3).await);
    }
}

#[tokio::test]
async fn the_socket_of_a_dead_daemon_is_no_obstacle_to_a_command() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let c = container().await;
    scene.end_daemon(Signal::KILL).await;
    assert!(scene.socket().exists());
    scene.done(&format!("add-port br0 eth1 {}", named(&c))).await;
    scene.done(&format!("del-port br0 eth1 {}", named(&c))).await;
}

#[tokio::test]
async fn there_is_one_daemon() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = two_containers(&scene).await;
    let before = scene.seen().await;
    scene.run("daemon").await.refused(&["another Flowport", "stop it"]);
    // One that listens elsewhere rules over the same database; so would a command that asks no daemon.
    let elsewhere = scene.host.directory().join("elsewhere/flowport.sock");
    let elsewhere = elsewhere.display();
    for command in [
        format!("daemon --socket={elsewhere}"),
        format!("del-port br0 eth1 {} --socket={elsewhere} --timeout=1", named(&containers[0])),
        format!("add-br br1 --datapath=netdev --socket={elsewhere} --timeout=1"),
    ] {
        let said = scene.run(&command).await;
        let lines: Vec<&str> = said.err.lines().filter(|line| line.starts_with("flowport: ")).collect();
        assert!(said.code == Some(1) && lines.len() == 1, "{command}: {said:?}");
        assert!(lines[0].contains("another Flowport") && lines[0].contains("--socket"), "{said:?}");
    }
    same(&before, &scene.seen().await);
    assert!(pings(&containers[0], "10.0.0.2", 3).await);
    let left = scene.host.directory().join("elsewhere/flowport.sock");
    assert!(!left.exists(), "a daemon that could not start leaves no socket");
}
