//! Stand-ins: pretend servers for GitHub and Sentry on loopback, and a sender of signed webhook
//! deliveries. They serve the integration tests, the demo and the benchmark.
//!
//! The principle: a stand-in that is kinder than the real thing is a bug. Both keep state, follow
//! the observed rules (paging, 202, 403, 409, rate limits, slugs that stay taken), and can be told
//! to fail. They need no network and no account, and everything they start ends when the last
//! clone of their handle is dropped.
//!
//! It is meant to be the module `standin` at the root of a test, bench or example:
//! `#[path = "…/standin/mod.rs"] mod standin;`
//!
//! | module | what |
//! | --- | --- |
//! | [`sentry`], [`github`] | the two sites |
//! | [`wire`], [`fault`] | latency, faults, outages, call log of either |
//! | [`deliver`] | signs and sends deliveries |
//! | [`described`] | whether a call is one that the official descriptions have |
//! | [`compare`] | what differs between the two sites at rest |
//! | [`http`], [`client`], [`graphql`] | the ground they stand on |

// Compiled as a module of several test binaries, none of which uses all of it.
#![allow(dead_code, unused_imports)]

pub mod client;
pub mod compare;
pub mod deliver;
pub mod described;
pub mod encode;
pub mod fault;
pub mod github;
pub mod graphql;
pub mod http;
mod message;
pub mod rng;
pub mod sentry;
pub mod time;
pub mod wire;

pub use compare::{differences, Comparison};
pub use deliver::{deliver, Delivery, Sender};
pub use fault::{Fault, GraphqlFault, LinkFault, RandomFaults, Rule};
pub use github::{
    Denial, Events, Flavour, GithubApp, GithubStandin, GithubTeam, GithubTeamView, GithubToken, GithubUser,
    Hook, Limits, OrgRole, APP_KEY, APP_KEY_PKCS8, OTHER_KEY,
};
pub use sentry::{
    asking_permissions, mirror_permissions, original_permissions, Era, NewMember, NewToken, RateLimit,
    SentryStandin, Silo, TeamView, ERAS,
};
pub use wire::{Call, Reach, Wire};

/// Which truth the program's GitHub token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// A token without any permission.
    Deliveries,
    /// A token that may read members.
    Github,
}
