//! The command line of netsh.
use clap::{Args, ValueEnum};
use std::path::PathBuf;

use super::script::Dialect;

/// Arguments of `netsh`.
#[derive(Args, Debug)]
pub(crate) struct NetshArgs {
    /// Run the commands of FILE: a script of netsh, a batch file or a script of PowerShell; - is standard input
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with = "words")]
    pub(crate) file: Option<PathBuf>,
    /// The context in which commands are read, as in "ipsec static"
    #[arg(short = 'c', long = "context", value_name = "CONTEXT")]
    pub(crate) context: Option<String>,
    /// Run the commands of FILE first
    #[arg(short = 'a', long = "alias", value_name = "FILE")]
    pub(crate) alias: Option<PathBuf>,
    /// Run on another machine, by ssh
    #[arg(short = 'r', long = "remote", value_name = "MACHINE")]
    pub(crate) remote: Option<String>,
    /// Refused: of Windows. Who you are there is a matter of ssh
    #[arg(short = 'u', hide = true, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Refused: of Windows. How you prove it is a matter of ssh
    #[arg(short = 'p', hide = true, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// Only say what each line means, and what is wrong; nothing is changed
    #[arg(long, conflicts_with_all = ["atomic", "alias"])]
    pub(crate) check: bool,
    /// Change nothing if any line fails
    #[arg(long)]
    pub(crate) atomic: bool,
    /// What scripts are written in [default: by the name of the file, or what is in it]
    #[arg(long, value_enum, value_name = "DIALECT")]
    pub(crate) dialect: Option<DialectName>,
    /// How scripts are encoded, as in gb18030 [default: UTF-8 or UTF-16, or else Windows-1252]
    #[arg(long, value_name = "ENCODING")]
    pub(crate) encoding: Option<String>,
    /// Say which lines of a script are left out, and why
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Carry out the commands of another netsh that has set machine to this one: lines of standard input
    #[arg(long, conflicts_with_all = ["words", "file", "context", "alias", "remote", "check", "atomic", "dialect", "encoding", "verbose"])]
    pub(crate) serve: bool,
    /// A command; without one, and without a file, commands are read from standard input
    #[arg(value_name = "COMMAND")]
    pub(crate) words: Vec<String>,
}

/// What a script is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DialectName {
    /// netsh's own scripts
    Netsh,
    /// Batch files
    Batch,
    /// PowerShell
    Powershell,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Netsh => Self::Netsh,
            DialectName::Batch => Self::Batch,
            DialectName::Powershell => Self::PowerShell,
        }
    }
}
