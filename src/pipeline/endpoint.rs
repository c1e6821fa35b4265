//! What an endpoint contributes: eight flow entries with one IPv4 address, three for each address more, three without
//! any; and four for each tagged network.

use std::net::Ipv4Addr;

use flowport_openflow::{Action, EthType, MacAddr, Match, OxmField, OxmHeader, PortNo, Subfield, VlanVid};

use crate::model::{Attachment, Vlan};

use super::flow::Does;
use super::questions::metered;
use super::{
    CLASSIFY, FORWARD, FROM_ENDPOINT, Flow, GUARD, NETWORK_MASK, OUTPUT, POLICY, RESPOND, RETURN,
    UndeclaredFlow,
};

/// ARP request and reply (RFC 826).
pub(super) const ARP_REQUEST: u16 = 1;
const ARP_REPLY: u16 = 2;

/// ICMPv6 types (RFC 4861 section 4).
pub(super) const NEIGHBOR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// The flow entries of the endpoint behind `port`; all carry its cookie.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn endpoint_flows(attachment: &Attachment, port: PortNo) -> Result<Vec<Flow>, UndeclaredFlow> {
    let cookie = attachment.endpoint().cookie();
    let mac = MacAddr(attachment.mac.octets());
    let network = u64::from(attachment.vlan.id());
    let from = || Match::builder().in_port(port).eth_src(mac);
    let enter = |vlan: Vlan| u64::from(vlan.id()) | FROM_ENDPOINT | metered(port);
    let to_port = || Action::set_field(OxmField::Reg0(port.0.into()));
    let mut flows = Vec::with_capacity(3 * (attachment.addresses.len() + 2) + 4 * attachment.trunks.len());
    let mut add = |table, priority, matches, does| {
        flows.push(Flow::new(table, priority, cookie, matches, does)?);
        Ok(())
    };

    // A container sends without tag; what it tags is not for it to choose.
    let untagged = Match::builder().in_port(port).vlan_vid(VlanVid::NONE);
    add(&CLASSIFY, 100, untagged, Does::goto(&GUARD).metadata(enter(attachment.vlan)))?;
    if !attachment.is_guarded() {
        // Its addresses are its own business (DHCP, or set by hand inside); it may be a router.
        add(&GUARD, 109, from(), Does::goto(&RESPOND))?;
    }
    for ip in attachment.ipv4() {
        add(&GUARD, 100, from().arp().arp_spa(ip).arp_sha(mac), Does::goto(&RESPOND))?;
        add(&GUARD, 100, from().ipv4().ipv4_src(ip), Does::goto(&RESPOND))?;
        let asked = Match::builder().metadata((network, NETWORK_MASK)).arp().arp_op(ARP_REQUEST).arp_tpa(ip);
        add(&RESPOND, 100, asked, Does::apply(arp_reply(mac, ip)).then_goto(&RETURN))?;
    }
    let link_local = attachment.is_guarded().then(|| attachment.mac.link_local());
    for ip in attachment.ipv6().chain(link_local) {
        add(&GUARD, 100, from().ipv6().ipv6_src(ip), Does::goto(&RESPOND))?;
        let advertises = from().icmpv6().icmpv6_type(NEIGHBOR_ADVERTISEMENT).ipv6_src(ip).ipv6_nd_target(ip);
        add(&GUARD, 106, advertises, Does::goto(&RESPOND))?;
        // The datapath cannot turn a solicitation into its answer; it can spare all others hearing it.
        let asked = Match::builder().metadata((network, NETWORK_MASK)).icmpv6();
        let asked = asked.icmpv6_type(NEIGHBOR_SOLICITATION).ipv6_nd_target(ip);
        let to_it = Does::apply([Action::set_field(OxmField::EthDst(mac.into()))]);
        add(&RESPOND, 100, asked, to_it.then_goto(&POLICY))?;
    }
    for vlan in &attachment.trunks {
        let network = u64::from(vlan.id());
        let in_it = |bits| Match::builder().in_port(port).metadata((network, bits));
        let tagged = Match::builder().in_port(port).vlan_vid(VlanVid::tagged(vlan.id()));
        let untag = Does::apply([Action::PopVlan]).metadata(enter(*vlan));
        add(&CLASSIFY, 100, tagged, untag.then_goto(&GUARD))?;
        // Addresses of tagged networks are set by hand inside.
        add(&GUARD, 109, in_it(NETWORK_MASK).eth_src(mac), Does::goto(&RESPOND))?;
        let to = Match::builder().metadata((network, NETWORK_MASK)).eth_dst(mac);
        let tag = push_tag(vlan.id()).into_iter().chain([to_port()]);
        add(&FORWARD, 100, to, Does::apply(tag).then_goto(&OUTPUT))?;
        let back = push_tag(vlan.id()).into_iter().chain([Action::output(PortNo::IN_PORT)]);
        add(&RETURN, 100, in_it(NETWORK_MASK), Does::apply(back))?;
    }
    let to = Match::builder().metadata((network, NETWORK_MASK)).eth_dst(mac);
    add(&FORWARD, 100, to, Does::apply([to_port()]).then_goto(&OUTPUT))?;
    Ok(flows)
}

/// Turns a request into its own reply: the target becomes the sender, the sender the target.
fn arp_reply(mac: MacAddr, ip: Ipv4Addr) -> [Action; 7] {
    let moved = |src, dst| Action::reg_move(Subfield::whole(src), Subfield::whole(dst));
    [
        moved(OxmHeader::ETH_SRC, OxmHeader::ETH_DST),
        Action::set_field(OxmField::EthSrc(mac.into())),
        Action::set_field(OxmField::ArpOp(ARP_REPLY)),
        moved(OxmHeader::ARP_SHA, OxmHeader::ARP_THA),
        Action::set_field(OxmField::ArpSha(mac.into())),
        moved(OxmHeader::ARP_SPA, OxmHeader::ARP_TPA),
        Action::set_field(OxmField::ArpSpa(ip.into())),
    ]
}

/// The tag of a network on a trunk.
pub(super) fn push_tag(network: u16) -> [Action; 2] {
    [Action::PushVlan(EthType::VLAN), Action::set_field(OxmField::VlanVid(VlanVid::tagged(network).into()))]
}
