//! Links that are missing, wrong, or nobody's any more.

use std::sync::Arc;

use crate::model::{Attachment, EndpointId, Sandbox};
use crate::state::{Desired, LinkEffect, Observed};

/// The change of the endpoint's link that this round can begin.
pub fn link(desired: &Desired, observed: &Observed, endpoint: EndpointId) -> Option<LinkEffect> {
    match desired.running(endpoint, observed).filter(|_| desired.scope.holds(endpoint)) {
        Some((attachment, sandbox)) => of_wanted(observed, endpoint, attachment, sandbox),
        None => {
            let unwanted = observed.links.contains_key(&endpoint) && desired.unwanted(endpoint, observed);
            unwanted.then_some(LinkEffect::Del(endpoint))
        }
    }
}

fn of_wanted(
    observed: &Observed,
    endpoint: EndpointId,
    attachment: &Arc<Attachment>,
    sandbox: &Sandbox,
) -> Option<LinkEffect> {
    let bridge = observed.bridges.get(&attachment.bridge)?;
    let mtu = observed.mtu_for(attachment);
    match observed.links.get(&endpoint) {
        Some(link) if link.leftover => Some(LinkEffect::Del(endpoint)),
        // Where its end inside would go is not known.
        None if sandbox.is_presumed() => None,
        // A row goes first: ovs-vswitchd would take the new link for the one that it knows, and its error for the new one's.
        None if observed.ports.contains_key(&endpoint) => None,
        None => Some(LinkEffect::Add {
            attachment: Arc::clone(attachment),
            sandbox: sandbox.clone(),
            mtu,
            tx_checksum_offload: !bridge.userspace,
        }),
        Some(link) if !link.up => Some(LinkEffect::SetUp(endpoint)),
        // What another tool made keeps the MTU it was given.
        Some(link) if link.mtu != mtu && attachment.host_link == endpoint.host_link() => {
            Some(LinkEffect::SetMtu { attachment: Arc::clone(attachment), sandbox: sandbox.clone(), mtu })
        }
        Some(_) => None,
    }
}
