//! How a container is named, and what that resolves to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::BadWord;

/// A container as the user names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ContainerRef {
    /// A Docker name, or a prefix of its id.
    Docker(String),
    /// `netns:NAME` or `netns:/path`: the file that a network namespace is mounted on.
    Netns(PathBuf),
    /// `pid:N`: the network namespace of a process.
    Pid(u32),
}

impl ContainerRef {
    const NETNS_DIR: &'static str = "/run/netns";
}

impl FromStr for ContainerRef {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if let Some(name) = text.strip_prefix("netns:") {
            return match name {
                "" | "." | ".." => {
                    Err(BadWord(format!("{text:?} names no namespace: write netns:NAME or netns:/path")))
                }
                path if path.starts_with('/') => Ok(Self::Netns(tidy(path))),
                name if name.contains('/') => {
                    Err(BadWord(format!("{text:?} is a relative path: write netns:NAME or netns:/path")))
                }
                name => Ok(Self::Netns(Path::new(Self::NETNS_DIR).join(name))),
            };
        }
        if let Some(pid) = text.strip_prefix("pid:") {
            return match pid.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err(BadWord(format!("{text:?} names no process: write pid:N, N a process id"))),
            };
        }
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        if text.is_empty() || !text.chars().all(named) {
            return Err(BadWord(format!(
                "{text:?} is no container: give a Docker name or id, netns:NAME, netns:/path or pid:N"
            )));
        }
        Ok(Self::Docker(text.trim_start_matches('/').to_owned()))
    }
}

/// `/var/run` is `/run`, so that a namespace has one name whichever of them the user writes.
fn tidy(path: &str) -> PathBuf {
    path.strip_prefix("/var/run/").map_or_else(|| PathBuf::from(path), |rest| Path::new("/run").join(rest))
}

impl fmt::Display for ContainerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker(name) => f.write_str(name),
            Self::Netns(path) => match path.strip_prefix(Self::NETNS_DIR) {
                // One below another directory there has no name, only a path.
                Ok(name) if name.components().count() == 1 => write!(f, "netns:{}", name.display()),
                _ => write!(f, "netns:{}", path.display()),
            },
            Self::Pid(pid) => write!(f, "pid:{pid}"),
        }
    }
}

impl TryFrom<String> for ContainerRef {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<ContainerRef> for String {
    fn from(container: ContainerRef) -> Self {
        container.to_string()
    }
}

/// The identity of a container over all its runs, one for each whichever way it was named: the 64 digits of
/// a Docker id, `netns:/path`, or `pid:N@START` (START tells a later process with the same number apart).
///
/// It is what `external_ids:container_id` holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Owner(String);

impl Owner {
    /// The owner of a namespace mounted on `path`.
    pub fn netns(path: &Path) -> Self {
        Self(format!("netns:{}", path.display()))
    }

    /// The owner of the namespace of process `pid`, which started at `start` (clock ticks since boot).
    pub fn process(pid: u32, start: u64) -> Self {
        Self(format!("pid:{pid}@{start}"))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a Docker container: one that may stop and start again.
    pub fn is_docker(&self) -> bool {
        !self.0.contains(':')
    }

    /// The path of a `netns:` owner.
    pub fn netns_path(&self) -> Option<&Path> {
        self.0.strip_prefix("netns:").map(Path::new)
    }

    /// The process and its start time of a `pid:` owner.
    pub fn as_process(&self) -> Option<(u32, u64)> {
        let (pid, start) = self.0.strip_prefix("pid:")?.split_once('@')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    }
}

impl From<&str> for Owner {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container that runs now: where its network namespace is, and the process whose end is its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    /// Whose it is.
    pub owner: Owner,
    /// The file of the network namespace.
    pub netns: PathBuf,
    /// The inode number of that namespace, which tells it from a later one on the same file.
    pub inode: u64,
    /// The first process of a Docker container or the process of `pid:N`; none for `netns:`.
    pub pid: Option<u32>,
}

impl Sandbox {
    /// A sandbox of which is known only that it is there.
    pub fn presumed(owner: &Owner) -> Self {
        Self { owner: owner.clone(), netns: PathBuf::new(), inode: 0, pid: None }
    }

    /// Whether nothing is known of it but that it is there.
    pub fn is_presumed(&self) -> bool {
        self.inode == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_container() {
        assert_eq!("c1".parse(), Ok(ContainerRef::Docker("c1".into())));
        assert_eq!("/c1".parse(), Ok(ContainerRef::Docker("c1".into())));
        assert_eq!("netns:a".parse(), Ok(ContainerRef::Netns("/run/netns/a".into())));
        assert_eq!("netns:/var/run/netns/a".parse(), Ok(ContainerRef::Netns("/run/netns/a".into())));
        assert_eq!("netns:/proc/7/ns/net".parse(), Ok(ContainerRef::Netns("/proc/7/ns/net".into())));
        assert_eq!("pid:7".parse(), Ok(ContainerRef::Pid(7)));
        for text in ["", "netns:", "netns:a/b", "pid:", "pid:0", "pid:x", "a b", "a:b"] {
            assert!(text.parse::<ContainerRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_names_the_same() {
        for text in
            ["c1", "netns:a", "netns:/proc/7/ns/net", "netns:/run/netns/a/b", "netns:/run/netns", "pid:7"]
        {
            let container: ContainerRef = text.parse().unwrap();
            assert_eq!(container.to_string(), text);
        }
        assert_eq!("netns:/run/netns/a".parse::<ContainerRef>().unwrap().to_string(), "netns:a");
    }

    #[test]
    fn an_owner_says_what_it_is() {
        assert!(Owner::from("c474a0e2830e").is_docker());
        assert_eq!(Owner::netns(Path::new("/run/netns/a")).netns_path(), Some(Path::new("/run/netns/a")));
        assert_eq!(Owner::process(7, 99).as_process(), Some((7, 99)));
    }
}
