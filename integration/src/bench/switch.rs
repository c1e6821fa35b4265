//! Flow entries by the hundred thousand, through an OpenFlow session, beside `ovs-ofctl` on the same bridge.
//!
//! Flowport's share is that of the daemon, from a connection that is not open yet to the datapath's word that the bundle
//! is applied. `ovs-ofctl` is a process, from exec to exit, which reads a file on top.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport::openflow::{Exchange, Messages};
use flowport::pipeline::Flow;
use flowport::place::management_socket;
use flowport::state::FlowChanges;
use flowport_openflow::session::Event;
use flowport_openflow::{
    Action, Cookie, FlowKey, FlowStatsRequest, Instruction, Match, MultipartReplyBody, MultipartRequestBody,
    TableId,
};

use super::stage::{Stage, note};
use super::{Aim, BenchError, Figure, Row};
use crate::oracle;

const BRIDGE: &str = "brflows";
const PEER: &str = "ovs-ofctl";
/// Of so many flow entries one is changed.
const CHANGED: usize = 100;
const A_SECOND: f64 = 120_000.0;

pub(super) async fn flows(stage: &Stage, count: usize, rounds: usize) -> Result<Vec<Figure>, BenchError> {
    oracle::vsctl(&stage.host, &["add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"])
        .await;
    let wanted = [entries(count, false)?, entries(count, true)?];
    let files = [
        stage.file("flows", &wanted[0].iter().map(text).collect::<String>())?,
        stage.file("flows-changed", &wanted[1].iter().map(text).collect::<String>())?,
    ];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        note(&format!("{count} flow entries, round {round} of {rounds}"));
        empty(stage).await;
        theirs.push(ofctl(stage, &["--bundle", "add-flows", BRIDGE, &files[0]])?);
        expect(stage, &files[0])?;
        empty(stage).await;
        ours.push(install(stage, &wanted[0]).await?);
        expect(stage, &files[0])?;
    }
    let (mut ours_again, mut theirs_again, mut flow_mods) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        note(&format!("{count} flow entries, 1 % changed, round {} of {rounds}", round + 1));
        let (taken, sent) = replace(stage, &wanted[1]).await?;
        ours_again.push(taken);
        flow_mods.push(sent);
        expect(stage, &files[1])?;
        theirs_again.push(ofctl(stage, &["--bundle", "replace-flows", BRIDGE, &files[0]])?);
        expect(stage, &files[0])?;
    }
    oracle::vsctl(&stage.host, &["del-br", BRIDGE]).await;

    let install =
        Row::median(format!("install {count} flow entries by bundle"), ours, theirs, Aim::Faster(1.6));
    let a_second = |taken: Option<Duration>| taken.map(|taken| count as f64 / taken.as_secs_f64());
    let per_second = |number: Option<f64>| number.map(|n| format!("{n:.0}")).unwrap_or_default();
    let (rate, their_rate) = (a_second(install.ours()), a_second(install.theirs()));
    let rates = Figure {
        work: "the same, flow entries a second".to_owned(),
        ours: per_second(rate),
        theirs: per_second(their_rate),
        aim: format!("{A_SECOND} or more"),
        reached: rate.map(|rate| rate >= A_SECOND),
        ..install.figure()
    };
    let limit = Aim::Within(Duration::from_millis(700));
    let again = Row::median(
        format!("{count} flow entries, 1 % changed: connect, read, send the difference"),
        ours_again,
        theirs_again,
        limit,
    );
    let sent = flow_mods.iter().copied().max().unwrap_or_default() as f64;
    let allowed = (count / CHANGED) as f64;
    Ok(vec![
        install.figure().beside(PEER),
        rates.beside(PEER),
        again.figure().beside(PEER),
        Figure::at_most("the same, FLOW_MODs sent", sent, allowed, ""),
    ])
}

/// One for each of so many addresses; `changed`: every hundredth sends to another port.
fn entries(count: usize, changed: bool) -> Result<Vec<Flow>, BenchError> {
    let entry = |nth: u32| {
        let to = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + nth);
        let port = if changed && nth as usize % CHANGED == 0 { 2 } else { 1 };
        let key = FlowKey {
            table_id: TableId(0),
            priority: 100,
            matches: Match::builder().ipv4().ipv4_dst(to).build()?,
        };
        let instructions = vec![Instruction::apply([Action::output(port)])];
        Ok(Flow { key, cookie: Cookie(u64::from(nth)), instructions })
    };
    (0..u32::try_from(count)?).map(entry).collect()
}

/// A line for `ovs-ofctl`.
fn text(flow: &Flow) -> String {
    let port = if flow.instructions == [Instruction::apply([Action::output(2)])] { 2 } else { 1 };
    let to = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + flow.cookie.0 as u32);
    format!("cookie={:#x},priority=100,ip,nw_dst={to},actions=output:{port}\n", flow.cookie.0)
}

async fn install(stage: &Stage, wanted: &[Flow]) -> Result<Duration, BenchError> {
    let changes = Arc::new(FlowChanges { added_flows: wanted.to_vec(), ..FlowChanges::default() });
    let start = Instant::now();
    let mut exchange = open(stage).await?;
    apply(&mut exchange, changes).await?;
    Ok(start.elapsed())
}

/// Reads what is there and changes what is other; how many FLOW_MODs that took.
async fn replace(stage: &Stage, wanted: &[Flow]) -> Result<(Duration, usize), BenchError> {
    let start = Instant::now();
    let mut exchange = open(stage).await?;
    let answers = exchange.ask([MultipartRequestBody::Flow(FlowStatsRequest::all())]).await?;
    let mut there = HashMap::new();
    for answer in answers {
        let MultipartReplyBody::Flow(flows) = answer else { return Err("another answer".into()) };
        there.extend(flows.into_iter().map(|flow| (flow.key(), (flow.cookie, flow.instructions))));
    }
    let mut changes = FlowChanges::default();
    for flow in wanted {
        match there.remove(&flow.key) {
            Some((cookie, instructions)) if cookie == flow.cookie && instructions == flow.instructions => {}
            Some((cookie, _)) if cookie == flow.cookie => changes.modified_flows.push(flow.clone()),
            _ => changes.added_flows.push(flow.clone()),
        }
    }
    changes.deleted_flows.extend(there.into_iter().map(|(key, (cookie, _))| (key, cookie)));
    let sent = changes.len();
    apply(&mut exchange, Arc::new(changes)).await?;
    Ok((start.elapsed(), sent))
}

async fn open(stage: &Stage) -> Result<Exchange, BenchError> {
    Ok(Exchange::open(&management_socket(stage.host.ovs().rundir(), BRIDGE)).await?)
}

async fn apply(exchange: &mut Exchange, changes: Arc<FlowChanges>) -> Result<(), BenchError> {
    exchange.session.bundle(Instant::now(), Messages::of(changes));
    loop {
        match exchange.next().await? {
            Event::BundleCommitted { .. } => return Ok(()),
            Event::BundleFailed { error, .. } => return Err(error.into()),
            _ => {}
        }
    }
}

async fn empty(stage: &Stage) {
    oracle::ofctl(&stage.host, &["del-flows", BRIDGE]).await;
}

/// Checks that the bridge has these flow entries and no others.
fn expect(stage: &Stage, file: &str) -> Result<(), BenchError> {
    ofctl(stage, &["diff-flows", BRIDGE, file]).map(drop)
}

fn ofctl(stage: &Stage, args: &[&str]) -> Result<Duration, BenchError> {
    let args = [&["-O", "OpenFlow13"], args].concat().into_iter().map(str::to_owned).collect();
    stage.time(Path::new("/usr/bin/ovs-ofctl"), &[args])
}
