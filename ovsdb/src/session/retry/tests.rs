use uuid::Uuid;

use super::*;
use crate::notation::{OperationFailed, RowValues, ServerError};

fn insert(uuid: Option<Uuid>) -> Transaction {
    let row = RowValues::default();
    Transaction::new().with(Operation::Insert { table: "T".into(), uuid, uuid_name: None, row })
}

fn retry() -> Retry {
    Retry::new(insert(Some(Uuid::from_u128(1))))
}

fn refused(error: &str) -> TransactError {
    let error = ServerError { error: error.to_owned(), details: String::new() };
    OperationFailed { operation: None, error }.into()
}

fn disconnected() -> TransactError {
    TransactError::Disconnected { reason: "r".to_owned() }
}

fn not_connected() -> TransactError {
    TransactError::NotConnected { reason: "r".to_owned() }
}

/// The server's answer to the question.
fn found(rows: &str) -> Result<Committed, TransactError> {
    let text = format!(r#"[{{"rows":{rows}}}]"#);
    insert(None).parse_result(Some(&serde_json::value::RawValue::from_string(text).unwrap()))
}

#[test]
fn until_it_is_answered() {
    let mut retry = retry();
    for error in [not_connected(), disconnected(), not_connected(), refused("canceled"), disconnected()] {
        assert!(matches!(retry.answered(Err(error)), Step::Send));
    }
    let committed = Committed::default();
    let Step::Done(Ok(settled)) = retry.answered(Ok(committed.clone())) else { panic!() };
    assert_eq!(settled, Settled::Committed(committed));
}

#[test]
fn the_row_that_is_there_already_tells_that_it_was_committed() {
    let mut retry = retry();
    assert!(matches!(retry.answered(Err(disconnected())), Step::Send));
    assert!(matches!(retry.answered(Err(refused("duplicate uuid"))), Step::Done(Ok(Settled::Already))));
}

#[test]
fn a_refusal_after_an_unknown_outcome_is_asked_about() {
    for (rows, committed) in
        [(r#"[{"_uuid":["uuid","00000000-0000-0000-0000-000000000001"]}]"#, true), ("[]", false)]
    {
        let mut retry = retry();
        assert!(matches!(retry.answered(Err(disconnected())), Step::Send));
        assert!(matches!(retry.answered(Err(refused("not owner"))), Step::Ask));
        assert!(matches!(retry.answered(Err(disconnected())), Step::Ask));
        assert!(matches!(retry.answered(Err(not_connected())), Step::Ask));
        let Step::Done(outcome) = retry.answered(found(rows)) else { panic!() };
        assert_eq!(outcome, if committed { Ok(Settled::Already) } else { Err(refused("not owner")) });
    }
    let mut first = retry();
    assert!(matches!(first.answered(Err(refused("not owner"))), Step::Done(Err(TransactError::NotOwner(_)))));
}

#[test]
fn without_a_chosen_uuid_only_what_was_not_sent_is_sent_again() {
    let mut retry = Retry::new(insert(None));
    assert!(matches!(retry.answered(Err(not_connected())), Step::Send));
    assert!(
        matches!(retry.answered(Err(disconnected())), Step::Done(Err(error)) if error.is_outcome_unknown())
    );
}

#[test]
fn what_may_have_been_committed_stays_unknown() {
    let mut sent = retry();
    assert!(matches!(sent.answered(Err(disconnected())), Step::Send));
    assert!(matches!(sent.answered(Err(not_connected())), Step::Send));
    assert_eq!(sent.given_up(not_connected()), disconnected());
    assert_eq!(retry().given_up(not_connected()), not_connected());
}

#[test]
fn asks_for_the_first_row_that_it_inserts() {
    let question = retry().question();
    let json = serde_json::to_value(&question.operations()[0]).unwrap();
    let uuid = "00000000-0000-0000-0000-000000000001";
    let expected = serde_json::json!({
        "op": "select", "table": "T", "where": [["_uuid", "==", ["uuid", uuid]]], "columns": ["_uuid"],
    });
    assert_eq!(json, expected);
}
