//! What should be attached: the one record of an endpoint, whoever keeps it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{ContainerRef, EndpointId, LinkName, Mac, Owner, Route, Vlan};

/// The MTU of a container's interface on a bridge without tunnels, in bytes.
pub const DEFAULT_MTU: u32 = 1500;

/// One interface that a container is to have on a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The container's identity.
    pub owner: Owner,
    /// The container as the user named it.
    pub container: ContainerRef,
    /// The bridge that the port is on.
    pub bridge: LinkName,
    /// The interface's name inside the container.
    pub interface: LinkName,
    /// The host end's name; that of [`EndpointId::host_link`] unless another tool made the port.
    pub host_link: String,
    /// Addresses of the interface, with their prefix lengths.
    pub addresses: Vec<IpNet>,
    /// Default gateways, at most one of each family.
    pub gateways: Vec<IpAddr>,
    /// Routes through the interface.
    pub routes: Vec<Route>,
    /// The interface's Ethernet address.
    pub mac: Mac,
    /// The MTU that the user asked for; otherwise what fits the bridge.
    pub mtu: Option<u32>,
    /// The network on the bridge.
    pub vlan: Vlan,
    /// Further networks, which the container tells apart by their tags: ascending, without `vlan` and without 0.
    pub trunks: Vec<Vlan>,
}

impl Attachment {
    /// The endpoint that it describes.
    pub fn endpoint(&self) -> EndpointId {
        EndpointId::of(&self.owner, &self.interface)
    }

    /// All its networks, the untagged one first.
    pub fn networks(&self) -> impl Iterator<Item = Vlan> {
        [self.vlan].into_iter().chain(self.trunks.iter().copied())
    }

    /// Whether it may send from its own addresses only: those that it was given, if any.
    pub fn is_guarded(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// The IPv4 addresses, without prefix lengths.
    pub fn ipv4(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().filter_map(|address| match address.addr() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
    }

    /// The IPv6 addresses, without prefix lengths.
    pub fn ipv6(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.addresses.iter().filter_map(|address| match address.addr() {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip),
        })
    }

    /// The MAC of an interface for which the user gave none: that of its first IPv4 address, or one of its endpoint.
    pub fn default_mac(endpoint: EndpointId, addresses: &[IpNet]) -> Mac {
        let first = addresses.iter().find_map(|address| match address.addr() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        first.map_or_else(|| Mac::of_seed(endpoint.bits()), Mac::of_ipv4)
    }
}
