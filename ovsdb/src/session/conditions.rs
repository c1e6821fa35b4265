use serde_json::json;

use super::monitoring::MONITOR_ID;
use super::{Event, Request, Session, SessionError};
use crate::monitor::Conditions;
use crate::notation::ServerError;

/// Changes of conditions, on their way to the server.
#[derive(Debug, Default)]
pub(super) struct ConditionChanges {
    /// Sent and not answered.
    requested: Conditions,
    /// Not sent yet. A change makes the server look at every row of the table, so the next one waits for the answer
    /// to the last, and what is overtaken meanwhile is never sent.
    wanted: Conditions,
}

impl Session {
    /// Changes which rows are copied; a table that is not named keeps its condition. For each table an
    /// [`Event::ConditionAcknowledged`] or [`Event::ConditionRefused`] tells what became of it, unless a later call
    /// names the table again before it was sent: then only that one is answered.
    ///
    /// Before the acknowledgement comes, the update that brings the rows that are in now and takes away those that
    /// are out. A server without conditions acknowledges at once, and so does one that lacks the table.
    ///
    /// Should the connection end while one is not answered, the copy may be that of either condition: it must then
    /// not be resumed, but made anew.
    pub fn set_conditions(&mut self, conditions: Conditions) -> Result<(), SessionError> {
        self.conditions.wanted.merge(conditions);
        self.request_condition_changes()
    }

    /// Sends what is wanted, unless there is no monitor yet, or a change is under way.
    pub(super) fn request_condition_changes(&mut self) -> Result<(), SessionError> {
        if !self.monitoring.is_established() || !self.conditions.requested.is_empty() {
            return Ok(());
        }
        for (table, condition) in self.conditions.wanted.take() {
            let name = table.to_string();
            if !self.monitoring.has_conditions() || self.monitoring.monitor().table_index(&table).is_none() {
                self.events.push_back(Event::ConditionAcknowledged { table: name, condition });
                continue;
            }
            // One request a table: of a request that is refused the server keeps some tables and not others.
            let mut changes = serde_json::Map::new();
            changes.insert(name.clone(), json!([{ "where": condition }]));
            let params = (MONITOR_ID, MONITOR_ID, changes);
            self.request("monitor_cond_change", &params, Request::MonitorCondChange(name))?;
            self.conditions.requested.insert(table, condition);
        }
        Ok(())
    }

    pub(super) fn condition_answered(
        &mut self,
        table: String,
        outcome: Result<(), ServerError>,
    ) -> Result<(), SessionError> {
        if let Some(condition) = self.conditions.requested.remove(&table) {
            if outcome.is_ok() {
                self.monitoring.condition_changed(&table, &condition);
            }
            self.events.push_back(match outcome {
                Ok(()) => Event::ConditionAcknowledged { table, condition },
                Err(error) => Event::ConditionRefused { table, condition, error },
            });
        }
        self.request_condition_changes()
    }
}
