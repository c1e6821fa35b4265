//! A private ovsdb-server: any user, nothing of the machine's own Open vSwitch is touched.

use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use flowport_ovsdb::{Remote, Remotes};
use tempfile::TempDir;

/// Runs until it is dropped. Should this process be killed, its end of the pipe closes and the server,
/// which lives as long as the `cat` that reads it, ends too.
pub(crate) struct Server {
    directory: TempDir,
    running: Option<(Child, ChildStdin)>,
    clustered: bool,
    /// Where else it listens than on its socket, and how.
    listening: Vec<String>,
}

impl Server {
    /// A server with an empty database of each schema.
    pub(crate) fn start(schemas: &[&Path]) -> Self {
        Self::start_listening(schemas, &["--remote=ptcp:0:127.0.0.1".to_owned()])
    }

    /// The same with these arguments instead of a TCP port.
    pub(crate) fn start_listening(schemas: &[&Path], arguments: &[String]) -> Self {
        let mut server = Self::prepare(false);
        server.listening = arguments.to_vec();
        for (index, schema) in schemas.iter().enumerate() {
            let database = server.path(&format!("{index}.db"));
            let status = command("ovsdb-tool").arg("create").arg(database).arg(schema).status();
            assert!(run(status, "ovsdb-tool").success(), "cannot create a database of {}", schema.display());
        }
        server.restart();
        server
    }

    /// A cluster of one server: unlike a standalone one it names its transactions, so that a copy is resumed.
    pub(crate) fn start_cluster_of_one(schema: &Path) -> Self {
        let mut server = Self::prepare(true);
        let address = format!("unix:{}", server.path("raft.sock").display());
        let database = server.path("0.db");
        let status =
            command("ovsdb-tool").arg("create-cluster").arg(database).arg(schema).arg(address).status();
        assert!(run(status, "ovsdb-tool").success(), "cannot create a cluster of {}", schema.display());
        server.restart();
        server
    }

    fn prepare(clustered: bool) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        Self { directory, running: None, clustered, listening: vec!["--remote=ptcp:0:127.0.0.1".to_owned()] }
    }

    /// Starts on the databases as they are. Returns when the server listens: it runs our `echo` then.
    pub(crate) fn restart(&mut self) {
        self.restart_at(&self.socket());
    }

    /// The same, listening elsewhere.
    pub(crate) fn restart_at(&mut self, socket: &Path) {
        self.kill();
        let deadline = Instant::now() + Duration::from_secs(30);
        let databases = (0..).map(|index| self.path(&format!("{index}.db"))).take_while(|path| path.exists());
        let mut server = match self.clustered {
            false => command("ovsdb-server"),
            true => {
                // Has threads, and so no `--run`: the kernel ends it with the thread that started it.
                let mut command = command("setpriv");
                command.args(["--pdeathsig", "KILL", "ovsdb-server"]);
                command
            }
        };
        server
            .args(databases)
            .arg(format!("--remote=punix:{}", socket.display()))
            .args(&self.listening)
            .arg(format!("--unixctl={}", self.path("ctl").display()))
            .args(["-vconsole:off", "-vsocket_util:console:info"])
            .arg(format!("--log-file={}", self.path("log").display()))
            .arg("--no-chdir")
            .args((!self.clustered).then_some("--run=echo ready; exec cat"))
            .env("OVS_RUNDIR", self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = run(server.spawn(), "ovsdb-server");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        self.running = Some((child, stdin));
        let said = |line: std::io::Result<String>| line.expect("the server's output is readable");
        let ready = match self.clustered {
            false => stdout.lines().map(said).next().is_some_and(|line| line == "ready"),
            // It says so of one of its sockets, when a single member has elected itself long since.
            true => {
                stderr.lines().map(said).any(|line| line.contains("listening on port"))
                    && std::iter::repeat_with(|| UnixStream::connect(socket).is_ok())
                        .take_while(|_| Instant::now() < deadline)
                        .any(|connected| connected)
            }
        };
        assert!(ready, "the server did not start; see its log:\n{}", self.log());
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

    /// Sends the server a signal, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.running.as_ref().expect("the server runs").0.id();
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
        assert!(run(status, "kill").success());
    }

    /// The port that it listens on since it was started last.
    pub(crate) fn port(&self) -> u16 {
        let log = self.log();
        let port = log.rsplit("listening on port ").next().expect("the log names the port");
        port.split_whitespace().next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// What the server wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
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
