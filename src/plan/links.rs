//! Links that are missing, wrong, or nobody's any more.

use std::sync::Arc;

use crate::model::{Attachment, EndpointId, Sandbox};

use super::{Desired, Observed};

/// A change for the kernel.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkEffect {
    /// Make the veth, its inner end configured.
    Add {
        /// What it is to be.
        attachment: Arc<Attachment>,
        /// Where its inner end goes.
        sandbox: Sandbox,
        /// The MTU of both ends, in bytes.
        mtu: u32,
        /// Whether the inner end may leave checksums to its peer: a userspace datapath does not fill them in.
        tx_checksum_offload: bool,
    },
    /// Change the MTU of both ends.
    SetMtu {
        /// Whose link it is.
        attachment: Arc<Attachment>,
        /// Where its inner end is.
        sandbox: Sandbox,
        /// The MTU in bytes.
        mtu: u32,
    },
    /// Delete the veth.
    Del(EndpointId),
}

impl LinkEffect {
    /// The endpoint whose link it changes.
    pub fn endpoint(&self) -> EndpointId {
        match self {
            Self::Add { attachment, .. } | Self::SetMtu { attachment, .. } => attachment.endpoint(),
            Self::Del(endpoint) => *endpoint,
        }
    }
}

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
