//! What a bridge contributes by itself and by its ports that are no endpoint's.

use std::net::Ipv6Addr;

use flowport_openflow::{Action, CtState, MacAddr, Match, OxmHeader, PortNo, Subfield, VlanVid};

use crate::model::{Mac, SHARED_COOKIE, Vlan};

use super::endpoint::{NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION, push_tag};
use super::flow::Does;
use super::questions::question_flows;
use super::{
    CLASSIFY, FLOOD, FORWARD, FROM_ENDPOINT, FROM_LINK, FROM_TUNNEL, Flow, GUARD, ISOLATED, METADATA_MASK,
    NETWORK_MASK, OUTPUT, POLICY, RESPOND, RETURN, UndeclaredFlow,
};

/// The priority of entries for whatever is left. Users have their own at 0 and 1, of which there can be but one each.
const LAST: u16 = 2;

/// ICMPv6 types (RFC 4861 section 4).
const ROUTER_ADVERTISEMENT: u8 = 134;
const REDIRECT: u8 = 137;

/// A port of this host itself: trusted, and known by its MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The port.
    pub port: PortNo,
    /// Its network.
    pub vlan: Vlan,
    /// Its MAC, once it is known.
    pub mac: Option<Mac>,
}

/// A port with other hosts behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uplink {
    /// The port.
    pub port: PortNo,
    /// How it tells networks apart.
    pub kind: UplinkKind,
    /// Whether it is a tunnel.
    pub is_tunnel: bool,
}

impl Uplink {
    /// The metadata of a packet of this network that came by it.
    fn metadata(&self, vlan: Vlan) -> u64 {
        u64::from(vlan.id()) | if self.is_tunnel { FROM_TUNNEL } else { FROM_LINK }
    }
}

/// How an uplink tells networks apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UplinkKind {
    /// By VLAN tag; what has none is of network 0.
    Trunk,
    /// It has one, untagged.
    Access(Vlan),
    /// By tunnel key.
    Keyed,
}

/// The flow entries of the bridge, its own ports and its uplinks, for these networks; all carry the shared cookie. Whether
/// the datapath has the [meters](super::meters) makes some of them.
pub fn bridge_flows(
    members: &[Member],
    uplinks: &[Uplink],
    networks: &[Vlan],
    has_meters: bool,
) -> Result<Vec<Flow>, UndeclaredFlow> {
    let mut flows = question_flows(has_meters)?;
    let mut add = |table, priority, matches, does| {
        flows.push(Flow::new(table, priority, SHARED_COOKIE, matches, does)?);
        Ok(())
    };
    // Flow entries of others that are below this would let by what no entry of ours knows, as the one that Open vSwitch
    // itself makes in a bridge that is not `secure`.
    add(&CLASSIFY, LAST, Match::builder(), Does::default())?;
    // Addresses are given by us, and each to one; that a new interface looks for another with its own concerns nobody.
    let probe = Match::builder().icmpv6().icmpv6_type(NEIGHBOR_SOLICITATION).ipv6_src(Ipv6Addr::UNSPECIFIED);
    add(&GUARD, 110, probe, Does::default())?;
    // Who was given addresses is no router, and speaks for no others: for its own it has entries above these.
    for (priority, kind) in [(108, ROUTER_ADVERTISEMENT), (108, REDIRECT), (105, NEIGHBOR_ADVERTISEMENT)] {
        add(&GUARD, priority, Match::builder().icmpv6().icmpv6_type(kind), Does::default())?;
    }
    let multicast = (MacAddr::MULTICAST_BIT, MacAddr::MULTICAST_BIT);
    add(&RESPOND, LAST, Match::builder(), Does::goto(&POLICY))?;
    // Who has an address is no secret.
    for speaks in [
        Match::builder().arp(),
        Match::builder().icmpv6().icmpv6_type(NEIGHBOR_SOLICITATION),
        Match::builder().icmpv6().icmpv6_type(NEIGHBOR_ADVERTISEMENT),
    ] {
        let to_one = speaks
            .metadata((FROM_ENDPOINT, FROM_ENDPOINT))
            .eth_dst((MacAddr([0; 6]), MacAddr::MULTICAST_BIT));
        add(&POLICY, 300, to_one, Does::goto(&FORWARD))?;
    }
    add(&POLICY, LAST, Match::builder(), Does::goto(&FORWARD))?;
    add(&OUTPUT, 100, Match::builder().metadata((ISOLATED, ISOLATED)), Does::default())?;
    // A fragment whose first was not allowed.
    let invalid = CtState::TRK | CtState::INV;
    let in_vain = Match::builder().metadata((FROM_ENDPOINT, FROM_ENDPOINT)).ct_state((invalid, invalid));
    add(&OUTPUT, 100, in_vain, Does::default())?;
    let port = Subfield::whole(OxmHeader::REG0);
    add(&OUTPUT, LAST, Match::builder(), Does::apply([Action::output_field(port)]))?;
    add(&FORWARD, 50, Match::builder().eth_dst(multicast), Does::goto(&FLOOD))?;
    let not_by_tunnel = Match::builder().metadata((0, FROM_TUNNEL));
    add(&FORWARD, 0, not_by_tunnel, Does::goto(&FLOOD))?;
    add(&RETURN, LAST, Match::builder(), Does::apply([Action::output(PortNo::IN_PORT)]))?;

    for member in members {
        let network = u64::from(member.vlan.id());
        let from = Match::builder().in_port(member.port).vlan_vid(VlanVid::NONE);
        add(&CLASSIFY, 100, from, Does::goto(&RESPOND).metadata(network))?;
        if let Some(mac) = member.mac {
            let to = Match::builder().metadata((network, NETWORK_MASK)).eth_dst(MacAddr(mac.octets()));
            add(&FORWARD, 100, to, Does::apply([Action::output(member.port)]))?;
        }
    }
    for uplink in uplinks {
        let from = || Match::builder().in_port(uplink.port);
        let enter = |vlan: Vlan| Does::goto(&RESPOND).metadata(uplink.metadata(vlan));
        match uplink.kind {
            UplinkKind::Access(vlan) => add(&CLASSIFY, 100, from().vlan_vid(VlanVid::NONE), enter(vlan))?,
            UplinkKind::Keyed => {
                for vlan in networks {
                    let key = u64::from(vlan.id());
                    add(&CLASSIFY, 100, from().tunnel_id(key).vlan_vid(VlanVid::NONE), enter(*vlan))?;
                }
            }
            UplinkKind::Trunk => {
                add(&CLASSIFY, 100, from().vlan_vid(VlanVid::NONE), enter(Vlan::UNTAGGED))?;
                for vlan in networks.iter().filter(|vlan| **vlan != Vlan::UNTAGGED) {
                    let tagged = from().vlan_vid(VlanVid::tagged(vlan.id()));
                    let untag = Does::apply([Action::PopVlan]);
                    let network = uplink.metadata(*vlan);
                    add(&CLASSIFY, 100, tagged, untag.metadata(network).then_goto(&RESPOND))?;
                    let back = from().metadata((network, METADATA_MASK));
                    let tag = push_tag(vlan.id()).into_iter().chain([Action::output(PortNo::IN_PORT)]);
                    add(&RETURN, 100, back, Does::apply(tag))?;
                }
            }
        }
    }
    Ok(flows)
}
