//! Loops: two ways from a bridge into one segment.

use std::collections::BTreeMap;

use crate::doctor::Facts;
use crate::netlink::Link;
use crate::ovsdb::{SurveyedBridge, SurveyedPort};

use super::{Found, problem};

/// What a broadcast goes round in, unless a spanning tree protocol cuts it.
pub(super) fn loops(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges().iter().filter(|bridge| !bridge.spanning_tree) {
        let mut ways: BTreeMap<Segment, Vec<&SurveyedPort>> = BTreeMap::new();
        for port in bridge.ports.iter().filter(|port| port.attachment.is_none()) {
            if let Some(segment) = segment(facts, bridge, port) {
                ways.entry(segment).or_default().push(port);
            }
        }
        for (segment, ports) in ways {
            let [first, second, ..] = &ports[..] else { continue };
            let (one, other) = (&first.name, &second.name);
            let by = match segment {
                Segment::LinuxBridge(name) => format!("Linux bridge {name}"),
                Segment::Bridge(name) => format!("bridge {name}"),
                Segment::Cable(..) => "the cable between them".to_owned(),
            };
            found.push(problem(
                format!("{}: its ports {one} and {other} lead into each other by {by}: broadcasts go round for ever", bridge.name),
                format!("`ovs-vsctl del-port {} {}`, or switch on rstp_enable", bridge.name, second.port),
            ));
        }
    }
    found
}

/// What two ports may have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// A bridge of the kernel's.
    LinuxBridge(String),
    /// Another bridge of Open vSwitch.
    Bridge(String),
    /// A veth pair, by the lesser of its names.
    Cable(String, String),
}

fn segment(facts: &Facts, bridge: &SurveyedBridge, port: &SurveyedPort) -> Option<Segment> {
    if port.kind == "patch" {
        let peer = port.option("peer")?;
        let other = facts.bridges().iter().find(|other| other.ports.iter().any(|port| port.name == peer))?;
        return Some(Segment::Bridge(other.name.clone()));
    }
    let link = facts.link(&port.name)?;
    if let Some(linux_bridge) = linux_bridge(facts, link) {
        return Some(linux_bridge);
    }
    let peer = peer(facts, link)?;
    if let Some(linux_bridge) = linux_bridge(facts, peer) {
        return Some(linux_bridge);
    }
    let other = facts.bridges().iter().find(|other| other.ports.iter().any(|port| port.name == peer.name))?;
    if other.name != bridge.name {
        return Some(Segment::Bridge(other.name.clone()));
    }
    let (one, two) = (link.name.clone().min(peer.name.clone()), link.name.clone().max(peer.name.clone()));
    Some(Segment::Cable(one, two))
}

/// The Linux bridge that the link is, or is a port of.
fn linux_bridge(facts: &Facts, link: &Link) -> Option<Segment> {
    let is_bridge = |link: &&Link| link.kind.as_deref() == Some("bridge");
    let master = link.master.and_then(|index| facts.links.iter().find(|link| link.index == index));
    let found = Some(link).filter(is_bridge).or(master.filter(is_bridge))?;
    Some(Segment::LinuxBridge(found.name.clone()))
}

/// The other end of a veth, when it is on this host.
fn peer<'a>(facts: &'a Facts, link: &Link) -> Option<&'a Link> {
    if link.kind.as_deref() != Some("veth") {
        return None;
    }
    let peer = link.peer.filter(|peer| peer.netns_id.is_none())?;
    facts.links.iter().find(|link| link.index == peer.index)
}
