//! What a network of a bridge contributes: where that goes which is for many.

use flowport_openflow::{Action, Bucket, GroupId, GroupType, MacAddr, Match, PortNo};

use crate::model::{SHARED_COOKIE, Vlan};

use super::bridge::{Uplink, UplinkKind};
use super::endpoint::push_tag;
use super::flow::Does;
use super::{FLOOD, FROM_LINK, FROM_TUNNEL, Flow, METADATA_MASK, QUESTION, UndeclaredFlow};

/// The groups with these bits set are ours.
const OWN_GROUPS: u32 = 0xf << 28;
/// Where the number of a part of a network's group begins.
const PART_SHIFT: u32 = 24;
/// How many members one group holds: with 56 bytes a bucket at most, within a message of 64 KiB.
const MEMBERS_OF_A_GROUP: usize = 1000;
/// The most parts that a network's group can have.
const MOST_PARTS: usize = 14;

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

    fn new(of: GroupOf, vlan: Vlan, part: usize, buckets: impl Iterator<Item = Bucket>) -> Self {
        let part = u32::try_from(part).unwrap_or(0) << PART_SHIFT;
        let id = GroupId(OWN_GROUPS | part | of as u32 | u32::from(vlan.id()));
        Self { id, buckets: buckets.collect() }
    }
}

/// Whom a group of a network is of; a bit of its number.
#[derive(Clone, Copy)]
enum GroupOf {
    Members = 0,
    Open = 1 << 12,
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
    /// The ports of this host itself, which may route: in ascending order.
    pub hosts: Vec<PortNo>,
    /// The endpoints whose addresses nobody knows here, in ascending order.
    pub open: Vec<Receiver>,
    /// All ports of this host that belong to it, endpoints and the host's own, in ascending order.
    pub members: Vec<Receiver>,
}

/// The flow entries and groups of a network; all entries carry the shared cookie.
pub fn network_flows(
    network: &Network,
    uplinks: &[Uplink],
) -> Result<(Vec<Flow>, Vec<Group>), UndeclaredFlow> {
    let Network { vlan, hosts, open, members } = network;
    let mut groups = Vec::new();
    let mut copies = |of, receivers: &[Receiver]| {
        let some = groups_of(of, *vlan, receivers);
        let root: Vec<Action> = some.first().map(|root| Action::group(root.id)).into_iter().collect();
        groups.extend(some);
        root
    };
    let local = copies(GroupOf::Members, members);
    let open = copies(GroupOf::Open, open);
    let (tunnels, links): (Vec<Uplink>, Vec<Uplink>) = uplinks.iter().partition(|uplink| uplink.is_tunnel);
    let everywhere = outputs(*vlan, uplinks);
    let by_links = if links.len() > 1 { outputs(*vlan, &links) } else { Vec::new() };
    let bits = u64::from(vlan.id());
    let from = |way: u64| Match::builder().metadata((bits | way, METADATA_MASK));
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
    Ok((flows, groups))
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

/// One group, or one of groups when the members are too many for a message. The parts come first, because a group
/// must be there before another names it; the root is the first of the list all the same.
fn groups_of(of: GroupOf, vlan: Vlan, receivers: &[Receiver]) -> Vec<Group> {
    let bucket = |receiver: &Receiver| receiver.bucket(vlan);
    if receivers.is_empty() {
        return Vec::new();
    }
    if receivers.len() <= MEMBERS_OF_A_GROUP {
        return vec![Group::new(of, vlan, 0, receivers.iter().map(bucket))];
    }
    let parts: Vec<Group> = receivers
        .chunks(MEMBERS_OF_A_GROUP)
        .take(MOST_PARTS)
        .enumerate()
        .map(|(nth, receivers)| Group::new(of, vlan, nth + 1, receivers.iter().map(bucket)))
        .collect();
    let root = Group::new(of, vlan, 0, parts.iter().map(|part| Bucket::new([Action::group(part.id)])));
    [vec![root], parts].concat()
}
