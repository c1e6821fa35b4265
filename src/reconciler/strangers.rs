//! Ports that another tool made, as `ovs-docker` does: what their marks do not tell is read from the interface.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::{Attachment, EndpointId, Mac, Sandbox};
use crate::netlink::{Netlink, NetlinkError, Netns};
use crate::state::{PortRow, Scope};

use super::{Event, Reconciler};

/// How often the interface is read that another tool may still be setting up, at most, and how often it has to be the same
/// then.
const READS: usize = 100;
const SAME_READS: usize = 20;
const READ_EVERY: Duration = Duration::from_millis(100);

/// What another tool gave an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    mac: Mac,
    addresses: Vec<IpNet>,
    gateways: Vec<IpAddr>,
}

/// Reads what the interface of an attachment was given; none when it is not there yet.
pub(super) async fn read(netns: &Path, attachment: &Attachment) -> Result<Option<Given>, NetlinkError> {
    let netns = Netns::new(netns);
    let inside = Netlink::open_in(netns.clone());
    let found = inside.interface_in(&netns, attachment.interface.as_str()).await?;
    let Some(interface) = found else { return Ok(None) };
    let Some(mac) = interface.mac.and_then(Mac::from_bytes) else { return Ok(None) };
    let routes = inside.routes().await?.into_iter();
    let default = routes.filter(|route| route.link == interface.index && route.destination.prefix_len() == 0);
    let gateways = default.filter_map(|route| route.gateway).collect();
    let is_given = |address: &IpNet| match address {
        IpNet::V4(_) => true,
        IpNet::V6(address) => !address.addr().is_unicast_link_local(),
    };
    Ok(Some(Given { mac, addresses: interface.addresses.into_iter().filter(is_given).collect(), gateways }))
}

impl Reconciler {
    /// A port that another tool made while the daemon runs is adopted with what its marks tell, as those are that were there
    /// before it.
    pub(super) fn adopt_strangers(&mut self, before: &BTreeMap<EndpointId, PortRow>) {
        if matches!(self.desired.scope, Scope::Only(_)) {
            return;
        }
        let strangers = self.observed.ports.iter().filter(|(endpoint, row)| {
            row.attachment.host_link != endpoint.host_link() && !before.contains_key(endpoint)
        });
        let strangers: Vec<_> =
            strangers.map(|(endpoint, row)| (*endpoint, row.attachment.clone())).collect();
        for (endpoint, attachment) in strangers {
            if self.desired.attachments.contains_key(&endpoint) {
                continue;
            }
            tracing::info!(%endpoint, container = %attachment.container, "a port that another tool made is adopted");
            self.adopt(endpoint, attachment);
            self.begin_reading_links();
        }
    }

    /// The strangers whose link turns out not to be there are of containers that have ended.
    pub(super) fn forget_ended_strangers(&mut self) {
        for endpoint in std::mem::take(&mut self.strangers) {
            if !self.observed.links.contains_key(&endpoint) {
                self.end_if_sandbox_is_gone(endpoint);
            }
        }
    }

    /// Desires a port that somebody else made. Whether its container still runs shows when links are read.
    pub(super) fn adopt(&mut self, endpoint: EndpointId, attachment: Arc<Attachment>) {
        let presumed = Sandbox::presumed(&attachment.owner);
        self.observed.running.get_or_insert_with(attachment.owner.clone(), || presumed);
        if self.observed.running.get(&attachment.owner).is_some_and(Sandbox::is_presumed) {
            // Once more for each attachment: its MAC is to be read.
            self.presumed.send_modify(|owners| {
                owners.insert(attachment.owner.clone());
            });
        }
        self.desired.attachments.insert(endpoint, attachment);
        self.strangers.insert(endpoint);
    }

    /// What other tools attached to the container is read, as soon as it is there.
    pub(super) fn begin_reading_interfaces(&self, sandbox: &Sandbox) {
        let of_it = self.desired.attachments.of(&sandbox.owner);
        let strangers = of_it.filter(|(endpoint, attachment)| attachment.host_link != endpoint.host_link());
        for (endpoint, attachment) in strangers {
            let (endpoint, attachment, netns) = (*endpoint, Arc::clone(attachment), sandbox.netns.clone());
            let outbox = self.outbox.clone();
            tokio::spawn(async move {
                // The other tool may not be done: the row comes before the interface, and that before what it is given.
                let (mut known, mut same) = (None, 0);
                for _ in 0..READS {
                    // The container may have ended.
                    let Ok(given) = read(&netns, &attachment).await else { return };
                    if let Some(given) = given.filter(|given| known.as_ref() != Some(given)) {
                        (known, same) = (Some(given.clone()), 0);
                        let _ = outbox.send(Event::InterfaceRead(endpoint, given)).await;
                    }
                    same += usize::from(known.is_some());
                    if same > SAME_READS {
                        return;
                    }
                    tokio::time::sleep(READ_EVERY).await;
                }
            });
        }
    }

    /// Desires of what another tool attached that it be as that tool made it.
    pub(super) fn learn(&mut self, endpoint: EndpointId, given: Given) {
        let Some(known) = self.desired.attachments.get(&endpoint) else { return };
        let mut attachment = Attachment { mac: given.mac, ..Attachment::clone(known) };
        // After a restart of the container they are ours to give.
        if !given.addresses.is_empty() {
            (attachment.addresses, attachment.gateways) = (given.addresses, given.gateways);
        }
        if attachment != **known {
            self.desired.attachments.insert(endpoint, Arc::new(attachment));
        }
    }
}
