//! `flows`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use flowport_openflow::{FlowStats, FlowStatsRequest};
use serde_json::json;

use crate::docker::Docker;
use crate::frontend::attachments_of;
use crate::model::{Attachment, ContainerRef, EndpointId, OWN_COOKIES, OWN_COOKIES_MASK};
use crate::openflow::read_flows;
use crate::ovsdb::{Address, Database};
use crate::place;

use super::{Failure, Global, columns, output};

#[derive(clap::Args)]
pub(super) struct FlowsArgs {
    /// A container, as for add-port [default: all flow entries of Flowport]
    container: Option<String>,
}

/// The flow entries of one bridge, and whose they are.
struct BridgeFlows {
    bridge: String,
    flows: Vec<FlowStats>,
    owners: Owners,
}

/// The containers that are known, by endpoint.
type Owners = BTreeMap<EndpointId, Arc<Attachment>>;

pub(super) fn flows(global: &Global, args: &FlowsArgs) -> Result<(), Failure> {
    let container = args.container.as_deref().map(str::parse).transpose()?;
    let bridges = output::runtime()?.block_on(read(&global.db()?, global.timeout(), container.as_ref()))?;
    if global.json {
        let flows: Vec<_> =
            bridges.iter().flat_map(|of| of.flows.iter().map(|flow| as_json(of, flow))).collect();
        return output::print_json(&flows);
    }
    let limit = columns::limit();
    let text: String = bridges.iter().map(|of| of.text(container.is_some(), limit)).collect();
    output::print(&text);
    Ok(())
}

impl BridgeFlows {
    /// The bridge, then its entries; those of many containers each under a heading of its own.
    fn text(&self, of_one: bool, limit: Option<usize>) -> String {
        let mut text = format!("{}\n", self.bridge);
        let mut heading = None;
        for flow in &self.flows {
            let endpoint = EndpointId::from_cookie(flow.cookie.0);
            if !of_one && heading != Some(endpoint) {
                heading = Some(endpoint);
                let _ = writeln!(text, "  {}", self.owner(endpoint));
            }
            let indent = if of_one { 2 } else { 4 };
            text.push_str(&columns::folded(&format!("{:indent$}{flow}", ""), indent + 4, limit));
        }
        text
    }

    fn owner(&self, endpoint: Option<EndpointId>) -> String {
        match endpoint.map(|endpoint| (endpoint, self.owners.get(&endpoint))) {
            None => "for all".to_owned(),
            Some((_, Some(attachment))) => format!("{} of {}", attachment.interface, attachment.container),
            Some((endpoint, None)) => format!("of a container that is gone ({endpoint})"),
        }
    }
}

fn as_json(of: &BridgeFlows, flow: &FlowStats) -> serde_json::Value {
    let endpoint = EndpointId::from_cookie(flow.cookie.0);
    let owner = endpoint.and_then(|endpoint| of.owners.get(&endpoint));
    json!({
        "bridge": of.bridge,
        "endpoint": endpoint.map(|endpoint| endpoint.to_string()),
        "container": owner.map(|attachment| attachment.container.to_string()),
        "interface": owner.map(|attachment| attachment.interface.to_string()),
        "table": flow.table_id.0,
        "priority": flow.priority,
        "cookie": format!("{:#x}", flow.cookie.0),
        "packets": flow.packet_count,
        "bytes": flow.byte_count,
        "age": flow.duration().as_secs_f64(),
        "match": flow.matches.to_string(),
        "flow": flow.to_string(),
    })
}

async fn read(
    db: &Address,
    timeout: Duration,
    container: Option<&ContainerRef>,
) -> Result<Vec<BridgeFlows>, Failure> {
    let database = Database::connect(db, timeout).await?;
    let rundir = place::rundir(db.as_str());
    let requests = match container {
        None => of_all(&database),
        Some(container) => of_container(&database, container).await?,
    };
    let rows = database.rows();
    let owners: Owners = rows.ports.into_iter().map(|(endpoint, row)| (endpoint, row.attachment)).collect();
    let mut bridges = Vec::new();
    for (bridge, requests) in requests {
        let flows = tokio::time::timeout(timeout, read_flows(&rundir, &bridge, &requests)).await;
        let mut flows = flows
            .map_err(|_| {
                Failure(format!("the switch of bridge {bridge} does not answer: is ovs-vswitchd running?"))
            })?
            .map_err(|error| {
                Failure(format!(
                    "cannot read the flow entries of {bridge}: {error}: is ovs-vswitchd running?"
                ))
            })?;
        // What is for all comes last, endpoints in the order of their names.
        flows.sort_by_cached_key(|flow| {
            let endpoint = EndpointId::from_cookie(flow.cookie.0);
            let owner = endpoint.and_then(|endpoint| owners.get(&endpoint));
            let name = owner.map(|of| (of.container.to_string(), of.interface.clone()));
            (endpoint.is_none(), name, flow.cookie, flow.table_id, Reverse(flow.priority))
        });
        bridges.push(BridgeFlows { bridge, flows, owners: owners.clone() });
    }
    Ok(bridges)
}

fn of_all(database: &Database) -> BTreeMap<String, Vec<FlowStatsRequest>> {
    let managed = database.rows().bridges.into_iter().filter(|(_, bridge)| bridge.managed);
    let own = || vec![FlowStatsRequest::cookie(OWN_COOKIES, OWN_COOKIES_MASK)];
    managed.map(|(name, _)| (name.to_string(), own())).collect()
}

async fn of_container(
    database: &Database,
    container: &ContainerRef,
) -> Result<BTreeMap<String, Vec<FlowStatsRequest>>, Failure> {
    let rows = database.rows();
    let attached = rows.ports.values().map(|row| &*row.attachment);
    let found = attachments_of(&Docker::connect(), attached, container).await?;
    let mut requests: BTreeMap<String, Vec<FlowStatsRequest>> = BTreeMap::new();
    for attachment in found {
        let request = FlowStatsRequest::cookie(attachment.endpoint().cookie(), u64::MAX);
        requests.entry(attachment.bridge.to_string()).or_default().push(request);
    }
    Ok(requests)
}
