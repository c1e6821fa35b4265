//! Transactions that are given as JSON, in which `#0#` stands for the first UUID that was answered.

use std::io::Write;

use flowport_ovsdb::{Client, Uuid};
use serde_json::{Value as Json, json};

use crate::text;

/// The UUIDs that were answered, in order.
#[derive(Default)]
pub(crate) struct Symbols(Vec<String>);

impl Symbols {
    /// Sends a transaction and gives the line that tells its answer.
    pub(crate) async fn transact(&mut self, client: &Client, command: &str) -> Result<String, String> {
        let params: Json = serde_json::from_str(command).map_err(|error| format!("{command}: {error}"))?;
        let params = self.substituted(params);
        let answer = client.call("transact", &params).await.map_err(|error| error.to_string())?;
        let result: Json = serde_json::from_str(answer.get()).map_err(|error| error.to_string())?;
        self.note(&result);
        Ok(text::json(&json!({"error": null, "result": result})))
    }

    fn substituted(&self, json: Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.meant(&text).unwrap_or(text)),
            Json::Array(elements) => elements.into_iter().map(|element| self.substituted(element)).collect(),
            Json::Object(members) => {
                members.into_iter().map(|(name, value)| (name, self.substituted(value))).collect()
            }
            other => other,
        }
    }

    fn meant(&self, text: &str) -> Option<String> {
        let number: usize = text.strip_prefix('#')?.strip_suffix('#')?.parse().ok()?;
        self.0.get(number).cloned()
    }

    fn note(&mut self, json: &Json) {
        match json {
            Json::String(text) if Uuid::try_parse(text).is_ok() => {
                let _ = writeln!(std::io::stderr(), "#{}# = {text}", self.0.len());
                self.0.push(text.clone());
            }
            Json::Array(elements) => elements.iter().for_each(|element| self.note(element)),
            Json::Object(members) => members.values().for_each(|member| self.note(member)),
            _ => {}
        }
    }
}
