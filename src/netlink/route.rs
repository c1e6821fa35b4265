//! Which way a packet would go.

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteMetric};
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

impl Netlink {
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
            let link = link::all(&mut socket)?.into_iter().find(|link| Some(link.index) == oif);
            Ok(link.map(|link| Path { mtu: mtu.unwrap_or(link.mtu), link, source, gateway }))
        })
        .await
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
