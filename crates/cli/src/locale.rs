//! The language in which the program speaks: `--lang`, else `BARTIZAN_LANG`, else the locale.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::LazyLock;

use bartizan_report::Language;
use clap::Command;

/// The language, found before the command line is parsed: help and errors of the parser need it already.
pub(crate) fn before_parsing(arguments: impl Iterator<Item = OsString>) -> Language {
    let words: Vec<String> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let flag = words.iter().enumerate().find_map(|(at, word)| match word.split_once('=') {
        Some(("--lang", value)) => Some(value.to_owned()),
        None if word == "--lang" => words.get(at + 1).cloned(),
        _ => None,
    });
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = flag.or_else(|| variable("BARTIZAN_LANG")).or_else(|| variable("LC_ALL")).or_else(|| variable("LC_MESSAGES")).or_else(|| variable("LANG"));
    if named.is_some_and(|name| name == "zh" || name.starts_with("zh_") || name.starts_with("zh-")) { Language::Chinese } else { Language::English }
}

/// The Chinese texts of the help, by the English ones.
static CHINESE: LazyLock<BTreeMap<&'static str, &'static str>> =
    LazyLock::new(|| include_str!("help.zh-CN.txt").lines().filter_map(|line| line.split_once(" => ")).collect());

/// The command with its help in `language`.
pub(crate) fn translated(command: Command, language: Language) -> Command {
    if language == Language::English { command } else { in_chinese(command) }
}

fn in_chinese(command: Command) -> Command {
    let about = command.get_about().map(ToString::to_string);
    let after = command.get_after_long_help().map(ToString::to_string);
    let mut command = command;
    if let Some(text) = about.as_deref().and_then(chinese) {
        command = command.about(text).long_about(text);
    }
    if let Some(after) = after {
        let lines: Vec<String> = after.lines().map(|line| chinese_line(line).unwrap_or_else(|| line.to_owned())).collect();
        command = command.after_long_help(lines.join("\n"));
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(name, in_chinese);
    }
    command.mut_args(|argument| {
        let help = argument.get_help().map(ToString::to_string);
        let heading = argument.get_help_heading().map(str::to_owned);
        let mut argument = argument;
        if let Some(text) = help.as_deref().and_then(chinese) {
            argument = argument.help(text).long_help(text);
        }
        if let Some(text) = heading.as_deref().and_then(chinese) {
            argument = argument.help_heading(text);
        }
        argument
    })
}

fn chinese(english: &str) -> Option<&'static str> {
    CHINESE.get(english.trim_end_matches('.')).copied()
}

/// A line of examples: the command stays, the remark behind it is translated.
fn chinese_line(line: &str) -> Option<String> {
    let trimmed = line.trim_start();
    let indent = line.get(..line.len() - trimmed.len())?;
    if let Some(text) = chinese(trimmed) {
        return Some(format!("{indent}{text}"));
    }
    let (command, remark) = trimmed.rsplit_once("  ")?;
    Some(format!("{indent}{command}  {}", chinese(remark.trim())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn untranslated(command: &Command, found: &mut Vec<String>) {
        let mut need = |text: Option<String>| {
            if let Some(text) = text
                && chinese(&text).is_none()
            {
                found.push(text);
            }
        };
        need(command.get_about().map(ToString::to_string));
        for argument in command.get_arguments() {
            need(argument.get_help().map(ToString::to_string));
            need(argument.get_help_heading().map(str::to_owned));
        }
        for sub in command.get_subcommands() {
            untranslated(sub, found);
        }
    }

    #[test]
    fn every_help_text_exists_in_chinese() {
        let mut found = Vec::new();
        untranslated(&crate::args::Cli::command(), &mut found);
        found.sort();
        found.dedup();
        assert!(found.is_empty(), "no Chinese for:\n{}", found.join("\n"));
    }

    #[test]
    fn the_language_comes_from_the_flag_before_anything_else() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>().into_iter();
        assert_eq!(before_parsing(words("bartizan scan --lang zh")), Language::Chinese);
        assert_eq!(before_parsing(words("bartizan --lang=en scan")), Language::English);
    }
}
