//! Links that are missing, wrong, or nobody's any more.

use std::sync::Arc;

use crate::state::{Desired, LinkEffect, Observed};

/// The changes of links that this round can begin.
pub fn links(desired: &Desired, observed: &Observed) -> Vec<LinkEffect> {
    let wanted = desired.wanted(observed).filter_map(|(endpoint, attachment)| {
        let bridge = observed.bridges.get(&attachment.bridge)?;
        let sandbox = observed.running.get(&attachment.owner)?.clone();
        let attachment = Arc::clone(attachment);
        let mtu = observed.mtu_for(&attachment);
        match observed.links.get(&endpoint) {
            Some(link) if link.leftover => Some(LinkEffect::Del(endpoint)),
            // A row that ovs-vswitchd failed to use goes first, so that its error is not taken for the new link's.
            None if observed.ports.get(&endpoint).is_some_and(|row| row.error.is_some()) => None,
            // Where its end inside would go is not known.
            None if sandbox.is_presumed() => None,
            None => {
                Some(LinkEffect::Add { attachment, sandbox, mtu, tx_checksum_offload: !bridge.userspace })
            }
            // What another tool made keeps the MTU it was given.
            Some(link) if link.mtu != mtu && attachment.host_link == endpoint.host_link() => {
                Some(LinkEffect::SetMtu { attachment, sandbox, mtu })
            }
            Some(_) => None,
        }
    });
    let unwanted = observed.links.keys().copied().filter(|endpoint| desired.unwanted(*endpoint, observed));
    wanted.chain(unwanted.map(LinkEffect::Del)).collect()
}
