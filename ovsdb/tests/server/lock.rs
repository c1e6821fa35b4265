use flowport_ovsdb::client::LockError;
use flowport_ovsdb::{Operation, Where};

use super::*;

#[tokio::test]
async fn one_client_at_a_time() {
    let server = server();
    let (first, second) = (connect(&server).await, connect(&server).await);
    let lock = within(first.lock("flowport")).await.unwrap();
    assert!(lock.is_held());
    assert!(within(second.try_lock("flowport")).await.unwrap().is_none());
    assert_eq!(
        within(first.lock("flowport")).await.unwrap_err(),
        LockError::Duplicate("flowport".to_owned())
    );

    let waiting = tokio::spawn(async move { (second.lock("flowport").await, second) });
    drop(lock);
    let (lock, second) = within(waiting).await.unwrap();
    assert!(lock.unwrap().is_held());

    // Dropped above: free for the first again.
    let lock = within(first.lock("flowport")).await.unwrap();
    assert!(lock.is_held());
    drop(second);
}

#[tokio::test]
async fn a_stolen_lock_is_lost_and_comes_back() {
    let server = server();
    let (first, second) = (connect(&server).await, connect(&server).await);
    let mut lock = within(first.lock("flowport")).await.unwrap();
    let mut guarded = Transaction::new();
    guarded.assert_lock("flowport");
    guarded.push(Operation::update(Where::<Root>::all(), [Root::NEXT_CFG.set(1)]));
    first.transact(guarded.clone()).await.unwrap();

    let stolen = within(second.steal_lock("flowport")).await.unwrap();
    assert!(stolen.is_held());
    within(lock.lost()).await;
    let error = first.transact(guarded.clone()).await.unwrap_err();
    assert!(matches!(error, flowport_ovsdb::TransactError::NotOwner(_)), "{error:?}");

    drop(stolen);
    within(lock.held()).await.unwrap();
    first.transact(guarded).await.unwrap();
}

#[tokio::test]
async fn who_stops_waiting_leaves_the_queue() {
    let server = server();
    let (first, second) = (connect(&server).await, connect(&server).await);
    let lock = within(first.lock("flowport")).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(1), second.lock("flowport")).await;
    assert!(waiting.is_err());
    drop(lock);
    let again = within(first.lock("flowport")).await.unwrap();
    assert!(again.is_held());
}
