//! The options that the commands share.

use std::error::Error;
use std::path::PathBuf;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What was said on the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Less of everything, for a look that takes a minute.
    pub(crate) quick: bool,
    /// Instead of comparing, write what was counted.
    pub(crate) record: bool,
    /// Only what has this word in its name.
    pub(crate) only: Option<String>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
}

impl Options {
    /// Reads the options of a command, of which only `known` are allowed.
    pub(crate) fn parse(args: Vec<String>, known: &[&str]) -> Outcome<Self> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if !known.contains(&arg.as_str()) {
                return Err(format!("unknown option {arg}: expected {}", known.join(", ")).into());
            }
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--record" => options.record = true,
                "--only" => options.only = Some(value()?),
                "--json" => options.json = Some(value()?.into()),
                _ => options.svg = Some(value()?.into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|word| name.contains(word.as_str()))
    }
}
