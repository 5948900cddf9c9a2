//! Draws an excerpt as compilers do: line numbers, the lines, and a label under each mark.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::excerpt::Excerpt;
use super::paint::{TextStyle, severity_style};
use crate::check::Severity;

/// How many columns the line numbers up to `last` take.
pub(crate) fn gutter(last: u32) -> usize {
    last.checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

/// The lines of `excerpt` with `labels` under its marks, one for each; the place of the excerpt is not said.
pub(crate) fn draw(excerpt: &Excerpt, labels: &[Option<String>], severity: Severity, style: &TextStyle) -> String {
    let marks = excerpt.marks.iter().zip(labels).map(|(mark, label)| AnnotationKind::Primary.span(mark.clone()).label(label.as_deref()));
    let snippet = Snippet::source(excerpt.text.as_str()).line_start(excerpt.first as usize).annotations(marks);
    let renderer = if style.colour { Renderer::styled().error(severity_style(severity)) } else { Renderer::plain() };
    // The signs beyond ASCII have no certain width on Chinese terminals, where they would bend the frame.
    renderer.decor_style(DecorStyle::Ascii).term_width(style.width).hyperlink(false).render(&[Group::with_level(Level::ERROR).element(snippet)])
}
