//! What a trace means: each table in words, and what became of the packet and why.

use std::net::IpAddr;

use flowport_openflow::TableId;
use serde::Serialize;

use crate::model::{Attachment, EndpointId, Mac, OWN_COOKIES, OWN_COOKIES_MASK, TunnelKind, Vlan};
use crate::ovsdb::{SurveyedBridge, SurveyedPort};
use crate::pipeline::{
    CLASSIFY, FLOOD, FORWARD, GUARD, ISOLATED, NETWORK_MASK, OUTPUT, QUESTION, RESPOND, Table,
};

use super::Told;
use super::packet::{Packet, Protocol};
use super::reading::{Did, Entry, Reading, Step};

/// Remarks of ovs-vswitchd about what is as it should be.
const NO_TROUBLE: &str = "skipping output to input port";
/// What to do about flow entries that are missing.
const WRITE_ANEW: &str = "have the daemon write the flow entries anew: `systemctl restart flowport`";

/// Who sends what to whom, and where.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// The bridge that the packet enters.
    pub(super) bridge: String,
    /// All bridges of this host.
    pub(super) bridges: Vec<SurveyedBridge>,
    /// What is sent, in words.
    pub(super) kind: String,
    /// Who sends.
    pub(super) from: Party,
    /// Who is to receive.
    pub(super) to: Party,
    /// Who is to get it on the bridge: the receiver, or the gateway that the sender gives it to.
    pub(super) target: Party,
    /// The gateway's address, when the receiver is in no subnet of the sender's.
    pub(super) gateway: Option<IpAddr>,
    /// What the reader should know.
    pub(super) notes: Vec<String>,
}

/// One of the two.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// In words.
    pub(super) name: String,
    /// What it is.
    pub(super) place: Place,
    /// The port that it is behind, by the name of the interface.
    pub(super) port: Option<String>,
    /// Its MAC.
    pub(super) mac: Option<Mac>,
    /// Its address.
    pub(super) ip: Option<IpAddr>,
}

/// What an end of the packet's way is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A container of this host.
    Endpoint(Box<Attachment>),
    /// This host itself.
    Host,
    /// Somebody behind a link or a tunnel.
    Elsewhere,
}

/// A table, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableTold {
    /// The bridge.
    pub bridge: String,
    /// The table's number.
    pub table: u8,
    /// Its name, where it is one of Flowport's.
    pub name: Option<&'static str>,
    /// What it did.
    pub does: String,
    /// The flow entry that the packet met.
    pub entry: Option<Entry>,
    /// Its actions in the words of ovs-vswitchd.
    pub actions: Vec<Did>,
}

/// What became of the packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it, or its answer, reached whom it was for, as far as this host can tell.
    pub delivered: bool,
    /// What became of it.
    pub what: String,
    /// What to do, if it was not delivered.
    pub remedy: Option<String>,
}

impl Verdict {
    pub(super) fn not(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { delivered: false, what: what.into(), remedy: Some(remedy.into()) }
    }

    fn delivered(what: impl Into<String>) -> Self {
        Self { delivered: true, what: what.into(), remedy: None }
    }
}

/// What a reading means.
#[derive(Clone, Debug)]
pub struct Account {
    /// Each table.
    pub tables: Vec<TableTold>,
    /// The end.
    pub verdict: Verdict,
}

fn in_network(vlan: Vlan) -> String {
    if vlan == Vlan::UNTAGGED { "untagged".into() } else { format!("in VLAN {vlan}") }
}

/// An endpoint as its user knows it.
pub(super) fn named(attachment: &Attachment) -> String {
    format!("{} of {}", attachment.interface, attachment.container)
}

pub(super) fn account(scene: &Scene, packet: &Packet, reading: &Reading) -> Account {
    let tables = reading.steps.iter().map(|step| scene.table(step, reading)).collect();
    Account { tables, verdict: scene.verdict(packet, reading) }
}

impl Party {
    /// With its MAC and address, unless that is what it is called by.
    fn described(&self) -> String {
        let mac = self.mac.map(|mac| mac.to_string()).filter(|mac| *mac != self.name);
        let ip = self.ip.map(|ip| ip.to_string()).filter(|ip| *ip != self.name);
        let details: Vec<String> = mac.into_iter().chain(ip).collect();
        if details.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, details.join(", ")) }
    }
}

impl Scene {
    /// All there is to tell.
    pub(super) fn told(self, packet: Option<String>, account: Account) -> Told {
        let Account { tables, verdict } = account;
        let (from, to) = (self.from.described(), self.to.described());
        Told { kind: self.kind, from, to, bridge: self.bridge, packet, notes: self.notes, tables, verdict }
    }

    fn bridge(&self, name: &str) -> Option<&SurveyedBridge> {
        self.bridges.iter().find(|bridge| bridge.name == name)
    }

    fn is_managed(&self) -> bool {
        self.bridge(&self.bridge).is_some_and(|bridge| bridge.managed)
    }

    fn port(&self, name: &str) -> Option<&SurveyedPort> {
        self.bridges.iter().flat_map(|bridge| &bridge.ports).find(|port| port.name == name)
    }

    /// A port in words.
    fn whose(&self, name: &str) -> String {
        let Some(port) = self.port(name) else { return format!("port {name}") };
        match (&port.attachment, TunnelKind::from_interface_type(&port.kind)) {
            (Some(attachment), _) => named(attachment),
            (None, Some(_)) => match port.option("remote_ip") {
                Some(remote) => format!("tunnel {name} to host {remote}"),
                None => format!("tunnel {name}"),
            },
            (None, None) if port.kind == "internal" => format!("this host ({name})"),
            (None, None) if port.kind == "patch" => format!("patch port {name}"),
            (None, None) => format!("link {name}"),
        }
    }

    /// Whose a flow entry is.
    fn owner(&self, bridge: &str, entry: &Entry) -> String {
        if let Some(endpoint) = EndpointId::from_cookie(entry.cookie) {
            let mut all = self.bridges.iter().flat_map(SurveyedBridge::endpoints);
            let found = all.find(|(_, attachment)| attachment.endpoint() == endpoint);
            return found.map_or_else(
                || format!("entry of a container that is gone ({endpoint})"),
                |(_, attachment)| format!("entry of {}", attachment.container),
            );
        }
        if entry.cookie & OWN_COOKIES_MASK == OWN_COOKIES {
            return "entry for all".into();
        }
        if self.bridge(bridge).is_some_and(|bridge| bridge.managed) {
            return format!("entry that is not Flowport's (cookie {:#x})", entry.cookie);
        }
        "entry".into()
    }

    fn table(&self, step: &Step, reading: &Reading) -> TableTold {
        let table = self
            .bridge(&step.bridge)
            .filter(|bridge| bridge.managed)
            .and_then(|_| Table::numbered(TableId(step.table)));
        let does = match &step.entry {
            None => "no entry for it: dropped".to_owned(),
            Some(entry) => {
                let owner = self.owner(&step.bridge, entry);
                let does = self.in_words(step, reading);
                if does.is_empty() { owner } else { format!("{owner}: {}", does.join(", ")) }
            }
        };
        TableTold {
            bridge: step.bridge.clone(),
            table: step.table,
            name: table.map(|table| table.name),
            does,
            entry: step.entry.clone(),
            actions: step.actions.clone(),
        }
    }

    /// The actions of a step; what is many of a kind is told once.
    fn in_words(&self, step: &Step, reading: &Reading) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut say = |said: String| {
            if !words.contains(&said) {
                words.push(said);
            }
        };
        if step.does("set_field:2->arp_op") {
            say("turned into the reply".into());
        }
        for done in &step.actions {
            let action = done.action.as_str();
            let (name, value) = action.split_once(':').unwrap_or((action, ""));
            match name {
                "goto_table" => {
                    let number: u8 = value.parse().unwrap_or_default();
                    let table = Table::numbered(TableId(number)).map_or(value, |table| table.name);
                    say(format!("on to {table}"));
                }
                "meter" => say("as far as a rate allows".into()),
                "write_metadata" => {
                    let number = |hex: &str| u64::from_str_radix(hex.trim_start_matches("0x"), 16).ok();
                    let (bits, mask) = value.split_once('/').unwrap_or((value, "0xffffffffffffffff"));
                    let (bits, mask) = (number(bits).unwrap_or_default(), number(mask).unwrap_or_default());
                    say(match bits & NETWORK_MASK {
                        _ if mask == QUESTION => "no container here is known to have the address".into(),
                        _ if mask == ISOLATED => "not for other containers".into(),
                        0 => "untagged network".into(),
                        network => format!("network of VLAN {network}"),
                    });
                }
                "group" => say("a copy to each member of the network".into()),
                "NORMAL" => say("learning and flooding (NORMAL)".into()),
                "FLOOD" | "ALL" => say("flooding".into()),
                "IN_PORT" => say("back by the port that it came by".into()),
                // Of a group there may be thousands.
                _ if done.in_group => {}
                "LOCAL" => say(format!("to this host ({})", step.bridge)),
                // A register has the number; of the one copy that is sent the datapath tells the name.
                "output" if done.is_by_register() => {
                    reading
                        .datapath_ports()
                        .into_iter()
                        .for_each(|port| say(format!("to {}", self.whose(port))));
                }
                "output" => say(format!("to {}", self.whose(done.output().unwrap_or(value)))),
                "CONTROLLER" => say("to the controller".into()),
                "drop" => say("dropped".into()),
                "pop_vlan" => say("tag off".into()),
                "push_vlan" => say("tagged".into()),
                _ if name.starts_with("ct(") => say("connection looked up".into()),
                _ => {}
            }
            if let Some(trouble) = done.trouble().filter(|trouble| *trouble != NO_TROUBLE) {
                say(format!("but: {trouble}"));
            }
            if done.remarks.iter().any(|remark| remark.starts_with("-> no learned MAC")) {
                say("the MAC is not learned, so to all".into());
            }
        }
        words
    }

    fn verdict(&self, packet: &Packet, reading: &Reading) -> Verdict {
        let tunnels = |name: &str| {
            self.port(name).is_some_and(|port| TunnelKind::from_interface_type(&port.kind).is_some())
        };
        let mut ports: Vec<&str> = Vec::new();
        let (mut returned, mut to_controller) = (false, false);
        for step in &reading.steps {
            to_controller |= step.does("CONTROLLER");
            let by_name = |name| step.does(name);
            if ["NORMAL", "FLOOD", "ALL"].into_iter().any(by_name)
                || step.actions.iter().any(Did::is_by_register)
            {
                ports.extend(reading.datapath_ports());
            }
            for (port, _) in step.outputs().filter(|(_, trouble)| trouble.is_none()) {
                match port {
                    "IN_PORT" => returned = true,
                    "LOCAL" => ports.push(&step.bridge),
                    // What has been wrapped by a userspace tunnel goes on through the bridge of the underlay.
                    _ if step.bridge != self.bridge && ports.iter().any(|port| tunnels(port)) => {}
                    _ => ports.push(port),
                }
            }
        }
        if reading.is_dropped() && !to_controller {
            return self.why_dropped(packet, reading);
        }
        let target = &self.target;
        let goal = match self.gateway {
            Some(gateway) => format!("{}, the gateway {gateway}", target.name),
            None => target.name.clone(),
        };
        if returned && packet.protocol == Protocol::Arp {
            let mac = target.mac.map(|mac| format!(" (it is {mac})")).unwrap_or_default();
            return Verdict::delivered(format!(
                "answered here, by the switch{mac}: nobody else hears the question"
            ));
        }
        if target.port.as_deref().is_some_and(|port| ports.contains(&port)) {
            let routed = if self.gateway.is_some() { ", which routes it on" } else { "" };
            return Verdict::delivered(format!("delivered to {goal}{routed}"));
        }
        let is_elsewhere = matches!(target.place, Place::Elsewhere);
        let ways: Vec<String> = ports
            .iter()
            .filter(|name| {
                self.port(name).is_some_and(|port| port.attachment.is_none() && port.kind != "internal")
            })
            .map(|name| self.whose(name))
            .collect();
        if is_elsewhere && !ways.is_empty() {
            let all = if self.is_managed() { "" } else { ", as the bridge has it learned or floods it" };
            return Verdict::delivered(format!("sent by {}{all}", ways.join(" and ")));
        }
        if to_controller {
            return Verdict::delivered("handed to Flowport's daemon, which answers".to_owned());
        }
        let others: Vec<String> = ports.iter().map(|name| self.whose(name)).collect();
        if others.is_empty() {
            return self.why_dropped(packet, reading);
        }
        let Verdict { what, remedy, .. } = self.why_dropped(packet, reading);
        let why = what.split_once(": ").map_or(what.as_str(), |(_, why)| why);
        let many = if others.len() > 3 { format!("{} ports", others.len()) } else { others.join(" and ") };
        Verdict { delivered: false, what: format!("not delivered to {goal}, only to {many}: {why}"), remedy }
    }

    fn why_dropped(&self, packet: &Packet, reading: &Reading) -> Verdict {
        let Some(last) = reading.steps.last() else {
            return Verdict::not("dropped: ovs-vswitchd tells of no table", "`flowport doctor`");
        };
        let done = reading.steps.iter().flat_map(|step| &step.actions);
        if let Some(trouble) = done.filter_map(Did::trouble).find(|trouble| *trouble != NO_TROUBLE) {
            return Verdict::not(
                format!("dropped: ovs-vswitchd cannot send it: {trouble}"),
                "`flowport doctor` looks for the cause",
            );
        }
        let managed = self.bridge(&last.bridge).is_some_and(|bridge| bridge.managed);
        let table = Table::numbered(TableId(last.table)).filter(|_| managed);
        let name = table.map_or_else(|| format!("table {}", last.table), |table| table.name.to_owned());
        let foreign =
            last.entry.as_ref().filter(|entry| managed && entry.cookie & OWN_COOKIES_MASK != OWN_COOKIES);
        let (why, remedy) = match (foreign, table.map(|table| table.id)) {
            (Some(entry), _) => (
                format!(
                    "an entry that is not Flowport's takes it (priority {}, {})",
                    entry.priority, entry.matches
                ),
                format!("`ovs-ofctl dump-flows {} table={}` shows it", last.bridge, last.table),
            ),
            (None, Some(id)) if id == CLASSIFY.id => self.not_classified(packet),
            (None, Some(id)) if id == GUARD.id => self.not_its_own(packet),
            (None, Some(id)) if id == FORWARD.id || id == FLOOD.id || id == RESPOND.id => self.nobody(packet),
            _ if !managed => (
                "its flow entries let it go nowhere".into(),
                format!("`ovs-ofctl dump-flows {}` shows them", last.bridge),
            ),
            (None, Some(id)) if id == OUTPUT.id => (
                "containers of its network are kept apart, and no rule allows it".into(),
                format!("`flowport allow {0} FROM TO TRAFFIC`, or `flowport set-icc {0} on`", last.bridge),
            ),
            _ => ("no entry of its lets it on".into(), "`flowport doctor` looks for the cause".into()),
        };
        Verdict::not(format!("dropped by {name}: {why}"), remedy)
    }

    fn not_classified(&self, packet: &Packet) -> (String, String) {
        let bridge = &self.bridge;
        match (&self.from.place, packet.vlan, packet.tunnel_key) {
            (Place::Endpoint(_) | Place::Host, ..) => {
                (format!("no entry knows the port of {}", self.from.name), WRITE_ANEW.into())
            }
            (Place::Elsewhere, Some(vlan), _) => (
                format!("nobody on {bridge} is in VLAN {vlan}"),
                format!("attach somebody with --vlan={vlan}"),
            ),
            (Place::Elsewhere, None, Some(key)) => (
                format!("nobody on {bridge} is in the network of tunnel key {key}"),
                "attach somebody to it".into(),
            ),
            (Place::Elsewhere, None, None) => (
                format!("no entry knows {}", self.from.port.as_deref().unwrap_or("the port")),
                WRITE_ANEW.into(),
            ),
        }
    }

    fn not_its_own(&self, packet: &Packet) -> (String, String) {
        let Place::Endpoint(attachment) = &self.from.place else {
            return ("the sender is not who it says it is".into(), "`flowport doctor`".into());
        };
        let who = &self.from.name;
        if packet.source != attachment.mac {
            return (
                format!("{who} sends with MAC {}, and was given {}", packet.source, attachment.mac),
                format!("set it back, or attach it with --macaddress={}", packet.source),
            );
        }
        let given = |ip: IpAddr| attachment.addresses.iter().any(|own| own.addr() == ip);
        match packet.addresses {
            Some((from, _)) if !given(from) && !attachment.addresses.is_empty() => {
                let own: Vec<String> =
                    attachment.addresses.iter().map(|own| own.addr().to_string()).collect();
                (
                    format!("{who} sends from {from}, and was given {}", own.join(", ")),
                    format!("attach it with --ipaddress={from}/PREFIX, or set its address back"),
                )
            }
            _ => (format!("{who} may not send this"), "`flowport flows` shows what it may send".into()),
        }
    }

    fn nobody(&self, packet: &Packet) -> (String, String) {
        let target = &self.target;
        // Of a packet from elsewhere it is not told by the sender.
        let sender_vlan = match &self.from.place {
            Place::Endpoint(attachment) => Some(attachment.vlan),
            Place::Host => {
                let port = self.from.port.as_deref().and_then(|port| self.port(port));
                Some(port.and_then(|port| port.tag).unwrap_or_default())
            }
            Place::Elsewhere => None,
        };
        let apart = |to: &Attachment| match &self.from.place {
            Place::Endpoint(own) => {
                !own.networks().any(|network| to.networks().any(|other| other == network))
            }
            Place::Host => sender_vlan.is_some_and(|vlan| !to.networks().any(|network| network == vlan)),
            Place::Elsewhere => false,
        };
        match &target.place {
            Place::Endpoint(to) => match sender_vlan.filter(|_| apart(to)) {
                Some(vlan) => (
                    format!(
                        "{} is {}, {} {}",
                        self.from.name,
                        in_network(vlan),
                        target.name,
                        in_network(to.vlan)
                    ),
                    format!("`flowport set-vlan {} {} {} {vlan}`", to.bridge, to.interface, to.container),
                ),
                None => (format!("no entry knows {}", target.name), WRITE_ANEW.into()),
            },
            Place::Host => (
                format!("{} is not in the sender's VLAN", target.name),
                "attach the sender without --vlan".into(),
            ),
            Place::Elsewhere => (
                format!(
                    "nobody on this network has MAC {}, and there is no way to other hosts",
                    packet.destination
                ),
                format!(
                    "attach whom it is for, or join {} to another host: `flowport add-tunnel`",
                    self.bridge
                ),
            ),
        }
    }
}
