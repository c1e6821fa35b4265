//! How far the whole has come, for those who only look: the service manager's status, and metrics.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::metrics::Peer;
use crate::model::LinkName;
use crate::openflow::DatapathEvent;
use crate::plan::{Status, status};
use crate::state::Datapath as Seen;

use super::Reconciler;
use super::channel::Channel;

/// What is desired and observed, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whether changes may be made: no other Flowport has the lock of the database, and there is a connection to it.
    pub rules: bool,
    /// Each bridge that is there, or that something should be attached to.
    pub bridges: BTreeMap<LinkName, BridgeSummary>,
    /// Whether nothing is under way and nothing is missing that is not known to fail.
    pub settled: bool,
}

/// One bridge, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeSummary {
    /// Attachments, those of stopped containers included.
    pub desired: usize,
    /// Those whose container runs.
    pub wanted: usize,
    /// Ports of endpoints in the database.
    pub observed: usize,
    /// Wanted endpoints of which nothing is missing.
    pub converged: usize,
    /// Wanted endpoints that ovs-vswitchd says it cannot have.
    pub failed: usize,
    /// What the datapath holds of ours, if this is a managed bridge.
    pub datapath: Option<DatapathSummary>,
}

/// The datapath of a managed bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatapathSummary {
    /// Whether its channel is open and its flow entries have been read.
    pub connected: bool,
    /// Whether they are as they should be.
    pub in_sync: bool,
    /// Flow entries of ours.
    pub flows: usize,
    /// Groups of ours.
    pub groups: usize,
}

/// Somebody who wants to know.
#[derive(Debug)]
pub(crate) struct Look {
    /// Only when all is settled.
    pub(super) settled: bool,
    pub(super) answer: oneshot::Sender<Summary>,
}

impl Summary {
    /// One number of all bridges together.
    pub fn total(&self, number: impl Fn(&BridgeSummary) -> usize) -> usize {
        self.bridges.values().map(number).sum()
    }
}

impl Reconciler {
    /// Tells those who look, after a round, so that what can begin has begun.
    pub(super) fn show(&mut self) {
        self.lookers.retain(|looker| !looker.answer.is_closed());
        if self.lookers.is_empty() || (self.is_busy() && self.lookers.iter().all(|looker| looker.settled)) {
            return;
        }
        let summary = self.summary();
        for looker in std::mem::take(&mut self.lookers) {
            if looker.settled && !summary.settled {
                self.lookers.push(looker);
            } else {
                // Who has gone since need not know.
                let _ = looker.answer.send(summary.clone());
            }
        }
    }

    /// Counts what a datapath's channel tells.
    pub(super) fn count_report(&mut self, bridge: &LinkName, event: &DatapathEvent) {
        let took = self.datapaths.get_mut(bridge).and_then(Channel::took);
        match (event, took) {
            (DatapathEvent::Applied(_), Some(took)) => self.meters.bundle(true, took),
            (DatapathEvent::Refused { .. }, Some(took)) => self.meters.bundle(false, took),
            (DatapathEvent::Lost(_) | DatapathEvent::Away(_), _)
                if matches!(self.observed.datapaths.get(bridge), Some(Seen::Read(_))) =>
            {
                self.meters.lost(&Peer::DATAPATH);
            }
            _ => {}
        }
    }

    /// Whether effects on links, rows or records are under way.
    fn is_busy(&self) -> bool {
        self.links.busy() > 0
            || self.host_links.lane.busy() > 0
            || self.rows.is_busy(&())
            || self.records.is_busy(&())
    }

    fn is_in_sync(&self, bridge: &LinkName) -> bool {
        self.is_read(bridge) && self.datapaths.get(bridge).is_some_and(|channel| !channel.is_pending())
    }

    fn summary(&self) -> Summary {
        let mut bridges: BTreeMap<LinkName, BridgeSummary> = BTreeMap::new();
        let mut settled = !self.is_busy() && self.rules();
        for (name, bridge) in &self.observed.bridges {
            let is_pending = bridge.managed && !self.is_in_sync(name);
            let datapath = bridge.managed.then(|| {
                let in_sync = !is_pending;
                match self.observed.datapaths.get(name) {
                    Some(Seen::Read(installed)) => DatapathSummary {
                        connected: true,
                        in_sync,
                        flows: installed.flow_count(),
                        groups: installed.groups().len(),
                    },
                    Some(Seen::Opening | Seen::Away) | None => {
                        DatapathSummary { in_sync, ..Default::default() }
                    }
                }
            });
            // Of a switch that does not run nothing can be expected.
            let is_away = matches!(self.observed.datapaths.get(name), Some(Seen::Away));
            settled &= !is_pending || is_away;
            bridges.insert(name.clone(), BridgeSummary { datapath, ..Default::default() });
        }
        for (endpoint, attachment) in &self.desired.attachments {
            let of_bridge = bridges.entry(attachment.bridge.clone()).or_default();
            of_bridge.desired += 1;
            if !self.desired.wants(*endpoint, &self.observed) {
                continue;
            }
            of_bridge.wanted += 1;
            match status(&self.desired, &self.observed, *endpoint, self.flows_pending(*endpoint)) {
                Status::Converged => of_bridge.converged += 1,
                Status::Failed(_) => of_bridge.failed += 1,
                Status::Missing(_) => settled = false,
            }
        }
        for row in self.observed.ports.values() {
            bridges.entry(row.bridge.clone()).or_default().observed += 1;
        }
        Summary { rules: self.rules(), bridges, settled }
    }
}
