//! The wire between lab hosts.

use crate::netlink::{Netlink, NetlinkError, Netns};

use super::{LabError, LabHost};

/// Joins two hosts by a veth pair, up, without addresses: `link` of the first host to `peer_link` of the second, both
/// with `mtu` bytes. On a userspace datapath a tunnel needs the link in a bridge that holds the
/// host's underlay address; making that bridge is the product's work.
///
/// # Errors
/// A name is taken, or over 15 characters.
pub async fn connect(
    host: &LabHost,
    link: &str,
    peer: &LabHost,
    peer_link: &str,
    mtu: u32,
) -> Result<(), LabError> {
    join(host, link, peer, peer_link, mtu).await.map_err(|error| LabError::Netlink {
        what: format!("join {link} of {} to {peer_link} of {}", host.name(), peer.name()),
        source: Box::new(error),
    })
}

async fn join(
    host: &LabHost,
    link: &str,
    peer: &LabHost,
    peer_link: &str,
    mtu: u32,
) -> Result<(), NetlinkError> {
    let here = Netlink::open_in(Netns::new(host.netns().path()));
    let there = Netlink::open_in(Netns::new(peer.netns().path()));
    // Both ends are made in one namespace, so that the far one needs a name that is free there for a moment.
    let far = format!("{}~", &link[..link.len().min(14)]);
    here.add_veth_pair(link, &far).await?;
    here.move_to_netns(&far, &Netns::new(peer.netns().path()), peer_link).await?;
    for (netlink, name) in [(&here, link), (&there, peer_link)] {
        netlink.set_mtu(name, mtu).await?;
        netlink.set_up(name).await?;
    }
    Ok(())
}
