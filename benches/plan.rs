//! What a round of planning costs with 10,000 endpoints on one bridge: all of them, and one that has changed.
//!
//! `--markdown` prints the table for a document.
#![allow(missing_docs)]
#![allow(clippy::print_stdout, clippy::expect_used, reason = "the table is what a bench is for")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport::model::{Attachment, EndpointId, LinkName, Mac, Owner, Policy, Sandbox, Vlan};
use flowport::plan::{self, FlowPlan, PortNumbers};
use flowport::state::{
    Bridge, BridgePort, Datapath, Desired, FlowChanges, Installed, Link, Observed, PortKind, PortRow, Touched,
};
use flowport_openflow::PortNo;
use flowport_ovsdb::Uuid;

const ENDPOINTS: u32 = 10_000;
const ROUNDS: u32 = 200;
const FULL_ROUNDS: u32 = 9;

fn main() {
    let bridge: LinkName = "br0".parse().expect("a name");
    let (mut desired, mut observed) = world(&bridge);
    let all = Touched::take(&mut desired, &mut observed).endpoints(&desired, &observed);

    let first = full(&desired, &observed, &bridge, &all);
    assert_eq!(first.endpoints().len() as u32, ENDPOINTS);
    let Some(Datapath::Read(installed)) = observed.datapaths.get_mut(&bridge) else { panic!("it is read") };
    installed.apply(&first);
    let flows = installed.flow_count();
    assert!(full(&desired, &observed, &bridge, &all).is_empty());
    let again = median(FULL_ROUNDS, || drop(full(&desired, &observed, &bridge, &all)));

    let mut kept = FlowPlan::new(&desired, &observed, &bridge).expect("it is managed");
    let endpoints: Vec<EndpointId> = all.iter().copied().collect();
    let mut nth = 0;
    let one = median(ROUNDS, || {
        nth += 1;
        let endpoint = endpoints[nth * 41 % endpoints.len()];
        change(&mut desired, &mut observed, endpoint);
        let touched = Touched::take(&mut desired, &mut observed);
        let changes = incremental(&desired, &observed, &bridge, &touched.endpoints, &mut kept);
        assert_eq!(changes.endpoints(), BTreeSet::from([endpoint]));
        let Some(Datapath::Read(installed)) = observed.datapaths.get_mut(&bridge) else {
            panic!("it is read")
        };
        installed.apply(&changes);
    });
    // The one is what the other comes to.
    assert!(full(&desired, &observed, &bridge, &all).is_empty());

    let rows = [
        (format!("plan for {ENDPOINTS} endpoints ({flows} flow entries), all of them"), again, 200_000),
        (format!("plan for {ENDPOINTS} endpoints, one changed; and note it as done"), one, 1_000),
    ];
    let markdown = std::env::args().any(|arg| arg == "--markdown");
    for (work, time, aim) in rows {
        let verdict = if time.as_micros() <= aim { "reached" } else { "missed" };
        let bar = if markdown { "| " } else { "" };
        println!("{bar}{work} {bar}{time:.2?} {bar}aim {:.0?}: {verdict}", Duration::from_micros(aim as u64));
    }
}

fn world(bridge: &LinkName) -> (Desired, Observed) {
    let local = BridgePort {
        name: bridge.to_string(),
        ofport: Some(PortNo::LOCAL.0),
        ofport_request: None,
        tag: None,
        kind: PortKind::Host(Mac::from_bytes([2, 0, 0, 0, 0, 254])),
        tunnel: None,
    };
    let row = Uuid::from_u128(1);
    let (mut desired, mut observed) = (Desired::default(), Observed::default());
    let made = Bridge {
        row,
        managed: true,
        secure: true,
        made: true,
        userspace: true,
        ports: vec![local],
        bonds: Default::default(),
        links: Default::default(),
        policy: Policy::default(),
    };
    observed.bridges.insert(bridge.clone(), made);
    observed.datapaths.insert(bridge.clone(), Datapath::Read(Installed::default()));
    for nth in 1..=ENDPOINTS {
        let owner = Owner::from(format!("{nth:064x}").as_str());
        let interface: LinkName = "eth1".parse().expect("a name");
        let endpoint = EndpointId::of(&owner, &interface);
        let [_, _, c, d] = nth.to_be_bytes();
        let addresses = vec![format!("10.0.{c}.{d}/16").parse().expect("an address")];
        let attachment = Arc::new(Attachment {
            container: format!("c{nth}").parse().expect("a container"),
            bridge: bridge.clone(),
            host_link: endpoint.host_link(),
            mac: Attachment::default_mac(endpoint, &addresses),
            owner: owner.clone(),
            interface,
            addresses,
            gateways: vec![],
            routes: vec![],
            mtu: None,
            vlan: Vlan::UNTAGGED,
            trunks: vec![],
        });
        observed
            .running
            .insert(owner.clone(), Sandbox { owner, netns: "/x".into(), inode: 1, pid: Some(nth) });
        observed.links.insert(endpoint, Link { mtu: 1500, up: true, leftover: false });
        let port = PortRow {
            port: Uuid::from_u128(u128::from(nth) * 2),
            interface: Uuid::from_u128(u128::from(nth) * 2 + 1),
            bridge: bridge.clone(),
            ofport: Some(nth),
            ofport_request: None,
            error: None,
            recorded: false,
            attachment: Arc::clone(&attachment),
        };
        observed.ports.insert(endpoint, port);
        desired.attachments.insert(endpoint, attachment);
    }
    (desired, observed)
}

/// The port goes to another network; ovs-vswitchd has numbered it anew, too.
fn change(desired: &mut Desired, observed: &mut Observed, endpoint: EndpointId) {
    let Some(row) = observed.ports.get_mut(&endpoint) else { panic!("it is there") };
    row.ofport = row.ofport.map(|port| (port + ENDPOINTS) % 60_000);
    let mut moved = Attachment::clone(&row.attachment);
    moved.mtu = Some(1400);
    row.attachment = Arc::new(moved.clone());
    desired.attachments.insert(endpoint, Arc::new(moved));
}

fn full(
    desired: &Desired,
    observed: &Observed,
    bridge: &LinkName,
    all: &BTreeSet<EndpointId>,
) -> FlowChanges {
    by_endpoint(desired, observed, all);
    plan::flows(desired, observed, bridge).ok().flatten().expect("a plan")
}

fn incremental(
    desired: &Desired,
    observed: &Observed,
    bridge: &LinkName,
    touched: &BTreeSet<EndpointId>,
    kept: &mut FlowPlan,
) -> FlowChanges {
    by_endpoint(desired, observed, touched);
    let affected = kept.update(desired, observed, bridge, touched).ok().flatten().expect("no more than that");
    let Some(Datapath::Read(installed)) = observed.datapaths.get(bridge) else { panic!("it is read") };
    kept.difference_of(touched, &affected, &desired.scope, installed).ok().flatten().expect("a plan")
}

fn by_endpoint(desired: &Desired, observed: &Observed, endpoints: &BTreeSet<EndpointId>) {
    let mut numbers = PortNumbers::default();
    for endpoint in endpoints {
        let link = plan::link(desired, observed, *endpoint);
        let rows = plan::rows(desired, observed, *endpoint, &mut numbers).count();
        let record = plan::record(desired, observed, *endpoint);
        std::hint::black_box((link, rows, record));
    }
}

fn median(rounds: u32, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
