//! `flowport demo`: the main job, told as a story in a private lab on this machine.
//!
//! Two hosts with an Open vSwitch each, three containers, one network over both. Every step that changes something is
//! a `flowport` command as a user would type it, run on its host and timed from exec to exit.

mod checks;
mod story;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::lab::{self, HostOptions, Lab, LabError, LabHost, Netns, Purpose};
use crate::refused::Refused;

use checks::{Place, ping, pull};
use story::{Story, ms};

/// The link between the hosts, at each end.
const WIRE: &str = "wire0";
/// The MTU of that link, in bytes.
const WIRE_MTU: u32 = 1500;
/// The network's bridge on each host.
const BRIDGE: &str = "br0";
/// The bridge with the wire and the host's own address.
const UNDERLAY: &str = "br-underlay";
/// What is sent over each TCP connection, in bytes.
const TCP_BYTES: usize = 16 << 20;
/// How long something that takes milliseconds is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container of the story.
struct Actor {
    name: &'static str,
    host: usize,
    address: &'static str,
}

const ACTORS: [Actor; 3] = [
    Actor { name: "web", host: 0, address: "10.1.0.1" },
    Actor { name: "db", host: 0, address: "10.1.0.2" },
    Actor { name: "api", host: 1, address: "10.1.0.3" },
];
const HOSTS: [(&str, &str); 2] = [("east", "192.0.2.1"), ("west", "192.0.2.2")];

/// Why the demo broke off: one line.
type Broken = String;

/// Plays the demo; in a lab that it makes, unless it is in one already.
///
/// # Errors
/// What is missing on this machine, or what went wrong.
pub fn run(no_docker: bool) -> Result<ExitCode, Broken> {
    if Lab::current().is_err() {
        check_requirements()?;
        let mut words = vec!["demo".into()];
        words.extend(no_docker.then(|| "--no-docker".into()));
        return lab::enter(&words).map_err(|error| chain(&error));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(play(no_docker)).map(|()| ExitCode::SUCCESS)
}

fn check_requirements() -> Result<(), Broken> {
    let requirements = lab::requirements();
    if requirements.not_root {
        return Err("the demo makes network namespaces: run it as root, as with `sudo flowport demo`".into());
    }
    if !requirements.met(Purpose::OpenVSwitch) {
        let packages = requirements.packages(&[Purpose::OpenVSwitch, Purpose::Docker]).join(" ");
        return Err(format!("Open vSwitch is not installed: `apt-get install {packages}`"));
    }
    Ok(())
}

async fn play(no_docker: bool) -> Result<(), Broken> {
    let begun = Instant::now();
    let mut story = Story::begin();
    let lab = Lab::current().map_err(|error| chain(&error))?;
    let docker = !no_docker && lab::requirements().met(Purpose::Docker) && lab.has_cgroup();

    story.chapter("Two hosts, each with its own Open vSwitch, and a wire between them");
    let hosts = start_hosts(&lab, docker, &mut story).await?;
    let containers = start_containers(&lab, &hosts, docker, &mut story).await?;

    story.chapter("Each host gets a bridge; a VXLAN tunnel makes them one network");
    for (nth, (host, (name, address))) in hosts.iter().zip(HOSTS).enumerate() {
        let (_, other) = HOSTS[1 - nth];
        let wire = format!("--uplink={WIRE}");
        let own = format!("--address={address}/24");
        story.command(host, &["add-br", UNDERLAY, "--datapath=netdev", &wire, &own]).await?;
        story.command(host, &["add-br", BRIDGE, "--datapath=netdev"]).await?;
        let tunnel = format!("to-{}", if name == "east" { "west" } else { "east" });
        let remote = format!("--remote={other}");
        story.command(host, &["add-tunnel", BRIDGE, &tunnel, "--type=vxlan", &remote, "--key=7"]).await?;
    }

    story.chapter("The containers get their ports");
    let mut attached = Duration::ZERO;
    for (actor, container) in ACTORS.iter().zip(&containers) {
        let address = format!("--ipaddress={}/24", actor.address);
        let words = ["add-port", BRIDGE, "eth1", container.word.as_str(), &address];
        attached += story.command(&hosts[actor.host], &words).await?;
    }
    story.output(&hosts[0], &["show", BRIDGE]).await?;
    story.note("The flow entries that came with web, and carry its cookie:");
    story.output(&hosts[0], &["flows", &containers[0].word]).await?;

    story.chapter("Everybody reaches everybody, on this host and across");
    let (mut pings, mut streams) = (0, 0);
    for (from, place) in ACTORS.iter().zip(&containers) {
        for to in ACTORS.iter().filter(|to| to.name != from.name) {
            let round_trip = ping(&place.netns, to.address, PATIENCE).await?;
            pings += 1;
            story.result(&format!("ping {} -> {}", from.name, to.name), &format!("{round_trip} ms"));
        }
    }
    for (from, to) in [(0, 1), (0, 2), (2, 1)] {
        let gigabits =
            pull(&containers[from].netns, &containers[to].netns, ACTORS[to].address, TCP_BYTES).await?;
        streams += 1;
        let what = format!("TCP {} -> {}, {} MiB", ACTORS[from].name, ACTORS[to].name, TCP_BYTES >> 20);
        story.result(&what, &format!("{gigabits:.2} Gbit/s"));
    }

    story.chapter("One is detached, and nothing of it is left");
    let db = &containers[1];
    let place = Place::of(&hosts[0], BRIDGE, &db.word).await?;
    let detached = story.command(&hosts[0], &["del-port", BRIDGE, "eth1", &db.word]).await?;
    place.expect_gone().await?;
    story.note("No port, no link, no flow entry with its cookie. The neighbours did not notice:");
    let round_trip = ping(&containers[0].netns, ACTORS[2].address, PATIENCE).await?;
    story.result("ping web -> api", &format!("{round_trip} ms"));

    story.chapter("One dies, with the daemon watching, and leaves nothing either");
    let daemon = story.daemon(&hosts[1]).await?;
    let api = &containers[2];
    let place = Place::of(&hosts[1], BRIDGE, &api.word).await?;
    let killed = Instant::now();
    api.kill()?;
    place.wait_until_gone(PATIENCE).await?;
    let gone = killed.elapsed();
    story.result("kill -9 of api -> its port and flow entries gone", &ms(gone));
    drop(daemon);

    story.end(&format!(
        "{} ports attached in {}, {pings} pings and {streams} TCP streams through, 1 port detached in {}, \
         1 dead container cleaned up in {}; {:.1} s in all. The lab is gone with this line.",
        ACTORS.len(),
        ms(attached),
        ms(detached),
        ms(gone),
        begun.elapsed().as_secs_f64(),
    ));
    Ok(())
}

async fn start_hosts(lab: &Lab, docker: bool, story: &mut Story) -> Result<Vec<LabHost>, Broken> {
    let begun = Instant::now();
    let options = || if docker { HostOptions::with_docker() } else { HostOptions::default() };
    let [(east, _), (west, _)] = HOSTS;
    let started =
        tokio::try_join!(LabHost::start(lab, east, options()), LabHost::start(lab, west, options()));
    let (east, west) = started.map_err(|error| chain(&error))?;
    lab::connect(&east, WIRE, &west, WIRE, WIRE_MTU).await.map_err(|error| chain(&error))?;
    let engine = if docker { " and Docker Engine" } else { "" };
    story.result(
        &format!("hosts {} and {} with Open vSwitch{engine}", east.name(), west.name()),
        &ms(begun.elapsed()),
    );
    Ok(vec![east, west])
}

/// A container that runs.
struct Running {
    /// What `flowport` calls it.
    word: String,
    /// Its network namespace.
    netns: std::path::PathBuf,
    /// Its first process.
    pid: Option<u32>,
    /// Holds a namespace that is no container's.
    _namespace: Option<(Netns, tokio::process::Child)>,
}

impl Running {
    fn kill(&self) -> Result<(), Broken> {
        let pid = self.pid.and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.ok_or("the container has no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).map_err(|error| error.to_string())
    }
}

async fn start_containers(
    lab: &Lab,
    hosts: &[LabHost],
    docker: bool,
    story: &mut Story,
) -> Result<Vec<Running>, Broken> {
    let begun = Instant::now();
    let mut running = Vec::new();
    for actor in &ACTORS {
        running.push(match hosts[actor.host].docker() {
            Some(engine) => {
                engine.import_busybox("demo:1").await.map_err(|error| chain(&error))?;
                let container = engine.run_container(actor.name, "demo:1", "none", &["sleep", "3600"]).await;
                let container = container.map_err(|error| chain(&error))?;
                Running {
                    word: actor.name.to_owned(),
                    netns: container.netns(),
                    pid: Some(container.pid),
                    _namespace: None,
                }
            }
            None => start_namespace(lab, actor.name).await.map_err(|error| chain(&error))?,
        });
    }
    let what =
        if docker { "Docker containers web, db (east) and api (west)" } else { "namespaces web, db and api" };
    story.result(what, &ms(begun.elapsed()));
    Ok(running)
}

/// Without Docker a process in a namespace of its own stands for the container, and is named by its pid.
async fn start_namespace(lab: &Lab, name: &str) -> Result<Running, LabError> {
    let namespace = Netns::create(lab, name).await?;
    let process = namespace.spawn(tokio::process::Command::new("sleep").arg("3600").kill_on_drop(true))?;
    let pid = process.id();
    Ok(Running {
        word: pid.map_or_else(|| format!("netns:{name}"), |pid| format!("pid:{pid}")),
        netns: namespace.path().to_owned(),
        pid,
        _namespace: Some((namespace, process)),
    })
}

/// An error and its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> Broken {
    Refused::because(error).line
}

/// Where the daemon of a host keeps its things.
fn daemon_dir(host: &LabHost) -> std::path::PathBuf {
    Path::new(host.directory()).join("flowport")
}
