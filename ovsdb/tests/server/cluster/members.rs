//! Members that do not do.

use flowport_ovsdb::client::{ConnectError, ConnectionState};
use flowport_ovsdb::session::MemberError;

use super::*;

async fn refused(remotes: &Remotes, options: ConnectOptions) -> ConnectError {
    Client::connect(remotes, hosts_monitor(), options).await.expect_err("no connection")
}

#[tokio::test]
async fn a_member_without_its_cluster_is_left() {
    let mut cluster = Cluster::start(2);
    let client = connect_to(&cluster.remotes(), eager()).await;
    let sid = |peer: &Peer| peer.database.as_ref().and_then(|database| database.sid);
    assert!(sid(&peer(&client, |_| true).await).is_some());
    assert_eq!(client.server_id().await.unwrap(), client.server_id().await.unwrap());

    // Neither of two is a majority.
    cluster.members[0].kill();
    let alone = remotes([cluster.members[1].socket()]);
    disconnected(&client, "not connected to its cluster").await;
    let error = refused(&alone, eager()).await;
    assert!(matches!(&error, ConnectError::Member { source: MemberError::NotConnected, .. }), "{error:?}");

    cluster.members[0].restart();
    connected(&client).await;
    client.transact_until(add_host("a"), soon()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_has_not_joined_is_not_used() {
    let server = Server::clustered(|directory| {
        let [database, local, nobody] = ["hosts.db", "raft", "nobody"].map(|name| directory.join(name));
        let [local, nobody] = [local, nobody].map(|path| format!("unix:{}", path.display()));
        let database = database.display().to_string();
        run_tool("ovsdb-tool", ["join-cluster", &database, "Hosts", &local, &nobody]);
        vec![database]
    });
    let error = refused(&server.remotes(), eager()).await;
    assert!(matches!(&error, ConnectError::Member { source: MemberError::NotJoined, .. }), "{error:?}");
}

/// Waits until the client has no connection for a reason with these words.
async fn disconnected(client: &Client, words: &str) {
    let mut state = client.state();
    let disconnected = state.wait_for(|state| match state {
        ConnectionState::Disconnected { reason } => reason.contains(words),
        ConnectionState::Connected => false,
    });
    within(disconnected).await.unwrap();
}

async fn connected(client: &Client) {
    within(client.state().wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
}

#[tokio::test]
async fn an_older_copy_is_refused_until_told_otherwise() {
    let mut cluster = Cluster::start(1);
    let server = &mut cluster.members[0];
    let client = connect_to(&server.remotes(), eager()).await;
    client.transact(add_host("a")).await.unwrap();
    std::fs::copy(server.path("hosts.db"), server.path("backup")).unwrap();
    // Beyond the entry that a server writes when it starts.
    for name in ["b", "c", "d"] {
        client.transact(add_host(name)).await.unwrap();
    }
    let fresh = connect_to(&server.remotes(), eager()).await;
    let index = |peer: &Peer| peer.database.as_ref().and_then(|database| database.index);
    let newest = index(&peer(&fresh, |_| true).await);
    peer(&client, |peer| index(peer) >= newest).await;
    drop(fresh);

    server.kill();
    std::fs::rename(server.path("backup"), server.path("hosts.db")).unwrap();
    server.restart();
    disconnected(&client, "the database server is behind").await;
    assert_eq!(names(&client), ["a", "b", "c", "d"], "as it was");
    client.forget_cluster().await;
    connected(&client).await;
    assert_eq!(names(&client), ["a"]);
}

#[tokio::test]
async fn another_cluster_is_refused_until_told_otherwise() {
    let (mut cluster, mut other) = (Cluster::start(1), Cluster::start(1));
    let client = cluster.connect().await;
    client.transact(add_host("a")).await.unwrap();
    let server = &mut cluster.members[0];
    server.kill();
    other.members[0].kill();
    std::fs::copy(other.members[0].path("hosts.db"), server.path("hosts.db")).unwrap();
    server.restart();
    disconnected(&client, "belongs to cluster").await;
    assert_eq!(names(&client), ["a"], "as it was");
    client.forget_cluster().await;
    connected(&client).await;
    assert!(names(&client).is_empty());
}

#[tokio::test]
async fn a_member_that_stands_still_is_left_for_another() {
    let cluster = Cluster::start(3);
    let options = ConnectOptions { probe_interval: Some(Duration::from_millis(200)), ..eager() };
    let client = connect_to(&cluster.remotes(), options.clone()).await;
    let first = peer(&client, |_| true).await;
    let frozen = cluster.members.iter().find(|member| Remote::Unix(member.socket()) == first.remote).unwrap();
    frozen.signal("STOP");
    let second = peer(&client, |peer| peer.remote != first.remote).await;
    // Nor does a new client wait for it.
    let order = [first.remote, second.remote].map(|remote| remote.to_string()).join(",");
    let options = ConnectOptions { shuffle: false, ..options };
    let other = within(connect_to(&order.parse().unwrap(), options)).await;
    client.transact_until(add_host("a"), soon()).await.unwrap();
    within(other.wait_for(|replica| replica.count::<Host>() == 1, soon())).await.unwrap();
    frozen.signal("CONT");
}
