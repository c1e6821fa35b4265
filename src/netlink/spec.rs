//! What a veth is to be, and whether that makes sense.

use std::net::IpAddr;

use ipnet::IpNet;

use super::netns::Netns;

/// `IFNAMSIZ` without its NUL.
const NAME: usize = 15;
/// `IFALIASZ` without its NUL.
const ALIAS: usize = 255;
/// `ETH_MIN_MTU` and `ETH_MAX_MTU`, between which a veth takes any.
const MTU: std::ops::RangeInclusive<u32> = 68..=65535;
/// RFC 8200 section 5: less than that and the kernel does no IPv6 on the link.
const IPV6_MIN_MTU: u32 = 1280;

/// A veth pair: one end on the host, the other in a sandbox, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VethSpec {
    /// The host end's name, at most 15 bytes.
    pub host_name: String,
    /// The host end's alias: the mark by which we know it. At most 255 bytes.
    pub alias: String,
    /// Where the other end goes.
    pub sandbox: Netns,
    /// The other end's name, at most 15 bytes.
    pub name: String,
    /// The other end's Ethernet address.
    pub mac: [u8; 6],
    /// The MTU of both ends in bytes; none: 1500.
    pub mtu: Option<u32>,
    /// The other end's addresses. IPv6 is switched on for the interface when one is IPv6, and the
    /// address is usable at once (no duplicate address detection).
    pub addresses: Vec<IpNet>,
    /// Default gateways, at most one a family. A default route that the sandbox has already is replaced.
    pub gateways: Vec<IpAddr>,
    /// Further routes.
    pub routes: Vec<Route>,
    /// False switches TX checksum offload off inside: on a userspace datapath nobody would fill the
    /// checksums in, and TCP would be dead.
    pub tx_checksum_offload: bool,
}

/// A route inside the sandbox. Destination 0.0.0.0/0 or ::/0 is treated as a gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; no host bits.
    pub destination: IpNet,
    /// The next hop; none: the destination is on the link.
    pub gateway: Option<IpAddr>,
}

/// A wish that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not a name for a link.
    #[error("{name:?} is no interface name: 1 to 15 bytes without '/', ':', '%' and white space")]
    Name {
        /// The name.
        name: String,
    },
    /// The alias does not fit.
    #[error("the alias of {name} is longer than 255 bytes")]
    Alias {
        /// The link.
        name: String,
    },
    /// A group address or all zeros.
    #[error(
        "the MAC address {mac} is not one of a single interface: its first byte must be even, not all bytes zero"
    )]
    Mac {
        /// The address.
        mac: String,
    },
    /// Not possible on a veth.
    #[error("the MTU {mtu} is not possible: choose 68 to 65535, and 1280 or more with IPv6 addresses")]
    Mtu {
        /// The MTU.
        mtu: u32,
    },
    /// Unspecified, multicast, loopback or broadcast.
    #[error("{address} is not an address for an interface")]
    Address {
        /// The address.
        address: IpNet,
    },
    /// The same address twice.
    #[error("the address {address} is given twice")]
    DuplicateAddress {
        /// The address.
        address: IpAddr,
    },
    /// Not on any subnet of the interface.
    #[error(
        "the gateway {gateway} is in no subnet of the interface's addresses: correct it or add an address"
    )]
    GatewayUnreachable {
        /// The gateway.
        gateway: IpAddr,
    },
    /// The interface's own address.
    #[error("the gateway {gateway} is the interface's own address")]
    GatewayIsOwn {
        /// The gateway.
        gateway: IpAddr,
    },
    /// The same destination twice, or two default gateways of one family.
    #[error("there are two routes to {destination}: one is needed")]
    DuplicateRoute {
        /// The destination.
        destination: IpNet,
    },
    /// Host bits set.
    #[error("the route's destination {destination} has host bits set: write {network}")]
    HostBits {
        /// The destination.
        destination: IpNet,
        /// What was probably meant.
        network: IpNet,
    },
    /// An IPv4 destination by an IPv6 gateway or the reverse.
    #[error("the route to {destination} cannot go by {gateway}: one is IPv4, the other IPv6")]
    Families {
        /// The destination.
        destination: IpNet,
        /// The gateway.
        gateway: IpAddr,
    },
}

impl VethSpec {
    /// Checks everything that can be known without asking the kernel.
    pub fn validate(&self) -> Result<(), SpecError> {
        for name in [&self.host_name, &self.name] {
            if !is_link_name(name) {
                return Err(SpecError::Name { name: name.clone() });
            }
        }
        if self.alias.len() > ALIAS {
            return Err(SpecError::Alias { name: self.host_name.clone() });
        }
        if self.mac[0] & 1 == 1 || self.mac == [0; 6] {
            let bytes: Vec<String> = self.mac.iter().map(|byte| format!("{byte:02x}")).collect();
            return Err(SpecError::Mac { mac: bytes.join(":") });
        }
        if let Some(mtu) = self.mtu {
            let ipv6 = self.addresses.iter().any(|address| matches!(address, IpNet::V6(_)));
            if !MTU.contains(&mtu) || ipv6 && mtu < IPV6_MIN_MTU {
                return Err(SpecError::Mtu { mtu });
            }
        }
        self.validate_addresses()?;
        self.validate_routes()
    }

    fn validate_addresses(&self) -> Result<(), SpecError> {
        for (nth, address) in self.addresses.iter().enumerate() {
            let broadcast = match address {
                IpNet::V4(net) if net.prefix_len() < 31 => {
                    net.addr() == net.broadcast() || net.addr() == net.network()
                }
                IpNet::V4(net) => net.addr().is_broadcast(),
                IpNet::V6(_) => false,
            };
            let ip = address.addr();
            let this_network = matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 0);
            if broadcast || this_network || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
                return Err(SpecError::Address { address: *address });
            }
            if self.addresses.iter().take(nth).any(|earlier| earlier.addr() == ip) {
                return Err(SpecError::DuplicateAddress { address: ip });
            }
        }
        Ok(())
    }

    fn validate_routes(&self) -> Result<(), SpecError> {
        let mut destinations: Vec<IpNet> = Vec::new();
        for route in self.default_routes().chain(self.specific_routes()) {
            let destination = route.destination;
            if destination != destination.trunc() {
                return Err(SpecError::HostBits { destination, network: destination.trunc() });
            }
            if destinations.contains(&destination) {
                return Err(SpecError::DuplicateRoute { destination });
            }
            destinations.push(destination);
            let Some(gateway) = route.gateway else { continue };
            if gateway.is_ipv4() != destination.addr().is_ipv4() {
                return Err(SpecError::Families { destination, gateway });
            }
            if self.addresses.iter().any(|address| address.addr() == gateway) {
                return Err(SpecError::GatewayIsOwn { gateway });
            }
            let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
            let on_link = self.addresses.iter().any(|address| address.contains(&gateway));
            if gateway.is_unspecified() || gateway.is_multicast() || !(on_link || link_local) {
                return Err(SpecError::GatewayUnreachable { gateway });
            }
        }
        Ok(())
    }

    /// The default routes, by `gateways` and by `routes`.
    pub(super) fn default_routes(&self) -> impl Iterator<Item = Route> + '_ {
        let by_gateway = self.gateways.iter().map(|gateway| Route {
            destination: match gateway {
                IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
                IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
            },
            gateway: Some(*gateway),
        });
        by_gateway.chain(self.routes.iter().copied().filter(|route| route.destination.prefix_len() == 0))
    }

    /// The routes that are not default routes.
    pub(super) fn specific_routes(&self) -> impl Iterator<Item = Route> + '_ {
        self.routes.iter().copied().filter(|route| route.destination.prefix_len() > 0)
    }
}

/// What `dev_valid_name` of the kernel takes.
fn is_link_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c == '/' || c == ':' || c == '\0' || c == '%' || c.is_whitespace())
}

#[cfg(test)]
mod tests;
