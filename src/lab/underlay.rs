//! The wire between lab hosts.

use std::fs::File;
use std::os::fd::AsRawFd;

use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth};

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
    let path = peer.netns().path();
    let netns = File::open(path).map_err(|error| LabError::io(format!("open {}", path.display()), error))?;
    let failed = |error| LabError::Netlink {
        what: format!("join {link} of {} to {peer_link} of {}", host.name(), peer.name()),
        source: Box::new(error),
    };
    let far = LinkMessageBuilder::<LinkUnspec>::new()
        .name(peer_link)
        .setns_by_fd(netns.as_raw_fd())
        .mtu(mtu)
        .build();
    let near = LinkMessageBuilder::<LinkVeth>::new(link, peer_link)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
        .mtu(mtu)
        .up()
        .build();
    host.netns().netlink()?.link().add(near).execute().await.map_err(failed)?;
    // The far end cannot be made up: the kernel refuses that before the two know each other (veth_open).
    let far_up = LinkMessageBuilder::<LinkUnspec>::new().name(peer_link).up().build();
    peer.netns().netlink()?.link().change(far_up).execute().await.map_err(failed)
}
