use super::*;
use crate::monitor::Conditions;
use crate::notation::{Condition, Function};

fn named(name: &str) -> MonitorCondition {
    MonitorCondition::Any(vec![Condition {
        column: "name".into(),
        function: Function::Eq,
        value: name.into(),
    }])
}

fn wish(condition: MonitorCondition) -> Conditions {
    Conditions::new().with("T", condition)
}

/// What the session asks for: method and `where` of table `T`.
fn asked(test: &mut Test) -> (Json, String, Json) {
    let (id, method, params) = test.sent_one();
    (id, method, params[2]["T"][0]["where"].clone())
}

fn acknowledged(test: &mut Test) -> MonitorCondition {
    match test.event() {
        Event::ConditionAcknowledged { table, condition } if table == "T" => condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_monitor_is_asked_for_with_its_conditions() {
    let [a, b] = ["a", "b"].map(|name| Condition {
        column: "name".into(),
        function: Function::Ne,
        value: name.into(),
    });
    for (condition, expected) in [
        (MonitorCondition::All, json!(null)),
        (MonitorCondition::Nothing, json!([false])),
        (MonitorCondition::Any(Vec::new()), json!([false])),
        (MonitorCondition::Any(vec![a, b]), json!([["name", "!=", "a"], ["name", "!=", "b"]])),
    ] {
        let mut test = Test::with_conditions(wish(condition));
        assert_eq!(asked(&mut test).2, expected);
    }
}

#[test]
fn a_server_without_conditions_is_asked_for_all() {
    let mut test = Test::with_conditions(wish(named("a")));
    for expected in [json!([["name", "==", "a"]]), json!([["name", "==", "a"]]), json!(null)] {
        let (id, method, condition) = asked(&mut test);
        assert_eq!(condition, expected, "{method}");
        if method == "monitor" {
            test.answer(id, "{}");
        } else {
            test.refuse(id, r#""unknown method""#).unwrap();
        }
    }
    assert!(matches!(test.event(), Event::Monitored { .. }));
    test.session.set_conditions(wish(named("b"))).unwrap();
    assert_eq!(test.sent(), [] as [Json; 0]);
    assert_eq!(acknowledged(&mut test), named("b"));
}

#[test]
fn the_copy_comes_without_its_conditions() {
    let mut test = Test::with_conditions(wish(named("a")));
    let (id, ..) = test.sent_one();
    test.answer(id, r#"[false,"00000000-0000-0000-0000-000000000000",{}]"#);
    let Event::Monitored { monitor, .. } = test.event() else { panic!() };
    assert_eq!(*monitor.conditions(), Conditions::new());
}

#[test]
fn what_is_asked_for_before_the_copy_is_there_is_sent_then() {
    let mut test = Test::new();
    let (id, ..) = test.sent_one();
    test.session.set_conditions(wish(named("a"))).unwrap();
    assert_eq!(test.sent(), [] as [Json; 0]);
    test.answer(id, r#"[false,"00000000-0000-0000-0000-000000000000",{}]"#);
    let (_, method, condition) = asked(&mut test);
    assert_eq!((method.as_str(), condition), ("monitor_cond_change", json!([["name", "==", "a"]])));
}

#[test]
fn one_change_is_under_way_and_the_newest_comes_next() {
    let mut test = Test::monitored();
    for name in ["a", "b", "c"] {
        test.session.set_conditions(wish(named(name))).unwrap();
    }
    let (id, _, condition) = asked(&mut test);
    assert_eq!(condition, json!([["name", "==", "a"]]));
    test.receive(
        r#"{"id":null,"method":"update3","params":["replica","00000000-0000-0000-0000-000000000000",{}]}"#,
    )
    .unwrap();
    test.answer(id, "{}");
    assert!(matches!(test.event(), Event::Updated { .. }), "before the acknowledgement");
    assert_eq!(acknowledged(&mut test), named("a"));
    let (id, _, condition) = asked(&mut test);
    assert_eq!(condition, json!([["name", "==", "c"]]));
    test.answer(id, "{}");
    assert_eq!(acknowledged(&mut test), named("c"));
    assert_eq!(test.sent(), [] as [Json; 0]);
}

#[test]
fn a_refused_condition_is_told_and_the_next_one_sent() {
    let mut test = Test::monitored();
    test.session.set_conditions(wish(named("a"))).unwrap();
    test.session.set_conditions(wish(MonitorCondition::Nothing)).unwrap();
    let (id, ..) = asked(&mut test);
    test.refuse(id, r#"{"error":"unknown column","details":"d"}"#).unwrap();
    assert!(matches!(test.event(), Event::ConditionRefused { condition, error, .. }
            if condition == named("a") && error.error == "unknown column"));
    assert_eq!(asked(&mut test).2, json!([false]));
}

#[test]
fn a_table_that_the_server_lacks_has_any_condition() {
    let mut test = Test::monitored();
    test.session.set_conditions(Conditions::new().with("U", MonitorCondition::Nothing)).unwrap();
    assert_eq!(test.sent(), [] as [Json; 0]);
    assert!(matches!(test.event(), Event::ConditionAcknowledged { table, .. } if table == "U"));
}
