//! The control socket of Open vSwitch's daemons, which `ovs-appctl` speaks to (ovs-appctl(8)): JSON-RPC 1.0, a
//! question and an answer on a connection of its own.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The longest answer that is taken, in bytes: `ofproto/trace` of a packet that goes to thousands of ports.
const LONGEST_ANSWER: u64 = 64 << 20;

/// A running `ovs-vswitchd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vswitchd {
    pid: u32,
    socket: PathBuf,
}

/// A command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum UnixctlError {
    /// There is no such daemon.
    #[error(
        "ovs-vswitchd is not running (nothing answers on {place}): start it with `systemctl start openvswitch-switch`"
    )]
    NotRunning {
        /// Where it was looked for.
        place: String,
    },
    /// The socket may not be opened.
    #[error("permission denied on {place}: run as root")]
    PermissionDenied {
        /// The socket or its directory.
        place: String,
    },
    /// The daemon refused the command; its words.
    #[error("ovs-vswitchd refuses {command}: {said}")]
    Refused {
        /// The command.
        command: String,
        /// What it said, on one line.
        said: String,
    },
    /// The connection broke, or what came over it is no answer.
    #[error("ovs-vswitchd does not answer {command}")]
    Broken {
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
}

impl Vswitchd {
    /// The one whose pid file is in `rundir`. That it is there does not yet mean that it runs.
    ///
    /// # Errors
    ///
    /// There is no pid file, or it may not be read.
    pub fn find(rundir: &Path) -> Result<Self, UnixctlError> {
        let file = rundir.join("ovs-vswitchd.pid");
        let text = std::fs::read_to_string(&file).map_err(|error| unreachable(&file, &error))?;
        let pid: u32 = text
            .trim()
            .parse()
            .map_err(|_| UnixctlError::NotRunning { place: file.display().to_string() })?;
        Ok(Self { pid, socket: rundir.join(format!("ovs-vswitchd.{pid}.ctl")) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has it carry out a command, and returns what it says.
    ///
    /// # Errors
    ///
    /// It does not run, or refuses.
    pub async fn ask(&self, command: &str, words: &[&str]) -> Result<String, UnixctlError> {
        let stream =
            UnixStream::connect(&self.socket).await.map_err(|error| unreachable(&self.socket, &error))?;
        let broken = |source| UnixctlError::Broken { command: command.to_owned(), source };
        let answer = exchange(stream, command, words).await.map_err(broken)?;
        match (answer.result, answer.error) {
            (Some(said), None) => Ok(said),
            (_, refusal) => Err(UnixctlError::Refused {
                command: command.to_owned(),
                said: refusal.unwrap_or_default().trim().replace('\n', " "),
            }),
        }
    }
}

/// An answer (JSON-RPC 1.0 section 1.2), both of whose parts are texts here.
#[derive(Debug, Deserialize)]
struct Answer {
    result: Option<String>,
    error: Option<String>,
}

async fn exchange(mut stream: UnixStream, command: &str, words: &[&str]) -> io::Result<Answer> {
    let question = json!({"id": 0, "method": command, "params": words}).to_string();
    stream.write_all(question.as_bytes()).await?;
    let mut received = Vec::new();
    let mut stream = stream.take(LONGEST_ANSWER);
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // One question, so one answer, which ends with a brace; the daemon keeps the connection open behind it.
        if received.ends_with(b"}") {
            match serde_json::from_slice(&received) {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_eof() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn unreachable(place: &Path, error: &io::Error) -> UnixctlError {
    let at = place.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => UnixctlError::NotRunning { place: at },
        io::ErrorKind::PermissionDenied => UnixctlError::PermissionDenied { place: at },
        _ => UnixctlError::Broken {
            command: format!("on {at}"),
            source: io::Error::new(error.kind(), error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// A daemon that sends these parts, each when the one before has been read or so, and closes.
    async fn told(parts: &'static [&'static str]) -> Result<String, UnixctlError> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ovs-vswitchd.pid"), "42\n").unwrap();
        let listener = UnixListener::bind(directory.path().join("ovs-vswitchd.42.ctl")).unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 256];
            let length = stream.read(&mut question).await.unwrap();
            let question: serde_json::Value = serde_json::from_slice(&question[..length]).unwrap();
            assert_eq!(question, json!({"id": 0, "method": "ofproto/trace", "params": ["br0", "ip"]}));
            for part in parts {
                stream.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let vswitchd = Vswitchd::find(directory.path()).unwrap();
        assert_eq!(vswitchd.pid(), 42);
        tokio::join!(vswitchd.ask("ofproto/trace", &["br0", "ip"]), server).0
    }

    #[tokio::test]
    async fn an_answer_in_parts_is_one_answer() {
        let said = told(&[r#"{"id":0,"result":"a {"#, r#"b}"#, r#" c\n","error":null}"#]).await;
        assert_eq!(said.unwrap(), "a {b} c\n");
    }

    #[tokio::test]
    async fn refusals_are_told_in_the_daemons_words() {
        let refused =
            told(&[r#"{"id":0,"result":null,"error":"brX: unknown\nbridge\n"}"#]).await.unwrap_err();
        assert_eq!(refused.to_string(), "ovs-vswitchd refuses ofproto/trace: brX: unknown bridge");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for parts in [&[r#"{"id":0,"#][..], &["no json}"], &[]] {
            assert!(matches!(told(parts).await, Err(UnixctlError::Broken { .. })), "{parts:?}");
        }
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_there_is_not_running() {
        let directory = tempfile::tempdir().unwrap();
        let missing = Vswitchd::find(directory.path()).unwrap_err();
        assert!(matches!(missing, UnixctlError::NotRunning { .. }), "no pid file: {missing}");
        std::fs::write(directory.path().join("ovs-vswitchd.pid"), "1").unwrap();
        let dead = Vswitchd::find(directory.path()).unwrap().ask("version", &[]).await.unwrap_err();
        assert!(matches!(dead, UnixctlError::NotRunning { .. }), "no socket: {dead}");
    }
}
