//! The authorizers that a server asks, in their order.

/// One authorizer. Each has the name by which the server calls it when nobody allowed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorizer {
    /// Roles and bindings.
    Rbac {
        /// Its name.
        name: String,
    },
    /// Allows everything.
    AlwaysAllow {
        /// Its name.
        name: String,
    },
    /// Allows nothing.
    AlwaysDeny {
        /// Its name.
        name: String,
    },
    /// Asks a program elsewhere, which may say anything.
    Webhook {
        /// Its name.
        name: String,
    },
}

impl Authorizer {
    /// The name by which the server calls it.
    pub fn name(&self) -> &str {
        match self {
            Authorizer::Rbac { name } | Authorizer::AlwaysAllow { name } | Authorizer::AlwaysDeny { name } | Authorizer::Webhook { name } => name,
        }
    }
}

/// The authorizers of a server, in the order in which they are asked. Membership in `system:masters` comes before all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    authorizers: Vec<Authorizer>,
}

impl Chain {
    /// These authorizers.
    pub fn new(authorizers: Vec<Authorizer>) -> Self {
        Self { authorizers }
    }

    /// The authorizers, in their order.
    pub fn authorizers(&self) -> &[Authorizer] {
        &self.authorizers
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { authorizers: vec![Authorizer::Rbac { name: "rbac".to_owned() }] }
    }
}
