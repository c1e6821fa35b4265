//! What somebody, or a start of the host, takes away from bridges and their links comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::collections::BTreeSet;

use flowport::lab::{HostOptions, Netns};
use flowport_integration::oracle::host_ip;
use flowport_integration::scene::{By, Scene, named};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::Signal;

/// Addresses of a link, and whether it is up; none when it is not there, or an address is not ready for use.
async fn link(scene: &Scene, name: &str) -> Option<(bool, Vec<String>)> {
    let links = host_ip(&scene.host, &["address"]).await;
    let link = links.as_array()?.iter().find(|link| link["ifname"] == name)?.clone();
    let infos = link["addr_info"].as_array()?;
    if infos.iter().any(|info| info["tentative"] == true || info["dadfailed"] == true) {
        return None;
    }
    let global = infos.iter().filter(|info| info["scope"] == "global");
    let mut addresses: Vec<String> =
        global.map(|info| format!("{}/{}", info["local"].as_str().unwrap(), info["prefixlen"])).collect();
    addresses.sort();
    let up = link["flags"].as_array()?.iter().any(|flag| flag == "UP");
    Some((up, addresses))
}

async fn wait_for(scene: &Scene, name: &str, addresses: &[&str]) {
    let wanted = Some((true, addresses.iter().map(ToString::to_string).collect()));
    wait_until(DEADLINE, &format!("{name} is up with {addresses:?}"), async || {
        link(scene, name).await == wanted
    })
    .await;
}

/// Those of Open vSwitch, which a host that starts again does not have.
async fn delete_devices(scene: &Scene) {
    for bridge in ["br0", "br1", "br2"] {
        scene.tool("ip", &format!("link delete {bridge}")).await;
    }
}

const BR1: &str = "add-br br1 --datapath=netdev --uplink=up0 --address=10.9.0.1/24 --address=fd09::1/64";

#[tokio::test]
async fn a_host_that_starts_again_has_its_bridges_addresses() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    scene.tool("ip", "link add up0 type veth peer name up1").await;
    scene.done(BR1).await;
    scene.done("add-br br2 --datapath=netdev --plain --address=10.8.0.1/24").await;
    wait_for(&scene, "br1", &["10.9.0.1/24", "fd09::1/64"]).await;
    let marks = scene.tool("ovs-vsctl", "get bridge br1 external_ids").await;
    assert!(marks.contains(r#"flowport-addresses="10.9.0.1/24 fd09::1/64""#), "{marks}");

    scene.end_daemon(Signal::KILL).await;
    scene.host.ovs_mut().vswitchd().kill().await.unwrap();
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    scene.tool("ip", "link set up0 down").await;
    delete_devices(&scene).await;
    scene.start_ovs().await;
    scene.start_daemon().await;
    wait_for(&scene, "br1", &["10.9.0.1/24", "fd09::1/64"]).await;
    wait_for(&scene, "br2", &["10.8.0.1/24"]).await;
    wait_for(&scene, "up0", &[]).await;
    wait_for(&scene, "br0", &[]).await;

    // The same when the daemon was there first.
    scene.host.ovs_mut().vswitchd().kill().await.unwrap();
    delete_devices(&scene).await;
    scene.host.ovs_mut().start_vswitchd().await.unwrap();
    wait_for(&scene, "br1", &["10.9.0.1/24", "fd09::1/64"]).await;
    scene.done("del-br br1").await;
    assert_eq!(link(&scene, "br1").await, None);
}

#[tokio::test]
async fn what_somebody_takes_from_a_bridge_comes_back_and_what_he_gives_it_stays() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    scene.tool("ip", "link add up0 type veth peer name up1").await;
    scene.done(BR1).await;
    scene.tool("ip", "address add 10.9.9.9/24 dev br1").await;
    scene.tool("ip", "address del 10.9.0.1/24 dev br1").await;
    wait_for(&scene, "br1", &["10.9.0.1/24", "10.9.9.9/24", "fd09::1/64"]).await;
    // IPv6 addresses go when a link goes down.
    scene.tool("ip", "link set br1 down").await;
    wait_for(&scene, "br1", &["10.9.0.1/24", "10.9.9.9/24", "fd09::1/64"]).await;
    scene.tool("ip", "link set up0 down").await;
    wait_for(&scene, "up0", &[]).await;
    // Another prefix length is its owner's choice.
    scene.tool("ip", "address del fd09::1/64 dev br1").await;
    wait_for(&scene, "br1", &["10.9.0.1/24", "10.9.9.9/24", "fd09::1/64"]).await;
}

#[tokio::test]
async fn a_bridge_whose_address_is_refused_is_not_made() {
    for by in [By::Itself, By::Daemon] {
        let scene = Scene::start(HostOptions::default(), by).await;
        scene.tool("sysctl", "-q -w net.ipv6.conf.default.disable_ipv6=1").await;
        scene.refused("add-br br1 --datapath=netdev --address=fd09::1/64", &["fd09::1/64", "br1"]).await;
        scene.done("add-br br1 --datapath=netdev --address=10.9.0.1/24").await;
        assert_eq!(link(&scene, "br1").await, Some((true, vec!["10.9.0.1/24".to_owned()])), "{by:?}");
    }
}

/// Who holds the bridge has it forward as before, however it was set otherwise.
async fn wait_for_forwarding(scene: &Scene, flows: &BTreeSet<String>) {
    let took = wait_until(DEADLINE, "fail mode, protocols and flow entries are back", async || {
        let row = scene.tool("ovs-vsctl", "--columns=fail_mode,protocols list bridge br0").await;
        row.contains("secure")
            && (row.contains("[]") || row.contains("OpenFlow13"))
            && scene.forwards(flows).await
    })
    .await;
    println!("forwards as before {} ms after", took.as_millis());
}

#[tokio::test]
async fn a_managed_bridge_that_is_set_to_forward_otherwise_is_set_back() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let (a, b) = (container().await, container().await);
    for (nth, netns) in [(1, &a), (2, &b)] {
        scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.{nth}/24", named(netns))).await;
    }
    let flows = scene.flows("br0").await;
    for words in ["set-fail-mode br0 standalone", "del-fail-mode br0", "set bridge br0 protocols=OpenFlow10"]
    {
        scene.tool("ovs-vsctl", words).await;
        wait_for_forwarding(&scene, &flows).await;
    }
    let log = std::fs::read_to_string(scene.log()).unwrap();
    assert!(log.lines().any(|line| line.contains("br0") && line.contains("fail mode secure")), "{log}");
    scene.tool("ovs-vsctl", "clear bridge br0 protocols").await;
    scene.end_daemon(Signal::KILL).await;
    scene.tool("ovs-vsctl", "set-fail-mode br0 standalone").await;
    scene.start_daemon().await;
    wait_for_forwarding(&scene, &flows).await;
    // A plain one is its user's.
    scene.done("add-br br1 --datapath=netdev --plain").await;
    scene.tool("ovs-vsctl", "set-fail-mode br1 standalone").await;
    scene.done(&format!("add-port br0 eth2 {}", named(&a))).await;
    assert_eq!(scene.tool("ovs-vsctl", "get-fail-mode br1").await.trim(), "standalone");
}

#[tokio::test]
async fn the_host_end_that_somebody_sets_down_is_set_up() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let (a, b) = (container().await, container().await);
    for (nth, netns) in [(1, &a), (2, &b)] {
        scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.{nth}/24", named(netns))).await;
    }
    let ends: Vec<String> = scene.host_ends().await.into_iter().collect();
    for _ in 0..3 {
        for end in &ends {
            scene.tool("ip", &format!("link set {end} down")).await;
        }
        for end in &ends {
            wait_for(&scene, end, &[]).await;
        }
        wait_until(DEADLINE, "pings go on", async || pings(&a, "10.0.0.2").await).await;
    }
    scene.end_daemon(Signal::TERM).await;
    scene.tool("ip", &format!("link set {} down", ends[0])).await;
    let said = scene.run("doctor").await;
    assert!(said.out.contains(&format!("ip link set {} up", ends[0])), "{said:?}");
    scene.start_daemon().await;
    wait_for(&scene, &ends[0], &[]).await;
}

async fn pings(from: &Netns, to: &str) -> bool {
    let words = ["-c1", "-W1", to];
    from.output(tokio::process::Command::new("ping").args(words)).await.unwrap().status.success()
}

#[tokio::test]
async fn a_bond_makes_no_loop() {
    let scene = Scene::start(HostOptions::default(), By::Daemon).await;
    for link in ["va", "vb", "vc"] {
        scene.tool("ip", &format!("link add {link} type veth peer name {link}-far")).await;
        scene.tool("ip", &format!("link set {link} up")).await;
        scene.tool("ip", &format!("link set {link}-far up")).await;
    }
    scene
        .tool("ovs-vsctl", "add-br br9 -- set bridge br9 datapath_type=netdev -- add-bond br9 bond0 va vb")
        .await;
    scene
        .refused("adopt br9", &["bond0", "br9", "ip link add NAME type bond", "ovs-vsctl del-port br9 bond0"])
        .await;
    scene.tool("ovs-vsctl", "del-port br9 bond0").await;
    scene.done("adopt br9").await;

    // One that appears later takes no part.
    scene.tool("ovs-vsctl", "add-bond br9 bond0 va vb").await;
    scene.tool("ovs-vsctl", "add-port br9 vc").await;
    let number = scene.tool("ovs-vsctl", "get interface vc ofport").await.trim().to_owned();
    wait_until(DEADLINE, "the other link is an uplink", async || {
        scene.flows("br9").await.iter().any(|flow| flow.contains(&format!("in_port={number},")))
    })
    .await;
    let trace = async |from: &str| {
        let packet =
            format!("in_port={from},dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x800");
        let said = scene.tool("ovs-appctl", &format!("ofproto/trace --names br9 {packet}")).await;
        said.lines().find_map(|line| line.strip_prefix("Datapath actions: ")).unwrap().to_owned()
    };
    assert_eq!(trace("va").await, "drop");
    assert_eq!(trace("vc").await, "br9");
    assert_eq!(trace("br9").await, "vc");
    let said = scene.run("doctor").await;
    assert!(said.out.contains("bond0") && said.out.contains("ovs-vsctl del-port br9 bond0"), "{said:?}");
}
