use flowport_ovsdb::client::ConnectError;
use flowport_ovsdb::session::{MemberError, Model};

use super::*;

pub(super) fn relay_of(cluster: &Cluster) -> Server {
    let relay = Server::with(|_| vec![format!("relay:Hosts:{}", cluster.remotes())]);
    let socket = format!("unix:{}", relay.socket().display());
    run_tool("ovsdb-client", ["--timeout=30", "wait", &socket, "Hosts", "connected"]);
    relay
}

#[tokio::test]
async fn reads_and_writes_go_through_a_relay() {
    let cluster = Cluster::start(1);
    let relay = relay_of(&cluster);
    let client = connect_to(&relay.remotes(), eager()).await;
    let database = peer(&client, |_| true).await.database.unwrap();
    assert_eq!((database.model, database.connected, database.leader), (Model::Relay, true, false));
    let direct = cluster.connect().await;
    for index in 0..50 {
        client.transact(add_host(format!("h{index:02}"))).await.unwrap();
        assert_eq!(client.replica().count::<Host>(), index + 1, "its own writes");
    }
    within(direct.wait_for(|replica| replica.count::<Host>() == 50, soon())).await.unwrap();
    assert_eq!(*direct.replica(), *client.replica());
    direct.transact(add_host("z")).await.unwrap();
    within(client.wait_for(|replica| replica.count::<Host>() == 51, soon())).await.unwrap();

    let options = ConnectOptions { leader_only: true, ..eager() };
    let error = Client::connect(&relay.remotes(), hosts_monitor(), options).await;
    let error = error.expect_err("a relay is no leader");
    assert!(matches!(&error, ConnectError::Member { source: MemberError::NotLeader, .. }), "{error:?}");
}

#[tokio::test]
async fn a_relay_keeps_what_is_written_while_its_source_is_away() {
    let mut cluster = Cluster::start(1);
    let relay = relay_of(&cluster);
    let client = connect_to(&relay.remotes(), eager()).await;
    cluster.members[0].kill();
    let mut waiting = std::pin::pin!(client.transact_until(add_host("a"), soon()));
    tokio::select! {
        biased;
        outcome = &mut waiting => panic!("{outcome:?}"),
        answer = client.call("echo", &["sent"]) => assert!(answer.is_ok()),
    }
    cluster.members[0].restart();
    within(waiting).await.unwrap();
    assert_eq!(names(&client), ["a"]);
}

#[tokio::test]
async fn a_relay_that_never_saw_its_source_is_not_used() {
    let relay =
        Server::with(|directory| vec![format!("relay:Hosts:unix:{}", directory.join("nobody").display())]);
    let error = Client::connect(&relay.remotes(), hosts_monitor(), eager()).await.expect_err("no copy");
    assert!(matches!(&error, ConnectError::Member { source: MemberError::NotConnected, .. }), "{error:?}");
}
