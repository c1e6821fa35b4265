//! Changes that are asked for: checked against everything that is known, then desired.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};

use crate::model::{Attachment, ContainerRef, EndpointId, LinkName, Mac, Owner, Sandbox, Vlan};
use crate::netlink::LinkEvent;
use crate::state::{BridgePort, Link, PortKind, Scope, Touched};

use super::waiting::{Before, Waiting};
use crate::refused::Refused;

use super::summary::{Look, Summary};
use super::{Event, Outcome, Progress, Reconciler};

/// A change, its containers already looked up.
#[derive(Clone, Debug)]
pub enum Change {
    /// Attach all of these.
    Attach(Vec<(Attachment, Sandbox)>),
    /// Detach what is selected.
    Detach(Selected),
    /// Move what is selected, of the container that runs in this sandbox, to another network.
    SetVlan(Selected, Vlan, Sandbox),
    /// Only wait until the bridge forwards as it should.
    Settle(LinkName),
    /// Wait for that, and until the links of the bridge, which is new, are set up.
    Finish(LinkName),
    /// Wait for that, and until what these containers have on the bridge fits its new tunnel.
    Fit {
        /// The bridge.
        bridge: LinkName,
        /// The containers.
        sandboxes: Vec<Sandbox>,
        /// The tunnel's far end and the MTU of the way there in bytes, if it is one and there is one.
        underlay: Option<(IpAddr, u32)>,
    },
}

/// Attachments of a bridge, by container and interface.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The bridge.
    pub bridge: LinkName,
    /// One interface; all of them when absent.
    pub interface: Option<LinkName>,
    /// The containers, each with its identity if it could be looked up; all of them when empty.
    pub containers: Vec<(ContainerRef, Option<Owner>)>,
}

/// A change with its caller.
#[derive(Debug)]
pub struct Ask {
    change: Change,
    deadline: Instant,
    answer: oneshot::Sender<Result<Outcome, Refused>>,
    progress: mpsc::Sender<Progress>,
    interrupted: Option<watch::Receiver<bool>>,
}

/// Asks changes of a reconciler, and brings it news.
#[derive(Clone, Debug)]
pub struct Handle {
    outbox: mpsc::Sender<Event>,
    ruling: watch::Receiver<bool>,
    presumed: watch::Receiver<BTreeSet<Owner>>,
}

impl Handle {
    pub(super) fn new(
        outbox: mpsc::Sender<Event>,
        ruling: watch::Receiver<bool>,
        presumed: watch::Receiver<BTreeSet<Owner>>,
    ) -> Self {
        Self { outbox, ruling, presumed }
    }

    /// The containers of Docker to which another tool has attached something, and which nobody has looked up.
    pub fn presumed(&self) -> watch::Receiver<BTreeSet<Owner>> {
        self.presumed.clone()
    }

    /// Waits until changes may be made, which another Flowport may keep us from. False when that takes until the deadline.
    pub async fn rules(&self, deadline: Instant) -> bool {
        let mut ruling = self.ruling.clone();
        let ruling = ruling.wait_for(|ruling| *ruling);
        matches!(tokio::time::timeout_at(deadline.into(), ruling).await, Ok(Ok(_)))
    }

    /// Asks for a change and waits until it has converged, or is refused and undone.
    ///
    /// # Errors
    ///
    /// The change contradicts what is attached, or did not converge before the deadline.
    pub async fn ask(
        &self,
        change: Change,
        deadline: Instant,
        progress: mpsc::Sender<Progress>,
        interrupted: Option<watch::Receiver<bool>>,
    ) -> Result<Outcome, Refused> {
        let (answer, answered) = oneshot::channel();
        let gone = || Refused::other("Flowport is stopping: try again when it has started");
        let asked = Event::Asked(Ask { change, deadline, answer, progress, interrupted });
        self.outbox.send(asked).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Tells that a container runs.
    pub async fn started(&self, sandbox: Sandbox) {
        let _ = self.outbox.send(Event::Started(sandbox)).await;
    }

    /// Tells what the kernel says of a link.
    pub async fn link(&self, event: LinkEvent) {
        let _ = self.outbox.send(Event::Link(event)).await;
    }

    /// Has it be noticed that a caller was interrupted.
    pub async fn wake(&self) {
        let _ = self.outbox.send(Event::Wake).await;
    }

    /// How many attachments to this bridge are desired.
    pub async fn attached_to(&self, bridge: LinkName) -> usize {
        let (answer, answered) = oneshot::channel();
        let _ = self.outbox.send(Event::AttachedTo(bridge, answer)).await;
        answered.await.unwrap_or_default()
    }

    /// How far the whole has come. None when the reconciler has ended.
    pub async fn summary(&self) -> Option<Summary> {
        self.look(false).await
    }

    /// The same, as soon as nothing is under way and nothing is missing that is not known to fail.
    pub async fn settled(&self) -> Option<Summary> {
        self.look(true).await
    }

    async fn look(&self, settled: bool) -> Option<Summary> {
        let (answer, answered) = oneshot::channel();
        self.outbox.send(Event::Look(Look { settled, answer })).await.ok()?;
        answered.await.ok()
    }

    /// Has links, routes and flow entries be read anew, and what is not as it should be put right.
    pub async fn reread(&self) {
        let _ = self.outbox.send(Event::Reread).await;
    }

    /// Whose attachments are desired.
    pub async fn owners(&self) -> BTreeSet<Owner> {
        let (answer, answered) = oneshot::channel();
        let _ = self.outbox.send(Event::Owners(answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Tells that a container is no more, so that its attachments are nobody's.
    pub async fn removed(&self, owner: Owner) {
        let _ = self.outbox.send(Event::Removed(owner)).await;
    }
}

impl Reconciler {
    pub(super) fn take_ask(&mut self, ask: Ask, now: Instant) {
        let Ask { change, deadline, answer, progress, interrupted } = ask;
        let mut waiting = Waiting {
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            bridges: BTreeSet::new(),
            host_links: None,
            deadline: deadline.max(now),
            refused: None,
            answer,
            progress,
            interrupted,
            told: None,
        };
        let accepted = match change {
            Change::Attach(ports) => self.attach(ports),
            Change::Detach(selected) => self.select(&selected).map(|endpoints| self.detach(&endpoints)),
            Change::SetVlan(selected, vlan, sandbox) => {
                self.run_looked_up(sandbox);
                self.select(&selected).and_then(|found| self.set_vlan(&found, vlan))
            }
            Change::Settle(bridge) => {
                waiting.bridges.insert(bridge);
                Ok(BTreeMap::new())
            }
            Change::Finish(bridge) => {
                waiting.bridges.insert(bridge.clone());
                waiting.host_links = Some(bridge);
                // No events of the kernel reach a command.
                self.begin_reading_host_links();
                Ok(BTreeMap::new())
            }
            Change::Fit { bridge, sandboxes, underlay } => {
                self.observed.underlay.extend(underlay);
                let before = self.fit(&bridge, sandboxes);
                waiting.bridges.insert(bridge);
                Ok(before)
            }
        };
        match accepted {
            Ok(before) => {
                let desired =
                    |endpoint: &EndpointId| (*endpoint, self.desired.attachments.get(endpoint).cloned());
                waiting.after = before.keys().map(desired).collect();
                waiting.before = before;
                if let Scope::Only(endpoints) = &mut self.desired.scope {
                    endpoints.extend(waiting.before.keys());
                    self.unsettled.extend(waiting.before.keys());
                    // What was none of its business may be now.
                    for (bridge, channel) in &mut self.datapaths {
                        channel.touch(bridge, &Touched::everything());
                    }
                }
                self.waiting.push(waiting);
                self.open_channels();
            }
            Err(refused) => {
                let _ = waiting.answer.send(Err(refused));
            }
        }
    }

    /// Takes the ports of these containers on the bridge into what is ruled over, as they are desired.
    fn fit(&mut self, bridge: &LinkName, sandboxes: Vec<Sandbox>) -> Before {
        let owners: BTreeSet<Owner> = sandboxes.iter().map(|sandbox| sandbox.owner.clone()).collect();
        sandboxes.into_iter().for_each(|sandbox| self.run_looked_up(sandbox));
        let fitted = self.desired.attachments.iter().filter(|(endpoint, attachment)| {
            attachment.bridge == *bridge
                && owners.contains(&attachment.owner)
                && self.observed.links.contains_key(endpoint)
        });
        fitted.map(|(endpoint, attachment)| (*endpoint, Some(Arc::clone(attachment)))).collect()
    }

    fn attach(&mut self, ports: Vec<(Attachment, Sandbox)>) -> Result<Before, Refused> {
        let mut taken = Taken::new(&self.desired.attachments);
        let mut asked = BTreeMap::new();
        for (attachment, sandbox) in ports {
            let endpoint = attachment.endpoint();
            if !self.observed.bridges.contains_key(&attachment.bridge) {
                return Err(Refused::no_such_bridge(&attachment.bridge));
            }
            let Attachment { container, interface, .. } = &attachment;
            if asked.contains_key(&endpoint) {
                return Err(Refused::other(format!(
                    "{interface} of {container} is asked for twice: ask once"
                )));
            }
            self.check_free(endpoint, &attachment)?;
            taken.check(endpoint, &attachment)?;
            self.check_host_ports(&attachment)?;
            taken.insert(endpoint, &attachment);
            asked.insert(endpoint, (Arc::new(attachment), sandbox));
        }
        let mut before = BTreeMap::new();
        for (endpoint, (attachment, sandbox)) in asked {
            // What is there without a port was left by a crash.
            if let Some(link) = self.observed.links.get_mut(&endpoint) {
                *link = Link { leftover: true, ..*link };
            }
            self.links.wake(&endpoint);
            self.run_looked_up(sandbox);
            self.desired.attachments.insert(endpoint, attachment);
            // A port whose link is gone, if there was one, is not worth going back to.
            before.insert(endpoint, None);
        }
        Ok(before)
    }

    /// A port that stands, with its link, is not made a second time; one whose link died with its container is.
    fn check_free(&self, endpoint: EndpointId, attachment: &Attachment) -> Result<(), Refused> {
        let being_attached = self.waiting.iter().any(|waiting| waiting.before.contains_key(&endpoint));
        let stands = self.observed.ports.contains_key(&endpoint)
            && self.observed.links.get(&endpoint).is_some_and(|link| !link.leftover);
        if !being_attached && !stands {
            return Ok(());
        }
        let known = self.desired.attachments.get(&endpoint).map_or(attachment, Arc::as_ref);
        let Attachment { container, interface, bridge, .. } = known;
        Err(Refused::other(format!(
            "{interface} of {container} is already attached to {bridge}: \
             detach it first with `flowport del-port {bridge} {interface} {container}`"
        )))
    }

    /// What is for this host must not go to a container.
    fn check_host_ports(&self, attachment: &Attachment) -> Result<(), Refused> {
        let Attachment { bridge, mac, .. } = attachment;
        let ports = self.observed.bridges.get(bridge).into_iter().flat_map(|row| &row.ports);
        let same = |port: &&BridgePort| {
            let network = port.tag.unwrap_or_default();
            port.kind == PortKind::Host(Some(*mac)) && attachment.networks().any(|vlan| vlan == network)
        };
        match ports.into_iter().find(same) {
            None => Ok(()),
            Some(port) => Err(Refused::other(format!(
                "MAC {mac} is in use by this host's port {} on {bridge}: choose another",
                port.name
            ))),
        }
    }

    fn detach(&mut self, endpoints: &[EndpointId]) -> Before {
        endpoints.iter().map(|endpoint| (*endpoint, self.desired.attachments.remove(endpoint))).collect()
    }

    fn set_vlan(&mut self, endpoints: &[EndpointId], vlan: Vlan) -> Result<Before, Refused> {
        let mut before = BTreeMap::new();
        for endpoint in endpoints {
            let Some(attachment) = self.desired.attachments.get(endpoint) else { continue };
            let mut moved = Attachment { vlan, ..Attachment::clone(attachment) };
            // What comes untagged cannot come tagged too.
            moved.trunks.retain(|tagged| *tagged != vlan);
            Taken::new(&self.desired.attachments).check(*endpoint, &moved)?;
            self.check_host_ports(&moved)?;
            before.insert(*endpoint, self.desired.attachments.insert(*endpoint, Arc::new(moved)));
        }
        Ok(before)
    }

    fn select(&self, selected: &Selected) -> Result<Vec<EndpointId>, Refused> {
        let Selected { bridge, interface, containers } = selected;
        let on_bridge = |attachment: &Attachment| {
            attachment.bridge == *bridge
                && interface.as_ref().is_none_or(|name| attachment.interface == *name)
        };
        // Thousands may be named, and most of them are known by their owner: see `is_of`.
        let (known, unknown): (Vec<_>, Vec<_>) = containers.iter().partition(|(_, owner)| owner.is_some());
        let owners: HashSet<&str> =
            known.iter().filter_map(|(_, owner)| Some(owner.as_ref()?.as_str())).collect();
        let words: HashSet<String> = known.iter().map(|(name, _)| name.to_string()).collect();
        let is_named = |attachment: &Attachment| {
            let owner = attachment.owner.as_str();
            owners.contains(owner)
                || words.contains(owner)
                || unknown.iter().any(|(name, _)| is_of(attachment, name, None))
        };
        let mut found = Vec::new();
        for (endpoint, attachment) in self.desired.attachments.iter().filter(|(_, a)| on_bridge(a)) {
            if containers.is_empty() || is_named(attachment) {
                found.push(*endpoint);
            }
        }
        if found.is_empty() {
            // What is left of a container that is no more goes by the words it was named with, also when a new one has
            // taken its name.
            let left = |endpoint: &EndpointId| !self.observed.links.contains_key(endpoint);
            let named = |a: &Attachment| containers.iter().any(|(name, _)| is_of(a, name, None));
            let of_words =
                self.desired.attachments.iter().filter(|(of, a)| left(of) && on_bridge(a) && named(a));
            found.extend(of_words.map(|(endpoint, _)| *endpoint));
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if !self.observed.bridges.contains_key(bridge) {
            return Err(Refused::no_such_bridge(bridge));
        }
        let who = containers.first().map_or_else(|| "any container".to_owned(), |(name, _)| name.to_string());
        let what = interface.as_ref().map_or_else(|| "interface".to_owned(), ToString::to_string);
        Err(Refused::no_such_port(format!(
            "no {what} of {who} is attached to {bridge}: `flowport show` lists what is"
        )))
    }
}

/// Whether the attachment is of the container that the user means: by identity where it is known, else by the words.
pub fn is_of(attachment: &Attachment, name: &ContainerRef, owner: Option<&Owner>) -> bool {
    match (owner, name) {
        (Some(owner), _) => attachment.owner == *owner || attachment.owner.as_str() == name.to_string(),
        (None, ContainerRef::Docker(text)) => {
            attachment.container == *name
                || (attachment.owner.is_docker()
                    && text.len() >= 12
                    && attachment.owner.as_str().starts_with(text))
        }
        (None, ContainerRef::Netns(path)) => attachment.owner.netns_path() == Some(path),
        (None, ContainerRef::Pid(pid)) => attachment.owner.as_process().is_some_and(|(of, _)| of == *pid),
    }
}

/// The addresses and MACs in use on each network of each bridge.
struct Taken {
    addresses: HashMap<(LinkName, Vlan, IpAddr), (EndpointId, String)>,
    macs: HashMap<(LinkName, Vlan, Mac), (EndpointId, String)>,
}

impl Taken {
    fn new(attachments: &BTreeMap<EndpointId, Arc<Attachment>>) -> Self {
        let mut taken = Self { addresses: HashMap::new(), macs: HashMap::new() };
        for (endpoint, attachment) in attachments {
            taken.insert(*endpoint, attachment);
        }
        taken
    }

    fn insert(&mut self, endpoint: EndpointId, attachment: &Attachment) {
        let Attachment { bridge, vlan, mac, container, interface, .. } = attachment;
        let holder = || (endpoint, format!("{interface} of {container}"));
        for vlan in attachment.networks() {
            self.macs.insert((bridge.clone(), vlan, *mac), holder());
        }
        for address in &attachment.addresses {
            self.addresses.insert((bridge.clone(), *vlan, address.addr()), holder());
        }
    }

    fn check(&self, endpoint: EndpointId, attachment: &Attachment) -> Result<(), Refused> {
        let Attachment { bridge, vlan, mac, .. } = attachment;
        let other = |holder: Option<&(EndpointId, String)>| {
            holder.filter(|(of, _)| *of != endpoint).map(|(_, holder)| holder.clone())
        };
        for address in &attachment.addresses {
            if let Some(holder) = other(self.addresses.get(&(bridge.clone(), *vlan, address.addr()))) {
                return Err(Refused::other(format!(
                    "address {} is in use by {holder} on {bridge}: choose another, or detach that one",
                    address.addr()
                )));
            }
        }
        let mut networks = attachment.networks();
        match networks.find_map(|vlan| other(self.macs.get(&(bridge.clone(), vlan, *mac)))) {
            None => Ok(()),
            Some(holder) => Err(Refused::other(format!(
                "MAC {mac} is in use by {holder} on {bridge}: choose another, or detach that one"
            ))),
        }
    }
}
