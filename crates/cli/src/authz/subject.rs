//! Subjects as people type them: the one syntax of every command that takes one.
//!
//! `alice` and `User/alice` are users, `Group/dev` a group, `ServiceAccount/shop/cart` and `system:serviceaccount:shop:cart` a
//! ServiceAccount; `sa` is short for it, the case of the kind does not count, and `:` stands for `/`. Whatever begins with no
//! kind is the name of a user as a whole, since names such as `oidc:ann` or `arn:aws:iam::1:role/x` have either in them.

use bartizan_authz::Holder;
use bartizan_cluster::access::{SERVICE_ACCOUNT_PREFIX, User, service_account_of};

/// Who is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A user; a ServiceAccount by its user name.
    User(String),
    /// A group.
    Group(String),
}

/// A text that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody: write `NAME`, `User/NAME`, `Group/NAME` or `ServiceAccount/NAMESPACE/NAME`")]
pub(crate) struct NamesNobody(String);

/// Who is meant by `text`.
pub(super) fn read(text: &str) -> Result<Subject, NamesNobody> {
    let nobody = || NamesNobody(text.to_owned());
    let (kind, rest) = text.split_once(['/', ':']).map_or((String::new(), text), |(kind, rest)| (kind.to_ascii_lowercase(), rest));
    let subject = match kind.as_str() {
        "user" => Subject::User(rest.to_owned()),
        "group" => Subject::Group(rest.to_owned()),
        "serviceaccount" | "sa" => {
            let (namespace, name) = rest.split_once(['/', ':']).ok_or_else(nobody)?;
            let user = format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}");
            service_account_of(&user).ok_or_else(nobody)?;
            Subject::User(user)
        }
        _ => Subject::User(text.to_owned()),
    };
    let (Subject::User(name) | Subject::Group(name)) = &subject;
    if name.is_empty() { Err(nobody()) } else { Ok(subject) }
}

impl Subject {
    /// Somebody as the API server would know them after they logged in, in `groups` too; of a group, any member.
    pub(super) fn logged_in(&self, groups: &[String]) -> User<'static> {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        match self {
            Subject::User(name) => User::logged_in(name, &groups),
            Subject::Group(group) => User::new("", groups.into_iter().chain([group.as_str()]).map(str::to_owned)),
        }
    }

    /// Whom bindings would have to name.
    pub(super) fn holder(self) -> Holder<'static> {
        match self {
            Subject::User(name) => Holder::user(name),
            Subject::Group(name) => Holder::group(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, read};

    fn user(name: &str) -> Subject {
        Subject::User(name.to_owned())
    }

    #[test]
    fn every_form_of_a_subject_means_the_same() {
        for text in [
            "ServiceAccount/shop/cart",
            "serviceaccount:shop:cart",
            "sa/shop/cart",
            "SA:shop/cart",
            "system:serviceaccount:shop:cart",
            "User/system:serviceaccount:shop:cart",
        ] {
            assert_eq!(read(text), Ok(user("system:serviceaccount:shop:cart")), "{text}");
        }
        for text in ["Group/system:authenticated", "group:system:authenticated"] {
            assert_eq!(read(text), Ok(Subject::Group("system:authenticated".to_owned())), "{text}");
        }
    }

    #[test]
    fn whatever_begins_with_no_kind_is_a_user_as_a_whole() {
        for name in ["alice", "oidc:ann", "arn:aws:iam::1:role/x", "https://login.example.com#ann", "groups/x"] {
            assert_eq!(read(name), Ok(user(name)), "{name}");
        }
        assert_eq!(read("user:group:x"), Ok(user("group:x")));
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in ["", "Group/", "user:", "ServiceAccount/cart", "sa:shop:", "sa:/cart", "sa:a:b:c"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_user_is_in_the_groups_that_the_server_adds() {
        assert_eq!(read("alice").unwrap().logged_in(&["dev".to_owned()]).groups, ["dev", "system:authenticated"]);
        assert!(read("sa:shop:cart").unwrap().logged_in(&[]).groups.contains(&"system:serviceaccounts:shop".into()));
        let group = read("Group/dev").unwrap().logged_in(&[]);
        assert_eq!((group.name.as_ref(), group.groups), ("", vec!["dev".into()]));
    }
}
