//! A host with many containers that talk, things of others beside them, and what must be there of all that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what tests are made of"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::oracle::{ofctl, output_at};
use crate::pinger::{Moment, Pinger};
use crate::{container, parent, until_ok, wait_until};
use flowport::lab::{DockerOptions, HostOptions, Netns};
use flowport::model::{EndpointId, Owner};
use futures_util::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scene::{By, Scene, named};

/// The longest that anything may take on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The host's own address on br0.
pub const GATEWAY: &str = "10.0.255.254";
/// Between two echo requests of the load.
pub const OFTEN: Duration = Duration::from_millis(20);

/// The host, and who lives there.
#[derive(Debug)]
pub struct Town {
    /// The host.
    pub scene: Scene,
    /// Network namespaces, each with a port and addresses `10.0.0.N` and `fd00::N`.
    pub spaces: Vec<Netns>,
    /// Names of Docker containers, each with a port and addresses `10.0.1.N` and `fd00::1:N`.
    pub names: Vec<String>,
}

/// What is there, by the tools of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Rows of ports and interfaces, links of the host, records.
    pub things: BTreeSet<String>,
    /// Flow entries and groups of Flowport in br0, with names of links for the numbers of their ports.
    pub flows: BTreeSet<String>,
    /// What others have: whole rows, links, flow entries, groups.
    pub foreign: BTreeSet<String>,
    /// MAC and addresses inside the containers that run, and of the host on br0.
    pub inside: BTreeMap<String, String>,
}

impl State {
    /// The same without these namespaces.
    #[must_use]
    pub fn without(mut self, spaces: &[String]) -> Self {
        for space in spaces {
            let link = host_end(space);
            let endpoint = link.trim_start_matches("fp");
            self.things.retain(|thing| !thing.contains(endpoint));
            self.flows.retain(|flow| !flow.contains("cookie") || !flow.contains(endpoint));
            // Of what is for many the other receivers stay.
            let without = |flow: &String| {
                let kept = flow.split(",bucket=").filter(|bucket| !bucket.contains(&link));
                kept.collect::<Vec<_>>().join(",bucket=")
            };
            self.flows = self.flows.iter().map(without).collect();
            self.inside.remove(space);
        }
        self
    }

    #[track_caller]
    fn expect(&self, before: &Self) {
        differ("things", &before.things, &self.things);
        differ("flow entries", &before.flows, &self.flows);
        differ("foreign things", &before.foreign, &self.foreign);
        differ("inside", &before.inside.iter().collect(), &self.inside.iter().collect());
    }
}

impl Town {
    /// With so many namespaces and Docker containers, all attached, and the daemon.
    pub async fn start(options: HostOptions, spaces: usize, names: usize) -> Self {
        let scene = Scene::with_bridge(options, By::Daemon, &format!("--address={GATEWAY}/16")).await;
        let mut town = Self { scene, spaces: Vec::new(), names: Vec::new() };
        town.place_foreign().await;
        let mut lines = town.settle(spaces).await;
        if names > 0 {
            let engine = town.scene.host.docker().unwrap();
            engine.import_busybox("busybox").await.unwrap();
            let all: Vec<String> = (1..=names).map(|nth| format!("d{nth}")).collect();
            let run = |name| engine.run_container(name, "busybox", "none", &["sleep", "600"]);
            for ran in join_all(all.iter().map(|name| run(name))).await {
                ran.unwrap();
            }
            for (nth, name) in (1..).zip(&all) {
                lines.push(line(name, &[format!("10.0.1.{nth}/16"), format!("fd00::1:{nth}/64")]));
            }
            town.names = all;
        }
        town.attach(&lines).await;
        town
    }

    /// The same with a Docker Engine that has these options.
    pub async fn with_docker(options: &[&str], spaces: usize, names: usize) -> Self {
        let args = options.iter().map(ToString::to_string).collect();
        let options = HostOptions { docker: Some(DockerOptions { args }), ..HostOptions::default() };
        Self::start(options, spaces, names).await
    }

    /// Makes so many namespaces, and attaches them.
    pub async fn grow(&mut self, spaces: usize) {
        let lines = self.settle(spaces).await;
        self.attach(&lines).await;
    }

    async fn settle(&mut self, spaces: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for nth in 1..=spaces {
            let space = container().await;
            lines.push(line(&named(&space), &[format!("10.0.0.{nth}/16"), format!("fd00::{nth}/64")]));
            self.spaces.push(space);
        }
        lines
    }

    async fn attach(&self, lines: &[String]) {
        if !lines.is_empty() {
            let said = self.scene.add_ports(lines).await;
            assert_eq!(said.code, Some(0), "{said:?}");
        }
    }

    /// The power goes: everything dies at once. What is on disk stays; no link and no flow entry does, nor do namespaces
    /// that are no container's. Returns the names of these.
    pub async fn crash(&mut self) -> Vec<String> {
        let directory = self.scene.host.directory().to_owned();
        self.scene.end_daemon(Signal::KILL).await;
        self.scene.host.ovs_mut().vswitchd().kill().await.unwrap();
        self.scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
        for name in &self.names {
            let pid = self.scene.host.docker().unwrap().container_pid(name).await.unwrap();
            // Its shim first, which would tell of it.
            die(parent(pid).expect("it runs"));
            die(pid);
        }
        self.scene.host.docker_mut().unwrap().daemon().kill().await.unwrap();
        for file in ["flowport/local.pid", "docker/exec/containerd/containerd.pid"] {
            die(std::fs::read_to_string(directory.join(file)).unwrap().trim().parse().unwrap());
        }
        self.empty(&directory.join("docker/exec")).await;
        let gone = self.spaces.drain(..).map(|space| space.name().to_owned()).collect();
        for link in self.scene.links().await.iter().map(|link| &link["link ".len()..]) {
            // One that goes with its namespace or its peer meanwhile is gone as well.
            let _ = self.scene.host.run("ip", &["link", "delete", link]).await;
        }
        // A kernel has this one of itself.
        assert_eq!(self.scene.links().await, BTreeSet::from(["link lo".to_owned()]));
        gone
    }

    /// What is below `/run` is in memory.
    async fn empty(&self, run: &Path) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for place in places.filter(|place| Path::new(place).starts_with(run)) {
            self.scene.tool("umount", &format!("--lazy {place}")).await;
        }
        // Who was killed a moment ago may still write.
        let is_empty = async || std::fs::remove_dir_all(run).is_ok() || !run.exists();
        wait_until(PATIENCE, "what was in memory is gone", is_empty).await;
    }

    /// What comes before Docker starts again, in the order of systemd.
    pub async fn boot(&mut self) {
        self.scene.host.ovs_mut().start_ovsdb().await.unwrap();
        self.place_foreign_links().await;
        self.scene.host.ovs_mut().start_vswitchd().await.unwrap();
        self.place_foreign_flows().await;
        self.scene.start_daemon().await;
    }

    /// Starts the nth Docker container again, and returns when its first process began.
    pub async fn start_again(&self, nth: usize) -> Moment {
        let (engine, name) = (self.scene.host.docker().unwrap(), &self.names[nth]);
        // One that ended with its engine may not be known to have ended yet.
        until_ok(PATIENCE, async || engine.start_container(name).await).await;
        self.began(nth).await
    }

    /// When the first process of the nth Docker container began.
    pub async fn began(&self, nth: usize) -> Moment {
        let engine = self.scene.host.docker().unwrap();
        Moment::of_process(engine.container_pid(&self.names[nth]).await.unwrap())
    }

    /// Waits until the Docker containers, which ended with their engine, are seen to have ended.
    pub async fn ended(&self) {
        let engine = self.scene.host.docker().unwrap();
        for name in &self.names {
            wait_until(PATIENCE, name, async || engine.container_pid(name).await.unwrap() == 0).await;
        }
    }

    /// Things that are not Flowport's, some of which look a bit like it.
    async fn place_foreign(&self) {
        self.scene.done("add-br plain0 --datapath=netdev --plain").await;
        // One without a MAC would have another one when the host starts again.
        self.scene
            .tool(
                "ovs-vsctl",
                "add-br other -- set bridge other datapath_type=netdev external_ids:of=them \
                 -- add-port other theirs0 -- set interface theirs0 type=internal \
                 -- add-port plain0 theirs4 -- set interface theirs4 type=internal \
                 -- add-port br0 theirs1 -- set interface theirs1 type=internal mac=\"02:00:00:00:00:f1\" external_ids:of=them \
                 external_ids:container_iface=no",
            )
            .await;
        self.place_foreign_links().await;
        self.place_foreign_flows().await;
    }

    /// Links of others, which the kernel forgets when it ends.
    async fn place_foreign_links(&self) {
        self.scene.tool("ip", "link add theirs2 type veth peer name theirs3").await;
    }

    /// Flow entries and groups of others, which ovs-vswitchd forgets when it ends.
    pub async fn place_foreign_flows(&self) {
        for (bridge, cookie) in [
            ("br0", "0xf10e000000000005"),
            ("br0", "0x7"),
            ("other", "0xf10f000000000001"),
            ("plain0", "0xf10f000000000002"),
        ] {
            let group = format!("group_id={},type=all,bucket=output:77", &cookie[cookie.len() - 1..]);
            ofctl(&self.scene.host, &["--may-create", "mod-group", bridge, &group]).await;
            let flow = format!(
                "cookie={cookie},table=0,priority=7,in_port={},actions=drop",
                &cookie[cookie.len() - 1..]
            );
            ofctl(&self.scene.host, &["add-flow", bridge, &flow]).await;
        }
    }

    /// What of others is there of flow entries and groups.
    pub async fn foreign_flows(&self) -> BTreeSet<String> {
        let mut flows = self.scene.flows("other").await;
        flows.extend(self.scene.flows("plain0").await);
        flows.extend(self.scene.flows("br0").await.into_iter().filter(|line| !of_us(line)));
        flows
    }

    /// Has the namespaces know the MACs that the Docker containers had. The kernel asks for what it does not know once a
    /// second, and a question that comes a moment too early would be measured instead.
    pub async fn introduce(&self, before: &State) {
        for (nth, name) in (1..).zip(&self.names) {
            let mac = before.inside[name].split_whitespace().next().unwrap_or_default().trim_matches('"');
            let address = format!("10.0.1.{nth}");
            for space in &self.spaces {
                let words = ["neigh", "replace", &address, "lladdr", mac, "dev", "eth1", "nud", "permanent"];
                let output = output_at(space.path(), "ip", &words).await;
                assert!(output.status.success(), "{output:?}");
            }
        }
    }

    /// Has the host know the MAC of the namespace that pings it. It forgets when the link of br0 has no carrier, and asks
    /// once a second only.
    pub async fn introduce_to_host(&self, before: &State) {
        let nth = 1 % self.spaces.len();
        let mac = before.inside[self.spaces[nth].name()].split_whitespace().next().unwrap_or_default();
        let (address, mac) = (format!("10.0.0.{}", nth + 1), mac.trim_matches('"'));
        let words = format!("neigh replace {address} lladdr {mac} dev br0 nud permanent");
        self.scene.tool("ip", &words).await;
    }

    /// Namespaces that ping without end: each other, some by IPv4, one by IPv6, and the host.
    pub fn load(&self) -> Vec<Pinger> {
        let count = self.spaces.len();
        let near = (0..4.min(count)).map(|nth| (nth, format!("10.0.0.{}", count - nth)));
        let all = near.chain([(0, format!("fd00::{count}")), (1 % count, GATEWAY.to_owned())]);
        all.map(|(nth, target)| Pinger::start(self.spaces[nth].path(), &target, OFTEN)).collect()
    }

    /// Whether the first and the last namespace, which talk by IPv6, know each other's MACs.
    pub async fn are_neighbours(&self) -> bool {
        let count = self.spaces.len();
        for (space, other) in [(&self.spaces[0], count), (&self.spaces[count - 1], 1)] {
            let words = ["-6", "neighbour", "show", &format!("fd00::{other}"), "dev", "eth1"];
            let listed = output_at(space.path(), "ip", &words).await;
            if !String::from_utf8_lossy(&listed.stdout).contains("lladdr") {
                return false;
            }
        }
        true
    }

    /// Has these two forget each other.
    pub async fn forget_neighbours(&self) {
        for space in [&self.spaces[0], &self.spaces[self.spaces.len() - 1]] {
            let output = output_at(space.path(), "ip", &["-6", "neighbour", "flush", "dev", "eth1"]).await;
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// A namespace that pings the nth Docker container without end.
    pub fn pinger_of(&self, nth: usize) -> Pinger {
        let space = &self.spaces[nth % self.spaces.len()];
        Pinger::start(space.path(), &format!("10.0.1.{}", nth + 1), OFTEN)
    }

    /// What is there now.
    pub async fn state(&self) -> State {
        let rows = self.scene.rows().await.into_iter().filter(|row| !row.starts_with("bridge "));
        let mut things: BTreeSet<String> = rows.collect();
        things.extend(self.scene.links().await);
        things.extend(self.scene.records().await);
        let numbers = self.scene.port_numbers().await;
        let flows = self.scene.flows("br0").await;
        let flows = flows.iter().filter(|line| of_us(line)).map(|line| nameful(line, &numbers)).collect();
        State { things, flows, foreign: self.foreign(&[]).await, inside: self.inside().await }
    }

    /// What others have. Beside br0 and the host ends, these names are not theirs.
    pub async fn foreign(&self, ours: &[&str]) -> BTreeSet<String> {
        let is_ours = |name: &str| name.starts_with("fp") || ours.contains(&name);
        let mut foreign = self.scene.foreign_rows(|name| name == "br0" || is_ours(name)).await;
        foreign.extend(self.scene.links().await.into_iter().filter(|link| !is_ours(&link["link ".len()..])));
        foreign.extend(self.foreign_flows().await);
        foreign
    }

    /// MAC and addresses inside each container that runs, and of the host.
    async fn inside(&self) -> BTreeMap<String, String> {
        let mut places: Vec<(String, PathBuf)> =
            self.spaces.iter().map(|space| (space.name().to_owned(), space.path().to_owned())).collect();
        places.push(("br0".to_owned(), self.scene.host.netns().path().to_owned()));
        for name in &self.names {
            if let Some(netns) = self.netns_of(name).await {
                places.push((name.clone(), netns));
            }
        }
        let mut inside = BTreeMap::new();
        for (name, netns) in places {
            let interface = if name == "br0" { "br0" } else { "eth1" };
            let output = output_at(&netns, "ip", &["-j", "address", "show", "dev", interface]).await;
            let link = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()[0].clone();
            let global = link["addr_info"].as_array().cloned().unwrap_or_default();
            let global = global.iter().filter(|address| address["scope"] == "global");
            let addresses: Vec<_> = global.map(|a| format!("{}/{}", a["local"], a["prefixlen"])).collect();
            // A link of ovs-vswitchd's is in an unknown state until it is set up for the second time.
            let state = link["operstate"].as_str().unwrap_or_default().replace("UNKNOWN", "UP");
            inside.insert(name, format!("{} {} {addresses:?} {state}", link["address"], link["mtu"]));
        }
        inside
    }

    /// The namespace of a Docker container that runs.
    pub async fn netns_of(&self, name: &str) -> Option<PathBuf> {
        let pid = self.scene.host.docker()?.container_pid(name).await.ok()?;
        Some(PathBuf::from(format!("/proc/{pid}/ns/net"))).filter(|path| pid > 0 && path.exists())
    }

    /// Waits until all is as it was, foreign things too.
    pub async fn is_again(&self, before: &State) {
        self.comes_to(before, &[], &[]).await;
    }

    /// Waits until all is as it was, but for namespaces that there were only before, or are only now.
    pub async fn comes_to(&self, before: &State, gone: &[String], new: &[String]) {
        let before = before.clone().without(gone);
        let start = std::time::Instant::now();
        loop {
            let now = self.state().await.without(new);
            if now == before {
                return;
            }
            if start.elapsed() > PATIENCE {
                now.expect(&before);
            }
        }
    }

    /// Waits until each of these is answered at all.
    pub async fn talk(pingers: &[Pinger]) {
        for pinger in pingers {
            wait_until(PATIENCE, &pinger.between, async || pinger.answered() > 0).await;
        }
    }
}

/// The host end of the port that a namespace has as eth1.
#[must_use]
pub fn host_end(space: &str) -> String {
    let (path, interface) = (Path::new("/run/netns").join(space), "eth1".parse().expect("a name"));
    EndpointId::of(&Owner::netns(&path), &interface).host_link()
}

/// Whether a line of br0's flow entries and groups is about Flowport's.
fn of_us(line: &str) -> bool {
    line.contains("cookie=0xf10f") || line.contains("group_id=4")
}

/// The line with the names of links instead of port numbers, which may be others when a port is made anew. Buckets are
/// in the order of numbers.
fn nameful(line: &str, numbers: &BTreeMap<u64, String>) -> String {
    let named = |word: &str| {
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => word.parse().ok()?,
        };
        numbers.get(&number).cloned()
    };
    let mut text = String::new();
    for piece in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        text += &named(word).unwrap_or_else(|| word.to_owned());
        text += &piece[word.len()..];
    }
    let text = without_meter(text);
    let Some((start, buckets)) = text.split_once(",bucket=") else { return text };
    let mut buckets: Vec<&str> = buckets.split(",bucket=").collect();
    buckets.sort_unstable();
    format!("{start},bucket={}", buckets.join(",bucket="))
}

/// The line without the meter, one of sixteen in `metadata`, that goes with the number of the port.
fn without_meter(text: String) -> String {
    const METER: u64 = 0xf << 37;
    let written = || {
        let word = text.split_once("write_metadata:0x")?.1.split('/').next()?;
        Some((word.to_owned(), u64::from_str_radix(word, 16).ok()?))
    };
    match written() {
        Some((word, value)) => text.replace(&word, &format!("{:x}", value & !METER)),
        None => text,
    }
}

/// Kills a process of the lab, unless it has ended with another.
fn die(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[track_caller]
fn differ<T: Ord + std::fmt::Debug>(what: &str, before: &BTreeSet<T>, now: &BTreeSet<T>) {
    let gone: Vec<_> = before.difference(now).collect();
    let new: Vec<_> = now.difference(before).collect();
    assert!(gone.is_empty() && new.is_empty(), "{what}: gone {gone:#?}, new {new:#?}");
}

fn line(container: &str, addresses: &[String]) -> String {
    let addresses: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    format!(r#"{{"interface":"eth1","container":"{container}","ipaddress":[{}]}}"#, addresses.join(","))
}
