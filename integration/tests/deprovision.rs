//! With the daemon: what ends takes its port and its flow entries along, what starts again gets them back, and the daemon
//! itself may come and go.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use flowport::lab::{HostOptions, LabHost, Netns};
use flowport_integration::commands::{Daemon, Flowport};
use flowport_integration::oracle::{
    appctl, docker, flow_entries, host_ip, ip, ip_at, ofctl, output_at, pings, vsctl,
};
use flowport_integration::scene::named;
use flowport_integration::{DEADLINE, container, host, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// A host with br0, the daemon, and a neighbour that is there all the time.
struct Place {
    host: LabHost,
    flowport: Flowport,
    daemon: Daemon,
    neighbour: Netns,
}

impl Place {
    async fn start(options: HostOptions) -> Self {
        let host = host(options).await;
        let flowport = Flowport::on(&host);
        let daemon = flowport.daemon().await;
        flowport.ok(&["add-br", "br0", "--datapath=netdev"]).await;
        let neighbour = container().await;
        flowport.ok(&["add-port", "br0", "eth1", &named(&neighbour), "--ipaddress=10.0.0.9/24"]).await;
        Self { host, flowport, daemon, neighbour }
    }

    /// The container's port, with its link and the cookie of its flow entries.
    async fn port(&self, container: &str) -> Attached {
        let flows = self.flowport.flows(container).await;
        let ports = self.flowport.ports("br0").await;
        let port = ports.into_iter().find(|port| port["container"] == container).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Attached { link: text(&port["name"]), cookie: text(&flows[0]["cookie"]), flows: flows.len(), port }
    }

    async fn flows_with(&self, cookie: &str) -> usize {
        flow_entries(&self.host, "br0", &format!("cookie={cookie}/-1")).await.len()
    }

    async fn links(&self) -> Vec<String> {
        let links = host_ip(&self.host, &["link"]).await;
        links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until nothing is left of the port, and that the neighbour has noticed nothing.
    async fn is_gone(&self, what: &str, gone: &Attached, before: &Untouched) {
        wait_until(DEADLINE, what, async || {
            self.flows_with(&gone.cookie).await == 0
                && !self.links().await.contains(&gone.link)
                && !vsctl(&self.host, &["list-ports", "br0"]).await.contains(&gone.link)
        })
        .await;
        let left = ofctl(&self.host, &["dump-flows", "br0"]).await
            + &ofctl(&self.host, &["dump-groups", "br0"]).await;
        let output = format!("output:{}", gone.port["ofport"]);
        let naming = |line: &&str| {
            line.split([',', ' ']).any(|word| word == output || word.ends_with(&format!("={output}")))
        };
        assert_eq!(left.lines().find(naming), None, "no entry and no group names it");
        before.is_as_it_was(self).await;
    }
}

struct Attached {
    link: String,
    cookie: String,
    flows: usize,
    port: Value,
}

/// The neighbour: its flow entries with the age of the youngest, and how many packets they have counted.
struct Untouched {
    entries: Vec<String>,
    packets: u64,
    age: f64,
    when: std::time::Instant,
}

impl Untouched {
    async fn of(place: &Place) -> Self {
        // Something to count.
        place.neighbour_speaks().await;
        let when = std::time::Instant::now();
        let flows = place.flowport.flows(&named(&place.neighbour)).await;
        let cookie = flows[0]["cookie"].as_str().unwrap();
        let ages = flows.iter().map(|flow| flow["age"].as_f64().unwrap());
        Self {
            entries: flow_entries(&place.host, "br0", &format!("cookie={cookie}/-1")).await,
            packets: flows.iter().map(|flow| flow["packets"].as_u64().unwrap()).sum(),
            age: ages.fold(f64::INFINITY, f64::min),
            when,
        }
    }

    async fn is_as_it_was(&self, place: &Place) {
        let now = Self::of(place).await;
        assert_eq!(now.entries, self.entries, "the neighbour's entries are the same");
        assert!(now.packets > self.packets, "and count on: {} after {}", now.packets, self.packets);
        let passed = (now.when - self.when).as_secs_f64();
        assert!(
            now.age + 0.5 >= self.age + passed,
            "and were not written anew: {} after {}",
            now.age,
            self.age
        );
    }
}

impl Place {
    /// ARP for itself is seen by the neighbour's own guard entries.
    async fn neighbour_speaks(&self) {
        let ask = ["arping", "-c", "1", "-w", "1", "-I", "eth1", "10.0.0.77"];
        output_at(self.neighbour.path(), "busybox", &ask).await;
    }
}

fn process_ends(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

async fn docker_place(names: &[&str]) -> Place {
    let place = Place::start(HostOptions::with_docker()).await;
    let engine = place.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    for (nth, name) in names.iter().enumerate() {
        engine.run_container(name, "busybox", "none", &["sleep", "600"]).await.unwrap();
        let address = format!("--ipaddress=10.0.0.{}/24", nth + 1);
        let options = ["add-port", "br0", "eth1", name, &address, "--ipaddress=fd00::1:1/64", "--vlan=0"];
        let options = if nth == 0 { &options[..] } else { &options[..5] };
        place.flowport.ok(options).await;
    }
    place
}

async fn netns_of(place: &Place, name: &str) -> PathBuf {
    let pid = place.host.docker().unwrap().container_pid(name).await.unwrap();
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

#[tokio::test]
async fn every_end_of_a_docker_container_takes_its_port_along() {
    let place = docker_place(&["removed", "stopped", "killed", "detached"]).await;
    let before = Untouched::of(&place).await;
    let engine = place.host.docker().unwrap();

    let port = place.port("removed").await;
    docker(&place.host, &["rm", "-f", "removed"]).await;
    place.is_gone("docker rm -f", &port, &before).await;

    let port = place.port("stopped").await;
    docker(&place.host, &["stop", "stopped"]).await;
    place.is_gone("docker stop", &port, &before).await;

    let port = place.port("killed").await;
    process_ends(engine.container_pid("killed").await.unwrap());
    place.is_gone("kill -9 of the first process", &port, &before).await;

    let port = place.port("detached").await;
    let netns = netns_of(&place, "detached").await;
    place.flowport.ok(&["del-port", "br0", "eth1", "detached"]).await;
    assert_eq!(place.flows_with(&port.cookie).await, 0, "gone when the command is done");
    place.is_gone("del-port", &port, &before).await;
    assert_eq!(ip_at(&netns, &["link"]).await.as_array().unwrap().len(), 1, "the inner end, too");
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn the_end_of_a_namespace_or_a_process_takes_its_port_along() {
    let place = Place::start(HostOptions::default()).await;
    let before = Untouched::of(&place).await;

    let netns = container().await;
    place.flowport.ok(&["add-port", "br0", "eth1", &named(&netns), "--ipaddress=10.0.0.1/24"]).await;
    let port = place.port(&named(&netns)).await;
    let name = netns.name().to_owned();
    let deleted = place.host.run("ip", &["netns", "del", &name]).await;
    assert!(deleted.is_ok(), "{deleted:?}");
    place.is_gone("ip netns del", &port, &before).await;

    let mut command = place.host.command("unshare");
    command.args(["--net", "sh", "-c", "echo ready; exec sleep 600"]).stdout(std::process::Stdio::piped());
    let mut sleeper = place.host.spawn(command.kill_on_drop(true)).unwrap();
    let mut ready = [0; 6];
    tokio::io::AsyncReadExt::read_exact(&mut sleeper.stdout.take().unwrap(), &mut ready).await.unwrap();
    let process = format!("pid:{}", sleeper.id().unwrap());
    place.flowport.ok(&["add-port", "br0", "eth1", &process, "--ipaddress=10.0.0.1/24"]).await;
    let port = place.port(&process).await;
    sleeper.kill().await.unwrap();
    place.is_gone("the end of a process", &port, &before).await;
}

/// What a container has on its port.
async fn inside(place: &Place, name: &str) -> (Value, Vec<Value>) {
    let netns = netns_of(place, name).await;
    if !Path::exists(&netns) {
        return (Value::Null, Vec::new());
    }
    let output = output_at(&netns, "ip", &["-j", "address", "show", "dev", "eth1"]).await;
    let link = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()[0].clone();
    let global = link["addr_info"].as_array().cloned().unwrap_or_default();
    let global = global.into_iter().filter(|address| address["scope"] == "global");
    (link["address"].clone(), global.map(|address| address["local"].clone()).collect())
}

async fn pings_from(place: &Place, name: &str, target: &str) -> bool {
    let netns = netns_of(place, name).await;
    let args = ["-n", "-q", "-c", "1", "-W", "1", target];
    Path::exists(&netns) && output_at(&netns, "ping", &args).await.status.success()
}

#[tokio::test]
async fn a_container_that_starts_again_gets_everything_back() {
    let place = docker_place(&["web"]).await;
    let before = Untouched::of(&place).await;
    let (port, had) = (place.port("web").await, inside(&place, "web").await);
    assert_eq!(had.1.len(), 2);

    docker(&place.host, &["stop", "web"]).await;
    place.is_gone("docker stop", &port, &before).await;
    docker(&place.host, &["start", "web"]).await;
    let back =
        async || place.flows_with(&port.cookie).await == port.flows && inside(&place, "web").await == had;
    let took = wait_until(DEADLINE, "docker start brings it back", back).await;
    println!("docker start: {took:?}");
    assert!(pings_from(&place, "web", "10.0.0.9").await);

    docker(&place.host, &["restart", "-t", "0", "web"]).await;
    wait_until(DEADLINE, "docker restart brings it back", async || {
        back().await && pings_from(&place, "web", "10.0.0.9").await
    })
    .await;
    let again = place.port("web").await;
    assert_eq!((&again.link, &again.cookie, again.flows), (&port.link, &port.cookie, port.flows));
    before.is_as_it_was(&place).await;

    // A stopped container that is removed does not come back under its name.
    docker(&place.host, &["stop", "web"]).await;
    docker(&place.host, &["rm", "web"]).await;
    place.is_gone("docker rm", &again, &before).await;
    let engine = place.host.docker().unwrap();
    engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    place.flowport.ok(&["add-port", "br0", "eth1", "web", "--ipaddress=10.0.0.1/24"]).await;
    assert_eq!(place.flowport.ports("br0").await.len(), 2, "its address was free again");
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_of_the_daemon_is_invisible() {
    let mut place = Place::start(HostOptions::default()).await;
    let netns = container().await;
    place
        .flowport
        .ok(&["add-port", "br0", "eth1", &named(&netns), "--ipaddress=10.0.0.1/24", "--vlan=0"])
        .await;
    let before = Untouched::of(&place).await;
    let all = flow_entries(&place.host, "br0", "").await;

    place.daemon.stop().await;
    assert!(pings(&netns, "10.0.0.9", 3).await, "without a daemon packets flow on");
    assert_eq!(flow_entries(&place.host, "br0", "").await, all);
    let generation = ages(&place).await;
    appctl(&place.host, &["vlog/set", "vconn:console:dbg"]).await;
    assert_eq!(flow_mods(&mut place), 0);
    place.daemon = place.flowport.daemon().await;
    before.is_as_it_was(&place).await;
    place.daemon.kill().await;
    assert!(pings(&netns, "10.0.0.9", 3).await);
    place.daemon = place.flowport.daemon().await;
    place.flowport.ok(&["adopt", "br0"]).await;
    before.is_as_it_was(&place).await;
    assert_eq!(flow_entries(&place.host, "br0", "").await, all);
    let now = ages(&place).await;
    assert!(
        generation.iter().zip(&now).all(|(then, now)| now >= then),
        "no entry is new: {generation:?} {now:?}"
    );
    assert_eq!(flow_mods(&mut place), 0, "nothing was to be changed, and nothing was sent");
    place.flowport.ok(&["set-vlan", "br0", "eth1", &named(&netns), "5"]).await;
    assert!(flow_mods(&mut place) > 0, "what is sent is seen");
    // It knows them as its own.
    let port = place.port(&named(&netns)).await;
    let name = netns.name().to_owned();
    place.host.run("ip", &["netns", "del", &name]).await.unwrap();
    place.is_gone("ip netns del after kill -9 of the daemon", &port, &before).await;
}

/// How many FLOW_MODs ovs-vswitchd has logged.
fn flow_mods(place: &mut Place) -> usize {
    let log = std::fs::read_to_string(place.host.ovs_mut().vswitchd().log()).unwrap();
    log.matches("OFPT_FLOW_MOD").count() + log.matches("OFPT_GROUP_MOD").count()
}

/// The ages of all of the bridge's flow entries in seconds, in one order.
async fn ages(place: &Place) -> Vec<f64> {
    let text = ofctl(&place.host, &["--no-names", "dump-flows", "br0"]).await;
    let mut lines: Vec<(String, f64)> = text
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("duration=")?;
            let (age, rest) = rest.split_once("s,")?;
            Some((rest.split_once("priority")?.1.to_owned(), age.parse().ok()?))
        })
        .collect();
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    lines.into_iter().map(|(_, age)| age).collect()
}

#[tokio::test]
async fn what_happened_while_the_daemon_was_away_is_made_good() {
    let mut place = Place::start(HostOptions::default()).await;
    let before = Untouched::of(&place).await;
    let (gone, stays) = (container().await, container().await);
    place.flowport.ok(&["add-port", "br0", "eth1", &named(&gone), "--ipaddress=10.0.0.1/24"]).await;
    let of_gone = place.port(&named(&gone)).await;
    place.daemon.kill().await;

    place.host.run("ip", &["netns", "del", gone.name()]).await.unwrap();
    // A port made by a command alone.
    place.flowport.ok(&["add-port", "br0", "eth1", &named(&stays), "--ipaddress=10.0.0.2/24"]).await;
    let of_stays = place.port(&named(&stays)).await;
    ofctl(&place.host, &["add-flow", "br0", "cookie=0x77,table=9,priority=1,actions=drop"]).await;
    // One entry lost.
    let lost = format!("cookie={}/-1,table=4", of_stays.cookie);
    ofctl(&place.host, &["del-flows", "br0", &lost]).await;
    assert_eq!(place.flows_with(&of_stays.cookie).await, of_stays.flows - 1);

    place.daemon = place.flowport.daemon().await;
    place.is_gone("what ended without the daemon", &of_gone, &before).await;
    wait_until(DEADLINE, "the lost entry is back", async || {
        place.flows_with(&of_stays.cookie).await == of_stays.flows
    })
    .await;
    assert!(pings(&stays, "10.0.0.9", 3).await);
    assert_eq!(flow_entries(&place.host, "br0", "cookie=0x77/-1").await.len(), 1, "not ours");
    let netns = stays.name().to_owned();
    assert_eq!(ip(&stays, &["link"]).await.as_array().unwrap().len(), 2);
    place.host.run("ip", &["netns", "del", &netns]).await.unwrap();
    place.is_gone("a port that was made without the daemon", &of_stays, &before).await;
}

#[tokio::test]
async fn a_port_of_the_real_ovs_docker_is_adopted() {
    let script = Path::new("/usr/bin/ovs-docker");
    let mut place = docker_place(&[]).await;
    let engine = place.host.docker().unwrap();
    let web = engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    place.daemon.stop().await;
    let args = ["add-port", "br0", "eth1", web.id.as_str(), "--ipaddress=10.0.0.1/24"];
    let made = place.flowport.with_program(script).output(&args).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    place.daemon = place.flowport.daemon().await;
    let before = Untouched::of(&place).await;

    wait_until(DEADLINE, "flow entries for a port of ovs-docker", async || {
        let output = place.flowport.output(&["flows", "web", "--json"]).await;
        serde_json::from_slice::<Value>(&output.stdout)
            .is_ok_and(|flows| flows.as_array().is_some_and(|f| !f.is_empty()))
    })
    .await;
    let name = place
        .flowport
        .ports("br0")
        .await
        .into_iter()
        .find(|port| port["interface"] == "eth1" && port["container_id"] == *web.id);
    let port = place.port(name.unwrap()["container"].as_str().unwrap()).await;
    assert!(port.link.ends_with("_l"), "it is the script's own link: {}", port.link);
    assert!(pings_from(&place, "web", "10.0.0.9").await, "and it forwards");
    docker(&place.host, &["rm", "-f", "web"]).await;
    place.is_gone("docker rm -f of a container of ovs-docker", &port, &before).await;
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn a_port_that_ovs_docker_makes_beside_the_daemon_stays_until_its_container_goes() {
    let place = docker_place(&[]).await;
    let engine = place.host.docker().unwrap();
    engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    // The script marks its port with the word that it was given.
    let args = ["add-port", "br0", "eth1", "web", "--ipaddress=10.0.0.1/24"];
    let made = place.flowport.with_program(Path::new("/usr/bin/ovs-docker")).output(&args).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let forwards = async || pings_from(&place, "web", "10.0.0.9").await;
    wait_until(DEADLINE, "its MAC is known", forwards).await;
    docker(&place.host, &["restart", "-t", "0", "web"]).await;
    wait_until(DEADLINE, "it is there again after a restart", forwards).await;
    // The daemon plans at least once more before this is answered.
    let other = container().await;
    place.flowport.ok(&["add-port", "br0", "eth1", &named(&other), "--ipaddress=10.0.0.2/24"]).await;
    let theirs = async || vsctl(&place.host, &["list-ports", "br0"]).await.contains("_l");
    assert!(theirs().await, "{}", place.daemon.log());
    docker(&place.host, &["rm", "-f", "web"]).await;
    wait_until(DEADLINE, "the port of ovs-docker goes with its container", async || !theirs().await).await;
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn the_records_are_served_again_when_their_server_is_killed() {
    let place = Place::start(HostOptions::default()).await;
    let pid = std::fs::read_to_string(place.host.directory().join("flowport/local.pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    let late = container().await;
    wait_until(DEADLINE, "a port can be attached again", async || {
        let args = ["--timeout=2", "add-port", "br0", "eth1", &named(&late), "--ipaddress=10.0.0.1/24"];
        place.flowport.output(&args).await.status.success()
    })
    .await;
    place.host.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_caller_asked_for_is_undone_when_it_is_killed() {
    let mut place = Place::start(HostOptions::default()).await;
    let before = vsctl(&place.host, &["list-ports", "br0"]).await;
    let asked = container().await;
    // The switch hangs, so that the caller waits; giving up on its output kills it.
    place.host.ovs_mut().vswitchd().signal(Signal::STOP).unwrap();
    let name = named(&asked);
    let args = ["add-port", "br0", "eth1", &name, "--ipaddress=10.0.0.1/24"];
    let asking = place.flowport.output(&args);
    let waited = tokio::time::timeout(std::time::Duration::from_secs(1), asking).await;
    assert!(waited.is_err(), "the switch hangs: {waited:?}");
    place.host.ovs_mut().vswitchd().signal(Signal::CONT).unwrap();
    wait_until(DEADLINE, "the row is gone", async || {
        vsctl(&place.host, &["list-ports", "br0"]).await == before
    })
    .await;
    // The address and the name inside are free as soon as the link is gone too.
    wait_until(DEADLINE, "it can be asked for again", async || {
        place.flowport.output(&args).await.status.success()
    })
    .await;
    place.host.stop().await.unwrap();
}
