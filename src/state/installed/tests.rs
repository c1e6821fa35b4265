use std::collections::HashMap;

use flowport_openflow::{Action, Match, TableId};
use proptest::prelude::*;

use super::*;
use crate::model::{LinkName, Owner};

fn endpoint(nth: u8) -> EndpointId {
    let eth0: LinkName = "eth0".parse().unwrap();
    EndpointId::of(&Owner::from(format!("c{nth}").as_str()), &eth0)
}

fn key(nth: u8) -> FlowKey {
    let matches = Match::builder().ipv4().ipv4_dst([10, 0, 0, nth / 4]).build().unwrap();
    FlowKey { table_id: TableId(nth % 2), priority: u16::from(nth / 2 % 2), matches }
}

fn flow(nth: u8, of: u8, port: u32) -> Flow {
    let instructions = vec![Instruction::apply([Action::output(port)])];
    Flow { key: key(nth), cookie: Cookie(endpoint(of).cookie()), instructions }
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8, u8, u32),
    Delete(u8),
    DeleteAll(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..32u8, 0..4u8, 1..3u32).prop_map(|(nth, of, port)| Step::Add(nth, of, port)),
        2 => (0..32u8).prop_map(Step::Delete),
        1 => (0..4u8).prop_map(Step::DeleteAll),
    ]
}

proptest! {
    #[test]
    fn it_holds_what_a_map_would(steps in proptest::collection::vec(step(), 0..100)) {
        let (mut installed, mut model) = (Installed::default(), HashMap::<FlowKey, Flow>::new());
        for step in steps {
            let mut changes = FlowChanges::default();
            match step {
                Step::Add(nth, of, port) => {
                    changes.added_flows.push(flow(nth, of, port));
                    model.insert(key(nth), flow(nth, of, port));
                }
                Step::Delete(nth) => {
                    changes.deleted_flows.push((key(nth), Cookie(0)));
                    model.remove(&key(nth));
                }
                Step::DeleteAll(of) => {
                    changes.deleted_endpoints.insert(endpoint(of));
                    model.retain(|_, flow| flow.cookie.0 != endpoint(of).cookie());
                }
            }
            installed.apply(&changes);
            prop_assert_eq!(installed.flow_count(), model.len());
            let held: HashMap<FlowKey, Cookie> = installed.flows().collect();
            let wanted: HashMap<FlowKey, Cookie> =
                model.values().map(|flow| (flow.key.clone(), flow.cookie)).collect();
            prop_assert_eq!(held, wanted);
            for of in 0..4 {
                let count = model.values().filter(|flow| flow.cookie.0 == endpoint(of).cookie()).count();
                prop_assert_eq!(installed.flows_of(endpoint(of)).count(), count);
                prop_assert_eq!(installed.has_flows_of(endpoint(of)), count > 0);
            }
        }
        // However it came to be.
        let flows = model.values().map(|flow| (flow.key.clone(), flow.cookie, flow.instructions.clone()));
        prop_assert_eq!(Installed::new(flows, []), installed);
    }
}

#[test]
fn an_entry_is_compared_with_the_one_in_its_place() {
    let held = flow(1, 1, 1);
    let installed = Installed::new([(held.key.clone(), held.cookie, held.instructions.clone())], []);
    let compare = |flow: &Flow| {
        installed.look_up(flow, &mut Vec::new()).map(|found| (found.same_cookie, found.same_instructions))
    };
    assert_eq!(compare(&held), Some((true, true)));
    assert_eq!(compare(&flow(1, 2, 1)), Some((false, true)));
    assert_eq!(compare(&flow(1, 1, 2)), Some((true, false)));
    assert_eq!(compare(&flow(2, 1, 1)), None);
    assert_eq!(compare(&Flow { instructions: vec![], ..held }), Some((true, false)));
}
