//! Rounds: plan, begin what can begin now, answer who waited for it.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::model::{Attachment, EndpointId, Sandbox};
use crate::netlink::{Netlink, Netns, Route, VethError, VethSpec};
use crate::plan::{self, LinkEffect, RowEffect};

use super::{Event, Reconciler, Refused};

/// How many links are made at once: the kernel makes them one after the other (under the RTNL), so that a few suffice
/// to keep it busy.
const LINKS_AT_ONCE: usize = 8;

impl Reconciler {
    pub(super) fn round(&mut self, now: Instant) {
        self.begin_links(now);
        self.begin_rows(now);
        self.begin_records(now);
        self.begin_flows(now);
        self.answer(now);
    }

    fn begin_links(&mut self, now: Instant) {
        let mut dels = Vec::new();
        for effect in plan::links(&self.desired, &self.observed) {
            let endpoint = effect.endpoint();
            if !self.links.is_free(&endpoint, now) {
                continue;
            }
            match effect {
                LinkEffect::Del(endpoint) => {
                    self.links.begin(endpoint);
                    dels.push((endpoint, self.host_link(endpoint)));
                }
                effect if self.links.busy() < LINKS_AT_ONCE => {
                    self.links.begin(endpoint);
                    self.begin_link(effect);
                }
                _ => {}
            }
        }
        if !dels.is_empty() {
            let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
            tokio::spawn(async move {
                let (endpoints, names): (Vec<_>, Vec<_>) = dels.into_iter().unzip();
                let result = netlink.del_links(&names).await.map(drop).map_err(Refused::from);
                let _ = outbox.send(Event::LinksDeleted(endpoints, result)).await;
            });
        }
    }

    fn begin_link(&self, effect: LinkEffect) {
        let (netlink, outbox) = (self.shells.netlink.clone(), self.outbox.clone());
        tokio::spawn(async move {
            let event = match effect {
                LinkEffect::Add { attachment, sandbox, mtu, tx_checksum_offload } => {
                    let spec = veth_spec(&attachment, &sandbox, mtu, tx_checksum_offload);
                    let result =
                        netlink.add_veth(&spec).await.map_err(|error| not_added(&attachment, &error));
                    Event::LinkAdded(attachment.endpoint(), mtu, result)
                }
                LinkEffect::SetMtu { attachment, sandbox, mtu } => {
                    let result = set_mtu(&netlink, &attachment, &sandbox, mtu).await;
                    Event::LinkMtuSet(attachment.endpoint(), mtu, result)
                }
                LinkEffect::Del(endpoint) => Event::LinksDeleted(vec![endpoint], Ok(())),
            };
            // The reconciler is gone only when nobody is left to be told.
            let _ = outbox.send(event).await;
        });
    }

    fn begin_rows(&mut self, now: Instant) {
        if !self.rows.is_free(&(), now) {
            return;
        }
        let effects = plan::rows(&self.desired, &self.observed);
        if effects.is_empty() {
            return;
        }
        self.rows.begin(());
        let endpoints: BTreeSet<EndpointId> = effects.iter().filter_map(RowEffect::endpoint).collect();
        let (database, outbox) = (self.shells.database.clone(), self.outbox.clone());
        tokio::spawn(async move {
            let result = database.carry_out(&effects).await;
            let _ = outbox.send(Event::Committed(endpoints, result)).await;
        });
    }

    fn begin_records(&mut self, now: Instant) {
        let Some(records) = self.shells.records.clone().filter(|_| self.records.is_free(&(), now)) else {
            return;
        };
        let effects = plan::records(&self.desired, &self.observed);
        if effects.is_empty() {
            return;
        }
        self.records.begin(());
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let result = records.carry_out(&effects).await;
            let _ = outbox.send(Event::Recorded(effects, result)).await;
        });
    }

    fn begin_flows(&mut self, now: Instant) {
        for (bridge, channel) in &mut self.datapaths {
            if !channel.dirty || !channel.lane.is_free(&(), now) {
                continue;
            }
            match plan::flows(&self.desired, &self.observed, bridge) {
                Ok(None) => {}
                Ok(Some(changes)) if changes.is_empty() => channel.dirty = false,
                Ok(Some(changes)) => {
                    channel.lane.begin(());
                    channel.datapath.apply(changes);
                }
                Err(undeclared) => {
                    tracing::error!(%bridge, "{undeclared}: this is a defect, please report it");
                    channel.lane.fail((), now);
                }
            }
        }
    }
}

fn veth_spec(attachment: &Attachment, sandbox: &Sandbox, mtu: u32, tx_checksum_offload: bool) -> VethSpec {
    let Attachment { host_link, interface, container, mac, addresses, gateways, routes, .. } = attachment;
    VethSpec {
        host_name: host_link.clone(),
        alias: format!("flowport: {interface} of {container}"),
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
