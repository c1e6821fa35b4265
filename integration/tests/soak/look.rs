//! What must be there, and what must not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use flowport::model::EndpointId;
use flowport_integration::oracle::{ip_at, ofctl, output_at};
use flowport_integration::scene;
use flowport_integration::town::GATEWAY;
use rustix::process::Signal;
use serde_json::Value;
use tokio::process::Child;

use crate::wishes::{Bridges, Home, Port, SECOND, TUNNEL};
use crate::{GROWTH, MOST, PATIENCE, Soak};

/// Names that come and go and are Flowport's, beside those that tell so themselves.
pub(crate) const OURS: [&str; 2] = [SECOND, TUNNEL];
/// MTU of containers, in bytes.
const MTU: u64 = 1500;
/// What VXLAN adds to a packet (README: containers get an MTU that fits).
const VXLAN: u64 = 50;
/// What a tag adds.
const TAG: u64 = 4;

impl Soak {
    /// Everything runs, and what is there is what was asked for.
    pub(crate) async fn look(&mut self) {
        self.raise().await;
        let start = Instant::now();
        loop {
            if self.has_given_up() {
                self.raise().await;
            }
            let wrong = self.wrong().await;
            if wrong.is_empty() {
                break;
            }
            if start.elapsed() > PATIENCE {
                self.tell().await;
                panic!("wrong for {PATIENCE:?}: {wrong:#?}");
            }
        }
        self.learn_unsure().await;
        self.look_inside().await;
        scene::same(&self.foreign, &self.town.foreign(&OURS).await);
        self.some_ping().await;
        self.look_at_daemon();
    }

    /// What the daemon and Open vSwitch have to say.
    async fn tell(&self) {
        let log = std::fs::read_to_string(self.town.scene.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        let columns = "--columns=name,ofport,error,external_ids";
        println!("{}", self.town.scene.tool("ovs-vsctl", &format!("{columns} list interface")).await);
        println!("{}", self.town.scene.tool("ovs-ofctl", "-O OpenFlow13 dump-flows br0").await);
        println!("{}", self.town.scene.tool("ovs-ofctl", "-O OpenFlow13 dump-ports br0").await);
        println!("{}", self.town.scene.tool("ip", "-o link").await);
    }

    /// What is wrong with ports, links, flow entries, records and bridges.
    async fn wrong(&self) -> Vec<String> {
        let scene = &self.town.scene;
        let (links, rows, flows) =
            (scene.host_ends().await, scene.ports().await, scene.endpoints_with_flows("br0").await);
        let records = self.records().await;
        let mut wrong = Vec::new();
        if links != rows || links != flows {
            wrong.push(format!("links {links:?}, rows {rows:?}, flow entries {flows:?}"));
        }
        let mut known = BTreeSet::new();
        for home in &self.homes {
            for (interface, port) in &home.ports {
                let link = home.endpoint(interface).host_link();
                let (there, recorded) = (links.contains(&link), records.get(&link));
                let who = format!("{interface} of {} ({link})", home.word);
                known.insert(link);
                if port.unsure {
                    if recorded.is_some() && home.runs != there || recorded.is_none() && there {
                        wrong.push(format!("{who}: {there} but {recorded:?}"));
                    }
                    continue;
                }
                if there != home.runs {
                    wrong.push(format!("{who}: runs {}, there {there}", home.runs));
                }
                if recorded != Some(&port.vlan) {
                    wrong.push(format!("{who}: {} but on record {recorded:?}", port.vlan));
                }
            }
        }
        wrong.extend(links.difference(&known).map(|link| format!("nobody's link {link}")));
        let nobodys = records.keys().filter(|link| !known.contains(*link));
        wrong.extend(nobodys.map(|link| format!("nobody's record {link}")));
        let bridges = Bridges::observed(scene).await;
        if bridges != self.bridges && Some(&bridges) != self.maybe.as_ref() {
            wrong.push(format!("{bridges:?} instead of {:?} or {:?}", self.bridges, self.maybe));
        }
        wrong.extend(self.wrong_networks().await);
        wrong.extend(self.wrong_mtus().await);
        wrong
    }

    /// Ports whose rows have other networks.
    async fn wrong_networks(&self) -> Vec<String> {
        let words = "--no-wait -f json --columns=name,tag,trunks list port";
        let listed: Value = serde_json::from_str(&self.town.scene.tool("ovs-vsctl", words).await).unwrap();
        let rows = listed["data"].as_array().unwrap();
        let mut wrong = Vec::new();
        for (home, interface, port) in self.ports_that_run() {
            let link = home.endpoint(interface).host_link();
            let Some(row) = rows.iter().find(|row| row[0] == link.as_str()) else { continue };
            // Of a set with one member the member alone is listed.
            let trunks = match row[2][1].as_array() {
                Some(all) => all.iter().filter_map(Value::as_u64).collect(),
                None => row[2].as_u64().into_iter().collect::<Vec<_>>(),
            };
            let trunks: Vec<u64> = trunks.into_iter().filter(|vlan| *vlan != 0).collect();
            let wanted: Vec<u64> = port.trunks.iter().copied().map(u64::from).collect();
            if row[1].as_u64().unwrap_or(0) != u64::from(port.vlan) || trunks != wanted {
                wrong.push(format!("{interface} of {}: {row} instead of {port:?}", home.word));
            }
        }
        wrong
    }

    /// Host ends whose packets would not fit into the tunnel, or are smaller than they need be.
    async fn wrong_mtus(&self) -> Vec<String> {
        if self.maybe.is_some() {
            return Vec::new();
        }
        let links = ip_at(self.town.scene.host.netns().path(), &["link"]).await;
        let links = links.as_array().unwrap();
        let mut wrong = Vec::new();
        for (home, interface, port) in self.ports_that_run() {
            let link = home.endpoint(interface).host_link();
            let Some(found) = links.iter().find(|found| found["ifname"] == link.as_str()) else { continue };
            // Tags are carried inside the tunnel.
            let tag = if port.vlan == 0 && port.trunks.is_empty() { 0 } else { TAG };
            let wanted = if self.bridges.tunnel { MTU - VXLAN - tag } else { MTU };
            if found["mtu"] != wanted {
                wrong.push(format!("{link}: MTU {} instead of {wanted}", found["mtu"]));
            }
        }
        wrong
    }

    /// Ports that must be there.
    fn ports_that_run(&self) -> impl Iterator<Item = (&Home, &str, &Port)> {
        let homes = self.homes.iter().filter(|home| home.runs);
        let ports =
            homes.flat_map(|home| home.ports.iter().map(move |(name, port)| (home, name.as_str(), port)));
        ports.filter(|(_, _, port)| !port.unsure)
    }

    /// The network of each host end on record.
    async fn records(&self) -> BTreeMap<String, u16> {
        let records = self.town.scene.records().await;
        let fields = records.iter().map(|record| record.split_whitespace().collect::<Vec<_>>());
        let record = |fields: Vec<&str>| {
            // Addresses, of which there may be several, come first.
            let [.., endpoint, vlan] = fields[..] else { return None };
            let endpoint = endpoint.trim_matches('"');
            Some((format!("fp{endpoint}"), vlan.parse().ok()?))
        };
        fields.filter_map(record).collect()
    }

    /// What nobody was told is as it has turned out.
    async fn learn_unsure(&mut self) {
        if self.maybe.take().is_some() {
            self.bridges = Bridges::observed(&self.town.scene).await;
        }
        let records = self.records().await;
        for home in &mut self.homes {
            let owner = home.owner.clone();
            home.ports.retain(|interface, port| {
                let link = EndpointId::of(&owner, &interface.parse().unwrap()).host_link();
                match records.get(&link) {
                    Some(vlan) => {
                        port.move_to(*vlan);
                        port.unsure = false;
                    }
                    None => assert!(port.unsure),
                }
                !port.unsure
            });
        }
    }

    /// Each container that runs has its interfaces with their addresses, and no more.
    async fn look_inside(&self) {
        for home in self.homes.iter().filter(|home| home.runs) {
            let output = output_at(&self.netns_of(home).await, "ip", &["-j", "-4", "address"]).await;
            let links = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
            let of_link = |link: &Value| {
                let address = link["addr_info"][0]["local"].as_str().unwrap_or_default().to_owned();
                (link["ifname"].as_str().unwrap_or_default().to_owned(), address)
            };
            let found: BTreeMap<String, String> =
                links.as_array().unwrap().iter().map(of_link).filter(|(name, _)| name != "lo").collect();
            let wanted: BTreeMap<String, String> =
                home.ports.iter().map(|(name, port)| (name.clone(), port.address.clone())).collect();
            assert_eq!(found, wanted, "inside {}", home.word);
        }
    }

    /// Some who should reach each other do, some who should not do not, and the host is reached.
    async fn some_ping(&mut self) {
        let mut of_networks: BTreeMap<u16, Vec<(usize, String)>> = BTreeMap::new();
        for (nth, home) in self.homes.iter().enumerate().filter(|(_, home)| home.runs) {
            // Of two interfaces in one subnet the kernel takes the one it likes.
            if home.ports.len() == 1 {
                let port = home.ports.values().next().unwrap();
                of_networks.entry(port.vlan).or_default().push((nth, port.address.clone()));
            }
        }
        for (vlan, members) in of_networks {
            let (Some(from), Some(to)) = (self.dice.one_of(&members), self.dice.one_of(&members)) else {
                continue;
            };
            let (home, other) = (&self.homes[from.0].word, &self.homes[to.0].word);
            let lets = from.0 == to.0 || self.bridges.let_ping(vlan, home, other);
            self.expect_ping(from.0, &to.1, lets).await;
            if vlan == 0 {
                self.expect_ping(from.0, GATEWAY, true).await;
            }
        }
    }

    /// Waits until the one is answered by an address, or is not.
    async fn expect_ping(&self, from: usize, to: &str, answered: bool) {
        let home = &self.homes[from];
        let netns = self.netns_of(home).await;
        let start = Instant::now();
        while output_at(&netns, "ping", &["-n", "-c1", "-W1", to]).await.status.success() != answered {
            if start.elapsed() > PATIENCE {
                self.tell().await;
                panic!("{} gets an answer from {to}: {answered} is wanted; {:?}", home.word, self.bridges);
            }
        }
    }

    async fn netns_of(&self, home: &Home) -> PathBuf {
        match &home.space {
            Some(space) => space.path().to_owned(),
            None => self.town.netns_of(&home.word).await.expect("it runs"),
        }
    }

    /// The daemon does not grow.
    fn look_at_daemon(&mut self) {
        let pid = self.town.scene.daemon.as_ref().and_then(Child::id).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let memory = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let now = (memory.unwrap(), files);
        let first = *self.first.get_or_insert(now);
        // Each Docker container's process is watched by a descriptor.
        let room = MOST + 8;
        assert!(now.1 <= first.1 + room, "open files: {} at first, now {}", first.1, now.1);
        assert!(now.0 <= first.0 + GROWTH, "memory in KiB: {} at first, now {}", first.0, now.0);
        println!(
            "  memory {} KiB (at first {}), {} open files (at first {})",
            now.0, first.0, now.1, first.1
        );
    }

    /// A daemon that finds nothing of its flow entries writes those that are there now.
    pub(crate) async fn begin_anew(&mut self) {
        let before = self.town.scene.flows("br0").await;
        self.town.scene.end_daemon(Signal::TERM).await;
        self.first = None;
        ofctl(&self.town.scene.host, &["del-flows", "br0"]).await;
        ofctl(&self.town.scene.host, &["del-groups", "br0"]).await;
        self.town.place_foreign_flows().await;
        self.town.scene.start_daemon().await;
        let start = Instant::now();
        loop {
            let now = self.town.scene.flows("br0").await;
            let difference: Vec<_> = before.symmetric_difference(&now).collect();
            if difference.is_empty() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "written anew they are other: {difference:#?}");
        }
    }
}
