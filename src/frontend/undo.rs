//! Taking back what could not be finished, also when the database is away just then.

use std::time::{Duration, Instant};

use crate::ovsdb::{Database, TransactionFailed};
use crate::refused::Refused;

use super::Frontend;

/// How long a caller waits for what was asked for to be taken back.
pub(super) const UNDO_TIME: Duration = Duration::from_secs(5);
/// How long it is tried at all, for as long as the process lives: the daemon's does.
const TRY_FOR: Duration = Duration::from_secs(600);
/// The pause between two attempts.
const REST: Duration = Duration::from_millis(100);

impl Frontend {
    /// Finishes what was made in the database. What cannot be finished is taken back, also where it is only not known
    /// whether it was made, before the reason is given. Where that has not happened soon the reason says so; it is still
    /// tried then.
    pub(super) async fn finish_or_undo<M, T, F>(
        &self,
        made: Result<M, TransactionFailed>,
        finish: impl AsyncFnOnce(M) -> Result<T, Refused>,
        undo: impl Fn(Database) -> F + Send + 'static,
    ) -> Result<T, Refused>
    where
        F: Future<Output = Result<(), TransactionFailed>> + Send,
    {
        let why = match made {
            Ok(made) => match finish(made).await {
                Ok(finished) => return Ok(finished),
                Err(why) => why,
            },
            Err(failed) if failed.may_be_made => failed.into(),
            Err(failed) => return Err(failed.into()),
        };
        let (database, until) = (self.shells.database.clone(), Instant::now() + TRY_FOR);
        let undoing = tokio::spawn(async move {
            let mut disowned_since = None;
            while database.connected(until).await.is_ok() {
                match undo(database.clone()).await {
                    Ok(()) => return true,
                    Err(failed) if Instant::now() < until => {
                        // Another Flowport rules meanwhile, and its users may have set what this would undo; after a
                        // lost connection the lock is only on its way back.
                        let since = failed.disowned.then(|| disowned_since.unwrap_or_else(Instant::now));
                        disowned_since = since;
                        if since.is_some_and(|since| since.elapsed() > UNDO_TIME) {
                            break;
                        }
                        tracing::debug!("not taken back yet: {failed}");
                        tokio::time::sleep(REST).await;
                    }
                    Err(_) => break,
                }
            }
            tracing::error!("what was refused could not be taken back: `flowport show` tells what there is");
            false
        });
        match tokio::time::timeout(UNDO_TIME, undoing).await {
            Ok(Ok(true)) => Err(why),
            _ => Err(Refused {
                line: format!(
                    "{why}; it could not be taken back yet: look at `flowport show` when the database answers"
                ),
                ..why
            }),
        }
    }
}
