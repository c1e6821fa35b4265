//! What an endpoint contributes: a constant number of flow entries and two for each IPv4 address more.

use std::net::Ipv4Addr;

use flowport_openflow::{Action, EthType, MacAddr, Match, OxmField, OxmHeader, PortNo, Subfield, VlanVid};

use crate::model::Attachment;

use super::flow::Does;
use super::{CLASSIFY, FORWARD, Flow, GUARD, NETWORK_MASK, RESPOND, RETURN, UndeclaredFlow};

/// ARP request and reply (RFC 826).
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// The flow entries of the endpoint behind `port`; all carry its cookie.
pub fn endpoint_flows(attachment: &Attachment, port: PortNo) -> Result<Vec<Flow>, UndeclaredFlow> {
    let cookie = attachment.endpoint().cookie();
    let mac = MacAddr(attachment.mac.octets());
    let network = u64::from(attachment.vlan.id());
    let from = || Match::builder().in_port(port).eth_src(mac);
    let mut flows = Vec::new();
    let mut add = |table, matches, does| {
        flows.push(Flow::new(table, 100, cookie, matches, does)?);
        Ok(())
    };

    // A container sends without tag; what it tags is not for it to choose.
    let untagged = Match::builder().in_port(port).vlan_vid(VlanVid::NONE);
    add(&CLASSIFY, untagged, Does::goto(&GUARD).metadata(network))?;
    if attachment.addresses.is_empty() {
        // Its addresses are its own business (DHCP, or set by hand inside).
        add(&GUARD, from(), Does::goto(&RESPOND))?;
    } else {
        // Addresses are probed for before they are used (RFC 5227).
        let senders = attachment.ipv4().chain([Ipv4Addr::UNSPECIFIED]);
        for ip in senders.take_while(|_| attachment.ipv4().next().is_some()) {
            add(&GUARD, from().arp().arp_spa(ip).arp_sha(mac), Does::goto(&RESPOND))?;
        }
        for ip in attachment.ipv4() {
            add(&GUARD, from().ipv4().ipv4_src(ip), Does::goto(&RESPOND))?;
        }
        add(&GUARD, from().ipv6(), Does::goto(&RESPOND))?;
    }
    for ip in attachment.ipv4() {
        let asked = Match::builder().metadata((network, NETWORK_MASK)).arp().arp_op(REQUEST).arp_tpa(ip);
        add(&RESPOND, asked, Does::apply(arp_reply(mac, ip)).then_goto(&RETURN))?;
    }
    let to = Match::builder().metadata((network, NETWORK_MASK)).eth_dst(mac);
    add(&FORWARD, to, Does::apply([Action::output(port)]))?;
    Ok(flows)
}

/// Turns a request into its own reply: the target becomes the sender, the sender the target.
fn arp_reply(mac: MacAddr, ip: Ipv4Addr) -> [Action; 7] {
    let moved = |src, dst| Action::reg_move(Subfield::whole(src), Subfield::whole(dst));
    [
        moved(OxmHeader::ETH_SRC, OxmHeader::ETH_DST),
        Action::set_field(OxmField::EthSrc(mac.into())),
        Action::set_field(OxmField::ArpOp(REPLY)),
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
