//! Which way a packet would go.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::Parseable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteType,
};
use rustix::io::Errno;

use super::error::NetlinkError;
use super::link::{self, Link};
use super::socket::Socket;
use super::{Netlink, message};

pub(super) const RTM_NEWROUTE: u16 = 24;

/// How a destination is reached from this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The link that packets leave by.
    pub link: Link,
    /// The largest packet on the way in bytes, as far as this host knows: the route's or else the link's.
    pub mtu: u32,
    /// The source address that packets get.
    pub source: Option<IpAddr>,
    /// The next hop, unless the destination is on the link itself.
    pub gateway: Option<IpAddr>,
}

/// A route of the main table that leads somewhere by one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRoute {
    /// Where it leads.
    pub destination: IpNet,
    /// `ifindex` of the link that packets leave by.
    pub link: u32,
    /// The next hop, unless the destination is on the link itself.
    pub gateway: Option<IpAddr>,
}

impl Netlink {
    /// The unicast routes of the main table, of both families. Those with several next hops are left out.
    pub async fn routes(&self) -> Result<Vec<TableRoute>, NetlinkError> {
        self.run(|| {
            let mut socket = Socket::route()?;
            let mut routes = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                let found = socket.dump(message::all_routes(family), |answer| {
                    (answer.kind == RTM_NEWROUTE).then(|| RouteMessage::parse(answer.payload).ok()).flatten()
                })?;
                let found = found.map_err(|refusal| NetlinkError::refused("list routes", refusal))?;
                routes.extend(found.iter().filter_map(of_main_table));
            }
            Ok(routes)
        })
        .await
    }

    /// The way to `destination`; none when it is unreachable.
    pub async fn route_to(&self, destination: IpAddr) -> Result<Option<Path>, NetlinkError> {
        self.run(move || {
            let mut socket = Socket::route()?;
            let mut route = None;
            let result = socket.request(0, message::route_to(destination), |answer| {
                if answer.kind == RTM_NEWROUTE {
                    route = RouteMessage::parse(answer.payload).ok();
                }
            })?;
            let unreachable = [Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::ACCESS, Errno::INVAL];
            match result {
                Err(refusal) if unreachable.iter().any(|errno| refusal.is(*errno)) => return Ok(None),
                Err(refusal) => {
                    return Err(NetlinkError::refused(
                        format!("look up the route to {destination}"),
                        refusal,
                    ));
                }
                Ok(()) => {}
            }
            let Some(route) = route else { return Ok(None) };
            let (mut oif, mut mtu, mut source, mut gateway) = (None, None, None, None);
            for attribute in route.attributes {
                match attribute {
                    RouteAttribute::Oif(index) => oif = Some(index),
                    RouteAttribute::PrefSource(address) => source = ip(&address),
                    RouteAttribute::Gateway(address) => gateway = ip(&address),
                    RouteAttribute::Metrics(metrics) => {
                        mtu = metrics.iter().find_map(|metric| match metric {
                            RouteMetric::Mtu(mtu) => Some(*mtu),
                            _ => None,
                        });
                    }
                    _ => {}
                }
            }
            let link = oif.map_or(Ok(None), |oif| link::at(&mut socket, oif))?;
            Ok(link.map(|link| Path { mtu: mtu.unwrap_or(link.mtu), link, source, gateway }))
        })
        .await
    }
}

fn of_main_table(route: &RouteMessage) -> Option<TableRoute> {
    let header = &route.header;
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
        return None;
    }
    let (mut destination, mut link, mut gateway) = (None, None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address),
            RouteAttribute::Oif(index) => link = Some(*index),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            _ => {}
        }
    }
    // A default route names no destination.
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => std::net::Ipv4Addr::UNSPECIFIED.into(),
        _ => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let destination = IpNet::new(destination.unwrap_or(any), header.destination_prefix_length).ok()?;
    Some(TableRoute { destination, link: link?, gateway })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
