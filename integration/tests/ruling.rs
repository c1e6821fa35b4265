//! Who may change ports and flow entries: the daemon that has the database's lock, and what is of its database.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use flowport::lab::{HostOptions, Netns};
use flowport_integration::oracle::{ofctl, pings};
use flowport_integration::scene::{By, Scene, accepts, metrics, named, signal};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::Signal;
use tokio::process::Child;

/// So many containers with ports, of which the first reaches the last.
async fn containers(scene: &Scene, count: usize) -> Vec<Netns> {
    let mut containers = Vec::new();
    for nth in 1..=count {
        let made = container().await;
        scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.{nth}/24", named(&made))).await;
        containers.push(made);
    }
    assert!(pings(&containers[0], &format!("10.0.0.{count}"), 3).await);
    containers
}

fn said(scene: &Scene, words: &str) -> usize {
    let log = std::fs::read_to_string(scene.log()).unwrap_or_default();
    log.lines().filter(|line| line.contains(words)).count()
}

/// The daemon loses its database, and does not know yet that it is there again.
async fn stop_behind(scene: &mut Scene) {
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    signal(scene.daemon.as_ref().unwrap(), Signal::STOP);
    scene.host.ovs_mut().start_ovsdb().await.unwrap();
}

/// Waits until a daemon answers, even with a refusal: then it is ready.
async fn answers(scene: &Scene, options: &str) {
    scene.run(&format!("del-port br0 eth9 netns:nosuch {options}")).await.refused(&["nosuch"]);
}

#[tokio::test]
async fn a_daemon_whose_lock_is_stolen_changes_nothing_until_it_has_it_again() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let socket = scene.host.directory().join("metrics");
    scene.daemon = Some(scene.spawn(&format!("daemon --metrics=unix:{}", socket.display())));
    accepts(&scene.socket()).await;
    let containers = containers(&scene, 2).await;
    let flows = scene.flows("br0").await;
    let mut steal = scene.host.command("ovsdb-client");
    steal.args(["steal", &scene.host.db(), "flowport"]).kill_on_drop(true);
    let mut thief = scene.host.spawn(&mut steal).unwrap();
    wait_until(DEADLINE, "it says so", async || said(&scene, "nothing is changed until it ends") == 1).await;

    assert!(metrics(&socket).await.contains("\nflowport_ruling 0\n"));
    assert!(scene.run("show").await.out.contains("the daemon changes nothing"));
    assert!(scene.run("doctor").await.out.contains("lock of the database"));

    // It would see that flow entries are gone within 2 s, and that a link is at once.
    ofctl(&scene.host, &["del-flows", "br0", "table=4"]).await;
    let link = scene.host_ends().await.pop_first().unwrap();
    scene.tool("ip", &format!("link delete {link}")).await;
    let (flows_left, links_left) = (scene.flows("br0").await, scene.host_ends().await);
    let third = container().await;
    for command in ["add-port br0 eth1 THIRD --timeout=3", "add-br br1 --datapath=netdev --timeout=1"] {
        scene.run(&command.replace("THIRD", &named(&third))).await.refused(&["another Flowport"]);
    }
    assert_eq!((scene.flows("br0").await, scene.host_ends().await), (flows_left, links_left));

    thief.kill().await.unwrap();
    let is_back = async || scene.whole().await && scene.host_ends().await.len() == 2;
    wait_until(DEADLINE, "all is back", is_back).await;
    wait_until(DEADLINE, "flow entries too", async || scene.flows("br0").await.len() == flows.len()).await;
    wait_until(DEADLINE, "pings go on", async || pings(&containers[0], "10.0.0.2", 1).await).await;
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.3/24", named(&third))).await;
    assert_eq!(said(&scene, "nothing is changed until it ends"), 1, "once");
    assert_eq!(said(&scene, "going on"), 1);
    assert!(metrics(&socket).await.contains("\nflowport_ruling 1\n"));
}

#[tokio::test]
async fn what_a_command_changed_meanwhile_counts() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = containers(&scene, 3).await;
    let elsewhere = format!("--socket={}", scene.host.directory().join("elsewhere.sock").display());
    stop_behind(&mut scene).await;
    scene.done(&format!("del-port br0 eth1 {} {elsewhere}", named(&containers[0]))).await;
    scene.done(&format!("set-vlan br0 eth1 {} 7 {elsewhere}", named(&containers[1]))).await;
    let fourth = container().await;
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.4/24 {elsewhere}", named(&fourth))).await;
    let (rows, links) = (scene.ports().await, scene.host_ends().await);
    assert_eq!(rows.len(), 3);
    signal(scene.daemon.as_ref().unwrap(), Signal::CONT);

    let recorded = async || {
        let records = scene.records().await;
        records.len() == 3 && records.iter().any(|record| record.trim_end().ends_with(" 7"))
    };
    wait_until(DEADLINE, "it is on record", recorded).await;
    answers(&scene, "").await;
    assert_eq!((scene.ports().await, scene.host_ends().await), (rows, links));
    assert!(scene.whole().await);
    wait_until(DEADLINE, "the new one talks", async || pings(&fourth, "10.0.0.3", 1).await).await;
    assert!(!pings(&fourth, "10.0.0.2", 1).await, "the other is in another network");
}

/// A second daemon: another socket, and records of its own.
async fn second_daemon(scene: &Scene, options: &str) -> (Child, String) {
    let directory = scene.host.directory().join("second");
    let socket = directory.join("flowport.sock");
    let words = format!("{options} --socket={}", socket.display());
    let daemon = scene.spawn(&format!("daemon {words} --state={}", directory.join("state").display()));
    accepts(&socket).await;
    (daemon, words)
}

#[tokio::test]
async fn a_daemon_ends_when_another_has_taken_its_place() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let containers = containers(&scene, 2).await;
    let before = (scene.flows("br0").await, scene.host_ends().await);
    stop_behind(&mut scene).await;
    let (_second, options) = second_daemon(&scene, "").await;
    answers(&scene, &options).await;
    let mut first = scene.daemon.take().unwrap();
    signal(&first, Signal::CONT);
    let ended = tokio::time::timeout(DEADLINE, first.wait()).await.expect("it ends").unwrap();
    assert_eq!(ended.code(), Some(1));
    assert_eq!(said(&scene, "flowport: another Flowport rules over"), 1, "its last word");
    assert_eq!((scene.flows("br0").await, scene.host_ends().await), before);
    assert!(pings(&containers[0], "10.0.0.2", 3).await);
    scene.done(&format!("del-port br0 eth1 {} {options}", named(&containers[0]))).await;
}

#[tokio::test]
async fn of_two_daemons_that_start_at_once_one_survives() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let metrics = scene.host.directory().join("metrics");
    let words = format!("daemon --metrics=unix:{}", metrics.display());
    for _ in 0..5 {
        let (mut one, mut other) = (scene.spawn(&words), scene.spawn(&words));
        let (ended, survives) = tokio::select! {
            ended = one.wait() => (ended, other),
            ended = other.wait() => (ended, one),
            () = tokio::time::sleep(DEADLINE) => panic!("both go on"),
        };
        assert_eq!(ended.unwrap().code(), Some(1));
        accepts(&scene.socket()).await;
        answers(&scene, "").await;
        accepts(&metrics).await;
        scene.daemon = Some(survives);
        scene.end_daemon(Signal::TERM).await;
    }
    assert_eq!(said(&scene, "flowport: another Flowport rules over"), 5);
}

/// A second Open vSwitch in the host's namespace. It numbers ports and takes flow entries, but forwards nothing: of real
/// userspace datapaths there can be one.
struct SecondOvs {
    directory: PathBuf,
    _parts: Vec<Child>,
}

impl SecondOvs {
    async fn start(scene: &Scene) -> Self {
        let directory = scene.host.directory().join("ovs2");
        std::fs::create_dir_all(&directory).unwrap();
        let mut this = Self { directory, _parts: Vec::new() };
        let conf = this.path("conf.db");
        scene.tool("ovsdb-tool", &format!("create {conf} /usr/share/openvswitch/vswitch.ovsschema")).await;
        this.spawn(scene, "ovsdb-server", &[&conf, &format!("--remote=p{}", this.db())]);
        accepts(Path::new(&this.path("db.sock"))).await;
        scene.tool("ovs-vsctl", &format!("--db={} --no-wait init", this.db())).await;
        this.spawn(scene, "ovs-vswitchd", &[&this.db(), "--enable-dummy=override"]);
        this
    }

    fn spawn(&mut self, scene: &Scene, program: &str, words: &[&str]) {
        let mut command = scene.host.command(program);
        for name in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"] {
            command.env(name, &self.directory);
        }
        command.args(words).arg("--pidfile").arg("--no-chdir").kill_on_drop(true);
        self._parts.push(scene.host.spawn(&mut command).unwrap());
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn db(&self) -> String {
        format!("unix:{}", self.path("db.sock"))
    }
}

/// Host ends with their indexes: another of the same name has another.
async fn host_ends(scene: &Scene) -> BTreeSet<String> {
    let links = scene.tool("ip", "-o link").await;
    let ours = links.lines().filter(|line| line.contains(": fp"));
    ours.filter_map(|line| Some(line.split('@').next()?.to_owned())).collect()
}

#[tokio::test]
async fn daemons_of_two_databases_leave_each_others_links_alone() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let first = containers(&scene, 2).await;
    let ovs = SecondOvs::start(&scene).await;
    let db = format!("--db={}", ovs.db());
    let (mut daemon, options) = second_daemon(&scene, &db).await;
    scene.tool("ovs-vsctl", &format!("{db} add-br br1 -- set bridge br1 datapath_type=netdev")).await;
    scene.done(&format!("adopt br1 {options}")).await;
    let second = [container().await, container().await];
    for (nth, of) in (1..).zip(&second) {
        scene.done(&format!("add-port br1 eth1 {} --ipaddress=10.0.0.{nth}/24 {options}", named(of))).await;
    }
    // The same name of a container's interface stands for the same link, whose it is shows.
    scene
        .run(&format!("add-port br0 eth1 {} --timeout=5", named(&second[0])))
        .await
        .refused(&["already exists on this host"]);
    let links = host_ends(&scene).await;
    assert_eq!(links.len(), 4);

    for with in [Signal::HUP, Signal::KILL] {
        signal(&daemon, with);
        if with == Signal::HUP {
            signal(scene.daemon.as_ref().unwrap(), with);
        } else {
            daemon.wait().await.unwrap();
            scene.end_daemon(with).await;
            scene.start_daemon().await;
            daemon = second_daemon(&scene, &db).await.0;
        }
        answers(&scene, "").await;
        scene.run(&format!("del-port br1 eth9 netns:nosuch {options}")).await.refused(&["nosuch"]);
        assert_eq!(host_ends(&scene).await, links, "{with:?}");
        assert!(pings(&first[0], "10.0.0.2", 3).await, "{with:?}");
    }
    let doctor = scene.run(&format!("doctor {db}")).await;
    assert!(!doctor.out.contains("left over") && !doctor.err.contains("left over"), "{doctor:?}");
}

#[tokio::test]
async fn a_link_without_row_goes_when_it_tells_that_it_is_ours() {
    let mut scene = Scene::start(HostOptions::default(), By::Daemon).await;
    let _containers = containers(&scene, 2).await;
    let own = scene.tool("ovs-vsctl", "--no-wait get open_vswitch . _uuid").await;
    let other = "11111111-2222-3333-4444-555555555555";
    let links = [
        ("fp8000000000a1", Some(format!("flowport: eth1 of gone [{}]", own.trim())), false),
        ("fp8000000000a2", None, false),
        ("fp8000000000a3", Some(format!("flowport: eth1 of gone [{other}]")), true),
        // As older versions wrote it.
        ("fp8000000000a4", Some("flowport: eth1 of gone".to_owned()), true),
    ];
    scene.end_daemon(Signal::KILL).await;
    for (nth, (name, alias, _)) in links.iter().enumerate() {
        scene.tool("ip", &format!("link add {name} type veth peer name left{nth}")).await;
        if let Some(alias) = alias {
            scene.host.run("ip", &["link", "set", name, "alias", alias]).await.unwrap();
        }
    }
    scene.start_daemon().await;
    let gone = async || {
        let ends = scene.host_ends().await;
        links.iter().all(|(name, _, stays)| *stays || !ends.contains(*name))
    };
    wait_until(DEADLINE, "its own are gone", gone).await;
    scene.done("add-br br1 --datapath=netdev").await;
    let ends = scene.host_ends().await;
    assert!(links.iter().all(|(name, _, stays)| ends.contains(*name) == *stays), "{ends:?}");
    assert_eq!(ends.len(), 4);
}
