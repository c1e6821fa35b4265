//! Flow entries and groups of a managed bridge that are missing, wrong, or nobody's any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use flowport_openflow::{Cookie, PortNo};

use crate::model::{EndpointId, LinkName, OWN_COOKIES, OWN_COOKIES_MASK, Vlan};
use crate::pipeline::{
    Flow, Group, Member, Network, Receiver, UndeclaredFlow, Uplink, UplinkKind, bridge_flows, endpoint_flows,
    network_flows,
};

use crate::state::{BridgePort, Datapath, Desired, FlowChanges, Installed, Observed, PortKind};

/// The changes of the bridge's datapath that this round can begin; none when the bridge is not managed, or its
/// datapath has not been read.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn flows(
    desired: &Desired,
    observed: &Observed,
    bridge: &LinkName,
) -> Result<Option<FlowChanges>, UndeclaredFlow> {
    let (Some(row), Some(Datapath::Read(installed))) =
        (observed.bridges.get(bridge), observed.datapaths.get(bridge))
    else {
        return Ok(None);
    };
    if !row.managed {
        return Ok(None);
    }
    let mut of_endpoints = Vec::new();
    let mut members: Vec<Member> = row.ports.iter().filter_map(host_port).collect();
    let mut networks = BTreeMap::from([(Vlan::UNTAGGED, Network::default())]);
    members.sort_by_key(|member| member.port);
    for member in &members {
        let network = networks.entry(member.vlan).or_default();
        network.hosts.push(member.port);
        network.members.push(Receiver { port: member.port, tagged: false });
    }
    for (endpoint, port) in observed.ports.iter().filter(|(_, row)| row.bridge == *bridge) {
        let Some(ofport) = port.ofport.map(PortNo) else { continue };
        // Of endpoints outside its scope a command knows that they are members, and no more.
        let attachment = match desired.scope.holds(*endpoint) {
            true if !desired.wants(*endpoint, observed) => continue,
            true => desired.attachments.get(endpoint).unwrap_or(&port.attachment),
            false => &port.attachment,
        };
        if attachment.bridge != *bridge {
            continue;
        }
        let tagged = attachment.trunks.iter().map(|vlan| (*vlan, true));
        for (vlan, tagged) in [(attachment.vlan, false)].into_iter().chain(tagged) {
            let (network, receiver) = (networks.entry(vlan).or_default(), Receiver { port: ofport, tagged });
            network.members.push(receiver);
            if tagged || !attachment.is_guarded() {
                network.open.push(receiver);
            }
        }
        if desired.scope.holds(*endpoint) {
            of_endpoints.extend(endpoint_flows(attachment, ofport)?);
        }
    }
    let uplinks: Vec<Uplink> = row.ports.iter().filter_map(uplink).collect();
    let vlans: Vec<Vlan> = networks.keys().copied().collect();
    // The bridge's own come first, so that no container takes the place of the host.
    let mut wanted = bridge_flows(&members, &uplinks, &vlans)?;
    wanted.extend(of_endpoints);
    let mut groups = Vec::new();
    for (vlan, mut network) in networks {
        network.vlan = vlan;
        network.members.sort();
        network.open.sort();
        let (flows, of_network) = network_flows(&network, &uplinks)?;
        wanted.extend(flows);
        groups.extend(of_network);
    }
    Ok(Some(difference(desired, installed, wanted, groups)))
}

fn host_port(port: &BridgePort) -> Option<Member> {
    let PortKind::Host(mac) = port.kind else { return None };
    Some(Member { port: PortNo(port.ofport?), vlan: port.tag.unwrap_or_default(), mac })
}

fn uplink(port: &BridgePort) -> Option<Uplink> {
    let kind = match (port.kind, port.tag) {
        (PortKind::Host(_), _) => return None,
        (PortKind::KeyedTunnel, _) => UplinkKind::Keyed,
        (PortKind::Uplink, Some(vlan)) => UplinkKind::Access(vlan),
        (PortKind::Uplink, None) => UplinkKind::Trunk,
    };
    Some(Uplink { port: PortNo(port.ofport?), kind, is_tunnel: port.tunnel.is_some() })
}

fn difference(
    desired: &Desired,
    installed: &Installed,
    wanted: Vec<Flow>,
    groups: Vec<Group>,
) -> FlowChanges {
    let mut changes = FlowChanges::default();
    let mut kept = BTreeSet::new();
    for group in groups {
        kept.insert(group.id);
        match installed.groups().get(&group.id) {
            None => changes.added_groups.push(group),
            Some(buckets) if *buckets != group.buckets => changes.modified_groups.push(group),
            Some(_) => {}
        }
    }
    // A group that names others comes after them, and before them in number.
    changes.added_groups.sort_by_key(|group| std::cmp::Reverse(group.id));
    changes.deleted_groups = installed.groups().keys().copied().filter(|id| !kept.contains(id)).collect();

    let mut wanted_keys = HashSet::with_capacity(wanted.len());
    let mut kept_endpoints = HashSet::new();
    for flow in wanted {
        // A datapath holds one entry of a key: of two that are wanted the first is, or each round would undo the last.
        if !wanted_keys.insert(flow.key.clone()) {
            continue;
        }
        kept_endpoints.extend(EndpointId::from_cookie(flow.cookie.0));
        match installed.flows().get(&flow.key) {
            Some((cookie, instructions)) if *cookie == flow.cookie && *instructions == flow.instructions => {}
            Some((cookie, _)) if *cookie == flow.cookie => changes.modified_flows.push(flow),
            _ => changes.added_flows.push(flow),
        }
    }
    let may_delete = |cookie: Cookie| {
        let ours = cookie.0 & OWN_COOKIES_MASK == OWN_COOKIES;
        ours && EndpointId::from_cookie(cookie.0).is_none_or(|endpoint| desired.scope.holds(endpoint))
    };
    for (key, (cookie, _)) in installed.flows() {
        if !may_delete(*cookie) || wanted_keys.contains(key) {
            continue;
        }
        match EndpointId::from_cookie(cookie.0).filter(|endpoint| !kept_endpoints.contains(endpoint)) {
            Some(endpoint) => drop(changes.deleted_endpoints.insert(endpoint)),
            None => changes.deleted_flows.push((key.clone(), *cookie)),
        }
    }
    changes
}

#[cfg(test)]
mod tests;
