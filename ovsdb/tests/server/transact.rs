use flowport_ovsdb::notation::Reply;
use flowport_ovsdb::{Operation, TransactError, Uuid, Where};

use super::*;

#[tokio::test]
async fn reads_its_own_writes() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    for index in 0..50 {
        client.transact(add_port(bridge, &format!("p{index}"))).await.unwrap();
        let replica = client.replica();
        assert_eq!(replica.count::<Port>(), index + 2);
        assert_eq!(replica.get(bridge).unwrap().ports.len(), index + 2);
    }
}

#[tokio::test]
async fn many_at_once() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let tasks: Vec<_> = (0..500)
        .map(|index| {
            let client = client.clone();
            tokio::spawn(async move { client.transact(add_port(bridge, &format!("p{index}"))).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let replica = client.replica();
    assert_eq!(replica.get(bridge).unwrap().ports.len(), 501);
    assert_eq!(replica.resolve(&replica.get(bridge).unwrap().ports).count(), 501);
}

#[tokio::test]
async fn every_operation_has_its_reply() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let ids = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let mut transaction = Transaction::new();
    transaction.comment("all of them");
    transaction.update(Bridge::NAME.eq("br0"), [Bridge::EXTERNAL_IDS.set(ids)]);
    transaction.mutate(
        bridge,
        [Bridge::FLOOD_VLANS.insert([7, 5, 7]), Bridge::EXTERNAL_IDS.put([("k", "w"), ("l", "x")])],
    );
    transaction.verify(bridge, [Bridge::NAME.set("br0"), Bridge::FLOOD_VLANS.set([5, 7])]);
    transaction.verify_none(Bridge::NAME.eq("br1"), Bridge::NAME.any());
    let select = transaction.push(Operation::select_columns(
        Bridge::EXTERNAL_IDS.has("k", "w").and(Bridge::FLOOD_VLANS.includes([7])),
        &[Bridge::EXTERNAL_IDS.any(), Bridge::FLOOD_VLANS.any()],
    ));
    let row = Uuid::new_v4();
    let insert =
        transaction.push(Operation::insert(row, &Port { name: "gone".into(), ..Default::default() }));
    let delete = transaction.delete(Where::<Port>::row(row));
    transaction.push(Operation::Commit { durable: true });
    let committed = client.transact(transaction.clone()).await.unwrap();

    assert_eq!(committed.replies().len(), transaction.operations().len());
    assert_eq!(committed.replies()[0], Reply::Done);
    assert_eq!(committed.count(1), Some(1));
    assert_eq!(committed.inserted(insert), Some(row));
    assert_eq!(committed.count(delete), Some(1));
    let (uuid, selected) = &committed.rows::<Bridge>(select)[0];
    assert_eq!(*uuid, bridge.uuid());
    assert_eq!(selected.flood_vlans, [5, 7].into());
    let expected: BTreeMap<String, String> =
        [("k", "w"), ("l", "x")].map(|(k, v)| (k.into(), v.into())).into();
    assert_eq!(selected.external_ids, expected);
    assert_eq!(client.replica().get(bridge).unwrap().external_ids, expected);
}

#[tokio::test]
async fn strings_come_back_as_they_were() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let text = "\" \\ \\\" {[}] \u{1}\n\t/ \u{e9} \u{1f980} \\u0022";
    client
        .transact(
            Transaction::new().with(Operation::mutate(bridge, [Bridge::EXTERNAL_IDS.insert([(text, text)])])),
        )
        .await
        .unwrap();
    let other = connect(&server).await;
    for replica in [client.replica(), other.replica()] {
        assert_eq!(replica.get(bridge).unwrap().external_ids[text], text);
    }
}

#[tokio::test]
async fn a_broken_index_is_a_constraint() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let before = client.replica();
    let error = client.transact(add_port(bridge, "br0")).await.unwrap_err();
    let TransactError::Constraint { failed, table, columns } = &error else { panic!("{error:?}") };
    assert_eq!(failed.operation, None, "found at the end: {error}");
    assert_eq!(columns, &["name"]);
    assert!(matches!(table.as_deref(), Some("Port" | "Interface")), "{error}");
    assert_eq!(*client.replica(), *before);
}

#[tokio::test]
async fn other_constraints_name_their_operation() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;

    let mut out_of_range = Transaction::new();
    out_of_range.comment("the next one fails");
    out_of_range.update(Where::<Port>::all(), [Port::TAG.set(Some(4096))]);
    let error = client.transact(out_of_range).await.unwrap_err();
    assert!(
        matches!(&error, TransactError::Constraint { failed, .. } if failed.operation == Some(1)),
        "{error:?}"
    );

    let mut dangling = Transaction::new();
    dangling.mutate(bridge, [Bridge::PORTS.insert([Ref::from(Uuid::new_v4())])]);
    let error = client.transact(dangling).await.unwrap_err();
    assert!(
        matches!(&error, TransactError::Constraint { failed, table: None, .. } if failed.operation.is_none()),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_other_failures_have_their_types() {
    let server = server();
    let client = connect(&server).await;
    let (transaction, bridge) = root_with_bridge("br0");
    client.transact(transaction.clone()).await.unwrap();

    let error = client.transact(transaction).await.unwrap_err();
    assert!(
        matches!(&error, TransactError::DuplicateUuid(failed) if failed.operation == Some(0)),
        "{error:?}"
    );

    let changed = Operation::verify(bridge, [Bridge::FLOOD_VLANS.set([1])]);
    let error = client.transact(Transaction::new().with(changed)).await.unwrap_err();
    assert!(matches!(&error, TransactError::Conflict(failed) if failed.operation == Some(0)), "{error:?}");

    let gone = Operation::verify(Where::<Bridge>::row(Uuid::new_v4()), [Bridge::NAME.set("br0")]);
    let error = client.transact(Transaction::new().with(gone)).await.unwrap_err();
    assert!(matches!(&error, TransactError::Conflict(_)), "{error:?}");

    let mut unlocked = Transaction::new();
    unlocked.assert_lock("flowport");
    let error = client.transact(unlocked).await.unwrap_err();
    assert!(matches!(&error, TransactError::NotOwner(failed) if failed.operation == Some(0)), "{error:?}");

    let error = client.transact(Transaction::new().with(Operation::Abort)).await.unwrap_err();
    assert!(matches!(&error, TransactError::Refused(failed) if failed.error.error == "aborted"), "{error:?}");

    let nowhere = Operation::Delete { table: "Nowhere".into(), conditions: Vec::new() };
    let error = client.transact(Transaction::new().with(nowhere)).await.unwrap_err();
    assert!(matches!(&error, TransactError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_group_shares_a_transaction_but_no_failure() {
    let server = server();
    let client = connect(&server).await;
    let bridge = add_bridge(&client, "br0").await;
    let mut changes = client.changes();
    let group = |prefix: &'static str| {
        let client = client.clone();
        let tasks: Vec<_> = (0..200)
            .map(|index| {
                let client = client.clone();
                // In the second group one takes a name that is taken.
                let name = if index == 77 { "p77".to_owned() } else { format!("{prefix}{index}") };
                tokio::spawn(async move { client.transact_grouped(add_port(bridge, &name)).await })
            })
            .collect();
        async move {
            let mut failed = Vec::new();
            for (index, task) in tasks.into_iter().enumerate() {
                match task.await.unwrap() {
                    Ok(committed) => {
                        assert_eq!((committed.replies().len(), committed.count(2)), (3, Some(1)));
                    }
                    Err(error) => failed.push((index, error)),
                }
            }
            failed
        }
    };
    assert_eq!(group("p").await, []);
    let mut transactions = 0;
    let mut ports = 0;
    while ports < 200 {
        let set = within(changes.next()).await.unwrap();
        ports += set.rows::<Port>().count();
        transactions += 1;
    }
    assert!(transactions < 50, "{transactions} transactions for 200 callers");

    let failed = group("q").await;
    assert!(matches!(failed[..], [(77, TransactError::Constraint { .. })]), "{failed:?}");
    assert_eq!(client.replica().count::<Port>(), 1 + 200 + 199);
}
