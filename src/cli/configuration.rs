//! `--config FILE` and `--resume RUN`: a TOML file whose keys are flags. Flags on the command line override the file.

use super::{Cli, Failure};
use bptt::files;
use bptt::train::run::settle;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, CommandFactory};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Keys of a run's configuration that are no flags.
const NOT_FLAGS: [&str; 3] = ["format", "version", "task"];

/// The larger ones are no configuration.
const LARGEST: u64 = 1 << 20;

/// The arguments, with those of the configuration file after them if one is named.
pub fn with_file(mut arguments: Vec<OsString>) -> Result<Vec<OsString>, Failure> {
    // A line that is wrong is refused when it is parsed.
    let Ok(matches) = Cli::command().try_get_matches_from(&arguments) else { return Ok(arguments) };
    let Some(("train", train)) = matches.subcommand() else { return Ok(arguments) };
    let Some((task, given)) = train.subcommand() else { return Ok(arguments) };
    let Some(file) = file(given) else { return Ok(arguments) };
    if let Ok(Some(run)) = given.try_get_one::<PathBuf>("resume") {
        settle(run)?;
    }
    let command = Cli::command();
    let command = command.find_subcommand("train").and_then(|train| train.find_subcommand(task));
    let command = command.expect("it has just been parsed");
    let mut trailing = Vec::new();
    let text = match given.try_contains_id("config").is_ok_and(|named| named) {
        true => files::read_text_at_most(&file, LARGEST),
        false => files::read_regular_text(&file, LARGEST),
    };
    for (key, value) in parsed(text, &file)? {
        if NOT_FLAGS.contains(&key.as_str()) {
            continue;
        }
        for argument in flags(command, given, &key, &value, &file)? {
            match argument {
                Argument::Flag(flag) => arguments.push(flag.into()),
                Argument::Positional(value) => trailing.push(value.into()),
            }
        }
    }
    if !trailing.is_empty() {
        arguments.push("--".into());
        arguments.append(&mut trailing);
    }
    Ok(arguments)
}

/// The file that is named.
fn file(given: &ArgMatches) -> Option<PathBuf> {
    let path = |name: &str| given.try_get_one::<PathBuf>(name).ok().flatten();
    let resumed = path("resume").map(|run| run.join("config.toml"));
    path("config").cloned().or(resumed)
}

fn parsed(text: io::Result<Option<String>>, file: &Path) -> Result<toml::Table, Failure> {
    let shown = file.display();
    let text = text
        .map_err(|error| Failure(format!("cannot read the configuration {shown}: {error}")))?
        .ok_or_else(|| Failure(format!("{shown} is larger than a configuration can be")))?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Failure(format!("{shown}, line {line}: {}", error.message()))
    })
}

enum Argument {
    Flag(String),
    Positional(String),
}

fn flags(
    command: &Command,
    given: &ArgMatches,
    key: &str,
    value: &toml::Value,
    file: &Path,
) -> Result<Vec<Argument>, Failure> {
    let shown = file.display();
    let long = |argument: &&clap::Arg| argument.get_long() == Some(key);
    let positional =
        |argument: &&clap::Arg| argument.is_positional() && argument.get_id().as_str() == key;
    let found = command.get_arguments().find(|argument| long(argument) || positional(argument));
    let Some(argument) = found.filter(|_| !["config", "resume", "help"].contains(&key)) else {
        let name = command.get_name();
        let why =
            format!("{shown}: unknown key '{key}'; the keys are the flags of bptt train {name}");
        return Err(Failure(why));
    };
    if given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine) {
        return Ok(Vec::new());
    }
    let strange = |what: &str| Err(Failure(format!("{shown}: '{key}' is {what}")));
    let one = |value: &toml::Value| -> Result<String, Failure> {
        match value {
            toml::Value::String(text) => Ok(text.clone()),
            toml::Value::Integer(number) => Ok(number.to_string()),
            toml::Value::Float(number) => Ok(number.to_string()),
            toml::Value::Boolean(truth) => Ok(truth.to_string()),
            _ => strange("neither text nor a number").map(|()| String::new()),
        }
    };
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return match value {
            toml::Value::Boolean(true) => Ok(vec![Argument::Flag(format!("--{key}"))]),
            toml::Value::Boolean(false) => Ok(Vec::new()),
            _ => strange("neither true nor false").map(|()| Vec::new()),
        };
    }
    let values = match value {
        toml::Value::Array(values) => values.iter().map(one).collect::<Result<Vec<_>, _>>()?,
        value => vec![one(value)?],
    };
    let argument_of = |value: String| match argument.is_positional() {
        true => Argument::Positional(value),
        false => Argument::Flag(format!("--{key}={value}")),
    };
    Ok(values.into_iter().map(argument_of).collect())
}
