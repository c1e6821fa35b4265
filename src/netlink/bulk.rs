//! Deleting many links at once.

use std::collections::HashSet;

use super::error::NetlinkError;
use super::link::{self, Link};
use super::message;
use super::socket::Socket;

/// From so many links on a group is worth its two extra steps.
const GROUP_FROM: usize = 3;
/// Where the search for an unused link group begins: far from the small numbers people choose.
const GROUP_BASE: u32 = 0x464c_0000;

/// Deletes the links of these names and returns those that were there.
///
/// Each deletion by itself makes the kernel wait until no processor uses the link any more. Links of one
/// group are deleted with one such wait, so they are put into a group that nobody uses first.
pub(super) fn delete(socket: &mut Socket, names: &[String]) -> Result<Vec<String>, NetlinkError> {
    let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
    if wanted.len() < GROUP_FROM {
        let mut deleted = Vec::new();
        for name in wanted {
            if link::delete(socket, name)? {
                deleted.push(name.to_owned());
            }
        }
        return Ok(deleted);
    }
    let links = link::all(socket)?;
    let taken: HashSet<u32> = links.iter().map(|link| link.group).collect();
    let mut victims: Vec<Link> =
        links.into_iter().filter(|link| wanted.contains(link.name.as_str())).collect();
    let process = std::process::id();
    let group = (0..=u32::MAX).map(|nth| (GROUP_BASE ^ process).wrapping_add(nth));
    let group = group.into_iter().find(|group| *group != 0 && !taken.contains(group)).unwrap_or(GROUP_BASE);
    let moved =
        socket.batch(victims.iter().map(|link| (0, message::set_group(link.index, group))).collect())?;
    let mut grouped = false;
    let mut result = moved.iter();
    let mut kept = Vec::new();
    victims.retain(|link| match result.next() {
        Some(Err(refusal)) => {
            kept.push((link.name.clone(), refusal.clone()));
            false
        }
        _ => {
            grouped = true;
            true
        }
    });
    // Gone since they were listed, or not ours to change.
    for (name, refusal) in kept {
        link::gone(Err(refusal), &name)?;
    }
    let mut deleted: Vec<String> = victims.iter().map(|link| link.name.clone()).collect();
    if grouped && socket.request(0, message::del_group(group), |_| ())?.is_err() {
        // One that cannot be deleted (a physical link) makes the kernel refuse the group.
        deleted.clear();
        let requests = victims.iter().map(|link| (0, message::del_link(link.index))).collect();
        for (victim, result) in victims.iter().zip(socket.batch(requests)?) {
            if link::gone(result, &victim.name)? {
                deleted.push(victim.name.clone());
            }
        }
    }
    Ok(deleted)
}
