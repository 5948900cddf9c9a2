//! `bartizan`: arguments, colour, progress and exit codes. Everything that is decided is decided in the other crates.

mod args;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let _ = <args::Cli as clap::Parser>::parse();
    ExitCode::SUCCESS
}
