//! `bartizan`: arguments, colour, progress and exit codes. Everything that is decided is decided in the other crates.

mod args;
mod authz;
mod catalogue;
mod clock;
mod compare;
mod config;
mod lines;
#[cfg(feature = "live")]
mod live;
mod locale;
mod network;
mod output;
mod progress;
mod scan;
mod settings;
mod snapshot;
mod source;
mod waive;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use bartizan_report::Outcome;
use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Checks, Cli, Command, ConfigCommand};
use output::Terminal;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let language = locale::before_parsing(std::env::args_os());
    let matches = locale::translated(Cli::command(), language).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else is wrong usage.
            let code = if error.use_stderr() { Outcome::NoReport } else { Outcome::Clean };
            return match error.print() {
                Ok(()) => ExitCode::from(code.code()),
                Err(_) => ExitCode::from(Outcome::NoReport.code()),
            };
        }
    };
    let terminal = Terminal::new(&cli.global, language);
    match run(&cli, &terminal) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        // Whoever reads our output has read enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.error(&error);
            ExitCode::from(Outcome::NoReport.code())
        }
    }
}

fn run(cli: &Cli, terminal: &Terminal) -> Result<Outcome> {
    match &cli.command {
        Command::Scan(scan) => scan::run(scan, &cli.global, terminal),
        Command::Snapshot(take) => snapshot::run(take, &cli.global, terminal),
        Command::Diff(diff) => compare::run(diff, terminal),
        Command::Authz(command) => authz::run(command, &cli.global, terminal),
        Command::Network(command) => network::run(command, &cli.global, terminal),
        Command::Waive(waive) => waive::run(waive, &cli.global, terminal),
        Command::Explain(explain) => catalogue::explain(explain, terminal),
        Command::Checks(Checks::List(list)) => catalogue::list(list, terminal),
        Command::Config(ConfigCommand::Init { file }) => settings::init(file, terminal),
        Command::Config(ConfigCommand::Show) => settings::show(&cli.global, terminal),
        Command::Config(ConfigCommand::Schema) => settings::schema(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "bartizan", &mut script);
            written(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            written(&page)
        }
    }
}

fn written(bytes: &[u8]) -> Result<Outcome> {
    io::stdout().lock().write_all(bytes)?;
    Ok(Outcome::Clean)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe))
}
