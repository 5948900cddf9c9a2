//! Children that never outlive the process that started them.
//!
//! Each child runs under a small shell that holds the reading end of a pipe. When the test process drops the value, ends or
//! is killed, the pipe closes and the shell kills the child. (The kernel's parent-death signal would not do: it fires when
//! the *thread* that spawned the child ends, and every test has a thread of its own.)

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::error::{Error, Result};

/// Runs `$2…` with its output in `$1`, until it ends or standard input does. Ends with the child's exit code. A signal to
/// the whole process group must not end the shell before its child, which may take its time.
const KEEPER: &str = r#"
trap '' HUP INT QUIT TERM
exec 3<&0
log=$1; shift
"$@" </dev/null >"$log" 2>&1 3<&- &
child=$!
( read -r _ <&3; kill -KILL "$child" ) &
watcher=$!
wait "$child"; code=$?
kill -KILL "$watcher"
exit "$code"
"#;

/// Removes `$1` once standard input ends. What is still being written to while it goes is tried again.
const JANITOR: &str = r#"
trap '' HUP INT QUIT TERM
read -r _
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit 0; sleep 0.2; done
"#;

/// A running component and the file its output goes to.
#[derive(Debug)]
pub(crate) struct Kept {
    part: &'static str,
    log: PathBuf,
    keeper: Child,
    leash: Option<ChildStdin>,
}

impl Kept {
    /// Starts `program`; its output goes to `log`.
    pub(crate) fn start<S: AsRef<OsStr>>(part: &'static str, program: &Path, arguments: impl IntoIterator<Item = S>, log: PathBuf) -> Result<Self> {
        let mut command = shell(KEEPER);
        command.arg(&log).arg(program).args(arguments);
        let (keeper, leash) = spawn(&mut command, part)?;
        Ok(Self { part, log, keeper, leash })
    }

    /// What is running.
    pub(crate) fn part(&self) -> &'static str {
        self.part
    }

    /// An error if the component has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.keeper.try_wait().map_err(Error::io(format!("looking after `{}`", self.part)))? {
            None => Ok(()),
            Some(status) => Err(Error::Ended { part: self.part.to_owned(), status: describe(status), log: self.log_tail() }),
        }
    }

    /// The end of the component's output.
    pub(crate) fn log_tail(&self) -> String {
        std::fs::read(&self.log).map(|bytes| tail(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
    }

    /// Kills the component and waits until it is gone.
    pub(crate) fn stop(&mut self) {
        drop(self.leash.take());
        // Waiting fails only for a child that is not ours; then there is nothing left to wait for.
        let _gone = self.keeper.wait();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Removes a directory when the test process ends without having dropped its owner.
#[derive(Debug)]
pub(crate) struct Janitor {
    keeper: Child,
    _leash: Option<ChildStdin>,
}

impl Janitor {
    pub(crate) fn of(directory: &Path) -> Result<Self> {
        let (keeper, leash) = spawn(shell(JANITOR).arg(directory), "sh")?;
        Ok(Self { keeper, _leash: leash })
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        // The owner removes the directory itself; a janitor that has ended already has done the same.
        let _ended = self.keeper.kill();
        let _gone = self.keeper.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "bartizan-testbed"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn spawn(command: &mut Command, part: &str) -> Result<(Child, Option<ChildStdin>)> {
    let mut keeper = command.spawn().map_err(Error::io(format!("starting `{part}` through `sh`")))?;
    let leash = keeper.stdin.take();
    Ok((keeper, leash))
}

fn describe(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// Lines of a log that an error shows: enough for a Go stack trace's head, little enough to read.
const TAIL_LINES: usize = 25;

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).copied().collect::<Vec<_>>().join("\n")
}
