//! Checks of who may do what, all grants taken together: what subjects hold, and what that makes of them.

mod account_escalation;
mod automounting_default_account;
mod component_certificate_request;
mod copied_account_token;
mod endless_bootstrap_token;
mod expired_certificate;
mod foreign_account_binding;
mod foreign_api_audience;
mod invalid_authentication;
mod long_lived_certificate;
mod loose_projected_token;
mod masters_binding;
mod masters_certificate;
mod mutable_identity;
mod node_proxy_grant;
mod open_ended_extension_rule;
mod open_ended_rule;
mod pod_create_grant;
mod powerful_bootstrap_token;
mod request_approval_grant;
mod secret_read_grant;
mod shared_issuer;
mod stale_token_webhook;
mod static_token_file;
mod token_create_grant;
mod unlimited_token_lifetime;
mod unnamed_front_proxy;
mod unprefixed_identity;
mod unused_account_grant;
mod unused_account_token;
mod volume_create_grant;
mod weak_certificate;
mod webhook_write_grant;
mod wide_node_approval;

use crate::Entry;

/// The checks of this family, sorted by id.
pub(crate) static ALL: &[&Entry] = &[
    &account_escalation::ENTRY,
    &automounting_default_account::ENTRY,
    &component_certificate_request::ENTRY,
    &copied_account_token::ENTRY,
    &endless_bootstrap_token::ENTRY,
    &expired_certificate::ENTRY,
    &foreign_account_binding::ENTRY,
    &foreign_api_audience::ENTRY,
    &invalid_authentication::ENTRY,
    &long_lived_certificate::ENTRY,
    &loose_projected_token::ENTRY,
    &masters_binding::ENTRY,
    &masters_certificate::ENTRY,
    &mutable_identity::ENTRY,
    &node_proxy_grant::ENTRY,
    &open_ended_extension_rule::ENTRY,
    &open_ended_rule::ENTRY,
    &pod_create_grant::ENTRY,
    &powerful_bootstrap_token::ENTRY,
    &request_approval_grant::ENTRY,
    &secret_read_grant::ENTRY,
    &shared_issuer::ENTRY,
    &stale_token_webhook::ENTRY,
    &static_token_file::ENTRY,
    &token_create_grant::ENTRY,
    &unlimited_token_lifetime::ENTRY,
    &unnamed_front_proxy::ENTRY,
    &unprefixed_identity::ENTRY,
    &unused_account_grant::ENTRY,
    &unused_account_token::ENTRY,
    &volume_create_grant::ENTRY,
    &weak_certificate::ENTRY,
    &webhook_write_grant::ENTRY,
    &wide_node_approval::ENTRY,
];
