//! A private ovsdb-server: any user, nothing of the machine's own Open vSwitch is touched.

use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use flowport_ovsdb::{Remote, Remotes};
use tempfile::TempDir;

/// Runs until it is dropped. Should this process be killed, its end of the pipe closes and the server,
/// which lives as long as the `cat` that reads it, ends too.
pub(crate) struct Server {
    directory: TempDir,
    running: Option<(Child, ChildStdin)>,
}

impl Server {
    /// A server with an empty database of each schema.
    pub(crate) fn start(schemas: &[&Path]) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mut server = Self { directory, running: None };
        for (index, schema) in schemas.iter().enumerate() {
            let database = server.path(&format!("{index}.db"));
            let status = command("ovsdb-tool").arg("create").arg(database).arg(schema).status();
            assert!(run(status, "ovsdb-tool").success(), "cannot create a database of {}", schema.display());
        }
        server.restart();
        server
    }

    /// Starts on the databases as they are. Returns when the server listens: it runs our `echo` then.
    pub(crate) fn restart(&mut self) {
        self.restart_at(&self.socket());
    }

    /// The same, listening elsewhere.
    pub(crate) fn restart_at(&mut self, socket: &Path) {
        self.kill();
        let databases = (0..).map(|index| self.path(&format!("{index}.db"))).take_while(|path| path.exists());
        let child = command("ovsdb-server")
            .args(databases)
            .arg(format!("--remote=punix:{}", socket.display()))
            .arg("--remote=ptcp:0:127.0.0.1")
            .arg(format!("--unixctl={}", self.path("ctl").display()))
            .arg("-vconsole:off")
            .arg(format!("--log-file={}", self.path("log").display()))
            .args(["--no-chdir", "--run=echo ready; exec cat"])
            .env("OVS_RUNDIR", self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = run(child, "ovsdb-server");
        let stdin = child.stdin.take().expect("piped");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("the server's output is readable");
        self.running = Some((child, stdin));
        assert_eq!(line, "ready\n", "the server did not start; see its log:\n{}", self.log());
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

    /// Process id of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().expect("the server runs").0.id()
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
