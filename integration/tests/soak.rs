//! Minutes of what happens to a host in years: containers come and go, ports are asked for and moved, and the parts die,
//! one or several at once, also in the middle of a command. Again and again everything is looked at: what is there must
//! be what was asked for, and what others made must be as it was.
//!
//! `make soak` runs it: `SOAK_MINUTES` (10) long, with the dice of `SOAK_SEED`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flowport::lab::{HostOptions, Netns};
use flowport::model::{EndpointId, Owner};
use flowport_integration::oracle::{ofctl, output_at};
use flowport_integration::town::Town;
use flowport_integration::{container, unique, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Child;

/// How long everything may take to be as it should.
const PATIENCE: Duration = Duration::from_secs(40);
/// Steps between two looks at everything.
const STEPS: usize = 8;
/// Looks at everything between two restarts of the daemon from nothing.
const LOOKS: usize = 6;
/// No more containers than this.
const MOST: usize = 40;
/// The networks of ports.
const NETWORKS: [u16; 4] = [0, 0, 10, 20];
/// How much more memory, in KiB, the daemon may have at the end of a life than at its first look.
const GROWTH: u64 = 16 * 1024;

/// Numbers that look like chance, and are the same again with the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % sides as u64).unwrap()
    }

    /// Once in so many times.
    fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        (!all.is_empty()).then(|| all[self.roll(all.len())].clone())
    }
}

/// Parts that die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Vswitchd,
    OvsdbServer,
    Flowport,
    Records,
    Dockerd,
}

/// A container, and the ports that it is to have.
struct Home {
    /// As commands name it.
    word: String,
    owner: Owner,
    space: Option<Netns>,
    runs: bool,
    ports: BTreeMap<String, Port>,
}

#[derive(Clone, Debug)]
struct Port {
    address: String,
    vlan: u16,
    /// Whoever asked was told neither yes nor no.
    unsure: bool,
}

impl Home {
    fn endpoint(&self, interface: &str) -> EndpointId {
        EndpointId::of(&self.owner, &interface.parse().unwrap())
    }
}

struct Soak {
    town: Town,
    dice: Dice,
    homes: Vec<Home>,
    dead: BTreeSet<Part>,
    next_address: u32,
    foreign: (BTreeSet<String>, BTreeSet<String>),
    /// The daemon's memory in KiB and its open files, when it was first looked at.
    first: Option<(u64, usize)>,
    done: BTreeMap<String, usize>,
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Done,
    Refused,
    /// Whoever carried it out died meanwhile.
    Unsure,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let mut town = Town::start(HostOptions::with_docker(), 0, 0).await;
        town.scene.host.docker().unwrap().import_busybox("busybox").await.unwrap();
        town.names.clear();
        let mut soak = Self {
            town,
            dice: Dice(seed),
            homes: Vec::new(),
            dead: BTreeSet::new(),
            next_address: 1,
            foreign: Default::default(),
            first: None,
            done: BTreeMap::new(),
        };
        soak.foreign = soak.foreign().await;
        soak
    }

    /// Things of others: flow entries, rows and links.
    async fn foreign(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut things = self.town.scene.rows().await;
        // The ports of a bridge are told by its ports.
        things.retain(|row| !row.contains("fp") && !row.starts_with("bridge br0"));
        things.extend(self.town.scene.links().await.into_iter().filter(|link| !link.starts_with("link fp")));
        (self.town.foreign_flows().await, things)
    }

    fn count(&mut self, what: &str) {
        println!("  {what}");
        *self.done.entry(what.to_owned()).or_default() += 1;
    }

    fn is_up(&self, part: Part) -> bool {
        !self.dead.contains(&part)
    }

    /// One thing that happens.
    async fn step(&mut self) {
        match self.dice.roll(14) {
            0..=3 => self.attach().await,
            4..=5 => self.detach().await,
            6 => self.move_port().await,
            7 => self.new_home().await,
            8..=9 => self.end_home().await,
            10 => self.restart_home().await,
            11 => self.sabotage().await,
            _ => self.kill_some().await,
        }
    }

    async fn new_home(&mut self) {
        if self.homes.len() >= MOST {
            return;
        }
        if self.is_up(Part::Dockerd) && self.dice.once_in(3) {
            let name = unique("d");
            let engine = self.town.scene.host.docker().unwrap();
            let ran = engine.run_container(&name, "busybox", "none", &["sleep", "86400"]).await.unwrap();
            let owner = Owner::from(ran.id.as_str());
            self.homes.push(Home { word: name, owner, space: None, runs: true, ports: BTreeMap::new() });
        } else {
            let space = container().await;
            let (word, owner) = (flowport_integration::scene::named(&space), Owner::netns(space.path()));
            self.homes.push(Home { word, owner, space: Some(space), runs: true, ports: BTreeMap::new() });
        }
        self.count("container");
    }

    /// A container that a command can look up.
    fn some_home(&mut self, with_ports: bool) -> Option<usize> {
        let dockerd = self.is_up(Part::Dockerd);
        let fits = |home: &Home| {
            home.runs && (home.space.is_some() || dockerd) && (!with_ports || !home.ports.is_empty())
        };
        let fitting: Vec<usize> = (0..self.homes.len()).filter(|nth| fits(&self.homes[*nth])).collect();
        self.dice.one_of(&fitting)
    }

    async fn attach(&mut self) {
        if self.homes.len() < 5 || self.dice.once_in(2) {
            self.new_home().await;
        }
        let Some(nth) = self.some_home(false) else { return };
        let interface = ["eth1", "eth2"][self.dice.roll(2)];
        if self.homes[nth].ports.get(interface).is_some_and(|port| port.unsure) {
            return;
        }
        let vlan = NETWORKS[self.dice.roll(NETWORKS.len())];
        let number = self.next_address;
        self.next_address += 1;
        let address = format!("10.1.{}.{}", number / 250, number % 250 + 1);
        let mut words = format!(
            "add-port br0 {interface} {} --ipaddress={address}/16 --vlan={vlan}",
            self.homes[nth].word
        );
        if self.dice.once_in(3) {
            words += &format!(" --ipaddress=fd00::{number:x}/64");
        }
        if vlan == 0 && self.dice.once_in(5) {
            words += " --trunk=30,31";
        }
        let had = self.homes[nth].ports.contains_key(interface);
        let came = self.command(&words).await;
        assert!(!(had && came == Came::Done), "attached twice: {words}");
        if !had && came != Came::Refused {
            let port = Port { address, vlan, unsure: came == Came::Unsure };
            self.homes[nth].ports.insert(interface.to_owned(), port);
        }
    }

    fn some_port(&mut self) -> Option<(usize, String)> {
        let nth = self.some_home(true)?;
        let sure: Vec<String> = self.homes[nth]
            .ports
            .iter()
            .filter(|(_, port)| !port.unsure)
            .map(|(name, _)| name.clone())
            .collect();
        Some((nth, self.dice.one_of(&sure)?))
    }

    async fn detach(&mut self) {
        let Some((nth, interface)) = self.some_port() else { return };
        match self.command(&format!("del-port br0 {interface} {}", self.homes[nth].word)).await {
            Came::Done => drop(self.homes[nth].ports.remove(&interface)),
            Came::Refused => {}
            Came::Unsure => self.homes[nth].ports.get_mut(&interface).unwrap().unsure = true,
        }
    }

    async fn move_port(&mut self) {
        let Some((nth, interface)) = self.some_port() else { return };
        let vlan = NETWORKS[self.dice.roll(NETWORKS.len())];
        let words = format!("set-vlan br0 {interface} {} {vlan}", self.homes[nth].word);
        let came = self.command(&words).await;
        let port = self.homes[nth].ports.get_mut(&interface).unwrap();
        match came {
            Came::Done => port.vlan = vlan,
            Came::Refused => {}
            Came::Unsure => port.unsure = true,
        }
    }

    /// Runs a command, in the middle of which parts may die.
    async fn command(&mut self, words: &str) -> Came {
        self.count(words.split(' ').next().unwrap());
        // A database that is away is waited for.
        let timeout = if self.is_up(Part::OvsdbServer) { 20 } else { 1 };
        let command = self.town.scene.spawn(&format!("{words} --timeout={timeout}"));
        let mut killed = false;
        if self.dice.once_in(5) {
            let within = Duration::from_millis(self.dice.roll(200) as u64);
            // When in the command it is, is chance.
            tokio::time::sleep(within).await;
            let before = self.dead.clone();
            self.kill_some().await;
            // Without a daemon nobody is left to undo what a command could not.
            killed = before != self.dead && self.dead.contains(&Part::Flowport);
            if self.dice.once_in(2) {
                self.raise().await;
            }
        }
        self.outcome(command, words, killed).await
    }

    async fn outcome(&self, command: Child, words: &str, killed: bool) -> Came {
        let Ok(output) = tokio::time::timeout(PATIENCE, command.wait_with_output()).await else {
            panic!("{words}: does not end");
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Came::Done;
        }
        println!("  {words}: {}", said.trim());
        if killed { Came::Unsure } else { Came::Refused }
    }

    /// The end of a container.
    async fn end_home(&mut self) {
        let ends: Vec<usize> = (0..self.homes.len())
            .filter(|nth| self.homes[*nth].space.is_some() || self.is_up(Part::Dockerd))
            .collect();
        let Some(nth) = self.dice.one_of(&ends) else { return };
        self.count("end of a container");
        if self.homes[nth].space.is_some() {
            drop(self.homes.swap_remove(nth));
        } else if self.dice.once_in(2) {
            let home = self.homes.swap_remove(nth);
            self.town.scene.host.docker().unwrap().remove_container(&home.word).await.unwrap();
        } else if self.homes[nth].runs {
            self.town.scene.tool("docker", &format!("kill {}", self.homes[nth].word)).await;
            self.homes[nth].runs = false;
        }
    }

    /// Docker containers start again.
    async fn restart_home(&mut self) {
        if !self.is_up(Part::Dockerd) {
            return;
        }
        let of_docker: Vec<usize> =
            (0..self.homes.len()).filter(|nth| self.homes[*nth].space.is_none()).collect();
        let Some(nth) = self.dice.one_of(&of_docker) else { return };
        self.count("container restart");
        self.town.scene.tool("docker", &format!("restart -t 0 {}", self.homes[nth].word)).await;
        self.homes[nth].runs = true;
    }

    /// Somebody takes away what is ours. Only what runs can notice.
    async fn sabotage(&mut self) {
        self.look().await;
        self.count("sabotage");
        let ours: Vec<String> = self.town.scene.host_ends().await.into_iter().collect();
        let Some(link) = self.dice.one_of(&ours) else { return };
        let how = self.dice.roll(5);
        println!("  sabotage {how} of {link}");
        match how {
            0 => drop(self.town.scene.tool("ip", &format!("link delete {link}")).await),
            1 => drop(self.town.scene.tool("ovs-vsctl", &format!("del-port {link}")).await),
            2 => drop(
                ofctl(
                    &self.town.scene.host,
                    &["del-flows", "br0", "cookie=0xf10f000000000000/0xffff000000000000"],
                )
                .await,
            ),
            3 => {
                let cookie = format!("cookie=0xf10f{}/-1", link.trim_start_matches("fp"));
                drop(ofctl(&self.town.scene.host, &["del-flows", "br0", &cookie]).await);
            }
            _ => {
                drop(
                    self.town.scene.tool("ovs-vsctl", &format!("clear interface {link} external_ids")).await,
                );
            }
        }
        self.look().await;
    }

    /// Some parts die.
    async fn kill_some(&mut self) {
        let all = [Part::Vswitchd, Part::OvsdbServer, Part::Flowport, Part::Records, Part::Dockerd];
        let mut parts: BTreeSet<Part> =
            (0..=self.dice.roll(3)).map(|_| all[self.dice.roll(all.len())]).collect();
        parts.retain(|part| self.is_up(*part));
        for part in parts {
            self.count(&format!("death of {part:?}"));
            let host = &mut self.town.scene.host;
            match part {
                Part::Vswitchd => host.ovs_mut().vswitchd().kill().await.unwrap(),
                Part::OvsdbServer => host.ovs_mut().ovsdb_server().kill().await.unwrap(),
                Part::Dockerd => host.docker_mut().unwrap().daemon().kill().await.unwrap(),
                Part::Flowport => {
                    // One that lives long shows whether it grows.
                    if !self.dice.once_in(4) {
                        continue;
                    }
                    let with = if self.dice.once_in(3) { Signal::TERM } else { Signal::KILL };
                    if self.has_given_up() {
                        self.town.scene.daemon = None;
                    } else {
                        self.town.scene.end_daemon(with).await;
                    }
                    self.first = None;
                }
                Part::Records => {
                    let file = host.directory().join("flowport/local.pid");
                    if let Ok(pid) = std::fs::read_to_string(file) {
                        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
                            let _ = kill_process(pid, Signal::KILL);
                        }
                    }
                    // It is the daemon that starts it again.
                    continue;
                }
            }
            self.dead.insert(part);
        }
    }

    /// Starts what is dead.
    async fn raise(&mut self) {
        let dead = std::mem::take(&mut self.dead);
        if dead.contains(&Part::OvsdbServer) {
            self.town.scene.host.ovs_mut().start_ovsdb().await.unwrap();
        }
        if dead.contains(&Part::Flowport) && self.dice.once_in(2) {
            self.town.scene.start_daemon().await;
        }
        if dead.contains(&Part::Vswitchd) {
            self.town.scene.host.ovs_mut().start_vswitchd().await.unwrap();
            self.town.place_foreign_flows().await;
        }
        if dead.contains(&Part::Dockerd) {
            self.town.scene.host.docker_mut().unwrap().start_daemon().await.unwrap();
            // Its containers ended with it.
            for home in self.homes.iter_mut().filter(|home| home.space.is_none()) {
                let engine = self.town.scene.host.docker().unwrap();
                wait_until(PATIENCE, "Docker has ended it", async || {
                    engine.container_pid(&home.word).await.is_ok_and(|pid| pid == 0)
                })
                .await;
                home.runs = false;
            }
        }
        if self.has_given_up() {
            self.count("daemon that gave up while it started");
            self.town.scene.daemon = None;
            self.first = None;
        }
        if self.town.scene.daemon.is_none() {
            self.town.scene.start_daemon().await;
        }
    }

    /// Whether the daemon could not start because a part died meanwhile: a service manager starts it again.
    fn has_given_up(&mut self) -> bool {
        let ended = self.town.scene.daemon.as_mut().and_then(|daemon| daemon.try_wait().unwrap());
        assert!(ended.is_none_or(|status| status.code() == Some(1)), "the daemon ended: {ended:?}");
        ended.is_some()
    }

    /// Everything runs, and what is there is what was asked for.
    async fn look(&mut self) {
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
        scene_same("foreign flow entries", &self.foreign.0, &self.town.foreign_flows().await);
        scene_same("foreign things", &self.foreign.1, &self.foreign().await.1);
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

    /// What is wrong with ports, links, flow entries and records.
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
        wrong
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
        let records = self.records().await;
        for home in &mut self.homes {
            let owner = home.owner.clone();
            home.ports.retain(|interface, port| {
                let link = EndpointId::of(&owner, &interface.parse().unwrap()).host_link();
                match records.get(&link) {
                    Some(vlan) => (port.vlan, port.unsure) = (*vlan, false),
                    None => assert!(port.unsure),
                }
                !port.unsure
            });
        }
    }

    /// Each container that runs has its interfaces with their addresses, and no more.
    async fn look_inside(&self) {
        for home in self.homes.iter().filter(|home| home.runs) {
            let netns = match &home.space {
                Some(space) => space.path().to_owned(),
                None => self.town.netns_of(&home.word).await.expect("it runs"),
            };
            let output = output_at(&netns, "ip", &["-j", "-4", "address"]).await;
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

    /// Some who should reach each other do.
    async fn some_ping(&mut self) {
        let mut of_networks: BTreeMap<u16, Vec<(usize, String)>> = BTreeMap::new();
        for (nth, home) in self.homes.iter().enumerate().filter(|(_, home)| home.runs) {
            // Of two interfaces in one subnet the kernel takes the one it likes.
            if home.ports.len() == 1 {
                let port = home.ports.values().next().unwrap();
                of_networks.entry(port.vlan).or_default().push((nth, port.address.clone()));
            }
        }
        for members in of_networks.values() {
            let (Some(from), Some(to)) = (self.dice.one_of(members), self.dice.one_of(members)) else {
                continue;
            };
            let home = &self.homes[from.0];
            let netns = match &home.space {
                Some(space) => space.path().to_owned(),
                None => self.town.netns_of(&home.word).await.expect("it runs"),
            };
            let start = Instant::now();
            while !output_at(&netns, "ping", &["-n", "-c1", "-W1", &to.1]).await.status.success() {
                if start.elapsed() > PATIENCE {
                    self.tell().await;
                    panic!("{} does not reach {} of {}", home.word, to.1, self.homes[to.0].word);
                }
            }
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
    async fn begin_anew(&mut self) {
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

#[track_caller]
fn scene_same(what: &str, before: &BTreeSet<String>, now: &BTreeSet<String>) {
    let difference: Vec<_> = before.symmetric_difference(now).collect();
    assert!(difference.is_empty(), "{what}: {difference:#?}");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
#[ignore = "takes minutes: make soak"]
async fn whatever_dies_everything_is_as_it_was_asked_for() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("SOAK_SEED").unwrap_or(since_1970.subsec_nanos().into());
    let minutes = number("SOAK_MINUTES").unwrap_or(10);
    println!("SOAK_SEED={seed} SOAK_MINUTES={minutes}");
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut soak = Soak::start(seed).await;
    let mut looks = 0;
    while Instant::now() < end {
        for _ in 0..STEPS {
            soak.step().await;
        }
        soak.look().await;
        looks += 1;
        if looks % LOOKS == 0 {
            soak.begin_anew().await;
        }
        let ports: usize = soak.homes.iter().map(|home| home.ports.len()).sum();
        println!("look {looks}: {} containers, {ports} ports are as they were asked for", soak.homes.len());
    }
    println!("{looks} looks; {:#?}", soak.done);
    soak.town.scene.end_daemon(Signal::TERM).await;
    soak.town.scene.host.stop().await.unwrap();
}
