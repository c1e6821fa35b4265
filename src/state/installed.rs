//! What a datapath holds of ours.

use std::collections::{BTreeMap, HashMap};

use flowport_openflow::{Bucket, Cookie, FlowKey, GroupId, Instruction};

use crate::model::EndpointId;

use super::FlowChanges;

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
#[derive(Clone, Debug, Default)]
pub struct Installed {
    flows: HashMap<FlowKey, (Cookie, Vec<Instruction>)>,
    groups: BTreeMap<GroupId, Vec<Bucket>>,
    /// The flow entries that carry each cookie.
    cookies: HashMap<u64, Vec<FlowKey>>,
}

impl Installed {
    /// With these flow entries and groups.
    pub fn new(
        flows: impl IntoIterator<Item = (FlowKey, Cookie, Vec<Instruction>)>,
        groups: impl IntoIterator<Item = (GroupId, Vec<Bucket>)>,
    ) -> Self {
        let mut installed = Self { groups: groups.into_iter().collect(), ..Self::default() };
        for (key, cookie, instructions) in flows {
            installed.insert(key, cookie, instructions);
        }
        installed
    }

    /// Flow entries by what makes them the same entry.
    pub fn flows(&self) -> &HashMap<FlowKey, (Cookie, Vec<Instruction>)> {
        &self.flows
    }

    /// The buckets of each group.
    pub fn groups(&self) -> &BTreeMap<GroupId, Vec<Bucket>> {
        &self.groups
    }

    /// Whether it holds flow entries of the endpoint.
    pub fn has_flows_of(&self, endpoint: EndpointId) -> bool {
        self.cookies.contains_key(&endpoint.cookie())
    }

    /// The flow entries of the endpoint.
    pub fn flows_of(&self, endpoint: EndpointId) -> impl Iterator<Item = &FlowKey> {
        self.cookies.get(&endpoint.cookie()).into_iter().flatten()
    }

    /// What it holds when the changes have been applied.
    pub fn apply(&mut self, changes: &FlowChanges) {
        for endpoint in &changes.deleted_endpoints {
            for key in self.cookies.remove(&endpoint.cookie()).into_iter().flatten() {
                self.flows.remove(&key);
            }
        }
        for group in changes.added_groups.iter().chain(&changes.modified_groups) {
            self.groups.insert(group.id, group.buckets.clone());
        }
        for (key, _) in &changes.deleted_flows {
            self.remove(key);
        }
        for flow in changes.added_flows.iter().chain(&changes.modified_flows) {
            self.insert(flow.key.clone(), flow.cookie, flow.instructions.clone());
        }
        for group in &changes.deleted_groups {
            self.groups.remove(group);
        }
    }

    fn insert(&mut self, key: FlowKey, cookie: Cookie, instructions: Vec<Instruction>) {
        self.remove(&key);
        self.cookies.entry(cookie.0).or_default().push(key.clone());
        self.flows.insert(key, (cookie, instructions));
    }

    fn remove(&mut self, key: &FlowKey) {
        let Some((cookie, _)) = self.flows.remove(key) else { return };
        if let Some(keys) = self.cookies.get_mut(&cookie.0) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.cookies.remove(&cookie.0);
            }
        }
    }
}

/// The index says nothing more, and its order nothing at all.
impl PartialEq for Installed {
    fn eq(&self, other: &Self) -> bool {
        self.flows == other.flows && self.groups == other.groups
    }
}

impl Eq for Installed {}
