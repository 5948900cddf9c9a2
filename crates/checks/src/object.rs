//! Checks of one object that runs nothing: a Service or Ingress, a role or binding, a webhook, configuration, and whatever
//! is written in an API that is gone.

mod anonymous_binding;
mod authenticated_binding;
mod cluster_admin_binding;
mod default_account_binding;
mod deprecated_api;
mod duplicate_object;
mod escalation_grant;
mod exec_grant;
mod external_ip;
mod ingress_without_tls;
mod invalid_grant;
mod legacy_token_secret;
mod node_port;
mod open_load_balancer;
mod removal;
mod secret_in_configmap;
mod secrets_reader;
mod unknown_field;
mod webhook_fails_open;
mod wildcard_rule;

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &anonymous_binding::ENTRY,
    &authenticated_binding::ENTRY,
    &cluster_admin_binding::ENTRY,
    &default_account_binding::ENTRY,
    &deprecated_api::ENTRY,
    &duplicate_object::ENTRY,
    &escalation_grant::ENTRY,
    &exec_grant::ENTRY,
    &external_ip::ENTRY,
    &ingress_without_tls::ENTRY,
    &invalid_grant::ENTRY,
    &legacy_token_secret::ENTRY,
    &node_port::ENTRY,
    &open_load_balancer::ENTRY,
    &secret_in_configmap::ENTRY,
    &secrets_reader::ENTRY,
    &unknown_field::ENTRY,
    &webhook_fails_open::ENTRY,
    &wildcard_rule::ENTRY,
];
