//! `registry generate`: manual pages and shell completions for packages, from the definition of the command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::{Shell, generate_to};

/// Where the files are written.
#[derive(Args, Debug)]
pub struct Generate {
    /// Folder, which is made if it is missing: man/ and completions/ in it.
    folder: PathBuf,
}

impl Generate {
    /// Writes the files of a command line.
    ///
    /// # Errors
    /// One of them cannot be written.
    pub fn run(&self, command: Command) -> anyhow::Result<()> {
        let (pages, completions) = (self.folder.join("man"), self.folder.join("completions"));
        for folder in [&pages, &completions] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        }
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            generate_to(shell, &mut command.clone(), "registry", &completions)?;
        }
        clap_mangen::generate_to(command, &pages)?;
        Ok(())
    }
}
