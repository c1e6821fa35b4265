//! What effects came to: links, rows, and what the datapaths report.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::model::{EndpointId, LinkName};
use crate::openflow::{DatapathEvent, Report};
use crate::ovsdb::TransactionFailed;
use crate::refused::Refused;
use crate::state::{Datapath as Seen, Link};

use super::Reconciler;

impl Reconciler {
    pub(super) fn take_added_links(
        &mut self,
        links: Vec<(EndpointId, u32, Result<(), Refused>)>,
        now: Instant,
    ) {
        self.link_made_at = now;
        for (endpoint, mtu, result) in links {
            match result {
                Ok(()) => {
                    self.links.succeed(&endpoint);
                    self.observed.links.insert(endpoint, Link { mtu, up: true, leftover: false });
                    self.touched(endpoint);
                }
                Err(refused) => self.fail_link(endpoint, &refused, now),
            }
        }
    }

    pub(super) fn take_mtu(
        &mut self,
        endpoint: EndpointId,
        mtu: u32,
        result: Result<(), Refused>,
        now: Instant,
    ) {
        if let Err(refused) = result {
            return self.fail_link(endpoint, &refused, now);
        }
        self.links.succeed(&endpoint);
        self.touched(endpoint);
        if let Some(link) = self.observed.links.get_mut(&endpoint) {
            link.mtu = mtu;
        }
    }

    pub(super) fn take_deleted_links(
        &mut self,
        endpoints: Vec<EndpointId>,
        result: &Result<(), Refused>,
        now: Instant,
    ) {
        if let Err(refused) = result {
            tracing::warn!("{refused}");
        }
        for endpoint in endpoints {
            self.doubtful.remove(&endpoint);
            self.touched(endpoint);
            match result {
                Ok(()) => {
                    self.links.succeed(&endpoint);
                    self.observed.links.remove(&endpoint);
                }
                Err(_) => self.links.fail(endpoint, now),
            }
        }
    }

    pub(super) fn take_set_up_links(&mut self, links: Vec<(EndpointId, Result<(), Refused>)>, now: Instant) {
        for (endpoint, result) in links {
            match result {
                Ok(()) => {
                    self.links.pause(endpoint, now);
                    if let Some(link) = self.observed.links.get_mut(&endpoint) {
                        link.up = true;
                    }
                    // Of what happened to it meanwhile nothing was taken.
                    self.doubtful.insert(endpoint);
                    self.touched(endpoint);
                }
                Err(refused) => self.fail_link(endpoint, &refused, now),
            }
        }
    }

    pub(super) fn fail_link(&mut self, endpoint: EndpointId, refused: &Refused, now: Instant) {
        tracing::warn!("{refused}");
        self.links.fail(endpoint, now);
        self.refuse(&BTreeSet::from([endpoint]), refused);
        // It may have met another link, or none, where one was thought to be or not to be.
        self.doubtful.insert(endpoint);
        self.touched(endpoint);
        self.end_if_sandbox_is_gone(endpoint);
    }

    pub(super) fn take_rows(&mut self, endpoints: &BTreeSet<EndpointId>, now: Instant) {
        self.rows_under_way.clear();
        self.rows_made_at = now;
        self.rows.succeed(&());
        self.rows_trouble = None;
        self.suspects.retain(|suspect| !endpoints.contains(suspect));
        endpoints.iter().for_each(|endpoint| self.bad_rows.succeed(endpoint));
        self.observe_rows();
    }

    /// What the database objects to rests, and holds nothing else up. A connection that is lost comes back: callers wait for
    /// it as long as they wait for anything.
    pub(super) fn take_failed_rows(
        &mut self,
        endpoints: BTreeSet<EndpointId>,
        failed: &TransactionFailed,
        now: Instant,
    ) {
        tracing::warn!("{failed}");
        self.rows_under_way.clear();
        if !failed.objects {
            self.rows_trouble = Some(failed.to_string());
            self.rows.fail((), now);
            return;
        }
        self.rows_trouble = None;
        self.rows.succeed(&());
        if endpoints.len() > 1 {
            self.suspects = endpoints;
            return;
        }
        if endpoints.is_empty() {
            self.rows.fail((), now);
        }
        self.suspects.retain(|suspect| !endpoints.contains(suspect));
        endpoints.iter().for_each(|endpoint| self.bad_rows.fail(*endpoint, now));
        self.refuse(&endpoints, &Refused::other(format!("the database refused the port: {failed}")));
    }

    pub(super) fn take_report(&mut self, Report { bridge, event }: Report, now: Instant) {
        self.count_report(&bridge, &event);
        let Some(channel) = self.datapaths.get_mut(&bridge) else { return };
        match event {
            DatapathEvent::Read(installed) => {
                if !matches!(self.observed.datapaths.get(&bridge), Some(Seen::Read(_))) {
                    tracing::info!(%bridge, flows = installed.flow_count(), "OpenFlow channel open");
                }
                channel.open(now);
                self.unsettle(&bridge);
                self.observed.datapaths.insert(bridge, Seen::Read(installed));
            }
            DatapathEvent::Counted(flows) => {
                if let Some(Seen::Read(installed)) = self.observed.datapaths.get(&bridge) {
                    channel.counted(&bridge, flows, installed);
                }
            }
            DatapathEvent::Applied(changes) => {
                channel.applied();
                // Port rows wait for their flow entries to go.
                self.unsettled.extend(&changes.deleted_endpoints);
                if let Some(Seen::Read(installed)) = self.observed.datapaths.get_mut(&bridge) {
                    installed.apply(&changes);
                }
            }
            DatapathEvent::Refused { why, endpoints } => {
                tracing::warn!(%bridge, "the datapath refused flow entries: {why}");
                let refused = Refused::other(format!("bridge {bridge} refused the flow entries: {why}"));
                // Somebody else may have changed what ours build on.
                if channel.refused(why, now) {
                    self.refuse(&endpoints, &refused);
                    self.refuse_bridge(&bridge, &refused);
                }
            }
            DatapathEvent::Lost(why) => {
                channel.tell_trouble(&bridge, &why);
                channel.close(why);
                self.unsettle(&bridge);
                self.observed.datapaths.insert(bridge, Seen::Opening);
            }
            DatapathEvent::Away(why) => {
                channel.tell_trouble(&bridge, &why);
                channel.close(why);
                self.unsettle(&bridge);
                self.observed.datapaths.insert(bridge, Seen::Away);
            }
        }
    }

    /// What the port rows of a bridge wait for may be other now.
    pub(super) fn unsettle(&mut self, bridge: &LinkName) {
        let on_it = self.observed.ports.iter().filter(|(_, row)| row.bridge == *bridge);
        self.unsettled.extend(on_it.map(|(endpoint, _)| *endpoint));
    }
}
