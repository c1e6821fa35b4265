//! What only one endpoint of a bridge can have, kept from round to round: of two that claim the same, one goes without the
//! flow entries for it, until the other leaves.

use std::collections::HashMap;
use std::net::IpAddr;

use flowport_openflow::PortNo;

use crate::model::{Attachment, Mac, Vlan};

/// How many endpoints claim each thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Claims(HashMap<Claim, u32>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Claim {
    Port(PortNo),
    Mac(Vlan, Mac),
    Address(Vlan, IpAddr),
}

impl Claims {
    /// The endpoint claims what it has. Whether it is the only one that claims any of this.
    pub(super) fn join(&mut self, attachment: &Attachment, port: PortNo) -> bool {
        let mut alone = true;
        for claim in claims(attachment, port) {
            let count = self.0.entry(claim).or_default();
            *count += 1;
            alone &= *count == 1;
        }
        alone
    }

    /// The endpoint claims it no more. Whether nobody else does.
    pub(super) fn leave(&mut self, attachment: &Attachment, port: PortNo) -> bool {
        let mut alone = true;
        for claim in claims(attachment, port) {
            let Some(count) = self.0.get_mut(&claim) else { continue };
            *count -= 1;
            if *count == 0 {
                self.0.remove(&claim);
            } else {
                alone = false;
            }
        }
        alone
    }
}

fn claims(attachment: &Attachment, port: PortNo) -> impl Iterator<Item = Claim> {
    let Attachment { vlan, mac, addresses, .. } = attachment;
    let macs = attachment.networks().map(|network| Claim::Mac(network, *mac));
    let addresses = addresses.iter().map(|address| Claim::Address(*vlan, address.addr()));
    macs.chain(addresses).chain([Claim::Port(port)])
}
