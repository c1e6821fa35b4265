//! The text that is served: what was counted, and what is there now.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::Meters;
use crate::reconciler::{BridgeSummary, DatapathSummary, Summary};

use super::process;

/// That of OpenMetrics 1.0, section "Content-Type".
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What does not change from one page to the next.
#[derive(Debug)]
pub(super) struct Page {
    counted: Registry,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Bridge {
    bridge: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

impl Page {
    pub(super) fn new(meters: &Meters) -> Self {
        let mut counted = Registry::default();
        meters.register(&mut counted);
        // Not of type info, which readers of the older text format do not know.
        let version = Family::<Version, Gauge>::default();
        version.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        counted.register("flowport_build_info", "The version that runs", version);
        Self { counted }
    }

    /// The page of this moment. Bridges that are gone have gone from it.
    pub(super) fn written(&self, summary: &Summary) -> Result<String, fmt::Error> {
        let mut present = Registry::default();
        describe(&mut present, summary);
        process::describe(&mut present);
        let mut text = String::new();
        encode_registry(&mut text, &self.counted)?;
        encode_registry(&mut text, &present)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// A number of each bridge.
type OfBridge = fn(&BridgeSummary) -> usize;
/// A number of each managed bridge.
type OfDatapath = fn(&DatapathSummary) -> usize;

const OF_BRIDGES: [(&str, &str, OfBridge); 5] = [
    ("endpoints_desired", "Attachments to the bridge, those of stopped containers included", |bridge| {
        bridge.desired
    }),
    ("endpoints_wanted", "Attachments whose container runs", |bridge| bridge.wanted),
    ("endpoints_observed", "Ports of containers in the database", |bridge| bridge.observed),
    ("endpoints_converged", "Wanted attachments of which nothing is missing", |bridge| bridge.converged),
    ("endpoints_failed", "Wanted attachments that ovs-vswitchd says it cannot have", |bridge| bridge.failed),
];

const OF_DATAPATHS: [(&str, &str, OfDatapath); 4] = [
    ("bridge_connected", "Whether the OpenFlow channel of the managed bridge is open", |datapath| {
        datapath.connected.into()
    }),
    ("bridge_in_sync", "Whether the flow entries of the managed bridge are as they should be", |datapath| {
        datapath.in_sync.into()
    }),
    ("flow_entries", "Flow entries of Flowport in the managed bridge", |datapath| datapath.flows),
    ("groups", "Groups of Flowport in the managed bridge", |datapath| datapath.groups),
];

fn describe(registry: &mut Registry, summary: &Summary) {
    let registry = registry.sub_registry_with_prefix("flowport");
    for (name, help, number) in OF_BRIDGES {
        let numbers = summary.bridges.iter().map(|(name, bridge)| (name.to_string(), number(bridge)));
        registry.register(name, help, family(numbers));
    }
    for (name, help, number) in OF_DATAPATHS {
        let numbers = summary
            .bridges
            .iter()
            .filter_map(|(name, bridge)| Some((name.to_string(), number(bridge.datapath.as_ref()?))));
        registry.register(name, help, family(numbers));
    }
    let ruling = Gauge::<i64>::default();
    ruling.set(summary.rules.into());
    registry.register(
        "ruling",
        "Whether the lock of the database is held, without which nothing is changed",
        ruling,
    );
    let settled = Gauge::<i64>::default();
    settled.set(summary.settled.into());
    registry.register("in_sync", "Whether nothing is under way and nothing is missing", settled);
}

fn family(numbers: impl Iterator<Item = (String, usize)>) -> Family<Bridge, Gauge> {
    let family = Family::<Bridge, Gauge>::default();
    for (bridge, number) in numbers {
        family.get_or_create(&Bridge { bridge }).set(i64::try_from(number).unwrap_or(i64::MAX));
    }
    family
}
