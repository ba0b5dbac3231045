//! Reads the command line and the environment, and reports all variables that are wrong.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::ParseIntError;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, FromArgMatches as _};

use super::command::Cli;
use crate::config::Problems;

/// The prefix of this program's variables.
const PREFIX: &str = "REGISTRY_";

/// Parses the arguments and the environment of this process. Ends the process after `--help` and `--version`, and if
/// the command line itself is wrong.
///
/// # Errors
/// A variable is misspelt, or its value cannot be read.
pub(super) fn parse() -> Result<Cli, Problems> {
    parse_from(std::env::args_os(), std::env::vars_os()).map_err(|error| match error {
        Error::Environment(problems) => problems,
        Error::CommandLine(error) => error.exit(),
    })
}

#[derive(Debug)]
enum Error {
    /// Variables are wrong.
    Environment(Problems),
    /// Arguments are wrong, or ask for help.
    CommandLine(clap::Error),
}

/// Parses arguments and variables. `variables` must be those of the process, because clap reads the values there.
fn parse_from(
    arguments: impl Iterator<Item = OsString>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Cli, Error> {
    let arguments: Vec<OsString> = arguments.collect();
    let variables: Vec<(OsString, OsString)> = variables.collect();
    let mut problems = misspelt(&names(&Cli::command()), &variables);
    // An empty variable counts as missing: an environment file unsets a variable by leaving it empty.
    let empty = variables.iter().filter(|(_, value)| value.is_empty());
    let mut ignored: BTreeSet<OsString> = empty.map(|(name, _)| name.clone()).collect();
    loop {
        let mut command = without(Cli::command(), &ignored);
        // Messages name arguments of subcommands, and clap knows their value names only after `build`.
        command.build();
        let error = match command.try_get_matches_from_mut(&arguments) {
            Ok(matches) => {
                let cli = Cli::from_arg_matches(&matches).map_err(Error::CommandLine)?;
                return problems.finish(Some(cli)).map_err(Error::Environment);
            }
            Err(error) => error,
        };
        // A wrong variable is reported by its name, and parsing continues without it. A wrong argument of the command
        // line is still wrong without the variable; clap reports it.
        match wrong_variable(&command, &error) {
            Some(name) if ignored.insert(name.clone()) && variables.iter().any(|(set, _)| *set == name) => {
                problems.add(format!("{}: {}", name.display(), reason(&error)));
            }
            _ => return Err(Error::CommandLine(error)),
        }
    }
}

/// Returns the variables that set arguments of a command or of its subcommands.
fn names(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    own.chain(command.get_subcommands().flat_map(names)).collect()
}

/// Returns the command without some of its variables.
fn without(command: Command, ignored: &BTreeSet<OsString>) -> Command {
    let is_ignored = |name: &OsStr| ignored.contains(name);
    command
        .mut_args(|argument| match argument.get_env().is_some_and(is_ignored) {
            true => argument.env(Resettable::Reset),
            false => argument,
        })
        .mut_subcommands(|command| without(command, ignored))
}

/// Returns the variable of the argument that an error is about.
fn wrong_variable(command: &Command, error: &clap::Error) -> Option<OsString> {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidArg) else { return None };
    fn find(command: &Command, wrong: &str) -> Option<OsString> {
        let own = command.get_arguments().find(|argument| argument.to_string() == wrong);
        let variable = own.and_then(Arg::get_env).map(OsStr::to_owned);
        variable.or_else(|| command.get_subcommands().find_map(|command| find(command, wrong)))
    }
    find(command, wrong)
}

/// Returns why a value cannot be read, without the value.
fn reason(error: &clap::Error) -> String {
    if let Some(ContextValue::Strings(allowed)) = error.get(ContextKind::ValidValue)
        && !allowed.is_empty()
    {
        return format!("write one of {}", allowed.join(", "));
    }
    match error.source() {
        Some(source) if source.is::<ParseIntError>() => "write a whole number".to_owned(),
        Some(source) => source.to_string(),
        None => "the value cannot be read".to_owned(),
    }
}

/// Reports variables that look like settings but are none, each with the most similar setting.
fn misspelt(known: &BTreeSet<String>, variables: &[(OsString, OsString)]) -> Problems {
    let mut problems = Problems::default();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || known.contains(&*name) || is_service_address(&name, value) {
            continue;
        }
        let distance = |known: &&String| strsim::damerau_levenshtein(known, &name);
        if let Some(nearest) = known.iter().filter(|known| known.starts_with(PREFIX)).min_by_key(distance) {
            problems.add(format!("{name} is not a setting; did you mean {nearest}?"));
        }
    }
    problems
}

/// Whether Kubernetes or Docker has set this variable to tell a container where a service is. The variables of a
/// service `registry` look like settings: `REGISTRY_SERVICE_HOST`, `REGISTRY_PORT=tcp://...`,
/// `REGISTRY_PORT_8080_TCP_ADDR`.
fn is_service_address(name: &str, value: &OsStr) -> bool {
    let value = value.to_string_lossy();
    let is_address = value.starts_with("tcp://") || value.starts_with("udp://");
    name.starts_with("REGISTRY_SERVICE_HOST")
        || name.starts_with("REGISTRY_SERVICE_PORT")
        || (name == "REGISTRY_PORT" && is_address)
        || name
            .strip_prefix("REGISTRY_PORT_")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misspelt_among(variables: &[(&str, &str)]) -> String {
        let variables: Vec<(OsString, OsString)> =
            variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        match misspelt(&names(&Cli::command()), &variables).finish(Some(())) {
            Ok(()) => String::new(),
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn a_misspelt_variable_is_reported_with_the_nearest_setting() {
        for (wrong, nearest) in [
            ("REGISTRY_MAXBODY", "REGISTRY_MAX_BODY"),
            ("REGISTRY_OIDC_ISUER", "REGISTRY_OIDC_ISSUER"),
            ("REGISTRY_KEYFILE", "REGISTRY_KEY_FILE"),
            ("REGISTRY_PORT", "REGISTRY_POOL"),
            ("REGISTRY_CHUNK_ROW", "REGISTRY_CHUNK_ROWS"),
        ] {
            let expected = format!("{wrong} is not a setting; did you mean {nearest}?");
            assert_eq!(misspelt_among(&[(wrong, "SECRET")]), expected);
        }
    }

    #[test]
    fn settings_and_variables_of_other_programs_are_not_misspelt() {
        assert_eq!(
            misspelt_among(&[("REGISTRY_MAX_BODY", "1"), ("DATABASE_URI", ""), ("HOME", "/root")]),
            ""
        );
        // Kubernetes sets these in each pod if there is a service named `registry`.
        assert_eq!(
            misspelt_among(&[
                ("REGISTRY_SERVICE_HOST", "10.0.0.11"),
                ("REGISTRY_SERVICE_PORT", "8080"),
                ("REGISTRY_SERVICE_PORT_HTTP", "8080"),
                ("REGISTRY_PORT", "tcp://10.0.0.11:8080"),
                ("REGISTRY_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
                ("REGISTRY_PORT_8080_TCP_ADDR", "10.0.0.11"),
            ]),
            ""
        );
    }

    #[test]
    fn every_argument_with_a_variable_is_known() {
        let names = names(&Cli::command());
        for name in ["DATABASE_URL", "REGISTRY_OIDC_ISSUER", "REGISTRY_LISTEN", "REGISTRY_CHUNK_ROWS"] {
            assert!(names.contains(name), "{name}");
        }
    }
}
