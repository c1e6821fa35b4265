//! Rounds: plan, begin what can begin now, answer who waited for it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_ovsdb::Uuid;

use crate::model::{Attachment, EndpointId, Sandbox, host_end_alias};
use crate::netlink::{Netlink, Netns, Route, VethError, VethSpec};
use crate::plan::{self, PortNumbers};
use crate::state::{Datapath as Seen, LinkEffect, RecordEffect, RowEffect, Scope, Touched};

use crate::refused::Refused;

use super::news::{self, News};
use super::waiting::Before;
use super::{Event, Reconciler};

/// How many links are made by one task, which reports when all of them are: few enough for their rows to follow soon,
/// and many enough that not each of thousands is planned for by itself.
const LINKS_A_TASK: usize = 16;
/// In how many tasks at most all links are made that are to be: each that ends is followed by a round, which looks at all
/// endpoints that are not settled.
const TASKS: usize = 32;
/// How many tasks make links at once: the kernel makes one at a time (under the RTNL), so that two tasks suffice to keep it
/// busy while a third reports.
const TASKS_AT_ONCE: usize = 3;

/// How long the rows of new ports wait for more links at most: those of one request from the last link on that was made,
/// the others from the last transaction on. ovs-vswitchd takes up many ports in one go far faster than one by one, and
/// meanwhile holds the very lock of the kernel (RTNL) that making links needs. A link that is stuck must not hold up the
/// ports of others for long.
const ROWS_WAIT: Duration = Duration::from_secs(3);

/// How long ovs-vswitchd may take to apply another fail mode, for which it drops all flow entries.
const FLUSH_TIME: Duration = Duration::from_secs(30);

/// Until when the rows of new ports wait for links.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowsWait {
    /// Those that somebody asked for, until all links of the request are made.
    pub(super) of_requests: Instant,
    /// All others.
    pub(super) of_others: Instant,
}

impl Reconciler {
    pub(super) fn round(&mut self, now: Instant) {
        self.take_touched();
        let (mut links, mut rows, mut records) = (Vec::new(), Vec::new(), Vec::new());
        let mut numbers = PortNumbers::default();
        let Self { desired, observed, unsettled, .. } = self;
        unsettled.retain(|endpoint| {
            let before = (links.len(), rows.len(), records.len());
            links.extend(plan::link(desired, observed, *endpoint));
            rows.extend(plan::rows(desired, observed, *endpoint, &mut numbers));
            records.extend(plan::record(desired, observed, *endpoint));
            before != (links.len(), rows.len(), records.len())
        });
        rows.extend(observed.bridges.keys().filter_map(|bridge| plan::bridge_row(desired, observed, bridge)));
        // Without the lock all that is planned waits; it is planned again then.
        if self.rules() {
            self.begin_links(links, now);
            self.begin_host_links(now);
            self.begin_rows(rows, now);
            self.begin_records(records, now);
            self.begin_flows(now);
        }
        self.answer(now);
        self.meters.round(now.elapsed());
    }

    /// Whatever has changed is looked at until there is nothing to do about it.
    fn take_touched(&mut self) {
        let touched = Touched::take(&mut self.desired, &mut self.observed);
        for (bridge, channel) in &mut self.datapaths {
            channel.touch(bridge, &touched);
        }
        self.unsettled.extend(touched.endpoints(&self.desired, &self.observed));
    }

    fn begin_links(&mut self, effects: Vec<LinkEffect>, now: Instant) {
        let (mut dels, mut adds, mut downs) = (Vec::new(), Vec::new(), Vec::new());
        let mut busy = self.links.busy();
        let a_task = LINKS_A_TASK.max((busy + effects.len()) / TASKS);
        let at_once = TASKS_AT_ONCE * a_task;
        for effect in effects {
            let endpoint = effect.endpoint();
            if !self.links.is_free(&endpoint, now) {
                continue;
            }
            match effect {
                LinkEffect::Del(endpoint) => {
                    self.links.begin(endpoint);
                    dels.push((endpoint, self.host_link(endpoint)));
                }
                LinkEffect::SetUp(endpoint) => {
                    self.links.begin(endpoint);
                    downs.push((endpoint, self.host_link(endpoint)));
                }
                LinkEffect::Add { .. } | LinkEffect::SetMtu { .. } if busy >= at_once => {}
                LinkEffect::SetMtu { attachment, sandbox, mtu } => {
                    busy += 1;
                    self.links.begin(endpoint);
                    self.begin_mtu(attachment, sandbox, mtu);
                }
                LinkEffect::Add { attachment, sandbox, mtu, tx_checksum_offload } => {
                    busy += 1;
                    self.links.begin(endpoint);
                    let database = self.shells.database.id();
                    let spec = veth_spec(&attachment, &sandbox, mtu, tx_checksum_offload, database);
                    adds.push((attachment, mtu, spec));
                }
            }
        }
        if !adds.is_empty() && self.links.busy() == adds.len() {
            // Nothing has come for a while, and nothing is late.
            (self.link_made_at, self.rows_made_at) = (now, now);
        }
        while !adds.is_empty() {
            let rest = adds.split_off(adds.len().min(a_task));
            self.begin_adding(std::mem::replace(&mut adds, rest));
        }
        if !downs.is_empty() {
            self.begin_setting_up(downs);
        }
        if !dels.is_empty() {
            let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
            let meters = self.meters.clone();
            tokio::spawn(async move {
                let (endpoints, names): (Vec<_>, Vec<_>) = dels.into_iter().unzip();
                let result = netlink.del_links(&names).await.map(drop).map_err(Refused::from);
                meters.effects("del-link", result.is_ok(), endpoints.len());
                let _ = outbox.send(Event::LinksDeleted(endpoints, result)).await;
            });
        }
    }

    fn begin_adding(&self, links: Vec<(Arc<Attachment>, u32, VethSpec)>) {
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        let meters = self.meters.clone();
        tokio::spawn(async move {
            let specs = links.iter().map(|(_, _, spec)| spec.clone()).collect();
            let added: Vec<_> = match netlink.add_veths(specs).await {
                Ok(results) => {
                    let each = links.iter().zip(results).map(|((attachment, mtu, _), result)| {
                        (attachment.endpoint(), *mtu, result.map_err(|error| not_added(attachment, &error)))
                    });
                    each.collect()
                }
                Err(error) => {
                    let each = links.iter().map(|(attachment, mtu, _)| {
                        (attachment.endpoint(), *mtu, Err(not_added(attachment, &error)))
                    });
                    each.collect()
                }
            };
            let (made, failed): (Vec<_>, Vec<_>) = added.iter().partition(|(_, _, result)| result.is_ok());
            meters.effects("add-link", true, made.len());
            meters.effects("add-link", false, failed.len());
            // The reconciler is gone only when nobody is left to be told.
            let _ = outbox.send(Event::LinksAdded(added)).await;
        });
    }

    fn begin_setting_up(&self, links: Vec<(EndpointId, String)>) {
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        let meters = self.meters.clone();
        tokio::spawn(async move {
            let mut results = Vec::new();
            for (endpoint, link) in links {
                let result = netlink.set_up(&link).await.map_err(Refused::from);
                if result.is_ok() {
                    tracing::info!(link, "somebody set the link down: it is up again");
                }
                meters.effects("set-up-link", result.is_ok(), 1);
                results.push((endpoint, result));
            }
            let _ = outbox.send(Event::LinksSetUp(results)).await;
        });
    }

    fn begin_mtu(&self, attachment: Arc<Attachment>, sandbox: Sandbox, mtu: u32) {
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        let meters = self.meters.clone();
        tokio::spawn(async move {
            let result = set_mtu(&netlink, &attachment, &sandbox, mtu).await;
            meters.effects("set-mtu", result.is_ok(), 1);
            let _ = outbox.send(Event::LinkMtuSet(attachment.endpoint(), mtu, result)).await;
        });
    }

    fn begin_rows(&mut self, mut effects: Vec<RowEffect>, now: Instant) {
        if !self.rows.is_free(&(), now) {
            return;
        }
        self.hold_back(&mut effects, now);
        effects
            .retain(|effect| effect.endpoint().is_none_or(|endpoint| self.bad_rows.is_free(&endpoint, now)));
        // Which of several the database objected to shows when they come one by one.
        let suspect =
            |effect: &RowEffect| effect.endpoint().filter(|endpoint| self.suspects.contains(endpoint));
        if let Some(endpoint) = effects.iter().find_map(suspect) {
            effects.retain(|effect| effect.endpoint() == Some(endpoint));
        } else {
            self.suspects.clear();
        }
        if effects.is_empty() {
            return;
        }
        self.rows.begin(());
        let endpoints: BTreeSet<EndpointId> = effects.iter().filter_map(RowEffect::endpoint).collect();
        self.rows_under_way.clone_from(&endpoints);
        let news = News::of(&effects, &self.observed, &self.desired.scope);
        let (database, outbox) = (self.shells.database.clone(), self.outbox.clone());
        let meters = self.meters.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let result = database.carry_out(&effects).await;
            if result.is_ok() {
                news.tell();
            }
            meters.rows(&effects, result.is_ok(), begun.elapsed());
            let revision = result.as_ref().ok().copied().flatten();
            let _ = outbox.send(Event::Committed(endpoints, result.map(drop))).await;
            let secured = news::secured(&effects);
            if let Some(revision) = revision.filter(|_| !secured.is_empty()) {
                // One that does not run holds no flow entries, and has them read when it does.
                database.taken_up(None, revision, Instant::now() + FLUSH_TIME).await;
                let _ = outbox.send(Event::Flushed(secured)).await;
            }
        });
    }

    /// Leaves out the rows of new ports that are to wait for links that are being made, so that they go together: with those
    /// of the same request, or else with whatever comes.
    fn hold_back(&self, effects: &mut Vec<RowEffect>, now: Instant) {
        let Some(until) = self.rows_wait_until() else { return };
        let requests = self.waiting.iter().map(|waiting| &waiting.before);
        let asked: HashSet<EndpointId> = requests.clone().flat_map(|before| before.keys().copied()).collect();
        let lacks_links = |before: &&Before| {
            now < until.of_requests
                && before.keys().any(|endpoint| !self.observed.links.contains_key(endpoint))
        };
        let unfinished: HashSet<EndpointId> =
            requests.filter(lacks_links).flat_map(|before| before.keys().copied()).collect();
        effects.retain(|effect| match effect {
            RowEffect::AddPort { attachment, .. } if asked.contains(&attachment.endpoint()) => {
                !unfinished.contains(&attachment.endpoint())
            }
            RowEffect::AddPort { .. } => now >= until.of_others,
            _ => true,
        });
    }

    /// Until when rows of new ports wait for more links; none when no links are being made.
    pub(super) fn rows_wait_until(&self) -> Option<RowsWait> {
        let links_come = self.links.busy() > 0;
        links_come.then_some(RowsWait {
            of_requests: self.link_made_at + ROWS_WAIT,
            of_others: self.rows_made_at + ROWS_WAIT,
        })
    }

    fn begin_records(&mut self, effects: Vec<RecordEffect>, now: Instant) {
        let Some(records) = self.shells.records.clone().filter(|_| self.records.is_free(&(), now)) else {
            return;
        };
        if effects.is_empty() {
            return;
        }
        self.records.begin(());
        let (outbox, meters) = (self.outbox.clone(), self.meters.clone());
        tokio::spawn(async move {
            let begun = Instant::now();
            let result = records.carry_out(&effects).await;
            meters.records(&effects, result.is_ok(), begun.elapsed());
            let _ = outbox.send(Event::Recorded(effects, result)).await;
        });
    }

    fn begin_flows(&mut self, now: Instant) {
        let Self { desired, observed, datapaths, meters, .. } = self;
        for (bridge, channel) in datapaths {
            let Some(Seen::Read(installed)) = observed.datapaths.get(bridge) else { continue };
            if !channel.lane.is_free(&(), now) {
                continue;
            }
            if channel.is_awaited() {
                channel.read();
                continue;
            }
            if !channel.is_dirty() {
                // A command is over before anybody can interfere.
                if matches!(desired.scope, Scope::Everything) {
                    channel.audit(now);
                }
                continue;
            }
            match channel.plan(desired, observed, bridge, installed) {
                Ok(changes) => channel.begin(changes, now, meters),
                Err(undeclared) => {
                    tracing::error!(%bridge, "{undeclared}: this is a defect, please report it");
                    channel.lane.fail((), now);
                }
            }
        }
    }
}

fn veth_spec(
    attachment: &Attachment,
    sandbox: &Sandbox,
    mtu: u32,
    tx_checksum_offload: bool,
    database: Option<Uuid>,
) -> VethSpec {
    let Attachment { host_link, interface, container, mac, addresses, gateways, routes, .. } = attachment;
    VethSpec {
        host_name: host_link.clone(),
        alias: host_end_alias(interface, container, database),
        sandbox: Netns::new(&sandbox.netns),
        name: interface.to_string(),
        mac: mac.octets(),
        mtu: Some(mtu),
        addresses: addresses.clone(),
        gateways: gateways.clone(),
        routes: routes
            .iter()
            .map(|route| Route { destination: route.destination, gateway: route.gateway })
            .collect(),
        tx_checksum_offload,
    }
}

fn not_added(attachment: &Attachment, error: &VethError) -> Refused {
    let Attachment { interface, container, .. } = attachment;
    let Refused { line, reason } = Refused::because(error);
    Refused { line: format!("{interface} of {container}: {line}"), reason }
}

/// First the end that is to send less: a packet that one end sends and the other is too small for is lost.
async fn set_mtu(
    netlink: &Netlink,
    attachment: &Attachment,
    sandbox: &Sandbox,
    mtu: u32,
) -> Result<(), Refused> {
    let inside = Netlink::open_in(Netns::new(&sandbox.netns));
    inside.set_mtu(attachment.interface.as_str(), mtu).await?;
    Ok(netlink.set_mtu(&attachment.host_link, mtu).await?)
}
