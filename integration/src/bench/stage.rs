//! Where it is measured: a lab host with a bridge, containers, and the two programs.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowport::lab::{DockerContainer, HostOptions, LabDatapath, LabHost, in_netns};
use flowport::model::EndpointId;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::process::Child;

use super::BenchError;
use crate::scene::metrics;
use crate::{DEADLINE, flowport, oracle, wait_until};

/// The bridge that all containers are attached to.
pub(super) const BRIDGE: &str = "br0";
/// The interface inside.
pub(super) const INTERFACE: &str = "eth1";
/// The tool to compare with.
const PEER: &str = "/usr/bin/ovs-docker";
const IMAGE: &str = "busybox:lab";

pub(super) struct Stage {
    pub(super) host: LabHost,
    pub(super) containers: Vec<DockerContainer>,
    env: Vec<(&'static str, OsString)>,
    daemon: Option<Child>,
    socket: PathBuf,
}

impl Stage {
    /// Starts the host, its bridge and so many containers, which have no port yet.
    pub(super) async fn set(containers: usize) -> Result<Self, BenchError> {
        note("starting a host with Open vSwitch and Docker");
        let host = crate::host(HostOptions::with_docker()).await;
        let engine = host.docker().ok_or("the host has no Docker Engine")?;
        engine.import_busybox(IMAGE).await?;
        note(&format!("starting {containers} containers"));
        let mut started = Vec::new();
        for nth in 1..=containers {
            started.push(engine.run_container(&format!("c{nth}"), IMAGE, "none", &["sleep", "86400"]).await?);
        }
        let stage = Self::on(host, started);
        stage.flowport(&["add-br", BRIDGE, "--datapath=netdev"])?;
        Ok(stage)
    }

    /// A host without Docker and bridges, on which nothing forwards packets.
    pub(super) async fn without_packets() -> Self {
        note("starting a host with Open vSwitch's dummy datapath");
        let options = HostOptions { datapath: LabDatapath::Dummy, ..HostOptions::default() };
        Self::on(crate::host(options).await, Vec::new())
    }

    fn on(host: LabHost, containers: Vec<DockerContainer>) -> Self {
        let socket = host.directory().join("flowport.sock");
        let rundir = host.ovs().rundir();
        let mut env: Vec<(_, OsString)> = vec![
            ("OVS_RUNDIR", rundir.into()),
            ("OVS_DBDIR", rundir.into()),
            ("OVS_LOGDIR", rundir.into()),
            ("FLOWPORT_DB", host.db().into()),
            ("FLOWPORT_SOCKET", socket.clone().into()),
            ("FLOWPORT_STATE", host.directory().join("state").into()),
            ("FLOWPORT_METRICS", format!("unix:{}", host.directory().join("metrics").display()).into()),
        ];
        env.extend(host.docker().map(|engine| ("DOCKER_HOST", engine.address().into())));
        Self { host, containers, env, daemon: None, socket }
    }

    /// Ends ovs-vswitchd, which the kernel takes 10 to 20 ms for with each port that it listened to: with thousands of them
    /// longer than a daemon is given.
    pub(super) async fn kill_vswitchd(&mut self) -> Result<(), BenchError> {
        const TRIES: usize = 9;
        let vswitchd = self.host.ovs_mut().vswitchd();
        for _ in 1..TRIES {
            if vswitchd.kill().await.is_ok() {
                return Ok(());
            }
        }
        Ok(vswitchd.kill().await?)
    }

    /// Ends it all in good order.
    pub(super) async fn strike(mut self) -> Result<(), BenchError> {
        self.stop_daemon().await?;
        Ok(self.host.stop().await?)
    }

    /// The address of the nth container, in the notation of both programs.
    pub(super) fn address(nth: usize) -> String {
        format!("10.77.{}.{}/16", nth / 250, nth % 250 + 1)
    }

    /// `flowport ARGS`, from exec to exit.
    pub(super) fn flowport(&self, args: &[&str]) -> Result<Duration, BenchError> {
        self.time(&flowport(), &[args.iter().map(ToString::to_string).collect()])
    }

    /// `ovs-docker ARGS` so many times, one after the other. None: there is no such program.
    pub(super) fn ovs_docker(&self, calls: &[Vec<String>]) -> Result<Option<Duration>, BenchError> {
        Path::new(PEER).is_file().then(|| self.time(Path::new(PEER), calls)).transpose()
    }

    /// Processes one after the other, with the host's environment, which have nothing to complain about.
    pub(super) fn time(&self, program: &Path, calls: &[Vec<String>]) -> Result<Duration, BenchError> {
        in_netns(self.host.netns().path(), || {
            let start = Instant::now();
            for args in calls {
                let mut command = Command::new(program);
                command.args(args).envs(self.env.iter().cloned()).stdin(Stdio::null());
                let output = command.output()?;
                // ovs-docker goes on after an `ip` that failed, and says so on standard error only.
                if !output.status.success() || !output.stderr.is_empty() {
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    return Err(format!("{} {}: {said}", program.display(), args.join(" ")).into());
                }
            }
            Ok(start.elapsed())
        })?
    }

    /// Starts the daemon and waits until it answers.
    pub(super) async fn start_daemon(&mut self) -> Result<(), BenchError> {
        self.spawn_daemon()?;
        // It lets callers queue before it is ready: when it has answered one, even with a refusal, it is.
        let socket = &self.socket;
        wait_until(DEADLINE, "the daemon listens", async || UnixStream::connect(socket).await.is_ok()).await;
        let _ = self.flowport(&["del-port", BRIDGE, INTERFACE, "nobody"]);
        Ok(())
    }

    /// Starts the daemon.
    pub(super) fn spawn_daemon(&mut self) -> Result<(), BenchError> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.host.directory().join("flowport.log"))?;
        let mut command = tokio::process::Command::new(flowport());
        command.arg("daemon").envs(self.env.iter().cloned()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(self.host.spawn(&mut command)?);
        Ok(())
    }

    /// The daemon's metrics, or nothing while it does not serve them.
    pub(super) async fn metrics(&self) -> String {
        metrics(&self.host.directory().join("metrics")).await
    }

    /// The daemon's memory that is in use (`VmRSS`), in MB.
    pub(super) fn daemon_megabytes(&self) -> Result<f64, BenchError> {
        let pid = self.daemon.as_ref().and_then(Child::id).ok_or("the daemon does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        Ok(kib.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0 / 1e6)
    }

    /// Ends the daemon; the ports stay.
    pub(super) async fn stop_daemon(&mut self) -> Result<(), BenchError> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        if let Some(pid) =
            daemon.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        tokio::time::timeout(DEADLINE, daemon.wait()).await??;
        Ok(())
    }

    /// Checks that so many interfaces of containers are ports that Open vSwitch has taken up, no more and no fewer.
    pub(super) async fn expect_ports(&self, wanted: usize) -> Result<(), BenchError> {
        let columns = "--columns=name,ofport,error,external_ids";
        let text = oracle::vsctl(&self.host, &["--format=json", columns, "list", "interface"]).await;
        let table: Value = serde_json::from_str(&text)?;
        let rows = table["data"].as_array().cloned().unwrap_or_default();
        let of_container = |row: &&Value| row[3].to_string().contains("container_iface");
        let found: Vec<&Value> = rows.iter().filter(of_container).collect();
        if found.len() != wanted {
            return Err(
                format!("{wanted} ports of containers were to be there, but {} are", found.len()).into()
            );
        }
        match found.iter().find(|row| row[1].as_i64().is_none_or(|ofport| ofport <= 0)) {
            None => Ok(()),
            Some(row) => Err(format!("a port that was made does not work: {row}").into()),
        }
    }

    /// Checks that a bridge has flow entries of so many endpoints.
    pub(super) async fn expect_flows(&self, bridge: &str, wanted: usize) -> Result<(), BenchError> {
        let text = oracle::ofctl(&self.host, &["dump-flows", bridge]).await;
        let cookies = text.split("cookie=0x").skip(1).filter_map(|rest| rest.split(',').next());
        let cookies = cookies.filter_map(|digits| u64::from_str_radix(digits, 16).ok());
        let endpoints: BTreeSet<EndpointId> = cookies.filter_map(EndpointId::from_cookie).collect();
        if endpoints.len() == wanted {
            return Ok(());
        }
        Err(format!(
            "{wanted} containers were to have flow entries on {bridge}, but {} have",
            endpoints.len()
        )
        .into())
    }

    /// Waits until ovs-vswitchd has done everything that it was told, so that what is measured next does not wait for
    /// what was measured before. Returns how long that took.
    pub(super) async fn settle(&self) -> Result<Duration, BenchError> {
        let start = Instant::now();
        // Not --no-wait: it waits for cur_cfg.
        let ask = ["--timeout=120", "remove", "open_vswitch", ".", "external_ids", "bench"];
        self.host
            .run("ovs-vsctl", &[&ask[..1], &["set", "open_vswitch", ".", "external_ids:bench=1"]].concat())
            .await?;
        self.host.run("ovs-vsctl", &ask).await?;
        Ok(start.elapsed())
    }

    /// Checks that the nth container has its interface, up and with its address.
    pub(super) async fn expect_address(&self, nth: usize) -> Result<(), BenchError> {
        let container = self.containers.get(nth).ok_or("no such container")?;
        let netns = format!("--net={}", container.netns().display());
        let text = self
            .host
            .run("nsenter", &[&netns, "ip", "-o", "address", "show", "up", "dev", INTERFACE])
            .await?;
        if text.contains(&Self::address(nth)) {
            return Ok(());
        }
        Err(format!("{} has no {} on {INTERFACE}: {text}", container.name, Self::address(nth)).into())
    }

    /// The names of all containers.
    pub(super) fn names(&self) -> Vec<&str> {
        self.containers.iter().map(|container| container.name.as_str()).collect()
    }

    /// A file for the measurement, with this text.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<String, BenchError> {
        let path = self.host.directory().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }
}

/// Says what is being done.
#[expect(clippy::print_stderr, reason = "a bench tells what it is at")]
pub(super) fn note(what: &str) {
    eprintln!("bench: {what}");
}
