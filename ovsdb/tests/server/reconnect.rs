use flowport_ovsdb::client::ConnectionState;
use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::{Operation, TransactError, Where};

use super::*;

pub(crate) fn eager() -> ConnectOptions {
    let (min_backoff, max_backoff) = (Duration::from_millis(1), Duration::from_millis(20));
    ConnectOptions { min_backoff, max_backoff, ..Default::default() }
}

#[tokio::test]
async fn what_was_deleted_meanwhile_is_gone() {
    let mut server = server();
    let client = Client::connect(&server.remotes(), monitor(), eager()).await.unwrap();
    let bridge = add_bridge(&client, "br0").await;
    client.transact(add_port(bridge, "p0")).await.unwrap();
    let mut lock = client.lock("flowport").await.unwrap();
    let before = client.replica();
    let mut state = client.state();
    let mut changes = client.changes();

    server.kill();
    within(state.wait_for(|state| matches!(state, ConnectionState::Disconnected { .. }))).await.unwrap();
    within(lock.lost()).await;
    let error = client.transact(add_port(bridge, "p1")).await.unwrap_err();
    assert!(matches!(error, TransactError::NotConnected { .. }), "{error:?}");
    assert!(std::sync::Arc::ptr_eq(&before, &client.replica()), "the last replica stays");

    // Between two looks of the client, another one deletes: its socket is elsewhere until the server moves.
    let aside = server.socket().with_extension("aside");
    server.restart_at(&aside);
    let remotes = flowport_ovsdb::Remote::Unix(aside).into();
    let other = Client::connect(&remotes, monitor(), eager()).await.unwrap();
    let (port, _) = other.replica().find(|port: &Port| port.name == "p0").unwrap();
    let mut delete = Transaction::new();
    delete.mutate(bridge, [Bridge::PORTS.remove([Ref::from(port)])]);
    other.transact(delete).await.unwrap();
    drop(other);

    server.restart();
    within(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    let replica = client.replica();
    assert!(replica.row::<Port>(port).is_none());
    assert_eq!(replica.count::<Interface>(), 1);
    assert!(replica.serial() > before.serial());
    let missed = within(changes.next()).await.unwrap();
    assert!(missed.merged);
    let deleted: Vec<String> = missed
        .rows::<Port>()
        .map(|change| match change {
            RowChange::Delete { uuid, old } if uuid == port => old.name.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(deleted, ["p0"]);
    within(lock.held()).await.unwrap();
    client.transact(add_port(bridge, "p1")).await.unwrap();
    assert_eq!(client.replica().count::<Port>(), 2);
}

#[tokio::test]
async fn a_transaction_in_flight_has_an_unknown_outcome() {
    let mut server = server();
    let client = Client::connect(&server.remotes(), monitor(), eager()).await.unwrap();
    // Answered never: waits for ever for a row that nobody makes.
    let wait = Operation::Wait {
        table: "Bridge".into(),
        conditions: Bridge::NAME.eq("nobody").conditions().to_vec(),
        columns: vec!["name".into()],
        until: flowport_ovsdb::notation::Until::NotEqual,
        rows: Vec::new(),
        timeout: None,
    };
    let transaction = Transaction::new().with(wait);
    let mut waiting = std::pin::pin!(client.transact(transaction));
    // Requests go out in order: when this one is answered, the one before was sent.
    tokio::select! {
        biased;
        outcome = &mut waiting => panic!("{outcome:?}"),
        answer = client.call("echo", &["sent"]) => assert!(answer.is_ok()),
    }
    server.kill();
    let error = within(waiting).await.unwrap_err();
    assert!(matches!(error, TransactError::Disconnected { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up() {
    let server = server();
    let options = ConnectOptions { probe_interval: Some(Duration::from_millis(50)), ..eager() };
    let client = Client::connect(&server.remotes(), monitor(), options).await.unwrap();
    let mut state = client.state();

    // Alive: probes are answered, and nothing happens for several intervals.
    let silent = tokio::time::timeout(Duration::from_millis(400), state.changed()).await;
    assert!(silent.is_err(), "{:?}", *state.borrow());

    signal("STOP", server.pid());
    let given_up =
        within(state.wait_for(|state| matches!(state, ConnectionState::Disconnected { .. }))).await;
    let reason = format!("{:?}", *given_up.unwrap());
    signal("CONT", server.pid());
    assert!(reason.contains("no sign of life"), "{reason}");
    within(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    add_bridge(&client, "br0").await;
    client.transact(Transaction::new().with(Operation::select(Where::<Bridge>::all()))).await.unwrap();
}

fn signal(name: &str, pid: u32) {
    let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(status.expect("kill runs").success());
}
