use flowport_ovsdb::client::ConnectionState;
use flowport_ovsdb::replica::RowChange;

use super::*;

/// A client whose member is killed, and which finds another one only after `missed` transactions. Whether that one
/// sent the difference alone.
async fn resumes_after(missed: usize) -> bool {
    let mut cluster = Cluster::start(3);
    let door = cluster.members[0].path("door");
    let list = remotes([cluster.members[0].socket(), door.clone()]);
    let client = connect_to(&list, ConnectOptions { shuffle: false, ..eager() }).await;
    let writer = connect_to(&remotes([cluster.members[1].socket()]), eager()).await;
    // The server forgets a history that is larger than the database: first the rows, then what the client saw last.
    let mut many = Transaction::new();
    let rows: Vec<_> = (0..500).map(|index| many.insert(&host(format!("h{index}")))).collect();
    writer.transact(many).await.unwrap();
    writer.transact(add_host("last")).await.unwrap();
    within(client.wait_for(|replica| replica.count::<Host>() == 501, soon())).await.unwrap();
    let mut changes = client.changes();
    let mut state = client.state();

    cluster.members[0].kill();
    within(state.wait_for(|state| matches!(state, ConnectionState::Disconnected { .. }))).await.unwrap();
    let mut delete = Transaction::new();
    delete.delete(rows[0]);
    writer.transact(delete).await.unwrap();
    for index in 1..missed {
        writer.transact(add_host(format!("m{index}"))).await.unwrap();
    }
    std::os::unix::fs::symlink(cluster.members[2].socket(), &door).unwrap();
    let resumed = peer(&client, |_| true).await.resumed;

    let missed_rows = within(changes.next()).await.unwrap();
    let (mut inserted, mut deleted) = (0, Vec::new());
    for change in missed_rows.rows::<Host>() {
        match change {
            RowChange::Insert { .. } => inserted += 1,
            RowChange::Delete { uuid, .. } => deleted.push(uuid),
            RowChange::Modify { .. } => panic!("{change:?}"),
        }
    }
    assert_eq!((inserted, deleted), (missed - 1, vec![rows[0].uuid()]));
    within(client.wait_for(|replica| replica.count::<Host>() == 499 + missed, soon())).await.unwrap();
    assert_eq!(*client.replica(), *writer.replica());
    resumed
}

#[tokio::test]
async fn within_the_servers_history_only_what_was_missed_is_sent() {
    assert!(resumes_after(60).await);
}

#[tokio::test]
async fn past_it_all_is_sent() {
    assert!(!resumes_after(130).await);
}
