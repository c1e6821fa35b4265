//! Looking, without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowport_openflow::{FlowStats, FlowStatsRequest};
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::daemon::protocol::{Answer, Look, LookAt};
use crate::docker::{Docker, DockerError};
use crate::frontend::sandbox_of;
use crate::model::{Attachment, EndpointId, Mac, Owner, Sandbox};
use crate::netlink::{Netlink, Netns, Path as Route};
use crate::openflow::read_flows;
use crate::ovsdb::{Address, Database, Survey};
use crate::pipeline::CLASSIFY;
use crate::place;
use crate::unixctl::Vswitchd;

use super::facts::{
    Container, DaemonSeen, EngineSeen, Facts, Forwarding, Inside, OvsSeen, Process, VswitchdSeen,
};

/// The longest answer of the daemon that is read, in bytes; a refusal is a line.
const LONGEST_ANSWER: u64 = 4096;
/// How many containers are looked at once; dockerd has others to answer.
const LOOKS_AT_ONCE: usize = 4;

/// Where things are to be looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// The database of Open vSwitch.
    pub db: Address,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// How long each part may take to answer.
    pub timeout: Duration,
}

/// Sees all there is to see. What does not answer in time is a fact, too.
pub async fn gather(places: &Places) -> Facts {
    let Places { db, socket, timeout } = places;
    let rundir = place::rundir(db.as_str());
    let netlink = Netlink::open();
    let (daemon, database, vswitchd) =
        tokio::join!(daemon(socket, *timeout), survey(db, *timeout), vswitchd(&rundir, *timeout));
    let mut facts = Facts {
        daemon,
        links: netlink.links().await.unwrap_or_default(),
        addresses: netlink.all_addresses().await.unwrap_or_default(),
        routes: netlink.routes().await.unwrap_or_default(),
        forwarding: forwarding(),
        ..Facts::default()
    };
    if let Ok(survey) = &database {
        (facts.docker, facts.containers, facts.inside) = containers(&netlink, survey, *timeout).await;
        facts.paths = paths(&netlink, survey).await;
        if vswitchd.is_ok() {
            facts.classify = classify(&rundir, survey, *timeout).await;
        }
    }
    facts.ovs = OvsSeen { database, vswitchd, kernel_module: Path::new("/sys/module/openvswitch").exists() };
    facts
}

async fn survey(db: &Address, timeout: Duration) -> Result<Survey, String> {
    let database = Database::connect(db, timeout).await.map_err(|refused| refused.to_string())?;
    match tokio::time::timeout(timeout, database.survey()).await {
        Ok(survey) => survey.map_err(|error| error.to_string()),
        Err(_) => Err(format!(
            "ovsdb-server on {db} does not answer: restart it with `systemctl restart ovsdb-server`"
        )),
    }
}

/// The daemon on this socket.
pub async fn daemon(socket: &Path, timeout: Duration) -> DaemonSeen {
    let place = || socket.display().to_string();
    let mut stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => DaemonSeen::Dead { socket: place() },
                io::ErrorKind::PermissionDenied => DaemonSeen::Denied { socket: place() },
                _ => DaemonSeen::Absent,
            };
        }
    };
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let conversation = async {
        let mut question = serde_json::to_vec(&Look { look: LookAt::Ruling })?;
        question.push(b'\n');
        stream.write_all(&question).await?;
        let mut line = String::new();
        BufReader::new(stream).take(LONGEST_ANSWER).read_line(&mut line).await?;
        Ok::<_, io::Error>(line)
    };
    match tokio::time::timeout(timeout, conversation).await {
        Ok(Ok(line)) if !line.is_empty() => DaemonSeen::Answers {
            outdated: pid.is_some_and(is_outdated),
            // One of a version that does not know the question refuses it, and lives.
            passive: matches!(serde_json::from_str::<Answer>(&line), Ok(Answer::Ruling(false))),
        },
        _ => DaemonSeen::Silent { socket: place() },
    }
}

/// Whether the process runs a program that is not there any more (proc(5), `/proc/PID/exe`).
fn is_outdated(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe"))
        .is_ok_and(|program| program.to_string_lossy().ends_with(" (deleted)"))
}

async fn vswitchd(rundir: &Path, timeout: Duration) -> Result<VswitchdSeen, String> {
    let vswitchd = Vswitchd::find(rundir).map_err(|error| error.to_string())?;
    let said = tokio::time::timeout(timeout, vswitchd.ask("version", &[])).await.map_err(|_| {
        let pid = vswitchd.pid();
        format!("ovs-vswitchd (process {pid}) does not answer for {} s: it is busy or hangs; see ovs-vswitchd.log", timeout.as_secs())
    })?;
    let said = said.map_err(|error| error.to_string())?;
    let version = said.split_whitespace().next_back().unwrap_or_default().to_owned();
    Ok(VswitchdSeen { version, process: process(vswitchd.pid()) })
}

fn process(pid: u32) -> Option<Process> {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let threads = fs::read_dir(dir.join("task")).ok()?.flatten();
    let handlers = threads
        .filter(|thread| {
            fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.starts_with("handler"))
        })
        .count();
    let open_files = fs::read_dir(dir.join("fd")).ok()?.count() as u64;
    let limits = fs::read_to_string(dir.join("limits")).ok()?;
    Some(Process { handlers, open_files, most_open_files: soft_limit(&limits, "Max open files") })
}

/// The soft limit of that name in the text of `/proc/PID/limits`; none when there is none.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn forwarding() -> Forwarding {
    let is_on = |path: &str| fs::read_to_string(path).is_ok_and(|value| value.trim() != "0");
    Forwarding {
        ipv4: is_on("/proc/sys/net/ipv4/ip_forward"),
        ipv6: is_on("/proc/sys/net/ipv6/conf/all/forwarding"),
    }
}

async fn paths(netlink: &Netlink, survey: &Survey) -> BTreeMap<IpAddr, Option<Route>> {
    let ports = survey.bridges.iter().flat_map(|bridge| &bridge.ports);
    let remotes: BTreeSet<IpAddr> = ports.filter_map(|port| port.option("remote_ip")?.parse().ok()).collect();
    let mut paths = BTreeMap::new();
    for remote in remotes {
        if let Ok(path) = netlink.route_to(remote).await {
            paths.insert(remote, path);
        }
    }
    paths
}

async fn classify(rundir: &Path, survey: &Survey, timeout: Duration) -> BTreeMap<String, Vec<FlowStats>> {
    let mut tables = BTreeMap::new();
    for bridge in survey.bridges.iter().filter(|bridge| bridge.managed) {
        let request = [FlowStatsRequest { table_id: CLASSIFY.id, ..FlowStatsRequest::all() }];
        let read = tokio::time::timeout(timeout, read_flows(rundir, &bridge.name, &request)).await;
        if let Ok(Ok(flows)) = read {
            tables.insert(bridge.name.clone(), flows);
        }
    }
    tables
}

async fn containers(
    netlink: &Netlink,
    survey: &Survey,
    timeout: Duration,
) -> (EngineSeen, BTreeMap<Owner, Container>, BTreeMap<EndpointId, Inside>) {
    let docker = Docker::connect();
    let endpoints: Vec<(&Attachment, bool)> = survey
        .bridges
        .iter()
        .flat_map(|bridge| bridge.endpoints().map(|(_, attachment)| (attachment, bridge.userspace)))
        .collect();
    let owners: BTreeSet<&Owner> = endpoints.iter().map(|(attachment, _)| &attachment.owner).collect();
    let uses_docker = owners.iter().any(|owner| owner.is_docker());
    let engine = engine(&docker, uses_docker, timeout).await;
    let answers = matches!(engine, EngineSeen::Answers(_));
    let looks = owners.into_iter().map(|owner| look(&docker, answers, owner));
    let found: Vec<_> = stream::iter(looks).buffered(LOOKS_AT_ONCE).collect().await;
    let mut containers = BTreeMap::new();
    let mut sandboxes = BTreeMap::new();
    for (owner, container, sandbox) in found {
        containers.insert(owner.clone(), container);
        sandboxes.extend(sandbox.map(|sandbox| (owner, sandbox)));
    }
    let mut inside = BTreeMap::new();
    for (attachment, userspace) in endpoints {
        let Some(sandbox) = sandboxes.get(&attachment.owner) else { continue };
        if let Some(seen) = look_inside(netlink, sandbox, attachment, userspace).await {
            inside.insert(attachment.endpoint(), seen);
        }
    }
    (engine, containers, inside)
}

async fn engine(docker: &Docker, is_used: bool, timeout: Duration) -> EngineSeen {
    match tokio::time::timeout(timeout, docker.info()).await {
        Ok(Ok(info)) => EngineSeen::Answers(info),
        Ok(Err(DockerError::NotRunning { .. })) if !is_used => EngineSeen::Absent,
        Ok(Err(error)) => EngineSeen::Fails(error.to_string()),
        Err(_) => EngineSeen::Fails(format!(
            "Docker does not answer for {} s: see `journalctl -u docker`",
            timeout.as_secs()
        )),
    }
}

async fn look<'a>(
    docker: &Docker,
    answers: bool,
    owner: &'a Owner,
) -> (&'a Owner, Container, Option<Sandbox>) {
    if !owner.is_docker() {
        return match sandbox_of(owner, None) {
            Ok(Some(sandbox)) => (owner, Container::Runs, Some(sandbox)),
            Ok(None) => (owner, Container::Gone, None),
            Err(_) => (owner, Container::Unknown, None),
        };
    }
    if !answers {
        return (owner, Container::Unknown, None);
    }
    match docker.container(owner.as_str()).await {
        Ok(found) if found.running => (owner, Container::Runs, sandbox_of(owner, found.pid).ok().flatten()),
        Ok(_) => (owner, Container::Stopped, None),
        Err(DockerError::NoSuchContainer { .. }) => (owner, Container::Gone, None),
        Err(_) => (owner, Container::Unknown, None),
    }
}

/// Nothing when it may not be entered, or is on its way out.
async fn look_inside(
    netlink: &Netlink,
    sandbox: &Sandbox,
    attachment: &Attachment,
    userspace: bool,
) -> Option<Inside> {
    let netns = Netns::new(&sandbox.netns);
    let name = attachment.interface.as_str();
    let Some(found) = netlink.interface_in(&netns, name).await.ok()? else {
        return Some(Inside::default());
    };
    // Only a userspace datapath leaves checksums as they are.
    let tx_checksum_offload = match userspace {
        true => netlink.tx_checksum_offload_in(&netns, name).await.ok().flatten(),
        false => None,
    };
    Some(Inside {
        exists: true,
        mac: found.mac.and_then(Mac::from_bytes),
        mtu: found.mtu,
        addresses: found.addresses,
        tx_checksum_offload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_and_no_limit_is_none() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max processes             unlimited            unlimited            processes \n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit(limits, "Max processes"), None);
        assert_eq!(soft_limit(limits, "Max nice priority"), None);
    }

    #[test]
    fn a_process_is_seen_with_its_open_files() {
        let seen = process(std::process::id()).unwrap();
        assert!(seen.open_files > 2 && seen.handlers == 0, "{seen:?}");
        assert_eq!(process(u32::MAX), None);
    }

    #[tokio::test]
    async fn a_daemon_is_absent_dead_silent_or_answers() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("flowport.sock");
        let (soon, text) = (Duration::from_millis(50), socket.display().to_string());
        assert_eq!(daemon(&socket, soon).await, DaemonSeen::Absent);
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(daemon(&socket, soon).await, DaemonSeen::Silent { socket: text.clone() });
        drop(listener);
        assert_eq!(daemon(&socket, soon).await, DaemonSeen::Dead { socket: text });
        fs::remove_file(&socket).unwrap();
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let question = "{\"look\":\"ruling\"}\n";
        for (answer, passive) in [("ruling\":false", true), ("ruling\":true", false), ("refused\":{}", false)]
        {
            let answering = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = vec![0; question.len()];
                stream.read_exact(&mut asked).await.unwrap();
                assert_eq!(asked, question.as_bytes());
                stream.write_all(format!("{{\"{answer}}}\n").as_bytes()).await.unwrap();
                // Until the other side has read it and left.
                while stream.read(&mut [0; 8]).await.is_ok_and(|read| read > 0) {}
            };
            let (seen, ()) = tokio::join!(daemon(&socket, Duration::from_secs(30)), answering);
            assert_eq!(seen, DaemonSeen::Answers { outdated: false, passive }, "{answer}");
        }
    }
}
