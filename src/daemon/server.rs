//! The daemon's socket.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::frontend::Frontend;
use crate::reconciler::Refused;

use super::protocol::{Answer, Ask, LONGEST_ASK};

/// Newer news make older ones worthless.
const PROGRESS_DEPTH: usize = 4;

/// Listens on the socket; what a dead daemon left there is replaced.
pub(super) fn listen(socket: &Path) -> Result<UnixListener, Refused> {
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
    // Whoever may connect may change the host's network: its owner alone.
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(|error| cannot(&error))?;
    Ok(listener)
}

/// Takes the socket away, so that commands know at once that nobody listens.
pub(super) fn leave(socket: &Path) {
    // That it is not there is how it should be.
    let _ = fs::remove_file(socket);
}

/// Answers one question a connection, many at the same time.
pub(super) async fn serve(listener: UnixListener, frontend: Frontend) {
    let mut conversations = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => conversations.push(converse(stream, frontend.clone())),
                Err(error) => tracing::warn!("cannot accept a connection: {error}"),
            },
            Some(()) = conversations.next() => {}
        }
    }
}

async fn converse(stream: UnixStream, frontend: Frontend) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST_ASK as u64));
    if let Err(error) = reader.read_line(&mut line).await {
        tracing::debug!("a caller left: {error}");
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
    tracing::info!(intent = %serde_json::to_string(&ask.intent).unwrap_or_default(), "asked");
    let (progress, mut news) = mpsc::channel(PROGRESS_DEPTH);
    let carried_out = frontend.carry_out(ask.intent, ask.timeout, progress);
    tokio::pin!(carried_out);
    let answer = loop {
        tokio::select! {
            outcome = &mut carried_out => break outcome,
            Some(progress) = news.recv() => say(&mut writer, &Answer::Progress(progress)).await,
        }
    };
    let answer = match answer {
        Ok(outcome) => Answer::Done(outcome),
        Err(refused) => {
            tracing::info!("refused: {refused}");
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
