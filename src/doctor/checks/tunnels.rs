//! Tunnels that lead nowhere, or back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::doctor::Facts;
use crate::model::TunnelKind;
use crate::netlink::Path;
use crate::ovsdb::{SurveyedBridge, SurveyedPort};

use super::{Found, problem};

/// The remote has to be another host, on a way that is not the tunnel itself, and in one tunnel only.
pub(super) fn remote(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let mut remotes: BTreeMap<IpAddr, &SurveyedPort> = BTreeMap::new();
        for (port, remote) in tunnels(bridge) {
            let tunnel = format!("{}: tunnel {}", bridge.name, port.name);
            if facts.addresses.iter().any(|own| own.address.addr() == remote) {
                found.push(problem(
                    format!("{tunnel} leads to {remote}, which is this host itself"),
                    "make it with the other host's --remote",
                ));
                continue;
            }
            match facts.paths.get(&remote) {
                Some(None) => found.push(problem(
                    format!("{tunnel} leads to {remote}, and this host has no route there"),
                    "give this host an address or a route on the way to it",
                )),
                Some(Some(path)) if is_on(bridge, &path.link.name) && !has_link(bridge) => {
                    found.push(problem(
                        format!(
                            "{tunnel}: the way to {remote} is by {}, which is the tunnel's own bridge",
                            path.link.name
                        ),
                        format!("have {remote} routed by the link that leads to it"),
                    ));
                }
                _ => {}
            }
            if let Some(first) = remotes.insert(remote, port) {
                found.push(problem(
                    format!("{tunnel} and {} both lead to {remote}: all that is for many arrives twice, or goes round", first.name),
                    format!("`ovs-vsctl del-port {} {}`", bridge.name, port.name),
                ));
            }
        }
    }
    found
}

/// ovs-vswitchd wraps and sends the packets of a userspace bridge by itself: by a userspace bridge that has this host's
/// address, and the link to the other host in it.
pub(super) fn underlay(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges().iter().filter(|bridge| bridge.userspace) {
        for (port, remote) in tunnels(bridge) {
            let Some(Some(path)) = facts.paths.get(&remote) else { continue };
            if facts.addresses.iter().any(|own| own.address.addr() == remote) {
                continue;
            }
            let link = &path.link.name;
            let tunnel = format!("{}: tunnel {}", bridge.name, port.name);
            match facts.bridges().iter().find(|under| under.userspace && is_on(under, link)) {
                None => found.push(problem(
                    format!("{tunnel}: the way to {remote} is by {link}, which a userspace datapath cannot send by"),
                    move_to_a_bridge(facts, path),
                )),
                Some(under) if under.ways_out().next().is_none() => found.push(problem(
                    format!("{tunnel}: {} has this host's address and no link to {remote}", under.name),
                    format!("`ovs-vsctl add-port {} LINK`", under.name),
                )),
                Some(_) => {}
            }
        }
    }
    found
}

fn move_to_a_bridge(facts: &Facts, path: &Path) -> String {
    let link = &path.link.name;
    let address = facts.addresses_of(link).find(|address| Some(address.addr()) == path.source);
    let address = address.map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
    format!(
        "take the address off {link}, then `flowport add-br br-underlay --datapath=netdev --uplink={link} --address={address}`"
    )
}

fn tunnels(bridge: &SurveyedBridge) -> impl Iterator<Item = (&SurveyedPort, IpAddr)> {
    let tunnels = bridge.ports.iter().filter(|port| TunnelKind::from_interface_type(&port.kind).is_some());
    tunnels.filter_map(|port| Some((port, port.option("remote_ip")?.parse().ok()?)))
}

/// Whether the link is one that the bridge makes for this host.
fn is_on(bridge: &SurveyedBridge, link: &str) -> bool {
    bridge.ports.iter().any(|port| port.kind == "internal" && port.name == link)
}

/// Whether the bridge has a way out that is no tunnel.
fn has_link(bridge: &SurveyedBridge) -> bool {
    bridge.ways_out().any(|port| TunnelKind::from_interface_type(&port.kind).is_none())
}
