//! Flow entries of others, kept over a change of a bridge's fail mode: Open vSwitch drops all of them then.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use flowport_openflow::session::Event;
use flowport_openflow::{
    Action, Body, Cookie, FlowKey, FlowMod, FlowStats, FlowStatsRequest, Instruction, Match, PortNo, TableId,
};

use crate::model::{LinkName, OWN_COOKIES, OWN_COOKIES_MASK};
use crate::place;

use super::exchange::{Exchange, OpenFlowError};

/// What a bridge holds of others.
#[derive(Debug)]
pub struct ForeignFlows(Vec<FlowStats>);

impl ForeignFlows {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// ovs-vswitchd does not answer, or the bridge does not speak OpenFlow 1.3.
    pub async fn read(rundir: &Path, bridge: &LinkName) -> Result<Self, OpenFlowError> {
        let mut flows = all(&mut open(rundir, bridge).await?).await?;
        flows.retain(|flow| flow.cookie.0 & OWN_COOKIES_MASK != OWN_COOKIES && !is_default(flow));
        Ok(Self(flows))
    }

    /// Adds those that are not there any more, their counters at 0. Returns how many these were.
    ///
    /// # Errors
    ///
    /// ovs-vswitchd does not answer, or refuses; then none has been added.
    pub async fn put_back(&self, rundir: &Path, bridge: &LinkName) -> Result<usize, OpenFlowError> {
        let mut exchange = open(rundir, bridge).await?;
        let there: HashSet<FlowKey> = all(&mut exchange).await?.iter().map(FlowStats::key).collect();
        let lost: Vec<Body> =
            self.0.iter().filter(|flow| !there.contains(&flow.key())).map(addition).collect();
        let count = lost.len();
        exchange.session.bundle(Instant::now(), lost);
        loop {
            match exchange.next().await? {
                Event::BundleCommitted { .. } => return Ok(count),
                Event::BundleFailed { error, .. } => return Err(OpenFlowError::Refused(error.to_string())),
                _ => {}
            }
        }
    }
}

async fn open(rundir: &Path, bridge: &LinkName) -> Result<Exchange, OpenFlowError> {
    Exchange::open(&place::management_socket(rundir, bridge.as_str())).await
}

async fn all(exchange: &mut Exchange) -> Result<Vec<FlowStats>, OpenFlowError> {
    exchange.flows(&[FlowStatsRequest::all()]).await
}

/// Whether Open vSwitch made it: in a bridge that is not `secure` and has no controller it learns and floods by this.
fn is_default(flow: &FlowStats) -> bool {
    let FlowStats { table_id, priority, cookie, matches, instructions, .. } = flow;
    let normal = [Instruction::apply([Action::output(PortNo::NORMAL)])];
    (*table_id, *priority, *cookie) == (TableId(0), 0, Cookie(0))
        && *matches == Match::any()
        && *instructions == normal
}

fn addition(flow: &FlowStats) -> Body {
    let FlowStats { table_id, priority, idle_timeout, hard_timeout, flags, cookie, .. } = *flow;
    let added = FlowMod::add(table_id, priority, flow.matches.clone()).cookie(cookie);
    let instructions = flow.instructions.clone();
    FlowMod { idle_timeout, hard_timeout, flags, instructions, ..added }.into()
}
