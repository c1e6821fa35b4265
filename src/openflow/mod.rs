//! The OpenFlow channels: a task a managed bridge, on the bridge's management socket.

mod channel;
mod exchange;
mod foreign;

use std::collections::BTreeSet;
use std::path::Path;

use flowport_openflow::{FlowStats, FlowStatsRequest, GroupDesc};
use tokio::sync::mpsc;

use crate::model::{EndpointId, LinkName, OWN_COOKIES, OWN_COOKIES_MASK, SHARED_COOKIE, SHARED_COOKIE_MASK};
use crate::state::{FlowChanges, Installed, Meters};

pub use channel::{Messages, apply, read_back};
pub use exchange::{Exchange, OpenFlowError, read_counters, read_flows};
pub use foreign::ForeignFlows;

/// The orders that may wait for a channel: the reconciler gives the next when the one before is answered.
const ORDERS: usize = 1;

/// Beyond this many endpoints, one question for all of ours is less than one for each.
const COOKIES_ASKED_ONE_BY_ONE: usize = 16;

/// A channel; the task ends when this is dropped.
#[derive(Debug)]
pub struct Datapath {
    orders: mpsc::Sender<Order>,
    task: tokio::task::JoinHandle<()>,
}

/// What a channel is to do; it answers each with one event.
#[derive(Debug)]
enum Order {
    Apply(Box<FlowChanges>),
    Count,
    Read,
}

/// What a channel reports, and of which bridge it is.
#[derive(Debug)]
pub struct Report {
    /// The bridge.
    pub bridge: LinkName,
    /// What happened.
    pub event: DatapathEvent,
}

/// What happened to a channel.
#[derive(Debug)]
pub enum DatapathEvent {
    /// It is open, and this is what the datapath holds of ours.
    Read(Installed),
    /// So many flow entries the datapath holds of ours.
    Counted(u64),
    /// The datapath has applied these changes.
    Applied(FlowChanges),
    /// The datapath has applied nothing of them.
    Refused {
        /// Its words.
        why: String,
        /// Whose flow entries they were.
        endpoints: BTreeSet<EndpointId>,
    },
    /// It is closed, for this reason; the task goes on trying to open it.
    Lost(String),
    /// It is closed and nobody listens: ovs-vswitchd does not run. The task goes on trying to open it.
    Away(String),
}

/// Which flow entries a channel reads back.
#[derive(Clone, Debug)]
pub struct ReadScope(Vec<FlowStatsRequest>);

impl ReadScope {
    /// All of ours.
    pub fn own() -> Self {
        Self(vec![FlowStatsRequest::cookie(OWN_COOKIES, OWN_COOKIES_MASK)])
    }

    /// Those of some endpoints, and the shared ones.
    pub fn of(endpoints: &BTreeSet<EndpointId>) -> Self {
        if endpoints.len() > COOKIES_ASKED_ONE_BY_ONE {
            return Self::own();
        }
        let shared = FlowStatsRequest::cookie(SHARED_COOKIE, SHARED_COOKIE_MASK);
        let each = endpoints.iter().map(|endpoint| FlowStatsRequest::cookie(endpoint.cookie(), u64::MAX));
        Self([shared].into_iter().chain(each).collect())
    }
}

impl Datapath {
    /// Opens the channel of a bridge.
    pub(crate) fn open(
        rundir: &Path,
        bridge: &LinkName,
        read: ReadScope,
        reports: mpsc::Sender<Report>,
    ) -> Self {
        let (orders, queue) = mpsc::channel(ORDERS);
        let socket = crate::place::management_socket(rundir, bridge.as_str());
        let task = tokio::spawn(channel::run(socket, bridge.clone(), read, queue, reports));
        Self { orders, task }
    }

    /// Has the datapath apply the changes, all or none; the answer comes as an event. Neither this nor the others is to be
    /// called again before.
    pub(crate) fn apply(&self, changes: FlowChanges) {
        self.order(Order::Apply(Box::new(changes)));
    }

    /// Has the flow entries of ours counted, which costs the datapath far less than reading them.
    pub(crate) fn count(&self) {
        self.order(Order::Count);
    }

    /// Has what the datapath holds of ours read back once more.
    pub(crate) fn read(&self) {
        self.order(Order::Read);
    }

    fn order(&self, order: Order) {
        // A channel that is closed reports so by itself, and then has nothing to do.
        let _ = self.orders.try_send(order);
    }
}

impl Drop for Datapath {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the datapath's answers hold of ours.
fn installed(flows: Vec<FlowStats>, groups: Vec<GroupDesc>, mut meters: Meters) -> Installed {
    let own = groups.into_iter().filter(|group| crate::pipeline::owns_group(group.group_id));
    meters.meters.retain(|meter, _| crate::pipeline::owns_meter(*meter));
    let flows = flows.into_iter().map(|flow| (flow.key(), flow.cookie, flow.instructions));
    Installed::new(flows, own.map(|group| (group.group_id, group.buckets))).metered(meters)
}
