//! Subjects as people type them: `alice`, `Group/dev`, `ServiceAccount/shop/cart`.

use bartizan_cluster::access::User;

/// Who is meant by `text`, with the groups that the API server would add to `groups`.
pub(super) fn read(text: &str, groups: &[String]) -> User<'static> {
    let mut groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let kind = text.split_once([':', '/']).map(|(kind, rest)| (kind.to_ascii_lowercase(), rest));
    match kind.as_ref().map(|(kind, rest)| (kind.as_str(), *rest)) {
        Some(("group", group)) => {
            groups.push(group);
            User::new("", groups.into_iter().map(str::to_owned))
        }
        Some(("user", name)) => User::logged_in(name, &groups),
        Some(("serviceaccount" | "sa", account)) => match account.split_once(['/', ':']) {
            Some((namespace, name)) => User::logged_in(&format!("system:serviceaccount:{namespace}:{name}"), &groups),
            None => User::logged_in(&format!("system:serviceaccount:default:{account}"), &groups),
        },
        _ => User::logged_in(text, &groups),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_subject_is_a_user_unless_it_says_otherwise() {
        assert_eq!(read("alice", &[]).groups, ["system:authenticated"]);
        assert_eq!(read("user:group:x", &[]).name, "group:x");
        assert_eq!((read("group:dev", &[]).name.as_ref(), read("Group/dev", &[]).groups), ("", vec!["dev".into()]));
        assert_eq!(read("sa:shop/cart", &[]).name, "system:serviceaccount:shop:cart");
        assert!(read("system:serviceaccount:shop:cart", &[]).groups.contains(&"system:serviceaccounts:shop".into()));
    }
}
