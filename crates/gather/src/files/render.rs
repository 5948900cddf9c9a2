//! Renders charts and overlays with the programs that people have for it.
//!
//! No template is interpreted here. A program that is missing or fails leaves a problem, and the other sources are read.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bartizan_cluster::KubernetesVersion;
use bartizan_cluster::read::ProblemKind;

use super::walk::{Fault, name_of};
use crate::{Progress, Step};

/// How long a program may take if nothing else is said.
const PATIENCE: Duration = Duration::from_mins(5);

/// How many lines of a failing program's words are repeated.
const TAIL_LINES: usize = 12;

/// The programs that render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Helm.
    pub helm: PathBuf,
    /// Kustomize.
    pub kustomize: PathBuf,
    /// Kubectl, which has a Kustomize inside.
    pub kubectl: PathBuf,
}

impl Default for Programs {
    /// The programs as the `PATH` has them.
    fn default() -> Self {
        Self { helm: "helm".into(), kustomize: "kustomize".into(), kubectl: "kubectl".into() }
    }
}

/// What is passed on to the programs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendering {
    /// The programs.
    pub programs: Programs,
    /// Files of values for charts, later ones first in rank.
    pub values: Vec<PathBuf>,
    /// Single values for charts, `key=value`.
    pub set: Vec<String>,
    /// How long one program may take.
    pub timeout: Option<Duration>,
}

/// A rendered text and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) name: String,
    pub(super) text: String,
}

/// What has to be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Helm,
    Kustomize,
}

impl Engine {
    /// What the directory `path` has to be rendered with before it means anything.
    pub(super) fn of(path: &Path) -> Option<Self> {
        if path.join("Chart.yaml").is_file() {
            return Some(Engine::Helm);
        }
        super::overlay::FILES.iter().any(|file| path.join(file).is_file()).then_some(Engine::Kustomize)
    }
}

/// Renders the chart or overlay at `path`.
pub(super) fn render(engine: Engine, path: &Path, with: &Rendering, version: KubernetesVersion, progress: &dyn Progress) -> Result<Vec<Rendered>, Fault> {
    let name = name_of(path);
    let fault = |message| Fault { name: name.clone(), kind: ProblemKind::Render, message };
    let timeout = with.timeout.unwrap_or(PATIENCE);
    let mut missing = Vec::new();
    for mut command in commands(engine, path, with, version) {
        let program = command.get_program().to_string_lossy().into_owned();
        let short = Path::new(&program).file_name().map_or_else(|| program.clone(), |file| file.to_string_lossy().into_owned());
        progress.step(&Step::Rendering { program: &short, directory: &name });
        match run(&mut command, timeout) {
            Ok(Outcome::Text(text)) => {
                return Ok(match engine {
                    Engine::Helm => by_template(&name, text),
                    Engine::Kustomize => vec![Rendered { name: format!("kustomize:{name}"), text }],
                });
            }
            Ok(Outcome::Failed(words)) => return Err(fault(format!("`{short}` cannot render `{name}`: {words}"))),
            Ok(Outcome::TimedOut) => return Err(fault(format!("`{short}` did not render `{name}` within {} s", timeout.as_secs()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(short),
            Err(error) => return Err(fault(format!("`{program}` cannot be started: {error}"))),
        }
    }
    Err(fault(match engine {
        Engine::Helm => format!(
            "`{name}` is a Helm chart, and rendering it needs the program `helm`, which is not on the PATH; get it from https://helm.sh/docs/intro/install"
        ),
        Engine::Kustomize => format!(
            "`{name}` is a Kustomize directory, and rendering it needs the program {}, none of which is on the PATH; get one from https://kubectl.docs.kubernetes.io/installation/kustomize",
            missing.iter().map(|program| format!("`{program}`")).collect::<Vec<_>>().join(" or ")
        ),
    }))
}

/// The commands that would render, best first.
fn commands(engine: Engine, path: &Path, with: &Rendering, version: KubernetesVersion) -> Vec<Command> {
    match engine {
        Engine::Helm => {
            let mut command = Command::new(&with.programs.helm);
            command.args(["template", &release_name(path)]).arg(path).arg("--include-crds").args(["--kube-version", &format!("{version}.0")]);
            for file in &with.values {
                command.arg("--values").arg(file);
            }
            for setting in &with.set {
                command.args(["--set", setting]);
            }
            vec![command]
        }
        Engine::Kustomize => {
            let mut kustomize = Command::new(&with.programs.kustomize);
            kustomize.arg("build").arg(path);
            let mut kubectl = Command::new(&with.programs.kubectl);
            kubectl.arg("kustomize").arg(path);
            vec![kustomize, kubectl]
        }
    }
}

/// A name for the release: the last part of the path as a name that the API server takes.
fn release_name(path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let stem = full.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    let stem = stem.strip_suffix(".tgz").unwrap_or(&stem);
    let name: String = stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).take(53).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "release".to_owned() } else { name.to_owned() }
}

/// How a program ended.
enum Outcome {
    Text(String),
    Failed(String),
    TimedOut,
}

fn run(command: &mut Command, timeout: Duration) -> io::Result<Outcome> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let deadline = Instant::now() + timeout;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both pipes are emptied at once, so that the program never waits for a reader.
    let text = thread::spawn(move || drain(stdout));
    let words = thread::spawn(move || drain(stderr));
    let Some(status) = wait(&mut child, deadline)? else {
        return Ok(Outcome::TimedOut);
    };
    let lost = |_| io::Error::other("its output was lost");
    let (text, words) = (text.join().map_err(lost)??, words.join().map_err(lost)??);
    if !status.success() {
        let words = String::from_utf8_lossy(&words);
        let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n");
        return Ok(Outcome::Failed(if tail.is_empty() { status.to_string() } else { tail }));
    }
    String::from_utf8(text).map(Outcome::Text).map_err(|_| io::Error::other("its output is no UTF-8"))
}

fn drain(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(super::SIZE_MAX).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Waits for the end of `child`; at the deadline it is killed.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<std::process::ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Splits what Helm rendered by the comments that name the template of each document.
fn by_template(chart: &str, text: String) -> Vec<Rendered> {
    let mut parts: Vec<Rendered> = Vec::new();
    for document in documents(&text) {
        let template = document.lines().take(3).find_map(|line| line.strip_prefix("# Source: "));
        // Helm begins the path with the name of the chart; the reader knows it by its directory.
        let name =
            template.and_then(|path| path.split_once('/')).map_or_else(|| format!("helm:{chart}"), |(_, path)| format!("helm:{chart}/{}", path.trim_end()));
        match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => part.text.push_str(document),
            None => parts.push(Rendered { name, text: document.to_owned() }),
        }
    }
    if parts.is_empty() {
        parts.push(Rendered { name: format!("helm:{chart}"), text });
    }
    parts
}

/// The text in pieces that begin at the lines `---`.
fn documents(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .match_indices("\n---")
            .map(|(at, _)| at + 1)
            .find(|&at| rest.get(at + 3..).is_some_and(|after| after.is_empty() || after.starts_with(['\n', '\r', ' '])));
        let (document, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        rest = after;
        Some(document)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_one_template_are_one_source() {
        let text = "---\n# Source: shop/templates/a.yaml\na: 1\n---\n# Source: shop/templates/b.yaml\nb: 1\n---\n# Source: shop/templates/a.yaml\na: 2\n";
        let parts = by_template("charts/shop", text.to_owned());
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["helm:charts/shop/templates/a.yaml", "helm:charts/shop/templates/b.yaml"]);
        assert_eq!(parts[0].text, "---\n# Source: shop/templates/a.yaml\na: 1\n---\n# Source: shop/templates/a.yaml\na: 2\n");
    }

    #[test]
    fn a_release_has_a_name_that_the_server_takes() {
        for (path, name) in [("charts/My_Shop", "my-shop"), ("shop-1.2.3.tgz", "shop-1-2-3"), ("/", "release")] {
            assert_eq!(release_name(Path::new(path)), name);
        }
    }
}
