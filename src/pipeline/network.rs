//! What a network of a bridge contributes: where that goes which is for many.

use std::collections::BTreeSet;

use flowport_openflow::{Action, Bucket, GroupId, GroupType, MacAddr, Match, PortNo};

use crate::model::{SHARED_COOKIE, Vlan};

use super::bridge::{Uplink, UplinkKind};
use super::endpoint::push_tag;
use super::flow::Does;
use super::{
    FLOOD, FORWARD, FROM_ENDPOINT, FROM_LINK, FROM_TUNNEL, Flow, ISOLATED, METADATA_MASK, NETWORK_MASK,
    POLICY, QUESTION, UndeclaredFlow,
};

/// The groups with these bits set are ours.
const OWN_GROUPS: u32 = 0xf << 28;
/// Where the VLAN begins in a group's number.
const VLAN_SHIFT: u32 = 16;
/// The bits of a group's number that tell which part of its network's receivers it has; none: the root.
const PART_MASK: u32 = (1 << 15) - 1;
/// How many port numbers a part is of, and how many receivers a network has without parts. What a port that comes or
/// goes costs grows with the number of buckets that are written anew.
const PORTS_OF_A_PART: usize = 64;
/// How many receivers there may be for all their groups to be looked at whenever one of them comes or goes.
const FEW: usize = 256;
/// The part of ports with reserved numbers (`OFPP_LOCAL`).
const RESERVED_PART: u32 = PART_MASK;

/// Where IPv6 hosts send what only routers want: solicitations (`ff02::2`, RFC 4861) and multicast listener reports
/// (`ff02::16`, RFC 3810). Each new interface says both; with a thousand containers that must not go to each of them.
const FOR_ROUTERS: [MacAddr; 2] = [MacAddr([0x33, 0x33, 0, 0, 0, 2]), MacAddr([0x33, 0x33, 0, 0, 0, 0x16])];

/// Whether a group is ours by its number; the others are never touched.
pub fn owns_group(group: GroupId) -> bool {
    group.0 & OWN_GROUPS == OWN_GROUPS && group.0 <= GroupId::MAX.0
}

/// A group of type ALL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Where it sends a copy each.
    pub buckets: Vec<Bucket>,
}

impl Group {
    /// The type of every group of ours.
    pub const TYPE: GroupType = GroupType::ALL;
}

/// Whom a group of a network is of; a bit of its number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupOf {
    Members = 0,
    Open = 1 << 15,
}

impl GroupOf {
    const ALL: [Self; 2] = [Self::Members, Self::Open];

    fn group(self, vlan: Vlan, part: u32) -> GroupId {
        GroupId(OWN_GROUPS | u32::from(vlan.id()) << VLAN_SHIFT | self as u32 | part)
    }
}

/// The part that a port is of.
fn part_of(port: PortNo) -> u32 {
    let nth = port.0 / PORTS_OF_A_PART as u32;
    (nth + 1).min(RESERVED_PART)
}

/// A port that gets a copy of what is for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receiver {
    /// The port.
    pub port: PortNo,
    /// Whether it is told the network by a tag.
    pub tagged: bool,
}

impl Receiver {
    /// Comes before all others with this port.
    fn first(port: PortNo) -> Self {
        Self { port, tagged: false }
    }

    fn bucket(self, vlan: Vlan) -> Bucket {
        let tag = self.tagged.then(|| push_tag(vlan.id()));
        Bucket::new(tag.into_iter().flatten().chain([Action::output(self.port)]))
    }
}

/// A network of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Its VLAN.
    pub vlan: Vlan,
    /// Whether its endpoints are kept apart.
    pub isolated: bool,
    /// The ports of this host itself, which may route.
    pub hosts: BTreeSet<PortNo>,
    /// The endpoints whose addresses nobody knows here.
    pub open: BTreeSet<Receiver>,
    /// All ports of this host that belong to it, endpoints and the host's own.
    pub members: BTreeSet<Receiver>,
}

impl Network {
    /// The groups that may change when these ports come, go or change. Some may not be wanted: see
    /// [`group`](Self::group).
    pub fn groups_of(&self, ports: &BTreeSet<PortNo>) -> BTreeSet<GroupId> {
        let mut ids = BTreeSet::new();
        for of in GroupOf::ALL {
            let receivers = self.receivers(of);
            // Near the number from which on there are parts, or when most are new, all of them may be.
            let all = receivers.len() <= FEW || ports.len() * 2 > receivers.len();
            let others =
                receivers.iter().take(if all { usize::MAX } else { 0 }).map(|receiver| receiver.port);
            let parts = ports.iter().copied().chain(others).map(part_of).chain([0]);
            ids.extend(parts.map(|part| of.group(self.vlan, part)));
        }
        ids
    }

    /// All its groups, those that name others after these.
    pub fn groups(&self) -> Vec<Group> {
        let mut ids = BTreeSet::new();
        for of in GroupOf::ALL {
            let parts = self.receivers(of).iter().map(|receiver| part_of(receiver.port)).chain([0]);
            ids.extend(parts.map(|part| of.group(self.vlan, part)));
        }
        ids.into_iter().rev().filter_map(|id| self.group(id)).collect()
    }

    /// One of its groups; none when it has no use for it. Few receivers are all in the root; more are in parts, which the
    /// root names.
    pub fn group(&self, id: GroupId) -> Option<Group> {
        let of = if id.0 & GroupOf::Open as u32 == 0 { GroupOf::Members } else { GroupOf::Open };
        let receivers = self.receivers(of);
        let bucket = |receiver: &Receiver| receiver.bucket(self.vlan);
        let buckets: Vec<Bucket> = match (id.0 & PART_MASK, receivers.len() > PORTS_OF_A_PART) {
            (0, false) => receivers.iter().map(bucket).collect(),
            (0, true) => {
                let parts = self.parts(receivers).into_iter();
                parts.map(|part| Bucket::new([Action::group(of.group(self.vlan, part))])).collect()
            }
            (_, false) => Vec::new(),
            (part, true) => of_part(receivers, part).map(bucket).collect(),
        };
        (!buckets.is_empty()).then_some(Group { id, buckets })
    }

    fn receivers(&self, of: GroupOf) -> &BTreeSet<Receiver> {
        match of {
            GroupOf::Members => &self.members,
            GroupOf::Open => &self.open,
        }
    }

    /// The parts that have receivers.
    fn parts(&self, receivers: &BTreeSet<Receiver>) -> Vec<u32> {
        let mut parts = Vec::new();
        let mut next = receivers.first();
        while let Some(receiver) = next {
            let part = part_of(receiver.port);
            parts.push(part);
            next = after(part).and_then(|port| receivers.range(Receiver::first(port)..).next());
        }
        parts
    }

    fn root(&self, of: GroupOf) -> Option<Action> {
        (!self.receivers(of).is_empty()).then(|| Action::group(of.group(self.vlan, 0)))
    }
}

/// The first port after those of a part.
fn after(part: u32) -> Option<PortNo> {
    (part < RESERVED_PART).then_some(PortNo(part * PORTS_OF_A_PART as u32))
}

fn of_part(receivers: &BTreeSet<Receiver>, part: u32) -> impl Iterator<Item = &Receiver> {
    let first = Receiver::first(PortNo((part - 1) * PORTS_OF_A_PART as u32));
    receivers.range(first..).take_while(move |receiver| part_of(receiver.port) == part)
}

/// The flow entries of a network; all carry the shared cookie.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn network_flows(network: &Network, uplinks: &[Uplink]) -> Result<Vec<Flow>, UndeclaredFlow> {
    let Network { vlan, hosts, .. } = network;
    let local: Vec<Action> = network.root(GroupOf::Members).into_iter().collect();
    let open: Vec<Action> = network.root(GroupOf::Open).into_iter().collect();
    let (tunnels, links): (Vec<Uplink>, Vec<Uplink>) = uplinks.iter().partition(|uplink| uplink.is_tunnel);
    let everywhere = outputs(*vlan, uplinks);
    let by_links = if links.len() > 1 { outputs(*vlan, &links) } else { Vec::new() };
    let bits = u64::from(vlan.id());
    let from = |way: u64| Match::builder().metadata((bits | way, METADATA_MASK & !FROM_ENDPOINT));
    let many = (MacAddr::MULTICAST_BIT, MacAddr::MULTICAST_BIT);

    let mut flows = Vec::new();
    let mut add = |priority, matches, actions: Vec<Action>| {
        flows.push(Flow::new(&FLOOD, priority, SHARED_COOKIE, matches, Does::apply(actions))?);
        Ok(())
    };
    add(100, from(0).eth_dst(many), [local.clone(), everywhere.clone()].concat())?;
    let hosts: Vec<Action> = hosts.iter().map(|port| Action::output(*port)).collect();
    for group in FOR_ROUTERS {
        add(110, from(0).eth_dst(group), [hosts.clone(), everywhere.clone()].concat())?;
    }
    if network.isolated {
        add(100, from(ISOLATED).eth_dst(many), [hosts.clone(), everywhere.clone()].concat())?;
        add(50, from(ISOLATED), everywhere.clone())?;
    }
    let may_know = [hosts, open].concat();
    add(100, from(QUESTION), [may_know.clone(), everywhere.clone()].concat())?;
    // One that is not known here may be behind an uplink, never behind a port of this host: those are all known.
    add(50, from(0), everywhere)?;
    if !links.is_empty() {
        add(100, from(FROM_LINK).eth_dst(many), [local.clone(), by_links.clone()].concat())?;
        add(100, from(QUESTION | FROM_LINK), [may_know.clone(), by_links.clone()].concat())?;
        add(50, from(FROM_LINK), by_links)?;
    }
    if !tunnels.is_empty() {
        add(100, from(QUESTION | FROM_TUNNEL), may_know)?;
        add(100, from(FROM_TUNNEL).eth_dst(many), local)?;
    }
    if network.isolated {
        // What rules allow has gone another way.
        let apart = Match::builder().metadata((bits | FROM_ENDPOINT, NETWORK_MASK | FROM_ENDPOINT));
        let isolate = Does::goto(&FORWARD).note(ISOLATED);
        flows.push(Flow::new(&POLICY, 10, SHARED_COOKIE, apart, isolate)?);
    }
    Ok(flows)
}

/// Copies for other hosts: without tag first, because a tag once pushed stays.
fn outputs(vlan: Vlan, uplinks: &[Uplink]) -> Vec<Action> {
    let carries = |kind: UplinkKind| {
        uplinks.iter().filter(move |uplink| uplink.kind == kind).map(|uplink| Action::output(uplink.port))
    };
    let mut actions: Vec<Action> = carries(UplinkKind::Access(vlan)).collect();
    let keyed: Vec<Action> = carries(UplinkKind::Keyed).collect();
    if !keyed.is_empty() {
        actions.push(Action::set_field(flowport_openflow::OxmField::TunnelId(u64::from(vlan.id()).into())));
        actions.extend(keyed);
    }
    let trunks: Vec<Action> = carries(UplinkKind::Trunk).collect();
    if !trunks.is_empty() && vlan != Vlan::UNTAGGED {
        actions.extend(push_tag(vlan.id()));
    }
    actions.extend(trunks);
    actions
}
