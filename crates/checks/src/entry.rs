//! One entry of the catalogue: the identity of a check, what it reads, and the function that judges.

use bartizan_authz::login::Mechanism;
use bartizan_cluster::component::{Component, ComponentView};
use bartizan_cluster::{ContainerView, Kind, Missing, ObjectView, PodView, Workload};
use bartizan_report::Check;

use crate::facts::Facts;
use crate::right::Grants;
use crate::sink::Sink;

/// The end of a judgement. A missing fact, passed on with `?`, makes it *unknown* unless it has failed already.
pub type Judged = Result<(), Missing>;

/// One check.
#[derive(Debug)]
pub struct Entry {
    /// Its identity.
    pub check: Check,
    /// What it reads beyond its own subject. Reading another kind panics in tests; a missing one gives *unknown*.
    /// [`Kind::Pod`] stands for everything that runs pods.
    pub reads: &'static [Kind],
    /// How it judges.
    pub judge: Judge,
}

/// What a check looks for in the inventory of logins.
#[derive(Debug)]
pub struct Logins {
    /// The mechanisms.
    pub mechanisms: &'static [Mechanism],
    /// The faults that count. Each is the key of a message.
    pub faults: &'static [&'static str],
}

/// A judging function, by what it is given.
#[derive(Debug, Clone, Copy)]
pub enum Judge {
    /// Each distinct pod of each workload.
    Pod(for<'a> fn(PodView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each container of each distinct pod: init, regular and ephemeral.
    Container(for<'a> fn(ContainerView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each workload as a whole.
    Workload(for<'a> fn(&'a Workload<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each object of these kinds.
    Object(&'static [Kind], for<'a> fn(ObjectView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each object of these kinds of extensions: the group, the kind, and the plural.
    Extension(&'static [(&'static str, &'static str, &'static str)], for<'a> fn(ObjectView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each policy for the traffic of pods: NetworkPolicy, those of the whole cluster, and those of Cilium and Calico.
    TrafficPolicy(for<'a> fn(ObjectView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each object of any kind.
    AnyObject(for<'a> fn(ObjectView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each namespace.
    Namespace(for<'a> fn(ObjectView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// Each running or declared instance of a component of the control plane.
    Component(Component, for<'a> fn(ComponentView<'a>, &Facts<'a>, &mut Sink<'a>) -> Judged),
    /// The ways to log in, as the inventory of logins has them.
    Login(&'static Logins),
    /// What each binding grants.
    Grant(&'static Grants),
    /// The cluster, once.
    Cluster(for<'a> fn(&Facts<'a>, &mut Sink<'a>) -> Judged),
}
