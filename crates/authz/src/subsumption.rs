//! Which roles allow nothing that another role of the same reach does not allow, however the rules are written.
//!
//! A role falls into atoms, as for the server's escalation check; it is contained where each is covered by one rule of the other.
//! Roles that allow everything contain every role and say nothing about it, and the roles of the controllers are nobody else's to
//! bind; neither count as containers.

use bartizan_cluster::Symbol;
use foldhash::{HashMap, HashMapExt as _};

use crate::Authz;
use crate::policy::RoleView;
use crate::rule::{EMPTY, RuleBook, SetId, Wanted};

/// What the names of the roles begin with that Kubernetes keeps for its controllers.
const CONTROLLERS: &str = "system:controller:";

/// A role with more atoms is not looked at: nobody wrote it by hand, and comparing it would cost more than it tells.
const ATOMS_MAX: usize = 1 << 12;

/// Candidates that are compared with one role.
const CANDIDATES_MAX: usize = 1 << 10;

/// The least thing that rules allow, in their words.
#[derive(Debug, Clone, Copy)]
enum Atom<'a> {
    Resource { verb: Symbol, group: Symbol, resource: Symbol, any: Option<Symbol>, name: Option<Symbol> },
    Path { verb: Symbol, url: &'a str },
}

impl<'a> Atom<'a> {
    /// As something that is asked for: words of rules are asked for like those of requests.
    fn wanted(self) -> Wanted<'a> {
        match self {
            Atom::Resource { verb, group, resource, any, name } => {
                Wanted::Resource { verb: Some(verb), group: Some(group), resource: Some(resource), any, name }
            }
            Atom::Path { verb, url } => Wanted::Path { verb: Some(verb), path: url },
        }
    }
}

/// The roles that may contain others.
pub(crate) struct Containers<'a> {
    authz: &'a Authz<'a>,
    /// By namespace and by a word that stands among the resources of their rules; by the empty word if rules are about paths.
    by_word: HashMap<(Option<&'a str>, Symbol), Vec<RoleView<'a>>>,
}

impl<'a> Containers<'a> {
    pub(crate) fn of(authz: &'a Authz<'_>) -> Self {
        let book = &authz.policy.book;
        let mut by_word: HashMap<(Option<&str>, Symbol), Vec<RoleView<'_>>> = HashMap::new();
        for role in authz.roles().filter(|role| !role.name().starts_with(CONTROLLERS)) {
            let Some(set) = role.set().filter(|&set| !allows_everything(book, set)) else { continue };
            for &rule in book.rules_of(set) {
                let said = book.said(rule);
                let paths = (!book.words_of(said.urls).is_empty()).then_some(EMPTY);
                for word in book.words_of(said.resources).iter().copied().chain(paths) {
                    let roles = by_word.entry((role.namespace(), word)).or_default();
                    if roles.last() != Some(&role) {
                        roles.push(role);
                    }
                }
            }
        }
        Self { authz, by_word }
    }

    /// A role of the same reach that allows everything that `role` allows: more than that, or the same and standing before it. Of
    /// several that are contained in each other, the innermost.
    pub(crate) fn of_role(&self, role: RoleView<'a>) -> Option<RoleView<'a>> {
        let book = &self.authz.policy.book;
        let set = role.set()?;
        let own = atoms(book, set)?;
        let candidates =
            own.iter().map(|&atom| self.covering(role.namespace(), atom)).min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>())?;
        let mut innermost: Option<(RoleView<'a>, SetId)> = None;
        for &other in candidates.into_iter().flatten().take(CANDIDATES_MAX) {
            let Some(their) = other.set().filter(|&their| other.id() != role.id() && covers(book, their, &own)) else { continue };
            let Some(theirs) = atoms(book, their) else { continue };
            // Of roles that say the same, the one that stands before the others stays.
            let says_the_same = covers(book, set, &theirs);
            let is_inner = innermost.is_none_or(|(inner, inner_set)| {
                covers(book, inner_set, &theirs) && (other.id() < inner.id() || !atoms(book, inner_set).is_some_and(|inner| covers(book, their, &inner)))
            });
            if is_inner && !(says_the_same && role.id() < other.id()) {
                innermost = Some((other, their));
            }
        }
        innermost.map(|(other, _)| other)
    }

    /// The roles with a rule that may cover `atom`.
    fn covering(&self, namespace: Option<&'a str>, atom: Atom<'_>) -> Vec<&[RoleView<'a>]> {
        let words = match atom {
            Atom::Resource { resource, any, .. } => [Some(self.authz.policy.book.star()), Some(resource), any],
            Atom::Path { .. } => [Some(EMPTY), None, None],
        };
        words.into_iter().flatten().filter_map(|word| self.by_word.get(&(namespace, word)).map(Vec::as_slice)).collect()
    }
}

fn covers(book: &RuleBook, set: SetId, atoms: &[Atom<'_>]) -> bool {
    atoms.iter().all(|atom| book.first_match(set, atom.wanted()).is_some())
}

fn allows_everything(book: &RuleBook, set: SetId) -> bool {
    let star = Some(book.star());
    book.first_match(set, Wanted::Resource { verb: star, group: star, resource: star, any: None, name: None }).is_some()
}

/// How many atoms the rules of a set fall into.
fn size(book: &RuleBook, set: SetId) -> usize {
    let size = |&rule: &crate::rule::RuleId| {
        let said = book.said(rule);
        let [verbs, groups, resources, names, urls] = [said.verbs, said.groups, said.resources, said.names, said.urls].map(|list| book.words_of(list).len());
        let objects = groups.saturating_mul(resources).saturating_mul(names.max(1));
        verbs.saturating_mul(objects.saturating_add(urls))
    };
    book.rules_of(set).iter().map(size).fold(0, usize::saturating_add)
}

/// The atoms of the rules of a set, unless they are too many.
fn atoms(book: &RuleBook, set: SetId) -> Option<Vec<Atom<'_>>> {
    if size(book, set) > ATOMS_MAX {
        return None;
    }
    let mut atoms = Vec::new();
    for &rule in book.rules_of(set) {
        let said = book.said(rule);
        let names: Vec<Option<Symbol>> = match book.words_of(said.names) {
            [] => vec![None],
            names => names.iter().copied().map(Some).collect(),
        };
        for &resource in book.words_of(said.resources) {
            let any = book.text(resource).split_once('/').and_then(|(_, subresource)| book.find(&format!("*/{subresource}")));
            for &group in book.words_of(said.groups) {
                for &verb in book.words_of(said.verbs) {
                    atoms.extend(names.iter().map(|&name| Atom::Resource { verb, group, resource, any, name }));
                }
            }
        }
        for url in book.texts_of(said.urls) {
            atoms.extend(book.words_of(said.verbs).iter().map(|&verb| Atom::Path { verb, url }));
        }
    }
    Some(atoms)
}
