//! Monitors of some rows only, and changes of which ones.

use flowport_ovsdb::client::{ConditionError, ConnectionState};
use flowport_ovsdb::monitor::{Conditions, MonitorCondition, MonitoredColumn, MonitoredTable};
use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::table::Shape;
use flowport_ovsdb::wire::Framer;
use flowport_ovsdb::{Condition, Remote, Replica};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::random::{Random, step};
use super::reconnect::eager;
use super::*;

async fn connect_with(server: &Server, conditions: Conditions) -> Client {
    let monitor = monitor().with_conditions(conditions);
    Client::connect(&server.remotes(), monitor, eager()).await.expect("a connection")
}

fn cluster_of_one() -> Server {
    Server::start_cluster_of_one(&schema())
}

fn tagged(tags: impl IntoIterator<Item = i64>) -> Conditions {
    Conditions::new().any(tags.into_iter().map(|tag| Port::TAG.eq(Some(tag))))
}

/// Names of the ports in the replica, in order.
fn ports(replica: &Replica) -> Vec<String> {
    let names: BTreeSet<String> = replica.rows::<Port>().map(|(_, port)| port.name.clone()).collect();
    names.into_iter().collect()
}

async fn tag(client: &Client, name: &str, tag: Option<i64>) {
    let mut transaction = Transaction::new();
    transaction.update(Port::NAME.eq(name), [Port::TAG.set(tag)]);
    client.transact(transaction).await.expect("the tag is set");
}

/// Ports `p0` to `p3` with tags 0 to 3, and the bridge's own without.
async fn four_ports(server: &Server) -> Client {
    let writer = connect(server).await;
    let bridge = add_bridge(&writer, "br0").await;
    for index in 0..4 {
        let name = format!("p{index}");
        writer.transact(add_port(bridge, &name)).await.unwrap();
        tag(&writer, &name, Some(index)).await;
    }
    writer
}

#[tokio::test]
async fn only_rows_that_meet_the_condition_are_there() {
    let server = server();
    let writer = four_ports(&server).await;
    let client = connect_with(&server, tagged([1, 2]).nothing::<Interface>()).await;
    assert_eq!(ports(&client.replica()), ["p1", "p2"]);
    assert_eq!(client.replica().count::<Interface>(), 0);
    assert_eq!(client.replica().count::<Bridge>(), 1, "no condition: all");

    // Rows come and go as they begin and cease to meet it.
    let mut changes = client.changes();
    tag(&writer, "p1", Some(7)).await;
    let set = within(changes.next()).await.unwrap();
    assert!(matches!(set.rows::<Port>().next(), Some(RowChange::Delete { old, .. }) if old.name == "p1"));
    tag(&writer, "p3", Some(1)).await;
    let set = within(changes.next()).await.unwrap();
    assert!(matches!(set.rows::<Port>().next(), Some(RowChange::Insert { new, .. }) if new.name == "p3"));
    assert_eq!(ports(&client.replica()), ["p2", "p3"]);
}

#[tokio::test]
async fn a_change_is_in_the_replica_when_it_is_acknowledged() {
    let server = server();
    let _writer = four_ports(&server).await;
    let client = connect(&server).await;
    let all = ports(&client.replica());
    assert_eq!(all, ["br0", "p0", "p1", "p2", "p3"]);
    let steps: [(Conditions, &[&str]); 6] = [
        (tagged([0, 1]), &["p0", "p1"]),
        (tagged([1, 2, 3]), &["p1", "p2", "p3"]),
        (Conditions::new().nothing::<Port>(), &[]),
        (Conditions::new().any([Port::NAME.eq("p3"), Port::TAG.eq(None)]), &["br0", "p3"]),
        (tagged([]), &[]),
        (Conditions::new().all::<Port>(), &["br0", "p0", "p1", "p2", "p3"]),
    ];
    let mut changes = client.changes();
    for (conditions, expected) in steps {
        let fresh = connect_with(&server, conditions.clone()).await;
        within(client.set_conditions(conditions.clone())).await.unwrap();
        assert_eq!(ports(&client.replica()), expected, "{conditions:?}");
        assert_eq!(*client.replica(), *fresh.replica(), "{conditions:?}");
        let set = within(changes.next()).await.unwrap();
        assert_eq!(ports(&set.after), expected, "told as a change, too");
    }
    // Nothing named, nothing changed.
    within(client.set_conditions(Conditions::new())).await.unwrap();
    assert_eq!(ports(&client.replica()), all);
}

#[tokio::test]
async fn a_table_known_at_run_time_has_conditions_too() {
    let server = server();
    let _writer = four_ports(&server).await;
    let columns = vec![MonitoredColumn { name: "name".into(), shape: Shape::One }];
    let table = MonitoredTable { name: "Port".into(), columns };
    // A column that is not copied.
    let clause = |column: &'static str| Condition {
        column: column.into(),
        function: flowport_ovsdb::notation::Function::Gt,
        value: 1.into(),
    };
    let condition = MonitorCondition::Any(vec![clause("tag")]);
    let monitor = Monitor::dynamic("Open_vSwitch", vec![table])
        .with_conditions(Conditions::new().with("Port", condition));
    let client = Client::connect(&server.remotes(), monitor, eager()).await.unwrap();
    let rows = || client.replica().untyped_rows("Port").count();
    assert_eq!(rows(), 2);

    let unknown = Conditions::new().with("Port", MonitorCondition::Any(vec![clause("novelty")]));
    let error = within(client.set_conditions(unknown)).await.unwrap_err();
    assert!(matches!(&error, ConditionError::Refused { table, .. } if table == "Port"), "{error:?}");
    assert!(error.to_string().contains("novelty"), "{error}");
    assert_eq!(rows(), 2, "as before");

    let other = Conditions::new().nothing::<Port>().all::<Bridge>();
    let error = within(client.set_conditions(other)).await.unwrap_err();
    assert_eq!(error, ConditionError::NotMonitored("Bridge".to_owned()));
    assert_eq!(rows(), 2, "all or nothing");
    within(client.set_conditions(Conditions::new().nothing::<Port>())).await.unwrap();
    assert_eq!(rows(), 0);
}

#[tokio::test]
async fn of_many_wishes_the_last_counts_and_few_are_sent() {
    let server = server();
    let _writer = four_ports(&server).await;
    let client = connect_with(&server, tagged([])).await;
    let wishes: Vec<_> = (0..100)
        .map(|index| {
            let client = client.clone();
            tokio::spawn(async move { client.set_conditions(tagged([index % 3])).await })
        })
        .collect();
    for wish in wishes {
        within(wish).await.unwrap().unwrap();
    }
    within(client.set_conditions(tagged([3]))).await.unwrap();
    assert_eq!(ports(&client.replica()), ["p3"]);
}

/// Asked for without a connection, and before that with a connection that does not answer any more.
#[tokio::test]
async fn a_change_outlives_the_connection() {
    for mut server in [server(), cluster_of_one()] {
        let writer = four_ports(&server).await;
        let client = connect_with(&server, tagged([0])).await;
        let mut state = client.state();
        drop(writer);

        server.signal("STOP");
        let asked = |conditions: Conditions| {
            let client = client.clone();
            tokio::spawn(async move { client.set_conditions(conditions).await })
        };
        let in_flight = asked(tagged([0, 1]));
        // In order, so that the one before was sent when this one is taken.
        let overtaken = asked(tagged([2]));
        server.kill();
        let gone = |state: &ConnectionState| matches!(state, ConnectionState::Disconnected { .. });
        within(state.wait_for(gone)).await.unwrap();
        let last = asked(Conditions::new().any([Port::TAG.eq(Some(3)), Port::TAG.eq(Some(0))]));
        tokio::task::yield_now().await;
        assert_eq!(ports(&client.replica()), ["p0"], "the last replica stays");
        server.restart();
        for wish in [in_flight, overtaken, last] {
            within(wish).await.unwrap().unwrap();
        }
        assert_eq!(ports(&client.replica()), ["p0", "p3"]);

        // The next connection begins with what was acknowledged.
        server.kill();
        within(state.wait_for(gone)).await.unwrap();
        server.restart();
        within(state.wait_for(|state| *state == ConnectionState::Connected)).await.unwrap();
        assert_eq!(ports(&client.replica()), ["p0", "p3"]);
        let fresh = connect_with(&server, tagged([0, 3])).await;
        assert_eq!(*client.replica(), *fresh.replica());
    }
}

/// The server has changed the condition, we have its rows but not the acknowledgement, and the connection ends: a
/// server that can resume is not to be trusted with either condition.
#[tokio::test]
async fn a_change_that_was_half_seen_is_not_resumed_from() {
    let server = cluster_of_one();
    let _writer = four_ports(&server).await;
    let front = server.socket().with_extension("front");
    let listener = UnixListener::bind(&front).unwrap();
    let proxy = tokio::spawn(cut_before_the_acknowledgement(listener, server.socket()));
    let monitor = monitor().with_conditions(tagged([0, 1]));
    let client = Client::connect(&Remote::Unix(front).into(), monitor, eager()).await.unwrap();
    assert!(client.replica().transaction().is_some(), "a server that can resume");
    let mut changes = client.changes();

    within(client.set_conditions(tagged([1, 2]))).await.unwrap();
    assert_eq!(ports(&client.replica()), ["p1", "p2"]);
    assert_eq!(ports(&within(changes.next()).await.unwrap().after), ["p1", "p2"], "seen at first");
    assert_eq!(ports(&within(changes.next()).await.unwrap().after), ["p0", "p1"], "the acknowledged one");
    assert_eq!(ports(&within(changes.next()).await.unwrap().after), ["p1", "p2"]);
    drop((client, changes));
    within(proxy).await.unwrap();
}

/// Between client and server, twice: of the first connection it passes on what comes before the acknowledgement of
/// a condition, of the second one all.
async fn cut_before_the_acknowledgement(listener: UnixListener, socket: PathBuf) {
    let (first, _) = listener.accept().await.unwrap();
    let server = UnixStream::connect(&socket).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (first.into_split(), server.into_split());
    let requests = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let (mut framer, mut buffer) = (Framer::default(), vec![0; 65536]);
    'connection: loop {
        while let Some(message) = framer.next_message().unwrap() {
            to_client.write_all(&message).await.unwrap();
            if message.windows(9).any(|window| window == b"\"update3\"") {
                break 'connection;
            }
        }
        let read = from_server.read(&mut buffer).await.unwrap();
        framer.extend(&buffer[..read]);
    }
    requests.abort();
    drop((to_client, from_server));
    let (mut second, _) = listener.accept().await.unwrap();
    let mut server = UnixStream::connect(&socket).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut second, &mut server).await;
}

/// Random transactions and changes of conditions, and a server that is killed now and then: what is there equals
/// what a fresh client sees that asks with the same conditions.
#[tokio::test]
async fn changed_and_fresh_conditions_agree() {
    for (seed, mut server) in [(1, server()), (2, cluster_of_one())] {
        let writer = Client::connect(&server.remotes(), monitor(), eager()).await.unwrap();
        let client = Client::connect(&server.remotes(), monitor(), eager()).await.unwrap();
        let mut root = Transaction::new();
        let bridges =
            ["br0", "br1"].map(|name| root.insert(&Bridge { name: name.into(), ..Default::default() }));
        root.insert(&Root { bridges: bridges.into(), ..Default::default() });
        writer.transact(root).await.unwrap();

        let mut random = Random(seed);
        for round in 0..30 {
            let mut asked = Conditions::new();
            let mut waiting = Vec::new();
            for _ in 0..3 {
                let conditions = some_conditions(&mut random);
                asked = conditions
                    .tables()
                    .fold(asked, |asked, (table, condition)| asked.with(table.to_owned(), condition.clone()));
                let client = client.clone();
                waiting.push(tokio::spawn(async move { client.set_conditions(conditions).await }));
                for _ in 0..4 {
                    // Refused or not.
                    let _ = writer.transact(step(&mut random, &writer.replica())).await;
                }
            }
            if round % 5 == 4 {
                let mut state = writer.state();
                server.kill();
                let gone = |state: &ConnectionState| *state != ConnectionState::Connected;
                within(state.wait_for(gone)).await.unwrap();
                server.restart();
                within(state.wait_for(|state| !gone(state))).await.unwrap();
            }
            // What the spawned wishes left out of order is settled by one that names all.
            within(client.set_conditions(asked.clone())).await.unwrap();
            for wish in waiting {
                within(wish).await.unwrap().unwrap();
            }
            within(client.set_conditions(asked.clone())).await.unwrap();
            // A transaction of its own comes after all that went before.
            within(client.transact(Transaction::new())).await.unwrap();
            let fresh = connect_with(&server, asked.clone()).await;
            assert_eq!(*client.replica(), *fresh.replica(), "seed {seed}, round {round}, {asked:?}");
        }
    }
}

/// Always of the same three tables, so that the last ones say all.
fn some_conditions(random: &mut Random) -> Conditions {
    let conditions = match random.below(4) {
        0 => Conditions::new().all::<Port>(),
        1 => Conditions::new().nothing::<Port>(),
        2 => tagged([0]),
        _ => Conditions::new().any([Port::TAG.eq(Some(7)), Port::TAG.eq(None)]),
    };
    let conditions = match random.below(3) {
        0 => conditions.all::<Bridge>(),
        1 => conditions.any([Bridge::NAME.eq("br0")]),
        _ => conditions.any([Bridge::EXTERNAL_IDS.has("a", "1"), Bridge::FLOOD_VLANS.includes([3])]),
    };
    match random.below(2) {
        0 => conditions.all::<Interface>(),
        _ => conditions.any([Interface::NAME.ne("p3")]),
    }
}
