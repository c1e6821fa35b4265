//! What a server says of itself, leadership, conversion.

use super::*;

const ROW: &str = "00000000-0000-0000-0000-00000000000a";

/// A row of a follower, with these columns set otherwise.
fn follower(columns: &Json) -> Json {
    let mut row = json!({
        "name": "D", "model": "clustered", "connected": true,
        "cid": ["uuid", Uuid::from_u128(1)], "sid": ["uuid", Uuid::from_u128(2)], "index": 7,
    });
    row.as_object_mut().unwrap().append(&mut columns.as_object().unwrap().clone());
    row
}

impl Test {
    /// The server tells of itself; then nothing is sent yet.
    fn tell(&mut self, row: &Json) -> Result<(), SessionError> {
        let (id, ..) = self.sent_one();
        self.receive(
            &json!({"id": id, "error": null, "result": {"Database": {ROW: {"initial": row}}}}).to_string(),
        )
    }

    fn change(&mut self, kind: &str, columns: &Json) -> Result<(), SessionError> {
        let updates = json!({"Database": {ROW: {kind: columns}}});
        self.receive(&json!({"id": null, "method": "update2", "params": ["server", updates]}).to_string())
    }

    fn methods(&mut self) -> Vec<(Json, String)> {
        let sent = self.sent();
        sent.iter().map(|sent| (sent["id"].clone(), sent["method"].as_str().unwrap().to_owned())).collect()
    }

    /// A session whose replica is there, with a server that tells of itself.
    fn of_cluster(configure: impl FnOnce(&mut SessionConfig), row: &Json) -> Self {
        let mut test = Self::begin(configure);
        test.tell(row).unwrap();
        assert!(matches!(test.event(), Event::Member(_)));
        test.read_schema();
        let (id, method, _) = test.sent_one();
        assert_eq!(method, "monitor_cond_since");
        test.answer(id, &format!(r#"[true,"{}",{{}}]"#, Uuid::from_u128(5)));
        assert!(matches!(test.event(), Event::Monitored { .. }));
        test
    }

    fn read_schema(&mut self) {
        let methods = self.methods();
        let (id, method) = methods.last().unwrap();
        assert_eq!(method, "get_schema");
        self.answer(id.clone(), SCHEMA);
    }
}

fn member_error(result: Result<(), SessionError>) -> MemberError {
    match result {
        Err(SessionError::Member(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_server_is_asked_of_itself_first() {
    let mut test = Test::begin(|_| {});
    let sent = test.sent();
    assert_eq!(sent[0]["method"], "monitor_cond");
    let request = &sent[0]["params"][2]["Database"][0];
    assert_eq!(request["where"], json!([["name", "==", "D"]]));
    let row = follower(&json!({}));
    test.receive(
        &json!({"id": sent[0]["id"], "error": null, "result": {"Database": {ROW: {"initial": row}}}})
            .to_string(),
    )
    .unwrap();
    let Event::Member(database) = test.event() else { panic!() };
    assert_eq!((database.model, database.connected, database.leader), (Model::Clustered, true, false));
    assert_eq!((database.cid, database.index), (Some(Uuid::from_u128(1)), Some(7)));
    let sent = test.sent();
    assert_eq!((&sent[0]["method"], &sent[0]["params"]), (&json!("set_db_change_aware"), &json!([true])));
    assert_eq!((sent[1]["method"].as_str(), sent.len()), (Some("get_schema"), 2));
}

#[test]
fn a_member_that_does_not_do_is_left_before_its_dump() {
    let alone = follower(&json!({"connected": false}));
    assert_eq!(member_error(Test::begin(|_| {}).tell(&alone)), MemberError::NotConnected);
    let only_leader = |config: &mut SessionConfig| config.leader_only = true;
    assert_eq!(member_error(Test::begin(only_leader).tell(&follower(&json!({})))), MemberError::NotLeader);

    let seen = Test::of_cluster(|_| {}, &follower(&json!({"index": 8}))).session.seen();
    let config = |config: &mut SessionConfig| config.seen = seen;
    let mut stale = Test::begin(config);
    let error = member_error(stale.tell(&follower(&json!({}))));
    assert_eq!(error, MemberError::Stale { seen: 8, found: 7 });
    assert!(stale.sent().is_empty(), "nothing more is asked of it");
    assert_eq!(stale.session.seen(), seen);
}

#[test]
fn a_member_is_left_when_it_does_not_do_any_more() {
    let leader = follower(&json!({"leader": true}));
    let mut test = Test::of_cluster(|config| config.leader_only = true, &leader);
    test.change("modify", &json!({"index": 8})).unwrap();
    assert!(matches!(test.event(), Event::Member(database) if database.index == Some(8)));
    assert_eq!(member_error(test.change("modify", &json!({"leader": false}))), MemberError::NotLeader);

    let mut test = Test::of_cluster(|_| {}, &leader);
    test.change("modify", &json!({"leader": false})).unwrap();
    assert!(matches!(test.event(), Event::Member(database) if !database.leader), "any member will do");
    assert_eq!(member_error(test.change("modify", &json!({"connected": false}))), MemberError::NotConnected);

    let mut test = Test::of_cluster(|_| {}, &leader);
    let error = test.change("delete", &Json::Null).unwrap_err();
    assert!(matches!(error, SessionError::NoSuchDatabase(_)), "{error}");
}

#[test]
fn a_server_that_has_just_started_is_given_a_moment() {
    let mut test = Test::begin(|_| {});
    let (id, ..) = test.sent_one();
    test.answer(id, "{}");
    test.read_schema();
    assert!(test.sent().is_empty(), "it may be a stale one");
    test.change("insert", &follower(&json!({}))).unwrap();
    assert!(matches!(test.event(), Event::Member(_)));
    assert_eq!(test.sent_one().1, "monitor_cond_since");

    let mut test = Test::begin(|_| {});
    let (id, ..) = test.sent_one();
    test.answer(id, "{}");
    test.read_schema();
    let error = test.advance(PROBE).unwrap_err();
    assert!(matches!(error, SessionError::NoSuchDatabase(_)), "{error}");
}

#[test]
fn a_server_that_has_not_joined_says_so() {
    let mut test = Test::begin(|_| {});
    let joining = json!({"name": "D", "model": "clustered", "cid": ["uuid", Uuid::nil()]});
    assert_eq!(member_error(test.tell(&joining)), MemberError::NotJoined);

    let mut test = Test::begin(|_| {});
    let (id, ..) = test.sent_one();
    test.refuse(id, r#""unknown database""#).unwrap();
    let (id, ..) = test.sent_one();
    let error = test.refuse(id, r#"{"error":"database not available","details":"d"}"#);
    assert_eq!(member_error(error), MemberError::NotJoined);
}

#[test]
fn a_converted_database_is_copied_anew() {
    let mut test = Test::of_cluster(|_| {}, &follower(&json!({})));
    test.receive(r#"{"id":null,"method":"monitor_canceled","params":["replica"]}"#).unwrap();
    let transaction = test.session.transact(&Transaction::new()).unwrap();
    let sent = test.sent();
    test.answer(sent[1]["id"].clone(), "[]");
    assert!(test.session.poll_event().is_none(), "its effect is not in the copy yet");
    let schema = r#"{"name":"D","tables":{"T":{"columns":{"name":{"type":{"key":"string","min":0}}}}}}"#;
    test.answer(sent[0]["id"].clone(), schema);
    let (id, _, params) = test.sent_one();
    assert_eq!(params[2], json!({"T": [{"columns": ["name"]}]}));
    assert_eq!(params[3], json!(Uuid::nil()), "no resume over a conversion");
    assert_eq!(test.session.poll_timeout(), Some(test.now + PATIENCE_FOR_DUMP));
    test.answer(id, &format!(r#"[false,"{}",{{}}]"#, Uuid::from_u128(6)));
    assert!(
        matches!(test.event(), Event::Monitored { monitor, .. } if monitor.tables()[0].columns.len() == 1)
    );
    assert!(matches!(test.event(), Event::Transacted { id, .. } if id == transaction));
}

#[test]
fn canceled_while_the_schema_is_awaited_it_is_asked_for_once() {
    let mut test = Test::of_cluster(|_| {}, &follower(&json!({})));
    for _ in 0..2 {
        test.receive(r#"{"id":null,"method":"monitor_canceled","params":["replica"]}"#).unwrap();
    }
    assert_eq!(test.sent_one().1, "get_schema");
    test.receive(r#"{"id":null,"method":"monitor_canceled","params":["server"]}"#).unwrap();
    assert!(test.sent().is_empty());
}
