use super::*;

#[test]
fn tells_requests_notifications_and_responses_apart() {
    let request = br#"{"method":"echo","params":["a"],"id":"echo"}"#;
    let Message::Request { id, method, params } = Message::parse(request).unwrap() else { panic!() };
    assert_eq!((id.get(), &*method, params.get()), ("\"echo\"", "echo", r#"["a"]"#));

    let notification = br#"{"id":null,"method":"up\u0064ate","params":[null,{}]}"#;
    let Message::Notification { method, params } = Message::parse(notification).unwrap() else { panic!() };
    assert_eq!((&*method, params.get()), ("update", "[null,{}]"));

    let response = br#"{"id":3,"result":null,"error":null}"#;
    assert!(matches!(Message::parse(response).unwrap(), Message::Response { outcome: Ok(None), .. }));

    let refused = br#"{"id":3,"result":null,"error":{"error":"unknown database"}}"#;
    let Message::Response { id, outcome: Err(error) } = Message::parse(refused).unwrap() else { panic!() };
    assert_eq!((id.get(), error.get()), ("3", r#"{"error":"unknown database"}"#));
}

#[test]
fn refuses_other_objects() {
    for text in [r#"{}"#, r#"{"id":null}"#, r#"{"method":1}"#, r#"{"result":1}"#, r#"{"id":1"#] {
        assert!(Message::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn what_is_written_is_read() {
    let mut out = Vec::new();
    write_request(&mut out, 7, "transact", &("db", [1])).unwrap();
    let Message::Request { id, method, params } = Message::parse(&out).unwrap() else { panic!() };
    assert_eq!((id.get(), &*method, params.get()), ("7", "transact", r#"["db",[1]]"#));

    let mut out = Vec::new();
    write_notification(&mut out, "cancel", &[7]).unwrap();
    assert!(
        matches!(Message::parse(&out).unwrap(), Message::Notification { method, .. } if method == "cancel")
    );

    let mut out = Vec::new();
    write_response(&mut out, RawValue::NULL, &[(); 0]).unwrap();
    assert_eq!(out, br#"{"result":[],"error":null,"id":null}"#);
}
