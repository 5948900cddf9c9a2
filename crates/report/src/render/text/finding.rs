//! One finding: its title, the lines that show it, why it matters and what to do.

use std::io;

use bartizan_cluster::Location;

use super::Writer;
use crate::finding::{Finding, Place, PlaceOrigin, Subject};
use crate::render::escape::visible;
use crate::render::excerpt::Excerpt;
use crate::render::frame;
use crate::render::paint::wrap;
use crate::render::prose::first_sentences;
use crate::render::words::{counted, filled};
use unicode_width::UnicodeWidthStr;

/// Places further apart than this many lines get frames of their own.
const APART: u32 = 100;

/// Places that one frame shows: neighbours in one file, or places of one object.
struct Site<'r> {
    head: String,
    places: Vec<&'r Place>,
    excerpt: Option<Excerpt>,
}

impl<'r> Writer<'r, '_> {
    pub(super) fn finding(&mut self, finding: &'r Finding) -> io::Result<()> {
        let severity = self.paint.severity(finding.severity, self.words.severity(finding.severity));
        let title = self.paint.bold(visible(self.rendering.title(finding)));
        writeln!(self.out, "{severity}[{}]{}{title}", self.paint.id(&finding.check), self.words.colon)?;
        let most = self.style.detail.places;
        let shown: Vec<&Place> = finding.places.iter().take(most).collect();
        let sites = self.sites(finding, &shown);
        let last = sites
            .iter()
            .filter(|site| site.excerpt.is_some())
            .flat_map(|site| &site.places)
            .filter_map(|place| place.location.as_ref())
            .map(|location| location.line)
            .max();
        let gutter = frame::gutter(last.unwrap_or(1));
        let mut said = false;
        for (number, site) in sites.iter().enumerate() {
            said |= self.site(finding, site, gutter, number == 0)?;
        }
        if sites.is_empty() && finding.subject.is_some() {
            writeln!(self.out, "{:gutter$}{} {}", "", self.paint.gutter("-->"), self.subject(finding.about()))?;
        }
        if sites.last().is_some_and(|site| site.excerpt.is_some()) {
            writeln!(self.out, "{:gutter$} {}", "", self.paint.gutter('|'))?;
        }
        if !said {
            let message = self.rendering.message(finding);
            self.note(gutter, self.words.what, &visible(&message))?;
        }
        self.notes(finding, gutter)?;
        writeln!(self.out)
    }

    /// What is said under the frames.
    fn notes(&mut self, finding: &'r Finding, gutter: usize) -> io::Result<()> {
        let more = finding.places.len().saturating_sub(self.style.detail.places);
        if more > 0 {
            self.note(gutter, self.words.also, &counted(self.words.more_places, more as u64))?;
        }
        if finding.owner_chain.is_some() {
            self.note(gutter, self.words.note, self.words.owner_unknown)?;
        }
        for related in &finding.related {
            let place = related.location.as_ref().map_or_else(String::new, |location| format!(" ({location})"));
            self.note(gutter, self.words.see, &visible(&format!("{}{place}{}{}", related.object, self.words.colon, related.note)))?;
        }
        if self.rendering.report.benchmark.is_some() && !finding.controls.is_empty() {
            self.note(gutter, self.words.controls, &visible(&finding.controls.join(self.words.comma)))?;
        }
        if let Some(page) = self.rendering.pages.get(&finding.check).filter(|_| self.explained.insert(&finding.check)) {
            let (language, budget) = (self.rendering.language, self.style.detail.prose);
            let (why, fix) = (first_sentences(page.reason(language), budget), first_sentences(page.fix(language), budget));
            self.note(gutter, self.words.why, &why)?;
            self.note(gutter, self.words.fix, &fix)?;
        }
        self.followers(finding, gutter)
    }

    /// Who else has the same fault.
    fn followers(&mut self, finding: &Finding, gutter: usize) -> io::Result<()> {
        let followers = self.repeats.followers(finding).to_vec();
        if followers.is_empty() {
            return Ok(());
        }
        self.note(gutter, self.words.also, &counted(self.words.more_owners, followers.len() as u64))?;
        // A line that says that there is one more is no shorter than that one.
        let most = if followers.len() == self.style.detail.owners.saturating_add(1) { followers.len() } else { self.style.detail.owners };
        for follower in followers.iter().take(most) {
            let place = follower.places.first().and_then(|place| place.location.as_ref()).map_or_else(String::new, |location| format!(" ({location})"));
            let mut line = format!("{}{}", self.subject(follower.about()), visible(&place));
            if follower.message != finding.message {
                line = format!("{line}{}{}", self.words.colon, visible(&self.rendering.message(follower)));
            }
            writeln!(self.out, "{:gutter$}       {line}", "")?;
        }
        if followers.len() > most {
            writeln!(self.out, "{:gutter$}       {}", "", filled(self.words.and_more_owners, &[("n", &(followers.len() - most).to_string())]))?;
        }
        Ok(())
    }

    /// `= label: text`, broken and aligned. Nothing where there is no text.
    fn note(&mut self, gutter: usize, label: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let head = format!("{label}{}", self.words.colon);
        let indent = gutter + 3 + head.width();
        let lines = wrap(text, self.style.width.saturating_sub(indent).max(24));
        let mut lines = lines.into_iter();
        writeln!(self.out, "{:gutter$} {} {}{}", "", self.paint.gutter('='), self.paint.bold(head), lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    /// One frame. Says whether the message of the finding stands in it.
    fn site(&mut self, finding: &Finding, site: &Site<'r>, gutter: usize, is_first: bool) -> io::Result<bool> {
        let arrow = if is_first { "-->" } else { ":::" };
        writeln!(self.out, "{:gutter$}{} {}", "", self.paint.gutter(arrow), site.head)?;
        let is_alone = finding.places.len() == 1;
        let mut said = false;
        let mut labels = Vec::with_capacity(site.places.len());
        for (place, number) in site.places.iter().zip(0..) {
            let mut parts = Vec::new();
            if place.message.is_some() || (is_first && number == 0) {
                let message = visible(&self.rendering.place_message(finding, place)).into_owned();
                // A label is not broken; one that would go over the edge stands below the frame.
                let before = site.excerpt.as_ref().map(|excerpt| gutter + 3 + excerpt.width_to(number) + 1);
                if before.is_none_or(|before| before + message.width() <= self.style.width) {
                    said |= place.message.is_none();
                    parts.push(message);
                }
            }
            let is_named = |container: &String| parts.iter().any(|part| part.contains(container.as_str()));
            if let Some(container) = place.container.as_ref().filter(|container| !is_alone && !is_named(container)) {
                parts.push(filled(self.words.container, &[("name", &visible(container))]));
            }
            if place.origin == PlaceOrigin::Admission {
                parts.push(self.words.by_admission.to_owned());
            }
            labels.push((!parts.is_empty()).then(|| parts.join(self.words.semicolon)));
        }
        match &site.excerpt {
            Some(excerpt) => {
                let drawn = frame::draw(excerpt, &labels, finding.severity, self.style);
                let own = frame::gutter(excerpt.last());
                for line in drawn.lines() {
                    writeln!(self.out, "{:pad$}{line}", "", pad = gutter.saturating_sub(own))?;
                }
            }
            None => {
                for (place, label) in site.places.iter().zip(labels) {
                    let path = visible(&place.path);
                    let between = if path.is_empty() || label.is_none() { "" } else { self.words.colon };
                    writeln!(self.out, "{:gutter$} {} {path}{between}{}", "", self.paint.gutter('|'), label.unwrap_or_default())?;
                }
            }
        }
        Ok(said)
    }

    fn sites(&self, finding: &'r Finding, places: &[&'r Place]) -> Vec<Site<'r>> {
        let mut sites: Vec<Site<'r>> = Vec::new();
        for &place in places {
            let together = sites.iter_mut().find(|site| site.places.last().is_some_and(|last| are_near(last, place)));
            match together {
                Some(site) => site.places.push(place),
                None => sites.push(Site { head: self.site_head(finding, place), places: vec![place], excerpt: None }),
            }
        }
        for site in &mut sites {
            site.excerpt = self.lines.excerpt(finding, &site.places);
        }
        sites
    }

    fn site_head(&self, finding: &Finding, place: &Place) -> String {
        match &place.location {
            Some(location) => visible(&location.to_string()).into_owned(),
            None => self.subject(place.object.as_ref().map_or_else(|| finding.about(), Subject::Object)),
        }
    }
}

fn are_near(one: &Place, two: &Place) -> bool {
    match (&one.location, &two.location) {
        (Some(Location { file: one, line: first, .. }), Some(Location { file: two, line: second, .. })) => one == two && first.abs_diff(*second) <= APART,
        (None, None) => one.object == two.object,
        _ => false,
    }
}
