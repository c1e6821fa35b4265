//! The ovsdb-server process that serves Flowport's own database.
//!
//! A server that a daemon left behind when it was killed is used again; one that ends is started anew.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use flowport_ovsdb::{Remote, Remotes};
use rustix::process::Signal;
use tokio::process::{Child, Command};

use crate::refused::Refused;

/// How often it is looked whether the server listens.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How often it is looked after while it runs, and the rest before it is started again.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// The server, which ends when this is dropped unless it was there before.
#[derive(Debug)]
pub struct Server {
    file: PathBuf,
    socket: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Serves the database in directory `state`, which is made if it is not there, on a socket in directory `run`.
    ///
    /// # Errors
    ///
    /// The database cannot be made, or the server does not come up before the deadline.
    pub async fn start(state: &Path, run: &Path, deadline: Instant) -> Result<Self, Refused> {
        for dir in [state, run] {
            fs::create_dir_all(dir).map_err(|error| cannot("make directory", dir, &error))?;
        }
        let mut server = Self { file: state.join("local.db"), socket: run.join("local.sock"), child: None };
        let schema = server.file.with_extension("ovsschema");
        fs::write(&schema, flowport_ovsdb_schema::FLOWPORT_LOCAL_SCHEMA)
            .map_err(|error| cannot("write", &schema, &error))?;
        let served = UnixStream::connect(&server.socket).is_ok();
        if server.file.exists() {
            convert(&server.file, &schema, served.then_some(&server.socket)).await?;
        } else {
            create(&server.file, &schema).await?;
        }
        if served {
            return Ok(server);
        }
        server.child = Some(server.spawn()?);
        while UnixStream::connect(&server.socket).is_err() {
            if let Ok(Some(status)) = server.child.as_mut().map_or(Ok(None), Child::try_wait) {
                if was_ended(status) && Instant::now() < deadline {
                    server.child = Some(server.spawn()?);
                    continue;
                }
                return Err(Refused::other(format!(
                    "ovsdb-server on {} ended at once ({status}): run it by hand to see why",
                    server.file.display()
                )));
            }
            if Instant::now() >= deadline {
                return Err(Refused::other(format!(
                    "ovsdb-server on {} does not come up",
                    server.file.display()
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(server)
    }

    /// Starts the server again whenever it ends.
    pub async fn keep(&mut self) {
        loop {
            match &mut self.child {
                Some(child) => drop(child.wait().await),
                // One that was there before is nobody's child: it is looked at now and then.
                None => {
                    while tokio::net::UnixStream::connect(&self.socket).await.is_ok() {
                        tokio::time::sleep(LOOK_AFTER).await;
                    }
                }
            }
            tracing::warn!("ovsdb-server on {} ended; starting it again", self.file.display());
            match self.spawn() {
                Ok(child) => self.child = Some(child),
                Err(refused) => tracing::error!("{refused}"),
            }
            // One that ends at once is not started in a tight loop.
            tokio::time::sleep(LOOK_AFTER).await;
        }
    }

    /// Where to connect to.
    pub fn remotes(&self) -> Remotes {
        Remotes::from(Remote::Unix(self.socket.clone()))
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn spawn(&self) -> Result<Child, Refused> {
        let beside = |name: &str| self.socket.with_file_name(name);
        Command::new("ovsdb-server")
            .arg(&self.file)
            .arg(format!("--remote=punix:{}", self.socket.display()))
            .arg(format!("--unixctl={}", beside("local.ctl").display()))
            .arg(format!("--pidfile={}", beside("local.pid").display()))
            .args(["--no-chdir", "-vconsole:off", "-vsyslog:warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| cannot("run", Path::new("ovsdb-server"), &error))
    }
}

/// Whether somebody else ended the process; it did not fail.
fn was_ended(status: ExitStatus) -> bool {
    [Signal::KILL, Signal::TERM].iter().any(|signal| status.signal() == Some(signal.as_raw()))
}

async fn create(file: &Path, schema: &Path) -> Result<(), Refused> {
    // A database made half is never taken for a whole one.
    let unfinished = file.with_extension("new");
    let _ = fs::remove_file(&unfinished);
    run("ovsdb-tool", &["create".as_ref(), unfinished.as_ref(), schema.as_ref()]).await?;
    fs::rename(&unfinished, file).map_err(|error| cannot("make", file, &error))
}

/// Brings a database that another version made to this version's schema; the rows stay.
async fn convert(file: &Path, schema: &Path, socket: Option<&Path>) -> Result<(), Refused> {
    let asked = ["needs-conversion".as_ref(), file.as_ref(), schema.as_ref()];
    if run("ovsdb-tool", &asked).await?.trim() != "yes" {
        return Ok(());
    }
    tracing::info!("converting {} to the schema of this version", file.display());
    match socket {
        None => run("ovsdb-tool", &["convert".as_ref(), file.as_ref(), schema.as_ref()]).await,
        Some(socket) => {
            let remote = format!("unix:{}", socket.display());
            run("ovsdb-client", &["convert".as_ref(), remote.as_ref(), schema.as_ref()]).await
        }
    }
    .map(drop)
}

/// What a tool of Open vSwitch prints.
async fn run(program: &str, arguments: &[&OsStr]) -> Result<String, Refused> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| cannot("run", Path::new(program), &error))?;
    if !output.status.success() {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        return Err(Refused::other(format!(
            "{program} {} failed: {}",
            words.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Refused {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => ": run as root",
        io::ErrorKind::NotFound => ": install openvswitch-switch",
        _ => "",
    };
    Refused::other(format!("cannot {what} {}: {error}{remedy}", path.display()))
}
