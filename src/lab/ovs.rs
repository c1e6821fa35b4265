//! The Open vSwitch of a lab host: its own database, `ovsdb-server` and `ovs-vswitchd`, in the host's namespace.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::{DAEMON_DEADLINE, Daemon, LabDatapath, LabError, Netns};

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// A running Open vSwitch; its daemons' handles are for fault tests.
#[derive(Debug)]
pub struct LabOvs {
    rundir: PathBuf,
    socket: PathBuf,
    netns: Arc<Netns>,
    ovsdb_server: Daemon,
    vswitchd: Daemon,
}

impl LabOvs {
    /// Starts it with an empty database under `rundir`.
    pub(super) async fn start(
        netns: Arc<Netns>,
        rundir: PathBuf,
        datapath: LabDatapath,
    ) -> Result<Self, LabError> {
        let database = rundir.join("conf.db");
        let mut create = Command::new("ovsdb-tool");
        create.arg("create").arg(&database).arg(SCHEMA);
        run(&netns, &mut create).await?;
        let socket = rundir.join("db.sock");
        let ovsdb_server = Daemon::new(&netns, "ovsdb-server", rundir.join("ovsdb-server.log"))
            .arg(database)
            .arg(prefixed("--remote=punix:", &socket))
            .arg("--remote=db:Open_vSwitch,Open_vSwitch,manager_options");
        let vswitchd = Daemon::new(&netns, "ovs-vswitchd", rundir.join("ovs-vswitchd.log"))
            .arg(prefixed("unix:", &socket))
            .args(match datapath {
                LabDatapath::Userspace => &["--disable-system"][..],
                LabDatapath::Kernel => &[],
                LabDatapath::Dummy => &["--disable-system", "--enable-dummy=override"],
            });
        let with_env = |daemon: Daemon| {
            ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVS_SYSCONFDIR"]
                .into_iter()
                .fold(daemon.arg("--pidfile").arg("--no-chdir"), |daemon, name| daemon.env(name, &rundir))
        };
        let (ovsdb_server, vswitchd) = (with_env(ovsdb_server), with_env(vswitchd));
        let mut ovs = Self { rundir, socket, netns, ovsdb_server, vswitchd };
        ovs.start_ovsdb().await?;
        let row = json!({"external_ids": ["map", [["system-id", ovs.netns.name()], ["hostname", ovs.netns.name()]]]});
        ovs.transact(json!([{"op": "insert", "table": "Open_vSwitch", "row": row}])).await?;
        ovs.start_vswitchd().await?;
        Ok(ovs)
    }

    /// The database's address in OVS notation: `unix:/run/lab/hosts/NAME/ovs/db.sock`.
    #[must_use]
    pub fn db(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// `OVS_RUNDIR`: pid files, control sockets, and the bridges' `NAME.mgmt`.
    #[must_use]
    pub fn rundir(&self) -> &Path {
        &self.rundir
    }

    /// The `ovsdb-server`; to be started again by [`Self::start_ovsdb`].
    pub fn ovsdb_server(&mut self) -> &mut Daemon {
        &mut self.ovsdb_server
    }

    /// The `ovs-vswitchd`; to be started again by [`Self::start_vswitchd`].
    pub fn vswitchd(&mut self) -> &mut Daemon {
        &mut self.vswitchd
    }

    /// Starts `ovsdb-server` on the database as it is, and waits until it answers.
    ///
    /// # Errors
    /// It is not ready within 20 s.
    pub async fn start_ovsdb(&mut self) -> Result<(), LabError> {
        self.ovsdb_server.spawn()?;
        let socket = &self.socket;
        self.ovsdb_server.until_ready(async || UnixStream::connect(socket).await.is_ok()).await
    }

    /// Starts `ovs-vswitchd` and waits until it has taken up the whole configuration.
    ///
    /// # Errors
    /// `ovsdb-server` does not answer; it is not ready within 20 s.
    pub async fn start_vswitchd(&mut self) -> Result<(), LabError> {
        let answer = self
            .transact(json!([
                {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]},
                {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]},
            ]))
            .await?;
        let wanted = answer.pointer("/1/rows/0/next_cfg").and_then(Value::as_i64).unwrap_or_default();
        self.vswitchd.spawn()?;
        // Until a row with cur_cfg >= wanted exists: others may raise next_cfg meanwhile.
        let applied = self
            .transact(json!([{
                "op": "wait", "table": "Open_vSwitch", "where": [["cur_cfg", ">=", wanted]],
                "columns": ["cur_cfg"], "until": "!=", "rows": [],
                "timeout": u64::try_from(DAEMON_DEADLINE.as_millis()).unwrap_or(u64::MAX),
            }]))
            .await;
        let applied = applied.is_ok();
        self.vswitchd.until_ready(async || applied).await
    }

    /// Stops `ovs-vswitchd` and starts it again: its ports and flows are as after a restart of the service.
    ///
    /// # Errors
    /// As [`Self::start_vswitchd`].
    pub async fn restart_vswitchd(&mut self) -> Result<(), LabError> {
        self.vswitchd.stop().await?;
        self.start_vswitchd().await
    }

    /// Ends both daemons.
    ///
    /// # Errors
    /// One has not ended within 20 s.
    pub async fn stop(&mut self) -> Result<(), LabError> {
        self.vswitchd.stop().await?;
        self.ovsdb_server.stop().await
    }

    /// One transaction on a connection of its own; an error of any operation is an error.
    async fn transact(&self, operations: Value) -> Result<Value, LabError> {
        let failed = |error| LabError::io(format!("ask {}", self.db()), error);
        let mut params = vec![json!("Open_vSwitch")];
        params.extend(operations.as_array().cloned().unwrap_or_default());
        let request = json!({"method": "transact", "id": 0, "params": params}).to_string();
        let mut stream = UnixStream::connect(&self.socket).await.map_err(failed)?;
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut received = Vec::new();
        let answer: Value = loop {
            if stream.read_buf(&mut received).await.map_err(failed)? == 0 {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            // One request, so one message: whole as soon as it parses.
            if let Ok(answer) = serde_json::from_slice(&received) {
                break answer;
            }
        };
        let result = answer.get("result").cloned().unwrap_or_default();
        let refused = |entry: &Value| entry.get("error").is_some();
        if result.as_array().is_none_or(|entries| entries.iter().any(refused)) {
            return Err(failed(io::Error::other(answer.to_string())));
        }
        Ok(result)
    }
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}

/// Runs a command in `netns`; its failure is an error.
pub(super) async fn run(netns: &Netns, command: &mut Command) -> Result<String, LabError> {
    let output = netns.output(command).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let command = super::netns::describe(command).trim_start_matches("run ").to_owned();
    Err(LabError::Command { command, stderr: format!("{} ({})", said.trim(), output.status) })
}
