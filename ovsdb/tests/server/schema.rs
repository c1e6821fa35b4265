use super::*;

mod newer {
    use std::collections::BTreeSet;

    flowport_ovsdb::table! {
        /// A bridge of a schema that the server does not have.
        pub(crate) struct Bridge: "Open_vSwitch", "Bridge" {
            /// Unique.
            name, NAME, "name": String;
            /// Optional with the server, a set with us.
            fail_mode, FAIL_MODE, "fail_mode": BTreeSet<String>;
            /// A string with the server.
            datapath_type, DATAPATH_TYPE, "datapath_type": i64;
            /// Not with the server.
            novelty, NOVELTY, "novelty": Option<String>;
        }
    }

    flowport_ovsdb::table! {
        /// A table that the server does not have.
        pub(crate) struct Novelty: "Open_vSwitch", "Novelty" {
            /// Unique.
            name, NAME, "name": String;
        }
    }
}

#[tokio::test]
async fn a_server_with_other_columns_works() {
    let server = server();
    let bridge = add_bridge(&connect(&server).await, "br0").await;
    let monitor = Monitor::of::<newer::Bridge>().and::<newer::Novelty>().and::<Port>();
    let client = Client::connect(&server.remotes(), monitor, ConnectOptions::default()).await.unwrap();
    let replica = client.replica();
    let row = replica.row::<newer::Bridge>(bridge).unwrap();
    assert_eq!((row.name.as_str(), &row.novelty), ("br0", &None));
    assert_eq!(replica.count::<newer::Novelty>(), 0);
    assert_eq!(replica.count::<Port>(), 1);

    for mode in ["secure", "standalone"] {
        let mut transaction = Transaction::new();
        transaction.update(bridge, [Bridge::FAIL_MODE.set(Some(FailMode::from(mode)))]);
        transaction.update(newer::Bridge::NAME.eq("br0"), [newer::Bridge::FAIL_MODE.set([mode.to_owned()])]);
        client.transact(transaction).await.unwrap();
        let replica = client.replica();
        let row = replica.row::<newer::Bridge>(bridge).unwrap();
        assert_eq!(row.fail_mode, [mode.to_owned()].into(), "a difference is applied by the server's type");
    }
}
