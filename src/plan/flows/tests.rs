use std::sync::Arc;

use flowport_ovsdb::Uuid;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::{Attachment, Owner, Policy, Rule, Sandbox};
use crate::state::{Bridge, PortRow};

/// A managed bridge whose local port has this MAC, with a port for each attachment.
fn world(local_mac: &str, attachments: &[&str]) -> (Desired, Observed, LinkName) {
    let bridge: LinkName = "br0".parse().unwrap();
    let local = BridgePort {
        name: "br0".into(),
        ofport: Some(PortNo::LOCAL.0),
        ofport_request: None,
        tag: None,
        kind: PortKind::Host(local_mac.parse().ok()),
        tunnel: None,
    };
    let row = Uuid::from_u128(1);
    let mut observed = Observed::default();
    let made = Bridge {
        row,
        managed: true,
        secure: true,
        made: true,
        userspace: true,
        ports: vec![local],
        bonds: Default::default(),
        links: BTreeMap::new(),
        policy: Policy::default(),
    };
    observed.bridges.insert(bridge.clone(), made);
    observed.datapaths.insert(bridge.clone(), Datapath::Read(Installed::default()));
    let mut desired = Desired::default();
    for (nth, words) in attachments.iter().enumerate() {
        let words: crate::intent::AddPort = serde_json::from_str(words).unwrap();
        let owner = Owner::from(format!("c{nth}").as_str());
        let attachment: Arc<Attachment> =
            Arc::new(words.into_attachment(bridge.clone(), owner.clone()).unwrap());
        let sandbox = Sandbox { owner: owner.clone(), netns: "/".into(), inode: 1, pid: None };
        observed.running.insert(owner, sandbox);
        let port = PortRow {
            port: row,
            interface: row,
            bridge: bridge.clone(),
            ofport: u32::try_from(nth + 1).ok(),
            ofport_request: None,
            error: None,
            recorded: false,
            attachment: Arc::clone(&attachment),
        };
        observed.ports.insert(attachment.endpoint(), port);
        desired.attachments.insert(attachment.endpoint(), attachment);
    }
    (desired, observed, bridge)
}

fn installed<'a>(observed: &'a Observed, bridge: &LinkName) -> &'a Installed {
    let Datapath::Read(installed) = &observed.datapaths[bridge] else { panic!("it was read") };
    installed
}

fn settle(desired: &Desired, observed: &mut Observed, bridge: &LinkName) -> FlowChanges {
    let changes = flows(desired, observed, bridge).unwrap().unwrap();
    let mut installed = installed(observed, bridge).clone();
    installed.apply(&changes);
    observed.datapaths.insert(bridge.clone(), Datapath::Read(installed));
    changes
}

#[test]
fn what_is_applied_is_not_planned_again_even_when_a_container_has_the_mac_of_the_host() {
    let container = r#"{"interface":"eth1","container":"c0","macaddress":"02:00:00:00:00:01"}"#;
    let (desired, mut observed, bridge) = world("02:00:00:00:00:01", &[container]);
    assert!(!settle(&desired, &mut observed, &bridge).is_empty());
    assert!(settle(&desired, &mut observed, &bridge).is_empty(), "of two entries of one key one is wanted");
}

#[test]
fn who_wants_what_another_has_gets_it_when_that_one_goes() {
    let twin = |name| format!(r#"{{"interface":"eth1","container":"{name}","ipaddress":"10.0.0.1/24"}}"#);
    let twins = [twin("c0"), twin("c1")];
    let (desired, mut observed, bridge) = world("02:00:00:00:00:fe", &twins.each_ref().map(String::as_str));
    settle(&desired, &mut observed, &bridge);
    let mut plan = FlowPlan::new(&desired, &observed, &bridge).unwrap();
    let first = *observed.ports.keys().next().unwrap();
    observed.ports.remove(&first);
    let touched = BTreeSet::from([first]);
    let (partial, full) = both_ways(&mut plan, (&desired, &observed, &bridge), &touched);
    assert_eq!(partial, None, "all are looked at");
    assert!(full.endpoints().len() == 2 && !full.added_flows.is_empty(), "{full:#?}");
}

#[test]
fn the_flows_of_an_endpoint_are_known_until_the_last_of_them_is_deleted() {
    let container = r#"{"interface":"eth1","container":"c0","ipaddress":"10.0.0.1/24"}"#;
    let (mut desired, mut observed, bridge) = world("02:00:00:00:00:fe", &[container]);
    let endpoint = *desired.attachments.keys().next().unwrap();
    settle(&desired, &mut observed, &bridge);
    assert!(installed(&observed, &bridge).has_flows_of(endpoint));
    desired.attachments.clear();
    settle(&desired, &mut observed, &bridge);
    assert!(!installed(&observed, &bridge).has_flows_of(endpoint));
}

#[test]
fn nothing_comes_or_goes_by_the_links_of_a_bond() {
    let (desired, mut observed, bridge) = world("02:00:00:00:00:fe", &[]);
    let without = flows(&desired, &observed, &bridge).unwrap();
    let port = |nth, kind| BridgePort {
        name: format!("eth{nth}"),
        ofport: Some(nth),
        ofport_request: None,
        tag: None,
        kind,
        tunnel: None,
    };
    let ports = |observed: &mut Observed, ports: [BridgePort; 2]| {
        let local = observed.bridges[&bridge].ports[0].clone();
        observed.bridges.get_mut(&bridge).unwrap().ports = [vec![local], ports.to_vec()].concat();
    };
    ports(&mut observed, [port(1, PortKind::Bond), port(2, PortKind::Bond)]);
    assert_eq!(flows(&desired, &observed, &bridge).unwrap(), without);
    ports(&mut observed, [port(1, PortKind::Uplink), port(2, PortKind::Bond)]);
    assert_ne!(flows(&desired, &observed, &bridge).unwrap(), without);
}

/// A kind of endpoint, many of which a network may have.
const KINDS: [&str; 3] = [
    r#""vlan":9,"ipaddress":"10.0.N.M/16""#,
    r#""vlan":9"#,
    // Its addresses are known in one of its networks.
    r#""trunk":9,"ipaddress":"10.1.N.M/16""#,
];

/// How many there are of each kind: few, or about as many as make another kind of group.
fn counts() -> impl Strategy<Value = [usize; 3]> {
    let many = || select(vec![0, 1, 2, 63, 64, 65, 66, 255, 256, 257]);
    (many(), many(), select(vec![0, 1, 2, 64, 66]))
        .prop_map(|(guarded, open, trunks)| [guarded, open, trunks])
}

/// A world with all that there may be, and how to have so many of each kind in it.
struct Many {
    desired: Desired,
    observed: Observed,
    bridge: LinkName,
    all: [Vec<(EndpointId, PortRow)>; 3],
}

impl Many {
    fn new() -> Self {
        let words = |(kind, nth): (usize, usize)| {
            let words =
                KINDS[kind].replace('N', &(nth / 250).to_string()).replace('M', &(nth % 250 + 1).to_string());
            format!(r#"{{"interface":"eth1","container":"c{kind}-{nth}",{words}}}"#)
        };
        let each: Vec<String> =
            (0..257).flat_map(|nth| (0..3).map(move |kind| (kind, nth))).map(words).collect();
        let each: Vec<&str> = each.iter().map(String::as_str).collect();
        let (desired, observed, bridge) = world("02:00:00:00:00:fe", &each);
        let mut all = [vec![], vec![], vec![]];
        let mut rows: Vec<_> =
            observed.ports.iter().map(|(endpoint, row)| (*endpoint, row.clone())).collect();
        rows.sort_by_key(|(_, row)| row.ofport);
        for (nth, row) in rows.into_iter().enumerate() {
            all[nth % 3].push(row);
        }
        Self { desired, observed, bridge, all }
    }

    /// Has so many of each. Returns those that came or went.
    fn have(&mut self, counts: [usize; 3]) -> BTreeSet<EndpointId> {
        let mut touched = BTreeSet::new();
        for (of, count) in self.all.iter().zip(counts) {
            for (nth, (endpoint, row)) in of.iter().enumerate() {
                let had = self.observed.ports.contains_key(endpoint);
                if had == (nth < count) {
                    continue;
                }
                touched.insert(*endpoint);
                match had {
                    true => drop(self.observed.ports.remove(endpoint)),
                    false => drop(self.observed.ports.insert(*endpoint, row.clone())),
                }
            }
        }
        touched
    }
}

/// What is planned for these alone, after what is planned for all was done; and what is planned for all.
fn both_ways(
    plan: &mut FlowPlan,
    (desired, observed, bridge): (&Desired, &Observed, &LinkName),
    touched: &BTreeSet<EndpointId>,
) -> (Option<FlowChanges>, FlowChanges) {
    let affected = plan.update(desired, observed, bridge, touched).unwrap();
    let anew = FlowPlan::new(desired, observed, bridge).unwrap();
    let installed = installed(observed, bridge);
    let full = sorted(anew.difference(&desired.scope, installed).unwrap());
    let partial = affected.map(|affected| {
        assert_eq!(*plan, anew);
        plan.difference_of(touched, &affected, &desired.scope, installed).unwrap()
    });
    *plan = anew;
    (partial.flatten().map(sorted), full)
}

fn sorted(mut changes: FlowChanges) -> FlowChanges {
    let order = |flow: &Flow| format!("{:?}", flow.key);
    changes.deleted_flows.sort_by_cached_key(|flow| format!("{flow:?}"));
    changes.added_flows.sort_by_cached_key(order);
    changes.modified_flows.sort_by_cached_key(order);
    changes.added_groups.sort_by_key(|group| group.id);
    changes.modified_groups.sort_by_key(|group| group.id);
    changes.deleted_groups.sort();
    changes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn groups_of_any_size_are_kept_as_they_would_be_made(sizes in proptest::collection::vec(counts(), 2..5)) {
        let mut many = Many::new();
        many.have([0, 0, 1]);
        settle(&many.desired, &mut many.observed, &many.bridge);
        let mut plan = FlowPlan::new(&many.desired, &many.observed, &many.bridge).unwrap();
        for counts in sizes {
            // One trunk keeps its network.
            let touched = many.have([counts[0], counts[1], counts[2].max(1)]);
            let (partial, full) = both_ways(&mut plan, (&many.desired, &many.observed, &many.bridge), &touched);
            prop_assert_eq!(partial.as_ref(), Some(&full));
            settle(&many.desired, &mut many.observed, &many.bridge);
        }
    }
}

#[test]
fn the_last_that_all_fit_in_one_group_of_and_the_next() {
    let mut many = Many::new();
    many.have([257, 64, 1]);
    settle(&many.desired, &mut many.observed, &many.bridge);
    let mut plan = FlowPlan::new(&many.desired, &many.observed, &many.bridge).unwrap();
    for open in [65, 64, 65, 63, 66] {
        let touched = many.have([257, open, 1]);
        let (partial, full) = both_ways(&mut plan, (&many.desired, &many.observed, &many.bridge), &touched);
        assert_eq!(partial.as_ref(), Some(&full), "{open} whose addresses nobody knows");
        settle(&many.desired, &mut many.observed, &many.bridge);
    }
}

/// What is attached in the worlds with rules: ordinary ones, a trunk, one with the MAC of another of
/// another network, two of one container, and two that want what others have.
const PARTIES: [&str; 9] = [
    r#"{"interface":"eth1","container":"a","ipaddress":"10.0.0.1/24"}"#,
    r#"{"interface":"eth1","container":"b","ipaddress":"10.0.0.2/24"}"#,
    r#"{"interface":"eth1","container":"c","vlan":9}"#,
    r#"{"interface":"eth1","container":"t","ipaddress":"10.0.0.4/24","trunk":[9,10]}"#,
    r#"{"interface":"eth1","container":"m","macaddress":"02:42:0a:00:00:02","vlan":10}"#,
    r#"{"interface":"eth1","container":"a","ipaddress":"10.0.9.1/24","vlan":9}"#,
    r#"{"interface":"eth1","container":"d","ipaddress":"10.0.0.6/24","vlan":7}"#,
    r#"{"interface":"eth1","container":"e","ipaddress":"10.0.0.2/24","macaddress":"02:42:0a:00:00:77"}"#,
    r#"{"interface":"eth1","container":"f","ipaddress":"10.0.0.8/24","macaddress":"02:42:0a:00:00:01"}"#,
];

fn rule() -> impl Strategy<Value = Rule> {
    let from = select(vec!["any", "a", "b", "c", "t", "m"]);
    let traffic = select(vec!["any", "icmp", "tcp", "udp", "tcp/80", "udp/53"]);
    (from, select(vec!["a", "b", "c", "t", "m"]), traffic)
        .prop_map(|(from, to, traffic)| format!("{from} {to} {traffic}").parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn entries_of_rules_are_kept_as_they_would_be_made(
        rules in proptest::collection::vec(rule(), 0..5),
        isolated in proptest::collection::btree_set(select(vec![0, 9, 10]), 0..3),
        steps in proptest::collection::vec((0..512u32, 0..12u32), 1..8),
    ) {
        let (desired, mut observed, bridge) = world("02:00:00:00:00:fe", &PARTIES);
        let isolated = isolated.into_iter().map(|id| Vlan::try_from(id).unwrap()).collect();
        observed.bridges.get_mut(&bridge).unwrap().policy = Policy { isolated, rules };
        let all: Vec<_> = observed.ports.iter().map(|(endpoint, row)| (*endpoint, row.clone())).collect();
        let mut plan = FlowPlan::new(&desired, &observed, &bridge).unwrap();
        settle(&desired, &mut observed, &bridge);
        for (there, renumbered) in steps {
            let mut touched = BTreeSet::new();
            for (nth, (endpoint, row)) in all.iter().enumerate() {
                let mut row = row.clone();
                row.ofport = row.ofport.map(|port| if renumbered as usize == nth { port + 100 } else { port });
                let before = observed.ports.get(endpoint).cloned();
                let now = (there & 1 << nth != 0).then_some(row);
                if before == now {
                    continue;
                }
                touched.insert(*endpoint);
                match now {
                    Some(row) => drop(observed.ports.insert(*endpoint, row)),
                    None => drop(observed.ports.remove(endpoint)),
                }
            }
            let (partial, full) = both_ways(&mut plan, (&desired, &observed, &bridge), &touched);
            // When much is other it says so.
            if let Some(partial) = partial {
                prop_assert_eq!(&partial, &full);
            }
            settle(&desired, &mut observed, &bridge);
        }
    }
}

#[test]
fn what_a_port_costs_does_not_grow_with_the_others_when_a_rule_is_about_all() {
    let mut many = Many::new();
    let policy = Policy {
        isolated: BTreeSet::from([9.try_into().unwrap()]),
        rules: vec!["any c0-1 tcp/80".parse().unwrap(), "c0-3 c0-2 udp".parse().unwrap()],
    };
    many.observed.bridges.get_mut(&many.bridge).unwrap().policy = policy;
    let mut sizes = Vec::new();
    for count in [100, 200] {
        many.have([count, 0, 1]);
        settle(&many.desired, &mut many.observed, &many.bridge);
        sizes.push(installed(&many.observed, &many.bridge).flow_count());
    }
    assert_eq!(sizes[1] - sizes[0], 100 * 8);
    let mut plan = FlowPlan::new(&many.desired, &many.observed, &many.bridge).unwrap();
    let touched = many.have([201, 0, 1]);
    let (partial, full) = both_ways(&mut plan, (&many.desired, &many.observed, &many.bridge), &touched);
    assert_eq!(partial.as_ref(), Some(&full));
    assert_eq!(full.added_flows.len(), 8);
    // Who is named goes, and its entries with it.
    settle(&many.desired, &mut many.observed, &many.bridge);
    let (c0_2, _) = many.all[0][2].clone();
    many.observed.ports.remove(&c0_2);
    let touched = BTreeSet::from([c0_2]);
    let (partial, full) = both_ways(&mut plan, (&many.desired, &many.observed, &many.bridge), &touched);
    assert_eq!(partial.as_ref(), Some(&full));
    assert!(!full.deleted_flows.is_empty());
}

#[test]
fn bridges_and_networks_have_parts_of_the_connection_tracker_of_their_own() {
    let zones: BTreeSet<u16> = (0..8)
        .flat_map(|nth| {
            [0, 10, 20, 30].map(|id| (format!("br{nth}").parse().unwrap(), id.try_into().unwrap()))
        })
        .map(|(bridge, vlan)| zone(Some(&bridge), vlan))
        .collect();
    assert_eq!(zones.len(), 32);
    assert!(zones.iter().all(|zone| *zone >= 0x8000), "the others are not ours");
}
