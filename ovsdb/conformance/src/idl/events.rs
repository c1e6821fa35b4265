//! How changes are told.

use flowport_ovsdb::Replica;
use flowport_ovsdb::replica::RowChange;

use super::rows::{Cells, Written, joined};
use super::tables::{Link1, Link2, Simple, Simple2, Simple3, Simple4, Simple5, Simple6, Singleton};

/// The columns that events show.
const SHOWN: [&str; 12] = ["i", "r", "b", "s", "u", "ia", "ra", "ba", "sa", "ua", "l2", "l1"];

/// The changes of all tables, a line each.
pub(crate) fn lines(new: &Replica, old: &Replica) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(of_table::<Simple>(new, old));
    lines.extend(of_table::<Simple2>(new, old));
    lines.extend(of_table::<Simple3>(new, old));
    lines.extend(of_table::<Simple4>(new, old));
    lines.extend(of_table::<Simple5>(new, old));
    lines.extend(of_table::<Simple6>(new, old));
    lines.extend(of_table::<Link1>(new, old));
    lines.extend(of_table::<Link2>(new, old));
    lines.extend(of_table::<Singleton>(new, old));
    lines
}

fn of_table<T: Written>(new_replica: &Replica, old_replica: &Replica) -> Vec<String> {
    let cells = |row: &T| -> Cells {
        row.cells(new_replica).into_iter().filter(|(name, _)| SHOWN.contains(name)).collect()
    };
    let line = |change: RowChange<'_, T>| {
        let uuid = change.uuid();
        match change {
            RowChange::Insert { new, .. } => {
                format!("event:create, row={{{}}}, uuid={uuid}, updates=None", joined(cells(new)))
            }
            RowChange::Delete { old, .. } => {
                format!("event:delete, row={{{}}}, uuid={uuid}, updates=None", joined(cells(old)))
            }
            RowChange::Modify { old, new, .. } => {
                let before = changed(&cells(old), &cells(new));
                let row = joined(cells(new));
                format!("event:update, row={{{row}}}, uuid={uuid}, updates={{{}}}", joined(before))
            }
        }
    };
    new_replica.changes::<T>(old_replica).map(line).collect()
}

/// As [`lines`], of one table and in few words: what happened, to which number, and the first column of an update.
pub(crate) fn brief(new: &Replica, old: &Replica) -> Vec<String> {
    let cells = |row: &Simple| row.cells(new);
    let change = |change: RowChange<'_, Simple>| match change {
        RowChange::Insert { new, .. } => format!("create|{}|None", new.i),
        RowChange::Delete { old, .. } => format!("delete|{}|None", old.i),
        RowChange::Modify { old, new, .. } => {
            let first = changed(&cells(old), &cells(new)).first().map_or("None", |(name, _)| *name);
            format!("update|{}|{first}", new.i)
        }
    };
    let mut events: Vec<String> = new.changes::<Simple>(old).map(change).collect();
    events.sort();
    events
}

/// The old cells of the columns that changed.
fn changed(old: &Cells, new: &Cells) -> Cells {
    old.iter().zip(new).filter(|(old, new)| old != new).map(|(old, _)| old.clone()).collect()
}
