//! The task of a channel: open it, read what is there, then carry out one order after the other.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_openflow::message::meter::{MeterFlags, MeterModCommand, MeterRequest};
use flowport_openflow::session::{BundleError, Event as SessionEvent};
use flowport_openflow::{
    Body, Cookie, FlowKey, FlowMod, GroupMod, Match, MeterConfig, MeterId, MeterMod, MultipartReplyBody,
    MultipartRequestBody, TableId,
};
use tokio::sync::mpsc;

use crate::model::{EndpointId, LinkName};
use crate::pipeline::{Flow, Group};
use crate::state::{FlowChanges, Installed, Meters};

use super::exchange::{Exchange, OpenFlowError};
use super::{DatapathEvent, Order, ReadScope, Report, installed};

/// The wait before the channel is tried again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Asking for a socket of this host costs next to nothing, and forwarding waits for it.
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// Runs as long as its [`Datapath`](super::Datapath).
pub(super) async fn run(
    socket: PathBuf,
    bridge: LinkName,
    read: ReadScope,
    mut orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<Report>,
) {
    let reporter = Reporter { bridge, reports };
    let mut wait = FIRST_WAIT;
    loop {
        match open(&socket, &read).await {
            Ok((mut exchange, installed)) => {
                wait = FIRST_WAIT;
                // Orders that were meant for the channel as it was are given anew for this one.
                while orders.try_recv().is_ok() {}
                reporter.report(DatapathEvent::Read(installed)).await;
                let why = serve(&mut exchange, &read, &mut orders, &reporter).await;
                reporter.report(DatapathEvent::Lost(why.to_string())).await;
            }
            Err(error) if error.is_nobody() => reporter.report(DatapathEvent::Away(error.to_string())).await,
            Err(error) => reporter.report(DatapathEvent::Lost(error.to_string())).await,
        }
        tokio::time::sleep(wait).await;
        wait = LONGEST_WAIT.min(wait * 2);
    }
}

async fn open(socket: &Path, read: &ReadScope) -> Result<(Exchange, Installed), OpenFlowError> {
    let mut exchange = Exchange::open(socket).await?;
    let installed = read_back(&mut exchange, read).await?;
    Ok((exchange, installed))
}

/// Reads what the datapath holds of ours.
///
/// # Errors
///
/// The channel is of no use any more.
pub async fn read_back(exchange: &mut Exchange, read: &ReadScope) -> Result<Installed, OpenFlowError> {
    let flows = read.0.iter().cloned().map(MultipartRequestBody::Flow);
    let all_meters = MultipartRequestBody::MeterConfig(MeterRequest { meter_id: MeterId::ALL });
    let others = [MultipartRequestBody::GroupDesc, MultipartRequestBody::MeterFeatures, all_meters];
    let answers = exchange.ask(flows.chain(others)).await?;
    let (mut flows, mut groups, mut meters) = (Vec::new(), Vec::new(), Meters::default());
    for answer in answers {
        match answer {
            MultipartReplyBody::Flow(entries) => flows.extend(entries),
            MultipartReplyBody::GroupDesc(entries) => groups.extend(entries),
            MultipartReplyBody::MeterFeatures(features) => meters.max = features.max_meter,
            MultipartReplyBody::MeterConfig(all) => {
                meters.meters = all.into_iter().map(|meter| (meter.meter_id, meter)).collect();
            }
            _ => {}
        }
    }
    Ok(installed(flows, groups, meters))
}

async fn count(exchange: &mut Exchange, read: &ReadScope) -> Result<u64, OpenFlowError> {
    let questions = read.0.iter().cloned().map(MultipartRequestBody::Aggregate);
    let counts = exchange.ask(questions).await?.into_iter().map(|answer| match answer {
        MultipartReplyBody::Aggregate(all) => u64::from(all.flow_count),
        _ => 0,
    });
    Ok(counts.sum())
}

async fn serve(
    exchange: &mut Exchange,
    read: &ReadScope,
    orders: &mut mpsc::Receiver<Order>,
    reporter: &Reporter,
) -> OpenFlowError {
    loop {
        tokio::select! {
            Some(order) = orders.recv() => match carry_out(exchange, read, order).await {
                Ok(event) => reporter.report(event).await,
                Err(error) => return error,
            },
            event = exchange.next() => {
                if let Err(error) = event {
                    return error;
                }
            }
        }
    }
}

async fn carry_out(
    exchange: &mut Exchange,
    read: &ReadScope,
    order: Order,
) -> Result<DatapathEvent, OpenFlowError> {
    Ok(match order {
        Order::Apply(changes) => apply(exchange, *changes).await?,
        Order::Count => DatapathEvent::Counted(count(exchange, read).await?),
        Order::Read => DatapathEvent::Read(read_back(exchange, read).await?),
    })
}

/// Has the datapath make the changes: all or none, but for those of meters. Tells which.
///
/// # Errors
///
/// The channel is of no use any more, or the switch takes too long: whether they were made is not known.
pub async fn apply(exchange: &mut Exchange, changes: FlowChanges) -> Result<DatapathEvent, OpenFlowError> {
    for meter in meters_before(&changes) {
        exchange.session.send(meter)?;
    }
    let changes = Arc::new(changes);
    exchange.session.bundle(Instant::now(), Messages::of(Arc::clone(&changes)));
    loop {
        match exchange.next().await? {
            SessionEvent::BundleCommitted { .. } => {
                for meter_id in &changes.deleted_meters {
                    exchange.session.send(MeterMod {
                        command: MeterModCommand::DELETE,
                        flags: MeterFlags::default(),
                        meter_id: *meter_id,
                        bands: Vec::new(),
                    })?;
                }
                // The session has sent all of them, and holds them no more.
                return Ok(DatapathEvent::Applied(Arc::unwrap_or_clone(changes)));
            }
            SessionEvent::BundleFailed { error: BundleError::TimedOut, .. } => {
                return Err(OpenFlowError::Late);
            }
            SessionEvent::BundleFailed { index, error, .. } => {
                let at = index.map(|index| format!(" (message {index})")).unwrap_or_default();
                let (why, endpoints) = (format!("{error}{at}"), changes.endpoints());
                return Ok(DatapathEvent::Refused { why, endpoints });
            }
            _ => {}
        }
    }
}

/// What goes ahead of the bundle: Open vSwitch takes no changes of meters in one. That it refuses one shows when it refuses
/// the entries that name it.
fn meters_before(changes: &FlowChanges) -> impl Iterator<Item = MeterMod> {
    let written = |command, meter: &MeterConfig| {
        let MeterConfig { flags, meter_id, bands } = meter.clone();
        MeterMod { command, flags, meter_id, bands }
    };
    let added = changes.added_meters.iter().map(move |meter| written(MeterModCommand::ADD, meter));
    added.chain(changes.modified_meters.iter().map(move |meter| written(MeterModCommand::MODIFY, meter)))
}

struct Reporter {
    bridge: LinkName,
    reports: mpsc::Sender<Report>,
}

impl Reporter {
    async fn report(&self, event: DatapathEvent) {
        // Without a reconciler nobody wants to know.
        let _ = self.reports.send(Report { bridge: self.bridge.clone(), event }).await;
    }
}

/// The messages of a bundle, in the order of [`FlowChanges`], each made when it is asked for.
#[derive(Debug)]
pub struct Messages {
    changes: Arc<FlowChanges>,
    deleted_endpoints: Vec<EndpointId>,
    left: Range<usize>,
}

impl Messages {
    /// Of all these changes.
    pub fn of(changes: Arc<FlowChanges>) -> Self {
        let deleted_endpoints = changes.deleted_endpoints.iter().copied().collect();
        Self { deleted_endpoints, left: 0..changes.len(), changes }
    }

    fn message(&self, nth: usize) -> Option<Body> {
        let FlowChanges {
            added_groups,
            modified_groups,
            deleted_endpoints: _,
            deleted_flows,
            added_flows,
            modified_flows,
            deleted_groups,
            added_meters: _,
            modified_meters: _,
            deleted_meters: _,
        } = &*self.changes;
        let buckets = |group: &Group| group.buckets.clone();
        let added_group = |group: &Group| GroupMod::add(group.id, Group::TYPE, buckets(group)).into();
        let modified_group = |group: &Group| GroupMod::modify(group.id, Group::TYPE, buckets(group)).into();
        // ovs-vswitchd takes in 50 messages a round of all its work: one an endpoint, not one an entry.
        let deleted_endpoint = |endpoint: &EndpointId| {
            FlowMod::delete(TableId::ALL, Match::default()).cookie_masked(endpoint.cookie(), u64::MAX).into()
        };
        let deleted_flow = |(key, cookie): &(FlowKey, Cookie)| {
            FlowMod::delete_strict(key.table_id, key.priority, key.matches.clone())
                .cookie_masked(*cookie, u64::MAX)
                .into()
        };
        let nth = &mut { nth };
        None.or_else(|| part(added_groups, nth).map(added_group))
            .or_else(|| part(modified_groups, nth).map(modified_group))
            .or_else(|| part(&self.deleted_endpoints, nth).map(deleted_endpoint))
            .or_else(|| part(deleted_flows, nth).map(deleted_flow))
            .or_else(|| part(added_flows, nth).map(|flow| written(FlowMod::add, flow)))
            .or_else(|| part(modified_flows, nth).map(|flow| written(FlowMod::modify_strict, flow)))
            .or_else(|| part(deleted_groups, nth).map(|group| GroupMod::delete(*group).into()))
    }
}

impl Iterator for Messages {
    type Item = Body;

    fn next(&mut self) -> Option<Body> {
        self.left.next().and_then(|nth| self.message(nth))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl ExactSizeIterator for Messages {}

/// The nth of a list; or counts it off, for the list after it.
fn part<'a, T>(list: &'a [T], nth: &mut usize) -> Option<&'a T> {
    let item = list.get(*nth);
    if item.is_none() {
        *nth -= list.len();
    }
    item
}

fn written(command: fn(TableId, u16, Match) -> FlowMod, flow: &Flow) -> Body {
    let key = &flow.key;
    let mut flow_mod = command(key.table_id, key.priority, key.matches.clone()).cookie(flow.cookie);
    flow_mod.instructions = flow.instructions.clone();
    flow_mod.into()
}
