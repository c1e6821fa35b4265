//! Independent witnesses: the tools that users trust, run on a lab host or in a container's namespace. Each
//! panics, with what the tool said, when the tool fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Output, Stdio};

use flowport::lab::{LabHost, Netns, in_netns};
use serde_json::Value;
use tokio::process::Command;

use crate::{DEADLINE, chain, wait_until};

/// `ovs-vsctl ARGS` on the host.
pub async fn vsctl(host: &LabHost, args: &[&str]) -> String {
    // Waits for ovs-vswitchd; a test that has stopped it says --no-wait.
    run(host, "ovs-vsctl", &[&["--timeout=20"], args].concat()).await
}

/// `ovs-ofctl ARGS` on the host, OpenFlow 1.3.
pub async fn ofctl(host: &LabHost, args: &[&str]) -> String {
    run(host, "ovs-ofctl", &[&["-O", "OpenFlow13"], args].concat()).await
}

/// `ovs-appctl ARGS` on the host.
pub async fn appctl(host: &LabHost, args: &[&str]) -> String {
    run(host, "ovs-appctl", args).await
}

/// `ovsdb-client COMMAND ADDRESS ARGS` on the host's database.
pub async fn ovsdb_client(host: &LabHost, command: &str, args: &[&str]) -> String {
    run(host, "ovsdb-client", &[&[command, &host.db()], args].concat()).await
}

/// `docker ARGS` with the host's engine.
pub async fn docker(host: &LabHost, args: &[&str]) -> String {
    run(host, "docker", args).await
}

/// `ip -j -d ARGS` on the host.
pub async fn host_ip(host: &LabHost, args: &[&str]) -> Value {
    ip(host.netns(), args).await
}

/// `ip -j -d ARGS` in a namespace.
pub async fn ip(netns: &Netns, args: &[&str]) -> Value {
    let text = run_in(netns, Command::new("ip").args(["-j", "-d"]).args(args)).await;
    // Nothing to list is nothing at all.
    if text.trim().is_empty() {
        return Value::Array(Vec::new());
    }
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => panic!("ip {args:?}: {error}: {text}"),
    }
}

/// `ip -j -d ARGS` in the namespace of a file, as a container's.
pub async fn ip_at(netns: &Path, args: &[&str]) -> Value {
    let output = output_at(netns, "ip", &[&["-j", "-d"], args].concat()).await;
    assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    // Nothing to list is nothing at all.
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Value::Array(Vec::new()))
}

/// What a program in the namespace of a file returns and prints.
pub async fn output_at(netns: &Path, program: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = match in_netns(netns, || command.spawn()) {
        Ok(Ok(child)) => child,
        other => panic!("{command:?} in {}: {other:?}", netns.display()),
    };
    match child.wait_with_output().await {
        Ok(output) => output,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Runs words, of which the first is a program, in a container.
pub async fn inside(netns: &Netns, words: &str) -> String {
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    run_in(netns, command.args(words)).await
}

/// The flow entries of a bridge by `ovs-ofctl`, without counters, sorted; `filter` as `ovs-ofctl dump-flows` has it.
pub async fn flow_entries(host: &LabHost, bridge: &str, filter: &str) -> Vec<String> {
    let text = ofctl(host, &["--no-stats", "--no-names", "dump-flows", bridge, filter]).await;
    let mut entries: Vec<String> =
        text.lines().map(|line| line.trim().to_owned()).filter(|line| line.contains("actions=")).collect();
    entries.sort();
    entries
}

/// Everything on a host that attaching or detaching might leave changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    /// Names of the host's links.
    pub links: BTreeSet<String>,
    /// Rows of table `Interface`, by identity.
    pub rows: BTreeSet<String>,
    /// Rows of table `Port`, by identity.
    pub ports: BTreeSet<String>,
    /// Flow entries of the bridge.
    pub flows: Vec<String>,
    /// Groups of the bridge.
    pub groups: BTreeSet<String>,
}

impl Traces {
    /// What is there now.
    pub async fn of(host: &LabHost, bridge: &str) -> Self {
        let lines = |text: String| text.lines().map(|line| line.trim().to_owned()).collect::<BTreeSet<_>>();
        let rows = async |table, columns| {
            vsctl(host, &["--format=csv", "--no-headings", columns, "list", table]).await
        };
        let links = host_ip(host, &["link"]).await;
        let links = links.as_array().into_iter().flatten().filter_map(|link| link["ifname"].as_str());
        Self {
            links: links.map(str::to_owned).collect(),
            rows: lines(rows("interface", "--columns=_uuid,name,external_ids,options,ofport").await),
            ports: lines(rows("port", "--columns=_uuid,name,tag,interfaces").await),
            flows: flow_entries(host, bridge, "").await,
            groups: lines(ofctl(host, &["dump-groups", bridge]).await)
                .into_iter()
                .filter(|l| l.contains("group_id"))
                .collect(),
        }
    }
}

/// Whether one of `count` echo requests from the namespace is answered; each waits 1 s at most.
pub async fn pings(netns: &Netns, target: &str, count: u32) -> bool {
    let count = count.to_string();
    let mut command = Command::new("ping");
    command.args(["-n", "-q", "-i", "0.2", "-W", "1", "-c", &count, target]);
    match netns.output(&mut command).await {
        Ok(output) => output.status.success(),
        Err(error) => panic!("{}", chain(&error)),
    }
}

/// TCP from `client` to the address `target` of `server` for one second; bits received per second.
pub async fn tcp_throughput(server: &Netns, client: &Netns, target: &str) -> f64 {
    let mut listen = Command::new("iperf3");
    listen.args(["-s", "-1", "-J"]).kill_on_drop(true).stdout(Stdio::null());
    let mut listener = match server.spawn(&mut listen) {
        Ok(listener) => listener,
        Err(error) => panic!("{}", chain(&error)),
    };
    wait_until(DEADLINE, "iperf3 listens", async || {
        !run_in(server, Command::new("ss").args(["-Hltn", "sport = 5201"])).await.is_empty()
    })
    .await;
    let report = run_in(client, Command::new("iperf3").args(["-J", "-t", "1", "-c", target])).await;
    // A server that no client reached waits for ever.
    if tokio::time::timeout(DEADLINE, listener.wait()).await.is_err() {
        panic!("no client of iperf3 came through to {target}: {report}");
    }
    let report: Value = serde_json::from_str(&report).unwrap_or_default();
    report.pointer("/end/sum_received/bits_per_second").and_then(Value::as_f64).unwrap_or_default()
}

async fn run(host: &LabHost, program: &str, args: &[&str]) -> String {
    match host.run(program, args).await {
        Ok(output) => output,
        Err(error) => panic!("{}", chain(&error)),
    }
}

async fn run_in(netns: &Netns, command: &mut Command) -> String {
    match netns.output(command).await {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => panic!("{command:?} in {}: {}", netns.name(), String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{}", chain(&error)),
    }
}
