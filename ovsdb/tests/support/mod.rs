//! A private ovsdb-server: any user, nothing of the machine's own Open vSwitch is touched.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use flowport_ovsdb::{Remote, Remotes};
use tempfile::TempDir;

const LOOPBACK: &str = "--remote=ptcp:0:127.0.0.1";

/// Runs until it is dropped. Should this process be killed, its end of the pipe closes and the server,
/// which lives as long as the `cat` that reads it, ends too.
pub(crate) struct Server {
    directory: TempDir,
    /// As on the command line: files, or `relay:`.
    databases: Vec<String>,
    /// A server of a clustered database has threads, and so runs no `cat`: it ends with our thread.
    clustered: bool,
    /// Where else it listens than on its socket, and how.
    listening: Vec<String>,
    running: Option<(Child, Option<ChildStdin>)>,
}

impl Server {
    /// A server with an empty database of each schema.
    pub(crate) fn start(schemas: &[&Path]) -> Self {
        Self::start_listening(schemas, &[LOOPBACK.to_owned()])
    }

    /// The same with these arguments instead of a TCP port.
    pub(crate) fn start_listening(schemas: &[&Path], arguments: &[String]) -> Self {
        Self::prepared(false, arguments.to_vec(), |directory| {
            let create = |(index, schema): (usize, &&Path)| {
                let database = directory.join(format!("{index}.db"));
                run_tool("ovsdb-tool", [Path::new("create"), &database, schema]);
                database.display().to_string()
            };
            schemas.iter().enumerate().map(create).collect()
        })
    }

    /// A server with the databases that `prepare` makes in the server's directory, or names.
    pub(crate) fn with(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::prepared(false, vec![LOOPBACK.to_owned()], prepare)
    }

    /// The same, where one of them is clustered.
    pub(crate) fn clustered(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::prepared(true, vec![LOOPBACK.to_owned()], prepare)
    }

    /// A cluster of one server: unlike a standalone one it names its transactions, so that a copy is resumed.
    pub(crate) fn start_cluster_of_one(schema: &Path) -> Self {
        Self::clustered(|directory| {
            let database = directory.join("0.db").display().to_string();
            let address = format!("unix:{}", directory.join("raft").display());
            run_tool("ovsdb-tool", ["create-cluster", &database, &schema.display().to_string(), &address]);
            vec![database]
        })
    }

    fn prepared(clustered: bool, listening: Vec<String>, prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let databases = prepare(directory.path());
        let mut server = Self { directory, databases, clustered, listening, running: None };
        server.restart();
        server
    }

    /// Starts on the databases as they are. Returns when the server listens.
    pub(crate) fn restart(&mut self) {
        self.restart_at(&self.socket());
    }

    /// The same, listening elsewhere.
    pub(crate) fn restart_at(&mut self, socket: &Path) {
        self.kill();
        let mut server = if self.clustered {
            let mut server = command("setpriv");
            server.args(["--pdeathsig", "KILL", "ovsdb-server"]).stdin(Stdio::null());
            server
        } else {
            let mut server = command("ovsdb-server");
            server.arg("--run=echo ready; exec cat").stdin(Stdio::piped());
            server
        };
        server
            .args(&self.databases)
            .arg(format!("--remote=punix:{}", socket.display()))
            .args(&self.listening)
            .arg(format!("--unixctl={}", self.control().display()))
            .arg("-vconsole:off")
            .arg(format!("--log-file={}", self.path("log").display()))
            .arg("--no-chdir")
            .env("OVS_RUNDIR", self.directory.path())
            .stdout(Stdio::piped());
        let mut child = run(server.spawn(), "ovsdb-server");
        let stdin = child.stdin.take();
        let started = if self.clustered {
            listens(&mut child, socket)
        } else {
            let mut line = String::new();
            let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
            stdout.read_line(&mut line).expect("the server's output is readable");
            line == "ready\n"
        };
        self.running = Some((child, stdin));
        assert!(started, "the server did not start; see its log:\n{}", self.log());
    }

    /// Killed and started again, on the port that it had.
    pub(crate) fn listen_again_on_its_port(&mut self) {
        let port = self.port();
        self.kill();
        self.listening.iter_mut().for_each(|word| *word = word.replace(":0:", &format!(":{port}:")));
        self.restart();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some((mut child, stdin)) = self.running.take() {
            drop(stdin);
            // It may have ended by itself, as `cat` has.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("db.sock")
    }

    pub(crate) fn remotes(&self) -> Remotes {
        Remote::Unix(self.socket()).into()
    }

    /// Where it takes the commands of `ovs-appctl`.
    pub(crate) fn control(&self) -> PathBuf {
        self.path("ctl")
    }

    /// Sends the server a signal, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.running.as_ref().expect("the server runs").0.id();
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
        assert!(run(status, "kill").success());
    }

    /// The TCP port on which it listens on loopback.
    pub(crate) fn port(&self) -> u16 {
        let log = self.log();
        let port = log.rsplit("listening on port ").next().and_then(|rest| rest.split_whitespace().next());
        port.and_then(|port| port.parse().ok()).expect("the log names the TCP port")
    }

    /// What the server wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A file in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until somebody listens at `socket`; `false` when the server ends instead.
fn listens(server: &mut Child, socket: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while UnixStream::connect(socket).is_err() {
        let ended = server.try_wait().expect("a child of ours").is_some();
        if ended || Instant::now() > deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    true
}

/// Runs a program to its end.
pub(crate) fn run_tool<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) {
    let output = run(command(program).args(arguments).output(), program);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Debian has the servers in `sbin`, which is not in every user's PATH.
fn command(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin"));
    command
}

fn run<T>(started: std::io::Result<T>, program: &str) -> T {
    started.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            panic!(
                "{program} is missing: install Open vSwitch (Debian, Ubuntu: apt install openvswitch-switch)"
            )
        }
        _ => panic!("cannot run {program}: {error}"),
    })
}
