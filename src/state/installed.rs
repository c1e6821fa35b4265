//! What a datapath holds of ours.

mod entries;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use flowport_openflow::{Bucket, Cookie, FlowKey, GroupId, Instruction, MeterConfig, MeterId};

use crate::model::EndpointId;
use crate::pipeline::Flow;

use super::FlowChanges;
use entries::Entries;
pub use entries::{Lookup, Place};

/// What is known of a bridge's datapath.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datapath {
    /// It is being asked.
    Opening,
    /// It holds this.
    Read(Installed),
    /// There is none: ovs-vswitchd does not run, and what it held is gone with it.
    Away,
}

/// Flow entries and groups of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    flows: Entries,
    groups: BTreeMap<GroupId, Vec<Bucket>>,
    meters: Meters,
}

/// The meters of ours in a datapath.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meters {
    /// The highest number that one can have; 0: the datapath has no meters.
    pub max: u32,
    /// Those that are there.
    pub meters: BTreeMap<MeterId, MeterConfig>,
}

impl Installed {
    /// With these flow entries and groups.
    pub fn new(
        flows: impl IntoIterator<Item = (FlowKey, Cookie, Vec<Instruction>)>,
        groups: impl IntoIterator<Item = (GroupId, Vec<Bucket>)>,
    ) -> Self {
        let mut installed = Self { groups: groups.into_iter().collect(), ..Self::default() };
        for (key, cookie, instructions) in flows {
            installed.flows.insert(&key, cookie, &instructions);
        }
        installed.flows.shrink();
        installed
    }

    /// The same, with these meters.
    #[must_use]
    pub fn metered(self, meters: Meters) -> Self {
        Self { meters, ..self }
    }

    /// How many flow entries it holds.
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// The flow entries: what makes each the same entry, and whose it is.
    pub fn flows(&self) -> impl Iterator<Item = (FlowKey, Cookie)> {
        self.places().filter_map(|(place, cookie)| Some((self.key(place)?, cookie)))
    }

    /// Whose each flow entry is, and where it is kept: a number below [`room`](Self::room).
    pub fn places(&self) -> impl Iterator<Item = (Place, Cookie)> {
        self.flows.places()
    }

    /// The number above those of all places.
    pub fn room(&self) -> usize {
        self.flows.room()
    }

    /// What makes the flow entry at a place the same entry.
    pub fn key(&self, place: Place) -> Option<FlowKey> {
        self.flows.key(place)
    }

    /// Where the entry in the place of `flow` is kept, if there is one, and how it compares.
    pub fn look_up(&self, flow: &Flow, scratch: &mut Vec<u8>) -> Option<Lookup> {
        self.flows.look_up(flow, scratch)
    }

    /// Whose flow entry it is, if it is there.
    pub fn cookie(&self, key: &FlowKey) -> Option<Cookie> {
        self.flows.cookie(key)
    }

    /// The buckets of each group.
    pub fn groups(&self) -> &BTreeMap<GroupId, Vec<Bucket>> {
        &self.groups
    }

    /// The meters.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Whether it holds flow entries of the endpoint.
    pub fn has_flows_of(&self, endpoint: EndpointId) -> bool {
        self.flows.has(Cookie(endpoint.cookie()))
    }

    /// The flow entries of the endpoint.
    pub fn flows_of(&self, endpoint: EndpointId) -> impl Iterator<Item = FlowKey> {
        self.flows.of(Cookie(endpoint.cookie())).filter_map(|place| self.key(place))
    }

    /// What it holds when the changes have been applied.
    pub fn apply(&mut self, changes: &FlowChanges) {
        for meter in changes.added_meters.iter().chain(&changes.modified_meters) {
            self.meters.meters.insert(meter.meter_id, meter.clone());
        }
        for meter in &changes.deleted_meters {
            self.meters.meters.remove(meter);
        }
        for endpoint in &changes.deleted_endpoints {
            self.flows.remove_all(Cookie(endpoint.cookie()));
        }
        for group in changes.added_groups.iter().chain(&changes.modified_groups) {
            self.groups.insert(group.id, group.buckets.clone());
        }
        for (key, _) in &changes.deleted_flows {
            self.flows.remove(key);
        }
        for flow in changes.added_flows.iter().chain(&changes.modified_flows) {
            self.flows.insert(&flow.key, flow.cookie, &flow.instructions);
        }
        for group in &changes.deleted_groups {
            self.groups.remove(group);
        }
    }
}
