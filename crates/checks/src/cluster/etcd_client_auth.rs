//! `etcd-client-auth`: etcd answers clients that show no certificate.

use std::borrow::Cow;

use bartizan_cluster::Value;
use bartizan_cluster::component::{Component, ComponentView, is_on};
use bartizan_report::{Check, Severity, Stage};

use super::{absent_flag, wrong_flag};
use crate::{Entry, Facts, Judge, Judged, msg, sink::Sink};

pub(super) static ENTRY: Entry = Entry {
    check: Check {
        id: "etcd-client-auth",
        severity: Severity::Critical,
        stage: Stage::Default,
        since: "0.1.0",
        aliases: &[],
        page: include_str!("etcd_client_auth.md"),
    },
    reads: &[],
    judge: Judge::Component(Component::Etcd, judge),
};

const FLAG: &str = "client-cert-auth";

fn judge<'a>(etcd: ComponentView<'a>, _: &Facts<'a>, out: &mut Sink<'a>) -> Judged {
    // With a file of settings, etcd ignores flags and variables.
    if etcd.flag("config-file").is_some() || etcd.variable("ETCD_CONFIG_FILE").is_some() {
        return Err(ComponentView::unread_file());
    }
    if let Some((place, urls)) = setting(etcd, "listen-client-urls", "ETCD_LISTEN_CLIENT_URLS")
        && let Some(url) = urls.split(',').map(str::trim).find(|url| is_open(url))
    {
        out.fail(place, msg!("plain", url = url));
        return out.done();
    }
    // A file of trusted authorities makes etcd ask every client for a certificate of theirs.
    if setting(etcd, "trusted-ca-file", "ETCD_TRUSTED_CA_FILE").is_some_and(|(_, file)| !file.is_empty()) {
        return out.done();
    }
    match (etcd.switch(FLAG), etcd.variable("ETCD_CLIENT_CERT_AUTH")) {
        (Some(flag), _) if flag.is_on() => {}
        (Some(flag), _) => wrong_flag(etcd, &flag, FLAG, "true", msg!("off"), out),
        (None, Some(value)) if value.as_str().is_some_and(is_on) => {}
        (None, Some(value)) => {
            out.fail(value, msg!("off"));
        }
        (None, None) => absent_flag(etcd, FLAG, "true", msg!("default"), out),
    }
    out.done()
}

/// A setting and where it is given: the flag, else the variable.
fn setting<'a>(etcd: ComponentView<'a>, flag: &str, variable: &str) -> Option<(Value<'a>, Cow<'a, str>)> {
    let given = etcd.flag(flag).map(|flag| (flag.word, flag.value));
    given.or_else(|| etcd.variable(variable).and_then(|value| Some((value, Cow::Borrowed(value.as_str()?)))))
}

/// Whether an address without TLS is reachable from outside the machine.
fn is_open(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    !["localhost", "127.", "[::1]"].iter().any(|local| rest.starts_with(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_without_tls_beyond_the_machine_are_open() {
        for url in ["http://0.0.0.0:2379", "http://10.0.0.4:2379", "http://[::]:2379"] {
            assert!(is_open(url), "{url}");
        }
        for url in ["https://0.0.0.0:2379", "http://127.0.0.1:2381", "http://localhost:2379", "http://[::1]:2379", ""] {
            assert!(!is_open(url), "{url}");
        }
    }
}
