//! `generate`, for who packages the program: what there is to be installed beside it, made from the command line's own
//! description. No command of that command line, so that it is in none of what is made.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, Failure};

/// Commands of an administrator (man-pages(7)).
const SECTION: &str = "8";

/// Write what a package of Flowport has beside the program
#[derive(Parser)]
#[command(name = "flowport generate")]
enum What {
    /// Manual pages: an overview, and one for each command
    Man {
        /// Where to, made if it is not there
        dir: PathBuf,
    },
    /// Completions for bash, zsh and fish
    Completions {
        /// Where to, made if it is not there
        dir: PathBuf,
    },
}

/// Runs with the words from `generate` on.
pub(super) fn generate(words: &[OsString]) -> Result<ExitCode, Failure> {
    let what = What::parse_from(words);
    let (What::Man { dir } | What::Completions { dir }) = &what;
    let made = fs::create_dir_all(dir).and_then(|()| match &what {
        What::Man { dir } => man(dir),
        What::Completions { dir } => completions(dir),
    });
    made.map(|()| ExitCode::SUCCESS)
        .map_err(|error| Failure(format!("cannot write to {}: {error}", dir.display())))
}

fn completions(dir: &Path) -> io::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "flowport", dir)?;
    }
    Ok(())
}

fn man(dir: &Path) -> io::Result<()> {
    let mut cli = Cli::command();
    // Gives the commands their full names, and the options of all commands.
    cli.build();
    overview(&cli, &mut page(dir, "flowport")?)?;
    pages(dir, &cli, "flowport")
}

/// A page for each command of `parent`, and for those of a family.
fn pages(dir: &Path, parent: &Command, family: &str) -> io::Result<()> {
    for command in shown(parent) {
        let name = format!("{family}-{}", command.get_name());
        let mut file = page(dir, &name)?;
        titled(command.clone(), &name).render(&mut file)?;
        let mut more = Roff::default();
        more.control("SH", ["SEE ALSO"]).text([bold(family), roman(format!("({SECTION})"))]);
        more.to_writer(&mut file)?;
        pages(dir, command, &name)?;
    }
    Ok(())
}

fn page(dir: &Path, name: &str) -> io::Result<File> {
    File::create(dir.join(format!("{name}.{SECTION}")))
}

/// The commands, without the one that clap adds.
fn shown(cli: &Command) -> impl Iterator<Item = &Command> {
    cli.get_subcommands().filter(|command| command.get_name() != "help")
}

fn titled(command: Command, name: &str) -> Man {
    Man::new(command).title(name.to_uppercase()).section(SECTION).manual("Flowport")
}

fn overview(cli: &Command, out: &mut impl Write) -> io::Result<()> {
    let commands: Vec<&Command> = shown(cli).collect();
    let man = titled(cli.clone(), "flowport");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    let mut more = Roff::default();
    more.control("SH", ["COMMANDS"]);
    for command in &commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let name = format!("flowport-{}", command.get_name());
        more.control("TP", []).text([bold(name), roman(format!("({SECTION})"))]).text([roman(about)]);
    }
    for (title, entries) in SECTIONS {
        more.control("SH", [*title]);
        for (name, text) in *entries {
            if name.is_empty() {
                more.text([roman(*text)]);
            } else {
                more.control("TP", []).text([bold(*name)]).text([roman(*text)]);
            }
        }
    }
    more.to_writer(out)
}

/// What the command line does not tell of itself: entries with their name, or a paragraph without.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "CONTAINERS",
        &[(
            "",
            "A container is named by its Docker name or id, by its network namespace (netns:NAME as of ip-netns(8), \
             or netns:/PATH), or by a process (pid:NUMBER).",
        )],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Done."),
            (
                "1",
                "Refused or failed; one line on standard error names the thing and the remedy, and nothing \
                 half-made is left.",
            ),
            ("2", "Wrong usage."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("FLOWPORT_DB, FLOWPORT_SOCKET", "As --db and --socket."),
            (
                "FLOWPORT_PRIVATE_KEY, FLOWPORT_CERTIFICATE, FLOWPORT_CA_CERT",
                "As --private-key, --certificate and --ca-cert.",
            ),
            ("FLOWPORT_STATE, FLOWPORT_METRICS", "As --state and --metrics of the daemon."),
            (
                "FLOWPORT_PSK",
                "As --psk of add-tunnel, without other users of the host seeing it in the list of processes.",
            ),
            ("DOCKER_HOST", "The Docker Engine, unix://PATH or tcp://HOST:PORT."),
            (
                "RUST_LOG",
                "What is logged, in the notation of tracing-subscriber's EnvFilter, as flowport=debug.",
            ),
            ("COLUMNS", "How wide lines of show and flows may be, in place of the terminal's width."),
        ],
    ),
    (
        "FILES",
        &[
            ("/run/flowport/flowport.sock", "The daemon's socket, root's alone."),
            ("/var/lib/flowport/local.db", "The daemon's record of attachments, an OVSDB database."),
            ("/etc/default/flowport", "The environment of the service flowport, where there is one."),
        ],
    ),
    (
        "CALLED AS OVS-DOCKER",
        &[("", "Under that name the program takes the command line of ovs-docker, and nothing else.")],
    ),
    ("SEE ALSO", &[("", "ovs-vsctl(8), ovs-ofctl(8), ovs-vswitchd(8), ip-netns(8), docker(1)")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../../README.md");

    /// The program and its commands, each with its options.
    fn commands() -> Vec<Command> {
        let cli = Cli::command();
        let commands: Vec<Command> = shown(&cli).cloned().collect();
        [cli].into_iter().chain(commands).collect()
    }

    #[test]
    fn the_manual_page_and_the_readme_tell_of_every_variable() {
        let (_, entries) = SECTIONS.iter().find(|(title, _)| *title == "ENVIRONMENT").unwrap();
        let mut known = 0;
        for command in commands() {
            for variable in command.get_arguments().filter_map(|argument| argument.get_env()) {
                let variable = variable.to_str().unwrap();
                let is_told = entries.iter().any(|(names, _)| names.split(", ").any(|name| name == variable));
                assert!(is_told, "the manual page does not tell of {variable}");
                assert!(README.contains(&format!("`{variable}`")), "README.md does not tell of {variable}");
                known += 1;
            }
        }
        assert!(known >= 8, "{known}");
    }

    #[test]
    fn the_readme_tells_of_every_option() {
        for command in commands() {
            for option in command.get_arguments() {
                let (Some(long), name) = (option.get_long(), command.get_name()) else { continue };
                let is_told = README.contains(&format!("--{long}"))
                    || option.get_short().is_some_and(|short| README.contains(&format!("`-{short}`")));
                assert!(is_told, "README.md does not tell of --{long} of {name}");
            }
        }
    }
}
