//! Patterns of subjects and paths, as people write them in a waiver. They match names and nothing else.

use bartizan_cluster::{Kind, ObjectRef};

/// A text in which `*` stands for any number of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
}

impl Glob {
    /// The pattern `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can match one text only.
    pub fn is_literal(&self) -> bool {
        !self.text.contains('*')
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        wildcard(self.text.as_bytes(), text.as_bytes(), |one, two| one == two)
    }

    /// The same with no regard to the case of ASCII letters.
    fn matches_any_case(&self, text: &str) -> bool {
        wildcard(self.text.as_bytes(), text.as_bytes(), |one, two| one.eq_ignore_ascii_case(&two))
    }

    /// Whether `path`, or a field around it, matches: a waiver of a container covers what is in it.
    pub fn covers_path(&self, path: &str) -> bool {
        self.matches(path)
            || path.char_indices().filter(|&(_, letter)| matches!(letter, '.' | '[')).any(|(at, _)| path.get(..at).is_some_and(|around| self.matches(around)))
    }
}

fn wildcard(pattern: &[u8], text: &[u8], equal: fn(u8, u8) -> bool) -> bool {
    let (mut in_pattern, mut in_text) = (0, 0);
    // Where the last star stands, and how much of the text it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&letter) = text.get(in_text) {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                star = Some((in_pattern, in_text));
                in_pattern += 1;
            }
            Some(&expected) if equal(expected, letter) => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    in_pattern = at + 1;
                    in_text = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(in_pattern..).is_some_and(|rest| rest.iter().all(|&letter| letter == b'*'))
}

/// Which subjects a waiver speaks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectPattern {
    text: String,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Everything,
    Cluster,
    Object { kind: Glob, namespace: Option<Glob>, name: Glob },
}

impl SubjectPattern {
    /// Reads `Kind namespace/name`, `namespace/Kind/name`, `Kind name` and `Kind/name` (objects of the whole cluster),
    /// `cluster`, or `*`. `None` if it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let words: Vec<&str> = text.split_whitespace().collect();
        let shape = match *words.as_slice() {
            ["*"] => Shape::Everything,
            ["cluster"] => Shape::Cluster,
            [path] => match *path.split('/').collect::<Vec<_>>().as_slice() {
                [kind, name] => Shape::object(kind, None, name)?,
                [namespace, kind, name] => Shape::object(kind, Some(namespace), name)?,
                _ => return None,
            },
            [kind, path] => match *path.split('/').collect::<Vec<_>>().as_slice() {
                [name] => Shape::object(kind, None, name)?,
                [namespace, name] => Shape::object(kind, Some(namespace), name)?,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { text: words.join(" "), shape })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a finding about `subject` (the whole cluster if `None`) is meant.
    pub fn matches(&self, subject: Option<&ObjectRef>) -> bool {
        match (&self.shape, subject) {
            (Shape::Everything, _) | (Shape::Cluster, None) => true,
            (Shape::Cluster, Some(_)) | (Shape::Object { .. }, None) => false,
            (Shape::Object { kind, namespace, name }, Some(subject)) => {
                let in_namespace = match (namespace, subject.namespace.as_deref()) {
                    (Some(pattern), Some(namespace)) => pattern.matches(namespace),
                    // `*` stands for the lack of a namespace too.
                    (Some(pattern), None) => pattern.as_str() == "*",
                    (None, namespace) => namespace.is_none(),
                };
                in_namespace && kind.matches_any_case(&subject.kind) && name.matches(&subject.name)
            }
        }
    }

    /// Whether the pattern means the cluster as a whole, and no object.
    pub(crate) fn is_cluster(&self) -> bool {
        self.shape == Shape::Cluster
    }

    /// The kinds with a name that the pattern can mean, and the one namespace, where it is one.
    pub(crate) fn reach(&self) -> (Vec<Kind>, Option<&str>) {
        match &self.shape {
            Shape::Everything => (Kind::ALL.to_vec(), None),
            Shape::Cluster => (Vec::new(), None),
            Shape::Object { kind, namespace, .. } => {
                let kinds = Kind::ALL.iter().copied().filter(|known| kind.matches_any_case(known.name())).collect();
                (kinds, namespace.as_ref().filter(|pattern| pattern.is_literal()).map(Glob::as_str))
            }
        }
    }
}

impl Shape {
    fn object(kind: &str, namespace: Option<&str>, name: &str) -> Option<Self> {
        let filled = !kind.is_empty() && !name.is_empty() && namespace != Some("");
        filled.then(|| Shape::Object { kind: Glob::new(kind), namespace: namespace.map(Glob::new), name: Glob::new(name) })
    }
}

impl std::fmt::Display for SubjectPattern {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef { api_version: "apps/v1".to_owned(), kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }

    fn matches(pattern: &str, subject: &ObjectRef) -> bool {
        SubjectPattern::parse(pattern).unwrap().matches(Some(subject))
    }

    #[test]
    fn stars_stand_for_any_number_of_characters() {
        let yes = [("*", ""), ("*", "abc"), ("a*c", "ac"), ("a*c", "abbc"), ("*-agent", "node-agent"), ("a*b*c", "a-b-b-c"), ("a**", "a")];
        let no = [("", "a"), ("a*c", "abcd"), ("*-agent", "agent"), ("a", "A")];
        for (pattern, text) in yes {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
        for (pattern, text) in no {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_path_covers_what_is_inside_it() {
        let container = Glob::new("spec.template.spec.containers[name=app]");
        assert!(container.covers_path("spec.template.spec.containers[name=app]"));
        assert!(container.covers_path("spec.template.spec.containers[name=app].securityContext.privileged"));
        assert!(!container.covers_path("spec.template.spec.containers[name=app2].image"));
        assert!(!container.covers_path("spec.template.spec"));
        assert!(Glob::new("*.containers[name=app]").covers_path("spec.containers[name=app].image"));
        assert!(Glob::new("spec").covers_path("spec.hostPID"));
        assert!(!Glob::new("spe").covers_path("spec.hostPID"));
    }

    #[test]
    fn a_subject_is_written_in_either_order() {
        let cart = object("Deployment", Some("shop"), "cart");
        for pattern in ["Deployment shop/cart", "shop/Deployment/cart", "deployment shop/cart", "* shop/*", "*/*/cart", "*", "Deploy*  sho*/c*t"] {
            assert!(matches(pattern, &cart), "{pattern}");
        }
        for pattern in ["Deployment shop/cart2", "StatefulSet shop/cart", "Deployment cart", "Deployment/cart", "cluster", "Deployment pay/cart"] {
            assert!(!matches(pattern, &cart), "{pattern}");
        }
        let role = object("ClusterRole", None, "admin");
        for pattern in ["ClusterRole admin", "ClusterRole/admin", "*/ClusterRole/admin", "*"] {
            assert!(matches(pattern, &role), "{pattern}");
        }
        assert!(!matches("ClusterRole shop/admin", &role));
        assert!(SubjectPattern::parse("cluster").unwrap().matches(None));
        assert!(SubjectPattern::parse("*").unwrap().matches(None));
        assert!(!SubjectPattern::parse("* */*").unwrap().matches(None));
    }

    #[test]
    fn what_names_no_subject_is_refused() {
        for text in ["", "cart", "a/b/c/d", "Deployment a/b/c", "Deployment shop/", "/Deployment/cart", "Deployment shop / cart", "Deployment \t"] {
            assert_eq!(SubjectPattern::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_pattern_tells_which_lists_it_needs() {
        let (kinds, namespace) =
            SubjectPattern::parse("deployment shop/cart").map(|pattern| (pattern.reach().0, pattern.reach().1.map(str::to_owned))).unwrap();
        assert_eq!((kinds, namespace.as_deref()), (vec![Kind::Deployment], Some("shop")));
        let pattern = SubjectPattern::parse("Cluster* *").unwrap();
        assert_eq!(pattern.reach(), (vec![Kind::ClusterRole, Kind::ClusterRoleBinding], None));
    }
}
