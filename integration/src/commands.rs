//! The `flowport` executable on a lab host, called as its users call it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use flowport::lab::{HostOptions, LabHost, Netns, in_netns};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::scene::named;
use crate::{DEADLINE, container, flowport, host, wait_until};

/// The commands of one host: all of them use its database, its Docker Engine, and the daemon's socket in its directory.
#[derive(Clone, Debug)]
pub struct Flowport {
    program: PathBuf,
    netns: PathBuf,
    environment: Vec<(OsString, OsString)>,
    directory: PathBuf,
}

impl Flowport {
    /// Commands on `host`.
    #[must_use]
    pub fn on(host: &LabHost) -> Self {
        let directory = host.directory().join("flowport");
        let command = host.command("true");
        let of_host =
            command.as_std().get_envs().filter_map(|(name, value)| Some((name.into(), value?.into())));
        let own = [
            ("FLOWPORT_DB", host.db().into()),
            ("FLOWPORT_SOCKET", directory.join("flowport.sock").into_os_string()),
            ("FLOWPORT_STATE", directory.join("state").into_os_string()),
        ];
        let environment = of_host.chain(own.map(|(name, value)| (name.into(), value))).collect();
        Self { program: flowport(), netns: host.netns().path().to_owned(), environment, directory }
    }

    /// A host with the managed bridge br0, which `add-br` made with these options too, and its commands.
    ///
    /// # Panics
    /// When they cannot be had.
    pub async fn bridged(options: HostOptions, words: &[&str]) -> (LabHost, Self) {
        let host = host(options).await;
        let flowport = Self::on(&host);
        flowport.ok(&[&["add-br", "br0", "--datapath=netdev"], words].concat()).await;
        (host, flowport)
    }

    /// A container that `add-port` attached to br0 as eth1 with these options.
    ///
    /// # Panics
    /// When it cannot be had.
    pub async fn attached(&self, words: &[&str]) -> Netns {
        let netns = container().await;
        self.ok(&[&["add-port", "br0", "eth1", &named(&netns)], words].concat()).await;
        netns
    }

    /// The same with another program, as a link to `flowport` by another name, or a tool to compare with.
    #[must_use]
    pub fn with_program(&self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self.clone() }
    }

    /// What a call returns and prints.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub async fn output(&self, args: &[&str]) -> Output {
        self.output_with(args, "").await
    }

    /// What a call with this standard input returns and prints.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub async fn output_with(&self, args: &[&str], input: &str) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = self.spawn(&mut command);
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input may be gone already.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        match child.wait_with_output().await {
            Ok(output) => output,
            Err(error) => panic!("{}: {error}", self.program.display()),
        }
    }

    /// A call that succeeds; what it prints.
    ///
    /// # Panics
    /// When it fails, with its reason.
    pub async fn ok(&self, args: &[&str]) -> String {
        self.ok_with(args, "").await
    }

    /// A call with this standard input that succeeds; what it prints.
    ///
    /// # Panics
    /// When it fails, with its reason.
    pub async fn ok_with(&self, args: &[&str], input: &str) -> String {
        let output = self.output_with(args, input).await;
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {}: {error}", output.status);
        assert_eq!(error, "", "{args:?} has something to complain about");
        out.into_owned()
    }

    /// A call that is refused; the line that says why.
    ///
    /// # Panics
    /// When it is not, or says more or less than one line on standard error.
    pub async fn refused(&self, args: &[&str]) -> String {
        let output = self.output(args).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{args:?}: {error}");
        error.trim_end().to_owned()
    }

    /// `show --json`: the bridges.
    pub async fn show(&self) -> Value {
        json(&self.ok(&["show", "--json"]).await)
    }

    /// The ports of a bridge by `show --json` which are containers'.
    pub async fn ports(&self, bridge: &str) -> Vec<Value> {
        let show = self.show().await;
        let bridges = show.as_array().into_iter().flatten();
        let of_it = bridges.filter(|shown| shown["name"] == bridge);
        let ports = of_it.flat_map(|shown| shown["ports"].as_array().cloned().unwrap_or_default());
        ports.filter(|port| port.get("container").is_some()).collect()
    }

    /// `flows CONTAINER --json`.
    pub async fn flows(&self, container: &str) -> Vec<Value> {
        let flows = json(&self.ok(&["flows", container, "--json"]).await);
        flows.as_array().cloned().unwrap_or_default()
    }

    /// `flowport daemon`, ready for commands.
    ///
    /// # Panics
    /// When it is not ready in time, with its log.
    pub async fn daemon(&self) -> Daemon {
        let _ = std::fs::create_dir_all(&self.directory);
        let log = self.directory.join("daemon.log");
        let opened = File::options().create(true).append(true).open(&log);
        let (out, error) = match opened.and_then(|file| Ok((file.try_clone()?, file))) {
            Ok(files) => files,
            Err(error) => panic!("{}: {error}", log.display()),
        };
        let mut command = self.command(&["daemon"]);
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(out).stderr(error).kill_on_drop(true);
        let earlier =
            std::fs::metadata(&log).map_or(0, |file| usize::try_from(file.len()).unwrap_or_default());
        let mut daemon = Daemon { child: self.spawn(&mut command), log };
        wait_until(DEADLINE, "the daemon is ready", async || {
            assert!(daemon.child.try_wait().is_ok_and(|ended| ended.is_none()), "{}", daemon.log());
            daemon.log().get(earlier..).is_some_and(|log| log.contains("ready on "))
        })
        .await;
        daemon
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn spawn(&self, command: &mut Command) -> Child {
        match in_netns(&self.netns, || command.spawn()) {
            Ok(Ok(child)) => child,
            Ok(Err(error)) => panic!("{}: {error}", self.program.display()),
            Err(error) => panic!("{}", crate::chain(&error)),
        }
    }
}

/// A running `flowport daemon`; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn stop(&mut self) {
        let log = self.log.clone();
        let status = self.end(Signal::TERM).await;
        assert!(status.success(), "{status}: {}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// SIGKILL, and waits for the end.
    pub async fn kill(&mut self) {
        self.end(Signal::KILL).await;
    }

    /// What it and those before it on this host have logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn end(&mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let Some(pid) = pid else { panic!("the daemon ended by itself: {}", self.log()) };
        let _ = kill_process(pid, signal);
        match tokio::time::timeout(DEADLINE, self.child.wait()).await {
            Ok(Ok(status)) => status,
            other => panic!("the daemon does not end: {other:?}: {}", self.log()),
        }
    }
}

fn json(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("{error}: {text}"),
    }
}
