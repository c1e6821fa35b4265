//! News of the kernel, the database and the containers, taken into what is observed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::frontend::is_there;
use crate::model::{EndpointId, Owner, Sandbox, read_alias};
use crate::netlink::{Link as SeenLink, LinkEvent};
use crate::process::ProcessExit;
use crate::state::{Link, RecordEffect, Scope};

use super::lanes::Links;
use crate::refused::Refused;

use super::{Event, Reconciler};

/// How long the kernel is left alone that would not list its links.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Reconciler {
    /// False when that was known, or is not about a link of ours: most of what the kernel tells is our own doing.
    pub(super) fn take_link(&mut self, event: LinkEvent) -> bool {
        self.notice_host_link(&event);
        self.notice_way(&event);
        match event {
            LinkEvent::Seen(link) => {
                let Some(endpoint) = self.endpoint_of(&link.name).filter(|of| !self.links.is_busy(of)) else {
                    return false;
                };
                if !self.is_own_link(endpoint, &link) {
                    return false;
                }
                self.touched(endpoint);
                let leftover = !self.observed.ports.contains_key(&endpoint);
                let before = self.observed.links.get(&endpoint).copied();
                let leftover = before.map_or(leftover, |before| before.leftover);
                let seen = Link { mtu: link.mtu, up: link.up, leftover };
                self.observed.links.insert(endpoint, seen);
                before != Some(seen)
            }
            LinkEvent::Gone { name, .. } => {
                let Some(endpoint) = self.endpoint_of(&name) else { return false };
                if self.links.is_busy(&endpoint) {
                    // That of the effect under way, or one before it: known when that has ended.
                    self.doubtful.insert(endpoint);
                    return false;
                }
                self.touched(endpoint);
                let known = self.observed.links.remove(&endpoint).is_some();
                self.end_if_sandbox_is_gone(endpoint);
                known
            }
            LinkEvent::Addressed { .. } => false,
            LinkEvent::Resync => {
                self.begin_reading_links();
                false
            }
        }
    }

    /// A link of the host's own may be on the way to another host.
    fn notice_way(&mut self, event: &LinkEvent) {
        let is_ours = match event {
            LinkEvent::Seen(SeenLink { name, .. }) | LinkEvent::Gone { name, .. } => {
                self.endpoint_of(name).is_some()
            }
            LinkEvent::Addressed { .. } | LinkEvent::Resync => false,
        };
        if !is_ours {
            self.begin_asking_for(self.remotes().into_iter().collect());
        }
    }

    /// The endpoint's link was changed: what is being read may be older than that.
    pub(super) fn touched(&mut self, endpoint: EndpointId) {
        if let Some(touched) = &mut self.reading_links {
            touched.insert(endpoint);
        }
        if self.doubtful.remove(&endpoint) {
            self.begin_reading_links();
        }
    }

    /// A link that went without us went with its namespace, unless somebody deleted just the link.
    pub(super) fn end_if_sandbox_is_gone(&mut self, endpoint: EndpointId) {
        let Some(attachment) = self.desired.attachments.get(&endpoint) else { return };
        let gone = self.observed.running.get(&attachment.owner).is_some_and(|sandbox| !is_there(sandbox));
        if gone {
            let owner = attachment.owner.clone();
            self.end(&owner);
        }
    }

    /// A container started. False when it has no attachments, or is known to run.
    pub(super) fn start_sandbox(&mut self, sandbox: Sandbox) -> bool {
        let of_it = self.desired.attachments.of(&sandbox.owner);
        let endpoints: Vec<EndpointId> = of_it.map(|(endpoint, _)| *endpoint).collect();
        if endpoints.is_empty() {
            return false;
        }
        let known = self.observed.running.get(&sandbox.owner);
        if known.is_some_and(|known| known.inode == sandbox.inode && known.pid == sandbox.pid) {
            return false;
        }
        // A link into a namespace that it had before is not one into this.
        let restarted = known.is_some_and(|known| !known.is_presumed() && known.inode != sandbox.inode);
        for endpoint in endpoints {
            self.links.wake(&endpoint);
            if let Some(link) = self.observed.links.get_mut(&endpoint).filter(|_| restarted) {
                link.leftover = true;
            }
        }
        self.run_sandbox(sandbox);
        true
    }

    /// While nobody can be asked, the containers whose link stands are taken for running: a link ends with its container.
    pub(super) fn presume_running(&mut self, unknown: &BTreeSet<Owner>) {
        for (endpoint, attachment) in &self.desired.attachments {
            if unknown.contains(&attachment.owner) && self.observed.links.contains_key(endpoint) {
                let presumed = Sandbox::presumed(&attachment.owner);
                self.observed.running.get_or_insert_with(attachment.owner.clone(), || presumed);
            }
        }
    }

    /// The same, of one that was looked up a while ago and may have ended since; what is known of it is newer then.
    pub(super) fn run_looked_up(&mut self, sandbox: Sandbox) {
        let known = self.observed.running.get(&sandbox.owner);
        let is_other = known.is_some_and(|known| !known.is_presumed() && *known != sandbox);
        if !is_other || is_there(&sandbox) {
            self.run_sandbox(sandbox);
        }
    }

    /// Takes the container for running until its process ends; a namespace without a process ends with its link.
    pub(super) fn run_sandbox(&mut self, sandbox: Sandbox) {
        self.presumed.send_if_modified(|owners| {
            owners.remove(&sandbox.owner);
            false
        });
        self.begin_reading_interfaces(&sandbox);
        let before = self.observed.running.insert(sandbox.owner.clone(), sandbox.clone());
        let Some(pid) = sandbox.pid.filter(|_| before.as_ref() != Some(&sandbox)) else { return };
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            match ProcessExit::watch(pid) {
                // The process that was found when the container was looked up, and not a later one of its number.
                Ok(Some(_)) if !is_there(&sandbox) => tracing::debug!(pid, "the process has ended already"),
                Ok(Some(process)) => {
                    if let Err(error) = process.ended().await {
                        return tracing::error!(pid, "cannot watch a container's process: {error}");
                    }
                }
                Ok(None) => tracing::debug!(pid, "the process has ended already"),
                Err(error) => return tracing::error!(pid, "cannot watch a container's process: {error}"),
            }
            let _ = outbox.send(Event::ProcessEnded(sandbox.owner, pid)).await;
        });
    }

    /// A container that stopped may start again and keeps its attachments; a namespace or process that ended does not.
    pub(super) fn end(&mut self, owner: &Owner) {
        if self.observed.running.remove(owner).is_some() {
            tracing::info!(container = %owner, "container ended");
        }
        let ended = Refused::other(format!(
            "container {owner} ended while its port was being attached: start it and try again"
        ));
        let endpoints: BTreeSet<_> =
            self.desired.attachments.of(owner).map(|(endpoint, _)| *endpoint).collect();
        self.wait_no_more(&endpoints);
        self.refuse(&endpoints, &ended);
        if !owner.is_docker() {
            self.forget(owner);
        }
    }

    pub(super) fn observe_rows(&mut self) {
        self.look_at_lock();
        let rows = self.rows_read.read(&self.shells.database);
        self.observed.bridges.replace(rows.bridges);
        let before = self.observed.ports.replace(rows.ports);
        self.adopt_strangers(&before);
        self.take_detached(rows.detached);
        // A link that has a row from now on is that row's; one that was no good with it does not become so.
        for endpoint in self.observed.ports.keys().filter(|endpoint| !before.contains_key(endpoint)) {
            if self.observed.links.get(endpoint).is_some_and(|link| link.leftover) {
                if let Some(link) = self.observed.links.get_mut(endpoint) {
                    link.leftover = false;
                }
            }
        }
        self.other_links = self
            .observed
            .ports
            .iter()
            .map(|(endpoint, row)| (row.attachment.host_link.clone(), *endpoint))
            .filter(|(name, _)| EndpointId::from_host_link(name).is_none())
            .collect();
        self.name_host_links();
        self.begin_reading_underlay();
        self.open_channels();
    }

    /// What was detached by a command that had the lock while we did not is desired no more.
    fn take_detached(&mut self, detached: BTreeSet<EndpointId>) {
        let fresh: Vec<EndpointId> = detached.difference(&self.observed.detached).copied().collect();
        self.observed.detached = detached;
        self.unsettled.extend(&fresh);
        if matches!(self.desired.scope, Scope::Everything) {
            for endpoint in fresh.iter().filter(|endpoint| !self.is_waited_for(endpoint)).collect::<Vec<_>>()
            {
                self.desired.attachments.remove(endpoint);
            }
        }
    }

    /// Takes what the kernel told when all links were read, but for what changed meanwhile.
    pub(super) fn take_links(&mut self, read: Result<Vec<SeenLink>, Refused>) {
        let touched = self.reading_links.take().unwrap_or_default();
        match read {
            Ok(links) => {
                // One without alias is just being made, by whomever.
                let is_known = |link: &SeenLink| {
                    self.endpoint_of(&link.name).is_some_and(|endpoint| self.is_known(endpoint, &link.name))
                };
                let links = links.into_iter().filter(|link| link.alias.is_some() || is_known(link));
                let links: Vec<SeenLink> = links.collect();
                self.observe_links(links.into_iter(), &touched);
                self.forget_ended_strangers();
            }
            Err(refused) => {
                tracing::warn!("{refused}");
                self.read_links_again = true;
            }
        }
        if std::mem::take(&mut self.read_links_again) {
            self.begin_reading_links();
        }
    }

    pub(super) fn observe_links(
        &mut self,
        links: impl Iterator<Item = SeenLink>,
        touched: &BTreeSet<EndpointId>,
    ) {
        let seen: BTreeMap<EndpointId, Link> = links
            .filter_map(|link| {
                let endpoint = self.endpoint_of(&link.name)?;
                if link.alias.is_some() && !self.is_own_link(endpoint, &link) {
                    return None;
                }
                let leftover = !self.observed.ports.contains_key(&endpoint);
                Some((endpoint, Link { mtu: link.mtu, up: link.up, leftover }))
            })
            .collect();
        let gone: Vec<EndpointId> =
            self.observed.links.keys().filter(|of| !seen.contains_key(of)).copied().collect();
        // What is being changed is told by its effect.
        let settled =
            |links: &Links, endpoint: &EndpointId| !links.is_busy(endpoint) && !touched.contains(endpoint);
        for (endpoint, link) in seen.into_iter().filter(|(endpoint, _)| settled(&self.links, endpoint)) {
            let known = self.observed.links.get(&endpoint).copied();
            let leftover = known.map_or(link.leftover, |known| known.leftover);
            let seen = Link { leftover, ..link };
            if known != Some(seen) {
                self.observed.links.insert(endpoint, seen);
            }
        }
        for endpoint in gone.into_iter().filter(|endpoint| settled(&self.links, endpoint)).collect::<Vec<_>>()
        {
            self.observed.links.remove(&endpoint);
            self.end_if_sandbox_is_gone(endpoint);
        }
    }

    pub(super) fn observe_records(&mut self, effects: Vec<RecordEffect>) {
        let Some(records) = &mut self.observed.records else { return };
        for effect in effects {
            match effect {
                RecordEffect::Put(attachment) => drop(records.insert(attachment.endpoint(), attachment)),
                RecordEffect::Del(endpoint) => drop(records.remove(&endpoint)),
            }
        }
    }

    /// The name of an endpoint's host end.
    pub(super) fn host_link(&self, endpoint: EndpointId) -> String {
        let other = self.other_links.iter().find(|(_, of)| **of == endpoint);
        other.map_or_else(|| endpoint.host_link(), |(name, _)| name.clone())
    }

    fn endpoint_of(&self, link: &str) -> Option<EndpointId> {
        EndpointId::from_host_link(link).or_else(|| self.other_links.get(link).copied())
    }

    /// Whether a link with such a name is of this database: another one may share the network namespace. One that neither
    /// rows nor wishes know, and that does not tell by its alias, as those of older versions do not, is left alone.
    fn is_own_link(&self, endpoint: EndpointId, link: &SeenLink) -> bool {
        let database = link.alias.as_deref().and_then(|alias| read_alias(alias)?.1);
        let is_marked = |id: &str| self.shells.database.id().is_some_and(|own| own.to_string() == id);
        self.is_known(endpoint, &link.name) || database.is_some_and(is_marked)
    }

    fn is_known(&self, endpoint: EndpointId, link: &str) -> bool {
        EndpointId::from_host_link(link).is_none()
            || self.observed.links.contains_key(&endpoint)
            || self.observed.ports.contains_key(&endpoint)
            || self.desired.attachments.contains_key(&endpoint)
    }

    pub(super) fn begin_reading_links(&mut self) {
        if self.reading_links.is_some() {
            self.read_links_again = true;
            return;
        }
        self.reading_links = Some(BTreeSet::new());
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        tokio::spawn(async move {
            let links = netlink.links().await.map_err(Refused::from);
            if links.is_err() {
                tokio::time::sleep(READ_AGAIN_AFTER).await;
            }
            let _ = outbox.send(Event::LinksRead(links)).await;
        });
    }

    /// False when that was known.
    pub(super) fn take_way(&mut self, remote: IpAddr, mtu: Option<u32>) -> bool {
        if self.ways_asked.remove(&remote) == Some(true) && self.remotes().contains(&remote) {
            self.begin_asking_for(vec![remote]);
        }
        let known = self.observed.underlay.get(&remote).copied();
        // Without a way there what it was stays: it may be back at once.
        let Some(mtu) = mtu.filter(|mtu| known != Some(*mtu)) else { return false };
        if let Some(known) = known {
            tracing::info!(%remote, known, mtu, "the MTU of the way to a tunnel's far end has changed");
        }
        self.observed.underlay.extend([(remote, mtu)]);
        true
    }

    /// The far ends of all tunnels.
    pub(super) fn remotes(&self) -> BTreeSet<IpAddr> {
        let ports = self.observed.bridges.values().flat_map(|bridge| &bridge.ports);
        ports.filter_map(|port| port.tunnel.as_ref()?.remote).collect()
    }

    fn begin_reading_underlay(&mut self) {
        let remotes = self.remotes();
        self.observed.underlay.retain(|remote, _| remotes.contains(remote));
        let known = |remote: &IpAddr| self.observed.underlay.contains_key(remote);
        self.begin_asking_for(remotes.into_iter().filter(|remote| !known(remote)).collect());
    }

    /// The MTU of the ways to these, each asked for once at a time.
    fn begin_asking_for(&mut self, remotes: Vec<IpAddr>) {
        for remote in remotes {
            // The answer that is under way may be older than what happened.
            if let Some(again) = self.ways_asked.get_mut(&remote) {
                *again = true;
                continue;
            }
            self.ways_asked.insert(remote, false);
            let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
            tokio::spawn(async move {
                let route = netlink.route_to(remote).await.ok().flatten();
                let _ = outbox.send(Event::Underlay(remote, route.map(|route| route.mtu))).await;
            });
        }
    }

    /// Rows, links and flow entries are read anew, because somebody may have changed what nobody tells of.
    pub(super) fn reread(&mut self, now: Instant) {
        self.observe_rows();
        self.begin_reading_links();
        self.begin_reading_host_links();
        self.begin_asking_for(self.remotes().into_iter().collect());
        self.datapaths.values_mut().for_each(|channel| channel.look_at(now));
    }
}
