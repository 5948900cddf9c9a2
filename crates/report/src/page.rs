//! The page of a check: what people read about it, in English and in Chinese, and the examples that the tests run.
//!
//! A page is Markdown with fixed headings:
//!
//! ````text
//! # title
//! summary line
//! ## Messages          - `key`: template with {slots}
//! ## Why it matters
//! ## Fails             ```yaml fails … offending line ends in `# fails: id` … ```
//! ## Passes            ```yaml passes … ```
//! ## Fix               prose, and ```yaml patch … ``` (RFC 6902) unless the judge proposes the change itself
//!                      or, where another object is what is missing, ```yaml adds … ``` with that object
//! ## Limits
//! ## References        - links
//! ## 中文              ### 标题 / ### 消息 / ### 原因 / ### 修复
//! ````

use std::collections::BTreeMap;

/// The language of what people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// A page, taken apart.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The title in English.
    pub title: &'static str,
    /// The line under the title.
    pub summary: &'static str,
    /// The title in Chinese.
    pub title_zh: &'static str,
    messages: BTreeMap<&'static str, &'static str>,
    messages_zh: BTreeMap<&'static str, &'static str>,
    sections: BTreeMap<&'static str, &'static str>,
}

/// A fenced block of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The word after `yaml`: `fails`, `passes`, `patch`, `adds`.
    pub role: &'static str,
    /// Further words: `version=1.30`, `live`.
    pub options: &'static str,
    /// The text between the fences.
    pub text: &'static str,
}

impl Page {
    /// Takes a page apart. Missing parts stay empty; the tests of the catalogue refuse them.
    pub fn parse(text: &'static str) -> Self {
        let mut page = Page::default();
        let (head, body) = text.split_once("\n## ").unwrap_or((text, ""));
        let head = head.trim();
        let (title, summary) = head.split_once('\n').unwrap_or((head, ""));
        page.title = title.trim_start_matches('#').trim();
        page.summary = summary.trim();
        for (name, content) in headed(body, "\n## ") {
            if name == "中文" {
                for (name, content) in headed(content.trim_start().trim_start_matches("### "), "\n### ") {
                    match name {
                        "标题" => page.title_zh = content.trim(),
                        "消息" => page.messages_zh = messages(content),
                        other => {
                            page.sections.insert(other, content.trim());
                        }
                    }
                }
            } else if name == "Messages" {
                page.messages = messages(content);
            } else {
                page.sections.insert(name, content.trim());
            }
        }
        page
    }

    /// The title.
    pub fn title(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.title,
            Language::Chinese => self.title_zh,
        }
    }

    /// The template of message `key`.
    pub fn message(&self, key: &str, language: Language) -> Option<&'static str> {
        match language {
            Language::English => self.messages.get(key),
            Language::Chinese => self.messages_zh.get(key),
        }
        .copied()
    }

    /// The keys of all messages.
    pub fn message_keys(&self, language: Language) -> impl Iterator<Item = &'static str> {
        match language {
            Language::English => self.messages.keys(),
            Language::Chinese => self.messages_zh.keys(),
        }
        .copied()
    }

    /// Why it matters.
    pub fn reason(&self, language: Language) -> &'static str {
        self.section(match language {
            Language::English => "Why it matters",
            Language::Chinese => "原因",
        })
    }

    /// How to fix it: the prose, without blocks.
    pub fn fix(&self, language: Language) -> &'static str {
        let section = self.section(match language {
            Language::English => "Fix",
            Language::Chinese => "修复",
        });
        section.split_once("```").map_or(section, |(prose, _)| prose).trim()
    }

    /// The content of a section, empty if there is none.
    pub fn section(&self, name: &str) -> &'static str {
        self.sections.get(name).copied().unwrap_or("")
    }

    /// The links of the page.
    pub fn references(&self) -> impl Iterator<Item = &'static str> {
        self.section("References").lines().filter_map(|line| line.trim().strip_prefix("- ")).map(str::trim)
    }

    /// The fenced YAML blocks of all sections, in the order of the sections' names.
    pub fn examples(&self) -> Vec<Example> {
        self.sections.values().flat_map(|content| examples(content)).collect()
    }
}

/// Fills the slots of a template.
pub fn fill(template: &str, args: &BTreeMap<String, String>) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        if let Some((name, tail)) = after.split_once('}') {
            text.push_str(args.get(name).map_or(name, String::as_str));
            rest = tail;
        } else {
            text.push('{');
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

fn headed<'a>(text: &'a str, separator: &str) -> Vec<(&'a str, &'a str)> {
    text.split(separator)
        .filter(|part| !part.trim().is_empty())
        .map(|part| part.split_once('\n').map_or((part.trim(), ""), |(name, content)| (name.trim(), content)))
        .collect()
}

fn messages(content: &'static str) -> BTreeMap<&'static str, &'static str> {
    content
        .lines()
        .filter_map(|line| {
            let (key, template) = line.trim().strip_prefix("- `")?.split_once('`')?;
            Some((key, template.trim_start_matches([':', '：']).trim()))
        })
        .collect()
}

fn examples(content: &'static str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut rest = content;
    while let Some((_, after)) = rest.split_once("```") {
        let Some((block, tail)) = after.split_once("\n```") else { break };
        let (info, text) = block.split_once('\n').unwrap_or((block, ""));
        let mut words = info.trim().splitn(3, ' ');
        if words.next() == Some("yaml") {
            found.push(Example { role: words.next().unwrap_or(""), options: words.next().unwrap_or(""), text });
        }
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# pod does x\n\nPods should not.\n\n## Messages\n- `one`: `{name}` does x\n\n## Why it matters\nBecause.\n\n## Fails\n```yaml fails version=1.30\na: 1 # fails: x\n```\n\n## Fix\nDo not.\n```yaml patch\n- op: remove\n  path: /a\n```\n\n## References\n- https://example.com\n\n## 中文\n### 标题\n容器做 x\n### 消息\n- `one`：`{name}` 做了 x\n### 原因\n因为。\n### 修复\n不要。\n";

    #[test]
    fn a_page_comes_apart() {
        let page = Page::parse(PAGE);
        assert_eq!(page.title, "pod does x");
        assert_eq!(page.summary, "Pods should not.");
        assert_eq!(page.title(Language::Chinese), "容器做 x");
        assert_eq!(page.message("one", Language::English), Some("`{name}` does x"));
        assert_eq!(page.message("one", Language::Chinese), Some("`{name}` 做了 x"));
        assert_eq!(page.reason(Language::Chinese), "因为。");
        assert_eq!(page.fix(Language::English), "Do not.");
        assert_eq!(page.references().collect::<Vec<_>>(), ["https://example.com"]);
        let examples = page.examples();
        assert_eq!(examples.len(), 2);
        assert!(examples.iter().any(|example| example.role == "fails" && example.options == "version=1.30" && example.text == "a: 1 # fails: x"));
    }

    #[test]
    fn slots_are_filled_and_braces_survive() {
        let args = [("name".to_owned(), "web".to_owned())].into();
        assert_eq!(fill("`{name}` has {other} and {", &args), "`web` has other and {");
    }
}
