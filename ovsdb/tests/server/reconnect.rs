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
async fn who_waits_for_an_outcome_waits_for_a_server() {
    let mut server = server();
    let client = Client::connect(&server.remotes(), monitor(), eager()).await.unwrap();
    let bridge = add_bridge(&client, "br0").await;
    server.kill();
    let mut state = client.state();
    within(state.wait_for(|state| matches!(state, ConnectionState::Disconnected { .. }))).await.unwrap();
    let waiting: Vec<_> = (0..20)
        .map(|index| {
            let (client, transaction) = (client.clone(), add_port(bridge, &format!("p{index}")));
            tokio::spawn(async move {
                match index % 2 {
                    0 => client.transact_until(transaction, soon()).await,
                    _ => client.transact_grouped_until(transaction, soon()).await,
                }
            })
        })
        .collect();
    let passed = client.transact_until(add_port(bridge, "p20"), Instant::now()).await.unwrap_err();
    assert!(matches!(passed, TransactError::NotConnected { .. }), "{passed:?}");
    server.restart();
    for outcome in waiting {
        within(outcome).await.unwrap().unwrap();
    }
    assert_eq!(client.replica().count::<Port>(), 21);
    let conflict = client.transact_until(add_port(bridge, "p0"), soon()).await.unwrap_err();
    assert!(matches!(conflict, TransactError::Constraint { .. }), "a refusal is the answer: {conflict:?}");
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

    server.signal("STOP");
    let given_up =
        within(state.wait_for(|state| matches!(state, ConnectionState::Disconnected { .. }))).await;
    let reason = format!("{:?}", *given_up.unwrap());
    server.signal("CONT");
    assert!(reason.contains("no sign of life"), "{reason}");
    within(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
    add_bridge(&client, "br0").await;
    client.transact(Transaction::new().with(Operation::select(Where::<Bridge>::all()))).await.unwrap();
}

#[tokio::test]
async fn a_connection_is_given_up_for_another_without_delay() {
    let server = server();
    let minute = Duration::from_secs(60);
    let options = ConnectOptions { min_backoff: minute, max_backoff: minute, ..ConnectOptions::default() };
    let client = Client::connect(&server.remotes(), monitor(), options).await.unwrap();
    add_bridge(&client, "br0").await;
    for vlan in [1, 2] {
        let mut state = client.state();
        state.mark_unchanged();
        client.reconnect().await;
        tokio::time::timeout(minute / 2, state.changed()).await.expect("given up").unwrap();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        tokio::time::timeout(minute / 2, connected).await.expect("connected again").unwrap();
        let mut transaction = Transaction::new();
        transaction.mutate(Where::all(), [Bridge::FLOOD_VLANS.insert([vlan])]);
        client.transact(transaction).await.unwrap();
    }
    let replica = client.replica();
    let (_, bridge) = replica.find(|bridge: &Bridge| bridge.name == "br0").unwrap();
    assert_eq!(bridge.flood_vlans, [1, 2].into());
}
