//! `flowport doctor`: each thing that can be wrong with a host is made wrong, told with its remedy, and no longer told
//! when the remedy was followed.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use flowport::lab::{HostOptions, Netns, in_netns};
use flowport_integration::oracle::inside;
use flowport_integration::scene::{By, Scene, named};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::Signal;
use serde_json::Value;

/// What it finds: each finding's check, and its line.
async fn findings(scene: &Scene) -> Vec<(String, String)> {
    let said = scene.run("doctor --json").await;
    let found: Value = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = found.as_array().unwrap();
    let is_wrong = findings.iter().any(|finding| finding["severity"] == "problem");
    assert_eq!((said.code, said.err.as_str()), (Some(i32::from(is_wrong)), ""), "{said:?}");
    findings
        .iter()
        .map(|finding| {
            let line = format!("{}: {}", text(finding, "what"), text(finding, "remedy"));
            (text(finding, "check"), line)
        })
        .collect()
}

/// Waits until it finds nothing wrong.
async fn well(scene: &Scene) {
    let mut last = Vec::new();
    let well = async || {
        last = findings(scene).await;
        last.is_empty()
    };
    let waited = tokio::time::timeout(DEADLINE, wait_until(DEADLINE * 2, "all is well", well)).await;
    assert!(waited.is_ok(), "{last:#?}");
    assert_eq!(scene.done("doctor").await, "nothing wrong found\n");
}

/// Waits until the check finds something with these words.
async fn ill(scene: &Scene, check: &str, words: &[&str]) {
    let mut last = Vec::new();
    let found = async || {
        last = findings(scene).await;
        let of_check = last.iter().filter(|(name, _)| name == check);
        of_check.into_iter().any(|(_, line)| words.iter().all(|word| line.contains(word)))
    };
    let waited = tokio::time::timeout(DEADLINE, wait_until(DEADLINE * 2, check, found)).await;
    assert!(waited.is_ok(), "{check} {words:?}: {last:#?}");
}

/// A program inside a container.
fn forward(scene: &Scene, value: &str) {
    let write = || std::fs::write("/proc/sys/net/ipv4/ip_forward", value);
    in_netns(scene.host.netns().path(), write).unwrap().unwrap();
}

/// A host that is the gateway of containers a and b on br0, with all as it should be.
async fn healthy() -> (Scene, Netns, Netns) {
    let mut scene = Scene { host: flowport_integration::host(HostOptions::default()).await, daemon: None };
    scene.start_daemon().await;
    scene.done("add-br br0 --datapath=netdev --address=10.0.0.254/24").await;
    forward(&scene, "1");
    let (a, b) = (container().await, container().await);
    for (n, netns) in [(1, &a), (2, &b)] {
        let words =
            format!("add-port br0 eth1 {} --ipaddress=10.0.0.{n}/24 --gateway=10.0.0.254", named(netns));
        scene.done(&words).await;
    }
    (scene, a, b)
}

#[tokio::test]
async fn what_is_wrong_with_a_container() {
    let (scene, a, b) = healthy().await;
    well(&scene).await;
    let whose = format!("eth1 of {}", named(&a));

    inside(&a, "ethtool -K eth1 tx on").await;
    ill(&scene, "checksum-offload", &[&whose, "ethtool -K"]).await;
    inside(&a, "ethtool -K eth1 tx off").await;

    inside(&a, "ip link set eth1 mtu 9000").await;
    ill(&scene, "mtu", &[&whose, "9000", "carries 1500", "mtu 1500"]).await;
    inside(&a, "ip link set eth1 mtu 1400").await;
    ill(&scene, "mtu-mixed", &["from 1400 to 1500", "--mtu=1400"]).await;
    inside(&a, "ip link set eth1 mtu 1500").await;

    inside(&a, "ip addr add 10.0.0.77/24 dev eth1").await;
    ill(&scene, "port-inside", &[&whose, "10.0.0.77/24"]).await;
    inside(&a, "ip addr del 10.0.0.77/24 dev eth1").await;
    inside(&a, "ip link set eth1 address 02:00:00:00:00:77").await;
    ill(&scene, "port-inside", &[&whose, "02:00:00:00:00:77", "02:42:0a:00:00:01"]).await;
    inside(&a, "ip link set eth1 address 02:42:0a:00:00:01").await;
    well(&scene).await;

    // Another's address and MAC, by the host itself.
    scene.tool("ip", "addr add 10.0.0.2/24 dev br0").await;
    ill(&scene, "address-clash", &[&format!("eth1 of {}", named(&b)), "this host", "10.0.0.2"]).await;
    scene.tool("ip", "addr del 10.0.0.2/24 dev br0").await;
    well(&scene).await;

    let c = container().await;
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=173.16.1.2/24", named(&c))).await;
    ill(&scene, "public-address", &["173.16.1.0/24", "172.16.0.0/12"]).await;
    scene.done(&format!("del-port br0 eth1 {}", named(&c))).await;
    well(&scene).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_bridge() {
    let (mut scene, _a, _b) = healthy().await;

    forward(&scene, "0");
    ill(&scene, "ip-forwarding", &["10.0.0.254", "sysctl -w net.ipv4.ip_forward=1"]).await;
    forward(&scene, "1");

    // All that the daemon puts right by itself.
    scene.end_daemon(Signal::TERM).await;
    scene.tool("ip", "link set br0 down").await;
    ill(&scene, "bridge-down", &["ip link set br0 up"]).await;
    scene.tool("ip", "addr del 10.0.0.254/24 dev br0").await;
    ill(&scene, "gateway", &["10.0.0.254", "dev br0"]).await;
    scene.tool("ovs-vsctl", "set bridge br0 protocols=OpenFlow10").await;
    ill(&scene, "protocols", &["ovs-vsctl add bridge br0 protocols OpenFlow13"]).await;
    scene.tool("ovs-vsctl", "del-fail-mode br0").await;
    ill(&scene, "fail-mode", &["ovs-vsctl set-fail-mode br0 secure"]).await;
    let end = scene.host_ends().await.into_iter().next().unwrap();
    scene.tool("ip", &format!("link set {end} down")).await;
    ill(&scene, "port-down", &[&format!("ip link set {end} up")]).await;
    scene.start_daemon().await;
    let all_right = async || findings(&scene).await.is_empty();
    wait_until(DEADLINE, "the daemon puts them right", all_right).await;
    scene.tool("ovs-vsctl", "clear bridge br0 protocols").await;

    scene.tool("ip", "link add eth8 type veth peer eth9").await;
    scene.tool("ip", "addr add 10.0.0.9/25 dev eth8").await;
    scene.tool("ip", "link set eth9 up").await;
    scene.tool("ip", "link set eth8 up").await;
    ill(&scene, "host-route", &["10.0.0.0/24", "10.0.0.0/25 by eth8"]).await;
    scene.tool("ip", "link del eth8").await;
    well(&scene).await;

    // Open vSwitch empties the flow tables of a bridge that gets its first controller.
    scene.end_daemon(Signal::TERM).await;
    scene.tool("ovs-vsctl", "set-controller br0 tcp:127.0.0.1:1").await;
    ill(&scene, "controller", &["tcp:127.0.0.1:1", "ovs-vsctl del-controller br0"]).await;
    ill(&scene, "missing-flows", &["all they send is dropped", "systemctl restart flowport"]).await;
    scene.start_daemon().await;
    let only_that = async || findings(&scene).await.iter().all(|(check, _)| check == "controller");
    wait_until(DEADLINE, "the daemon writes them anew", only_that).await;
    assert_eq!(scene.run("doctor").await.code, Some(0), "that is a hint");
    scene.tool("ovs-vsctl", "del-controller br0").await;
    scene.end_daemon(Signal::TERM).await;
    scene.start_daemon().await;
    well(&scene).await;

    let add = "-O OpenFlow13 add-flow br0 priority=500,udp,actions=drop";
    scene.tool("ovs-ofctl", add).await;
    ill(&scene, "foreign-flows", &["priority=500,udp", "ovs-ofctl dump-flows br0"]).await;
    scene.tool("ovs-ofctl", "-O OpenFlow13 --strict del-flows br0 priority=500,udp").await;
    well(&scene).await;
}

#[tokio::test]
async fn what_is_wrong_with_ports_and_links() {
    let (scene, _a, _b) = healthy().await;

    scene.tool("ovs-vsctl", "--no-wait add-port br0 eth7").await;
    ill(&scene, "port-device", &["eth7", "No such device", "ovs-vsctl del-port br0 eth7"]).await;
    scene.tool("ovs-vsctl", "del-port br0 eth7").await;
    well(&scene).await;

    // A link with our marks which nobody has asked for; to a running daemon it would be one to remove.
    let mut scene = scene;
    scene.end_daemon(Signal::TERM).await;
    scene.tool("ip", "link add fp8000000000aa type veth peer left").await;
    scene.tool("ip", "link set fp8000000000aa alias flowport:left").await;
    ill(&scene, "leftover-link", &["ip link del fp8000000000aa"]).await;
    scene.tool("ip", "link del fp8000000000aa").await;

    // A plain bridge, with nobody on it who could send: the loop stays a quiet one.
    scene.done("add-br br1 --datapath=netdev --plain").await;
    scene.tool("ip", "link add lbr0 type bridge").await;
    scene.tool("ip", "link add va type veth peer vb").await;
    for words in ["set br1 down", "set br1 master lbr0", "set vb master lbr0"] {
        scene.tool("ip", &format!("link {words}")).await;
    }
    scene.tool("ovs-vsctl", "add-port br1 va").await;
    ill(&scene, "loop", &["br1 and va", "Linux bridge lbr0", "ovs-vsctl del-port br1 va"]).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_tunnel() {
    let (scene, _a, _b) = healthy().await;
    let add = "add-port br0 t1 -- set interface t1 type=vxlan options:key=7 options:remote_ip=";
    scene.tool("ovs-vsctl", &format!("{add}198.51.100.7")).await;
    ill(&scene, "tunnel", &["198.51.100.7", "no route"]).await;
    scene.tool("ovs-vsctl", "set interface t1 options:remote_ip=10.0.0.254").await;
    ill(&scene, "tunnel", &["10.0.0.254", "this host itself"]).await;

    scene.tool("ip", "link add eth8 type veth peer eth9").await;
    for words in ["link set eth9 up", "link set eth8 up", "addr add 192.0.2.1/24 dev eth8"] {
        scene.tool("ip", words).await;
    }
    scene.tool("ovs-vsctl", "set interface t1 options:remote_ip=192.0.2.2").await;
    ill(&scene, "tunnel-underlay", &["by eth8", "--uplink=eth8 --address=192.0.2.1/24"]).await;
    scene.tool("ip", "addr del 192.0.2.1/24 dev eth8").await;
    scene.done("add-br br-underlay --datapath=netdev --uplink=eth8 --address=192.0.2.1/24").await;
    // The daemon makes what was attached before fit.
    well(&scene).await;

    scene.tool("ovs-vsctl", &format!("{} options:key=8", add.replace("t1", "t2") + "192.0.2.2")).await;
    ill(&scene, "tunnel", &["t2 and t1 both lead to 192.0.2.2", "ovs-vsctl del-port br0 t2"]).await;
    scene.tool("ovs-vsctl", "del-port br0 t2").await;
    scene.tool("ovs-vsctl", "del-port br-underlay eth8").await;
    ill(&scene, "tunnel-underlay", &["br-underlay has this host's address and no link"]).await;
}

#[tokio::test]
async fn what_is_wrong_with_what_has_to_run() {
    let (mut scene, a, _b) = healthy().await;
    let vswitchd = scene.host.ovs_mut().vswitchd().pid().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{vswitchd}/limits")).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limit = limit.split_whitespace().nth(3).unwrap();
    // Room for what asks it, and for nothing else.
    let open = std::fs::read_dir(format!("/proc/{vswitchd}/fd")).unwrap().count();
    assert!(open > 32, "{open}");
    let few = open + 8;
    scene.tool("prlimit", &format!("--pid {vswitchd} --nofile={few}:{limit}")).await;
    ill(&scene, "vswitchd-open-files", &[&format!("of at most {few}"), "LimitNOFILE"]).await;
    scene.tool("prlimit", &format!("--pid {vswitchd} --nofile={limit}:{limit}")).await;

    scene.tool("ovs-vsctl", "set Open_vSwitch . other_config:flow-restore-wait=true").await;
    ill(&scene, "flow-restore-wait", &["ovs-vsctl remove"]).await;
    scene.tool("ovs-vsctl", "remove Open_vSwitch . other_config flow-restore-wait").await;
    scene.tool("ovs-vsctl", "set Open_vSwitch . ovs_version=9.9").await;
    ill(&scene, "vswitchd-version", &["9.9", "restart it"]).await;
    scene.tool("ovs-vsctl", "clear Open_vSwitch . ovs_version").await;
    // The kernel's datapath is switched off in this host's ovs-vswitchd.
    scene.tool("ovs-vsctl", "--no-wait add-br br9").await;
    ill(&scene, "datapath-type", &["br9", "--datapath=netdev"]).await;
    scene.tool("ovs-vsctl", "--no-wait del-br br9").await;
    well(&scene).await;

    scene.end_daemon(Signal::KILL).await;
    ill(&scene, "daemon", &["has died", "systemctl start flowport"]).await;
    // A container ends while nobody looks.
    let name = named(&a);
    drop(a);
    ill(&scene, "stale-port", &[&name, "is gone", &format!("flowport del-port br0 eth1 {name}")]).await;
    scene.start_daemon().await;
    well(&scene).await;
    scene.end_daemon(Signal::TERM).await;
    ill(&scene, "daemon", &["on record", "systemctl start flowport"]).await;

    scene.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let said = scene.run("doctor --timeout=1").await;
    assert!(said.code == Some(1) && said.out.contains("does not answer for 1 s"), "{said:?}");
    scene.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    scene.host.ovs_mut().vswitchd().stop().await.unwrap();
    ill(&scene, "vswitchd", &["ovs-vswitchd is not running", "systemctl start openvswitch-switch"]).await;
    scene.host.ovs_mut().ovsdb_server().stop().await.unwrap();
    ill(&scene, "database", &["ovsdb-server is not running", "systemctl start openvswitch-switch"]).await;
}

#[tokio::test]
async fn what_is_wrong_with_docker() {
    let mut scene = Scene::start(HostOptions::with_docker(), By::Itself).await;
    let engine = scene.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    scene.tool("docker", "run -d --name web --net none busybox sleep 600").await;
    scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
    ill(&scene, "daemon", &["does not run", "systemctl start flowport"]).await;
    ill(&scene, "live-restore", &["/etc/docker/daemon.json"]).await;
    assert_eq!(scene.run("doctor").await.code, Some(0), "these are hints");
    scene.tool("docker", "stop -t 0 web").await;
    ill(&scene, "stale-port", &["web does not run", "flowport del-port br0 eth1 web"]).await;
    scene.tool("docker", "rm web").await;
    ill(&scene, "stale-port", &["web is gone", "flowport del-port br0 eth1 web"]).await;
    scene.host.docker_mut().unwrap().daemon().kill().await.unwrap();
    ill(&scene, "docker", &["Docker is not running", "start it"]).await;
}
