//! What is fuzzed: each takes any bytes and must not panic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowport_ovsdb::monitor::{Conditions, Updates};
use flowport_ovsdb::session::{ClusterSeen, Event, Session, SessionConfig};
use flowport_ovsdb::table::Shape;
use flowport_ovsdb::wire::{Framer, FramingError, Message};
use flowport_ovsdb::{Monitor, Operation, Replica, Table, Transaction, Uuid, Value, Where};
use serde_json::value::RawValue;

flowport_ovsdb::table! {
    /// A column of each shape.
    pub struct One: "D", "One" {
        /// One.
        name, NAME, "name": String;
        /// None or one.
        tag, TAG, "tag": Option<i64>;
        /// A set.
        trunks, TRUNKS, "trunks": BTreeSet<i64>;
        /// A map.
        ids, IDS, "ids": BTreeMap<String, String>;
    }
}

flowport_ovsdb::table! {
    /// And of other atoms.
    pub struct Two: "D", "Two" {
        /// A UUID.
        row, ROW, "row": Option<Uuid>;
        /// A number.
        rate, RATE, "rate": f64;
        /// Neither.
        up, UP, "up": bool;
    }
}

fn monitor() -> Arc<Monitor> {
    Arc::new(Monitor::of::<One>().and::<Two>())
}

/// Takes the next piece, as long as the first byte of the rest says.
fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (first, tail) = rest.split_first()?;
    let (piece, tail) = tail.split_at(usize::from(*first).min(tail.len()));
    *rest = tail;
    Some(piece)
}

/// However a stream is cut, it gives the same messages; each begins and ends as an object does.
pub fn framer(bytes: &[u8]) {
    let mut rest = bytes;
    let (mut joined, mut pieces) = (Vec::new(), Framer::default());
    let (mut messages, mut end) = (Vec::new(), Ok(None));
    while let Some(piece) = piece(&mut rest) {
        joined.extend_from_slice(piece);
        if end.is_err() {
            continue;
        }
        pieces.extend(piece);
        end = drain(&mut pieces, &mut messages);
    }
    let mut whole = Framer::default();
    whole.extend(&joined);
    let mut expected = Vec::new();
    assert_eq!(drain(&mut whole, &mut expected), end);
    assert_eq!(messages, expected);
    for message in messages {
        assert!(message.first() == Some(&b'{') && matches!(message.last(), Some(b'}' | b']')));
        // To an end, or refused.
        let _ = Message::parse(&message).map_err(|error| error.to_string());
    }
}

fn drain(framer: &mut Framer, messages: &mut Vec<Vec<u8>>) -> Result<Option<()>, FramingError> {
    while let Some(message) = framer.next_message()? {
        messages.push(message.to_vec());
    }
    Ok(None)
}

/// What can be read is written, and read to the same again; its elements are sorted, none twice.
pub fn values(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let Ok(text) = serde_json::to_vec(&value) else { panic!("{value:?} cannot be written") };
    match serde_json::from_slice::<Value>(&text) {
        Ok(again) => assert_eq!(again, value),
        Err(error) => panic!("{value:?}: {error}"),
    }
    match &value {
        Value::Atom(_) => {}
        Value::Set(atoms) => {
            assert!(atoms.len() != 1, "a set of one is its atom");
            assert!(atoms.is_sorted_by(|a, b| a < b));
        }
        Value::Map(pairs) => assert!(pairs.is_sorted_by(|a, b| a.0 < b.0)),
    }
    for shape in [Shape::One, Shape::Optional, Shape::Set, Shape::Map] {
        let _ = value.is_default(shape);
    }
    let mut row = One::default();
    for column in One::COLUMNS {
        let _ = row.decode_column(column.name, &value);
    }
}

/// Each line is an update of all before. What the differences of two copies say is what differs.
pub fn updates(bytes: &[u8]) {
    let mut replica = Replica::new(monitor());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(text) = serde_json::from_slice::<&RawValue>(line) else { continue };
        let Ok(updates) = Updates::parse(replica.monitor(), text) else { continue };
        let mut after = replica.clone();
        // A copy that is half-updated is thrown away.
        if after.apply(updates).is_ok() {
            compare::<One>(&replica, &after);
            compare::<Two>(&replica, &after);
            replica = after;
        }
    }
}

fn compare<T: Table + std::fmt::Debug>(before: &Replica, after: &Replica) {
    let rows = |replica: &Replica| replica.rows::<T>().map(|(uuid, row)| (uuid, row.clone())).collect();
    let (old, new): (BTreeMap<Uuid, T>, BTreeMap<Uuid, T>) = (rows(before), rows(after));
    assert_eq!(new.len(), after.count::<T>());
    let told: BTreeSet<Uuid> = after.changes::<T>(before).map(|change| change.uuid()).collect();
    assert!(told.is_empty() || after.differs_from(before));
    for uuid in old.keys().chain(new.keys()) {
        assert!(old.get(uuid) == new.get(uuid) || told.contains(uuid), "{uuid}: a change that is not told");
    }
}

/// The answers by which a session comes to the request for its copy, the third.
const BEGIN: [&str; 2] = [
    r#"{"id":0,"error":"unknown database","result":null}"#,
    r#"{"id":1,"error":null,"result":{"name":"D","tables":{
        "One":{"columns":{"name":{"type":"string"},"tag":{"type":{"key":"integer","min":0}},
            "trunks":{"type":{"key":"integer","min":0,"max":"unlimited"}},
            "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}},
        "Two":{"columns":{"row":{"type":{"key":"uuid","min":0}},"rate":{"type":"real"},"up":{"type":"boolean"}}}}}}"#,
];

/// Feeds a session, which has asked for all that can be asked, with pieces of the bytes, while time passes. The first
/// byte tells whether it begins with the copy or before, and whether any member of a cluster will do.
pub fn session(bytes: &[u8]) {
    let Some((mode, mut rest)) = bytes.split_first() else { return };
    let mut now = Instant::now();
    let config = SessionConfig {
        monitor: monitor(),
        last_transaction: Some(Uuid::from_u128(7)),
        copied: monitor(),
        leader_only: mode & 2 != 0,
        seen: ClusterSeen::default(),
        probe_interval: Some(Duration::from_secs(1)),
    };
    let mut replica = Replica::new(config.copied.clone());
    let Ok(mut session) = Session::new(config, now) else { return };
    if mode & 1 == 0 {
        for answer in BEGIN {
            assert!(session.handle_bytes(answer.as_bytes(), now).is_ok());
        }
    }
    // Requests 3 to 5, or 1 to 3; when the copy is there the conditions.
    let _ = session.lock("l");
    let _ = session.transact(&Transaction::new().with(Operation::select(Where::<One>::all())));
    let _ = session.call("list_dbs", &[0; 0]);
    let _ = session.set_conditions(Conditions::new().nothing::<Two>());
    while let Some(piece) = piece(&mut rest) {
        let fed = session.handle_bytes(piece, now);
        now += Duration::from_millis(10 * piece.len() as u64);
        let kept = session.handle_timeout(now);
        while let Some(event) = session.poll_event() {
            let fits = match event {
                Event::Monitored { monitor, updates, resumed, .. } => {
                    replica.begin_again(monitor, updates, resumed).map(|begun| replica = begun)
                }
                Event::Updated { updates, .. } => replica.apply(updates),
                _ => Ok(()),
            };
            // As to the driver, to which it is the end of the connection.
            if fits.is_err() {
                return;
            }
        }
        while session.poll_transmit().is_some() {}
        if fed.is_err() || kept.is_err() {
            return;
        }
    }
}
