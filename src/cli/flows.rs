//! `flows`.

use std::collections::BTreeMap;
use std::time::Duration;

use flowport_openflow::{FlowStats, FlowStatsRequest};
use serde_json::json;

use crate::docker::Docker;
use crate::model::{Attachment, ContainerRef, EndpointId, OWN_COOKIES, OWN_COOKIES_MASK};
use crate::openflow::read_flows;
use crate::ovsdb::{Address, Database};
use crate::place;
use crate::reconciler::is_of;
use crate::refused::Refused;

use super::{Failure, Global, output};

#[derive(clap::Args)]
pub(super) struct FlowsArgs {
    /// A container, as for add-port [default: all flow entries of Flowport]
    container: Option<String>,
}

/// The flow entries of one bridge.
struct BridgeFlows {
    bridge: String,
    flows: Vec<FlowStats>,
}

pub(super) fn flows(global: &Global, args: &FlowsArgs) -> Result<(), Failure> {
    let container = args.container.as_deref().map(str::parse).transpose()?;
    let bridges = output::runtime()?.block_on(read(&global.db()?, global.timeout(), container.as_ref()))?;
    if global.json {
        let flows: Vec<_> =
            bridges.iter().flat_map(|of| of.flows.iter().map(|flow| as_json(&of.bridge, flow))).collect();
        let text = serde_json::to_string_pretty(&flows).map_err(|error| Failure(error.to_string()))?;
        output::print(&format!("{text}\n"));
        return Ok(());
    }
    let text: String = bridges
        .iter()
        .map(|of| {
            let lines: String = of.flows.iter().map(|flow| format!("  {flow}\n")).collect();
            format!("{}\n{lines}", of.bridge)
        })
        .collect();
    output::print(&text);
    Ok(())
}

fn as_json(bridge: &str, flow: &FlowStats) -> serde_json::Value {
    json!({
        "bridge": bridge,
        "endpoint": EndpointId::from_cookie(flow.cookie.0).map(|endpoint| endpoint.to_string()),
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
        flows.sort_by_key(|flow| (flow.table_id, std::cmp::Reverse(flow.priority), flow.cookie));
        bridges.push(BridgeFlows { bridge, flows });
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
    let attached = |owner: Option<&crate::model::Owner>| -> Vec<&Attachment> {
        rows.ports.values().map(|row| &*row.attachment).filter(|of| is_of(of, container, owner)).collect()
    };
    let mut found = attached(None);
    if let (true, ContainerRef::Docker(name)) = (found.is_empty(), container) {
        // It may have been attached under another of its names.
        let id = Docker::connect()
            .container(name)
            .await
            .ok()
            .map(|known| crate::model::Owner::from(known.id.as_str()));
        found = attached(id.as_ref());
    }
    if found.is_empty() {
        let line = format!("{container} has no port: `flowport show` lists what has");
        return Err(Refused::no_such_port(line).into());
    }
    let mut requests: BTreeMap<String, Vec<FlowStatsRequest>> = BTreeMap::new();
    for attachment in found {
        let request = FlowStatsRequest::cookie(attachment.endpoint().cookie(), u64::MAX);
        requests.entry(attachment.bridge.to_string()).or_default().push(request);
    }
    Ok(requests)
}
