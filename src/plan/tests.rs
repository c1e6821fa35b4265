//! Whatever is there and whatever is wanted: carrying the plan out comes to an end, the end is right, and what is not
//! in scope or not ours is as it was.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flowport_openflow::{Cookie, FlowKey, Match, PortNo, TableId};
use flowport_ovsdb::Uuid;
use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::model::{Attachment, DEFAULT_MTU, EndpointId, LinkName, Mac, Owner, Policy, Sandbox, Vlan};
use crate::pipeline::endpoint_flows;
use crate::state::*;

/// More than any way to the end needs: del link, del row, add link, add row, port number, flow entries.
const ROUNDS: usize = 12;

/// How one endpoint is found, and whether it is wanted.
#[derive(Clone, Debug)]
struct Found {
    desired: bool,
    running: bool,
    in_scope: bool,
    /// Which bridge the desired attachment names: managed, plain, or one that is not there.
    bridge: usize,
    link: LinkFound,
    row: RowFound,
    /// Flow entries of it: none, right, or of another port number and network.
    flows: u8,
    recorded: u8,
    /// Whether another port has the number that a new port asks for, when ovs-vswitchd takes it up.
    outrun: bool,
}

#[derive(Clone, Copy, Debug)]
enum LinkFound {
    None,
    Good,
    OtherMtu,
    Down,
}

#[derive(Clone, Copy, Debug)]
enum RowFound {
    None,
    Good,
    OtherMarks,
    OtherBridge,
}

const BRIDGES: [&str; 3] = ["managed", "plain", "nosuch"];

fn found() -> impl Strategy<Value = Found> {
    let link = prop_oneof![
        Just(LinkFound::None),
        Just(LinkFound::Good),
        Just(LinkFound::OtherMtu),
        Just(LinkFound::Down)
    ];
    let row = prop_oneof![
        Just(RowFound::None),
        Just(RowFound::Good),
        Just(RowFound::OtherMarks),
        Just(RowFound::OtherBridge)
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (flags, 0..3usize, link, row, 0..3u8, 0..3u8).prop_map(
        |((desired, running, in_scope, outrun), bridge, link, row, flows, recorded)| Found {
            desired,
            running,
            in_scope,
            bridge,
            link,
            row,
            flows,
            recorded,
            outrun,
        },
    )
}

fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

fn attachment(nth: usize, bridge: &str, vlan: i64) -> Attachment {
    let (owner, interface) = (Owner::from(format!("netns:/run/netns/c{nth}").as_str()), name("eth1"));
    let endpoint = EndpointId::of(&owner, &interface);
    let addresses = vec![format!("10.0.0.{}/24", nth + 1).parse().unwrap()];
    Attachment {
        container: format!("netns:c{nth}").parse().unwrap(),
        bridge: name(bridge),
        host_link: endpoint.host_link(),
        mac: Attachment::default_mac(endpoint, &addresses),
        owner,
        interface,
        addresses,
        gateways: vec![],
        routes: vec![],
        mtu: None,
        vlan: vlan.try_into().unwrap(),
        trunks: vec![],
    }
}

/// The kernel, the database and the datapath, as far as the plan knows them.
struct World {
    desired: Desired,
    observed: Observed,
    next: u32,
    /// Endpoints that do not get the number they ask for.
    outrun: BTreeSet<EndpointId>,
    unsettled: BTreeSet<EndpointId>,
    plan: Option<FlowPlan>,
}

fn foreign_flow() -> (FlowKey, Cookie) {
    (FlowKey { table_id: TableId(0), priority: 9, matches: Match::any() }, Cookie(0x1234))
}

impl World {
    fn new(found: &[Found], everything: bool, keeps_records: bool) -> Self {
        let mut world = Self {
            desired: Desired::default(),
            observed: Observed::default(),
            next: 100,
            outrun: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            plan: None,
        };
        let local = BridgePort {
            name: "managed".into(),
            ofport: Some(PortNo::LOCAL.0),
            ofport_request: None,
            tag: None,
            kind: PortKind::Host(Mac::from_bytes([2, 0, 0, 0, 0, 254])),
            tunnel: None,
        };
        for (nth, bridge) in BRIDGES[..2].iter().enumerate() {
            let row = Uuid::from_u128(1 + nth as u128);
            let managed = nth == 0;
            let ports = vec![local.clone()];
            let bridge_row = Bridge {
                row,
                managed,
                secure: true,
                made: true,
                userspace: true,
                ports,
                bonds: Default::default(),
                links: BTreeMap::new(),
                policy: Policy::default(),
            };
            world.observed.bridges.insert(name(bridge), bridge_row);
        }
        let mut records = BTreeMap::new();
        let mut flows = vec![(foreign_flow().0, foreign_flow().1, vec![])];
        let mut scope = BTreeSet::new();
        for (nth, found) in found.iter().enumerate() {
            let wanted = Arc::new(attachment(nth, BRIDGES[found.bridge], 0));
            let other = Arc::new(attachment(nth, BRIDGES[found.bridge], 7));
            let endpoint = wanted.endpoint();
            if found.outrun {
                world.outrun.insert(endpoint);
            }
            if found.in_scope {
                scope.insert(endpoint);
            }
            if found.desired {
                world.desired.attachments.insert(endpoint, Arc::clone(&wanted));
            }
            if found.running {
                let owner = wanted.owner.clone();
                let sandbox = Sandbox { owner: owner.clone(), netns: "/x".into(), inode: 1, pid: None };
                world.observed.running.insert(owner, sandbox);
            }
            match found.recorded {
                0 => None,
                1 => records.insert(endpoint, Arc::clone(&wanted)),
                _ => records.insert(endpoint, Arc::clone(&other)),
            };
            let marked = match found.row {
                RowFound::None => None,
                RowFound::Good => Some(wanted),
                RowFound::OtherMarks => Some(other),
                RowFound::OtherBridge => Some(Arc::new(attachment(nth, BRIDGES[1 - found.bridge.min(1)], 0))),
            };
            // A port is always of a bridge that is there.
            let marked = marked.filter(|marked| world.observed.bridges.contains_key(&marked.bridge));
            if let Some(marked) = &marked {
                world.insert_row(endpoint, Arc::clone(marked), None);
            }
            let link =
                |mtu| Link { mtu, up: !matches!(found.link, LinkFound::Down), leftover: marked.is_none() };
            match found.link {
                LinkFound::None => None,
                LinkFound::Good | LinkFound::Down => world.observed.links.insert(endpoint, link(DEFAULT_MTU)),
                LinkFound::OtherMtu => world.observed.links.insert(endpoint, link(9000)),
            };
            if found.flows > 0 {
                let (port, vlan) = if found.flows == 1 { (10 + nth as u32, 0) } else { (7, 9) };
                let of = attachment(nth, BRIDGES[0], vlan);
                let made = endpoint_flows(&of, PortNo(port)).unwrap();
                flows.extend(made.into_iter().map(|flow| (flow.key, flow.cookie, flow.instructions)));
            }
        }
        world.observed.records = keeps_records.then_some(Tracked::from(records));
        world.observed.datapaths.insert(name(BRIDGES[0]), Datapath::Read(Installed::new(flows, [])));
        world.desired.scope = if everything { Scope::Everything } else { Scope::Only(scope) };
        world.switch_runs();
        world
    }

    fn insert_row(&mut self, endpoint: EndpointId, attachment: Arc<Attachment>, ofport_request: Option<u32>) {
        self.next += 2;
        let row = PortRow {
            port: Uuid::from_u128(u128::from(self.next)),
            interface: Uuid::from_u128(u128::from(self.next) + 1),
            bridge: attachment.bridge.clone(),
            ofport: None,
            ofport_request,
            error: None,
            recorded: false,
            attachment,
        };
        assert!(self.observed.ports.insert(endpoint, row).is_none(), "a second row of {endpoint}");
    }

    /// ovs-vswitchd takes up what it can.
    fn switch_runs(&mut self) {
        for endpoint in self.observed.ports.keys().copied().collect::<Vec<_>>() {
            let row = self.observed.ports.get_mut(&endpoint).unwrap();
            if self.observed.links.contains_key(&endpoint) {
                self.next += 1;
                let request = row.ofport_request.filter(|_| !self.outrun.contains(&endpoint));
                row.ofport.get_or_insert(request.unwrap_or(self.next));
                row.error = None;
            } else {
                row.ofport = None;
                row.error = Some("could not open network device".into());
            }
        }
    }

    /// Plans, carries out, and returns whether anything was to be done.
    fn round(&mut self) -> bool {
        let touched = Touched::take(&mut self.desired, &mut self.observed);
        self.unsettled.extend(touched.endpoints(&self.desired, &self.observed));
        let (links, rows, records) = self.planned(&self.unsettled);
        // What has not been touched needs no look.
        assert_eq!(
            self.planned(&Touched::everything().endpoints(&self.desired, &self.observed)),
            (links.clone(), rows.clone(), records.clone())
        );
        let bridge = name(BRIDGES[0]);
        let flows = flows(&self.desired, &self.observed, &bridge).unwrap().unwrap();
        self.check_incremental(&touched.endpoints, &flows, &bridge);
        self.unsettled.extend(&flows.deleted_endpoints);
        let busy = !(links.is_empty() && rows.is_empty() && records.is_empty() && flows.is_empty());
        for effect in links {
            let endpoint = effect.endpoint();
            self.check_scope(endpoint);
            match effect {
                LinkEffect::Add { mtu, .. } => {
                    let before =
                        self.observed.links.insert(endpoint, Link { mtu, up: true, leftover: false });
                    assert_eq!(before, None, "the kernel refuses a second link");
                }
                LinkEffect::SetMtu { mtu, .. } => self.observed.links.get_mut(&endpoint).unwrap().mtu = mtu,
                LinkEffect::SetUp(_) => self.observed.links.get_mut(&endpoint).unwrap().up = true,
                LinkEffect::Del(_) => drop(self.observed.links.remove(&endpoint).unwrap()),
            }
        }
        for effect in rows {
            match effect {
                RowEffect::AddPort { attachment, ofport_request, recorded, .. } => {
                    self.check_scope(attachment.endpoint());
                    self.check_request(&attachment.bridge, ofport_request);
                    self.insert_row(attachment.endpoint(), Arc::clone(&attachment), ofport_request);
                    self.observed.ports.get_mut(&attachment.endpoint()).unwrap().recorded = recorded;
                    if let Some(link) = self.observed.links.get_mut(&attachment.endpoint()) {
                        link.leftover = false;
                    }
                }
                RowEffect::SetPort { attachment, port, recorded, .. } => {
                    self.check_scope(attachment.endpoint());
                    let row = self.observed.ports.get_mut(&attachment.endpoint()).unwrap();
                    assert_eq!(row.port, port);
                    row.attachment = attachment;
                    row.recorded = recorded;
                }
                RowEffect::DelPort { port, detached, .. } => {
                    let (endpoint, _) = self.observed.ports.iter().find(|(_, row)| row.port == port).unwrap();
                    let endpoint = *endpoint;
                    self.check_scope(endpoint);
                    self.observed.ports.remove(&endpoint);
                    self.observed.detached.extend(detached);
                }
                RowEffect::Secure { .. } => panic!("of no endpoint"),
                RowEffect::ForgetDetached(endpoint) => assert!(self.observed.detached.remove(&endpoint)),
            }
        }
        for effect in records {
            let kept = self.observed.records.as_mut().unwrap();
            match effect {
                RecordEffect::Put(attachment) => drop(kept.insert(attachment.endpoint(), attachment)),
                RecordEffect::Del(endpoint) => drop(kept.remove(&endpoint).unwrap()),
            }
        }
        flows.endpoints().into_iter().for_each(|endpoint| self.check_scope(endpoint));
        let Some(Datapath::Read(installed)) = self.observed.datapaths.get_mut(&bridge) else {
            panic!("read")
        };
        installed.apply(&flows);
        self.switch_runs();
        busy
    }

    /// What is planned for the touched alone is what is planned for all, when the rest was as it should be.
    fn check_incremental(&mut self, touched: &BTreeSet<EndpointId>, full: &FlowChanges, bridge: &LinkName) {
        let Self { desired, observed, .. } = self;
        let made_anew = FlowPlan::new(desired, observed, bridge);
        let plan = self.plan.as_mut();
        let affected = plan.and_then(|plan| plan.update(desired, observed, bridge, touched).unwrap());
        let Some((plan, affected)) = self.plan.as_ref().zip(affected) else {
            self.plan = made_anew;
            return;
        };
        assert_eq!(Some(plan), made_anew.as_ref());
        let Some(Datapath::Read(installed)) = observed.datapaths.get(bridge) else { panic!("read") };
        let partial = plan.difference_of(touched, &affected, &desired.scope, installed).unwrap();
        let sorted = |changes: &FlowChanges| {
            let mut changes = changes.clone();
            changes.deleted_flows.sort_by_key(|flow| format!("{flow:?}"));
            changes.deleted_groups.sort();
            changes.modified_groups.sort_by_key(|group| group.id);
            changes
        };
        assert_eq!(partial.map(|changes| sorted(&changes)), Some(sorted(full)));
    }

    fn planned(
        &self,
        endpoints: &BTreeSet<EndpointId>,
    ) -> (Vec<LinkEffect>, Vec<RowEffect>, Vec<RecordEffect>) {
        let Self { desired, observed, .. } = self;
        let each = || endpoints.iter().copied();
        let mut numbers = PortNumbers::default();
        let links = each().filter_map(|endpoint| link(desired, observed, endpoint));
        let rows = each().flat_map(|endpoint| rows(desired, observed, endpoint, &mut numbers));
        let records = each().filter_map(|endpoint| record(desired, observed, endpoint));
        (links.collect(), rows.collect(), records.collect())
    }

    /// A managed bridge's new ports ask for numbers that nobody has, and a plain one's for none.
    fn check_request(&self, bridge: &LinkName, request: Option<u32>) {
        assert_eq!(request.is_some(), bridge.as_str() == BRIDGES[0]);
        let rows = self.observed.ports.values().filter(|row| row.bridge == *bridge);
        let numbers = rows.flat_map(|row| [row.ofport, row.ofport_request]);
        assert!(request.is_none_or(|request| numbers.flatten().all(|other| other != request)));
    }

    #[track_caller]
    fn check_scope(&self, endpoint: EndpointId) {
        assert!(self.desired.scope.holds(endpoint), "{endpoint} is none of its business");
    }

    fn installed(&self) -> &Installed {
        let Some(Datapath::Read(installed)) = self.observed.datapaths.get(&name(BRIDGES[0])) else {
            panic!("read")
        };
        installed
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn the_plan_comes_to_its_end(found in proptest::collection::vec(found(), 0..6), everything: bool, keeps_records: bool) {
        let mut world = World::new(&found, everything, keeps_records);
        let before = world.observed.clone();
        let rounds = (0..ROUNDS).take_while(|_| world.round()).count();
        prop_assert!(rounds < ROUNDS, "no end: {:#?}", world.planned(&world.unsettled));

        let World { desired, observed, .. } = &world;
        for (nth, found) in found.iter().enumerate() {
            let wanted = attachment(nth, BRIDGES[found.bridge], 0);
            let endpoint = wanted.endpoint();
            let (link, row) = (observed.links.get(&endpoint), observed.ports.get(&endpoint));
            let flows = world.installed().has_flows_of(endpoint);
            if !desired.scope.holds(endpoint) {
                prop_assert_eq!(link, before.links.get(&endpoint));
                prop_assert_eq!(row.map(|row| &row.attachment), before.ports.get(&endpoint).map(|row| &row.attachment));
                continue;
            }
            let managed = observed.bridges.get(&wanted.bridge).is_some_and(|bridge| bridge.managed);
            let pending = if desired.wants(endpoint, observed) { managed && !flows } else { flows };
            match status(desired, observed, endpoint, pending) {
                Status::Converged => {}
                Status::Failed(why) => prop_assert!(found.desired && found.running && found.bridge == 2, "{}", why),
                Status::Missing(what) => prop_assert!(false, "{}: {:?}", what, found),
            }
            if !(found.desired && found.running) {
                prop_assert_eq!((link, row.is_some(), flows), (None, false, false));
            } else if found.bridge < 2 {
                prop_assert_eq!((link.unwrap().mtu, link.unwrap().up), (DEFAULT_MTU, true));
                prop_assert_eq!(&*row.unwrap().attachment, &wanted);
                prop_assert_eq!(flows, found.bridge == 0);
            }
        }
        if let Some(records) = &observed.records {
            prop_assert_eq!(&**records, &*desired.attachments);
        }
        let (key, cookie) = foreign_flow();
        prop_assert_eq!(world.installed().cookie(&key), Some(cookie));
    }

    #[test]
    fn what_nobody_wants_any_more_leaves_nothing(found in proptest::collection::vec(found(), 0..6)) {
        let mut world = World::new(&found, true, true);
        while world.round() {}
        world.desired.attachments.clear();
        let rounds = (0..ROUNDS).take_while(|_| world.round()).count();
        prop_assert!(rounds < ROUNDS);
        prop_assert!(world.observed.links.is_empty() && world.observed.ports.is_empty());
        prop_assert!(world.installed().flows().all(|(_, cookie)| EndpointId::from_cookie(cookie.0).is_none()));
    }
}

#[test]
fn two_networks_have_two_groups() {
    let found = Found {
        desired: true,
        running: true,
        in_scope: true,
        bridge: 0,
        link: LinkFound::None,
        row: RowFound::None,
        flows: 0,
        recorded: 0,
        outrun: false,
    };
    let mut world = World::new(&[found.clone(), found], true, false);
    let moved = Attachment { vlan: Vlan::try_from(7).unwrap(), ..attachment(1, BRIDGES[0], 0) };
    world.desired.attachments.insert(moved.endpoint(), Arc::new(moved));
    while world.round() {}
    assert_eq!(world.installed().groups().len(), 2);
}

#[test]
fn what_a_bridges_links_lack_is_planned_and_nothing_is_taken_away() {
    let bridge = name(BRIDGES[1]);
    let (local, uplink) = (bridge.clone(), name("eth0"));
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
    let wanted = addresses(&["10.0.0.1/24", "fd00::1/64"]);
    let mut world = World::new(&[], true, false);
    let row = world.observed.bridges.get_mut(&bridge).unwrap();
    row.links = [(local.clone(), wanted.clone()), (uplink.clone(), vec![])].into();
    let mut seen = |link: &LinkName, up: bool, has: &[&str]| {
        let addresses = addresses(has).into_iter().collect();
        world.observed.host_links.insert(link.clone(), HostLink { up, addresses });
        (host_links(&world.observed, &bridge).collect::<Vec<_>>(), has_host_links(&world.observed, &bridge))
    };
    let effect = |link: &LinkName, addresses: &[IpNet]| HostLinkEffect {
        link: link.clone(),
        addresses: addresses.to_vec(),
    };
    // Of a link that is not there nothing can be done yet.
    assert_eq!(seen(&local, false, &[]), (vec![effect(&local, &wanted)], false));
    assert_eq!(
        seen(&local, true, &["10.0.0.1/24", "10.0.0.9/8"]),
        (vec![effect(&local, &wanted[1..])], false)
    );
    assert_eq!(seen(&local, true, &["10.0.0.1/16", "fd00::1/80", "fe80::1/64"]), (vec![], false));
    assert_eq!(seen(&uplink, false, &["192.0.2.1/24"]), (vec![effect(&uplink, &[])], false));
    assert_eq!(seen(&uplink, true, &[]), (vec![], true));
}

#[test]
fn a_managed_bridge_that_is_set_to_forward_otherwise_is_the_daemons_to_set_back() {
    for (everything, managed, secure) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
        let mut world = World::new(&[], everything, false);
        let bridge = name(BRIDGES[usize::from(!managed)]);
        world.observed.bridges.get_mut(&bridge).unwrap().secure = secure;
        let row = world.observed.bridges[&bridge].row;
        let wanted = everything && managed && !secure;
        let effect = RowEffect::Secure { bridge: bridge.clone(), row };
        assert_eq!(bridge_row(&world.desired, &world.observed, &bridge), wanted.then_some(effect));
    }
}
