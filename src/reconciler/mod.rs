//! The one owner of what is desired and what is observed.
//!
//! ```text
//!   Handle::ask ──(changes)──┐                    ┌──> kernel, by netlink        (one effect a link at a time)
//!   netlink, Docker ─(news)──┼──> Reconciler ─────┼──> ovsdb-server              (one transaction at a time)
//!   Database ─(new replica)──┤     plan()         └──> a Datapath a bridge       (one bundle at a time)
//!                            └──────(results of effects)──────────┘
//! ```
//!
//! Everything arrives on one channel or as a newer replica; the task never waits for an effect, but plans again when its
//! result arrives. While an effect is under way, what more there is to do gathers and goes with the next: changes that
//! arrive together share a transaction and a bundle.

mod asks;
mod effects;
mod lanes;
mod observing;
mod refused;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::model::{EndpointId, LinkName, Owner, Sandbox};
use crate::netlink::{Link as SeenLink, LinkEvent, Netlink};
use crate::openflow::{Datapath, DatapathEvent, ReadScope};
use crate::ovsdb::{Database, TransactionFailed};
use crate::plan::{Datapath as Seen, Desired, Link, Observed, RecordEffect, Scope};
use crate::records::Records;

pub use asks::{Ask, Change, Handle, Selected, is_of};
pub use refused::{Reason, Refused};
pub use waiting::{Outcome, Progress};

use lanes::{Lane, Links};
use waiting::Waiting;

/// How many results and requests may queue for the task: more than the effects that can be under way, so that none of
/// them ever waits to report.
const INBOX_DEPTH: usize = 1024;

/// The parts that carry effects out.
#[derive(Clone, Debug)]
pub struct Shells {
    /// The database of Open vSwitch.
    pub database: Database,
    /// The kernel.
    pub netlink: Netlink,
    /// Where the management sockets of ovs-vswitchd are.
    pub rundir: PathBuf,
    /// Where attachments are kept over restarts; a command keeps none.
    pub records: Option<Records>,
}

/// What is known of the containers that have attachments.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    /// Those that run.
    pub running: Vec<Sandbox>,
    /// Those of which nobody could be asked.
    pub unknown: BTreeSet<Owner>,
}

/// What reaches the task.
#[derive(Debug)]
pub(crate) enum Event {
    Asked(Ask),
    LinkAdded(EndpointId, u32, Result<(), Refused>),
    LinkMtuSet(EndpointId, u32, Result<(), Refused>),
    LinksDeleted(Vec<EndpointId>, Result<(), Refused>),
    LinksRead(Result<Vec<SeenLink>, Refused>),
    Link(LinkEvent),
    Committed(BTreeSet<EndpointId>, Result<(), TransactionFailed>),
    Recorded(Vec<RecordEffect>, Result<(), TransactionFailed>),
    Datapath(LinkName, DatapathEvent),
    Underlay(IpAddr, Option<u32>),
    Started(Sandbox),
    ProcessEnded(Owner, u32),
    Removed(Owner),
    Interrupted,
    Owners(oneshot::Sender<BTreeSet<Owner>>),
    /// Nothing happened, but a round is due.
    Wake,
}

/// The task's state. [`Reconciler::run`] is the task.
#[derive(Debug)]
pub struct Reconciler {
    desired: Desired,
    observed: Observed,
    shells: Shells,
    links: Links,
    rows: Lane<()>,
    records: Lane<()>,
    datapaths: BTreeMap<LinkName, Channel>,
    waiting: Vec<Waiting>,
    /// Endpoints by the names of links that another tool made.
    other_links: BTreeMap<String, EndpointId>,
    inbox: mpsc::Receiver<Event>,
    outbox: mpsc::Sender<Event>,
}

/// The OpenFlow channel of a managed bridge.
#[derive(Debug)]
struct Channel {
    datapath: Datapath,
    lane: Lane<()>,
    /// Whether something was observed or desired since the flows were last found to be as they should.
    dirty: bool,
    /// Why the last bundle was refused, or the channel lost.
    trouble: Option<String>,
}

impl Channel {
    /// What was under way is answered by nobody.
    fn close(&mut self, why: String) {
        self.trouble = Some(why);
        self.lane.succeed(&());
    }
}

impl Reconciler {
    /// A reconciler that rules over `scope`, and the handle by which changes are asked of it. It has read the rows and
    /// links, takes every port with our marks for desired, and `known` for all that is known of containers.
    pub async fn start(shells: Shells, scope: Scope, known: Containers) -> Result<(Self, Handle), Refused> {
        let (outbox, inbox) = mpsc::channel(INBOX_DEPTH);
        let records = shells.records.as_ref().map(Records::attachments);
        let mut reconciler = Self {
            desired: Desired { scope, attachments: records.clone().unwrap_or_default() },
            observed: Observed { records, ..Observed::default() },
            shells,
            links: Lane::default(),
            rows: Lane::default(),
            records: Lane::default(),
            datapaths: BTreeMap::new(),
            waiting: Vec::new(),
            other_links: BTreeMap::new(),
            inbox,
            outbox: outbox.clone(),
        };
        let links = reconciler.shells.netlink.links().await?;
        reconciler.observe_rows();
        reconciler.observe_links(links);
        reconciler.adopt_marked();
        for sandbox in known.running {
            reconciler.start_sandbox(sandbox);
        }
        reconciler.presume_running(&known.unknown);
        for remote in reconciler.remotes() {
            let mtu = reconciler.shells.netlink.route_to(remote).await.ok().flatten().map(|route| route.mtu);
            reconciler.observed.underlay.extend(mtu.map(|mtu| (remote, mtu)));
        }
        Ok((reconciler, Handle::new(outbox)))
    }

    /// Plans and carries out, until it is dropped.
    pub async fn run(mut self) {
        let mut changes = self.shells.database.changes();
        loop {
            self.round(Instant::now());
            let deadline = self.deadline();
            tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Ok(()) = changes.changed() => self.observe_rows(),
                () = at(deadline) => {}
            }
            // What has arrived meanwhile is planned for together.
            while let Ok(event) = self.inbox.try_recv() {
                self.take(event);
            }
        }
    }

    /// The ports that carry our marks are desired until somebody says otherwise.
    fn adopt_marked(&mut self) {
        for (endpoint, row) in &self.observed.ports {
            self.desired.attachments.entry(*endpoint).or_insert_with(|| row.attachment.clone());
        }
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Asked(ask) => self.take_ask(ask, now),
            Event::LinkAdded(endpoint, mtu, Ok(())) => {
                self.links.succeed(&endpoint);
                self.observed.links.insert(endpoint, Link { mtu, leftover: false });
            }
            Event::LinkMtuSet(endpoint, mtu, Ok(())) => {
                self.links.succeed(&endpoint);
                if let Some(link) = self.observed.links.get_mut(&endpoint) {
                    link.mtu = mtu;
                }
            }
            Event::LinkAdded(endpoint, _, Err(refused)) | Event::LinkMtuSet(endpoint, _, Err(refused)) => {
                self.links.fail(endpoint, now);
                self.refuse(&BTreeSet::from([endpoint]), &refused);
            }
            Event::LinksDeleted(endpoints, result) => {
                for endpoint in endpoints {
                    match &result {
                        Ok(()) => {
                            self.links.succeed(&endpoint);
                            self.observed.links.remove(&endpoint);
                        }
                        Err(_) => self.links.fail(endpoint, now),
                    }
                }
            }
            Event::Committed(_, Ok(())) => {
                self.rows.succeed(&());
                self.observe_rows();
            }
            Event::Committed(endpoints, Err(failed)) => {
                tracing::warn!("{failed}");
                self.rows.fail((), now);
                self.refuse(&endpoints, &Refused::other(failed.to_string()));
            }
            Event::Wake => {}
            Event::Datapath(bridge, event) => self.take_datapath(bridge, event, now),
            Event::LinksRead(Ok(links)) => self.observe_links(links),
            Event::LinksRead(Err(refused)) => tracing::warn!("{refused}"),
            Event::Link(event) => self.take_link(event),
            Event::Recorded(effects, Ok(())) => {
                self.records.succeed(&());
                self.observe_records(effects);
            }
            Event::Recorded(_, Err(failed)) => {
                tracing::warn!("{failed}");
                self.records.fail((), now);
            }
            Event::Underlay(remote, mtu) => self.observed.underlay.extend(mtu.map(|mtu| (remote, mtu))),
            Event::Started(sandbox) => self.start_sandbox(sandbox),
            Event::ProcessEnded(owner, pid) => {
                if self.observed.running.get(&owner).is_some_and(|sandbox| sandbox.pid == Some(pid)) {
                    self.end(&owner);
                }
            }
            Event::Owners(answer) => {
                let owners =
                    self.desired.attachments.values().map(|attachment| attachment.owner.clone()).collect();
                // Whoever asked and left needs no answer.
                let _ = answer.send(owners);
            }
            Event::Interrupted => {
                let all = self.waiting.iter().flat_map(|waiting| waiting.before.keys().copied()).collect();
                self.refuse(&all, &Refused::other("interrupted, and undone"));
            }
            Event::Removed(owner) => {
                self.end(&owner);
                self.desired.attachments.retain(|_, attachment| attachment.owner != owner);
            }
        }
        self.channels_are_dirty();
    }

    fn take_datapath(&mut self, bridge: LinkName, event: DatapathEvent, now: Instant) {
        let Some(channel) = self.datapaths.get_mut(&bridge) else { return };
        match event {
            DatapathEvent::Read(installed) => {
                channel.trouble = None;
                channel.lane.succeed(&());
                self.observed.datapaths.insert(bridge, Seen::Read(installed));
            }
            DatapathEvent::Applied(changes) => {
                channel.trouble = None;
                channel.lane.succeed(&());
                if let Some(Seen::Read(installed)) = self.observed.datapaths.get_mut(&bridge) {
                    installed.apply(&changes);
                }
            }
            DatapathEvent::Refused { why, endpoints } => {
                tracing::warn!(%bridge, "the datapath refused flow entries: {why}");
                channel.lane.fail((), now);
                let refused = Refused::other(format!("bridge {bridge} refused the flow entries: {why}"));
                channel.trouble = Some(why);
                self.refuse(&endpoints, &refused);
                self.refuse_bridge(&bridge, &refused);
            }
            DatapathEvent::Lost(why) => {
                tracing::info!(%bridge, "no OpenFlow channel: {why}");
                channel.close(why);
                self.observed.datapaths.insert(bridge, Seen::Opening);
            }
            DatapathEvent::Away(why) => {
                tracing::info!(%bridge, "no OpenFlow channel: {why}");
                channel.close(why);
                self.observed.datapaths.insert(bridge, Seen::Away);
            }
        }
    }

    /// A channel for each managed bridge within scope; none for those that are gone.
    fn open_channels(&mut self) {
        let in_scope = self.bridges_in_scope();
        self.datapaths.retain(|bridge, _| in_scope.contains(bridge));
        self.observed.datapaths.retain(|bridge, _| in_scope.contains(bridge));
        for bridge in in_scope {
            let read = match &self.desired.scope {
                Scope::Everything => ReadScope::own(),
                Scope::Only(endpoints) => ReadScope::of(endpoints),
            };
            let (rundir, outbox) = (&self.shells.rundir, &self.outbox);
            self.observed.datapaths.entry(bridge.clone()).or_insert(Seen::Opening);
            self.datapaths.entry(bridge).or_insert_with_key(|bridge| Channel {
                datapath: Datapath::open(rundir, bridge, read, outbox.clone()),
                lane: Lane::default(),
                dirty: true,
                trouble: None,
            });
        }
    }

    fn bridges_in_scope(&self) -> BTreeSet<LinkName> {
        // Before ovs-vswitchd has made the bridge there is nothing to connect to.
        let managed = |name: &LinkName| {
            let bridge = self.observed.bridges.get(name).filter(|bridge| bridge.managed);
            bridge.is_some_and(|bridge| {
                bridge.ports.iter().any(|port| port.name == name.as_str() && port.ofport.is_some())
            })
        };
        let Scope::Only(endpoints) = &self.desired.scope else {
            return self.observed.bridges.keys().filter(|name| managed(name)).cloned().collect();
        };
        let wanted = endpoints.iter().filter_map(|endpoint| self.desired.attachments.get(endpoint));
        let seen = endpoints.iter().filter_map(|endpoint| self.observed.ports.get(endpoint));
        let asked = self.waiting.iter().flat_map(|waiting| &waiting.bridges);
        wanted
            .map(|attachment| &attachment.bridge)
            .chain(seen.map(|row| &row.bridge))
            .chain(asked)
            .chain(self.datapaths.keys())
            .filter(|name| managed(name))
            .cloned()
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let channels = self.datapaths.values().filter_map(|channel| channel.lane.deadline());
        let waiting = self.waiting.iter().map(|waiting| waiting.deadline);
        self.links.deadline().into_iter().chain(self.rows.deadline()).chain(channels).chain(waiting).min()
    }
}

pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
