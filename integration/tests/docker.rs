//! A real Docker Engine of our own. Needs root, private network, mount and pid namespaces, and busybox.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod private;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use flowport::docker::{Docker, DockerError, Event, Events};
use flowport::netlink::{Netlink, Netns, VethSpec};
use futures_util::StreamExt;
use private::{DEADLINE, refuse_a_shared_network, run};
use tempfile::TempDir;
use tokio::time::timeout;

/// An engine with its own data, in our namespaces; killed when dropped.
struct Engine {
    process: Child,
    host: String,
    directory: TempDir,
}

impl Engine {
    async fn start() -> Self {
        refuse_a_shared_network();
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        let host = format!("unix://{}", at("docker.sock"));
        let log = std::fs::File::create(at("log")).unwrap();
        let process = Command::new("dockerd")
            .args(["--host", &host, "--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--bridge", "none", "--iptables=false", "--ip6tables=false"])
            .args(["--storage-driver", "vfs"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let engine = Self { process, host, directory };
        let docker = engine.docker();
        let up = async {
            while docker.containers().await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        if timeout(DEADLINE, up).await.is_err() {
            panic!("{}", std::fs::read_to_string(engine.directory.path().join("log")).unwrap());
        }
        engine.import_busybox();
        engine
    }

    fn import_busybox(&self) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::copy(busybox(), root.path().join("bin/busybox")).unwrap();
        let tar = root.path().join("image.tar").display().to_string();
        run("tar", &["-C", &root.path().display().to_string(), "-cf", &tar, "bin"]);
        self.run(&["import", &tar, "busybox"]);
    }

    fn docker(&self) -> Docker {
        Docker::connect_to(&self.host)
    }

    /// The docker CLI.
    fn run(&self, arguments: &[&str]) -> String {
        run("docker", &[&["--host", &self.host], arguments].concat()).trim().to_owned()
    }

    /// Starts a container without a network and returns its id.
    fn container(&self, name: &str) -> String {
        self.run(&["run", "-d", "--name", name, "--net", "none", "busybox", "/bin/busybox", "sleep", "3600"])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let ids = Command::new("docker").args(["--host", &self.host, "ps", "-aq"]).output();
        let ids = String::from_utf8(ids.map(|output| output.stdout).unwrap_or_default()).unwrap_or_default();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        let _ = Command::new("docker").args(["--host", &self.host, "rm", "-f"]).args(ids).output();
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
        // The engine leaves the mounts of its data behind, and they would keep the directory.
        let directory = self.directory.path().display().to_string();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let ours = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in ours.filter(|mount| mount.starts_with(&directory)) {
            let _ = Command::new("umount").args(["-l", mount]).status();
        }
    }
}

fn busybox() -> &'static Path {
    let places = ["/bin/busybox", "/usr/bin/busybox"];
    places.into_iter().map(Path::new).find(|path| path.exists()).expect("busybox-static is installed")
}

async fn event(events: &mut Events, wanted: &Event) {
    let search = async { while events.next().await.expect("the stream goes on").unwrap() != *wanted {} };
    timeout(DEADLINE, search).await.unwrap_or_else(|_| panic!("{wanted:?} did not come"));
}

#[tokio::test]
async fn containers_are_known_and_their_lives_followed() {
    let engine = Engine::start().await;
    let docker = engine.docker();
    let mut events = docker.events().await.unwrap();
    let id = engine.container("web");
    event(&mut events, &Event::Started { id: id.clone() }).await;

    let by_name = docker.container("web").await.unwrap();
    assert_eq!((by_name.id.as_str(), by_name.name.as_str()), (id.as_str(), "web"));
    assert_eq!((by_name.running, by_name.network_mode.as_str()), (true, "none"));
    let pid = engine.run(&["inspect", "-f", "{{.State.Pid}}", "web"]);
    assert_eq!(by_name.pid, Some(pid.parse().unwrap()));
    assert_eq!(docker.container(&id[..12]).await.unwrap(), by_name);
    assert_eq!(docker.containers().await.unwrap(), vec![by_name.clone()]);

    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        docker.container("web").await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    println!("inspect: median {:?}, worst {:?}", times[25], times[49]);

    // A sandbox as the engine really makes it, IPv6 switched off.
    let netlink = Netlink::open();
    let spec = VethSpec {
        host_name: "dk0".into(),
        alias: "flowport test".into(),
        sandbox: Netns::of_process(by_name.pid.unwrap()),
        name: "eth1".into(),
        mac: [2, 0, 0, 0, 0, 1],
        mtu: None,
        addresses: vec!["10.9.0.2/24".parse().unwrap(), "fd09::2/64".parse().unwrap()],
        gateways: vec!["10.9.0.1".parse().unwrap(), "fd09::1".parse().unwrap()],
        routes: vec![],
        tx_checksum_offload: false,
    };
    netlink.add_veth(&spec).await.unwrap();
    let inside = engine.run(&["exec", "web", "/bin/busybox", "ip", "address", "show", "dev", "eth1"]);
    assert!(inside.contains("10.9.0.2/24") && inside.contains("fd09::2/64"), "{inside}");

    engine.run(&["rename", "web", "shop"]);
    event(&mut events, &Event::Renamed { id: id.clone(), name: "shop".into() }).await;
    engine.run(&["kill", "shop"]);
    event(&mut events, &Event::Died { id: id.clone() }).await;
    let stopped = docker.container("shop").await.unwrap();
    assert_eq!((stopped.running, stopped.pid), (false, None));
    assert_eq!(docker.containers().await.unwrap(), vec![stopped]);
    engine.run(&["rm", "shop"]);
    event(&mut events, &Event::Destroyed { id: id.clone() }).await;
    let error = docker.container("shop").await.unwrap_err();
    assert!(matches!(error, DockerError::NoSuchContainer { name } if name == "shop"));
    assert!(docker.containers().await.unwrap().is_empty());

    // More containers than hexadecimal digits: two ids begin alike.
    let ids: Vec<String> = (0..17)
        .map(|nth| {
            engine.run(&["create", "--name", &format!("c{nth}"), "--net", "none", "busybox", "/bin/busybox"])
        })
        .collect();
    let shared =
        ids.iter().map(|id| &id[..1]).find(|first| ids.iter().filter(|id| id.starts_with(first)).count() > 1);
    let error = docker.container(shared.unwrap()).await.unwrap_err();
    assert!(matches!(error, DockerError::Ambiguous { .. }), "{error:?}");

    let directory = engine.directory.path().to_owned();
    drop(engine);
    let end = async { while events.next().await.expect("an error first").is_ok() {} };
    timeout(DEADLINE, end).await.expect("the end of the engine is noticed");
    assert!(events.next().await.is_none());
    assert!(matches!(docker.containers().await, Err(DockerError::NotRunning { .. })));
    assert!(!directory.exists(), "nothing is left of the engine");
}
