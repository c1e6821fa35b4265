use serde_json::json;
use serde_json::value::RawValue;

use super::member::{ClusterSeen, Database};
use super::{Event, Request, Session, SessionError};
use crate::monitor::{Monitor, Updates};
use crate::notation::ServerError;
use crate::replica::Replica;
use crate::table::Table;

/// Our name for the monitor of `_Server`.
pub(super) const SERVER_MONITOR_ID: &str = "server";

/// What the server says of its copy of our database, from the first request to the updates.
#[derive(Debug)]
pub(super) struct ServerDatabase {
    copy: Replica,
    leader_only: bool,
    pub(super) seen: ClusterSeen,
    /// Told last.
    database: Option<Database>,
    /// Whether it has `_Server`, but no row of our database there yet: it has just started.
    awaited: bool,
}

impl ServerDatabase {
    pub(super) fn new(leader_only: bool, seen: ClusterSeen) -> Self {
        let copy = Replica::new(Monitor::of::<Database>().into());
        Self { copy, leader_only, seen, database: None, awaited: false }
    }

    /// Whether what it says of our database is still to come.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }
}

impl Session {
    /// With `monitor_cond`, which each server that has `_Server` knows.
    pub(super) fn request_server_database(&mut self) -> Result<(), SessionError> {
        let columns: Vec<&str> = Database::COLUMNS.iter().map(|column| column.name).collect();
        let condition = [["name", "==", &*self.database]];
        let requests = json!({ <Database as Table>::NAME: [{ "columns": columns, "where": condition }] });
        let params = json!([Database::DATABASE, SERVER_MONITOR_ID, requests]);
        self.request("monitor_cond", &params, Request::ServerDatabase).map(drop)
    }

    pub(super) fn server_database_answered(
        &mut self,
        outcome: Result<Option<&RawValue>, ServerError>,
    ) -> Result<(), SessionError> {
        match outcome {
            Ok(result) => {
                self.server_database_updated(result.unwrap_or(RawValue::NULL))?;
                self.request("set_db_change_aware", &[true], Request::Ignored)?;
            }
            // Before Open vSwitch 2.10, or not Open vSwitch: no cluster either.
            Err(error) => tracing::debug!(%error, "the database server does not tell of itself"),
        }
        self.request_schema()
    }

    /// Takes `<table-updates2>` of `_Server`. An error when the copy of our database does not do (any more).
    pub(super) fn server_database_updated(&mut self, updates: &RawValue) -> Result<(), SessionError> {
        let malformed = |source| SessionError::Malformed { what: "update of _Server", source };
        let server = &mut self.server;
        server.copy.apply(Updates::parse(server.copy.monitor(), updates).map_err(malformed)?)?;
        let found = server.copy.find(|row: &Database| row.name == *self.database);
        let Some((_, database)) = found else {
            if server.database.is_some() {
                return Err(SessionError::NoSuchDatabase(self.database.to_string()));
            }
            server.awaited = true;
            return Ok(());
        };
        server.seen.admit(database, server.leader_only)?;
        server.awaited = false;
        if server.database.as_ref() != Some(database) {
            server.database = Some(database.clone());
            self.events.push_back(Event::Member(database.clone()));
        }
        if self.monitoring.awaits_server() {
            return self.request_monitor();
        }
        Ok(())
    }
}
