//! What people see: `show` and `flows` in eighty columns, progress on a terminal, the daemon's log.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use flowport::lab::{HostOptions, Netns};
use flowport_integration::commands::Flowport;
use flowport_integration::oracle::vsctl;
use flowport_integration::scene::{By, Scene, named};
use flowport_integration::{DEADLINE, container, flowport, host, wait_until};

/// So many ports are worth a progress bar.
const MANY: usize = 24;

async fn many() -> (Vec<Netns>, Vec<String>) {
    let mut containers = Vec::new();
    for _ in 0..MANY {
        containers.push(container().await);
    }
    let line = |(nth, netns): (usize, &Netns)| {
        format!(
            r#"{{"container":"{}","interface":"eth1","ipaddress":"10.0.0.{}/24"}}"#,
            named(netns),
            nth + 1
        )
    };
    let lines = containers.iter().enumerate().map(line).collect();
    (containers, lines)
}

/// What a command prints on a terminal of eighty columns.
async fn on_a_terminal(scene: &Scene, words: &str) -> String {
    let command = format!("stty cols 80; {} {words}", flowport().display());
    let mut script = scene.configured(scene.host.command("script"), ["-qec", command.as_str(), "/dev/null"]);
    let output = scene.host.output(script.env("TERM", "xterm")).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(output.status.success(), "{words}: {text}");
    text
}

async fn bars(by: By) {
    let scene = Scene::start(HostOptions::default(), by).await;
    let (_containers, lines) = many().await;
    let file = scene.host.directory().join("ports");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let of = format!("/{MANY} ports");
    let added = on_a_terminal(&scene, &format!("add-ports br0 {}", file.display())).await;
    assert!(added.contains(&of), "{added:?}");
    let deleted = on_a_terminal(&scene, "del-ports br0 --all").await;
    assert!(deleted.contains(&of), "{deleted:?}");
    // Not where nobody watches.
    assert_eq!(scene.add_ports(&lines).await.err, "");
    assert_eq!(scene.done("del-ports br0 --all").await, "");
}

#[tokio::test]
async fn long_batches_show_how_far_they_are() {
    bars(By::Itself).await;
}

#[tokio::test]
async fn the_daemons_batches_show_how_far_they_are() {
    bars(By::Daemon).await;
}

#[tokio::test]
async fn tables_fit_on_a_terminal() {
    let scene = Scene::start(HostOptions::default(), By::Itself).await;
    let (a, b) = (container().await, container().await);
    let long = "2001:db8:1234:5678:9abc:def0:1234:5678/128";
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.1/24 --ipaddress={long}", named(&a))).await;
    scene
        .done(&format!("add-port br0 a-long-name-0 {} --ipaddress=10.0.0.2/24 --vlan=4000", named(&b)))
        .await;
    for words in ["show", "flows", &format!("flows {}", named(&a))] {
        let seen = on_a_terminal(&scene, words).await;
        assert!(seen.lines().all(|line| line.chars().count() <= 80), "{words}: {seen}");
        // In a file each port and each entry is one line.
        let written = scene.done(words).await;
        assert!(written.lines().count() <= seen.lines().count(), "{written}");
        for word in ["actions=", "10.0.0.", "priority="] {
            assert_eq!(seen.matches(word).count(), written.matches(word).count(), "{word} in {seen}");
        }
    }
    let flows = scene.done("flows").await;
    let heading = |netns: &Netns, interface: &str| format!("  {interface} of {}\n    ", named(netns));
    for heading in [heading(&a, "eth1"), heading(&b, "a-long-name-0"), "  for all\n    ".to_owned()] {
        assert!(flows.contains(&heading), "{heading:?} is not in {flows}");
    }
}

#[tokio::test]
async fn the_daemon_logs_a_line_an_event() {
    let mut host = host(HostOptions::default()).await;
    let commands = Flowport::on(&host);
    let mut daemon = commands.daemon().await;
    commands.ok(&["add-br", "br0", "--datapath=netdev"]).await;
    let netns = container().await;
    let name = named(&netns);
    commands.ok(&["add-port", "br0", "eth1", &name, "--ipaddress=10.0.0.1/24"]).await;
    let port = format!("bridge=br0 container={name} interface=eth1");
    let logged = |log: &str, what: &str| {
        log.lines().filter(|line| line.contains(what) && line.contains(&port)).count()
    };
    let log = daemon.log();
    assert_eq!(logged(&log, "port added"), 1, "{log}");
    // Somebody takes it away, and it comes back.
    let link = commands.ports("br0").await[0]["name"].as_str().unwrap().to_owned();
    vsctl(&host, &["del-port", "br0", &link]).await;
    wait_until(DEADLINE, "it is made anew", async || logged(&daemon.log(), "port added") == 2).await;
    commands.ok(&["set-vlan", "br0", "eth1", &name, "5"]).await;
    assert_eq!(logged(&daemon.log(), "port moved to another VLAN"), 1, "{}", daemon.log());

    // The switch is gone for longer than it takes to try again many times.
    host.ovs_mut().vswitchd().kill().await.unwrap();
    wait_until(DEADLINE, "it is noticed", async || daemon.log().contains("OpenFlow channel lost")).await;
    let opened = daemon.log().matches("OpenFlow channel open").count();
    host.ovs_mut().start_vswitchd().await.unwrap();
    wait_until(DEADLINE, "it is back", async || {
        daemon.log().matches("OpenFlow channel open").count() > opened
    })
    .await;
    commands.ok(&["del-port", "br0", "eth1", &name]).await;
    daemon.stop().await;
    let log = daemon.log();
    assert_eq!(logged(&log, "port removed"), 1, "{log}");
    assert_eq!(log.matches("asked=").count(), 4, "one line for each command: {log}");
    assert!(log.matches("OpenFlow channel lost").count() <= 2, "lost, and then away: {log}");
    assert!(
        log.lines().all(|line| line.len() < 400 && (line.contains(" INFO ") || line.contains(" WARN "))),
        "{log}"
    );
}
