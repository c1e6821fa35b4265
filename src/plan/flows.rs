//! Flow entries and groups of a managed bridge that are missing, wrong, or nobody's any more.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use flowport_openflow::{Cookie, FlowKey, GroupId, PortNo};

use crate::model::{Attachment, EndpointId, LinkName, OWN_COOKIES, OWN_COOKIES_MASK, Policy, Rule, Vlan};
use crate::pipeline::{
    Flow, Group, Member, Network, Party, Receiver, UndeclaredFlow, Uplink, UplinkKind, bridge_flows,
    endpoint_flows, network_flows, rule_flows,
};

use crate::state::{
    BridgePort, Datapath, Desired, FlowChanges, Installed, Lookup, Observed, Place, PortKind, PortRow, Scope,
};

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
        let all = observed.ports.iter();
        let wanted = all.filter_map(|(endpoint, row)| {
            Some((*endpoint, wanted(desired, observed, bridge, *endpoint, row)?))
        });
        plan.endpoints = wanted.collect();
        let places: Vec<_> = plan.endpoints.values().flat_map(Wanted::places).collect();
        places.into_iter().for_each(|place| plan.join(place));
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
            let row = observed.ports.get(endpoint);
            let now = row.and_then(|row| wanted(desired, observed, bridge, *endpoint, row));
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
            now.places().for_each(|place| self.join(place));
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

    fn join(&mut self, (vlan, receiver, is_open): (Vlan, Receiver, bool)) {
        let network = self.network(vlan);
        network.members.insert(receiver);
        if is_open {
            network.open.insert(receiver);
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
        let mut comparison = Comparison::with(installed);
        // The bridge's own come first, so that no container takes the place of the host.
        comparison.want(bridge_flows(&self.members, &self.uplinks, &vlans)?);
        for Wanted { attachment, port, .. } in self.endpoints.values().filter(|wanted| wanted.in_scope) {
            comparison.want(endpoint_flows(attachment, *port)?);
        }
        comparison.want(self.rule_flows()?);
        for network in self.networks.values() {
            comparison.want(network_flows(network, &self.uplinks)?);
            comparison.want_groups(network.groups());
        }
        Ok(comparison.changes(scope))
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
            let kept: HashSet<&FlowKey> = wanted.iter().map(|flow| &flow.key).collect();
            let cookie = Cookie(endpoint.cookie());
            let gone = installed.flows_of(*endpoint).filter(|key| !kept.contains(key));
            changes.deleted_flows.extend(gone.map(|key| (key, cookie)));
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
            let every = || network.members.iter().map(|member| member.port);
            // Near the number from which on there are parts, or when most are new, all of them may be.
            let all = network.members.len() <= FEW || ports.len() * 2 > network.members.len();
            let others = every().take(if all { usize::MAX } else { 0 });
            for id in Network::groups_of(*vlan, ports.iter().copied().chain(others)) {
                changes.group(id, network.group(id), installed);
            }
        }
        changes.sort_groups();
        Ok(Some(changes))
    }
}

/// How many members a network may have for all its groups to be looked at whenever one of them comes or goes.
const FEW: usize = 256;

fn wanted(
    desired: &Desired,
    observed: &Observed,
    bridge: &LinkName,
    endpoint: EndpointId,
    row: &PortRow,
) -> Option<Wanted> {
    let port = PortNo(row.port_no().filter(|_| row.bridge == *bridge)?);
    let in_scope = desired.scope.holds(endpoint);
    let attachment = match in_scope {
        true => desired.wanted(endpoint, observed)?,
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
        (PortKind::Host(_) | PortKind::Bond, _) => return None,
        (PortKind::KeyedTunnel, _) => UplinkKind::Keyed,
        (PortKind::Uplink, Some(vlan)) => UplinkKind::Access(vlan),
        (PortKind::Uplink, None) => UplinkKind::Trunk,
    };
    Some(Uplink { port: PortNo(port.ofport?), kind, is_tunnel: port.tunnel.is_some() })
}

/// What is wanted, compared with what is installed, one after the other.
struct Comparison<'a> {
    installed: &'a Installed,
    changes: FlowChanges,
    scratch: Vec<u8>,
    /// By place: whether somebody wants the installed entry's key.
    is_wanted: Vec<bool>,
    /// The keys of added entries that are not installed.
    new: HashSet<FlowKey>,
    /// The endpoints that have any flow entry.
    endpoints: HashSet<EndpointId>,
    groups: BTreeSet<GroupId>,
}

impl<'a> Comparison<'a> {
    fn with(installed: &'a Installed) -> Self {
        Self {
            installed,
            changes: FlowChanges::default(),
            scratch: Vec::new(),
            is_wanted: vec![false; installed.room()],
            new: HashSet::new(),
            endpoints: HashSet::new(),
            groups: BTreeSet::new(),
        }
    }

    /// A datapath holds one entry of a key: of two that are wanted the first is, or each round would undo the last.
    fn want(&mut self, flows: Vec<Flow>) {
        let mut last = None;
        for flow in flows {
            let found = self.installed.look_up(&flow, &mut self.scratch);
            let is_first = match found.and_then(|found| self.is_wanted.get_mut(found.place as usize)) {
                Some(is_wanted) => !std::mem::replace(is_wanted, true),
                None => self.new.insert(flow.key.clone()),
            };
            if !is_first {
                continue;
            }
            if last != Some(flow.cookie) {
                last = Some(flow.cookie);
                self.endpoints.extend(EndpointId::from_cookie(flow.cookie.0));
            }
            if let Err(flow) = self.changes.keep_or_write(found, flow) {
                self.changes.added_flows.push(flow);
            }
        }
    }

    fn want_groups(&mut self, groups: Vec<Group>) {
        for group in groups {
            self.groups.insert(group.id);
            self.changes.group(group.id, Some(group), self.installed);
        }
    }

    /// What is left to be done, when all that is wanted has been said.
    fn changes(self, scope: &Scope) -> FlowChanges {
        let Self { installed, mut changes, is_wanted, endpoints, groups, .. } = self;
        changes.sort_groups();
        changes.deleted_groups =
            installed.groups().keys().copied().filter(|id| !groups.contains(id)).collect();
        let may_delete = |cookie: Cookie| {
            let ours = cookie.0 & OWN_COOKIES_MASK == OWN_COOKIES;
            ours && EndpointId::from_cookie(cookie.0).is_none_or(|endpoint| scope.holds(endpoint))
        };
        let is_wanted = |place: Place| is_wanted.get(place as usize).is_some_and(|is_wanted| *is_wanted);
        for (place, cookie) in installed.places() {
            if is_wanted(place) || !may_delete(cookie) {
                continue;
            }
            match EndpointId::from_cookie(cookie.0).filter(|endpoint| !endpoints.contains(endpoint)) {
                Some(endpoint) => drop(changes.deleted_endpoints.insert(endpoint)),
                None => changes.deleted_flows.extend(installed.key(place).map(|key| (key, cookie))),
            }
        }
        changes
    }
}

impl FlowChanges {
    /// Has the flow entry be as it should, where `found` is; gives it back when another's is in its place.
    fn keep_or_write(&mut self, found: Option<Lookup>, flow: Flow) -> Result<(), Flow> {
        match found {
            None => self.added_flows.push(flow),
            Some(Lookup { same_cookie: false, .. }) => return Err(flow),
            Some(Lookup { same_instructions: true, .. }) => {}
            Some(_) => self.modified_flows.push(flow),
        }
        Ok(())
    }

    /// The same; false when another's is in its place.
    fn write(&mut self, installed: &Installed, flow: Flow) -> bool {
        let found = installed.look_up(&flow, &mut Vec::new());
        self.keep_or_write(found, flow).is_ok()
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
