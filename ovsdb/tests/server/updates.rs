use flowport_ovsdb::client::ChangeSet;
use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::{Operation, Where};

use super::*;

#[tokio::test]
async fn another_clients_changes_arrive() {
    let server = server();
    let (writer, reader) = (connect(&server).await, connect(&server).await);
    let mut changes = reader.subscribe();
    let bridge = add_bridge(&writer, "br0").await;
    within(changes.changed()).await.unwrap();
    assert_eq!(changes.borrow_and_update().get(bridge).unwrap().name, "br0");

    let old = reader.replica();
    let mut modify = Transaction::new();
    modify.update(
        bridge,
        [Bridge::FAIL_MODE.set(Some(FailMode::Standalone)), Bridge::FLOOD_VLANS.set([1, 2, 3])],
    );
    modify.mutate(bridge, [Bridge::EXTERNAL_IDS.insert([("a", "1"), ("b", "2")])]);
    writer.transact(modify).await.unwrap();
    within(changes.changed()).await.unwrap();
    let mut modify = Transaction::new();
    modify.mutate(bridge, [Bridge::FLOOD_VLANS.remove([2]), Bridge::FLOOD_VLANS.insert([9])]);
    modify.mutate(bridge, [Bridge::EXTERNAL_IDS.remove(["a"]), Bridge::EXTERNAL_IDS.put([("b", "3")])]);
    modify.update(Where::<Root>::all(), [Root::NEXT_CFG.set(7)]);
    writer.transact(modify).await.unwrap();
    let now = reader
        .wait_for(|replica| replica.find(|root: &Root| root.next_cfg == 7).is_some(), soon())
        .await
        .unwrap();
    let row = now.get(bridge).unwrap();
    assert_eq!(row.fail_mode, Some(FailMode::Standalone));
    assert_eq!(row.flood_vlans, [1, 3, 9].into());
    assert_eq!(row.external_ids, [("b".to_owned(), "3".to_owned())].into());
    assert!(old.get(bridge).unwrap().flood_vlans.is_empty(), "an old replica stays as it was");
    assert!(now.serial() > old.serial());

    let mut reset = Transaction::new();
    reset.update(
        bridge,
        [Bridge::FAIL_MODE.set(None), Bridge::FLOOD_VLANS.set([]), Bridge::EXTERNAL_IDS.set([])],
    );
    writer.transact(reset).await.unwrap();
    let cleared =
        |replica: &flowport_ovsdb::Replica| replica.get(bridge).is_some_and(|row| row.fail_mode.is_none());
    let now = reader.wait_for(cleared, soon()).await.unwrap();
    assert_eq!(*now, *connect(&server).await.replica(), "as a fresh dump");

    let root = now.rows::<Root>().next().unwrap().0;
    writer
        .transact(
            Transaction::new().with(Operation::mutate(Where::row(root), [Root::BRIDGES.remove([bridge])])),
        )
        .await
        .unwrap();
    let empty = reader.wait_for(|replica| replica.count::<Bridge>() == 0, soon()).await.unwrap();
    assert_eq!((empty.count::<Port>(), empty.count::<Interface>(), empty.count::<Root>()), (0, 0, 1));
}

#[tokio::test]
async fn values_outside_of_an_enumeration_are_kept() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let secure = FailMode::from("secure");
    assert_eq!(secure, FailMode::Unknown("secure".into()), "this test's enumeration does not know it");
    client
        .transact(
            Transaction::new().with(Operation::update(bridge, [Bridge::FAIL_MODE.set(Some(secure.clone()))])),
        )
        .await
        .unwrap();
    assert_eq!(client.replica().get(bridge).unwrap().fail_mode, Some(secure));
}

#[tokio::test]
async fn waiting_ends_at_its_deadline() {
    let server = server();
    let client = connect(&server).await;
    let error = client.wait_for(|_| false, Instant::now()).await.unwrap_err();
    assert_eq!(error, flowport_ovsdb::client::WaitError::Deadline);
}

fn port_changes(changes: &ChangeSet) -> Vec<String> {
    changes
        .rows::<Port>()
        .map(|change| match change {
            RowChange::Insert { new, .. } => format!("+{}", new.name),
            RowChange::Modify { old, new, .. } => format!("{}:{:?}->{:?}", new.name, old.tag, new.tag),
            RowChange::Delete { old, .. } => format!("-{}", old.name),
        })
        .collect()
}

#[tokio::test]
async fn changes_come_one_transaction_at_a_time() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let mut changes = client.changes();
    for name in ["p0", "p1", "p2"] {
        client.transact(add_port(bridge, name)).await.unwrap();
    }
    let mut tag = Transaction::new();
    tag.update(Port::NAME.eq("p1"), [Port::TAG.set(Some(7))]);
    client.transact(tag).await.unwrap();
    let (port, _) = client.replica().find(|port: &Port| port.name == "p0").unwrap();
    let mut delete = Transaction::new();
    delete.mutate(bridge, [Bridge::PORTS.remove([port])]);
    client.transact(delete).await.unwrap();

    for expected in ["+p0", "+p1", "+p2", "p1:None->Some(7)", "-p0"] {
        let set = within(changes.next()).await.unwrap();
        assert_eq!((port_changes(&set), set.merged), (vec![expected.to_owned()], false));
    }
    drop(client);
    assert!(within(changes.next()).await.is_none());
}

#[tokio::test]
async fn who_falls_behind_gets_the_changes_as_one() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let mut changes = client.changes();
    for vlan in 0..600 {
        let mut transaction = Transaction::new();
        transaction.update(bridge, [Bridge::FLOOD_VLANS.set([vlan])]);
        client.transact(transaction).await.unwrap();
    }
    let first = within(changes.next()).await.unwrap();
    assert!(first.merged);
    assert!(first.before.get(bridge).unwrap().flood_vlans.is_empty());
    let mut last = first.after;
    while last.get(bridge).unwrap().flood_vlans != [599].into() {
        let set = within(changes.next()).await.unwrap();
        assert_eq!((set.before.serial(), set.merged), (last.serial(), false));
        last = set.after;
    }
}
