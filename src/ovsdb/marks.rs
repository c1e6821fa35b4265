//! The marks in `external_ids` by which Flowport knows its rows again.
//!
//! An Interface row carries the whole attachment, so that the daemon adopts ports that were made without it.
//! `container_id` and `container_iface` are spelled as `ovs-docker` spells them.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use flowport_ovsdb_schema::open_vswitch::{Port, PortVlanMode};
use ipnet::IpNet;

use crate::model::{
    Attachment, BridgeSpec, ContainerRef, EndpointId, LinkName, Mac, Owner, Policy, Rule, Vlan,
};

/// Of an Interface row: the container's identity.
const CONTAINER_ID: &str = "container_id";
/// Of an Interface row: the interface's name inside.
const CONTAINER_IFACE: &str = "container_iface";
/// Of an Interface row: the container in the user's words.
const CONTAINER: &str = "flowport-container";
/// Of an Interface row, the container's; of a Bridge row, its local port's.
const ADDRESSES: &str = "flowport-addresses";
const GATEWAYS: &str = "flowport-gateways";
const ROUTES: &str = "flowport-routes";
const MAC: &str = "flowport-mac";
const MTU: &str = "flowport-mtu";

/// Of an Interface row: set when a daemon has the attachment on record.
pub(super) const RECORDED: &str = "flowport-recorded";
/// Of the Open_vSwitch row, with an endpoint behind it: the port was on record, and was detached while no daemon ran.
const DETACHED: &str = "flowport-detached-";

/// Of a Bridge row: who forwards on it, [`MANAGED`] or [`PLAIN`].
pub(super) const BRIDGE: &str = "flowport";
/// Flowport forwards.
pub(super) const MANAGED: &str = "managed";
/// Open vSwitch forwards by itself.
pub(super) const PLAIN: &str = "plain";
/// Of a Bridge row, with a VLAN behind it: its containers are kept apart.
const ISOLATED: &str = "flowport-isolated-";
/// Of a Bridge row, with a rule behind it: what they may all the same.
const ALLOW: &str = "flowport-allow ";
/// Of a Bridge row: set when Flowport made it.
pub(super) const MADE: &str = "flowport-made";
/// Of an Interface row: it is the uplink of a bridge that Flowport made, which sets the link up.
pub(super) const UPLINK: &str = "flowport-uplink";

/// The marks of an attachment's Interface row.
pub(super) fn of_attachment(attachment: &Attachment) -> BTreeMap<String, String> {
    let Attachment { owner, container, interface, addresses, gateways, routes, mac, mtu, .. } = attachment;
    let mut marks = BTreeMap::from([
        (CONTAINER_ID.to_owned(), owner.to_string()),
        (CONTAINER_IFACE.to_owned(), interface.to_string()),
        (CONTAINER.to_owned(), container.to_string()),
        (MAC.to_owned(), mac.to_string()),
    ]);
    for (name, values) in
        [(ADDRESSES, joined(addresses)), (GATEWAYS, joined(gateways)), (ROUTES, joined(routes))]
    {
        if !values.is_empty() {
            marks.insert(name.to_owned(), values);
        }
    }
    marks.extend(mtu.map(|mtu| (MTU.to_owned(), mtu.to_string())));
    marks
}

/// The marks of a bridge that Flowport makes.
pub(super) fn of_bridge(spec: &BridgeSpec) -> BTreeMap<String, String> {
    let forwarder = if spec.managed { MANAGED } else { PLAIN };
    let mut marks = BTreeMap::from(
        [(BRIDGE, forwarder), (MADE, "true")].map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    if !spec.addresses.is_empty() {
        marks.insert(ADDRESSES.to_owned(), joined(&spec.addresses));
    }
    marks
}

/// The addresses that a Bridge row says its local port is to have.
pub(super) fn addresses(marks: &BTreeMap<String, String>) -> Vec<IpNet> {
    split(marks.get(ADDRESSES))
}

/// The mark of a network whose containers are kept apart.
pub(super) fn isolated(vlan: Vlan) -> String {
    format!("{ISOLATED}{vlan}")
}

/// The mark of a rule.
pub(super) fn allow(rule: &Rule) -> String {
    format!("{ALLOW}{rule}")
}

/// The policy that a Bridge row tells of.
pub(super) fn policy(marks: &BTreeMap<String, String>) -> Policy {
    let isolated = marks.keys().filter_map(|mark| mark.strip_prefix(ISOLATED)?.parse().ok());
    let rules = marks.keys().filter_map(|mark| mark.strip_prefix(ALLOW)?.parse().ok());
    Policy { isolated: isolated.collect(), rules: rules.collect() }
}

/// The columns `tag`, `trunks` and `vlan_mode` of an attachment's Port row.
pub(super) fn columns(attachment: &Attachment) -> (Option<i64>, BTreeSet<i64>, Option<PortVlanMode>) {
    let tag = attachment.vlan.tag();
    let mut trunks: BTreeSet<i64> = attachment.trunks.iter().map(|vlan| i64::from(*vlan)).collect();
    match (trunks.is_empty(), tag) {
        (true, _) => (tag, trunks, None),
        (false, Some(_)) => (tag, trunks, Some(PortVlanMode::NativeUntagged)),
        (false, None) => {
            // Of a trunk VLAN 0 is what has no tag.
            trunks.insert(0);
            (None, trunks, Some(PortVlanMode::Trunk))
        }
    }
}

/// The networks that a Port row tells of, the untagged and the tagged ones.
pub(super) fn networks(port: &Port) -> (Vlan, Vec<Vlan>) {
    let trunks = port.trunks.iter().filter_map(|vlan| Vlan::try_from(*vlan).ok());
    (Vlan::from_tag(port.tag), trunks.filter(|vlan| *vlan != Vlan::UNTAGGED).collect())
}

/// The mark that an endpoint was detached while no daemon ran.
pub(super) fn detached(endpoint: EndpointId) -> String {
    format!("{DETACHED}{endpoint}")
}

/// The endpoints that were detached while no daemon ran, by the marks of the Open_vSwitch row.
pub(super) fn all_detached(marks: &BTreeMap<String, String>) -> impl Iterator<Item = EndpointId> {
    marks.keys().filter_map(|mark| mark.strip_prefix(DETACHED)?.parse().ok())
}

/// The attachment that an Interface row tells of, with the name, bridge and networks that its Port row tells of.
///
/// Absent when the row is not marked. Marks that do not parse were written by somebody else and are left out.
pub(super) fn attachment(
    marks: &BTreeMap<String, String>,
    host_link: &str,
    bridge: &LinkName,
    (vlan, trunks): (Vlan, Vec<Vlan>),
) -> Option<Attachment> {
    let owner = Owner::from(marks.get(CONTAINER_ID).filter(|id| !id.is_empty())?.as_str());
    let interface: LinkName = marks.get(CONTAINER_IFACE)?.parse().ok()?;
    let container = marks.get(CONTAINER).unwrap_or(marks.get(CONTAINER_ID)?);
    let addresses: Vec<IpNet> = split(marks.get(ADDRESSES));
    let endpoint = EndpointId::of(&owner, &interface);
    let mac = marks.get(MAC).and_then(|mac| mac.parse::<Mac>().ok());
    Some(Attachment {
        container: container.parse().unwrap_or_else(|_| ContainerRef::Docker(container.clone())),
        bridge: bridge.clone(),
        host_link: host_link.to_owned(),
        gateways: split(marks.get(GATEWAYS)),
        routes: split(marks.get(ROUTES)),
        mac: mac.unwrap_or_else(|| Attachment::default_mac(endpoint, &addresses)),
        mtu: marks.get(MTU).and_then(|mtu| mtu.parse().ok()),
        addresses,
        owner,
        interface,
        vlan,
        trunks,
    })
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn split<T: FromStr>(values: Option<&String>) -> Vec<T> {
    values
        .into_iter()
        .flat_map(|values| values.split_whitespace())
        .filter_map(|value| value.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_survives_its_marks() {
        let words = r#"{"interface":"eth1","container":"c1","ipaddress":["10.0.0.2/24","fd00::2/64"],
            "gateway":["10.0.0.1"],"macaddress":"a2:c3:0d:49:7f:f8","mtu":1400,"vlan":5,"route":["10.1.0.0/16@10.0.0.9"]}"#;
        let words: crate::intent::AddPort = serde_json::from_str(words).unwrap();
        let bridge: LinkName = "br0".parse().unwrap();
        let attachment1 = words.into_attachment(bridge.clone(), Owner::from("c474a0e2830e")).unwrap();
        let marks = of_attachment(&attachment1);
        assert_eq!(
            attachment(&marks, &attachment1.host_link, &bridge, (attachment1.vlan, vec![])),
            Some(attachment1)
        );
    }

    #[test]
    fn a_row_of_ovs_docker_is_known() {
        let marks = [("container_id", "c474a0e2830e"), ("container_iface", "eth1")];
        let marks = marks.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let untagged = (Vlan::UNTAGGED, vec![]);
        let found = attachment(&marks, "0123456789abc_l", &"br0".parse().unwrap(), untagged.clone()).unwrap();
        assert_eq!(found.host_link, "0123456789abc_l");
        assert_eq!(found.container, ContainerRef::Docker("c474a0e2830e".into()));
        assert_eq!(attachment(&BTreeMap::new(), "eth0", &"br0".parse().unwrap(), untagged), None);
    }
}
