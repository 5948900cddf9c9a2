//! The settings, as a table: what they are called in the file, on the command line and in the environment.

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// The name in the file; a dot stands for a table.
    pub(super) name: &'static str,
    /// The flag.
    pub(super) flag: &'static str,
    /// Whether it takes several values.
    pub(super) is_list: bool,
    /// Whether it is a number in the file.
    pub(super) is_number: bool,
    /// What it does, in English.
    pub(super) about: &'static str,
}

impl Key {
    /// The variable of the environment.
    pub(super) fn variable(&self) -> String {
        format!("BARTIZAN_{}", self.name.to_ascii_uppercase().replace(['-', '.'], "_"))
    }
}

const fn word(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: false, is_number: false, about }
}

const fn list(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: true, is_number: false, about }
}

const fn number(name: &'static str, flag: &'static str, about: &'static str) -> Key {
    Key { name, flag, is_list: false, is_number: true, about }
}

/// Every setting, in the order in which people read them.
pub(super) static KEYS: &[Key] = &[
    word("kubernetes-version", "--kubernetes-version", "Kubernetes version to judge manifests for, such as `1.34`; the newest known one if it is left out"),
    word("stage", "--stage", "how much noise you accept: `default`, `strict` or `auditor`"),
    list("fail-on", "--fail-on", "what makes a run fail: `critical`, `high`, `medium`, `low`, `unknown`, `new`, `never`"),
    word("lang", "--lang", "language of what people read: `en` or `zh`; that of the locale if it is left out"),
    list("output", "--output", "formats of the report"),
    list("exclude", "--exclude", "what is left out of directories, as in a .gitignore"),
    number("jobs", "--jobs", "threads that read and judge; 0 is one a processor"),
    number("timeout", "--timeout", "seconds after which reading a live cluster is given up"),
    list("checks.disable", "--without", "checks that are left out"),
    list("checks.only", "--check", "checks that are run, whatever their stage; all of the stage if it is empty"),
];
