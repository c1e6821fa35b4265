//! Many clients lose one server.

use flowport_ovsdb::Remotes;
use flowport_ovsdb::client::ConnectionState;

use super::*;
use crate::support::run_tool;

/// The distribution is tested with the state machine that decides on it; here, that it does with a server whose
/// backlog of connections is ten.
#[tokio::test]
async fn two_hundred_clients_come_back() {
    let server = server();
    let remotes: Remotes = format!("tcp:127.0.0.1:{}", server.port()).parse().unwrap();
    let mut clients = Vec::new();
    for _ in 0..200 {
        let connected = Client::connect(&remotes, Monitor::of::<Root>(), ConnectOptions::default());
        clients.push(connected.await.unwrap());
    }
    // Each connection begins with a new replica.
    let mut replicas: Vec<_> = clients.iter().map(Client::subscribe).collect();
    let control = server.control().display().to_string();
    run_tool("ovs-appctl", ["-t", &control, "ovsdb-server/reconnect"]);
    for replica in &mut replicas {
        within(replica.changed()).await.unwrap();
    }
    for client in &clients {
        assert_eq!(*client.state().borrow(), ConnectionState::Connected);
    }
}

#[tokio::test]
async fn more_clients_than_the_server_lets_wait_connect_at_once() {
    let server = server();
    server.signal("STOP");
    let connections: Vec<_> = (0..150)
        .map(|_| {
            let remotes = server.remotes();
            tokio::spawn(async move {
                let options =
                    ConnectOptions { connect_timeout: Duration::from_secs(20), ..Default::default() };
                Client::connect(&remotes, Monitor::of::<Root>(), options).await
            })
        })
        .collect();
    // All have tried once.
    for _ in 0..150 {
        tokio::task::yield_now().await;
    }
    server.signal("CONT");
    for connection in connections {
        within(connection).await.unwrap().unwrap();
    }
}
