//! The command `idl-cluster`: stays with the leader of a cluster.

use std::io::Write;
use std::process::Command;

use flowport_ovsdb::client::{ConnectionState, Peer};
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Remotes};

use crate::{Outcome, idl, print};

/// Carries out the arguments of `idl-cluster SCHEMA REMOTES PIDS`. The process ids are those of the remotes, in order.
pub(crate) async fn run(
    out: &mut impl Write,
    schema: &str,
    remotes: &str,
    pids: &str,
    commands: &[&str],
) -> Outcome {
    let monitor = Monitor::of_schema(&idl::read_schema(schema)?);
    let remotes: Remotes = remotes.parse().map_err(|error| format!("{error}"))?;
    let options = ConnectOptions { leader_only: true, shuffle: false, ..ConnectOptions::default() };
    let client = Client::connect(&remotes, monitor, options).await.map_err(|error| error.to_string())?;
    let mut step = 0;
    let mut seen = 0;
    for command in commands {
        let command = match command.strip_prefix('+') {
            Some(command) => command,
            None => {
                let mut replicas = client.subscribe();
                replicas.mark_changed();
                let found = replicas.wait_for(|replica| replica.serial() != seen).await;
                found.map_err(|error| error.to_string())?;
                step += 1;
                command
            }
        };
        seen = client.replica().serial();
        let line = match command {
            "remote" => leader(&client).await?.remote.to_string(),
            "remotestop" => {
                let leader = leader(&client).await?.remote;
                let index = remotes.as_slice().iter().position(|remote| *remote == leader);
                let pid =
                    index.and_then(|index| pids.split(',').nth(index)).ok_or("whose process is that?")?;
                let mut state = client.state();
                state.mark_unchanged();
                let killed = Command::new("kill").arg(pid).status();
                killed.map_err(|error| format!("kill: {error}"))?;
                state.changed().await.map_err(|error| error.to_string())?;
                format!("stop {pid}")
            }
            "reconnect" => {
                client.reconnect().await;
                command.to_owned()
            }
            _ => return Err(format!("unknown command {command}")),
        };
        print(out, &format!("{step:03}: {line}"))?;
        step += 1;
    }
    print(out, &format!("{step:03}: done"))
}

/// The server at the other end, when there is one.
async fn leader(client: &Client) -> Result<Peer, String> {
    let mut state = client.state();
    state.wait_for(|state| *state == ConnectionState::Connected).await.map_err(|error| error.to_string())?;
    let mut peer = client.peer();
    let peer = peer.wait_for(Option::is_some).await.map_err(|error| error.to_string())?;
    peer.clone().ok_or_else(|| "there is no server".to_owned())
}
