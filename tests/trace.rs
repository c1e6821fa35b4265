//! What a real ovs-vswitchd says of packets is read as it is meant.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use flowport::pipeline::{Member, Uplink, UplinkKind, bridge_flows, endpoint_flows};
use flowport::trace::{Did, Packet, Protocol, Reading, Step};
use flowport_openflow::PortNo;

use support::{Switch, TUNNEL, attachment, mac};

/// Containers a, b and c on p1, p2 and p3, in the untagged network, and a tunnel with keys.
fn switch() -> Switch {
    let mut switch = Switch::start(&[3]);
    let mut flows = Vec::new();
    for (name, address, port) in [("a", "10.0.0.1/24", 1), ("b", "10.0.0.2/24", 2), ("c", "fd00::3/64", 3)] {
        flows.extend(endpoint_flows(&attachment(name, &[address], 0), PortNo(port)).unwrap());
    }
    let host =
        Member { port: PortNo::LOCAL, vlan: 0.try_into().unwrap(), mac: Some(mac("02:00:00:00:00:fe")) };
    let uplinks = [Uplink { port: TUNNEL, kind: UplinkKind::Keyed, is_tunnel: true }];
    flows.extend(bridge_flows(&[host], &uplinks, &[0.try_into().unwrap()], true).unwrap());
    switch.install(&flows, &[]);
    switch
}

fn packet(protocol: Protocol, to: u8) -> Packet {
    Packet {
        in_port: PortNo(1),
        vlan: None,
        tunnel_key: None,
        source: mac("02:42:0a:00:00:01"),
        destination: mac(&format!("02:42:0a:00:00:{to:02x}")),
        addresses: Some(([10, 0, 0, 1].into(), [10, 0, 0, to].into())),
        protocol,
        port: None,
    }
}

fn read(switch: &Switch, packet: &Packet) -> Reading {
    Reading::of(&switch.ovs.appctl(&["ofproto/trace", "--names", "br0", &packet.to_string()]))
}

fn tables(reading: &Reading) -> Vec<u8> {
    reading.steps.iter().map(|step| step.table).collect()
}

fn outputs(step: &Step) -> Vec<(&str, Option<&str>)> {
    step.outputs().collect()
}

#[test]
fn the_way_to_a_neighbour() {
    let switch = switch();
    let (a, b) = (attachment("a", &[], 0).endpoint(), attachment("b", &[], 0).endpoint());
    for protocol in [Protocol::Icmp, Protocol::Tcp, Protocol::Udp] {
        let packet = Packet { port: (protocol != Protocol::Icmp).then_some(80), ..packet(protocol, 2) };
        let reading = read(&switch, &packet);
        assert_eq!(tables(&reading), [0, 1, 2, 3, 4, 6], "{reading:#?}");
        let cookies: Vec<u64> =
            reading.steps.iter().map(|step| step.entry.as_ref().unwrap().cookie).collect();
        assert_eq!((cookies[0], cookies[1], cookies[4]), (a.cookie(), a.cookie(), b.cookie()));
        assert_eq!(reading.steps[2].entry.as_ref().unwrap().matches, "", "it takes all");
        assert!(reading.steps[5].actions.iter().any(Did::is_by_register), "{reading:#?}");
        assert!(!reading.is_dropped() && reading.datapath_ports() == ["p2"]);
    }
}

#[test]
fn the_table_that_drops_has_no_entry() {
    let switch = switch();
    let spoofed = Packet { source: mac("02:00:00:00:00:99"), ..packet(Protocol::Icmp, 2) };
    let reading = read(&switch, &spoofed);
    assert_eq!(tables(&reading), [0, 1]);
    assert_eq!(reading.steps[1].entry, None);
    assert!(reading.is_dropped() && reading.datapath_ports().is_empty());
}

#[test]
fn a_group_sends_copies_and_says_which_are_skipped() {
    let switch = switch();
    let buckets = "bucket=output:1,bucket=output:2,bucket=output:3,bucket=output:LOCAL";
    switch.ovs.ofctl(&["add-group", "br0", &format!("group_id=7,type=all,{buckets}")]);
    let flow = format!("table=0,priority=500,udp,actions=group:7,output:{}", TUNNEL.0);
    switch.ovs.ofctl(&["add-flow", "br0", &flow]);
    let reading = read(&switch, &packet(Protocol::Udp, 9));
    assert_eq!(tables(&reading), [0], "{reading:#?}");
    let flood = &reading.steps[0];
    let sent: Vec<_> = outputs(flood).into_iter().take(4).collect();
    let skipped = Some("skipping output to input port");
    assert_eq!(sent, [("p1", skipped), ("p2", None), ("p3", None), ("LOCAL", None)]);
    assert!(flood.actions.iter().filter(|done| done.output().is_some()).take(4).all(|done| done.in_group));
    let tunnel = flood.actions.iter().find(|done| done.output() == Some("vx")).unwrap();
    assert!(!tunnel.in_group, "the tunnel's copy is made beside the group");
}

#[test]
fn an_answer_goes_back() {
    let reading = read(&switch(), &packet(Protocol::Arp, 2));
    assert_eq!(tables(&reading), [0, 1, 2, 7], "{reading:#?}");
    assert!(reading.steps[2].does("set_field:2->arp_op"));
    assert_eq!(outputs(&reading.steps[3]), [("IN_PORT", None)]);
}

#[test]
fn packets_of_every_kind_are_taken() {
    let switch = switch();
    let v6 = |protocol, port| Packet {
        source: attachment("c", &["fd00::3/64"], 0).mac,
        in_port: PortNo(3),
        addresses: Some(("fd00::3".parse().unwrap(), "fd00::4".parse().unwrap())),
        port,
        ..packet(protocol, 4)
    };
    for packet in [
        v6(Protocol::Icmp, None),
        v6(Protocol::Arp, None),
        v6(Protocol::Tcp, Some(80)),
        v6(Protocol::Udp, Some(53)),
    ] {
        let reading = read(&switch, &packet);
        assert!(tables(&reading).starts_with(&[0, 1, 2]), "{packet}: {reading:#?}");
    }
    let by_tunnel = Packet { in_port: TUNNEL, tunnel_key: Some(0), ..packet(Protocol::Icmp, 1) };
    assert_eq!(read(&switch, &by_tunnel).datapath_ports(), ["p1"]);
    let tagged = Packet { vlan: Some(7), ..packet(Protocol::Icmp, 2) };
    assert_eq!(tables(&read(&switch, &tagged)), [0]);
    let nothing_known = Packet { addresses: None, ..packet(Protocol::Icmp, 2) };
    assert_eq!(tables(&read(&switch, &nothing_known)), [0, 1]);
}

#[test]
fn connection_tracking_and_a_learning_bridge() {
    let switch = switch();
    switch.ovs.ofctl(&["add-flow", "br0", "table=2,priority=500,tcp,actions=ct(commit,table=4)"]);
    let reading = read(&switch, &Packet { port: Some(80), ..packet(Protocol::Tcp, 2) });
    assert_eq!(tables(&reading), [0, 1, 2, 4, 6], "both passes: {reading:#?}");
    assert_eq!(reading.datapath_ports(), ["p2"]);
    assert!(!reading.is_dropped());

    switch.ovs.ofctl(&["add-flow", "br0", "table=0,priority=500,icmp,actions=NORMAL"]);
    let reading = read(&switch, &packet(Protocol::Icmp, 2));
    assert_eq!(tables(&reading), [0]);
    assert!(reading.steps[0].does("NORMAL"));
    assert!(reading.datapath_ports().contains(&"p2"), "{reading:#?}");
}
