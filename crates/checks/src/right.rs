//! Rights that bindings give, and who holds them: each binding is judged by what its role allows whom it names.
//!
//! A rule that is limited by `resourceNames` is read as the API server reads it. It allows what a request says the name of: `get`,
//! `update` and the like, all that is done to a subresource, and `list` and `watch` with a field selector. It never allows
//! `deletecollection`, nor posting a new object, whose name no authorizer sees; but an object that is applied, or created by
//! an update, has its name in the address, and then `create` is asked for with it.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use bartizan_authz::{BindingView, GrantView, Provision, RoleId, RuleView, Scope, SubjectKind, SubjectView, verbs_of_naming};
use bartizan_cluster::access::{PRIVILEGED_GROUP, User};
use bartizan_cluster::{Kind, Missing, ObjectView, field};

use crate::entry::Judged;
use crate::facts::Facts;
use crate::grant::{Subject, granted, is_bootstrap, role_label};
use crate::msg;
use crate::sink::Sink;

/// What a check looks for in what bindings grant. Its page has the messages `cluster` and `namespace`.
#[derive(Debug)]
pub struct Grants {
    /// Whether the rights are about objects of namespaces; a RoleBinding reaches no others.
    pub is_namespaced: bool,
    /// One of them is enough.
    pub rights: &'static [Right],
    /// Whether this holder can do nothing with them that the check is about.
    pub is_idle: Option<fn(&Facts<'_>, &User<'_>) -> bool>,
}

/// A right that is worth counting its holders.
#[derive(Debug)]
pub struct Right {
    /// The verbs, of which one is enough.
    pub verbs: &'static [&'static str],
    /// The API group.
    pub group: &'static str,
    /// `pods` or `pods/exec`.
    pub resource: &'static str,
    /// What it is on objects of certain names.
    pub named: Named,
}

/// Whether a right counts that is limited to objects of certain names.
#[derive(Debug, Clone, Copy)]
pub enum Named {
    /// Each object is one too many.
    Counts,
    /// It is what is asked for, but on these objects of the namespace (of any, where there is none).
    Only(for<'a> fn(&Facts<'a>, Option<&str>) -> Exceptions<'a>),
}

/// The names of objects that count where others do not, and why there may be more.
#[derive(Debug, Default)]
pub struct Exceptions<'a> {
    /// Those that are known.
    pub names: BTreeSet<&'a str>,
    /// What was not read.
    pub missing: Option<Missing>,
}

/// How many names of objects a message says.
const NAMES_SHOWN: usize = 5;

/// Some names: enough for a message, and to tell that there are more.
type Few<'a> = BTreeSet<&'a str>;

/// The few of `names` that stand before all others.
fn few<'a>(names: impl IntoIterator<Item = &'a str>) -> Few<'a> {
    let mut few = Few::new();
    for name in names {
        few.insert(name);
        if few.len() > NAMES_SHOWN + 1 {
            few.pop_last();
        }
    }
    few
}

/// The objects on which a right is held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Extent<'a> {
    All,
    These(Few<'a>),
}

impl Extent<'_> {
    fn nothing() -> Self {
        Extent::These(Few::new())
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Extent::These(names) if names.is_empty())
    }

    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (Extent::These(names), Extent::These(more)) => *names = few(std::mem::take(names).into_iter().chain(more)),
            _ => *self = Extent::All,
        }
    }
}

/// What was found of one binding: by resource and verb.
type Held<'a> = BTreeMap<&'static str, BTreeMap<&'static str, Extent<'a>>>;

/// Says so if `binding` gives somebody one of the rights of `wanted`: everybody whom Kubernetes or an installer did not put
/// there counts.
pub(crate) fn judge<'a>(wanted: &Grants, binding: ObjectView<'a>, facts: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    if is_bootstrap(binding) || (binding.kind() == Kind::RoleBinding && !wanted.is_namespaced) {
        return out.not_applicable();
    }
    let Some(view) = facts.binding(binding) else { return out.not_applicable() };
    let Some(role) = view.role() else {
        granted(binding, facts)?;
        return out.done();
    };
    let mut held = Held::new();
    let mut subjects: BTreeSet<String> = BTreeSet::new();
    let mut open: Option<Missing> = None;
    for rule in role.rules() {
        for right in wanted.rights {
            let verbs: Vec<&'static str> = right.verbs.iter().copied().filter(|verb| rule.covers(verb, right.group, right.resource)).collect();
            if verbs.is_empty() {
                continue;
            }
            let question = Question { wanted, right, rule, binding: view, facts, names: OnceCell::new(), applied: RefCell::default() };
            for subject in view.subjects().filter(|subject| is_own(facts, GrantView { binding: view, subject: *subject, rule })) {
                for verb in &verbs {
                    match question.extent(verb, subject) {
                        Ok(extent) if extent.is_nothing() => {}
                        Ok(extent) => {
                            subjects.insert(described(subject));
                            let known = held.entry(right.resource).or_default().entry(verb).or_insert_with(Extent::nothing);
                            known.join(extent);
                        }
                        Err(missing) => open = open.or(Some(missing)),
                    }
                }
            }
        }
    }
    if !held.is_empty() {
        let (what, role_label, holders) = (said(&held), role_label(binding), subjects.into_iter().collect::<Vec<_>>().join(", "));
        let message = match binding.namespace() {
            Some(namespace) => msg!("namespace", role = role_label, subjects = holders, rights = what, namespace = namespace),
            None => msg!("cluster", role = role_label, subjects = holders, rights = what),
        };
        let raised = out.fail(binding.root().spot(&[field::ROLE_REF]), message);
        if let Some(object) = role.object() {
            raised.related(object, "the role");
        }
    }
    // An aggregated role of manifests may take in rules of roles that were not read.
    facts.complete(Kind::ClusterRole, None)?;
    open.map_or_else(|| out.done(), Err)
}

/// What one rule gives of one right.
struct Question<'q, 'a> {
    wanted: &'q Grants,
    right: &'static Right,
    rule: RuleView<'a>,
    binding: BindingView<'a>,
    facts: &'q Facts<'a>,
    /// The names to which the rule is limited, as far as they count, and what was not read of them.
    names: OnceCell<(BTreeSet<&'a str>, Option<Missing>)>,
    /// Those of them that another rule lets somebody apply: many subjects hold the same rules.
    applied: RefCell<HashMap<(RoleId, u32), Few<'a>>>,
}

impl<'a> Question<'_, 'a> {
    /// The objects on which the rule lets `subject` do `verb`, as far as that counts.
    fn extent(&self, verb: &str, subject: SubjectView<'a>) -> Result<Extent<'a>, Missing> {
        let Some(principal) = subject.principal() else { return Ok(Extent::nothing()) };
        let holder = principal.holder();
        let user = holder.alone();
        if self.wanted.is_idle.is_some_and(|is_idle| is_idle(self.facts, &user)) {
            // What was not read may give them more.
            self.bindings_complete()?;
            return Ok(Extent::nothing());
        }
        let is_new = verb == "create" && !self.right.resource.contains('/');
        let says_no_name = is_new || matches!(verb, "deletecollection" | "list" | "watch");
        // The empty name is that of requests that say none.
        if self.rule.names().len() == 0 || (says_no_name && self.rule.names().any(str::is_empty)) {
            return Ok(Extent::All);
        }
        let (names, missing) = self.names();
        let held = match verb {
            "deletecollection" => Few::new(),
            _ if is_new => self.applied(&user, names)?,
            _ => few(names.iter().copied()),
        };
        match missing {
            Some(missing) if held.is_empty() => Err(missing.clone()),
            _ => Ok(Extent::These(held)),
        }
    }

    fn names(&self) -> &(BTreeSet<&'a str>, Option<Missing>) {
        self.names.get_or_init(|| {
            let mut names: BTreeSet<&'a str> = self.rule.names().filter(|name| !name.is_empty()).collect();
            let Named::Only(exceptions) = self.right.named else { return (names, None) };
            let exceptions = exceptions(self.facts, self.binding.namespace());
            names.retain(|name| exceptions.names.contains(name));
            (names, exceptions.missing)
        })
    }

    /// Those of `names` that `user` may give a new object, by whatever bindings: where an object is applied or updated into being,
    /// `create` is asked for beside `patch` or `update`.
    fn applied(&self, user: &User<'_>, names: &BTreeSet<&'a str>) -> Result<Few<'a>, Missing> {
        let (group, resource) = (self.right.group, self.right.resource);
        let leads = |rule: RuleView<'_>| verbs_of_naming(group, resource).iter().any(|verb| rule.covers(verb, group, resource));
        let scope = match self.binding.namespace() {
            Some(namespace) => Scope::Namespace(namespace),
            // What is created in any namespace is patched in the one where that is granted.
            None if self.wanted.is_namespaced => Scope::Everywhere,
            None => Scope::Cluster,
        };
        let mut applied = Few::new();
        let mut known = self.applied.borrow_mut();
        for grant in self.facts.authz().rules_for(user, scope).filter(|grant| leads(grant.rule)) {
            let rule = grant.rule;
            let shared = known.entry((rule.role().id(), rule.place())).or_insert_with(|| match rule.names().len() {
                0 => few(names.iter().copied()),
                _ => few(rule.names().filter_map(|name| names.get(name).copied())),
            });
            applied = few(applied.into_iter().chain(shared.iter().copied()));
        }
        if applied.is_empty() && !names.is_empty() {
            self.bindings_complete()?;
        }
        Ok(applied)
    }

    /// Ends in *unknown* unless everything was read that may give somebody more where the binding counts.
    fn bindings_complete(&self) -> Result<(), Missing> {
        self.facts.complete(Kind::ClusterRoleBinding, None)?;
        if self.wanted.is_namespaced {
            let namespace = self.binding.namespace();
            self.facts.complete(Kind::RoleBinding, namespace)?;
            self.facts.complete(Kind::Role, namespace)?;
        }
        Ok(())
    }
}

/// `get,list secrets`, and where it is limited to names: `get secrets [a,b]`.
fn said(held: &Held<'_>) -> String {
    let mut parts = Vec::new();
    for (resource, verbs) in held {
        let mut by_extent: BTreeMap<&Extent<'_>, Vec<&str>> = BTreeMap::new();
        for (verb, extent) in verbs {
            by_extent.entry(extent).or_default().push(verb);
        }
        for (extent, verbs) in by_extent {
            let verbs = verbs.join(",");
            parts.push(match extent {
                Extent::All => format!("`{verbs} {resource}`"),
                Extent::These(names) => {
                    let shown: Vec<&str> = names.iter().copied().take(NAMES_SHOWN).collect();
                    let rest = if names.len() > shown.len() { ",…" } else { "" };
                    format!("`{verbs} {resource} [{}{rest}]`", shown.join(","))
                }
            });
        }
    }
    parts.join(", ")
}

/// Whether somebody here granted it to somebody who did not hold it anyway.
fn is_own(facts: &Facts<'_>, grant: GrantView<'_>) -> bool {
    let is_privileged = grant.subject.kind() == SubjectKind::Group && grant.subject.name() == PRIVILEGED_GROUP;
    let is_nobody = grant.subject.principal().is_none();
    !is_privileged && !is_nobody && facts.provision(&grant) == Provision::Own
}

fn described(subject: SubjectView<'_>) -> String {
    let Some(principal) = subject.principal() else { return subject.name().to_owned() };
    let described = match principal.service_account() {
        Some((namespace, name)) => Subject::Account { namespace, name },
        None if principal.is_group() => Subject::Group(principal.name()),
        None => Subject::User(principal.name()),
    };
    described.describe()
}
