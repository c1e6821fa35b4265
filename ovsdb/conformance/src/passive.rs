//! The command `idl_passive`: the server connects to us.

use std::io::Write;

use flowport_ovsdb::{Client, ConnectOptions, Monitor, Remote};
use tokio::net::TcpListener;

use crate::idl::raw::Symbols;
use crate::{Outcome, idl, print};

/// Carries out the arguments of `idl_passive SCHEMA ptcp:ADDRESS:PORT`.
pub(crate) async fn run(out: &mut impl Write, schema: &str, listen: &str, commands: &[&str]) -> Outcome {
    let monitor = Monitor::of_schema(&idl::read_schema(schema)?);
    let address = listen.strip_prefix("ptcp:").ok_or_else(|| format!("{listen} is not ptcp:ADDRESS:PORT"))?;
    let listener = TcpListener::bind(address).await.map_err(|error| format!("{listen}: {error}"))?;
    let (stream, peer) = listener.accept().await.map_err(|error| format!("{listen}: {error}"))?;
    let remote = Remote::Tcp { host: peer.ip().to_string(), port: peer.port() };
    let client = Client::over(stream, remote, monitor, ConnectOptions::default()).await;
    let client = client.map_err(|error| error.to_string())?;
    let tables = client.replica();
    let names = tables.monitor().tables().iter();
    if names.clone().any(|table| tables.untyped_rows(&table.name).next().is_some()) {
        return Err("the suite has this with an empty database only".to_owned());
    }
    print(out, "000: empty")?;
    let mut symbols = Symbols::default();
    let mut step = 1;
    for command in commands {
        let reply = symbols.transact(&client, command).await?;
        print(out, &format!("{step:03}: {reply}"))?;
        step += 1;
    }
    print(out, &format!("{step:03}: done"))
}
