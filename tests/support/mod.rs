//! A switch of Open vSwitch's own, with a dummy datapath: what the pipeline's flow entries do there, asked of
//! `ofproto/trace`. Any user may run it.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../openflow/tests/common/mod.rs"]
mod common;

use flowport::model::{Attachment, LinkName, Mac, Owner, Vlan};
use flowport::openflow::{self, DatapathEvent, Exchange, ReadScope};
use flowport::pipeline::{Flow, Group, meters};
use flowport::state::{FlowChanges, Installed};
use flowport_openflow::session::Event;
use flowport_openflow::{Body, Cookie, FlowMod, PortNo};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// Bridge `br0` with dummy ports `p1`, `p2`..., whose OpenFlow port numbers are in their names, and a session with it.
pub(crate) struct Switch {
    pub(crate) ovs: common::Ovs,
    runtime: Runtime,
    exchange: Exchange,
}

/// The OpenFlow port of the tunnel `vx`.
pub(crate) const TUNNEL: PortNo = PortNo(9000);

impl Switch {
    /// With p1 and p2, these ports, and a VXLAN tunnel whose key is the network.
    pub(crate) fn start(ports: &[u32]) -> Self {
        let ovs = common::Ovs::start();
        let ports = ports.iter().map(|port| {
            format!("-- add-port br0 p{port} -- set interface p{port} type=dummy ofport_request={port}")
        });
        let tunnel = format!(
            "-- add-port br0 vx -- set interface vx type=vxlan options:remote_ip=192.0.2.2 options:key=flow \
             ofport_request={}",
            TUNNEL.0
        );
        let words = ports.chain([tunnel]).collect::<Vec<_>>().join(" ");
        ovs.vsctl(&words.split_whitespace().collect::<Vec<_>>());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exchange = runtime.block_on(Exchange::open(ovs.path("br0.mgmt").as_ref())).unwrap();
        Self { ovs, runtime, exchange }
    }

    /// Installs flow entries and groups in one bundle.
    pub(crate) fn install(&mut self, flows: &[Flow], groups: &[Group]) {
        // A part of a group before the one that names it.
        let mut groups: Vec<Group> = groups.to_vec();
        groups.sort_by_key(|group| std::cmp::Reverse(group.id));
        self.apply(&FlowChanges {
            // One that is there already is refused by itself.
            added_meters: meters().collect(),
            added_groups: groups,
            added_flows: flows.to_vec(),
            ..FlowChanges::default()
        });
    }

    /// Makes the changes, in the order in which they are declared.
    pub(crate) fn apply(&mut self, changes: &FlowChanges) {
        let answer = self.runtime.block_on(openflow::apply(&mut self.exchange, changes.clone())).unwrap();
        assert!(matches!(answer, DatapathEvent::Applied(_)), "{answer:?}");
    }

    /// Would make the changes, but is refused.
    pub(crate) fn refuses(&mut self, changes: &FlowChanges) {
        let answer = self.runtime.block_on(openflow::apply(&mut self.exchange, changes.clone())).unwrap();
        assert!(matches!(answer, DatapathEvent::Refused { .. }), "{answer:?}");
    }

    /// Sends messages that are not Flowport's.
    pub(crate) fn send(&mut self, messages: Vec<Body>) {
        let answer = self.ovs.connect().bundle(messages);
        assert!(matches!(answer, Event::BundleCommitted { .. }), "{answer:?}");
    }

    /// What it holds with our marks.
    pub(crate) fn installed(&mut self) -> Installed {
        let own = ReadScope::own();
        self.runtime.block_on(openflow::read_back(&mut self.exchange, &own)).unwrap()
    }

    /// What happens to a packet, in the words of ovs-ofctl(8).
    pub(crate) fn trace(&self, packet: &str) -> Trace {
        self.traced(packet, &[])
    }

    /// The same, when the connection tracker finds it to be in this state.
    pub(crate) fn tracked(&self, packet: &str, state: &str) -> Trace {
        self.traced(packet, &["--ct-next", state])
    }

    fn traced(&self, packet: &str, options: &[&str]) -> Trace {
        let text = self.ovs.appctl(&[&["ofproto/trace", "--names"], options, &["br0", packet]].concat());
        let line = |start: &str| {
            text.lines()
                .filter_map(|line| line.strip_prefix(start))
                .next_back()
                .map(|rest| rest.trim().to_owned())
                .unwrap_or_default()
        };
        let actions = line("Datapath actions:");
        assert!(!actions.is_empty(), "no verdict: {text}");
        let (out, _) = deliveries(&actions, packet);
        Trace { out, last: line("Final flow:"), text }
    }
}

/// The verdict on a packet.
pub(crate) struct Trace {
    /// Where copies go, in alphabetical order; `p5@10` tagged with VLAN 10.
    pub(crate) out: Vec<String>,
    /// The headers at the end.
    pub(crate) last: String,
    /// All that was said.
    pub(crate) text: String,
}

impl Trace {
    /// Asserts where copies go.
    #[track_caller]
    pub(crate) fn goes_to(&self, ports: &[&str]) {
        assert_eq!(self.out, ports, "{}", self.text);
    }

    /// Asserts that it goes nowhere, and that it ended in this table.
    #[track_caller]
    pub(crate) fn dropped_in(&self, table: u8) {
        self.goes_to(&[]);
        let mut tables =
            self.text.lines().filter_map(|line| line.get(..3)?.strip_suffix('.')?.trim().parse::<u8>().ok());
        assert_eq!(tables.next_back(), Some(table), "{}", self.text);
    }
}

/// Reads datapath actions as `push_vlan(vid=10,pcp=0),p5`.
fn deliveries(actions: &str, packet: &str) -> (Vec<String>, Option<String>) {
    let mut tag = packet.split(',').find_map(|word| word.strip_prefix("dl_vlan=")).map(str::to_owned);
    let mut out = Vec::new();
    let (mut depth, mut word) = (0, String::new());
    for c in actions.chars().chain([',']) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if c != ',' || depth > 0 {
            word.push(c);
            continue;
        }
        let action = std::mem::take(&mut word);
        if let Some(rest) = action.strip_prefix("push_vlan(vid=") {
            assert_eq!(tag, None, "two tags: {actions}");
            tag = rest.split(',').next().map(str::to_owned);
        } else if action == "pop_vlan" {
            tag = None;
        } else if let Some(rest) = action.strip_prefix("clone(") {
            // The copy's tag is the copy's own.
            out.extend(deliveries(rest.trim_end_matches(')'), "").0);
        } else if action != "drop" && !action.contains('(') {
            out.push(tag.as_ref().map_or_else(|| action.clone(), |tag| format!("{action}@{tag}")));
        }
    }
    out.sort();
    (out, tag)
}

pub(crate) fn flow_mod(flow: &Flow) -> FlowMod {
    let key = &flow.key;
    let mut add = FlowMod::add(key.table_id, key.priority, key.matches.clone()).cookie(flow.cookie);
    add.instructions = flow.instructions.clone();
    add
}

/// How many flow entries carry each cookie.
pub(crate) fn cookies(flows: &[Flow]) -> BTreeMap<Cookie, usize> {
    let mut counts = BTreeMap::new();
    for flow in flows {
        *counts.entry(flow.cookie).or_default() += 1;
    }
    counts
}

/// An attachment of `eth1` in namespace `name`; its MAC is that of the first IPv4 address.
pub(crate) fn attachment(name: &str, addresses: &[&str], vlan: i64) -> Attachment {
    let owner = Owner::netns(format!("/run/netns/{name}").as_ref());
    let interface: LinkName = "eth1".parse().expect("a name");
    let endpoint = flowport::model::EndpointId::of(&owner, &interface);
    let addresses: Vec<_> = addresses.iter().map(|text| text.parse().expect("an address")).collect();
    Attachment {
        container: format!("netns:{name}").parse().expect("a container"),
        bridge: "br0".parse().expect("a name"),
        host_link: endpoint.host_link(),
        mac: Attachment::default_mac(endpoint, &addresses),
        owner,
        interface,
        addresses,
        gateways: Vec::new(),
        routes: Vec::new(),
        mtu: None,
        vlan: Vlan::try_from(vlan).expect("a VLAN"),
        trunks: vec![],
    }
}

/// A MAC of this host.
pub(crate) fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}
