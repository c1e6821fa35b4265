//! The alias of a host end: whose it is, for people, and of which database, for who prunes.
//!
//! Two databases may share a network namespace. The links in it are known by their names, which do not tell whose they are;
//! what is in neither database may be a port that is just being made by the other's daemon.

use std::fmt::Display;

use super::{ContainerRef, LinkName};

/// `IFALIASZ` without its NUL.
const LONGEST: usize = 255;
/// How it begins.
const START: &str = "flowport:";

/// The alias of the host end of a container's interface, made for the database with this identity. A name that is too long
/// for it is cut.
pub fn host_end_alias(
    interface: &LinkName,
    container: &ContainerRef,
    database: Option<impl Display>,
) -> String {
    let mut alias = format!("{START} {interface} of {container}");
    let mark = database.map(|id| format!(" [{id}]")).unwrap_or_default();
    let fits = LONGEST - mark.len().min(LONGEST);
    while alias.len() > fits {
        alias.pop();
    }
    alias + &mark
}

/// What an alias tells people, and the database it was made for; `None` when it is not one of Flowport's. Older versions
/// named no database.
pub fn read_alias(alias: &str) -> Option<(&str, Option<&str>)> {
    let text = alias.strip_prefix(START)?.trim();
    let marked = text.strip_suffix(']').and_then(|text| text.rsplit_once(" ["));
    Some(marked.map_or((text, None), |(text, database)| (text, Some(database))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_read_as_it_was_written() {
        let eth1 = "eth1".parse().unwrap();
        let web = "web".parse().unwrap();
        let alias = host_end_alias(&eth1, &web, Some("7d1c"));
        assert_eq!(alias, "flowport: eth1 of web [7d1c]");
        assert_eq!(read_alias(&alias), Some(("eth1 of web", Some("7d1c"))));
        assert_eq!(read_alias("flowport: eth1 of web"), Some(("eth1 of web", None)));
        assert_eq!(read_alias("theirs [7d1c]"), None);
        let long = format!("netns:/{}", "\u{e9}".repeat(200)).parse().unwrap();
        let alias = host_end_alias(&eth1, &long, Some("7d1c"));
        assert!(alias.len() <= 255 && alias.ends_with("\u{e9} [7d1c]"), "{alias}");
    }
}
