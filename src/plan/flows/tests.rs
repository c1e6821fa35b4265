use std::sync::Arc;

use flowport_ovsdb::Uuid;

use super::*;
use crate::model::{Attachment, Owner, Policy, Sandbox};
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
