//! The rtnetlink requests that are sent.

use std::net::IpAddr;
use std::os::fd::RawFd;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkExtentMask,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// A request with its flags beyond NLM_F_REQUEST and NLM_F_ACK.
pub(super) type Request = (u16, RouteNetlinkMessage);

pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// One end of a veth pair as it is to be born.
pub(super) struct VethEnd<'a> {
    pub(super) name: &'a str,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) mtu: Option<u32>,
    /// The namespace to be born in, if not the one asked.
    pub(super) netns: Option<RawFd>,
}

impl VethEnd<'_> {
    fn message(&self) -> LinkMessage {
        let mut link = named(self.name);
        link.attributes.extend(self.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        link.attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        link.attributes.extend(self.netns.map(LinkAttribute::NetNsFd));
        link
    }
}

fn named(name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    link
}

fn indexed(index: u32) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link
}

pub(super) fn new_veth(end: &VethEnd<'_>, peer: &VethEnd<'_>) -> RouteNetlinkMessage {
    let mut link = end.message();
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer.message()))),
    ]));
    RouteNetlinkMessage::NewLink(link)
}

/// Gives the link an alias.
pub(super) fn mark(index: u32, alias: &str) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.attributes.push(LinkAttribute::IfAlias(alias.to_owned()));
    RouteNetlinkMessage::SetLink(link)
}

/// Gives the link an alias and brings it up; where IPv6 is on the link, switched off, it is to have no address of its own
/// making when somebody switches it on.
pub(super) fn mark_and_set_up(index: u32, alias: &str, has_ipv6: bool) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.attributes.push(LinkAttribute::IfAlias(alias.to_owned()));
    if has_ipv6 {
        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        link.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])]));
    }
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(link)
}

/// Keeps IPv6 from giving the link an address of its own making.
pub(super) fn no_link_local(index: u32) -> RouteNetlinkMessage {
    address_generation(index, In6AddrGenMode::None)
}

/// Has IPv6 make the link's own addresses from its MAC, whatever the namespace's default is.
pub(super) fn link_local_of_mac(index: u32) -> RouteNetlinkMessage {
    address_generation(index, In6AddrGenMode::Eui64)
}

fn address_generation(index: u32, mode: In6AddrGenMode) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    let mode = AfSpecInet6::AddrGenMode(mode);
    link.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn set_up(index: u32) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn set_mtu(index: u32, mtu: u32) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.attributes.push(LinkAttribute::Mtu(mtu));
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn set_group(index: u32, group: u32) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.attributes.push(LinkAttribute::Group(group));
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn move_link(index: u32, netns: RawFd, name: &str) -> RouteNetlinkMessage {
    let mut link = indexed(index);
    link.attributes.push(LinkAttribute::NetNsFd(netns));
    link.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn del_link(index: u32) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelLink(indexed(index))
}

/// Deletes all links of a group at once: the kernel then waits for its readers once, not once a link.
pub(super) fn del_group(group: u32) -> RouteNetlinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::Group(group));
    RouteNetlinkMessage::DelLink(link)
}

pub(super) fn link_named(name: &str) -> RouteNetlinkMessage {
    without_statistics(named(name))
}

pub(super) fn link_at(index: u32) -> RouteNetlinkMessage {
    without_statistics(indexed(index))
}

pub(super) fn all_links() -> RouteNetlinkMessage {
    without_statistics(LinkMessage::default())
}

fn without_statistics(mut link: LinkMessage) -> RouteNetlinkMessage {
    link.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    RouteNetlinkMessage::GetLink(link)
}

/// IPv6 addresses skip duplicate address detection, so that they work at once.
pub(super) fn new_address(index: u32, address: &IpNet) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(&address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    match address {
        IpNet::V4(address) if address.prefix_len() < 31 => {
            message.attributes.push(AddressAttribute::Broadcast(address.broadcast()));
        }
        IpNet::V4(_) => {}
        IpNet::V6(_) => {
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    RouteNetlinkMessage::NewAddress(message)
}

pub(super) fn del_address(index: u32, address: &IpNet) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(&address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(address.addr()));
    RouteNetlinkMessage::DelAddress(message)
}

pub(super) fn all_addresses() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

/// A route in the main table through link `index`.
pub(super) fn new_route(index: u32, destination: &IpNet, gateway: Option<IpAddr>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(&destination.addr());
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.header.scope = match (destination, gateway) {
        (IpNet::V4(_), None) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    if destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(destination.addr().into()));
    }
    message.attributes.extend(gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    message.attributes.push(RouteAttribute::Oif(index));
    RouteNetlinkMessage::NewRoute(message)
}

pub(super) fn all_routes(family: AddressFamily) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    RouteNetlinkMessage::GetRoute(message)
}

pub(super) fn route_to(destination: IpAddr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(&destination);
    message.header.destination_prefix_length = if destination.is_ipv4() { 32 } else { 128 };
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    RouteNetlinkMessage::GetRoute(message)
}

pub(super) fn family(address: &IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
