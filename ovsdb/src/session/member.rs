//! What a server says of its copy of a database, and whether that will do.

use thiserror::Error;
use uuid::Uuid;

crate::enumeration! {
    /// How a server has a database (`ovsdb(7)`, "Service Models").
    pub enum Model {
        Standalone = "standalone",
        Clustered = "clustered",
        Relay = "relay",
    }
}

crate::table! {
    /// A row of table `Database` of `_Server`, the database in which a server tells of itself (`ovsdb-server(5)`).
    /// Open vSwitch 2.10 and later have it.
    ///
    /// Its column `schema` is left out: a standalone server does not change it when the database is converted,
    /// and sends `monitor_canceled` as all do.
    pub struct Database: "_Server", "Database" {
        /// The database.
        name, NAME, "name": String;
        /// How the server has it.
        model, MODEL, "model": Model;
        /// Whether the server is in contact with the majority of the cluster, or a relay with its source. Always so
        /// for a standalone database.
        connected, CONNECTED, "connected": bool;
        /// Whether the server is the cluster's leader. Always so for a standalone database, never for a relay.
        leader, LEADER, "leader": bool;
        /// Cluster id.
        cid, CID, "cid": Option<Uuid>;
        /// Server id.
        sid, SID, "sid": Option<Uuid>;
        /// Index of the last log entry of the cluster that the server has applied.
        index, INDEX, "index": Option<i64>;
    }
}

/// Why the server's copy of the database does not do; another member's may.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MemberError {
    /// It has not joined its cluster yet.
    #[error("the database server has not joined its cluster yet")]
    NotJoined,
    /// It may be behind, and cannot write.
    #[error("the database server is not connected to its cluster or source")]
    NotConnected,
    /// Only the leader was asked for.
    #[error("the database server is not the cluster's leader")]
    NotLeader,
    /// Its cluster is not the one that was seen first.
    #[error("the database server belongs to cluster {found}, not to {expected}")]
    OtherCluster {
        /// Id of the cluster seen first.
        expected: Uuid,
        /// Id of this server's.
        found: Uuid,
    },
    /// It is behind what was seen.
    #[error("the database server is behind: at log index {found}, and {seen} was seen")]
    Stale {
        /// The greatest index seen.
        seen: i64,
        /// This server's.
        found: i64,
    },
}

/// What was seen of a cluster, over all connections to its members: so that time does not go back when the client
/// moves to another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterSeen {
    cluster: Option<Uuid>,
    index: i64,
}

impl ClusterSeen {
    /// Notes what a server says. An error says why it will not do; then nothing is noted.
    pub fn admit(&mut self, database: &Database, leader_only: bool) -> Result<(), MemberError> {
        let cluster = database.cid.filter(|cluster| !cluster.is_nil());
        // A server that has not joined is not connected either.
        if database.model == Model::Clustered && cluster.is_none() {
            return Err(MemberError::NotJoined);
        }
        if !database.connected {
            return Err(MemberError::NotConnected);
        }
        if leader_only && !database.leader {
            return Err(MemberError::NotLeader);
        }
        if let (Some(expected), Some(found)) = (self.cluster, cluster) {
            if expected != found {
                return Err(MemberError::OtherCluster { expected, found });
            }
        }
        if let Some(found) = database.index {
            if found < self.index {
                return Err(MemberError::Stale { seen: self.index, found });
            }
            self.index = found;
        }
        self.cluster = self.cluster.or(cluster);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(index: i64) -> Database {
        Database {
            model: Model::Clustered,
            connected: true,
            cid: Some(Uuid::from_u128(1)),
            index: Some(index),
            ..Default::default()
        }
    }

    #[test]
    fn any_connected_member_will_do_unless_the_leader_is_asked_for() {
        let mut seen = ClusterSeen::default();
        let leader = Database { leader: true, ..follower(5) };
        seen.admit(&follower(5), false).unwrap();
        seen.admit(&leader, true).unwrap();
        assert_eq!(seen.admit(&follower(5), true), Err(MemberError::NotLeader));
        let alone = Database { connected: false, ..leader };
        assert_eq!(seen.admit(&alone, false), Err(MemberError::NotConnected));
        let joining = Database { cid: Some(Uuid::nil()), connected: false, ..follower(0) };
        assert_eq!(ClusterSeen::default().admit(&joining, false), Err(MemberError::NotJoined));
    }

    #[test]
    fn time_does_not_go_back() {
        let mut seen = ClusterSeen::default();
        for index in [5, 9, 9] {
            seen.admit(&follower(index), false).unwrap();
        }
        assert_eq!(seen.admit(&follower(8), false), Err(MemberError::Stale { seen: 9, found: 8 }));
        let other = Database { cid: Some(Uuid::from_u128(2)), ..follower(100) };
        let error = MemberError::OtherCluster { expected: Uuid::from_u128(1), found: Uuid::from_u128(2) };
        assert_eq!(seen.admit(&other, false), Err(error));
        assert_eq!(
            seen.admit(&follower(8), false),
            Err(MemberError::Stale { seen: 9, found: 8 }),
            "as before"
        );
        assert_eq!(ClusterSeen::default().admit(&follower(8), false), Ok(()));
    }

    #[test]
    fn what_has_no_cluster_has_no_index_either() {
        let mut seen = ClusterSeen::default();
        seen.admit(&follower(7), false).unwrap();
        for model in [Model::Relay, Model::Standalone, Model::Unknown("novelty".into())] {
            seen.admit(&Database { model, connected: true, ..Default::default() }, false).unwrap();
        }
        assert!(seen.admit(&follower(6), false).is_err());
    }
}
