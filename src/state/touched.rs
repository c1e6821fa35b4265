//! What a plan has to look at again.

use std::collections::BTreeSet;

use crate::model::{EndpointId, LinkName};

use super::{Desired, Observed};

/// What has changed since it was last planned for.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// All endpoints and bridges, whatever is in the other two.
    pub everything: bool,
    /// Endpoints.
    pub endpoints: BTreeSet<EndpointId>,
    /// Bridges, by themselves: ports that are no endpoint's, and whether they are managed.
    pub bridges: BTreeSet<LinkName>,
}

impl Touched {
    /// Everything there is.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// What has changed since this was last asked.
    pub fn take(desired: &mut Desired, observed: &mut Observed) -> Self {
        let owners = observed.running.take_changed();
        // The MTU of any port may depend on the way to a remote.
        let everything = !observed.underlay.take_changed().is_empty();
        let mut touched = Self {
            everything,
            endpoints: desired.attachments.take_changed(),
            bridges: observed.bridges.take_changed(),
        };
        touched.endpoints.extend(observed.ports.take_changed());
        touched.endpoints.extend(observed.links.take_changed());
        touched
            .endpoints
            .extend(observed.records.as_mut().map(super::Tracked::take_changed).unwrap_or_default());
        for owner in &owners {
            touched.endpoints.extend(desired.attachments.of(owner).map(|(endpoint, _)| *endpoint));
        }
        if !touched.bridges.is_empty() {
            let bridges = &touched.bridges;
            let for_them = desired.attachments.iter().filter(|(_, a)| bridges.contains(&a.bridge));
            let on_them = observed.ports.iter().filter(|(_, row)| bridges.contains(&row.bridge));
            let found = for_them.map(|(endpoint, _)| *endpoint).chain(on_them.map(|(of, _)| *of));
            touched.endpoints.extend(found);
        }
        touched
    }

    /// The endpoints to look at.
    pub fn endpoints(&self, desired: &Desired, observed: &Observed) -> BTreeSet<EndpointId> {
        if !self.everything {
            return self.endpoints.clone();
        }
        let mut all: BTreeSet<EndpointId> = desired.attachments.keys().copied().collect();
        all.extend(observed.ports.keys().chain(observed.links.keys()).chain(&observed.detached));
        all.extend(observed.records.iter().flat_map(|records| records.keys()));
        all.extend(&self.endpoints);
        all
    }
}
