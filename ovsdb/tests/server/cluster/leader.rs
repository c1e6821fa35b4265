use flowport_ovsdb::session::Settled;

use super::*;

fn leader_only() -> ConnectOptions {
    ConnectOptions { leader_only: true, ..eager() }
}

#[tokio::test]
async fn who_wants_the_leader_follows_it() {
    let mut cluster = Cluster::start(3);
    let client = connect_to(&cluster.remotes(), leader_only()).await;
    let other = cluster.connect().await;
    let first = peer(&client, is_leader).await;

    // While connected: the leader hands over.
    let control = cluster.member(&first).control().display().to_string();
    run_tool("ovs-appctl", ["-t", &control, "cluster/failure-test", "transfer-leadership"]);
    let second = peer(&client, |peer| peer.remote != first.remote).await;
    assert!(is_leader(&second), "{second:?}");
    client.transact_until(add_host("a"), soon()).await.unwrap();

    cluster.member(&second).kill();
    let third = peer(&client, |peer| peer.remote != second.remote).await;
    assert!(is_leader(&third), "{third:?}");
    client.transact_until(add_host("b"), soon()).await.unwrap();
    within(other.wait_for(|replica| replica.count::<Host>() == 2, soon())).await.unwrap();
}

#[tokio::test]
async fn the_leader_is_killed_with_transactions_in_flight() {
    let mut cluster = Cluster::start(3);
    // One that is connected to the leader, and one to a follower.
    let at_leader = connect_to(&cluster.remotes(), leader_only()).await;
    let leader = peer(&at_leader, is_leader).await;
    let followers = cluster.members.iter().map(Server::socket);
    let followers = remotes(followers.filter(|socket| Remote::Unix(socket.clone()) != leader.remote));
    let at_follower = connect_to(&followers, eager()).await;

    let tasks: Vec<_> = (0..40)
        .map(|index| {
            let client = if index % 2 == 0 { at_leader.clone() } else { at_follower.clone() };
            let transaction = add_host(format!("h{index:02}"));
            tokio::spawn(async move { client.transact_until(transaction, soon()).await })
        })
        .collect();
    within(at_follower.wait_for(|replica| replica.count::<Host>() >= 5, soon())).await.unwrap();
    cluster.member(&leader).kill();

    let mut already = 0;
    for (index, task) in tasks.into_iter().enumerate() {
        already += usize::from(within(task).await.unwrap().unwrap() == Settled::Already);
        let client = if index % 2 == 0 { &at_leader } else { &at_follower };
        let name = format!("h{index:02}");
        assert!(
            names(client).contains(&name),
            "{name} is not shown to who waited for it ({already} known before)"
        );
    }
    let expected: Vec<String> = (0..40).map(|index| format!("h{index:02}")).collect();
    for client in [&at_leader, &at_follower] {
        within(client.wait_for(|replica| replica.count::<Host>() >= 40, soon())).await.unwrap();
        assert_eq!(names(client), expected, "each once ({already} known before)");
    }
    let fresh = connect_to(&followers, eager()).await;
    assert_eq!(names(&fresh), expected);
}

/// What [`Client::transact`] acknowledged is there; what it lost the answer of may be.
#[tokio::test]
async fn what_was_acknowledged_outlives_the_leader() {
    let mut cluster = Cluster::start(3);
    let client = connect_to(&cluster.remotes(), leader_only()).await;
    let leader = peer(&client, is_leader).await;
    let tasks: Vec<_> = (0..40)
        .map(|index| {
            let (client, transaction) = (client.clone(), add_host(format!("h{index:02}")));
            tokio::spawn(async move { client.transact(transaction).await })
        })
        .collect();
    within(client.wait_for(|replica| replica.count::<Host>() >= 5, soon())).await.unwrap();
    cluster.member(&leader).kill();
    let mut acknowledged = Vec::new();
    for (index, task) in tasks.into_iter().enumerate() {
        match within(task).await.unwrap() {
            Ok(_) => acknowledged.push(format!("h{index:02}")),
            Err(error) => assert!(
                error.is_outcome_unknown()
                    || matches!(error, flowport_ovsdb::TransactError::NotConnected { .. }),
                "{error:?}"
            ),
        }
    }
    assert!(acknowledged.len() >= 5);
    peer(&client, |peer| peer.remote != leader.remote).await;
    // A leader may be elected before it has applied all that is committed.
    let all_there = |replica: &flowport_ovsdb::Replica| {
        acknowledged.iter().all(|name| replica.find(|host: &Host| host.name == *name).is_some())
    };
    within(client.wait_for(all_there, soon())).await.unwrap();
    let names = names(&client);
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "none twice: {names:?}");
}
