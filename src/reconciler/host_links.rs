//! The links of this host that bridges need: their local ports and uplinks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ipnet::IpNet;

use crate::model::LinkName;
use crate::netlink::{Link as SeenLink, LinkEvent};
use crate::plan;
use crate::refused::Refused;
use crate::state::{HostLink, HostLinkEffect, Scope};

use super::lanes::Lane;
use super::{Event, Reconciler};

/// What is known of reading and changing them.
#[derive(Debug, Default)]
pub(super) struct HostLinks {
    pub(super) lane: Lane<LinkName>,
    /// Those that bridges name, there or not.
    named: BTreeSet<LinkName>,
    /// The indexes of those that are there.
    indexes: BTreeSet<u32>,
    reading: bool,
    /// Whether something happened since the reading that is under way began.
    read_again: bool,
    /// Why the last effect on each failed, told once.
    troubles: BTreeMap<LinkName, String>,
}

impl Reconciler {
    /// What happens to one of them has all of them be read anew: they are few.
    pub(super) fn notice_host_link(&mut self, event: &LinkEvent) {
        let HostLinks { named, indexes, reading, .. } = &self.host_links;
        let concerns = match event {
            LinkEvent::Seen(SeenLink { name, .. }) | LinkEvent::Gone { name, .. } => {
                named.iter().any(|link| link.as_str() == name)
            }
            // The index is known when the reading ends.
            LinkEvent::Addressed { index } => *reading || indexes.contains(index),
            LinkEvent::Resync => true,
        };
        if concerns {
            self.begin_reading_host_links();
        }
    }

    /// Takes the links that bridges name now for those that are to be looked at.
    pub(super) fn name_host_links(&mut self) {
        let bridges = self.observed.bridges.values();
        let named: BTreeSet<LinkName> = bridges.flat_map(|bridge| bridge.links.keys().cloned()).collect();
        let are_more = !named.is_subset(&self.host_links.named);
        self.host_links.named = named;
        if are_more {
            self.begin_reading_host_links();
        }
    }

    pub(super) fn begin_reading_host_links(&mut self) {
        let HostLinks { named, reading, read_again, .. } = &mut self.host_links;
        if *reading {
            *read_again = true;
            return;
        }
        if named.is_empty() {
            return;
        }
        *reading = true;
        let names = named.iter().map(ToString::to_string).collect();
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        tokio::spawn(async move {
            let links = netlink.addressed_links(names).await.map_err(Refused::from);
            let _ = outbox.send(Event::HostLinksRead(links)).await;
        });
    }

    pub(super) fn take_host_links(&mut self, read: Result<Vec<(SeenLink, Vec<IpNet>)>, Refused>) {
        self.host_links.reading = false;
        match read {
            Ok(links) => {
                self.host_links.indexes = links.iter().map(|(link, _)| link.index).collect();
                let seen = links.into_iter().filter_map(|(link, addresses)| {
                    let addresses = addresses.into_iter().collect();
                    Some((link.name.parse().ok()?, HostLink { up: link.up, addresses }))
                });
                self.observed.host_links = seen.collect();
            }
            Err(refused) => tracing::warn!("{refused}"),
        }
        if std::mem::take(&mut self.host_links.read_again) {
            self.begin_reading_host_links();
        }
    }

    /// Whether the links of the bridge are as they should be.
    pub(super) fn has_host_links(&self, bridge: &LinkName) -> bool {
        !self.host_links.reading && plan::has_host_links(&self.observed, bridge)
    }

    pub(super) fn begin_host_links(&mut self, now: Instant) {
        let bridges: BTreeSet<LinkName> = match self.desired.scope {
            Scope::Everything => self.observed.bridges.keys().cloned().collect(),
            Scope::Only(_) => self.waiting.iter().filter_map(|waiting| waiting.host_links.clone()).collect(),
        };
        let effects = bridges.iter().flat_map(|bridge| plan::host_links(&self.observed, bridge));
        for effect in effects {
            if !self.host_links.lane.is_free(&effect.link, now) {
                continue;
            }
            self.host_links.lane.begin(effect.link.clone());
            let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
            let meters = self.meters.clone();
            tokio::spawn(async move {
                let HostLinkEffect { link, addresses } = &effect;
                let result = netlink.set_up_with(link.as_str(), addresses).await.map_err(Refused::from);
                meters.effects("set-up-link", result.is_ok(), 1);
                let _ = outbox.send(Event::HostLinkSet(effect, result)).await;
            });
        }
    }

    pub(super) fn take_set_host_link(
        &mut self,
        HostLinkEffect { link, addresses }: HostLinkEffect,
        result: Result<(), Refused>,
        now: Instant,
    ) {
        match result {
            Ok(()) => {
                if matches!(self.desired.scope, Scope::Everything) {
                    tracing::info!(%link, ?addresses, "link set up");
                }
                self.host_links.troubles.remove(&link);
                if let Some(seen) = self.observed.host_links.get_mut(&link) {
                    seen.up = true;
                    seen.addresses.extend(addresses);
                }
                self.host_links.lane.pause(link, now);
            }
            Err(refused) => {
                let trouble = refused.to_string();
                if self.host_links.troubles.get(&link) != Some(&trouble) {
                    tracing::warn!(%link, "{trouble}");
                    self.host_links.troubles.insert(link.clone(), trouble);
                }
                self.refuse_host_link(&link, &refused);
                self.host_links.lane.fail(link, now);
            }
        }
        self.begin_reading_host_links();
    }
}
