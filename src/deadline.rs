//! Waiting for a moment that may never come.

use std::time::Instant;

/// Ready at the deadline, and without one never.
pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
