//! IPv6 and tagged networks on a managed userspace bridge, with the kernel's own neighbour discovery.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::time::Instant;

use flowport::lab::{HostOptions, LabHost};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::{ofctl, output_at, pings, tcp_throughput, vsctl};
use flowport_integration::wire::{BROADCAST, Wire, arp, contains, ethernet, ipv4, is_arp_request_for};
use flowport_integration::{DEADLINE, host, wait_until};

/// ICMPv6 types (RFC 4861 section 4).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

async fn bridged() -> (LabHost, Flowport) {
    Flowport::bridged(HostOptions::default(), &["--address=10.0.0.254/24", "--address=fd00::fe/64"]).await
}

fn is_icmpv6(frame: &[u8], kind: u8) -> bool {
    frame.len() > 54 && frame[12..14] == [0x86, 0xdd] && frame[20] == 58 && frame[54] == kind
}

/// A neighbour advertisement (RFC 4861 section 4.4) that `target` is at the sender's MAC.
fn advertisement(from: &Wire, to: [u8; 6], source: &str, destination: &str, target: &str) -> Vec<u8> {
    let octets = |ip: &str| ip.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let mut icmp =
        [&[ADVERTISEMENT, 0, 0, 0, 0x20, 0, 0, 0][..], &octets(target), &[2, 1], &from.mac()].concat();
    let length = u16::try_from(icmp.len()).unwrap().to_be_bytes();
    let pseudo =
        [&octets(source)[..], &octets(destination), &[0, 0], &length, &[0, 0, 0, 58], &icmp].concat();
    let sum: u32 = pseudo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap();
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());
    let header = [&[0x60, 0, 0, 0][..], &length, &[58, 255], &octets(source), &octets(destination)].concat();
    ethernet(to, from.mac(), 0x86dd, &[header, icmp].concat())
}

#[tokio::test]
async fn ipv6_works_and_nobody_else_hears_the_neighbours_look_for_each_other() {
    let (host, flowport) = bridged().await;
    let mut stations = Vec::new();
    for n in 1..=3 {
        let (v4, v6) = (format!("--ipaddress=10.0.0.{n}/24"), format!("--ipaddress=fd00::{n}/64"));
        stations.push(flowport.attached(&[&v4, &v6, "--gateway=fd00::fe"]).await);
    }
    let witness = Wire::open(stations[2].path(), "eth1");
    // A link-local address is looked for before it is used.
    let own = "fe80::42:aff:fe00:2%eth1";
    wait_until(DEADLINE, "the link-local address", async || pings(&stations[0], own, 1).await).await;
    for (from, to) in [(0, "fd00::2"), (1, "fd00::1"), (0, "fd00::fe")] {
        assert!(pings(&stations[from], to, 3).await, "{} to {to}", from + 1);
    }
    assert!(pings(host.netns(), "fd00::1", 3).await, "the host to a container");
    assert!(tcp_throughput(&stations[0], &stations[1], "fd00::1").await > 1e6);
    Wire::open(stations[0].path(), "eth1").send(&ipv4(
        (BROADCAST, [0x02, 0x42, 10, 0, 0, 1]),
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::BROADCAST,
        "the end",
    ));
    let heard = witness.receive_until("the end", |frame| contains(frame, "the end")).await;
    let asked: Vec<_> = heard.iter().filter(|frame| is_icmpv6(frame, SOLICITATION)).collect();
    // Its own router may ask it; nobody asks it for others.
    let own = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    assert!(asked.iter().all(|frame| frame[62..78] == own || frame[6..12] == witness.mac()), "{asked:02x?}");
}

#[tokio::test]
async fn who_asks_for_all_addresses_is_held_to_a_rate_and_others_are_not() {
    let (host, flowport) = bridged().await;
    let mut stations = Vec::new();
    for n in 1..=2 {
        stations.push(flowport.attached(&[&format!("--ipaddress=10.0.0.{n}/24")]).await);
    }
    // One whose addresses nobody knows hears all questions.
    let open = flowport.attached(&[]).await;
    let [scanner, other] = [0, 1].map(|nth: usize| Wire::open(stations[nth].path(), "eth1"));
    let asks = |of: &Wire, own: u8, n: u16| {
        let [third, fourth] = n.to_be_bytes();
        let target = Ipv4Addr::new(10, 0, 100 + third, fourth);
        (arp(BROADCAST, of.mac(), 1, (of.mac(), Ipv4Addr::new(10, 0, 0, own)), ([0; 6], target)), target)
    };
    let begun = Instant::now();
    let metered = async |meter: u32| metered(&host, meter).await;
    wait_until(DEADLINE, "a thousand questions are dropped", async || {
        (0..100).for_each(|n| scanner.send(&asks(&scanner, 1, n).0));
        metered(61440).await.1 >= 1000
    })
    .await;
    let (came, dropped) = metered(61440).await;
    // 400 at once, and 100 a second more.
    let most = 400 + 100 * (1 + begun.elapsed().as_secs());
    assert!(came - dropped <= most, "{came} came and {dropped} were dropped in {:?}", begun.elapsed());

    // It listens from now on: what it has not read is full of the scanner's.
    let witness = Wire::open(open.path(), "eth1");
    let (question, target) = asks(&other, 2, 9999);
    other.send(&question);
    witness.receive_until("the other's question", |frame| is_arp_request_for(frame, target)).await;
    let (came, dropped) = metered(61441).await;
    assert!(came > 0 && dropped == 0, "{came} came and {dropped} were dropped of the other's");
}

/// How many packets came to a meter of br0, and how many it dropped.
async fn metered(host: &LabHost, meter: u32) -> (u64, u64) {
    let text = ofctl(host, &["-OOpenFlow13", "meter-stats", "br0", &format!("meter={meter}")]).await;
    let count = |name: &str| {
        let after = text.split(name).nth(1).and_then(|rest| rest.split([' ', '\n']).next());
        after.and_then(|digits| digits.trim_end_matches(',').parse().ok())
    };
    let counted = count("packet_in_count:").zip(count("0: packet_count:"));
    counted.unwrap_or_else(|| panic!("no counters of meter {meter}: {text}"))
}

#[tokio::test]
async fn an_ipv6_address_that_was_not_given_leads_nowhere() {
    let (_host, flowport) = bridged().await;
    let liar = flowport.attached(&["--ipaddress=fd00::1/64"]).await;
    let target = flowport.attached(&["--ipaddress=fd00::2/64"]).await;
    assert!(pings(&liar, "fd00::2", 3).await);
    let add = ["-6", "address", "add", "fd00::66/64", "dev", "eth1", "nodad"];
    assert!(output_at(liar.path(), "ip", &add).await.status.success());
    let forged = ["-n", "-q", "-c", "2", "-i", "0.2", "-W", "1", "-I", "fd00::66", "fd00::2"];
    assert!(!output_at(liar.path(), "ping", &forged).await.status.success());
    // Nor does the claim that another's address is here now.
    let (sender, receiver) = (Wire::open(liar.path(), "eth1"), Wire::open(target.path(), "eth1"));
    for (source, claimed) in [("fd00::1", "fd00::99"), ("fd00::99", "fd00::99"), ("fd00::1", "fd00::1")] {
        sender.send(&advertisement(&sender, receiver.mac(), source, "fd00::2", claimed));
    }
    let last = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let is_last =
        |frame: &[u8]| is_icmpv6(frame, ADVERTISEMENT) && frame[62..78] == last && frame[58] == 0x20;
    let heard = receiver.receive_until("the honest one", is_last).await;
    let lies = heard.iter().filter(|frame| is_icmpv6(frame, ADVERTISEMENT) && frame[62..78] != last);
    assert_eq!(lies.filter(|frame| frame[6..12] == sender.mac()).count(), 0);
}

#[tokio::test]
async fn a_container_on_a_trunk_has_an_interface_in_each_network() {
    let (_host, flowport) = bridged().await;
    // A container that switches by itself: the kernel here has no VLAN links.
    let trunk = host(HostOptions::default()).await;
    let name = format!("netns:{}", trunk.netns().name());
    flowport.ok(&["add-port", "br0", "eth1", &name, "--ipaddress=10.0.0.1/24", "--trunk=10,20"]).await;
    let mac = "mac=\"02:42:0a:00:00:01\"";
    let bridge = "add-br in -- set bridge in datapath_type=netdev other_config:hwaddr=02:42:0a:00:00:01 -- add-port in eth1";
    vsctl(&trunk, &bridge.split(' ').collect::<Vec<_>>()).await;
    trunk.run("ip", &["address", "flush", "dev", "eth1"]).await.unwrap();
    for (device, vlan) in [("in", 0), ("in10", 10), ("in20", 20)] {
        if vlan != 0 {
            let add =
                format!("add-port in {device} tag={vlan} -- set interface {device} type=internal {mac}");
            vsctl(&trunk, &add.split(' ').collect::<Vec<_>>()).await;
        }
        trunk.run("ip", &["address", "add", &format!("10.{vlan}.0.1/24"), "dev", device]).await.unwrap();
        trunk.run("ip", &["link", "set", device, "up"]).await.unwrap();
    }
    let plain = flowport.attached(&["--ipaddress=10.0.0.2/24"]).await;
    let ten = flowport.attached(&["--ipaddress=10.10.0.2/24", "--vlan=10"]).await;
    let twenty = flowport.attached(&["--ipaddress=10.20.0.2/24", "--vlan=20"]).await;
    for (from, to) in [(&plain, "10.0.0.1"), (&ten, "10.10.0.1"), (&twenty, "10.20.0.1")] {
        wait_until(DEADLINE, "the trunk answers", async || pings(from, to, 1).await).await;
    }
    for to in ["10.0.0.2", "10.10.0.2", "10.20.0.2"] {
        assert!(pings(trunk.netns(), to, 3).await, "from the trunk to {to}");
    }
    let ports = flowport.ports("br0").await;
    let port = ports.iter().find(|port| port["container"] == name.as_str()).unwrap();
    assert_eq!(port["trunks"], serde_json::json!([10, 20]));
    // What comes untagged does not come tagged too.
    flowport.ok(&["set-vlan", "br0", "eth1", &name, "20"]).await;
    assert!(pings(trunk.netns(), "10.10.0.2", 3).await, "network 10 stays");
    assert!(!pings(trunk.netns(), "10.20.0.2", 1).await, "20 comes untagged now");
    let words = flowport.refused(&["add-port", "br0", "eth2", &name, "--trunk=10,10"]).await;
    assert!(words.contains("10 twice"), "{words}");
}
