//! Port numbers of new ports.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::LinkName;
use crate::state::Observed;

/// ovs-vswitchd numbers ports by itself from the lower half, and leaves the upper half to who asks for a number
/// (`alloc_ofp_port`).
const FIRST: u32 = 0x8000;
/// `OFPP_MAX` of OpenFlow 1.0, whose 16 bits the column has: from here on numbers are reserved.
const END: u32 = 0xff00;

/// Gives each new port of a managed bridge its number beforehand (`ofport_request`), so that its flow entries are
/// installed while ovs-vswitchd is still taking it up. Of one round: what was given is not given again.
#[derive(Debug, Default)]
pub struct PortNumbers {
    bridges: BTreeMap<LinkName, Numbers>,
}

#[derive(Debug)]
struct Numbers {
    taken: BTreeSet<u32>,
    next: u32,
}

impl PortNumbers {
    /// The lowest number that no port of the bridge has or asks for; none on a plain bridge, whose user may have
    /// numbers of his own in mind, and when there is none left.
    pub(super) fn next(&mut self, observed: &Observed, bridge: &LinkName) -> Option<u32> {
        observed.bridges.get(bridge).filter(|row| row.managed)?;
        let numbers =
            self.bridges.entry(bridge.clone()).or_insert_with(|| Numbers::of_bridge(observed, bridge));
        let number = (numbers.next..END).find(|number| !numbers.taken.contains(number))?;
        numbers.next = number + 1;
        Some(number)
    }
}

impl Numbers {
    fn of_bridge(observed: &Observed, bridge: &LinkName) -> Self {
        let others = observed.bridges.get(bridge).into_iter().flat_map(|row| &row.ports);
        let ours = observed.ports.values().filter(|row| row.bridge == *bridge);
        let taken = others
            .map(|port| [port.ofport, port.ofport_request])
            .chain(ours.map(|row| [row.ofport, row.ofport_request]));
        Self { taken: taken.flatten().flatten().collect(), next: FIRST }
    }
}
