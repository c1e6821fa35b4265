//! Links of this host that a bridge needs, and that are down or have lost addresses: after a start of the host
//! ovs-vswitchd makes a bridge's local port anew, as bare as the kernel makes any link.

use std::net::IpAddr;

use crate::model::LinkName;
use crate::state::{HostLinkEffect, Observed};

/// What the bridge's links lack. Nothing is ever taken away from them: they are the host's as much as Flowport's.
pub fn host_links(observed: &Observed, bridge: &LinkName) -> impl Iterator<Item = HostLinkEffect> {
    let links = observed.bridges.get(bridge).into_iter().flat_map(|bridge| &bridge.links);
    links.filter_map(|(link, wanted)| {
        let seen = observed.host_links.get(link)?;
        // One with another prefix length is somebody's choice; and of IPv6 the kernel takes no second one.
        let has = |ip: IpAddr| seen.addresses.iter().any(|address| address.addr() == ip);
        let addresses: Vec<_> = wanted.iter().filter(|address| !has(address.addr())).copied().collect();
        let lacks = !seen.up || !addresses.is_empty();
        lacks.then(|| HostLinkEffect { link: link.clone(), addresses })
    })
}

/// Whether all links of the bridge are there and lack nothing.
pub fn has_host_links(observed: &Observed, bridge: &LinkName) -> bool {
    let mut links = observed.bridges.get(bridge).into_iter().flat_map(|bridge| bridge.links.keys());
    links.all(|link| observed.host_links.contains_key(link)) && host_links(observed, bridge).next().is_none()
}
