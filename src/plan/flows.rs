//! Flow entries and groups of a managed bridge that are missing, wrong, or nobody's any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use flowport_openflow::{Cookie, FlowKey, GroupId, PortNo};

use crate::model::{Attachment, EndpointId, LinkName, OWN_COOKIES, OWN_COOKIES_MASK, Policy, Rule, Vlan};
use crate::pipeline::{
    Flow, Group, Member, Network, Party, Receiver, UndeclaredFlow, Uplink, UplinkKind, bridge_flows,
    endpoint_flows, network_flows, rule_flows,
};

use crate::state::{BridgePort, Datapath, Desired, FlowChanges, Installed, Observed, PortKind, Scope};

/// What the datapath of a managed bridge is to hold, kept from round to round so that a change costs what it touches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowPlan {
    members: Vec<Member>,
    uplinks: Vec<Uplink>,
    endpoints: BTreeMap<EndpointId, Wanted>,
    networks: BTreeMap<Vlan, Network>,
    policy: Policy,
    /// The bridge's part of the connection tracker.
    zones: u16,
}

/// An endpoint that has a port on the bridge.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    attachment: Arc<Attachment>,
    port: PortNo,
    /// Of endpoints outside its scope a command knows that they are members, and no more.
    in_scope: bool,
}

/// The changes of the bridge's datapath that this round can begin, from nothing; none when the bridge is not managed, or
/// its datapath has not been read.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn flows(
    desired: &Desired,
    observed: &Observed,
    bridge: &LinkName,
) -> Result<Option<FlowChanges>, UndeclaredFlow> {
    let plan = FlowPlan::new(desired, observed, bridge);
    match (plan, observed.datapaths.get(bridge)) {
        (Some(plan), Some(Datapath::Read(installed))) => plan.difference(&desired.scope, installed).map(Some),
        _ => Ok(None),
    }
}

impl FlowPlan {
    /// What is wanted of the bridge; none when it is not there, or not managed.
    pub fn new(desired: &Desired, observed: &Observed, bridge: &LinkName) -> Option<Self> {
        let row = observed.bridges.get(bridge).filter(|row| row.managed)?;
        let mut plan = Self {
            members: row.ports.iter().filter_map(host_port).collect(),
            uplinks: row.ports.iter().filter_map(uplink).collect(),
            policy: row.policy.clone(),
            zones: zones(bridge),
            ..Self::default()
        };
        plan.members.sort_by_key(|member| member.port);
        plan.network(Vlan::UNTAGGED);
        for Member { port, vlan, .. } in plan.members.clone() {
            let network = plan.network(vlan);
            network.hosts.insert(port);
            network.members.insert(Receiver { port, tagged: false });
        }
        for endpoint in observed.ports.keys() {
            if let Some(wanted) = wanted(desired, observed, bridge, *endpoint) {
                plan.join(&wanted);
                plan.endpoints.insert(*endpoint, wanted);
            }
        }
        Some(plan)
    }

    /// Looks at these endpoints again. Returns the ports that came, went or changed, by network; none when so much is
    /// other that the plan has to be made anew.
    pub fn update(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        bridge: &LinkName,
        endpoints: &BTreeSet<EndpointId>,
    ) -> Option<BTreeMap<Vlan, BTreeSet<PortNo>>> {
        // Rules are about pairs; bridges with rules are few, and so are their containers.
        if !self.policy.rules.is_empty() {
            return None;
        }
        let mut ports: BTreeMap<Vlan, BTreeSet<PortNo>> = BTreeMap::new();
        let mut joining = Vec::new();
        for endpoint in endpoints {
            let now = wanted(desired, observed, bridge, *endpoint);
            let before = self.endpoints.get(endpoint);
            if now.as_ref() == before {
                continue;
            }
            for wanted in before.into_iter().chain(&now) {
                for vlan in wanted.attachment.networks() {
                    ports.entry(vlan).or_default().insert(wanted.port);
                }
            }
            if let Some(before) = self.endpoints.remove(endpoint) {
                self.leave(&before);
            }
            joining.extend(now.map(|now| (*endpoint, now)));
        }
        // After all that leave: a port number may have passed from one to the other.
        for (endpoint, now) in joining {
            if now.attachment.networks().any(|vlan| !self.networks.contains_key(&vlan)) {
                return None;
            }
            self.join(&now);
            self.endpoints.insert(endpoint, now);
        }
        let is_used =
            |(vlan, network): (&Vlan, &Network)| *vlan == Vlan::UNTAGGED || !network.members.is_empty();
        self.networks.iter().all(is_used).then_some(ports)
    }

    fn rule_flows(&self) -> Result<Vec<Flow>, UndeclaredFlow> {
        let mut flows = Vec::new();
        for rule in &self.policy.rules {
            let some = |is_it: fn(&Rule, &Attachment) -> bool| {
                self.endpoints.values().filter(move |wanted| is_it(rule, &wanted.attachment))
            };
            for from in some(Rule::is_from) {
                for to in some(Rule::is_to).filter(|to| to.port != from.port) {
                    let isolated = |vlan: &Vlan| self.policy.isolated.contains(vlan);
                    let both = |vlan: &Vlan| to.attachment.networks().any(|other| other == *vlan);
                    for vlan in from.attachment.networks().filter(isolated).filter(both) {
                        let zone = self.zones | vlan.id();
                        flows.extend(rule_flows(vlan, zone, (from.party(), to.party()), rule.traffic)?);
                    }
                }
            }
        }
        Ok(flows)
    }

    fn network(&mut self, vlan: Vlan) -> &mut Network {
        let isolated = self.policy.isolated.contains(&vlan);
        self.networks.entry(vlan).or_insert_with(|| Network { vlan, isolated, ..Network::default() })
    }

    fn join(&mut self, wanted: &Wanted) {
        for (vlan, receiver, is_open) in wanted.places() {
            let network = self.network(vlan);
            network.members.insert(receiver);
            if is_open {
                network.open.insert(receiver);
            }
        }
    }

    fn leave(&mut self, wanted: &Wanted) {
        for (vlan, receiver, _) in wanted.places() {
            let network = self.network(vlan);
            network.members.remove(&receiver);
            network.open.remove(&receiver);
        }
    }

    /// What makes the installed flow entries and groups those that are wanted.
    ///
    /// # Errors
    ///
    /// The pipeline contradicts its own declaration.
    pub fn difference(&self, scope: &Scope, installed: &Installed) -> Result<FlowChanges, UndeclaredFlow> {
        let vlans: Vec<Vlan> = self.networks.keys().copied().collect();
        // The bridge's own come first, so that no container takes the place of the host.
        let mut wanted = bridge_flows(&self.members, &self.uplinks, &vlans)?;
        for Wanted { attachment, port, .. } in self.endpoints.values().filter(|wanted| wanted.in_scope) {
            wanted.extend(endpoint_flows(attachment, *port)?);
        }
        wanted.extend(self.rule_flows()?);
        let mut groups = Vec::new();
        for network in self.networks.values() {
            wanted.extend(network_flows(network, &self.uplinks)?);
            groups.extend(network.groups());
        }
        Ok(difference(scope, installed, wanted, groups))
    }

    /// As [`difference`](Self::difference), of these endpoints and ports only; the rest is known to be as it should. None
    /// when two of them, or one of them and one of the rest, want the same flow entry: then all have to be looked at.
    ///
    /// # Errors
    ///
    /// The pipeline contradicts its own declaration.
    pub fn difference_of(
        &self,
        endpoints: &BTreeSet<EndpointId>,
        ports: &BTreeMap<Vlan, BTreeSet<PortNo>>,
        scope: &Scope,
        installed: &Installed,
    ) -> Result<Option<FlowChanges>, UndeclaredFlow> {
        let mut changes = FlowChanges::default();
        let mut keys = HashSet::new();
        for endpoint in endpoints.iter().filter(|endpoint| scope.holds(**endpoint)) {
            let wanted = match self.endpoints.get(endpoint) {
                Some(Wanted { attachment, port, .. }) => endpoint_flows(attachment, *port)?,
                None => Vec::new(),
            };
            if wanted.is_empty() && installed.has_flows_of(*endpoint) {
                changes.deleted_endpoints.insert(*endpoint);
                continue;
            }
            let held: HashSet<&FlowKey> = installed.flows_of(*endpoint).collect();
            let kept: HashSet<&FlowKey> = wanted.iter().map(|flow| &flow.key).collect();
            let cookie = Cookie(endpoint.cookie());
            changes.deleted_flows.extend(held.difference(&kept).map(|key| (FlowKey::clone(key), cookie)));
            for flow in wanted {
                if !keys.insert(flow.key.clone()) || !changes.write(installed, flow) {
                    return Ok(None);
                }
            }
        }
        for (vlan, ports) in ports {
            let Some(network) = self.networks.get(vlan) else { return Ok(None) };
            for flow in network_flows(network, &self.uplinks)? {
                if !changes.write(installed, flow) {
                    return Ok(None);
                }
            }
            for id in network.groups_of(ports) {
                changes.group(id, network.group(id), installed);
            }
        }
        changes.sort_groups();
        Ok(Some(changes))
    }
}

fn wanted(desired: &Desired, observed: &Observed, bridge: &LinkName, endpoint: EndpointId) -> Option<Wanted> {
    let row = observed.ports.get(&endpoint).filter(|row| row.bridge == *bridge)?;
    let port = PortNo(row.port_no()?);
    let in_scope = desired.scope.holds(endpoint);
    let attachment = match in_scope {
        true if !desired.wants(endpoint, observed) => return None,
        true => desired.attachments.get(&endpoint).unwrap_or(&row.attachment),
        false => &row.attachment,
    };
    let attachment = Arc::clone(attachment);
    (attachment.bridge == *bridge).then_some(Wanted { attachment, port, in_scope })
}

/// Where the zones of a bridge's networks begin: apart from those that the host and Docker use (0), and mostly from those
/// of other bridges.
fn zones(bridge: &LinkName) -> u16 {
    let sum = bridge.as_str().bytes().fold(0u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    0x8000 | (sum % 8) << 12
}

impl Wanted {
    fn party(&self) -> Party<'_> {
        Party { attachment: &self.attachment, port: self.port }
    }

    /// The networks it is in, how it gets what is for many there, and whether its addresses are not known there.
    fn places(&self) -> impl Iterator<Item = (Vlan, Receiver, bool)> {
        let tagged = self.attachment.trunks.iter().map(|vlan| (*vlan, true));
        let guarded = self.attachment.is_guarded();
        [(self.attachment.vlan, false)]
            .into_iter()
            .chain(tagged)
            .map(move |(vlan, tagged)| (vlan, Receiver { port: self.port, tagged }, tagged || !guarded))
    }
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

fn difference(scope: &Scope, installed: &Installed, wanted: Vec<Flow>, groups: Vec<Group>) -> FlowChanges {
    let mut changes = FlowChanges::default();
    let mut kept = BTreeSet::new();
    for group in groups {
        kept.insert(group.id);
        changes.group(group.id, Some(group), installed);
    }
    changes.sort_groups();
    changes.deleted_groups = installed.groups().keys().copied().filter(|id| !kept.contains(id)).collect();

    let mut wanted_keys = HashSet::with_capacity(wanted.len());
    let mut kept_endpoints = HashSet::new();
    for flow in wanted {
        // A datapath holds one entry of a key: of two that are wanted the first is, or each round would undo the last.
        if !wanted_keys.insert(flow.key.clone()) {
            continue;
        }
        kept_endpoints.extend(EndpointId::from_cookie(flow.cookie.0));
        if let Err(flow) = changes.keep_or_write(installed, flow) {
            changes.added_flows.push(flow);
        }
    }
    let may_delete = |cookie: Cookie| {
        let ours = cookie.0 & OWN_COOKIES_MASK == OWN_COOKIES;
        ours && EndpointId::from_cookie(cookie.0).is_none_or(|endpoint| scope.holds(endpoint))
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

impl FlowChanges {
    /// Has the flow entry be as it should; gives it back when another's is in its place.
    fn keep_or_write(&mut self, installed: &Installed, flow: Flow) -> Result<(), Flow> {
        match installed.flows().get(&flow.key) {
            None => self.added_flows.push(flow),
            Some((cookie, _)) if *cookie != flow.cookie => return Err(flow),
            Some((_, instructions)) if *instructions == flow.instructions => {}
            Some(_) => self.modified_flows.push(flow),
        }
        Ok(())
    }

    /// As [`keep_or_write`](Self::keep_or_write); false when another's is in its place.
    fn write(&mut self, installed: &Installed, flow: Flow) -> bool {
        self.keep_or_write(installed, flow).is_ok()
    }

    fn group(&mut self, id: GroupId, wanted: Option<Group>, installed: &Installed) {
        match (installed.groups().get(&id), wanted) {
            (None, Some(group)) => self.added_groups.push(group),
            (Some(buckets), Some(group)) if *buckets != group.buckets => self.modified_groups.push(group),
            (Some(_), None) => self.deleted_groups.push(id),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// A group that names others comes after them, and before them in number.
    fn sort_groups(&mut self) {
        self.added_groups.sort_by_key(|group| std::cmp::Reverse(group.id));
    }
}

#[cfg(test)]
mod tests;
