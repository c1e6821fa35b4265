//! Flow entries and groups of a managed bridge that are missing, wrong, or nobody's any more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use flowport_openflow::{Cookie, FlowKey, GroupId, MeterConfig, MeterId, PortNo};

use crate::model::{
    Attachment, EndpointId, LinkName, OWN_COOKIES, OWN_COOKIES_MASK, Policy, SHARED_COOKIE, Vlan,
};
use crate::pipeline::{
    Flow, Group, Member, Network, Party, Receiver, UndeclaredFlow, Uplink, UplinkKind, bridge_flows,
    endpoint_flows, has_room_for_meters, meters, network_flows, rule_flows,
};

use crate::state::{
    BridgePort, Datapath, Desired, FlowChanges, Installed, Lookup, Observed, Place, PortKind, PortRow, Scope,
};

use super::claims::Claims;
use super::policy::{Pair, Rules};

/// What the datapath of a managed bridge is to hold, kept from round to round so that a change costs what it touches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowPlan {
    members: Vec<Member>,
    uplinks: Vec<Uplink>,
    endpoints: BTreeMap<EndpointId, Wanted>,
    networks: BTreeMap<Vlan, Network>,
    policy: Policy,
    rules: Rules,
    claims: Claims,
    bridge: Option<LinkName>,
}

/// What there is to look at again, beside the endpoints themselves.
#[derive(Debug, Default)]
pub struct Affected {
    /// The ports that came, went or changed, by network.
    pub ports: BTreeMap<Vlan, BTreeSet<PortNo>>,
    /// The flow entries of rules about these endpoints, as they were.
    pub rules: HashSet<FlowKey>,
}

impl Affected {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.rules.is_empty()
    }

    /// This, and more.
    pub fn extend(&mut self, more: Self) {
        for (vlan, ports) in more.ports {
            self.ports.entry(vlan).or_default().extend(ports);
        }
        self.rules.extend(more.rules);
    }
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
            rules: Rules::new(&row.policy),
            bridge: Some(bridge.clone()),
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
        let endpoints: BTreeMap<EndpointId, Wanted> = wanted.collect();
        for wanted in endpoints.values() {
            plan.join(wanted);
        }
        plan.endpoints = endpoints;
        Some(plan)
    }

    /// Looks at these endpoints again. Returns what is affected; none when so much is other that the plan has to be made
    /// anew.
    ///
    /// # Errors
    ///
    /// The pipeline contradicts its own declaration.
    pub fn update(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        bridge: &LinkName,
        endpoints: &BTreeSet<EndpointId>,
    ) -> Result<Option<Affected>, UndeclaredFlow> {
        let mut affected = Affected::default();
        let (mut joining, mut leaving) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            let row = observed.ports.get(endpoint);
            let now = row.and_then(|row| wanted(desired, observed, bridge, *endpoint, row));
            let before = self.endpoints.get(endpoint);
            if now.as_ref() == before {
                continue;
            }
            for wanted in before.into_iter().chain(&now) {
                for vlan in wanted.attachment.networks() {
                    affected.ports.entry(vlan).or_default().insert(wanted.port);
                }
            }
            let flows = self.rule_flows(self.rules.pairs_of(*endpoint))?;
            affected.rules.extend(flows.into_iter().map(|flow| flow.key));
            leaving.extend(before.is_some().then_some(*endpoint));
            joining.extend(now.map(|now| (*endpoint, now)));
        }
        let mut alone = true;
        for endpoint in leaving {
            if let Some(before) = self.endpoints.remove(&endpoint) {
                alone &= self.leave(&before);
            }
        }
        // After all that leave: a port number may have passed from one to the other.
        for (endpoint, now) in joining {
            if now.attachment.networks().any(|vlan| !self.networks.contains_key(&vlan)) {
                return Ok(None);
            }
            alone &= self.join(&now);
            self.endpoints.insert(endpoint, now);
        }
        // Of two that want the same entries, one may not be looked at.
        if !alone {
            return Ok(None);
        }
        let is_used =
            |(vlan, network): (&Vlan, &Network)| *vlan == Vlan::UNTAGGED || !network.members.is_empty();
        Ok(self.networks.iter().all(is_used).then_some(affected))
    }

    /// The flow entries by which these may talk; several pairs may have some in common.
    fn rule_flows(&self, pairs: impl Iterator<Item = Pair>) -> Result<Vec<Flow>, UndeclaredFlow> {
        let mut flows = Vec::new();
        for (from, to, traffic) in pairs {
            let (from, to) = (from.and_then(|from| self.endpoints.get(&from)), self.endpoints.get(&to));
            let Some(to) = to.filter(|to| from.is_none_or(|from| from.port != to.port)) else { continue };
            let isolated = |vlan: &Vlan| self.policy.isolated.contains(vlan);
            let is_in = |from: &Wanted, vlan: &Vlan| from.attachment.networks().any(|other| other == *vlan);
            let both = |vlan: &Vlan| from.is_none_or(|from| is_in(from, vlan));
            for vlan in to.attachment.networks().filter(isolated).filter(both) {
                let zone = zone(self.bridge.as_ref(), vlan);
                flows.extend(rule_flows(vlan, zone, (from.map(Wanted::party), to.party()), traffic)?);
            }
        }
        Ok(flows)
    }

    fn network(&mut self, vlan: Vlan) -> &mut Network {
        let isolated = self.policy.isolated.contains(&vlan);
        self.networks.entry(vlan).or_insert_with(|| Network { vlan, isolated, ..Network::default() })
    }

    /// Whether nobody else claims what it has.
    fn join(&mut self, wanted: &Wanted) -> bool {
        self.rules.join(&wanted.attachment);
        for (vlan, receiver, is_open) in wanted.places() {
            let network = self.network(vlan);
            network.members.insert(receiver);
            if is_open {
                network.open.insert(receiver);
            }
        }
        self.claims.join(&wanted.attachment, wanted.port)
    }

    /// Whether nobody else claims what it had.
    fn leave(&mut self, wanted: &Wanted) -> bool {
        self.rules.leave(&wanted.attachment);
        for (vlan, receiver, _) in wanted.places() {
            let network = self.network(vlan);
            network.members.remove(&receiver);
            network.open.remove(&receiver);
        }
        self.claims.leave(&wanted.attachment, wanted.port)
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
        let has_meters = has_room_for_meters(installed.meters().max);
        comparison.want(bridge_flows(&self.members, &self.uplinks, &vlans, has_meters)?);
        comparison.want_meters(meters().filter(|_| has_meters));
        for Wanted { attachment, port, .. } in self.endpoints.values().filter(|wanted| wanted.in_scope) {
            comparison.want(endpoint_flows(attachment, *port)?);
        }
        comparison.want(self.rule_flows(self.rules.pairs())?);
        for network in self.networks.values() {
            comparison.want(network_flows(network, &self.uplinks)?);
            comparison.want_groups(network.groups());
        }
        Ok(comparison.changes(scope))
    }

    /// As [`difference`](Self::difference), of these endpoints and what else is affected only; the rest is known to be as it should. None
    /// when two of them, or one of them and one of the rest, want the same flow entry: then all have to be looked at.
    ///
    /// # Errors
    ///
    /// The pipeline contradicts its own declaration.
    pub fn difference_of(
        &self,
        endpoints: &BTreeSet<EndpointId>,
        affected: &Affected,
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
        let mut rules: HashMap<FlowKey, Flow> = HashMap::new();
        for flow in self.rule_flows(endpoints.iter().flat_map(|endpoint| self.rules.pairs_of(*endpoint)))? {
            if rules.get(&flow.key).is_some_and(|other| *other != flow) {
                return Ok(None);
            }
            rules.insert(flow.key.clone(), flow);
        }
        let kept = |key: &FlowKey| rules.contains_key(key) || installed.cookie(key).is_none();
        let gone = affected.rules.iter().filter(|key| !kept(key));
        changes.deleted_flows.extend(gone.map(|key| (key.clone(), Cookie(SHARED_COOKIE))));
        for flow in rules.into_values() {
            if !changes.write(installed, flow) {
                return Ok(None);
            }
        }
        for (vlan, ports) in &affected.ports {
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

/// The network's part of the connection tracker: apart from those that the host and Docker use (0), and by all odds from
/// those of other networks and bridges, whose connections are labelled otherwise all the same.
fn zone(bridge: Option<&LinkName>, vlan: Vlan) -> u16 {
    let name = bridge.into_iter().flat_map(|bridge| bridge.as_str().bytes());
    let sum = name
        .chain([0])
        .chain(vlan.id().to_be_bytes())
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    // FNV-1a, folded.
    0x8000 | (sum ^ sum >> 15) as u16
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
    meters: BTreeSet<MeterId>,
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
            meters: BTreeSet::new(),
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

    fn want_meters(&mut self, meters: impl Iterator<Item = MeterConfig>) {
        for meter in meters {
            match self.installed.meters().meters.get(&meter.meter_id) {
                None => self.changes.added_meters.push(meter.clone()),
                Some(there) if *there != meter => self.changes.modified_meters.push(meter.clone()),
                Some(_) => {}
            }
            self.meters.insert(meter.meter_id);
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
        let Self { installed, mut changes, is_wanted, endpoints, groups, meters, .. } = self;
        let there = installed.meters().meters.keys();
        changes.deleted_meters = there.filter(|id| !meters.contains(id)).copied().collect();
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
