mod conditions;

use std::borrow::Cow;

use serde_json::Value as Json;

use super::*;
use crate::monitor::{Conditions, MonitoredColumn, MonitoredTable};
use crate::notation::Operation;
use crate::table::Shape;

const PROBE: Duration = Duration::from_secs(5);

struct Test {
    session: Session,
    now: Instant,
}

const SCHEMA: &str =
    r#"{"name":"D","tables":{"T":{"columns":{"name":{"type":"string"},"novelty":{"type":"string"}}}}}"#;

impl Test {
    /// A session that has asked for nothing but what the server says of itself.
    fn begin(configure: impl FnOnce(&mut SessionConfig)) -> Self {
        let columns = ["name", "novelty"]
            .map(|name| MonitoredColumn { name: Cow::Borrowed(name), shape: Shape::One })
            .into();
        let monitor = Arc::new(Monitor::dynamic("D", vec![MonitoredTable { name: "T".into(), columns }]));
        let now = Instant::now();
        let mut config = SessionConfig {
            monitor: monitor.clone(),
            last_transaction: None,
            copied: monitor,
            leader_only: false,
            seen: ClusterSeen::default(),
            probe_interval: Some(PROBE),
        };
        configure(&mut config);
        Self { session: Session::new(config, now).unwrap(), now }
    }

    fn with_conditions(conditions: Conditions) -> Self {
        Self::asking(SCHEMA, |config| {
            let monitor = Monitor::clone(&config.monitor).with_conditions(conditions);
            config.monitor = Arc::new(monitor);
        })
    }

    /// A session with a server that says nothing of itself, about to ask for its copy.
    fn new() -> Self {
        Self::asking(SCHEMA, |_| {})
    }

    fn asking(schema: &str, configure: impl FnOnce(&mut SessionConfig)) -> Self {
        let mut test = Self::begin(configure);
        let (id, method, params) = test.sent_one();
        assert_eq!((method.as_str(), &params[0]), ("monitor_cond", &json!("_Server")));
        test.refuse(id, r#"{"error":"unknown database","details":"d"}"#).unwrap();
        let (id, method, params) = test.sent_one();
        assert_eq!((method.as_str(), params), ("get_schema", json!(["D"])));
        test.answer(id, schema);
        test
    }

    /// A session whose replica is there.
    fn monitored() -> Self {
        let mut test = Self::new();
        let (id, ..) = test.sent_one();
        test.answer(id, r#"[false,"00000000-0000-0000-0000-000000000000",{}]"#);
        assert!(matches!(test.event(), Event::Monitored { resumed: false, transaction: None, .. }));
        test
    }

    /// All messages that the session wants written.
    fn sent(&mut self) -> Vec<Json> {
        let bytes = self.session.poll_transmit().unwrap_or_default();
        serde_json::Deserializer::from_slice(&bytes).into_iter().map(Result::unwrap).collect()
    }

    fn sent_one(&mut self) -> (Json, String, Json) {
        let [message]: [Json; 1] = self.sent().try_into().unwrap();
        (message["id"].clone(), message["method"].as_str().unwrap().to_owned(), message["params"].clone())
    }

    fn receive(&mut self, text: &str) -> Result<(), SessionError> {
        self.session.handle_bytes(text.as_bytes(), self.now)
    }

    fn answer(&mut self, id: Json, result: &str) {
        self.receive(&format!(r#"{{"id":{id},"result":{result},"error":null}}"#)).unwrap();
    }

    fn refuse(&mut self, id: Json, error: &str) -> Result<(), SessionError> {
        self.receive(&format!(r#"{{"id":{id},"result":null,"error":{error}}}"#))
    }

    fn event(&mut self) -> Event {
        self.session.poll_event().expect("an event")
    }

    fn advance(&mut self, by: Duration) -> Result<(), SessionError> {
        self.now += by;
        self.session.handle_timeout(self.now)
    }
}

#[test]
fn begins_with_the_newest_monitor() {
    let (_, method, params) = Test::new().sent_one();
    assert_eq!(method, "monitor_cond_since");
    let requests = json!({"T": [{"columns": ["name", "novelty"]}]});
    assert_eq!(params, json!(["D", "replica", requests, Uuid::nil().to_string()]));
}

#[test]
fn falls_back_to_older_monitors() {
    let mut test = Test::new();
    let mut methods = Vec::new();
    for error in [r#""unknown method""#, r#"{"error":"unknown method","details":"d"}"#] {
        let (id, method, _) = test.sent_one();
        methods.push(method);
        test.refuse(id, error).unwrap();
    }
    let (id, method, params) = test.sent_one();
    assert_eq!((method.as_str(), params.as_array().unwrap().len()), ("monitor", 3));
    assert_eq!(methods, ["monitor_cond_since", "monitor_cond"]);
    test.answer(id, r#"{"T":{"00000000-0000-0000-0000-000000000001":{"new":{"name":"a","novelty":""}}}}"#);
    let Event::Monitored { updates, .. } = test.event() else { panic!() };
    assert_eq!(updates.tables[0].rows.len(), 1);

    test.receive(r#"{"id":null,"method":"update","params":["replica",{"T":{"00000000-0000-0000-0000-000000000001":{"old":{"name":"a"}}}}]}"#).unwrap();
    assert!(matches!(test.event(), Event::Updated { .. }));
}

#[test]
fn no_monitor_at_all_is_an_error() {
    let mut test = Test::new();
    for _ in 0..2 {
        let (id, ..) = test.sent_one();
        test.refuse(id, r#""unknown method""#).unwrap();
    }
    let (id, ..) = test.sent_one();
    let error = test.refuse(id, r#""unknown method""#).unwrap_err();
    assert!(matches!(error, SessionError::MonitorRefused { .. }), "{error}");
}

#[test]
fn asks_for_what_the_server_has() {
    let schema = r#"{"name":"D","tables":{"T":{"columns":{"name":{"type":{"key":"string","min":0}}}}}}"#;
    let mut test = Test::asking(schema, |config| config.last_transaction = Some(Uuid::from_u128(9)));
    let (id, method, params) = test.sent_one();
    assert_eq!(method, "monitor_cond_since");
    assert_eq!(params[2], json!({"T": [{"columns": ["name"]}]}));
    assert_eq!(params[3], json!(Uuid::nil()), "the copy held more");
    let error = test.refuse(id, r#"{"error":"syntax error","details":"no"}"#).unwrap_err();
    assert!(matches!(error, SessionError::MonitorRefused { .. }), "{error}");

    let copied = Monitor::dynamic(
        "D",
        vec![MonitoredTable {
            name: "T".into(),
            columns: vec![MonitoredColumn { name: "name".into(), shape: Shape::Optional }],
        }],
    );
    let mut test = Test::asking(schema, |config| {
        config.last_transaction = Some(Uuid::from_u128(9));
        config.copied = copied.into();
    });
    assert_eq!(test.sent_one().2[3], json!(Uuid::from_u128(9)), "the copy held the same");
}

#[test]
fn an_unknown_database_is_an_error() {
    let mut test = Test::begin(|_| {});
    let (id, ..) = test.sent_one();
    test.refuse(id, r#""unknown method""#).unwrap();
    let (id, ..) = test.sent_one();
    let error = test.refuse(id, r#"{"error":"unknown database","details":"d"}"#).unwrap_err();
    assert!(matches!(error, SessionError::NoSuchDatabase(name) if name == "D"));
}

#[test]
fn updates_name_their_transaction() {
    let mut test = Test::monitored();
    let transaction = Uuid::from_u128(9);
    test.receive(&format!(
        r#"{{"id":null,"method":"update3","params":["replica","{transaction}",{{"T":{{}}}}]}}"#
    ))
    .unwrap();
    assert!(matches!(test.event(), Event::Updated { transaction: Some(id), .. } if id == transaction));
    test.receive(r#"{"id":null,"method":"update2","params":["replica",{}]}"#).unwrap();
    assert!(matches!(test.event(), Event::Updated { transaction: None, .. }));
    let error = test.receive(r#"{"id":null,"method":"update3","params":["replica",{}]}"#).unwrap_err();
    assert!(matches!(error, SessionError::Malformed { what: "update", .. }), "{error}");
}

#[test]
fn answers_an_echo_at_any_time() {
    let mut test = Test::new();
    test.sent();
    test.receive(r#"{"method":"echo","id":"echo","params":["a\"b",1]}"#).unwrap();
    assert_eq!(test.sent(), [json!({"id": "echo", "error": null, "result": ["a\"b", 1]})]);
}

#[test]
fn probes_a_silent_server_and_gives_it_up() {
    let mut test = Test::monitored();
    assert_eq!(test.session.poll_timeout(), Some(test.now + PROBE));
    test.advance(PROBE - Duration::from_millis(1)).unwrap();
    assert!(test.sent().is_empty());
    test.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(test.sent_one().1, "echo");
    test.advance(PROBE - Duration::from_millis(1)).unwrap();
    assert!(test.sent().is_empty(), "one probe");
    let error = test.advance(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, SessionError::Silent(silence) if silence == PROBE * 2), "{error}");
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let mut test = Test::monitored();
    for part in [r#"{"id":null,"#, r#""method":"upd"#, r#"ate2","params":["replica",{}]}"#] {
        test.advance(PROBE).unwrap();
        assert_eq!(test.sent_one().1, "echo");
        test.now += PROBE - Duration::from_millis(1);
        test.receive(part).unwrap();
        assert_eq!(test.session.poll_timeout(), Some(test.now + PROBE));
    }
}

#[test]
fn is_patient_while_the_server_makes_the_dump() {
    let mut test = Test::new();
    test.sent();
    test.advance(PROBE * 3).unwrap();
    assert!(test.sent().is_empty());
    assert_eq!(test.session.poll_timeout(), Some(test.now - PROBE * 3 + PATIENCE_FOR_DUMP));
    // Not in total: as long as it comes in, it may take its time.
    for byte in "{\"id\":2,  ".chars() {
        test.now += PATIENCE_FOR_DUMP - Duration::from_millis(1);
        test.receive(&byte.to_string()).unwrap();
        assert_eq!(test.session.poll_timeout(), Some(test.now + PATIENCE_FOR_DUMP));
    }
}

#[test]
fn answers_find_their_request_in_any_order() {
    let mut test = Test::monitored();
    let transaction = Transaction::new().with(Operation::Comment("c".into()));
    let first = test.session.transact(&transaction).unwrap();
    let second = test.session.call("list_dbs", &[(); 0]).unwrap();
    let third = test.session.transact(&transaction).unwrap();
    let ids: Vec<Json> = test.sent().iter().map(|message| message["id"].clone()).collect();
    test.answer(ids[2].clone(), "[{}]");
    test.answer(ids[1].clone(), r#"["D"]"#);
    test.refuse(ids[0].clone(), r#"{"error":"canceled"}"#).unwrap();
    assert!(matches!(test.event(), Event::Transacted { id, outcome: Ok(_) } if id == third));
    assert!(matches!(test.event(), Event::Answered { id, outcome: Ok(_) } if id == second));
    assert!(
        matches!(test.event(), Event::Transacted { id, outcome: Err(TransactError::Canceled(_)) } if id == first)
    );
    test.answer(ids[2].clone(), "[{}]");
    assert!(test.session.poll_event().is_none(), "answered already");
}

#[test]
fn locks_are_told_at_each_change() {
    let mut test = Test::monitored();
    test.session.lock("l").unwrap();
    let (id, method, params) = test.sent_one();
    assert_eq!((method.as_str(), params), ("lock", json!(["l"])));
    test.answer(id, r#"{"locked":false}"#);
    assert!(matches!(test.event(), Event::Lock { owned: false, .. }));
    for (notification, expected) in [("locked", true), ("locked", true), ("stolen", false), ("locked", true)]
    {
        test.receive(&format!(r#"{{"id":null,"method":"{notification}","params":["l"]}}"#)).unwrap();
        assert!(matches!(test.event(), Event::Lock { owned, .. } if owned == expected));
    }
    test.session.unlock("l").unwrap();
    assert_eq!(test.sent_one().1, "unlock");
    test.receive(r#"{"id":null,"method":"locked","params":["l"]}"#).unwrap();
    assert!(test.session.poll_event().is_none(), "given back");
    test.session.unlock("l").unwrap();
    assert!(test.sent().is_empty());
}

#[test]
fn garbage_ends_the_connection() {
    for text in ["garbage", "{}", r#"{"method":7}"#] {
        assert!(Test::monitored().receive(text).is_err(), "{text}");
    }
    Test::monitored().receive(r#"{"method":"novelty","params":[],"id":null}"#).unwrap();
}

mod cluster;
