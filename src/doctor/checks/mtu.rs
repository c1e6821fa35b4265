//! Packets that are too large for their way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::doctor::Facts;
use crate::model::{Attachment, TunnelKind, Vlan};
use crate::ovsdb::{SurveyedBridge, SurveyedPort};

use super::{Found, and_more, hint, named, problem};

/// A tag takes so many bytes inside a tunnel, beyond its overhead.
const TAG: u32 = 4;

/// A container's packets have to fit the ways out of its bridge, and its own veth.
pub(super) fn inside(facts: &Facts) -> Vec<Found> {
    let mut too_large: BTreeMap<(String, u32, u32, String), Vec<String>> = BTreeMap::new();
    for bridge in facts.bridges() {
        for (port, attachment) in bridge.endpoints() {
            let Some(inside) = facts.inside.get(&attachment.endpoint()).filter(|inside| inside.exists) else {
                continue;
            };
            let Some((fits, way)) = narrowest(facts, bridge, port, attachment) else { continue };
            if inside.mtu > fits {
                let key = (bridge.name.clone(), inside.mtu, fits, way);
                too_large.entry(key).or_default().push(named(attachment));
            }
        }
    }
    let lines = too_large.into_iter().map(|((bridge, mtu, fits, way), whose)| {
        problem(
            format!(
                "{bridge}: the MTU of {} is {mtu}, and {way} carries {fits}: larger packets are lost",
                and_more(&whose)
            ),
            format!("`ip link set INTERFACE mtu {fits}` inside, or detach and attach without --mtu"),
        )
    });
    lines.collect()
}

/// The least that a way from the endpoint carries, and which.
fn narrowest(
    facts: &Facts,
    bridge: &SurveyedBridge,
    port: &SurveyedPort,
    attachment: &Attachment,
) -> Option<(u32, String)> {
    let own = facts.link(&port.name).map(|link| (link.mtu, format!("its host end {}", port.name)));
    let ways = bridge.ways_out().filter_map(|way| match TunnelKind::from_interface_type(&way.kind) {
        Some(kind) => {
            let remote: IpAddr = way.option("remote_ip")?.parse().ok()?;
            let path = facts.paths.get(&remote)?.as_ref()?;
            let has_key = way.option("key").or(way.option("out_key")).is_some();
            let is_untagged = attachment.networks().all(|vlan| vlan == Vlan::UNTAGGED);
            let tag = if is_untagged { 0 } else { TAG };
            let fits = path.mtu.saturating_sub(kind.overhead(remote.is_ipv6(), has_key) + tag);
            Some((fits, format!("tunnel {} over {}", way.name, path.link.name)))
        }
        None if way.is_link() => Some((facts.link(&way.name)?.mtu, format!("link {}", way.name))),
        None => None,
    });
    own.into_iter().chain(ways).min_by_key(|(fits, _)| *fits)
}

/// On one network nobody tells the sender that the receiver takes less.
pub(super) fn mixed(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let mut networks: BTreeMap<Vlan, BTreeSet<u32>> = BTreeMap::new();
        for (_, attachment) in bridge.endpoints() {
            let inside = facts.inside.get(&attachment.endpoint()).filter(|inside| inside.exists);
            networks.entry(attachment.vlan).or_default().extend(inside.map(|inside| inside.mtu));
        }
        for (vlan, mtus) in networks {
            if let (Some(least), Some(most)) = (mtus.first(), mtus.last().filter(|_| mtus.len() > 1)) {
                found.push(hint(
                    format!("{}: containers of VLAN {vlan} have MTUs from {least} to {most}: larger packets to smaller ones are lost", bridge.name),
                    format!("give all of them --mtu={least}"),
                ));
            }
        }
    }
    found
}
