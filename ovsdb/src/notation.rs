//! The notation of RFC 7047: values, conditions, mutations, operations, and what the server answers.

mod atom;
mod condition;
#[cfg(feature = "tokio")]
mod group;
mod operation;
mod outcome;
mod transaction;
mod value;

pub use atom::Atom;
pub use condition::{Condition, Function, Mutation, Mutator, Where};
pub use operation::{Operation, RowValues, Until};
pub use outcome::{Committed, OperationFailed, Reply, ServerError, TransactError};
pub use transaction::Transaction;
pub use value::Value;

#[cfg(feature = "tokio")]
pub(crate) use group::Group;
pub(crate) use outcome::parse_results;

#[cfg(test)]
mod tests;
