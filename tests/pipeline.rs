//! What the pipeline does to packets, in a real ovs-vswitchd.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeSet;

use flowport::model::{Attachment, SHARED_COOKIE, Traffic, Vlan};
use flowport::pipeline::{
    Flow, Group, Member, Network, Party, Receiver, Uplink, UplinkKind, bridge_flows, endpoint_flows,
    network_flows, rule_flows,
};
use flowport_openflow::{Action, Cookie, FlowMod, Instruction, Match, Message, PortNo, TableId};

use support::{Switch, TUNNEL, attachment, cookies, flow_mod, mac};

const A: &str = "02:42:0a:00:00:01";
const B: &str = "02:42:0a:00:00:02";
const D: &str = "02:42:0a:00:00:04";
const HOST: &str = "02:00:00:00:00:fe";
const BROADCAST: &str = "ff:ff:ff:ff:ff:ff";
const ELSEWHERE: &str = "02:00:00:00:be:ef";

fn vlan(id: i64) -> Vlan {
    id.try_into().unwrap()
}

fn untagged(ports: impl IntoIterator<Item = u32>) -> BTreeSet<Receiver> {
    ports.into_iter().map(|port| Receiver { port: PortNo(port), tagged: false }).collect()
}

/// Network 0: a on p1, b on p2, this host. Network 10: c on p3 with b's address, d on p4, and e on p7, whose addresses
/// are its own business. A trunk on p5, an access uplink of network 10 on p6, a tunnel with keys.
fn scene() -> (Vec<Flow>, Vec<Group>) {
    let mut flows = Vec::new();
    for (attachment, port) in [
        (attachment("a", &["10.0.0.1/24", "10.0.1.1/24", "fd00::1/64"], 0), 1),
        (attachment("b", &["10.0.0.2/24"], 0), 2),
        (attachment("c", &["10.0.0.2/24"], 10), 3),
        (attachment("d", &["10.0.0.4/24"], 10), 4),
        (attachment("e", &[], 10), 7),
        (attachment("f", &["fd00::8/64"], 20), 8),
    ] {
        flows.extend(endpoint_flows(&attachment, PortNo(port)).unwrap());
    }
    let host = Member { port: PortNo::LOCAL, vlan: vlan(0), mac: Some(mac(HOST)) };
    let uplinks = [
        Uplink { port: PortNo(5), kind: UplinkKind::Trunk, is_tunnel: false },
        Uplink { port: PortNo(6), kind: UplinkKind::Access(vlan(10)), is_tunnel: false },
        Uplink { port: TUNNEL, kind: UplinkKind::Keyed, is_tunnel: true },
    ];
    flows.extend(bridge_flows(&[host], &uplinks, &[vlan(0), vlan(10), vlan(20)], true).unwrap());
    let mut groups = Vec::new();
    for (id, hosts, open, members) in [
        (0, BTreeSet::from([PortNo::LOCAL]), vec![], vec![1, 2, PortNo::LOCAL.0]),
        (10, BTreeSet::new(), vec![7], vec![3, 4, 7]),
        (20, BTreeSet::new(), vec![], vec![8]),
    ] {
        let network = Network {
            vlan: vlan(id),
            isolated: false,
            hosts,
            open: untagged(open),
            members: untagged(members),
        };
        flows.extend(network_flows(&network, &uplinks).unwrap());
        groups.extend(network.groups());
    }
    (flows, groups)
}

fn switch() -> Switch {
    let mut switch = Switch::start(&[3, 4, 5, 6, 7, 8]);
    let (flows, groups) = scene();
    switch.install(&flows, &groups);
    switch
}

fn ip(port: &str, from: &str, to: &str, source: &str) -> String {
    format!("in_port={port},dl_src={from},dl_dst={to},ip,nw_src={source},nw_dst=10.0.0.9")
}

/// An ARP request: who has `asked`?
fn who_has(port: &str, mac: &str, sha: &str, spa: &str, asked: &str) -> String {
    format!(
        "in_port={port},dl_src={mac},dl_dst={BROADCAST},arp,arp_op=1,arp_sha={sha},arp_spa={spa},arp_tpa={asked}"
    )
}

#[test]
fn an_endpoint_sends_as_itself_or_not_at_all() {
    let switch = switch();
    switch.trace(&ip("p1", A, B, "10.0.0.1")).goes_to(&["p2"]);
    switch.trace(&ip("p1", A, B, "10.0.1.1")).goes_to(&["p2"]);
    switch.trace(&format!("in_port=p1,dl_src={A},dl_dst={B},ipv6,ipv6_src=fd00::1")).goes_to(&["p2"]);

    switch.trace(&ip("p1", ELSEWHERE, B, "10.0.0.1")).dropped_in(1);
    switch.trace(&ip("p1", B, A, "10.0.0.1")).dropped_in(1);
    switch.trace(&ip("p1", A, B, "10.0.0.2")).dropped_in(1);
    switch.trace(&ip("p2", A, B, "10.0.0.1")).dropped_in(1);
    switch.trace(&format!("in_port=p1,dl_src={ELSEWHERE},dl_dst={B},ipv6,ipv6_src=fd00::1")).dropped_in(1);
    // Neither IP nor ARP.
    switch.trace(&format!("in_port=p1,dl_src={A},dl_dst={B},dl_type=0x88cc")).dropped_in(1);

    // Addresses that are its own business are nobody else's; its MAC is.
    let e = attachment("e", &[], 10).mac.to_string();
    switch.trace(&ip("p7", &e, D, "10.9.9.9")).goes_to(&["p4"]);
    switch.trace(&ip("p7", A, D, "10.9.9.9")).dropped_in(1);
}

#[test]
fn arp_under_another_name_is_dropped() {
    let switch = switch();
    switch.trace(&who_has("p1", A, A, "10.0.0.2", "10.0.0.2")).dropped_in(1);
    switch.trace(&who_has("p1", A, B, "10.0.0.1", "10.0.0.2")).dropped_in(1);
    switch.trace(&who_has("p1", B, A, "10.0.0.1", "10.0.0.2")).dropped_in(1);
    let reply = format!("in_port=p1,dl_src={A},dl_dst={BROADCAST},arp,arp_op=2,arp_sha={A},arp_spa=10.0.0.2");
    switch.trace(&reply).dropped_in(1);
}

#[test]
fn what_is_not_known_is_dropped_at_the_door() {
    let mut switch = switch();
    // As Open vSwitch itself has one in bridges that are not `secure`.
    let normal = FlowMod::add(TableId(0), 0, Match::default());
    let normal =
        FlowMod { instructions: vec![Instruction::apply([Action::output(PortNo::NORMAL)])], ..normal };
    switch.send(vec![normal.into()]);
    let tagged =
        |port: &str, id: u16| format!("in_port={port},dl_vlan={id},dl_src={A},dl_dst={B},ip,nw_src=10.0.0.1");
    switch.trace(&tagged("p1", 10)).dropped_in(0);
    switch.trace(&tagged("LOCAL", 10)).dropped_in(0);
    switch.trace(&tagged("p5", 99)).dropped_in(0);
    switch.trace(&tagged("p6", 10)).dropped_in(0);
    switch.trace(&format!("in_port=vx,tun_id=99,dl_src={ELSEWHERE},dl_dst={B}")).dropped_in(0);
    let unconnected = Switch::start(&[]);
    unconnected.trace(&ip("p1", A, B, "10.0.0.1")).dropped_in(0);
}

#[test]
fn arp_is_answered_by_the_bridge() {
    let switch = switch();
    let answer = switch.trace(&who_has("p1", A, A, "10.0.0.1", "10.0.0.2"));
    answer.goes_to(&["p1"]);
    for field in [
        &format!("dl_src={B}"),
        &format!("dl_dst={A}"),
        "arp_op=2",
        &format!("arp_sha={B}"),
        &format!("arp_tha={A}"),
        "arp_spa=10.0.0.2",
        "arp_tpa=10.0.0.1",
    ] {
        assert!(answer.last.contains(field), "{field} is not in {}", answer.last);
    }
    // A second address of an interface is its too.
    switch.trace(&who_has("p2", B, B, "10.0.0.2", "10.0.1.1")).goes_to(&["p2"]);
    // The same address in another network is another's.
    let d = switch.trace(&who_has("p4", D, D, "10.0.0.4", "10.0.0.2"));
    d.goes_to(&["p4"]);
    // What nobody here is known to have is asked of those who may know, and of no other container.
    switch.trace(&who_has("p4", D, D, "10.0.0.4", "10.0.0.1")).goes_to(&["p5@10", "p6", "p7", "vx"]);
    switch.trace(&who_has("p1", A, A, "10.0.0.1", "10.0.0.99")).goes_to(&["br0", "p5", "vx"]);
}

#[test]
fn arp_from_elsewhere_is_answered_the_way_it_came() {
    let switch = switch();
    let from = |port: &str, asked: &str| who_has(port, ELSEWHERE, ELSEWHERE, "10.0.0.77", asked);
    switch.trace(&from("p5", "10.0.0.2")).goes_to(&["p5"]);
    let tagged = switch.trace(&format!("{},dl_vlan=10", from("p5", "10.0.0.4")));
    tagged.goes_to(&["p5@10"]);
    assert!(tagged.last.contains(&format!("arp_sha={D}")), "{}", tagged.last);
    switch.trace(&from("p6", "10.0.0.4")).goes_to(&["p6"]);
    let keyed = switch.trace(&format!("{},tun_id=10", from("vx", "10.0.0.4")));
    keyed.goes_to(&["vx"]);
    assert!(keyed.last.contains("tun_id=0xa"), "{}", keyed.last);
    // An address of the other network is not its to answer, nor one to be sent into a tunnel.
    switch.trace(&from("p6", "10.0.0.1")).goes_to(&["p5@10", "p7"]);
    switch.trace(&format!("{},tun_id=10", from("vx", "10.0.0.1"))).goes_to(&["p7"]);
}

#[test]
fn a_known_destination_gets_it_alone_in_its_network_alone() {
    let switch = switch();
    switch.trace(&ip("p1", A, HOST, "10.0.0.1")).goes_to(&["br0"]);
    switch.trace(&ip("LOCAL", HOST, B, "10.0.0.254")).goes_to(&["p2"]);
    switch.trace(&ip("p4", D, B, "10.0.0.4")).goes_to(&["p3"]);
    // d is of network 10 and unknown in network 0.
    switch.trace(&ip("p1", A, D, "10.0.0.1")).goes_to(&["p5", "vx"]);
    // b's MAC is c's too, in the other network.
    let tagged = |id: u16| format!("in_port=p5,dl_vlan={id},dl_src={ELSEWHERE},dl_dst={B},ip");
    switch.trace(&tagged(10)).goes_to(&["p3"]);
    switch.trace(&format!("in_port=p5,dl_src={ELSEWHERE},dl_dst={B},ip")).goes_to(&["p2"]);
    switch.trace(&format!("in_port=p6,dl_src={ELSEWHERE},dl_dst={B},ip")).goes_to(&["p3"]);
    for (key, port) in [(0, "p2"), (10, "p3")] {
        switch.trace(&format!("in_port=vx,tun_id={key},dl_src={ELSEWHERE},dl_dst={B},ip")).goes_to(&[port]);
    }
}

#[test]
fn what_is_for_many_goes_to_every_member_and_every_uplink_once() {
    let switch = switch();
    let from_a = switch.trace(&ip("p1", A, BROADCAST, "10.0.0.1"));
    from_a.goes_to(&["br0", "p2", "p5", "vx"]);
    assert!(!from_a.last.contains("tun_id=0xa"), "{}", from_a.last);
    switch.trace(&ip("LOCAL", HOST, "01:00:5e:00:00:fb", "10.0.0.254")).goes_to(&["p1", "p2", "p5", "vx"]);
    let from_d = switch.trace(&ip("p4", D, BROADCAST, "10.0.0.4"));
    from_d.goes_to(&["p3", "p5@10", "p6", "p7", "vx"]);
    assert!(from_d.last.contains("tun_id=0xa"), "{}", from_d.last);
    // No other member: only other hosts.
    let f = attachment("f", &["fd00::8/64"], 20).mac.to_string();
    switch
        .trace(&format!("in_port=p8,dl_src={f},dl_dst=33:33:00:00:00:01,ipv6,ipv6_src=fd00::8"))
        .goes_to(&["p5@20", "vx"]);
}

#[test]
fn what_nobody_here_is_known_to_have_goes_to_other_hosts_only() {
    let switch = switch();
    switch.trace(&ip("p1", A, ELSEWHERE, "10.0.0.1")).goes_to(&["p5", "vx"]);
    switch.trace(&ip("p4", D, ELSEWHERE, "10.0.0.4")).goes_to(&["p5@10", "p6", "vx"]);
}

#[test]
fn nothing_goes_from_a_tunnel_into_another_or_from_a_link_into_a_tunnel() {
    let switch = switch();
    let many = |from: &str| format!("{from},dl_src={ELSEWHERE},dl_dst={BROADCAST},ip");
    switch.trace(&many("in_port=p5")).goes_to(&["br0", "p1", "p2"]);
    switch.trace(&many("in_port=p5,dl_vlan=10")).goes_to(&["p3", "p4", "p6", "p7"]);
    switch.trace(&many("in_port=p6")).goes_to(&["p3", "p4", "p5@10", "p7"]);
    switch.trace(&many("in_port=vx,tun_id=10")).goes_to(&["p3", "p4", "p7"]);
    switch.trace(&many("in_port=vx,tun_id=20")).goes_to(&["p8"]);
    let unknown = |from: &str| format!("{from},dl_src=02:00:00:00:00:77,dl_dst={ELSEWHERE},ip");
    for (from, to) in [
        ("in_port=p5", &[][..]),
        ("in_port=p5,dl_vlan=10", &["p6"]),
        ("in_port=p6", &["p5@10"]),
        ("in_port=vx,tun_id=0", &[]),
        ("in_port=vx,tun_id=10", &[]),
    ] {
        switch.trace(&unknown(from)).goes_to(to);
    }
}

#[test]
fn what_only_routers_want_goes_to_this_host_and_other_hosts() {
    let switch = switch();
    for group in ["33:33:00:00:00:02", "33:33:00:00:00:16"] {
        switch
            .trace(&format!("in_port=p1,dl_src={A},dl_dst={group},ipv6,ipv6_src=fd00::1"))
            .goes_to(&["br0", "p5", "vx"]);
        let d = format!("in_port=p4,dl_src={D},dl_dst={group},ipv6,ipv6_src=fe80::42:aff:fe00:4");
        switch.trace(&d).goes_to(&["p5@10", "p6", "vx"]);
    }
}

#[test]
fn the_search_for_another_with_ones_own_address_stays_here() {
    let switch = switch();
    for (port, from) in [("p1", A.to_owned()), ("p7", attachment("e", &[], 10).mac.to_string())] {
        let probe = format!(
            "in_port={port},dl_src={from},dl_dst=33:33:ff:00:00:01,icmp6,icmpv6_type=135,ipv6_src=::"
        );
        switch.trace(&probe).dropped_in(1);
    }
    switch.trace(&who_has("p2", B, B, "0.0.0.0", "10.0.0.1")).dropped_in(1);
}

#[test]
fn neighbours_are_asked_for_where_they_are() {
    let switch = switch();
    let solicits = |port: &str, mac: &str, source: &str, target: &str| {
        format!(
            "in_port={port},dl_src={mac},dl_dst=33:33:ff:00:00:01,icmp6,icmpv6_type=135,ipv6_src={source},\
             nd_target={target}"
        )
    };
    let (a, b, d) = ("fe80::42:aff:fe00:1", "fe80::42:aff:fe00:2", "fe80::42:aff:fe00:4");
    for target in ["fd00::1", a] {
        let asked = switch.trace(&solicits("p2", B, b, target));
        asked.goes_to(&["p1"]);
        assert!(asked.last.contains(&format!("dl_dst={A}")), "{}", asked.last);
        switch.trace(&solicits("p5", ELSEWHERE, "fe80::77", target)).goes_to(&["p1"]);
        switch.trace(&format!("{},tun_id=0", solicits("vx", ELSEWHERE, "fe80::77", target))).goes_to(&["p1"]);
    }
    // In another network it is not theirs; whoever may have it is asked.
    switch.trace(&solicits("p4", D, d, "fd00::1")).goes_to(&["p5@10", "p6", "p7", "vx"]);
    switch.trace(&solicits("p1", A, a, "fd00::99")).goes_to(&["br0", "p5", "vx"]);
    switch
        .trace(&format!("{},tun_id=0", solicits("vx", ELSEWHERE, "fe80::77", "fd00::99")))
        .goes_to(&["br0"]);
}

#[test]
fn an_endpoint_speaks_ipv6_for_itself_alone() {
    let switch = switch();
    let (own, other) = ("fe80::42:aff:fe00:1", "fe80::42:aff:fe00:2");
    let says = |port: &str, mac: &str, what: &str| format!("in_port={port},dl_src={mac},dl_dst={B},{what}");
    for source in ["fd00::1", own] {
        switch.trace(&says("p1", A, &format!("ipv6,ipv6_src={source}"))).goes_to(&["p2"]);
        let advertises = format!("icmp6,icmpv6_type=136,ipv6_src={source},nd_target={source},nd_tll={A}");
        switch.trace(&says("p1", A, &advertises)).goes_to(&["p2"]);
    }
    // Another's, nobody's, none.
    for from in [other, "fd00::77", "::"] {
        switch.trace(&says("p1", A, &format!("ipv6,ipv6_src={from}"))).dropped_in(1);
        for source in [own, from] {
            let advertises = format!("icmp6,icmpv6_type=136,ipv6_src={source},nd_target={from},nd_tll={A}");
            switch.trace(&says("p1", A, &advertises)).dropped_in(1);
        }
    }
    // No router, and nobody's adviser.
    for kind in [134, 137] {
        switch.trace(&says("p1", A, &format!("icmp6,icmpv6_type={kind},ipv6_src={own}"))).dropped_in(1);
    }
    // One whose addresses are its own business may be all that.
    let e = attachment("e", &[], 10).mac.to_string();
    for kind in [134, 136, 137] {
        let says = format!("in_port=p7,dl_src={e},dl_dst={D},icmp6,icmpv6_type={kind},ipv6_src=fe80::1");
        switch.trace(&says).goes_to(&["p4"]);
    }
}

#[test]
fn a_trunk_carries_tagged_networks_beside_the_untagged_one() {
    let mut switch = Switch::start(&[3]);
    let networks = [vlan(0), vlan(10), vlan(20)];
    let mut flows = bridge_flows(&[], &[], &networks, true).unwrap();
    let trunk = Attachment { trunks: vec![vlan(10), vlan(20)], ..attachment("a", &["10.0.0.1/24"], 0) };
    flows.extend(endpoint_flows(&trunk, PortNo(1)).unwrap());
    flows.extend(endpoint_flows(&attachment("b", &["10.0.0.2/24"], 0), PortNo(2)).unwrap());
    flows.extend(endpoint_flows(&attachment("d", &["10.0.0.4/24"], 10), PortNo(3)).unwrap());
    let tagged = Receiver { port: PortNo(1), tagged: true };
    let mut groups = Vec::new();
    let ten = &untagged([3]) | &BTreeSet::from([tagged]);
    for (nth, members) in [untagged([1, 2]), ten, BTreeSet::from([tagged])].iter().enumerate() {
        let open = members.iter().copied().filter(|member| member.tagged).collect();
        let network = Network {
            vlan: networks[nth],
            isolated: false,
            hosts: BTreeSet::new(),
            open,
            members: members.clone(),
        };
        flows.extend(network_flows(&network, &[]).unwrap());
        groups.extend(network.groups());
    }
    switch.install(&flows, &groups);

    let tagged =
        |id: u16, to: &str| format!("in_port=p1,dl_vlan={id},dl_src={A},dl_dst={to},ip,nw_src=192.0.2.1");
    switch.trace(&ip("p1", A, B, "10.0.0.1")).goes_to(&["p2"]);
    switch.trace(&tagged(10, D)).goes_to(&["p3"]);
    switch.trace(&tagged(20, D)).goes_to(&[]);
    switch.trace(&tagged(30, D)).dropped_in(0);
    switch.trace(&ip("p3", D, A, "10.0.0.4")).goes_to(&["p1@10"]);
    switch.trace(&ip("p3", D, BROADCAST, "10.0.0.4")).goes_to(&["p1@10"]);
    switch.trace(&ip("p2", B, BROADCAST, "10.0.0.2")).goes_to(&["p1"]);
    switch.trace(&format!("in_port=p1,dl_vlan=10,dl_src={ELSEWHERE},dl_dst={D},ip")).dropped_in(1);
    // Its question is answered with the tag that it came with; nobody knows what addresses it has there.
    let asks = who_has("p1", A, A, "192.0.2.1", "10.0.0.4");
    switch.trace(&format!("{asks},dl_vlan=10")).goes_to(&["p1@10"]);
    switch.trace(&who_has("p3", D, D, "10.0.0.4", "192.0.2.1")).goes_to(&["p1@10"]);
}

#[test]
fn more_members_than_a_group_holds_are_reached_by_a_chain() {
    let mut switch = Switch::start(&[1500, 2500]);
    let network = Network { members: untagged(1..=2600), ..Network::default() };
    let mut flows = network_flows(&network, &[]).unwrap();
    let groups = network.groups();
    assert_eq!(groups.len(), 1 + 2600usize.div_ceil(64), "a root and its parts");
    flows.extend(bridge_flows(&[], &[], &[vlan(0)], true).unwrap());
    flows.extend(endpoint_flows(&attachment("a", &["10.0.0.1/24"], 0), PortNo(1)).unwrap());
    switch.install(&flows, &groups);
    switch.trace(&ip("p1", A, BROADCAST, "10.0.0.1")).goes_to(&["p1500", "p2", "p2500"]);
    assert_eq!(switch.installed().groups().len(), groups.len());
}

#[test]
fn every_message_reads_in_ovs_ofctl_as_it_was_meant() {
    let (flows, _) = scene();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut bytes = Vec::new();
    for flow in &flows {
        Message::new(1, flow_mod(flow)).encode(&mut bytes).unwrap();
    }
    std::fs::write(file.path(), bytes).unwrap();
    let output = std::process::Command::new("ovs-ofctl")
        .args(["-O", "OpenFlow13", "--no-names", "ofp-parse"])
        .arg(file.path())
        .output()
        .expect("ovs-ofctl: install the package openvswitch-common");
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once("):")?.1.trim())).collect();
    let ours: Vec<String> = flows.iter().map(|flow| flow_mod(flow).to_string()).collect();
    assert_eq!(theirs, ours);
}

#[test]
fn each_endpoint_has_its_cookie_and_the_rest_is_shared() {
    let (flows, _) = scene();
    let counts = cookies(&flows);
    let of = |name: &str, addresses: &[&str], id| {
        counts[&Cookie(attachment(name, addresses, id).endpoint().cookie())]
    };
    // Classify and forward; and for each address, the link-local one too, two to guard and one to answer.
    assert_eq!(of("a", &["10.0.0.1/24"], 0), 2 + 4 * 3);
    assert_eq!(of("b", &["10.0.0.2/24"], 0), 2 + 2 * 3);
    assert_eq!(of("e", &[], 10), 3);
    assert_eq!(counts.len(), 7, "six endpoints, and the shared cookie {SHARED_COOKIE:#x}");
}

#[test]
fn containers_that_are_kept_apart_talk_as_the_rules_allow() {
    let mut switch = Switch::start(&[3, 5]);
    let parties = [("a", 1), ("b", 2), ("c", 3)].map(|(name, port)| {
        (attachment(name, &[&format!("10.0.0.{port}/24"), &format!("fd00::{port}/64")], 0), PortNo(port))
    });
    let uplinks = [Uplink { port: PortNo(5), kind: UplinkKind::Trunk, is_tunnel: false }];
    let host = Member { port: PortNo::LOCAL, vlan: vlan(0), mac: Some(mac(HOST)) };
    let mut flows = bridge_flows(&[host], &uplinks, &[vlan(0)], true).unwrap();
    for (attachment, port) in &parties {
        flows.extend(endpoint_flows(attachment, *port).unwrap());
    }
    let [a, b, third] = parties.each_ref().map(|(attachment, port)| Party { attachment, port: *port });
    flows.extend(rule_flows(vlan(0), 0x9000, (Some(a), b), Traffic::Tcp(Some(5432))).unwrap());
    flows.extend(rule_flows(vlan(0), 0x9000, (None, third), Traffic::Udp(Some(53))).unwrap());
    let members = untagged([1, 2, 3, PortNo::LOCAL.0]);
    let network =
        Network { isolated: true, hosts: BTreeSet::from([PortNo::LOCAL]), members, ..Network::default() };
    flows.extend(network_flows(&network, &uplinks).unwrap());
    switch.install(&flows, &network.groups());

    let c = "02:42:0a:00:00:03";
    let says = |port: u32, to: &str, what: &str| {
        format!("in_port=p{port},dl_src=02:42:0a:00:00:0{port},dl_dst={to},{what}")
    };
    let tcp =
        |from: u32, source: u16, port: u16| format!("tcp,nw_src=10.0.0.{from},tp_src={source},tp_dst={port}");
    // Neither the others, nor many of them; this host and other hosts as ever.
    for to in [B, c] {
        switch.trace(&says(1, to, "icmp,nw_src=10.0.0.1")).dropped_in(6);
        switch.trace(&says(1, to, "ipv6,ipv6_src=fd00::1")).dropped_in(6);
        switch.trace(&says(1, to, &tcp(1, 1234, 80))).dropped_in(6);
    }
    switch.trace(&says(1, BROADCAST, "ip,nw_src=10.0.0.1")).goes_to(&["br0", "p5"]);
    switch.trace(&says(1, HOST, "ip,nw_src=10.0.0.1")).goes_to(&["br0"]);
    switch.trace(&says(1, ELSEWHERE, "ip,nw_src=10.0.0.1")).goes_to(&["p5"]);
    switch.trace(&format!("in_port=p5,dl_src={ELSEWHERE},dl_dst={A},ip")).goes_to(&["p1"]);
    switch.trace(&format!("in_port=LOCAL,dl_src={HOST},dl_dst={A},ip")).goes_to(&["p1"]);
    // They find each other; what they may say is another matter.
    switch.trace(&who_has("p1", A, A, "10.0.0.1", "10.0.0.2")).goes_to(&["p1"]);
    let asks = says(1, "33:33:ff:00:00:02", "icmp6,icmpv6_type=135,ipv6_src=fd00::1,nd_target=fd00::2");
    switch.trace(&asks).goes_to(&["p2"]);
    let answers = says(2, A, "icmp6,icmpv6_type=136,ipv6_src=fd00::2,nd_target=fd00::2");
    switch.trace(&answers).goes_to(&["p1"]);

    // What is allowed begins in one direction, and goes on in both.
    let known = |packet: &str, state: &str, (proto, port): (u8, u16), to: Party<'_>| {
        let label = to.attachment.endpoint().bits();
        switch.trace(&format!(
            "{packet},ct_state=trk|{state},ct_nw_proto={proto},ct_tp_dst={port},ct_label={label:#x}"
        ))
    };
    let there = says(1, B, &tcp(1, 1234, 5432));
    let back = says(2, A, &tcp(2, 5432, 1234));
    switch.tracked(&there, "trk,new").goes_to(&["p2"]);
    switch.tracked(&back, "trk,new").goes_to(&[]);
    switch.tracked(&back, "trk,inv").goes_to(&[]);
    switch.tracked(&there, "trk,inv").goes_to(&[]);
    let database = (6, 5432);
    known(&there, "est", database, b).goes_to(&["p2"]);
    known(&back, "est|rpl", database, b).goes_to(&["p1"]);
    known(&back, "est", database, b).goes_to(&[]);
    known(&there, "est|rpl", database, b).goes_to(&[]);
    // Begun with another, by another rule, or by one that was taken away.
    known(&there, "est", database, third).goes_to(&[]);
    known(&back, "est|rpl", database, a).goes_to(&[]);
    known(&back, "est|rpl", (6, 80), b).goes_to(&[]);
    known(&back, "est|rpl", (17, 5432), b).goes_to(&[]);
    // Errors of a connection.
    known(&says(2, A, "icmp,nw_src=10.0.0.2,icmp_type=3"), "rel|rpl", database, b).goes_to(&["p1"]);
    switch.tracked(&says(2, A, "icmp,nw_src=10.0.0.2,icmp_type=8"), "trk,new").goes_to(&[]);
    let ipv6 = |from: u32| format!("tcp6,ipv6_src=fd00::{from},tp_src=5432,tp_dst=5432");
    switch.tracked(&says(1, B, &ipv6(1)), "trk,new").goes_to(&["p2"]);
    switch.trace(&says(1, c, &tcp(1, 1234, 5432))).dropped_in(6);
    switch.trace(&says(2, A, &tcp(2, 1234, 5432))).dropped_in(6);

    // All may begin with the third; it answers those who did, and does not begin.
    let names = (17, 53);
    let asks = |from: u32| says(from, c, &format!("udp,nw_src=10.0.0.{from},udp_src=999,udp_dst=53"));
    let answers = says(3, A, "udp,nw_src=10.0.0.3,udp_src=53,udp_dst=999");
    for from in [1, 2] {
        switch.tracked(&asks(from), "trk,new").goes_to(&["p3"]);
        known(&asks(from), "est", names, third).goes_to(&["p3"]);
    }
    known(&answers, "est|rpl", names, third).goes_to(&["p1"]);
    known(&answers, "est|rpl", names, b).goes_to(&[]);
    switch.tracked(&answers, "trk,new").goes_to(&[]);
    switch.trace(&says(3, A, "udp,nw_src=10.0.0.3,udp_src=99,udp_dst=53")).dropped_in(6);
    // What it says to others than containers is no matter of the tracker's verdict.
    for state in ["trk,new", "trk,inv"] {
        let to_host = says(3, HOST, "udp,nw_src=10.0.0.3,udp_src=53,udp_dst=999");
        switch.tracked(&to_host, state).goes_to(&["br0"]);
    }

    // Later fragments have no ports: they wait for the first, which has to be allowed.
    let later = |from: u32, to: &str, version: &str| match version {
        "4" => says(from, to, &format!("udp,nw_src=10.0.0.{from},nw_frag=later")),
        _ => says(from, to, &format!("ipv6,ipv6_src=fd00::{from},nw_proto=44,nw_frag=later")),
    };
    for version in ["4", "6"] {
        let (there, back) = (later(1, c, version), later(3, A, version));
        for packet in [&there, &back] {
            assert!(switch.trace(packet).text.contains("ct(table=3,zone=36864)"));
        }
        // Once more, until the first is there too; on its own it is found invalid.
        let again = |packet: &str, state: &str, then: &str| {
            let label = third.attachment.endpoint().bits();
            let packet = format!("{packet},ct_state=trk|{state},ct_label={label:#x}");
            switch.tracked(&packet, then)
        };
        again(&there, "new", "trk,new").goes_to(&["p3"]);
        again(&there, "est", "trk,est").goes_to(&["p3"]);
        again(&there, "new", "trk,inv").dropped_in(6);
        again(&back, "est|rpl", "trk,est,rpl").goes_to(&["p1"]);
        again(&back, "est|rpl", "trk,inv").dropped_in(6);
        again(&back, "new", "trk,new").goes_to(&[]);
        again(&there, "est|rpl", "trk,est,rpl").goes_to(&[]);
    }
}
