#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use flowport_openflow::{Action, Match, PortNo};

use super::flow::Does;
use super::*;
use crate::model::{Attachment, EndpointId, LinkName, OWN_COOKIES, Owner};

const TABLES: [&Table; 8] = [&CLASSIFY, &GUARD, &RESPOND, &POLICY, &FORWARD, &FLOOD, &OUTPUT, &RETURN];

fn attachment(name: &str, addresses: usize) -> Attachment {
    let (owner, interface): (Owner, LinkName) = (Owner::from(name), "eth1".parse().unwrap());
    let endpoint = EndpointId::of(&owner, &interface);
    let addresses: Vec<_> = (0..addresses)
        .map(|nth| {
            ipnet::IpNet::from(std::net::IpAddr::from(Ipv4Addr::new(
                10,
                0,
                0,
                u8::try_from(nth + 1).unwrap(),
            )))
        })
        .collect();
    Attachment {
        container: name.parse().unwrap(),
        bridge: "br0".parse().unwrap(),
        host_link: endpoint.host_link(),
        mac: Attachment::default_mac(endpoint, &addresses),
        owner,
        interface,
        addresses,
        gateways: vec![],
        routes: vec![],
        mtu: None,
        vlan: 5.try_into().unwrap(),
        trunks: vec![],
    }
}

#[test]
fn a_flow_entry_outside_its_tables_declaration_is_refused() {
    let by_mac = Match::builder().eth_dst(flowport_openflow::MacAddr([2; 6]));
    let refused = Flow::new(&CLASSIFY, 1, 0, by_mac, Does::goto(&GUARD)).unwrap_err();
    assert_eq!(refused.to_string(), "table classify does not match eth_dst");
    let back = Flow::new(&FORWARD, 1, 0, Match::builder(), Does::goto(&GUARD)).unwrap_err();
    assert_eq!(back, UndeclaredFlow::GoTo { table: "forward", to: GUARD.id });
    // Only the source: its prerequisite cannot be guessed twice.
    let torn = Match::builder().ipv4().ipv6();
    assert!(matches!(Flow::new(&GUARD, 1, 0, torn, Does::default()), Err(UndeclaredFlow::Match { .. })));
    let drops = Flow::new(&FLOOD, 1, 7, Match::builder(), Does::apply([Action::output(PortNo(1))])).unwrap();
    assert_eq!((drops.key.table_id, drops.cookie.0), (FLOOD.id, 7));
}

#[test]
fn tables_lead_forward_to_tables_that_are_declared() {
    let declared: BTreeSet<u8> = TABLES.iter().map(|table| table.id.0).collect();
    assert_eq!(declared.len(), TABLES.len());
    for table in TABLES {
        for to in table.goes_to {
            assert!(*to > table.id.0 && declared.contains(to), "{} to {to}", table.name);
        }
    }
}

#[test]
fn an_endpoint_contributes_a_constant_number_of_flow_entries_under_its_cookie() {
    // Ports and names make no difference; each further IPv4 address adds its sender's two and its answer.
    for (addresses, flows) in [(0, 3), (1, 8), (2, 11), (9, 32)] {
        for (name, port) in [("a", 1), ("b", 65_000)] {
            let attachment = attachment(name, addresses);
            let made = endpoint_flows(&attachment, PortNo(port)).unwrap();
            assert_eq!(made.len(), flows, "{addresses} addresses");
            let cookies: BTreeSet<u64> = made.iter().map(|flow| flow.cookie.0).collect();
            assert_eq!(cookies, BTreeSet::from([attachment.endpoint().cookie()]));
            let keys: std::collections::HashSet<_> = made.iter().map(|flow| &flow.key).collect();
            assert_eq!(keys.len(), made.len(), "no two are the same entry");
            assert_eq!(attachment.endpoint().cookie() & OWN_COOKIES, OWN_COOKIES);
        }
    }
}

#[test]
fn no_two_endpoints_share_a_flow_entry() {
    let mut keys = std::collections::HashSet::new();
    for nth in 0..200u32 {
        let mut attachment = attachment(&format!("c{nth}"), 0);
        attachment.addresses =
            vec![ipnet::IpNet::from(std::net::IpAddr::from(Ipv4Addr::from(0x0a00_0001 + nth)))];
        attachment.mac = Attachment::default_mac(attachment.endpoint(), &attachment.addresses);
        for flow in endpoint_flows(&attachment, PortNo(nth + 1)).unwrap() {
            assert!(keys.insert(flow.key));
        }
    }
}

#[test]
fn groups_are_ours_by_number_whatever_their_network_and_size() {
    for (vlan, count) in [(0, 1), (4095, 1000), (7, 1001), (4095, 14_000)] {
        let members = (1..=count).map(|port| Receiver { port: PortNo(port), tagged: port % 2 == 0 });
        let members: BTreeSet<Receiver> = members.collect();
        let network =
            Network { vlan: vlan.try_into().unwrap(), open: members.clone(), members, ..Network::default() };
        let groups = network.groups();
        let ids: BTreeSet<_> = groups.iter().map(|group| group.id).collect();
        assert_eq!(ids.len(), groups.len());
        assert!(ids.iter().all(|id| owns_group(*id)), "{ids:?}");
        let outputs = groups
            .iter()
            .flat_map(|group| &group.buckets)
            .filter(|bucket| bucket.actions.iter().any(|action| matches!(action, Action::Output(_))));
        assert_eq!(outputs.count(), 2 * usize::try_from(count).unwrap(), "each once, in both kinds");
    }
    for id in [0, 7, 0xe000_0000, 0xffff_ff01, 0xffff_fffc, 0xffff_ffff] {
        assert!(!owns_group(flowport_openflow::GroupId(id)), "{id:#x}");
    }
}
