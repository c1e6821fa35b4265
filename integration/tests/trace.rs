//! `flowport trace`: what it tells of packets that arrive, and of packets that do not, and why.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use flowport::lab::{HostOptions, Netns};
use flowport_integration::oracle::{inside, pings};
use flowport_integration::scene::{By, Scene, named};
use flowport_integration::{UPLINK, container, two_hosts};

/// Asserts what it exits with, and that its text has these words.
async fn told(scene: &Scene, command: &str, delivered: bool, words: &[&str]) {
    let said = scene.run(&format!("trace {command}")).await;
    assert_eq!((said.code, said.err.as_str()), (Some(i32::from(!delivered)), ""), "{command}: {said:?}");
    for word in words {
        assert!(said.out.contains(word), "{command}: {word:?} is not in\n{}", said.out);
    }
    let json = scene.run(&format!("trace {command} --json")).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["verdict"]["delivered"], delivered, "{json:#}");
    assert_eq!(json["verdict"]["remedy"].is_null(), delivered, "{json:#}");
}

async fn attached(scene: &Scene, bridge: &str, options: &str) -> Netns {
    let netns = container().await;
    scene.done(&format!("add-port {bridge} eth1 {} {options}", named(&netns))).await;
    netns
}

#[tokio::test]
async fn packets_that_arrive() {
    let scene = Scene { host: flowport_integration::host(HostOptions::default()).await, daemon: None };
    scene.done("add-br br0 --datapath=netdev --address=10.0.0.254/24").await;
    let a = attached(&scene, "br0", "--ipaddress=10.0.0.1/24 --gateway=10.0.0.254").await;
    let b = attached(&scene, "br0", "--ipaddress=10.0.0.2/24 --ipaddress=fd00::2/64").await;
    let (a, b) = (named(&a), named(&b));
    let arrives = format!("delivered to eth1 of {b}");
    for options in ["", "--proto=tcp --port=22", "--proto=udp", "-v"] {
        told(
            &scene,
            &format!("{a} {b} {options}"),
            true,
            &["0 classify", "1 guard", "4 forward", "6 output", &arrives],
        )
        .await;
    }
    told(&scene, &format!("{a} {b} --proto=tcp --port=22"), true, &["TCP to port 22"]).await;
    let answered = ["2 respond", "turned into the reply", "7 return", "answered here", "02:42:0a:00:00:02"];
    told(&scene, &format!("{a} {b} --proto=arp"), true, &answered).await;
    // By address and by MAC.
    told(&scene, "10.0.0.1 02:42:0a:00:00:02", true, &[&arrives]).await;
    told(&scene, &format!("{a} 10.0.0.254"), true, &["delivered to this host (br0)"]).await;
    told(&scene, &format!("10.0.0.254 {b}"), true, &["this host (br0)", &arrives]).await;
    told(
        &scene,
        &format!("{a} 198.51.100.1"),
        true,
        &["it goes to the gateway", "the gateway 10.0.0.254, which routes it on"],
    )
    .await;

    // A bridge that learns, and two that lead to each other.
    scene.done("add-br br1 --datapath=netdev --plain").await;
    let (c, d) = (
        attached(&scene, "br1", "--ipaddress=10.0.1.1/24").await,
        attached(&scene, "br1", "--ipaddress=10.0.1.2/24").await,
    );
    assert!(pings(&c, "10.0.1.2", 3).await);
    let learned = ["learning and flooding (NORMAL)", &format!("delivered to eth1 of {}", named(&d))];
    told(&scene, &format!("{} {}", named(&c), named(&d)), true, &learned).await;
    scene.run(&format!("trace {a} {}", named(&c))).await.refused(&[
        "is on br0 and",
        "on br1",
        "attach both to one",
    ]);
    scene.done("set-icc br0 off").await;
    let apart = ["not for other containers", "dropped by output: containers of its network are kept apart"];
    told(&scene, &format!("{a} {b}"), false, &[apart[0], apart[1], "flowport allow br0"]).await;
}

#[tokio::test]
async fn packets_that_do_not_arrive() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let a = attached(&scene, "br0", "--ipaddress=10.0.0.1/24").await;
    let b = attached(&scene, "br0", "--ipaddress=10.0.0.2/24").await;
    let c = attached(&scene, "br0", "--ipaddress=10.0.0.3/24 --vlan=5").await;
    let to_b = format!("{} {}", named(&a), named(&b));

    let remedy = format!("flowport set-vlan br0 eth1 {} 0", named(&c));
    told(
        &scene,
        &format!("{} {}", named(&a), named(&c)),
        false,
        &["dropped by flood", "untagged", "in VLAN 5", &remedy],
    )
    .await;
    let nobody = ["nobody on this network has MAC", "flowport add-tunnel"];
    told(&scene, &format!("{} 10.0.0.9", named(&a)), false, &nobody).await;
    told(&scene, &format!("{} 02:00:00:00:00:77", named(&a)), false, &nobody).await;
    told(
        &scene,
        &format!("{} 198.51.100.1", named(&a)),
        false,
        &["not sent", "no route to 198.51.100.1", "--gateway"],
    )
    .await;

    // What the container really is, not what it was meant to be.
    inside(&a, "ip link set eth1 address 02:00:00:00:00:99").await;
    told(
        &scene,
        &to_b,
        false,
        &["dropped by guard", "sends with MAC 02:00:00:00:00:99", "given 02:42:0a:00:00:01"],
    )
    .await;
    inside(&a, "ip link set eth1 address 02:42:0a:00:00:01").await;
    inside(&a, "ip addr del 10.0.0.1/24 dev eth1").await;
    inside(&a, "ip addr add 10.0.0.77/24 dev eth1").await;
    told(&scene, &to_b, false, &["dropped by guard", "sends from 10.0.0.77", "given 10.0.0.1"]).await;
    assert!(!pings(&a, "10.0.0.2", 2).await, "and so it is");
    inside(&a, "ip addr del 10.0.0.77/24 dev eth1").await;
    inside(&a, "ip addr add 10.0.0.1/24 dev eth1").await;
    told(&scene, &to_b, true, &[]).await;
    // The way that the container itself chooses.
    inside(&a, "ip link add eth2 type veth peer eth3").await;
    inside(&a, "ip link set eth2 up").await;
    inside(&a, "ip route add 10.0.0.2/32 dev eth2").await;
    told(&scene, &to_b, false, &["not sent to br0", "by its interface eth2, not by eth1"]).await;
    inside(&a, "ip link del eth2").await;

    scene.tool("ovs-ofctl", "-O OpenFlow13 add-flow br0 priority=500,icmp,actions=drop").await;
    told(&scene, &to_b, false, &["not Flowport's", "priority 500, icmp", "ovs-ofctl dump-flows br0 table=0"])
        .await;
    scene.tool("ovs-ofctl", "-O OpenFlow13 del-flows br0").await;
    told(&scene, &to_b, false, &["dropped by classify", "systemctl restart flowport"]).await;

    for (command, words) in [
        ("trace netns:nosuch A", &["netns:nosuch has no port", "flowport show"][..]),
        ("trace 192.0.2.1 192.0.2.2", &["neither of the two", "flowport show"]),
        ("trace 10.0.0.9 A", &["neither link nor tunnel", "flowport show br0"]),
        ("trace A 10.0.0.9 --port=80", &["--proto=tcp"]),
        ("trace a,b A", &["a,b"]),
    ] {
        scene.run(&command.replace('A', &named(&a))).await.refused(words);
    }
    scene.host.ovs_mut().vswitchd().stop().await.unwrap();
    scene.run(&format!("trace {to_b}")).await.refused(&["ovs-vswitchd is not running", "systemctl start"]);
}

#[tokio::test]
async fn packets_to_and_from_other_hosts() {
    let (first, _second) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    let scene = Scene { host: first, daemon: None };
    scene
        .done(&format!("add-br br-underlay --datapath=netdev --uplink={UPLINK} --address=192.0.2.1/24"))
        .await;
    scene.done("add-br br0 --datapath=netdev").await;
    scene.done("add-tunnel br0 tun0 --type=vxlan --remote=192.0.2.2 --key=flow").await;
    let a = attached(&scene, "br0", "--ipaddress=10.0.0.1/24 --vlan=5").await;
    let a = named(&a);
    // Until ovs-vswitchd knows the other host's MAC it asks for that instead.
    let said = scene.run(&format!("trace {a} 10.0.0.2")).await;
    assert!(said.out.contains("tunnel tun0 to host 192.0.2.2"), "{said:?}");
    told(&scene, &format!("10.0.0.2 {a}"), true, &["it comes by tun0", &format!("delivered to eth1 of {a}")])
        .await;

    scene.done("add-tunnel br0 tun1 --type=vxlan --remote=192.0.2.3 --key=flow").await;
    scene.run(&format!("trace 10.0.0.2 {a}")).await.refused(&["several ways in (tun0, tun1)", "--in-port"]);
    told(&scene, &format!("10.0.0.2 {a} --in-port=tun1"), true, &["it comes by tun1"]).await;
    scene.run(&format!("trace 10.0.0.2 {a} --in-port=tun9")).await.refused(&["tun9", "tun0, tun1"]);

    scene.tool("ip", "addr del 192.0.2.1/24 dev br-underlay").await;
    let unroutable = async || {
        let said = scene.run(&format!("trace {a} 10.0.0.2")).await;
        said.code == Some(1) && said.out.contains("native tunnel routing failed")
    };
    flowport_integration::wait_until(flowport_integration::DEADLINE, "the route is gone", unroutable).await;
}
