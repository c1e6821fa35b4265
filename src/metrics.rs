//! What is counted and timed while it happens, for the daemon's metrics.
//!
//! Handles on counters, and nothing of the state: how many endpoints there are is asked of its owner when somebody
//! wants to know. Where nobody serves them, they are counted all the same, which costs next to nothing.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::state::{FlowChanges, RecordEffect, RowEffect};

/// The instruments; clones count together.
#[derive(Clone, Debug)]
pub struct Meters {
    rounds: Histogram,
    effects: Family<Effect, Counter>,
    intents: Family<Intent, Histogram, fn() -> Histogram>,
    transactions: Family<Database, Histogram, fn() -> Histogram>,
    bundles: Histogram,
    bundle_messages: Histogram,
    lost: Family<Peer, Counter>,
    docker_events: Family<Action, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Effect {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Intent {
    intent: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Database {
    database: &'static str,
}

/// To whom a connection is kept.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Peer {
    peer: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Action {
    action: &'static str,
}

impl Peer {
    /// The server of the database of Open vSwitch.
    pub const OPEN_VSWITCH: Self = Self { peer: "open_vswitch" };
    /// The server of the records.
    pub const RECORDS: Self = Self { peer: "flowport_local" };
    /// A bridge's management socket.
    pub const DATAPATH: Self = Self { peer: "datapath" };
    /// The Docker Engine.
    pub const DOCKER: Self = Self { peer: "docker" };
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            // 10 microseconds to 2.6 s.
            rounds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            effects: Family::default(),
            intents: Family::new_with_constructor(latency),
            transactions: Family::new_with_constructor(latency),
            bundles: latency(),
            // 1 to 262,144 messages.
            bundle_messages: Histogram::new(exponential_buckets(1.0, 4.0, 10)),
            lost: Family::default(),
            docker_events: Family::default(),
        }
    }
}

/// Half a millisecond to 16 s.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
}

fn outcome(done: bool) -> &'static str {
    if done { "done" } else { "failed" }
}

impl Meters {
    /// Names and explains them to those who read the registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("flowport");
        registry.register_with_unit(
            "round_duration",
            "Time that a round of planning and beginning effects took",
            Unit::Seconds,
            self.rounds.clone(),
        );
        registry.register("effects", "Effects by kind and outcome", self.effects.clone());
        registry.register_with_unit(
            "intent_duration",
            "Time from a request to the answer that it has converged, or was refused and undone",
            Unit::Seconds,
            self.intents.clone(),
        );
        registry.register_with_unit(
            "ovsdb_transaction_duration",
            "Time from sending an OVSDB transaction to its answer",
            Unit::Seconds,
            self.transactions.clone(),
        );
        registry.register_with_unit(
            "bundle_duration",
            "Time from sending an OpenFlow bundle to its commitment or refusal",
            Unit::Seconds,
            self.bundles.clone(),
        );
        registry.register("bundle_messages", "Messages in an OpenFlow bundle", self.bundle_messages.clone());
        registry.register("connections_lost", "Connections that ended, by peer", self.lost.clone());
        registry.register(
            "docker_events",
            "Events of containers that Docker told, by action",
            self.docker_events.clone(),
        );
    }

    /// A round took that long.
    pub fn round(&self, took: Duration) {
        self.rounds.observe(took.as_secs_f64());
    }

    /// An intent was answered after that long.
    pub fn intent(&self, intent: &'static str, done: bool, took: Duration) {
        let outcome = if done { "done" } else { "refused" };
        self.intents.get_or_create(&Intent { intent, outcome }).observe(took.as_secs_f64());
    }

    /// So many effects of a kind ended so.
    pub fn effects(&self, kind: &'static str, done: bool, count: usize) {
        self.effects.get_or_create(&Effect { kind, outcome: outcome(done) }).inc_by(count as u64);
    }

    /// A transaction of Open vSwitch's database was answered after that long.
    pub fn rows(&self, effects: &[RowEffect], done: bool, took: Duration) {
        for effect in effects {
            let kind = match effect {
                RowEffect::AddPort { .. } => "add-port",
                RowEffect::SetPort { .. } => "set-port",
                RowEffect::DelPort { .. } => "del-port",
                RowEffect::Secure { .. } => "secure-bridge",
                RowEffect::ForgetDetached(_) => continue,
            };
            self.effects(kind, done, 1);
        }
        self.transactions
            .get_or_create(&Database { database: Peer::OPEN_VSWITCH.peer })
            .observe(took.as_secs_f64());
    }

    /// A transaction of the records was answered after that long.
    pub fn records(&self, effects: &[RecordEffect], done: bool, took: Duration) {
        self.effects("record", done, effects.len());
        self.transactions
            .get_or_create(&Database { database: Peer::RECORDS.peer })
            .observe(took.as_secs_f64());
    }

    /// A bundle was sent.
    pub fn bundle_begun(&self, changes: &FlowChanges) {
        self.bundle_messages.observe(changes.len() as f64);
    }

    /// A bundle was answered after that long.
    pub fn bundle(&self, done: bool, took: Duration) {
        self.effects("bundle", done, 1);
        self.bundles.observe(took.as_secs_f64());
    }

    /// A connection ended.
    pub fn lost(&self, peer: &Peer) {
        self.lost.get_or_create(peer).inc();
    }

    /// Docker told of a container.
    pub fn docker_event(&self, action: &'static str) {
        self.docker_events.get_or_create(&Action { action }).inc();
    }
}
