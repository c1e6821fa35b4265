//! A lab host with a managed bridge, on which commands are run, by themselves or through a daemon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what tests are made of"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use crate::{DEADLINE, chain, flowport, host, wait_until};
use flowport::lab::{HostOptions, LabHost, Netns};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::pinger::Moment;

/// Who carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The command.
    Itself,
    /// The daemon, asked on its socket.
    Daemon,
}

/// Columns that ovs-vswitchd writes, by table (ovs-vswitchd.conf.db(5)).
const STATUS: [(&str, &[&str]); 3] = [
    ("bridge", &["datapath_id", "datapath_version", "rstp_status", "status"]),
    ("port", &["bond_active_slave", "rstp_statistics", "rstp_status", "statistics", "status"]),
    (
        "interface",
        &[
            "admin_state",
            "bfd_status",
            "cfm_fault",
            "cfm_fault_status",
            "cfm_flap_count",
            "cfm_health",
            "cfm_remote_mpids",
            "cfm_remote_opstate",
            "duplex",
            "error",
            "ifindex",
            "lacp_current",
            "link_resets",
            "link_speed",
            "link_state",
            "mac_in_use",
            "mtu",
            "ofport",
            "statistics",
            "status",
        ],
    ),
];

/// A host and, perhaps, its daemon.
#[derive(Debug)]
pub struct Scene {
    /// The host.
    pub host: LabHost,
    /// Its daemon, while it runs.
    pub daemon: Option<Child>,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Said {
    /// Asserts that it was refused in one line that has these words.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
        assert!(self.err.starts_with("flowport: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {self:?}");
        }
    }
}

impl Scene {
    /// A host with a managed bridge br0.
    pub async fn start(options: HostOptions, by: By) -> Self {
        Self::with_bridge(options, by, "").await
    }

    /// A host with a managed bridge br0 that `add-br` made with these options, too.
    pub async fn with_bridge(options: HostOptions, by: By, words: &str) -> Self {
        let mut scene = Self { host: host(options).await, daemon: None };
        if by == By::Daemon {
            scene.start_daemon().await;
        }
        scene.done(&format!("add-br br0 --datapath=netdev {words}")).await;
        scene
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.host.directory().join("flowport/flowport.sock")
    }

    /// What the daemons of this host say.
    pub fn log(&self) -> PathBuf {
        self.host.directory().join("daemon.log")
    }

    /// Starts the daemon, and returns when it listens.
    pub async fn start_daemon(&mut self) {
        self.daemon = Some(self.spawn("daemon"));
        accepts(&self.socket()).await;
    }

    /// Starts both daemons of Open vSwitch on the database as it is.
    pub async fn start_ovs(&mut self) {
        let ovs = self.host.ovs_mut();
        ovs.start_ovsdb().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        ovs.start_vswitchd().await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    }

    /// Ends the daemon, by SIGTERM or by SIGKILL, and waits for its end.
    pub async fn end_daemon(&mut self, with: Signal) {
        let mut daemon = self.daemon.take().expect("it runs");
        signal(&daemon, with);
        daemon.wait().await.expect("its end");
    }

    /// `flowport WORDS`, to be run on the host.
    pub fn command(&self, words: &str) -> Command {
        self.configured(self.host.command(&flowport().display().to_string()), words.split_whitespace())
    }

    /// Words that hold blanks.
    pub fn configured<'a>(&self, mut command: Command, words: impl IntoIterator<Item = &'a str>) -> Command {
        command
            .args(words)
            .env("FLOWPORT_DB", self.host.db())
            .env("FLOWPORT_SOCKET", self.socket())
            .env("FLOWPORT_STATE", self.host.directory().join("state"))
            .env_remove("RUST_LOG")
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts `flowport WORDS`.
    pub fn spawn(&self, words: &str) -> Child {
        let mut command = self.command(words);
        if words.starts_with("daemon") {
            let log = std::fs::File::options().create(true).append(true).open(self.log()).expect("a log");
            command.stdout(Stdio::null()).stderr(log);
        }
        self.host.spawn(&mut command).unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Runs `flowport WORDS` to its end.
    pub async fn run(&self, words: &str) -> Said {
        self.host
            .output(&mut self.command(words))
            .await
            .unwrap_or_else(|error| panic!("{}", chain(&error)))
            .into()
    }

    /// The same, which must succeed.
    #[track_caller]
    pub fn done<'a>(&'a self, words: &'a str) -> impl Future<Output = String> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let said = self.run(words).await;
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{caller}: {words}: {said:?}");
            said.out
        }
    }

    /// Runs a command that must be refused in one line with these words, and must change nothing.
    pub async fn refused(&self, command: &str, words: &[&str]) {
        let before = self.seen().await;
        let said = self.run(command).await;
        said.refused(words);
        same(&before, &self.seen().await);
    }

    /// Runs `add-ports br0 -` with these lines.
    pub async fn add_ports(&self, lines: &[String]) -> Said {
        let file = self.host.directory().join("ports");
        std::fs::write(&file, lines.join("\n")).expect("a file");
        self.run(&format!("add-ports br0 {}", file.display())).await
    }

    /// All that a command could leave: rows, links, flow entries, groups, records.
    pub async fn seen(&self) -> BTreeSet<String> {
        let mut seen = self.rows().await;
        seen.extend(self.links().await);
        for bridge in self.tool("ovs-vsctl", "--no-wait list-br").await.lines() {
            seen.extend(self.flows(bridge).await);
        }
        seen.extend(self.records().await);
        seen
    }

    /// Rows of the database of Open vSwitch.
    pub async fn rows(&self) -> BTreeSet<String> {
        let mut rows = BTreeSet::new();
        for (table, columns) in [
            ("bridge", "name,external_ids,fail_mode,ports"),
            ("port", "name,tag,external_ids"),
            ("interface", "name,type,external_ids"),
        ] {
            let listed = self
                .tool(
                    "ovs-vsctl",
                    &format!("--no-wait -f csv --no-headings --columns={columns} list {table}"),
                )
                .await;
            rows.extend(listed.lines().map(|line| format!("{table} {line}")));
        }
        rows
    }

    /// Rows of bridges, ports and interfaces that are others', whole but for what ovs-vswitchd writes: a line a column.
    pub async fn foreign_rows(&self, ours: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut foreign = BTreeSet::new();
        let mut ports = BTreeSet::new();
        for (table, status) in STATUS {
            for row in self.whole_rows(table).await {
                let name = row["name"].as_str().unwrap_or_default().to_owned();
                if ours(&name) {
                    continue;
                }
                if table == "port" {
                    ports.insert(row["_uuid"].to_string());
                }
                let kept = row.iter().filter(|(column, _)| !status.contains(&column.as_str()));
                foreign.extend(kept.map(|(column, value)| format!("{table} {name}: {column}={value}")));
            }
        }
        // A bridge of ours may have a port of theirs.
        for row in self.whole_rows("bridge").await {
            let listed = row["ports"].to_string();
            let theirs = ports.iter().filter(|port| listed.contains(port.as_str()));
            foreign.extend(theirs.map(|port| format!("bridge {} has port {port}", row["name"])));
        }
        foreign
    }

    /// The rows of a table with all their columns.
    async fn whole_rows(&self, table: &str) -> Vec<BTreeMap<String, Value>> {
        let listed = self.tool("ovs-vsctl", &format!("--no-wait -f json list {table}")).await;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let headings = listed["headings"].as_array().unwrap();
        let columns = headings.iter().map(|heading| heading.as_str().unwrap().to_owned());
        let of_row = |row: &Value| columns.clone().zip(row.as_array().unwrap().iter().cloned()).collect();
        listed["data"].as_array().unwrap().iter().map(of_row).collect()
    }

    /// Links of the host.
    pub async fn links(&self) -> BTreeSet<String> {
        let listed = self.tool("ip", "-o link").await;
        listed
            .lines()
            .filter_map(|line| Some(format!("link {}", line.split(": ").nth(1)?.split('@').next()?)))
            .collect()
    }

    /// Names of the links that are host ends of ours.
    pub async fn host_ends(&self) -> BTreeSet<String> {
        self.links()
            .await
            .into_iter()
            .filter_map(|link| Some(link.strip_prefix("link ")?.to_owned()))
            .filter(|name| name.starts_with("fp"))
            .collect()
    }

    /// Names of the ports in the database that are ours.
    pub async fn ports(&self) -> BTreeSet<String> {
        let listed =
            self.tool("ovs-vsctl", "--no-wait -f csv --no-headings --columns=name list interface").await;
        listed
            .lines()
            .map(|name| name.trim_matches('"').to_owned())
            .filter(|name| name.starts_with("fp"))
            .collect()
    }

    /// Names of ports that are ours, by their OpenFlow numbers.
    pub async fn port_numbers(&self) -> BTreeMap<u64, String> {
        let listed = self
            .tool("ovs-vsctl", "--no-wait -f csv --no-headings --columns=name,ofport list interface")
            .await;
        let numbered = listed.lines().filter_map(|line| line.split_once(','));
        numbered
            .filter(|(name, _)| name.starts_with("fp"))
            .filter_map(|(name, number)| Some((number.parse().ok()?, name.to_owned())))
            .collect()
    }

    /// Flow entries and groups of a bridge.
    pub async fn flows(&self, bridge: &str) -> BTreeSet<String> {
        let flows = self.tool("ovs-ofctl", &format!("-O OpenFlow13 dump-flows {bridge} --no-stats")).await;
        let groups = self.tool("ovs-ofctl", &format!("-O OpenFlow13 dump-groups {bridge}")).await;
        flows
            .lines()
            .chain(groups.lines())
            .filter(|line| !line.starts_with("OFP"))
            .map(|line| format!("{bridge} {}", line.trim()))
            .collect()
    }

    /// Whether br0 holds these flow entries and groups, and answers at all.
    pub async fn forwards(&self, flows: &BTreeSet<String>) -> bool {
        let words = ["-O", "OpenFlow13", "dump-flows", "br0"];
        self.host.run("ovs-ofctl", &words).await.is_ok() && self.flows("br0").await == *flows
    }

    /// Host ends of the endpoints that have flow entries.
    pub async fn endpoints_with_flows(&self, bridge: &str) -> BTreeSet<String> {
        let flows = self.flows(bridge).await;
        let cookies = flows
            .iter()
            .filter_map(|flow| Some(flow.split("cookie=0xf10f").nth(1)?.split(',').next()?.to_owned()));
        cookies
            .filter(|endpoint| endpoint != "000000000000")
            .map(|endpoint| format!("fp{endpoint}"))
            .collect()
    }

    /// The daemon's records; none when there never was one.
    pub async fn records(&self) -> BTreeSet<String> {
        let socket = self.host.directory().join("flowport/local.sock");
        if UnixStream::connect(&socket).is_err() {
            return BTreeSet::new();
        }
        let words =
            format!("dump unix:{} Flowport_Local Attachment endpoint addresses vlan", socket.display());
        let listed = self.tool("ovsdb-client", &words).await;
        listed.lines().skip(3).map(|line| format!("record {line}")).collect()
    }

    /// A tool that must succeed.
    pub async fn tool(&self, program: &str, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.host.run(program, &words).await.unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Whether links, ports, and endpoints with flow entries are the same: nothing is half-made.
    pub async fn whole(&self) -> bool {
        let links = self.host_ends().await;
        links == self.ports().await && links == self.endpoints_with_flows("br0").await
    }
}

/// Waits until somebody listens on a socket, and returns when that was seen.
pub async fn accepts(socket: &Path) -> Moment {
    let listens = async || UnixStream::connect(socket).is_ok();
    wait_until(DEADLINE, &format!("somebody listens on {}", socket.display()), listens).await;
    Moment::now()
}

/// The metrics that are served on a socket, or nothing while they are not.
pub async fn metrics(socket: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut stream) = tokio::net::UnixStream::connect(socket).await {
        let question = b"GET /metrics HTTP/1.1\r\nHost: flowport\r\nConnection: close\r\n\r\n";
        // A daemon that is not there yet has nothing to tell.
        if stream.write_all(question).await.is_ok() {
            let _ = stream.read_to_string(&mut text).await;
        }
    }
    text
}

/// Asserts that nothing has come or gone.
#[track_caller]
pub fn same(before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let difference: Vec<_> = before.symmetric_difference(after).collect();
    assert!(difference.is_empty(), "{difference:#?}");
}

/// Sends a signal to a process that runs.
pub fn signal(process: &Child, signal: Signal) {
    let pid = process.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).expect("it runs");
    kill_process(pid, signal).expect("it can be signalled");
}

/// Names of the links inside a container.
pub async fn inside(container: &Netns) -> BTreeSet<String> {
    let mut command = Command::new("ip");
    let output = container.output(command.args(["-o", "link"])).await.expect("ip");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| Some(line.split(": ").nth(1)?.split('@').next()?.to_owned())).collect()
}

/// `netns:NAME`.
pub fn named(container: &Netns) -> String {
    format!("netns:{}", container.name())
}
