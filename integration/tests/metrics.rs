//! The daemon's metrics, scraped as Prometheus does.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use flowport::lab::{HostOptions, in_netns};
use flowport_integration::scene::{By, Scene, named};
use flowport_integration::{DEADLINE, container, wait_until};
use rustix::process::{Pid, Signal, kill_process};

const ADDRESS: &str = "127.0.0.1:9477";

/// Asks over the host's loopback; status line, headers, body.
fn ask(scene: &Scene, question: &str) -> (String, String) {
    let path = scene.host.netns().path().to_owned();
    let question = format!("{question} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    in_netns(&path, || converse(TcpStream::connect(ADDRESS).unwrap(), &question)).unwrap()
}

fn converse(mut stream: impl Read + Write, question: &str) -> (String, String) {
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// The page, once the daemon serves it; every line is checked.
async fn scrape(scene: &Scene) -> BTreeMap<String, f64> {
    let path = scene.host.netns().path().to_owned();
    let listens = async || in_netns(&path, || TcpStream::connect(ADDRESS).is_ok()).unwrap();
    wait_until(DEADLINE, "metrics are served", listens).await;
    let (head, body) = ask(scene, "GET /metrics");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    parsed(&body)
}

/// Every sample by its name and labels. Panics at what OpenMetrics 1.0 does not allow.
fn parsed(page: &str) -> BTreeMap<String, f64> {
    let body = page.strip_suffix("# EOF\n").expect("it ends as it should");
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let (mut family, mut kind, mut helped, mut last_bucket) = (String::new(), String::new(), false, None);
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            match words[0] {
                "HELP" => {
                    assert!(families.insert(words[1].to_owned()), "{line}: twice");
                    assert!(words[2].len() > 10, "{line}: that explains nothing");
                    (family, helped) = (words[1].to_owned(), true);
                }
                "TYPE" => {
                    assert!(helped && words[1] == family, "{line}: not explained");
                    kind = words[2].to_owned();
                }
                "UNIT" => {
                    assert!(words[1] == family && family.ends_with(&format!("_{}", words[2])), "{line}");
                }
                _ => panic!("{line}: unknown"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}: no number"));
        let name = series.split('{').next().unwrap();
        let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}: in the family {family}"));
        let fits = match kind.as_str() {
            "counter" => suffix == "_total",
            "gauge" => suffix.is_empty(),
            "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
            _ => false,
        };
        assert!(fits, "{line}: no sample of a {kind}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{line}");
        if suffix == "_bucket" {
            assert!(last_bucket.is_none_or(|last| last <= value), "{line}: fewer than in the bucket before");
            last_bucket = (!series.contains("le=\"+Inf\"")).then_some(value);
        }
        assert!(samples.insert(series.to_owned(), value).is_none(), "{line}: twice");
    }
    samples
}

async fn start(scene: &mut Scene, words: &str) {
    scene.daemon = Some(scene.spawn(words));
    let socket = scene.socket();
    wait_until(DEADLINE, "the daemon listens", async || UnixStream::connect(&socket).is_ok()).await;
}

#[tokio::test]
async fn what_is_there_and_what_has_happened_can_be_scraped() {
    let mut scene = Scene::start(HostOptions::with_docker(), By::Itself).await;
    scene.done("add-br br1 --datapath=netdev --plain").await;
    start(&mut scene, &format!("daemon --metrics={ADDRESS}")).await;
    let engine = scene.host.docker().unwrap();
    engine.import_busybox("busybox").await.unwrap();
    engine.run_container("web", "busybox", "none", &["sleep", "600"]).await.unwrap();
    let db = container().await;
    scene.done("add-port br0 eth1 web --ipaddress=10.0.0.1/24").await;
    scene.done(&format!("add-port br0 eth1 {} --ipaddress=10.0.0.2/24", named(&db))).await;
    scene.done(&format!("add-port br1 eth2 {} --ipaddress=10.0.1.2/24", named(&db))).await;
    scene.refused("add-port br0 eth1 web --ipaddress=10.0.0.1/24", &["already"]).await;

    let page = scrape(&scene).await;
    let value = |series: &str| *page.get(series).unwrap_or_else(|| panic!("{series} is not in {page:#?}"));
    for (count, of) in [(2.0, "br0"), (1.0, "br1")] {
        for name in ["desired", "wanted", "observed", "converged"] {
            assert_eq!(value(&format!("flowport_endpoints_{name}{{bridge=\"{of}\"}}")), count, "{name} {of}");
        }
        assert_eq!(value(&format!("flowport_endpoints_failed{{bridge=\"{of}\"}}")), 0.0);
    }
    let installed = scene.flows("br0").await;
    let groups = installed.iter().filter(|line| line.contains("group_id=")).count();
    assert_eq!(value("flowport_groups{bridge=\"br0\"}"), groups as f64);
    assert_eq!(value("flowport_flow_entries{bridge=\"br0\"}"), (installed.len() - groups) as f64);
    assert!(
        !page.contains_key("flowport_flow_entries{bridge=\"br1\"}"),
        "a plain bridge's table is not ours"
    );
    for name in [
        "flowport_bridge_connected{bridge=\"br0\"}",
        "flowport_bridge_in_sync{bridge=\"br0\"}",
        "flowport_in_sync",
        "flowport_ruling",
    ] {
        assert_eq!(value(name), 1.0, "{name}");
    }
    for (kind, count) in [("add-link", 3.0), ("add-port", 3.0), ("record", 3.0)] {
        assert_eq!(
            value(&format!("flowport_effects_total{{kind=\"{kind}\",outcome=\"done\"}}")),
            count,
            "{kind}"
        );
    }
    let add_ports = "flowport_intent_duration_seconds_count{intent=\"add-ports\",outcome";
    assert_eq!(value(&format!("{add_ports}=\"done\"}}")), 3.0);
    assert_eq!(value(&format!("{add_ports}=\"refused\"}}")), 1.0);
    for name in [
        "flowport_bundle_messages_count",
        "flowport_bundle_duration_seconds_sum",
        "flowport_round_duration_seconds_count",
        "flowport_ovsdb_transaction_duration_seconds_sum{database=\"open_vswitch\"}",
        "flowport_ovsdb_transaction_duration_seconds_sum{database=\"flowport_local\"}",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "process_max_fds",
    ] {
        assert!(value(name) > 0.0, "{name} is {}", value(name));
    }
    let pid = scene.daemon.as_ref().and_then(tokio::process::Child::id).unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64;
    // The connection of the scrape is one of them, and another may have ended meanwhile.
    assert!((value("process_open_fds") - open).abs() <= 3.0, "{} and {open}", value("process_open_fds"));

    let pid = engine.container_pid("web").await.unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    scene.host.ovs_mut().vswitchd().kill().await.unwrap();
    scene.host.ovs_mut().start_vswitchd().await.unwrap();
    scene.host.ovs_mut().ovsdb_server().kill().await.unwrap();
    scene.host.ovs_mut().start_ovsdb().await.unwrap();
    let all = [
        ("flowport_docker_events_total{action=\"die\"}", 1.0),
        ("flowport_endpoints_desired{bridge=\"br0\"}", 2.0),
        ("flowport_endpoints_converged{bridge=\"br0\"}", 1.0),
        ("flowport_connections_lost_total{peer=\"datapath\"}", 1.0),
        ("flowport_connections_lost_total{peer=\"open_vswitch\"}", 1.0),
    ];
    wait_until(DEADLINE, "what happened is counted", async || {
        let page = scrape(&scene).await;
        all.iter().all(|(series, count)| page.get(*series) == Some(count))
    })
    .await;
}

#[tokio::test]
async fn metrics_are_on_a_socket_or_refused_in_one_line() {
    let mut scene = Scene::start(HostOptions::default(), By::Itself).await;
    let socket = scene.host.directory().join("metrics.sock");
    start(&mut scene, &format!("daemon --metrics=unix:{}", socket.display())).await;
    wait_until(DEADLINE, "metrics are served", async || UnixStream::connect(&socket).is_ok()).await;
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let asked = |question: &str| {
        let stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        converse(stream, &format!("{question} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    };
    assert!(parsed(&asked("GET /metrics").1).contains_key("flowport_in_sync"));
    assert!(asked("GET /").0.starts_with("http/1.1 404 "));
    assert!(asked("DELETE /metrics").0.starts_with("http/1.1 405 "));
    assert!(asked("nonsense").0.starts_with("http/1.1 400 "));
    // Those who say nothing keep nobody from asking.
    let _silent: Vec<_> = (0..8).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    assert!(asked("GET /metrics").0.starts_with("http/1.1 200 "));

    scene.end_daemon(Signal::TERM).await;
    assert!(!socket.exists(), "it takes its socket along");

    let _theirs = UnixListener::bind(&socket).unwrap();
    let other = "daemon --socket=/nonexistent/socket";
    scene.run(&format!("{other} --metrics=unix:{}", socket.display())).await.refused(&[
        "metrics",
        "in use",
        "--metrics",
    ]);
    scene.run(&format!("{other} --metrics=192.0.2.1:9477")).await.refused(&["192.0.2.1:9477", "--metrics"]);
    let said = scene.run(&format!("{other} --metrics=here")).await;
    assert!(said.code == Some(2) && said.err.contains("127.0.0.1:9477"), "{said:?}");
}
