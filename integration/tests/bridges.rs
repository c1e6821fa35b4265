//! What somebody, or a start of the host, takes away from bridges and their links comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod scene;

use flowport::lab::HostOptions;
use flowport_integration::oracle::host_ip;
use flowport_integration::{DEADLINE, wait_until};
use rustix::process::Signal;
use scene::{By, Scene};

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
