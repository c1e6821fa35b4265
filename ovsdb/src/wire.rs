//! The wire: JSON texts one after the other, each a JSON-RPC 1.0 message (RFC 7047 section 4).

mod framer;

use std::borrow::Cow;

use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;

pub use framer::{Framer, FramingError, MAX_MESSAGE};

/// One JSON-RPC 1.0 message. Payloads stay unparsed text, to be parsed once by who knows their type.
#[derive(Debug)]
pub enum Message<'a> {
    /// The peer asks and expects an answer with the same `id`.
    Request {
        /// Any JSON value but null; echoed in the answer.
        id: &'a RawValue,
        /// Method name.
        method: Cow<'a, str>,
        /// Positional parameters, a JSON array.
        params: &'a RawValue,
    },
    /// The peer tells and expects nothing.
    Notification {
        /// Method name.
        method: Cow<'a, str>,
        /// Positional parameters, a JSON array.
        params: &'a RawValue,
    },
    /// The answer to one of our requests.
    Response {
        /// The id of the request.
        id: &'a RawValue,
        /// `Ok` with the result (`None` for null), `Err` with the error member.
        outcome: Result<Option<&'a RawValue>, &'a RawValue>,
    },
}

/// A JSON text that is no JSON-RPC 1.0 message.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// Not an object with the envelope's members.
    #[error("malformed JSON-RPC message")]
    Json(#[from] serde_json::Error),
    /// Neither a method nor an id.
    #[error("JSON-RPC message has neither method nor id")]
    Neither,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// Reads the envelope of one complete JSON text.
    pub fn parse(text: &'a [u8]) -> Result<Self, EnvelopeError> {
        let envelope: Envelope<'a> = serde_json::from_slice(text)?;
        match (envelope.method, envelope.id) {
            (Some(method), id) => {
                let params = envelope.params.unwrap_or(RawValue::NULL);
                Ok(match id {
                    Some(id) => Self::Request { id, method, params },
                    None => Self::Notification { method, params },
                })
            }
            (None, Some(id)) => {
                let outcome = match envelope.error {
                    Some(error) => Err(error),
                    None => Ok(envelope.result),
                };
                Ok(Self::Response { id, outcome })
            }
            (None, None) => Err(EnvelopeError::Neither),
        }
    }
}

/// Appends a request to `out`. An error comes only from a parameter that cannot be written as JSON.
pub fn write_request(
    out: &mut Vec<u8>,
    id: u64,
    method: &str,
    params: &impl Serialize,
) -> Result<(), serde_json::Error> {
    #[derive(Serialize)]
    struct Request<'a, P> {
        method: &'a str,
        params: &'a P,
        id: u64,
    }
    append(out, &Request { method, params, id })
}

/// Appends a notification (a request with a null id) to `out`.
pub fn write_notification(
    out: &mut Vec<u8>,
    method: &str,
    params: &impl Serialize,
) -> Result<(), serde_json::Error> {
    #[derive(Serialize)]
    struct Notification<'a, P> {
        method: &'a str,
        params: &'a P,
        id: (),
    }
    append(out, &Notification { method, params, id: () })
}

/// Appends a successful answer to `out`.
pub fn write_response(
    out: &mut Vec<u8>,
    id: &RawValue,
    result: &impl Serialize,
) -> Result<(), serde_json::Error> {
    #[derive(Serialize)]
    struct Response<'a, R> {
        result: &'a R,
        error: (),
        id: &'a RawValue,
    }
    append(out, &Response { result, error: (), id })
}

/// Nothing of a message that failed half-way stays in `out`.
fn append(out: &mut Vec<u8>, message: &impl Serialize) -> Result<(), serde_json::Error> {
    let start = out.len();
    serde_json::to_writer(&mut *out, message).inspect_err(|_| out.truncate(start))
}

#[cfg(test)]
mod tests;
