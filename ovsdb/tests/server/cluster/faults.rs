//! Faults one after the other, with writers all the time.

use flowport_ovsdb::client::Changes;
use flowport_ovsdb::replica::RowChange;
use flowport_ovsdb::{Replica, Uuid};

use super::*;

/// What the changes told so far amount to.
async fn follow(mut changes: Changes) -> BTreeMap<Uuid, Host> {
    let mut rows: BTreeMap<Uuid, Host> =
        changes.replica().rows().map(|(uuid, host): (Uuid, &Host)| (uuid, host.clone())).collect();
    while let Some(change) = changes.next().await {
        for change in change.rows::<Host>() {
            match change {
                RowChange::Insert { uuid, new } => {
                    assert!(rows.insert(uuid, new.clone()).is_none(), "{uuid} twice");
                }
                RowChange::Modify { uuid, old, new } => {
                    assert_eq!(rows.insert(uuid, new.clone()).as_ref(), Some(old));
                }
                RowChange::Delete { uuid, old } => assert_eq!(rows.remove(&uuid).as_ref(), Some(old)),
            }
        }
    }
    rows
}

/// Puts a row, and takes the one before away.
fn replace(name: String, before: Option<Ref<Host>>) -> (Transaction, Ref<Host>) {
    let mut transaction = Transaction::new();
    let row = transaction.insert(&host(name));
    if let Some(before) = before {
        transaction.delete(before);
    }
    (transaction, row)
}

/// Writes until `rounds` are over, and every fifth row stays.
async fn write(client: Client, name: String, mut rounds: tokio::sync::watch::Receiver<usize>) -> Vec<String> {
    let (mut kept, mut before) = (Vec::new(), None);
    for index in 0.. {
        if *rounds.borrow_and_update() == 0 {
            break;
        }
        let name = format!("{name}{index:05}");
        let (transaction, row) = replace(name.clone(), before.take());
        within(client.transact_until(transaction, soon())).await.unwrap();
        assert!(client.replica().get(row).is_some(), "{name} is not shown to who wrote it");
        if index % 5 == 0 {
            kept.push(name);
        } else {
            before = Some(row);
        }
    }
    if let Some(last) = before {
        kept.extend(client.replica().get(last).map(|host| host.name.clone()));
    }
    kept
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_twice() {
    let mut cluster = Cluster::start(3);
    let options = ConnectOptions { probe_interval: Some(Duration::from_millis(250)), ..eager() };
    let watcher = connect_to(&cluster.remotes(), options.clone()).await;
    let following = tokio::spawn(follow(watcher.changes()));
    let rounds: usize = std::env::var("OVSDB_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let (progress, remaining) = tokio::sync::watch::channel(rounds);
    let mut writers = Vec::new();
    for (name, leader_only) in [("a", false), ("b", false), ("c", true)] {
        let options = ConnectOptions { leader_only, ..options.clone() };
        let client = connect_to(&cluster.remotes(), options).await;
        writers.push(tokio::spawn(write(client, name.to_owned(), remaining.clone())));
    }
    for round in (0..rounds).rev() {
        let member = &mut cluster.members[round % 3];
        let seen = watcher.replica().serial();
        match round % 4 {
            0 => member.kill(),
            1 => member.signal("STOP"),
            2 => {
                let control = member.control().display().to_string();
                run_tool("ovs-appctl", ["-t", &control, "ovsdb-server/reconnect"]);
            }
            _ => {
                let control = member.control().display().to_string();
                run_tool("ovs-appctl", ["-t", &control, "cluster/failure-test", "transfer-leadership"]);
            }
        }
        // It goes on without that member.
        within(watcher.wait_for(|replica| replica.serial() > seen + 150, soon())).await.unwrap();
        match round % 4 {
            0 => cluster.members[round % 3].restart(),
            1 => cluster.members[round % 3].signal("CONT"),
            _ => {}
        }
        progress.send_replace(round);
    }
    let mut expected = Vec::new();
    for writer in writers {
        expected.extend(within(writer).await.unwrap());
    }
    expected.sort();
    let fresh = cluster.connect().await;
    // A member may lag behind: with as many rows, and not the last.
    let last_shown = |replica: &Replica| {
        let shown: BTreeSet<&str> = replica.rows::<Host>().map(|(_, host)| host.name.as_str()).collect();
        expected.iter().all(|name| shown.contains(name.as_str()))
    };
    let _ = within(fresh.wait_for(last_shown, soon())).await;
    assert_eq!(names(&fresh), expected);
    within(watcher.wait_for(|replica| *replica == *fresh.replica(), soon())).await.unwrap();
    drop(watcher);
    let told = within(following).await.unwrap();
    let held = fresh.replica();
    assert_eq!(told, held.rows().map(|(uuid, host): (Uuid, &Host)| (uuid, host.clone())).collect());
}
