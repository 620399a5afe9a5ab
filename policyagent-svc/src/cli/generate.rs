//! `policyagent generate`: what packages install beside the program.
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io;
use std::path::Path;

use super::args::{Cli, Generated};

/// Writes the files.
pub(super) fn generate(what: Generated, directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let command = Cli::command();
    match what {
        Generated::Man => clap_mangen::generate_to(command, directory),
        Generated::Completions => [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().try_for_each(|shell| {
            clap_complete::generate_to(shell, &mut command.clone(), "policyagent", directory).map(|_| ())
        }),
    }
}
