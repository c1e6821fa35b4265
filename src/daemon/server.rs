//! The daemon's socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

use crate::frontend::Frontend;
use crate::metrics::Meters;
use crate::reconciler::Handle;
use crate::refused::Refused;

use super::protocol::{Answer, Ask, LONGEST_ASK, Look, LookAt};

/// Newer news make older ones worthless.
const PROGRESS_DEPTH: usize = 4;

/// The wait after a connection that could not be accepted.
pub(super) const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// The longest that a caller may have the daemon wait, as on the command line: arithmetic on instants stays sound.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// A socket that is listened on. Dropped, it is taken away, so that commands know at once that nobody listens.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    listener: UnixListener,
    socket: &'a Path,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        leave(self.socket);
    }
}

/// Listens on the socket; what a dead daemon left there is replaced.
pub(super) fn listen(socket: &Path) -> Result<Listening<'_>, Refused> {
    let cannot = |error: &io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "run as root",
            _ => "choose another with --socket",
        };
        Refused::other(format!("cannot listen on {}: {error}: {remedy}", socket.display()))
    };
    if std::os::unix::net::UnixStream::connect(socket).is_ok() {
        return Err(Refused::other(format!(
            "another daemon listens on {}: stop it first, as with `systemctl stop flowport`",
            socket.display()
        )));
    }
    if let Some(dir) = socket.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot(&error))?;
    }
    leave(socket);
    let listener = UnixListener::bind(socket).map_err(|error| cannot(&error))?;
    let listening = Listening { listener, socket };
    // Whoever may connect may change the host's network: its owner alone.
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(|error| cannot(&error))?;
    Ok(listening)
}

/// Takes a socket away. What is no socket is not ours.
pub(super) fn leave(socket: &Path) {
    if fs::symlink_metadata(socket).is_ok_and(|found| found.file_type().is_socket()) {
        // That it is not there is how it should be.
        let _ = fs::remove_file(socket);
    }
}

/// Answers one question a connection, many at the same time.
pub(super) async fn serve(
    Listening { listener, .. }: &Listening<'_>,
    frontend: Frontend,
    reconciler: Handle,
    meters: Meters,
) {
    let mut conversations = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => conversations.push(converse(stream, frontend.clone(), &reconciler, &meters)),
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    // Too many open files, as a rule: it fails again at once until some are closed.
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            },
            Some(()) = conversations.next() => {}
        }
    }
}

async fn converse(stream: UnixStream, frontend: Frontend, reconciler: &Handle, meters: &Meters) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST_ASK as u64));
    if let Err(error) = reader.read_line(&mut line).await {
        tracing::debug!("a caller left: {error}");
        return;
    }
    if let Ok(Look { look: LookAt::Ruling }) = serde_json::from_str(&line) {
        // A daemon that is ending has nothing to say.
        if let Some(summary) = reconciler.summary().await {
            say(&mut writer, &Answer::Ruling(summary.rules)).await;
        }
        return;
    }
    let ask: Ask = match serde_json::from_str(&line) {
        Ok(ask) => ask,
        Err(error) => {
            let refused = Refused::other(format!("the daemon does not understand: {error}"));
            say(&mut writer, &Answer::Refused(refused)).await;
            return;
        }
    };
    let (asked, begun) = (ask.intent.in_short(), Instant::now());
    tracing::debug!(asked, "asked");
    let name = ask.intent.name();
    let (progress, mut news) = mpsc::channel(PROGRESS_DEPTH);
    let (interruption, interrupted) = watch::channel(false);
    let wake = frontend.clone();
    let frontend = frontend.interruptible(interrupted);
    let carried_out = frontend.carry_out(ask.intent, ask.timeout.min(LONGEST_TIMEOUT), progress);
    tokio::pin!(carried_out);
    let mut rest = [0];
    let answer = loop {
        tokio::select! {
            outcome = &mut carried_out => break outcome,
            Some(progress) = news.recv() => say(&mut writer, &Answer::Progress(progress)).await,
            // A caller says nothing more, and so this is the end of it: interrupted, or killed.
            _ = reader.read(&mut rest), if !*interruption.borrow() => {
                interruption.send_replace(true);
                wake.wake().await;
            }
        }
    };
    meters.intent(name, answer.is_ok(), begun.elapsed());
    let answer = match answer {
        Ok(outcome) => {
            tracing::info!(asked, ports = outcome.ports, ms = begun.elapsed().as_millis(), "done");
            Answer::Done(outcome)
        }
        Err(refused) => {
            tracing::info!(asked, why = %refused, ms = begun.elapsed().as_millis(), "refused");
            Answer::Refused(refused)
        }
    };
    say(&mut writer, &answer).await;
}

/// A caller who has left is not told.
async fn say(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) {
    let Ok(mut line) = serde_json::to_vec(answer) else { return };
    line.push(b'\n');
    if let Err(error) = writer.write_all(&line).await {
        tracing::debug!("a caller left: {error}");
    }
}
