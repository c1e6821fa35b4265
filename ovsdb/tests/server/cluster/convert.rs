//! The schema changes under a live session.

use flowport_ovsdb::TransactError;
use flowport_ovsdb::replica::RowChange;

use super::*;

/// Converts the database of `server`, to which or to whose cluster `client` is connected.
async fn converts(server: &Server, client: &Client) {
    let mut state = client.state();
    let before = client.peer().borrow().clone();
    let mut first = Transaction::new();
    let row = first.insert(&Host { tags: ["x".to_owned()].into(), ..host("a") });
    let old = first.insert(&Old { name: "gone".into() });
    client.transact(first).await.unwrap();
    assert_eq!(client.replica().get(row).unwrap().zone, "");
    let mut changes = client.changes();
    // In flight over the conversion: waits for a row that nobody makes.
    let wait = flowport_ovsdb::Operation::Wait {
        table: "Host".into(),
        conditions: Host::NAME.eq("nobody").conditions().to_vec(),
        columns: vec!["name".into()],
        until: flowport_ovsdb::notation::Until::NotEqual,
        rows: Vec::new(),
        timeout: None,
    };
    let mut waiting = std::pin::pin!(client.transact(Transaction::new().with(wait)));
    tokio::select! {
        biased;
        outcome = &mut waiting => panic!("{outcome:?}"),
        answer = client.call("echo", &["sent"]) => assert!(answer.is_ok()),
    }

    let socket = format!("unix:{}", server.socket().display());
    let schema = hosts_schema(2).display().to_string();
    run_tool("ovsdb-client", ["--timeout=30", "convert", &socket, &schema]);

    let converted = within(changes.next()).await.unwrap();
    assert!(converted.merged);
    let deleted: Vec<_> = converted.rows::<Old>().collect();
    assert!(matches!(&deleted[..], [RowChange::Delete { uuid, .. }] if *uuid == old.uuid()), "{deleted:?}");
    assert_eq!(converted.rows::<Host>().count(), 0, "it was migrated as it is");
    let error = within(waiting).await.unwrap_err();
    assert!(matches!(error, TransactError::Canceled(_)), "{error:?}");

    // By the new schema: a second tag, and a column that was not there.
    let mut second = Transaction::new();
    second.mutate(row, [Host::TAGS.insert(["y".to_owned()])]);
    second.update(row, [Host::ZONE.set("z")]);
    client.transact(second).await.unwrap();
    let replica = client.replica();
    let found = replica.get(row).unwrap();
    assert_eq!((found.zone.as_str(), &found.tags), ("z", &["x".to_owned(), "y".to_owned()].into()));
    assert_eq!(replica.monitor().tables().len(), 1);

    assert!(!state.has_changed().unwrap(), "on the same connection: {:?}", *state.borrow_and_update());
    assert_eq!(client.peer().borrow().as_ref().unwrap().remote, before.unwrap().remote);
}

#[tokio::test]
async fn of_a_standalone_server() {
    let server = Server::start(&[&hosts_schema(1)]);
    let client = connect_to(&server.remotes(), eager()).await;
    converts(&server, &client).await;
}

#[tokio::test]
async fn of_a_cluster() {
    let cluster = Cluster::start(3);
    let client = cluster.connect().await;
    converts(&cluster.members[1], &client).await;
}

#[tokio::test]
async fn of_a_relays_source() {
    let cluster = Cluster::start(1);
    let relay = relay::relay_of(&cluster);
    let client = connect_to(&relay.remotes(), eager()).await;
    converts(&cluster.members[0], &client).await;
}
