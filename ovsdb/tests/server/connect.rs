use flowport_ovsdb::client::{ConnectError, ConnectionState};
use flowport_ovsdb::{Remote, Remotes};

use super::*;

async fn refused(remotes: &Remotes, monitor: Monitor) -> ConnectError {
    Client::connect(remotes, monitor, ConnectOptions::default()).await.expect_err("no connection")
}

#[tokio::test]
async fn resolves_with_the_whole_replica() {
    let server = server();
    let first = connect(&server).await;
    assert_eq!(first.replica().count::<Bridge>(), 0);
    let bridge = add_bridge(&first, "br0").await;

    let second = connect(&server).await;
    let replica = second.replica();
    assert_eq!(*replica, *first.replica(), "a dump and the updates lead to the same");
    assert_eq!(
        replica.rows::<Bridge>().map(|(uuid, row)| (uuid, row.name.as_str())).collect::<Vec<_>>(),
        [(bridge.uuid(), "br0")]
    );
    let (_, port) = replica.resolve(&replica.get(bridge).unwrap().ports).next().unwrap();
    assert_eq!(replica.resolve(&port.interfaces).map(|(_, row)| &row.name).collect::<Vec<_>>(), ["br0"]);
}

#[tokio::test]
async fn columns_that_are_not_monitored_stay_at_their_default() {
    let server = server();
    let bridge = add_bridge(&connect(&server).await, "br0").await;
    let monitor = Monitor::of_only::<Bridge>(&[Bridge::PORTS.any()]);
    let client = Client::connect(&server.remotes(), monitor, ConnectOptions::default()).await.unwrap();
    let replica = client.replica();
    assert_eq!(replica.get(bridge).unwrap().ports.len(), 1);
    assert_eq!(replica.get(bridge).unwrap().name, "");
    assert_eq!(replica.rows::<Port>().count(), 0);

    let selected =
        client.transact(Transaction::new().with(flowport_ovsdb::Operation::select::<Bridge>(bridge))).await;
    let rows = selected.unwrap().rows::<Bridge>(0);
    assert_eq!(
        rows.iter().map(|(uuid, row)| (*uuid, row.name.as_str())).collect::<Vec<_>>(),
        [(bridge.uuid(), "br0")]
    );
}

#[tokio::test]
async fn over_tcp() {
    let server = server();
    let remotes = format!("unix:/nowhere/db.sock,tcp:127.0.0.1:{}", server.port()).parse().unwrap();
    let client = Client::connect(&remotes, monitor(), ConnectOptions::default()).await.unwrap();
    add_bridge(&client, "br0").await;
    assert_eq!(client.replica().count::<Bridge>(), 1);
}

#[tokio::test]
async fn says_why_not() {
    let mut server = server();
    let other = Monitor::dynamic("Nothing", Vec::new());
    let error = refused(&server.remotes(), other).await;
    assert!(
        matches!(&error, ConnectError::NoSuchDatabase { database, .. } if database == "Nothing"),
        "{error:?}"
    );

    let error = refused(&Remote::Unix("/nowhere/db.sock".into()).into(), monitor()).await;
    assert!(matches!(error, ConnectError::NoSuchSocket { .. }), "{error:?}");

    let error = refused(&"ssl:127.0.0.1:6640".parse().unwrap(), monitor()).await;
    assert!(matches!(error, ConnectError::NoTlsOptions { .. }), "{error:?}");

    server.kill();
    let error = refused(&server.remotes(), monitor()).await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn other_calls() {
    let server = server();
    let client = connect(&server).await;
    let databases = client.call("list_dbs", &[(); 0]).await.unwrap();
    assert_eq!(databases.get(), r#"["Open_vSwitch","_Server"]"#);
    let error = client.call("get_schema", &["Nothing"]).await.unwrap_err();
    assert!(error.to_string().contains("unknown database"), "{error}");
    let error = client.call("no_such_method", &[(); 0]).await.unwrap_err();
    assert!(error.to_string().contains("unknown method"), "{error}");
}

#[tokio::test]
async fn the_connection_ends_with_the_last_handle() {
    let server = server();
    let client = connect(&server).await;
    let mut replica = client.subscribe();
    drop((client.clone(), client));
    within(replica.changed()).await.expect_err("nobody is left to change it");
}

#[tokio::test]
async fn over_a_stream_that_is_connected_already() {
    let mut server = server();
    let stream = tokio::net::UnixStream::connect(server.socket()).await.unwrap();
    let remote = Remote::Unix(server.socket());
    let client = Client::over(stream, remote, monitor(), ConnectOptions::default()).await.unwrap();
    add_bridge(&client, "br0").await;
    assert_eq!(client.replica().count::<Bridge>(), 1);

    let mut changes = client.changes();
    server.kill();
    let end = tokio::time::timeout(Duration::from_secs(30), changes.next()).await;
    assert!(end.expect("the client is closed with its stream").is_none());
    assert!(matches!(*client.state().borrow(), ConnectionState::Disconnected { .. }));
}
