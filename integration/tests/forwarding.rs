//! Packets on a managed userspace bridge: who reaches whom, and who does not.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use flowport::lab::{HostOptions, LabHost, Netns};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{ip, output_at, pings, tcp_throughput, vsctl};
use flowport_integration::wire::{BROADCAST, Mac, Wire, arp, contains, ethernet, ipv4, is_arp_request_for};
use flowport_integration::{DEADLINE, UPLINK, container, two_hosts, wait_until};

const NOBODY: Mac = [0x02, 0, 0, 0, 0, 0xee];
const ANY: Mac = [0; 6];

/// A container on br0.
struct Station {
    netns: Netns,
    ip: Ipv4Addr,
    mac: Mac,
}

impl Station {
    /// Attached with the address 10.0.0.`n`, the MAC that goes with it, and a quiet IPv6.
    async fn attach(flowport: &Flowport, n: u8, vlan: u16) -> Self {
        let netns = container().await;
        // What the kernel announces of itself would come between.
        let quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
        assert!(output_at(netns.path(), "sh", &["-c", quiet]).await.status.success());
        let (name, address) = (format!("netns:{}", netns.name()), format!("--ipaddress=10.0.0.{n}/24"));
        let vlan = format!("--vlan={vlan}");
        flowport.ok(&["add-port", "br0", "eth1", &name, &address, &vlan]).await;
        Self { netns, ip: Ipv4Addr::new(10, 0, 0, n), mac: [0x02, 0x42, 10, 0, 0, n] }
    }

    fn wire(&self) -> Wire {
        let wire = Wire::open(self.netns.path(), "eth1");
        assert_eq!(wire.mac(), self.mac);
        wire
    }

    fn address(&self) -> String {
        self.ip.to_string()
    }
}

async fn bridged() -> (LabHost, Flowport) {
    Flowport::bridged(HostOptions::default(), &["--address=10.0.0.254/24"]).await
}

/// What `to` receives of the frames that `from` sends, by the text in them. An honest packet sent after them marks the
/// end: what has not come before it does not come.
async fn arriving(from: &Station, to: &Station, frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (sender, receiver) = (from.wire(), to.wire());
    for frame in frames {
        sender.send(frame);
    }
    sender.send(&ipv4((to.mac, from.mac), from.ip, to.ip, "the honest last"));
    let all = receiver.receive_until("the honest packet", |frame| contains(frame, "the honest last")).await;
    all.into_iter().filter(|frame| frames.contains(frame)).collect()
}

#[tokio::test]
async fn all_pairs_ping_and_tcp_works_without_ethtool() {
    let (host, flowport) = bridged().await;
    let mut stations = Vec::new();
    for n in 1..=4 {
        stations.push(Station::attach(&flowport, n, 0).await);
    }
    for from in &stations {
        for to in stations.iter().filter(|to| to.ip != from.ip) {
            assert!(pings(&from.netns, &to.address(), 3).await, "{} to {}", from.ip, to.ip);
        }
        assert!(pings(&from.netns, "10.0.0.254", 3).await, "{} to the bridge's own address", from.ip);
        assert!(pings(host.netns(), &from.address(), 3).await, "the host to {}", from.ip);
    }
    // On a userspace bridge packets with checksums left to the hardware arrive broken.
    assert!(tcp_throughput(&stations[0].netns, &stations[1].netns, "10.0.0.1").await > 1e6);
    assert!(tcp_throughput(host.netns(), &stations[2].netns, "10.0.0.254").await > 1e6, "to the host");
    assert!(tcp_throughput(&stations[3].netns, host.netns(), "10.0.0.4").await > 1e6, "from the host");
}

#[tokio::test]
async fn networks_do_not_hear_each_other() {
    let (_host, flowport) = bridged().await;
    let here = [Station::attach(&flowport, 1, 5).await, Station::attach(&flowport, 2, 5).await];
    let there = [Station::attach(&flowport, 3, 6).await, Station::attach(&flowport, 4, 6).await];
    let untagged = [Station::attach(&flowport, 5, 0).await, Station::attach(&flowport, 6, 0).await];
    for pair in [&here, &there, &untagged] {
        assert!(pings(&pair[0].netns, &pair[1].address(), 3).await, "within a network");
    }
    for (from, to) in [(&here, &there), (&here, &untagged), (&there, &here), (&untagged, &here)] {
        assert!(!pings(&from[0].netns, &to[0].address(), 2).await, "{} to {}", from[0].ip, to[0].ip);
        let neighbour = &ip(&from[0].netns, &["neigh", "show", &to[0].address()]).await[0];
        assert!(neighbour.get("lladdr").is_none(), "no ARP across: {neighbour}");
    }
    // Broadcast, multicast, and unicast to the very MAC: all heard at home, none of it elsewhere.
    let from = &here[0];
    let listeners = [here[1].wire(), there[1].wire(), untagged[1].wire()];
    let sender = from.wire();
    let all_hosts = [0x01, 0, 0x5e, 0, 0, 1];
    let shouts = [
        ipv4((BROADCAST, from.mac), from.ip, Ipv4Addr::BROADCAST, "a shout"),
        ipv4((all_hosts, from.mac), from.ip, Ipv4Addr::new(224, 0, 0, 1), "a shout"),
        ipv4((there[1].mac, from.mac), from.ip, there[1].ip, "a shout"),
        ipv4((untagged[1].mac, from.mac), from.ip, untagged[1].ip, "a shout"),
        // A tag is not the container's to choose.
        ethernet(BROADCAST, from.mac, 0x8100, &[&[0, 6, 8, 0][..], b"a shout with a tag"].concat()),
    ];
    for shout in &shouts {
        sender.send(shout);
    }
    sender.send(&ipv4((BROADCAST, from.mac), from.ip, Ipv4Addr::BROADCAST, "the end"));
    let heard = listeners[0].receive_until("the end", |frame| contains(frame, "the end")).await;
    let shouted: Vec<_> = heard.iter().filter(|frame| contains(frame, "a shout")).collect();
    assert_eq!(shouted, [&shouts[0], &shouts[1]]);
    for (listener, speaker) in [(&listeners[1], &there[0]), (&listeners[2], &untagged[0])] {
        let end = ipv4((BROADCAST, speaker.mac), speaker.ip, Ipv4Addr::BROADCAST, "the end");
        speaker.wire().send(&end);
        let heard = listener.receive_until("the end", |frame| contains(frame, "the end")).await;
        assert!(heard.iter().all(|frame| !contains(frame, "a shout")), "{heard:02x?}");
    }
}

#[tokio::test]
async fn a_broadcast_reaches_every_member_once() {
    let (_host, flowport) = bridged().await;
    let (from, to, third) = (
        Station::attach(&flowport, 1, 5).await,
        Station::attach(&flowport, 2, 5).await,
        Station::attach(&flowport, 3, 5).await,
    );
    let (sender, receivers) = (from.wire(), [to.wire(), third.wire(), from.wire()]);
    let shout = ipv4((BROADCAST, from.mac), from.ip, Ipv4Addr::BROADCAST, "a shout");
    sender.send(&shout);
    sender.send(&ipv4((BROADCAST, from.mac), from.ip, Ipv4Addr::BROADCAST, "the end"));
    for receiver in &receivers {
        // The sender's own is what it has sent, and not heard again.
        let heard = receiver.receive_until("the end", |frame| contains(frame, "the end")).await;
        assert_eq!(heard.iter().filter(|frame| **frame == shout).count(), 1);
    }
}

#[tokio::test]
async fn arp_is_answered_by_the_datapath_alone() {
    let (_host, flowport) = bridged().await;
    let (asker, target, witness) = (
        Station::attach(&flowport, 1, 0).await,
        Station::attach(&flowport, 2, 0).await,
        Station::attach(&flowport, 3, 0).await,
    );
    let wires = [asker.wire(), target.wire(), witness.wire()];
    let request = arp(BROADCAST, asker.mac, 1, (asker.mac, asker.ip), (ANY, target.ip));
    wires[0].send(&request);
    let reply = arp(asker.mac, target.mac, 2, (target.mac, target.ip), (asker.mac, asker.ip));
    wires[0].receive_until("the reply, to the letter", |frame| frame.starts_with(&reply)).await;
    wires[0].send(&ipv4((BROADCAST, asker.mac), asker.ip, Ipv4Addr::BROADCAST, "the end"));
    for wire in &wires[1..] {
        let heard = wire.receive_until("the end", |frame| contains(frame, "the end")).await;
        assert!(heard.iter().all(|frame| !is_arp_request_for(frame, target.ip)), "{heard:02x?}");
    }
    // The users' way: a target whose kernel does not do ARP at all is found.
    let off = output_at(target.netns.path(), "ip", &["link", "set", "eth1", "arp", "off"]).await;
    assert!(off.status.success());
    let found =
        output_at(witness.netns.path(), "busybox", &["arping", "-f", "-w", "5", "-I", "eth1", "10.0.0.2"])
            .await;
    let said = String::from_utf8_lossy(&found.stdout).to_lowercase();
    assert!(found.status.success() && said.contains("02:42:0a:00:00:02"), "{said}");
    // Nobody answers for an address that nobody has.
    let none = output_at(
        witness.netns.path(),
        "busybox",
        &["arping", "-c", "1", "-w", "1", "-I", "eth1", "10.0.0.77"],
    )
    .await;
    assert!(!none.status.success());
}

#[tokio::test]
async fn forged_frames_are_dropped() {
    let (_host, flowport) = bridged().await;
    let (liar, victim, target) = (
        Station::attach(&flowport, 1, 0).await,
        Station::attach(&flowport, 2, 0).await,
        Station::attach(&flowport, 3, 0).await,
    );
    let honest = ipv4((target.mac, liar.mac), liar.ip, target.ip, "an honest first");
    let gratuitous = arp(BROADCAST, liar.mac, 1, (liar.mac, liar.ip), (ANY, liar.ip));
    let frames = [
        honest.clone(),
        // A MAC that is another's, and one that is nobody's.
        ipv4((target.mac, victim.mac), liar.ip, target.ip, "forged"),
        ipv4((target.mac, NOBODY), liar.ip, target.ip, "forged"),
        ipv4((BROADCAST, NOBODY), liar.ip, Ipv4Addr::BROADCAST, "forged"),
        // An IPv4 source that is another's, one that is nobody's, none at all.
        ipv4((target.mac, liar.mac), victim.ip, target.ip, "forged"),
        ipv4((target.mac, liar.mac), Ipv4Addr::new(192, 0, 2, 1), target.ip, "forged"),
        // ARP: the victim's address claimed, by request and reply, broadcast and unicast; another's MAC inside.
        arp(BROADCAST, liar.mac, 1, (liar.mac, victim.ip), (ANY, victim.ip)),
        arp(target.mac, liar.mac, 2, (liar.mac, victim.ip), (target.mac, target.ip)),
        arp(target.mac, liar.mac, 2, (victim.mac, victim.ip), (target.mac, target.ip)),
        arp(target.mac, liar.mac, 2, (NOBODY, liar.ip), (target.mac, target.ip)),
        arp(BROADCAST, victim.mac, 1, (victim.mac, victim.ip), (ANY, target.ip)),
        // What is neither ARP nor IP.
        ethernet(target.mac, liar.mac, 0x88b5, b"something else, forged or not"),
    ];
    assert_eq!(arriving(&liar, &target, &frames).await, [honest]);
    // Its own ARP announcement (RFC 5227) asks for an address that the datapath knows: it is answered here.
    assert_eq!(arriving(&liar, &target, &[gratuitous]).await, [] as [Vec<u8>; 0]);

    // The users' way: another address and another MAC by `ip`.
    let inside = async |args: &[&str]| {
        let output = output_at(liar.netns.path(), "ip", args).await;
        assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    assert!(pings(&liar.netns, "10.0.0.3", 3).await);
    inside(&["address", "add", "10.0.0.99/24", "dev", "eth1"]).await;
    let forged = ["-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-I", "10.0.0.99", "10.0.0.3"];
    assert!(!output_at(liar.netns.path(), "ping", &forged).await.status.success());
    inside(&["link", "set", "eth1", "address", "02:00:00:00:00:77"]).await;
    assert!(!pings(&liar.netns, "10.0.0.3", 2).await);
    inside(&["link", "set", "eth1", "address", "02:42:0a:00:00:01"]).await;
    wait_until(DEADLINE, "its own MAC is let through again", async || {
        pings(&liar.netns, "10.0.0.3", 1).await
    })
    .await;
    assert!(pings(&victim.netns, "10.0.0.3", 3).await, "the victim is as well as ever");
}

#[tokio::test]
async fn containers_without_addresses_choose_their_own_but_not_their_mac() {
    let (_host, flowport) = bridged().await;
    let target = Station::attach(&flowport, 3, 0).await;
    let free = flowport.attached(&[]).await;
    let set = output_at(free.path(), "ip", &["address", "add", "10.0.0.8/24", "dev", "eth1"]).await;
    assert!(set.status.success());
    assert!(pings(&free, "10.0.0.3", 3).await && pings(&target.netns, "10.0.0.8", 3).await);
    let wires = [Wire::open(free.path(), "eth1"), target.wire()];
    wires[0].send(&ipv4((target.mac, NOBODY), Ipv4Addr::new(10, 0, 0, 8), target.ip, "forged"));
    wires[0].send(&ipv4((target.mac, wires[0].mac()), Ipv4Addr::new(10, 0, 0, 8), target.ip, "the end"));
    let heard = wires[1].receive_until("the end", |frame| contains(frame, "the end")).await;
    assert!(heard.iter().all(|frame| !contains(frame, "forged")));
}

#[tokio::test]
async fn an_uplink_joins_the_outside() {
    let (host, outside) = two_hosts(HostOptions::default(), HostOptions::default()).await;
    let flowport = Flowport::on(&host);
    let uplink = format!("--uplink={UPLINK}");
    flowport.ok(&["add-br", "br0", "--datapath=netdev", "--address=10.0.0.254/24", &uplink]).await;
    let station = Station::attach(&flowport, 1, 0).await;
    let tagged = Station::attach(&flowport, 1, 9).await;
    outside.run("ip", &["address", "add", "10.0.0.200/24", "dev", UPLINK]).await.unwrap();
    outside.run("ip", &["link", "set", UPLINK, "up"]).await.unwrap();
    assert!(pings(&station.netns, "10.0.0.200", 3).await, "container to the outside");
    assert!(pings(host.netns(), "10.0.0.200", 3).await, "host to the outside");
    assert!(pings(outside.netns(), "10.0.0.1", 3).await && pings(outside.netns(), "10.0.0.254", 3).await);
    assert!(!pings(&tagged.netns, "10.0.0.200", 2).await, "its network is tagged there");
    // A network card completes checksums; the veth that stands for one does not.
    outside.run("ethtool", &["-K", UPLINK, "tx", "off"]).await.unwrap();
    assert!(tcp_throughput(outside.netns(), &station.netns, "10.0.0.200").await > 1e6);

    // VLAN 9 outside is network 9 inside.
    outside.run("ip", &["address", "flush", "dev", UPLINK]).await.unwrap();
    let bridge = [
        "add-br",
        "out",
        "--",
        "set",
        "bridge",
        "out",
        "datapath_type=netdev",
        "--",
        "add-port",
        "out",
        UPLINK,
    ];
    let vlan9 =
        ["--", "add-port", "out", "vlan9", "tag=9", "--", "set", "interface", "vlan9", "type=internal"];
    vsctl(&outside, &[&bridge[..], &vlan9].concat()).await;
    outside.run("ip", &["address", "add", "10.0.0.200/24", "dev", "vlan9"]).await.unwrap();
    outside.run("ip", &["link", "set", "vlan9", "up"]).await.unwrap();
    assert!(pings(&tagged.netns, "10.0.0.200", 5).await && pings(outside.netns(), "10.0.0.1", 5).await);
    assert!(!pings(&station.netns, "10.0.0.200", 2).await);
}
