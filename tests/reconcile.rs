//! Flow entries and groups that were planned, installed in a real ovs-vswitchd and read back: no difference is left, and
//! nothing foreign is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use flowport::model::{Attachment, LinkName, Policy, Sandbox, TunnelKind, Vlan};
use flowport::pipeline::Flow;
use flowport::plan;
use flowport::state::{
    Bridge, BridgePort, Datapath, Desired, FlowChanges, Installed, Observed, PortKind, PortRow, Scope,
    TunnelPort,
};
use flowport_openflow::{Action, Bucket, FlowMod, GroupId, GroupMod, GroupType, Instruction, Match, PortNo};
use flowport_ovsdb::Uuid;

use support::{Switch, TUNNEL, attachment, mac};

fn bridge() -> LinkName {
    "br0".parse().unwrap()
}

fn port(name: &str, ofport: u32, tag: Option<i64>, kind: PortKind) -> BridgePort {
    let tag = tag.map(|id| Vlan::try_from(id).unwrap());
    let tunnel = (kind == PortKind::KeyedTunnel).then_some(TunnelPort {
        kind: TunnelKind::Vxlan,
        remote: Some([192, 0, 2, 2].into()),
        has_key: true,
    });
    BridgePort { name: name.into(), ofport: Some(ofport), ofport_request: None, tag, kind, tunnel }
}

/// The same as a tunnel with one key.
fn fixed(port: BridgePort) -> BridgePort {
    let remote = Some([192, 0, 2, 3].into());
    BridgePort { tunnel: Some(TunnelPort { kind: TunnelKind::Gre, remote, has_key: true }), ..port }
}

/// A managed bridge with ports of every kind, on which these are attached and desired.
fn world(attachments: Vec<(Attachment, u32)>) -> (Desired, Observed) {
    let (mut desired, mut observed) = (Desired::default(), Observed::default());
    let ports = vec![
        port("br0", PortNo::LOCAL.0, None, PortKind::Host(Some(mac("02:00:00:00:00:fe")))),
        port("p20", 20, Some(10), PortKind::Host(None)),
        port("p5", 5, None, PortKind::Uplink),
        port("p6", 6, Some(10), PortKind::Uplink),
        port("vx", TUNNEL.0, None, PortKind::KeyedTunnel),
        fixed(port("gre", 30, None, PortKind::Uplink)),
        fixed(port("gre10", 31, Some(10), PortKind::Uplink)),
    ];
    let row = Bridge {
        row: Uuid::from_u128(1),
        managed: true,
        secure: true,
        made: true,
        userspace: true,
        ports,
        bonds: Default::default(),
        links: Default::default(),
        policy: Policy::default(),
    };
    observed.bridges.insert(bridge(), row);
    for (attachment, ofport) in attachments {
        attach(&mut desired, &mut observed, attachment, ofport);
    }
    (desired, observed)
}

fn attach(desired: &mut Desired, observed: &mut Observed, attachment: Attachment, ofport: u32) {
    let (endpoint, attachment) = (attachment.endpoint(), Arc::new(attachment));
    let owner = attachment.owner.clone();
    let sandbox = Sandbox { owner: owner.clone(), netns: "/run/netns/x".into(), inode: 1, pid: None };
    observed.running.insert(owner, sandbox);
    let row = PortRow {
        port: Uuid::from_u128(u128::from(ofport) << 1),
        interface: Uuid::from_u128(u128::from(ofport) << 1 | 1),
        bridge: attachment.bridge.clone(),
        ofport: Some(ofport),
        ofport_request: None,
        error: None,
        recorded: false,
        attachment: Arc::clone(&attachment),
    };
    observed.ports.insert(endpoint, row);
    desired.attachments.insert(endpoint, attachment);
}

/// Every kind of endpoint.
fn endpoints() -> Vec<(Attachment, u32)> {
    let trunks = vec![Vlan::try_from(10).unwrap(), Vlan::try_from(300).unwrap()];
    let trunk = Attachment { trunks, ..attachment("t", &["10.0.0.7/24"], 0) };
    vec![
        (attachment("a", &["10.0.0.1/24", "10.0.1.1/24", "fd00::1/64"], 0), 1),
        (attachment("b", &["10.0.0.2/24"], 0), 2),
        (attachment("c", &["10.0.0.2/32"], 10), 3),
        (attachment("d", &[], 10), 4),
        (attachment("e", &["fd00::8/64"], 4095), 7),
        (trunk, 8),
    ]
}

/// What is planned for what the switch holds.
fn planned(switch: &mut Switch, desired: &Desired, observed: &mut Observed) -> FlowChanges {
    observed.datapaths.insert(bridge(), Datapath::Read(switch.installed()));
    plan::flows(desired, observed, &bridge()).unwrap().expect("a managed bridge that was read")
}

/// Plans and applies; then nothing is left to plan, and the switch holds what was foretold.
#[track_caller]
fn converge(switch: &mut Switch, desired: &Desired, observed: &mut Observed) -> FlowChanges {
    let changes = planned(switch, desired, observed);
    let Datapath::Read(mut foretold) = observed.datapaths[&bridge()].clone() else { panic!("it was read") };
    foretold.apply(&changes);
    switch.apply(&changes);
    assert_eq!(switch.installed(), foretold);
    let left = planned(switch, desired, observed);
    assert!(left.is_empty(), "{left:#?}");
    changes
}

fn switch() -> Switch {
    Switch::start(&[3, 4, 5, 6, 7, 8, 20, 30, 31])
}

#[test]
fn what_is_installed_reads_back_without_a_difference() {
    let mut switch = switch();
    let (desired, mut observed) = world(endpoints());
    let changes = converge(&mut switch, &desired, &mut observed);
    assert!(changes.deleted_flows.is_empty() && changes.modified_flows.is_empty());
    assert_eq!(changes.added_groups.len(), 6, "of members of four networks, and of those not known in two");
    assert_eq!(changes.endpoints().len(), 6);
    assert_eq!(changes.added_meters.len(), 16);
}

#[test]
fn meters_that_somebody_changes_are_put_right_and_those_of_others_stay() {
    let mut switch = switch();
    switch.ovs.ofctl(&["add-meter", "br0", "meter=7,pktps,band=type=drop,rate=9"]);
    // Of each its line and that of its band, in whatever order.
    let meters = |switch: &Switch| {
        let text = switch.ovs.ofctl(&["dump-meters", "br0"]);
        let meters = text.split("meter=").skip(1).map(|meter| meter.trim().to_owned());
        meters.collect::<BTreeSet<String>>()
    };
    let (desired, mut observed) = world(endpoints());
    converge(&mut switch, &desired, &mut observed);
    let before = meters(&switch);
    assert_eq!(before.len(), 17, "{before:?}");
    assert!(before.contains("7 pktps bands=\ntype=drop rate=9"), "{before:?}");

    // The entries that name it stay.
    switch.ovs.ofctl(&["mod-meter", "br0", "meter=61441,pktps,band=type=drop,rate=1"]);
    let changes = converge(&mut switch, &desired, &mut observed);
    assert_eq!((changes.modified_meters.len(), changes.len()), (1, 0), "{changes:#?}");
    assert_eq!(meters(&switch), before);
    // With a meter go the entries that name it.
    switch.ovs.ofctl(&["del-meter", "br0", "meter=61442"]);
    let changes = converge(&mut switch, &desired, &mut observed);
    assert_eq!((changes.added_meters.len(), changes.added_flows.len()), (1, 2), "{changes:#?}");
    assert_eq!(meters(&switch), before);
}

#[test]
fn what_a_bridge_cannot_meter_goes_without() {
    let (desired, mut observed) = world(endpoints());
    observed.datapaths.insert(bridge(), Datapath::Read(Installed::default()));
    let changes = plan::flows(&desired, &observed, &bridge()).unwrap().unwrap();
    assert!(changes.added_meters.is_empty());
    let metered = |flow: &Flow| flow.instructions.iter().any(|does| matches!(does, Instruction::Meter(_)));
    assert!(!changes.added_flows.iter().any(metered));
}

#[test]
fn what_was_planned_for_something_else_is_refused_whole() {
    let mut switch = switch();
    let (mut desired, mut observed) = world(endpoints());
    converge(&mut switch, &desired, &mut observed);
    let (b, _) = endpoints().remove(1);
    desired.attachments.remove(&b.endpoint());
    let changes = planned(&mut switch, &desired, &mut observed);
    let group = changes.modified_groups[0].id;
    switch.ovs.ofctl(&["del-groups", "br0", &format!("group_id={}", group.0)]);
    let before = switch.installed();
    switch.refuses(&changes);
    assert_eq!(switch.installed(), before);
    converge(&mut switch, &desired, &mut observed);
}

#[test]
fn the_first_datapath_of_a_bridge_without_any_port_reads_back_too() {
    let mut switch = switch();
    let (desired, mut observed) = world(Vec::new());
    observed.bridges.get_mut(&bridge()).unwrap().ports.clear();
    converge(&mut switch, &desired, &mut observed);
}

#[test]
fn a_change_touches_what_it_is_about_and_no_other() {
    let mut switch = switch();
    let (mut desired, mut observed) = world(endpoints());
    converge(&mut switch, &desired, &mut observed);

    let (b, _) = endpoints().remove(1);
    desired.attachments.remove(&b.endpoint());
    let gone = converge(&mut switch, &desired, &mut observed);
    assert_eq!(gone.endpoints(), BTreeSet::from([b.endpoint()]));
    assert!(gone.added_flows.is_empty() && gone.modified_flows.is_empty(), "{gone:#?}");
    assert_eq!(gone.modified_groups.len(), 1, "the network has a member less");
    assert!(gone.deleted_flows.is_empty(), "one message an endpoint, by its cookie");
    assert_eq!(gone.deleted_endpoints, BTreeSet::from([b.endpoint()]));

    // To another network: its own flow entries only, and the groups of both.
    observed.ports.remove(&b.endpoint());
    let (a, _) = endpoints().remove(0);
    let moved = Attachment { vlan: 10.try_into().unwrap(), ..a.clone() };
    desired.attachments.insert(a.endpoint(), Arc::new(moved));
    let moved = converge(&mut switch, &desired, &mut observed);
    assert_eq!(moved.endpoints(), BTreeSet::from([a.endpoint()]));
    assert_eq!(moved.modified_groups.len(), 2);

    // The last of its network: the group goes, and no flow entry names it meanwhile.
    let (e, _) = endpoints().remove(4);
    desired.attachments.remove(&e.endpoint());
    let last = converge(&mut switch, &desired, &mut observed);
    assert_eq!(last.deleted_groups, [GroupId(0xffff_0000)]);
}

#[test]
fn ports_of_the_bridge_come_and_go() {
    let mut switch = switch();
    let (desired, mut observed) = world(endpoints());
    let ports = observed.bridges[&bridge()].ports.clone();
    for nth in 0..ports.len() {
        observed.bridges.get_mut(&bridge()).unwrap().ports = ports[..nth].to_vec();
        let fewer = converge(&mut switch, &desired, &mut observed);
        assert!(nth == 0 || !fewer.is_empty(), "port {nth} made no difference");
        assert!(nth == 0 || fewer.endpoints().is_empty(), "{fewer:#?}");
    }
    // An access uplink turns into a trunk, a port gets another number.
    let mut others = ports.clone();
    others[3].tag = None;
    others[2].ofport = Some(20);
    others[1].ofport = Some(5);
    observed.bridges.get_mut(&bridge()).unwrap().ports = others;
    converge(&mut switch, &desired, &mut observed);
}

#[test]
fn an_endpoint_on_another_port_number_is_written_anew() {
    let mut switch = switch();
    let (desired, mut observed) = world(endpoints());
    converge(&mut switch, &desired, &mut observed);
    let (a, _) = endpoints().remove(0);
    observed.ports.get_mut(&a.endpoint()).unwrap().ofport = Some(21);
    let changes = converge(&mut switch, &desired, &mut observed);
    assert_eq!(changes.endpoints(), BTreeSet::from([a.endpoint()]));
    observed.ports.get_mut(&a.endpoint()).unwrap().ofport = None;
    let changes = converge(&mut switch, &desired, &mut observed);
    assert!(changes.added_flows.is_empty(), "{changes:#?}");
}

#[test]
fn one_mac_at_two_ports_goes_to_this_host_first_and_does_not_flap() {
    let mut switch = switch();
    let host: Attachment = Attachment { mac: mac("02:00:00:00:00:fe"), ..attachment("h", &[], 0) };
    let twins =
        ["x", "y"].map(|name| Attachment { mac: mac("02:00:00:00:00:77"), ..attachment(name, &[], 0) });
    let (desired, mut observed) = world([host].into_iter().chain(twins).zip([1, 2, 3]).collect());
    converge(&mut switch, &desired, &mut observed);
    switch.trace("in_port=p2,dl_src=02:00:00:00:00:77,dl_dst=02:00:00:00:00:fe,ip").goes_to(&["br0"]);
}

#[test]
fn members_beyond_one_group_and_back() {
    let mut switch = switch();
    let many = |count: u32| {
        let named = |nth| attachment(&format!("n{nth}"), &[], 0);
        world((1..=count).map(|nth| (named(nth), 100 + nth)).collect())
    };
    for count in [999, 64, 2100, 65, 1001, 3] {
        let (desired, mut observed) = many(count);
        converge(&mut switch, &desired, &mut observed);
        // This host is a member too. Nobody knows addresses of the others.
        let parts = |receivers: u32, reserved| match receivers > 64 {
            true => 1 + (100 + count) / 64 - 101 / 64 + 1 + reserved,
            false => 1,
        };
        let groups = switch.installed().groups().len();
        // Network 10 has a member, this host, at all times.
        assert_eq!(groups, (parts(count + 1, 1) + parts(count, 0) + 1) as usize, "{count} members");
    }
}

#[test]
fn what_is_foreign_stays() {
    let mut switch = switch();
    let foreign: Vec<Match> = vec![
        Match::any(),
        Match::builder().in_port(PortNo(1)).build().unwrap(),
        Match::builder().metadata(10u64).build().unwrap(),
    ];
    let group = GroupMod::add(7, GroupType::ALL, [Bucket::new([Action::output(PortNo(2))])]);
    let theirs = foreign.iter().enumerate().map(|(nth, matches)| {
        // One cookie differs from ours in a single bit.
        let cookie = [0, 1, 0xf10e << 48 | 5][nth];
        FlowMod::add(u8::try_from(nth).unwrap(), 7, matches.clone())
            .cookie(cookie)
            .apply([Action::group(GroupId(7))])
            .into()
    });
    switch.send([group.into()].into_iter().chain(theirs).collect());
    let seen = |switch: &Switch| {
        let flows = switch.ovs.ofctl(&["dump-flows", "br0", "--no-stats"]);
        let flows: BTreeSet<String> = flows
            .lines()
            .filter(|line| line.contains("group:7"))
            .map(|line| line.trim().to_owned())
            .collect();
        let groups = switch.ovs.ofctl(&["dump-groups", "br0"]);
        (flows, groups.lines().any(|line| line.contains("group_id=7,")))
    };
    let before = seen(&switch);
    assert_eq!((before.0.len(), before.1), (3, true), "{before:?}");

    let (mut desired, mut observed) = world(endpoints());
    converge(&mut switch, &desired, &mut observed);
    assert_eq!(seen(&switch), before);
    desired.attachments.clear();
    observed.bridges.get_mut(&bridge()).unwrap().ports.clear();
    converge(&mut switch, &desired, &mut observed);
    assert_eq!(seen(&switch), before);
}

#[test]
fn a_command_leaves_the_flow_entries_of_other_endpoints() {
    let mut switch = switch();
    let (all, mut observed) = world(endpoints());
    converge(&mut switch, &all, &mut observed);
    let (a, _) = endpoints().remove(0);
    let others = |switch: &mut Switch| {
        let mut installed = switch.installed();
        installed.apply(&FlowChanges {
            deleted_endpoints: BTreeSet::from([a.endpoint()]),
            deleted_groups: installed.groups().keys().copied().collect(),
            ..FlowChanges::default()
        });
        installed
    };
    let before = others(&mut switch);
    let mut one = Desired { scope: Scope::Only(BTreeSet::from([a.endpoint()])), ..all.clone() };
    assert!(planned(&mut switch, &one, &mut observed).is_empty());
    one.attachments.clear();
    converge(&mut switch, &one, &mut observed);
    assert_eq!(others(&mut switch), before);
    assert!(!switch.installed().has_flows_of(a.endpoint()));
}

#[test]
fn a_bridge_that_is_not_managed_is_left_alone() {
    let mut switch = switch();
    let (desired, mut observed) = world(endpoints());
    observed.bridges.get_mut(&bridge()).unwrap().managed = false;
    observed.datapaths.insert(bridge(), Datapath::Read(switch.installed()));
    assert_eq!(plan::flows(&desired, &observed, &bridge()), Ok(None));
}

#[test]
fn what_rules_allow_reads_back_without_a_difference() {
    let mut switch = switch();
    let (mut desired, mut observed) = world(endpoints());
    let isolated = [0, 10, 300].map(|id| Vlan::try_from(id).unwrap());
    for rules in [
        &["any a any", "any b icmp", "any t tcp", "any c udp", "any d tcp/80", "any b udp/53"][..],
        &[
            "b a any",
            "a b icmp",
            "a t tcp",
            "d c udp",
            "c d tcp/80",
            "t b udp/53",
            "t d udp/53",
            "any t icmp",
        ],
        &["a b tcp", "b a tcp", "any b tcp"],
        &[],
    ] {
        // They go by what they were attached as.
        let rules = rules.iter().map(|rule| {
            let words: Vec<&str> = rule.split(' ').collect();
            let name = |word| if word == "any" { String::from("any") } else { format!("netns:{word}") };
            format!("{} {} {}", name(words[0]), name(words[1]), words[2]).parse().unwrap()
        });
        let policy = Policy { isolated: isolated.into(), rules: rules.collect() };
        observed.bridges.get_mut(&bridge()).unwrap().policy = policy;
        assert!(!converge(&mut switch, &desired, &mut observed).is_empty());
    }
    desired.attachments.clear();
    converge(&mut switch, &desired, &mut observed);
}
