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
mod channel;
mod effects;
mod host_links;
mod lanes;
mod news;
mod observing;
mod results;
mod ruling;
mod start;
mod strangers;
mod summary;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Instant;

use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot, watch};

use crate::deadline::at;
use crate::metrics::Meters;
use crate::model::{EndpointId, LinkName, Owner, Sandbox};
use crate::netlink::{Link as SeenLink, LinkEvent, Netlink, NetlinkError};
use crate::openflow::{Datapath, ReadScope, Report};
use crate::ovsdb::{Database, Lock, RowReader, TransactionFailed};
use crate::records::Records;
use crate::refused::Refused;
use crate::state::{Datapath as Seen, Desired, HostLinkEffect, Observed, RecordEffect, Scope, Tracked};

pub use asks::{Ask, Change, Handle, Selected, is_of};
pub use summary::{BridgeSummary, DatapathSummary, Summary};
pub use waiting::{Outcome, Progress};

use channel::Channel;
use host_links::HostLinks;
use lanes::{Lane, Links};
use ruling::Lost;
use strangers::Given;
use summary::Look;
use waiting::Waiting;

/// How many results and requests may queue for the task: more than the effects that can be under way, so that none of
/// them ever waits to report.
const INBOX_DEPTH: usize = 1024;

/// How many reports of datapaths may queue: each channel has one to make, and waits with the next.
const REPORTS_DEPTH: usize = 64;

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
    /// Each with the MTU that it was to have.
    LinksAdded(Vec<(EndpointId, u32, Result<(), Refused>)>),
    LinkMtuSet(EndpointId, u32, Result<(), Refused>),
    LinksSetUp(Vec<(EndpointId, Result<(), Refused>)>),
    LinksDeleted(Vec<EndpointId>, Result<(), Refused>),
    LinksRead(Result<Vec<SeenLink>, Refused>),
    Link(LinkEvent),
    HostLinksRead(Result<Vec<(SeenLink, Vec<IpNet>)>, Refused>),
    HostLinkSet(HostLinkEffect, Result<(), Refused>),
    Committed(BTreeSet<EndpointId>, Result<(), TransactionFailed>),
    /// ovs-vswitchd has dropped the flow entries of these bridges.
    Flushed(Vec<LinkName>),
    Recorded(Vec<RecordEffect>, Result<(), TransactionFailed>),
    Underlay(IpAddr, Option<u32>),
    Started(Sandbox),
    /// What another tool attached was given this.
    InterfaceRead(EndpointId, Given),
    ProcessEnded(Owner, u32),
    Removed(Owner),
    Owners(oneshot::Sender<BTreeSet<Owner>>),
    AttachedTo(LinkName, oneshot::Sender<usize>),
    Look(Look),
    /// The lock was won again: whether all is seen that was changed meanwhile.
    CaughtUp(bool),
    /// What is observed is to be observed anew.
    Reread,
    /// Nothing happened, but a round is due.
    Wake,
}

/// The task's state. [`Reconciler::run`] is the task.
#[derive(Debug)]
pub struct Reconciler {
    desired: Desired,
    observed: Observed,
    /// Endpoints that have changed, or of which something was still to be done in the last round.
    unsettled: BTreeSet<EndpointId>,
    shells: Shells,
    /// Without it nothing is changed.
    lock: Lock,
    /// Whether it is ours, and all is seen that others changed.
    ruling: watch::Sender<bool>,
    /// The containers of Docker that are taken for running because another tool attached something to them.
    presumed: watch::Sender<BTreeSet<Owner>>,
    /// What was there when it was lost.
    lost: Option<Lost>,
    rows_read: RowReader,
    links: Links,
    host_links: HostLinks,
    rows: Lane<()>,
    /// Endpoints of the last transaction, as long as it is under way.
    rows_under_way: BTreeSet<EndpointId>,
    /// Why the last transaction did not come to the database, or was not for us to make.
    rows_trouble: Option<String>,
    /// Endpoints whose rows the database objected to.
    bad_rows: Lane<EndpointId>,
    /// Endpoints of a transaction that the database objected to, until it is known to which of them.
    suspects: BTreeSet<EndpointId>,
    /// When rows of new ports were last made, or links began to be made for some; see [`rows_wait_until`](Self::rows_wait_until).
    rows_made_at: Instant,
    /// When a link was last made, or begun to be made while none was.
    link_made_at: Instant,
    records: Lane<()>,
    datapaths: BTreeMap<LinkName, Channel>,
    waiting: Vec<Waiting>,
    lookers: Vec<Look>,
    meters: Meters,
    /// Endpoints that another tool made, until their links have been read.
    strangers: BTreeSet<EndpointId>,
    /// Endpoints by the names of links that another tool made.
    other_links: BTreeMap<String, EndpointId>,
    /// Endpoints whose link went while an effect on it was under way, or was not as the effect expected.
    doubtful: BTreeSet<EndpointId>,
    /// While the kernel's links are read: the endpoints whose link was changed meanwhile, of which the reading may be old.
    reading_links: Option<BTreeSet<EndpointId>>,
    /// Whether they are to be read once more then.
    read_links_again: bool,
    /// The far ends of tunnels of which the MTU of the way there is being asked for, and whether it is to be once more then.
    ways_asked: BTreeMap<IpAddr, bool>,
    /// What the datapaths' channels tell.
    reports: mpsc::Receiver<Report>,
    reporting: mpsc::Sender<Report>,
    inbox: mpsc::Receiver<Event>,
    outbox: mpsc::Sender<Event>,
}

impl Reconciler {
    /// A reconciler that rules over `scope` as long as it has `lock`, and the handle by which changes are asked of it. It has
    /// read the rows, takes every port with our marks for desired, `links` for those of the kernel and `known` for all that
    /// is known of containers. Thousands take time to be read, and the datapaths' flow entries too: all at once.
    pub async fn start(
        shells: Shells,
        lock: Lock,
        scope: Scope,
        links: impl Future<Output = Result<Vec<SeenLink>, NetlinkError>>,
        known: impl Future<Output = Containers>,
    ) -> Result<(Self, Handle), Refused> {
        let (outbox, inbox) = mpsc::channel(INBOX_DEPTH);
        let (reporting, reports) = mpsc::channel(REPORTS_DEPTH);
        let (ruling, is_ruling) = watch::channel(true);
        let (presumed, are_presumed) = watch::channel(BTreeSet::new());
        let records = shells.records.as_ref().map(Records::attachments);
        let mut reconciler = Self {
            desired: Desired { scope, attachments: records.clone().unwrap_or_default().into() },
            observed: Observed { records: records.map(Tracked::from), ..Observed::default() },
            unsettled: BTreeSet::new(),
            shells,
            lock,
            ruling,
            presumed,
            lost: None,
            rows_read: RowReader::default(),
            links: Lane::default(),
            host_links: HostLinks::default(),
            rows: Lane::default(),
            rows_under_way: BTreeSet::new(),
            rows_trouble: None,
            bad_rows: Lane::default(),
            suspects: BTreeSet::new(),
            rows_made_at: Instant::now(),
            link_made_at: Instant::now(),
            records: Lane::default(),
            datapaths: BTreeMap::new(),
            waiting: Vec::new(),
            lookers: Vec::new(),
            meters: Meters::default(),
            strangers: BTreeSet::new(),
            other_links: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            reading_links: None,
            read_links_again: false,
            ways_asked: BTreeMap::new(),
            reports,
            reporting,
            inbox,
            outbox: outbox.clone(),
        };
        // Opens the channels of the bridges, which begin to read.
        reconciler.observe_rows();
        let (links, known) = tokio::join!(links, known);
        reconciler.observe_rows();
        reconciler.observe_links(links?.into_iter(), &BTreeSet::new());
        reconciler.adopt_marked();
        if !known.running.is_empty() {
            tracing::info!(containers = known.running.len(), "containers run");
        }
        for sandbox in known.running {
            reconciler.start_sandbox(sandbox);
        }
        reconciler.presume_running(&known.unknown);
        reconciler.forget_ended();
        reconciler.learn_interfaces().await;
        for remote in reconciler.remotes() {
            let mtu = reconciler.shells.netlink.route_to(remote).await.ok().flatten().map(|route| route.mtu);
            reconciler.observed.underlay.extend(mtu.map(|mtu| (remote, mtu)));
        }
        Ok((reconciler, Handle::new(outbox, is_ruling, are_presumed)))
    }

    /// The same, counting with these.
    #[must_use]
    pub fn metered(self, meters: Meters) -> Self {
        Self { meters, ..self }
    }

    /// Plans and carries out, until it is dropped.
    pub async fn run(mut self) {
        let mut changes = self.shells.database.changes();
        let mut connection = self.shells.database.connection();
        let mut news = true;
        loop {
            self.look_at_lock();
            let now = Instant::now();
            if news {
                self.round(now);
            }
            self.show();
            let deadline = self.deadline(now);
            tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => news = self.take(event),
                    None => return,
                },
                Some(report) = self.reports.recv() => {
                    self.take_report(report, now);
                    news = true;
                }
                Ok(()) = changes.changed() => {
                    self.observe_rows();
                    news = true;
                }
                Ok(()) = connection.changed() => {
                    // Whatever it was that failed meets a new connection.
                    self.rows.wake(&());
                    news = true;
                }
                () = self.lock.changed() => news = true,
                () = at(deadline) => news = true,
            }
            // What has arrived meanwhile is planned for together.
            while let Ok(event) = self.inbox.try_recv() {
                news |= self.take(event);
            }
            while let Ok(report) = self.reports.try_recv() {
                self.take_report(report, now);
                news = true;
            }
        }
    }

    /// False when nothing has changed that a plan looks at.
    fn take(&mut self, event: Event) -> bool {
        let now = Instant::now();
        self.look_at_lock();
        match event {
            Event::Asked(ask) => {
                // The caller may know of rows that are newer than those last looked at: a bridge it has just made.
                self.observe_rows();
                self.take_ask(ask, now);
            }
            Event::LinksAdded(links) => self.take_added_links(links, now),
            Event::LinkMtuSet(endpoint, mtu, result) => self.take_mtu(endpoint, mtu, result, now),
            Event::LinksSetUp(links) => self.take_set_up_links(links, now),
            Event::LinksDeleted(endpoints, result) => self.take_deleted_links(endpoints, &result, now),
            Event::Committed(endpoints, Ok(())) => self.take_rows(&endpoints, now),
            Event::Committed(endpoints, Err(failed)) => self.take_failed_rows(endpoints, &failed, now),
            Event::Flushed(bridges) => {
                let channels = self.datapaths.iter_mut().filter(|(bridge, _)| bridges.contains(bridge));
                channels.for_each(|(_, channel)| channel.look_at(now));
            }
            Event::Wake => {}
            Event::LinksRead(read) => self.take_links(read),
            Event::Link(event) => return self.take_link(event),
            Event::HostLinksRead(read) => self.take_host_links(read),
            Event::HostLinkSet(effect, result) => self.take_set_host_link(effect, result, now),
            Event::Recorded(effects, Ok(())) => {
                self.records.succeed(&());
                self.observe_records(effects);
            }
            Event::Recorded(_, Err(failed)) => {
                tracing::warn!("{failed}");
                self.records.fail((), now);
            }
            Event::Underlay(remote, mtu) => return self.take_way(remote, mtu),
            Event::Started(sandbox) => {
                let owner = sandbox.owner.clone();
                if self.start_sandbox(sandbox) {
                    tracing::info!(container = %owner, "container runs");
                }
            }
            Event::InterfaceRead(endpoint, given) => self.learn(endpoint, given),
            Event::ProcessEnded(owner, pid) => {
                if self.observed.running.get(&owner).is_some_and(|sandbox| sandbox.pid == Some(pid)) {
                    self.end(&owner);
                }
            }
            Event::Owners(answer) => {
                let owners = self.desired.attachments.owners().cloned().collect();
                // Whoever asked and left needs no answer.
                let _ = answer.send(owners);
            }
            Event::AttachedTo(bridge, answer) => {
                let attached =
                    self.desired.attachments.values().filter(|attachment| attachment.bridge == bridge);
                let _ = answer.send(attached.count());
            }
            Event::Look(look) => {
                self.lookers.push(look);
                return false;
            }
            Event::CaughtUp(seen) => self.take_caught_up(seen, now),
            Event::Reread => self.reread(now),
            Event::Removed(owner) => {
                self.end(&owner);
                self.forget(&owner);
            }
        }
        true
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
            let (rundir, reporting) = (&self.shells.rundir, &self.reporting);
            self.observed.datapaths.entry(bridge.clone()).or_insert(Seen::Opening);
            self.datapaths.entry(bridge).or_insert_with_key(|bridge| {
                Channel::new(Datapath::open(rundir, bridge, read, reporting.clone()), Instant::now())
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

    /// When the next round is due by itself, after the one of `now`.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let channels = self.datapaths.values().filter_map(|channel| channel.lane.deadline(now));
        let is_read = |bridge| matches!(self.observed.datapaths.get(bridge), Some(Seen::Read(_)));
        let audited = self.datapaths.iter().filter(|(bridge, channel)| {
            // Whoever does not rule does not look: what is due would be due again and again.
            self.rules()
                && matches!(self.desired.scope, Scope::Everything)
                && is_read(bridge)
                && channel.lane.is_free(&(), now)
        });
        let channels = channels.chain(audited.map(|(_, channel)| channel.audit_at()));
        let waiting = self.waiting.iter().map(|waiting| waiting.deadline);
        let rows_wait = self.rows_wait_until().map(|until| [until.of_requests, until.of_others]);
        let rows_wait = rows_wait.into_iter().flatten().filter(|until| *until > now);
        let lanes = [
            self.links.deadline(now),
            self.host_links.lane.deadline(now),
            self.rows.deadline(now),
            self.bad_rows.deadline(now),
            self.records.deadline(now),
        ];
        lanes.into_iter().flatten().chain(channels).chain(waiting).chain(rows_wait).min()
    }
}
